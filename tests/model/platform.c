#include "tests/model/model.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/timefmt.h"

#define PAGE_MOST 64
/* How much later than a 429 was heard a call may still set out that was decided on before. */
#define HEARD_NS (10 * NS_PER_MS)

static bool within(const struct manner *m, const struct question *q, int64_t t)
{
    return (m->bounds & OPEN_START ? t > q->start_unix_ns : t >= q->start_unix_ns) &&
           (m->bounds & OPEN_END ? t < q->end_unix_ns : t <= q->end_unix_ns);
}

static bool shown(const struct origin *o, const struct question *q, const struct record *r,
                  int64_t seen_until_ns, int64_t now_unix_ns)
{
    int64_t t = o->manner.by_arrival ? r->seen_unix_ns : r->time_unix_ns;
    int64_t kept = o->w->platform->retention_ns;
    return within(&o->manner, q, t) && r->seen_unix_ns <= seen_until_ns &&
           (kept == 0 || t >= now_unix_ns - kept);
}

/* A cursor is its number, and characters that a query must escape. */
static void name_cursor(size_t number, char out[64])
{
    snprintf(out, 64, "%zu+/ %%&c=", number + 1);
}

void platform_give_cursor(struct origin *o, const struct cursor_given *given, char out[64])
{
    struct cursor_given c = *given;
    c.at_mono_ns = tasks_mono_ns(o->w->tasks);
    if (o->cursor_count == o->cursor_capacity) {
        o->cursor_capacity = o->cursor_capacity ? 2 * o->cursor_capacity : 16;
        o->cursors = xreallocarray(o->cursors, o->cursor_capacity, sizeof(*o->cursors));
    }
    name_cursor(o->cursor_count, out);
    o->cursors[o->cursor_count++] = c;
}

bool platform_take_cursor(struct origin *o, const struct question *q, struct cursor_given *out)
{
    struct world *w = o->w;
    size_t number = (size_t)strtoul(q->cursor.data, NULL, 10);
    char name[64];
    name_cursor(number - 1, name);
    if (number == 0 || number > o->cursor_count || !bytes_is(q->cursor, name)) {
        world_fail(w, "%s: a cursor that nobody gave: %.*s", o->name, (int)q->cursor.len,
                   q->cursor.data);
        return false;
    }
    const struct cursor_given *c = &o->cursors[number - 1];
    if (c->start_unix_ns != q->start_unix_ns || c->end_unix_ns != q->end_unix_ns) {
        world_fail(w, "%s: cursor %zu is of another window", o->name, number);
        return false;
    }
    bool old = o->manner.cursor_ttl_ns && !w->calm &&
               tasks_mono_ns(w->tasks) - c->at_mono_ns > o->manner.cursor_ttl_ns;
    w->faults_in_run += old;
    if (old || world_fault(w, o->manner.cursor_fails))
        return false;
    *out = *c;
    return true;
}

/* The records of a page from `c->place` on, which moves behind them. */
static void fill_page(struct origin *o, const struct question *q, struct cursor_given *c,
                      const struct record **records, struct answer_page *page)
{
    const struct manner *m = &o->manner;
    struct rng *chance = &o->w->faults;
    int64_t now = world_unix_ns(o->w);
    int64_t seen_until = m->live ? now : c->seen_until_ns;
    size_t most = (size_t)m->page_size;
    if (rng_percent(chance, m->sparse))
        most = rng_below(chance, most);
    page->records = records;
    page->last_cursor = m->last_cursor;
    for (; c->place < o->record_count; c->place++) {
        const struct record *r = &o->records[o->ranked[c->place]];
        if (!shown(o, q, r, seen_until, now))
            continue;
        page->more = page->count == most;
        if (page->more)
            break;
        records[page->count++] = r;
    }
    page->more = page->more || (m->eager_cursor && page->count == most && most > 0);
}

size_t platform_lose(struct world *w, size_t count)
{
    if (w->settings->breakage != BREAK_LOSE || count == 0 || w->broken)
        return count;
    w->broken = true;
    return count - 1;
}

size_t platform_give_key(struct origin *o, int kind)
{
    o->keys[o->key_count % KEYS_MAX] = (struct key_given){ tasks_mono_ns(o->w->tasks), kind };
    return ++o->key_count;
}

bool platform_key_holds(struct origin *o, size_t number, int kind, int64_t life_ns)
{
    if (number == 0 || number > o->key_count || number + KEYS_MAX <= o->key_count)
        return false;
    const struct key_given *k = &o->keys[(number - 1) % KEYS_MAX];
    return k->kind == kind &&
           (life_ns == 0 || tasks_mono_ns(o->w->tasks) - k->at_mono_ns < life_ns);
}

