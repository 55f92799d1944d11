#include "tests/model/model.h"

#include <stdlib.h>
#include <string.h>

#define PADDING_MAX 2500

/* A stretch of time to put records in, and the moments in it that runs will cut at. */
struct scene {
    struct world *w;
    struct rng *r;
    int64_t from_unix_ns, to_unix_ns;
    int64_t cluster_unix_ns[4];
    char padding[PADDING_MAX + 1];
};

static uint32_t add_content(struct scene *s, struct origin *o, int64_t time_unix_ns, bool sentinel,
                            bool follows)
{
    struct world *w = s->w;
    char mark[24];
    if (w->content_count == w->content_capacity) {
        w->content_capacity = w->content_capacity ? 2 * w->content_capacity : 128;
        w->contents = xreallocarray(w->contents, w->content_capacity, sizeof(*w->contents));
    }
    struct content *c = &w->contents[w->content_count];
    *c = (struct content){ .origin = o,
                           .foreign = o->filtered && !sentinel && rng_percent(s->r, 30) };
    c->follows = follows;
    c->instance = o->filtered ? c->foreign : (unsigned)rng_below(s->r, o->instances);
    snprintf(mark, sizeof(mark), "~%zu~", w->content_count);
    size_t len = rng_below(s->r, rng_percent(s->r, 95) ? 40 : PADDING_MAX);
    s->padding[len] = '\0';
    buf_reset(&w->scratch);
    w->platform->write_record(c, time_unix_ns, mark, s->padding, s->r, &w->scratch);
    s->padding[len] = 'x';
    c->text = xstrndup(buf_text(&w->scratch), w->scratch.len);
    c->len = w->scratch.len;
    c->mark_at = (size_t)(strstr(c->text, mark) - c->text);
    return (uint32_t)w->content_count++;
}

/* An end of a window that some run may cut, or a millisecond beside it. */
static int64_t edge_time(struct scene *s)
{
    const struct plan *p = &s->w->plan;
    const struct run_plan *run = &p->runs[rng_below(s->r, p->run_count)];
    int64_t due = s->w->wall_ns + run->start_mono_ns - p->lag_ns;
    int64_t t = due;
    if (rng_percent(s->r, 60)) { /* of the first run: each window begins a millisecond back */
        due = s->w->wall_ns + p->runs[0].start_mono_ns - p->lookback_ns;
        t = due + (int64_t)rng_below(s->r, 12) * (p->window_ns - NS_PER_MS);
    }
    t += rng_between(s->r, -2, 2) * NS_PER_MS;
    return t < s->to_unix_ns ? t - t % NS_PER_MS : s->to_unix_ns;
}

static int64_t time_of(struct scene *s)
{
    struct rng *r = s->r;
    int64_t t = rng_between(r, s->from_unix_ns, s->to_unix_ns);
    if (rng_percent(r, s->w->plan.edges))
        t = edge_time(s);
    else if (rng_percent(r, 40))
        t = s->cluster_unix_ns[rng_below(r, COUNT(s->cluster_unix_ns))] +
            rng_between(r, -3, 3) * NS_PER_MS;
    t -= t % NS_PER_MS;
    if (rng_percent(r, s->w->plan.submilli) && s->w->platform->unit_ns < NS_PER_MS)
        t += rng_between(r, 0, NS_PER_MS - 1);
    return t;
}

static int64_t lateness(struct scene *s)
{
    const struct plan *p = &s->w->plan;
    if (!rng_percent(s->r, p->late))
        return 0;
    int64_t most = p->overlap_ns + p->lag_ns;
    if (rng_percent(s->r, p->too_late))
        return most + rng_between(s->r, 1, most + HOUR);
    return rng_percent(s->r, 30) ? most : rng_between(s->r, 0, most);
}

/* One record and its twins. Returns how many that are. */
static size_t add_records(struct scene *s, struct origin *o, size_t room)
{
    int64_t time_unix_ns = time_of(s);
    uint32_t content = add_content(s, o, time_unix_ns, false, false);
    size_t copies = rng_percent(s->r, s->w->plan.twins) ? 2 + rng_below(s->r, 3) : 1;
    bool forgets = (o->manner.ring > 0 && !o->manner.by_id) || o->manner.twins_together;
    bool any = (!o->manner.by_arrival && !forgets) || s->w->settings->with & WITH_TWINS_APART;
    int64_t late = lateness(s), most = s->w->plan.overlap_ns + s->w->plan.lag_ns;
    int64_t first_ns = s->w->wall_ns + s->w->plan.runs[0].start_mono_ns;
    bool prompt = o->manner.prompt_at_first && time_unix_ns < first_ns;
    int64_t reach = s->w->plan.window_ns / 4 * 3;
    bool at_edges = s->w->plan.edges > 0;
    copies = o->manner.no_twins ? 1 : copies < room ? copies : room;
    for (size_t i = 0; i < copies; i++) {
        int64_t other = lateness(s);
        /* Where it filters by arrival, twins that arrive further apart than a window can reach back
         * are taken for one, and so are some of the very millisecond in which a window begins; and
         * so is one that comes when its twin is gone, or tells how far an answer reaches. */
        if (i > 0 && !forgets &&
            (any || (late <= most && other <= most && most <= reach && !at_edges)))
            late = other;
        o->records[o->record_count++] = (struct record){
            .content = content,
            .time_unix_ns = time_unix_ns,
            .seen_unix_ns = time_unix_ns + (prompt ? 0 : late),
            .rank = rng_next(s->r),
        };
    }
    s->w->contents[content].copies = s->w->contents[content].foreign ? 0 : (int64_t)copies;
    return copies;
}

