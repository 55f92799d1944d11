/* status.c -- `otlpull status`: what the state says of each source. It makes no call and takes no
 * lock: documents are replaced as a whole, so what is read is always one that was complete. With
 * --stats the platform is asked too, for its own counts. */
#include "app.h"
#include "base/jread.h"
#include "base/timefmt.h"
#include "dead_letter.h"
#include "limiter.h"
#include "net/http.h"
#include "pull.h"
#include "state/state.h"
#include "state/store.h"
#include "stats.h"
#include "window.h"

#define OUTPUT_MAX ((size_t)16 << 20)

/* One source's figures, however they are to be written. */
struct figures {
    const struct source_config *source;
    struct source_state state;
    int64_t lag_ns, backlog_ns;
    int budget_left;
    uint64_t dead_letter_bytes;
    bool asked;        /* the platform was, for its counts */
    struct buf counts; /* one JSON object; empty: it has none, or did not tell */
};

static int read_figures(struct app *app, struct store *store, const struct source_config *source,
                        struct figures *out, struct error *err)
{
    struct store_version version;
    int64_t now = clock_unix_ns(&app->clk);
    out->source = source;
    if (limiter_left(store, &app->clk, source->budget_key, source->rate.calls,
                     source->rate.period_ns, &out->budget_left, err) ||
        state_load(store, source->stream.name, &out->state, &version, err) ||
        dead_letters_size(store, source->stream.name, &out->dead_letter_bytes, err))
        return error_within(err, "source %s", source->stream.name);
    struct window_rules rules;
    pull_window_rules(source, &rules);
    int64_t checkpoint = out->state.started ? out->state.checkpoint_unix_ns
                                            : window_begin(now, source->lookback_ns, &rules);
    int64_t backlog_ns = window_due(now, source->lag_ns) - checkpoint;
    out->lag_ns = now - checkpoint;
    out->backlog_ns = backlog_ns > 0 ? backlog_ns : 0;
    return 0;
}

static const char *time_text(int64_t unix_ns, char out[TIMEFMT_MAX])
{
    timefmt_rfc3339(unix_ns, 3, out);
    return out;
}

static const char *duration_text(int64_t ns, char out[TIMEFMT_MAX])
{
    timefmt_duration(ns, out);
    return out;
}

static void write_text(const struct figures *f, struct buf *out)
{
    const struct source_state *st = &f->state;
    const struct run_record *run = &st->last_run;
    char a[TIMEFMT_MAX], b[TIMEFMT_MAX];
    buf_printf(out, "%s (%s)\n", f->source->stream.name, f->source->stream.type->name);
    buf_printf(out, "  checkpoint  %s\n",
               st->started ? time_text(st->checkpoint_unix_ns, a) : "none: no run has begun yet");
    buf_printf(out, "  lag         %s\n", duration_text(f->lag_ns, a));
    buf_printf(out, "  backlog     %s\n", duration_text(f->backlog_ns, a));
    if (st->unfinished)
        buf_printf(out, "  unfinished  %s to %s, %zu records of it read\n",
                   time_text(st->window_start_unix_ns, a), time_text(st->window_end_unix_ns, b),
                   st->window_prints.count);
    if (run->started_unix_ns)
        buf_printf(out,
                   "  last run    %s, %s, exit %d: exported %lld, rejected %lld, duplicates %lld, "
                   "calls %lld, windows %lld\n",
                   time_text(run->started_unix_ns, a),
                   duration_text(run->ended_unix_ns - run->started_unix_ns, b), run->exit_code,
                   (long long)run->counts.exported, (long long)run->counts.rejected,
                   (long long)run->counts.duplicates, (long long)run->counts.calls,
                   (long long)run->counts.windows);
    else
        buf_append_text(out, "  last run    none\n");
    buf_printf(out, "  budget      %d of %d calls left in %s\n", f->budget_left,
               f->source->rate.calls, duration_text(f->source->rate.period_ns, a));
    if (f->dead_letter_bytes)
        buf_printf(out, "  refused     %llu bytes of dead letters: otlpull dead-letter list\n",
                   (unsigned long long)f->dead_letter_bytes);
    if (st->gap_count == 0)
        buf_append_text(out, "  gaps        none\n");
    for (size_t i = 0; i < st->gap_count; i++)
        buf_printf(out, "  gap         %s to %s: no longer at the platform when we came\n",
                   time_text(st->gaps[i].from_unix_ns, a), time_text(st->gaps[i].to_unix_ns, b));
    if (f->asked)
        stats_write_text(buf_bytes(&f->counts), out);
}

