#include "tests/model/model.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "workers.h"

#define BIRTH_UNIX_NS (INT64_C(1762930800) * NS_PER_S)
#define BIRTH_MONO_NS (5000 * NS_PER_S)
#define RUN_MOST_NS   (40 * DAY)
#define CONFIG_MAX    16384

int64_t world_unix_ns(const struct world *w)
{
    return w->wall_ns + tasks_mono_ns(w->tasks);
}

void world_fail(struct world *w, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    if (!w->failed)
        vsnprintf(w->why, sizeof(w->why), format, args);
    va_end(args);
    if (!w->failed)
        world_say(w, "FAILED: %s", w->why);
    w->failed = true;
}

void world_say(struct world *w, const char *format, ...)
{
    char line[1500];
    va_list args;
    w->trace = rng_mix(w->trace + (uint64_t)tasks_mono_ns(w->tasks) + (uint64_t)format[0]);
    if (!w->settings->verbose)
        return;
    int64_t ns = tasks_mono_ns(w->tasks) - w->born_mono_ns;
    char time[TIMEFMT_MAX];
    va_start(args, format);
    vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    timefmt_rfc3339(world_unix_ns(w), 3, time);
    printf("%10.3f %s %s\n", (double)ns / 1e9, time, line);
}

bool world_fault(struct world *w, int permille)
{
    if (w->calm || !rng_permille(&w->faults, permille))
        return false;
    w->faults_in_run++;
    return true;
}

/* One process's main(), from where its configuration is read. */
struct started {
    struct process process;
    int64_t begin_mono_ns;
    struct run_summary summary;
    bool ended;
};

static void *run(void *arg)
{
    struct started *s = arg;
    struct world *w = s->process.w;
    const struct run_plan *plan = s->process.plan;
    bool chosen[SOURCES_MAX] = { true, true, true };
    struct diag diag = { .level = w->settings->verbose ? DIAG_DEBUG
                                                       : (enum diag_level)(DIAG_ERROR + 1),
                         .fd = STDOUT_FILENO,
                         .clk = &s->process.words.clk };
    struct pull pull = { .config = &w->config,
                         .store = &s->process.store,
                         .clk = &s->process.clk,
                         .diag = &diag,
                         .deadline_mono_ns = TIME_FOREVER };
    while (tasks_mono_ns(w->tasks) < s->begin_mono_ns)
        tasks_wait(w->tasks, s, s->begin_mono_ns);
    w->processes++;
    if (plan->deadline_ns)
        pull.deadline_mono_ns = tasks_mono_ns(w->tasks) + plan->deadline_ns;
    world_say(w, "run %d begins: concurrency %d, deadline %lld ms, stop %lld ms, kill %zu%s",
              s->process.number, w->config.concurrency, (long long)(plan->deadline_ns / NS_PER_MS),
              (long long)(plan->stop_ns / NS_PER_MS), plan->kill_at, plan->kill_after ? "+" : "");
    workers_run(&pull, chosen, &s->summary);
    s->ended = true;
    w->processes--;
    world_say(w, "run %d ends: exit code %d, %lld exported, %lld rejected, %lld dropped",
              s->process.number, s->summary.exit_code, (long long)s->summary.counts.exported,
              (long long)s->summary.counts.rejected, (long long)s->summary.counts.duplicates);
    return NULL;
}

/* A run in which nothing went wrong says so. */
static void check_exit(struct world *w, const struct started *s, bool last)
{
    const struct run_summary *sum = &s->summary;
    bool poison = w->plan.poison > 0 && sum->exit_code == 69;
    bool blamed = w->faults_in_run > 0 || w->plan.poison > 0 || w->plan.body_limit > 0;
    if (sum->exit_code == 70 || sum->exit_code == 78 || sum->exit_code == 64)
        world_fail(w, "run %d: exit code %d", s->process.number, sum->exit_code);
    else if (sum->exit_code != 0 && !(last ? poison : blamed))
        world_fail(w, "run %d: exit code %d, and nothing went wrong", s->process.number,
                   sum->exit_code);
}

