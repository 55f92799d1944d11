/* seen.h -- which records near the checkpoint were sent, so that reading a stretch of time again
 * sends none of them again. Pure.
 *
 * A multiset of fingerprints, kept per window that they were read in: the n-th copy of a record is
 * new only if fewer than n were sent, so byte-identical twins both arrive. Whatever the platform
 * makes of a window's ends, and whether it filters by a record's time or its arrival, a later
 * window can only return again what was read in a window that it reaches back into: prints are kept
 * until the checkpoint is `overlap` past their window's end, and no longer. A print that is met
 * again moves to the window that met it: each copy that was sent is counted in exactly one place.
 *
 * 8 bytes a record in the state and in the window under way. Of a window with more than SEEN_SMALL
 * only those that are near its end are kept once it is done: the rest lies behind every later
 * reading. */
#ifndef OTLPULL_SEEN_H
#define OTLPULL_SEEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "state/state.h"

#define SEEN_SMALL ((size_t)1 << 17)
/* Noted of one window at most, and as many again that are near its end: reading what comes beyond
 * again may send it twice, and lose none. */
#define SEEN_MAX ((size_t)1 << 20)

/* How often a print may be met; a slot of count 0 is empty. */
struct seen_slot {
    uint64_t print;
    uint32_t count;
};

struct seen_window {
    int64_t end_unix_ns;
    struct seen_slot *slots; /* a hash table, open addressing; its size is a power of two */
    uint8_t *filter;         /* 8 bits a slot: most new records are known as new by one bit */
    size_t mask;
    size_t total;   /* of the counts */
    uint64_t *list; /* the same as a list; NULL where it changed since one was made */
};

struct seen {
    struct seen_window *older;
    size_t older_count;
    uint64_t *current; /* in the order of reading; the current window's */
    size_t current_count, current_capacity;
};

/* Take over what the state remembers: `st` then holds none of it. */
void seen_take(struct seen *s, struct source_state *st);

/* Lend what is to be remembered to the state, until seen_unlend(). */
void seen_lend(struct seen *s, struct source_state *st);
void seen_unlend(struct source_state *st);

/* A window that was begun is read again from where `keep` prints had been met: those behind count
 * against what comes. */
void seen_rewind(struct seen *s, size_t keep, int64_t window_end_unix_ns);

/* One record was read; true: it is new and must be sent. `near`: it lies so near the window's end,
 * or so oddly, that a later window may return it again. */
bool seen_admit(struct seen *s, uint64_t print, bool near);

/* A record that was admitted was not sent after all. False: it is none of the current window's. */
bool seen_forget(struct seen *s, uint64_t print);

/* The current window is done: its prints become those of a window that ended at
 * `window_end_unix_ns`, and windows that ended before `horizon_unix_ns` are forgotten. */
void seen_settle(struct seen *s, int64_t window_end_unix_ns, int64_t horizon_unix_ns);

void seen_release(struct seen *s);

#endif
