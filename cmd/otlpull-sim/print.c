#include "print.h"

#include <ctype.h>
#include <errno.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#define PLAIN (JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE)

/* Every piece goes in with its length, so that no two rows of pieces look alike. */
void print_text(struct print *p, const char *text, size_t len)
{
    uint32_t length = (uint32_t)len;
    buf_append(&p->text, &length, sizeof(length));
    buf_append(&p->text, text, len);
}

void print_time(struct print *p, uint64_t time_ns)
{
    buf_append(&p->text, &time_ns, sizeof(time_ns));
}

void print_id(struct print *p, const char *text, size_t digits)
{
    char id[33] = "";
    size_t len = strlen(text);
    bool hex = text[strspn(text, "0123456789abcdefABCDEF")] == '\0';
    bool zero = text[strspn(text, "0")] == '\0';
    if (hex && !zero && digits < sizeof(id) && (len == digits || (digits == 32 && len == 16))) {
        memset(id, '0', digits);
        for (size_t i = 0; i < len; i++)
            id[digits - len + i] = (char)tolower((unsigned char)text[i]);
        id[digits] = '\0';
    }
    print_text(p, id, strlen(id));
}

uint64_t print_end(struct print *p)
{
    uint64_t hash = XXH3_64bits(buf_text(&p->text), p->text.len);
    buf_reset(&p->text);
    return hash;
}

void print_release(struct print *p)
{
    buf_release(&p->text);
}

static uint64_t time_of(struct json_object *value)
{
    const char *text = json_object_get_string(value);
    char *end;
    if (!text || json_object_is_type(value, json_type_double) || *text < '0' || *text > '9')
        return 0;
    errno = 0;
    unsigned long long time_ns = strtoull(text, &end, 10);
    return errno || *end ? 0 : time_ns;
}

static void print_member(struct print *p, struct json_object *object, const char *key)
{
    struct json_object *value = NULL;
    json_object_object_get_ex(object, key, &value);
    bool text = json_object_is_type(value, json_type_string);
    print_text(p, text ? json_object_get_string(value) : "",
               text ? (size_t)json_object_get_string_len(value) : 0);
}

/* An AnyValue: its text, or else its JSON. */
static void print_value(struct print *p, struct json_object *value)
{
    struct json_object *text = NULL;
    if (json_object_is_type(value, json_type_object) &&
        json_object_object_get_ex(value, "stringValue", &text)) {
        print_member(p, value, "stringValue");
        return;
    }
    size_t len = 0;
    const char *json = json_object_to_json_string_length(value, PLAIN, &len);
    print_text(p, json, len);
}

static void print_id_member(struct print *p, struct json_object *record, const char *key,
                            size_t digits)
{
    struct json_object *value = NULL;
    json_object_object_get_ex(record, key, &value);
    print_id(p, json_object_is_type(value, json_type_string) ? json_object_get_string(value) : "",
             digits);
}

void print_record(struct print *p, struct json_object *record)
{
    struct json_object *value = NULL;
    json_object_object_get_ex(record, "timeUnixNano", &value);
    print_time(p, time_of(value));
    print_member(p, record, "severityText");
    value = NULL;
    json_object_object_get_ex(record, "body", &value);
    print_value(p, value);
    print_id_member(p, record, "traceId", 32);
    print_id_member(p, record, "spanId", 16);
    value = NULL;
    json_object_object_get_ex(record, "attributes", &value);
    size_t count = json_object_is_type(value, json_type_array) ? json_object_array_length(value)
                                                               : 0;
    for (size_t i = 0; i < count; i++) {
        struct json_object *attribute = json_object_array_get_idx(value, i);
        struct json_object *inner = NULL;
        if (!json_object_is_type(attribute, json_type_object))
            continue;
        print_member(p, attribute, "key");
        json_object_object_get_ex(attribute, "value", &inner);
        print_value(p, inner);
    }
}
