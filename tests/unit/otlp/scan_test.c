#include "otlp/otlp.h"

#include <stdlib.h>

#include "tests/unit/check.h"

/* A copy in a block of just its size: a sanitizer then sees any read past its end. */
static char *exact_copy(struct bytes text)
{
    char *copy = xmalloc(text.len);
    memcpy(copy, text.data, text.len);
    return copy;
}

static void test_takes_what_json_allows(void **state)
{
    static const struct {
        const char *name;
        struct bytes text;
    } rows[] = {
        { "object", TEXT("{}") },
        { "object, spaced", TEXT(" {\t\"a\" : 1 ,\r\n\"b\":2 } ") },
        { "array", TEXT("[1,[],{},[[2]]]") },
        { "words", TEXT("[true,false,null]") },
        { "integers", TEXT("[0,-0,7,-12,123456789012345678901234567890]") },
        { "fractions", TEXT("[0.5,-1.25,10.0]") },
        { "exponents", TEXT("[1e1,1E+1,1e-10,0.1e0,-0e00]") },
        { "escapes", TEXT("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\uABCD\"") },
        { "lone surrogate, escaped", TEXT("\"\\ud800\"") },
        { "escaped NUL", TEXT("\"\\u0000\"") },
        { "DEL", TEXT("\"\x7f\"") },
        { "UTF-8 of each length", TEXT("\"\xc2\x80 \xe0\xa0\x80 \xf0\x90\x80\x80\"") },
        { "the last of each", TEXT("\"\xdf\xbf\xed\x9f\xbf\xef\xbf\xbf\xf4\x8f\xbf\xbf\"") },
        { "beyond ASCII past a block", TEXT("\"0123456789abcdef\xc3\xa9 0123456789abcdef\"") },
        { "empty key, repeated keys", TEXT("{\"\":1,\"a\":1,\"a\":2}") },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct otlp_scan s;
        struct otlp_text raw = { 0 };
        char *text = exact_copy(rows[i].text);
        check_row(rows[i].name);
        otlp_scan_init(&s, text, rows[i].text.len);
        check_i64(otlp_scan_value(&s, &raw), true);
        check_i64(otlp_scan_end(&s), true);
        check_i64(otlp_scan_offset(&s), rows[i].text.len);
        free(text);
    }
}

