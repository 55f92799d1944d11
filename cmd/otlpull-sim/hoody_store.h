/* hoody_store.h -- what the proxy logs hold right now: rows of one tenant or of many, in the order
 * in which they arrived. */
#ifndef OTLPULL_SIM_HOODY_STORE_H
#define OTLPULL_SIM_HOODY_STORE_H

#include "history.h"
#include "sim.h"

struct hoody_row {
    size_t stream;
    uint64_t index, id;
    int64_t seen_ns;
};

struct hoody_rows {
    struct hoody_row *items;
    size_t count, capacity;
};

/* What is asked for; NULL: anything. */
struct hoody_filter {
    const char *project, *container, *service, *level, *kind, *origin, *method;
    size_t stream; /* a kit host's one; SIZE_MAX: by project and container */
};

/* The rows that are visible at a time. Quirks: purge=N keeps the newest N of each tenant; rebuilt=T
 * forgets at that time what there was, and numbers from 1. */
void hoody_rows_take(const struct sim *sim, const struct hoody_filter *f, int64_t visible_ns,
                     struct hoody_rows *out);
void hoody_rows_release(struct hoody_rows *rows);

/* How many tenants the filter's scope has. */
size_t hoody_tenants(const struct sim *sim, const struct hoody_filter *f);

#endif