static int by_time(const void *a, const void *b)
{
    const struct record *x = a, *y = b;
    if (x->time_unix_ns != y->time_unix_ns)
        return x->time_unix_ns < y->time_unix_ns ? -1 : 1;
    return x->rank < y->rank ? -1 : x->rank > y->rank;
}

struct ranking {
    uint64_t rank;
    uint32_t index;
};

static int by_rank(const void *a, const void *b)
{
    const struct ranking *x = a, *y = b;
    return x->rank < y->rank ? -1 : x->rank > y->rank;
}

/* The order in which the platform gives its records out. */
static void rank(struct origin *o)
{
    size_t n = o->record_count;
    struct ranking *all = xcalloc(n, sizeof(*all));
    o->ranked = xcalloc(n, sizeof(*o->ranked));
    for (size_t i = 0; i < n; i++)
        all[i] = (struct ranking){ o->manner.order == ORDER_ASC    ? i
                                   : o->manner.order == ORDER_DESC ? n - i
                                                                   : o->records[i].rank,
                                   (uint32_t)i };
    qsort(all, n, sizeof(*all), by_rank);
    for (size_t i = 0; i < n; i++)
        o->ranked[i] = all[i].index;
    free(all);
}

/* One more line of what the last record tells. */
static void add_follower(struct scene *s, struct origin *o)
{
    struct record *r = &o->records[o->record_count];
    uint32_t content = add_content(s, o, r[-1].time_unix_ns, false, true);
    *r = r[-1];
    r->content = content;
    r->rank++;
    s->w->contents[content].instance = s->w->contents[r[-1].content].instance;
    s->w->contents[content].copies = 1;
    o->record_count++;
}

/* After all runs that were planned: a record that nobody refuses, so that what the collector
 * refuses is known to be the records' fault. */
static void add_sentinel(struct scene *s, struct origin *o)
{
    uint32_t content = add_content(s, o, s->to_unix_ns, true, false);
    o->records[o->record_count++] = (struct record){ .content = content,
                                                     .time_unix_ns = s->to_unix_ns,
                                                     .seen_unix_ns = s->to_unix_ns };
    s->w->contents[content].copies = 1;
}

/* Few: of a collector that refuses ten alone and took none, the fault is its own. */
static void poison(struct world *w, struct rng *r)
{
    int64_t left = 8;
    for (int i = 0; i < w->plan.poison && w->content_count > 0; i++) {
        struct content *c = &w->contents[rng_below(r, w->content_count)];
        const struct origin *o = c->origin;
        bool sentinel = &w->contents[o->records[o->record_count - 1].content] == c;
        if (c->poison || c->foreign || sentinel || c->copies > left)
            continue;
        c->poison = true;
        left -= c->copies;
    }
}

void history_make(struct world *w, struct rng *r)
{
    const struct plan *p = &w->plan;
    struct scene s = { .w = w, .r = r };
    memset(s.padding, 'x', PADDING_MAX);
    int64_t first = w->wall_ns + p->runs[0].start_mono_ns;
    s.from_unix_ns = first - p->lookback_ns - rng_between(r, 0, p->lookback_ns / 4);
    s.to_unix_ns = w->wall_ns + p->runs[p->run_count - 1].start_mono_ns + MINUTE;
    s.to_unix_ns -= s.to_unix_ns % NS_PER_MS;
    for (size_t i = 0; i < p->source_count; i++) {
        struct origin *o = &w->origins[i];
        size_t count = (size_t)p->records / p->source_count;
        o->records = xcalloc(count + 1, sizeof(*o->records));
        for (size_t k = 0; k < COUNT(s.cluster_unix_ns); k++)
            s.cluster_unix_ns[k] = rng_between(r, s.from_unix_ns, s.to_unix_ns);
        while (o->record_count < count) {
            size_t copies = add_records(&s, o, count - o->record_count);
            if (o->manner.follows && copies == 1 && o->record_count < count && rng_percent(r, 30))
                add_follower(&s, o);
        }
        int64_t last = s.to_unix_ns;
        s.to_unix_ns += 5 * MINUTE; /* behind all others */
        add_sentinel(&s, o);
        s.to_unix_ns = last;
        qsort(o->records, o->record_count, sizeof(*o->records), by_time);
        rank(o);
        shelf_make(o);
        w->totals.records += (int64_t)o->record_count;
    }
    poison(w, r);
}
