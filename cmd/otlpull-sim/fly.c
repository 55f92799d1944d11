/* fly.c -- Fly.io's app logs: JSON:API pages that go on by `next_token`, or lines (NDJSON) from
 * `start_time` on. As its documentation and its client, flyctl, have it, read November 2026.
 *
 * Quirks: shape=pages|flat|nested|wrapped; token=opaque: tokens that are no moments; inclusive:
 * what is asked for from a moment has it as well; ignores-start, ignores-filters; empty-token:
 * beside no data; capitals: keys in meta; noise: blank and broken lines, and no newline behind the
 * last; kept=D: entries are kept for this long. */
#include "platform.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/timefmt.h"
#include "fly_entry.h"
#include "parse.h"
#include "stretch.h"

#define PATH        "/api/v1/apps/"
#define PATH_2      "/v1/apps/" /* of api.machines.dev */
#define LOGS        "/logs"
#define LATEST      100
#define DAY_NS      (86400 * NS_PER_S)
#define MASK        UINT64_C(0x5deece66d5deece6)
#define TOKEN_BYTES 40

static void refuse(struct web_answer *out, int status, const char *message)
{
    web_json(out, status, "{\"error\":\"%s\"}", message);
}

static void too_early(int64_t wait_ns, struct web_answer *out)
{
    (void)wait_ns; /* it does not tell */
    refuse(out, 429, "rate limited");
}

static bool has(const struct sim *sim, const char *quirk)
{
    return options_quirk(sim->options, quirk) != NULL;
}

/* ---- who asks for what -------------------------------------------------------------------------
 */

static size_t budget(const struct sim *sim, const struct web_request *rq)
{
    const char *name = NULL;
    if (strncmp(rq->path, PATH, strlen(PATH)) == 0)
        name = rq->path + strlen(PATH);
    else if (strncmp(rq->path, PATH_2, strlen(PATH_2)) == 0)
        name = rq->path + strlen(PATH_2);
    size_t len = name ? strlen(name) : 0;
    if (len < strlen(LOGS) || strcmp(name + len - strlen(LOGS), LOGS) != 0)
        return SIZE_MAX;
    return stretch_app(sim, name, len - strlen(LOGS));
}

/* A macaroon is good under its own scheme only, any other token as Bearer. */
static bool authorized(const struct sim *sim, const struct web_request *rq)
{
    const char *got = web_header(rq, "Authorization"), *token = sim->options->token;
    bool macaroon = strncmp(token, "fm1r_", 5) == 0 || strncmp(token, "fm1a_", 5) == 0 ||
                    strncmp(token, "fm2_", 4) == 0;
    const char *scheme = macaroon ? "FlyV1 " : "Bearer ";
    return got && strncmp(got, scheme, strlen(scheme)) == 0 &&
           strcmp(got + strlen(scheme), token) == 0;
}

struct query {
    int64_t from_ns; /* entries from here on */
    int64_t skip;    /* but not the first so many of these */
    bool latest;     /* no moment is given: the latest of a day */
    const char *token, *region, *instance;
};

static const char *query_read(struct sim *sim, const struct history *h,
                              const struct web_request *rq, struct query *q)
{
    static const char *const known[] = { "region", "instance", "next_token", "start_time", NULL };
    const char *start = stretch_parameter(rq, "start_time");
    bool pages = fly_shape_of(h) == FLY_PAGES;
    *q = (struct query){ .region = stretch_parameter(rq, "region"),
                         .instance = stretch_parameter(rq, "instance"),
                         .token = stretch_parameter(rq, "next_token") };
    int64_t moment = 0;
    if (!stretch_has_only(rq, known))
        return "unknown or repeated parameter";
    if (start && !timefmt_parse_rfc3339(bytes_of(start), &moment))
        return "start_time: not ISO 8601";
    if (pages && q->token && q->token[0] == 'T') {
        char *end;
        moment = (int64_t)(strtoull(q->token + 1, &end, 16) ^ MASK) - 1;
        q->skip = *end == '+' ? strtoll(end + 1, NULL, 10) : 0;
    } else if (pages && q->token && q->token[0] && !parse_count(q->token, &moment)) {
        return "next_token: not one of ours";
    }
    q->latest = pages ? !q->token || !q->token[0] : !start || has(sim, "ignores-start");
    q->from_ns = has(sim, "inclusive") ? moment : moment + 1;
    if (q->latest)
        q->from_ns = sim_now(sim) - DAY_NS;
    return NULL;
}

/* ---- the answer --------------------------------------------------------------------------------
 */

static bool matches(struct sim *sim, const struct history *h, const struct query *q,
                    const struct entry *e)
{
    char machine[FLY_MACHINE_BYTES];
    fly_entry_machine(h, e->site, machine);
    if (fly_entry_time(h, e) < q->from_ns)
        return false;
    return has(sim, "ignores-filters") ||
           ((!q->region || strcmp(q->region, fly_entry_region(e->site)) == 0) &&
            (!q->instance || strcmp(q->instance, machine) == 0));
}

static void noise(int64_t i, struct buf *out)
{
    if (i % 7 == 3)
        buf_append_text(out, "\n  \r\n");
    if (i % 11 == 5)
        buf_append_text(out, "{\"timestamp\":\"2026-05-20T00:00:00Z\",\"message\":\"half a li\n");
}

