#include "scalingo_poll.h"

/* ---- dumps -------------------------------------------------------------------------------------
 */

static void test_dumps(void **state)
{
    static const struct {
        const char *name, *frame, *want;
        bool more;
        int asks; /* lines, next */
    } rows[] = {
        { "fewer than asked, and old enough", L("05", "a") L("11", "b") L("12", "c"), "b c ", false,
          4 },
        { "full, and old enough", L("10", "a") L("11", "b") L("12", "c") L("13", "d"), "a b c d ",
          false, 4 },
        { "more than asked", L("01", "a") L("11", "b") L("12", "c") L("13", "d") L("14", "e"),
          "b c d e ", false, 4 },
        { "full, and not old enough", L("11", "a") L("11", "b") L("12", "c") L("13", "d"), "", true,
          8 },
        { "out of order", L("13", "d") L("12", "c") L("01", "a") L("11", "b"), "b c d ", false, 4 },
        { "its beginning is not the record's", "more\n" L("09", "a") L("11", "b"), "b ", false, 4 },
        { "newer than the window's end", L("09", "a") L("59", "b"), "b ", false, 4 },
        { "another form after one that is dropped", L("09", "a") "of a\n" L("11", "b") "of b\n",
          "b of b ", false, 4 },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct fixture f;
        setup(&f);
        check_row(rows[i].name);
        step(&f, rows[i].frame, rows[i].want, rows[i].more);
        check_asks_lines(&f, rows[i].asks);
        check_lost(&f, 0, 0);
        teardown(&f);
    }
}

static void test_lines_grow_and_shrink(void **state)
{
    struct fixture f;
    struct buf frame = BUF_INIT((size_t)64 << 20);
    (void)state;
    setup(&f);
    f.settings[LINES].number = 40000;
    for (int i = 0; i < 150000; i++)
        buf_append_text(&frame, "2026-03-02 09:15:20 +0000 UTC [w-1] x\n");
    step(&f, buf_text(&frame), "", true);
    check_asks_lines(&f, 80000);
    step(&f, buf_text(&frame), "", true);
    check_asks_lines(&f, 150000);
    check_i64(decode(&f, buf_text(&frame), frame.len), 0);
    check_i64(f.page.count, 150000);
    buf_reset(&f.at);
    buf_append_text(&f.at, "1 d n=150000 f=0");
    static const int asks[] = { 75000, 40000, 40000 };
    for (size_t i = 0; i < COUNT(asks); i++) {
        step(&f, L("01", "a") L("11", "b"), "b ", false);
        check_asks_lines(&f, asks[i]);
    }
    f.settings[LINES].number = 50000;
    check_asks_lines(&f, 50000);
    buf_release(&frame);
    teardown(&f);
}

/* The poll before is in the next dump: nothing was missed, however short it is. */
static void test_polls_meet(void **state)
{
    struct fixture f;
    (void)state;
    setup(&f);
    step(&f, L("05", "a") L("11", "b"), "b ", false);
    f.ask.span.start_unix_ns += 10 * NS_PER_S;
    step(&f, "orphan\n" L("22", "c") L("11", "b") L("05", "a") L("21", "d"), "d c ", false);
    check_row("met, and full, and not back to the window's beginning");
    step(&f, L("21", "d") L("22", "c") L("22", "g") L("22", "h"), "d c g h ", false);
    check_asks_lines(&f, 4);
    check_row("full, and cut amid lines of that time: it may be a twin");
    step(&f, L("22", "h") L("23", "i") L("23", "j") L("24", "k"), "", true);
    check_asks_lines(&f, 8);
    step(&f,
         L("22", "c") L("22", "g") L("22", "h") L("22", "w") L("22", "h") L("23", "i") L("23", "j")
             L("24", "k"),
         "", true);
    check_asks_lines(&f, 16);
    step(&f, L("22", "h") L("22", "w") L("22", "h") L("23", "i") L("23", "j") L("24", "k"),
         "h w h i j k ", false);
    check_lost(&f, 0, 0);
    teardown(&f);
}

