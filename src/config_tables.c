#include "config_parts.h"

#include <string.h>

#include "base/clock.h"
#include "base/timefmt.h"

#define SECOND NS_PER_S
#define MINUTE (60 * NS_PER_S)
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)
#define KIB    INT64_C(1024)
#define MIB    (1024 * KIB)

static const char *const tls_versions[] = { "1.2", "1.3", NULL };
static const char *const encodings[] = { "json", "proto", NULL };
static const char *const compressions[] = { "none", "gzip", "zstd", NULL };
static const char *const dead_letters[] = { "keep", "drop", NULL };
static const char *const log_levels[] = { "debug", "info", "warn", "error", NULL };
static const char *const log_formats[] = { "text", "json", NULL };

#define TEXT(key)                                                                                  \
    {                                                                                              \
        .name = (key), .kind = FIELD_STRING                                                        \
    }
#define MAP(key, hidden)                                                                           \
    {                                                                                              \
        .name = (key), .kind = FIELD_MAP, .secret = (hidden)                                       \
    }
#define BOOL(key, def)                                                                             \
    {                                                                                              \
        .name = (key), .kind = FIELD_BOOL, .fallback = (def)                                       \
    }
#define ENUM(key, def, list)                                                                       \
    {                                                                                              \
        .name = (key), .kind = FIELD_ENUM, .fallback = (def), .choices = (list)                    \
    }
#define NUMBER(what, key, def, least, most)                                                        \
    {                                                                                              \
        .name = (key), .kind = (what), .fallback = (def), .min = (least), .max = (most)            \
    }
#define DURATION(key, def, least, most) NUMBER(FIELD_DURATION, key, def, least, most)

/* In the order of the PEER_ names. */
#define PEER_FIELDS(in, timeout, initial)                                                          \
    DURATION(in "timeout", timeout, NS_PER_MS, HOUR), MAP(in "headers", true),                     \
        BOOL(in "allow_insecure", "false"), TEXT(in "tls.ca_file"), TEXT(in "tls.cert_file"),      \
        TEXT(in "tls.key_file"), BOOL(in "tls.insecure_skip_verify", "false"),                     \
        ENUM(in "tls.min_version", "1.2", tls_versions),                                           \
        DURATION(in "retry_on_failure.initial_interval", initial, NS_PER_MS, HOUR),                \
        DURATION(in "retry_on_failure.max_interval", "30s", NS_PER_MS, HOUR),                      \
        DURATION(in "retry_on_failure.max_elapsed_time", "5m", 0, DAY),                            \
        NUMBER(FIELD_FLOAT, in "retry_on_failure.multiplier", "1.5", 1, 100),                      \
        NUMBER(FIELD_FLOAT, in "retry_on_failure.randomization_factor", "0.5", 0, 1)

/* clang-format off: rows */
const struct field config_root_fields[ROOT_COUNT] = {
    [EXPORTER_ENDPOINT] = { .name = "exporter.endpoint",
                            .kind = FIELD_URL,
                            .fallback = "http://localhost:4318" },
    [EXPORTER_LOGS_ENDPOINT] = TEXT("exporter.logs_endpoint"),
    [EXPORTER_ENCODING] = ENUM("exporter.encoding", "json", encodings),
    [EXPORTER_COMPRESSION] = ENUM("exporter.compression", "none", compressions),
    [EXPORTER_PEER] = PEER_FIELDS("exporter.", "10s", "5s"),
    [EXPORTER_MAX_RECORDS] = NUMBER(FIELD_INT, "exporter.max_batch_records", "8192", 1, 1000000),
    [EXPORTER_MAX_BYTES] = NUMBER(FIELD_SIZE, "exporter.max_batch_bytes", "4MiB", KIB, 64 * MIB),
    [STATE_PATH] = { .name = "state.path", .kind = FIELD_STRING, .fallback = "/var/lib/otlpull" },
    [STATE_DEAD_LETTER] = ENUM("state.dead_letter", "keep", dead_letters),
    [RUN_CONCURRENCY] = NUMBER(FIELD_INT, "run.concurrency", "4", 1, 64),
    [RUN_DEADLINE] = DURATION("run.deadline", NULL, SECOND, 30 * DAY),
    [LOGS_LEVEL] = ENUM("telemetry.logs.level", "info", log_levels),
    [LOGS_FORMAT] = ENUM("telemetry.logs.format", "text", log_formats),
    [METRICS_ENABLED] = BOOL("telemetry.metrics.enabled", "false"),
};

