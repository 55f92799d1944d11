#include "ahead.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "net/http.h"
#include "pace.h"

/* Windows that were begun and not taken; their pages, and the bytes of these. */
#define WINDOWS_MOST 64
#define PAGES_MOST   1024
#define BYTES_MOST   ((size_t)16 << 20)
/* A window's pages come one after the other, so that one of many pages keeps a slow API waiting:
 * windows are then cut so short that they have about as many. */
#define PAGES_AIM   8
#define PAGES_SPARE 2
struct window {
    struct window *next;
    struct span span, lost;
    struct cursor at; /* of the page to be asked for next */
    bool busy;        /* one is being asked for */
    bool ended;       /* all were */
    bool abandoned;   /* nobody wants it any more: whoever is busy with it frees it */
    bool failed;
    struct error why;
    int pages;                       /* that came */
    struct ahead_page *first, *last; /* pages that wait to be taken */
};

/* What makes one call at a time; it keeps its connection. */
struct fetcher {
    struct ahead *ahead;
    struct fetch fetch;
    struct http *http;
    bool urgent; /* its call is for the earliest window */
    int64_t sent_mono_ns;
    struct fetcher *next; /* among the idle */
};

struct ahead {
    const struct source_config *source;
    struct limiter *limiter;
    struct session session;
    struct clock_child clk; /* stopped at the end, to cut short what is under way */
    int64_t until_mono_ns;

    pthread_mutex_t mutex; /* for all below */
    pthread_cond_t ready;  /* a page came, or an error: for the taker */
    pthread_cond_t work;   /* for the threads */
    bool ending;
    pthread_t threads[PACE_CALLS_MOST];
    int thread_count, threads_waiting;
    bool watching; /* one of those that wait looks after the calls under way */
    struct fetcher *idle;
    bool skew_known;
    int64_t skew_ns;

    struct ahead_start cut; /* where the next window is cut, ... */
    int64_t window_ns;      /* ... and how long it is, while the platform is slow */
    struct window *first, *last;
    size_t window_count;
    struct window *taken; /* the first, once it was taken */

    int asking; /* calls that wait: for a permit, or to be tried again */
    struct pace pace;
    size_t waiting_pages, waiting_bytes, largest_bytes;
    struct ahead_page *held; /* by the taker */
    struct ahead_page *spare;
    size_t spare_count;
};

static int64_t now_of(struct ahead *a)
{
    return clock_mono_ns(&a->clk.clk);
}

static void free_page(struct ahead_page *p)
{
    page_release(&p->page);
    buf_release(&p->body);
    free(p);
}

static struct ahead_page *take_spare(struct ahead *a)
{
    struct ahead_page *p = a->spare;
    if (p) {
        a->spare = p->next;
        a->spare_count--;
        p->next = NULL;
        return p;
    }
    p = xcalloc(1, sizeof(*p));
    p->page = (struct page)PAGE_INIT;
    return p;
}

static void give_spare(struct ahead *a, struct ahead_page *p)
{
    if (a->spare_count == PAGES_SPARE) {
        free_page(p);
        return;
    }
    p->next = a->spare;
    a->spare = p;
    a->spare_count++;
}

static void drop_pages(struct ahead *a, struct window *w)
{
    while (w->first) {
        struct ahead_page *p = w->first;
        w->first = p->next;
        a->waiting_pages--;
        a->waiting_bytes -= p->body.len;
        give_spare(a, p);
    }
    w->last = NULL;
}

static void free_window(struct window *w)
{
    buf_release(&w->at.text);
    free(w);
}

static void drop_first_window(struct ahead *a)
{
    struct window *w = a->first;
    a->first = w->next;
    a->last = w->next ? a->last : NULL;
    a->window_count--;
    drop_pages(a, w);
    w->abandoned = true;
    if (!w->busy)
        free_window(w);
}

static struct window *add_window(struct ahead *a, const struct span *span, const struct span *lost)
{
    struct window *w = xcalloc(1, sizeof(*w));
    w->span = *span;
    w->lost = *lost;
    w->at = (struct cursor){ .text = BUF_INIT(CURSOR_MAX), .more = true };
    *(a->first ? &a->last->next : &a->first) = w;
    a->last = w;
    a->window_count++;
    a->cut.checkpoint_unix_ns = span->end_unix_ns;
    a->cut.back = a->cut.always_back;
    return w;
}

