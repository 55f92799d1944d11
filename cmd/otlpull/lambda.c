/* lambda.c -- `otlpull lambda`: AWS Lambda's custom runtime. Each invocation is one run, whose
 * deadline is the invocation's; what is made for one, connections and configuration, serves the
 * next as well. Between two the whole machine stands still, so that nothing is left to go on. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/jread.h"
#include "lambda/event.h"
#include "lambda/runtime.h"
#include "net/http.h"
#include "run.h"

/* Kept from an invocation's deadline, at which the process is killed, for what a run still writes
 * when it is over, and the answer; of a short one a part. */
#define RESERVE_NS   (3 * NS_PER_S)
#define RESERVE_PART 4

/* Lambda gives Init 10 s. */
#define INIT_NS (8 * NS_PER_S)

#define ANSWER_MAX   4096
#define FAULTS_MAX   65536 /* bytes: of a configuration, in an error's message */
#define TRACE_HEADER "X-Amzn-Trace-Id"
#define TRACE_ENV    "_X_AMZN_TRACE_ID"

struct lambda {
    struct app *app;
    struct runtime *api;
    struct store *store;     /* kept open too; NULL: is to be opened */
    struct http_keep **keep; /* of the collector and each source; the last is NULL */
};

/* An invocation under way. */
struct task {
    const struct invocation *inv;
    struct event event;
    int64_t began_mono_ns, until_mono_ns;
    const char *ended_by; /* what until_mono_ns comes of */
    struct run_summary summary;
    const char *error_type; /* NULL: it is none */
    char words[2 * ERROR_TEXT_BYTES];
};

/* What Lambda, its metrics and its alarms call an error: by our exit code. */
static const char *error_type_of(int exit_code)
{
    static const struct {
        int exit_code;
        const char *name;
    } types[] = {
        { 64, "Runtime.UsageInvalid" },         { 69, "Function.CollectorUnavailable" },
        { 73, "Function.StateNotCreated" },     { 74, "Function.StateUnavailable" },
        { 75, "Function.PlatformUnavailable" }, { 77, "Function.CredentialsRefused" },
        { 78, "Runtime.ConfigInvalid" },
    };
    for (size_t i = 0; i < COUNT(types); i++) {
        if (types[i].exit_code == exit_code)
            return types[i].name;
    }
    return "Runtime.Defect"; /* 70 */
}

static void set_error(struct task *t, const char *type, const char *words)
{
    t->error_type = type;
    snprintf(t->words, sizeof(t->words), "%s", words);
}

/* One that nothing has said yet. */
static void fail_task(const struct lambda *l, struct task *t, const char *type, const char *words)
{
    set_error(t, type, words);
    diag_say(&l->app->diag, DIAG_ERROR, "%s", t->words);
}

/* ---- what outlives an invocation ---------------------------------------------------------------
 */

static void close_store(struct lambda *l)
{
    if (l->store)
        l->store->close(l->store);
    l->store = NULL;
}

static void drop_connections(struct lambda *l)
{
    for (size_t i = 0; l->keep && l->keep[i]; i++)
        http_keep_destroy(l->keep[i]);
    free(l->keep);
    l->keep = NULL;
}

static void keep_connections(struct lambda *l)
{
    struct config *config = &l->app->config;
    l->keep = xcalloc(config->source_count + 2, sizeof(struct http_keep *));
    config->exporter.peer.keep = l->keep[0] = http_keep_create();
    for (size_t i = 0; i < config->source_count; i++)
        config->sources[i].peer.keep = l->keep[i + 1] = http_keep_create();
}

/* Read the configuration, at first or anew; then nothing is left of what was made for another. 0,
 * or the exit code of one that cannot be used, whose faults are said and in `why`. */
static int configure(struct lambda *l, int64_t fetch_until_mono_ns, struct buf *why)
{
    struct error err = { 0 };
    close_store(l);
    drop_connections(l);
    int code = app_configure(l->app, fetch_until_mono_ns, why);
    if (code == 0 && run_choose_shard(l->app, &err)) {
        buf_append_text(why, err.text);
        code = app_fail(l->app, &err);
    }
    keep_connections(l); /* of a new one, or of what was there before */
    return code;
}

/* ---- one invocation ----------------------------------------------------------------------------
 */

/* Of the sources that were chosen at the start, those that the event names. */
static bool *choose(const struct lambda *l, struct task *t)
{
    const struct config *config = &l->app->config;
    const struct event *event = &t->event;
    bool *chosen = xcalloc(config->source_count, sizeof(*chosen));
    struct error err;
    for (size_t i = 0; event->count == 0 && i < config->source_count; i++)
        chosen[i] = l->app->chosen[i];
    for (size_t n = 0; n < event->count; n++) {
        bool known = false;
        for (size_t i = 0; i < config->source_count; i++) {
            if (strcmp(event->sources[n], config->sources[i].stream.name) == 0) {
                known = true;
                chosen[i] = l->app->chosen[i];
            }
        }
        if (known)
            continue;
        error_set(&err, ERR_INPUT,
                  "the event names source \"%s\": the configuration has no such source",
                  event->sources[n]);
        fail_task(l, t, "Function.EventInvalid", err.text);
        free(chosen);
        return NULL;
    }
    return chosen;
}

