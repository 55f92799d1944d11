#include "hoody_record.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/timefmt.h"
#include "options.h"

#define ID_BYTES 40

/* What varies. "" or NULL: left out. */
struct fields {
    struct hoody_traits traits;
    char trace[ID_BYTES];    /* as it is sent */
    char trace_id[ID_BYTES]; /* as a collector has it */
    char url[160];
    char client[24];
    int status; /* 0: none */
    uint64_t bytes;
    unsigned int quarters; /* of a millisecond that it took */
    bool no_ms;            /* the time is in tsIso alone */
    bool plain_event;      /* data without a message */
    bool nested;
};

static void hex(uint64_t value, char *out, size_t digits)
{
    static const char set[] = "0123456789abcdef";
    for (size_t i = digits; i > 0; i--, value >>= 4)
        out[i - 1] = set[value & 15];
    out[digits] = '\0';
}

/* An edge's UUID, or a back end's 32 digits. */
static void set_trace(struct fields *f, uint64_t call, bool uuid)
{
    hex(history_mix(call, 1), f->trace_id, 16);
    hex(call | 1, f->trace_id + 16, 16);
    memcpy(f->trace, f->trace_id, sizeof(f->trace));
    if (uuid)
        snprintf(f->trace, sizeof(f->trace), "%.8s-%.4s-%.4s-%.4s-%.12s", f->trace_id,
                 f->trace_id + 8, f->trace_id + 12, f->trace_id + 16, f->trace_id + 20);
}

static void make_odd(struct fields *f, uint64_t random)
{
    switch (random % 8) {
    case 0:
        f->trace[0] = f->trace_id[0] = '\0';
        break;
    case 1: /* unusable: kept as it came */
        snprintf(f->trace, sizeof(f->trace), "not-a-trace");
        f->trace_id[0] = '\0';
        break;
    case 2:
        memset(f->trace, '0', 32);
        f->trace[32] = f->trace_id[0] = '\0';
        break;
    case 3:
        f->traits.service[0] = '\0';
        break;
    case 4:
        f->no_ms = true;
        break;
    case 5:
        f->nested = true;
        break;
    case 6:
        f->traits.level = NULL;
        break;
    default:
        f->client[0] = '\0';
        break;
    }
}

static void fields_of(const struct history *h, const struct entry *e, struct fields *f)
{
    static const char *const levels[LEVELS] = {
        "debug", "debug", "info", "warn", "error", "error"
    };
    static const char *const methods[] = { "GET", "POST", "GET", "DELETE" };
    static const char *const kinds[] = { "request", "response", "response", "event" };
    static const int statuses[LEVELS] = { 200, 204, 200, 404, 502, 500 };
    uint64_t r = history_mix(e->random, 7), call = history_mix(h->seed ^ 0xca11, e->content / 4);
    *f = (struct fields){ .bytes = (r >> 8) % 5000, .quarters = (unsigned int)(r >> 24) % 400 };
    f->traits.level = levels[e->level];
    f->traits.kind = kinds[r % COUNT(kinds)];
    f->traits.origin = (r >> 4) % 2 ? "edge" : "backend";
    snprintf(f->traits.service, sizeof(f->traits.service), "svc-%zu", e->site);
    set_trace(f, call, (r >> 4) % 2);
    f->plain_event = (r >> 5) % 4 == 0;
    if (strcmp(f->traits.kind, "event") != 0) {
        f->traits.method = methods[(r >> 6) % COUNT(methods)];
        snprintf(f->url, sizeof(f->url), "%s/v1/items/%u?x=1#%" PRIu64 "%s",
                 (r >> 40) % 16 ? "" : "https://shop.example.com", (unsigned int)(r >> 32) % 100,
                 e->content, h->suffix);
        snprintf(f->client, sizeof(f->client), "198.51.100.%u", (unsigned int)(r >> 48) % 200);
    }
    if (strcmp(f->traits.kind, "response") == 0)
        f->status = statuses[e->level];
    if (e->odd)
        make_odd(f, history_mix(e->random, 9));
}