/* The window after the last one, if one is due. */
static bool next_span(struct ahead *a, struct span *span, struct span *lost)
{
    int64_t now_unix_ns = a->cut.unix_ns + now_of(a) - a->cut.mono_ns;
    struct window_rules rules = a->cut.rules;
    if (pace_is_slow(&a->pace, now_of(a)))
        rules.window_ns = a->window_ns;
    return window_next(span, lost, a->cut.checkpoint_unix_ns, a->cut.due_unix_ns, a->cut.back,
                       now_unix_ns, &rules);
}

static struct window *cut_window(struct ahead *a)
{
    struct span span, lost;
    return next_span(a, &span, &lost) ? add_window(a, &span, &lost) : NULL;
}

/* Whether one page more may be kept. */
static bool has_room(struct ahead *a)
{
    if (!pace_is_slow(&a->pace, now_of(a)))
        return a->waiting_pages == 0;
    return a->waiting_pages < PAGES_MOST &&
           a->waiting_bytes + (size_t)(a->pace.under_way + a->asking) * a->largest_bytes <
               BYTES_MOST;
}

/* The window of which a page may be asked for ahead; NULL: none now. Nothing is asked for behind a
 * window that failed. */
static struct window *window_to_work(struct ahead *a, bool *urgent)
{
    struct window *w = a->first;
    if (pace_is_quick(&a->pace, now_of(a)) || !has_room(a))
        return NULL;
    while (w && w->ended)
        w = w->next;
    *urgent = !w || !w->busy;
    if (w && w->failed)
        return NULL;
    if (!*urgent) {
        if (a->asking > 0 || !pace_may_call_beside(&a->pace, now_of(a)))
            return NULL;
        while (w && (w->busy || w->ended) && !w->failed)
            w = w->next;
    }
    if (w)
        return w->failed ? NULL : w;
    return a->window_count < WINDOWS_MOST && !a->cut.tails ? cut_window(a) : NULL;
}

/* What its Date says of our clock. */
static void note_date(struct ahead *a, const struct reply *reply)
{
    if (!reply->date_unix_ns)
        return;
    int64_t answered = clock_unix_ns(&a->clk.clk) - (now_of(a) - reply->answered_mono_ns);
    int64_t sent = answered - (reply->answered_mono_ns - reply->sent_mono_ns);
    bool between = reply->date_unix_ns > sent - NS_PER_S && reply->date_unix_ns <= answered;
    /* At least so far ahead of ours: what is due must not lie in the platform's future. */
    a->skew_ns = between ? 0 : reply->date_unix_ns - answered;
    a->skew_known = true;
}

/* fetch_page() says when a call of its own goes out and when it is over. */
static void on_wire(void *arg, bool yes)
{
    struct fetcher *f = arg;
    struct ahead *a = f->ahead;
    pthread_mutex_lock(&a->mutex);
    int64_t now = now_of(a);
    a->asking += yes ? -1 : 1;
    if (!yes) {
        pace_over(&a->pace, now, f->fetch.reply.status ? f->sent_mono_ns : 0, f->urgent);
        note_date(a, &f->fetch.reply);
    } else {
        f->sent_mono_ns = now;
        pace_sent(&a->pace, now, f->urgent);
        if (!a->watching || pace_is_slow(&a->pace, now))
            pthread_cond_signal(&a->work);
    }
    pthread_mutex_unlock(&a->mutex);
}

static struct fetcher *take_fetcher(struct ahead *a)
{
    struct fetcher *f = a->idle;
    if (f) {
        a->idle = f->next;
        return f;
    }
    struct http_options http = { .peer = &a->source->peer, .clk = &a->clk.clk };
    f = xcalloc(1, sizeof(*f));
    f->ahead = a;
    f->http = http_create(&http);
    fetch_init(&f->fetch, a->source, &a->session, a->limiter, f->http, &a->clk.clk);
    f->fetch.on_wire = on_wire;
    f->fetch.on_wire_arg = f;
    return f;
}

/* What the next windows' length should be, by how many pages this one had. Of what is read again at
 * its beginning each must go well past. */
static void learn_length(struct ahead *a, const struct window *w)
{
    int64_t most_ns = a->cut.rules.window_ns, least_ns = 2 * a->cut.rules.overlap_ns + NS_PER_S;
    if (a->cut.tails)
        return;
    if (w->pages > PAGES_AIM)
        a->window_ns = (w->span.end_unix_ns - w->span.start_unix_ns) / w->pages * PAGES_AIM;
    else if (w->pages <= PAGES_AIM / 2)
        a->window_ns *= 2;
    a->window_ns = a->window_ns > least_ns ? a->window_ns : least_ns;
    a->window_ns = a->window_ns < most_ns ? a->window_ns : most_ns;
}

