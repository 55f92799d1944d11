/* compress.h -- a body's bytes, compressed as Content-Encoding names it, and back. */
#ifndef OTLPULL_NET_COMPRESS_H
#define OTLPULL_NET_COMPRESS_H

#include "base/buf.h"
#include "base/error.h"

/* Append the gzip (RFC 1952) or zstd (RFC 8878) form of `in` to `out`; ERR_BUG when the library
 * fails, which for memory to memory it does only for want of memory. */
int compress_gzip(struct bytes in, struct buf *out, struct error *err);
int compress_zstd(struct bytes in, struct buf *out, struct error *err);

/* Whether bytes begin as gzip does. */
bool compress_is_gzip(struct bytes in);

/* Append what gzip text holds, all of its members, to `out`, whose maximum bounds it. ERR_INPUT: it
 * is none, is cut short, or holds more. */
int compress_gunzip(struct bytes in, struct buf *out, struct error *err);

#endif
