#include "hoody_case.h"

/* ---- going on ----------------------------------------------------------------------------------
 */

#define E(id, ms, text)                                                                            \
    "{\"id\":" #id ",\"tsMs\":" #ms ",\"kind\":\"event\",\"data\":{\"message\":\"" text "\"}}"
#define OF(tenant, id, ms, text)                                                                   \
    "{\"id\":" #id ",\"tsMs\":" #ms ",\"kind\":\"event\",\"projectId\":\"" tenant                  \
    "\",\"data\":{\"message\":\"" text "\"}}\n"
#define OBJECT(rows, limit) "{\"entries\":[" rows "],\"total\":9,\"limit\":" #limit ",\"offset\":0}"
#define END(cursor)         "{\"__trailer\":true,\"cursor\":" cursor ",\"stoppedReason\":\"x\"}\n"

/* What is asked for, what comes, and what is then delivered. */
struct step {
    const char *query, *frame, *want;
    enum { END_OF_RUN, MORE, ANEW, AGAIN } then;
};

/* As page_resource and others wrote them: each record's body. */
static void bodies_of(const struct page *page, struct buf *out)
{
    for (size_t i = 0; i < page->count; i++) {
        const char *body = strstr(page->records[i].text, "\"body\":{\"stringValue\":\"");
        assert_non_null(body);
        body += strlen("\"body\":{\"stringValue\":\"");
        buf_append(out, body, strcspn(body, "\""));
        buf_append_char(out, ' ');
    }
}

static void walk(const char *name, bool fanout, int64_t limit, const struct step *steps)
{
    struct fixture f;
    setup(&f);
    f.settings[FANOUT].number = fanout;
    f.settings[LIMIT].number = limit;
    for (size_t i = 0; steps[i].query; i++) {
        struct buf got = BUF_INIT(4096);
        char row[160], url[512];
        snprintf(row, sizeof(row), "%s, step %zu", name, i);
        check_row(row);
        check_i64(request(&f), 0);
        snprintf(url, sizeof(url), BASE "/_logs?%s", steps[i].query);
        check_text(buf_text(&f.request.url), url);
        int rc = decode(&f, bytes_of(steps[i].frame));
        check_i64(rc, steps[i].then == AGAIN ? -1 : 0);
        check_i64(f.page.status, steps[i].then == ANEW ? 410 : 0);
        check_i64(f.page.next.more, steps[i].then == MORE);
        bodies_of(&f.page, &got);
        check_text(buf_text(&got), steps[i].want);
        if (steps[i].then != AGAIN)
            buf_reset(&f.at);
        if (steps[i].then == MORE || steps[i].then == END_OF_RUN)
            buf_append_bytes(&f.at, buf_bytes(&f.page.next.text));
        buf_release(&got);
    }
    teardown(&f);
}

static void test_by_row(void **state)
{
    static const struct step steps[] = {
        { "afterId=0&limit=2", OBJECT(E(1, 999, "old") "," E(2, 1000, "a"), 2), "a ", MORE },
        { "afterId=2&limit=2", OBJECT(E(3, 1, "old") "," E(7, 1001, "b"), 2), "b ", MORE },
        { "afterId=7&limit=2", OBJECT("", 2), "", END_OF_RUN },
        /* behind a row that was read all is new, however old its time */
        { "afterId=7&limit=2", OBJECT(E(8, 1, "late"), 2), "late ", END_OF_RUN },
        { "afterId=8&limit=2", "", "", MORE }, /* nothing: is the store the same? */
        { "last=1", OBJECT(E(8, 1, "late"), 1), "", END_OF_RUN },
        { "afterId=8&limit=2", OBJECT("", 2), "", MORE },
        { "last=1", OBJECT(E(9, 1002, "c"), 1), "", MORE }, /* it came between */
        { "afterId=8&limit=2", OBJECT(E(9, 1002, "c"), 2), "c ", END_OF_RUN },
        { "afterId=9&limit=2", OBJECT("", 2), "", MORE },
        { "last=1", OBJECT("", 1), "", END_OF_RUN }, /* all purged */
        { "afterId=9&limit=2", OBJECT("", 2), "", MORE },
        { "last=1", OBJECT(E(8, 1, "x") "," E(2, 1, "y"), 200), "", END_OF_RUN }, /* no answer */
        { "afterId=9&limit=2", OBJECT("", 2), "", MORE },
        { "last=1", OBJECT(E(2, 1003, "d"), 1), "", ANEW }, /* another store */
        { "afterId=0&limit=2", OBJECT(E(1, 999, "old") "," E(2, 1003, "d"), 2), "d ", MORE },
        { "afterId=2&limit=2", "[]", "", END_OF_RUN },
        { "afterId=2&limit=2", "[" E(3, 5, "e") "," E(4, 5, "f") "]", "e f ", MORE },
        { "afterId=4&limit=2", "[" E(5, 5, "g") "]", "g ", MORE }, /* its limit may be 1 */
        { "afterId=5&limit=2", "[]", "", END_OF_RUN },
        { NULL, NULL, NULL, MORE },
    };
    (void)state;
    walk("by row", false, 2, steps);
}

