#include "scalingo_poll.h"

static void test_lists_page_by_page(void **state)
{
    static const char first[] = "{\"next_cursor\":\"a b\",\"has_more\":true,\"archives\":[" ARCHIVE(
        "n", "20", "29") "]}";
    static const char second[] = "{\"next_cursor\":7,\"archives\":[" ARCHIVE(
        "n?signed=again", "20", "29") "," ARCHIVE("m", "20", "29") "," ARCHIVE("l", "12",
                                                                               "19") "]}";
    static const char third[] = "{\"next_cursor\":7,\"has_more\":true,\"archives\":[]}";
    struct fixture f;
    (void)state;
    setup(&f);
    step(&f, L("30", "x"), "x ", true);
    step(&f, first, "", true);
    static const struct {
        const char *url, *frame;
    } pages[] = {
        { "https://api.osc-fr1.scalingo.com/v1/apps/my%20app/logs_archives", first },
        { "https://api.osc-fr1.scalingo.com/v1/apps/my%20app/logs_archives?cursor=a%20b", second },
        { "https://api.osc-fr1.scalingo.com/v1/apps/my%20app/logs_archives?cursor=7", third },
    };
    for (size_t i = 0; i < COUNT(pages); i++) {
        check_row(pages[i].url);
        check_i64(prepare(&f), 0);
        check_text(buf_text(&f.request.url), pages[i].url);
        check_text(f.request.headers.items[0].value, "Bearer tok");
        check_i64(prepared(&f, pages[i].frame), 0);
    }
    check_i64(prepare(&f), 0); /* the same cursor again: that was all */
    check_text(buf_text(&f.request.url), "");
    /* two that are alike in all but their place are two */
    static const char *const urls[] = { "https://s3.example/n", "https://s3.example/m",
                                        "https://s3.example/l" };
    for (size_t i = 0; i < COUNT(urls); i++) {
        check_asks(&f, urls[i]);
        step(&f, L("20", "y"), "y ", i + 1 < COUNT(urls));
    }
    teardown(&f);
}

/* What follows those that are too old is older still. */
static void test_list_that_is_long(void **state)
{
    static const char page[] = "{\"next_cursor\":\"more\",\"has_more\":true,\"archives\":[" ARCHIVE(
        "n", "20",
        "29") ",{\"url\":\"https://s3.example/o\",\"size\":1,\"from\":\"2026-03-02T06:00:00Z\","
              "\"to\":\"2026-03-02T07:00:00Z\"}]}";
    struct fixture f;
    (void)state;
    setup(&f);
    step(&f, L("30", "x"), "x ", true);
    list(&f, page);
    check_asks(&f, "https://s3.example/n");
    step(&f, L("20", "w"), "w ", false);
    teardown(&f);
}

/* Times that do not tell the order, as whole hours do not: the list's order does, and a poll knows
 * again which one it has read. */
static void test_archives_of_one_hour(void **state)
{
    struct fixture f;
    (void)state;
    setup(&f);
    step(&f, "", "", true);
    list(&f, LISTED(ARCHIVE("b", "00", "00") "," ARCHIVE("a", "00", "00")));
    check_asks(&f, "https://s3.example/b");
    step(&f, L("20", "y"), "y ", true);
    check_asks(&f, "https://s3.example/a");
    step(&f, L("05", "w") L("11", "x"), "x ", false);
    f.ask.span.start_unix_ns += NS_PER_S;
    step(&f, "", "", true);
    list(&f, LISTED(ARCHIVE("d", "00", "00") "," ARCHIVE("c", "00", "00") "," ARCHIVE(
                 "b", "00", "00") "," ARCHIVE("a", "00", "00")));
    check_asks(&f, "https://s3.example/d");
    step(&f, L("40", "v"), "v ", true);
    check_asks(&f, "https://s3.example/c");
    step(&f, L("30", "u"), "u ", false);
    check_lost(&f, 0, 0);
    teardown(&f);
}

static void test_oldest_first(void **state)
{
    struct fixture f;
    (void)state;
    setup(&f);
    step(&f, L("40", "x"), "x ", true);
    list(&f, LISTED(ARCHIVE("a", "00", "09") "," ARCHIVE("b", "10", "19") "," ARCHIVE("c", "20",
                                                                                      "29")));
    check_asks(&f, "https://s3.example/c");
    step(&f, L("20", "y"), "y ", true);
    check_asks(&f, "https://s3.example/b");
    step(&f, L("10", "z"), "z ", false);
    teardown(&f);
}

static void test_list_dates(void **state)
{
    static const struct {
        const char *name, *from, *to;
        bool asked;
    } rows[] = {
        { "hours", "\"Mon Mar  2 09:00:00 +0000 UTC 2026\"",
          "\"Mon Mar  2 09:00:00 +0000 UTC 2026\"", true },
        { "too old", "\"Mon Mar 2 06:00:00 +0000 UTC 2026\"",
          "\"Mon Mar 2 08:15:00 +0000 UTC 2026\"", false },
        { "another offset", "\"Mon Mar 02 11:00:00 +0200 CEST 2026\"",
          "\"Mon Mar 02 11:15:12 +0200 CEST 2026\"", true },
        { "RFC 3339", "\"2026-03-02T09:00:00Z\"", "\"2026-03-02T08:15:09Z\"", false },
        { "unreadable: its lines will tell", "\"soon\"", "7", true },
        { "no such month", "\"\"", "\"Mon Mer 2 06:00:00 +0000 UTC 2026\"", true },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct fixture f;
        char frame[400];
        setup(&f);
        check_row(rows[i].name);
        step(&f, L("30", "x"), "x ", true);
        snprintf(frame, sizeof(frame),
                 "{\"archives\":[{\"url\":\"https://s3.example/a\",\"from\":%s,\"to\":%s}]}",
                 rows[i].from, rows[i].to);
        step(&f, frame, "", rows[i].asked);
        teardown(&f);
    }
}

static void test_list_refuses(void **state)
{
    static const struct {
        const char *frame, *why;
    } rows[] = {
        { "no", NULL },
        { "{\"archives\":7}", "archives: not an array" },
        { "{\"archives\":[7]}", "archives[0].url: missing, or not a URL" },
        { "{\"archives\":[{\"url\":\"s3://x\"}]}", "archives[0].url: missing, or not a URL" },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct fixture f;
        setup(&f);
        check_row(rows[i].frame);
        step(&f, L("30", "x"), "x ", true);
        check_i64(decode(&f, rows[i].frame, strlen(rows[i].frame)), -1);
        check_i64(f.err.kind, ERR_INPUT);
        if (rows[i].why)
            check_text(f.err.text, rows[i].why);
        check_i64(f.page.count == 0 && !f.page.next.more, true);
        teardown(&f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lists_page_by_page),   cmocka_unit_test(test_list_that_is_long),
        cmocka_unit_test(test_archives_of_one_hour), cmocka_unit_test(test_oldest_first),
        cmocka_unit_test(test_list_dates),           cmocka_unit_test(test_list_refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
