/* clock.h -- the one place that keeps time. Two scales, never mixed: Unix time (wall clock, for
 * windows and documents; it may jump) and monotonic time (for waits and deadlines; it only grows).
 * Both int64_t nanoseconds. What waits takes a clock and an absolute deadline. A test passes a
 * clock whose sleep moves its time. */
#ifndef OTLPULL_BASE_CLOCK_H
#define OTLPULL_BASE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "error.h"
#include "timefmt.h"

#define TIME_FOREVER INT64_MAX

struct clock {
    int64_t (*unix_ns)(struct clock *clk);
    int64_t (*mono_ns)(struct clock *clk);
    /* Sleep until `until_mono_ns`; true when that moment came, false when asked to stop first. */
    bool (*sleep_until)(struct clock *clk, int64_t until_mono_ns);
    /* Whether somebody asked us to stop. */
    bool (*stopped)(struct clock *clk);
    /* Read end of what becomes readable at a stop, for those who poll; -1: there is none. */
    int stop_fd;
};

/* The system's clock. `stop_fd` becomes readable (and stays so) when sleeps shall end early; -1 for
 * never. */
void clock_init_system(struct clock *clk, int stop_fd);

static inline int64_t clock_unix_ns(struct clock *clk)
{
    return clk->unix_ns(clk);
}

static inline int64_t clock_mono_ns(struct clock *clk)
{
    return clk->mono_ns(clk);
}

static inline bool clock_sleep_until(struct clock *clk, int64_t until_mono_ns)
{
    return clk->sleep_until(clk, until_mono_ns);
}

static inline bool clock_stopped(struct clock *clk)
{
    return clk->stopped(clk);
}

/* A clock that goes as its parent does and can be stopped by itself too: for a thread that another
 * one may want to end before the whole process ends. Pass on `&child->clk`. */
struct clock_child {
    struct clock clk; /* first, so that one is the other; its stop_fd is readable at either stop */
    struct clock *parent;
    int own_fd;
};

/* `parent` is borrowed and outlives the child, which must stay where it is. 0, or ERR_RETRY: the
 * process may open no more files. */
int clock_child_init(struct clock_child *child, struct clock *parent, struct error *err);

/* Stop the child, for good; its parent goes on. From any thread, any number of times. */
void clock_child_stop(struct clock_child *child);

/* When nobody uses the child any more. */
void clock_child_release(struct clock_child *child);

/* a + b, held at the ends of the scale instead of wrapping; TIME_FOREVER stays that. */
int64_t time_add(int64_t a, int64_t b);

#endif