static const struct field source_fields[SOURCE_COUNT] = {
    [SOURCE_NAME] = { .name = "name",
                      .kind = FIELD_STRING,
                      .required = true,
                      .help = "names the source in state and logs" },
    [SOURCE_TYPE] = { .name = "type", .kind = FIELD_ENUM, .required = true },
    [SOURCE_ENDPOINT] = { .name = "endpoint", .kind = FIELD_URL },
    [SOURCE_WINDOW] = DURATION("window", "1h", SECOND, HOUR),
    [SOURCE_LOOKBACK] = DURATION("lookback", "1h", SECOND, 365 * DAY),
    [SOURCE_LAG] = DURATION("lag", "1m", 0, HOUR),
    [SOURCE_OVERLAP] = DURATION("overlap", "5m", 0, HOUR),
    [SOURCE_RATE_CALLS] = NUMBER(FIELD_INT, "rate_limit.calls", NULL, 1, 10000),
    [SOURCE_RATE_PERIOD] = DURATION("rate_limit.period", NULL, SECOND, HOUR),
    [SOURCE_PEER] = PEER_FIELDS("", "30s", "1s"),
    [SOURCE_MAX_RESPONSE] = NUMBER(FIELD_SIZE, "max_response_bytes", "64MiB", KIB, 1024 * MIB),
    [SOURCE_INTERVAL] = DURATION("interval", "1m", SECOND, DAY),
    [SOURCE_NORMALIZE] = BOOL("normalize", "true"),
    [SOURCE_RESOURCE] = MAP("resource", false),
    [SOURCE_SCOPE_NAME] = { .name = "scope.name", .kind = FIELD_STRING, .fallback = "otlpull" },
    [SOURCE_SCOPE_VERSION] = { .name = "scope.version",
                               .kind = FIELD_STRING,
                               .fallback = OTLPULL_VERSION },
    [SOURCE_SCOPE_ATTRIBUTES] = MAP("scope.attributes", false),
};
/* clang-format on */

static const char *duration_text(struct arena *arena, int64_t ns)
{
    char text[TIMEFMT_MAX];
    timefmt_duration(ns, text);
    return arena_strdup(arena, text);
}

static const char *const *type_names(struct arena *arena)
{
    size_t count = 0;
    while (source_at(count))
        count++;
    const char **names = arena_alloc(arena, count + 1, sizeof(*names));
    for (size_t i = 0; i < count; i++)
        names[i] = source_at(i)->name;
    return names;
}

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static void set_default(struct field *field, const char *own)
{
    if (own)
        field->fallback = own;
}

static void fit_limits(struct field *table, const struct source *type, struct arena *arena)
{
    const struct limits *limits = &type->limits;
    const struct defaults *own = &type->defaults;
    struct buf calls = BUF_INIT(32);
    buf_printf(&calls, "%d", limits->calls);
    table[SOURCE_ENDPOINT].fallback = type->endpoint;
    table[SOURCE_RATE_CALLS].fallback = arena_strdup(arena, buf_text(&calls));
    table[SOURCE_RATE_PERIOD].fallback = duration_text(arena, limits->period_ns);
    buf_release(&calls);
    if (!type->endpoint)
        table[SOURCE_ENDPOINT].name = "";
    if (type->tails)
        table[SOURCE_WINDOW] = (struct field){ .name = "", .kind = FIELD_DURATION };
    if (limits->span_ns) {
        table[SOURCE_WINDOW].max = limits->span_ns;
        table[SOURCE_WINDOW].fallback = duration_text(arena, smaller(limits->span_ns, HOUR));
    }
    if (limits->retention_ns) {
        table[SOURCE_LOOKBACK].max = limits->retention_ns;
        table[SOURCE_LOOKBACK].fallback = duration_text(arena, smaller(limits->retention_ns, HOUR));
    }
    set_default(&table[SOURCE_WINDOW], own->window);
    set_default(&table[SOURCE_LOOKBACK], own->lookback);
    set_default(&table[SOURCE_LAG], own->lag);
    set_default(&table[SOURCE_OVERLAP], own->overlap);
}

struct field *config_source_fields(const struct source *type, struct arena *arena, size_t *count)
{
    size_t own = 0;
    while (type && type->fields[own].name)
        own++;
    struct field *table = arena_alloc(arena, SOURCE_COUNT + own, sizeof(*table));
    memcpy(table, source_fields, sizeof(source_fields));
    if (own)
        memcpy(table + SOURCE_COUNT, type->fields, own * sizeof(*table));
    table[SOURCE_TYPE].choices = type_names(arena);
    if (type)
        fit_limits(table, type, arena);
    *count = SOURCE_COUNT + own;
    return table;
}
