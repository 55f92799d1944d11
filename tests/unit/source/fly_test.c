#include "tests/unit/source/pull_case.h"

#include "base/timefmt.h"

/* As the fields of fly stand. */
enum { APP, TOKEN, REGION, INSTANCE };

#define START INT64_C(1779235200000000000) /* 2026-05-20T00:00:00Z */
#define HOUR  (3600 * NS_PER_S)
#define LOGS  "https://api.example.com/api/v1/apps/my%20app/logs?"
#define FIRST "next_token=1779235199999999999&start_time=2026-05-19T23%3A59%3A59.999999999Z"

static void setup(struct pull_case *c)
{
    case_setup(c, &source_fly, (struct span){ START, START + HOUR });
    c->settings[APP].text = "my app";
    c->settings[TOKEN].text = "secret";
}

static void test_requests(void **state)
{
    static const struct {
        const char *name, *endpoint, *at, *region, *instance, *want;
    } rows[] = {
        { "a window's first", NULL, "", NULL, "", LOGS FIRST },
        { "the next page", NULL, "A 1779235200000000007 100 1 5 a+b c", NULL, NULL,
          LOGS "next_token=a%2Bb%20c" },
        { "more lines", NULL, "B 1779235200000000007 100 0 1779235200000000006", NULL, NULL,
          LOGS "start_time=2026-05-20T00%3A00%3A00.000000006Z" },
        { "region", NULL, "", "cdg", NULL, LOGS FIRST "&region=cdg" },
        { "instance", NULL, "", NULL, "d8&9", LOGS FIRST "&instance=d8%269" },
        { "of both the instance", NULL, "", "cdg", "d89", LOGS FIRST "&instance=d89" },
        { "another root", "https://api.machines.dev/v1", "", NULL, NULL,
          "https://api.machines.dev/v1/apps/my%20app/logs?" FIRST },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct pull_case c;
        setup(&c);
        check_row(rows[i].name);
        if (rows[i].endpoint)
            c.st.endpoint = rows[i].endpoint;
        c.settings[REGION].text = rows[i].region;
        c.settings[INSTANCE].text = rows[i].instance;
        buf_append_text(&c.at, rows[i].at);
        check_i64(case_request(&c), 0);
        check_text(buf_text(&c.request.url), rows[i].want);
        check_text(c.request.accept, "application/json");
        check_i64(c.request.headers.count, 1);
        check_text(c.request.headers.items[0].key, "Authorization");
        check_text(c.request.headers.items[0].value, "Bearer secret");
        case_teardown(&c);
    }
}

static void test_tokens(void **state)
{
    static const struct {
        const char *token, *want;
    } rows[] = {
        { "abc", "Bearer abc" },
        { "Bearer abc", "Bearer abc" },
        { " bearer abc ", "Bearer abc" },
        { "FlyV1 abc", "Bearer abc" },
        { "fm2_a", "FlyV1 fm2_a" },
        { "FlyV1 fm2_a", "FlyV1 fm2_a" },
        { "Bearer fm1r_a", "FlyV1 fm1r_a" },
        { "fm1a_a,fm2_b", "FlyV1 fm1a_a,fm2_b" },
        { "FlyV1 fm2_a, oauth ,fm2_b\n", "FlyV1 fm2_a,fm2_b" },
        { "oauth,fm2_a", "FlyV1 fm2_a" },
        { "fm3_a,b", "Bearer fm3_a,b" },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct pull_case c;
        setup(&c);
        check_row(rows[i].token);
        c.settings[TOKEN].text = rows[i].token;
        check_i64(case_request(&c), 0);
        check_text(c.request.headers.items[0].value, rows[i].want);
        check_i64(strstr(buf_text(&c.request.url), "fm") == NULL, true);
        case_teardown(&c);
    }
}

static void test_bad_cursors(void **state)
{
    static const char *const rows[] = {
        "x",          "A",
        "U 1 1 0 t",  "A 1 1 0",
        "A 1 1 0 ",   "A 1 1 2 5 t",
        "A 0 1 0 t",  "A 1 1 513 t",
        "B 1 1 0 t",  "B 1 1",
        "B 1 1 1",    "A  1 1 0 t",
        "A -1 1 0 t", "B 99999999999999999999 1 0",
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct pull_case c;
        setup(&c);
        check_row(rows[i]);
        buf_append_text(&c.at, rows[i]);
        check_i64(case_request(&c), -1);
        check_i64(c.err.kind, ERR_INPUT);
        check_i64(case_decode(&c, BYTES("{\"data\":[]}")), -1);
        case_teardown(&c);
    }
}

