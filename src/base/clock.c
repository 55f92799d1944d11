#include "clock.h"

#include <errno.h>
#include <poll.h>
#include <time.h>

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

static bool system_stopped(struct clock *clk)
{
    struct pollfd fd = { .fd = clk->stop_fd, .events = POLLIN };
    return clk->stop_fd >= 0 && poll(&fd, 1, 0) == 1;
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

int64_t time_add(int64_t a, int64_t b)
{
    int64_t sum;
    if (a == TIME_FOREVER || b == TIME_FOREVER)
        return TIME_FOREVER;
    if (__builtin_add_overflow(a, b, &sum))
        return b > 0 ? INT64_MAX : INT64_MIN;
    return sum;
}
