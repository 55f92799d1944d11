#include "fly_entry.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/timefmt.h"
#include "options.h"

/* What the proxy adds; an app's own lines have the provider alone. */
struct fly_http {
    const char *provider, *method, *version;
    char id[40];
    int status;        /* 0: none */
    const char *error; /* NULL: none */
    const char *code;  /* of it, as it stands in the JSON */
};

enum fly_shape fly_shape_of(const struct history *h)
{
    static const char *const names[] = { "pages", "flat", "nested", "wrapped" };
    const char *shape = options_quirk(h->options, "shape");
    for (int i = 0; shape && i < (int)COUNT(names); i++) {
        if (strcmp(names[i], shape) == 0)
            return (enum fly_shape)i;
    }
    return FLY_PAGES;
}

int64_t fly_entry_time(const struct history *h, const struct entry *e)
{
    return e->time_ns + (int64_t)(history_mix(h->seed ^ 0xf17, (uint64_t)e->time_ns) % 1000000);
}

void fly_entry_machine(const struct history *h, size_t site, char out[FLY_MACHINE_BYTES])
{
    snprintf(out, FLY_MACHINE_BYTES, "%014" PRIx64,
             history_mix(h->seed ^ 0x3ac, site) & UINT64_C(0xffffffffffffff));
}

const char *fly_entry_region(size_t site)
{
    static const char *const regions[] = { "cdg", "ams", "iad" };
    return regions[site % COUNT(regions)];
}

static struct fly_http http_of(const struct entry *e)
{
    static const char *const methods[] = { "GET", "POST" };
    struct fly_http http = { .provider = "app" };
    if (e->random % 4 == 1)
        http.provider = "runner";
    if (e->random % 4)
        return http;
    http.provider = "proxy";
    http.method = methods[(e->random >> 4) % COUNT(methods)];
    http.version = (e->random >> 5) % 2 ? "h2" : "1.1";
    http.status = e->odd ? 502 : 200;
    http.error = e->odd ? "could not complete \\\"request\\\"" : NULL;
    http.code = (e->random >> 6) % 2 ? "2" : "\"PU02\"";
    snprintf(http.id, sizeof(http.id), "01JVX%" PRIX64 "-cdg", e->random >> 16);
    return http;
}

/* With an error an entry of the proxy has no message of its own. */
static bool has_message(const struct fly_http *http)
{
    return http->error == NULL;
}

static void level_of(const struct entry *e, char out[8])
{
    snprintf(out, 8, "%s", history_level_word(e->level));
    for (char *c = out; *c; c++)
        *c = (char)tolower((unsigned char)*c);
}

static void id_of(const struct history *h, const struct entry *e, char out[64])
{
    snprintf(out, 64, "%08" PRIx64 "%s-%" PRId64, e->index, h->suffix, fly_entry_time(h, e));
}

/* `fly logs --json` writes them with capitals: Meta.HTTP.Request.ID. */
struct keys {
    const char *event, *provider, *http, *request, *id, *method, *version, *response, *error, *code,
        *message, *url, *full;
};

static const struct keys small = { "event",   "provider", "http",     "request", "id",
                                   "method",  "version",  "response", "error",   "code",
                                   "message", "url",      "full" };
static const struct keys capital = { "Event",   "Provider", "HTTP",     "Request", "ID",
                                     "Method",  "Version",  "Response", "Error",   "Code",
                                     "Message", "URL",      "Full" };

/* "event":{...},... without what is not there. */
static void put_meta(const struct history *h, const struct fly_http *m, struct buf *out)
{
    const struct keys *k = options_quirk(h->options, "capitals") ? &capital : &small;
    buf_printf(out, "\"%s\":{\"%s\":\"%s\"}", k->event, k->provider, m->provider);
    if (m->status == 0)
        return;
    buf_printf(out, ",\"%s\":{\"%s\":{\"%s\":\"%s\",\"%s\":\"%s\",\"%s\":\"%s\"},\"%s\":", k->http,
               k->request, k->id, m->id, k->method, m->method, k->version, m->version, k->response);
    buf_printf(out, "{\"status_code\":%d}},\"%s\":{\"%s\":\"https://shop.example/\"}", m->status,
               k->url, k->full);
    if (m->error)
        buf_printf(out, ",\"%s\":{\"%s\":%s,\"%s\":\"%s\"}", k->error, k->code, m->code, k->message,
                   m->error);
}

