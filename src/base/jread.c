#include "jread.h"

#include <errno.h>
#include <json-c/json.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/timefmt.h"

static bool only_space(const char *at, const char *end)
{
    while (at < end && (*at == ' ' || *at == '\t' || *at == '\r' || *at == '\n'))
        at++;
    return at == end;
}

struct json_object *jread_parse(struct bytes text, struct error *err)
{
    struct json_tokener *tokener = json_tokener_new_ex(JREAD_MAX_DEPTH);
    if (!tokener)
        out_of_memory();
    if (text.len > INT_MAX) {
        json_tokener_free(tokener);
        error_set(err, ERR_INPUT, "a JSON text of %zu bytes is too long", text.len);
        return NULL;
    }
    json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
    struct json_object *document = json_tokener_parse_ex(tokener, text.data, (int)text.len);
    enum json_tokener_error problem = json_tokener_get_error(tokener);
    size_t end = json_tokener_get_parse_end(tokener);
    json_tokener_free(tokener);
    if (problem != json_tokener_success || !json_object_is_type(document, json_type_object) ||
        !only_space(text.data + end, text.data + text.len)) {
        json_object_put(document);
        error_set(err, ERR_INPUT, "not a JSON object: %s",
                  problem == json_tokener_success ? "it is of another type, or something follows it"
                                                  : json_tokener_error_desc(problem));
        return NULL;
    }
    return document;
}

void jread_release(struct json_object *document)
{
    json_object_put(document);
}

bool jread_has(struct json_object *object, const char *key)
{
    return json_object_is_type(object, json_type_object) &&
           json_object_object_get_ex(object, key, NULL);
}

struct json_object *jread_member(struct json_object *object, const char *key)
{
    struct json_object *member = NULL;
    if (json_object_is_type(object, json_type_object))
        json_object_object_get_ex(object, key, &member);
    return member;
}

bool jread_is_array(struct json_object *value)
{
    return json_object_is_type(value, json_type_array);
}

bool jread_is_text(struct json_object *value, struct bytes *out)
{
    if (!json_object_is_type(value, json_type_string))
        return false;
    *out = (struct bytes){ json_object_get_string(value),
                           (size_t)json_object_get_string_len(value) };
    return true;
}

size_t jread_count(struct json_object *array)
{
    return json_object_is_type(array, json_type_array) ? json_object_array_length(array) : 0;
}

struct json_object *jread_at(struct json_object *array, size_t i)
{
    return i < jread_count(array) ? json_object_array_get_idx(array, i) : NULL;
}

bool jread_text(struct json_object *object, const char *key, const char **out)
{
    struct json_object *member = jread_member(object, key);
    if (!json_object_is_type(member, json_type_string))
        return false;
    *out = json_object_get_string(member);
    return true;
}

bool jread_int(struct json_object *object, const char *key, int64_t *out)
{
    struct json_object *member = jread_member(object, key);
    if (json_object_is_type(member, json_type_int)) {
        *out = json_object_get_int64(member);
        return true;
    }
    const char *text;
    if (!jread_text(object, key, &text) || !*text || strspn(text, "-0123456789") != strlen(text))
        return false;
    char *end;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (errno || *end)
        return false;
    *out = value;
    return true;
}

bool jread_bool(struct json_object *object, const char *key, bool *out)
{
    struct json_object *member = jread_member(object, key);
    if (!json_object_is_type(member, json_type_boolean))
        return false;
    *out = json_object_get_boolean(member);
    return true;
}

bool jread_time(struct json_object *object, const char *key, int64_t *unix_ns)
{
    const char *text;
    return jread_text(object, key, &text) && timefmt_parse_rfc3339(bytes_of(text), unix_ns);
}

void jread_quote(struct buf *out, const char *text)
{
    struct json_object *string = json_object_new_string(text);
    if (!string)
        out_of_memory();
    size_t len = 0;
    const char *quoted = json_object_to_json_string_length(
        string, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, &len);
    if (!quoted)
        out_of_memory();
    buf_append(out, quoted, len);
    json_object_put(string);
}
