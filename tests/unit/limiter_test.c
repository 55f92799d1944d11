#include "limiter.h"

#include <glob.h>
#include <pthread.h>
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
    assert_int_equal(limiter_acquire(l, &w->fake.clk, TIME_FOREVER, &permit, &err), 0);
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
        assert_int_equal(limiter_acquire(killed, &w->fake.clk, TIME_FOREVER, &permit, &err), 0);
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
    check_i64(limiter_acquire(l, &w->fake.clk, before + 59 * S, &permit, &err), -1);
    check_i64(err.kind, ERR_DEADLINE);
    check_i64(w->fake.mono_ns, before);
    check_i64(limiter_acquire(l, &w->fake.clk, before + 61 * S, &permit, &err), 0);
    check_i64(w->fake.mono_ns - before >= 60 * S, true);
    limiter_done(l, &permit, w->fake.mono_ns);
    w->fake.stop = true;
    check_i64(limiter_acquire(l, &w->fake.clk, TIME_FOREVER, &permit, &err), -1);
    check_i64(err.kind, ERR_STOPPED);
    w->fake.stop = false;
    fake_sleep(&w->fake.clk, w->fake.mono_ns + 100 * S);
    check_i64(limiter_acquire(l, &w->fake.clk, w->fake.mono_ns - 1, &permit, &err), -1);
    check_i64(err.kind, ERR_DEADLINE); /* though there would be one at once */
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
    assert_int_equal(limiter_hold(l, &w->fake.clk, held_at + 7 * S, &err), 0);
    assert_int_equal(limiter_left(w->store, &w->fake.clk, "forge app", 30, 60 * S, &left, &err), 0);
    check_i64(left, 0);
    check_i64(one_call(w, other, 0) - held_at >= 7 * S, true);
    check_i64(one_call(w, l, 0) - held_at >= 7 * S, true);
    assert_int_equal(limiter_close(l, &err), 0);
    assert_int_equal(limiter_close(other, &err), 0);
}

/* A world in steps of a millisecond: as many calls under way as there are permits, up to 30, each
 * of `takes_ns`, which arrives at once and of which one knows that only at its end. How many calls
 * begin within 6 periods; never one over in any. */
static int many_under_way(struct world *w, struct limiter *l, int calls, int64_t period_ns,
                          int64_t takes_ns)
{
    struct {
        bool busy;
        struct permit permit;
        int64_t sent;
    } flying[30] = { 0 };
    struct error err = { 0 };
    int64_t at[1000];
    int count = 0;
    for (int64_t end = w->fake.mono_ns + 6 * period_ns; w->fake.mono_ns < end;) {
        for (size_t i = 0; i < COUNT(flying); i++) {
            if (flying[i].busy && flying[i].sent + takes_ns <= w->fake.mono_ns) {
                limiter_done(l, &flying[i].permit, flying[i].sent);
                flying[i].busy = false;
            }
            if (flying[i].busy ||
                limiter_acquire(l, &w->fake.clk, w->fake.mono_ns, &flying[i].permit, &err) != 0)
                continue;
            flying[i].busy = true;
            flying[i].sent = at[count++] = w->fake.mono_ns;
            if (count > calls && at[count - 1] - at[count - 1 - calls] < period_ns)
                fail_msg("call %d of %lld ms is one over", count,
                         (long long)(takes_ns / NS_PER_MS));
        }
        fake_sleep(&w->fake.clk, w->fake.mono_ns + NS_PER_MS);
    }
    for (size_t i = 0; i < COUNT(flying); i++) {
        if (flying[i].busy)
            limiter_done(l, &flying[i].permit, flying[i].sent);
    }
    return count;
}

static void a_slow_platform_costs_no_budget(void **state)
{
    static const int64_t takes[] = { 0, S / 10, 2 * S, 29 * S / 10 };
    struct world *w = *state;
    struct error err = { 0 };
    for (size_t i = 0; i < COUNT(takes); i++) {
        struct limiter *l = make(w, 30, 3 * S);
        int count = many_under_way(w, l, 30, 3 * S, takes[i]);
        if (count < 6 * 30 * 97 / 100)
            fail_msg("%d calls of 180 at %lld ms", count, (long long)(takes[i] / NS_PER_MS));
        assert_int_equal(limiter_close(l, &err), 0);
        fake_sleep(&w->fake.clk, w->fake.mono_ns + 10 * S);
    }
}