#define TEXT_OF(key, value) "{\"key\":\"" key "\",\"value\":{\"stringValue\":\"" value "\"}}"
#define INT_OF(key, value)  "{\"key\":\"" key "\",\"value\":{\"intValue\":\"" value "\"}}"
#define RESOURCE(instance, region)                                                                 \
    TEXT_OF("service.instance.id", instance) "," TEXT_OF("cloud.region", region)

/* The records of the sample, whole. */
/* clang-format off */
#define KEY(key)      "{\"key\":\"" key "\",\"value\":"
#define STRING(value) "{\"stringValue\":\"" value "\"}}"
#define NUMBER(value) "{\"intValue\":\"" value "\"}}"
static const char sample_1[] =
    "{\"timeUnixNano\":\"1779235200123456789\",\"severityNumber\":17,\"severityText\":\"error\","
    "\"body\":{\"stringValue\":\"GET / 502\"},\"attributes\":["
    KEY("log.record.uid") STRING("k3x9-1779235200123456789") ","
    KEY("fly.event.provider") STRING("proxy") ","
    KEY("http.request.method") STRING("GET") ","
    KEY("fly.request.id") STRING("01JVX-cdg") ","
    KEY("network.protocol.version") STRING("h2") ","
    KEY("url.full") STRING("https://shop.example/") ","
    KEY("http.response.status_code") NUMBER("502") ","
    KEY("fly.error.code") NUMBER("2") ","
    KEY("error.message") STRING("could not complete request") "]}";
static const char sample_2[] =
    "{\"timeUnixNano\":\"1779235200123456790\",\"severityNumber\":9,\"severityText\":\"info\","
    "\"body\":{\"stringValue\":\"no port\"},\"attributes\":["
    KEY("log.record.uid") STRING("k3x9-1779235200123456790") ","
    KEY("fly.event.provider") STRING("runner") ","
    KEY("fly.error.code") STRING("PU02") ","
    KEY("error.message") STRING("no port") "]}";
/* clang-format on */

static void test_sample_page(void **state)
{
    struct pull_case c;
    struct buf frame = BUF_INIT(65536);
    (void)state;
    setup(&c);
    case_load("tests/data/fly_page.json", &frame);
    check_i64(case_decode(&c, buf_bytes(&frame)), 0);
    check_i64(c.page.count, 2);
    case_check_record(&c, 0, RESOURCE("d891234c567e89", "cdg"), sample_1);
    case_check_record(&c, 1, RESOURCE("e891234c567e89", "ams"), sample_2);
    assert_memory_equal(buf_text(&c.page.next.text), "A 1779235200123456790 2 1 ", 26);
    check_text(strrchr(buf_text(&c.page.next.text), ' '), " 1779235200123456789");
    buf_release(&frame);
    case_teardown(&c);
}

