/* web.h -- an HTTP server as plain data: a request in, an answer out, on a thread per connection,
 * so that whoever answers may simply wait. libmicrohttpd stays behind web.c. An answer can also go
 * wrong on purpose: cut short, reset, or never given. */
#ifndef OTLPULL_SIM_WEB_H
#define OTLPULL_SIM_WEB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/error.h"
#include "net/request.h"
#include "stop.h"

struct MHD_Connection;

struct web_request {
    int64_t arrived_unix_ns, arrived_mono_ns; /* when its first line was read */
    const char *method;
    char *target; /* path and query as sent */
    char *path;   /* decoded; "" where it cannot be */
    struct pairs query;
    bool query_bad;  /* wrong percent-encoding, or a NUL in it */
    struct buf body; /* `full`: longer than the server keeps; what came beyond is dropped */
    struct MHD_Connection *connection;
};

enum web_end {
    WEB_WHOLE, /* the answer is sent as it stands */
    WEB_CUT,   /* half of the body is sent, then the connection closed */
    WEB_RESET, /* no answer: the TCP connection is reset */
    WEB_HANG,  /* no answer, until the client goes or the server stops */
};

/* A body that is made while it is sent; `length` -1: not known, sent in chunks. */
struct web_stream {
    ssize_t (*read)(void *state, char *out, size_t max); /* bytes; 0: the end */
    void (*release)(void *state);
    void *state;
    int64_t length;
};

struct web_answer {
    int status;
    struct pairs headers;
    struct buf body;          /* sent unless a stream is set */
    struct web_stream stream; /* where `read` is set */
    enum web_end end;
    int64_t delay_ns; /* before anything is sent */
};

typedef void web_handler(void *self, const struct web_request *rq, struct web_answer *out);

struct web;

/* `stop` ends what its threads wait for. Listen on "HOST:PORT" (port 0: any that is free). Bodies
 * beyond `max_body_bytes` are not kept. */
struct web *web_create(const char *listen_text, size_t max_body_bytes, web_handler *handler,
                       void *self, struct stop *stop, struct error *err);
int web_port(const struct web *web);
void web_destroy(struct web *web); /* after stop_all() */

const char *web_header(const struct web_request *rq, const char *name); /* NULL: absent */

/* Write an answer whose body is a JSON text or a line of it. */
void web_json(struct web_answer *out, int status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* A line to stderr about a request and its answer. */
void web_log(const struct web_request *rq, const struct web_answer *answer);

#endif
