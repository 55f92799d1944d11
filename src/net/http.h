/* http.h -- the only place that speaks HTTP. One struct http talks to one peer for one thread and
 * keeps its connection; it never retries and never follows a redirect: each call here is one
 * request on the wire, which is what a budget of calls counts. */
#ifndef OTLPULL_NET_HTTP_H
#define OTLPULL_NET_HTTP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/error.h"
#include "net/request.h"

struct http;

struct http_options {
    const struct peer_config *peer; /* borrowed */
    struct clock *clk;              /* borrowed; its stop ends a call early */
    int64_t stop_grace_ns;          /* after a stop, how long a call may still run */
    /* The status alone is the answer: of a 2xx, a body that is cut, late, garbled or over
     * max_response_bytes is kept as far as it came and is no failure. */
    bool status_suffices;
    const char *ca_setting; /* what names the CA file, in messages; NULL: tls.ca_file */
};

/* Once per process, before the first thread. */
int http_global_init(struct error *err);
void http_global_release(void);

struct http *http_create(const struct http_options *options);
void http_destroy(struct http *h);

/* Where connections to one peer outlive the runs that make them, in a process that makes several:
 * with `peer->keep` set, http_destroy() leaves a struct http there, and http_create() takes it up.
 * From any thread. */
struct http_keep *http_keep_create(void);
void http_keep_destroy(struct http_keep *k); /* once nobody uses the peer; NULL is fine */

/* Carry out one request. 0: an HTTP answer came, whatever its status, and `out` is filled (its body
 * is emptied first; release it with reply_release). -1: none came, or not whole:
 *   ERR_RETRY     no connection, reset, cut body, timeout: later may do
 *   ERR_INPUT     a body over max_response_bytes, not HTTP, a certificate that is not trusted
 *   ERR_CONFIG    a TLS file that cannot be used, a URL that is none
 *   ERR_DEADLINE  the deadline came first
 *   ERR_STOPPED   the clock said stop
 * The text names host and path, never query or credentials. */
int http_send(struct http *h, const struct request *request, struct reply *out,
              int64_t deadline_mono_ns, struct error *err);

#endif
