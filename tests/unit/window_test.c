#include "window.h"

#include "tests/unit/check.h"

#define MS NS_PER_MS
#define H  (3600 * NS_PER_S)
#define D  (24 * H)

static const struct window_rules rules = { .window_ns = H, .overlap_ns = 300 * NS_PER_S };
static const struct window_rules kept = { .window_ns = H,
                                          .overlap_ns = 300 * NS_PER_S,
                                          .retention_ns = 14 * D };

static void cuts_what_is_due(void **state)
{
    static const struct {
        const char *name;
        int64_t checkpoint, due;
        bool first, more;
        struct span want;
    } rows[] = {
        { "nothing is due", 10 * H, 10 * H, true, false, { 0, 0 } },
        { "the clock stepped back", 10 * H, 9 * H, true, false, { 0, 0 } },
        { "a run begins behind the checkpoint",
          10 * H,
          10 * H + 60 * NS_PER_S,
          true,
          true,
          { 10 * H - 300 * NS_PER_S, 10 * H + 60 * NS_PER_S } },
        { "neighbours share a millisecond",
          10 * H,
          10 * H + 60 * NS_PER_S,
          false,
          true,
          { 10 * H - MS, 10 * H + 60 * NS_PER_S } },
        { "at most a window", 10 * H, 20 * H, false, true, { 10 * H - MS, 11 * H - MS } },
        { "whole milliseconds",
          10 * H + 1,
          10 * H + 5 * MS,
          false,
          true,
          { 10 * H - MS, 10 * H + 5 * MS } },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct span got = { 0, 0 }, lost = { 1, 1 };
        check_row(rows[i].name);
        check_i64(window_next(&got, &lost, rows[i].checkpoint, rows[i].due, rows[i].first,
                              rows[i].due, &rules),
                  rows[i].more);
        check_i64(got.start_unix_ns, rows[i].want.start_unix_ns);
        check_i64(got.end_unix_ns, rows[i].want.end_unix_ns);
        check_i64(lost.end_unix_ns - lost.start_unix_ns, 0);
    }
}

static void windows_meet_without_a_hole(void **state)
{
    int64_t at = 100 * D, due = at + 5 * H + 17 * MS;
    struct span span, lost;
    int count = 0;
    (void)state;
    while (window_next(&span, &lost, at, due, count == 0, due, &rules)) {
        check_i64(span.start_unix_ns <= at - MS, true);
        check_i64(span.end_unix_ns > at, true);
        check_i64(span.end_unix_ns - span.start_unix_ns <= H, true);
        at = span.end_unix_ns;
        count++;
    }
    check_i64(at, due);
    check_i64(count, 6);
}

static void what_expired_is_lost_and_said(void **state)
{
    int64_t now = 100 * D, edge = now - 14 * D + WINDOW_MARGIN_NS;
    struct span span, lost;
    (void)state;
    check_i64(window_next(&span, &lost, now - 20 * D, now, true, now, &kept), true);
    check_i64(span.start_unix_ns, edge);
    check_i64(lost.start_unix_ns, now - 20 * D);
    check_i64(lost.end_unix_ns, edge);
    /* The overlap may reach past the edge without anything being lost. */
    check_i64(window_next(&span, &lost, edge + MS, now, true, now, &kept), true);
    check_i64(span.start_unix_ns, edge);
    check_i64(lost.end_unix_ns, lost.start_unix_ns);
    span = (struct span){ edge, edge + H };
    check_i64(window_kept(&span, now, &kept), true);
    check_i64(window_kept(&span, now + MS, &kept), false);
    check_i64(window_kept(&span, now + 1000 * D, &rules), true);
}

static void a_first_run_begins_within_reach(void **state)
{
    int64_t now = 100 * D + 7;
    (void)state;
    check_i64(window_begin(now, H, &kept), 100 * D - H);
    check_i64(window_begin(now, 14 * D, &kept), 86 * D + 2 * WINDOW_MARGIN_NS);
    check_i64(window_due(now, 60 * NS_PER_S), 100 * D - 60 * NS_PER_S);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cuts_what_is_due),
        cmocka_unit_test(windows_meet_without_a_hole),
        cmocka_unit_test(what_expired_is_lost_and_said),
        cmocka_unit_test(a_first_run_begins_within_reach),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
