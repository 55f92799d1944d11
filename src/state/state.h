/* state.h -- what is remembered of a source between runs, as a struct and as a document. */
#ifndef OTLPULL_STATE_STATE_H
#define OTLPULL_STATE_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "state/store.h"

#define STATE_GAPS   50
#define STATE_CURSOR 16384

/* Fingerprints of records that were sent, 8 bytes each, and the end of the window they were read
 * in: what a later window that reaches back past that end may return again. */
struct sent_prints {
    int64_t end_unix_ns;
    uint64_t *items;
    size_t count;
};

/* A span that the platform no longer had when we came. */
struct gap {
    int64_t from_unix_ns, to_unix_ns;
};

/* The figures of one run, of one source or of all together. */
struct run_counts {
    int64_t exported;   /* records that the collector accepted */
    int64_t rejected;   /* records that it refused by name, or one by one */
    int64_t duplicates; /* records read again and not sent again */
    int64_t calls;      /* requests to the platform, retries included */
    int64_t windows;    /* drained to their end */
    int64_t bytes;      /* sent to the collector, compressed where that is on */
};

struct run_record {
    int64_t started_unix_ns, ended_unix_ns; /* 0: there was none */
    int exit_code;
    struct run_counts counts;
};

/* As a JSON object. */
void run_record_write(const struct run_record *run, struct buf *out);

struct source_state {
    char identity[256]; /* of which app this is the state; "" in a new one */
    bool started;       /* a checkpoint is there */
    int64_t checkpoint_unix_ns;
    int64_t windows;  /* that were ever drained */
    struct buf place; /* where the next window goes on, of a source that tails; "": by time alone */

    /* A window that was begun: where to go on in it. */
    bool unfinished;
    int64_t window_start_unix_ns, window_end_unix_ns;
    uint64_t query;    /* of which request the cursor is a part */
    struct buf cursor; /* "": from its first page */
    size_t passed;     /* how many of window_prints stand before the cursor's page */
    struct sent_prints window_prints;

    struct sent_prints *older; /* of windows before */
    size_t older_count;

    struct gap gaps[STATE_GAPS];
    size_t gap_count;
    struct run_record last_run;
};

#define SOURCE_STATE_INIT                                                                          \
    {                                                                                              \
        .place = BUF_INIT(STATE_CURSOR), .cursor = BUF_INIT(STATE_CURSOR)                          \
    }

/* Read a source's document; where there is none, `out` is as new. ERR_STATE. */
int state_load(struct store *store, const char *source, struct source_state *out,
               struct store_version *version, struct error *err);
int state_save(struct store *store, const char *source, const struct source_state *st,
               struct store_version *version, struct error *err);

/* The two halves without the store: text from a struct, a struct from an untrusted text. */
void state_write(const struct source_state *st, struct buf *out);
int state_read(struct bytes text, struct source_state *out, struct error *err);

void state_release(struct source_state *st);

/* Remember a lost span: as part of the last one where it begins in it or at its end; and where
 * there are too many the two oldest become one. */
void state_add_gap(struct source_state *st, int64_t from_unix_ns, int64_t to_unix_ns);

/* "source-NAME.SUFFIX" into `out`. */
void state_file_name(const char *source, const char *suffix, char out[128]);

#endif
