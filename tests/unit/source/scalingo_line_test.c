#include "source/scalingo_line.h"

#include <stdlib.h>

#include "base/timefmt.h"
#include "source/entry.h"
#include "source/scalingo_lines.h"
#include "tests/unit/check.h"

#define MARCH INT64_C(1772442900) /* 2026-03-02T09:15:00Z */

static void test_reads(void **state)
{
    static const struct {
        const char *name, *line;
        int64_t unix_ns; /* 0: it is of another form */
        const char *container, *text;
    } rows[] = {
        { "the documentation's", "2026-03-02 09:15:00.070300000 +0000 UTC [web-1] [api] Completed",
          MARCH * NS_PER_S + 70300000, "web-1", "[api] Completed" },
        { "local time", "2026-03-02 11:15:00.188 +0200 CEST [router] a=b",
          MARCH * NS_PER_S + 188000000, "router", "a=b" },
        { "the offset counts, not the zone", "2026-03-02 05:45:00 -0330 UTC [one-off-4521] x",
          MARCH * NS_PER_S, "one-off-4521", "x" },
        { "no fraction", "2026-03-02 09:15:00 +0000 UTC [w] x", MARCH * NS_PER_S, "w", "x" },
        { "one digit", "2026-03-02 09:15:00.5 +0000 UTC [w] x", MARCH * NS_PER_S + 500000000, "w",
          "x" },
        { "twelve digits", "2026-03-02 09:15:00.123456789987 +0000 UTC [w] x",
          MARCH * NS_PER_S + 123456789, "w", "x" },
        { "offset with a colon", "2026-03-02 10:15:00 +01:00 CET [w] x", MARCH * NS_PER_S, "w",
          "x" },
        { "a zone without a name", "2026-03-02 06:15:00 -0300 -03 [w] x", MARCH * NS_PER_S, "w",
          "x" },
        { "no zone's name", "2026-03-02 09:15:00 +0000 [w] x", MARCH * NS_PER_S, "w", "x" },
        { "no text", "2026-03-02 09:15:00 +0000 UTC [w] ", MARCH * NS_PER_S, "w", "" },
        { "no blank either", "2026-03-02 09:15:00 +0000 UTC [w]", MARCH * NS_PER_S, "w", "" },
        { "blanks in front", "2026-03-02 09:15:00 +0000 UTC [w]   x ", MARCH * NS_PER_S, "w",
          "  x " },
        { "a carriage return", "2026-03-02 09:15:00 +0000 UTC [w] x\r", MARCH * NS_PER_S, "w",
          "x\r" },
        { "empty", "", 0, "", "" },
        { "a stack trace", "\tat x (y.js:1)", 0, "", "\tat x (y.js:1)" },
        { "no container", "2026-03-02 09:15:00 +0000 UTC web-1 x", 0, "",
          "2026-03-02 09:15:00 +0000 UTC web-1 x" },
        { "an empty container", "2026-03-02 09:15:00 +0000 UTC [] x", 0, "",
          "2026-03-02 09:15:00 +0000 UTC [] x" },
        { "an open container", "2026-03-02 09:15:00 +0000 UTC [web", 0, "",
          "2026-03-02 09:15:00 +0000 UTC [web" },
        { "no such day", "2026-02-30 09:15:00 +0000 UTC [w] x", 0, "",
          "2026-02-30 09:15:00 +0000 UTC [w] x" },
        { "before 1970", "1969-12-31 23:59:59 +0000 UTC [w] x", 0, "",
          "1969-12-31 23:59:59 +0000 UTC [w] x" },
        { "no offset", "2026-03-02 09:15:00 UTC [w] x", 0, "", "2026-03-02 09:15:00 UTC [w] x" },
        { "a bracket at the end", "2026-03-02 09:15:00 +0000 UTC [", 0, "",
          "2026-03-02 09:15:00 +0000 UTC [" },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct scalingo_line line;
        size_t len = strlen(rows[i].line);
        char *exact = xmalloc(len);
        memcpy(exact, rows[i].line, len);
        check_row(rows[i].name);
        check_i64(scalingo_line_read((struct bytes){ exact, len }, &line), rows[i].unix_ns != 0);
        check_i64(line.unix_ns, rows[i].unix_ns);
        check_bytes(line.container, bytes_of(rows[i].container));
        check_bytes(line.text, bytes_of(rows[i].text));
        free(exact);
    }
}

