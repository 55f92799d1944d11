/* s3_document.h -- one document of the store in S3, as this process last saw it: what its next
 * writing is conditional on, and the lease that stands behind it. */
#ifndef OTLPULL_STATE_S3_DOCUMENT_H
#define OTLPULL_STATE_S3_DOCUMENT_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "state/s3_lease.h"
#include "state/s3_object.h"
#include "state/store.h"

struct s3_store;

struct s3_document {
    struct s3_document *next;
    char *name;
    pthread_mutex_t mutex;  /* for all below, and held while a call is under way */
    char etag[S3_ETAG_MAX]; /* as it is there; "": there is none */
    uint64_t seen;          /* how often we saw it change; 0: never looked */
    struct buf content;     /* without the lease */
    bool known;             /* the content is that of `etag`: good for one reading */
    struct s3_lease lease;  /* of another, as last read; by "" where there was none */
    bool held;              /* by us: what is above stays true unless the lease is lost */
    bool lost;
    bool unsure; /* the last writing failed, and may have been carried out yet */
    int64_t renew_mono_ns;
};

struct s3_store {
    struct store store; /* first, so that one is the other */
    struct s3_bucket bucket;
    struct clock *clk;   /* borrowed */
    struct error broken; /* why nothing can be read, if so */
    char by[S3_LEASE_BY_MAX];
    pthread_mutex_t mutex; /* for all below */
    struct s3_document *documents;
    int64_t date_unix_ns, date_mono_ns; /* the store's clock, as it last told it, and when */
    bool renewing;
    pthread_t renewer;
    struct clock_child renewer_clk;
};

struct s3_document *s3_document_find(struct s3_store *s, const char *name);

/* Read it from the bucket. ERR_STATE, ERR_AUTH, ERR_CONFIG, ERR_STOPPED. */
int s3_document_load(struct s3_store *s, struct s3_document *d, struct error *err);

/* Where the last writing is unsure, and the document is held: read what came of it. */
int s3_document_settle(struct s3_store *s, struct s3_document *d, struct error *err);

/* Put a content in the place of what was last seen, with or without a lease of ours. A writing
 * whose answer was lost is known again. ERR_LOCKED: another was faster, and what he wrote is known
 * now; or as above. */
int s3_document_write(struct s3_store *s, struct s3_document *d, struct bytes content, bool lease,
                      struct error *err);

/* The store's time now. */
int64_t s3_store_unix_ns(struct s3_store *s);

/* Keep the leases that are held from running out, until s3_store_close(). ERR_STATE. */
int s3_renewer_start(struct s3_store *s, struct error *err);
void s3_renewer_end(struct s3_store *s);

#endif
