#include "seen.h"

#include <stdlib.h>
#include <string.h>

static int by_value(const void *a, const void *b)
{
    uint64_t x, y;
    memcpy(&x, a, sizeof(x));
    memcpy(&y, b, sizeof(y));
    return x < y ? -1 : x > y;
}

/* Takes over `items`. */
static void add_older(struct seen *s, int64_t end_unix_ns, uint64_t *items, size_t count)
{
    if (count == 0) {
        free(items);
        return;
    }
    qsort(items, count, sizeof(*items), by_value);
    s->older = xreallocarray(s->older, s->older_count + 1, sizeof(*s->older));
    s->older[s->older_count++] = (struct seen_window){
        .prints = { end_unix_ns, items, count },
        .met = xcalloc(count, sizeof(uint32_t)),
    };
}

static void drop_older(struct seen *s, size_t i)
{
    free(s->older[i].prints.items);
    free(s->older[i].met);
    s->older_count--;
    memmove(&s->older[i], &s->older[i + 1], (s->older_count - i) * sizeof(*s->older));
}

void seen_take(struct seen *s, struct source_state *st)
{
    for (size_t i = 0; i < st->older_count; i++)
        add_older(s, st->older[i].end_unix_ns, st->older[i].items, st->older[i].count);
    free(st->older);
    st->older = NULL;
    st->older_count = 0;
    s->current = st->window_prints.items;
    s->current_count = s->current_capacity = st->window_prints.count;
    st->window_prints = (struct sent_prints){ 0 };
}

/* Let go of what moved to the current window. */
static void compact(struct seen_window *w)
{
    uint64_t *items = w->prints.items;
    size_t kept = 0, skip = 0;
    uint64_t before = 0;
    if (w->met_count == 0)
        return;
    for (size_t i = 0; i < w->prints.count; i++) {
        uint64_t print = items[i];
        if (i == 0 || print != before)
            skip = w->met[i];
        before = print;
        if (skip > 0)
            skip--;
        else
            items[kept++] = print;
    }
    memset(w->met, 0, w->prints.count * sizeof(*w->met));
    w->prints.count = kept;
    w->met_count = 0;
}

void seen_lend(struct seen *s, struct source_state *st)
{
    st->older = xreallocarray(NULL, s->older_count, sizeof(*st->older));
    st->older_count = s->older_count;
    for (size_t i = 0; i < s->older_count; i++) {
        compact(&s->older[i]);
        st->older[i] = s->older[i].prints;
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
    size_t count = s->current_count - keep;
    uint64_t *items = xreallocarray(NULL, count, sizeof(*items));
    if (count)
        memcpy(items, s->current + keep, count * sizeof(*items));
    s->current_count = keep;
    add_older(s, window_end_unix_ns, items, count);
}

/* Whether a copy that was sent and not met again yet is among a window's prints; it now is. */
static bool meet(struct seen_window *w, uint64_t print)
{
    size_t low = 0, high = w->prints.count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (w->prints.items[middle] < print)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == w->prints.count || w->prints.items[low] != print)
        return false;
    size_t next = low + w->met[low];
    if (next >= w->prints.count || w->prints.items[next] != print)
        return false;
    w->met[low]++;
    w->met_count++;
    return true;
}

bool seen_admit(struct seen *s, uint64_t print)
{
    bool met = false;
    for (size_t i = s->older_count; i > 0 && !met; i--)
        met = meet(&s->older[i - 1], print);
    if (s->current_count == SEEN_MAX)
        return !met;
    if (s->current_count == s->current_capacity) {
        s->current_capacity = s->current_capacity ? 2 * s->current_capacity : 1024;
        s->current = xreallocarray(s->current, s->current_capacity, sizeof(*s->current));
    }
    s->current[s->current_count++] = print;
    return !met;
}

void seen_forget(struct seen *s, uint64_t print)
{
    for (size_t i = s->current_count; i > 0; i--) {
        if (s->current[i - 1] == print) {
            s->current_count--;
            memmove(&s->current[i - 1], &s->current[i],
                    (s->current_count - (i - 1)) * sizeof(*s->current));
            return;
        }
    }
}

void seen_settle(struct seen *s, int64_t window_end_unix_ns, int64_t horizon_unix_ns)
{
    seen_rewind(s, 0, window_end_unix_ns);
    for (size_t i = s->older_count; i > 0; i--) {
        struct seen_window *w = &s->older[i - 1];
        compact(w);
        if (w->prints.end_unix_ns < horizon_unix_ns || w->prints.count == 0)
            drop_older(s, i - 1);
    }
    size_t total = 0;
    for (size_t i = s->older_count; i > 0; i--) {
        total += s->older[i - 1].prints.count;
        if (total > SEEN_MAX && i < s->older_count)
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