static void test_a_server_that_gives_fewer(void **state)
{
    static const struct step steps[] = {
        { "afterId=0&limit=500", OBJECT(E(1, 1000, "a") "," E(2, 1000, "b"), 2), "a b ", MORE },
        { "afterId=2&limit=500", OBJECT(E(3, 1000, "c"), 2), "c ", END_OF_RUN },
        { NULL, NULL, NULL, MORE },
    };
    /* nor does it say so: on until nothing comes */
    static const struct step silent[] = {
        { "afterId=0&limit=500", "[" E(1, 1000, "a") "," E(2, 1000, "b") "]", "a b ", MORE },
        { "afterId=2&limit=500", "[" E(3, 1000, "c") "," E(4, 1000, "d") "]", "c d ", MORE },
        { "afterId=4&limit=500", "{\"entries\":[" E(5, 1000, "e") "]}", "e ", MORE },
        { "afterId=5&limit=500", "[]", "", END_OF_RUN },
        { "afterId=5&limit=500", "[]", "", MORE }, /* idle: two calls */
        { "last=1", "[" E(5, 1000, "e") "]", "", END_OF_RUN },
        { NULL, NULL, NULL, MORE },
    };
    (void)state;
    walk("fewer", false, 500, steps);
    walk("fewer, silently", false, 500, silent);
}

static void test_by_offset(void **state)
{
    static const struct step steps[] = {
        { "afterId=0&limit=2", "[" E(0, 1, "x") "," E(0, 2, "y") "]", "", MORE },
        { "limit=2&offset=0", OBJECT(E(1, 999, "old") "," E(2, 1000, "a"), 2), "a ", MORE },
        { "limit=3&offset=1", OBJECT(E(2, 1000, "a") "," E(3, 1, "old") "," E(4, 1001, "b"), 3),
          "b ", MORE },
        { "limit=3&offset=3", OBJECT(E(4, 1001, "b"), 3), "", END_OF_RUN },
        { "limit=3&offset=3", OBJECT(E(4, 1001, "b") "," E(5, 1, "late"), 3), "late ", END_OF_RUN },
        /* three rows were purged: what lies where the last one lay is new, and it goes back */
        { "limit=3&offset=4", OBJECT(E(8, 1002, "e"), 3), "", MORE },
        { "limit=3&offset=1", OBJECT(E(5, 1, "late") "," E(6, 1002, "c") "," E(7, 1002, "d"), 3),
          "c d ", MORE },
        { "limit=3&offset=3", OBJECT(E(7, 1002, "d") "," E(8, 1002, "e"), 3), "e ", END_OF_RUN },
        /* nearly all were: twice as far each time */
        { "limit=3&offset=4", OBJECT("", 3), "", MORE },
        { "limit=3&offset=1", OBJECT("", 3), "", MORE },
        { "limit=3&offset=0", OBJECT(E(9, 1003, "f"), 3), "f ", END_OF_RUN },
        /* another store: the end has a lower number */
        { "limit=3&offset=0", OBJECT(E(1, 1004, "g"), 3), "", ANEW },
        { "afterId=0&limit=2", OBJECT(E(1, 1004, "g"), 2), "g ", END_OF_RUN },
        /* afterId does nothing: what is up to it was read */
        { "afterId=1&limit=2", OBJECT(E(1, 1004, "g") "," E(2, 5, "h"), 2), "", MORE },
        { "limit=2&offset=0", OBJECT(E(1, 1004, "g") "," E(2, 5, "h"), 2), "h ", MORE },
        { "limit=3&offset=1", "[" E(2, 5, "h") "]", "", END_OF_RUN },
        { NULL, NULL, NULL, MORE },
    };
    (void)state;
    walk("by offset", false, 2, steps);
}

