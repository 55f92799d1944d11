/* hoody_entry.c -- what each member of an entry becomes. An entry has no message: its body is the
 * request line with its status, or what an event says. */
#include "hoody_entry.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/timefmt.h"
#include "entry.h"
#include "pick.h"

bool hoody_integer(struct otlp_text raw, int64_t *out)
{
    char text[40], *end;
    if (pick_int(raw, out))
        return true;
    if (raw.len == 0 || raw.len >= sizeof(text) || !strchr("-0123456789", raw.data[0]))
        return false;
    memcpy(text, raw.data, raw.len);
    text[raw.len] = '\0';
    double real = strtod(text, &end); /* 1.76e12, 250.0 */
    if (*end || !(real > -9e18 && real < 9e18))
        return false;
    *out = (int64_t)real;
    return true;
}

bool hoody_is(struct otlp_text raw, const char *wanted)
{
    char room[1024];
    struct otlp_text text = otlp_plain(raw, room, sizeof(room));
    return text.len > 0 && text.len == strlen(wanted) &&
           strncasecmp(text.data, wanted, text.len) == 0;
}

enum {
    ID,
    TRACE_ID,
    TIME_MS,
    TIME_ISO,
    LEVEL,
    KIND,
    ORIGIN,
    METHOD,
    URL,
    CLIENT_IP,
    STATUS,
    DATA,
    PROJECT,
    CONTAINER,
    SERVICE,
    FIELDS,
};

static const struct pick_path paths[] = {
    { "id", ID },
    { "traceid", TRACE_ID },
    { "tsms", TIME_MS },
    { "tsiso", TIME_ISO },
    { "level", LEVEL },
    { "kind", KIND },
    { "source", ORIGIN },
    { "method", METHOD },
    { "url", URL },
    { "clientip", CLIENT_IP },
    { "status", STATUS },
    { "data", DATA },
    { "projectid", PROJECT },
    { "containerid", CONTAINER },
    { "servicename", SERVICE },
    { NULL, 0 },
};

static int64_t time_of(struct otlp_text ms, struct otlp_text iso)
{
    int64_t value;
    if (hoody_integer(ms, &value) && value > 0 && value < INT64_MAX / NS_PER_MS)
        return value * NS_PER_MS;
    return pick_time(iso, &value) && value > 0 ? value : 0;
}

void hoody_entry_read(struct otlp_text text, struct hoody_entry *out)
{
    struct otlp_text f[FIELDS];
    struct otlp_scan s;
    otlp_scan_init(&s, text.data, text.len);
    pick_members(&s, paths, f, FIELDS);
    *out = (struct hoody_entry){ .text = text,
                                 .unix_ns = time_of(f[TIME_MS], f[TIME_ISO]),
                                 .trace_id = f[TRACE_ID],
                                 .level = f[LEVEL],
                                 .kind = f[KIND],
                                 .origin = f[ORIGIN],
                                 .method = f[METHOD],
                                 .url = f[URL],
                                 .client_ip = f[CLIENT_IP],
                                 .status = f[STATUS],
                                 .data = f[DATA],
                                 .project = f[PROJECT],
                                 .container = f[CONTAINER],
                                 .service = f[SERVICE] };
    if (!hoody_integer(f[ID], &out->id) || out->id < 0 || out->id == INT64_MAX)
        out->id = 0;
}

/* ---- the record --------------------------------------------------------------------------------
 */

static bool is_text(struct otlp_text raw)
{
    return raw.len > 1 && raw.data[0] == '"';
}

static bool is_number(struct otlp_text raw)
{
    return raw.len > 0 && (raw.data[0] == '-' || (raw.data[0] >= '0' && raw.data[0] <= '9'));
}

static bool is_whole(struct otlp_text raw)
{
    size_t i = 0;
    while (i < raw.len && raw.data[i] != '.' && raw.data[i] != 'e' && raw.data[i] != 'E')
        i++;
    return is_number(raw) && i == raw.len;
}

/* A text's own, or what is configured in its place. */
static struct bytes scoped(struct otlp_text raw, const char *configured, struct buf *room)
{
    struct bytes text = pick_text(raw, room);
    return text.len > 0 ? text : bytes_of(configured);
}

