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
/* A part of a secret that is so long is one itself; and so much of it tells it. */
#define SECRET_LEAST   8
#define SECRET_SHOWN   12
#define SESSION_MAX    ((size_t)1 << 20)
#define SESSION_PIECES 64

/* The keys of the configuration that may be to blame: the credentials, or what names the app. */
static void blame(const struct stream *st, bool credentials, struct error *err)
{
    struct buf keys = BUF_INIT(ERROR_TEXT_BYTES);
    const struct source *type = st->type;
    char words[ERROR_TEXT_BYTES];
    for (int i = 0; type->fields[i].name; i++) {
        const struct field *f = &type->fields[i];
        bool names = i == type->budget || f->resource || f->identity;
        if (st->settings[i].text && (credentials ? f->secret : names))
            buf_printf(&keys, "%s%s", keys.len ? ", " : "", f->name);
    }
    memcpy(words, err->text, sizeof(words));
    if (keys.len > 0)
        error_set(err, err->kind, "%s (%s)", words, buf_text(&keys));
    buf_release(&keys);
}

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
    case 402: /* not paid for */
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

/* The attempts so far at one answer: a page, or a piece of the session. */
struct attempts {
    struct retry retry;
    int refused, nonsense, redirects;
    struct request request;
    struct ask ask;
    struct buf session; /* as it was when the request was written: what ask.session is */
    struct buf *piece;  /* of a piece of the session: where it goes, ... */
    struct page *page;  /* ... of a page: where that does; the other is NULL */
    bool written;       /* the request is */
    bool renewed;       /* the session was had anew for it */
    bool done;
};

void session_init(struct session *s)
{
    *s = (struct session){ .text = BUF_INIT(SESSION_MAX) };
    pthread_mutex_init(&s->mutex, NULL);
}

void session_release(struct session *s)
{
    buf_release(&s->text);
    pthread_mutex_destroy(&s->mutex);
}

void fetch_init(struct fetch *f, const struct source_config *source, struct session *session,
                struct limiter *limiter, struct http *http, struct clock *clk)
{
    *f = (struct fetch){
        .source = source, .session = session, .limiter = limiter, .http = http, .clk = clk
    };
}

/* "GET host/path: 503" in front of what follows. */
static void name_call(const struct attempts *a, struct error *err)
{
    struct buf url = BUF_INIT(ERROR_TEXT_BYTES);
    request_for_show(&a->request, &url);
    error_within(err, "%s %s", a->request.body.data ? "POST" : "GET", buf_text(&url));
    buf_release(&url);
}

/* Whether words quote a secret, or a part of one that is several, or the beginning of either: what
 * a platform quotes it may shorten. */
static bool holds(struct bytes words, const char *secret)
{
    static const char between[] = " ,;";
    for (const char *at = secret ? secret : ""; *at;) {
        size_t len = strcspn(at, between), shown = len < SECRET_SHOWN ? len : SECRET_SHOWN;
        if (len >= SECRET_LEAST && memmem(words.data, words.len, at, shown))
            return true;
        at += len + strspn(at + len, between);
    }
    return secret && *secret && memmem(words.data, words.len, secret, strlen(secret));
}

static bool hold_header(struct bytes words, const struct pairs *headers)
{
    for (size_t i = 0; i < headers->count; i++) {
        if (holds(words, headers->items[i].value))
            return true;
    }
    return false;
}

/* Whether the platform's words quote a credential of ours, as it is or as it went over the wire; or
 * may: those with a session, or a URL that is one. */
