#include "scalingo_line.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/timefmt.h"
#include "options.h"

#define TEXT_MAX ((size_t)64 << 20)

/* ---- containers --------------------------------------------------------------------------------
 */

void scalingo_container(const struct entry *e, char out[SCALINGO_CONTAINER_BYTES])
{
    static const char *const names[] = { "web-1",        "router", "worker-2",
                                         "one-off-4521", "web-2",  "postdeploy-7c0e" };
    if (e->site < COUNT(names))
        snprintf(out, SCALINGO_CONTAINER_BYTES, "%s", names[e->site]);
    else
        snprintf(out, SCALINGO_CONTAINER_BYTES, "web-%zu", e->site);
}

static bool is_router(const struct entry *e)
{
    return e->site == 1;
}

/* "web" of "web-1"; a name without a number is its own type. */
static size_t type_length(const char *container)
{
    const char *dash = strrchr(container, '-');
    return dash ? (size_t)(dash - container) : strlen(container);
}

bool scalingo_passes(const struct entry *e, const char *filter)
{
    char container[SCALINGO_CONTAINER_BYTES];
    scalingo_container(e, container);
    for (const char *at = filter; *at;) {
        size_t len = strcspn(at, "|");
        bool whole = strlen(container) == len, type = type_length(container) == len;
        if ((whole || type) && strncmp(container, at, len) == 0)
            return true;
        at += len + (at[len] == '|');
    }
    return *filter == '\0';
}

/* ---- times -------------------------------------------------------------------------------------
 */

static int digits_of(const struct history *h, const struct entry *e)
{
    static const int mixed[] = { 9, 3, 6, 4 }; /* the history's times are whole milliseconds */
    const char *quirk = options_quirk(h->options, "digits");
    if (!quirk)
        return 9;
    if (strcmp(quirk, "mixed") == 0)
        return mixed[(e->random >> 33) % COUNT(mixed)];
    return quirk[0] >= '0' && quirk[0] <= '9' ? quirk[0] - '0' : 9;
}

static const char *zone_of(const struct history *h, const struct entry *e)
{
    static const char *const mixed[] = { "+0000 UTC", "+0200 CEST", "+0100 CET", "-0330 NST" };
    const char *quirk = options_quirk(h->options, "zone");
    if (!quirk)
        return mixed[0];
    return strcmp(quirk, "mixed") == 0 ? mixed[(e->random >> 35) % COUNT(mixed)] : quirk;
}

/* As the line tells it: cut to its digits. */
static int64_t shown_time(const struct history *h, const struct entry *e)
{
    int64_t unit_ns = 1;
    for (int i = digits_of(h, e); i < 9; i++)
        unit_ns *= 10;
    return e->time_ns - e->time_ns % unit_ns;
}

static int64_t offset_seconds(const char *zone)
{
    int64_t minutes = 0;
    for (int i = 1; i < 5; i++)
        minutes = minutes * (i == 3 ? 6 : 10) + (zone[i] - '0');
    return zone[0] == '-' ? -60 * minutes : 60 * minutes;
}

static void put_time(const struct history *h, const struct entry *e, struct buf *out)
{
    char seconds[32], fraction[16];
    struct tm tm;
    const char *zone = zone_of(h, e);
    int digits = digits_of(h, e);
    time_t shown = (time_t)(e->time_ns / NS_PER_S + offset_seconds(zone));
    strftime(seconds, sizeof(seconds), "%Y-%m-%d %H:%M:%S", gmtime_r(&shown, &tm));
    snprintf(fraction, sizeof(fraction), ".%09" PRId64, e->time_ns % NS_PER_S);
    buf_append_text(out, seconds);
    buf_append(out, fraction, digits ? (size_t)digits + 1 : 0);
    buf_printf(out, " %s", zone);
}

/* ---- the router --------------------------------------------------------------------------------
 */

/* What a router's line tells; NULL: the key is missing. */
struct call {
    const char *method, *path, *query;
    int status;
    unsigned int ms, bytes;
    char request_id[24], agent[96];
    bool referred;
};

static void call_of(const struct history *h, const struct entry *e, struct call *out)
{
    static const char *const methods[] = { "GET", "POST", "HEAD" };
    static const char *const paths[] = { "/", "/x", "/api/v1/items/7", "/a\"b\\c" };
    static const char *const queries[] = { NULL, "a=1", "q=%20&r=2" };
    static const int statuses[] = { 200, 304, 404, 500 };
    uint64_t r = history_mix(e->random, 0x40073);
    *out = (struct call){ .method = methods[r % COUNT(methods)],
                          .path = paths[(r >> 8) % COUNT(paths)],
                          .query = queries[(r >> 16) % COUNT(queries)],
                          .status = e->odd ? 499 : statuses[(r >> 24) % COUNT(statuses)],
                          .ms = (unsigned int)(r >> 32) % 3000,
                          .bytes = (unsigned int)(r >> 44) % 100000,
                          .referred = (r >> 20) % 2 };
    if (!e->odd) /* a connection that was closed early has none */
        snprintf(out->request_id, sizeof(out->request_id), "%016" PRIx64, r);
    snprintf(out->agent, sizeof(out->agent), "curl/8 \"x\" #%" PRIu64 "%s", e->content, h->suffix);
}

