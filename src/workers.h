/* workers.h -- one run: every chosen source, several side by side. */
#ifndef OTLPULL_WORKERS_H
#define OTLPULL_WORKERS_H

#include <stdbool.h>
#include <stdint.h>

#include "pull.h"

struct run_summary {
    struct run_counts counts;
    int64_t sources;    /* worked */
    int64_t retries;    /* requests to either side that had to be made again */
    int64_t backlog_ns; /* the largest stretch of time that a source has still to fetch */
    int64_t elapsed_ns;
    int exit_code;
    struct error why; /* the words of exit_code, or of the deadline; of several the first */
    bool stopped;     /* by a signal */
    bool deadline;    /* it came before a source's end */
    bool refused;     /* credentials were, of the platform's or the collector's */
};

/* Work the sources of `p->config` that `chosen` says, up to run.concurrency at once; its
 * fetch_until_mono_ns is set here. What went wrong with one is said through diag and counts in
 * `out->exit_code`; it keeps no other from being worked. */
void workers_run(const struct pull *p, const bool *chosen, struct run_summary *out);

#endif
