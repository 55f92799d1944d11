/* config.h -- YAML, substitution and environment become one struct, constant from then on. */
#ifndef OTLPULL_CONFIG_H
#define OTLPULL_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "net/request.h"
#include "source/source.h"

struct retry_config {
    int64_t initial_interval_ns, max_interval_ns;
    int64_t max_elapsed_ns; /* 0: no limit */
    double multiplier, randomization_factor;
};

struct rate_limit {
    int calls;
    int64_t period_ns;
};

struct source_config {
    struct stream stream;
    struct peer_config peer;
    struct retry_config retry;
    struct rate_limit rate;
    const char *budget_key; /* "forge APP": one budget for all that share it */
    int64_t window_ns, lookback_ns, lag_ns, overlap_ns;
    bool normalize;
    struct pairs resource; /* complete: the type's own, overlaid with what was configured */
    const char *scope_name, *scope_version;
    struct pairs scope_attributes;
};

enum encoding { ENCODING_JSON, ENCODING_PROTO };
enum compression { COMPRESSION_NONE, COMPRESSION_GZIP, COMPRESSION_ZSTD };

struct exporter_config {
    const char *url; /* complete, with /v1/logs */
    enum encoding encoding;
    enum compression compression;
    struct peer_config peer;
    struct retry_config retry;
    size_t max_batch_records;
    size_t max_batch_bytes; /* as JSON, before compression */
};

enum dead_letter { DEAD_LETTER_KEEP, DEAD_LETTER_DROP };
enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };
enum log_format { LOG_TEXT, LOG_JSON };

struct config {
    struct source_config *sources;
    size_t source_count;
    struct exporter_config exporter;
    const char *state_path;
    enum dead_letter dead_letter;
    int concurrency;
    int64_t deadline_ns; /* 0: none */
    enum log_level log_level;
    enum log_format log_format;
    struct config_memory *memory; /* owns every text above */
};

enum secret_kind { SECRET_AWS_SECRET, SECRET_AWS_PARAMETER };

/* Where the configuration comes from; a test passes its own environment. */
struct config_input {
    const char *path; /* NULL: the environment alone */
    const char *(*getenv)(void *self, const char *name);
    void *self;
    /* Append the value of a secret to `out`, asked for once a name in one reading: the
     * configuration itself makes no call. ERR_CONFIG, ERR_AUTH, ERR_PLATFORM, with words that tell
     * no secret. NULL: nothing is fetched, and what would be passes for a value that is set. */
    int (*fetch_secret)(void *secrets, enum secret_kind kind, const char *name, struct buf *out,
                        struct error *err);
    void *secrets;
};

/* Read and check everything. On success `out` is complete: every default is in place. On failure
 * every fault is in `faults`, a line each ("FILE:LINE:COLUMN: KEY: what it got and what it takes"),
 * or "VARIABLE: ..."; `err` is ERR_CONFIG (ERR_AUTH, ERR_PLATFORM where all that is wrong is that
 * secrets were refused or not to be had) with a one-line count, and `out` is empty. Where the file
 * itself cannot be read, `err` says why and `faults` is empty. Warnings (a broken OTEL_* variable)
 * go to `warnings`, a line each. None of them ever holds a secret. */
int config_load(struct config *out, const struct config_input *in, struct buf *faults,
                struct buf *warnings, struct error *err);

/* The same from a file's text at hand; `in->path` is what faults call it. */
int config_load_text(struct config *out, struct bytes text, const struct config_input *in,
                     struct buf *faults, struct buf *warnings, struct error *err);

/* The configuration as it will be used, as YAML that config_load reads back but for its secrets,
 * which are shown as ***. */
void config_print(const struct config *cfg, struct buf *out);

void config_release(struct config *cfg);

#endif