static int open_store(struct lambda *l, struct error *err)
{
    if (!l->store)
        l->store = store_open(l->app->config.state_path, &l->app->clk, err);
    return l->store ? 0 : -1;
}

/* To what is called meanwhile: by the environment, as Lambda's own runtimes do, and to the
 * collector by a header, unless one is configured. `with` is empty, and owns what is sent then. */
static void hand_on_trace(struct lambda *l, const char *id, struct pairs *with)
{
    struct pairs *sent = &l->app->config.exporter.peer.headers;
    if (id)
        setenv(TRACE_ENV, id, 1);
    else
        unsetenv(TRACE_ENV);
    for (size_t i = 0; i < sent->count; i++) {
        if (!id || strcasecmp(sent->items[i].key, TRACE_HEADER) == 0)
            return;
        pairs_add(with, sent->items[i].key, sent->items[i].value);
    }
    if (!id)
        return;
    pairs_add(with, TRACE_HEADER, id);
    *sent = *with;
}

static void run_traced(struct lambda *l, const struct task *t, const bool *chosen,
                       struct run_summary *out)
{
    struct pairs *sent = &l->app->config.exporter.peer.headers;
    struct pairs configured = *sent, with = { 0 };
    hand_on_trace(l, t->inv->trace_id, &with);
    run_once(l->app, l->store, chosen, t->until_mono_ns, out);
    *sent = configured;
    pairs_release(&with);
}

/* One run, its figures added to those of one before. */
static void run_task(struct lambda *l, struct task *t)
{
    struct run_summary sum = { 0 };
    struct run_counts *total = &t->summary.counts;
    struct error err = { 0 };
    bool *chosen = choose(l, t);
    if (!chosen)
        return;
    if (open_store(l, &err)) {
        sum.exit_code = app_fail(l->app, &err);
        sum.why = err;
    } else {
        run_traced(l, t, chosen, &sum);
    }
    free(chosen);
    if (sum.exit_code == error_exit_code(ERR_STATE)) /* by a new one next time */
        close_store(l);
    sum.counts.exported += total->exported;
    sum.counts.rejected += total->rejected;
    sum.counts.duplicates += total->duplicates;
    sum.counts.calls += total->calls;
    sum.counts.windows += total->windows;
    sum.counts.bytes += total->bytes;
    sum.retries += t->summary.retries;
    sum.elapsed_ns += t->summary.elapsed_ns;
    t->summary = sum;
}

/* What was refused may have been replaced where it was read from: once with what is there now. */
static void run_anew(struct lambda *l, struct task *t)
{
    struct buf why = BUF_INIT(FAULTS_MAX);
    diag_say(
        &l->app->diag, DIAG_INFO,
        "credentials were refused: the configuration is read anew, and the run made once more");
    if (configure(l, t->until_mono_ns, &why) == 0)
        run_task(l, t);
    buf_release(&why);
}

static bool is_over(const struct lambda *l, const struct task *t)
{
    return clock_stopped(&l->app->clk) || clock_mono_ns(&l->app->clk) >= t->until_mono_ns;
}

/* All the time there was went by, and nothing at all came of it: so it would the next time. */
static bool was_too_short(const struct task *t)
{
    const struct run_counts *n = &t->summary.counts;
    int64_t had_ns = t->until_mono_ns - t->began_mono_ns;
    return t->summary.deadline && t->summary.elapsed_ns >= had_ns / 3 &&
           n->exported + n->rejected + n->duplicates + n->windows == 0;
}

static void fail_too_short(const struct lambda *l, struct task *t)
{
    char had[TIMEFMT_MAX], words[sizeof(t->words)];
    int64_t had_ns = t->until_mono_ns - t->began_mono_ns;
    timefmt_duration(had_ns > 0 ? had_ns : 0, had);
    snprintf(
        words, sizeof(words),
        "%s%snothing came of the %s that %s leaves a run, and nothing will of the next: raise it "
        "above what a call takes, unless the platform itself hangs",
        t->summary.why.text, t->summary.why.kind ? "; " : "", had, t->ended_by);
    fail_task(l, t, "Function.TimeoutTooShort", words);
}

/* Until when it may run: before the invocation's deadline, and the configuration's. */
static void set_deadline(const struct lambda *l, struct task *t)
{
    int64_t configured = run_deadline(l->app, t->began_mono_ns);
    t->until_mono_ns = configured;
    t->ended_by = "run.deadline";
    if (!t->inv->deadline_unix_ns) {
        diag_say(&l->app->diag, DIAG_WARN,
                 "the invocation has no deadline that could be true: run.deadline alone ends it");
        return;
    }
    int64_t left_ns = t->inv->deadline_unix_ns - clock_unix_ns(&l->app->clk);
    int64_t part_ns = left_ns / RESERVE_PART;
    int64_t until = time_add(t->began_mono_ns,
                             left_ns - (part_ns < RESERVE_NS ? part_ns : RESERVE_NS));
    if (until >= configured)
        return;
    t->until_mono_ns = until;
    t->ended_by = "the function's timeout";
}