static void queue_page(struct ahead *a, struct window *w, struct ahead_page *p)
{
    buf_reset(&w->at.text);
    buf_append_bytes(&w->at.text, buf_bytes(&p->page.next.text));
    w->ended = !p->page.next.more;
    w->pages++;
    if (w->ended)
        learn_length(a, w);
    *(w->first ? &w->last->next : &w->first) = p;
    w->last = p;
    a->waiting_pages++;
    a->waiting_bytes += p->body.len;
    if (p->body.len > a->largest_bytes)
        a->largest_bytes = p->body.len;
}

/* Whether there is a page to ask for beside those that are being asked for. */
static bool is_more_to_do(struct ahead *a)
{
    struct span span, lost;
    for (const struct window *w = a->first; w; w = w->next) {
        if (!w->busy && !w->ended)
            return true;
    }
    return !a->cut.tails && next_span(a, &span, &lost);
}

static void *fetch_ahead(void *arg);

/* Have a thread for what can be done ahead: one that waits, or one more. */
static void call_for_thread(struct ahead *a)
{
    if (!is_more_to_do(a))
        return;
    if (a->threads_waiting > 0)
        pthread_cond_signal(&a->work);
    else if (a->thread_count < a->pace.most &&
             pthread_create(&a->threads[a->thread_count], NULL, fetch_ahead, a) == 0)
        a->thread_count++; /* else those that there are do it */
}

/* Ask for a window's next page. The mutex is held, but not meanwhile. */
static void fetch_one(struct ahead *a, struct window *w, bool urgent)
{
    struct fetcher *f = take_fetcher(a);
    struct ahead_page *p = take_spare(a);
    struct error why = { 0 };
    w->busy = true;
    f->urgent = urgent;
    a->asking++;
    if (a->threads_waiting == 0)
        call_for_thread(a);
    pthread_mutex_unlock(&a->mutex);
    f->fetch.reply.body = p->body; /* a page's memory goes round with it */
    int rc = fetch_page(&f->fetch, &w->span, &w->at, &p->page, a->until_mono_ns, &why);
    p->body = f->fetch.reply.body;
    f->fetch.reply.body = (struct buf)BUF_INIT(0);
    pthread_mutex_lock(&a->mutex);
    a->asking--;
    f->next = a->idle;
    a->idle = f;
    w->busy = false;
    w->failed = rc != 0;
    w->why = why;
    if (rc || w->abandoned)
        give_spare(a, p);
    else
        queue_page(a, w, p);
    pthread_cond_signal(&a->ready);
}

/* Wait until there may be something to do. While a call is under way, one of those that wait looks
 * now and then whether it takes so long that another may begin beside it. */
static void wait_for_work(struct ahead *a)
{
    a->threads_waiting++;
    if (a->pace.under_way > 0 && !a->watching) {
        int64_t until = now_of(a) + pace_pause_ns(&a->pace);
        struct timespec ts = { until / NS_PER_S, until % NS_PER_S };
        a->watching = true;
        pthread_cond_timedwait(&a->work, &a->mutex, &ts);
        a->watching = false;
    } else {
        pthread_cond_wait(&a->work, &a->mutex);
    }
    a->threads_waiting--;
}

static void *fetch_ahead(void *arg)
{
    struct ahead *a = arg;
    pthread_mutex_lock(&a->mutex);
    while (!a->ending) {
        bool urgent;
        struct window *w = window_to_work(a, &urgent);
        if (!w) {
            wait_for_work(a);
            continue;
        }
        fetch_one(a, w, urgent);
        if (w->abandoned)
            free_window(w);
    }
    pthread_mutex_unlock(&a->mutex);
    return NULL;
}

struct ahead *ahead_create(const struct source_config *source, struct limiter *limiter,
                           struct clock *clk, int64_t until_mono_ns, struct error *err)
{
    struct ahead *a = xcalloc(1, sizeof(*a));
    pthread_condattr_t monotonic;
    if (clock_child_init(&a->clk, clk, err)) {
        err->kind = ERR_PLATFORM;
        free(a);
        return NULL;
    }
    a->source = source;
    a->limiter = limiter;
    a->until_mono_ns = until_mono_ns;
    session_init(&a->session);
    pace_init(&a->pace, source->rate.calls, source->rate.period_ns);
    pthread_mutex_init(&a->mutex, NULL);
    pthread_cond_init(&a->ready, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&a->work, &monotonic);
    pthread_condattr_destroy(&monotonic);
    return a;
}

