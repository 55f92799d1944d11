/* hoody.c -- Hoody's proxy logs: GET .../_logs and .../_logs/stats. A kit host's URL is the
 * credential, so here its path names the tenant: /kit/PROJECT/CONTAINER/_logs, each app a project
 * and each environment a container. The admin port is /api/proxy-logs/_logs, with the token.
 *
 * Quirks: array: `last` and `afterId` answer with a bare array; ring[=N]: with one of the newest N
 * (5000) rows in memory, whose ids are 0 and of which afterId does nothing; no-ids: all are 0;
 * no-after: afterId does nothing; most=N: no more than N at once; gated: a kit host wants the token
 * too; no-permission: it has none for logs; fanout: the admin port answers with lines, and a
 * cursor, which expires after --cursor-ttl; snapshot: a cursor sees what the first page saw. And
 * hoody_store.h. */
#include "platform.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "hoody_record.h"
#include "hoody_store.h"
#include "parse.h"

#define KIT           "/kit/"
#define ADMIN         "/api/proxy-logs/_logs"
#define DEFAULT_LIMIT 200
#define DEFAULT_RING  5000
#define CURSOR_BYTES  200

struct query {
    struct hoody_filter filter;
    int64_t limit, offset, last, after; /* -1: not asked for, of the latter two */
    const char *cursor;
    bool bodies;
};

static void refuse(struct web_answer *out, int status, const char *error, const char *message)
{
    web_json(out, status, "{\"statusCode\":%d,\"error\":\"%s\",\"message\":\"%s\"}", status, error,
             message);
}

static void too_early(int64_t wait_ns, struct web_answer *out)
{
    (void)wait_ns; /* it always says the same */
    pairs_add(&out->headers, "Retry-After", "2");
    web_json(out, 429, "{\"error\":\"rate_limited\"}");
}

/* ---- who asks for what -------------------------------------------------------------------------
 */

/* The stream of a kit host's path, and what follows; SIZE_MAX: there is none. */
static size_t tenant_of(const struct sim *sim, const char *path, const char **rest)
{
    size_t skip = strlen(KIT);
    for (size_t i = 0; strncmp(path, KIT, skip) == 0 && i < sim->stream_count; i++) {
        const struct history *h = &sim->streams[i];
        char prefix[512];
        int len = snprintf(prefix, sizeof(prefix), KIT "%s/%s/_logs", h->app, h->environment);
        if (strncmp(path, prefix, (size_t)len) == 0) {
            *rest = path + len;
            return i;
        }
    }
    return SIZE_MAX;
}

/* What follows /_logs in a path; NULL: it is no such path. */
static const char *rest_of(const struct sim *sim, const char *path, size_t *stream)
{
    const char *rest = NULL;
    *stream = tenant_of(sim, path, &rest);
    if (*stream == SIZE_MAX && strncmp(path, ADMIN, strlen(ADMIN)) == 0)
        rest = path + strlen(ADMIN);
    return rest;
}

static size_t budget(const struct sim *sim, const struct web_request *rq)
{
    size_t stream;
    if (!rest_of(sim, rq->path, &stream))
        return SIZE_MAX;
    return stream == SIZE_MAX ? 0 : stream / sim->options->environments.count;
}

static bool has_token(const struct sim *sim, const struct web_request *rq)
{
    char expected[1024];
    const char *got = web_header(rq, "Authorization");
    snprintf(expected, sizeof(expected), "Bearer %s", sim->options->token);
    return got && strcmp(got, expected) == 0;
}