/* Rows with numbers are looked for twice as far back each time; without, by every page. */
static void test_steps_back(void **state)
{
    static const struct {
        const char *place;
        int offsets[8];
    } rows[] = {
        { "o 0 0 0 100 1000 40 0 5 0 ", { 39, 36, 33, 27, 15, 0, -1 } },
        { "o 0 0 0 0 1000 16 0 5 0 ", { 15, 12, 9, 6, 3, 0, -1 } },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct fixture f;
        char end[32];
        setup(&f);
        buf_append_text(&f.at, rows[i].place);
        for (size_t k = 0; rows[i].offsets[k] >= 0; k++) {
            check_row(rows[i].place);
            check_i64(request(&f), 0);
            snprintf(end, sizeof(end), "&offset=%d", rows[i].offsets[k]);
            check_text(strrchr(buf_text(&f.request.url), '&'), end);
            check_i64(decode(&f, BYTES("[]")), 0);
            check_i64(f.page.next.more, rows[i].offsets[k] > 0);
            buf_reset(&f.at);
            buf_append_bytes(&f.at, buf_bytes(&f.page.next.text));
        }
        teardown(&f);
    }
}

static void test_a_ring_that_has_numbers(void **state)
{
    static const struct step steps[] = {
        { "afterId=0&limit=2", "[" E(1, 1000, "a") "]", "a ", MORE },
        /* what lies between may have gone from memory only */
        { "afterId=1&limit=2", "[" E(3, 1002, "c") "]", "", MORE },
        { "limit=2&offset=0", OBJECT(E(1, 1000, "a") "," E(2, 1001, "b"), 2), "b ", MORE },
        { "limit=3&offset=1", OBJECT(E(2, 1001, "b") "," E(3, 1002, "c"), 3), "c ", END_OF_RUN },
        { NULL, NULL, NULL, MORE },
    };
    (void)state;
    walk("ring", false, 2, steps);
}

static void test_without_numbers(void **state)
{
    static const struct step steps[] = {
        { "afterId=0&limit=2", "[" E(0, 1, "x") "]", "", MORE },
        { "limit=2&offset=0", "[" E(0, 1000, "a") "," E(0, 1000, "a") "]", "a a ", MORE },
        { "limit=3&offset=1", "[" E(0, 1000, "a") "," E(0, 1000, "a") "," E(0, 1001, "b") "]",
          "a b ", MORE },
        { "limit=3&offset=3", "[" E(0, 1001, "b") "]", "", END_OF_RUN },
        { "limit=3&offset=3", "[" E(0, 1001, "b") "," E(0, 900, "late") "]", "late ", MORE },
        { "limit=3&offset=4", "[" E(0, 900, "late") "]", "", END_OF_RUN },
        /* purged: back page by page until the last one is there */
        { "limit=3&offset=4", "[" E(0, 800, "d") "]", "", MORE },
        { "limit=3&offset=1", "[" E(0, 900, "late") "," E(0, 1002, "c") "," E(0, 800, "d") "]",
          "c d ", MORE },
        { "limit=3&offset=3", "[" E(0, 800, "d") "]", "", END_OF_RUN },
        /* it has gone too: then all is new */
        { "limit=3&offset=3", "[]", "", MORE },
        { "limit=3&offset=0", "[" E(0, 700, "e") "," E(0, 1003, "f") "]", "e f ", MORE },
        { "limit=3&offset=1", "[" E(0, 1003, "f") "]", "", END_OF_RUN },
        { NULL, NULL, NULL, MORE },
    };
    (void)state;
    walk("without numbers", false, 2, steps);
}