static void drop_windows(struct ahead *a)
{
    if (a->held)
        give_spare(a, a->held);
    a->held = NULL;
    a->taken = NULL;
    while (a->first)
        drop_first_window(a);
}

void ahead_begin(struct ahead *a, const struct ahead_start *start)
{
    static const struct span none = { 0, 0 };
    pthread_mutex_lock(&a->mutex);
    drop_windows(a);
    a->cut = *start;
    a->window_ns = start->rules.window_ns;
    if (start->resumed) {
        struct window *w = add_window(a, start->resumed, &none);
        buf_append_bytes(&w->at.text, buf_bytes(&start->resumed_at->text));
        a->cut.back = true; /* behind it too there is what came late since */
    }
    pthread_mutex_unlock(&a->mutex);
}

bool ahead_window(struct ahead *a, struct bytes place, struct span *span, struct span *lost)
{
    pthread_mutex_lock(&a->mutex);
    if (a->taken)
        drop_first_window(a);
    a->taken = a->first;
    if (!a->taken && (a->taken = cut_window(a)))
        buf_append_bytes(&a->taken->at.text, place);
    if (a->taken) {
        *span = a->taken->span;
        *lost = a->taken->lost;
    }
    bool is = a->taken != NULL;
    pthread_mutex_unlock(&a->mutex);
    return is;
}

/* The mutex is held, but not while it waits. */
static void await_page(struct ahead *a, struct window *w)
{
    while (!w->first && !w->failed) {
        if (w->busy)
            pthread_cond_wait(&a->ready, &a->mutex);
        else
            fetch_one(a, w, true); /* nobody did yet */
    }
}

void ahead_wait(struct ahead *a)
{
    pthread_mutex_lock(&a->mutex);
    await_page(a, a->taken);
    pthread_mutex_unlock(&a->mutex);
}

const struct page *ahead_page(struct ahead *a, struct error *err)
{
    pthread_mutex_lock(&a->mutex);
    struct window *w = a->taken;
    if (a->held)
        give_spare(a, a->held);
    a->held = NULL;
    bool late = w->first && now_of(a) > a->until_mono_ns; /* it came in time, and we did not */
    if (!late)
        await_page(a, w);
    struct ahead_page *p = late ? NULL : w->first;
    if (p) {
        w->first = p->next;
        p->next = NULL;
        a->waiting_pages--;
        a->waiting_bytes -= p->body.len;
        a->held = p;
        if (!pace_is_quick(&a->pace, now_of(a)))
            call_for_thread(a);
    } else if (late) {
        error_set(err, ERR_DEADLINE, "what was read ahead would be sent past the deadline");
    } else {
        *err = w->why;
    }
    pthread_mutex_unlock(&a->mutex);
    return p ? &p->page : NULL;
}

void ahead_again(struct ahead *a)
{
    pthread_mutex_lock(&a->mutex);
    struct window *w = a->taken;
    drop_pages(a, w);
    buf_reset(&w->at.text);
    w->ended = w->failed = false;
    w->pages = 0;
    pthread_mutex_unlock(&a->mutex);
}

bool ahead_skew_ns(struct ahead *a, int64_t *skew_ns)
{
    pthread_mutex_lock(&a->mutex);
    bool known = a->skew_known;
    *skew_ns = a->skew_ns;
    pthread_mutex_unlock(&a->mutex);
    return known;
}

static void free_fetchers(struct ahead *a, int64_t *calls, int64_t *retries)
{
    while (a->idle) {
        struct fetcher *f = a->idle;
        a->idle = f->next;
        *calls += f->fetch.calls;
        *retries += f->fetch.retries;
        fetch_release(&f->fetch);
        http_destroy(f->http);
        free(f);
    }
}

void ahead_end(struct ahead *a, int64_t *calls, int64_t *retries)
{
    *calls = *retries = 0;
    pthread_mutex_lock(&a->mutex);
    a->ending = true;
    pthread_cond_broadcast(&a->work);
    pthread_mutex_unlock(&a->mutex);
    clock_child_stop(&a->clk);
    for (int i = 0; i < a->thread_count; i++)
        pthread_join(a->threads[i], NULL);
    drop_windows(a);
    free_fetchers(a, calls, retries);
    while (a->spare) {
        struct ahead_page *p = a->spare;
        a->spare = p->next;
        free_page(p);
    }
    pthread_cond_destroy(&a->work);
    pthread_cond_destroy(&a->ready);
    pthread_mutex_destroy(&a->mutex);
    session_release(&a->session);
    clock_child_release(&a->clk);
    free(a);
}