static void put_text(struct page *out, const char *key, struct otlp_text raw, struct buf *room)
{
    size_t before = room->len;
    entry_string(out, key, pick_text(raw, room));
    room->len = before;
}

/* Any value but null: a scalar as what it is, others, and integers beyond 64 bits, as they stand.
 */
static void put_value(struct page *out, const char *key, struct otlp_text value, struct buf *room)
{
    int64_t whole;
    if (value.len == 0 || value.data[0] == 'n')
        return;
    if (is_text(value))
        put_text(out, key, value, room);
    else if (is_whole(value) && hoody_integer(value, &whole))
        entry_int(out, key, whole);
    else if (is_number(value) && !is_whole(value))
        entry_double(out, key, strtod(value.data, NULL)); /* there is a bracket behind it */
    else if (value.data[0] == 't' || value.data[0] == 'f')
        entry_bool(out, key, value.data[0] == 't');
    else
        entry_string(out, key, (struct bytes){ value.data, value.len });
}

/* The same under `prefix` and a key as it stands. */
static void put_under(struct page *out, const char *prefix, struct otlp_text key,
                      struct otlp_text value, struct buf *room)
{
    struct otlp_text quoted = { key.data - 1, key.len + 2 };
    struct buf name = BUF_INIT(strlen(prefix) + quoted.len);
    size_t before = room->len;
    buf_append_text(&name, prefix);
    buf_append_bytes(&name, pick_text(quoted, room));
    room->len = before;
    put_value(out, buf_text(&name), value, room);
    buf_release(&name);
}

static void add_plain(struct buf *out, struct otlp_text raw, struct buf *room)
{
    size_t before = room->len;
    buf_append_bytes(out, pick_text(raw, room));
    room->len = before;
}

/* "GET /v1/items 404", as far as it is known. */
static void add_request_line(const struct hoody_entry *e, struct buf *room, struct buf *body)
{
    const struct otlp_text parts[] = { e->method, e->url, e->status };
    for (size_t i = 0; i < COUNT(parts); i++) {
        if (parts[i].len > 0 && body->len > 0)
            buf_append_char(body, ' ');
        add_plain(body, parts[i], room);
    }
}

/* The member of an event's data that says what it is about. */
static struct otlp_text message_of(const struct hoody_entry *e)
{
    struct otlp_scan s;
    struct otlp_text key, value, message = { 0 };
    if (!hoody_is(e->kind, "event") || e->data.len == 0 || e->data.data[0] != '{')
        return message;
    otlp_scan_init(&s, e->data.data, e->data.len);
    otlp_scan_enter_object(&s);
    while (otlp_scan_next_key(&s, &key) && otlp_scan_value(&s, &value)) {
        if (otlp_key_is(key, "message"))
            message = is_text(value) ? value : (struct otlp_text){ 0 };
    }
    return message;
}

static void put_body(const struct hoody_entry *e, struct otlp_text message, struct buf *room,
                     struct page *out)
{
    struct buf text = BUF_INIT(e->text.len + 3);
    if (message.len > 0)
        add_plain(&text, message, room);
    else if (hoody_is(e->kind, "event") && e->data.len > 0)
        add_plain(&text, e->data, room);
    else
        add_request_line(e, room, &text);
    if (text.len > 0)
        entry_body(out, buf_bytes(&text));
    buf_release(&text);
}

/* Edges send a UUID, back ends 32 hex digits: what is not said by traceId is kept as it came. */
static struct bytes put_trace_id(const struct hoody_entry *e, struct buf *room, struct page *out)
{
    struct bytes text = pick_text(e->trace_id, room);
    bool good = entry_trace_id(out, text);
    if (good && !memchr(text.data, '-', text.len))
        text.len = 0;
    return text;
}

static void put_url(struct bytes url, struct page *out)
{
    const char *query = url.len > 0 ? memchr(url.data, '?', url.len) : NULL;
    if (url.len == 0 || url.data[0] != '/') {
        entry_string(out, "url.full", url);
        return;
    }
    size_t path_len = query ? (size_t)(query - url.data) : url.len;
    entry_string(out, "url.path", (struct bytes){ url.data, path_len });
    if (query)
        entry_string(out, "url.query", (struct bytes){ query + 1, url.len - path_len - 1 });
}

