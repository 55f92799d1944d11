/* trail.h -- the cursors that were followed within one window, as fingerprints: one that comes a
 * second time leads round in a circle. Pure. */
#ifndef OTLPULL_TRAIL_H
#define OTLPULL_TRAIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

struct trail {
    uint64_t *prints;
    size_t count, capacity;
};

/* Note a cursor; false: it came before. */
bool trail_add(struct trail *t, struct bytes cursor);

void trail_reset(struct trail *t);
void trail_release(struct trail *t);

#endif
