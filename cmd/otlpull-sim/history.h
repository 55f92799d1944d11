/* history.h -- an endless, reproducible stretch of log entries: the i-th is computed from the seed
 * and i alone, so a million of them take no memory and any of them is found at once.
 *
 * Times grow with i, on whole milliseconds as Forge has them. Content numbers tell entries apart: a
 * twin has the content of the entry before it, to the byte. Each content's message ends in
 * "#NUMBER", so that whatever becomes of a record, its message names it. */
#ifndef OTLPULL_SIM_HISTORY_H
#define OTLPULL_SIM_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "net/request.h"

enum history_level { LEVEL_TRACE, LEVEL_DEBUG, LEVEL_INFO, LEVEL_WARN, LEVEL_ERROR, LEVEL_FATAL };
#define LEVELS 6

/* The word for a level; its index for a word, -1 for any other. */
const char *history_level_word(enum history_level level);
int history_level_named(const char *word);

struct words; /* the text that messages are cut from */
struct options;

#define SITE_BYTES 64

struct history {
    uint64_t seed;
    uint64_t count;      /* entries up to base */
    int64_t base_ns;     /* where the generated past ends */
    int64_t step_ns;     /* from entry to entry, on average */
    bool live;           /* entries go on after base, as often as before */
    double late_share;   /* of entries that turn visible late */
    int64_t max_late_ns; /* ... by at most this */
    double twin_share, odd_share;
    size_t mean_body_bytes;
    char (*sites)[SITE_BYTES];
    size_t site_count;
    const struct words *words;
    const char *app, *environment; /* whose it is */
    char suffix[24];               /* after "#NUMBER", where there is more than one history */
    const struct options *options; /* for the platform's quirks */
};

struct entry {
    uint64_t index, content;
    uint64_t random; /* of its content: whatever else a platform wants to vary */
    int64_t time_ns; /* the record's time */
    int64_t seen_ns; /* when it turned visible */
    enum history_level level;
    size_t site;
    size_t first_word, end_word; /* of its message */
    bool odd;
};

void history_at(const struct history *h, uint64_t index, struct entry *out);

/* The number of entries whose time lies before `t`. */
uint64_t history_before(const struct history *h, int64_t t);

/* The number of entries that may be visible at `now`. */
uint64_t history_until(const struct history *h, int64_t now);

/* Append the message, as text or as it stands inside a JSON string. */
void history_message(const struct history *h, const struct entry *e, struct buf *out);
void history_message_json(const struct history *h, const struct entry *e, struct buf *out);

/* A 64-bit number that looks random, always the same for the same two. */
uint64_t history_mix(uint64_t a, uint64_t b);

/* Which entries to take; zero takes all. Borrows its texts. */
struct history_filter {
    unsigned int levels; /* a bit for each; 0: all */
    const char *message; /* contained in the message */
    const char *const *sites;
    size_t site_count;
};

bool history_matches(const struct history *h, const struct history_filter *f, const struct entry *e,
                     struct buf *scratch);

#endif
