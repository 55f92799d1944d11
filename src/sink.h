/* sink.h -- the growable buffer as a place that otlp/ can write to. */
#ifndef OTLPULL_SINK_H
#define OTLPULL_SINK_H

#include "base/buf.h"
#include "otlp/otlp.h"

static inline void sink_put(void *to, const char *data, size_t len)
{
    buf_append(to, data, len);
}

static inline struct otlp_sink sink_of(struct buf *b)
{
    return (struct otlp_sink){ sink_put, b };
}

#endif