/* Whether this caller may ask at all; else the refusal is written. */
static bool admitted(const struct sim *sim, const struct web_request *rq, size_t *stream,
                     const char **rest, struct web_answer *out)
{
    const struct options *o = sim->options;
    *rest = rest_of(sim, rq->path, stream);
    bool kit = *stream != SIZE_MAX;
    if (!*rest && strncmp(rq->path, KIT, strlen(KIT)) == 0) {
        refuse(out, 403, "Forbidden", "no such scope");
    } else if (!*rest || (**rest && strcmp(*rest, "/stats") != 0)) {
        refuse(out, 404, "Not Found", "no such path");
    } else if (strcmp(rq->method, "GET") != 0) {
        pairs_add(&out->headers, "Allow", "GET");
        refuse(out, 405, "Method Not Allowed", "logs are read");
    } else if (options_quirk(o, "no-permission")) {
        refuse(out, 403, "Forbidden", "the container has no logs permission");
    } else if ((!kit || options_quirk(o, "gated")) && !has_token(sim, rq)) {
        refuse(out, 403, "Forbidden", "gated");
    } else {
        return true;
    }
    return false;
}

/* ---- the parameters ----------------------------------------------------------------------------
 */

static bool read_bool(const char *text, bool *out)
{
    *out = *out || strcmp(text, "true") == 0;
    return strcmp(text, "true") == 0 || strcmp(text, "false") == 0;
}

static bool read_one(struct query *q, const char *key, const char *value)
{
    struct {
        const char *key;
        const char **text;
    } texts[] = {
        { "projectId", &q->filter.project },   { "containerId", &q->filter.container },
        { "serviceName", &q->filter.service }, { "level", &q->filter.level },
        { "kind", &q->filter.kind },           { "source", &q->filter.origin },
        { "method", &q->filter.method },       { "cursor", &q->cursor },
    };
    struct {
        const char *key;
        int64_t *number;
    } numbers[] = { { "limit", &q->limit },
                    { "offset", &q->offset },
                    { "last", &q->last },
                    { "afterId", &q->after } };
    for (size_t i = 0; i < COUNT(texts); i++) {
        if (strcmp(key, texts[i].key) == 0) {
            bool first = *texts[i].text == NULL;
            *texts[i].text = value;
            return first && *value;
        }
    }
    for (size_t i = 0; i < COUNT(numbers); i++) {
        if (strcmp(key, numbers[i].key) == 0)
            return parse_count(value, numbers[i].number);
    }
    bool body = strcmp(key, "includeRequestBody") == 0 || strcmp(key, "includeResponseBody") == 0;
    return body && read_bool(value, &q->bodies);
}

/* What is wrong with the parameters; NULL: nothing. */
static const char *read_query(const struct sim *sim, const struct web_request *rq, size_t stream,
                              struct query *q)
{
    int64_t most;
    const char *text = options_quirk(sim->options, "most");
    *q = (struct query){
        .filter = { .stream = stream }, .limit = DEFAULT_LIMIT, .last = -1, .after = -1
    };
    if (rq->query_bad)
        return "the query is not percent-encoded as it should be";
    for (size_t i = 0; i < rq->query.count; i++) {
        if (!read_one(q, rq->query.items[i].key, rq->query.items[i].value))
            return "unknown parameter, or a wrong value";
    }
    if (text && parse_count(text, &most) && q->limit > most)
        q->limit = most;
    if (stream != SIZE_MAX)
        q->filter.service = NULL; /* a kit host ignores it */
    if (options_quirk(sim->options, "no-after") || options_quirk(sim->options, "no-ids"))
        q->after = -1;
    return NULL;
}

/* ---- pages -------------------------------------------------------------------------------------
 */

/* The part of the rows that an answer holds. */
struct slice {
    size_t from, to;
};

static struct slice newest(const struct hoody_rows *rows, size_t count)
{
    return (struct slice){ rows->count > count ? rows->count - count : 0, rows->count };
}

static struct slice cut(const struct hoody_rows *rows, size_t from, int64_t limit)
{
    size_t room = rows->count - from;
    return (struct slice){ from, from + (room < (size_t)limit ? room : (size_t)limit) };
}

