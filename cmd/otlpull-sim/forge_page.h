/* forge_page.h -- a page of a window, and the cursor to the next. The cursor says all by itself and
 * bears a seal, so the simulator keeps nothing between calls; the first page settles what is
 * visible for all of them. */
#ifndef OTLPULL_SIM_FORGE_PAGE_H
#define OTLPULL_SIM_FORGE_PAGE_H

#include "forge_query.h"
#include "sim.h"

/* Append the page that the query asks for; `count` becomes its records. NULL: fine, else what is
 * wrong with the cursor. */
const char *forge_page_write(struct sim *sim, const struct history *h, const struct forge_query *q,
                             int64_t now_ns, struct buf *out, int64_t *count);

#endif
