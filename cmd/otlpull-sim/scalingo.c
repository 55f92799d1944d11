/* scalingo.c -- Scalingo: a token is exchanged, the token gives an app's log URL, and that gives
 * its last lines; older ones are in archives, listed by the API. The authentication host, the API,
 * the log host and the archives' are all played on one port, told apart by path.
 *
 * Quirks: token-ttl=D (1h), url-ttl=D (no end) and archive-ttl=D (1h): how long what was given is
 * good for; url-status=403: what the log host says then (401); nothing=204|404|200: an empty log;
 * ring and others: scalingo_log.h; archive-page=N of a listing (10); no-archives: the API has none;
 * suspended: the app is to be paid for. */
#include "platform.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/base64.h"
#include "base/timefmt.h"
#include "parse.h"
#include "scalingo_line.h"
#include "scalingo_log.h"

#define EXCHANGE      "/v1/tokens/exchange"
#define API           "/v1/apps/"
#define LOG_HOST      "/apps/"
#define ARCHIVES      "/archives/"
#define MOST_LINES    150000
#define DEFAULT_LINES 100
#define HOUR_NS       (3600 * NS_PER_S)

static void refuse(struct web_answer *out, int status, const char *message)
{
    web_json(out, status, "{\"error\":\"%s\"}", message);
}

static void plain_text(struct web_answer *out, const char *type)
{
    for (size_t i = 0; i < out->headers.count; i++) {
        struct pair *header = &out->headers.items[i];
        if (strcmp(header->key, "Content-Type") == 0) {
            free(header->value);
            header->value = xstrdup(type);
        }
    }
}

static void too_early(int64_t wait_ns, struct web_answer *out)
{
    (void)wait_ns; /* the vendor does not tell */
    out->status = 429;
    plain_text(out, "text/plain; charset=utf-8");
    buf_append_text(&out->body, "Retry later\n");
}

/* ---- who asks for what -------------------------------------------------------------------------
 */

/* What stands between `prefix` and `suffix` in a path: an app that exists; SIZE_MAX: none. */
static size_t app_in(const struct sim *sim, const char *path, const char *prefix,
                     const char *suffix)
{
    const struct list *apps = &sim->options->apps;
    size_t skip = strlen(prefix);
    for (size_t i = 0; strncmp(path, prefix, skip) == 0 && i < apps->count; i++) {
        size_t len = strlen(apps->items[i]);
        if (strncmp(path + skip, apps->items[i], len) == 0 &&
            strcmp(path + skip + len, suffix) == 0)
            return i;
    }
    return SIZE_MAX;
}