static struct slice slice_of(const struct query *q, const struct hoody_rows *rows)
{
    size_t from = 0;
    if (q->last >= 0)
        return newest(rows, (size_t)q->last);
    if (q->after >= 0) {
        while (from < rows->count && rows->items[from].id <= (uint64_t)q->after)
            from++;
    } else {
        from = (size_t)q->offset < rows->count ? (size_t)q->offset : rows->count;
    }
    return cut(rows, from, q->limit);
}

static void write_row(const struct sim *sim, const struct hoody_row *row, bool in_memory,
                      bool bodies, struct buf *out)
{
    struct entry e;
    const struct history *h = &sim->streams[row->stream];
    history_at(h, row->index, &e);
    hoody_record_write(h, &e, in_memory ? 0 : row->id, bodies, out);
}

static void write_rows(const struct sim *sim, const struct hoody_rows *rows, struct slice s,
                       bool in_memory, bool bodies, struct buf *out)
{
    buf_append_char(out, '[');
    for (size_t i = s.from; i < s.to; i++) {
        if (i > s.from)
            buf_append_char(out, ',');
        write_row(sim, &rows->items[i], in_memory, bodies, out);
    }
    buf_append_char(out, ']');
}

/* Rows as they lie in memory: the newest, and no numbers. */
static struct slice ring_of(const struct sim *sim, const struct query *q,
                            const struct hoody_rows *rows)
{
    int64_t size;
    if (!parse_count(options_quirk(sim->options, "ring"), &size))
        size = DEFAULT_RING;
    struct slice s = newest(rows, (size_t)size);
    if (q->last >= 0)
        return newest(rows, (size_t)(q->last < size ? q->last : size));
    return cut(rows, s.from, q->limit);
}

static int64_t answer_scoped(struct sim *sim, const struct query *q, struct web_answer *out)
{
    struct hoody_rows rows;
    const struct options *o = sim->options;
    bool from_memory = (q->last >= 0 || q->after >= 0) && !q->bodies;
    bool ring = from_memory && options_quirk(o, "ring");
    if (hoody_tenants(sim, &q->filter) != 1) {
        refuse(out, 403, "Forbidden", "no such scope");
        return -1;
    }
    hoody_rows_take(sim, &q->filter, sim_visible_ns(sim), &rows);
    struct slice s = ring ? ring_of(sim, q, &rows) : slice_of(q, &rows);
    bool bare = ring || (from_memory && options_quirk(o, "array"));
    if (!bare)
        buf_append_text(&out->body, "{\"entries\":");
    write_rows(sim, &rows, s, ring, q->bodies, &out->body);
    if (!bare)
        buf_printf(&out->body, ",\"total\":%zu,\"limit\":%" PRId64 ",\"offset\":%" PRId64 "}",
                   rows.count, q->limit, q->offset);
    hoody_rows_release(&rows);
    return (int64_t)(s.to - s.from);
}

/* ---- the fan-out -------------------------------------------------------------------------------
 */

/* What a cursor says: the last row that was given, and what is seen from there. */
struct place {
    uint64_t seen_ns, stream, index, visible_ns, made_ns;
};

static void cursor_write(const struct sim *sim, const struct place *p, char out[CURSOR_BYTES])
{
    uint64_t seal = history_mix((uint64_t)sim->options->seed ^ 0xc0de, p->seen_ns);
    seal = history_mix(history_mix(seal, p->stream), p->index);
    seal = history_mix(history_mix(seal, p->visible_ns), p->made_ns);
    snprintf(out, CURSOR_BYTES,
             "%" PRIx64 "+%" PRIx64 "/%" PRIx64 "&%" PRIx64 "%%%" PRIx64 "=%016" PRIx64 "==",
             p->seen_ns, p->stream, p->index, p->visible_ns, p->made_ns, seal);
}

