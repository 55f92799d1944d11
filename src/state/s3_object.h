/* s3_object.h -- single objects of a prefix in a bucket: read, replaced only as they were last
 * seen, listed; with the words for what a bucket, a region or a policy does not allow. */
#ifndef OTLPULL_STATE_S3_OBJECT_H
#define OTLPULL_STATE_S3_OBJECT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "aws/aws.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/error.h"
#include "state/store.h"

/* Any number of threads may use one at once. */
struct s3_bucket {
    struct aws *aws;
    struct clock *clk;               /* borrowed */
    const int64_t *deadline_mono_ns; /* borrowed: struct store's */
    char *where;                     /* "s3://bucket/prefix", for messages */
    char *base;                      /* "/bucket/prefix/", as it stands in a request */
    size_t key_at;                   /* where in it the key begins */
    bool writable;                   /* else it is only to be read */
    atomic_bool readable;            /* something of the prefix was read: s3:GetObject is granted */
    atomic_bool tested;              /* the store keeps its promises: s3_self_test() */
};

/* `store` gives the deadline. ERR_CONFIG: a path that is none, no region. Makes no call. */
int s3_bucket_open(struct s3_bucket *b, const char *path, bool writable, const struct store *store,
                   struct clock *clk, struct error *err);
void s3_bucket_close(struct s3_bucket *b);

#define S3_ETAG_MAX REPLY_HEADER_MAX

struct s3_object {
    struct buf content;
    char etag[S3_ETAG_MAX]; /* "": there is no such object */
    int64_t date_unix_ns;   /* the store's time when it answered; 0: it told none */
};

/* Read an object; one that is not there has neither content nor ETag. Without s3:ListBucket a
 * missing one is a 403, as one that may not be read; then something of the prefix that may be read
 * tells the two apart. ERR_STATE, ERR_AUTH, ERR_CONFIG, ERR_STOPPED. */
int s3_get(struct s3_bucket *b, const char *name, struct s3_object *out, struct error *err);
void s3_object_release(struct s3_object *o);

/* While others write the same object at the same moment: so often, and each time so much later. */
#define S3_TRIES_MAX    12
#define S3_TRY_AGAIN_NS (50 * NS_PER_MS)

enum s3_put {
    S3_PUT_DONE,
    S3_PUT_REFUSED, /* it is not as it was (412), or is gone (404) */
    S3_PUT_BUSY,    /* another writes it at this moment (409) */
    S3_PUT_FAILED,  /* an error; it may have been written yet */
};

/* Write an object if it still has this ETag, "" if there is still none; `etag` then is the new one,
 * or "" where the store does not tell it.
 * `date_unix_ns` as above, or NULL. */
enum s3_put s3_put(struct s3_bucket *b, const char *name, struct bytes content,
                   char etag[S3_ETAG_MAX], int64_t *date_unix_ns, struct error *err);

/* Whether the store refuses to create what is there, and to replace what has changed: some ignore
 * both, and two runs would undo each other's work in silence. At most once per process; to be
 * called before something is created, which happens once. ERR_CONFIG: it does not. */
int s3_self_test(struct s3_bucket *b, struct error *err);

/* Append the names that end in `suffix`, a line each, sorted. */
int s3_names(struct s3_bucket *b, const char *suffix, struct buf *out, struct error *err);

#endif
