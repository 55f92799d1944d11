#include "nodion_place.h"

#include <string.h>

#include "base/timefmt.h"

#define LATEST_MS INT64_C(9000000000000) /* 2255: short of what nanoseconds can say */

static int64_t floor_ms(int64_t unix_ns)
{
    return unix_ns - (unix_ns % NS_PER_MS + NS_PER_MS) % NS_PER_MS;
}

static int64_t ceil_ms(int64_t unix_ns)
{
    return floor_ms(unix_ns + NS_PER_MS - 1);
}

static bool take_ms(struct bytes *text, int64_t *unix_ns)
{
    int64_t ms;
    if (!edge_take(text, &ms) || ms > LATEST_MS)
        return false;
    *unix_ns = ms * NS_PER_MS;
    return true;
}

/* The earlier and the later of the two stretches that a question stands between. */
static struct span asked_between(const struct nodion_place *p)
{
    const struct span *a = &p->left[0], *b = &p->left[1];
    bool in_order = a->start_unix_ns < b->start_unix_ns;
    const struct span *early = in_order ? a : b, *late = in_order ? b : a;
    return (struct span){ early->end_unix_ns - NS_PER_MS, late->start_unix_ns + NS_PER_MS };
}

/* The text may come from a state file. */
int nodion_place_read(const struct ask *ask, struct nodion_place *out, struct error *err)
{
    struct bytes text = ask->at;
    struct span whole = { floor_ms(ask->span.start_unix_ns), ceil_ms(ask->span.end_unix_ns) };
    *out = (struct nodion_place){ .known = NODION_NOTHING, .count = 1, .left = { whole } };
    if (text.len == 0)
        return 0;
    out->known = text.data[0];
    out->count = 0;
    bool good = strchr("u?htb", out->known) && out->known;
    text = (struct bytes){ text.data + 1, text.len - 1 };
    if (out->known == NODION_ASKED)
        good = edge_take(&text, &out->few) && out->few > 0;
    while (good && text.len > 0 && out->count < NODION_STRETCHES - 1) {
        struct span *s = &out->left[out->count++];
        good = take_ms(&text, &s->start_unix_ns) && take_ms(&text, &s->end_unix_ns) &&
               s->start_unix_ns < s->end_unix_ns;
    }
    if (good && out->known == NODION_ASKED)
        good = out->count == 2 &&
               asked_between(out).start_unix_ns + NS_PER_MS < asked_between(out).end_unix_ns;
    if (!good || text.len > 0 || out->count == 0)
        return error_set(err, ERR_INPUT, "cursor: not one of ours");
    return 0;
}

void nodion_place_write(const struct nodion_place *p, struct cursor *next)
{
    next->more = p->count > 0;
    if (!next->more)
        return;
    buf_append_char(&next->text, p->known);
    if (p->known == NODION_ASKED)
        buf_printf(&next->text, " %lld", (long long)p->few);
    for (size_t i = 0; i < p->count; i++)
        buf_printf(&next->text, " %lld %lld", (long long)(p->left[i].start_unix_ns / NS_PER_MS),
                   (long long)(p->left[i].end_unix_ns / NS_PER_MS));
}

struct span nodion_place_span(const struct nodion_place *p)
{
    return p->known == NODION_ASKED ? asked_between(p) : p->left[p->count - 1];
}

int64_t nodion_place_limit(const struct nodion_place *p, int64_t limit)
{
    return p->known == NODION_ASKED && p->few < limit ? p->few : limit;
}

static void push(struct nodion_place *p, int64_t start_unix_ns, int64_t end_unix_ns)
{
    if (start_unix_ns < end_unix_ns && p->count < NODION_STRETCHES)
        p->left[p->count++] = (struct span){ start_unix_ns, end_unix_ns };
}

static void push_both(struct nodion_place *p, struct span early, struct span late)
{
    bool early_first = early.end_unix_ns - early.start_unix_ns <
                       late.end_unix_ns - late.start_unix_ns;
    if (!early_first)
        push(p, early.start_unix_ns, early.end_unix_ns);
    push(p, late.start_unix_ns, late.end_unix_ns);
    if (early_first)
        push(p, early.start_unix_ns, early.end_unix_ns);
}

