#include "workers.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* Kept from the deadline for what must still be done after the last page: send, and note it. */
#define RESERVE_NS (2 * NS_PER_S)
/* After SIGTERM: a request to the collector may end, so that its records need not go again. */
#define STOP_GRACE_NS (1500 * NS_PER_MS)

/* What all workers of a run share. */
struct crew {
    struct pull pull;
    const bool *chosen;
    struct limiter **limiters; /* one per budget */
    size_t limiter_count;
    atomic_bool accepted;
    pthread_mutex_t mutex; /* for all below */
    size_t next_source;
    struct run_summary summary;
};

static void report(const struct diag *diag, const struct source_config *source, struct error *err)
{
    error_within(err, "source %s", source->stream.name);
    switch (err->kind) {
    case ERR_DEADLINE:
        diag_say(diag, DIAG_INFO, "%s; progress is kept", err->text);
        break;
    case ERR_LOCKED:
        diag_say(diag, DIAG_INFO, "%s; left to it", err->text);
        break;
    case ERR_STOPPED:
        break; /* the summary says it once for all */
    default:
        diag_say(diag, DIAG_ERROR, "%s", err->text);
    }
}

/* The worst so far, with its words. */
static void note_error(struct run_summary *sum, const struct error *err)
{
    int code = error_exit_code(err->kind);
    if (err->kind &&
        (!sum->why.kind || error_worse_exit_code(sum->exit_code, code) != sum->exit_code))
        sum->why = *err;
    sum->exit_code = error_worse_exit_code(sum->exit_code, code);
}

/* Add what became of a source to the run's summary. */
static void account(struct crew *c, const struct pull_result *result, const struct error *err)
{
    struct run_summary *sum = &c->summary;
    const struct run_counts *n = &result->counts;
    pthread_mutex_lock(&c->mutex);
    sum->counts.exported += n->exported;
    sum->counts.rejected += n->rejected;
    sum->counts.duplicates += n->duplicates;
    sum->counts.calls += n->calls;
    sum->counts.windows += n->windows;
    sum->counts.bytes += n->bytes;
    sum->retries += result->retries;
    sum->sources += err->kind != ERR_LOCKED;
    if (result->backlog_ns > sum->backlog_ns)
        sum->backlog_ns = result->backlog_ns;
    note_error(sum, err);
    sum->stopped = sum->stopped || err->kind == ERR_STOPPED;
    sum->deadline = sum->deadline || err->kind == ERR_DEADLINE;
    sum->refused = sum->refused || err->kind == ERR_AUTH;
    pthread_mutex_unlock(&c->mutex);
}

static struct limiter *limiter_of(const struct crew *c, const struct source_config *source)
{
    for (size_t i = 0; i < c->limiter_count; i++) {
        if (strcmp(limiter_key(c->limiters[i]), source->budget_key) == 0)
            return c->limiters[i];
    }
    return NULL;
}

/* The next source that nobody works yet; NULL: all are taken. */
static const struct source_config *take_source(struct crew *c)
{
    const struct config *config = c->pull.config;
    pthread_mutex_lock(&c->mutex);
    while (c->next_source < config->source_count && !c->chosen[c->next_source])
        c->next_source++;
    size_t index = c->next_source++;
    pthread_mutex_unlock(&c->mutex);
    return index < config->source_count ? &config->sources[index] : NULL;
}

static void *work(void *arg)
{
    struct crew *c = arg;
    const struct exporter_config *exporter = &c->pull.config->exporter;
    struct http_options http = { .peer = &exporter->peer,
                                 .clk = c->pull.clk,
                                 .stop_grace_ns = STOP_GRACE_NS,
                                 .status_suffices = true };
    struct http *collector = http_create(&http);
    const struct source_config *source;
    struct export ex;
    export_init(&ex, exporter, collector, c->pull.clk, &c->accepted);
    while (!clock_stopped(c->pull.clk) && (source = take_source(c))) {
        struct pull_result result;
        struct error err = { 0 };
        if (pull_source(&c->pull, source, limiter_of(c, source), &ex, &result, &err))
            report(c->pull.diag, source, &err);
        account(c, &result, &err);
    }
    export_release(&ex);
    http_destroy(collector);
    return NULL;
}

static void open_limiters(struct crew *c)
{
    const struct config *config = c->pull.config;
    c->limiters = xcalloc(config->source_count, sizeof(struct limiter *));
    for (size_t i = 0; i < config->source_count; i++) {
        const struct source_config *source = &config->sources[i];
        if (c->chosen[i] && !limiter_of(c, source))
            c->limiters[c->limiter_count++] = limiter_create(c->pull.store, c->pull.clk,
                                                             source->budget_key, source->rate.calls,
                                                             source->rate.period_ns);
    }
}

static void close_limiters(struct crew *c)
{
    for (size_t i = 0; i < c->limiter_count; i++) {
        struct error err = { 0 };
        if (limiter_close(c->limiters[i], &err) == 0 || err.kind == ERR_STOPPED)
            continue; /* stopped: what it held counts as used, and lapses by itself */
        diag_say(c->pull.diag, DIAG_ERROR, "%s", err.text);
        note_error(&c->summary, &err);
    }
    free(c->limiters);
}

/* The deadline less the reserve, or less half of what is left where that is little. */
static int64_t fetch_until(const struct pull *p)
{
    if (p->deadline_mono_ns == TIME_FOREVER)
        return TIME_FOREVER;
    int64_t half_ns = (p->deadline_mono_ns - clock_mono_ns(p->clk)) / 2;
    return p->deadline_mono_ns - (half_ns < RESERVE_NS ? half_ns : RESERVE_NS);
}

void workers_run(const struct pull *p, const bool *chosen, struct run_summary *out)
{
    struct crew c = { .pull = *p, .chosen = chosen };
    int64_t began = clock_mono_ns(p->clk);
    size_t sources = 0, started = 0;
    for (size_t i = 0; i < p->config->source_count; i++)
        sources += chosen[i];
    size_t most = (size_t)p->config->concurrency;
    size_t workers = most < sources ? most : sources;
    pthread_t *threads = xcalloc(workers, sizeof(*threads));
    c.pull.fetch_until_mono_ns = fetch_until(p);
    pthread_mutex_init(&c.mutex, NULL);
    open_limiters(&c);
    while (started + 1 < workers && pthread_create(&threads[started], NULL, work, &c) == 0)
        started++;
    work(&c); /* this thread is a worker too */
    for (size_t i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
    close_limiters(&c);
    pthread_mutex_destroy(&c.mutex);
    free(threads);
    c.summary.elapsed_ns = clock_mono_ns(p->clk) - began;
    c.summary.stopped = c.summary.stopped || clock_stopped(p->clk);
    *out = c.summary;
}