/* What came late may be older than all that is known: it is no sign of where the poll before is. */
static void test_late_lines(void **state)
{
    struct fixture f;
    (void)state;
    setup(&f);
    step(&f, L("05", "a") L("22", "c"), "c ", false);
    f.ask.span.start_unix_ns += 10 * NS_PER_S;
    check_row("before the window: not wanted, however late");
    step(&f, L("09", "old") L("19.9", "late") L("20", "i") L("22", "c") L("23", "j"), "i c j ",
         false);
    check_row("full, and old, and not met");
    step(&f, L("12", "late") L("20", "k") L("30", "l") L("31", "m"), "", true);
    check_asks_lines(&f, 8);
    check_row("not full, and old, and not met: the log has rolled over");
    step(&f, L("12", "late") L("20", "k") L("30", "l"), "k l ", true);
    list(&f, LISTED(ARCHIVE("new", "21", "29") "," ARCHIVE("old", "05", "23")));
    step(&f, L("05", "far too late") L("21", "late") L("29", "n"), "late n ", true);
    step(&f, L("05", "a") L("22", "c") L("23", "j") L("23", "o"), "c j o ", false);
    check_lost(&f, 0, 0);
    teardown(&f);
}

static void test_another_filter(void **state)
{
    struct fixture f;
    (void)state;
    setup(&f);
    step(&f, L("11", "a") L("50", "b"), "a b ", true);
    step(&f, LISTED(""), "", false);
    check_row("it would not show the line that is known");
    f.settings[FILTER].text = "w-1";
    f.ask.span.start_unix_ns += 45 * NS_PER_S;
    step(&f, L("53", "c") L("56", "d"), "d ", false);
    check_row("it would show this one");
    step(&f, L("57.5", "e") L("59", "f"), "e f ", true);
    teardown(&f);
}

static void test_without_archives(void **state)
{
    struct fixture f;
    (void)state;
    setup(&f);
    f.settings[LOGS_URL].text = "https://mine.example/";
    check_row("a first poll has missed nothing");
    step(&f, L("11", "a") L("12", "b"), "a b ", false);
    check_lost(&f, 0, 0);
    check_row("nothing there: it may be");
    step(&f, "", "", false);
    check_lost(&f, 0, 0);
    check_row("the one before is not there");
    step(&f, L("20", "c"), "c ", false);
    check_lost(&f, 12, 20);
    check_row("it is");
    step(&f, L("20", "c"), "c ", false);
    check_lost(&f, 0, 0);
    check_row("it was long before the window");
    f.ask.span.start_unix_ns += 15 * NS_PER_S;
    step(&f, L("30", "d"), "d ", false);
    check_lost(&f, 20, 30);
    teardown(&f);
}

/* ---- archives ----------------------------------------------------------------------------------
 */

static void test_archives_go_back(void **state)
{
    struct fixture f;
    (void)state;
    setup(&f);
    step(&f, L("30", "x") L("31", "y"), "x y ", true);
    list(&f, LISTED(ARCHIVE("new", "20", "29") "," ARCHIVE("mid", "12", "19") "," ARCHIVE(
                 "old", "02", "11") "," ARCHIVE("older", "00", "01")));
    check_asks(&f, "https://s3.example/new");
    check_text(f.request.shown_as, "an archive's URL");
    check_i64(f.request.headers.count, 0);
    step(&f, L("20", "e") L("29", "f"), "e f ", true);
    check_asks(&f, "https://s3.example/mid");
    step(&f, L("12", "c") L("19", "d"), "c d ", true);
    check_asks(&f, "https://s3.example/old");
    step(&f, L("02", "a") L("11", "b"), "b ", false);
    check_lost(&f, 0, 0);
    /* the next poll is none the wiser about URLs */
    check_i64(strstr(buf_text(&f.at), "s3.example") == NULL, true);
    check_asks_lines(&f, 4);
    teardown(&f);
}

/* What was dumped and has gone to an archive since, to a line. */
static void test_edge_is_counted(void **state)
{
    struct fixture f;
    (void)state;
    setup(&f);
    step(&f, L("30", "x") L("30", "x") L("30", "y"), "x x y ", true);
    list(&f, LISTED(ARCHIVE("new", "20", "31")));
    step(&f,
         L("09", "a") L("29", "b") L("30", "x") L("30", "z") L("30", "x") L("30", "x") L("30", "y")
             L("31", "later"),
         "b z x later ", false);
    teardown(&f);
}

/* A line of the archive that is like the dump's first is its twin, which came right before. */
static void test_twins_at_the_edge(void **state)
{
    struct fixture f;
    (void)state;
    setup(&f);
    step(&f, L("30", "x") L("30", "x") L("31", "y"), "x x y ", true);
    list(&f, LISTED(ARCHIVE("a", "20", "30") "," ARCHIVE("b", "05", "19")));
    step(&f, L("20", "w") L("30", "x") L("30", "x"), "w x x ", true);
    check_row("of another container, whose clock is ahead");
    step(&f, L("19", "v") L("33", "early") L("05", "a"), "v early ", false);
    teardown(&f);
}