static bool has_prefix(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

static bool has_suffix(const char *text, const char *suffix)
{
    size_t len = strlen(text), suffix_len = strlen(suffix);
    return len >= suffix_len && strcmp(text + len - suffix_len, suffix) == 0;
}

static size_t budget(const struct sim *sim, const struct web_request *rq)
{
    size_t app = app_in(sim, rq->path, API, "/logs");
    return app != SIZE_MAX ? app : app_in(sim, rq->path, API, "/logs_archives");
}

/* A parameter's value; NULL: it is missing, or stands twice. */
static const char *parameter(const struct web_request *rq, const char *key)
{
    const char *value = NULL;
    for (size_t i = 0; i < rq->query.count; i++) {
        if (strcmp(rq->query.items[i].key, key) != 0)
            continue;
        if (value)
            return NULL;
        value = rq->query.items[i].value;
    }
    return value;
}

/* Whether there are no parameters but these, each at most once. */
static bool only(const struct web_request *rq, const char *const *known, size_t count)
{
    size_t found = 0;
    for (size_t i = 0; i < count; i++)
        found += parameter(rq, known[i]) != NULL;
    return !rq->query_bad && found == rq->query.count;
}

static int64_t quirk_duration(const struct sim *sim, const char *name, int64_t fallback)
{
    int64_t value;
    const char *quirk = options_quirk(sim->options, name);
    return quirk && parse_duration(quirk, &value) ? value : fallback;
}

/* What cannot be guessed: it names what it is for and until when. */
static uint64_t seal(const struct sim *sim, const char *purpose, uint64_t a, int64_t until)
{
    uint64_t sum = history_mix((uint64_t)sim->options->seed ^ 0x5ca1, a);
    for (; *purpose; purpose++)
        sum = history_mix(sum, (unsigned char)*purpose);
    return history_mix(sum, (uint64_t)until);
}

/* ---- the authentication host and the API -------------------------------------------------------
 */

static bool is_exchange_authorized(const struct sim *sim, const struct web_request *rq)
{
    struct buf plain = BUF_INIT(8192), expected = BUF_INIT(16384);
    const char *got = web_header(rq, "Authorization");
    buf_printf(&plain, ":%s", sim->options->token);
    buf_append_text(&expected, "Basic ");
    base64_append(&expected, buf_text(&plain), plain.len);
    bool same = got && strcmp(got, buf_text(&expected)) == 0;
    buf_release(&plain);
    buf_release(&expected);
    return same;
}

static void exchange(struct sim *sim, const struct web_request *rq, struct web_answer *out)
{
    int64_t until = sim_now(sim) + quirk_duration(sim, "token-ttl", HOUR_NS);
    if (strcmp(rq->method, "POST") != 0)
        refuse(out, 404, "not found");
    else if (rq->body.len > 0 || rq->query.count > 0)
        web_json(out, 400, "{\"error\":\"no body is expected\",\"code\":\"bad_request\"}");
    else if (!is_exchange_authorized(sim, rq))
        refuse(out, 401, "unable to exchange the token");
    else
        web_json(out, 200, "{\"token\":\"eyJ.%" PRIx64 ".%016" PRIx64 "\"}", (uint64_t)until,
                 seal(sim, "jwt", 0, until));
}

static bool is_bearer_good(struct sim *sim, const struct web_request *rq)
{
    char expected[80];
    const char *got = web_header(rq, "Authorization");
    if (!got || !has_prefix(got, "Bearer eyJ."))
        return false;
    int64_t until = (int64_t)strtoull(got + strlen("Bearer eyJ."), NULL, 16);
    snprintf(expected, sizeof(expected), "Bearer eyJ.%" PRIx64 ".%016" PRIx64, (uint64_t)until,
             seal(sim, "jwt", 0, until));
    return strcmp(got, expected) == 0 && sim_now(sim) < until;
}

/* The app that one may ask the API about; SIZE_MAX: the refusal is written. */
static size_t admitted(struct sim *sim, const struct web_request *rq, const char *suffix,
                       struct web_answer *out)
{
    size_t app = app_in(sim, rq->path, API, suffix);
    if (strcmp(rq->method, "GET") != 0)
        refuse(out, 405, "method not allowed");
    else if (!is_bearer_good(sim, rq))
        refuse(out, 401, "unauthorized");
    else if (app == SIZE_MAX)
        web_json(out, 404, "{\"resource\":\"App\",\"error\":\"not found\"}");
    else if (options_quirk(sim->options, "suspended"))
        web_json(out, 402,
                 "{\"name\":\"trial ended\",\"error\":\"payment needed\","
                 "\"url\":\"https://dashboard.scalingo.com\"}");
    else
        return app;
    return SIZE_MAX;
}

static void give_url(struct sim *sim, const struct web_request *rq, struct web_answer *out)
{
    size_t app = admitted(sim, rq, "/logs", out);
    int64_t now_s = sim_now(sim) / NS_PER_S;
    if (app == SIZE_MAX)
        return;
    const char *name = sim->options->apps.items[app];
    web_json(out, 200,
             "{\"app\":{\"name\":\"%s\"},\"logs_url\":\"http://%s" LOG_HOST
             "%s/logs?token=%016" PRIx64 "&timestamp=%" PRId64 "\"}",
             name, web_header(rq, "Host"), name, seal(sim, "log", app, now_s), now_s);
}

static void put_archive(struct sim *sim, const struct web_request *rq,
                        const struct scalingo_log *log, uint64_t archive, struct buf *out)
{
    char from[64], to[64];
    int64_t from_ns, to_ns;
    struct tm tm;
    static const char form[] = "%a %b %e %H:%M:%S +0000 UTC %Y";
    int64_t until = sim_now(sim) / NS_PER_S +
                    quirk_duration(sim, "archive-ttl", HOUR_NS) / NS_PER_S;
    scalingo_log_span(log, archive, &from_ns, &to_ns);
    time_t from_s = (time_t)(from_ns / NS_PER_S), to_s = (time_t)(to_ns / NS_PER_S);
    strftime(from, sizeof(from), form, gmtime_r(&from_s, &tm));
    strftime(to, sizeof(to), form, gmtime_r(&to_s, &tm));
    buf_printf(out,
               "{\"url\":\"http://%s" ARCHIVES "%s/%" PRIu64 "?expires=%" PRId64
               "&signature=%016" PRIx64 "\",\"size\":%" PRIu64 ",\"from\":\"%s\",\"to\":\"%s\"}",
               web_header(rq, "Host"), log->h->app, archive, until,
               seal(sim, log->h->app, archive, until), log->ring * 100, from, to);
}

/* The newest archive first. */
static void list_archives(struct sim *sim, const struct web_request *rq, struct web_answer *out)
{
    static const char *const known[] = { "cursor" };
    int64_t page = 10, skip = 0;
    struct scalingo_log log;
    size_t app = admitted(sim, rq, "/logs_archives", out);
    const char *quirk = options_quirk(sim->options, "archive-page"), *cursor;
    if (app == SIZE_MAX)
        return;
    cursor = parameter(rq, "cursor");
    if (!only(rq, known, COUNT(known)) ||
        (cursor && *cursor && (!has_prefix(cursor, "after ") || !parse_count(cursor + 6, &skip)))) {
        web_json(out, 400, "{\"error\":\"cursor\",\"code\":\"bad_request\"}");
        return;
    }
    if (quirk)
        parse_count(quirk, &page);
    scalingo_log_init(&log, sim, &sim->streams[app * sim->options->environments.count]);
    int64_t count = (int64_t)(log.archive_count - log.first_archive);
    bool more = skip + page < count;
    buf_printf(&out->body, "{\"next_cursor\":");
    if (more)
        buf_printf(&out->body, "\"after %" PRId64 "\"", skip + page);
    else
        buf_append_text(&out->body, "\"\"");
    buf_printf(&out->body, ",\"has_more\":%s,\"archives\":[", more ? "true" : "false");
    for (int64_t i = skip; i < count && i < skip + page; i++) {
        if (i > skip)
            buf_append_char(&out->body, ',');
        put_archive(sim, rq, &log, log.archive_count - 1 - (uint64_t)i, &out->body);
    }
    buf_append_text(&out->body, "]}");
    scalingo_log_release(&log);
}

/* ---- the log host and the archives' ------------------------------------------------------------
 */

/* 0: whoever asks may have the log; else the status to say no with. */
static int log_refusal(struct sim *sim, const struct web_request *rq, size_t app)
{
    static const char *const known[] = { "token", "timestamp", "n", "stream", "filter" };
    char expected[24];
    int64_t made_s, ttl_ns = quirk_duration(sim, "url-ttl", 0);
    const char *token = parameter(rq, "token"), *timestamp = parameter(rq, "timestamp");
    const char *quirk = options_quirk(sim->options, "url-status");
    int64_t expired = 401;
    if (quirk)
        parse_count(quirk, &expired);
    if (!only(rq, known, COUNT(known)) || web_header(rq, "Authorization"))
        return 400;
    if (!token || !timestamp || !parse_count(timestamp, &made_s))
        return 401;
    snprintf(expected, sizeof(expected), "%016" PRIx64, seal(sim, "log", app, made_s));
    if (strcmp(expected, token) != 0)
        return 401;
    return ttl_ns > 0 && sim_now(sim) - made_s * NS_PER_S >= ttl_ns ? (int)expired : 0;
}

static int64_t dump(struct sim *sim, const struct web_request *rq, struct web_answer *out)
{
    int64_t lines = DEFAULT_LINES, status = 204;
    struct scalingo_log log;
    size_t app = app_in(sim, rq->path, LOG_HOST, "/logs");
    const char *n = parameter(rq, "n"), *stream = parameter(rq, "stream");
    const char *filter = parameter(rq, "filter");
    const char *nothing = options_quirk(sim->options, "nothing");
    int refusal = app == SIZE_MAX ? 401 : log_refusal(sim, rq, app);
    if (refusal == 0 &&
        (strcmp(rq->method, "GET") != 0 || (stream && strcmp(stream, "false") != 0) ||
         (n && (!parse_count(n, &lines) || lines > MOST_LINES))))
        refusal = 400;
    if (refusal) {
        refuse(out, refusal, "not with these parameters");
        return -1;
    }
    scalingo_log_init(&log, sim, &sim->streams[app * sim->options->environments.count]);
    plain_text(out, "text/plain");
    int64_t count = scalingo_log_dump(&log, sim->options->order, (uint64_t)lines,
                                      filter ? filter : "", &out->body);
    if (nothing)
        parse_count(nothing, &status);
    if (count == 0)
        out->status = (int)status;
    scalingo_log_release(&log);
    return count;
}

static int64_t archive(struct sim *sim, const struct web_request *rq, struct web_answer *out)
{
    char expected[24];
    struct scalingo_log log;
    int64_t number, until, count = -1;
    const char *slash = strrchr(rq->path, '/');
    const char *expires = parameter(rq, "expires"), *signature = parameter(rq, "signature");
    size_t app = app_in(sim, rq->path, ARCHIVES, slash);
    bool good = app != SIZE_MAX && parse_count(slash + 1, &number) && expires && signature &&
                parse_count(expires, &until);
    if (!good || web_header(rq, "Authorization") || rq->query.count != 2) {
        refuse(out, 400, "not with these parameters");
        return -1;
    }
    scalingo_log_init(&log, sim, &sim->streams[app * sim->options->environments.count]);
    snprintf(expected, sizeof(expected), "%016" PRIx64,
             seal(sim, log.h->app, (uint64_t)number, until));
    if (strcmp(expected, signature) != 0 || sim_now(sim) / NS_PER_S >= until) {
        refuse(out, 403, "Request has expired");
    } else if (!scalingo_log_has(&log, (uint64_t)number)) {
        refuse(out, 404, "no such key");
    } else {
        plain_text(out, "application/octet-stream");
        count = scalingo_log_archive(&log, (uint64_t)number, &out->body);
    }
    scalingo_log_release(&log);
    return count;
}

static int64_t answer(struct sim *sim, const struct web_request *rq, struct web_answer *out)
{
    if (strcmp(rq->path, EXCHANGE) == 0)
        exchange(sim, rq, out);
    else if (has_prefix(rq->path, API) && has_suffix(rq->path, "/logs"))
        give_url(sim, rq, out);
    else if (has_prefix(rq->path, API) && has_suffix(rq->path, "/logs_archives") &&
             !options_quirk(sim->options, "no-archives"))
        list_archives(sim, rq, out);
    else if (has_prefix(rq->path, LOG_HOST))
        return dump(sim, rq, out);
    else if (has_prefix(rq->path, ARCHIVES))
        return archive(sim, rq, out);
    else
        web_json(out, 404, "{\"resource\":\"Route\",\"error\":\"not found\"}");
    return -1;
}

/* ---- wrong on purpose --------------------------------------------------------------------------
 */

static void wrong(const struct fault *fault, struct web_answer *out)
{
    if (fault->kind == FAULT_DEEP) {
        buf_append_text(&out->body, "{\"token\":");
        for (int64_t i = 0; i < fault->number; i++)
            buf_append_char(&out->body, '[');
        for (int64_t i = 0; i < fault->number; i++)
            buf_append_char(&out->body, ']');
        buf_append_char(&out->body, '}');
    } else if (fault->kind == FAULT_BADUTF8) {
        buf_append_text(&out->body, "{\"token\":\"bad \xff\xc0\x80 text\"}");
    } else {
        buf_append_text(&out->body, "{\"token\":7,\"logs_url\":[],\"archives\":\"none\"}");
    }
}

const struct platform platform_scalingo = {
    .name = "scalingo",
    .summary = "Scalingo: application logs",
    .budget = budget,
    .answer = answer,
    .too_early = too_early,
    .wrong = wrong,
    .render = scalingo_line_render,
    .print = scalingo_line_print,
};