static bool cursor_read(const struct sim *sim, const char *text, struct place *out)
{
    char again[CURSOR_BYTES];
    uint64_t *const parts[] = { &out->seen_ns, &out->stream, &out->index, &out->visible_ns,
                                &out->made_ns };
    const char *at = text;
    for (size_t i = 0; i < COUNT(parts) && at; i++) {
        char *end;
        *parts[i] = strtoull(at, &end, 16);
        at = *end ? end + 1 : NULL;
    }
    cursor_write(sim, out, again);
    return strcmp(again, text) == 0;
}

static bool is_behind(const struct hoody_row *row, const struct place *p)
{
    if ((uint64_t)row->seen_ns != p->seen_ns)
        return (uint64_t)row->seen_ns > p->seen_ns;
    if (row->stream != p->stream)
        return row->stream > p->stream;
    return row->index > p->index;
}

static void write_trailer(struct sim *sim, struct place *p, bool more, struct buf *out)
{
    char cursor[CURSOR_BYTES];
    int last = sim->options->last_cursor;
    p->made_ns = (uint64_t)clock_unix_ns(&sim->clk);
    cursor_write(sim, p, cursor);
    buf_append_text(out, "{\"__trailer\":true");
    if (more)
        buf_printf(out, ",\"cursor\":\"%s\"", cursor);
    else if (last != LAST_ABSENT)
        buf_append_text(out, last == LAST_NULL ? ",\"cursor\":null" : ",\"cursor\":\"\"");
    buf_printf(out, ",\"stoppedReason\":\"%s\"}\n", more ? "limit" : "drained");
}

/* Behind the cursor's place; it may see no further than the first page did. */
static int64_t write_lines(struct sim *sim, const struct query *q, struct place *p,
                           struct web_answer *out)
{
    struct hoody_rows rows;
    size_t from = 0;
    int64_t visible_ns = sim_visible_ns(sim);
    if (options_quirk(sim->options, "snapshot") && q->cursor)
        visible_ns = (int64_t)p->visible_ns;
    p->visible_ns = (uint64_t)visible_ns;
    hoody_rows_take(sim, &q->filter, visible_ns, &rows);
    while (q->cursor && from < rows.count && !is_behind(&rows.items[from], p))
        from++;
    struct slice s = cut(&rows, from, q->limit);
    for (size_t i = s.from; i < s.to; i++) {
        const struct hoody_row *row = &rows.items[i];
        write_row(sim, row, false, q->bodies, &out->body);
        buf_append_char(&out->body, '\n');
        *p = (struct place){ (uint64_t)row->seen_ns, row->stream, row->index, p->visible_ns, 0 };
    }
    bool more = s.to < rows.count;
    hoody_rows_release(&rows);
    write_trailer(sim, p, more, &out->body);
    return (int64_t)(s.to - s.from);
}

static int64_t answer_fanout(struct sim *sim, const struct query *q, struct web_answer *out)
{
    struct place p = { 0 };
    int64_t ttl_ns = atomic_load(&sim->cursor_ttl_ns), now_ns = clock_unix_ns(&sim->clk);
    if (q->cursor && !cursor_read(sim, q->cursor, &p)) {
        refuse(out, 400, "Bad Request", "cursor");
        return -1;
    }
    if (q->cursor && ttl_ns > 0 && now_ns - (int64_t)p.made_ns > ttl_ns) {
        buf_append_text(&out->body,
                        "{\"__trailer\":true,\"error\":\"snapshot_expired\",\"status\":410}\n");
        return 0;
    }
    return write_lines(sim, q, &p, out);
}

/* ---- counts ------------------------------------------------------------------------------------
 */

struct count {
    char name[128];
    size_t count;
};

struct counts {
    struct count items[512];
    size_t used;
};

static void count(struct counts *c, const char *name)
{
    size_t i = 0;
    while (i < c->used && strcmp(c->items[i].name, name) != 0)
        i++;
    if (!name[0] || i == COUNT(c->items))
        return;
    if (i == c->used)
        snprintf(c->items[c->used++].name, sizeof(c->items[0].name), "%s", name);
    c->items[i].count++;
}

