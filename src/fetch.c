#include "fetch.h"

#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/base64.h"
#include "retry.h"

#define REDIRECTS_MAX 5
/* A token may be refused for a moment while it spreads through the platform. */
#define AUTH_ATTEMPTS 4
/* Broken answers in a row; a cut or garbled one may be the way's fault, five are the platform's. */
#define NONSENSE_ATTEMPTS 5
#define WORDS_SHOWN       200

/* What an answer's status asks of us, whatever the platform. */
enum answer {
    ANSWER_PAGE,
    ANSWER_LATER,     /* the same request may do later */
    ANSWER_LIMIT,     /* too many calls: nobody may call before a moment it names */
    ANSWER_REDIRECT,  /* elsewhere on the same host */
    ANSWER_UNKNOWN,   /* credentials not known; perhaps not yet */
    ANSWER_FORBIDDEN, /* credentials known, and not enough */
    ANSWER_ABSENT,    /* no such app or environment */
    ANSWER_WRONG,     /* the request; with a cursor, that cursor */
};

static enum answer answer_of(int status)
{
    if (status >= 200 && status < 300)
        return ANSWER_PAGE;
    if (status >= 300 && status < 400)
        return ANSWER_REDIRECT;
    switch (status) {
    case 401:
        return ANSWER_UNKNOWN;
    case 403:
        return ANSWER_FORBIDDEN;
    case 404:
        return ANSWER_ABSENT;
    case 408:
    case 425:
        return ANSWER_LATER;
    case 429:
        return ANSWER_LIMIT;
    default:
        return status >= 500 ? ANSWER_LATER : ANSWER_WRONG;
    }
}

/* One page's attempts so far. */
struct attempts {
    struct retry retry;
    int refused, nonsense, redirects;
    struct request request;
};

void fetch_init(struct fetch *f, const struct source_config *source, struct limiter *limiter,
                struct http *http, struct clock *clk)
{
    *f = (struct fetch){ .source = source, .limiter = limiter, .http = http, .clk = clk };
}

/* "GET host/path: 503" in front of what follows. */
static void name_call(const struct attempts *a, struct error *err)
{
    struct buf url = BUF_INIT(ERROR_TEXT_BYTES);
    url_for_show(buf_text(&a->request.url), &url);
    error_within(err, "GET %s", buf_text(&url));
    buf_release(&url);
}

static bool holds(struct bytes words, const char *secret)
{
    return secret && *secret && memmem(words.data, words.len, secret, strlen(secret));
}

/* Whether the platform's words quote a credential of ours, as it is or as it went over the wire. */
static bool hold_secret(struct bytes words, const struct fetch *f, const struct request *r)
{
    const struct pairs *headers = &f->source->peer.headers;
    bool yes = holds(words, r->password) || holds(words, r->bearer);
    for (size_t i = 0; i < headers->count && !yes; i++)
        yes = holds(words, headers->items[i].value);
    if (r->username && !yes) {
        struct buf plain = BUF_INIT(65536), coded = BUF_INIT(131072);
        buf_printf(&plain, "%s:%s", r->username, r->password);
        base64_append(&coded, buf_text(&plain), plain.len);
        yes = holds(words, buf_text(&coded));
        buf_release(&plain);
        buf_release(&coded);
    }
    return yes;
}

/* The platform's own words on a request that it finds wrong: they are about the request, not about
 * a record. */
static void add_words(const struct fetch *f, const struct attempts *a, struct error *err)
{
    struct bytes words = buf_bytes(&f->reply.body);
    char shown[WORDS_SHOWN + 1];
    size_t len = words.len < WORDS_SHOWN ? words.len : WORDS_SHOWN;
    if (len == 0 || hold_secret(words, f, &a->request))
        return;
    for (size_t i = 0; i < len; i++)
        shown[i] = words.data[i] >= ' ' && words.data[i] <= '~' ? words.data[i] : ' ';
    shown[len] = '\0';
    error_set(err, err->kind, "%d: the request is refused; it says: %s", f->reply.status, shown);
}

/* Wait before the next attempt; -1 with `err` as the final word where there is none. */
static int wait_for_retry(struct fetch *f, struct attempts *a, int64_t deadline_mono_ns,
                          struct error *err)
{
    int64_t asked_ns = 0;
    if (f->reply.status == 503)
        retry_after(&f->reply, clock_unix_ns(f->clk), &asked_ns);
    return retry_wait(&a->retry, asked_ns, deadline_mono_ns, ERR_PLATFORM, err);
}

