#include "normalize.h"

#include "sink.h"
#include "tests/unit/check.h"

#define OBSERVED "1762930802000000000"
#define ADDED    "\"observedTimeUnixNano\":\"" OBSERVED "\"}"
#define TRACE    "\"0af7651916cd43dd8448eb211c80319c\""
#define PADDED   "\"00000000000000008448eb211c80319c\""
#define SPAN     "\"b7ad6b7169203331\""

struct row {
    const char *record, *want;
};

static void normalize(const char *text, struct buf *out)
{
    struct otlp_scan s;
    struct otlp_record r;
    struct otlp_text observed = { OBSERVED, sizeof(OBSERVED) - 1 };
    otlp_scan_init(&s, text, strlen(text));
    check_i64(otlp_scan_record(&s, &r) && otlp_scan_end(&s), true);
    normalize_record(&r, observed, sink_of(out));
}

/* Each row, and that a second pass over what came out changes nothing. */
static void check_rows(const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct buf once = BUF_INIT(4096), twice = BUF_INIT(4096);
        check_row(rows[i].record);
        normalize(rows[i].record, &once);
        check_text(buf_text(&once), rows[i].want);
        normalize(buf_text(&once), &twice);
        check_text(buf_text(&twice), rows[i].want);
        buf_release(&once);
        buf_release(&twice);
    }
}

static void test_observed_time(void **state)
{
    static const struct row rows[] = {
        { "{}", "{" ADDED },
        { "{ }", "{ " ADDED },
        { "{\"a\":1}", "{\"a\":1," ADDED },
        { "{\"a\":1 }", "{\"a\":1 ," ADDED },
        { "{\"observedTimeUnixNano\":\"12\"}", "{\"observedTimeUnixNano\":\"12\"}" },
        { "{\"observedTimeUnixNano\":12}", "{\"observedTimeUnixNano\":12}" },
        { "{\"observedTimeUnixNano\":null}", "{" ADDED },
        { "{\"observedTimeUnixNano\":\"0\"}", "{" ADDED },
        { "{\"observedTimeUnixNano\":0,\"a\":1}", "{\"a\":1," ADDED },
        { "{\"a\":1,\"observedTimeUnixNano\":-1}", "{\"a\":1," ADDED },
        { "{\"observedTimeUnixNano\":\"18446744073709551616\"}", "{" ADDED },
        { "{\"attributes\":{\"observedTimeUnixNano\":\"12\"}}",
          "{\"attributes\":{\"observedTimeUnixNano\":\"12\"}," ADDED },
    };
    (void)state;
    check_rows(rows, COUNT(rows));
}

static void test_time(void **state)
{
    static const struct row rows[] = {
        { "{\"timeUnixNano\":\"1762930801250000000\"}",
          "{\"timeUnixNano\":\"1762930801250000000\"," ADDED },
        { "{\"timeUnixNano\":1762930801250000000}",
          "{\"timeUnixNano\":1762930801250000000," ADDED },
        { "{\"timeUnixNano\":0}", "{\"timeUnixNano\":0," ADDED },
        { "{\"timeUnixNano\":\"18446744073709551615\"}",
          "{\"timeUnixNano\":\"18446744073709551615\"," ADDED },
        { "{\"timeUnixNano\":\"18446744073709551616\"}", "{" ADDED },
        { "{\"timeUnixNano\":-1}", "{" ADDED },
        { "{\"timeUnixNano\":\"-1\"}", "{" ADDED },
        { "{\"timeUnixNano\":1.5}", "{" ADDED },
        { "{\"timeUnixNano\":1e18}", "{" ADDED },
        { "{\"timeUnixNano\":\"2025-11-12T07:00:01Z\"}", "{" ADDED },
        { "{\"timeUnixNano\":\"\"}", "{" ADDED },
        { "{\"timeUnixNano\":null}", "{" ADDED },
        { "{\"timeUnixNano\":{\"x\":[1]}}", "{" ADDED },
    };
    (void)state;
    check_rows(rows, COUNT(rows));
}

