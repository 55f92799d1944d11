/* fly.c -- the Fly.io API: GET /v1/apps/{app}/logs, oldest first, from a moment on: in pages with
 * `next_token`, or in lines with `start_time`, whichever edition it is. */
#include "tests/model/model.h"

#include <stdlib.h>
#include <string.h>

#include "base/timefmt.h"

#define ENDPOINT "https://fly.test"
#define PATH     ENDPOINT "/api/v1/apps/"

enum shape { PAGES, FLAT_LINES, NESTED_LINES, WRAPPED_LINES, SHAPES };

static void fly_adapt(struct origin *o, struct rng *r)
{
    struct manner *m = &o->manner;
    snprintf(o->app, sizeof(o->app), "shop-%u", (unsigned)o->budget);
    snprintf(o->token, sizeof(o->token), "fm2_%u", (unsigned)o->index);
    m->by_arrival = false;
    m->shape = rng_percent(r, 60) ? PAGES : (int)rng_between(r, FLAT_LINES, WRAPPED_LINES);
    m->fickle = rng_percent(r, 20);
    m->whole_ties = rng_percent(r, 25);
    m->crowded = rng_percent(r, 10);
    m->ignores_filters = rng_percent(r, 40);
    m->bounds &= OPEN_START;
    /* An edition in lines may give all that there is, whatever it is asked. */
    m->ring = m->shape != PAGES && rng_percent(r, 20) ? (size_t)rng_between(r, 20, 200) : 0;
    o->instances = (unsigned)rng_between(r, 1, 3);
    o->filtered = rng_percent(r, 25);
}

static void fly_configure(const struct origin *o, struct buf *yaml)
{
    buf_printf(yaml, ", type: fly, endpoint: \"" ENDPOINT "\", app: %s, token: \"FlyV1 %s,oauth\"",
               o->app, o->token);
    if (o->filtered)
        buf_append_text(yaml, o->index % 2 ? ", region: r0" : ", instance: m0");
}

static void fly_write_record(const struct content *c, int64_t time_unix_ns, const char *mark,
                             const char *padding, struct rng *chance, struct buf *out)
{
    static const char *const levels[] = { "info", "error", "debug", "loud" };
    const char *level = levels[rng_below(chance, COUNT(levels))];
    char time[TIMEFMT_MAX];
    timefmt_rfc3339(time_unix_ns, 9, time);
    if (c->origin->manner.shape == NESTED_LINES)
        buf_printf(out,
                   "{\"event\":{\"provider\":\"app\"},\"fly\":{\"app\":{\"instance\":\"m%u\","
                   "\"name\":\"shop\"},\"region\":\"r%u\"},\"host\":\"a1\",\"log\":{\"level\":"
                   "\"%s\"},\"message\":\"%s%s\",\"timestamp\":\"%s\"}",
                   c->instance, c->instance, level, mark, padding, time);
    else
        buf_printf(out,
                   "{\"timestamp\":\"%s\",\"message\":\"%s%s\",\"level\":\"%s\",\"instance\":"
                   "\"m%u\",\"region\":\"r%u\",\"meta\":{\"Event\":{\"Provider\":\"app\"}}}",
                   time, mark, padding, level, c->instance, c->instance);
}

static void read_parameter(struct bytes name, struct bytes text, struct question *out)
{
    const struct manner *m = &out->origin->manner;
    if (bytes_is(name, "next_token")) {
        out->after_id = m->shape == PAGES ? 0 : -1;
        if (text.len > 0 && m->shape == PAGES) {
            out->from = query_number(text, &out->start_unix_ns);
            out->wrong = out->from ? out->wrong : "next_token";
        }
    } else if (bytes_is(name, "start_time")) {
        if (m->shape != PAGES) {
            out->from = timefmt_parse_rfc3339(text, &out->start_unix_ns);
            out->wrong = out->from ? out->wrong : "start_time";
        }
    } else if (bytes_is(name, "region") || bytes_is(name, "instance")) {
        out->filtered = true;
        if (!bytes_is(text, out->origin->index % 2 ? "r0" : "m0"))
            out->wrong = "a filter that is not as it is configured";
    } else {
        out->wrong = "a parameter that nobody knows";
    }
}