/* The time of the last entry, and how many in a row have it. */
struct last {
    int64_t ns, same;
};

/* Write entries past the first `skip`, `most` at most; `last` becomes what it is named for. */
static int64_t walk(struct sim *sim, const struct history *h, const struct query *q, int64_t skip,
                    int64_t most, struct buf *out, struct last *last)
{
    struct stretch s;
    struct entry e;
    bool pages = fly_shape_of(h) == FLY_PAGES;
    int64_t found = 0, written = 0, kept_ns = 15 * DAY_NS, oldest;
    const char *kept = options_quirk(sim->options, "kept");
    if (kept)
        parse_duration(kept, &kept_ns);
    oldest = sim_now(sim) - kept_ns;
    oldest = oldest > q->from_ns - NS_PER_MS ? oldest : q->from_ns - NS_PER_MS;
    stretch_init(&s, sim, h, oldest, INT64_MAX);
    while (written < most && stretch_next(&s, &e)) {
        if (!matches(sim, h, q, &e) || found++ < skip)
            continue;
        if (pages && written > 0)
            buf_append_char(out, ',');
        if (!pages && has(sim, "noise"))
            noise(written, out);
        fly_entry_render(h, &e, out);
        if (!pages)
            buf_append_char(out, '\n');
        int64_t ns = fly_entry_time(h, &e);
        *last = (struct last){ ns, last->ns == ns ? last->same + 1 : 1 };
        written++;
    }
    return written;
}

static void put_token(struct sim *sim, const struct query *q, int64_t count,
                      const struct last *last, struct buf *out)
{
    char token[TOKEN_BYTES];
    snprintf(token, sizeof(token), "%" PRId64, last->ns);
    if (options_quirk(sim->options, "token")) {
        int64_t same = last->same + (last->ns == q->from_ns ? q->skip : 0);
        snprintf(token, sizeof(token), "T%016" PRIx64 "+%" PRId64, (uint64_t)last->ns ^ MASK, same);
    }
    if (count == 0)
        buf_printf(out, "%s", has(sim, "empty-token") || !q->token ? "" : q->token);
    else
        buf_append_text(out, token);
}

static int64_t write_page(struct sim *sim, const struct history *h, const struct query *q,
                          struct buf *out)
{
    bool pages = fly_shape_of(h) == FLY_PAGES;
    int64_t size = atomic_load(&sim->page_size), skip = q->skip;
    struct last last = { 0, 0 };
    size = size < LATEST ? size : LATEST;
    if (q->latest) {
        struct buf unused = BUF_INIT((size_t)1 << 30);
        int64_t all = walk(sim, h, q, 0, INT64_MAX, &unused, &last);
        skip = all > size ? all - size : 0;
        last = (struct last){ 0, 0 };
        buf_release(&unused);
    }
    if (pages)
        buf_append_text(out, "{\"data\":[");
    int64_t count = walk(sim, h, q, skip, size, out, &last);
    if (pages) {
        buf_append_text(out, "],\"meta\":{\"next_token\":\"");
        put_token(sim, q, count, &last, out);
        buf_append_text(out, "\"}}");
    } else if (has(sim, "noise") && out->len > 0) {
        out->len--;
    }
    return count;
}

static int64_t answer(struct sim *sim, const struct web_request *rq, struct web_answer *out)
{
    size_t app = budget(sim, rq);
    struct query q;
    if (strcmp(rq->method, "GET") != 0) {
        refuse(out, 405, "Method not allowed");
    } else if (!authorized(sim, rq)) {
        refuse(out, 401, "unauthenticated");
    } else if (app == SIZE_MAX) {
        refuse(out, 404, "app not found");
    } else {
        const struct history *h = &sim->streams[app * sim->options->environments.count];
        const char *problem = query_read(sim, h, rq, &q);
        if (!problem)
            return write_page(sim, h, &q, &out->body);
        refuse(out, 400, problem);
    }
    return -1;
}

static void wrong(const struct fault *fault, struct web_answer *out)
{
    const char *what = fault->detail ? fault->detail : "";
    if (fault->kind == FAULT_BADUTF8)
        buf_append_text(&out->body, "{\"data\":[{\"attributes\":{\"message\":\"\xff\xc0\x80\"}}]}");
    else if (strcmp(what, "element") == 0)
        buf_append_text(&out->body, "{\"data\":[7]}");
    else if (fault->kind == FAULT_WRONGTYPE)
        buf_append_text(&out->body, "{\"data\":\"none\"}");
    else {
        buf_append_text(&out->body, "{\"data\":[{\"attributes\":{\"meta\":");
        for (int64_t i = 0; i < fault->number; i++)
            buf_append_char(&out->body, '[');
        for (int64_t i = 0; i < fault->number; i++)
            buf_append_char(&out->body, ']');
        buf_append_text(&out->body, "}}]}");
    }
}

const struct platform platform_fly = {
    .name = "fly",
    .summary = "Fly.io: app logs over HTTP",
    .budget = budget,
    .answer = answer,
    .too_early = too_early,
    .wrong = wrong,
    .render = fly_entry_render,
    .print = fly_entry_print,
};
