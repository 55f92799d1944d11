/* s3_list.h -- one page of ListObjectsV2's answer. */
#ifndef OTLPULL_STATE_S3_LIST_H
#define OTLPULL_STATE_S3_LIST_H

#include <stdbool.h>

#include "base/buf.h"

/* Append to `names`, a line each, the keys that begin with `before` and go on as a store's name
 * that ends in `suffix`, without what is before; and to `next` the token of the page that follows,
 * nothing where this is the last. False: it is no such answer. */
bool s3_list_read(struct bytes xml, struct bytes before, const char *suffix, struct buf *names,
                  struct buf *next);

#endif
