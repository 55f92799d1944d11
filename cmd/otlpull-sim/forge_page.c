#include "forge_page.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "forge_record.h"

#define CURSOR_BYTES 160

/* What a cursor says. */
struct place {
    uint64_t digest, at, serial;
    int64_t visible_ns; /* what the first page saw is what all pages see */
    int64_t made_ns;
};

static uint64_t seal(const struct sim *sim, const struct place *p)
{
    uint64_t seal = history_mix((uint64_t)sim->options->seed ^ 0xc0de, p->digest);
    seal = history_mix(seal, p->at);
    seal = history_mix(seal, p->serial);
    seal = history_mix(seal, (uint64_t)p->visible_ns);
    return history_mix(seal, (uint64_t)p->made_ns);
}

/* With the characters that a query must escape. */
static void cursor_write(const struct sim *sim, const struct place *p, char out[CURSOR_BYTES])
{
    snprintf(
        out, CURSOR_BYTES,
        "%" PRIx64 "+%" PRIx64 "/%" PRIx64 "&%" PRIx64 "%%%" PRIx64 "=%016" PRIx64 "==", p->digest,
        p->at, p->serial, (uint64_t)p->visible_ns, (uint64_t)p->made_ns, seal(sim, p));
}

static const char *cursor_read(struct sim *sim, const struct forge_query *q, int64_t now_ns,
                               struct place *out)
{
    struct place p = { 0 };
    char again[CURSOR_BYTES];
    uint64_t numbers[5] = { 0 };
    const char *at = q->cursor;
    for (size_t i = 0; i < COUNT(numbers) && at; i++) {
        char *end;
        numbers[i] = strtoull(at, &end, 16);
        at = *end ? end + 1 : NULL;
    }
    p.digest = numbers[0];
    p.at = numbers[1];
    p.serial = numbers[2];
    p.visible_ns = (int64_t)numbers[3];
    p.made_ns = (int64_t)numbers[4];
    cursor_write(sim, &p, again);
    if (strcmp(again, q->cursor) != 0)
        return "cursor: not one of ours";
    if (p.digest != q->digest)
        return "cursor: the other parameters have changed";
    int64_t ttl_ns = atomic_load(&sim->cursor_ttl_ns);
    if (ttl_ns > 0 && now_ns - p.made_ns > ttl_ns)
        return "cursor: expired";
    *out = p;
    return NULL;
}

/* The entries that a window may hold, in the order in which they are given out. */
struct walk {
    const struct history *h;
    uint64_t first, count, stride;
    int64_t from_ns, to_ns; /* half-open, of the time that windows go by */
    bool by_arrival;
    int order;
};

static uint64_t common_divisor(uint64_t a, uint64_t b)
{
    while (b) {
        uint64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

static void walk_init(struct walk *w, const struct options *o, const struct history *h,
                      const struct forge_query *q, int64_t visible_ns)
{
    bool open_start = o->bounds == BOUNDS_OPEN_CLOSED || o->bounds == BOUNDS_OPEN;
    bool closed_end = o->bounds == BOUNDS_OPEN_CLOSED || o->bounds == BOUNDS_CLOSED;
    *w = (struct walk){ .h = h, .order = o->order, .by_arrival = o->filter_by == BY_ARRIVAL };
    w->from_ns = q->start_ns + open_start;
    w->to_ns = q->end_ns + closed_end;
    w->first = history_before(h, w->from_ns - (w->by_arrival ? h->max_late_ns : 0));
    uint64_t end = history_before(h, w->to_ns);
    uint64_t visible = history_until(h, visible_ns);
    end = end < visible ? end : visible;
    w->count = end > w->first ? end - w->first : 0;
    /* a stride that shares no divisor with the count meets each once; near the golden ratio it
     * leaves no order to see */
    w->stride = (uint64_t)((double)w->count * 0.618) | 1;
    while (w->count > 1 && common_divisor(w->stride, w->count) != 1)
        w->stride += 2;
}

static uint64_t walk_index(const struct walk *w, uint64_t at)
{
    if (w->order == ORDER_DESC)
        return w->first + w->count - 1 - at;
    if (w->order == ORDER_SHUFFLED)
        return w->first + at * w->stride % w->count;
    return w->first + at;
}

static bool walk_holds(const struct walk *w, const struct entry *e, int64_t visible_ns)
{
    int64_t t = w->by_arrival ? e->seen_ns : e->time_ns;
    return t >= w->from_ns && t < w->to_ns && e->seen_ns <= visible_ns;
}

/* Append the records of a page from p->at on, and move it behind them; whether there are more. */
static bool page_fill(struct sim *sim, const struct history *h, const struct forge_query *q,
                      struct place *p, struct buf *out, int64_t *count)
{
    struct walk w;
    struct entry e;
    struct buf scratch = BUF_INIT((size_t)64 << 20);
    int64_t size = atomic_load(&sim->page_size);
    uint64_t stop = UINT64_MAX;
    walk_init(&w, sim->options, h, q, p->visible_ns);
    if (sim->options->sparse)
        stop = p->at + (uint64_t)size;
    *count = 0;
    for (; p->at < w.count && p->at < stop; p->at++) {
        history_at(w.h, walk_index(&w, p->at), &e);
        if (!walk_holds(&w, &e, p->visible_ns) || !history_matches(w.h, &q->filter, &e, &scratch))
            continue;
        if (*count == size)
            break;
        if ((*count)++ > 0)
            buf_append_char(out, ',');
        forge_record_render(w.h, &e, out);
    }
    buf_release(&scratch);
    return p->at < w.count;
}

static void page_end(struct sim *sim, const struct forge_query *q, struct place *p, bool more,
                     struct buf *out)
{
    const struct options *o = sim->options;
    char cursor[CURSOR_BYTES];
    p->serial = atomic_fetch_add(&sim->serial, 1);
    p->made_ns = clock_unix_ns(&sim->clk);
    cursor_write(sim, p, cursor);
    if (o->cursor_mode == CURSOR_REPEAT)
        buf_printf(out, "],\"cursor\":\"%s\"}", q->cursor ? q->cursor : cursor);
    else if (more || o->cursor_mode == CURSOR_FOREVER)
        buf_printf(out, "],\"cursor\":\"%s\"}", cursor);
    else if (o->last_cursor == LAST_NULL)
        buf_append_text(out, "],\"cursor\":null}");
    else if (o->last_cursor == LAST_EMPTY)
        buf_append_text(out, "],\"cursor\":\"\"}");
    else
        buf_append_text(out, "]}");
}

const char *forge_page_write(struct sim *sim, const struct history *h, const struct forge_query *q,
                             int64_t now_ns, struct buf *out, int64_t *count)
{
    struct place p = { .digest = q->digest, .visible_ns = sim_visible_ns(sim) };
    const char *wrong = q->cursor ? cursor_read(sim, q, now_ns, &p) : NULL;
    if (wrong)
        return wrong;
    buf_append_text(out, "{\"appLogs\":[");
    bool more = page_fill(sim, h, q, &p, out, count);
    page_end(sim, q, &p, more, out);
    return NULL;
}
