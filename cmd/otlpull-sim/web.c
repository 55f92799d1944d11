#include "web.h"

#include <errno.h>
#include <microhttpd.h>
#include <netdb.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "query.h"

#define MEMORY_PER_CONNECTION                                                                      \
    ((size_t)256 << 10) /* a 64 KiB URL fits, and large pieces of a body */
#define IDLE_SECONDS 300U
#define ANSWER_MAX   ((size_t)1 << 30)

struct web {
    struct MHD_Daemon *daemon;
    web_handler *handler;
    void *self;
    struct stop *stop;
    size_t max_body_bytes;
    int port;
};

/* ---- requests ----------------------------------------------------------------------------------
 */

const char *web_header(const struct web_request *rq, const char *name)
{
    return MHD_lookup_connection_value(rq->connection, MHD_HEADER_KIND, name);
}

/* Called by libmicrohttpd with each request's first line, before anything else of it is looked at.
 */
static void *request_create(void *cls, const char *uri, struct MHD_Connection *connection)
{
    const struct web *web = cls;
    struct web_request *rq = xcalloc(1, sizeof(*rq));
    struct clock clk;
    clock_init_system(&clk, -1);
    rq->arrived_mono_ns = clock_mono_ns(&clk);
    rq->arrived_unix_ns = clock_unix_ns(&clk);
    rq->connection = connection;
    rq->body.max = web->max_body_bytes;
    rq->target = xstrdup(uri ? uri : "");
    size_t path_len = strcspn(rq->target, "?");
    rq->path = query_decode(rq->target, path_len, false);
    if (!rq->path)
        rq->path = xstrdup("");
    if (rq->target[path_len] == '?')
        rq->query_bad = !query_parse(rq->target + path_len + 1, &rq->query);
    return rq;
}

static void request_destroy(void *cls, struct MHD_Connection *connection, void **state,
                            enum MHD_RequestTerminationCode why)
{
    (void)cls;
    (void)connection;
    (void)why;
    struct web_request *rq = *state;
    if (!rq)
        return;
    free(rq->target);
    free(rq->path);
    pairs_release(&rq->query);
    buf_release(&rq->body);
    free(rq);
    *state = NULL;
}

/* ---- answers -----------------------------------------------------------------------------------
 */

void web_json(struct web_answer *out, int status, const char *format, ...)
{
    char *text = NULL;
    va_list args;
    va_start(args, format);
    int len = vasprintf(&text, format, args);
    va_end(args);
    out->status = status;
    buf_reset(&out->body);
    if (len >= 0)
        buf_append(&out->body, text, (size_t)len);
    free(text);
}

void web_log(const struct web_request *rq, const struct web_answer *answer)
{
    static const char *const ends[] = { "", " cut", " reset", " hang" };
    fprintf(stderr, "otlpull-sim: %s %s %d%s %zu bytes\n", rq->method, rq->target, answer->status,
            ends[answer->end], answer->body.len);
}

static void answer_release(struct web_answer *answer)
{
    pairs_release(&answer->headers);
    buf_release(&answer->body);
    if (answer->stream.release)
        answer->stream.release(answer->stream.state);
}

static ssize_t read_stream(void *cls, uint64_t at, char *out, size_t max)
{
    (void)at;
    struct web_stream *stream = cls;
    ssize_t n = stream->read(stream->state, out, max);
    return n > 0 ? n : MHD_CONTENT_READER_END_OF_STREAM;
}

static void release_stream(void *cls)
{
    struct web_stream *stream = cls;
    stream->release(stream->state);
    free(stream);
}

/* Half of a body, and then an error, upon which libmicrohttpd closes the connection. */
static ssize_t read_half(void *cls, uint64_t at, char *out, size_t max)
{
    struct buf *body = cls;
    size_t half = body->len / 2;
    if (at >= half)
        return MHD_CONTENT_READER_END_WITH_ERROR;
    size_t n = half - (size_t)at < max ? half - (size_t)at : max;
    memcpy(out, body->data + at, n);
    return (ssize_t)n;
}

static void release_half(void *cls)
{
    buf_release(cls);
    free(cls);
}

/* The response takes over the answer's body or stream. */
static struct MHD_Response *response_of(struct web_answer *answer)
{
    if (answer->stream.read) {
        struct web_stream *stream = xmalloc(sizeof(*stream));
        *stream = answer->stream;
        answer->stream = (struct web_stream){ 0 };
        uint64_t length = stream->length < 0 ? MHD_SIZE_UNKNOWN : (uint64_t)stream->length;
        return MHD_create_response_from_callback(length, MEMORY_PER_CONNECTION / 2, read_stream,
                                                 stream, release_stream);
    }
    if (answer->end == WEB_CUT) {
        struct buf *body = xmalloc(sizeof(*body));
        *body = answer->body;
        answer->body = (struct buf)BUF_INIT(0);
        return MHD_create_response_from_callback(body->len, MEMORY_PER_CONNECTION / 2, read_half,
                                                 body, release_half);
    }
    struct MHD_Response *response = MHD_create_response_from_buffer(
        answer->body.len, answer->body.data, MHD_RESPMEM_MUST_FREE);
    answer->body = (struct buf)BUF_INIT(0);
    return response;
}

static int socket_of(struct MHD_Connection *connection)
{
    return MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
}