/* What neither a handshake nor a clock can tell of when a call arrived: a part of the period that
 * costs little of the budget, and for short ones enough for a busy machine to take up a request. */
static int64_t arrival_margin(int64_t period_ns)
{
    int64_t part_ns = period_ns / 100;
    int64_t least_ns = period_ns / 20 < 50 * NS_PER_MS ? period_ns / 20 : 50 * NS_PER_MS;
    return part_ns > least_ns ? part_ns : least_ns;
}

/* The platform counts an answered call when it arrives: at the latest when we had the answer, and
 * hardly later than one round trip after it was sent. */
static int64_t arrival_of(const struct fetch *f)
{
    int64_t arrived = f->reply.sent_mono_ns + f->reply.round_trip_ns +
                      arrival_margin(f->source->rate.period_ns);
    return arrived < f->reply.answered_mono_ns ? arrived : f->reply.answered_mono_ns;
}

static void note_on_wire(const struct fetch *f, bool yes)
{
    if (f->on_wire)
        f->on_wire(f->on_wire_arg, yes);
}

static int call(struct fetch *f, struct attempts *a, int64_t deadline_mono_ns, struct error *err)
{
    struct permit permit;
    if (limiter_acquire(f->limiter, f->clk, deadline_mono_ns, &permit, err))
        return -1;
    if (a->retry.count == 0) /* the wait for the first permit is none of its retries' time */
        retry_begin(&a->retry, &f->source->retry, f->clk);
    a->retry.count++;
    a->request.send_before_mono_ns = permit.send_before_mono_ns;
    note_on_wire(f, true);
    int rc = http_send(f->http, &a->request, &f->reply, deadline_mono_ns, err);
    note_on_wire(f, false);
    if (f->reply.sent_mono_ns == 0) {
        limiter_return(f->limiter, &permit);
        return rc;
    }
    f->calls++;
    limiter_done(f->limiter, &permit, rc ? f->reply.answered_mono_ns : arrival_of(f));
    return rc;
}

static int too_many(struct fetch *f, struct attempts *a, int64_t deadline_mono_ns,
                    struct error *err)
{
    int64_t now = clock_mono_ns(f->clk);
    int64_t wait_ns = f->source->stream.type->limits.wait_ns;
    retry_after(&f->reply, clock_unix_ns(f->clk), &wait_ns);
    if (limiter_hold(f->limiter, f->clk, now + wait_ns, err))
        return -1;
    if (now + wait_ns > deadline_mono_ns)
        return error_set(err, ERR_DEADLINE, "429: the next call may begin only past the deadline");
    if (retry_wait_ns(a->retry.config, a->retry.count, now - a->retry.began_mono_ns, wait_ns, 0) <
        0) {
        error_set(err, ERR_PLATFORM, "429 %d times: its budget cannot be had in time",
                  a->retry.count);
        name_call(a, err);
        return -1;
    }
    return 0;
}

static int redirect(struct fetch *f, struct attempts *a, struct error *err)
{
    struct buf next = BUF_INIT(REQUEST_URL_MAX);
    int rc = -1;
    if (++a->redirects > REDIRECTS_MAX || !f->reply.location[0] ||
        !url_resolve(buf_text(&a->request.url), f->reply.location, &next)) {
        error_set(err, ERR_PLATFORM, "%d leads nowhere", f->reply.status);
    } else if (!url_same_origin(buf_text(&a->request.url), buf_text(&next))) {
        error_set(err, ERR_PLATFORM,
                  "%d sends to another host, where no credential of ours may go "
                  "(is endpoint right?)",
                  f->reply.status);
    } else {
        buf_reset(&a->request.url);
        buf_append_bytes(&a->request.url, buf_bytes(&next));
        rc = 0;
    }
    if (rc)
        name_call(a, err);
    buf_release(&next);
    return rc;
}

