#include "json_strict.h"

#include <json-c/json.h>
#include <limits.h>
#include <string.h>

struct reader {
    const unsigned char *at, *end;
    const char *wrong;
    size_t members;
    int depth;
};

static bool fail(struct reader *r, const char *wrong)
{
    if (!r->wrong)
        r->wrong = wrong;
    return false;
}

static int next(const struct reader *r)
{
    return r->at < r->end ? *r->at : -1;
}

static void skip_space(struct reader *r)
{
    while (r->at < r->end && (*r->at == ' ' || *r->at == '\t' || *r->at == '\n' || *r->at == '\r'))
        r->at++;
}

/* One character of UTF-8 beyond ASCII (RFC 3629: none too long, no surrogate, up to U+10FFFF). */
static bool read_utf8(struct reader *r)
{
    unsigned int lead = *r->at++;
    int more = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : 1;
    if (lead < 0xc2 || lead > 0xf4)
        return fail(r, "not UTF-8");
    unsigned int low = 0x80, high = 0xbf;
    if (lead == 0xe0)
        low = 0xa0;
    else if (lead == 0xed)
        high = 0x9f;
    else if (lead == 0xf0)
        low = 0x90;
    else if (lead == 0xf4)
        high = 0x8f;
    for (; more > 0; more--, low = 0x80, high = 0xbf) {
        if (r->at == r->end || *r->at < low || *r->at > high)
            return fail(r, "not UTF-8");
        r->at++;
    }
    return true;
}

static bool is_hex(unsigned char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static bool read_escape(struct reader *r)
{
    r->at++;
    int c = next(r);
    if (c <= 0 || !strchr("\"\\/bfnrtu", c))
        return fail(r, "a wrong escape");
    r->at++;
    for (int i = 0; c == 'u' && i < 4; i++) {
        if (r->at == r->end || !is_hex(*r->at++))
            return fail(r, "a wrong \\u escape");
    }
    return true;
}

static bool read_string(struct reader *r)
{
    if (next(r) != '"')
        return fail(r, "a string is expected");
    r->at++;
    while (r->at < r->end) {
        unsigned char c = *r->at;
        if (c == '"') {
            r->at++;
            return true;
        }
        if (c < 0x20)
            return fail(r, "a raw control character in a string");
        if (c == '\\') {
            if (!read_escape(r))
                return false;
        } else if (c >= 0x80) {
            if (!read_utf8(r))
                return false;
        } else {
            r->at++;
        }
    }
    return fail(r, "a string does not end");
}

static bool read_digits(struct reader *r)
{
    const unsigned char *from = r->at;
    while (r->at < r->end && *r->at >= '0' && *r->at <= '9')
        r->at++;
    return r->at > from || fail(r, "a number lacks digits");
}

static bool read_number(struct reader *r)
{
    if (next(r) == '-')
        r->at++;
    if (next(r) == '0')
        r->at++;
    else if (!read_digits(r))
        return false;
    if (next(r) == '.') {
        r->at++;
        if (!read_digits(r))
            return false;
    }
    if (next(r) == 'e' || next(r) == 'E') {
        r->at++;
        if (next(r) == '+' || next(r) == '-')
            r->at++;
        return read_digits(r);
    }
    return true;
}

static bool read_word(struct reader *r, const char *word)
{
    size_t len = strlen(word);
    if ((size_t)(r->end - r->at) < len || memcmp(r->at, word, len) != 0)
        return fail(r, "neither true, false nor null");
    r->at += len;
    return true;
}

static bool read_value(struct reader *r);

static bool read_key(struct reader *r)
{
    skip_space(r);
    if (!read_string(r))
        return false;
    skip_space(r);
    if (next(r) != ':')
        return fail(r, "a colon is expected");
    r->at++;
    r->members++;
    return true;
}

/* What stands between brackets; `close` is the closing one. */
static bool read_list(struct reader *r, char close)
{
    if (++r->depth > JSON_STRICT_DEPTH)
        return fail(r, "nested too deeply");
    r->at++;
    skip_space(r);
    if (next(r) == close) {
        r->at++;
        r->depth--;
        return true;
    }
    for (;;) {
        if ((close == '}' && !read_key(r)) || !read_value(r))
            return false;
        skip_space(r);
        if (next(r) == close)
            break;
        if (next(r) != ',')
            return fail(r, "a comma or a closing bracket is expected");
        r->at++;
    }
    r->at++;
    r->depth--;
    return true;
}

static bool read_value(struct reader *r)
{
    skip_space(r);
    switch (next(r)) {
    case '{':
        return read_list(r, '}');
    case '[':
        return read_list(r, ']');
    case '"':
        return read_string(r);
    case 't':
        return read_word(r, "true");
    case 'f':
        return read_word(r, "false");
    case 'n':
        return read_word(r, "null");
    default:
        return read_number(r);
    }
}

/* Members of all objects: fewer than stand in the text where a key stands twice. */
static size_t count_members(struct json_object *value)
{
    size_t count = 0;
    if (json_object_is_type(value, json_type_object)) {
        json_object_object_foreach(value, key, member)
        {
            (void)key;
            count += 1 + count_members(member);
        }
    }
    if (json_object_is_type(value, json_type_array)) {
        for (size_t i = 0; i < json_object_array_length(value); i++)
            count += count_members(json_object_array_get_idx(value, i));
    }
    return count;
}

struct json_object *json_strict_parse(struct bytes text, bool unique, struct error *err)
{
    const unsigned char *begin = (const unsigned char *)text.data;
    struct reader r = { .at = begin, .end = begin + text.len };
    bool whole = read_value(&r);
    skip_space(&r);
    if (whole && r.at != r.end)
        whole = fail(&r, "something follows the end");
    if (!whole || text.len > INT_MAX) {
        error_set(err, ERR_INPUT, "byte %zu: %s", (size_t)(r.at - begin),
                  r.wrong ? r.wrong : "long");
        return NULL;
    }
    struct json_tokener *tokener = json_tokener_new_ex(JSON_STRICT_DEPTH + 2);
    struct json_object *value = json_tokener_parse_ex(tokener, text.data, (int)text.len);
    enum json_tokener_error problem = json_tokener_get_error(tokener);
    json_tokener_free(tokener);
    if (problem != json_tokener_success || !value) { /* null, too, and a number alone: no request */
        json_object_put(value);
        error_set(err, ERR_INPUT, "not an object");
        return NULL;
    }
    if (unique && count_members(value) != r.members) {
        json_object_put(value);
        error_set(err, ERR_INPUT, "a key stands twice in one object");
        return NULL;
    }
    return value;
}