static void test_ids(void **state)
{
    static const struct row rows[] = {
        { "{\"traceId\":" TRACE "}", "{\"traceId\":" TRACE "," ADDED },
        { "{\"traceId\":\"0AF7651916CD43DD8448EB211C80319C\"}",
          "{\"traceId\":\"0AF7651916CD43DD8448EB211C80319C\"," ADDED },
        { "{\"traceId\":\"8448eb211c80319c\"}", "{\"traceId\":" PADDED "," ADDED },
        { "{\"traceId\" : \"8448eb211c80319c\" ,\"a\":1}",
          "{\"traceId\" : " PADDED " ,\"a\":1," ADDED },
        { "{\"traceId\":\"8448eb211c80319\\u0063\"}", "{\"traceId\":" PADDED "," ADDED },
        { "{\"traceI\\u0064\":\"8448eb211c80319c\"}", "{\"traceI\\u0064\":" PADDED "," ADDED },
        { "{\"traceId\":null}", "{" ADDED },
        { "{\"traceId\":\"\"}", "{" ADDED },
        { "{\"traceId\":7}", "{" ADDED },
        { "{\"traceId\":[" TRACE "]}", "{" ADDED },
        { "{\"traceId\":\"00000000000000000000000000000000\"}", "{" ADDED },
        { "{\"traceId\":\"0000000000000000\"}", "{" ADDED },
        { "{\"traceId\":\"0af7651916cd43dd8448eb211c80319g\"}", "{" ADDED },
        { "{\"traceId\":\"0af7651916cd43dd8448eb211c80319\"}", "{" ADDED },
        { "{\"traceId\":\"0af7651916cd43dd8448eb211c80319c0\"}", "{" ADDED },
        { "{\"traceId\":\"0af76519-16cd-43dd-8448-eb211c80319c\"}", "{" ADDED },
        { "{\"spanId\":" SPAN "}", "{\"spanId\":" SPAN "," ADDED },
        { "{\"spanId\":null}", "{" ADDED },
        { "{\"spanId\":\"0000000000000000\"}", "{" ADDED },
        { "{\"spanId\":\"b7ad6b71\"}", "{" ADDED },
        { "{\"spanId\":" TRACE "}", "{" ADDED },
        { "{\"spanId\":\"b7ad6b716920333x\"}", "{" ADDED },
    };
    (void)state;
    check_rows(rows, COUNT(rows));
}

/* severityNumber and severityText in, severityNumber out; NULL: not there. */
static void test_severity(void **state)
{
    static const struct {
        const char *number, *text, *want;
    } rows[] = {
        { "30", "\"INFO\"", "9" },   { "9", "\"INFO\"", "9" },      { "10", "\"TRACE\"", "1" },
        { "20", "\"debug\"", "5" },  { "40", "\"Warning\"", "13" }, { "50", "\"ERROR\"", "17" },
        { "60", "\"FATAL\"", "21" }, { "null", "\"INFO\"", "9" },   { "\"x\"", "\"INFO\"", "9" },
        { "9.0", "\"INFO\"", "9" },  { NULL, "\"INFO\"", "9" },     { NULL, "\"inf\\u006f\"", "9" },
        { "1", NULL, "1" },          { "24", NULL, "24" },          { "9", "\"\"", "9" },
        { "20", "null", "20" },      { "9", "\"verbose\"", "9" },   { "9", "7", "9" },
        { "30", NULL, "9" },         { "40", "\"\"", "13" },        { "50", "null", "17" },
        { "60", NULL, "21" },        { "30", "\"verbose\"", "0" },  { "30", "7", "0" },
        { "0", NULL, "0" },          { "25", NULL, "0" },           { "70", NULL, "0" },
        { "-1", NULL, "0" },         { "1.5", NULL, "0" },          { "1e1", NULL, "0" },
        { "300", NULL, "0" },        { "\"9\"", NULL, "0" },        { "null", NULL, "0" },
        { "true", NULL, "0" },       { "[9]", NULL, "0" },          { "-0", NULL, "0" },
        { NULL, NULL, NULL },        { NULL, "\"verbose\"", NULL }, { NULL, "null", NULL },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct buf record = BUF_INIT(1024), want = BUF_INIT(1024);
        buf_append_text(&record, "{\"a\":1");
        if (rows[i].number)
            buf_printf(&record, ",\"severityNumber\":%s", rows[i].number);
        buf_append_text(&want, buf_text(&record));
        if (rows[i].number)
            want.len -= strlen(rows[i].number);
        if (rows[i].number)
            buf_append_text(&want, rows[i].want);
        if (rows[i].text) {
            buf_printf(&record, ",\"severityText\":%s", rows[i].text);
            buf_printf(&want, ",\"severityText\":%s", rows[i].text);
        }
        if (!rows[i].number && rows[i].want)
            buf_printf(&want, ",\"severityNumber\":%s", rows[i].want);
        buf_append_text(&record, "}");
        buf_append_text(&want, "," ADDED);
        check_rows(&(struct row){ buf_text(&record), buf_text(&want) }, 1);
        buf_release(&record);
        buf_release(&want);
    }
}

