/* nodion.c -- Nodion: an application, and its logs between two moments. Rules and limits as its API
 * reference has them, read November 2026.
 *
 * Quirks: keep=oldest (newest): which end of too many entries an answer has; clamp=N: the server's
 * own limit; lines=N (2000): how many are kept at all; project=UUID: the key is a user's, whose
 * default project is another one; nameless: the application has no name. */
#include "platform.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/timefmt.h"
#include "parse.h"
#include "stretch.h"

#define PATH          "/v1/applications/"
#define LOGS          "/logs"
#define LIMIT_MOST    2500
#define LIMIT_DEFAULT 200
#define LINES_KEPT    2000
#define HOUR_NS       (3600 * NS_PER_S)
#define RETENTION_NS  (INT64_C(7) * 24 * HOUR_NS)

static void refuse(struct web_answer *out, int status, const char *message)
{
    web_json(out, status, "{\"error\":\"%s\"}", message);
}

static void too_early(int64_t wait_ns, struct web_answer *out)
{
    char seconds[24];
    snprintf(seconds, sizeof(seconds), "%" PRId64, (wait_ns + NS_PER_S - 1) / NS_PER_S);
    pairs_add(&out->headers, "Retry-After", seconds);
    refuse(out, 429, "Too many requests");
}

/* ---- entries -----------------------------------------------------------------------------------
 */

/* What writes a line; NULL: it writes without a tag. */
static const char *process_of(const struct entry *e)
{
    static const char *const processes[] = { "web.1", "web.2", "worker.1", "nightly-sync.1" };
    return e->odd ? NULL : processes[(e->random >> 8) % COUNT(processes)];
}

static void render(const struct history *h, const struct entry *e, struct buf *out)
{
    char date[TIMEFMT_MAX];
    timefmt_rfc3339(e->time_ns, 3, date);
    buf_printf(out, "{\"ts\":\"%s\",\"msg\":\"", date);
    if (process_of(e))
        buf_printf(out, "[%s] ", process_of(e));
    history_message_json(h, e, out);
    buf_printf(out, "\",\"instance_id\":\"%s\"}", stretch_instance(h, e->site));
}

static void print(const struct history *h, const struct entry *e, struct print *out)
{
    struct buf text = BUF_INIT((size_t)64 << 20);
    const char *process = process_of(e);
    if (process)
        buf_printf(&text, "[%s] ", process);
    history_message(h, e, &text);
    print_time(out, (uint64_t)e->time_ns);
    print_text(out, "", 0);
    print_text(out, buf_text(&text), text.len);
    print_id(out, "", 32);
    print_id(out, "", 16);
    if (process) {
        print_text(out, "nodion.process", strlen("nodion.process"));
        print_text(out, process, strlen(process));
    }
    buf_release(&text);
}

/* ---- a call ------------------------------------------------------------------------------------
 */

/* The application that a path names, and what stands behind it; SIZE_MAX: none. */
static size_t app_of(const struct sim *sim, const char *path, const char **rest)
{
    if (strncmp(path, PATH, strlen(PATH)) != 0)
        return SIZE_MAX;
    const char *id = path + strlen(PATH), *slash = strchr(id, '/');
    size_t len = slash ? (size_t)(slash - id) : strlen(id);
    *rest = id + len;
    return stretch_app(sim, id, len);
}

static size_t budget(const struct sim *sim, const struct web_request *rq)
{
    const char *rest = "";
    return app_of(sim, rq->path, &rest);
}

/* Strictly between the two; `limit` at most. */
struct query {
    int64_t after_ns, before_ns, limit;
    const char *instance; /* NULL: all */
};

/* NULL: fine, else what is wrong. */
static const char *query_read(const struct web_request *rq, int64_t now_ns, struct query *q)
{
    static const char *const known[] = { "limit", "before", "after", "instance_id", NULL };
    const char *limit = stretch_parameter(rq, "limit");
    const char *before = stretch_parameter(rq, "before");
    const char *after = stretch_parameter(rq, "after");
    *q = (struct query){ .limit = LIMIT_DEFAULT, .instance = stretch_parameter(rq, known[3]) };
    if (!stretch_has_only(rq, known))
        return "unknown or repeated parameter";
    if (limit && (!parse_count(limit, &q->limit) || q->limit < 1 || q->limit > LIMIT_MOST))
        return "limit: 1 to 2500";
    q->before_ns = now_ns + NS_PER_MS;
    if (before && !timefmt_parse_rfc3339(bytes_of(before), &q->before_ns))
        return "before: not ISO 8601";
    q->after_ns = q->before_ns - HOUR_NS;
    if (after && !timefmt_parse_rfc3339(bytes_of(after), &q->after_ns))
        return "after: not ISO 8601";
    return NULL;
}

/* The number of entries that are no longer kept. */
static uint64_t forgotten(struct sim *sim, const struct history *h)
{
    int64_t kept = stretch_quirk(sim, "lines", LINES_KEPT), visible_ns = sim_visible_ns(sim);
    uint64_t first = history_before(h, sim_now(sim) - RETENTION_NS);
    uint64_t i = history_until(h, visible_ns);
    struct entry e;
    while (i > first && kept > 0) {
        history_at(h, --i, &e);
        kept -= e.seen_ns <= visible_ns;
    }
    return i;
}

