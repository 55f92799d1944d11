/* base64.h -- bytes to text and back (RFC 4648, section 4, with padding). */
#ifndef OTLPULL_BASE_BASE64_H
#define OTLPULL_BASE_BASE64_H

#include <stdbool.h>

#include "base/buf.h"

void base64_append(struct buf *out, const void *data, size_t len);

/* Append what `text` stands for; false, with nothing appended, where it is not base64 or `out`
 * cannot hold it. */
bool base64_decode(struct buf *out, struct bytes text);

#endif
