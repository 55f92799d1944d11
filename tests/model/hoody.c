/* hoody.c -- Hoody's proxy logs: GET {base}/_logs, rows in the order in which they were stored: by
 * `afterId`, by `offset`, or of all tenants by a cursor that a trailer gives. */
#include "tests/model/model.h"

#include <stdlib.h>
#include <string.h>

#include "base/timefmt.h"

#define BASE "https://hoody.test/"

/* Rows in an object; one that knows of no afterId; in an array; without ids; lines of all tenants.
 */
enum shape { BY_ROW, BY_OFFSET, ARRAY, RING, TENANTS, SHAPES };

static void hoody_adapt(struct origin *o, struct rng *r)
{
    struct manner *m = &o->manner;
    m->by_arrival = false;
    m->shape = (int)rng_below(r, SHAPES);
    m->ignores_filters = rng_percent(r, 40);
    m->ring = rng_percent(r, m->shape == RING ? 60 : 25) ? (size_t)rng_between(r, 5, 200) : 0;
    if (m->shape == BY_ROW && m->ring == 0 && rng_percent(r, 25)) {
        const struct plan *p = &o->w->plan;
        const struct run_plan *run = &p->runs[rng_below(r, p->run_count)];
        m->rebuilt_ns = o->w->wall_ns + run->start_mono_ns + rng_between(r, -HOUR, 10 * NS_PER_S);
    }
    if (!(o->w->settings->with & WITH_SNAPSHOTS)) /* nobody says that a cursor's rows are those
                                                     that there were when it was first given */
        m->live = true;
    if (m->page_size < 2)
        m->page_size = 2;
    m->twins_together = m->shape == RING; /* no number tells a later one from the one before */
    m->no_twins = m->shape == RING && m->ring && !(o->w->settings->with & WITH_TWINS_APART);
    m->by_id = m->shape != RING && m->shape != TENANTS && !m->rebuilt_ns;
    o->instances = (unsigned)rng_between(r, 1, 3);
    o->filtered = rng_percent(r, 25);
    snprintf(o->app, sizeof(o->app), "base-%u", (unsigned)o->budget);
}

static void hoody_configure(const struct origin *o, struct buf *yaml)
{
    buf_printf(yaml, ", type: hoody, base_url: \"" BASE "%s/api/proxy-logs\", token: %s", o->app,
               o->token);
    if (o->manner.shape == TENANTS)
        buf_append_text(yaml, ", fanout: true");
    if (o->manner.shape == ARRAY || o->manner.shape == RING || o->index % 2)
        buf_printf(yaml, ", limit: %d", o->manner.page_size);
    if (o->filtered)
        buf_append_text(yaml, o->index % 2 ? ", levels: [warn, error]" : ", levels: [error]");
}

static void hoody_write_record(const struct content *c, int64_t time_unix_ns, const char *mark,
                               const char *padding, struct rng *chance, struct buf *out)
{
    char time[TIMEFMT_MAX];
    timefmt_rfc3339(time_unix_ns, 3, time);
    buf_append_char(out, '{');
    if (rng_percent(chance, 50))
        buf_append_text(out, "\"traceId\":\"9b2f0d4e-1c3a-4f5b-8d6e-7a8b9c0d1e2f\",");
    buf_printf(out,
               "\"tsMs\":%lld,\"tsIso\":\"%s\",\"kind\":\"event\",\"level\":\"%s\","
               "\"projectId\":\"p%u\",\"containerId\":\"c%u\",\"serviceName\":\"api\","
               "\"method\":\"GET\",\"url\":\"/x\",\"data\":{\"message\":\"%s%s\","
               "\"durationMs\":4},\"source\":\"backend\"}",
               (long long)(time_unix_ns / NS_PER_MS), time, c->foreign ? "info" : "error",
               c->instance, c->instance, mark, padding);
}

static void read_parameter(struct bytes name, struct bytes text, struct question *out)
{
    int64_t *const numbers[] = { &out->limit, &out->offset, &out->last, &out->after_id };
    static const char *const names[] = { "limit", "offset", "last", "afterId" };
    for (size_t i = 0; i < COUNT(names); i++) {
        if (!bytes_is(name, names[i]))
            continue;
        if (!query_number(text, numbers[i]))
            out->wrong = names[i];
        return;
    }
    if (bytes_is(name, "cursor"))
        out->cursor = text;
    else if (bytes_is(name, "level"))
        out->wrong = bytes_is(text, "error") ? out->wrong : "level: not as it is configured";
    else
        out->wrong = "a parameter that nobody knows";
}

