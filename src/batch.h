/* batch.h -- records → batches under a count and a byte limit. Pure.
 *
 * A batch is the body of its request as it grows: the envelope's head, then each record's text as
 * it will be sent, separated by commas; one such text for each resource. A run of its records is
 * therefore a slice of each: sending a half of it copies no more than that half. */
#ifndef OTLPULL_BATCH_H
#define OTLPULL_BATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/buf.h"
#include "config.h"
#include "otlp/otlp.h"

enum fate {
    FATE_OPEN,      /* not answered for */
    FATE_DELIVERED, /* accepted, or rejected by name in an accepted request */
    FATE_REFUSED,   /* refused when sent alone */
};

struct batch_item {
    size_t group;
    size_t at, len; /* its text within the group's */
    uint64_t print; /* its fingerprint, as `seen` counts it */
    enum fate fate;
};

/* The records of one resource. */
struct batch_group {
    struct buf resource; /* the attributes it has besides the source's, as they came */
    struct buf text;
    size_t head_len;
    size_t count;
    size_t from, to; /* of its text, while a body is made */
};

struct batch {
    const struct source_config *source;
    struct batch_group *groups;
    size_t group_count, group_capacity;
    struct batch_item *items;
    size_t count, capacity;
    size_t bytes; /* that the whole body takes */
    size_t max_records, max_bytes;
    size_t max_text; /* of one group, and of a body */
};

/* An empty batch for records of one source. A record that is over max_batch_bytes by itself makes a
 * batch of one. `source` is borrowed. */
void batch_init(struct batch *b, const struct source_config *source,
                const struct exporter_config *exporter);

/* Add a record, mended where `normalize` says so. `resource`: attributes that its resource has
 * besides the source's, OTLP/JSON separated by commas; of those that the source names, its own
 * count. False, with nothing added: the batch is full, and takes it once it was emptied. An empty
 * batch takes any record. */
bool batch_add(struct batch *b, const struct otlp_record *record, struct bytes resource,
               uint64_t print, struct otlp_text observed);

/* Take back the record that was added last. */
void batch_drop_last(struct batch *b);

/* The request body of the records [from, to), from < to. Lives until the batch or `scratch`
 * changes. */
struct bytes batch_body(struct batch *b, size_t from, size_t to, struct buf *scratch);

/* The whole request body as one line, whoever prints beside us. False: it cannot be written. */
bool batch_print(struct batch *b, FILE *to);

/* One record's text, and its resource as it was given. */
struct bytes batch_record(const struct batch *b, size_t i);
struct bytes batch_resource(const struct batch *b, size_t i);

/* Without records, memory kept. */
void batch_reset(struct batch *b);
void batch_release(struct batch *b);

#endif