static void test_hashes(void **state)
{
    static const struct {
        const char *name, *left, *right;
        bool same;
    } rows[] = {
        { "another zone", "2026-03-02 09:15:00 +0000 UTC [w] x",
          "2026-03-02 11:15:00.000 +0200 CEST [w] x", true },
        { "another time", "2026-03-02 09:15:00 +0000 UTC [w] x",
          "2026-03-02 09:15:00.000000001 +0000 UTC [w] x", false },
        { "another container", "2026-03-02 09:15:00 +0000 UTC [w-1] x",
          "2026-03-02 09:15:00 +0000 UTC [w-2] x", false },
        { "another text", "2026-03-02 09:15:00 +0000 UTC [w] x",
          "2026-03-02 09:15:00 +0000 UTC [w] y", false },
        { "cut elsewhere", "2026-03-02 09:15:00 +0000 UTC [ab] c",
          "2026-03-02 09:15:00 +0000 UTC [a] bc", false },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct scalingo_line left, right;
        check_row(rows[i].name);
        check_i64(scalingo_line_read(bytes_of(rows[i].left), &left), true);
        check_i64(scalingo_line_read(bytes_of(rows[i].right), &right), true);
        check_i64(scalingo_line_hash(&left) == scalingo_line_hash(&right), rows[i].same);
    }
}

static void test_filters(void **state)
{
    static const struct {
        const char *filter, *container;
        bool passes;
    } rows[] = {
        { NULL, "web-1", true },
        { "", "web-1", true },
        { "web-1", "web-1", true },
        { "web-1", "web-12", false },
        { "web", "web-1", true },
        { "web", "website-1", false },
        { "web", "web", true },
        { "web-1", "web", false },
        { "router", "router", true },
        { "web|worker", "worker-2", true },
        { "web|worker", "web-2", true },
        { "web|worker", "router", false },
        { "one-off", "one-off-9", true },
        { "one", "one-off-9", false },
        { "|", "", false },
        { "web", "", false },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        check_row(rows[i].filter);
        check_i64(scalingo_passes(bytes_of(rows[i].container), rows[i].filter), rows[i].passes);
    }
}

#define STRING(key, value)  ",{\"key\":\"" key "\",\"value\":{\"stringValue\":\"" value "\"}}"
#define INTEGER(key, value) ",{\"key\":\"" key "\",\"value\":{\"intValue\":\"" value "\"}}"

