/* What is written: strings, attributes, envelopes, and the words of a severity. */
#include "otlp/otlp.h"

#include "sink.h"
#include "tests/unit/check.h"

static void test_strings(void **state)
{
    static const struct {
        struct bytes text;
        const char *want;
    } rows[] = {
        { TEXT(""), "\"\"" },
        { TEXT("plain /text"), "\"plain /text\"" },
        { TEXT("\"\\\b\f\n\r\t"), "\"\\\"\\\\\\b\\f\\n\\r\\t\"" },
        { TEXT("a\x01\x1f\x7f\0b"), "\"a\\u0001\\u001f\x7f\\u0000b\"" },
        { TEXT("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"),
          "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"" },
        { TEXT("a\xff z"), "\"a\xef\xbf\xbd z\"" },
        { TEXT("\xc0\x80"), "\"\xef\xbf\xbd\xef\xbf\xbd\"" },
        { TEXT("cut \xe2\x82"), "\"cut \xef\xbf\xbd\xef\xbf\xbd\"" },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct buf out = BUF_INIT(1024);
        struct otlp_scan s;
        check_row(rows[i].want);
        otlp_put_string(sink_of(&out), rows[i].text.data, rows[i].text.len);
        check_text(buf_text(&out), rows[i].want);
        otlp_scan_init(&s, buf_text(&out), out.len);
        check_i64(otlp_scan_value(&s, NULL) && otlp_scan_end(&s), true);
        buf_release(&out);
    }
}

static void test_envelope(void **state)
{
    static const struct otlp_attribute attributes[] = { { "service.name", "a\"b" }, { "k", "" } };
    static const struct {
        const char *name;
        struct otlp_scope scope;
        size_t resource_count;
        const char *want;
    } rows[] = {
        { "everything",
          { "otlpull", "1.2", attributes, 2 },
          2,
          "{\"resourceLogs\":[{\"resource\":{\"attributes\":["
          "{\"key\":\"service.name\",\"value\":{\"stringValue\":\"a\\\"b\"}},"
          "{\"key\":\"k\",\"value\":{\"stringValue\":\"\"}}]},"
          "\"scopeLogs\":[{\"scope\":{\"name\":\"otlpull\",\"version\":\"1.2\",\"attributes\":["
          "{\"key\":\"service.name\",\"value\":{\"stringValue\":\"a\\\"b\"}},"
          "{\"key\":\"k\",\"value\":{\"stringValue\":\"\"}}]},\"logRecords\":[{},{}]}]}]}" },
        { "nothing",
          { NULL, "", NULL, 0 },
          0,
          "{\"resourceLogs\":[{\"resource\":{\"attributes\":[]},\"scopeLogs\":[{\"scope\":{},"
          "\"logRecords\":[{},{}]}]}]}" },
        { "version alone",
          { NULL, "1", NULL, 0 },
          0,
          "{\"resourceLogs\":[{\"resource\":{\"attributes\":[]},\"scopeLogs\":[{\"scope\":{"
          "\"version\":\"1\"},\"logRecords\":[{},{}]}]}]}" },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct buf out = BUF_INIT(4096);
        struct otlp_sink sink = sink_of(&out);
        check_row(rows[i].name);
        otlp_put_head(sink, attributes, rows[i].resource_count, &rows[i].scope);
        buf_append_text(&out, "{},{}");
        otlp_put_tail(sink);
        check_text(buf_text(&out), rows[i].want);
        buf_release(&out);
    }
}

static void test_severities(void **state)
{
    static const struct {
        const char *text;
        int want;
    } rows[] = {
        { "TRACE", 1 }, { "Debug", 5 },     { "info", 9 },   { "Information", 9 }, { "notice", 9 },
        { "warn", 13 }, { "WARNING", 13 },  { "err", 17 },   { "ERROR", 17 },      { "fatal", 21 },
        { "crit", 21 }, { "critical", 21 }, { "alert", 21 }, { "emerg", 21 },      { "panic", 21 },
        { "", 0 },      { "inf", 0 },       { "infos", 0 },  { " info", 0 },       { "verbose", 0 },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        check_row(rows[i].text);
        check_i64(otlp_severity_of_text(rows[i].text, strlen(rows[i].text)), rows[i].want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_strings),
        cmocka_unit_test(test_envelope),
        cmocka_unit_test(test_severities),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
