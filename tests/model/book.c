#include "tests/model/model.h"

#include <stdlib.h>
#include <string.h>

#include "state/document.h"
#include "state/state.h"

#define EXAMPLES 6

void book_given(struct world *w, const struct taken *taken)
{
    struct origin *o = taken->origin;
    if (!o)
        return;
    if (o->given_count + taken->count > o->given_capacity) {
        o->given_capacity = 2 * (o->given_count + taken->count);
        o->given = xreallocarray(o->given, o->given_capacity, sizeof(*o->given));
    }
    memcpy(o->given + o->given_count, taken->contents, taken->count * sizeof(*o->given));
    o->given_count += taken->count;
    o->sent_count += taken->accepted ? taken->count : 0;
    if (o->sent_count > w->config.exporter.max_batch_records)
        world_fail(w, "%s: %zu records were sent that the state does not know: more than a batch",
                   o->name, o->sent_count);
}

void book_noted(struct world *w, struct origin *o)
{
    (void)w;
    o->given_count = o->sent_count = 0;
}

void book_unnoted(struct world *w, struct origin *o)
{
    for (size_t i = 0; i < o->given_count; i++)
        w->contents[o->given[i]].excused++;
    o->given_count = o->sent_count = 0;
}

/* What the source's state says cannot be had any more; NULL: there is no state. */
static bool read_state(struct world *w, const struct origin *o, struct source_state *out)
{
    struct bytes whole, body;
    struct error err = { 0 };
    const char *why;
    char name[128];
    state_file_name(o->name, "json", name);
    if (!store_read(w, name, &whole))
        return false;
    if (!document_open(whole, &body, &why) || state_read(body, out, &err)) {
        world_fail(w, "%s: its state cannot be read: %s", o->name, err.text);
        return false;
    }
    return true;
}

static bool in_gap(const struct source_state *st, int64_t t)
{
    for (size_t i = 0; i < st->gap_count; i++) {
        if (t >= st->gaps[i].from_unix_ns - NS_PER_MS && t <= st->gaps[i].to_unix_ns)
            return true;
    }
    return false;
}

void book_check_gaps(struct world *w, struct origin *o)
{
    struct source_state st = SOURCE_STATE_INIT;
    int64_t now = world_unix_ns(w), kept = w->platform->retention_ns;
    bool may = shelf_has_lost(o, now) || (w->platform->by_time && o->manner.crowded);
    if (!read_state(w, o, &st))
        return;
    for (size_t i = 0; i < st.gap_count; i++) {
        if (w->platform->doubted_ns && st.gaps[i].from_unix_ns < now - w->platform->doubted_ns)
            continue;
        if (!may && (kept == 0 || st.gaps[i].to_unix_ns > now - kept + MINUTE))
            world_fail(w, "%s: gave up a span that the platform has", o->name);
    }
    state_release(&st);
}

/* Whether it must have arrived. One that was to be seen late by more than lag and overlap need not,
 * where it is asked for by time: no reading that is promised meets it. Nor need one that was gone
 * before a run could have it. What a state gives up is an excuse only where
 * history is so long that some has come to its end. */
static bool is_owed(struct origin *o, const struct source_state *st, const struct record *r)
{
    const struct world *w = o->w;
    int64_t t = o->manner.by_arrival ? r->seen_unix_ns : r->time_unix_ns;
    int64_t late_ns = r->seen_unix_ns - r->time_unix_ns;
    bool in_time = o->manner.by_arrival || o->manner.by_id ||
                   late_ns <= w->plan.overlap_ns + w->plan.lag_ns;
    bool gone = shelf_is_gone(o, r, world_unix_ns(w)) || (w->plan.days && in_gap(st, t));
    bool kept = r->owed_early || !gone;
    return o->begun && t >= o->begin_unix_ns && in_time && kept && !r->hidden &&
           !w->contents[r->content].foreign && !shelf_is_crowded(o, r);
}

static void reckon_owed(struct world *w, struct origin *o)
{
    struct source_state st = SOURCE_STATE_INIT;
    bool known = read_state(w, o, &st);
    for (size_t i = 0; i < o->record_count; i++) {
        const struct record *r = &o->records[i];
        if (known && is_owed(o, &st, r))
            w->contents[r->content].owed++;
    }
    if (known)
        state_release(&st);
}

static void complain(struct world *w, struct buf *out, const struct content *c, int64_t got)
{
    char time[TIMEFMT_MAX];
    const struct origin *o = c->origin;
    for (size_t i = 0; i < o->record_count; i++) {
        const struct record *r = &o->records[i];
        if (&w->contents[r->content] != c)
            continue;
        timefmt_rfc3339(r->time_unix_ns, 9, time);
        buf_printf(out,
                   "\n  ~%zu~ of %s, %s, seen %lld ms later: %lld copies, owed %lld, "
                   "came %lld (dead letters %lld), %lld may be repeats",
                   (size_t)(c - w->contents), o->name, time,
                   (long long)((r->seen_unix_ns - r->time_unix_ns) / NS_PER_MS),
                   (long long)c->copies, (long long)c->owed, (long long)got, (long long)c->dead,
                   (long long)c->excused);
        return;
    }
}

static void check_contents(struct world *w)
{
    struct buf words = BUF_INIT(WHY_BYTES - 64);
    int64_t lost = 0, twice = 0, wrong = 0;
    w->totals.twice = book_excess(w);
    for (size_t i = 0; i < w->content_count; i++) {
        const struct content *c = &w->contents[i];
        int64_t got = c->delivered + c->dead;
        int64_t owed = w->plan.keep_dead ? c->owed : c->owed - c->refused_alone;
        int64_t more = got - c->copies;
        w->totals.excused += c->excused;
        lost += got < owed ? owed - got : 0;
        twice += more > c->excused ? more - c->excused : 0;
        if ((got < owed || more > c->excused) && wrong++ < EXAMPLES)
            complain(w, &words, c, got);
    }
    if (lost || twice)
        world_fail(w, "%lld lost, %lld sent twice that should not be:%s", (long long)lost,
                   (long long)twice, buf_text(&words));
    buf_release(&words);
}

int64_t book_excess(const struct world *w)
{
    int64_t excess = 0;
    for (size_t i = 0; i < w->content_count; i++) {
        const struct content *c = &w->contents[i];
        int64_t more = c->delivered + c->dead - c->copies;
        excess += more > 0 ? more : 0;
    }
    return excess;
}

void book_close(struct world *w)
{
    for (size_t i = 0; i < w->plan.source_count; i++) {
        book_check_gaps(w, &w->origins[i]);
        reckon_owed(w, &w->origins[i]);
    }
    check_contents(w);
}
