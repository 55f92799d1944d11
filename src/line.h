/* line.h -- the line itself: window → permit → request → reply → records → normalize → seen → batch
 * → send → verdict → commit, for one window after the other. The only file that knows the order. */
#ifndef OTLPULL_LINE_H
#define OTLPULL_LINE_H

#include <stdbool.h>
#include <stdint.h>

#include "ahead.h"
#include "batch.h"
#include "due.h"
#include "export.h"
#include "pull.h"
#include "refused.h"
#include "seen.h"
#include "trail.h"

/* One source on its way through the run. */
struct line {
    const struct pull *p;
    const struct source_config *source;
    struct ahead *ahead;
    struct export *ex;
    struct batch batch;
    struct refused refused;
    struct seen seen;
    struct source_state state;
    struct store_version version;
    struct run_counts counts;
    int64_t retries;
    struct due due;
    bool fresh; /* no run has begun before: there is nothing behind its beginning to read again */
    bool wide;  /* every window begins `overlap` behind the checkpoint: see is_doubtful() */
    /* The window under way: the page being worked and how many prints stood before it. Its first
     * page is the one that state.place names. */
    struct span span;
    struct cursor at;
    size_t passed;
    struct trail trail;
};

/* What begins the window under way: its span is set, and `at` is on its first page or where an
 * earlier run left it. 0: it was drained and the checkpoint moved; or, with `*anew`, it is not the
 * right one to ask for: what was read of it is delivered, and the windows must be cut anew. */
int line_window(struct line *ln, bool *anew, struct error *err);

/* Go to the window's first page, or the next one's. */
void line_first_page(struct line *ln);

/* The window must be read from its beginning again, by this run or the next: what was sent of it
 * counts against what comes. */
void line_begin_anew(struct line *ln);

/* Up to which time the window under way may hold records: to its end, or, where the source tails,
 * to now. */
int64_t line_reach_ns(const struct line *ln);

/* Write the state as the line has it; nothing while refused records are not settled. ERR_STATE. */
int line_save(struct line *ln, struct error *err);

/* Records refused one by one: once something was accepted in this run it is their own fault, and
 * they are settled; until then it may be the collector's, and nothing is. ERR_STATE. */
int line_settle_refused(struct line *ln, struct error *err);

/* Warn of a span that the platform should have had, and note it as a gap; an empty one is none. */
void line_say_lost(struct line *ln, const struct span *lost);

/* How far behind the checkpoint a wide window begins: behind all that may have arrived since the
 * twin of a late record did. */
int64_t line_wide_ns(const struct line *ln);

#endif