/* An archive reaches back as far as it does, and the window begins where it does. */
static void test_old_lines_of_an_archive(void **state)
{
    struct fixture f;
    (void)state;
    setup(&f);
    step(&f, L("15", "a") L("16", "last"), "a last ", true);
    step(&f, "", "", false);
    f.ask.span.start_unix_ns += 6 * NS_PER_S;
    step(&f, L("40", "x"), "x ", true);
    list(&f, LISTED(ARCHIVE("n", "12", "17")));
    step(&f, "orphan\n" L("12", "old") L("15", "a") L("16", "last") "of last\n" L("17", "b"),
         "last of last b ", false);
    teardown(&f);
}

static void test_edges_of_one(void **state)
{
    struct fixture f;
    (void)state;
    setup(&f);
    step(&f, L("30", "x"), "x ", true);
    list(&f, LISTED(ARCHIVE("a", "05", "30")));
    step(&f, L("05", "v") L("20", "w") L("30", "x"), "w x ", false);
    teardown(&f);
    check_row("the one before such an archive has lines of its own");
    setup(&f);
    step(&f, L("30", "x") L("31", "y"), "x y ", true);
    list(&f, LISTED(ARCHIVE("a", "25", "32") "," ARCHIVE("b", "05", "24")));
    step(&f, L("25", "w") L("30", "x") L("31", "y") L("32", "z"), "w z ", true);
    step(&f, L("05", "u") L("24", "v") L("33", "ahead"), "v ahead ", false);
    teardown(&f);
}

/* More lines of one time than the cursor holds: none is lost, and some come twice. */
static void test_large_edge(void **state)
{
    struct fixture f;
    struct buf frame = BUF_INIT((size_t)1 << 20);
    (void)state;
    setup(&f);
    f.settings[LINES].number = 5000;
    for (int i = 0; i < 1000; i++)
        buf_printf(&frame, "2026-03-02 09:15:30 +0000 UTC [w-1] %d\n", i);
    check_i64(decode(&f, buf_text(&frame), frame.len), 0);
    check_i64(f.page.count, 1000);
    buf_append_bytes(&f.at, buf_bytes(&f.page.next.text));
    list(&f, LISTED(ARCHIVE("new", "20", "31")));
    buf_append_text(&frame, L("09", "old") L("31", "later"));
    check_i64(decode(&f, buf_text(&frame), frame.len), 0);
    check_i64(f.page.count, 400);
    teardown(&f);

    /* a smaller group behind it is left out as a whole, not cut */
    setup(&f);
    f.settings[LINES].number = 5000;
    buf_reset(&frame);
    for (int i = 0; i < 800; i++)
        buf_printf(&frame, "2026-03-02 09:15:%d +0000 UTC [w-1] %d\n", i < 500 ? 30 : 31, i);
    check_i64(decode(&f, buf_text(&frame), frame.len), 0);
    buf_append_bytes(&f.at, buf_bytes(&f.page.next.text));
    list(&f, LISTED(ARCHIVE("new", "20", "31")));
    buf_append_text(&frame, L("09", "old") L("30", "new"));
    step(&f, buf_text(&frame), "new ", false);
    buf_release(&frame);
    teardown(&f);
}

static void test_archives_until_met(void **state)
{
    struct fixture f;
    (void)state;
    setup(&f);
    step(&f, L("09", "a") L("15", "last"), "last ", false);
    step(&f, L("30", "x"), "x ", true);
    list(&f, LISTED(ARCHIVE("new", "20", "29") "," ARCHIVE("mid", "11",
                                                           "19") "," ARCHIVE("old", "05", "10")));
    step(&f, L("20", "c"), "c ", true);
    step(&f, L("11", "late") L("15", "last") L("16", "b"), "late last b ", false);
    check_lost(&f, 0, 0);
    /* nor is any of them asked for again */
    step(&f, L("35", "y"), "y ", true);
    step(&f, LISTED(ARCHIVE("newer", "30", "34") "," ARCHIVE("new", "20", "29")), "", true);
    check_i64(prepared(&f, LISTED(ARCHIVE("newer", "30", "34") "," ARCHIVE("new", "20", "29"))), 0);
    check_asks(&f, "https://s3.example/newer");
    step(&f, L("34", "z"), "z ", false);
    check_lost(&f, 30, 34); /* where its last line, x, should have been */
    teardown(&f);
}