/* One that takes longer than a period may arrive at any time until it ends. */
static void a_call_under_way_counts_until_it_is_over(void **state)
{
    struct world *w = *state;
    struct error err = { 0 };
    struct permit permit, next;
    struct limiter *l = make(w, 1, 3 * S);
    assert_int_equal(limiter_acquire(l, &w->fake.clk, TIME_FOREVER, &permit, &err), 0);
    int64_t began = w->fake.mono_ns;
    fake_sleep(&w->fake.clk, began + 20 * S);
    check_i64(limiter_acquire(l, &w->fake.clk, began + 20 * S, &next, &err), -1);
    check_i64(err.kind, ERR_DEADLINE);
    limiter_done(l, &permit, began + 19 * S);
    check_i64(limiter_acquire(l, &w->fake.clk, TIME_FOREVER, &next, &err), 0);
    check_i64(w->fake.mono_ns, began + 22 * S);
    limiter_done(l, &next, w->fake.mono_ns);
    assert_int_equal(limiter_close(l, &err), 0);
}

#define THREADS 16

struct crowd {
    struct limiter *runs[2];
    int began; /* threads: they take one run and the other by turns */
    struct clock clk;
    int64_t until_mono_ns;
    pthread_mutex_t mutex;
    int64_t at[2000];
    int count;
};

static void *call_and_call(void *arg)
{
    struct crowd *c = arg;
    struct error err = { 0 };
    struct permit permit;
    pthread_mutex_lock(&c->mutex);
    struct limiter *l = c->runs[c->began++ % 2];
    pthread_mutex_unlock(&c->mutex);
    while (limiter_acquire(l, &c->clk, c->until_mono_ns, &permit, &err) == 0) {
        pthread_mutex_lock(&c->mutex);
        int64_t at = c->at[c->count++] = clock_mono_ns(&c->clk);
        pthread_mutex_unlock(&c->mutex);
        clock_sleep_until(&c->clk, at + 30 * NS_PER_MS);
        limiter_done(l, &permit, at);
    }
    return (void *)(intptr_t)(err.kind != ERR_DEADLINE);
}

static void threads_of_two_runs_share_it(void **state)
{
    struct world *w = *state;
    struct error err = { 0 };
    struct crowd c = { .mutex = PTHREAD_MUTEX_INITIALIZER };
    pthread_t threads[THREADS];
    clock_init_system(&c.clk, -1);
    c.until_mono_ns = clock_mono_ns(&c.clk) + S;
    for (int i = 0; i < 2; i++)
        c.runs[i] = limiter_create(w->store, &c.clk, "forge app", 10, 100 * NS_PER_MS);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, call_and_call, &c), 0);
    for (int i = 0; i < THREADS; i++) {
        void *failed;
        pthread_join(threads[i], &failed);
        assert_null(failed);
    }
    for (int i = 0; i < 2; i++)
        assert_int_equal(limiter_close(c.runs[i], &err), 0);
    check_i64(c.count >= 10, true);
    for (int i = 10; i < c.count; i++)
        check_i64(c.at[i] - c.at[i - 10] >= 100 * NS_PER_MS, true);
}

static void what_was_not_sent_is_the_next_ones(void **state)
{
    struct world *w = *state;
    struct error err = { 0 };
    struct permit permit;
    struct limiter *l = make(w, 1, 60 * S);
    int64_t began = w->fake.mono_ns;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(limiter_acquire(l, &w->fake.clk, began, &permit, &err), 0);
        limiter_return(l, &permit);
    }
    /* Others count it only so long, whoever has it. */
    fake_sleep(&w->fake.clk, began + 20 * S);
    assert_int_equal(limiter_acquire(l, &w->fake.clk, TIME_FOREVER, &permit, &err), 0);
    check_i64(w->fake.mono_ns, began + 20 * S);
    check_i64(permit.send_before_mono_ns > w->fake.mono_ns, true);
    limiter_done(l, &permit, w->fake.mono_ns);
    check_i64(limiter_acquire(l, &w->fake.clk, began + 79 * S, &permit, &err), -1);
    assert_int_equal(limiter_close(l, &err), 0);
}

