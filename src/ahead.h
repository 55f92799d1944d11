/* ahead.h -- asks for the pages of one source before they are wanted, and hands them over in order:
 * window after window, and of each page after page. It reads ahead and nothing else; what a page
 * comes to, and how far the checkpoint moves, is for the one who takes it, one page at a time.
 *
 * A platform that answers quickly is asked for the next page while the one before is on its way to
 * the collector. One so slow that its latency, and not the budget, would set the pace is asked for
 * several windows at once: what the budget has left beside the calls that the earliest of them can
 * make, one after the other, goes to the later ones. So no reading ahead is at the cost of what is
 * delivered next; and where the platform refuses, no further window is begun. */
#ifndef OTLPULL_AHEAD_H
#define OTLPULL_AHEAD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/error.h"
#include "config.h"
#include "fetch.h"
#include "limiter.h"
#include "window.h"

struct ahead;

/* From where on windows are cut. */
struct ahead_start {
    struct window_rules rules;
    int64_t checkpoint_unix_ns, due_unix_ns;
    int64_t unix_ns, mono_ns; /* the platform's time at a moment of ours */
    bool back;                /* the first window begins `overlap` behind the checkpoint; ... */
    bool always_back;         /* ... each does */
    bool tails;               /* no window is begun before the one before it is drained */
    /* A window that was begun already comes first; NULL: none was. */
    const struct span *resumed;
    const struct cursor *resumed_at;
};

/* A page, good until the next one is asked for. */
struct ahead_page {
    struct page page;
    struct buf body; /* of which its records are spans */
    struct ahead_page *next;
};

/* Nothing is asked for past `until_mono_ns`. All is borrowed. NULL: no descriptor is left. */
struct ahead *ahead_create(const struct source_config *source, struct limiter *limiter,
                           struct clock *clk, int64_t until_mono_ns, struct error *err);

/* Begin here; what was asked for before and not taken is dropped. */
void ahead_begin(struct ahead *a, const struct ahead_start *start);

/* The next window, whose pages then follow; what was left of the one before is dropped. False: no
 * more is due. `place`: where in it one that was not begun yet begins; empty unless the source
 * tails. `lost`: what lies before it and cannot be had any more; mostly empty. */
bool ahead_window(struct ahead *a, struct bytes place, struct span *span, struct span *lost);

/* Wait until the window's next page has come, or an error, and leave it there. */
void ahead_wait(struct ahead *a);

/* Wait for the next page of the window; NULL: an error, as fetch_page() has them. */
const struct page *ahead_page(struct ahead *a, struct error *err);

/* The window's pages from its first again, and by its time alone. */
void ahead_again(struct ahead *a);

/* By how much the platform's clock is ahead of ours, as its last answer had it, on a second. False:
 * none said. */
bool ahead_skew_ns(struct ahead *a, int64_t *skew_ns);

/* Stop what is under way, free it all, and say how many requests were made, and how many of them
 * came after another for the same page. */
void ahead_end(struct ahead *a, int64_t *calls, int64_t *retries);

#endif
