/* The budget in a store that takes no locks, where another may always be faster. */
#include "limiter.h"

#include <stdlib.h>

#include "tests/unit/check.h"
#include "tests/unit/fake_clock.h"
#include "state/store.h"

#define S NS_PER_S

/* A store of one document, whose next writings another forestalls. */
struct memory {
    struct store store; /* first */
    struct fake_clock fake;
    struct buf content;
    uint64_t version;
    int forestalled;  /* so many of the next writings ... */
    int64_t lasts_ns; /* each writing */
    int writings, refusals;
};

static struct memory *memory_of(struct store *s)
{
    return (struct memory *)(void *)s;
}

static int get(struct store *s, const char *name, struct buf *out, struct store_version *version,
               struct error *err)
{
    struct memory *m = memory_of(s);
    (void)name, (void)err;
    buf_append_bytes(out, buf_bytes(&m->content));
    *version = (struct store_version){ { m->version, 0, m->version ? m->content.len + 1 : 0 } };
    return 0;
}

static int put(struct store *s, const char *name, struct bytes content,
               struct store_version *version, struct error *err)
{
    struct memory *m = memory_of(s);
    m->writings++;
    fake_sleep(&m->fake.clk, m->fake.mono_ns + m->lasts_ns);
    if (m->forestalled > 0 || version->parts[0] != m->version) {
        m->forestalled -= m->forestalled > 0;
        m->refusals++;
        return error_set(err, ERR_LOCKED, "%s: another was faster", name);
    }
    buf_reset(&m->content);
    buf_append_bytes(&m->content, content);
    *version = (struct store_version){ { ++m->version, 0, content.len + 1 } };
    return 0;
}

static int no_lock(struct store *s, const char *name, int64_t give_up_mono_ns,
                   struct store_lock **out, struct error *err)
{
    (void)s, (void)give_up_mono_ns, (void)out;
    return error_set(err, ERR_BUG, "%s: nobody should ask for it", name);
}

static void unlock(struct store *s, struct store_lock *lock)
{
    (void)s;
    assert_null(lock);
}

static int make(void **state)
{
    struct memory *m = calloc(1, sizeof(*m));
    assert_non_null(m);
    *m = (struct memory){ .fake = fake_clock(), .content = BUF_INIT(1 << 20) };
    m->store = (struct store){ .where = "memory",
                               .optimistic = true,
                               .get = get,
                               .put = put,
                               .lock = no_lock,
                               .unlock = unlock };
    *state = m;
    return 0;
}

static int destroy(void **state)
{
    struct memory *m = *state;
    buf_release(&m->content);
    free(m);
    return 0;
}

static struct limiter *limiter_of(struct memory *m, int calls, int64_t period_ns)
{
    return limiter_create(&m->store, &m->fake.clk, "forge app", calls, period_ns);
}

static int64_t one_call(struct memory *m, struct limiter *l)
{
    struct error err = { 0 };
    struct permit permit;
    assert_int_equal(limiter_acquire(l, &m->fake.clk, TIME_FOREVER, &permit, &err), 0);
    int64_t at = m->fake.mono_ns;
    limiter_done(l, &permit, at);
    fake_sleep(&m->fake.clk, at + NS_PER_MS);
    return at;
}

static int left(struct memory *m, int calls, int64_t period_ns)
{
    struct error err = { 0 };
    int count = -1;
    assert_int_equal(
        limiter_left(&m->store, &m->fake.clk, "forge app", calls, period_ns, &count, &err), 0);
    return count;
}

static void runs_beside_one_another_share_it(void **state)
{
    struct memory *m = *state;
    struct error err = { 0 };
    struct limiter *three[3];
    int64_t at[150];
    for (size_t i = 0; i < COUNT(three); i++)
        three[i] = limiter_of(m, 30, 60 * S);
    for (size_t n = 0; n < COUNT(at); n++) {
        m->forestalled = (int)(n % 4);
        at[n] = one_call(m, three[n * 7 % 3]);
        check_i64(n < 30 || at[n] - at[n - 30] >= 60 * S, true);
    }
    check_i64(m->refusals > 30, true);
    check_i64(at[149] - at[0] < 300 * S,
              true); /* four periods, and no more than a wait beside each */
    for (size_t i = 0; i < COUNT(three); i++)
        assert_int_equal(limiter_close(three[i], &err), 0);
}

static void permits_that_were_not_written_are_nobodys(void **state)
{
    struct memory *m = *state;
    struct error err = { 0 };
    struct permit permit;
    struct limiter *l = limiter_of(m, 4, 60 * S);
    m->forestalled = 1000000;
    check_row("another is always faster");
    check_i64(limiter_acquire(l, &m->fake.clk, TIME_FOREVER, &permit, &err), -1);
    check_i64(err.kind, ERR_PLATFORM);
    check_i64(left(m, 4, 60 * S), 4);
    m->forestalled = 0;
    for (int i = 0; i < 4; i++)
        one_call(m, l);
    check_i64(left(m, 4, 60 * S), 0);
    assert_int_equal(limiter_close(l, &err), 0);
}

