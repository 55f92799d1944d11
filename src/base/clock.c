#include "clock.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

static int64_t now_of(clockid_t id)
{
    struct timespec ts;
    clock_gettime(id, &ts);
    return (int64_t)ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

static int64_t system_unix_ns(struct clock *clk)
{
    (void)clk;
    return now_of(CLOCK_REALTIME);
}

static int64_t system_mono_ns(struct clock *clk)
{
    (void)clk;
    return now_of(CLOCK_MONOTONIC);
}

static bool readable(int fd)
{
    struct pollfd p = { .fd = fd, .events = POLLIN };
    return fd >= 0 && poll(&p, 1, 0) == 1;
}

static bool system_stopped(struct clock *clk)
{
    return readable(clk->stop_fd);
}

static bool system_sleep_until(struct clock *clk, int64_t until_mono_ns)
{
    for (;;) {
        int64_t left_ns = until_mono_ns - now_of(CLOCK_MONOTONIC);
        if (left_ns <= 0)
            return !system_stopped(clk);
        if (left_ns > 3600 * NS_PER_S) /* poll counts milliseconds in an int */
            left_ns = 3600 * NS_PER_S;
        struct pollfd fd = { .fd = clk->stop_fd, .events = POLLIN }; /* -1 is ignored by poll */
        int n = poll(&fd, 1, (int)((left_ns + NS_PER_MS - 1) / NS_PER_MS));
        if (n == 1)
            return false;
    }
}

void clock_init_system(struct clock *clk, int stop_fd)
{
    *clk = (struct clock){ .unix_ns = system_unix_ns,
                           .mono_ns = system_mono_ns,
                           .sleep_until = system_sleep_until,
                           .stopped = system_stopped,
                           .stop_fd = stop_fd };
}

static struct clock_child *child_of(struct clock *clk)
{
    return (struct clock_child *)(void *)clk;
}

static int64_t child_unix_ns(struct clock *clk)
{
    return clock_unix_ns(child_of(clk)->parent);
}

static int64_t child_mono_ns(struct clock *clk)
{
    return clock_mono_ns(child_of(clk)->parent);
}

static bool child_stopped(struct clock *clk)
{
    return readable(child_of(clk)->own_fd) || clock_stopped(child_of(clk)->parent);
}

static bool child_sleep_until(struct clock *clk, int64_t until_mono_ns)
{
    return !child_stopped(clk) && clock_sleep_until(child_of(clk)->parent, until_mono_ns) &&
           !child_stopped(clk);
}

/* An epoll is readable while one of those that it watches is: two stops in one descriptor. */
static int watch_both(int a, int b)
{
    struct epoll_event readable_event = { .events = EPOLLIN };
    int both = epoll_create1(EPOLL_CLOEXEC);
    if (both >= 0 && (epoll_ctl(both, EPOLL_CTL_ADD, a, &readable_event) ||
                      (b >= 0 && epoll_ctl(both, EPOLL_CTL_ADD, b, &readable_event)))) {
        int why = errno;
        close(both);
        errno = why;
        return -1;
    }
    return both;
}

int clock_child_init(struct clock_child *child, struct clock *parent, struct error *err)
{
    int own_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int stop_fd = own_fd < 0 ? -1 : watch_both(own_fd, parent->stop_fd);
    if (stop_fd < 0) {
        error_set(err, ERR_RETRY, "a clock for a thread: %s", strerror(errno));
        if (own_fd >= 0)
            close(own_fd);
        return -1;
    }
    *child = (struct clock_child){ .parent = parent, .own_fd = own_fd };
    if (parent->sleep_until == system_sleep_until) { /* one that waits for both stops at once */
        clock_init_system(&child->clk, stop_fd);
        return 0;
    }
    child->clk = (struct clock){ .unix_ns = child_unix_ns,
                                 .mono_ns = child_mono_ns,
                                 .sleep_until = child_sleep_until,
                                 .stopped = child_stopped,
                                 .stop_fd = stop_fd };
    return 0;
}

void clock_child_stop(struct clock_child *child)
{
    eventfd_write(child->own_fd, 1);
}

void clock_child_release(struct clock_child *child)
{
    close(child->clk.stop_fd);
    close(child->own_fd);
}

int64_t time_add(int64_t a, int64_t b)
{
    int64_t sum;
    if (a == TIME_FOREVER || b == TIME_FOREVER)
        return TIME_FOREVER;
    if (__builtin_add_overflow(a, b, &sum))
        return b > 0 ? INT64_MAX : INT64_MIN;
    return sum;
}
