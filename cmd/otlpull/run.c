/* run.c -- `otlpull run`: one run to completion, and its one line of summary. */
#include "run.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/timefmt.h"
#include "net/http.h"

#define LEAVE_NS (200 * NS_PER_MS)
/* Past its deadline a run has its last notes yet to make, and to let its leases go. */
#define NOTES_NS (2 * NS_PER_S)

const char *run_verdict(const struct app *app, const struct run_summary *sum)
{
    return sum->stopped         ? "run stopped by a signal, progress is kept"
           : sum->exit_code     ? "run failed"
           : sum->deadline      ? "run ended by its deadline, progress is kept"
           : app->flags.dry_run ? "run printed, and sent nothing"
                                : "run complete";
}

static void say_summary(const struct app *app, const struct run_summary *sum)
{
    char seconds[32], backlog[TIMEFMT_MAX];
    snprintf(seconds, sizeof(seconds), "%.3f", (double)sum->elapsed_ns / (double)NS_PER_S);
    timefmt_duration(sum->backlog_ns, backlog);
    const struct run_counts *n = &sum->counts;
    const struct diag_field fields[] = {
        { "sources", NULL, sum->sources }, { "exported", NULL, n->exported },
        { "rejected", NULL, n->rejected }, { "duplicates", NULL, n->duplicates },
        { "calls", NULL, n->calls },       { "retries", NULL, sum->retries },
        { "windows", NULL, n->windows },   { "bytes", NULL, n->bytes },
        { "seconds", seconds, 0 },         { "backlog", backlog, 0 },
        { "exit", NULL, sum->exit_code },
    };
    diag_event(&app->diag, DIAG_INFO, run_verdict(app, sum), fields, COUNT(fields));
}

/* Before it, not at it: what ends last, a wait for the collector, leaves time to note how things
 * stand and to go. */
int64_t run_deadline(const struct app *app, int64_t began_mono_ns)
{
    int64_t ns = app->flags.deadline_ns ? app->flags.deadline_ns : app->config.deadline_ns;
    int64_t leave_ns = ns / 10 < LEAVE_NS ? ns / 10 : LEAVE_NS;
    return ns ? time_add(began_mono_ns, ns - leave_ns) : TIME_FOREVER;
}

/* --shard, or what an Indexed Job of Kubernetes tells its pods. */
static int find_shard(const struct app *app, struct shard *out, struct error *err)
{
    const char *count = getenv("OTLPULL_SHARDS"), *index = getenv("JOB_COMPLETION_INDEX");
    *out = app->flags.shard;
    if (out->count || !count || !*count)
        return 0;
    if (!index || !*index)
        return error_set(err, ERR_CONFIG,
                         "OTLPULL_SHARDS is set, but not JOB_COMPLETION_INDEX: the Job needs "
                         "completionMode: Indexed");
    if (!shard_parse(bytes_of(index), bytes_of(count), out))
        return error_set(err, ERR_CONFIG,
                         "JOB_COMPLETION_INDEX is \"%.20s\" and OTLPULL_SHARDS \"%.20s\": takes 0 "
                         "to N-1, and N up to %d",
                         index, count, SHARDS_MAX);
    return 0;
}

int run_choose_shard(struct app *app, struct error *err)
{
    struct shard shard;
    if (find_shard(app, &shard, err))
        return -1;
    for (size_t i = 0; i < app->config.source_count; i++)
        app->chosen[i] = app->chosen[i] && shard_has(&shard, app->config.sources[i].budget_key);
    return 0;
}

static void run_and_note(struct app *app, struct store *store, const bool *chosen,
                         int64_t deadline_mono_ns, int64_t notes_ns, struct run_summary *out)
{
    struct pull pull = { .config = &app->config,
                         .store = store,
                         .clk = &app->clk,
                         .diag = &app->diag,
                         .deadline_mono_ns = deadline_mono_ns,
                         .dry_run = app->flags.dry_run };
    store->deadline_mono_ns = time_add(deadline_mono_ns, notes_ns);
    workers_run(&pull, chosen, out);
    say_summary(app, out);
}

void run_once(struct app *app, struct store *store, const bool *chosen, int64_t deadline_mono_ns,
              struct run_summary *out)
{
    int64_t spare_ns = (deadline_mono_ns - clock_mono_ns(&app->clk)) / RUN_NOTES_PART;
    run_and_note(app, store, chosen, deadline_mono_ns, spare_ns < NOTES_NS ? spare_ns : NOTES_NS,
                 out);
}

int run_command(struct app *app)
{
    struct error err = { 0 };
    struct run_summary summary = { 0 };
    int64_t began = clock_mono_ns(&app->clk);
    if (run_choose_shard(app, &err) || http_global_init(&err))
        return app_fail(app, &err);
    int code;
    struct store *store = store_open(app->config.state_path, &app->clk, &err);
    if (!store) {
        code = app_fail(app, &err);
    } else {
        run_and_note(app, store, app->chosen, run_deadline(app, began), NOTES_NS, &summary);
        code = summary.exit_code;
        store->close(store);
    }
    http_global_release();
    return code;
}