/* One entry in each shape that lines have. */
static void test_shapes(void **state)
{
    static const struct {
        const char *name, *line, *resource, *record;
    } rows[] = {
        { "flat",
          "{\"timestamp\":\"2026-05-20T00:00:00.5Z\",\"message\":\"m\\n\",\"level\":\"WARN\","
          "\"instance\":\"i\",\"region\":\"r\",\"meta\":{\"instance\":\"j\",\"region\":\"q\"}}",
          RESOURCE("i", "r"),
          "{\"timeUnixNano\":\"1779235200500000000\",\"severityNumber\":13,\"severityText\":"
          "\"WARN\",\"body\":{\"stringValue\":\"m\\n\"}}" },
        { "nested",
          "{\"event\":{\"provider\":\"app\"},\"fly\":{\"app\":{\"instance\":\"i\",\"name\":\"a\"},"
          "\"region\":\"r\"},\"host\":\"a1b2\",\"log\":{\"level\":\"loud\"},\"message\":\"m\","
          "\"timestamp\":\"2026-05-20T02:00:00+02:00\"}",
          RESOURCE("i", "r") "," TEXT_OF("host.name", "a1b2"),
          "{\"timeUnixNano\":\"1779235200000000000\",\"severityText\":\"loud\",\"body\":"
          "{\"stringValue\":\"m\"},\"attributes\":[" TEXT_OF("fly.event.provider", "app") "]}" },
        { "wrapped",
          "{\"id\":\"x-1779235200000000001\",\"attributes\":{\"message\":\"m\",\"META\":{"
          "\"region\":"
          "\"r\",\"http\":{\"response\":{\"status_code\":404}}}}}",
          TEXT_OF("cloud.region", "r"),
          "{\"timeUnixNano\":\"1779235200000000001\",\"body\":{\"stringValue\":\"m\"},"
          "\"attributes\":[" TEXT_OF("log.record.uid", "x-1779235200000000001") "," INT_OF(
              "http.response.status_code", "404") "]}" },
        { "which of several",
          "{\"message\":\"m\",\"fly\":{\"region\":\"r\"},\"meta\":{\"region\":\"q\",\"instance\":"
          "\"j\"},"
          "\"id\":\"1\",\"id\":\"2\",\"fly\":{\"app\":{\"instance\":\"i\"}}}",
          RESOURCE("i", "r"),
          "{\"timeUnixNano\":\"0\",\"body\":{\"stringValue\":\"m\"},\"attributes\":[" TEXT_OF(
              "log.record.uid", "2") "]}" },
        { "hardly anything", "{\"message\":null,\"id\":\"a-b\",\"meta\":null}", "",
          "{\"timeUnixNano\":\"0\",\"body\":{\"stringValue\":\"\"},\"attributes\":[" TEXT_OF(
              "log.record.uid", "a-b") "]}" },
        { "a message that is none, no status",
          "{\"message\":{\"a\":1},\"timestamp\":\"?\",\"meta\":{\"http\":{\"response\":"
          "{\"status_code\":0}},\"error\":{\"code\":1.5}}}",
          "",
          "{\"timeUnixNano\":\"0\",\"body\":{\"stringValue\":\"{\\\"a\\\":1}\"},\"attributes\":"
          "[" TEXT_OF("fly.error.code", "1.5") "]}" },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct pull_case c;
        setup(&c);
        check_row(rows[i].name);
        check_i64(case_decode(&c, bytes_of(rows[i].line)), 0);
        check_i64(c.page.count, 1);
        case_check_record(&c, 0, rows[i].resource, rows[i].record);
        check_i64(buf_text(&c.page.next.text)[0], 'B');
        case_teardown(&c);
    }
}

/* What is between the lines. */
static void test_lines(void **state)
{
#define LINE(n) "{\"timestamp\":\"2026-05-20T00:00:0" #n "Z\",\"message\":\"" #n "\"}"
    static const struct {
        const char *name, *frame;
        size_t count;
    } rows[] = {
        { "with a newline behind the last", LINE(1) "\n" LINE(2) "\n", 2 },
        { "without", LINE(1) "\n" LINE(2), 2 },
        { "blank ones", "\n \r\n" LINE(1) "\r\n\n\t\n" LINE(2) "\n\n", 2 },
        { "the last is cut", LINE(1) "\n{\"timestamp\":\"2026-05-20T00:00:02Z\",\"mess", 1 },
        { "broken ones", "<oops>\n" LINE(1) "\n{\"a\":}\n[1]\n7\n{\"a\":1}\n" LINE(2) "\n", 2 },
        { "two in one", LINE(1) LINE(2) "\n" LINE(3), 1 },
        { "before what was asked for",
          "{\"timestamp\":\"2026-05-19T23:59:59.999999999Z\",\"message\":\"m\"}\n" LINE(1), 1 },
        { "behind the window's end",
          LINE(1) "\n{\"timestamp\":\"2027-05-20T00:00:00Z\",\"message\":\"m\"}", 2 },
        { "nothing", "", 0 },
        { "blanks", "\n \n", 0 },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct pull_case c;
        setup(&c);
        check_row(rows[i].name);
        check_i64(case_decode(&c, bytes_of(rows[i].frame)), 0);
        check_i64(c.page.count, rows[i].count);
        case_teardown(&c);
    }
}