static void json_time(struct buf *out, const char *key, int64_t unix_ns)
{
    char text[TIMEFMT_MAX];
    buf_printf(out, "\"%s\":\"%s\"", key, time_text(unix_ns, text));
}

static void json_seconds(struct buf *out, const char *key, int64_t ns)
{
    buf_printf(out, "\"%s\":%lld.%03d", key, (long long)(ns / NS_PER_S),
               (int)(ns / NS_PER_MS % 1000));
}

static void write_json(const struct figures *f, struct buf *out)
{
    const struct source_state *st = &f->state;
    buf_append_text(out, "{\"name\":");
    jread_quote(out, f->source->stream.name);
    buf_printf(out, ",\"type\":\"%s\",", f->source->stream.type->name);
    if (st->started)
        json_time(out, "checkpoint", st->checkpoint_unix_ns);
    else
        buf_append_text(out, "\"checkpoint\":null");
    buf_append_char(out, ',');
    json_seconds(out, "lag_seconds", f->lag_ns > 0 ? f->lag_ns : 0);
    buf_append_char(out, ',');
    json_seconds(out, "backlog_seconds", f->backlog_ns);
    if (st->unfinished) {
        buf_append_text(out, ",\"unfinished\":{");
        json_time(out, "from", st->window_start_unix_ns);
        buf_append_char(out, ',');
        json_time(out, "to", st->window_end_unix_ns);
        buf_printf(out, ",\"records_read\":%zu}", st->window_prints.count);
    }
    buf_append_text(out, ",\"last_run\":");
    if (st->last_run.started_unix_ns)
        run_record_write(&st->last_run, out);
    else
        buf_append_text(out, "null");
    buf_printf(out, ",\"budget\":{\"left\":%d,\"calls\":%d,", f->budget_left,
               f->source->rate.calls);
    json_seconds(out, "period_seconds", f->source->rate.period_ns);
    buf_printf(out, "},\"dead_letter_bytes\":%llu,\"gaps\":[",
               (unsigned long long)f->dead_letter_bytes);
    for (size_t i = 0; i < st->gap_count; i++) {
        buf_append_text(out, i ? ",{" : "{");
        json_time(out, "from", st->gaps[i].from_unix_ns);
        buf_append_char(out, ',');
        json_time(out, "to", st->gaps[i].to_unix_ns);
        buf_append_char(out, '}');
    }
    buf_append_char(out, ']');
    if (f->asked)
        buf_printf(out, ",\"platform\":%s", f->counts.len ? buf_text(&f->counts) : "null");
    buf_append_char(out, '}');
}

/* Append one source, if it can be read; its counts first, as they are a call of its budget. Returns
 * an exit code. */
static int show(struct app *app, struct store *store, const struct source_config *source,
                struct buf *out)
{
    struct figures f = { .state = SOURCE_STATE_INIT, .counts = BUF_INIT(OUTPUT_MAX) };
    struct error err = { 0 }, second = { 0 };
    int code = 0;
    if (app->flags.stats && stats_ask(app, store, source, &f.counts, &err))
        code = app_fail(app, &err);
    else
        f.asked = app->flags.stats;
    if (read_figures(app, store, source, &f, &second)) {
        code = error_worse_exit_code(code, app_fail(app, &second));
    } else {
        if (app->flags.json)
            buf_append_text(out, buf_text(out)[out->len - 1] == '[' ? "" : ",");
        else if (out->len > 0)
            buf_append_char(out, '\n');
        (app->flags.json ? write_json : write_text)(&f, out);
    }
    state_release(&f.state);
    buf_release(&f.counts);
    return code;
}

static int show_all(struct app *app, struct store *store)
{
    struct buf text = BUF_INIT(OUTPUT_MAX);
    int code = 0;
    if (app->flags.json)
        buf_append_text(&text, "{\"sources\":[");
    for (size_t i = 0; i < app->config.source_count; i++) {
        if (app->chosen[i])
            code = error_worse_exit_code(code, show(app, store, &app->config.sources[i], &text));
    }
    if (app->flags.json)
        buf_append_text(&text, "]}\n");
    code = error_worse_exit_code(code, app_print(app, &text));
    buf_release(&text);
    return code;
}

/* A call is noted in the store, which must be there then. */
int status_command(struct app *app)
{
    struct error err = { 0 };
    const char *path = app->config.state_path;
    if (app->flags.stats && http_global_init(&err))
        return app_fail(app, &err);
    struct store *store = app->flags.stats ? store_open(path, &app->clk, &err)
                                           : store_open_for_reading(path, &app->clk);
    int code = store ? show_all(app, store) : app_fail(app, &err);
    if (store)
        store->close(store);
    if (app->flags.stats)
        http_global_release();
    return code;
}