void hoody_traits_of(const struct history *h, const struct entry *e, struct hoody_traits *out)
{
    struct fields f;
    fields_of(h, e, &f);
    *out = f.traits;
}

uint64_t hoody_row_id(const struct history *h, const struct entry *e)
{
    uint64_t before = history_before(h, e->seen_ns - h->max_late_ns);
    uint64_t end = history_until(h, e->seen_ns), id = before + 1;
    for (uint64_t i = before; i < end; i++) {
        struct entry other;
        history_at(h, i, &other);
        id += other.seen_ns < e->seen_ns || (other.seen_ns == e->seen_ns && i < e->index);
    }
    return id;
}

/* ---- as it is sent -----------------------------------------------------------------------------
 */

static void put(struct buf *out, const char *key, const char *value)
{
    if (value && value[0])
        buf_printf(out, "\"%s\":\"%s\",", key, value);
}

/* The data of an event that has no message is its body, too. */
static void write_plain_event(const struct history *h, const struct entry *e, struct buf *out)
{
    buf_printf(out, "{\"event\":\"scaled\",\"to\":3,\"note\":\"#%" PRIu64 "%s\"}", e->content,
               h->suffix);
}

static void write_data(const struct history *h, const struct entry *e, const struct fields *f,
                       struct buf *out)
{
    if (strcmp(f->traits.kind, "event") == 0) {
        if (f->plain_event) {
            write_plain_event(h, e, out);
            return;
        }
        buf_append_text(out, "{\"message\":\"");
        history_message_json(h, e, out);
        buf_append_text(out, "\",\"replicas\":2}");
        return;
    }
    buf_printf(out, "{\"%s\":%" PRIu64, f->status ? "bytesOut" : "bytesIn", f->bytes);
    if (f->status)
        buf_printf(out, ",\"durationMs\":%u.%02u", f->quarters / 4, f->quarters % 4 * 25);
    else
        buf_append_text(out, ",\"userAgent\":\"curl/8.5 \\u00e9\"");
    if (f->nested)
        buf_append_text(out,
                        ",\"cached\":false,\"big\":9007199254740993,\"headers\":{\"a\": [1,2]},"
                        "\"none\":null");
    buf_append_char(out, '}');
}

void hoody_record_write(const struct history *h, const struct entry *e, uint64_t id, bool bodies,
                        struct buf *out)
{
    struct fields f;
    char iso[TIMEFMT_MAX];
    fields_of(h, e, &f);
    timefmt_rfc3339(e->time_ns, 3, iso);
    buf_printf(out, "{\"id\":%" PRIu64 ",", id);
    put(out, "traceId", f.trace);
    if (!f.no_ms)
        buf_printf(out, "\"tsMs\":%" PRId64 ",", e->time_ns / NS_PER_MS);
    put(out, "tsIso", iso);
    put(out, "kind", f.traits.kind);
    put(out, "level", f.traits.level);
    put(out, "projectId", h->app);
    put(out, "containerId", h->environment);
    put(out, "serviceName", f.traits.service);
    put(out, "method", f.traits.method);
    put(out, "url", f.url);
    put(out, "clientIp", f.client);
    if (f.status)
        buf_printf(out, "\"status\":%d,", f.status);
    buf_append_text(out, "\"data\":");
    write_data(h, e, &f, out);
    if (bodies)
        buf_append_text(out, ",\"requestBody\":\"{\\\"n\\\":1}\",\"bodyTruncated\":false");
    buf_printf(out, ",\"source\":\"%s\"}", f.traits.origin);
}

void hoody_record_render(const struct history *h, const struct entry *e, struct buf *out)
{
    hoody_record_write(h, e, hoody_row_id(h, e), false, out);
}

/* ---- as a collector gets it --------------------------------------------------------------------
 */

static void print_attribute(struct print *p, const char *key, const char *value)
{
    if (value && value[0]) {
        print_text(p, key, strlen(key));
        print_text(p, value, strlen(value));
    }
}

