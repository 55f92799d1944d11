/* decode.h -- a body's bytes as they were before Content-Encoding, in the Collector's way: gzip,
 * zstd and deflate by these very names, no other; several members or frames are one text. */
#ifndef OTLPULL_SIM_DECODE_H
#define OTLPULL_SIM_DECODE_H

#include "base/buf.h"
#include "base/error.h"

/* `coding` NULL or "": as it stands. ERR_INPUT for an unknown one, broken or cut data, and what
 * takes more than out->max. */
int decode_body(const char *coding, struct bytes in, struct buf *out, struct error *err);

#endif
