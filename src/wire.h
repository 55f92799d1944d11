/* wire.h -- a batch's body as `encoding` has it on the wire, and the collector's answer read back:
 * what it rejected and its words, in JSON or, where its Content-Type says so, in protobuf. */
#ifndef OTLPULL_WIRE_H
#define OTLPULL_WIRE_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "config.h"
#include "net/request.h"

/* Memory that one body after another uses; all zero at first. */
struct wire {
    struct buf proto;
};

/* The Content-Type of a body. */
const char *wire_content_type(enum encoding encoding);

/* Turn a body, OTLP/JSON, into what `encoding` asks for: itself, or its protobuf, which lives until
 * the next. ERR_INPUT, with words that quote none of it, where a record in it is none that protobuf
 * can hold. */
int wire_encode(struct wire *w, enum encoding encoding, struct bytes *body, struct error *err);

/* How many of `count` records a partial success rejects; what does not read as one is none. */
int64_t wire_rejected(const struct reply *reply, size_t count);

/* Its words on why it refuses, into `out`, which they may be cut for: a google.rpc.Status's message
 * where it is protobuf, else the body as it stands. */
void wire_words(const struct reply *reply, char *out, size_t out_bytes);

void wire_release(struct wire *w);

#endif