static void test_refuses(void **state)
{
    static const struct {
        const char *frame, *want;
    } rows[] = {
        { "<html>\n</html>\n", "neither a page nor lines of JSON" },
        { "{\"error\":\"try again\"}", "neither a page nor lines of JSON" },
        { "{\"timestamp\":\"2026-05-20T00:00:02Z\",\"mess", "neither a page nor lines of JSON" },
        { "{\"meta\":{\"next_token\":\"1\"},\"da", "neither a page nor lines of JSON" },
        { "{\"data\":\"none\"}", "neither a page nor lines of JSON" },
        { "{\"data\":[{\"id\":\"a\"},\n7]}", "data[1]: not an object" },
        { "{\"data\":[{\"id\":\"a\"},\n{\"id\":\"b", "not JSON: ends inside a string, at byte 29" },
        { "{\"data\":[{\"id\":\"a\"}]", "not JSON: ends inside an object or an array, at byte 20" },
        { "{\"data\":[]}\n{}", "not JSON: more text behind the value, at byte 12" },
        { "{\"data\":[{\"a\":\"\xff\"}]}", "not JSON: bytes that are not UTF-8, at byte 15" },
        { "{\"data\":[],\"meta\":{\"next_token\":\"\\u0000\"}}", NULL },
        { "{\"data\":[{}],\"meta\":{\"next_token\":\"a\\u0000\"}}",
          "next_token: not one of at most 4096 bytes" },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct pull_case c;
        setup(&c);
        check_row(rows[i].frame);
        check_i64(case_decode(&c, bytes_of(rows[i].frame)), -1);
        check_i64(c.err.kind, ERR_INPUT);
        if (rows[i].want)
            check_text(c.err.text, rows[i].want);
        check_i64(c.page.count, 0);
        case_teardown(&c);
    }
}

/* The platform's filters are applied again. */
static void test_filters(void **state)
{
    static const struct {
        const char *name, *region, *instance;
        size_t count;
    } rows[] = {
        { "none", NULL, "", 4 },
        { "a region", "cdg", NULL, 3 },
        { "an instance", NULL, "i", 2 },
        { "both", "cdg", "i", 2 },
        { "another case is another", "CDG", NULL, 1 },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct pull_case c;
        setup(&c);
        check_row(rows[i].name);
        c.settings[REGION].text = rows[i].region;
        c.settings[INSTANCE].text = rows[i].instance;
        check_i64(case_decode(&c, BYTES("{\"data\":[{\"attributes\":{\"instance\":\"i\",\"region\":"
                                        "\"cdg\"}},{\"attributes\":{\"instance\":\"j\",\"region\":"
                                        "\"cdg\"}},{\"attributes\":{\"instance\":\"j\",\"meta\":"
                                        "{\"region\":\"ams\"}}},{\"id\":\"who\"}]}")),
                  0);
        check_i64(c.page.count, rows[i].count);
        case_teardown(&c);
    }
}

/* ---- where to go on ----------------------------------------------------------------------------
 */

/* Nanoseconds past the start, each an entry: "A" and its id. */
static void page_of(const char *times, const char *token, struct buf *out)
{
    buf_append_text(out, "{\"data\":[");
    for (const char *at = times; *at; at += strspn(at, " ")) {
        char *stop, date[TIMEFMT_MAX];
        timefmt_rfc3339(START + strtoll(at, &stop, 10), 9, date);
        buf_printf(out, "%s{\"id\":\"%td\",\"attributes\":{\"timestamp\":\"%s\"}}",
                   at == times ? "" : ",", at - times, date);
        at = stop;
    }
    buf_printf(out, "],\"meta\":{\"next_token\":%s}}", token);
}

