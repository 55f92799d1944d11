/* s3_path.h -- "s3://bucket/prefix" in its parts. */
#ifndef OTLPULL_BASE_S3_PATH_H
#define OTLPULL_BASE_S3_PATH_H

#include <stdbool.h>

#include "buf.h"

/* Whether the path of a state is one in S3, well written or not. */
bool s3_path_is(const char *path);

/* Both borrow from the path. `prefix` has no slash at its end; empty: the whole bucket. */
struct s3_path {
    struct bytes bucket, prefix;
};

/* NULL and `out`; or what is wrong with the path, as the end of a sentence "takes ...". Only what
 * every part between us and the store leaves as it is may stand in it: S3's signature covers the
 * path as its server reads it. */
const char *s3_path_parse(const char *path, struct s3_path *out);

#endif