static void a_clock_of_its_own_ends_a_wait(void **state)
{
    struct world *w = *state;
    struct error err = { 0 };
    struct permit permit;
    struct clock_child child;
    struct limiter *l = make(w, 1, 60 * S);
    assert_int_equal(clock_child_init(&child, &w->fake.clk, &err), 0);
    one_call(w, l, 0);
    clock_child_stop(&child);
    check_i64(limiter_acquire(l, &child.clk, TIME_FOREVER, &permit, &err), -1);
    check_i64(err.kind, ERR_STOPPED);
    check_i64(limiter_acquire(l, &w->fake.clk, TIME_FOREVER, &permit, &err), 0);
    limiter_done(l, &permit, w->fake.mono_ns);
    assert_int_equal(limiter_close(l, &err), 0);
    clock_child_release(&child);
}

/* As a run does that is frozen while it holds the document. */
static struct store_lock *hold_document(struct world *w)
{
    struct store_lock *lock = NULL;
    struct error err = { 0 };
    char pattern[128];
    glob_t found;
    snprintf(pattern, sizeof(pattern), "%s/budget-*.lock", w->path);
    assert_int_equal(glob(pattern, 0, NULL, &found), 0);
    assert_int_equal(found.gl_pathc, 1);
    const char *name = strrchr(found.gl_pathv[0], '/') + 1;
    assert_int_equal(w->store->lock(w->store, name, 0, &lock, &err), 0);
    globfree(&found);
    return lock;
}

static void a_frozen_run_stalls_nobody_past_the_deadline(void **state)
{
    struct world *w = *state;
    struct error err = { 0 };
    struct permit permit;
    struct limiter *l = make(w, 2, 60 * S);
    one_call(w, l, 0);
    struct store_lock *frozen = hold_document(w);
    int64_t began = w->fake.mono_ns;
    check_i64(limiter_acquire(l, &w->fake.clk, began + S, &permit, &err), -1);
    check_i64(err.kind, ERR_DEADLINE);
    check_i64(w->fake.mono_ns <= began + S, true);
    check_i64(limiter_acquire(l, &w->fake.clk, TIME_FOREVER, &permit, &err), -1);
    check_i64(err.kind, ERR_PLATFORM);
    check_i64(w->fake.mono_ns - began < 12 * S, true);
    began = w->fake.mono_ns;
    assert_int_equal(limiter_hold(l, &w->fake.clk, began + 5 * S, &err), 0);
    check_i64(w->fake.mono_ns - began < 2 * S, true);
    w->fake.stop = true;
    check_i64(limiter_acquire(l, &w->fake.clk, TIME_FOREVER, &permit, &err), -1);
    check_i64(err.kind, ERR_STOPPED);
    w->fake.stop = false;
    w->store->unlock(w->store, frozen);
    check_i64(one_call(w, l, 0), began + 5 * S);
    assert_int_equal(limiter_close(l, &err), 0);
}

/* A configuration of the same app with another period neither forgets what one with a longer needs
 * nor makes the document grow for ever. */
static void periods_that_differ_forget_nothing(void **state)
{
    struct world *w = *state;
    struct error err = { 0 };
    int left = -1;
    struct limiter *minute = make(w, 30, 60 * S), *second = make(w, 5, S);
    int64_t began = one_call(w, minute, 0);
    assert_int_equal(limiter_close(minute, &err), 0);
    for (int i = 0; i < 29; i++)
        one_call(w, second, 0);
    check_i64(w->fake.mono_ns - began < 10 * S, true);
    assert_int_equal(limiter_close(second, &err), 0);
    assert_int_equal(limiter_left(w->store, &w->fake.clk, "forge app", 30, 60 * S, &left, &err), 0);
    check_i64(left, 0);
    minute = make(w, 30, 60 * S);
    check_i64(one_call(w, minute, 0) - began >= 60 * S, true);
    assert_int_equal(limiter_close(minute, &err), 0);
    fake_sleep(&w->fake.clk, w->fake.mono_ns + 100 * S);
    second = make(w, 5, S);
    for (int i = 0; i < 200; i++)
        one_call(w, second, 0);
    assert_int_equal(limiter_close(second, &err), 0);
    assert_int_equal(limiter_left(w->store, &w->fake.clk, "forge app", 30, 60 * S, &left, &err), 0);
    check_i64(left >= 20, true); /* nobody with a longer period is left */
}