static void test_goes_on(void **state)
{
#define NS(n) "177923520000000000" #n
    static const struct {
        const char *name, *at, *times, *token;
        size_t yielded;
        const char *next; /* without its prints; "": the window is done */
    } rows[] = {
        { "no data", "", "", "\"" NS(5) "\"", 0, "" },
        { "no data, and an empty token", "A " NS(5) " 1 0 " NS(4), "", "\"\"", 0, "" },
        { "from before the last", "", "1 5", "\"" NS(5) "\"", 2, "A " NS(5) " 2 1 " NS(4) },
        { "a number", "", "1 5", NS(5), 2, "A " NS(5) " 2 1 " NS(4) },
        { "no token", "", "1 5", "null", 2, "A " NS(5) " 2 1 " NS(4) },
        { "an empty one", "", "1 5", "\"\"", 2, "A " NS(5) " 2 1 " NS(4) },
        { "several at the edge", "", "1 5 5 5", "\"" NS(5) "\"", 4, "A " NS(5) " 4 3 " NS(4) },
        { "one behind the last", "", "1 5", "\"" NS(7) "\"", 2, "A " NS(5) " 2 1 " NS(7) },
        { "one amid the page", "", "1 5", "\"" NS(3) "\"", 2, "A " NS(3) " 2 1 " NS(2) },
        { "one before the page", "", "1 5", "\"1\"", 2, "A " NS(5) " 2 1 " NS(4) },
        { "no moment", "", "1 5", "\"a b\"", 2, "A " NS(5) " 2 1 a b" },
        { "unchanged", "A " NS(1) " 9 0 a b", "1 5", "\"a b\"", 2, "" },
        { "unchanged, of the first call", "", "1 5", "\"1779235199999999999\"", 2, "" },
        { "what was there before is dropped", "A " NS(3) " 9 0 " NS(2), "1 2 5", "\"" NS(5) "\"", 1,
          "A " NS(5) " 3 1 " NS(4) },
        { "nothing that was asked for", "A " NS(3) " 9 0 " NS(2), "1 2", "\"" NS(2) "\"", 0, "" },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct pull_case c;
        struct buf frame = BUF_INIT(65536), next = BUF_INIT(4096);
        setup(&c);
        check_row(rows[i].name);
        buf_append_text(&c.at, rows[i].at);
        page_of(rows[i].times, rows[i].token, &frame);
        check_i64(case_decode(&c, buf_bytes(&frame)), 0);
        check_i64(c.page.count, rows[i].yielded);
        const char *got = buf_text(&c.page.next.text);
        check_i64(c.page.next.more, got[0] != '\0');
        for (long field = 0, prints = 0; *got; field++) {
            const char *stop = strchrnul(got + 1, ' ');
            if (field == 3)
                prints = strtol(got, NULL, 10);
            if (field < 4 || field >= 4 + prints)
                buf_append(&next, got, (size_t)(stop - got));
            got = stop;
        }
        check_text(buf_text(&next), rows[i].next);
        buf_release(&frame);
        buf_release(&next);
        case_teardown(&c);
    }
}

/* The same page again: what it had at the edge is not new, and what it lacked is. */
static void test_edge(void **state)
{
    struct pull_case c;
    struct buf frame = BUF_INIT(65536);
    (void)state;
    setup(&c);
    page_of("1 5 5", "null", &frame);
    check_i64(case_decode(&c, buf_bytes(&frame)), 0);
    check_i64(c.page.count, 3);
    case_go_on(&c);
    buf_reset(&frame);
    page_of("1 5 5 5", "null", &frame); /* the ids are 0 2 4 6 */
    check_row("one more at the edge");
    check_i64(case_decode(&c, buf_bytes(&frame)), 0);
    check_i64(c.page.count, 1);
    check_i64(c.page.next.more, true);
    case_go_on(&c);
    check_row("no more, and as many as before: they may be cut; past them");
    check_i64(case_decode(&c, buf_bytes(&frame)), 0);
    check_i64(c.page.count, 0);
    check_text(buf_text(&c.page.next.text), "A 1779235200000000006 4 0 1779235200000000005");
    check_row("no more, and less than before: all there is");
    buf_reset(&frame);
    buf_append_text(&frame, "{\"data\":[{\"id\":\"2\",\"attributes\":{\"timestamp\":"
                            "\"2026-05-20T00:00:00.000000005Z\"}}]}");
    check_i64(case_decode(&c, buf_bytes(&frame)), 0);
    check_i64(c.page.count, 0);
    check_i64(c.page.next.more, false);
    buf_release(&frame);
    case_teardown(&c);
}

/* A last line needs no newline; only one that is torn is asked for once more, and
 * that has an end. */
static void test_last_line(void **state)
{
#define WHOLE "{\"message\":\"m\",\"timestamp\":\"2026-05-20T00:00:02Z\"}"
    static const struct {
        const char *name, *frame;
        bool more;
    } rows[] = {
        { "whole", WHOLE, false },
        { "and a newline", WHOLE "\n", false },
        { "torn, and a newline", WHOLE "\n{\"mess\n", false },
        { "torn", WHOLE "\n{\"mess", true },
        { "torn alone", "{\"mess", true },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct pull_case c;
        setup(&c);
        check_row(rows[i].name);
        check_i64(case_decode(&c, BYTES("{\"id\":\"a\"}\n{\"id\":\"b\"}\n{\"id\":\"c\"}\n"
                                        "{\"id\":\"d\"}\n" WHOLE)),
                  0);
        check_i64(c.page.count, 5);
        case_go_on(&c);
        check_i64(case_decode(&c, bytes_of(rows[i].frame)), 0);
        check_i64(c.page.count, 0);
        check_i64(c.page.next.more, rows[i].more);
        for (int calls = 0; c.page.next.more; calls++) {
            assert_true(calls < 3);
            case_go_on(&c);
            check_i64(case_decode(&c, bytes_of(rows[i].frame)), 0);
            check_i64(c.page.count, 0);
        }
        case_teardown(&c);
    }
}