/* What was there throughout a run that came to its end is owed, whatever becomes of it later. */
static void note_read(struct world *w, const struct run_plan *plan, const struct started *s)
{
    bool whole = !plan->beside && !plan->deadline_ns && !plan->stop_ns && !s->process.killed;
    if (!whole || s->summary.exit_code != 0 || w->settings->with & WITH_WALL_JUMPS)
        return;
    for (size_t i = 0; i < w->plan.source_count; i++)
        shelf_was_read(&w->origins[i], w->wall_ns + s->begin_mono_ns);
}

static void play_run(struct world *w, const struct run_plan *plan, bool last)
{
    struct started *both = xcalloc(2, sizeof(*both));
    size_t count = plan->beside ? 2 : 1;
    int64_t now = tasks_mono_ns(w->tasks);
    if (plan->start_mono_ns > now)
        tasks_pass(w->tasks, plan->start_mono_ns - now);
    w->config.concurrency = plan->concurrency;
    w->config.exporter.max_batch_records = plan->max_batch_records;
    for (size_t i = 0; i < w->plan.source_count; i++)
        w->config.sources[i].window_ns = w->platform->tails ? INT64_MAX : plan->window_ns;
    if (w->settings->with & WITH_WALL_JUMPS)
        process_upset_clock(w, 300);
    w->faults_in_run = w->calm ? 0 : plan->beside;
    for (size_t i = 0; i < count; i++) {
        w->totals.runs++;
        process_init(&both[i].process, w, plan, ++w->run_number);
        both[i].begin_mono_ns = tasks_mono_ns(w->tasks) +
                                (i ? rng_between(&w->faults, 0, 20 * NS_PER_S) : 0);
        tasks_add(w->tasks, run, &both[i], &both[i].process);
    }
    if (!tasks_run(w->tasks, RUN_MOST_NS)) {
        world_fail(w, "run %d: all threads wait, and nobody will wake them", w->run_number);
        return; /* their stacks, and what they hold, are lost */
    }
    for (size_t i = 0; i < count; i++)
        check_exit(w, &both[i], last);
    note_read(w, plan, &both[0]);
    for (size_t i = 0; i < w->plan.source_count; i++) {
        if (w->origins[i].given_count > 0)
            world_fail(w, "%s: run %d ends, and its state does not know %zu records that it gave",
                       w->origins[i].name, w->run_number, w->origins[i].given_count);
    }
    free(both);
}

/* With no more faults, until all that is due was fetched. */
static void play_end(struct world *w)
{
    struct run_plan plan = { .concurrency = 2,
                             .window_ns = w->plan.window_ns,
                             .max_batch_records = w->plan.max_batch_records };
    int64_t end = world_unix_ns(w) + 6 * MINUTE; /* no 429 holds longer */
    for (size_t i = 0; i < w->plan.source_count; i++) {
        const struct origin *o = &w->origins[i];
        for (size_t k = 0; k < o->record_count; k++) {
            if (o->records[k].seen_unix_ns > end)
                end = o->records[k].seen_unix_ns;
        }
    }
    w->calm = true;
    process_set_clock(w, 0);
    world_say(w, "from now on nothing goes wrong");
    plan.start_mono_ns = end - w->wall_ns + w->plan.lag_ns + 10 * NS_PER_S;
    play_run(w, &plan, true);
    if (w->failed)
        return;
    int64_t excess = book_excess(w);
    plan.start_mono_ns = tasks_mono_ns(w->tasks) + 2 * MINUTE;
    play_run(w, &plan, true);
    if (!w->failed && book_excess(w) != excess)
        world_fail(w, "the last run sends again what the one before had sent");
}

static void make_origins(struct world *w, struct rng *r)
{
    bool shared = rng_percent(r, 60);
    for (size_t i = 0; i < w->plan.source_count; i++) {
        struct origin *o = &w->origins[i];
        *o = (struct origin){ .w = w, .index = i, .budget = shared ? 0 : i, .instances = 1 };
        snprintf(o->name, sizeof(o->name), "s%zu", i);
        snprintf(o->app, sizeof(o->app), "app%zu", o->budget);
        snprintf(o->environment, sizeof(o->environment), "env%zu", i);
        o->refusals_401 = rng_percent(r, 8) ? (int)rng_between(r, 1, 5) : 0;
        snprintf(o->token, sizeof(o->token), "secret-%zu", i);
        plan_manner(&w->plan, &o->manner, r);
        if (w->platform->adapt)
            w->platform->adapt(o, r);
    }
}

