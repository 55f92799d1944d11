/* nodion.c -- the Nodion API: GET /v1/applications/{id}/logs, strictly between `after` and
 * `before`, at most `limit`, one end cut where there are more; no cursor. */
#include "tests/model/model.h"

#include <stdlib.h>
#include <string.h>

#include "base/timefmt.h"

#define ENDPOINT "https://nodion.test"
#define PATH     ENDPOINT "/v1/applications/"
#define LIMIT    200
#define ID       "0000000%u-1111-4222-8333-444444444444"

enum { LOGS, APPLICATION };

static void nodion_adapt(struct origin *o, struct rng *r)
{
    struct manner *m = &o->manner;
    snprintf(o->app, sizeof(o->app), ID, (unsigned)o->budget);
    m->bounds = OPEN_START | OPEN_END;
    m->by_arrival = false;
    m->keeps_newest = rng_percent(r, 50);
    m->fickle = rng_percent(r, 20);
    m->crowded = rng_percent(r, 10);
    m->ring = rng_percent(r, 15) ? (size_t)rng_between(r, 5, 200) : 0;
    o->instances = (unsigned)rng_between(r, 1, 3);
    o->filtered = rng_percent(r, 15);
}

static void nodion_configure(const struct origin *o, struct buf *yaml)
{
    buf_printf(yaml, ", type: nodion, endpoint: \"" ENDPOINT "\", application_id: %s, api_key: %s",
               o->app, o->token);
    if (o->filtered) /* of those wanted there is then one */
        buf_printf(yaml, ", instance_id: " ID, 0U);
    if (o->index % 2)
        buf_append_text(yaml, ", resource: {service.name: shop}");
}

static void nodion_write_record(const struct content *c, int64_t time_unix_ns, const char *mark,
                                const char *padding, struct rng *chance, struct buf *out)
{
    char time[TIMEFMT_MAX];
    timefmt_rfc3339(time_unix_ns, 3, time);
    buf_printf(out, "{\"ts\":\"%s\",\"msg\":\"%s%s%s\",\"instance_id\":\"" ID "\"}", time,
               rng_percent(chance, 70) ? "[web.1] " : "", mark, padding, c->instance);
}

static void read_parameter(struct bytes name, struct bytes text, struct question *out)
{
    if (bytes_is(name, "after")) {
        out->from = timefmt_parse_rfc3339(text, &out->start_unix_ns);
        out->wrong = out->from ? out->wrong : "after";
    } else if (bytes_is(name, "before")) {
        out->to = timefmt_parse_rfc3339(text, &out->end_unix_ns);
        out->wrong = out->to ? out->wrong : "before";
    } else if (bytes_is(name, "limit")) {
        if (!query_number(text, &out->limit) || out->limit < 1 || out->limit > 2500)
            out->wrong = "limit";
    } else if (bytes_is(name, "instance_id")) {
        out->filtered = true;
    } else {
        out->wrong = "a parameter that nobody knows";
    }
}

static void nodion_read_request(struct world *w, const struct request *r, struct buf *room,
                                struct question *out)
{
    const char *query;
    struct bytes path, name, value;
    if (!query_path(r, PATH, &path, &query) || !r->bearer)
        return;
    for (size_t i = 0; i < w->plan.source_count; i++) {
        if (bytes_is(bytes_of(r->bearer), w->origins[i].token))
            out->origin = &w->origins[i];
    }
    if (!out->origin)
        return;
    size_t len = strlen(out->origin->app);
    if (path.len < len || memcmp(path.data, out->origin->app, len) != 0)
        out->wrong = "another application";
    struct bytes rest = { path.data + len, path.len - len };
    out->kind = bytes_is(rest, "/logs") ? LOGS : APPLICATION;
    if (out->kind == APPLICATION && rest.len > 0)
        out->wrong = "a path that nobody knows";
    while (query_next(&query, room, &name, &value))
        read_parameter(name, value, out);
    if (out->kind == LOGS && out->filtered != out->origin->filtered)
        out->wrong = "instance_id: not as it is configured";
}

/* Neither: the last hour; `before` alone: the hour before it. */
static void complete_range(const struct world *w, const struct question *q, int64_t *from,
                           int64_t *to)
{
    int64_t now = world_unix_ns(w);
    *to = q->to ? q->end_unix_ns : now + 1;
    *from = q->from ? q->start_unix_ns : *to - HOUR;
}

static void nodion_answer(struct origin *o, const struct question *q, struct reply *out)
{
    struct world *w = o->w;
    int64_t from, to;
    size_t count, limit = q->limit > 0 ? (size_t)q->limit : LIMIT;
    out->status = 200;
    if (q->kind == APPLICATION) {
        buf_printf(&out->body,
                   "{\"application\":{\"id\":\"%s\",\"name\":\"shop\",\"region\":{\"slug\":"
                   "\"eu-1\"}}}",
                   o->app);
        return;
    }
    complete_range(w, q, &from, &to);
    if (limit > (size_t)o->manner.page_size)
        limit = (size_t)o->manner.page_size;
    const struct record **all = shelf_range(o, from, to, &count), **list = all;
    if (count > limit) {
        list += o->manner.keeps_newest ? count - limit : 0;
        count = limit;
    }
    world_say(w, "  %s: %zu entries of at most %zu", o->name, count, limit);
    o->calls++;
    count = platform_lose(w, count);
    buf_append_text(&out->body, "{\"logs\":[");
    for (size_t i = 0; i < count; i++) {
        const struct content *c = &w->contents[list[i]->content];
        buf_append_text(&out->body, i ? "," : "");
        buf_append(&out->body, c->text, c->len);
    }
    buf_printf(&out->body, "],\"limit\":%zu}", limit);
    free(all);
}

static void nodion_name_instance(const struct content *c, char out[64])
{
    snprintf(out, 64, ID, c->instance);
}

const struct platform platform_nodion = {
    .type = "nodion",
    .retention_ns = 7 * DAY,
    .unit_ns = NS_PER_MS,
    .by_time = true,
    .adapt = nodion_adapt,
    .configure = nodion_configure,
    .write_record = nodion_write_record,
    .name_instance = nodion_name_instance,
    .read_request = nodion_read_request,
    .answer = nodion_answer,
};