/* A window ends where its end is reached, whatever the platform still has. */
static void test_end_of_window(void **state)
{
    struct pull_case c;
    struct buf frame = BUF_INIT(65536);
    (void)state;
    setup(&c);
    c.ask.span.end_unix_ns = START + 5;
    page_of("1 5 6", "\"1779235200000000006\"", &frame);
    check_i64(case_decode(&c, buf_bytes(&frame)), 0);
    check_i64(c.page.count, 3);
    check_i64(c.page.next.more, false);
    check_i64(c.page.next.text.len, 0);
    buf_release(&frame);
    case_teardown(&c);
}

/* Where the platform keeps less than was asked for, the lost span is told: on the first page. */
static void test_lost(void **state)
{
    static const struct {
        const char *name, *at;
        int64_t days, first;
        bool lost;
    } rows[] = {
        { "ten days asked for, seven kept", "", 10, 3, true },
        { "not the first page", "A 1 1 0 t", 10, 3, false },
        { "six asked for", "", 6, 3, false },
        { "all there", "", 10, 1, false },
    };
    const int64_t day = 24 * HOUR;
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct pull_case c;
        struct buf frame = BUF_INIT(4096), times = BUF_INIT(64);
        setup(&c);
        check_row(rows[i].name);
        buf_append_text(&c.at, rows[i].at);
        c.ask.span.end_unix_ns = START + rows[i].days * day;
        int64_t first = rows[i].first * day;
        buf_printf(&times, "%lld", (long long)first);
        page_of(buf_text(&times), "null", &frame);
        check_i64(case_decode(&c, buf_bytes(&frame)), 0);
        check_i64(c.page.lost.start_unix_ns, rows[i].lost ? START : 0);
        check_i64(c.page.lost.end_unix_ns, rows[i].lost ? START + 3 * day : 0);
        buf_release(&frame);
        buf_release(&times);
        case_teardown(&c);
    }
}

/* ---- whole windows, against a platform of a few lines ------------------------------------------
 */

#define ENTRIES 300

struct world {
    int64_t times[ENTRIES];
    int got[ENTRIES];
    size_t count, page;
    bool lines, inclusive, opaque, ignores_start;
    bool unfinished, was_cut; /* the last line is cut at times, but never twice in a row */
};

static int64_t moment_of(const struct world *w, const char *url)
{
    char text[64] = "";
    const char *at = strstr(url, w->lines ? "start_time=" : "next_token=");
    assert_non_null(at);
    at = strchr(at, '=') + 1;
    for (size_t i = 0; *at && *at != '&' && i < sizeof(text) - 1; at++) {
        bool colon = strncmp(at, "%3A", 3) == 0;
        text[i++] = colon ? ':' : *at;
        at += colon ? 2 : 0;
    }
    int64_t unix_ns = 0;
    if (w->lines)
        assert_true(timefmt_parse_rfc3339(bytes_of(text), &unix_ns));
    else
        unix_ns = strtoll(text + (text[0] == 'T'), NULL, 10);
    return unix_ns - START;
}

/* Twins: every third entry is to the byte the one before it, where that has its time. */
static size_t name_of(const struct world *w, size_t i)
{
    return w->lines && i % 3 == 2 && w->times[i] == w->times[i - 1] ? i - 1 : i;
}

