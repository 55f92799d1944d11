/* otlp_check.h -- whether a document is an ExportLogsServiceRequest that the OpenTelemetry
 * Collector takes: its JSON receiver's rules, as tests/interop pins them down, on a json-c tree.
 * The simulator judges otlpull, so nothing of this is shared with it. */
#ifndef OTLPULL_SIM_OTLP_CHECK_H
#define OTLPULL_SIM_OTLP_CHECK_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

struct json_object;

/* A received record and what it stood in; borrowed from the document, NULL where absent. */
struct otlp_item {
    struct json_object *resource, *scope, *record;
};

struct otlp_items {
    struct otlp_item *items;
    size_t count, capacity;
};

/* Check all of it and list its records. `strict` also refuses what the Collector lets pass though
 * the specification does not: severityNumber outside of 0..24, ids of zeros, 64-bit integers as
 * numbers, an attribute twice, nulls for objects and lists, empty lists of records, no
 * observedTimeUnixNano. */
int otlp_check(struct json_object *document, bool strict, struct otlp_items *out,
               struct error *err);
void otlp_items_release(struct otlp_items *items);

/* Whether the record's body holds this text. */
bool otlp_body_has(struct json_object *record, const char *text);

#endif