static const char *data_key(struct otlp_text key)
{
    static const char *const known[][2] = {
        { "bytesIn", "http.request.body.size" },
        { "bytesOut", "http.response.body.size" },
        { "userAgent", "user_agent.original" },
        { "durationMs", "hoody.duration_ms" },
    };
    for (size_t i = 0; i < COUNT(known); i++) {
        if (otlp_key_is(key, known[i][0]))
            return known[i][1];
    }
    return NULL;
}

static void put_data(const struct hoody_entry *e, struct otlp_text message, struct buf *room,
                     struct page *out)
{
    struct otlp_scan s;
    struct otlp_text key, value;
    if (e->data.len > 0 && e->data.data[0] != '{') {
        if (!hoody_is(e->kind, "event")) /* else it is the body */
            put_value(out, "hoody.data", e->data, room);
        return;
    }
    otlp_scan_init(&s, e->data.data, e->data.len);
    otlp_scan_enter_object(&s);
    while (otlp_scan_next_key(&s, &key) && otlp_scan_value(&s, &value)) {
        const char *known = data_key(key);
        if (known)
            put_value(out, known, value, room);
        else if (value.data != message.data) /* which is the body */
            put_under(out, "hoody.data.", key, value, room);
    }
}

static bool is_told(struct otlp_text key)
{
    static const char *const ours[] = { "row_id", "trace_id", "duration_ms" };
    for (const struct pick_path *row = paths; row->path; row++) {
        if (pick_key_is(key, row->path))
            return true;
    }
    for (size_t i = 0; i < COUNT(ours); i++) {
        if (otlp_key_is(key, ours[i]))
            return true;
    }
    return false;
}

/* Members that nobody has told of: bodies, where they were asked for, and what is yet to come. */
static void put_rest(const struct hoody_entry *e, struct buf *room, struct page *out)
{
    struct otlp_scan s;
    struct otlp_text key, value;
    otlp_scan_init(&s, e->text.data, e->text.len);
    otlp_scan_enter_object(&s);
    while (otlp_scan_next_key(&s, &key) && otlp_scan_value(&s, &value)) {
        if (!is_told(key))
            put_under(out, "hoody.", key, value, room);
    }
}

/* Row ids of different tenants coincide. */
static void put_uid(const struct hoody_entry *e, struct bytes project, struct bytes container,
                    struct page *out)
{
    struct buf uid = BUF_INIT(project.len + container.len + 32);
    buf_append_bytes(&uid, project);
    buf_append_char(&uid, '/');
    buf_append_bytes(&uid, container);
    buf_printf(&uid, "/%lld", (long long)e->id);
    entry_string(out, "log.record.uid", buf_bytes(&uid));
    buf_release(&uid);
}

static void put_attributes(const struct hoody_entry *e, struct buf *room, struct page *out)
{
    int64_t status;
    size_t before = room->len;
    put_text(out, "http.request.method", e->method, room);
    if (hoody_integer(e->status, &status))
        entry_int(out, "http.response.status_code", status);
    put_text(out, "client.address", e->client_ip, room);
    put_url(pick_text(e->url, room), out);
    room->len = before;
    put_text(out, "hoody.kind", e->kind, room);
    put_text(out, "hoody.source", e->origin, room);
    if (e->id > 0)
        entry_int(out, "hoody.row_id", e->id);
}

void hoody_entry_write(const struct hoody_entry *e, const struct hoody_scope *scope,
                       struct buf *room, struct page *out)
{
    struct otlp_text message = message_of(e);
    pick_room(room, e->text.len); /* once: what lies in it must not move */
    struct bytes project = scoped(e->project, scope->project, room);
    struct bytes container = scoped(e->container, scope->container, room);
    const struct resource_value resource[] = {
        { "service.name", scoped(e->service, scope->service, room), false },
        { "service.instance.id", container, false },
        { "container.id", container, false },
        { "hoody.project.id", project, false },
    };
    entry_begin(out, e->unix_ns);
    entry_severity(out, pick_text(e->level, room));
    put_body(e, message, room, out);
    struct bytes trace_id = put_trace_id(e, room, out);
    if (e->id > 0)
        put_uid(e, project, container, out);
    put_attributes(e, room, out);
    entry_string(out, "hoody.trace_id", trace_id);
    put_data(e, message, room, out);
    put_rest(e, room, out);
    entry_end(out, page_resource(out, resource, COUNT(resource)));
}