static void write_counts(const char *key, const struct counts *c, struct buf *out)
{
    buf_printf(out, ",\"%s\":{", key);
    for (size_t i = 0; i < c->used; i++)
        buf_printf(out, "%s\"%s\":%zu", i ? "," : "", c->items[i].name, c->items[i].count);
    buf_append_char(out, '}');
}

static int64_t answer_stats(struct sim *sim, size_t stream, struct web_answer *out)
{
    static const char *const keys[] = { "byLevel", "byProject", "byContainer", "byService" };
    struct counts *c = xcalloc(COUNT(keys), sizeof(*c));
    struct hoody_filter all = { .stream = stream };
    struct hoody_rows rows;
    hoody_rows_take(sim, &all, sim_visible_ns(sim), &rows);
    for (size_t i = 0; i < rows.count; i++) {
        const struct history *h = &sim->streams[rows.items[i].stream];
        struct hoody_traits traits;
        struct entry e;
        history_at(h, rows.items[i].index, &e);
        hoody_traits_of(h, &e, &traits);
        count(&c[0], traits.level ? traits.level : "");
        count(&c[1], h->app);
        count(&c[2], h->environment);
        count(&c[3], traits.service);
    }
    buf_printf(&out->body, "{\"total\":%zu", rows.count);
    for (size_t i = 0; i < COUNT(keys); i++)
        write_counts(keys[i], &c[i], &out->body);
    buf_append_char(&out->body, '}');
    hoody_rows_release(&rows);
    free(c);
    return 0;
}

static int64_t answer(struct sim *sim, const struct web_request *rq, struct web_answer *out)
{
    struct query q;
    size_t stream;
    const char *rest;
    if (!admitted(sim, rq, &stream, &rest, out))
        return -1;
    const char *fault = read_query(sim, rq, stream, &q);
    if (*rest && !fault)
        return answer_stats(sim, stream, out);
    if (fault) {
        refuse(out, 400, "Bad Request", fault);
        return -1;
    }
    if (stream == SIZE_MAX && options_quirk(sim->options, "fanout"))
        return answer_fanout(sim, &q, out);
    if (q.cursor) {
        refuse(out, 400, "Bad Request", "cursor: there is no fan-out");
        return -1;
    }
    return answer_scoped(sim, &q, out);
}

/* ---- wrong on purpose --------------------------------------------------------------------------
 */

static void wrong(const struct fault *fault, struct web_answer *out)
{
    const char *what = fault->detail ? fault->detail : "";
    struct buf *body = &out->body;
    if (fault->kind == FAULT_BADUTF8) {
        buf_append_text(body, "{\"entries\":[{\"id\":1,\"tsMs\":1,\"url\":\"bad \xff\xc0\x80\"}]}");
    } else if (fault->kind == FAULT_DEEP) {
        buf_append_text(body, "{\"entries\":[{\"id\":1,\"tsMs\":1,\"data\":");
        for (int64_t i = 0; i < fault->number; i++)
            buf_append_text(body, "{\"a\":[");
        for (int64_t i = 0; i < fault->number; i++)
            buf_append_text(body, "]}");
        buf_append_text(body, "}]}");
    } else if (strcmp(what, "element") == 0) {
        buf_append_text(body, "{\"entries\":[7]}");
    } else if (strcmp(what, "cursor") == 0) {
        buf_append_text(body, "{\"__trailer\":true,\"cursor\":7}");
    } else if (strcmp(what, "page") == 0) {
        buf_append_text(body, "7");
    } else {
        buf_append_text(body, "{\"entries\":\"none\"}");
    }
}

const struct platform platform_hoody = {
    .name = "hoody",
    .summary = "Hoody: proxy logs",
    .budget = budget,
    .answer = answer,
    .too_early = too_early,
    .wrong = wrong,
    .render = hoody_record_render,
    .print = hoody_record_print,
};