/* What a cut answer for `span` is good for, whose entries lie in the milliseconds from `first` to
 * `last`: returns what it yields; the rest stays to be asked for. */
static struct span cut(struct nodion_place *p, struct span span, int64_t first, int64_t last)
{
    struct span before = { span.start_unix_ns, first + NS_PER_MS };
    struct span behind = { last, span.end_unix_ns };
    struct span yield = { before.end_unix_ns, last };
    if (first == last) { /* as good as it gets: a step of a millisecond */
        before.end_unix_ns = first;
        behind.start_unix_ns = last + NS_PER_MS;
        yield = (struct span){ first, behind.start_unix_ns };
    }
    if (p->known == NODION_HEAD) {
        yield.start_unix_ns = span.start_unix_ns;
        push(p, behind.start_unix_ns, behind.end_unix_ns);
    } else if (p->known == NODION_TAIL) {
        yield.end_unix_ns = span.end_unix_ns;
        push(p, before.start_unix_ns, before.end_unix_ns);
    } else {
        bool to_ask = p->known == NODION_NOTHING && p->count == 0 && first < last;
        push_both(p, before, behind);
        if (to_ask)
            p->known = NODION_ASKED;
    }
    return yield;
}

static int64_t count_in(const struct edge *e, int64_t ms)
{
    int64_t count = 0;
    for (size_t i = 0; i < e->count; i++)
        count += floor_ms(e->entries[i].at_ns) == ms;
    return count;
}

/* So few that they cannot reach from the one end to the other; but, where that leaves room, more
 * than there are in the first millisecond and in the last, so that what comes has it whole. */
static int64_t few_of(const struct edge *e, int64_t first, int64_t last)
{
    int64_t head = count_in(e, first), tail = count_in(e, last);
    int64_t more = head > tail ? head : tail, count = (int64_t)e->count;
    return more + 1 < count - more ? more + 1 : count - more;
}

/* A few were asked for of the stretch between the two that are left, which has some in its first
 * and in its last millisecond. Returns what they yield. */
static struct span learn(struct nodion_place *p, const struct edge *e)
{
    struct span span = asked_between(p), none = { 0, 0 };
    struct span head = { span.start_unix_ns, span.start_unix_ns + NS_PER_MS };
    struct span tail = { span.end_unix_ns - NS_PER_MS, span.end_unix_ns };
    int64_t first = 0, last = 0;
    bool any = edge_range(e, span.start_unix_ns, span.end_unix_ns, &first, &last);
    bool at_start = any && first < head.end_unix_ns, at_end = any && last >= tail.start_unix_ns;
    bool in_order = p->left[0].start_unix_ns < p->left[1].start_unix_ns;
    p->known = NODION_NEITHER;
    if (at_start == at_end || (int64_t)e->count < p->few) /* not cut: it says nothing */
        return none;
    p->known = at_start ? NODION_HEAD : NODION_TAIL;
    p->left[0] = p->left[at_start == in_order]; /* of head the later one is left */
    p->count = 1;
    bool whole = at_start ? last >= head.end_unix_ns : first < tail.start_unix_ns;
    struct span *held = at_start ? &head : &tail;
    if (!whole)
        push(p, held->start_unix_ns, held->end_unix_ns);
    return whole ? *held : none;
}

int nodion_place_settle(struct nodion_place *p, const struct edge *e, bool full, struct span *yield,
                        struct span *lost, struct error *err)
{
    struct span span = nodion_place_span(p);
    int64_t first, last;
    *yield = (struct span){ 0, 0 };
    if (p->known == NODION_ASKED) {
        *yield = learn(p, e);
        return 0;
    }
    p->count--;
    *yield = span;
    if (!full)
        return 0;
    if (!edge_range(e, span.start_unix_ns, span.end_unix_ns, &first, &last))
        return error_set(err, ERR_INPUT, "logs: full, and none of them was asked for");
    first = floor_ms(first);
    last = floor_ms(last);
    if (first == last)
        *lost = (struct span){ first, first + NS_PER_MS };
    *yield = cut(p, span, first, last);
    if (p->known == NODION_ASKED)
        p->few = few_of(e, first, last);
    return 0;
}
