/* pull.h -- one source, once: from its checkpoint to what is due, and no further. */
#ifndef OTLPULL_PULL_H
#define OTLPULL_PULL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/diag.h"
#include "base/error.h"
#include "config.h"
#include "export.h"
#include "limiter.h"
#include "state/state.h"
#include "state/store.h"
#include "window.h"

/* What every source of a run is worked with; all of it borrowed. */
struct pull {
    const struct config *config;
    struct store *store;
    struct clock *clk;
    const struct diag *diag;
    int64_t fetch_until_mono_ns; /* no page is asked for past it */
    int64_t deadline_mono_ns;    /* nothing is sent past it; TIME_FOREVER: none */
    bool dry_run;                /* print what would be sent; send and remember nothing */
};

struct pull_result {
    struct run_counts counts;
    int64_t retries;    /* requests to either side that had to be made again */
    int64_t backlog_ns; /* what is due and not fetched yet */
};

/* Work one source to its end. `out` is filled in any case. Not 0 are also the good ends that are
 * none of its own: ERR_DEADLINE (progress is kept), ERR_LOCKED, ERR_STOPPED. */
int pull_source(const struct pull *p, const struct source_config *source, struct limiter *limiter,
                struct export *ex, struct pull_result *out, struct error *err);

void pull_window_rules(const struct source_config *source, struct window_rules *out);

#endif
