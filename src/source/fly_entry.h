/* fly_entry.h -- one entry of Fly.io's logs, in any of the shapes that are about: the attributes of
 * a JSON:API page's element, the same in a line of their own, or a message of its NATS stream. */
#ifndef OTLPULL_SOURCE_FLY_ENTRY_H
#define OTLPULL_SOURCE_FLY_ENTRY_H

#include "edge.h"
#include "source.h"

/* The settings of type fly. */
enum fly_setting { FLY_APP, FLY_TOKEN, FLY_REGION, FLY_INSTANCE };

struct fly_glance {
    int64_t unix_ns; /* 0: it says none */
    bool is_entry;   /* it has a time, a message or an id */
};

/* Read past the value that stands at `s`; false: it is no object, or a problem of the scan. */
bool fly_entry_scan(struct otlp_scan *s, struct fly_glance *out);

/* Write it as a record, unless it is of a region or instance that is not wanted. `room` may hold as
 * much as the entry's text. */
void fly_entry_write(const struct stream *st, const struct edge_entry *entry, struct buf *room,
                     struct page *out);

#endif