static void test_writes(void **state)
{
    static const struct {
        const char *name, *container, *text, *want; /* after the type; NULL: no attributes */
    } rows[] = {
        { "no router", "web-1", "method=GET", "" },
        { "no container", "", "method=GET", NULL },
        { "the documentation's", "router",
          "method=GET path=\"/x?a=1\" host=shop.osc-fr1.scalingo.io request_id=7c0e "
          "container=web-1 from=\"203.0.113.9\" protocol=https status=200 duration=0.125s "
          "bytes=735 referer=\"-\" user_agent=\"curl/8\"",
          STRING("http.request.method", "GET") STRING("url.path", "/x") STRING(
              "url.query", "a=1") STRING("server.address", "shop.osc-fr1.scalingo.io")
              STRING("url.scheme", "https") INTEGER("http.response.status_code", "200") INTEGER(
                  "http.response.body.size", "735") STRING("client.address", "203.0.113.9")
                  STRING("user_agent.original", "curl/8") STRING("scalingo.request_id", "7c0e")
                      STRING("scalingo.container", "web-1") ",{\"key\":\"scalingo.duration_s\","
                                                            "\"value\":{\"doubleValue\":0.125}}" },
        { "escapes", "router", "path=\"/a\\\"b\\\\c d\\te\" referer=\"http://r/?x=1\"",
          STRING("url.path", "/a\\\"b\\\\c d\\te") STRING("scalingo.referer", "http://r/?x=1") },
        { "keys are missing", "router", "status=499", INTEGER("http.response.status_code", "499") },
        { "another order, other keys, no pairs", "router", "hello  new=1 status=200 method=PUT x=",
          STRING("http.request.method", "PUT") INTEGER("http.response.status_code", "200") },
        { "numbers that are none", "router",
          "status=- bytes=12x duration=fast host= path=\"\" from=\"\"", "" },
        { "too long for a number", "router", "bytes=99999999999999999999", "" },
        { "milliseconds", "router", "duration=250ms",
          ",{\"key\":\"scalingo.duration_s\",\"value\":{\"doubleValue\":0.25}}" },
        { "two dots", "router", "duration=1.2.3s", "" },
        { "the first of two", "router", "method=GET method=PUT",
          STRING("http.request.method", "GET") },
        { "open quotes", "router", "host=\"a b", STRING("server.address", "a b") },
        { "an escape at the end", "router", "host=\"a\\", STRING("server.address", "a\\\\") },
        { "a lone quote", "router", "host=\"", "" },
        { "a query that is empty", "router", "path=/x?", STRING("url.path", "/x") },
    };
    struct buf scratch = BUF_INIT(1000), want = BUF_INIT(8192);
    struct page page = PAGE_INIT;
    struct error err;
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct scalingo_line line = { MARCH * NS_PER_S, bytes_of(rows[i].container),
                                      bytes_of(rows[i].text) };
        check_row(rows[i].name);
        page_reset(&page);
        scalingo_line_write(&line, &page, &scratch);
        check_i64(page_finish(&page, &err), 0);
        check_i64(page.count, 1);
        struct bytes got = { page.records[0].text, page.records[0].len };
        const char *attributes = memmem(got.data, got.len, ",\"attributes\":", 14);
        check_i64(attributes != NULL, rows[i].want != NULL);
        if (rows[i].want) {
            buf_reset(&want);
            buf_printf(&want,
                       ",\"attributes\":[{\"key\":\"scalingo.container.type\",\"value\":"
                       "{\"stringValue\":\"%s\"}}%s]}",
                       rows[i].container[0] == 'w' ? "web" : "router", rows[i].want);
            got.len -= (size_t)(attributes - got.data);
            got.data = attributes;
            check_bytes(got, buf_bytes(&want));
        }
        buf_reset(&want);
        if (rows[i].container[0])
            buf_printf(&want,
                       "{\"key\":\"service.instance.id\",\"value\":{\"stringValue\":\"%s\"}}",
                       rows[i].container);
        check_bytes(page_resource_of(&page, 0), buf_bytes(&want));
    }
    page_release(&page);
    buf_release(&scratch);
    buf_release(&want);
}

