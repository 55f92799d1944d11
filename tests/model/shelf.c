#include "tests/model/model.h"

#include <stdlib.h>

struct arrival {
    int64_t seen_unix_ns;
    uint64_t rank;
    uint32_t index;
};

static int by_arrival(const void *a, const void *b)
{
    const struct arrival *x = a, *y = b;
    if (x->seen_unix_ns != y->seen_unix_ns)
        return x->seen_unix_ns < y->seen_unix_ns ? -1 : 1;
    return x->rank < y->rank ? -1 : x->rank > y->rank;
}

static void count_crowds(struct origin *o)
{
    size_t same = 0;
    for (size_t i = 0; i < o->record_count; i++) {
        bool on = i > 0 && o->records[i].time_unix_ns == o->records[i - 1].time_unix_ns;
        same = on ? same + 1 : 1;
        o->crowd = same > o->crowd ? same : o->crowd;
    }
}

void shelf_make(struct origin *o)
{
    size_t n = o->record_count;
    struct arrival *all = xcalloc(n, sizeof(*all));
    o->arrived = xcalloc(n, sizeof(*o->arrived));
    for (size_t i = 0; i < n; i++)
        all[i] = (struct arrival){ o->records[i].seen_unix_ns, o->records[i].rank, (uint32_t)i };
    qsort(all, n, sizeof(*all), by_arrival);
    for (size_t i = 0; i < n; i++) {
        o->arrived[i] = all[i].index;
        o->records[all[i].index].nth = (uint32_t)i;
    }
    free(all);
    count_crowds(o);
    if (!o->manner.crowded && (size_t)o->manner.page_size < o->crowd + 2 && o->w->platform->by_time)
        o->manner.page_size = (int)o->crowd + 2; /* a page gets past any one moment */
    if (o->manner.rolls && o->manner.ring < 2 * o->crowd)
        o->manner.ring = 2 * o->crowd; /* and so does an archive */
}

size_t shelf_arrived(const struct origin *o, int64_t unix_ns)
{
    size_t low = 0, high = o->record_count;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (o->records[o->arrived[mid]].seen_unix_ns <= unix_ns)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

static void note_roll(struct origin *o, size_t arrived)
{
    if (o->rolled_count == o->rolled_capacity) {
        o->rolled_capacity = o->rolled_capacity ? 2 * o->rolled_capacity : 16;
        o->rolled = xreallocarray(o->rolled, o->rolled_capacity, sizeof(*o->rolled));
    }
    o->rolled[o->rolled_count++] = arrived;
}

static size_t last_roll(const struct origin *o)
{
    return o->rolled_count ? o->rolled[o->rolled_count - 1] : 0;
}

/* As many records, and those that arrived with the last of them: twins are not torn apart, since
 * one that is on either side of a roll cannot be told from one that was met on both. */
static size_t whole_moment(const struct origin *o, size_t count)
{
    while (count < o->record_count && !(o->w->settings->with & WITH_TWINS_APART) &&
           o->records[o->arrived[count]].seen_unix_ns ==
               o->records[o->arrived[count - 1]].seen_unix_ns)
        count++;
    return count;
}

void shelf_roll(struct origin *o)
{
    int64_t now = world_unix_ns(o->w), first_ns = 0, last_ns = 0;
    size_t arrived = shelf_arrived(o, now);
    for (size_t i = shelf_gone(o, now); i < arrived; i++) {
        const struct record *r = &o->records[o->arrived[i]];
        if (o->w->contents[r->content].foreign)
            continue;
        first_ns = !first_ns || r->time_unix_ns < first_ns ? r->time_unix_ns : first_ns;
        last_ns = r->time_unix_ns > last_ns ? r->time_unix_ns : last_ns;
    }
    if (first_ns < last_ns)
        note_roll(o, arrived);
}

size_t shelf_gone(struct origin *o, int64_t unix_ns)
{
    const struct manner *m = &o->manner;
    size_t arrived = shelf_arrived(o, unix_ns), lost = 0;
    if (m->rebuilt_ns && unix_ns >= m->rebuilt_ns)
        lost = shelf_arrived(o, m->rebuilt_ns - 1);
    while (m->ring && m->rolls && arrived >= last_roll(o) + m->ring)
        note_roll(o, whole_moment(o, last_roll(o) + m->ring));
    if (m->ring && m->rolls)
        return last_roll(o);
    if (m->ring && arrived > lost + m->ring)
        lost = arrived - m->ring;
    return lost;
}

bool shelf_is_gone(struct origin *o, const struct record *r, int64_t unix_ns)
{
    return !o->manner.archived && r->nth < shelf_gone(o, unix_ns);
}

bool shelf_holds(struct origin *o, const struct record *r, int64_t unix_ns)
{
    int64_t kept = o->w->platform->retention_ns;
    return r->seen_unix_ns <= unix_ns && !shelf_is_gone(o, r, unix_ns) &&
           (kept == 0 || r->time_unix_ns >= unix_ns - kept);
}

bool shelf_is_crowded(const struct origin *o, const struct record *r)
{
    const struct record *first = r, *end = o->records + o->record_count;
    size_t most = (size_t)o->manner.page_size;
    if (!o->w->platform->by_time || o->crowd < most)
        return false;
    while (first > o->records && first[-1].time_unix_ns == r->time_unix_ns)
        first--;
    while (r < end && r->time_unix_ns == first->time_unix_ns)
        r++;
    return (size_t)(r - first) >= most;
}

bool shelf_has_lost(struct origin *o, int64_t unix_ns)
{
    return !o->manner.archived && shelf_gone(o, unix_ns) > 0;
}

void shelf_was_read(struct origin *o, int64_t from_unix_ns)
{
    int64_t now = world_unix_ns(o->w);
    for (size_t i = 0; i < o->record_count; i++) {
        struct record *r = &o->records[i];
        if (r->seen_unix_ns <= from_unix_ns &&
            r->time_unix_ns + NS_PER_MS < from_unix_ns - o->w->plan.lag_ns &&
            shelf_holds(o, r, now))
            r->owed_early = true;
    }
}

static bool within(const struct manner *m, int64_t from_unix_ns, int64_t to_unix_ns, int64_t t)
{
    return (m->bounds & OPEN_START ? t > from_unix_ns : t >= from_unix_ns) &&
           (m->bounds & OPEN_END ? t < to_unix_ns : t <= to_unix_ns);
}

/* Those that are of one time, the other way round. */
static void turn_ties(const struct record **list, size_t count)
{
    for (size_t i = 0; i < count;) {
        size_t end = i + 1;
        while (end < count && list[end]->time_unix_ns == list[i]->time_unix_ns)
            end++;
        for (size_t a = i, b = end - 1; a < b; a++, b--) {
            const struct record *first = list[a];
            list[a] = list[b];
            list[b] = first;
        }
        i = end;
    }
}

const struct record **shelf_range(struct origin *o, int64_t from_unix_ns, int64_t to_unix_ns,
                                  size_t *count)
{
    const struct record **list = xcalloc(o->record_count + 1, sizeof(const struct record *));
    int64_t now = world_unix_ns(o->w);
    *count = 0;
    for (size_t i = 0; i < o->record_count; i++) {
        const struct record *r = &o->records[i];
        bool foreign = o->w->contents[r->content].foreign && !o->manner.ignores_filters;
        if (within(&o->manner, from_unix_ns, to_unix_ns, r->time_unix_ns) && !foreign &&
            shelf_holds(o, r, now))
            list[(*count)++] = r;
    }
    if (o->manner.fickle && o->calls % 2)
        turn_ties(list, *count);
    return list;
}
