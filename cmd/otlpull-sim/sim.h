/* sim.h -- what the parts of a running simulator share. The settings may change while it runs
 * (POST /_sim/set), so they are atomic; the rest is constant or guards itself. */
#ifndef OTLPULL_SIM_SIM_H
#define OTLPULL_SIM_SIM_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "options.h"

struct platform;
struct history;
struct faults;
struct traffic;
struct sink;

struct sim {
    const struct options *options;
    const struct platform *platform;
    struct history
        *streams; /* one per app and environment: app times environments plus environment */
    size_t stream_count;
    size_t budgets;
    struct faults *faults;
    struct traffic *traffic;
    struct sink *sink; /* NULL: none */
    struct clock clk;
    _Atomic int64_t ahead_ns; /* by how much the platform's clock is ahead of the machine's */
    _Atomic int64_t latency_ns, sink_latency_ns, page_size, cursor_ttl_ns;
    _Atomic int64_t
        visible_until_ns;    /* what turns visible later stays out of sight; 0: no such hold */
    _Atomic uint64_t serial; /* of cursors */
};

/* The time by the platform's clock. */
static inline int64_t sim_now(struct sim *sim)
{
    return clock_unix_ns(&sim->clk) + atomic_load(&sim->ahead_ns);
}

/* The time up to which entries are visible now. */
static inline int64_t sim_visible_ns(struct sim *sim)
{
    int64_t now = sim_now(sim);
    int64_t until = atomic_load(&sim->visible_until_ns);
    return until > 0 && until < now ? until : now;
}

#endif
