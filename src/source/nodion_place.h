/* nodion_place.h -- where a window of Nodion's logs stands: which stretches of it are left to ask
 * for, when answers are cut at an end that nobody names.
 *
 * What lies strictly between a cut answer's first and last millisecond is whole, and yielded; what
 * is before and behind is left to ask. The first time in a window, fewer entries are asked for of
 * the stretch from the first to the last: those of one of these two milliseconds, and one more.
 * What comes is at the end that is kept, and from then on only the other end of an answer is asked
 * for. Entries that turn up late or go with their instance cannot make that wrong, only undecided:
 * then both ends are asked for.
 *
 * Its text: what is known, and in milliseconds the stretches left, as "h 1000 2000 ..."; of the
 * question which end is kept, how many entries to ask for comes first: "? 3 1000 1011 1500 2000".
 */
#ifndef OTLPULL_SOURCE_NODION_PLACE_H
#define OTLPULL_SOURCE_NODION_PLACE_H

#include "edge.h"
#include "source.h"

/* The narrower of two stretches is asked for first, so that each that waits is at least about twice
 * as wide as the one above it: more than these are not ours. */
#define NODION_STRETCHES 64

enum nodion_known {
    NODION_NOTHING = 'u',
    NODION_ASKED = '?', /* a few of what is between the two stretches are being asked for */
    NODION_HEAD = 'h',  /* the oldest are kept */
    NODION_TAIL = 't',  /* the newest are */
    NODION_NEITHER = 'b',
};

/* Where a window stands: its last stretch is asked for next. Ends are whole milliseconds. */
struct nodion_place {
    char known;
    int64_t few; /* with NODION_ASKED: entries to ask for */
    size_t count;
    struct span left[NODION_STRETCHES];
};

/* The place that a request is for; ERR_INPUT: its text, which may come from a state file, is none.
 */
int nodion_place_read(const struct ask *ask, struct nodion_place *out, struct error *err);
void nodion_place_write(const struct nodion_place *p, struct cursor *next);

/* The stretch to ask for, and how many of its entries: `limit`, or fewer. */
struct span nodion_place_span(const struct nodion_place *p);
int64_t nodion_place_limit(const struct nodion_place *p, int64_t limit);

/* Go on past an answer, and say which stretch of it its page yields. `full`: it has as many entries
 * as it may have. `lost` becomes a millisecond that may have had more than that. ERR_INPUT. */
int nodion_place_settle(struct nodion_place *p, const struct edge *e, bool full, struct span *yield,
                        struct span *lost, struct error *err);

#endif