static void test_newest_tells_that_numbers_lead_nowhere(void **state)
{
    static const struct step unnumbered[] = {
        { "afterId=0&limit=2", "[]", "", MORE },
        { "last=1", "[" E(0, 1000, "a") "]", "", MORE },
        { "limit=2&offset=0", OBJECT(E(1, 1000, "a"), 2), "a ", END_OF_RUN },
        { NULL, NULL, NULL, MORE },
    };
    static const struct step numbered[] = {
        { "afterId=0&limit=2", OBJECT("", 2), "", MORE },
        { "last=1", OBJECT(E(7, 1000, "a"), 1), "", MORE },
        { "limit=2&offset=0", OBJECT(E(7, 1000, "a"), 2), "a ", END_OF_RUN },
        { NULL, NULL, NULL, MORE },
    };
    static const struct step old[] = {
        { "afterId=0&limit=2", OBJECT(E(7, 1000, "a"), 2), "a ", END_OF_RUN },
        { "afterId=7&limit=2", OBJECT("", 2), "", MORE },
        { "last=1", "[" E(0, 1000, "a") "]", "", END_OF_RUN }, /* no newer than what was read */
        { "afterId=7&limit=2", OBJECT("", 2), "", MORE },
        { "last=1", "[" E(0, 1001, "b") "]", "", MORE },
        { "limit=2&offset=0", OBJECT(E(7, 1000, "a") "," E(8, 1001, "b"), 2), "b ", MORE },
        { NULL, NULL, NULL, MORE },
    };
    (void)state;
    walk("unnumbered", false, 2, unnumbered);
    walk("numbered", false, 2, numbered);
    walk("read before", false, 2, old);
}

static void test_by_cursor(void **state)
{
    static const struct step steps[] = {
        { "limit=2", OF("p", 1, 999, "old") OF("q", 1, 1000, "a") END("\"x+1\""), "a ", MORE },
        { "limit=2&cursor=x%2B1", OF("p", 2, 1000, "b"), "", AGAIN }, /* no trailer */
        { "limit=2&cursor=x%2B1", OF("p", 2, 1000, "b") END("\"\\u0079\""), "b ", MORE },
        { "limit=2&cursor=y", OF("p", 3, 1, "old") OF("q", 3, 1001, "c") END("null"), "c ",
          END_OF_RUN },
        /* the same cursor again, and what it gave before is not new */
        { "limit=2&cursor=y", OF("q", 3, 1001, "c") OF("p", 3, 1, "old") END("\"\""), "",
          END_OF_RUN },
        { "limit=2&cursor=y",
          OF("r", 3, 1, "d") OF("p", 3, 1, "old") OF("q", 3, 1001, "c") END("\"y\""), "d ",
          END_OF_RUN },
        { "limit=2&cursor=y", OF("r", 3, 1, "d") OF("q", 4, 1, "e") END("\"z\""), "e ", MORE },
        { "limit=2&cursor=z", "{\"__trailer\":true}", "", END_OF_RUN },
        { "limit=2&cursor=z", "{\"__trailer\":true,\"error\":\"snapshot_expired\",\"status\":410}",
          "", ANEW },
        { "limit=2", "{\"__trailer\":true}", "", END_OF_RUN },
        { "limit=2", OF("p", 0, 1, "t") OF("p", 0, 1, "t") END("null"), "t t ", END_OF_RUN },
        { "limit=2", OF("p", 0, 1, "t") OF("p", 0, 1, "t") OF("p", 0, 1, "t") END("null"), "t ",
          END_OF_RUN },
        { NULL, NULL, NULL, MORE },
    };
    (void)state;
    walk("by cursor", true, 2, steps);
}

