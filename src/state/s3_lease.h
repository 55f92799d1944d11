/* s3_lease.h -- who works with a document in S3, and until when: a line behind the document, in the
 * same object. So it is taken, renewed and let go by the conditional PUT that any writing is, and a
 * run that lost it cannot write any more: taking it over has changed the ETag. An object of its own
 * would leave a moment in which two runs may write, and cost a run a request more. */
#ifndef OTLPULL_STATE_S3_LEASE_H
#define OTLPULL_STATE_S3_LEASE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/timefmt.h"

/* How long one lasts. It is renewed while its run lives, so this is how long a dead one's stays. */
#define S3_LEASE_NS (60 * NS_PER_S)

#define S3_LEASE_BY_MAX 128

struct s3_lease {
    char by[S3_LEASE_BY_MAX]; /* one run among all; of [A-Za-z0-9._:-] */
    int64_t until_unix_ns;    /* by the store's clock */
};

/* A name that no other run has: of the machine, the process, and by chance. */
void s3_lease_name(char out[S3_LEASE_BY_MAX]);

void s3_lease_write(const struct s3_lease *lease, struct buf *out);

/* Divide an object into the document and the lease behind it. False: there is none, and the whole
 * of it is the document. */
bool s3_lease_split(struct bytes object, struct bytes *document, struct s3_lease *out);

/* Whether it keeps others away at this time of the store's clock. One that ends later than any run
 * could have written was written by a clock that has since been set back. */
bool s3_lease_holds(const struct s3_lease *lease, int64_t now_unix_ns);

#endif
