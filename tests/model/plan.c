#include "tests/model/model.h"

#include <string.h>

#define MS(ns) ((long long)((ns) / NS_PER_MS))

/* In most worlds a kind of fault is not there at all, so that others show. */
static int maybe(struct rng *r, int percent, int most)
{
    return rng_percent(r, percent) ? (int)rng_between(r, 1, most) : 0;
}

static void plan_settings(struct plan *p, struct rng *r, bool days)
{
    p->source_count = (size_t)RNG_PICK(r, 1, 1, 1, 1, 2, 2, 3);
    p->window_ns = RNG_PICK(r, 5, 10, 15, 20, 30, 60, 60) * MINUTE;
    p->lag_ns = RNG_PICK(r, 0, 10 * NS_PER_S, MINUTE, MINUTE, 3 * MINUTE);
    p->overlap_ns = RNG_PICK(r, 0, NS_PER_MS, 30 * NS_PER_S, MINUTE, 5 * MINUTE, 5 * MINUTE,
                             10 * MINUTE);
    p->lookback_ns = RNG_PICK(r, 5, 20, 30, 60, 60, 120) * MINUTE;
    if (p->overlap_ns > p->window_ns / 4 * 3) /* as the configuration asks */
        p->overlap_ns = p->window_ns / 4 * 3;
    if (days) {
        p->window_ns = HOUR;
        p->lookback_ns = RNG_PICK(r, 1, 2, 14, 14) * DAY;
    }
    p->calls = (int)RNG_PICK(r, 30, 30, 30, 10, 5, 3, 1);
    p->period_ns = p->calls == 30 ? MINUTE : RNG_PICK(r, 1, 5, 10, 30, 60) * NS_PER_S;
    p->normalize = rng_percent(r, 60);
    p->keep_dead = rng_percent(r, 75);
    p->max_batch_records = (size_t)RNG_PICK(r, 1, 2, 3, 5, 10, 30, 100, 8192);
    p->max_batch_bytes = (size_t)RNG_PICK(r, 1500, 4000, 4000, 100000, 4 << 20);
    p->source_elapsed_ns = RNG_PICK(r, 10, 30, 120, 300) * NS_PER_S;
    p->exporter_elapsed_ns = RNG_PICK(r, 10, 30, 120, 300) * NS_PER_S;
}

static void plan_history(struct plan *p, struct rng *r, bool days)
{
    static const int most[] = { 10, 30, 30, 100, 100, 400 };
    p->records = (int)rng_below(r, (uint64_t)most[rng_below(r, COUNT(most))]);
    p->edges = (int)RNG_PICK(r, 0, 5, 20, 50);
    p->twins = (int)RNG_PICK(r, 0, 10, 30);
    p->submilli = (int)RNG_PICK(r, 0, 0, 20);
    p->late = days ? 0 : (int)RNG_PICK(r, 0, 0, 10, 40);
    p->too_late = (int)RNG_PICK(r, 0, 0, 20);
    p->poison = maybe(r, 15, 4);
}

static void plan_faults(struct plan *p, struct rng *r)
{
    bool quiet = rng_percent(r, 20);
    p->api_faults = quiet ? 0 : maybe(r, 30, 150);
    p->limit_faults = quiet ? 0 : maybe(r, 15, 60);
    p->garbled = quiet ? 0 : maybe(r, 15, 100);
    p->repeat_cursor = quiet ? 0 : maybe(r, 5, 200);
    p->post_faults = quiet ? 0 : maybe(r, 25, 200);
    p->lost_answers = quiet ? 0 : maybe(r, 25, 150);
    p->store_faults = quiet ? 0 : maybe(r, 15, 60);
    p->partial = maybe(r, 10, 300);
    p->slow = quiet ? 0 : maybe(r, 10, 100);
    p->latency_ns = RNG_PICK(r, 5, 50, 50, 200, 200, 3000) * NS_PER_MS;
    p->poison_status = (int)RNG_PICK(r, 400, 500);
    p->queue = !quiet && rng_percent(r, 15) ? (size_t)rng_between(r, 1, 8) : 0;
    p->body_limit = rng_percent(r, 10) ? 5000 : 0;
}

static void plan_run(struct plan *p, struct rng *r, struct run_plan *run, bool days)
{
    run->concurrency = (int)rng_between(r, 1, 3);
    run->window_ns = p->window_ns;
    run->max_batch_records = p->max_batch_records;
    if (rng_percent(r, 15) && !days)
        run->window_ns = RNG_PICK(r, 14, 20, 45, 60) * MINUTE;
    if (rng_percent(r, 15))
        run->max_batch_records = (size_t)rng_between(r, 1, 50);
    if (rng_percent(r, 15))
        run->deadline_ns = rng_between(r, NS_PER_S, 5 * MINUTE);
    if (rng_percent(r, 10))
        run->stop_ns = rng_between(r, NS_PER_MS, rng_percent(r, 50) ? 2 * NS_PER_S : MINUTE);
    if (rng_percent(r, 25)) {
        run->kill_at = (size_t)rng_between(r, 1, rng_percent(r, 60) ? 25 : 120);
        run->kill_after = rng_percent(r, 50);
    }
    run->beside = rng_percent(r, 8);
}