static void print_number(struct print *p, const char *key, uint64_t value)
{
    char text[64];
    snprintf(text, sizeof(text), "{\"intValue\":\"%" PRIu64 "\"}", value);
    print_attribute(p, key, text);
}

static void print_body(const struct history *h, const struct entry *e, const struct fields *f,
                       struct print *p)
{
    struct buf text = BUF_INIT((size_t)64 << 20);
    if (strcmp(f->traits.kind, "event") != 0) {
        buf_printf(&text, "%s %s", f->traits.method, f->url);
        if (f->status)
            buf_printf(&text, " %d", f->status);
    } else if (f->plain_event) {
        write_plain_event(h, e, &text);
    } else {
        history_message(h, e, &text);
    }
    print_text(p, buf_text(&text), text.len);
    buf_release(&text);
}

static void print_url(const struct fields *f, struct print *p)
{
    char path[sizeof(f->url)];
    const char *query = strchr(f->url, '?');
    if (f->url[0] != '/') {
        print_attribute(p, "url.full", f->url);
        return;
    }
    snprintf(path, sizeof(path), "%.*s", (int)(query - f->url), f->url);
    print_attribute(p, "url.path", path);
    print_attribute(p, "url.query", query + 1);
}

static void print_data(const struct history *h, const struct entry *e, const struct fields *f,
                       struct print *p)
{
    char text[64];
    if (strcmp(f->traits.kind, "event") == 0) {
        if (!f->plain_event) {
            print_number(p, "hoody.data.replicas", 2);
            return;
        }
        print_attribute(p, "hoody.data.event", "scaled");
        print_number(p, "hoody.data.to", 3);
        snprintf(text, sizeof(text), "#%" PRIu64 "%s", e->content, h->suffix);
        print_attribute(p, "hoody.data.note", text);
        return;
    }
    print_number(p, f->status ? "http.response.body.size" : "http.request.body.size", f->bytes);
    if (f->status) {
        snprintf(text, sizeof(text), "{\"doubleValue\":%.17g}", f->quarters / 4.0);
        print_attribute(p, "hoody.duration_ms", text);
    } else {
        print_attribute(p, "user_agent.original", "curl/8.5 \xc3\xa9");
    }
    if (f->nested) {
        print_attribute(p, "hoody.data.cached", "{\"boolValue\":false}");
        print_number(p, "hoody.data.big", UINT64_C(9007199254740993));
        print_attribute(p, "hoody.data.headers", "{\"a\": [1,2]}");
    }
}

void hoody_record_print(const struct history *h, const struct entry *e, struct print *p)
{
    struct fields f;
    char uid[512];
    uint64_t id = options_quirk(h->options, "no-ids") ? 0 : hoody_row_id(h, e);
    fields_of(h, e, &f);
    print_time(p, (uint64_t)e->time_ns);
    print_text(p, f.traits.level ? f.traits.level : "",
               f.traits.level ? strlen(f.traits.level) : 0);
    print_body(h, e, &f, p);
    print_id(p, f.trace_id, 32);
    print_id(p, "", 16);
    snprintf(uid, sizeof(uid), "%s/%s/%" PRIu64, h->app, h->environment, id);
    if (id > 0)
        print_attribute(p, "log.record.uid", uid);
    print_attribute(p, "http.request.method", f.traits.method);
    if (f.status)
        print_number(p, "http.response.status_code", (uint64_t)f.status);
    print_attribute(p, "client.address", f.client);
    if (f.url[0])
        print_url(&f, p);
    print_attribute(p, "hoody.kind", f.traits.kind);
    print_attribute(p, "hoody.source", f.traits.origin);
    if (id > 0)
        print_number(p, "hoody.row_id", id);
    if (strcmp(f.trace, f.trace_id) != 0)
        print_attribute(p, "hoody.trace_id", f.trace);
    print_data(h, e, &f, p);
}
