/* otlp_proto.h -- an ExportLogsServiceRequest in protobuf as OTLP/JSON text, which the sink then
 * judges as any other; and the answers to it. The simulator judges otlpull, so nothing of this is
 * shared with it. */
#ifndef OTLPULL_SIM_OTLP_PROTO_H
#define OTLPULL_SIM_OTLP_PROTO_H

#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"

/* Append the text: 64-bit integers as strings, ids in small hex, absent members left out. Of a
 * single value that stands more than once the last counts. ERR_INPUT for what is not protobuf, and
 * for what a reader would pass over but no writer means: a field that logs/v1 has not, a message
 * that stands twice where there is one, a varint longer than it need be. */
int otlp_proto_to_json(struct bytes proto, struct buf *out, struct error *err);

/* Append an ExportLogsServiceResponse; `words` NULL: all was taken. */
void otlp_proto_accepted(struct buf *out, uint64_t rejected, const char *words);

/* Append a google.rpc.Status. */
void otlp_proto_refused(struct buf *out, uint64_t code, const char *words);

#endif