static void test_empty_dump(void **state)
{
    struct fixture f;
    (void)state;
    setup(&f);
    step(&f, "", "", true); /* it has just become an archive as a whole */
    list(&f, LISTED(ARCHIVE("new", "05", "29")));
    step(&f, L("05", "a") L("29", "b"), "b ", false);
    check_row("still empty: that archive was read");
    f.ask.span.start_unix_ns += 5 * NS_PER_S;
    step(&f, "", "", true);
    list(&f, LISTED(ARCHIVE("new", "05", "29")));
    check_row("asked for the list, as there must be a request");
    check_asks(&f, "https://api.osc-fr1.scalingo.com/v1/apps/my%20app/logs_archives");
    step(&f, LISTED(ARCHIVE("new", "05", "29")), "", false);
    check_lost(&f, 0, 0);
    check_row("new lines behind it");
    step(&f, L("31", "c"), "c ", true);
    list(&f, LISTED(ARCHIVE("new", "05", "29")));
    step(&f, "", "", false);
    check_lost(&f, 0, 0);
    check_row("a listing of another poll is not for this one");
    step(&f, L("41", "d"), "d ", true);
    list(&f, LISTED(ARCHIVE("newer", "31", "40") "," ARCHIVE("new", "05", "29")));
    check_asks(&f, "https://s3.example/newer");
    step(&f, L("31", "c") L("40", "e"), "c e ", false);
    check_lost(&f, 0, 0);
    teardown(&f);
}

/* The newest line is known from an archive, and no dump will have it: what was rolled over since is
 * read, though a line of the dump is older. */
static void test_late_after_an_empty_dump(void **state)
{
    struct fixture f;
    (void)state;
    setup(&f);
    step(&f, "", "", true);
    list(&f, LISTED(ARCHIVE("new", "05", "29")));
    step(&f, L("05", "a") L("29", "b"), "b ", false);
    f.ask.span.start_unix_ns += 15 * NS_PER_S;
    step(&f, L("24", "old") L("28", "c") L("35", "d"), "c d ", true);
    list(&f, LISTED(ARCHIVE("newer", "30", "34") "," ARCHIVE("new", "05", "29")));
    check_asks(&f, "https://s3.example/newer");
    step(&f, L("30", "e") L("34", "f"), "e f ", false);
    check_lost(&f, 0, 0);
    teardown(&f);
}

/* What came after the dump and has become an archive with it. */
static void test_archive_of_the_dump_is_read_again(void **state)
{
    struct fixture f;
    (void)state;
    setup(&f);
    step(&f, L("30", "x"), "x ", true);
    list(&f, LISTED(ARCHIVE("a", "05", "36")));
    step(&f, L("05", "a") L("29", "b") L("30", "x") L("36", "after"), "b after ", false);
    step(&f, L("37", "y"), "y ", true);
    list(&f, LISTED(ARCHIVE("a", "05", "36")));
    check_asks(&f, "https://s3.example/a");
    step(&f, L("05", "a") L("29", "b") L("30", "x") L("36", "after"), "b x after ", false);
    check_lost(&f, 0, 0);
    teardown(&f);
}

static void test_loses(void **state)
{
    struct fixture f;
    (void)state;
    setup(&f);
    check_row("no archives, and the first poll");
    step(&f, L("15", "a"), "a ", true);
    step(&f, "", "", false);
    check_lost(&f, 0, 0);
    check_row("no archives");
    step(&f, L("30", "b"), "b ", true);
    step(&f, LISTED(""), "", false);
    check_lost(&f, 15, 30);
    check_row("the archives begin later");
    step(&f, L("50", "c"), "c ", true);
    list(&f, LISTED(ARCHIVE("a", "40", "49")));
    step(&f, L("40", "d") L("49", "e"), "d e ", false);
    check_lost(&f, 30, 40);
    check_row("an archive is gone");
    f.ask.span.start_unix_ns += 30 * NS_PER_S;
    step(&f, L("58", "f"), "f ", true);
    list(&f, LISTED(ARCHIVE("b", "51", "55") "," ARCHIVE("a", "40", "49")));
    step(&f, "", "", false);
    check_lost(&f, 50, 58);
    teardown(&f);
}

static void test_loses_one_archive(void **state)
{
    struct fixture f;
    (void)state;
    setup(&f);
    step(&f, L("09", "a") L("15", "last"), "last ", false);
    step(&f, L("40", "x"), "x ", true);
    list(&f, LISTED(ARCHIVE("b", "20", "29") "," ARCHIVE("a", "09", "19")));
    step(&f, "", "", true);
    check_lost(&f, 20, 29);
    step(&f, L("09", "a") L("15", "last") L("19", "b"), "last b ", false);
    check_lost(&f, 0, 0);
    teardown(&f);
}