static void test_refuses_what_json_does_not(void **state)
{
    static const struct {
        struct bytes text;
        const char *problem;
        size_t offset;
    } rows[] = {
        { TEXT(""), "ends where a value is due", 0 },
        { TEXT("  "), "ends where a value is due", 2 },
        { TEXT("\xef\xbb\xbf{}"), "no value where one is due", 0 },
        { TEXT("x"), "no value where one is due", 0 },
        { TEXT("'a'"), "no value where one is due", 0 },
        { TEXT("\x0c{}"), "no value where one is due", 0 },
        { TEXT("nul"), "not a value", 0 },
        { TEXT("nULL"), "not a value", 0 },
        { TEXT("NaN"), "no value where one is due", 0 },
        { TEXT("Infinity"), "no value where one is due", 0 },
        { TEXT("01"), "more text behind the value", 1 },
        { TEXT("[01]"), "no comma or closing bracket behind a value", 2 },
        { TEXT("-"), "not a number", 1 },
        { TEXT("-x"), "not a number", 1 },
        { TEXT("+1"), "no value where one is due", 0 },
        { TEXT(".5"), "no value where one is due", 0 },
        { TEXT("1."), "not a number", 2 },
        { TEXT("1.e1"), "not a number", 2 },
        { TEXT("1e"), "not a number", 2 },
        { TEXT("1e+"), "not a number", 3 },
        { TEXT("0x1"), "more text behind the value", 1 },
        { TEXT("{} {}"), "more text behind the value", 3 },
        { TEXT("nullx"), "more text behind the value", 4 },
        { TEXT("{}\0"), "more text behind the value", 2 },
        { TEXT("["), "ends where a value is due", 1 },
        { TEXT("[1"), "ends inside an object or an array", 2 },
        { TEXT("[1,]"), "no value where one is due", 3 },
        { TEXT("[,1]"), "no value where one is due", 1 },
        { TEXT("[1 2]"), "no comma or closing bracket behind a value", 3 },
        { TEXT("[1}"), "no comma or closing bracket behind a value", 2 },
        { TEXT("{\"a\":1]"), "no comma or closing bracket behind a value", 6 },
        { TEXT("{"), "ends inside an object", 1 },
        { TEXT("{a:1}"), "no key where one is due", 1 },
        { TEXT("{1:1}"), "no key where one is due", 1 },
        { TEXT("{\"a\" 1}"), "no colon behind a key", 5 },
        { TEXT("{\"a\""), "no colon behind a key", 4 },
        { TEXT("{\"a\":}"), "no value where one is due", 5 },
        { TEXT("{\"a\":1,}"), "no key where one is due", 7 },
        { TEXT("\"a"), "ends inside a string", 2 },
        { TEXT("\"0123456789abcdef"), "ends inside a string", 17 },
        { TEXT("\"\\"), "ends inside a string", 2 },
        { TEXT("\"\\u00e"), "ends inside a string", 6 },
        { TEXT("\"\\x\""), "unknown escape in a string", 1 },
        { TEXT("\"\\\0\""), "unknown escape in a string", 1 },
        { TEXT("\"\\u00g0\""), "\\u without four hex digits", 1 },
        { TEXT("\"a\nb\""), "control character in a string", 2 },
        { TEXT("\"0123456789abcdef\x1f\""), "control character in a string", 17 },
        { TEXT("\"\0\""), "control character in a string", 1 },
        { TEXT("\"\x80\""), "bytes that are not UTF-8", 1 },
        { TEXT("\"\xc0\x80\""), "bytes that are not UTF-8", 1 },
        { TEXT("\"\xc1\xbf\""), "bytes that are not UTF-8", 1 },
        { TEXT("\"\xe0\x9f\xbf\""), "bytes that are not UTF-8", 1 },
        { TEXT("\"\xed\xa0\x80\""), "bytes that are not UTF-8", 1 },
        { TEXT("\"\xf0\x8f\xbf\xbf\""), "bytes that are not UTF-8", 1 },
        { TEXT("\"\xf4\x90\x80\x80\""), "bytes that are not UTF-8", 1 },
        { TEXT("\"\xf5\x80\x80\x80\""), "bytes that are not UTF-8", 1 },
        { TEXT("\"\xe2\x82\""), "bytes that are not UTF-8", 1 },
        { TEXT("\"\xe2\x82"), "bytes that are not UTF-8", 1 },
        { TEXT("{\"\xff\":1}"), "bytes that are not UTF-8", 2 },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct otlp_scan s;
        char *text = exact_copy(rows[i].text);
        check_row(rows[i].text.data);
        otlp_scan_init(&s, text, rows[i].text.len);
        check_i64(otlp_scan_value(&s, NULL) && otlp_scan_end(&s), false);
        check_text(s.problem, rows[i].problem);
        check_i64(otlp_scan_offset(&s), rows[i].offset);
        check_i64(otlp_scan_peek(&s), 0); /* and it stays broken */
        check_i64(otlp_scan_value(&s, NULL), false);
        check_text(s.problem, rows[i].problem);
        free(text);
    }
}

/* Every byte of a string that spans blocks: each stop is found wherever it stands. */
static void test_finds_a_stop_anywhere(void **state)
{
    (void)state;
    for (size_t len = 2; len < 70; len++) {
        for (size_t at = 1; at < len - 1; at++) {
            struct otlp_scan s;
            char *text = xmalloc(len);
            memset(text, 'x', len);
            text[0] = text[len - 1] = '"';
            text[at] = '\x01';
            otlp_scan_init(&s, text, len);
            check_i64(otlp_scan_value(&s, NULL), false);
            check_i64(otlp_scan_offset(&s), at);
            text[at] = '"';
            otlp_scan_init(&s, text, len);
            check_i64(otlp_scan_value(&s, NULL), true);
            check_i64(otlp_scan_offset(&s), at + 1);
            free(text);
        }
    }
}

static bool scan_brackets(size_t depth, char open, char close)
{
    struct otlp_scan s;
    char *text = xmalloc(2 * depth);
    memset(text, open, depth);
    memset(text + depth, close, depth);
    otlp_scan_init(&s, text, 2 * depth);
    bool good = otlp_scan_value(&s, NULL) && otlp_scan_end(&s);
    if (!good)
        check_text(s.problem, "nested too deeply");
    free(text);
    return good;
}

static void test_limits_depth(void **state)
{
    struct otlp_scan s;
    (void)state;
    check_i64(scan_brackets(OTLP_MAX_DEPTH, '[', ']'), true);
    check_i64(scan_brackets(OTLP_MAX_DEPTH + 1, '[', ']'), false);
    check_i64(scan_brackets(1000000, '[', ']'), false);

    /* What was entered step by step counts too. */
    char text[OTLP_MAX_DEPTH + 1];
    memset(text, '[', sizeof(text));
    otlp_scan_init(&s, text, sizeof(text));
    for (int i = 0; i < OTLP_MAX_DEPTH; i++)
        check_i64(otlp_scan_enter_array(&s) && otlp_scan_next_element(&s), true);
    check_i64(otlp_scan_enter_array(&s), false);
    check_text(s.problem, "nested too deeply");
}

