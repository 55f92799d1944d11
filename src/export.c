#include "export.h"

#include <stdlib.h>
#include <string.h>

#include "base/jread.h"
#include "net/compress.h"
#include "retry.h"

/* What an answer means for the body that it answers. */
enum verdict {
    ACCEPTED,
    LATER,    /* the same body may do later */
    TRY_ONCE, /* this body, or a collector that is paused: once more, then as REFUSED */
    REFUSED,  /* this body will never do */
    HALVE,    /* later, and in two halves: it may be larger than the collector's queue */
    GIVEN_UP, /* an error is set */
};

static enum verdict verdict_of(int status)
{
    if (status >= 200 && status < 300)
        return ACCEPTED;
    switch (status) {
    case 429:
    case 502:
    case 503:
    case 504:
        return LATER;
    case 400:
        return TRY_ONCE;
    default:
        return REFUSED;
    }
}

/* Answers that no body will change; the error names the URL, as there the mistake is. */
static bool hopeless(struct export *ex, struct error *err)
{
    int status = ex->reply.status;
    struct buf url = BUF_INIT(ERROR_TEXT_BYTES);
    url_for_show(ex->config->url, &url);
    bool yes = true;
    if (status == 401 || status == 403)
        error_set(err, ERR_AUTH,
                  "POST %s: %d: the collector refuses the credentials "
                  "(exporter.headers, exporter.tls)",
                  buf_text(&url), status);
    else if (status == 404 || status == 405 || status == 415)
        error_set(err, ERR_CONFIG,
                  "POST %s: %d: no OTLP/HTTP logs endpoint is there that takes this "
                  "(exporter.endpoint, exporter.compression)",
                  buf_text(&url), status);
    else if (status >= 300 && status < 400)
        error_set(err, ERR_CONFIG,
                  "POST %s: %d: redirects elsewhere; name that URL itself "
                  "(exporter.endpoint)",
                  buf_text(&url), status);
    else
        yes = false;
    buf_release(&url);
    return yes;
}

static int pack(struct export *ex, struct bytes *body, const char **encoding, struct error *err)
{
    *encoding = NULL;
    if (ex->config->compression == COMPRESSION_NONE)
        return 0;
    ex->packed.max = 2 * body->len + 65536;
    buf_reset(&ex->packed);
    bool gzip = ex->config->compression == COMPRESSION_GZIP;
    if (gzip ? compress_gzip(*body, &ex->packed, err) : compress_zstd(*body, &ex->packed, err))
        return -1;
    *encoding = gzip ? "gzip" : "zstd";
    *body = buf_bytes(&ex->packed);
    return 0;
}

/* `{"partialSuccess":{"rejectedLogRecords":"3"}}`: how many of `count`; what does not read as one
 * is none. */
static int64_t rejected_in(struct bytes answer, size_t count)
{
    struct error ignored;
    int64_t rejected = 0;
    struct json_object *document = answer.len ? jread_parse(answer, &ignored) : NULL;
    jread_int(jread_member(document, "partialSuccess"), "rejectedLogRecords", &rejected);
    jread_release(document);
    if (rejected < 0)
        return 0;
    return rejected < (int64_t)count ? rejected : (int64_t)count;
}

static void accept_range(struct export *ex, struct batch *b, size_t from, size_t to, size_t bytes)
{
    int64_t rejected = rejected_in(buf_bytes(&ex->reply.body), to - from);
    for (size_t i = from; i < to; i++)
        b->items[i].fate = FATE_DELIVERED;
    ex->counts.rejected += rejected;
    ex->counts.accepted += (int64_t)(to - from) - rejected;
    ex->counts.bytes += (int64_t)bytes;
    atomic_store(ex->accepted, true);
    ex->refused_alone = 0;
}

/* One body's attempts so far. */
struct attempts {
    struct retry retry;
    int unavailable;
    bool try_once; /* a 400 may still be a collector that is paused */
};

/* One attempt. LATER and HALVE: with words in `err` on why, and what the collector asked for in
 * `asked_ns`.
 */
static enum verdict attempt(struct export *ex, struct attempts *a, const struct request *request,
                            bool halvable, int64_t *asked_ns, int64_t deadline_mono_ns,
                            struct error *err)
{
    a->retry.count++;
    if (http_send(ex->http, request, &ex->reply, deadline_mono_ns, err)) {
        if (err->kind == ERR_RETRY)
            return LATER;
        if (err->kind == ERR_DEADLINE || err->kind == ERR_INPUT)
            err->kind = ERR_COLLECTOR;
        return GIVEN_UP;
    }
    if (hopeless(ex, err))
        return GIVEN_UP;
    enum verdict verdict = verdict_of(ex->reply.status);
    if (verdict == TRY_ONCE)
        verdict = a->try_once ? LATER : REFUSED;
    if (ex->reply.status == 400)
        a->try_once = false;
    if (verdict != LATER)
        return verdict;
    a->unavailable += ex->reply.status == 503;
    retry_after(&ex->reply, clock_unix_ns(ex->clk), asked_ns);
    struct buf url = BUF_INIT(ERROR_TEXT_BYTES);
    url_for_show(ex->config->url, &url);
    error_set(err, ERR_RETRY, "POST %s: %d", buf_text(&url), ex->reply.status);
    buf_release(&url);
    return a->unavailable > 1 && halvable ? HALVE : LATER;
}