static void put_message(const struct history *h, const struct entry *e, const struct fly_http *m,
                        struct buf *out)
{
    buf_append_text(out, "\"message\":\"");
    if (has_message(m))
        history_message_json(h, e, out);
    buf_append_char(out, '"');
}

static void put_flat(const struct history *h, const struct entry *e, struct buf *out)
{
    struct fly_http m = http_of(e);
    char date[TIMEFMT_MAX], machine[FLY_MACHINE_BYTES], level[8];
    const char *region = fly_entry_region(e->site);
    timefmt_rfc3339(fly_entry_time(h, e), 9, date);
    fly_entry_machine(h, e->site, machine);
    level_of(e, level);
    buf_printf(out, "{\"timestamp\":\"%s\",", date);
    put_message(h, e, &m, out);
    buf_printf(out, ",\"level\":\"%s\",", level);
    if (e->random >> 7 & 1) /* else meta alone has them */
        buf_printf(out, "\"instance\":\"%s\",\"region\":\"%s\",", machine, region);
    buf_printf(out, "\"meta\":{\"instance\":\"%s\",\"region\":\"%s\",", machine, region);
    put_meta(h, &m, out);
    buf_append_text(out, "}}");
}

static void put_nested(const struct history *h, const struct entry *e, struct buf *out)
{
    struct fly_http m = http_of(e);
    char date[TIMEFMT_MAX], machine[FLY_MACHINE_BYTES], level[8];
    timefmt_rfc3339(fly_entry_time(h, e), 9, date);
    fly_entry_machine(h, e->site, machine);
    level_of(e, level);
    buf_append_char(out, '{');
    put_meta(h, &m, out);
    buf_printf(out,
               ",\"fly\":{\"app\":{\"instance\":\"%s\",\"name\":\"%s\"},\"region\":\"%s\"},"
               "\"host\":\"a1b2\",\"log\":{\"level\":\"%s\"},",
               machine, h->app, fly_entry_region(e->site), level);
    put_message(h, e, &m, out);
    buf_printf(out, ",\"timestamp\":\"%s\"}", date);
}

void fly_entry_render(const struct history *h, const struct entry *e, struct buf *out)
{
    enum fly_shape shape = fly_shape_of(h);
    char id[64];
    id_of(h, e, id);
    if (shape == FLY_NESTED) {
        put_nested(h, e, out);
    } else if (shape == FLY_FLAT) {
        put_flat(h, e, out);
    } else {
        buf_printf(out, "{\"id\":\"%s\",\"type\":\"log\",\"attributes\":", id);
        put_flat(h, e, out);
        buf_append_char(out, '}');
    }
}

static void print_attribute(struct print *p, const char *key, const char *value)
{
    print_text(p, key, strlen(key));
    print_text(p, value, strlen(value));
}

static void print_number(struct print *p, const char *key, const char *number)
{
    char value[48];
    snprintf(value, sizeof(value), "{\"intValue\":\"%s\"}", number);
    print_attribute(p, key, value);
}

static void print_http(const struct fly_http *m, struct print *p)
{
    char status[16];
    print_attribute(p, "fly.event.provider", m->provider);
    if (m->status == 0)
        return;
    snprintf(status, sizeof(status), "%d", m->status);
    print_attribute(p, "http.request.method", m->method);
    print_attribute(p, "fly.request.id", m->id);
    print_attribute(p, "network.protocol.version", m->version);
    print_attribute(p, "url.full", "https://shop.example/");
    print_number(p, "http.response.status_code", status);
    if (m->error && m->code[0] == '"')
        print_attribute(p, "fly.error.code", "PU02");
    else if (m->error)
        print_number(p, "fly.error.code", m->code);
    if (m->error)
        print_attribute(p, "error.message", "could not complete \"request\"");
}

void fly_entry_print(const struct history *h, const struct entry *e, struct print *p)
{
    struct fly_http m = http_of(e);
    struct buf text = BUF_INIT((size_t)64 << 20);
    enum fly_shape shape = fly_shape_of(h);
    char level[8], id[64];
    level_of(e, level);
    id_of(h, e, id);
    if (has_message(&m))
        history_message(h, e, &text);
    else
        buf_append_text(&text, "could not complete \"request\"");
    print_time(p, (uint64_t)fly_entry_time(h, e));
    print_text(p, level, strlen(level));
    print_text(p, buf_text(&text), text.len);
    print_id(p, "", 32);
    print_id(p, "", 16);
    if (shape == FLY_PAGES || shape == FLY_WRAPPED)
        print_attribute(p, "log.record.uid", id);
    print_http(&m, p);
    buf_release(&text);
}
