/* scalingo_log.h -- an app's lines in the order in which they arrived: the hot log, and archives.
 * Once the hot log is full it becomes an archive as a whole, and begins empty.
 *
 * Quirks: ring=LINES of a full hot log (none: it never is), archives-kept=N, the newest ones;
 * archive-hours: their ends are told as whole hours; archive-gzip: their content is a .gz file. */
#ifndef OTLPULL_SIM_SCALINGO_LOG_H
#define OTLPULL_SIM_SCALINGO_LOG_H

#include "history.h"
#include "sim.h"

struct scalingo_log {
    const struct history *h;
    uint64_t *arrivals; /* indices in the order of arrival; NULL: that of the history */
    uint64_t count, ring;
    uint64_t first_archive, archive_count; /* those that are kept are numbered from the first */
};

/* What is visible by now. */
void scalingo_log_init(struct scalingo_log *log, struct sim *sim, const struct history *h);
void scalingo_log_release(struct scalingo_log *log);

/* Append the last `n` hot lines that pass the filter; returns how many there are. */
int64_t scalingo_log_dump(const struct scalingo_log *log, int order, uint64_t n, const char *filter,
                          struct buf *out);

bool scalingo_log_has(const struct scalingo_log *log, uint64_t archive);

/* Append an archive's content; returns its lines. */
int64_t scalingo_log_archive(const struct scalingo_log *log, uint64_t archive, struct buf *out);

/* The times of its first and last line. */
void scalingo_log_span(const struct scalingo_log *log, uint64_t archive, int64_t *from_ns,
                       int64_t *to_ns);

#endif
