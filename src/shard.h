/* shard.h -- which of N processes, told nothing but their number, works a source. Pure.
 *
 * By a hash of the budget's key, so that all sources of one app, which share its calls, are in one
 * process, and so that a source stays where it is whatever else is added to the configuration. Only
 * another N moves sources; as each has a document of its own in the state, which all share, it is
 * read on by whoever has it then. */
#ifndef OTLPULL_SHARD_H
#define OTLPULL_SHARD_H

#include <stdbool.h>

#include "base/buf.h"

#define SHARDS_MAX 100000 /* as many as an Indexed Job of Kubernetes may have */

struct shard {
    int index, count; /* 0 <= index < count; count 0: all is ours */
};

/* From two decimal numbers. Whether they are some, and go together. */
bool shard_parse(struct bytes index, struct bytes count, struct shard *out);

/* From "INDEX/COUNT". */
bool shard_parse_pair(struct bytes text, struct shard *out);

bool shard_has(const struct shard *shard, const char *budget_key);

#endif
