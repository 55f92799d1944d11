/* window.h -- position, now, limits → the next stretch of time to ask for. Pure.
 *
 * Neighbouring windows share a millisecond: nobody says whether the platform reads the ends of a
 * window as in or out, and what comes twice `seen` drops. */
#ifndef OTLPULL_WINDOW_H
#define OTLPULL_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "source/source.h"

#define WINDOW_EDGE_NS NS_PER_MS
/* The far end of what the platform keeps moves on while we wait for a permit and call. */
#define WINDOW_MARGIN_NS (60 * NS_PER_S)

struct window_rules {
    int64_t window_ns;    /* longest window */
    int64_t overlap_ns;   /* how far behind the checkpoint a run begins */
    int64_t retention_ns; /* how far back the platform's history goes; 0: no limit known */
};

/* The end of what is due at `now`: lag before it, on a whole millisecond. */
int64_t window_due(int64_t now_unix_ns, int64_t lag_ns);

/* Where a source that has no checkpoint begins: so far from the edge that a slow first run loses
 * nothing to it. */
int64_t window_begin(int64_t now_unix_ns, int64_t lookback_ns, const struct window_rules *rules);

/* Whether the platform still has all of a span, at least for the margin. */
bool window_kept(const struct span *span, int64_t now_unix_ns, const struct window_rules *rules);

/* The next window after `checkpoint_unix_ns` and up to `due_unix_ns`. `first` of a run: re-read the
 * overlap. False: nothing is due. Where the checkpoint lies before what the platform still has,
 * `lost` is the span that cannot be had any more, else it is empty. */
bool window_next(struct span *out, struct span *lost, int64_t checkpoint_unix_ns,
                 int64_t due_unix_ns, bool first, int64_t now_unix_ns,
                 const struct window_rules *rules);

#endif
