/* request.h -- what a call is and what came back, as plain data: no handle, no I/O. A source writes
 * a request; http.c carries it out and fills the reply. */
#ifndef OTLPULL_NET_REQUEST_H
#define OTLPULL_NET_REQUEST_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

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
};

struct request {
    struct buf url;           /* absolute; it may hold credentials: never printed whole */
    const char *accept;       /* NULL: anything; borrowed, as all below */
    const char *username;     /* HTTP Basic where set */
    const char *password;     /* borrowed; secret */
    const char *bearer;       /* or a Bearer token; secret */
    struct bytes body;        /* POST where data is set, else GET */
    const char *content_type; /* of the body */
    const char *content_encoding;
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

void request_release(struct request *r);

#define REPLY_HEADER_MAX 256

struct reply {
    int status;                         /* HTTP status */
    struct buf body;                    /* decompressed; at most the peer's max_response_bytes */
    char retry_after[REPLY_HEADER_MAX]; /* headers as sent, "" where absent */
    char ratelimit_reset[REPLY_HEADER_MAX]; /* X-RateLimit-Reset */
    char location[2048];
    char content_type[REPLY_HEADER_MAX]; /* of the body */
    int64_t date_unix_ns; /* Date: the peer's clock, in whole seconds; 0: it told none */
    int64_t
        sent_mono_ns; /* the request set out; 0: not a byte of it did, there was no connection */
    int64_t answered_mono_ns; /* the peer saw it between the two */
    int64_t round_trip_ns;    /* of the connection it went over, as its handshake measured it */
};

void reply_release(struct reply *r);

/* "scheme://host:port/path" of a URL, without user, query and fragment: what may be shown. */
void url_for_show(const char *text, struct buf *out);

/* Whether both have the same scheme, host and port. */
bool url_same_origin(const char *a, const char *b);

/* The absolute form of `location` as seen from `base` (RFC 3986, 5.2); false: not a usable URL. */
bool url_resolve(const char *base, const char *location, struct buf *out);

#endif