static void write_answer(struct origin *o, const struct question *q, struct reply *out)
{
    struct world *w = o->w;
    const struct record *records[PAGE_MOST];
    struct answer_page page = { 0 };
    struct cursor_given at = { .start_unix_ns = q->start_unix_ns,
                               .end_unix_ns = q->end_unix_ns,
                               .seen_until_ns = world_unix_ns(w) };
    if (q->cursor.len && !platform_take_cursor(o, q, &at)) {
        out->status = o->manner.expired_status;
        return;
    }
    fill_page(o, q, &at, records, &page);
    if (page.more && q->cursor.len && world_fault(w, w->plan.repeat_cursor))
        snprintf(page.cursor, sizeof(page.cursor), "%.*s", (int)q->cursor.len, q->cursor.data);
    else if (page.more)
        platform_give_cursor(o, &at, page.cursor);
    world_say(w, "  %s: %zu records, %s", o->name, page.count,
              page.more ? page.cursor : "the last page");
    page.count = platform_lose(w, page.count);
    out->status = 200;
    w->platform->write_page(o, q, &page, w->contents, &out->body);
}

/* Not of lines, each of which is an answer by itself: only the length tells that one was cut. */
static void garble(struct origin *o, struct reply *out)
{
    struct world *w = o->w;
    if (!o->as_text && out->body.len > 0 && world_fault(w, w->plan.garbled)) {
        out->body.len = (size_t)rng_below(&w->faults, out->body.len);
        out->body.data[out->body.len] = '\0';
        buf_append_text(&out->body, "\x01!");
    }
}

static void answer(struct origin *o, const struct question *q, struct reply *out)
{
    struct world *w = o->w;
    o->as_text = false;
    if (w->platform->answer)
        w->platform->answer(o, q, out);
    else
        write_answer(o, q, out);
    if (out->status == 200)
        garble(o, out);
}

/* What was written by a clock that was set ahead since looks long past: nobody could know. */
static bool is_blurred(const struct world *w, int64_t for_ns)
{
    return w->set_ahead_mono_ns && tasks_mono_ns(w->tasks) - w->set_ahead_mono_ns < for_ns;
}

/* More than the budget in any rolling period is what must never be. */
static void count_call(struct origin *o, int64_t begun_mono_ns)
{
    struct world *w = o->w;
    struct counted *b = &w->budgets[o->budget];
    int64_t now = tasks_mono_ns(w->tasks), period_ns = w->plan.period_ns;
    size_t most = (size_t)w->plan.calls - (w->settings->breakage == BREAK_LIMIT);
    size_t ring = COUNT(b->at_mono_ns);
    if (b->count >= most && !is_blurred(w, period_ns + MINUTE)) {
        int64_t first = b->at_mono_ns[(b->count - most) % ring];
        if (now - first < period_ns)
            world_fail(w, "%s: call %zu within %lld ms, of %zu in %lld ms", o->name, most + 1,
                       (long long)((now - first) / NS_PER_MS), most,
                       (long long)(period_ns / NS_PER_MS));
    }
    b->at_mono_ns[b->count++ % ring] = now;
    if (b->not_before_mono_ns && w->processes == 1 && !is_blurred(w, 6 * MINUTE) &&
        begun_mono_ns > b->heard_mono_ns + HEARD_NS &&
        begun_mono_ns + HEARD_NS < b->not_before_mono_ns)
        world_fail(w, "%s: a call %lld ms before the moment that a 429 named", o->name,
                   (long long)((b->not_before_mono_ns - begun_mono_ns) / NS_PER_MS));
}

static void http_date(int64_t unix_ns, char out[REPLY_HEADER_MAX])
{
    time_t seconds = (time_t)(unix_ns / NS_PER_S);
    struct tm tm;
    gmtime_r(&seconds, &tm);
    strftime(out, REPLY_HEADER_MAX, "%a, %d %b %Y %H:%M:%S GMT", &tm);
}

