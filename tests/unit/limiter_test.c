#include "limiter.h"

#include <stdlib.h>
#include <unistd.h>

#include "tests/unit/world.h"

#define S NS_PER_S

static struct limiter *make(struct world *w, int calls, int64_t period_ns)
{
    return limiter_create(w->store, &w->fake.clk, "forge app", calls, period_ns);
}

/* One call that takes `takes_ns` and arrives at once. */
static int64_t one_call(struct world *w, struct limiter *l, int64_t takes_ns)
{
    struct error err = { 0 };
    struct permit permit;
    assert_int_equal(limiter_acquire(l, TIME_FOREVER, &permit, &err), 0);
    int64_t at = w->fake.mono_ns;
    fake_sleep(&w->fake.clk, at + takes_ns);
    limiter_done(l, &permit, at);
    return at;
}

static void no_rolling_period_ever_holds_more(void **state)
{
    static const int64_t takes[] = { 0, NS_PER_MS, S / 3, 2 * S, 10 * S };
    struct world *w = *state;
    struct error err = { 0 };
    int64_t at[200];
    for (size_t t = 0; t < COUNT(takes); t++) {
        struct limiter *l = make(w, 30, 60 * S);
        fake_sleep(&w->fake.clk, w->fake.mono_ns + 600 * S);
        int64_t began = w->fake.mono_ns;
        for (size_t i = 0; i < COUNT(at); i++) {
            at[i] = one_call(w, l, takes[t]);
            if (i >= 30 && at[i] - at[i - 30] < 60 * S)
                fail_msg("call %zu came %lld ns after the one 30 before", i,
                         (long long)(at[i] - at[i - 30]));
        }
        /* And no slower than that: 200 calls are six periods and a rest, or what they take. */
        int64_t needed = 6 * 60 * S > 199 * takes[t] ? 6 * 60 * S : 199 * takes[t];
        check_i64(at[199] - began <= needed + needed / 50, true);
        assert_int_equal(limiter_close(l, &err), 0);
    }
}

static void runs_one_after_the_other_share_it(void **state)
{
    struct world *w = *state;
    struct error err = { 0 };
    int64_t at[90];
    for (int run = 0; run < 9; run++) {
        struct limiter *l = make(w, 30, 60 * S);
        for (int i = 0; i < 10; i++) {
            int n = 10 * run + i;
            at[n] = one_call(w, l, NS_PER_MS);
            check_i64(n < 30 || at[n] - at[n - 30] >= 60 * S, true);
        }
        assert_int_equal(limiter_close(l, &err), 0);
    }
    check_i64(at[89] - at[0] < 130 * S, true);
}

static void runs_beside_one_another_share_it(void **state)
{
    struct world *w = *state;
    struct error err = { 0 };
    struct limiter *pair[2] = { make(w, 30, 60 * S), make(w, 30, 60 * S) };
    int64_t at[120];
    for (int n = 0; n < 120; n++) {
        at[n] = one_call(w, pair[n % 2], NS_PER_MS);
        check_i64(n < 30 || at[n] - at[n - 30] >= 60 * S, true);
    }
    check_i64(at[119] - at[0] < 200 * S, true);
    for (int i = 0; i < 2; i++)
        assert_int_equal(limiter_close(pair[i], &err), 0);
}

static void what_a_killed_run_held_still_counts(void **state)
{
    struct world *w = *state;
    struct error err = { 0 };
    struct permit permit;
    int left = -1;
    struct limiter *killed = make(w, 8, 60 * S);
    for (int i = 0; i < 3; i++)
        assert_int_equal(limiter_acquire(killed, TIME_FOREVER, &permit, &err), 0);
    /* Never closed: what it had begun and reserved is in the store. */
    assert_int_equal(limiter_left(w->store, &w->fake.clk, "forge app", 8, 60 * S, &left, &err), 0);
    check_i64(left <= 5, true);
    struct limiter *l = make(w, 8, 60 * S);
    int64_t began = w->fake.mono_ns;
    for (int i = 0; i < 6; i++)
        one_call(w, l, 0);
    check_i64(w->fake.mono_ns - began >= 60 * S, true);
    assert_int_equal(limiter_close(l, &err), 0);
    assert_int_equal(limiter_close(killed, &err), 0);
}

static void a_wait_past_the_deadline_is_not_begun(void **state)
{
    struct world *w = *state;
    struct error err = { 0 };
    struct limiter *l = make(w, 1, 60 * S);
    struct permit permit;
    one_call(w, l, 0);
    int64_t before = w->fake.mono_ns;
    check_i64(limiter_acquire(l, before + 59 * S, &permit, &err), -1);
    check_i64(err.kind, ERR_DEADLINE);
    check_i64(w->fake.mono_ns, before);
    check_i64(limiter_acquire(l, before + 61 * S, &permit, &err), 0);
    check_i64(w->fake.mono_ns - before >= 60 * S, true);
    limiter_done(l, &permit, w->fake.mono_ns);
    w->fake.stop = true;
    check_i64(limiter_acquire(l, TIME_FOREVER, &permit, &err), -1);
    check_i64(err.kind, ERR_STOPPED);
    w->fake.stop = false;
    assert_int_equal(limiter_close(l, &err), 0);
}

static void a_429_holds_every_run(void **state)
{
    struct world *w = *state;
    struct error err = { 0 };
    int left = -1;
    struct limiter *l = make(w, 30, 60 * S), *other = make(w, 30, 60 * S);
    one_call(w, l, 0);
    int64_t held_at = w->fake.mono_ns;
    assert_int_equal(limiter_hold(l, held_at + 7 * S, &err), 0);
    assert_int_equal(limiter_left(w->store, &w->fake.clk, "forge app", 30, 60 * S, &left, &err), 0);
    check_i64(left, 0);
    check_i64(one_call(w, other, 0) - held_at >= 7 * S, true);
    check_i64(one_call(w, l, 0) - held_at >= 7 * S, true);
    assert_int_equal(limiter_close(l, &err), 0);
    assert_int_equal(limiter_close(other, &err), 0);
}

static void a_clock_set_back_does_not_stall_it(void **state)
{
    struct world *w = *state;
    struct error err = { 0 };
    struct limiter *l = make(w, 2, 60 * S);
    one_call(w, l, 0);
    assert_int_equal(limiter_close(l, &err), 0);
    w->fake.unix_ns -= 86400 * S;
    l = make(w, 2, 60 * S);
    int64_t began = w->fake.mono_ns;
    for (int i = 0; i < 3; i++)
        one_call(w, l, 0);
    check_i64(w->fake.mono_ns - began <= 150 * S, true);
    assert_int_equal(limiter_close(l, &err), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_WORLD(no_rolling_period_ever_holds_more),
        IN_WORLD(runs_one_after_the_other_share_it),
        IN_WORLD(runs_beside_one_another_share_it),
        IN_WORLD(what_a_killed_run_held_still_counts),
        IN_WORLD(a_wait_past_the_deadline_is_not_begun),
        IN_WORLD(a_429_holds_every_run),
        IN_WORLD(a_clock_set_back_does_not_stall_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
