/* select.h -- a choice of visible entries, over all histories: by time, app, environment and the
 * platform's filters. */
#ifndef OTLPULL_SIM_SELECT_H
#define OTLPULL_SIM_SELECT_H

#include "base/error.h"
#include "history.h"
#include "sim.h"

#define SELECT_SITES_MAX 256

struct select {
    struct sim *sim;
    int64_t from_ns, to_ns; /* half-open */
    int64_t visible_ns;
    bool by_arrival;
    char *app, *environment; /* NULL: all */
    char *message;
    char *sites[SELECT_SITES_MAX];
    struct history_filter filter;
    /* where it stands */
    size_t stream;
    uint64_t index, end;
    bool begun;
    struct buf scratch;
};

/* Read from=, to= (Unix ns or RFC 3339), by=record|arrival, app=, environment=, level=, message=,
 * installationContext=; others are an error. Copies what it needs. */
int select_init(struct select *s, struct sim *sim, const struct pairs *query, struct error *err);
void select_release(struct select *s);

/* The next one; false: that was all. */
bool select_next(struct select *s, const struct history **h, struct entry *out);

#endif
