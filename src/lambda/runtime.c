#include "lambda/runtime.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/jread.h"
#include "net/http.h"

#define VERSION_PATH "/2018-06-01/runtime/"
/* An event is at most 6 MiB (invoked synchronously). */
#define EVENT_BYTES_MAX   ((size_t)8 << 20)
#define MESSAGE_BYTES_MAX ((size_t)256 << 10)
/* To post what came of an invocation: the API is this machine's own. */
#define POST_NS       (10 * NS_PER_S)
#define STOP_GRACE_NS (1 * NS_PER_S)
/* No invocation takes longer, so that a deadline so far away is none. */
#define INVOCATION_MOST_NS (900 * NS_PER_S)

#define REQUEST_ID "Lambda-Runtime-Aws-Request-Id"
#define DEADLINE   "Lambda-Runtime-Deadline-Ms"
#define TRACE_ID   "Lambda-Runtime-Trace-Id"
#define ERROR_TYPE "Lambda-Runtime-Function-Error-Type"

struct runtime {
    struct clock *clk;
    struct peer_config peer;
    struct http *waiting, *posting; /* what waits may be stopped at once */
    struct reply event, taken;
    char *base;
};

struct runtime *runtime_create(const char *api, struct clock *clk)
{
    struct runtime *r = xcalloc(1, sizeof(*r));
    struct buf base = BUF_INIT(REQUEST_URL_MAX);
    r->clk = clk;
    r->peer = (struct peer_config){ .max_response_bytes = EVENT_BYTES_MAX, .no_proxy = true };
    r->waiting = http_create(&(struct http_options){ .peer = &r->peer, .clk = clk });
    r->posting = http_create(&(struct http_options){
        .peer = &r->peer, .clk = clk, .stop_grace_ns = STOP_GRACE_NS, .status_suffices = true });
    buf_printf(&base, "http://%s" VERSION_PATH, api);
    r->base = xstrdup(buf_text(&base));
    buf_release(&base);
    return r;
}

void runtime_destroy(struct runtime *r)
{
    if (!r)
        return;
    http_destroy(r->waiting);
    http_destroy(r->posting);
    reply_release(&r->event);
    reply_release(&r->taken);
    free(r->base);
    free(r);
}

/* What its answer means where it is not the one that was asked for. */
static int refused(const struct request *request, const struct reply *reply, enum error_kind kind,
                   struct error *err)
{
    struct buf url = BUF_INIT(ERROR_TEXT_BYTES);
    url_for_show(buf_text(&request->url), &url);
    error_set(err, kind, "the Runtime API answers %d to %s", reply->status, buf_text(&url));
    buf_release(&url);
    return -1;
}

/* Unix milliseconds as a header has them; 0 for what can be no invocation's deadline. */
static int64_t read_deadline(const char *text, int64_t now_unix_ns)
{
    char *end;
    if (!text || *text < '0' || *text > '9')
        return 0;
    errno = 0;
    long long ms = strtoll(text, &end, 10);
    if (errno || *end || ms > INT64_MAX / NS_PER_MS)
        return 0;
    int64_t left_ns = ms * NS_PER_MS - now_unix_ns;
    bool possible = left_ns < 2 * INVOCATION_MOST_NS && left_ns > -INVOCATION_MOST_NS;
    return possible ? ms * NS_PER_MS : 0;
}

int runtime_next(struct runtime *r, struct invocation *out, struct error *err)
{
    static const char *const wanted[] = { REQUEST_ID, DEADLINE, TRACE_ID, NULL };
    struct request request = REQUEST_INIT;
    struct error first = { 0 };
    request.wanted = wanted;
    buf_append_text(&request.url, r->base);
    buf_append_text(&request.url, "invocation/next");
    int rc = http_send(r->waiting, &request, &r->event, TIME_FOREVER, &first);
    if (rc && first.kind == ERR_RETRY) /* a kept connection that broke: by another one */
        rc = http_send(r->waiting, &request, &r->event, TIME_FOREVER, &first);
    if (rc)
        error_set(err, first.kind == ERR_STOPPED ? ERR_STOPPED : ERR_PLATFORM,
                  "the Runtime API: %s", first.text);
    else if (r->event.status != 200)
        rc = refused(&request, &r->event, ERR_PLATFORM, err);
    else if (!reply_header(&r->event, REQUEST_ID))
        rc = error_set(err, ERR_PLATFORM,
                       "the Runtime API gives an invocation without " REQUEST_ID
                       ": it cannot be answered");
    request_release(&request);
    if (rc)
        return -1;
    *out = (struct invocation){ .request_id = reply_header(&r->event, REQUEST_ID),
                                .trace_id = reply_header(&r->event, TRACE_ID),
                                .deadline_unix_ns = read_deadline(reply_header(&r->event, DEADLINE),
                                                                  clock_unix_ns(r->clk)),
                                .event = buf_bytes(&r->event.body) };
    return 0;
}

static int post(struct runtime *r, struct request *request, struct error *err)
{
    int64_t until = time_add(clock_mono_ns(r->clk), POST_NS);
    struct error first = { 0 };
    request->content_type = "application/json";
    int rc = http_send(r->posting, request, &r->taken, until, &first);
    if (rc && first.kind == ERR_RETRY)
        rc = http_send(r->posting, request, &r->taken, until, &first);
    if (rc)
        return error_set(err, first.kind == ERR_STOPPED ? ERR_STOPPED : ERR_PLATFORM,
                         "the Runtime API: %s", first.text);
    if (r->taken.status >= 200 && r->taken.status < 300)
        return 0;
    bool broken = r->taken.status >= 500;
    return refused(request, &r->taken, broken ? ERR_PLATFORM : ERR_INPUT, err);
}

static void post_to(struct request *request, const struct runtime *r, const struct invocation *inv,
                    const char *what)
{
    buf_append_text(&request->url, r->base);
    buf_append_text(&request->url, inv ? "invocation" : "init");
    if (inv)
        request_path(request, inv->request_id);
    buf_append_text(&request->url, what);
}

int runtime_answer(struct runtime *r, const struct invocation *inv, struct bytes json,
                   struct error *err)
{
    struct request request = REQUEST_INIT;
    post_to(&request, r, inv, "/response");
    request.body = json;
    int rc = post(r, &request, err);
    request_release(&request);
    return rc;
}

static int post_error(struct runtime *r, const struct invocation *inv, const char *type,
                      const char *message, struct error *err)
{
    struct request request = REQUEST_INIT;
    struct buf body = BUF_INIT(MESSAGE_BYTES_MAX);
    buf_append_text(&body, "{\"errorMessage\":");
    jread_quote(&body, message);
    buf_append_text(&body, ",\"errorType\":");
    jread_quote(&body, type);
    buf_append_text(&body, ",\"stackTrace\":[]}");
    post_to(&request, r, inv, "/error");
    request_header(&request, ERROR_TYPE, type);
    request.body = buf_bytes(&body);
    int rc = body.full ? error_set(err, ERR_INPUT, "an error's words are over %zu bytes", body.max)
                       : post(r, &request, err);
    buf_release(&body);
    request_release(&request);
    return rc;
}

int runtime_fail(struct runtime *r, const struct invocation *inv, const char *type,
                 const char *message, struct error *err)
{
    return post_error(r, inv, type, message, err);
}

int runtime_fail_init(struct runtime *r, const char *type, const char *message, struct error *err)
{
    return post_error(r, NULL, type, message, err);
}
