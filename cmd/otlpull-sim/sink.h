/* sink.h -- an OTLP/HTTP receiver for logs, in JSON and protobuf: refuses what the Collector
 * refuses, counts and keeps what it took. */
#ifndef OTLPULL_SIM_SINK_H
#define OTLPULL_SIM_SINK_H

#include <stddef.h>
#include <stdint.h>

#include "faults.h"
#include "options.h"
#include "web.h"

struct sink;

/* Borrows all; `latency_ns` may change while it runs. */
struct sink *sink_create(const struct options *options, struct faults *faults,
                         const _Atomic int64_t *latency_ns);
void sink_destroy(struct sink *sink);

/* A web_handler; `self` is a struct sink. */
void sink_answer(void *self, const struct web_request *rq, struct web_answer *out);

/* The fingerprints (print.h) of all records that were accepted; the caller frees them. */
uint64_t *sink_prints(struct sink *sink, size_t *count);

#endif