/* One that sorts is told by what its lines say, in order. */
static void test_sorts(void **state)
{
#define T(second) "2026-03-02 09:15:0" second " +0000 UTC "
    static const struct {
        const char *name, *frame;
        size_t skip, most;
        const char *want; /* CONTAINER:TEXT of each */
        size_t timed, passed;
        bool more;
    } rows[] = {
        { "nothing", "", 0, 9, "", 0, 0, false },
        { "in order", T("1") "[a] x\n" T("2") "[b] y\n", 0, 9, "a:x b:y ", 0, 2, false },
        { "no end of line", T("1") "[a] x\n" T("2") "[b] y", 0, 9, "a:x b:y ", 0, 2, false },
        { "out of order", T("3") "[a] x\n" T("1") "[b] y\n" T("2") "[c] z\n", 0, 9, "b:y c:z a:x ",
          0, 3, false },
        { "of one time as they stand",
          T("2") "[a] 1\n" T("1") "[a] 2\n" T("2") "[a] 3\n" T("1") "[a] 4\n", 0, 9,
          "a:2 a:4 a:1 a:3 ", 0, 4, false },
        { "another form belongs to the one before",
          T("3") "[a] x\nmore\n\tstill\n" T("1") "[b] y\nof y\n" T("3") "[c] z\n", 0, 9,
          "b:y b:of y a:x a:more a:\tstill c:z ", 0, 6, false },
        { "without one before", "orphan\n\n" T("1") "[a] x\n", 0, 9, ":orphan a:x ", 1, 3, false },
        { "blank lines count, and are none", "\n" T("1") "[a] x\n\n\n", 0, 9, "a:x ", 0, 4, false },
        { "a part", T("1") "[a] x\n" T("2") "[b] y\nof y\n" T("3") "[c] z\n", 0, 2, "a:x b:y ", 0,
          2, true },
        { "the next", T("1") "[a] x\n" T("2") "[b] y\nof y\n" T("3") "[c] z\n", 2, 2, "b:of y c:z ",
          0, 4, false },
        { "behind the end", T("1") "[a] x\n", 7, 2, "", 0, 1, false },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct scalingo_lines lines = { 0 };
        struct buf got = BUF_INIT(1000);
        struct error err;
        size_t len = strlen(rows[i].frame);
        char *exact = xmalloc(len);
        memcpy(exact, rows[i].frame, len);
        check_row(rows[i].name);
        check_i64(scalingo_lines_read(&lines, (struct bytes){ exact, len }, rows[i].skip,
                                      rows[i].most, &err),
                  0);
        for (size_t j = 0; j < lines.count; j++) {
            struct scalingo_line line;
            scalingo_lines_at(&lines, j, &line);
            check_i64(line.unix_ns, lines.items[j].unix_ns);
            buf_append_bytes(&got, line.container);
            buf_append_char(&got, ':');
            buf_append_bytes(&got, line.text);
            buf_append_char(&got, ' ');
        }
        check_text(buf_text(&got), rows[i].want);
        check_i64(scalingo_lines_timed(&lines), rows[i].timed);
        check_i64(lines.passed, rows[i].passed);
        check_i64(lines.more, rows[i].more);
        scalingo_lines_release(&lines);
        buf_release(&got);
        free(exact);
    }
}

static void test_finds(void **state)
{
    static const char frame[] = T("1") "[a] x\n" T("3") "[a] y\n" T("3") "[a] z\n" T("5") "[a] y\n";
    struct scalingo_lines lines = { 0 };
    struct scalingo_line line;
    struct error err;
    (void)state;
    check_i64(scalingo_lines_read(&lines, bytes_of(frame), 0, 9, &err), 0);
    check_i64(scalingo_lines_from(&lines, (MARCH + 1) * NS_PER_S), 0);
    check_i64(scalingo_lines_from(&lines, (MARCH + 2) * NS_PER_S), 1);
    check_i64(scalingo_lines_from(&lines, (MARCH + 3) * NS_PER_S + 1), 3);
    check_i64(scalingo_lines_from(&lines, (MARCH + 6) * NS_PER_S), 4);
    scalingo_lines_at(&lines, 2, &line);
    uint64_t hash = scalingo_line_hash(&line);
    check_i64(scalingo_lines_have(&lines, line.unix_ns, hash), true);
    check_i64(scalingo_lines_have(&lines, line.unix_ns + 1, hash), false);
    check_i64(scalingo_lines_have(&lines, line.unix_ns, hash + 1), false);
    scalingo_lines_release(&lines);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads),   cmocka_unit_test(test_hashes),
        cmocka_unit_test(test_filters), cmocka_unit_test(test_writes),
        cmocka_unit_test(test_sorts),   cmocka_unit_test(test_finds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