/* The answer's shape decides; in the middle of things there is no way from one to the other. */
static void test_unexpected_shapes(void **state)
{
    static const struct step unasked[] = {
        { "afterId=0&limit=2", OF("p", 1, 1000, "a") END("\"x\""), "a ", MORE },
        { "limit=2&cursor=x", END("null"), "", END_OF_RUN },
        { "limit=2&cursor=x", "[" E(1, 1000, "a") "]", "", ANEW },
        { "afterId=0&limit=2", "[" E(1, 1000, "a") "]", "a ", MORE },
        { "afterId=1&limit=2", END("null"), "", ANEW },
        { NULL, NULL, NULL, MORE },
    };
    static const struct step refused[] = {
        { "limit=2", OBJECT(E(1, 1000, "a") "," E(2, 1000, "b"), 2), "a b ", MORE },
        { "limit=3&offset=1", OBJECT(E(2, 1000, "b"), 3), "", END_OF_RUN },
        { "limit=3&offset=1", END("null"), "", ANEW },
        { NULL, NULL, NULL, MORE },
    };
    (void)state;
    walk("not asked to fan out", false, 2, unasked);
    walk("does not fan out", true, 2, refused);
}

/* One frame by cursor; gives how many records came. */
static size_t take_frame(struct fixture *f, const struct buf *frame)
{
    check_i64(request(f), 0);
    check_i64(decode(f, buf_bytes(frame)), 0);
    buf_reset(&f->at);
    buf_append_bytes(&f->at, buf_bytes(&f->page.next.text));
    return f->page.count;
}

/* Lines of `tenants` tenants, which number each from `from` to `to`, and of rows without a number.
 */
static void put_tenants(struct buf *frame, int tenants, int from, int to, int unnumbered)
{
    buf_reset(frame);
    for (int id = from; id <= to; id++) {
        for (int t = 0; t < tenants; t++)
            buf_printf(frame, "{\"id\":%d,\"projectId\":\"p%d\",\"containerId\":\"c\"}\n", id, t);
    }
    for (int i = 0; i < unnumbered; i++)
        buf_printf(frame, "{\"id\":0,\"url\":\"/%d\"}\n", i / 2); /* each twice */
    buf_append_text(frame, "{\"__trailer\":true}");
}

/* A place has no room for the keys of very many rows beside its cursor, but for their tenants. */
static void test_many_rows_behind_a_cursor(void **state)
{
    static const size_t cursors[] = { 1, 4000, CURSOR_MAX - 300 };
    (void)state;
    for (size_t i = 0; i < COUNT(cursors); i++) {
        struct fixture f;
        struct buf frame = BUF_INIT(1 << 20), cursor = BUF_INIT(CURSOR_MAX);
        setup(&f);
        check_row(i ? "a long cursor" : "a short one");
        f.settings[FANOUT].number = 1;
        for (size_t k = 0; k < cursors[i]; k++)
            buf_append_char(&cursor, 'c');
        buf_printf(&frame, "{\"__trailer\":true,\"cursor\":\"%s\"}", buf_text(&cursor));
        check_i64((int64_t)take_frame(&f, &frame), 0);
        put_tenants(&frame, 1, 1, 2000, 0);
        check_i64((int64_t)take_frame(&f, &frame), 2000);
        check_i64((int64_t)take_frame(&f, &frame), 0);
        put_tenants(&frame, 1, 1, 2100, 0);
        check_i64((int64_t)take_frame(&f, &frame), 100);
        put_tenants(&frame, 1, 2000, 2100, 0); /* purged: few enough again for keys */
        check_i64((int64_t)take_frame(&f, &frame), 0);
        put_tenants(&frame, 1, 2000, 2101, 0);
        check_i64((int64_t)take_frame(&f, &frame), 1);
        buf_release(&frame);
        buf_release(&cursor);
        teardown(&f);
    }
}