static bool hold_secret(struct bytes words, const struct fetch *f, const struct attempts *a)
{
    const struct request *r = &a->request;
    const struct stream *st = &f->source->stream;
    bool yes = holds(words, r->password) || holds(words, r->bearer) || r->shown_as ||
               a->session.len > 0 || a->piece;
    for (size_t i = 0; st->type->fields[i].name; i++)
        yes = yes || (st->type->fields[i].secret && holds(words, st->settings[i].text));
    yes = yes || hold_header(words, &f->source->peer.headers) || hold_header(words, &r->headers);
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
    if (len == 0 || hold_secret(words, f, a))
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

/* Where a page was refused, its session may have ended before its time: once it is had anew. */
static bool renew_session(struct fetch *f, struct attempts *a)
{
    if (a->piece || a->session.len == 0 || a->renewed)
        return false;
    pthread_mutex_lock(&f->session->mutex);
    if (bytes_equal(buf_bytes(&f->session->text), buf_bytes(&a->session)))
        buf_reset(&f->session->text);
    pthread_mutex_unlock(&f->session->mutex);
    a->renewed = true;
    a->written = false;
    return true;
}

/* What to do about an answer that is no page: 0: try again. */
static int handle(struct fetch *f, struct attempts *a, int64_t deadline_mono_ns, struct error *err)
{
    int status = f->reply.status;
    enum answer answer = answer_of(status);
    if ((answer == ANSWER_UNKNOWN || answer == ANSWER_FORBIDDEN) && renew_session(f, a))
        return 0;
    switch (answer) {
    case ANSWER_LIMIT:
        return too_many(f, a, deadline_mono_ns, err);
    case ANSWER_REDIRECT:
        return redirect(f, a, err);
    case ANSWER_FORBIDDEN:
        error_set(err, ERR_AUTH, "%d: the credentials may not read these logs", status);
        blame(&f->source->stream, true, err);
        break;
    case ANSWER_ABSENT:
        error_set(err, ERR_CONFIG, "404: no such app or environment for these credentials");
        blame(&f->source->stream, false, err);
        break;
    case ANSWER_WRONG:
        error_set(err, ERR_INPUT, "%d: the request is refused", status);
        add_words(f, a, err);
        break;
    case ANSWER_UNKNOWN:
        error_set(err, ERR_AUTH, "401: the credentials are refused: expired or wrong");
        blame(&f->source->stream, true, err);
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

/* Read the answer: 0 with a->done, or not: then the request may be made again. */
static int read_answer(struct fetch *f, struct attempts *a, int64_t deadline_mono_ns,
                       struct error *err)
{
    const struct stream *st = &f->source->stream;
    if (!a->piece && st->type->status)
        f->reply.status = st->type->status(&a->ask, f->reply.status);
    if (answer_of(f->reply.status) != ANSWER_PAGE)
        return handle(f, a, deadline_mono_ns, err);
    struct bytes frame = buf_bytes(&f->reply.body);
    if (!a->piece && f->reply.status == 204)
        frame.len = 0;
    if (!a->piece)
        page_reset(a->page);
    int rc = a->piece ? st->type->prepared(st, &a->ask, frame, a->piece, err)
                      : st->type->decode(st, &a->ask, frame, a->page, err);
    if (rc) {
        name_call(a, err);
        return handle_failure(f, a, deadline_mono_ns, err);
    }
    if (!a->piece && a->page->status) {
        f->reply.status = a->page->status;
        return handle(f, a, deadline_mono_ns, err);
    }
    a->done = true;
    return 0;
}

/* Have an answer that makes sense; the request is written. */
static int have_answer(struct fetch *f, struct attempts *a, int64_t deadline_mono_ns,
                       struct error *err)
{
    int rc = 0;
    while (rc == 0 && a->written && !a->done)
        rc = call(f, a, deadline_mono_ns, err) ? handle_failure(f, a, deadline_mono_ns, err)
                                               : read_answer(f, a, deadline_mono_ns, err);
    return rc;
}

static void end_attempts(struct fetch *f, struct attempts *a)
{
    if (a->retry.count > 1)
        f->retries += a->retry.count - 1;
    request_release(&a->request);
    buf_release(&a->session);
}

/* One piece of the session, if it lacks one for the page that `of` asks for. */
static int have_piece(struct fetch *f, const struct attempts *of, bool *more,
                      int64_t deadline_mono_ns, struct error *err)
{
    const struct stream *st = &f->source->stream;
    struct attempts a = { .request = REQUEST_INIT,
                          .ask = of->ask,
                          .session = BUF_INIT(SESSION_MAX),
                          .piece = &f->session->text,
                          .written = true };
    buf_append_bytes(&a.session, buf_bytes(&f->session->text));
    a.ask.session = buf_bytes(&a.session);
    retry_begin(&a.retry, &f->source->retry, f->clk);
    int rc = st->type->prepare(st, &a.ask, &a.request, err);
    *more = rc == 0 && a.request.url.len > 0;
    if (*more && have_answer(f, &a, deadline_mono_ns, err)) {
        rc = -1;
        if (err->kind == ERR_INPUT)
            err->kind = ERR_PLATFORM; /* it has nothing to do with a cursor */
    }
    end_attempts(f, &a);
    return rc;
}

/* Have all of the session that the page needs, with its mutex held: others wait for it. */
static int have_session(struct fetch *f, const struct attempts *a, int64_t deadline_mono_ns,
                        struct error *err)
{
    struct session *s = f->session;
    int64_t life_ns = f->source->stream.type->limits.session_ns;
    bool more = true, anew = false;
    int rc = 0;
    if (s->text.len > 0 && life_ns && clock_mono_ns(f->clk) - s->had_mono_ns >= life_ns)
        buf_reset(&s->text);
    if (s->text.len == 0)
        s->had_mono_ns = clock_mono_ns(f->clk);
    for (int i = 0; rc == 0 && more; i++) {
        if (i == SESSION_PIECES || s->text.full)
            rc = error_set(err, ERR_PLATFORM, "what must be asked for before its logs never ends");
        else
            rc = have_piece(f, a, &more, deadline_mono_ns, err);
        if (rc && err->kind == ERR_AUTH && s->text.len > 0 && !anew) { /* by one that has ended */
            buf_reset(&s->text);
            anew = more = true;
            rc = 0;
        }
    }
    if (rc)
        buf_reset(&s->text);
    return rc;
}

/* Write the request for the page, with a session where it takes one. */
static int write_request(struct fetch *f, struct attempts *a, int64_t deadline_mono_ns,
                         struct error *err)
{
    const struct stream *st = &f->source->stream;
    int rc = 0;
    if (st->type->prepare) {
        pthread_mutex_lock(&f->session->mutex);
        rc = have_session(f, a, deadline_mono_ns, err);
        buf_reset(&a->session);
        buf_append_bytes(&a->session, buf_bytes(&f->session->text));
        pthread_mutex_unlock(&f->session->mutex);
    }
    if (rc)
        return -1;
    a->ask.session = buf_bytes(&a->session);
    request_reset(&a->request);
    a->written = true;
    return st->type->request(st, &a->ask, &a->request, err);
}

int fetch_page(struct fetch *f, const struct span *span, const struct cursor *at, struct page *out,
               int64_t deadline_mono_ns, struct error *err)
{
    struct attempts a = { .request = REQUEST_INIT,
                          .ask = { .span = *span, .at = buf_bytes(&at->text) },
                          .session = BUF_INIT(SESSION_MAX),
                          .page = out };
    struct error why = { 0 };
    int rc = 0;
    retry_begin(&a.retry, &f->source->retry, f->clk);
    while (rc == 0 && !a.done) {
        rc = write_request(f, &a, deadline_mono_ns, &why); /* ERR_INPUT: no cursor of ours */
        if (rc == 0)
            rc = have_answer(f, &a, deadline_mono_ns, &why);
    }
    if (rc)
        *err = why;
    end_attempts(f, &a);
    return rc;
}

int fetch_query(const struct source_config *source, const struct span *span, uint64_t *query,
                struct error *err)
{
    const struct stream *st = &source->stream;
    struct request request = REQUEST_INIT;
    struct ask first = { .span = *span, .at = BYTES(""), .session = BYTES("") };
    XXH3_state_t hash;
    int rc = st->type->request(st, &first, &request, err);
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