static void answer(struct world *w, const char *url, uint64_t *random, struct buf *out)
{
    int64_t moment = moment_of(w, url) + !w->inclusive;
    size_t from = 0, to;
    while (!w->ignores_start && from < w->count && w->times[from] < moment)
        from++;
    to = w->count - from > w->page && !w->ignores_start ? from + w->page : w->count;
    buf_append_text(out, w->lines ? "" : "{\"data\":[");
    for (size_t i = from; i < to; i++) {
        char date[TIMEFMT_MAX];
        timefmt_rfc3339(START + w->times[i], 9, date);
        if (i > from)
            buf_append_char(out, w->lines ? '\n' : ',');
        buf_printf(out, "{\"timestamp\":\"%s\",\"message\":\"%zu\"}", date, name_of(w, i));
    }
    if (!w->lines && w->opaque)
        buf_printf(out, "],\"meta\":{\"next_token\":\"T%lld\"}}",
                   (long long)(to > from ? START + w->times[to - 1] : 0));
    else if (!w->lines)
        buf_printf(out, "],\"meta\":{\"next_token\":\"%lld\"}}",
                   (long long)(to > from ? START + w->times[to - 1] : START + moment));
    w->was_cut = w->unfinished && !w->was_cut && to > from && case_random(random) % 2;
    if (w->was_cut)
        out->len -= 5;
}

static void drain(struct world *w, uint64_t *random)
{
    struct pull_case c;
    struct buf frame = BUF_INIT(1 << 20);
    int calls = 0;
    setup(&c);
    do {
        assert_true(++calls < 2 * ENTRIES);
        check_i64(case_request(&c), 0);
        buf_reset(&frame);
        answer(w, buf_text(&c.request.url), random, &frame);
        if (case_decode(&c, buf_bytes(&frame))) { /* the first line of all is torn: it is retried */
            assert_true(w->was_cut && c.at.len == 0);
            c.page.next.more = true;
            continue;
        }
        for (size_t i = 0; i < c.page.count; i++) {
            const char *at = strstr(c.page.records[i].text, "\"stringValue\":\"");
            w->got[strtol(at + 15, NULL, 10)]++;
        }
        case_go_on(&c);
    } while (c.page.next.more);
    buf_release(&frame);
    case_teardown(&c);
}

/* Wherever pages end, whether or not a moment includes itself, whatever tokens are: each once. */
static void test_drains(void **state)
{
    uint64_t random = 3;
    (void)state;
    for (int round = 0; round < 1000; round++) {
        struct world w = { .page = 8 + (size_t)(case_random(&random) % 30) };
        int64_t ns = 0, same = 0;
        int want[ENTRIES] = { 0 };
        char name[64];
        w.lines = round % 2;
        w.inclusive = case_random(&random) % 2;
        w.opaque = !w.lines && case_random(&random) % 3 == 0;
        w.ignores_start = w.lines && case_random(&random) % 4 == 0;
        w.unfinished = w.lines && !w.ignores_start && case_random(&random) % 3 == 0;
        w.count = case_random(&random) % ENTRIES;
        for (size_t i = 0; i < w.count; i++) {
            bool step = case_random(&random) % 3 == 0 || same == 3;
            same = step ? 1 : same + 1;
            ns += step ? 1 + (int64_t)(case_random(&random) % 50) : 0;
            w.times[i] = w.opaque ? (int64_t)i * 7 : ns;
        }
        for (size_t i = 0; i < w.count; i++)
            want[name_of(&w, i)]++;
        snprintf(name, sizeof(name), "round %d", round);
        check_row(name);
        drain(&w, &random);
        for (size_t i = 0; i < w.count; i++)
            check_i64(w.got[i], want[i]);
    }
}

static void test_table(void **state)
{
    (void)state;
    check_i64(source_named("fly") == &source_fly, true);
    check_i64(source_fly.tails, true);
    check_text(source_fly.fields[source_fly.budget].name, "app");
    check_text(source_fly.fields[source_fly.service_name].name, "app");
    for (const struct field *f = source_fly.fields; f->name; f++) {
        check_row(f->name);
        check_i64(f->help != NULL, true);
        check_i64(f->secret, strcmp(f->name, "token") == 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requests),    cmocka_unit_test(test_tokens),
        cmocka_unit_test(test_bad_cursors), cmocka_unit_test(test_sample_page),
        cmocka_unit_test(test_shapes),      cmocka_unit_test(test_lines),
        cmocka_unit_test(test_refuses),     cmocka_unit_test(test_filters),
        cmocka_unit_test(test_goes_on),     cmocka_unit_test(test_edge),
        cmocka_unit_test(test_last_line),   cmocka_unit_test(test_end_of_window),
        cmocka_unit_test(test_lost),        cmocka_unit_test(test_drains),
        cmocka_unit_test(test_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