static void test_many_rows_of_tenants(void **state)
{
    static const struct {
        const char *name;
        int tenants, to, unnumbered; /* what came first */
        int then_tenants, then_from, then_to, then_unnumbered;
        int want;
    } rows[] = {
        { "more of each", 3, 1000, 0, 3, 1, 1001, 0, 3 },
        { "another tenant", 3, 1000, 0, 4, 1, 1000, 0, 1000 },
        { "as many tenants as fit", 575, 10, 0, 575, 1, 11, 0, 575 },
        { "without numbers", 3, 1000, 4, 3, 1, 1000, 7, 3 },
        { "numbered anew", 2, 1000, 0, 2, 1, 900, 0, 1800 },
        { "of twice as many, all but the last keys", 1200, 10, 0, 1200, 1, 10, 0, 10656 },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct fixture f;
        struct buf frame = BUF_INIT(1 << 20);
        setup(&f);
        check_row(rows[i].name);
        f.settings[FANOUT].number = 1;
        put_tenants(&frame, rows[i].tenants, 1, rows[i].to, rows[i].unnumbered);
        take_frame(&f, &frame);
        put_tenants(&frame, rows[i].then_tenants, rows[i].then_from, rows[i].then_to,
                    rows[i].then_unnumbered);
        check_i64((int64_t)take_frame(&f, &frame), rows[i].want);
        buf_release(&frame);
        teardown(&f);
    }
}

static void test_long_cursor(void **state)
{
    struct fixture f;
    struct buf frame = BUF_INIT(1 << 20);
    (void)state;
    setup(&f);
    f.settings[FANOUT].number = 1;
    buf_append_text(&frame, "{\"__trailer\":true,\"cursor\":\"");
    for (size_t k = 0; k < CURSOR_MAX - 8; k++)
        buf_append_char(&frame, '+');
    buf_append_text(&frame, "\"}");
    check_i64(decode(&f, buf_bytes(&frame)), -1);
    check_i64(f.err.kind, ERR_INPUT);
    check_text(f.err.text, "cursor: over 16384 bytes");
    buf_release(&frame);
    teardown(&f);
}

/* A stored place is as untrusted as an answer. */
static void test_bad_places(void **state)
{
    static const char *const rows[] = {
        "x",
        "r",
        "r ",
        "r 0",
        "r 0 0 0 0 0 0 0 0",
        "r 0 0 0 0 0 0 0 0 0",
        "x 0 0 0 0 0 0 0 0 0 ",
        "r 1 0 0 0 0 0 0 0 0 ", /* of a fan-out */
        "r 0 2 0 0 0 0 0 0 0 ",
        "r 0 0 -1 0 0 0 0 0 0 ",
        "r 0 0 0 9223372036854775807 0 0 0 0 0 ",
        "r 0 0 0 99999999999999999999 0 0 0 0 0 ",
        "o 0 0 0 0 0 9223372036854775806 0 0 0 ",
        "o 0 0 0 0 0 0 9223372036854775806 0 0 ",
        "r 0 0 0 0 0 0 0 0 12 ",
        "c 0 0 0 0 0 0 0 0 12 t00000000000",
        "c 0 0 0 0 0 0 0 0 28 t000000000000000000000000000",
        "r 0 0 0 0 0 0 0 0 1 x",
        "r 0 0 0  0 0 0 0 0 0 ",
        "r 0 0 0x1 0 0 0 0 0 0 ",
        "r  0 0 0 0 0 0 0 0 0 ",
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct fixture f;
        setup(&f);
        check_row(rows[i]);
        buf_append_text(&f.at, rows[i]);
        check_i64(request(&f), -1);
        check_i64(f.err.kind, ERR_INPUT);
        f.err.kind = ERR_NONE;
        check_i64(decode(&f, BYTES("[]")), -1);
        check_i64(f.err.kind, ERR_INPUT);
        teardown(&f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_by_row),
        cmocka_unit_test(test_a_server_that_gives_fewer),
        cmocka_unit_test(test_by_offset),
        cmocka_unit_test(test_steps_back),
        cmocka_unit_test(test_a_ring_that_has_numbers),
        cmocka_unit_test(test_without_numbers),
        cmocka_unit_test(test_newest_tells_that_numbers_lead_nowhere),
        cmocka_unit_test(test_by_cursor),
        cmocka_unit_test(test_unexpected_shapes),
        cmocka_unit_test(test_many_rows_behind_a_cursor),
        cmocka_unit_test(test_many_rows_of_tenants),
        cmocka_unit_test(test_long_cursor),
        cmocka_unit_test(test_bad_places),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