static void fly_read_request(struct world *w, const struct request *r, struct buf *room,
                             struct question *out)
{
    const char *query, *auth = query_header(r, "Authorization");
    struct bytes path, name, value;
    if (!query_path(r, PATH, &path, &query) || !auth || strncmp(auth, "FlyV1 ", 6) != 0)
        return;
    for (size_t i = 0; i < w->plan.source_count; i++) {
        if (strcmp(auth + 6, w->origins[i].token) == 0)
            out->origin = &w->origins[i];
    }
    if (!out->origin)
        return;
    size_t len = strlen(out->origin->app);
    if (path.len != len + strlen("/logs") || memcmp(path.data, out->origin->app, len) != 0)
        out->wrong = "another app";
    while (query_next(&query, room, &name, &value))
        read_parameter(name, value, out);
    if (out->filtered != out->origin->filtered)
        out->wrong = "its filter is not as it is configured";
    if (!out->from && out->origin->calls > 0 && out->after_id == 0)
        out->wrong = "an empty token, though one was given";
}

/* One entry, as an id makes it. */
static void write_entry(const struct origin *o, const struct record *r, bool wrapped,
                        struct buf *out)
{
    const struct content *c = &o->w->contents[r->content];
    if (wrapped)
        buf_printf(out, "{\"id\":\"%u-%lld\",\"type\":\"log\",\"attributes\":", r->nth,
                   (long long)r->time_unix_ns);
    buf_append(out, c->text, c->len);
    buf_append_text(out, wrapped ? "}" : "");
}

static void write_pages(const struct origin *o, const struct question *q,
                        const struct record **list, size_t count, struct buf *out)
{
    static const char *const nothing[] = { "", ",\"meta\":{}", ",\"meta\":{\"next_token\":\"\"}" };
    buf_append_text(out, "{\"data\":[");
    for (size_t i = 0; i < count; i++) {
        buf_append_text(out, i ? "," : "");
        write_entry(o, list[i], true, out);
    }
    buf_append_text(out, "]");
    if (count > 0)
        buf_printf(out, ",\"meta\":{\"next_token\":\"%lld\"}",
                   (long long)list[count - 1]->time_unix_ns);
    else if (o->manner.eager_cursor && q->from)
        buf_printf(out, ",\"meta\":{\"next_token\":\"%lld\"}", (long long)q->start_unix_ns);
    else
        buf_append_text(out, nothing[o->manner.last_cursor]);
    buf_append_char(out, '}');
}

static void write_lines(const struct origin *o, const struct record **list, size_t count,
                        struct buf *out)
{
    struct rng *chance = &o->w->faults;
    for (size_t i = 0; i < count; i++) {
        if (i > 0 && rng_permille(chance, 20))
            buf_append_text(out, rng_percent(chance, 50) ? "\n" : "{\"cut\n");
        write_entry(o, list[i], o->manner.shape == WRAPPED_LINES, out);
        if (i + 1 < count || rng_percent(chance, 50))
            buf_append_char(out, '\n');
    }
}

static void fly_answer(struct origin *o, const struct question *q, struct reply *out)
{
    const struct manner *m = &o->manner;
    struct world *w = o->w;
    size_t count, most = (size_t)m->page_size;
    int64_t from = m->ring ? 0 : q->from ? q->start_unix_ns : world_unix_ns(w) - DAY;
    const struct record **all = shelf_range(o, from, INT64_MAX, &count), **list = all;
    if (count > most && !q->from && !m->ring)
        list += count - most;
    while (m->whole_ties && most < count &&
           list[most]->time_unix_ns == list[most - 1]->time_unix_ns)
        most++;
    if (count > most && !m->ring)
        count = most;
    o->calls++;
    world_say(w, "  %s: %zu entries%s", o->name, count, m->shape == PAGES ? "" : ", as lines");
    count = platform_lose(w, count);
    out->status = count == 0 && m->shape != PAGES && rng_percent(&w->faults, 20) ? 204 : 200;
    if (m->shape == PAGES)
        write_pages(o, q, list, count, &out->body);
    else
        write_lines(o, list, count, &out->body);
    o->as_text = m->shape != PAGES;
    free(all);
}

static void fly_name_instance(const struct content *c, char out[64])
{
    snprintf(out, 64, "m%u", c->instance);
}

const struct platform platform_fly = {
    .type = "fly",
    .unit_ns = 1,
    .doubted_ns = 7 * DAY,
    .tails = true,
    .by_time = true,
    .adapt = fly_adapt,
    .configure = fly_configure,
    .write_record = fly_write_record,
    .name_instance = fly_name_instance,
    .read_request = fly_read_request,
    .answer = fly_answer,
};