static void refuse_429(struct world *w, struct reply *out, struct refusal_429 *refusal)
{
    int64_t now = world_unix_ns(w);
    int64_t seconds = rng_between(&w->faults, 0, rng_percent(&w->faults, 80) ? 90 : 400);
    int64_t at = now / NS_PER_S + seconds;
    char iso[TIMEFMT_MAX];
    out->status = 429;
    *refusal = (struct refusal_429){ .named = true, .ns = at * NS_PER_S };
    switch ((enum dialect)rng_below(&w->faults, DIALECTS)) {
    case IN_SECONDS:
        snprintf(out->retry_after, sizeof(out->retry_after), "%lld", (long long)seconds);
        *refusal = (struct refusal_429){ true, true, seconds * NS_PER_S };
        break;
    case AT_HTTP_DATE:
        http_date(at * NS_PER_S, out->retry_after);
        break;
    case AT_ISO_MINUTE:
        refusal->ns = at / 60 * 60 * NS_PER_S;
        timefmt_rfc3339(refusal->ns, 0, iso);
        snprintf(out->ratelimit_reset, sizeof(out->ratelimit_reset), "%.16sZ", iso);
        break;
    case AT_EPOCH:
        snprintf(out->ratelimit_reset, sizeof(out->ratelimit_reset), "%lld", (long long)at);
        break;
    case SAYS_NOTHING:
    case DIALECTS:
        refusal->named = false;
    }
}

void platform_heard(struct process *p, const struct origin *o, const struct refusal_429 *refusal)
{
    struct world *w = p->w;
    struct counted *b = &w->budgets[o->budget];
    int64_t now = tasks_mono_ns(w->tasks), wait_ns = 0;
    if (p->killed)
        return;
    if (w->processes > 1) { /* what the other has a permit for already it may send */
        b->not_before_mono_ns = 0;
        return;
    }
    if (!refusal->named) {
        wait_ns = w->config.sources[o->index].stream.type->limits.wait_ns;
    } else {
        wait_ns = refusal->relative ? refusal->ns : refusal->ns - world_unix_ns(w);
        wait_ns = wait_ns < NS_PER_S ? NS_PER_S : wait_ns < 5 * MINUTE ? wait_ns : 5 * MINUTE;
    }
    if (now + wait_ns > b->not_before_mono_ns) {
        b->heard_mono_ns = now;
        b->not_before_mono_ns = now + wait_ns;
    }
}

/* An answer that is no page, if there is to be one. */
static bool refuse(struct origin *o, const struct question *q, struct reply *out,
                   struct refusal_429 *refusal)
{
    struct world *w = o->w;
    int64_t now = tasks_mono_ns(w->tasks), kept = w->platform->retention_ns;
    if (w->platform->refuses_old && q->start_unix_ns < world_unix_ns(w) - kept) {
        w->faults_in_run++; /* so slow was the run */
        out->status = 400;
    } else if (!w->calm && o->refusals_401 > 0) {
        o->refusals_401--;
        w->faults_in_run++;
        out->status = 401;
    } else if (w->settings->breakage == BREAK_STUCK) {
        tasks_wait(w->tasks, w, TIME_FOREVER);
    } else if (world_fault(w, w->plan.limit_faults)) {
        refuse_429(w, out, refusal);
    } else if (world_fault(w, w->plan.api_faults)) {
        out->status = (int)RNG_PICK(&w->faults, 500, 502, 503, 504, 408, 425);
        if (out->status == 503 && rng_percent(&w->faults, 50))
            snprintf(out->retry_after, sizeof(out->retry_after), "%d",
                     (int)rng_below(&w->faults, 60));
    }
    for (size_t i = 0; i < w->plan.platform_spell_count && !w->calm && !out->status; i++) {
        const struct spell *s = &w->plan.platform_spells[i];
        if (s->kind == PLATFORM_500 && now >= s->from_mono_ns && now < s->to_mono_ns) {
            w->faults_in_run++;
            out->status = 500;
        }
    }
    return out->status != 0;
}

struct origin *platform_answer(struct process *p, const struct request *request,
                               int64_t begun_mono_ns, struct reply *out,
                               struct refusal_429 *refusal)
{
    struct world *w = p->w;
    struct buf room = BUF_INIT(65536);
    struct question q = { .limit = -1, .offset = -1, .last = -1, .after_id = -1 };
    struct reply times = *out;
    buf_reserve(&room, request->url.len); /* texts point into it */
    w->platform->read_request(w, request, &room, &q);
    w->totals.calls++;
    if (!q.origin || q.wrong) {
        world_fail(w, "the platform: %s: %s", q.wrong ? q.wrong : "404", buf_text(&request->url));
        out->status = q.origin ? 400 : 404;
    } else {
        const char *url = buf_text(&request->url);
        world_say(w, "run %d asks %s: %s", p->number, q.origin->name, url);
        count_call(q.origin, begun_mono_ns);
        if (!refuse(q.origin, &q, out, refusal))
            answer(q.origin, &q, out);
        if (out->status != 200)
            world_say(w, "  %s: %d %s%s", q.origin->name, out->status, out->retry_after,
                      out->ratelimit_reset);
    }
    out->sent_mono_ns = times.sent_mono_ns;
    buf_release(&room);
    return q.origin;
}
