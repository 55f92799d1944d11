/* fake_clock.h -- a clock whose sleep moves its time. */
#ifndef OTLPULL_TESTS_FAKE_CLOCK_H
#define OTLPULL_TESTS_FAKE_CLOCK_H

#include "base/clock.h"

struct fake_clock {
    struct clock clk; /* first */
    int64_t unix_ns, mono_ns;
    bool stop;
};

static inline struct fake_clock *fake_of(struct clock *clk)
{
    return (struct fake_clock *)(void *)clk;
}

static inline int64_t fake_unix(struct clock *clk)
{
    return fake_of(clk)->unix_ns;
}

static inline int64_t fake_mono(struct clock *clk)
{
    return fake_of(clk)->mono_ns;
}

static inline bool fake_stopped(struct clock *clk)
{
    return fake_of(clk)->stop;
}

static inline bool fake_sleep(struct clock *clk, int64_t until_mono_ns)
{
    struct fake_clock *f = fake_of(clk);
    if (until_mono_ns > f->mono_ns) {
        f->unix_ns += until_mono_ns - f->mono_ns;
        f->mono_ns = until_mono_ns;
    }
    return !f->stop;
}

static inline struct fake_clock fake_clock(void)
{
    struct clock clk = { fake_unix, fake_mono, fake_sleep, fake_stopped, -1 };
    return (struct fake_clock){ clk, INT64_C(1762930800) * NS_PER_S, 5000 * NS_PER_S, false };
}

#endif
