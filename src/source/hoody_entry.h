/* hoody_entry.h -- one entry of Hoody's proxy logs: read from its JSON, and written as a record. */
#ifndef OTLPULL_SOURCE_HOODY_ENTRY_H
#define OTLPULL_SOURCE_HOODY_ENTRY_H

#include "source.h"

/* What is configured as the scope: it holds for entries that do not name theirs. */
struct hoody_scope {
    const char *project, *container, *service; /* NULL: none */
};

/* Its members as they stand, spans of the frame; len 0: absent. */
struct hoody_entry {
    struct otlp_text text; /* the whole object */
    int64_t id;            /* of the row; 0: it has none */
    int64_t unix_ns;       /* 0: unknown */
    struct otlp_text trace_id, level, kind, origin, method, url, client_ip, status, data;
    struct otlp_text project, container, service;
};

/* Read an object that a scan has passed. */
void hoody_entry_read(struct otlp_text text, struct hoody_entry *out);

/* A JSON number, or a string of digits, as an integer; false: it is none, or none that fits. */
bool hoody_integer(struct otlp_text raw, int64_t *out);

/* Whether a member is a text, and this one in any case; an absent one is not. */
bool hoody_is(struct otlp_text raw, const char *wanted);

/* Add its record to the page. `room` is for texts that hold escapes. */
void hoody_entry_write(const struct hoody_entry *e, const struct hoody_scope *scope,
                       struct buf *room, struct page *out);

#endif
