#include "export.h"

#include <stdlib.h>

#include "net/compress.h"
#include "retry.h"

/* Records on their way in one body, and what it, or what it is a half of, was answered so far. */
struct part {
    size_t from, to;
    bool known_bad; /* they will not pass together: only in halves */
    bool had_400;   /* once it may be a collector that is paused; then it is these records */
    int had_503;    /* at the second in halves: they may be more than the collector's queue holds */
};

/* What an answer means for the body that it answers. */
enum verdict {
    ACCEPTED,
    LATER,       /* the same body may do later */
    HALVE_LATER, /* each half of it may do later */
    HALVE,       /* each half of it may do */
    REFUSED,     /* this body will never do, for a record in it */
    UNFIT,       /* the same, and nobody was asked */
    GIVEN_UP,    /* an error is set */
};

static enum verdict verdict_of(int status, struct part *part)
{
    bool many = part->to - part->from > 1;
    if (status >= 200 && status < 300)
        return ACCEPTED;
    switch (status) {
    case 400:
        if (part->had_400)
            return REFUSED;
        part->had_400 = true;
        return many ? HALVE_LATER : LATER;
    case 413:
        return many ? HALVE : REFUSED;
    case 503:
        part->had_503++;
        return many && part->had_503 == 2 ? HALVE_LATER : LATER;
    case 429:
    case 502:
    case 504:
        return LATER;
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
                  "(exporter.endpoint, exporter.encoding, exporter.compression)",
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

/* Turn a body into what goes over the wire. False: there is a record in it that the encoding cannot
 * hold, of which a receiver would say what is then in the reply. */
static bool encode(struct export *ex, struct bytes *body)
{
    struct error why = { 0 };
    if (wire_encode(&ex->wire, ex->config->encoding, body, &why) == 0)
        return true;
    struct buf words = ex->reply.body;
    ex->reply = (struct reply){ .body = words, .status = 400 };
    buf_reset(&ex->reply.body);
    ex->reply.body.max = ERROR_TEXT_BYTES;
    buf_append_text(&ex->reply.body, why.text);
    return false;
}

static void accept_part(struct export *ex, struct batch *b, const struct part *part)
{
    size_t count = part->to - part->from;
    int64_t rejected = wire_rejected(&ex->reply, count);
    for (size_t i = part->from; i < part->to; i++)
        b->items[i].fate = FATE_DELIVERED;
    ex->counts.rejected += rejected;
    ex->counts.accepted += (int64_t)count - rejected;
    ex->counts.bytes += (int64_t)ex->sent_bytes;
    atomic_store(ex->accepted, true);
    ex->refused_alone = 0;
}

/* One attempt. LATER and HALVE_LATER: with words in `err` on why, and what the collector asked for
 * in `asked_ns`. */
static enum verdict attempt(struct export *ex, const struct request *request, struct part *part,
                            int64_t *asked_ns, int64_t deadline_mono_ns, struct error *err)
{
    if (clock_stopped(ex->clk)) { /* one that is under way may end, but there may be many to come */
        error_set(err, ERR_STOPPED, "stopped");
        return GIVEN_UP;
    }
    if (http_send(ex->http, request, &ex->reply, deadline_mono_ns, err)) {
        if (err->kind == ERR_RETRY)
            return LATER;
        if (err->kind == ERR_DEADLINE || err->kind == ERR_INPUT)
            err->kind = ERR_COLLECTOR;
        return GIVEN_UP;
    }
    if (hopeless(ex, err))
        return GIVEN_UP;
    enum verdict verdict = verdict_of(ex->reply.status, part);
    if (verdict != LATER && verdict != HALVE_LATER)
        return verdict;
    retry_after(&ex->reply, clock_unix_ns(ex->clk), asked_ns);
    struct buf url = BUF_INIT(ERROR_TEXT_BYTES);
    url_for_show(ex->config->url, &url);
    error_set(err, ERR_RETRY, "POST %s: %d", buf_text(&url), ex->reply.status);
    buf_release(&url);
    return verdict;
}

/* Send one body until there is a verdict on it that time will not change. */
static enum verdict send_body(struct export *ex, struct bytes body, struct part *part,
                              int64_t deadline_mono_ns, struct error *err)
{
    struct request request = REQUEST_INIT;
    struct retry retry;
    struct error why = { 0 };
    enum verdict verdict = GIVEN_UP;

    retry_begin(&retry, &ex->config->retry, ex->clk);
    buf_append_text(&request.url, ex->config->url);
    request.content_type = wire_content_type(ex->config->encoding);
    request.body = body;
    if (!encode(ex, &request.body)) {
        verdict = UNFIT;
        goto out;
    }
    if (pack(ex, &request.body, &request.content_encoding, &why))
        goto out;
    ex->sent_bytes = request.body.len;
    do {
        int64_t asked_ns = 0;
        retry.count++;
        verdict = attempt(ex, &request, part, &asked_ns, deadline_mono_ns, &why);
        if (verdict != LATER && verdict != HALVE_LATER)
            break;
        if (retry_wait(&retry, asked_ns, deadline_mono_ns, ERR_COLLECTOR, &why))
            verdict = GIVEN_UP;
        else
            ex->counts.retries++;
    } while (verdict == LATER);
out:
    if (verdict == GIVEN_UP)
        *err = why;
    request_release(&request);
    return verdict;
}

/* A record refused alone. While nothing at all was accepted it may be the collector's fault, where
 * it was `asked`. */
static int note_refusal(struct export *ex, struct batch *b, size_t index, bool asked,
                        struct error *err)
{
    if (asked && !atomic_load(ex->accepted) && ++ex->refused_alone >= REFUSALS_BEFORE_ACCEPTANCE)
        return error_set(err, ERR_COLLECTOR,
                         "the collector refuses everything (%d): %zu records one by one, and it "
                         "accepted none: see its own log",
                         ex->reply.status, ex->refused_alone);
    if (ex->refusal_count == ex->refusal_capacity) {
        ex->refusal_capacity = ex->refusal_capacity ? 2 * ex->refusal_capacity : 16;
        ex->refusals = xreallocarray(ex->refusals, ex->refusal_capacity, sizeof(*ex->refusals));
    }
    struct refusal *r = &ex->refusals[ex->refusal_count++];
    *r = (struct refusal){ .index = index, .status = ex->reply.status, .unsent = !asked };
    wire_words(&ex->reply, r->words, sizeof(r->words));
    b->items[index].fate = FATE_REFUSED;
    return 0;
}

/* Deliver the records of a part. Recursion is as deep as the batch can be halved. */
static int deliver(struct export *ex, struct batch *b, struct part part, int64_t deadline_mono_ns,
                   struct error *err)
{
    enum verdict verdict = REFUSED;
    bool alone = part.to - part.from == 1;
    if (!part.known_bad || alone) {
        struct bytes body = batch_body(b, part.from, part.to, &ex->scratch);
        verdict = send_body(ex, body, &part, deadline_mono_ns, err);
        if (verdict == GIVEN_UP)
            return -1;
        if (verdict == ACCEPTED) {
            accept_part(ex, b, &part);
            return 0;
        }
        if (alone)
            return note_refusal(ex, b, part.from, verdict == REFUSED, err);
    }
    struct part first = part, second = part;
    size_t refused_before = ex->refusal_count;
    first.to = second.from = part.from + (part.to - part.from) / 2;
    first.known_bad = false;
    if (deliver(ex, b, first, deadline_mono_ns, err))
        return -1;
    /* If all of a refused body's first half passes, the fault is in its second. */
    second.known_bad = verdict == REFUSED && ex->refusal_count == refused_before;
    return deliver(ex, b, second, deadline_mono_ns, err);
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
    return deliver(ex, b, (struct part){ .to = b->count }, deadline_mono_ns, err);
}

void export_release(struct export *ex)
{
    buf_release(&ex->scratch);
    buf_release(&ex->packed);
    wire_release(&ex->wire);
    reply_release(&ex->reply);
    free(ex->refusals);
    ex->refusals = NULL;
}