/* What to do about an answer that is no page: 0: try again. */
static int handle(struct fetch *f, struct attempts *a, int64_t deadline_mono_ns, struct error *err)
{
    int status = f->reply.status;
    switch (answer_of(status)) {
    case ANSWER_LIMIT:
        return too_many(f, a, deadline_mono_ns, err);
    case ANSWER_REDIRECT:
        return redirect(f, a, err);
    case ANSWER_FORBIDDEN:
        error_set(err, ERR_AUTH, "403: the credentials may not read these logs");
        break;
    case ANSWER_ABSENT:
        error_set(err, ERR_CONFIG, "404: no such app or environment for these credentials");
        break;
    case ANSWER_WRONG:
        error_set(err, ERR_INPUT, "%d: the request is refused", status);
        add_words(f, a, err);
        break;
    case ANSWER_UNKNOWN:
        error_set(err, ERR_AUTH, "401: the credentials are refused: expired or wrong");
        if (++a->refused >= AUTH_ATTEMPTS)
            break;
        if (wait_for_retry(f, a, deadline_mono_ns, err)) {
            err->kind = err->kind == ERR_STOPPED ? ERR_STOPPED : ERR_AUTH;
            break;
        }
        return 0;
    case ANSWER_LATER:
    case ANSWER_PAGE: /* not handed in */
        error_set(err, ERR_RETRY, "%d", status);
        name_call(a, err);
        return wait_for_retry(f, a, deadline_mono_ns, err);
    }
    name_call(a, err);
    return -1;
}

/* No answer, or one that makes no sense: 0: try again. */
static int handle_failure(struct fetch *f, struct attempts *a, int64_t deadline_mono_ns,
                          struct error *err)
{
    f->reply.status = 0;
    if (err->kind == ERR_INPUT && ++a->nonsense >= NONSENSE_ATTEMPTS) {
        err->kind = ERR_PLATFORM;
        return error_within(err, "%d answers in a row make no sense", a->nonsense);
    }
    if (err->kind != ERR_RETRY && err->kind != ERR_INPUT)
        return -1;
    return wait_for_retry(f, a, deadline_mono_ns, err);
}

/* One attempt: 0 with `*done` set, or not: then it may be tried again. */
static int attempt(struct fetch *f, struct attempts *a, const struct cursor *at, struct page *out,
                   bool *done, int64_t deadline_mono_ns, struct error *err)
{
    const struct stream *st = &f->source->stream;
    *done = false;
    if (call(f, a, deadline_mono_ns, err))
        return handle_failure(f, a, deadline_mono_ns, err);
    if (answer_of(f->reply.status) != ANSWER_PAGE)
        return handle(f, a, deadline_mono_ns, err);
    page_reset(out);
    if (st->type->decode(st, at, buf_bytes(&f->reply.body), out, err)) {
        name_call(a, err);
        return handle_failure(f, a, deadline_mono_ns, err);
    }
    *done = true;
    return 0;
}

int fetch_page(struct fetch *f, const struct span *span, const struct cursor *at, struct page *out,
               int64_t deadline_mono_ns, struct error *err)
{
    const struct stream *st = &f->source->stream;
    struct attempts a = { .request = REQUEST_INIT };
    struct error why = { 0 };
    bool done = false;
    retry_begin(&a.retry, &f->source->retry, f->clk);
    int rc = st->type->request(st, span, at, &a.request, &why); /* fails: no cursor of ours */
    while (rc == 0 && !done)
        rc = attempt(f, &a, at, out, &done, deadline_mono_ns, &why);
    if (a.retry.count > 1)
        f->retries += a.retry.count - 1;
    if (rc)
        *err = why;
    request_release(&a.request);
    return rc;
}

int fetch_query(const struct source_config *source, const struct span *span, uint64_t *query,
                struct error *err)
{
    const struct stream *st = &source->stream;
    struct request request = REQUEST_INIT;
    struct cursor first = { .text = BUF_INIT(CURSOR_MAX) };
    XXH3_state_t hash;
    int rc = st->type->request(st, span, &first, &request, err);
    XXH3_64bits_reset(&hash);
    XXH3_64bits_update(&hash, buf_text(&request.url), request.url.len);
    /* Of a long list the first request may hold a part. */
    for (size_t i = 0; st->type->fields[i].name; i++) {
        for (size_t j = 0; j < st->settings[i].list_count; j++)
            XXH3_64bits_update(&hash, st->settings[i].list[j], strlen(st->settings[i].list[j]) + 1);
    }
    if (rc == 0)
        *query = XXH3_64bits_digest(&hash);
    request_release(&request);
    return rc;
}

void fetch_release(struct fetch *f)
{
    reply_release(&f->reply);
}