static const char *no_variable(void *self, const char *name)
{
    (void)self;
    (void)name;
    return NULL;
}

static bool read_config(struct world *w)
{
    struct buf faults = BUF_INIT(CONFIG_MAX), warnings = BUF_INIT(CONFIG_MAX);
    struct config_input in = { .path = "model.yaml", .getenv = no_variable };
    struct error err = { 0 };
    buf_reset(&w->scratch);
    plan_write_config(w, &w->scratch);
    int rc = config_load_text(&w->config, buf_bytes(&w->scratch), &in, &faults, &warnings, &err);
    if (rc)
        world_fail(w, "config: %s\n%s%s", err.text, buf_text(&faults), buf_text(&w->scratch));
    else
        world_say(w, "config:\n%s", buf_text(&w->scratch));
    buf_release(&faults);
    buf_release(&warnings);
    return rc == 0;
}

static void say_manners(struct world *w)
{
    for (size_t i = 0; i < w->plan.source_count; i++) {
        const struct origin *o = &w->origins[i];
        const struct manner *m = &o->manner;
        world_say(w,
                  "%s: %zu records; bounds %c..%c, by %s, order %d, pages of %d, %d%% short, "
                  "cursors: %s%s, kept %lld ms, %d in 1000 fail",
                  o->name, o->record_count, m->bounds & OPEN_START ? '(' : '[',
                  m->bounds & OPEN_END ? ')' : ']', m->by_arrival ? "arrival" : "time", m->order,
                  m->page_size, m->sparse, m->live ? "live" : "a snapshot",
                  m->eager_cursor ? ", one too many" : "",
                  (long long)(m->cursor_ttl_ns / NS_PER_MS), m->cursor_fails);
        if (w->platform->adapt)
            world_say(w,
                      "  shape %d, keeps the %s%s%s%s%s; at most %zu%s; a crowd of %zu; session "
                      "%lld ms; rebuilt at %lld ms",
                      m->shape, m->keeps_newest ? "newest" : "oldest", m->fickle ? ", fickle" : "",
                      m->whole_ties ? ", whole ties" : "", m->ignores_filters ? ", no filters" : "",
                      o->filtered ? ", filtered" : "", m->ring,
                      m->rolls_early ? ", or sooner, then none"
                      : m->rolls     ? ", then none"
                                     : "",
                      o->crowd, (long long)(m->session_ns / NS_PER_MS),
                      m->rebuilt_ns
                          ? (long long)((m->rebuilt_ns - w->wall_ns - w->born_mono_ns) / NS_PER_MS)
                          : 0);
    }
}

void world_play(struct world *w)
{
    struct rng plan = rng_of(w->seed, 1), history = rng_of(w->seed, 2);
    w->scratch = (struct buf)BUF_INIT((size_t)1 << 20);
    w->faults = rng_of(w->seed, 3);
    w->wall_ns = BIRTH_UNIX_NS - BIRTH_MONO_NS;
    w->born_mono_ns = BIRTH_MONO_NS;
    w->totals.seeds = 1;
    tasks_reset(w->tasks, rng_of(w->seed, 4), BIRTH_MONO_NS);
    plan_make(&w->plan, w->platform, &plan, BIRTH_MONO_NS, w->settings->with);
    make_origins(w, &plan);
    if (!read_config(w))
        return;
    history_make(w, &history);
    say_manners(w);
    for (size_t i = 0; i < w->plan.run_count && !w->failed; i++)
        play_run(w, &w->plan.runs[i], false);
    if (!w->failed)
        play_end(w);
    if (!w->failed)
        book_close(w);
}

void world_release(struct world *w)
{
    for (size_t i = 0; i < w->content_count; i++)
        free(w->contents[i].text);
    free(w->contents);
    for (size_t i = 0; i < w->plan.source_count; i++) {
        free(w->origins[i].records);
        free(w->origins[i].ranked);
        free(w->origins[i].arrived);
        free(w->origins[i].rolled);
        free(w->origins[i].cursors);
        free(w->origins[i].given);
    }
    store_empty(w);
    config_release(&w->config);
    buf_release(&w->scratch);
}
