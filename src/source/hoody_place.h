/* hoody_place.h -- where a reading of Hoody's proxy logs stands, and where it goes on:
 *
 *  - by row: `afterId`, until fewer come than were asked for, or nothing where the answer does not
 *    say its limit. Every row behind it is new, however old its time. A store that was rebuilt
 *    numbers from 1 again and has nothing behind it: so where nothing came, the newest row is
 *    asked for (`last=1`), and tells by its number.
 *  - by offset, where afterId does nothing: the rows have no numbers (0: a ring in memory), or the
 *    answer is not what is behind it. Rows lie oldest first, and move up as old ones are purged:
 *    each page therefore begins with the last row of the one before. Where another stands in its
 *    place, it steps back until it meets one it has read.
 *  - by cursor, over all tenants: lines with a trailer. At the end there is no new cursor, so the
 *    last one is asked for again, without the rows that it gave before. */
#ifndef OTLPULL_SOURCE_HOODY_PLACE_H
#define OTLPULL_SOURCE_HOODY_PLACE_H

#include "hoody_answer.h"

enum hoody_way {
    HOODY_BY_ROW = 'r',
    HOODY_NEWEST = 'n', /* by row, and it asks for the newest one */
    HOODY_BY_OFFSET = 'o',
    HOODY_BY_CURSOR = 'c',
};

struct hoody_place {
    enum hoody_way way;
    bool fanout;           /* as it was configured */
    bool begun;            /* this run has read something from here on */
    int64_t floor_unix_ns; /* what is older is not wanted, while the first reading lasts */
    int64_t id;            /* the highest that was read */
    int64_t newest_unix_ns;
    int64_t offset;      /* by offset: so many rows were read ... */
    int64_t last;        /* ... the last with this key ... */
    int64_t back;        /* ... and so far behind it, it looks for one of them */
    struct bytes known;  /* by cursor: the rows that it gave before, */
    struct bytes cursor; /* the API's own */
};

/* Read the text that an earlier frame left, or begin. Borrows from it. ERR_INPUT. */
int hoody_place_read(const struct ask *ask, bool fanout, struct hoody_place *out,
                     struct error *err);

/* By offset: the first row to ask for. */
int64_t hoody_place_first(const struct hoody_place *p);

/* Mark the rows that were read before and write where to go on, as text, or in out->status why not.
 * `asked` is how many were asked for, `text` empty memory. ERR_INPUT. */
int hoody_place_go_on(struct hoody_place *p, struct hoody_answer *a, int64_t asked,
                      struct buf *text, struct page *out, struct error *err);

#endif
