/* config_parts.h -- the keys of the configuration as tables, and what its pieces share. */
#ifndef OTLPULL_CONFIG_PARTS_H
#define OTLPULL_CONFIG_PARTS_H

#include <stddef.h>

#include "base/arena.h"
#include "config.h"
#include "config_fields.h"

#ifndef OTLPULL_VERSION
#define OTLPULL_VERSION "0.1.0-dev"
#endif

#define SOURCES_MAX 1000

/* How to talk to a peer: the same keys for a source and the exporter, from here on in each table.
 */
enum {
    PEER_TIMEOUT,
    PEER_HEADERS,
    PEER_ALLOW_INSECURE,
    PEER_TLS_CA,
    PEER_TLS_CERT,
    PEER_TLS_KEY,
    PEER_TLS_SKIP_VERIFY,
    PEER_TLS_MIN_VERSION,
    PEER_RETRY_INITIAL,
    PEER_RETRY_MAX,
    PEER_RETRY_ELAPSED,
    PEER_RETRY_MULTIPLIER,
    PEER_RETRY_RANDOMIZATION,
    PEER_COUNT
};

enum {
    EXPORTER_ENDPOINT,
    EXPORTER_LOGS_ENDPOINT,
    EXPORTER_ENCODING,
    EXPORTER_COMPRESSION,
    EXPORTER_PEER,
    EXPORTER_MAX_RECORDS = EXPORTER_PEER + PEER_COUNT,
    EXPORTER_MAX_BYTES,
    STATE_PATH,
    STATE_DEAD_LETTER,
    RUN_CONCURRENCY,
    RUN_DEADLINE,
    LOGS_LEVEL,
    LOGS_FORMAT,
    METRICS_ENABLED,
    ROOT_COUNT
};

/* The keys that every source has; those of its type follow at SOURCE_COUNT. */
enum {
    SOURCE_NAME,
    SOURCE_TYPE,
    SOURCE_ENDPOINT,
    SOURCE_WINDOW,
    SOURCE_LOOKBACK,
    SOURCE_LAG,
    SOURCE_OVERLAP,
    SOURCE_RATE_CALLS,
    SOURCE_RATE_PERIOD,
    SOURCE_PEER,
    SOURCE_MAX_RESPONSE = SOURCE_PEER + PEER_COUNT,
    SOURCE_INTERVAL,
    SOURCE_NORMALIZE,
    SOURCE_RESOURCE,
    SOURCE_SCOPE_NAME,
    SOURCE_SCOPE_VERSION,
    SOURCE_SCOPE_ATTRIBUTES,
    SOURCE_COUNT
};

extern const struct field config_root_fields[ROOT_COUNT];

/* The table for a source of `type` (NULL: what all types share), in `arena`, with the limits and
 * defaults that fit the type; its length in `count`. */
struct field *config_source_fields(const struct source *type, struct arena *arena, size_t *count);

/* One source while it is read. */
struct source_reading {
    struct fields fields;
    const struct source *type; /* NULL: there is no such type */
    struct place at;
};

/* What must hold between values; each of these adds faults. */
void check_root(struct loading *ld, const struct fields *root);
void check_sources(struct loading *ld, const struct source_reading *sources, size_t count);

/* Fill what the file leaves out from OTEL_* and OTLPULL_*. */
void env_fill_root(struct loading *ld, struct fields *root);

/* Fill a source from the variables of its type. */
void env_fill_source(struct loading *ld, struct source_reading *source);

/* OTEL_RESOURCE_ATTRIBUTES and OTEL_SERVICE_NAME, added to `out` in `kept`. */
void env_resource(struct loading *ld, struct pairs *out);

/* What a loaded configuration owns, and what config_print() goes by. */
struct config_memory {
    struct arena arena;
    const struct setting *root;
    struct source_memory {
        const struct field *table;
        const struct setting *settings;
        size_t count;
    } * sources;
};

#endif
