/* pull.h -- one run: from each source's checkpoint to what is due, and no further. */
#ifndef OTLPULL_PULL_H
#define OTLPULL_PULL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/diag.h"
#include "config.h"
#include "state/state.h"
#include "state/store.h"

struct pull_options {
    const struct config *config;
    const bool *chosen; /* per source of the configuration: work it */
    struct store *store;
    struct clock *clk;
    const struct diag *diag;
    int64_t deadline_mono_ns; /* TIME_FOREVER: none */
    bool dry_run;             /* print what would be sent to stdout; send and remember nothing */
};

struct pull_summary {
    struct run_counts counts;
    int64_t sources;    /* worked */
    int64_t backlog_ns; /* the largest stretch of time that a source has still to fetch */
    int64_t elapsed_ns;
    int exit_code;
    bool stopped; /* by a signal */
};

/* Work every chosen source to its end, several side by side. What went wrong with one is said
 * through diag and counts in `out->exit_code`; it keeps no other from being worked. */
void pull_run(const struct pull_options *options, struct pull_summary *out);

/* Of which app a state is: the type and the settings that name where its records come from. */
void pull_identity(const struct source_config *source, char out[256]);

struct window_rules;
void pull_window_rules(const struct source_config *source, struct window_rules *out);

#endif
