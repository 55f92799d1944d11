/* seen.h -- which records near the checkpoint were sent, so that reading a stretch of time again
 * sends none of them again. Pure.
 *
 * A multiset of fingerprints, 8 bytes each, kept per window that they were read in: the n-th copy
 * of a record is new only if fewer than n were sent, so byte-identical twins both arrive. Whatever
 * the platform makes of a window's ends, and whether it filters by a record's time or its arrival,
 * a later window can only return again what was read in a window that it reaches back into: prints
 * are kept until the checkpoint is `overlap` past their window's end, and no longer. A print that
 * is met again moves to the window that met it: each copy that was sent is counted in exactly one
 * place. */
#ifndef OTLPULL_SEEN_H
#define OTLPULL_SEEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "state/state.h"

/* Prints kept in all, and of one window: past it those of the oldest windows go first, and further
 * ones are not noted. Reading their time again may then send a record twice; none is ever lost. */
#define SEEN_MAX ((size_t)1 << 20)

struct seen_window {
    struct sent_prints prints; /* sorted */
    uint32_t *met;    /* at the first of equal prints: how many moved to the current window */
    size_t met_count; /* in all */
};

struct seen {
    struct seen_window *older;
    size_t older_count;
    uint64_t *current; /* in the order of reading; the current window's */
    size_t current_count, current_capacity;
};

/* Take over what the state remembers: `st` then holds none of it. */
void seen_take(struct seen *s, struct source_state *st);

/* Lend what is to be remembered to the state, until seen_unlend(): the state owns none of it. */
void seen_lend(struct seen *s, struct source_state *st);
void seen_unlend(struct source_state *st);

/* A window that was begun is read again from where `keep` prints had been met: those behind count
 * against what comes. */
void seen_rewind(struct seen *s, size_t keep, int64_t window_end_unix_ns);

/* One record was read; true: it is new and must be sent. */
bool seen_admit(struct seen *s, uint64_t print);

/* A record that was admitted was not sent after all. */
void seen_forget(struct seen *s, uint64_t print);

/* The current window is done: its prints become those of a window that ended at
 * `window_end_unix_ns`, and windows that ended before `horizon_unix_ns` are forgotten. */
void seen_settle(struct seen *s, int64_t window_end_unix_ns, int64_t horizon_unix_ns);

void seen_release(struct seen *s);

#endif
