/* scan_fuzz.c -- otlp/scan.c beside json-c's strict tokener: both take the same texts, and read the
 * same from a record's members. Where we differ, on purpose, we are the stricter one; JSON has (RFC
 * 8259) or UTF-8 has (RFC 3629) the rule, and this is the whole list:
 *   - NaN, Infinity, -Infinity; "1." and "-.5"; leading zeros: json-c takes them
 *   - control characters as they are inside a string: json-c takes them
 *   - a key in single quotes: json-c takes it
 *   - overlong UTF-8, surrogates in UTF-8, beyond U+10FFFF: json-c takes them; libc's iconv decides
 *   - more than OTLP_MAX_DEPTH brackets inside one another: json-c is set to take twice that
 *
 * Where the grammar is silent we agree: escaped lone surrogates pass, and the last of repeated
 * members counts. */
#include "fuzz.h"

#include <iconv.h>
#include <json-c/json.h>
#include <string.h>

#include "otlp/otlp.h"

/* What json-c forgives, and how deep the brackets go, in a text that json-c takes. */
struct outline {
    bool forgiven;
    int depth;
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* `text` ends with a NUL. */
static struct outline outline_of(const char *text, size_t len)
{
    struct outline seen = { 0 };
    int depth = 0;
    bool in_string = false;
    for (size_t i = 0; i < len; i++) {
        char c = text[i], before = i ? text[i - 1] : ' ', after = text[i + 1];
        if (in_string) {
            seen.forgiven |= (unsigned char)c < 0x20;
            if (c == '\\')
                i++;
            in_string = c != '"';
            continue;
        }
        bool number_goes_on = is_digit(before) || before == '.' || before == '+' ||
                              (before == '-' && i > 1 && (text[i - 2] | 0x20) == 'e') ||
                              (before | 0x20) == 'e';
        in_string = c == '"';
        depth += (c == '{' || c == '[') - (c == '}' || c == ']');
        seen.depth = depth > seen.depth ? depth : seen.depth;
        seen.forgiven |= c == 'N' || c == 'I' || c == '\'' ||
                         (c == '.' && !(is_digit(before) && is_digit(after))) ||
                         (c == '0' && is_digit(after) && !number_goes_on);
    }
    return seen;
}

static bool is_utf8(const char *text, size_t len)
{
    static iconv_t converter;
    if (!converter)
        converter = iconv_open("UTF-16LE", "UTF-8");
    char *in = (char *)(uintptr_t)text, room[4096];
    while (len) {
        char *out = room;
        size_t left = sizeof(room);
        if (iconv(converter, &in, &len, &out, &left) == (size_t)-1 && left > 8) {
            iconv(converter, NULL, NULL, NULL, NULL);
            return false;
        }
    }
    return true;
}

/* `text` ends with a NUL; NULL where json-c refuses it. The document "null" is NULL too: `*taken`.
 */
static struct json_object *oracle_parse(const char *text, size_t len, bool *taken)
{
    struct json_tokener *tok = json_tokener_new_ex(2 * OTLP_MAX_DEPTH);
    json_tokener_set_flags(tok, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
    struct json_object *document = json_tokener_parse_ex(tok, text, (int)len + 1);
    *taken = json_tokener_get_error(tok) == json_tokener_success;
    json_tokener_free(tok);
    return document;
}

/* Our text of a member means what json-c made of it. */
static void compare_member(struct json_object *wanted, struct otlp_text raw)
{
    char *text = strndup(raw.data, raw.len);
    char *plain = malloc(raw.len + 1);
    bool taken = false;
    struct json_object *got = oracle_parse(text, raw.len, &taken);
    FUZZ_CHECK(taken && json_object_equal(got, wanted));
    size_t len = otlp_unescape(raw, plain, raw.len);
    if (json_object_is_type(wanted, json_type_string)) {
        FUZZ_CHECK(len == (size_t)json_object_get_string_len(wanted));
        FUZZ_CHECK(memcmp(plain, json_object_get_string(wanted), len) == 0);
        FUZZ_CHECK(len == 0 || otlp_unescape(raw, plain, len - 1) == OTLP_NONE);
    } else {
        FUZZ_CHECK(len == OTLP_NONE);
    }
    json_object_put(got);
    free(plain);
    free(text);
}

static void compare_record(struct json_object *document, const char *exact, size_t len)
{
    static const char *const names[OTLP_MEMBERS] = {
        "timeUnixNano", "observedTimeUnixNano", "severityNumber", "severityText", "traceId",
        "spanId",
    };
    struct otlp_scan s;
    struct otlp_record record;
    uint64_t time;
    otlp_scan_init(&s, exact, len);
    bool is_object = json_object_is_type(document, json_type_object);
    FUZZ_CHECK(otlp_scan_record(&s, &record) == is_object);
    if (!is_object)
        return;
    FUZZ_CHECK(otlp_scan_end(&s) && record.text[0] == '{' && record.text[record.len - 1] == '}');
    for (int m = 0; m < OTLP_MEMBERS; m++) {
        struct json_object *wanted = NULL;
        struct otlp_text raw = otlp_record_value(&record, (enum otlp_member)m);
        bool there = json_object_object_get_ex(document, names[m], &wanted);
        FUZZ_CHECK(there == (raw.len != 0));
        if (there)
            compare_member(wanted, raw);
        otlp_record_time(&record, (enum otlp_member)m, &time);
    }
}

/* The same text by the pull reader's single steps. */
static void walk(struct otlp_scan *s, int depth)
{
    struct otlp_text key, raw;
    char next = otlp_scan_peek(s);
    if (next == '{' && depth < 8) {
        otlp_scan_enter_object(s);
        while (otlp_scan_next_key(s, &key))
            walk(s, depth + 1);
    } else if (next == '[' && depth < 8) {
        otlp_scan_enter_array(s);
        while (otlp_scan_next_element(s))
            walk(s, depth + 1);
    } else if (otlp_scan_value(s, &raw)) {
        FUZZ_CHECK(raw.len > 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct otlp_scan s;
    if (size > 1 << 20)
        return 0;
    const char *exact = (const char *)data;
    char *text = size ? strndup(exact, size) : calloc(1, 1);
    size_t len = strlen(text);

    otlp_scan_init(&s, exact, size);
    bool ours = otlp_scan_value(&s, NULL) && otlp_scan_end(&s);
    FUZZ_CHECK(ours == !s.problem && otlp_scan_offset(&s) <= size);

    otlp_scan_init(&s, exact, size);
    walk(&s, 0);
    FUZZ_CHECK((otlp_scan_end(&s) && s.depth == 0) == ours);

    bool taken = false;
    struct json_object *document = oracle_parse(text, len, &taken);
    struct outline seen = outline_of(text, len);
    bool theirs = taken && len == size && !seen.forgiven && seen.depth <= OTLP_MAX_DEPTH &&
                  is_utf8(text, len);
    FUZZ_CHECK(ours == theirs);
    /* json-c cuts a key at an escaped NUL, so that it would find what is not there. */
    if (ours && !strstr(text, "\\u0000"))
        compare_record(document, exact, size);
    json_object_put(document);
    free(text);
    return 0;
}