/* Send one body until there is a verdict on it that time will not change. */
static enum verdict send_body(struct export *ex, struct bytes body, bool halvable, bool try_once,
                              int64_t deadline_mono_ns, struct error *err)
{
    struct request request = REQUEST_INIT;
    struct attempts a = { .try_once = try_once };
    struct error why = { 0 };
    enum verdict verdict = GIVEN_UP;

    retry_begin(&a.retry, &ex->config->retry, ex->clk);
    buf_append_text(&request.url, ex->config->url);
    request.content_type = "application/json";
    request.body = body;
    if (pack(ex, &request.body, &request.content_encoding, &why))
        goto out;
    do {
        int64_t asked_ns = 0;
        verdict = attempt(ex, &a, &request, halvable, &asked_ns, deadline_mono_ns, &why);
        if ((verdict == LATER || verdict == HALVE) &&
            retry_wait(&a.retry, asked_ns, deadline_mono_ns, ERR_COLLECTOR, &why))
            verdict = GIVEN_UP;
    } while (verdict == LATER);
out:
    if (a.retry.count > 1)
        ex->counts.retries += a.retry.count - 1;
    if (verdict == GIVEN_UP)
        *err = why;
    request_release(&request);
    return verdict;
}

/* A record refused alone. While nothing at all was accepted it may be the collector's fault. */
static int note_refusal(struct export *ex, struct batch *b, size_t index, struct error *err)
{
    if (!atomic_load(ex->accepted) && ++ex->refused_alone >= REFUSALS_BEFORE_ACCEPTANCE)
        return error_set(err, ERR_COLLECTOR,
                         "the collector refuses everything (%d): %zu records one by one, and it "
                         "accepted none: see its own log",
                         ex->reply.status, ex->refused_alone);
    if (ex->refusal_count == ex->refusal_capacity) {
        ex->refusal_capacity = ex->refusal_capacity ? 2 * ex->refusal_capacity : 16;
        ex->refusals = xreallocarray(ex->refusals, ex->refusal_capacity, sizeof(*ex->refusals));
    }
    struct refusal *r = &ex->refusals[ex->refusal_count++];
    struct bytes words = buf_bytes(&ex->reply.body);
    size_t len = words.len < sizeof(r->words) ? words.len : sizeof(r->words) - 1;
    *r = (struct refusal){ .index = index, .status = ex->reply.status };
    memcpy(r->words, words.data, len);
    b->items[index].fate = FATE_REFUSED;
    return 0;
}

/* Deliver the records [from, to). `known_bad`: that they will not pass as a whole is known already.
 * Recursion is as deep as the batch can be halved. */
static int deliver(struct export *ex, struct batch *b, size_t from, size_t to, bool known_bad,
                   bool halvable, bool try_once, int64_t deadline_mono_ns, struct error *err)
{
    enum verdict verdict = REFUSED;
    if (!known_bad || to - from == 1) {
        struct bytes body = batch_body(b, from, to, &ex->scratch);
        verdict = send_body(ex, body, halvable && to - from > 1, try_once, deadline_mono_ns, err);
        if (verdict == GIVEN_UP)
            return -1;
        if (verdict == ACCEPTED) {
            size_t bytes = ex->config->compression ? ex->packed.len : body.len;
            accept_range(ex, b, from, to, bytes);
            return 0;
        }
        if (to - from == 1)
            return note_refusal(ex, b, from, err);
    }
    /* In two halves. If all of a refused body's first half passes, the fault is in its second. */
    size_t middle = from + (to - from) / 2;
    size_t refused_before = ex->refusal_count;
    bool halve_once = verdict == HALVE;
    if (deliver(ex, b, from, middle, false, halvable && !halve_once, halve_once, deadline_mono_ns,
                err))
        return -1;
    bool second_bad = !halve_once && ex->refusal_count == refused_before;
    return deliver(ex, b, middle, to, second_bad, halvable && !halve_once, halve_once,
                   deadline_mono_ns, err);
}

void export_init(struct export *ex, const struct exporter_config *config, struct http *http,
                 struct clock *clk, atomic_bool *accepted)
{
    *ex = (struct export){ .config = config, .http = http, .clk = clk, .accepted = accepted };
}

int export_batch(struct export *ex, struct batch *b, int64_t deadline_mono_ns, struct error *err)
{
    ex->refusal_count = 0;
    if (b->count == 0)
        return 0;
    return deliver(ex, b, 0, b->count, false, true, true, deadline_mono_ns, err);
}

void export_release(struct export *ex)
{
    buf_release(&ex->scratch);
    buf_release(&ex->packed);
    reply_release(&ex->reply);
    free(ex->refusals);
    ex->refusals = NULL;
}
