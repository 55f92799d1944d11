/* request.h -- what a call is and what came back, as plain data: no handle, no I/O. A source writes
 * a request; http.c carries it out and fills the reply. */
#ifndef OTLPULL_NET_REQUEST_H
#define OTLPULL_NET_REQUEST_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

struct http_keep;

#define REQUEST_URL_MAX 65536 /* bytes: 50 site ARIs and a long cursor, encoded, with room */

struct pair {
    char *key, *value;
};

struct pairs {
    struct pair *items; /* owns keys and values */
    size_t count;
};

struct pair *pairs_add(struct pairs *list, const char *key, const char *value); /* copies both */
void pairs_release(struct pairs *list);

struct tls_config {
    const char *ca_file, *cert_file, *key_file; /* NULL: the system's, none, none */
    const char *min_version;                    /* "1.2" or "1.3" */
    bool insecure_skip_verify;
};

/* How to talk to one peer: the same for each request to it. */
struct peer_config {
    int64_t timeout_ns; /* of a whole call; 0: no limit of its own */
    size_t max_response_bytes;
    struct pairs headers;
    struct tls_config tls;
    bool no_proxy;          /* straight to it, whatever http_proxy and the like say */
    struct http_keep *keep; /* http.h: where its connections outlive a run; NULL: they do not */
};

/* Whom a request is signed for, by AWS's Signature Version 4. */
struct signing {
    const char *access_key;
    const char *secret_key, *session_token; /* secret; the token NULL where there is none */
    const char *region, *service;
};

struct request {
    struct buf url;             /* absolute; it may hold credentials: never printed whole */
    const char *shown_as;       /* what messages call it where even its host is secret; or NULL */
    const char *accept;         /* NULL: anything; borrowed, as all below */
    const char *username;       /* HTTP Basic where set */
    const char *password;       /* borrowed; secret */
    const char *bearer;         /* or a Bearer token; secret */
    struct pairs headers;       /* its own, besides the peer's; never shown */
    bool elsewhere;             /* to a host that an answer named: without the peer's headers and
                                   client certificate */
    const struct signing *sign; /* or a signature, of this and all of its headers */
    const char *method;         /* NULL: POST where body.data is set, else GET */
    struct bytes body;          /* sent where data is set; of a signed one, not with GET */
    const char *content_type;   /* of the body */
    const char *content_encoding;
    const char *const *wanted;   /* headers of the answer to keep, by name, up to NULL; or NULL */
    int64_t send_before_mono_ns; /* it must not set out later; 0: whenever */
};

#define REQUEST_INIT                                                                               \
    {                                                                                              \
        .url = BUF_INIT(REQUEST_URL_MAX)                                                           \
    }

/* Append one path segment, percent-encoded (RFC 3986, 2.3: all but unreserved characters). */
void request_path(struct request *r, const char *segment);

/* Append "?key=value", or "&key=value" where a query has begun; the value is percent-encoded. */
void request_query(struct request *r, const char *key, struct bytes value);

/* The same with a time, as RFC 3339 in UTC with three digits of a second. */
void request_query_time(struct request *r, const char *key, int64_t unix_ns);

/* Add a header of its own; copies both. */
void request_header(struct request *r, const char *key, const char *value);

/* As new, memory kept. */
void request_reset(struct request *r);
void request_release(struct request *r);

#define REPLY_HEADER_MAX 256

struct reply {
    int status;                         /* HTTP status */
    struct buf body;                    /* decompressed; at most the peer's max_response_bytes */
    char retry_after[REPLY_HEADER_MAX]; /* headers as sent, "" where absent */
    char ratelimit_reset[REPLY_HEADER_MAX]; /* X-RateLimit-Reset */
    char location[2048];
    char content_type[REPLY_HEADER_MAX]; /* of the body */
    char etag[REPLY_HEADER_MAX];         /* quotes included */
    struct pairs headers;                /* those that the request wanted */
    int64_t date_unix_ns; /* Date: the peer's clock, in whole seconds; 0: it told none */
    int64_t
        sent_mono_ns; /* the request set out; 0: not a byte of it did, there was no connection */
    int64_t answered_mono_ns; /* the peer saw it between the two */
    int64_t round_trip_ns;    /* of the connection it went over, as its handshake measured it */
};

void reply_release(struct reply *r);

/* A header that the request wanted, by its name as the request has it; NULL: the answer has none.
 */
const char *reply_header(const struct reply *r, const char *name);

/* "scheme://host:port/path" of a URL, without user, query and fragment: what may be shown. */
void url_for_show(const char *text, struct buf *out);

/* The same of a request's, or what it is to be called instead. */
void request_for_show(const struct request *r, struct buf *out);

/* Whether both have the same scheme, host and port. */
bool url_same_origin(const char *a, const char *b);

/* The absolute form of `location` as seen from `base` (RFC 3986, 5.2); false: not a usable URL. */
bool url_resolve(const char *base, const char *location, struct buf *out);

#endif