/* A call that no longer counts for us goes over to the document, for runs with a longer period:
 * also where the first writing of it is refused. */
static void calls_that_leave_are_kept_for_others(void **state)
{
    struct memory *m = *state;
    struct error err = { 0 };
    struct limiter *slow = limiter_of(m, 10, 600 * S), *quick = limiter_of(m, 2, 10 * S);
    one_call(m, slow); /* so that all know of its period */
    one_call(m, quick);
    one_call(m, quick);
    fake_sleep(&m->fake.clk, m->fake.mono_ns + 20 * S);
    m->forestalled = 3;
    one_call(m, quick);
    assert_int_equal(limiter_close(quick, &err), 0);
    assert_int_equal(limiter_close(slow, &err), 0);
    check_i64(left(m, 10, 600 * S), 6);
}

/* A writing may last longer than the period, and than any before it. While its permit may be used,
 * others count it. */
static void a_slow_store_has_permits(void **state)
{
    static const int64_t lasts_ns[] = { 2 * S, S, S / 2, 4 * S, 9 * S, 20 * S, 26 * S, 26 * S, S };
    struct memory *m = *state;
    struct error err = { 0 };
    struct permit permit;
    struct limiter *l = limiter_of(m, 4, S);
    for (size_t i = 0; i < COUNT(lasts_ns); i++) {
        int writings = m->writings;
        m->lasts_ns = lasts_ns[i];
        check_i64(limiter_acquire(l, &m->fake.clk, m->fake.mono_ns + 60 * S, &permit, &err), 0);
        check_i64(m->writings - writings, 1);
        check_i64(permit.send_before_mono_ns > m->fake.mono_ns, true);
        fake_sleep(&m->fake.clk, permit.send_before_mono_ns);
        check_i64(left(m, 4, S), 3);
        limiter_done(l, &permit, m->fake.mono_ns);
        fake_sleep(&m->fake.clk, m->fake.mono_ns + 60 * S);
    }
    assert_int_equal(limiter_close(l, &err), 0);
}

/* A hold that was long when a permit was given is not shortened by a quick writing, be it our own
 * or another's. */
static void what_flies_counts_as_long_as_was_said(void **state)
{
    struct memory *m = *state;
    struct error err = { 0 };
    struct permit first, second;
    struct limiter *l = limiter_of(m, 4, S), *other = limiter_of(m, 4, S);
    m->lasts_ns = 4 * S;
    one_call(m, l);
    fake_sleep(&m->fake.clk, m->fake.mono_ns + 60 * S);
    m->lasts_ns = 0;
    assert_int_equal(limiter_acquire(l, &m->fake.clk, TIME_FOREVER, &first, &err), 0);
    assert_int_equal(limiter_acquire(l, &m->fake.clk, TIME_FOREVER, &second, &err), 0);
    check_i64(second.send_before_mono_ns < first.send_before_mono_ns, true);
    one_call(m, other);
    assert_int_equal(limiter_close(other, &err), 0);
    fake_sleep(&m->fake.clk, first.send_before_mono_ns);
    check_i64(left(m, 4, S), 3);
    limiter_done(l, &first, m->fake.mono_ns);
    limiter_done(l, &second, m->fake.mono_ns);
    assert_int_equal(limiter_close(l, &err), 0);
}

static void runs_share_a_slow_store(void **state)
{
    struct memory *m = *state;
    struct error err = { 0 };
    struct limiter *both[] = { limiter_of(m, 4, S), limiter_of(m, 4, S) };
    int64_t at[60];
    for (size_t n = 0; n < COUNT(at); n++) {
        m->lasts_ns = (int64_t)(n % 5) * S / 2;
        at[n] = one_call(m, both[n * 5 % 3 % 2]);
        check_i64(n < 4 || at[n] - at[n - 4] >= S, true);
    }
    for (size_t i = 0; i < COUNT(both); i++)
        assert_int_equal(limiter_close(both[i], &err), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(runs_beside_one_another_share_it, make, destroy),
        cmocka_unit_test_setup_teardown(permits_that_were_not_written_are_nobodys, make, destroy),
        cmocka_unit_test_setup_teardown(calls_that_leave_are_kept_for_others, make, destroy),
        cmocka_unit_test_setup_teardown(a_slow_store_has_permits, make, destroy),
        cmocka_unit_test_setup_teardown(what_flies_counts_as_long_as_was_said, make, destroy),
        cmocka_unit_test_setup_teardown(runs_share_a_slow_store, make, destroy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
