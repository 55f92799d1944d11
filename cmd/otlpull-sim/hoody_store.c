#include "hoody_store.h"

#include <stdlib.h>
#include <string.h>

#include "hoody_record.h"
#include "parse.h"

static bool is(const char *wanted, const char *value)
{
    return !wanted || (value && strcmp(wanted, value) == 0);
}

static bool has_tenant(const struct sim *sim, const struct hoody_filter *f, size_t stream)
{
    const struct history *h = &sim->streams[stream];
    if (f->stream != SIZE_MAX)
        return f->stream == stream;
    return is(f->project, h->app) && is(f->container, h->environment);
}

size_t hoody_tenants(const struct sim *sim, const struct hoody_filter *f)
{
    size_t count = 0;
    for (size_t i = 0; i < sim->stream_count; i++)
        count += has_tenant(sim, f, i);
    return count;
}

static bool has_row(const struct history *h, const struct hoody_filter *f, const struct entry *e)
{
    struct hoody_traits traits;
    if (!f->service && !f->level && !f->kind && !f->origin && !f->method)
        return true;
    hoody_traits_of(h, e, &traits);
    return is(f->service, traits.service) && is(f->level, traits.level) &&
           is(f->kind, traits.kind) && is(f->origin, traits.origin) && is(f->method, traits.method);
}

static void add(struct hoody_rows *rows, struct hoody_row row)
{
    if (rows->count == rows->capacity) {
        rows->capacity = rows->capacity ? 2 * rows->capacity : 1024;
        rows->items = xreallocarray(rows->items, rows->capacity, sizeof(*rows->items));
    }
    rows->items[rows->count++] = row;
}

static int by_arrival(const void *a, const void *b)
{
    const struct hoody_row *left = a, *right = b;
    if (left->seen_ns != right->seen_ns)
        return left->seen_ns < right->seen_ns ? -1 : 1;
    if (left->stream != right->stream)
        return left->stream < right->stream ? -1 : 1;
    return (left->index > right->index) - (left->index < right->index);
}

static void sort(struct hoody_rows *rows, size_t from)
{
    if (rows->count > from)
        qsort(rows->items + from, rows->count - from, sizeof(*rows->items), by_arrival);
}

/* One tenant's, numbered, behind those that there are. */
static void take_tenant(const struct sim *sim, const struct hoody_filter *f, size_t stream,
                        int64_t visible_ns, struct hoody_rows *out)
{
    const struct history *h = &sim->streams[stream];
    const char *rebuilt = options_quirk(sim->options, "rebuilt");
    const char *purge = options_quirk(sim->options, "purge");
    int64_t since_ns = INT64_MIN, keep;
    size_t from = out->count, kept = from;
    uint64_t end = history_until(h, visible_ns);
    struct entry e;
    if (rebuilt && (!parse_moment(rebuilt, &since_ns) || visible_ns < since_ns))
        since_ns = INT64_MIN;
    for (uint64_t i = 0; i < end; i++) {
        history_at(h, i, &e);
        if (e.seen_ns <= visible_ns && e.seen_ns >= since_ns)
            add(out, (struct hoody_row){ stream, i, 0, e.seen_ns });
    }
    sort(out, from);
    for (size_t i = from; i < out->count; i++)
        out->items[i].id = options_quirk(sim->options, "no-ids") ? 0 : i - from + 1;
    size_t first = from;
    if (purge && parse_count(purge, &keep) && out->count - from > (size_t)keep)
        first = out->count - (size_t)keep;
    for (size_t i = first; i < out->count; i++) {
        history_at(h, out->items[i].index, &e);
        if (has_row(h, f, &e))
            out->items[kept++] = out->items[i];
    }
    out->count = kept;
}

void hoody_rows_take(const struct sim *sim, const struct hoody_filter *f, int64_t visible_ns,
                     struct hoody_rows *out)
{
    *out = (struct hoody_rows){ 0 };
    for (size_t i = 0; i < sim->stream_count; i++) {
        if (has_tenant(sim, f, i))
            take_tenant(sim, f, i, visible_ns, out);
    }
    sort(out, 0);
}

void hoody_rows_release(struct hoody_rows *rows)
{
    free(rows->items);
    *rows = (struct hoody_rows){ 0 };
}