static void hoody_read_request(struct world *w, const struct request *r, struct buf *room,
                               struct question *out)
{
    const char *query;
    struct bytes path, name, value;
    if (!query_path(r, BASE, &path, &query) || !r->bearer)
        return;
    for (size_t i = 0; i < w->plan.source_count; i++) {
        if (strcmp(r->bearer, w->origins[i].token) == 0)
            out->origin = &w->origins[i];
    }
    if (!out->origin)
        return;
    size_t len = strlen(out->origin->app);
    struct bytes rest = { path.data + len, path.len - len };
    if (path.len < len || memcmp(path.data, out->origin->app, len) != 0 ||
        !bytes_is(rest, "/api/proxy-logs/_logs"))
        out->wrong = "a path that nobody knows";
    while (query_next(&query, room, &name, &value))
        read_parameter(name, value, out);
    if (out->limit == 0)
        out->wrong = "limit";
}

/* Of tenants each counts its own; a store that was rebuilt begins anew, with odd ones, so that it
 * can be told here which of the two an id is of. */
static int64_t id_of(const struct origin *o, const struct record *r)
{
    const struct manner *m = &o->manner;
    if (m->shape == RING)
        return 0;
    if (m->shape == TENANTS) {
        int64_t id = 1;
        for (size_t i = 0; i < r->nth; i++)
            id += o->w->contents[o->records[o->arrived[i]].content].instance ==
                  o->w->contents[r->content].instance;
        return id;
    }
    if (!m->rebuilt_ns)
        return (int64_t)r->nth + 1;
    size_t before = shelf_arrived(o, m->rebuilt_ns - 1);
    return r->nth < before ? 2 * ((int64_t)r->nth + 1) : 2 * (int64_t)(r->nth - before) + 1;
}

/* What it has and is asked for, in the order of arrival; the caller frees it. */
static const struct record **rows_of(struct origin *o, int64_t after_id, int64_t seen_until_ns,
                                     size_t *count)
{
    const struct record **list = xcalloc(o->record_count + 1, sizeof(const struct record *));
    int64_t now = world_unix_ns(o->w);
    *count = 0;
    for (size_t i = 0; i < o->record_count; i++) {
        const struct record *r = &o->records[o->arrived[i]];
        bool foreign = o->w->contents[r->content].foreign && !o->manner.ignores_filters;
        if (shelf_holds(o, r, now) && r->seen_unix_ns <= seen_until_ns && !foreign &&
            (after_id < 0 || id_of(o, r) > after_id))
            list[(*count)++] = r;
    }
    return list;
}

static void write_rows(const struct origin *o, const struct record **list, size_t count,
                       const char *between, struct buf *out)
{
    for (size_t i = 0; i < count; i++) {
        const struct content *c = &o->w->contents[list[i]->content];
        buf_printf(out, "%s{\"id\":%lld,", i ? between : "", (long long)id_of(o, list[i]));
        buf_append(out, c->text + 1, c->len - 1);
    }
}

/* One that goes on by an id of the store before meets rows of the new one only behind that: the
 * documents give no way to tell. */
static void hide_rows(struct origin *o, const struct question *q)
{
    int64_t rebuilt_ns = o->manner.rebuilt_ns, now = world_unix_ns(o->w), newest = 0;
    if (!rebuilt_ns || now < rebuilt_ns || q->after_id <= 0 || q->after_id % 2)
        return;
    for (size_t i = shelf_arrived(o, rebuilt_ns - 1); i < shelf_arrived(o, now); i++)
        newest = id_of(o, &o->records[o->arrived[i]]);
    for (size_t i = 0; i < o->record_count && q->after_id < newest; i++) {
        struct record *r = &o->records[i];
        if (r->seen_unix_ns >= rebuilt_ns && id_of(o, r) < q->after_id)
            r->hidden = true;
    }
}

