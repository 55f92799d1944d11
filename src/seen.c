#include "seen.h"

#include <stdlib.h>
#include <string.h>

/* A print's lowest bit says whether its record is near the window's end; the others name it, and
 * are never all 0, which is an empty slot. */
#define NEAR UINT64_C(1)

static uint64_t name_of(uint64_t print)
{
    uint64_t name = print & ~NEAR;
    return name ? name : NEAR << 1;
}

/* Where a print stands, or the empty slot where it would. Prints are hashes already. */
static struct seen_slot *slot_of(const struct seen_window *w, uint64_t print)
{
    size_t i = (size_t)(print >> 1) & w->mask;
    while (w->slots[i].count && name_of(w->slots[i].print) != name_of(print))
        i = (i + 1) & w->mask;
    return &w->slots[i];
}

static size_t filter_bit(const struct seen_window *w, uint64_t print)
{
    return (size_t)(print >> 24) & (8 * (w->mask + 1) - 1);
}

/* Prints as a window's table, at most half full; of many only those near its end where
 * `near_only`. */
static void add_older(struct seen *s, int64_t end_unix_ns, const uint64_t *items, size_t count,
                      bool near_only)
{
    struct seen_window w = { .end_unix_ns = end_unix_ns };
    size_t size = 16;
    for (size_t i = 0; i < count; i++)
        w.total += !near_only || items[i] & NEAR;
    if (w.total == 0)
        return;
    while (size < 2 * w.total)
        size *= 2;
    w.mask = size - 1;
    w.slots = xcalloc(size, sizeof(*w.slots));
    w.filter = xcalloc(size, 1);
    for (size_t i = 0; i < count; i++) {
        if (near_only && !(items[i] & NEAR))
            continue;
        struct seen_slot *slot = slot_of(&w, items[i]);
        slot->print = items[i];
        slot->count++;
        size_t bit = filter_bit(&w, items[i]);
        w.filter[bit / 8] |= (uint8_t)(1U << bit % 8);
    }
    s->older = xreallocarray(s->older, s->older_count + 1, sizeof(*s->older));
    s->older[s->older_count++] = w;
}

static void drop_older(struct seen *s, size_t i)
{
    free(s->older[i].slots);
    free(s->older[i].filter);
    free(s->older[i].list);
    s->older_count--;
    memmove(&s->older[i], &s->older[i + 1], (s->older_count - i) * sizeof(*s->older));
}

void seen_take(struct seen *s, struct source_state *st)
{
    for (size_t i = 0; i < st->older_count; i++) {
        const struct sent_prints *from = &st->older[i];
        add_older(s, from->end_unix_ns, from->items, from->count, false);
        free(from->items);
    }
    free(st->older);
    st->older = NULL;
    st->older_count = 0;
    s->current = st->window_prints.items;
    s->current_count = s->current_capacity = st->window_prints.count;
    st->window_prints = (struct sent_prints){ 0 };
}

static void make_list(struct seen_window *w)
{
    size_t count = 0;
    w->list = xreallocarray(NULL, w->total, sizeof(*w->list));
    for (size_t i = 0; i <= w->mask; i++) {
        for (uint32_t n = 0; n < w->slots[i].count; n++)
            w->list[count++] = w->slots[i].print;
    }
}

void seen_lend(struct seen *s, struct source_state *st)
{
    st->older = xreallocarray(NULL, s->older_count, sizeof(*st->older));
    st->older_count = s->older_count;
    for (size_t i = 0; i < s->older_count; i++) {
        struct seen_window *w = &s->older[i];
        if (!w->list)
            make_list(w);
        st->older[i] = (struct sent_prints){ w->end_unix_ns, w->list, w->total };
    }
    st->window_prints.items = s->current;
    st->window_prints.count = s->current_count;
}

void seen_unlend(struct source_state *st)
{
    free(st->older);
    st->older = NULL;
    st->older_count = 0;
    st->window_prints = (struct sent_prints){ 0 };
}

void seen_rewind(struct seen *s, size_t keep, int64_t window_end_unix_ns)
{
    add_older(s, window_end_unix_ns, s->current + keep, s->current_count - keep, false);
    s->current_count = keep;
}

/* Whether a copy that was sent and not met again yet is among a window's prints; it now is met. A
 * slot whose count is used up stays where it is, so that what stands behind it is still found. */
static bool meet(struct seen_window *w, uint64_t print)
{
    size_t bit = filter_bit(w, print);
    if (!(w->filter[bit / 8] & 1U << bit % 8))
        return false;
    size_t i = (size_t)(print >> 1) & w->mask;
    for (; w->slots[i].count || w->slots[i].print; i = (i + 1) & w->mask) {
        if (name_of(w->slots[i].print) != name_of(print))
            continue;
        if (w->slots[i].count == 0)
            return false;
        w->slots[i].count--;
        w->total--;
        free(w->list);
        w->list = NULL;
        return true;
    }
    return false;
}

bool seen_admit(struct seen *s, uint64_t print, bool near)
{
    bool met = false;
    for (size_t i = s->older_count; i > 0 && !met; i--)
        met = meet(&s->older[i - 1], print);
    if (s->current_count >= (near ? 2 * SEEN_MAX : SEEN_MAX))
        return !met;
    if (s->current_count == s->current_capacity) {
        s->current_capacity += s->current_capacity / 2 + 1024;
        s->current = xreallocarray(s->current, s->current_capacity, sizeof(*s->current));
    }
    s->current[s->current_count++] = name_of(print) | (near ? NEAR : 0);
    return !met;
}

bool seen_forget(struct seen *s, uint64_t print)
{
    for (size_t i = s->current_count; i > 0; i--) {
        if (name_of(s->current[i - 1]) == name_of(print)) {
            s->current_count--;
            memmove(&s->current[i - 1], &s->current[i],
                    (s->current_count - (i - 1)) * sizeof(*s->current));
            return true;
        }
    }
    return false;
}

void seen_settle(struct seen *s, int64_t window_end_unix_ns, int64_t horizon_unix_ns)
{
    add_older(s, window_end_unix_ns, s->current, s->current_count, s->current_count > SEEN_SMALL);
    s->current_count = 0;
    for (size_t i = s->older_count; i > 0; i--) {
        struct seen_window *w = &s->older[i - 1];
        if (w->end_unix_ns < horizon_unix_ns || w->total == 0)
            drop_older(s, i - 1);
    }
}

void seen_release(struct seen *s)
{
    while (s->older_count)
        drop_older(s, s->older_count - 1);
    free(s->older);
    free(s->current);
    *s = (struct seen){ 0 };
}