static void work(struct lambda *l, struct task *t)
{
    struct error err = { 0 };
    if (event_read(t->inv->event, &t->event, &err)) {
        fail_task(l, t, "Function.EventInvalid", err.text);
        return;
    }
    set_deadline(l, t);
    if (t->until_mono_ns > t->began_mono_ns)
        run_task(l, t);
    else
        t->summary.deadline = true;
    if (t->summary.refused && !t->error_type && !is_over(l, t))
        run_anew(l, t);
    if (t->error_type)
        return;
    if (t->summary.exit_code)
        set_error(t, error_type_of(t->summary.exit_code), t->summary.why.text);
    else if (!t->summary.stopped && was_too_short(t))
        fail_too_short(l, t);
}

/* ---- its answer --------------------------------------------------------------------------------
 */

/* The run's one line of summary, as JSON. */
static void write_summary(const struct lambda *l, const struct run_summary *sum, struct buf *out)
{
    const struct run_counts *n = &sum->counts;
    const struct {
        const char *name;
        int64_t value;
    } figures[] = {
        { "sources", sum->sources },     { "exported", n->exported }, { "rejected", n->rejected },
        { "duplicates", n->duplicates }, { "calls", n->calls },       { "retries", sum->retries },
        { "windows", n->windows },       { "bytes", n->bytes },       { "exit", sum->exit_code },
    };
    buf_append_text(out, "{\"message\":");
    jread_quote(out, run_verdict(l->app, sum));
    for (size_t i = 0; i < COUNT(figures); i++)
        buf_printf(out, ",\"%s\":%lld", figures[i].name, (long long)figures[i].value);
    buf_printf(out, ",\"seconds\":%.3f,\"backlog_seconds\":%.3f}",
               (double)sum->elapsed_ns / (double)NS_PER_S,
               (double)sum->backlog_ns / (double)NS_PER_S);
}

static int answer(struct lambda *l, const struct task *t, struct error *err)
{
    struct buf text = BUF_INIT(ANSWER_MAX);
    int rc;
    if (t->error_type) {
        rc = runtime_fail(l->api, t->inv, t->error_type, t->words, err);
    } else {
        write_summary(l, &t->summary, &text);
        rc = runtime_answer(l->api, t->inv, buf_bytes(&text), err);
    }
    buf_release(&text);
    if (rc == 0 || err->kind != ERR_INPUT)
        return rc;
    diag_say(&l->app->diag, DIAG_WARN, "%s: its answer was not taken", err->text);
    *err = (struct error){ 0 };
    return 0;
}

/* ---- the loop ----------------------------------------------------------------------------------
 */

static int invocation(struct lambda *l, const struct invocation *inv, struct error *err)
{
    struct task t = { .inv = inv, .began_mono_ns = clock_mono_ns(&l->app->clk) };
    work(l, &t);
    int rc = answer(l, &t, err);
    if (rc == 0 && t.summary.exit_code == error_exit_code(ERR_BUG))
        rc = error_set(err, ERR_BUG, "the next invocation gets a new process");
    event_release(&t.event);
    return rc;
}

static int loop(struct lambda *l, struct error *err)
{
    struct invocation inv;
    for (;;) {
        if (runtime_next(l->api, &inv, err) || invocation(l, &inv, err))
            return -1;
        if (clock_stopped(&l->app->clk))
            return error_set(err, ERR_STOPPED, "stopped");
    }
}

static int fail_init(struct lambda *l, int code, const struct buf *why)
{
    struct error err = { 0 };
    if (runtime_fail_init(l->api, error_type_of(code), buf_text(why), &err))
        diag_say(&l->app->diag, DIAG_ERROR, "%s", err.text);
    return 1;
}

int lambda_command(struct app *app)
{
    const char *api = getenv("AWS_LAMBDA_RUNTIME_API");
    struct lambda l = { .app = app };
    struct buf why = BUF_INIT(FAULTS_MAX);
    struct error err = { 0 };
    int code;
    if (!api || !*api) {
        error_set(&err, ERR_CONFIG,
                  "AWS_LAMBDA_RUNTIME_API is not set: otlpull lambda is what AWS Lambda starts; "
                  "elsewhere it is otlpull run");
        return app_fail(app, &err);
    }
    if (http_global_init(&err))
        return app_fail(app, &err);
    l.api = runtime_create(api, &app->clk);
    code = configure(&l, time_add(clock_mono_ns(&app->clk), INIT_NS), &why);
    if (code)
        code = fail_init(&l, code, &why);
    else if (loop(&l, &err) && err.kind != ERR_STOPPED)
        code = app_fail(app, &err);
    close_store(&l);
    runtime_destroy(l.api);
    drop_connections(&l);
    http_global_release();
    buf_release(&why);
    return code;
}