static void test_steps_through(void **state)
{
    static const char text[] = " {\"a\":[1,\"x\",[]],\"b\\u0062\" : {} , \"c\":null}";
    struct otlp_scan s;
    struct otlp_text key, raw;
    (void)state;
    otlp_scan_init(&s, text, sizeof(text) - 1);
    check_i64(otlp_scan_peek(&s), '{');
    check_i64(otlp_scan_enter_object(&s), true);
    check_i64(otlp_scan_next_key(&s, &key), true);
    check_i64(otlp_key_is(key, "a"), true);
    check_i64(otlp_scan_enter_array(&s), true);
    check_i64(otlp_scan_next_element(&s), true);
    check_i64(otlp_scan_peek(&s), '0');
    check_i64(otlp_scan_value(&s, &raw), true);
    check_bytes(((struct bytes){ raw.data, raw.len }), BYTES("1"));
    check_i64(otlp_scan_next_element(&s), true);
    check_i64(otlp_scan_peek(&s), '"');
    check_i64(otlp_scan_value(&s, &raw), true);
    check_bytes(((struct bytes){ raw.data, raw.len }), BYTES("\"x\""));
    check_i64(otlp_scan_next_element(&s), true);
    check_i64(otlp_scan_enter_array(&s), true);
    check_i64(otlp_scan_next_element(&s), false);
    check_i64(otlp_scan_next_element(&s), false);
    check_i64(otlp_scan_next_key(&s, &key), true);
    check_i64(otlp_key_is(key, "bb"), true);
    check_i64(otlp_key_is(key, "b"), false);
    check_i64(otlp_key_is(key, "bbb"), false);
    check_i64(otlp_scan_value(&s, &raw), true);
    check_i64(otlp_scan_next_key(&s, &key), true);
    check_i64(otlp_scan_peek(&s), 'n');
    check_i64(otlp_scan_value(&s, NULL), true);
    check_i64(otlp_scan_next_key(&s, &key), false);
    check_i64(otlp_scan_end(&s), true);
}

static void test_step_errors(void **state)
{
    static const struct {
        const char *text, *problem;
    } rows[] = {
        { "{\"a\" 1}", "no colon behind a key" },
        { "{\"a\":1 \"b\":2}", "no comma or closing bracket behind a value" },
        { "{\"a\":1,}", "no key where one is due" },
        { "{\"a\":1", "ends inside an object or an array" },
        { "[", "not an object" },
        { "", "not an object" },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct otlp_scan s;
        struct otlp_text key;
        check_row(rows[i].text);
        otlp_scan_init(&s, rows[i].text, strlen(rows[i].text));
        otlp_scan_enter_object(&s);
        while (otlp_scan_next_key(&s, &key))
            otlp_scan_value(&s, NULL);
        check_text(s.problem, rows[i].problem);
        check_i64(otlp_scan_end(&s), false);
    }
}

static void check_value(const struct otlp_record *r, enum otlp_member m, const char *want)
{
    struct otlp_text got = otlp_record_value(r, m);
    check_bytes(((struct bytes){ got.data, got.len }), bytes_of(want));
}

static void test_finds_members(void **state)
{
    static const struct {
        const char *text, *want[OTLP_MEMBERS];
        bool repeated;
    } rows[] = {
        { "{}", { 0 }, false },
        { "{\"timeUnixNano\":\"1\",\"observedTimeUnixNano\":2,\"severityNumber\":30,"
          "\"severityText\":\"INFO\",\"traceId\":\"ab\",\"spanId\":null}",
          { "\"1\"", "2", "30", "\"INFO\"", "\"ab\"", "null" },
          false },
        { "{ \"a\" : {\"traceId\":\"inner\"} , \"spanId\" : \"s\" }",
          { NULL, NULL, NULL, NULL, NULL, "\"s\"" },
          false },
        { "{\"traceId\":1,\"traceId\":2}", { NULL, NULL, NULL, NULL, "2", NULL }, true },
        { "{\"traceI\\u0064\":1,\"TraceId\":2,\"traceIx\":3,\"severityNumbex\":4,"
          "\"observedTimeUnixNanx\":5,\"spanIx\":6,\"severityTexx\":7}",
          { NULL, NULL, NULL, NULL, "1", NULL },
          false },
        { "{\"traceId\":1,\"trace\\u0049d\":[2]}", { NULL, NULL, NULL, NULL, "[2]", NULL }, true },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct otlp_scan s;
        struct otlp_record r;
        check_row(rows[i].text);
        otlp_scan_init(&s, rows[i].text, strlen(rows[i].text));
        check_i64(otlp_scan_record(&s, &r), true);
        check_i64(r.text - rows[i].text, 0);
        check_i64(r.len, strlen(rows[i].text));
        check_i64(r.repeated, rows[i].repeated);
        for (int m = 0; m < OTLP_MEMBERS; m++) {
            check_value(&r, (enum otlp_member)m, rows[i].want[m]);
            if (r.at[m].value_len)
                check_i64(r.text[r.at[m].key], '"');
        }
    }
}

