/* aws.h -- calls to AWS, and to what speaks like it: signed, with credentials found where AWS's own
 * programs look for them, asked again where that may help. Safe to use from several threads.
 *
 * Neither a credential nor a signature gets into an error's words: of an answer that refuses one,
 * which may quote both, only the name of the error is repeated. */
#ifndef OTLPULL_AWS_AWS_H
#define OTLPULL_AWS_AWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/error.h"
#include "net/request.h"

struct aws;

struct aws_options {
    struct clock *clk; /* borrowed; its stop ends a call early, and a wait between two at once */
    const char *(*getenv)(void *self, const char *name); /* asked by aws_create() alone */
    void *self;
    int64_t stop_grace_ns;    /* after a stop, how long one attempt may still run */
    enum error_kind given_up; /* what the end of all retries is to the caller: ERR_STATE, ... */
};

/* The value of a variable; NULL where it is unset or empty. */
static inline const char *aws_variable(const struct aws_options *options, const char *name)
{
    const char *value = options->getenv(options->self, name);
    return value && *value ? value : NULL;
}

/* http_global_init() comes first. NULL with ERR_CONFIG: no region (AWS_REGION, AWS_DEFAULT_REGION),
 * or a variable that makes no sense. Makes no call. */
struct aws *aws_create(const struct aws_options *options, struct error *err);
void aws_destroy(struct aws *a); /* NULL is fine */

const char *aws_region(const struct aws *a);

enum aws_service { AWS_S3, AWS_SECRETS_MANAGER, AWS_SSM, AWS_STS };

/* Append where a service is: AWS_ENDPOINT_URL_S3 (_SECRETS_MANAGER, _SSM, _STS), AWS_ENDPOINT_URL,
 * or its place at AWS. No slash at the end. */
void aws_endpoint(const struct aws *a, enum aws_service service, struct buf *out);

#define AWS_HEADERS_MAX 4

/* All borrowed, NULL where there is none. */
struct aws_request {
    enum aws_service service;
    const char *method; /* GET, PUT, POST, DELETE */
    /* From the endpoint on: "/bucket/key", as it goes over the wire. The path is signed as written:
     * of [A-Za-z0-9._~/-] alone. So is the query: sorted by name, RFC 3986-encoded with upper-case
     * hex, "k=" for an empty value, no question mark. */
    const char *path, *query;
    struct {
        const char *name,
            *value;             /* If-Match, X-Amz-Target; not Content-Type; never an empty value */
    } headers[AWS_HEADERS_MAX]; /* ends before the first without a name */
    const char *content_type;   /* of the body; needed where there is one */
    struct bytes body;          /* `data` NULL: none; sent with GET never */
};

#define AWS_CODE_MAX 80

struct aws_answer {
    struct reply reply;      /* status, body, etag, ...; of the last attempt */
    char code[AWS_CODE_MAX]; /* the name of its error: "NoSuchKey"; "" where it tells none */
};

/* One call: at most a few attempts, with pauses, on no answer, 5xx and throttling; one more with
 * fresh credentials where they had expired. 0: an answer for the caller to judge: 2xx, 304, 404,
 * 409, 412 and any other 4xx that does not speak of credentials or the region. -1:
 *   ERR_AUTH      credentials were refused: 401, 403, ExpiredToken, ...
 *   ERR_CONFIG    no credentials were found; another region, which it names; a redirect; a URL or
 *                 CA file that is not usable
 *   `given_up`    no answer, 5xx or throttling past the retries
 *   ERR_DEADLINE  the deadline came first
 *   ERR_STOPPED   the clock said stop
 * `out` is emptied first and holds what is known in either case; release it with
 * aws_answer_release(). */
int aws_call(struct aws *a, const struct aws_request *request, struct aws_answer *out,
             int64_t deadline_mono_ns, struct error *err);

/* For an answer of aws_call() that the caller has no rule for: "SERVICE: 400 ValidationException",
 * as an error of `kind`. Returns -1. */
int aws_unexpected(const struct aws_answer *answer, enum error_kind kind, struct error *err);

void aws_answer_release(struct aws_answer *answer);

#endif
