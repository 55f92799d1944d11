#include "tests/unit/check.h"

#include "base/clock.h"
#include "pace.h"

#define S  NS_PER_S
#define T0 (1000 * S)

/* A pace whose calls were all urgent and took so long, one after the other, up to T0. */
static struct pace after_calls(int calls, int64_t period_ns, int64_t latency_ns, int count)
{
    struct pace p;
    pace_init(&p, calls, period_ns);
    for (int i = count; i > 0; i--) {
        int64_t sent = T0 - i * latency_ns;
        pace_sent(&p, sent, true);
        pace_over(&p, sent + latency_ns, sent, true);
    }
    return p;
}

/* How many calls may begin beside the urgent one, which is under way. */
static int beside(struct pace *p, int64_t now)
{
    int count = 0;
    for (; pace_may_call_beside(p, now); count++) {
        assert_true(count < 100);
        pace_sent(p, now, false);
    }
    return count;
}

static void a_quick_platform_is_asked_once_at_a_time(void **state)
{
    (void)state;
    struct pace p = after_calls(30, 60 * S, 10 * NS_PER_MS, 3);
    assert_true(pace_is_quick(&p, T0));
    assert_false(pace_is_slow(&p, T0));
    assert_false(pace_may_call_beside(&p, T0));
    /* its budget is spent by calls one after the other: slower, and still not slow */
    p = after_calls(30, 60 * S, 1900 * NS_PER_MS, 3);
    assert_false(pace_is_quick(&p, T0));
    assert_false(pace_is_slow(&p, T0));
    assert_false(pace_may_call_beside(&p, T0));
}

static void a_call_that_takes_long_shows_before_its_answer(void **state)
{
    (void)state;
    struct pace p;
    pace_init(&p, 30, 3 * S);
    pace_sent(&p, T0, true);
    assert_true(pace_is_quick(&p, T0));
    assert_false(pace_is_slow(&p, T0 + 100 * NS_PER_MS));
    assert_true(pace_is_slow(&p, T0 + 101 * NS_PER_MS));
    assert_int_equal(beside(&p, T0 + 2 * S), 23);
}

/* At 2.5 s a call, 24 of 30 a minute are the urgent window's: six are left. */
static void the_urgent_calls_are_kept_back(void **state)
{
    (void)state;
    struct pace p = after_calls(30, 60 * S, 2500 * NS_PER_MS, 1);
    p.most = 32; /* the number at once set aside */
    pace_sent(&p, T0, true);
    int count = 0;
    for (int i = 0; i < 40; i++) {
        if (pace_may_call_beside(&p, T0)) {
            pace_sent(&p, T0, false);
            pace_over(&p, T0 + 2500 * NS_PER_MS, T0, false);
            count++;
        }
    }
    assert_int_equal(count, 6);
}

/* No more at once than use up the budget, and some to spare. */
static void few_at_once(void **state)
{
    static const struct {
        int64_t period_ns, latency_ns;
        int calls, at_once;
    } table[] = {
        { 60 * S, 10 * S, 30, 7 }, { 3 * S, 1 * S, 30, 13 },
        { 3 * S, 2 * S, 30, 26 },  { 1 * S, 100 * NS_PER_MS, 2000, 32 },
        { 10 * S, 30 * S, 1, 1 },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(table); i++) {
        struct pace p = after_calls(table[i].calls, table[i].period_ns, table[i].latency_ns, 1);
        int64_t later = T0 + 2 * table[i].period_ns; /* nothing counts against the budget */
        pace_sent(&p, later - table[i].latency_ns, true);
        assert_int_equal(1 + beside(&p, later), table[i].at_once);
    }
}

static void a_used_budget_has_none_left(void **state)
{
    (void)state;
    struct pace p = after_calls(4, 8 * S, 4 * S, 1);
    pace_sent(&p, T0, true);
    int first = beside(&p, T0);
    assert_true(first > 0);
    for (int i = 0; i < first; i++)
        pace_over(&p, T0 + 4 * S, T0, false);
    assert_false(pace_may_call_beside(&p, T0 + 4 * S - 1));
    assert_true(pace_may_call_beside(&p, T0 + 8 * S));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_quick_platform_is_asked_once_at_a_time),
        cmocka_unit_test(a_call_that_takes_long_shows_before_its_answer),
        cmocka_unit_test(the_urgent_calls_are_kept_back),
        cmocka_unit_test(few_at_once),
        cmocka_unit_test(a_used_budget_has_none_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