/* The log host has more lines than may be asked for. */
static void test_loses_between(void **state)
{
    struct fixture f;
    struct buf frame = BUF_INIT((size_t)64 << 20);
    (void)state;
    setup(&f);
    step(&f, L("09", "a") L("12", "b"), "b ", false);
    buf_reset(&f.at);
    buf_append_bytes(&f.at, buf_bytes(&f.page.next.text));
    char *lines = strstr(f.at.data, "n=4");
    struct buf grown = BUF_INIT(CURSOR_MAX);
    buf_printf(&grown, "%.*sn=150000%s", (int)(lines - f.at.data), f.at.data, lines + 3);
    buf_reset(&f.at);
    buf_append_bytes(&f.at, buf_bytes(&grown));
    buf_append_text(&frame, "of a line before\n");
    for (int i = 0; i < 150000; i++)
        buf_append_text(&frame, "2026-03-02 09:15:30 +0000 UTC [w-1] x\n");
    check_i64(decode(&f, buf_text(&frame), frame.len), 0);
    check_i64(f.page.count, 150000);
    buf_reset(&f.at);
    buf_append_bytes(&f.at, buf_bytes(&f.page.next.text));
    list(&f, LISTED(ARCHIVE("a", "05", "20")));
    step(&f, L("05", "a") L("12", "b") L("20", "c"), "b c ", false);
    check_lost(&f, 20, 30);
    buf_release(&grown);
    buf_release(&frame);
    teardown(&f);
}

/* Archives hold all, and so may the answer of a log host that knows no filter. */
static void test_filter(void **state)
{
    struct fixture f;
    (void)state;
    setup(&f);
    f.settings[FILTER].text = "w-1|router";
    f.settings[LINES].number = 10;
    step(&f,
         "orphan\n" L("30", "x") "of x\n"
                                 "2026-03-02 09:15:31 +0000 UTC [v-1] v\nof v\n",
         "x of x ", true);
    list(&f, LISTED(ARCHIVE("a", "05", "20")));
    step(&f, L("05", "a") "2026-03-02 09:15:20 +0000 UTC [v-1] v\nof v\n" L("20", "b") "of b\n",
         "b of b ", false);
    check_row("what it does not show is known all the same");
    step(&f, "2026-03-02 09:15:31 +0000 UTC [v-1] v\nof v\n" L("32", "y"), "y ", false);
    teardown(&f);
}

static void test_archive_in_parts(void **state)
{
    struct fixture f;
    struct buf frame = BUF_INIT((size_t)64 << 20);
    (void)state;
    setup(&f);
    step(&f, L("30", "x"), "x ", true);
    list(&f, LISTED(ARCHIVE("a", "05", "20") "," ARCHIVE("b", "01", "04")));
    for (int i = 0; i < 600000; i++)
        buf_printf(&frame, "2026-03-02 09:15:%02d +0000 UTC [w-1] %d\n", 11 + i / 100000, i);
    static const size_t parts[] = { 262144, 262144, 75712 };
    for (size_t i = 0; i < COUNT(parts); i++) {
        check_row("part");
        check_asks(&f, "https://s3.example/a");
        check_i64(decode(&f, buf_text(&frame), frame.len), 0);
        check_i64(f.page.count, parts[i]);
        check_i64(f.page.next.more, true);
        buf_reset(&f.at);
        buf_append_bytes(&f.at, buf_bytes(&f.page.next.text));
    }
    check_asks(&f, "https://s3.example/b");
    buf_release(&frame);
    teardown(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dumps),
        cmocka_unit_test(test_lines_grow_and_shrink),
        cmocka_unit_test(test_polls_meet),
        cmocka_unit_test(test_late_lines),
        cmocka_unit_test(test_another_filter),
        cmocka_unit_test(test_without_archives),
        cmocka_unit_test(test_archives_go_back),
        cmocka_unit_test(test_edge_is_counted),
        cmocka_unit_test(test_twins_at_the_edge),
        cmocka_unit_test(test_old_lines_of_an_archive),
        cmocka_unit_test(test_edges_of_one),
        cmocka_unit_test(test_large_edge),
        cmocka_unit_test(test_archives_until_met),
        cmocka_unit_test(test_empty_dump),
        cmocka_unit_test(test_late_after_an_empty_dump),
        cmocka_unit_test(test_archive_of_the_dump_is_read_again),
        cmocka_unit_test(test_loses),
        cmocka_unit_test(test_loses_one_archive),
        cmocka_unit_test(test_loses_between),
        cmocka_unit_test(test_filter),
        cmocka_unit_test(test_archive_in_parts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