static void test_commas(void **state)
{
    static const struct row rows[] = {
        { "{\"traceId\":null,\"a\":1}", "{\"a\":1," ADDED },
        { "{ \"traceId\" : null , \"a\":1}", "{\"a\":1," ADDED },
        { "{\"traceId\":null,\"spanId\":null,\"a\":1}", "{\"a\":1," ADDED },
        { "{\"a\":1,\"traceId\":null}", "{\"a\":1," ADDED },
        { "{\"a\":1 , \"traceId\":null }", "{\"a\":1  ," ADDED },
        { "{\"a\":1,\"traceId\":null,\"spanId\":null}", "{\"a\":1," ADDED },
        { "{\"a\":1,\"spanId\":null,\"b\":2,\"traceId\":null}", "{\"a\":1,\"b\":2," ADDED },
        { "{\"spanId\":null,\"a\":1,\"traceId\":null,\"timeUnixNano\":-1,\"b\":2}",
          "{\"a\":1,\"b\":2," ADDED },
        { "{\"traceId\":null,\"spanId\":null}", "{" ADDED },
        { "{ \"traceId\":null , \"spanId\":null }", "{" ADDED },
        { "{\"traceId\":null,\"observedTimeUnixNano\":1}", "{\"observedTimeUnixNano\":1}" },
        { "{\"observedTimeUnixNano\":1,\"traceId\":null}", "{\"observedTimeUnixNano\":1}" },
        { "{\"traceId\":null,\"severityText\":\"INFO\"}",
          "{\"severityText\":\"INFO\",\"severityNumber\":9," ADDED },
        { "{\"severityNumber\":30,\"spanId\":null,\"traceId\":\"8448eb211c80319c\"}",
          "{\"severityNumber\":9,\"traceId\":" PADDED "," ADDED },
        { "{\"spanId\":null,\"severityNumber\":30,\"timeUnixNano\":-1}",
          "{\"severityNumber\":9," ADDED },
        { "{\"a\":\",\",\"spanId\":null}", "{\"a\":\",\"," ADDED },
        { "{\"spanId\":\",\",\"a\":\"}\"}", "{\"a\":\"}\"," ADDED },
    };
    (void)state;
    check_rows(rows, COUNT(rows));
}

static void test_repeated(void **state)
{
    static const struct row rows[] = {
        { "{\"spanId\":" SPAN ",\"spanId\":" SPAN "}", "{\"spanId\":" SPAN "," ADDED },
        { "{\"spanId\":null,\"spanId\":" SPAN "}", "{\"spanId\":" SPAN "," ADDED },
        { "{\"spanId\":" SPAN ",\"spanId\":null}", "{" ADDED },
        { "{\"spanId\":" SPAN ",\"a\":1,\"spanId\":null,\"b\":2}", "{\"a\":1,\"b\":2," ADDED },
        { "{\"a\":1,\"spanId\":1,\"spanId\":2,\"spanId\":" SPAN ",\"b\":2}",
          "{\"a\":1,\"spanId\":" SPAN ",\"b\":2," ADDED },
        { "{\"traceId\":null,\"severityNumber\":9,\"traceId\":\"8448eb211c80319c\","
          "\"severityNumber\":30}",
          "{\"traceId\":" PADDED ",\"severityNumber\":9," ADDED },
        { "{\"severityText\":\"INFO\",\"severityNumber\":30,\"severityText\":\"ERROR\"}",
          "{\"severityNumber\":17,\"severityText\":\"ERROR\"," ADDED },
        { "{\"observedTimeUnixNano\":1,\"observedTimeUnixNano\":null}", "{" ADDED },
        { "{\"observedTimeUnixNano\":1,\"observedTimeUnixNano\":2}",
          "{\"observedTimeUnixNano\":2}" },
        { "{\"spanId\":" SPAN ",\"span\\u0049d\":" SPAN "}", "{\"span\\u0049d\":" SPAN "," ADDED },
        { "{\"a\":1,\"a\":2}", "{\"a\":1,\"a\":2," ADDED },
    };
    (void)state;
    check_rows(rows, COUNT(rows));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_observed_time), cmocka_unit_test(test_time),
        cmocka_unit_test(test_ids),           cmocka_unit_test(test_severity),
        cmocka_unit_test(test_commas),        cmocka_unit_test(test_repeated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