static void by_number(struct origin *o, const struct question *q, struct reply *out)
{
    const struct manner *m = &o->manner;
    bool in_array = m->shape == ARRAY || m->shape == RING;
    bool knows_ids = m->shape == BY_ROW || m->shape == ARRAY;
    int64_t after = knows_ids ? q->after_id : -1;
    size_t count, limit = q->limit > 0 ? (size_t)q->limit : 200;
    size_t skip = q->offset > 0 ? (size_t)q->offset : 0;
    const struct record **all = rows_of(o, after, INT64_MAX, &count), **list = all;
    size_t total = count;
    if (knows_ids)
        hide_rows(o, q);
    if (!in_array && limit > (size_t)m->page_size)
        limit = (size_t)m->page_size;
    if (q->last > 0)
        skip = count > (size_t)q->last ? count - (size_t)q->last : 0;
    skip = skip < count ? skip : count;
    list += skip;
    count = count - skip < limit ? count - skip : limit;
    world_say(o->w, "  %s: %zu rows of %zu, from %lld on", o->name, count, total,
              count ? (long long)id_of(o, list[0]) : 0);
    count = platform_lose(o->w, count);
    buf_append_text(&out->body, in_array ? "[" : "{\"entries\":[");
    write_rows(o, list, count, ",", &out->body);
    if (in_array)
        buf_append_char(&out->body, ']');
    else
        buf_printf(&out->body, "],\"total\":%zu,\"limit\":%zu,\"offset\":%zu}", total, limit, skip);
    free(all);
}

static void write_trailer(const char *cursor, int last_cursor, struct buf *out)
{
    static const char *const endings[] = { "}\n", ",\"cursor\":null}\n", ",\"cursor\":\"\"}" };
    buf_append_text(out, "{\"__trailer\":true,\"stoppedReason\":\"limit\"");
    if (cursor)
        buf_printf(out, ",\"cursor\":\"%s\"}\n", cursor);
    else
        buf_append_text(out, endings[last_cursor]);
}

/* Its cursor is its number. One that is given for what there was then shows no later rows. */
static void by_cursor(struct origin *o, const struct question *q, struct reply *out)
{
    const struct manner *m = &o->manner;
    struct world *w = o->w;
    struct cursor_given at = { .seen_until_ns = world_unix_ns(w) };
    char name[64];
    bool expired = false;
    if (q->cursor.len)
        expired = !platform_take_cursor(o, q, &at);
    if (expired) {
        buf_append_text(&out->body, "{\"__trailer\":true,\"error\":\"snapshot_expired\","
                                    "\"status\":410}\n");
        return;
    }
    if (m->live)
        at.seen_until_ns = world_unix_ns(w);
    size_t count,
        limit = q->limit > 0 && q->limit < m->page_size ? (size_t)q->limit : (size_t)m->page_size;
    const struct record **all = rows_of(o, -1, at.seen_until_ns, &count), **list = all;
    while (count > 0 && list[0]->nth < at.place) {
        list++;
        count--;
    }
    bool more = count > limit;
    count = more ? limit : count;
    at.place = count ? list[count - 1]->nth + 1 : at.place;
    if (more)
        platform_give_cursor(o, &at, name);
    world_say(w, "  %s: %zu rows, %s", o->name, count, more ? name : "the last page");
    count = platform_lose(w, count);
    write_rows(o, list, count, "\n", &out->body);
    buf_append_text(&out->body, count ? "\n" : "");
    if (!world_fault(w, w->plan.garbled))
        write_trailer(more ? name : NULL, m->last_cursor, &out->body);
    free(all);
}

static void hoody_answer(struct origin *o, const struct question *q, struct reply *out)
{
    out->status = 200;
    if (o->manner.shape == TENANTS)
        by_cursor(o, q, out);
    else
        by_number(o, q, out);
}

static void hoody_name_instance(const struct content *c, char out[64])
{
    snprintf(out, 64, "c%u", c->instance);
}

const struct platform platform_hoody = {
    .type = "hoody",
    .unit_ns = NS_PER_MS,
    .tails = true,
    .adapt = hoody_adapt,
    .configure = hoody_configure,
    .write_record = hoody_write_record,
    .name_instance = hoody_name_instance,
    .read_request = hoody_read_request,
    .answer = hoody_answer,
};