static void put_quoted(struct buf *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            buf_append_char(out, '\\');
        buf_append_char(out, *text);
    }
}

static void router_text(const struct history *h, const struct entry *e, struct buf *out)
{
    struct call c;
    call_of(h, e, &c);
    buf_printf(out, "method=%s path=\"", c.method);
    put_quoted(out, c.path);
    if (c.query)
        buf_printf(out, "?%s", c.query);
    buf_append_text(out, "\" host=shop.osc-fr1.scalingo.io ");
    if (c.request_id[0])
        buf_printf(out, "request_id=%s ", c.request_id);
    buf_printf(out,
               "container=web-1 from=\"203.0.113.9\" protocol=https status=%d duration=%u.%03us "
               "bytes=%u referer=\"%s\" user_agent=\"",
               c.status, c.ms / 1000, c.ms % 1000, c.bytes,
               c.referred ? "https://ref.example/?p=1" : "-");
    put_quoted(out, c.agent);
    buf_append_char(out, '"');
}

static void print_string(struct print *p, const char *key, const char *value)
{
    if (!value || !*value)
        return;
    print_text(p, key, strlen(key));
    print_text(p, value, strlen(value));
}

static void print_int(struct print *p, const char *key, unsigned int value)
{
    char json[48];
    snprintf(json, sizeof(json), "{\"intValue\":\"%u\"}", value);
    print_string(p, key, json);
}

static void print_router(const struct history *h, const struct entry *e, struct print *p)
{
    struct call c;
    char json[64];
    call_of(h, e, &c);
    print_string(p, "http.request.method", c.method);
    print_string(p, "url.path", c.path);
    print_string(p, "url.query", c.query);
    print_string(p, "server.address", "shop.osc-fr1.scalingo.io");
    print_string(p, "url.scheme", "https");
    print_int(p, "http.response.status_code", (unsigned int)c.status);
    print_int(p, "http.response.body.size", c.bytes);
    print_string(p, "client.address", "203.0.113.9");
    print_string(p, "user_agent.original", c.agent);
    print_string(p, "scalingo.request_id", c.request_id);
    print_string(p, "scalingo.container", "web-1");
    snprintf(json, sizeof(json), "{\"doubleValue\":%.17g}", c.ms / 1000.0);
    print_string(p, "scalingo.duration_s", json);
    print_string(p, "scalingo.referer", c.referred ? "https://ref.example/?p=1" : NULL);
}

/* ---- the line ----------------------------------------------------------------------------------
 */

static void put_text(const struct history *h, const struct entry *e, struct buf *out)
{
    uint64_t odd = e->odd ? history_mix(e->random, 9) % 4 : 4;
    if (is_router(e)) {
        router_text(h, e, out);
        return;
    }
    if (odd == 0) /* nothing at all */
        return;
    if (odd == 1)
        buf_append_text(out, "[api] [");
    if (odd == 2)
        buf_append_text(out, "\tat \"x\" \\ \x1b[31m");
    if (odd == 3)
        buf_append_text(out, "2026-03-02 09:15:00 +0000 UTC [web-9] ");
    size_t begin = out->len;
    history_message(h, e, out);
    for (size_t i = begin; i < out->len; i++) { /* of several lines each would be one of its own */
        if (out->data[i] == '\n')
            out->data[i] = ' ';
    }
}

void scalingo_line_render(const struct history *h, const struct entry *e, struct buf *out)
{
    char container[SCALINGO_CONTAINER_BYTES];
    scalingo_container(e, container);
    put_time(h, e, out);
    buf_printf(out, " [%s] ", container);
    put_text(h, e, out);
}

void scalingo_line_print(const struct history *h, const struct entry *e, struct print *p)
{
    char container[SCALINGO_CONTAINER_BYTES];
    struct buf text = BUF_INIT(TEXT_MAX);
    scalingo_container(e, container);
    put_text(h, e, &text);
    print_time(p, (uint64_t)shown_time(h, e));
    print_text(p, "", 0);
    print_text(p, buf_text(&text), text.len);
    print_id(p, "", 32);
    print_id(p, "", 16);
    container[type_length(container)] = '\0';
    print_string(p, "scalingo.container.type", container);
    if (is_router(e))
        print_router(h, e, p);
    buf_release(&text);
}
