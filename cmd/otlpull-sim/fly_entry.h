/* fly_entry.h -- an entry of Fly.io's logs in its shapes, and what a collector gets of it. */
#ifndef OTLPULL_SIM_FLY_ENTRY_H
#define OTLPULL_SIM_FLY_ENTRY_H

#include "history.h"
#include "print.h"

enum fly_shape { FLY_PAGES, FLY_FLAT, FLY_NESTED, FLY_WRAPPED };

/* As the quirk `shape` says. */
enum fly_shape fly_shape_of(const struct history *h);

/* Its time; a history has whole milliseconds, and what shares one shares a nanosecond. */
int64_t fly_entry_time(const struct history *h, const struct entry *e);

/* The Machine and the region of a site. */
#define FLY_MACHINE_BYTES 16
void fly_entry_machine(const struct history *h, size_t site, char out[FLY_MACHINE_BYTES]);
const char *fly_entry_region(size_t site);

void fly_entry_render(const struct history *h, const struct entry *e, struct buf *out);
void fly_entry_print(const struct history *h, const struct entry *e, struct print *p);

#endif