static void test_reads_times(void **state)
{
    static const struct {
        const char *value;
        bool good;
        uint64_t want;
    } rows[] = {
        { "\"1762930801250000000\"", true, UINT64_C(1762930801250000000) },
        { "1762930801250000000", true, UINT64_C(1762930801250000000) },
        { "\"0\"", true, 0 },
        { "\"007\"", true, 7 },
        { "\"18446744073709551615\"", true, UINT64_MAX },
        { "\"18446744073709551616\"", false, 0 },
        { "\"99999999999999999999\"", false, 0 },
        { "\"\\u0031\\u0032\"", true, 12 },
        { "\"\"", false, 0 },
        { "\"-1\"", false, 0 },
        { "-1", false, 0 },
        { "-0", false, 0 },
        { "1.0", false, 0 },
        { "1e3", false, 0 },
        { "\" 1\"", false, 0 },
        { "\"1x\"", false, 0 },
        { "null", false, 0 },
        { "[1]", false, 0 },
        { "{}", false, 0 },
        { "true", false, 0 },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        char text[128];
        struct otlp_scan s;
        struct otlp_record r;
        uint64_t got = 99;
        check_row(rows[i].value);
        snprintf(text, sizeof(text), "{\"timeUnixNano\":%s}", rows[i].value);
        otlp_scan_init(&s, text, strlen(text));
        check_i64(otlp_scan_record(&s, &r), true);
        check_i64(otlp_record_time(&r, OTLP_TIME, &got), rows[i].good);
        check_i64(got == (rows[i].good ? rows[i].want : 99), true);
        check_i64(otlp_record_time(&r, OTLP_OBSERVED_TIME, &got), false);
    }
}

static void test_unescapes(void **state)
{
    static const struct {
        const char *raw;
        struct bytes want;
    } rows[] = {
        { "\"\"", TEXT("") },
        { "\"plain\"", TEXT("plain") },
        { "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", TEXT("\"\\/\b\f\n\r\t") },
        { "\"\\u0041\\u00e9\\u20ac\"", TEXT("A\xc3\xa9\xe2\x82\xac") },
        { "\"\\ud83d\\ude00\\uD83D\\uDE00\"", TEXT("\xf0\x9f\x98\x80\xf0\x9f\x98\x80") },
        { "\"\\ud800\"", TEXT("\xef\xbf\xbd") },
        { "\"\\ud800x\"", TEXT("\xef\xbf\xbdx") },
        { "\"\\ud800\\u0041\"", TEXT("\xef\xbf\xbd"
                                     "A") },
        { "\"\\udc00\\ud800\"", TEXT("\xef\xbf\xbd\xef\xbf\xbd") },
        { "\"\\ud800\\ud83d\\ude00\"", TEXT("\xef\xbf\xbd\xf0\x9f\x98\x80") },
        { "\"a\\u0000b\"", TEXT("a\0b") },
    };
    (void)state;
    char out[64];
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct otlp_text raw = { rows[i].raw, strlen(rows[i].raw) };
        check_row(rows[i].raw);
        size_t len = otlp_unescape(raw, out, rows[i].want.len);
        check_bytes(((struct bytes){ out, len }), rows[i].want);
        if (len)
            check_i64(otlp_unescape(raw, out, len - 1) == OTLP_NONE, true);
    }
    check_row("not a string");
    check_i64(otlp_unescape((struct otlp_text){ "12", 2 }, out, sizeof(out)) == OTLP_NONE, true);
    check_i64(otlp_unescape((struct otlp_text){ "", 0 }, out, sizeof(out)) == OTLP_NONE, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_takes_what_json_allows),
        cmocka_unit_test(test_refuses_what_json_does_not),
        cmocka_unit_test(test_finds_a_stop_anywhere),
        cmocka_unit_test(test_limits_depth),
        cmocka_unit_test(test_steps_through),
        cmocka_unit_test(test_step_errors),
        cmocka_unit_test(test_finds_members),
        cmocka_unit_test(test_reads_times),
        cmocka_unit_test(test_unescapes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
