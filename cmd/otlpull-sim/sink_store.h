/* sink_store.h -- what arrived at the sink: figures, a fingerprint per record, and the records and
 * requests themselves up to a bound. Safe for many threads. */
#ifndef OTLPULL_SIM_SINK_STORE_H
#define OTLPULL_SIM_SINK_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/* One request. */
struct batch {
    int64_t unix_ns;
    int status;               /* 0: no answer was given */
    size_t bytes, read_bytes; /* on the wire; decompressed */
    size_t records;           /* accepted */
    size_t rejected;          /* of a partial success */
    bool proto;               /* protobuf, not JSON */
    const char *coding;       /* copied */
};

struct store;

struct store *store_create(size_t keep_bytes);
void store_destroy(struct store *store);
void store_reset(struct store *store);

/* Note a request and what was accepted of it: a fingerprint and a line of JSON per record. Takes
 * over the lines' memory, or lets it go. `why` it was refused, or "". */
void store_add(struct store *store, const struct batch *batch, const uint64_t *prints,
               struct buf *lines, const char *why);

uint64_t *store_prints(struct store *store, size_t *count); /* a copy, for free() */

void store_stats(struct store *store, struct buf *out);
void store_records(struct store *store, struct buf *out); /* the lines */
void store_batches(struct store *store, struct buf *out); /* a line per request */

#endif