static bool keeps_oldest(const struct sim *sim)
{
    const char *keep = options_quirk(sim->options, "keep");
    return keep && strcmp(keep, "oldest") == 0;
}

/* Go through what the query asks for: count it, and write those of [from, to) of it. */
static int64_t walk(struct sim *sim, const struct history *h, const struct query *q, int64_t from,
                    int64_t to, struct buf *out)
{
    struct stretch s;
    struct entry e;
    int64_t count = 0;
    uint64_t gone = forgotten(sim, h);
    stretch_init(&s, sim, h, q->after_ns + 1, q->before_ns);
    s.next = s.next > gone ? s.next : gone;
    while (stretch_next(&s, &e)) {
        if (q->instance && strcmp(q->instance, stretch_instance(h, e.site)) != 0)
            continue;
        if (count >= from && count < to) {
            if (count > from)
                buf_append_char(out, ',');
            render(h, &e, out);
        }
        count++;
    }
    return count;
}

static int64_t logs(struct sim *sim, const struct history *h, const struct web_request *rq,
                    struct web_answer *out)
{
    struct query q;
    const char *problem = query_read(rq, sim_now(sim), &q);
    int64_t clamp = stretch_quirk(sim, "clamp", LIMIT_MOST);
    if (problem) {
        refuse(out, 400, problem);
        return -1;
    }
    q.limit = q.limit < clamp ? q.limit : clamp;
    int64_t count = walk(sim, h, &q, 0, 0, &out->body), from = 0;
    if (count > q.limit && !keeps_oldest(sim))
        from = count - q.limit;
    buf_append_text(&out->body, "{\"logs\":[");
    walk(sim, h, &q, from, from + q.limit, &out->body);
    buf_printf(&out->body, "],\"limit\":%" PRId64 "}", q.limit);
    return count < q.limit ? count : q.limit;
}

static void application(const struct sim *sim, const struct history *h, struct web_answer *out)
{
    bool nameless = options_quirk(sim->options, "nameless") != NULL;
    web_json(out, 200,
             "{\"application\":{\"id\":\"%s\",\"name\":%s,\"status\":\"running\","
             "\"region\":{\"name\":\"Germany\",\"slug\":\"de-fra\"}}}",
             h->app, nameless ? "null" : "\"shop \\u00e9\"");
}

static bool authorized(const struct sim *sim, const struct web_request *rq)
{
    const char *got = web_header(rq, "Authorization");
    return got && strncmp(got, "Bearer ", 7) == 0 && strcmp(got + 7, sim->options->token) == 0;
}

static bool in_project(const struct sim *sim, const struct web_request *rq)
{
    const char *wanted = options_quirk(sim->options, "project");
    const char *got = web_header(rq, "X-Nodion-Project");
    return !wanted || (got && strcmp(got, wanted) == 0);
}

static int64_t answer(struct sim *sim, const struct web_request *rq, struct web_answer *out)
{
    const char *rest = "";
    size_t app = app_of(sim, rq->path, &rest);
    if (strcmp(rq->method, "GET") != 0)
        refuse(out, 405, "Method not allowed");
    else if (!authorized(sim, rq))
        refuse(out, 401, "Unauthorized");
    else if (app == SIZE_MAX || !in_project(sim, rq) || (*rest && strcmp(rest, LOGS) != 0))
        refuse(out, 404, "Not found");
    else if (*rest)
        return logs(sim, &sim->streams[app * sim->options->environments.count], rq, out);
    else
        application(sim, &sim->streams[app * sim->options->environments.count], out);
    return -1;
}

static void wrong(const struct fault *fault, struct web_answer *out)
{
    const char *what = fault->detail ? fault->detail : "";
    if (fault->kind == FAULT_BADUTF8)
        buf_append_text(&out->body, "{\"logs\":[{\"ts\":\"2026-11-12T07:00:01.015Z\",\"msg\":"
                                    "\"bad \xff\xc0\x80 text\"}],\"limit\":200}");
    else if (strcmp(what, "element") == 0)
        buf_append_text(&out->body, "{\"logs\":[7],\"limit\":200}");
    else if (strcmp(what, "page") == 0)
        buf_append_text(&out->body, "[{\"logs\":[]}]");
    else if (fault->kind == FAULT_WRONGTYPE)
        buf_append_text(&out->body, "{\"logs\":\"none\"}");
    else {
        buf_append_text(&out->body, "{\"logs\":[{\"ts\":\"2026-11-12T07:00:01.015Z\",\"msg\":");
        for (int64_t i = 0; i < fault->number; i++)
            buf_append_char(&out->body, '[');
        for (int64_t i = 0; i < fault->number; i++)
            buf_append_char(&out->body, ']');
        buf_append_text(&out->body, "}]}");
    }
}

const struct platform platform_nodion = {
    .name = "nodion",
    .summary = "Nodion: application logs",
    .budget = budget,
    .answer = answer,
    .too_early = too_early,
    .wrong = wrong,
    .render = render,
    .print = print,
};
