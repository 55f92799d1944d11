/* forge.c -- Atlassian Forge's App logs API: GET /v1/app/logs/{appId}. Rules and limits as its
 * documentation has them (developer.atlassian.com, "Export app logs", read November 2026). */
#include "platform.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/base64.h"
#include "base/clock.h"
#include "forge_page.h"
#include "forge_record.h"

#define PATH "/v1/app/logs/"

static void refuse(struct web_answer *out, int status, const char *message)
{
    web_json(out, status, "{\"code\":%d,\"message\":\"%s\"}", status, message);
}

static void too_early(int64_t wait_ns, struct web_answer *out)
{
    char seconds[24];
    snprintf(seconds, sizeof(seconds), "%" PRId64, (wait_ns + NS_PER_S - 1) / NS_PER_S);
    pairs_add(&out->headers, "Retry-After", seconds);
    refuse(out, 429, "Too many requests");
}

/* ---- who asks for what -------------------------------------------------------------------------
 */

static size_t named(const struct list *list, const char *name)
{
    for (size_t i = 0; i < list->count; i++) {
        if (strcmp(list->items[i], name) == 0)
            return i;
    }
    return SIZE_MAX;
}

static size_t budget(const struct sim *sim, const struct web_request *rq)
{
    bool ours = strncmp(rq->path, PATH, strlen(PATH)) == 0;
    return ours ? named(&sim->options->apps, rq->path + strlen(PATH)) : SIZE_MAX;
}

static bool authorized(const struct sim *sim, const struct web_request *rq)
{
    struct buf plain = BUF_INIT(8192), expected = BUF_INIT(16384);
    const char *got = web_header(rq, "Authorization");
    buf_printf(&plain, "%s:%s", sim->options->email, sim->options->token);
    buf_append_text(&expected, "Basic ");
    base64_append(&expected, buf_text(&plain), plain.len);
    bool same = got && strcmp(got, buf_text(&expected)) == 0;
    buf_release(&plain);
    buf_release(&expected);
    return same;
}

static bool accepts_json(const struct web_request *rq)
{
    const char *accept = web_header(rq, "Accept");
    return !accept || strstr(accept, "application/json") || strstr(accept, "*/*");
}

/* Whether this caller may ask at all; else the refusal is written. */
static bool admitted(const struct sim *sim, const struct web_request *rq, struct web_answer *out)
{
    if (strncmp(rq->path, PATH, strlen(PATH)) != 0) {
        refuse(out, 404, "No such resource");
    } else if (strcmp(rq->method, "GET") != 0) {
        pairs_add(&out->headers, "Allow", "GET");
        refuse(out, 405, "Method not allowed");
    } else if (!authorized(sim, rq)) {
        refuse(out, 401, "Unauthorized");
    } else if (!accepts_json(rq)) {
        refuse(out, 406, "Not acceptable");
    } else {
        return true;
    }
    return false;
}

static int64_t answer(struct sim *sim, const struct web_request *rq, struct web_answer *out)
{
    struct forge_query q;
    int64_t now_ns = sim_now(sim), count = -1;
    const struct list *environments = &sim->options->environments;
    if (!admitted(sim, rq, out))
        return -1;
    const char *fault = forge_query_read(&q, rq, now_ns);
    size_t app = budget(sim, rq);
    size_t environment = q.environment ? named(environments, q.environment) : 0;
    if (app == SIZE_MAX || environment == SIZE_MAX) {
        refuse(out, 404, "App or environment not found");
        return -1;
    }
    const struct history *h = &sim->streams[app * environments->count + environment];
    if (!fault)
        fault = forge_page_write(sim, h, &q, now_ns, &out->body, &count);
    if (fault)
        refuse(out, 400, fault);
    return count;
}

/* ---- wrong on purpose --------------------------------------------------------------------------
 */

static void wrong_type(const char *what, struct buf *out)
{
    if (strcmp(what, "element") == 0)
        buf_append_text(out, "{\"appLogs\":[7]}");
    else if (strcmp(what, "cursor") == 0)
        buf_append_text(out, "{\"appLogs\":[],\"cursor\":7}");
    else if (strcmp(what, "page") == 0)
        buf_append_text(out, "[{\"appLogs\":[]}]");
    else
        buf_append_text(out, "{\"appLogs\":\"none\"}");
}

static void wrong_deep(int64_t levels, struct buf *out)
{
    buf_append_text(out, "{\"appLogs\":[{\"timeUnixNano\":\"1\",\"body\":");
    for (int64_t i = 0; i < levels; i++)
        buf_append_text(out, "{\"arrayValue\":{\"values\":[");
    buf_append_text(out, "{\"stringValue\":\"deep\"}");
    for (int64_t i = 0; i < levels; i++)
        buf_append_text(out, "]}}");
    buf_append_text(out, "}]}");
}

static void wrong(const struct fault *fault, struct web_answer *out)
{
    if (fault->kind == FAULT_DEEP)
        wrong_deep(fault->number, &out->body);
    else if (fault->kind == FAULT_BADUTF8)
        buf_append_text(&out->body,
                        "{\"appLogs\":[{\"timeUnixNano\":\"1\",\"body\":{\"stringValue\":"
                        "\"bad \xff\xc0\x80 text\"}}]}");
    else
        wrong_type(fault->detail ? fault->detail : "", &out->body);
}

const struct platform platform_forge = {
    .name = "forge",
    .summary = "Atlassian Forge: App logs",
    .budget = budget,
    .answer = answer,
    .too_early = too_early,
    .wrong = wrong,
    .render = forge_record_render,
    .print = forge_record_print,
};