/* Wait for the client to go away. */
static void hang(struct web *web, struct MHD_Connection *connection)
{
    struct pollfd gone = { .fd = socket_of(connection), .events = POLLRDHUP };
    while (stop_wait(web->stop, 20 * NS_PER_MS)) {
        if (poll(&gone, 1, 0) != 0)
            break;
    }
}

static enum MHD_Result answer_send(struct web *web, struct MHD_Connection *connection,
                                   struct web_answer *answer)
{
    if (answer->delay_ns > 0 && !stop_wait(web->stop, answer->delay_ns))
        return MHD_NO;
    if (answer->end == WEB_HANG) {
        hang(web, connection);
        return MHD_NO;
    }
    if (answer->end == WEB_RESET) { /* Linux: dissolving the association sends RST */
        struct sockaddr none = { .sa_family = AF_UNSPEC };
        if (connect(socket_of(connection), &none, sizeof(none)))
            return MHD_NO; /* it is gone already */
        return MHD_NO;
    }
    struct MHD_Response *response = response_of(answer);
    if (!response)
        return MHD_NO;
    for (size_t i = 0; i < answer->headers.count; i++)
        MHD_add_response_header(response, answer->headers.items[i].key,
                                answer->headers.items[i].value);
    enum MHD_Result rc = MHD_queue_response(connection, (unsigned int)answer->status, response);
    MHD_destroy_response(response);
    return rc;
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *upload_data,
                                  size_t *upload_data_size, void **state)
{
    (void)url;
    (void)version;
    struct web *web = cls;
    struct web_request *rq = *state;
    if (!rq)
        return MHD_NO;
    if (!rq->method) { /* the head; the body follows */
        rq->method = method;
        return MHD_YES;
    }
    if (*upload_data_size > 0) {
        buf_append(&rq->body, upload_data, *upload_data_size);
        *upload_data_size = 0;
        return MHD_YES;
    }
    struct web_answer answer = { .status = 200, .body = BUF_INIT(ANSWER_MAX) };
    web->handler(web->self, rq, &answer);
    enum MHD_Result rc = answer_send(web, connection, &answer);
    answer_release(&answer);
    return rc;
}

/* ---- the server --------------------------------------------------------------------------------
 */

static int listen_at(const struct addrinfo *at, int *port)
{
    int one = 1;
    struct sockaddr_storage bound = { 0 };
    socklen_t len = sizeof(bound);
    int fd = socket(at->ai_family, at->ai_socktype | SOCK_CLOEXEC, at->ai_protocol);
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (bind(fd, at->ai_addr, at->ai_addrlen) || listen(fd, 1024) ||
        getsockname(fd, (struct sockaddr *)&bound, &len)) {
        int broke = errno;
        close(fd);
        errno = broke;
        return -1;
    }
    char service[16] = "0";
    getnameinfo((struct sockaddr *)&bound, len, NULL, 0, service, sizeof(service), NI_NUMERICSERV);
    *port = (int)strtol(service, NULL, 10);
    return fd;
}

/* A listening socket for "HOST:PORT" or "[HOST]:PORT". */
static int listen_on(const char *text, int *port, struct error *err)
{
    const char *colon = strrchr(text, ':');
    if (!colon)
        return error_set(err, ERR_USAGE, "%s: not HOST:PORT", text);
    bool bracketed = text[0] == '[' && colon > text + 1 && colon[-1] == ']';
    char *host = xstrndup(text + bracketed, (size_t)(colon - text) - 2 * (size_t)bracketed);
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE };
    struct addrinfo *found = NULL;
    int fd = -1;
    int rc = getaddrinfo(host, colon + 1, &hints, &found);
    if (rc) {
        error_set(err, ERR_USAGE, "%s: %s", text, gai_strerror(rc));
    } else {
        fd = listen_at(found, port);
        if (fd < 0)
            error_set(err, ERR_STATE, "%s: %s", text, strerror(errno));
        freeaddrinfo(found);
    }
    free(host);
    return fd;
}

struct web *web_create(const char *listen_text, size_t max_body_bytes, web_handler *handler,
                       void *self, struct stop *stop, struct error *err)
{
    struct web *web = xcalloc(1, sizeof(*web));
    web->handler = handler;
    web->self = self;
    web->stop = stop;
    web->max_body_bytes = max_body_bytes;
    int fd = listen_on(listen_text, &web->port, err);
    if (fd < 0) {
        free(web);
        return NULL;
    }
    web->daemon = MHD_start_daemon(MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD |
                                       MHD_USE_POLL | MHD_USE_ITC,
                                   0, NULL, NULL, on_request, web, MHD_OPTION_LISTEN_SOCKET, fd,
                                   MHD_OPTION_URI_LOG_CALLBACK, request_create, web,
                                   MHD_OPTION_NOTIFY_COMPLETED, request_destroy, NULL,
                                   MHD_OPTION_CONNECTION_MEMORY_LIMIT, MEMORY_PER_CONNECTION,
                                   MHD_OPTION_CONNECTION_TIMEOUT, IDLE_SECONDS, MHD_OPTION_END);
    if (!web->daemon) {
        error_set(err, ERR_BUG, "%s: the HTTP server does not start", listen_text);
        close(fd);
        free(web);
        return NULL;
    }
    return web;
}

int web_port(const struct web *web)
{
    return web->port;
}

void web_destroy(struct web *web)
{
    if (!web)
        return;
    MHD_stop_daemon(web->daemon);
    free(web);
}
