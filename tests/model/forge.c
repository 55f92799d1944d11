/* forge.c -- the Forge API: GET /v1/app/logs/{appId}, a time range of at most an hour, pages by
 * cursor. */
#include "tests/model/model.h"

#include "base/timefmt.h"

#define ENDPOINT "https://forge.test"
#define PATH     ENDPOINT "/v1/app/logs/"

static void forge_configure(const struct origin *o, struct buf *yaml)
{
    buf_printf(yaml,
               ", type: forge, endpoint: \"" ENDPOINT "\", app_id: %s, environment_id: %s, "
               "email: me, api_token: secret",
               o->app, o->environment);
}

static void forge_write_record(const struct content *c, int64_t time_unix_ns, const char *mark,
                               const char *padding, struct rng *chance, struct buf *out)
{
    static const char *const levels[] = { "INFO", "ERROR", "DEBUG" };
    (void)c;
    buf_printf(out, "{\"timeUnixNano\":\"%lld\",", (long long)time_unix_ns);
    buf_printf(out, "\"severityNumber\":%d,\"severityText\":\"%s\",",
               (int)RNG_PICK(chance, 9, 20, 30), levels[rng_below(chance, COUNT(levels))]);
    buf_printf(out, "\"body\":{\"stringValue\":\"%s%s\"}", mark, padding);
    if (rng_percent(chance, 50))
        buf_append_text(out, ",\"traceId\":\"0af7651916cd43dd8448eb211c80319c\","
                             "\"spanId\":\"b7ad6b7169203331\"");
    if (rng_percent(chance, 50))
        buf_append_text(out, ",\"attributes\":[{\"key\":\"functionKey\","
                             "\"value\":{\"stringValue\":\"resolver\"}}]");
    buf_append_char(out, '}');
}

static void read_parameter(struct bytes name, struct bytes text, struct world *w,
                           struct question *out)
{
    if (bytes_is(name, "startDate")) {
        if (!timefmt_parse_rfc3339(text, &out->start_unix_ns) || text.len != 24)
            out->wrong = "startDate";
    } else if (bytes_is(name, "endDate")) {
        if (!timefmt_parse_rfc3339(text, &out->end_unix_ns) || text.len != 24)
            out->wrong = "endDate";
    } else if (bytes_is(name, "environmentId")) {
        for (size_t i = 0; i < w->plan.source_count; i++) {
            if (bytes_is(text, w->origins[i].environment))
                out->origin = &w->origins[i];
        }
    } else if (bytes_is(name, "cursor")) {
        out->cursor = text;
    } else {
        out->wrong = "a parameter that nobody knows";
    }
}

static void forge_read_request(struct world *w, const struct request *r, struct buf *room,
                               struct question *out)
{
    const char *query;
    struct bytes app, name, value;
    if (!query_path(r, PATH, &app, &query) || !r->username || !r->password)
        return;
    while (query_next(&query, room, &name, &value))
        read_parameter(name, value, w, out);
    if (out->origin && !bytes_is(app, out->origin->app))
        out->wrong = "environment of another app";
    if (!out->wrong && (out->end_unix_ns <= out->start_unix_ns ||
                        out->end_unix_ns - out->start_unix_ns > w->platform->span_ns))
        out->wrong = "a time range that is empty or too long";
}

static void forge_write_page(const struct origin *o, const struct question *q,
                             const struct answer_page *page, const struct content *contents,
                             struct buf *out)
{
    static const char *const endings[] = { "]}", "],\"cursor\":null}", "],\"cursor\":\"\"}" };
    (void)o;
    (void)q;
    buf_append_text(out, "{\"appLogs\":[");
    for (size_t i = 0; i < page->count; i++) {
        const struct content *c = &contents[page->records[i]->content];
        if (i > 0)
            buf_append_char(out, ',');
        buf_append(out, c->text, c->len);
    }
    if (page->more)
        buf_printf(out, "],\"cursor\":\"%s\"}", page->cursor);
    else
        buf_append_text(out, endings[page->last_cursor]);
}

const struct platform platform_forge = {
    .type = "forge",
    .retention_ns = 14 * DAY,
    .span_ns = HOUR,
    .refuses_old = true,
    .verbatim = true,
    .configure = forge_configure,
    .write_record = forge_write_record,
    .read_request = forge_read_request,
    .write_page = forge_write_page,
};