static void plan_runs(struct plan *p, struct rng *r, bool days, int64_t now_mono_ns)
{
    p->run_count = 1 + rng_below(r, days ? 3 : 6);
    for (size_t i = 0; i < p->run_count; i++) {
        struct run_plan *run = &p->runs[i];
        run->start_mono_ns = now_mono_ns;
        plan_run(p, r, run, days);
        int64_t gap = rng_percent(r, 40)   ? rng_between(r, 5 * NS_PER_S, 2 * MINUTE)
                      : rng_percent(r, 60) ? rng_between(r, MINUTE, 20 * MINUTE)
                                           : rng_between(r, MINUTE, 3 * HOUR);
        if (days && rng_percent(r, 40))
            gap = rng_between(r, DAY, 20 * DAY);
        if (rng_percent(r, 50))
            gap -= gap % MINUTE;
        now_mono_ns += gap + NS_PER_S;
    }
}

static size_t plan_spells(const struct plan *p, struct rng *r, struct spell *spells, int kinds)
{
    size_t count = rng_percent(r, 20) ? 1 + rng_below(r, SPELLS_MAX) : 0;
    for (size_t i = 0; i < count; i++) {
        const struct run_plan *run = &p->runs[rng_below(r, p->run_count)];
        int64_t from = run->start_mono_ns + rng_between(r, -10 * NS_PER_S, 30 * NS_PER_S);
        int64_t most = rng_percent(r, 60) ? 40 * NS_PER_S : 20 * MINUTE;
        spells[i] = (struct spell){ from, from + rng_between(r, NS_PER_S, most),
                                    (int)rng_below(r, (uint64_t)kinds) };
    }
    return count;
}

void plan_make(struct plan *p, const struct platform *platform, struct rng *r, int64_t now_mono_ns,
               unsigned with)
{
    bool days = rng_percent(r, 1) && !(with & WITH_WALL_JUMPS);
    memset(p, 0, sizeof(*p));
    p->days = days;
    plan_settings(p, r, days);
    if (days && !(with & WITH_SLOW_EDGE)) { /* a permit comes before the far end has moved on */
        p->source_count = 1;
        p->calls = 30;
        p->period_ns = MINUTE;
    }
    if (platform->retention_ns && p->lookback_ns > platform->retention_ns)
        p->lookback_ns = platform->retention_ns;
    p->dated = with & WITH_WALL_JUMPS || rng_percent(r, 50);
    plan_history(p, r, days);
    plan_faults(p, r);
    plan_runs(p, r, days, now_mono_ns);
    p->collector_spell_count = plan_spells(p, r, p->collector_spells, COLLECTOR_KINDS);
    p->platform_spell_count = plan_spells(p, r, p->platform_spells, PLATFORM_KINDS);
}

void plan_manner(const struct plan *p, struct manner *m, struct rng *r)
{
    *m = (struct manner){
        .bounds = (unsigned)rng_below(r, 4),
        .by_arrival = rng_percent(r, 35),
        .order = (enum order)rng_below(r, ORDERS),
        .page_size = (int)(rng_percent(r, 25) ? rng_between(r, 1, 5) : rng_between(r, 3, 50)),
        .sparse = rng_percent(r, 20) ? (int)rng_between(r, 10, 60) : 0,
        .live = rng_percent(r, 40),
        .eager_cursor = rng_percent(r, 25),
        .last_cursor = (int)rng_below(r, 3),
        .cursor_ttl_ns = rng_percent(r, 10) ? rng_between(r, NS_PER_S, 5 * MINUTE) : 0,
        .cursor_fails = rng_percent(r, 10) ? (int)rng_between(r, 20, 400) : 0,
        .expired_status = (int)RNG_PICK(r, 400, 410),
    };
    int least = p->records / 60 + 1; /* a world is to be played in a moment */
    if (m->page_size < least)
        m->page_size = least;
}

static void write_retry(struct buf *yaml, int64_t elapsed_ns)
{
    buf_printf(yaml,
               "retry_on_failure: {initial_interval: 1s, max_interval: 20s, "
               "max_elapsed_time: %lldms}",
               MS(elapsed_ns));
}

void plan_write_config(const struct world *w, struct buf *yaml)
{
    const struct plan *p = &w->plan;
    buf_append_text(yaml, "sources:\n");
    for (size_t i = 0; i < p->source_count; i++) {
        buf_printf(yaml, "  - {name: %s", w->origins[i].name);
        w->platform->configure(&w->origins[i], yaml);
        if (!w->platform->tails)
            buf_printf(yaml, ", window: %lldms", MS(p->window_ns));
        buf_printf(yaml, ", lookback: %lldms, lag: %lldms, overlap: %lldms", MS(p->lookback_ns),
                   MS(p->lag_ns), MS(p->overlap_ns));
        buf_printf(yaml, ", rate_limit: {calls: %d, period: %lldms}, normalize: %s, ", p->calls,
                   MS(p->period_ns), p->normalize ? "true" : "false");
        write_retry(yaml, p->source_elapsed_ns);
        buf_append_text(yaml, "}\n");
    }
    buf_printf(yaml,
               "exporter: {endpoint: \"http://127.0.0.1:4318\", max_batch_records: %zu, "
               "max_batch_bytes: %zu, ",
               p->max_batch_records, p->max_batch_bytes);
    write_retry(yaml, p->exporter_elapsed_ns);
    buf_printf(yaml, "}\nstate: {path: /nowhere, dead_letter: %s}\n",
               p->keep_dead ? "keep" : "drop");
}
