/* refused.h -- records that the collector refused one by one, until it is clear whose fault that
 * is; then they are kept as dead letters: a JSON object a line, in the state, with what it said. */
#ifndef OTLPULL_REFUSED_H
#define OTLPULL_REFUSED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/diag.h"
#include "base/error.h"
#include "batch.h"
#include "export.h"
#include "state/store.h"

struct refused_record {
    char *text;
    size_t len;
    char *resource; /* as batch_resource() has it */
    uint64_t print; /* its fingerprint, as `seen` counts it */
    int status;
    bool unsent;
    char words[REFUSAL_WORDS];
};

struct refused {
    struct refused_record *items;
    size_t count, capacity;
};

/* Copy what the last export_batch() refused of `b`. */
void refused_take(struct refused *r, const struct batch *b, const struct export *ex);

/* Warn of them, and what becomes of them. */
void refused_say(const struct refused *r, const char *source, bool keep, const struct diag *diag);

/* Append all of them, durably, to the dead letters of `source`. ERR_STATE. */
int refused_keep(const struct refused *r, struct store *store, const char *source,
                 int64_t now_unix_ns, struct error *err);

/* Whether none of them was sent: then it is clear whose fault it is. */
bool refused_all_unsent(const struct refused *r);

void refused_reset(struct refused *r);
void refused_release(struct refused *r);

#endif
