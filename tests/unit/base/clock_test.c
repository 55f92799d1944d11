/* A clock that is stopped by itself: its parent's stop is its own, and not the other way round. */
#include "base/clock.h"

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "tests/unit/check.h"
#include "tests/unit/fake_clock.h"

static bool readable(int fd)
{
    struct pollfd p = { .fd = fd, .events = POLLIN };
    return poll(&p, 1, 0) == 1;
}

static void *stop_soon(void *child)
{
    usleep(20000);
    clock_child_stop(child);
    return NULL;
}

static void its_own_stop_ends_its_sleep_and_no_others(void **state)
{
    int stop_fd = eventfd(0, EFD_CLOEXEC);
    struct clock parent;
    struct clock_child first, second;
    struct error err = { 0 };
    pthread_t thread;
    (void)state;
    clock_init_system(&parent, stop_fd);
    assert_int_equal(clock_child_init(&first, &parent, &err), 0);
    assert_int_equal(clock_child_init(&second, &parent, &err), 0);
    check_i64(clock_sleep_until(&first.clk, clock_mono_ns(&first.clk) + NS_PER_MS), true);
    assert_int_equal(pthread_create(&thread, NULL, stop_soon, &first), 0);
    int64_t began = clock_mono_ns(&parent);
    check_i64(clock_sleep_until(&first.clk, began + 600 * NS_PER_S), false);
    check_i64(clock_mono_ns(&parent) - began < 300 * NS_PER_S, true);
    pthread_join(thread, NULL);
    clock_child_stop(&first);
    check_i64(clock_stopped(&first.clk) && readable(first.clk.stop_fd), true);
    check_i64(clock_stopped(&second.clk) || readable(second.clk.stop_fd), false);
    check_i64(clock_stopped(&parent), false);
    clock_child_release(&first);
    clock_child_release(&second);
    close(stop_fd);
}

static void its_parents_stop_is_its_own(void **state)
{
    int stop_fd = eventfd(0, EFD_CLOEXEC);
    struct clock parent;
    struct clock_child child, grandchild;
    struct error err = { 0 };
    (void)state;
    clock_init_system(&parent, stop_fd);
    assert_int_equal(clock_child_init(&child, &parent, &err), 0);
    assert_int_equal(clock_child_init(&grandchild, &child.clk, &err), 0);
    check_i64(clock_stopped(&grandchild.clk) || readable(grandchild.clk.stop_fd), false);
    assert_int_equal(eventfd_write(stop_fd, 1), 0);
    check_i64(clock_stopped(&grandchild.clk) && readable(grandchild.clk.stop_fd), true);
    check_i64(clock_sleep_until(&grandchild.clk, clock_mono_ns(&child.clk) + NS_PER_S), false);
    clock_child_release(&grandchild);
    clock_child_release(&child);
    close(stop_fd);
}

static void it_goes_as_a_parent_of_any_kind(void **state)
{
    struct fake_clock fake = fake_clock();
    struct clock_child child, other;
    struct error err = { 0 };
    (void)state;
    assert_int_equal(clock_child_init(&child, &fake.clk, &err), 0);
    assert_int_equal(clock_child_init(&other, &fake.clk, &err), 0);
    check_i64(clock_mono_ns(&child.clk), fake.mono_ns);
    check_i64(clock_unix_ns(&child.clk), fake.unix_ns);
    int64_t until = fake.mono_ns + 5 * NS_PER_S;
    check_i64(clock_sleep_until(&child.clk, until), true);
    check_i64(fake.mono_ns, until);
    clock_child_stop(&child);
    check_i64(clock_sleep_until(&child.clk, until + NS_PER_S), false);
    check_i64(fake.mono_ns, until);
    check_i64(clock_stopped(&child.clk) && readable(child.clk.stop_fd), true);
    check_i64(clock_stopped(&fake.clk) || clock_stopped(&other.clk), false);
    fake_of(&fake.clk)->stop = true;
    check_i64(clock_stopped(&other.clk), true);
    check_i64(clock_sleep_until(&other.clk, until + NS_PER_S), false);
    clock_child_release(&child);
    clock_child_release(&other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(its_own_stop_ends_its_sleep_and_no_others),
        cmocka_unit_test(its_parents_stop_is_its_own),
        cmocka_unit_test(it_goes_as_a_parent_of_any_kind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