/* A look at the document that ends without a permit, and so without a note, forgets nothing either.
 */
static void a_look_in_vain_forgets_nothing(void **state)
{
    struct world *w = *state;
    struct error err = { 0 };
    struct permit permit;
    int left = -1;
    struct limiter *longer = make(w, 10, 20 * S), *own = make(w, 2, 2 * S);
    one_call(w, longer, 0);
    assert_int_equal(limiter_close(longer, &err), 0);
    fake_sleep(&w->fake.clk, w->fake.mono_ns + 22 * S / 10);
    one_call(w, own, 0);
    one_call(w, own, 0);
    fake_sleep(&w->fake.clk, w->fake.mono_ns + 43 * S / 10);
    struct limiter *other = make(w, 2, 2 * S);
    one_call(w, other, 0);
    one_call(w, other, 0);
    assert_int_equal(limiter_close(other, &err), 0);
    check_i64(limiter_acquire(own, &w->fake.clk, w->fake.mono_ns + S / 20, &permit, &err), -1);
    fake_sleep(&w->fake.clk, w->fake.mono_ns + 21 * S / 10);
    one_call(w, own, 0);
    assert_int_equal(limiter_close(own, &err), 0);
    assert_int_equal(limiter_left(w->store, &w->fake.clk, "forge app", 10, 20 * S, &left, &err), 0);
    check_i64(left, 4);
}

/* The document's times are the wall clock's. Set back, they lie ahead: for no longer than a permit
 * may be held and a period. */
static void a_clock_set_back_does_not_stall_it(void **state)
{
    struct world *w = *state;
    struct error err = { 0 };
    struct limiter *l = make(w, 2, 60 * S);
    one_call(w, l, 0);
    one_call(w, l, 0);
    assert_int_equal(limiter_hold(l, &w->fake.clk, w->fake.mono_ns + 20 * S, &err), 0);
    assert_int_equal(limiter_close(l, &err), 0);
    w->fake.unix_ns -= 86400 * S;
    l = make(w, 2, 60 * S);
    int64_t began = w->fake.mono_ns;
    check_i64(one_call(w, l, 0) - began <= LIMITER_HOLD_MOST_NS, true);
    assert_int_equal(limiter_close(l, &err), 0);
    w->fake.unix_ns -= 86400 * S;
    l = make(w, 2, 60 * S);
    began = w->fake.mono_ns;
    one_call(w, l, 0);
    check_i64(one_call(w, l, 0) - began <= 90 * S, true);
    assert_int_equal(limiter_close(l, &err), 0);
}

/* Within a run only the clock counts that cannot be set. */
static void a_clock_that_jumps_frees_nothing_within_a_run(void **state)
{
    static const int64_t jumps[] = { 86400 * S, -86400 * S, 40 * S, -40 * S };
    struct world *w = *state;
    struct error err = { 0 };
    for (size_t j = 0; j < COUNT(jumps); j++) {
        struct limiter *l = make(w, 5, 60 * S);
        fake_sleep(&w->fake.clk, w->fake.mono_ns + 600 * S);
        int64_t began = w->fake.mono_ns, at[16];
        check_row(jumps[j] > 0 ? "ahead" : "back");
        for (int i = 0; i < 16; i++) {
            at[i] = one_call(w, l, NS_PER_MS);
            check_i64(i < 5 || at[i] - at[i - 5] >= 60 * S, true);
            if (i == 7)
                w->fake.unix_ns += jumps[j];
        }
        check_i64(at[15] - began <= 190 * S, true); /* nor does it cost any */
        assert_int_equal(limiter_close(l, &err), 0);
    }
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
        IN_WORLD(a_slow_platform_costs_no_budget),
        IN_WORLD(a_call_under_way_counts_until_it_is_over),
        IN_WORLD(threads_of_two_runs_share_it),
        IN_WORLD(what_was_not_sent_is_the_next_ones),
        IN_WORLD(a_clock_of_its_own_ends_a_wait),
        IN_WORLD(a_frozen_run_stalls_nobody_past_the_deadline),
        IN_WORLD(periods_that_differ_forget_nothing),
        IN_WORLD(a_look_in_vain_forgets_nothing),
        IN_WORLD(a_clock_set_back_does_not_stall_it),
        IN_WORLD(a_clock_that_jumps_frees_nothing_within_a_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
