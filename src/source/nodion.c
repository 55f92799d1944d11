/* nodion.c -- Nodion application logs: GET /v1/applications/{id}/logs, a stretch of time between
 * `after` and `before`, with at most `limit` entries in an answer and no cursor.
 *
 * An answer with `limit` entries was cut, and nobody says at which end: nodion_place.h tells what
 * is done about it.
 *
 * Vendor facts are those of Nodion's API reference for application logs, read 2026-11. */
#include "source.h"

#include <string.h>

#include "base/timefmt.h"
#include "edge.h"
#include "entry.h"
#include "nodion_place.h"
#include "pick.h"

#define LIMIT_MOST "2500" /* application logs, read 2026-11: limit, at most 2500 */

enum { APPLICATION_ID, API_KEY, INSTANCE_ID, PROJECT, LIMIT };

static const struct field fields[] = {
    [APPLICATION_ID] = { .name = "application_id",
                         .kind = FIELD_STRING,
                         .required = true,
                         .resource = "nodion.application.id",
                         .help = "the application's id, a UUID" },
    [API_KEY] = { .name = "api_key",
                  .kind = FIELD_STRING,
                  .required = true,
                  .secret = true,
                  .help = "key of the project, or of a user with the scope `read`" },
    [INSTANCE_ID] = { .name = "instance_id",
                      .kind = FIELD_STRING,
                      .identity = true,
                      .help = "only entries of this instance, a UUID; by default of all" },
    [PROJECT] = { .name = "project",
                  .kind = FIELD_STRING,
                  .help = "the project, a UUID, where a user's key is for several" },
    [LIMIT] = { .name = "limit",
                .kind = FIELD_INT,
                .fallback = LIMIT_MOST,
                .min = 1,
                .max = 2500,
                .help = "entries asked for in one call" },
    { .name = NULL },
};

static const struct attribute resource[] = {
    { "cloud.provider", "nodion" },
    { NULL, NULL },
};

/* ---- request -----------------------------------------------------------------------------------
 */

static void begin_request(const struct stream *st, struct request *out)
{
    const struct setting *set = st->settings;
    buf_reset(&out->url);
    buf_append_text(&out->url, st->endpoint);
    buf_append_text(&out->url, "/v1/applications");
    request_path(out, set[APPLICATION_ID].text);
    out->accept = "application/json";
    out->bearer = set[API_KEY].text;
    if (set[PROJECT].text && set[PROJECT].text[0])
        request_header(out, "X-Nodion-Project", set[PROJECT].text);
}

/* Application logs, read 2026-11: entries strictly newer than `after` and strictly older than
 * `before`; without `after` only the hour before `before`. */
static int nodion_request(const struct stream *st, const struct ask *ask, struct request *out,
                          struct error *err)
{
    struct nodion_place place;
    struct buf limit = BUF_INIT(32);
    if (nodion_place_read(ask, &place, err))
        return -1;
    struct span span = nodion_place_span(&place);
    begin_request(st, out);
    request_path(out, "logs");
    buf_printf(&limit, "%lld", (long long)nodion_place_limit(&place, st->settings[LIMIT].number));
    request_query(out, "limit", buf_bytes(&limit));
    request_query_time(out, "after", span.start_unix_ns - NS_PER_MS);
    request_query_time(out, "before", span.end_unix_ns);
    if (st->settings[INSTANCE_ID].text && st->settings[INSTANCE_ID].text[0])
        request_query(out, "instance_id", bytes_of(st->settings[INSTANCE_ID].text));
    buf_release(&limit);
    return 0;
}

/* ---- who the application is --------------------------------------------------------------------
 */

/* Its name and its region are asked for where the configuration does not name the service. */
static int nodion_prepare(const struct stream *st, const struct ask *ask, struct request *out,
                          struct error *err)
{
    (void)err;
    buf_reset(&out->url);
    if (ask->session.len == 0 && !st->service_named)
        begin_request(st, out);
    return 0;
}

/* "REGION\nNAME" */
static int nodion_prepared(const struct stream *st, const struct ask *ask, struct bytes frame,
                           struct buf *session, struct error *err)
{
    enum { NAME, REGION, COUNT_OF };
    static const struct pick_path paths[] = { { "application.name", NAME },
                                              { "application.region.slug", REGION },
                                              { NULL, 0 } };
    struct otlp_text found[COUNT_OF] = { { "", 0 }, { "", 0 } };
    struct buf room = BUF_INIT(frame.len);
    struct otlp_scan s;
    otlp_scan_init(&s, frame.data, frame.len);
    if (frame.len > 0 && (!pick_members(&s, paths, found, COUNT_OF) || !otlp_scan_end(&s)))
        return error_set(err, ERR_INPUT, "the application is no JSON object");
    pick_room(&room, frame.len);
    struct bytes region = pick_text(found[REGION], &room);
    if (region.len > 0 && !memchr(region.data, '\n', region.len))
        buf_append_bytes(session, region);
    buf_append_char(session, '\n');
    buf_append_bytes(session, pick_text(found[NAME], &room));
    buf_release(&room);
    (void)st;
    (void)ask;
    return 0;
}

struct service {
    struct bytes name, region; /* empty where the configuration has its own */
};

static struct service service_of(const struct stream *st, struct bytes session)
{
    struct service service = { { "", 0 }, { "", 0 } };
    const char *end = session.len ? memchr(session.data, '\n', session.len) : NULL;
    if (st->service_named)
        return service;
    if (end) {
        service.region = (struct bytes){ session.data, (size_t)(end - session.data) };
        service.name = (struct bytes){ end + 1, session.len - service.region.len - 1 };
    }
    if (service.name.len == 0)
        service.name = bytes_of(st->settings[APPLICATION_ID].text);
    return service;
}

/* ---- the answer --------------------------------------------------------------------------------
 */

enum { TS, MSG, INSTANCE, ENTRY_FIELDS };

static const struct pick_path entry_paths[] = {
    { "ts", TS }, { "msg", MSG }, { "instance_id", INSTANCE }, { NULL, 0 }
};

static bool read_time(struct otlp_scan *s, int64_t *unix_ns)
{
    struct otlp_text found[ENTRY_FIELDS];
    if (!pick_members(s, entry_paths, found, ENTRY_FIELDS))
        return false;
    pick_time(found[TS], unix_ns);
    return true;
}

/* `limit` becomes the answer's own where that is lower than what was asked for. */
static int read_frame(struct bytes frame, struct edge *out, int64_t *limit, struct error *err)
{
    struct otlp_scan s;
    struct otlp_text key, raw;
    bool have_logs = false;
    otlp_scan_init(&s, frame.data, frame.len);
    if (otlp_scan_peek(&s) != '{')
        return edge_wrong_type(&s, err, "not an object");
    otlp_scan_enter_object(&s);
    while (otlp_scan_next_key(&s, &key)) {
        int64_t number;
        if (otlp_key_is(key, "logs")) {
            if (have_logs)
                return error_set(err, ERR_INPUT, "logs: there twice");
            have_logs = true;
            if (edge_add_array(out, &s, "logs", read_time, err))
                return -1;
            continue;
        }
        if (!otlp_scan_value(&s, &raw))
            break;
        if (otlp_key_is(key, "limit") && pick_int(raw, &number) && number > 0 && number < *limit)
            *limit = number;
    }
    if (!otlp_scan_end(&s))
        return edge_not_json(&s, err);
    return have_logs ? 0 : error_set(err, ERR_INPUT, "logs: missing");
}

/* Application logs, read 2026-11: a line begins with "[process.index]", as in "[web.1] ready". */
static struct bytes process_of(struct bytes msg)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    static const char name[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
    struct bytes none = { "", 0 };
    size_t i = 1;
    if (msg.len < 5 || msg.data[0] != '[' || !msg.data[1] || !strchr(letters, msg.data[1]))
        return none;
    while (i < msg.len && msg.data[i] && strchr(name, msg.data[i]))
        i++;
    if (i == msg.len || msg.data[i] != '.')
        return none;
    size_t digits = ++i;
    while (i < msg.len && msg.data[i] >= '0' && msg.data[i] <= '9')
        i++;
    if (i == digits || i == msg.len || msg.data[i] != ']')
        return none;
    return (struct bytes){ msg.data + 1, i - 1 };
}

/* The text was read once already. */
static void write_entry(const struct edge_entry *e, const struct service *service, struct buf *room,
                        struct page *out)
{
    struct otlp_text found[ENTRY_FIELDS];
    struct otlp_scan s;
    otlp_scan_init(&s, e->text.data, e->text.len);
    pick_members(&s, entry_paths, found, ENTRY_FIELDS);
    pick_room(room, e->text.len);
    struct bytes msg = pick_text(found[MSG], room);
    const struct resource_value values[] = {
        { "service.instance.id", pick_text(found[INSTANCE], room), false },
        { "service.name", service->name, true },
        { "cloud.region", service->region, true },
    };
    entry_begin(out, e->unix_ns);
    entry_body(out, msg);
    entry_string(out, "nodion.process", process_of(msg));
    entry_end(out, page_resource(out, values, COUNT(values)));
}

static void write_entries(const struct edge *e, struct span yield, const struct service *service,
                          struct page *out)
{
    struct buf room = BUF_INIT(e->longest);
    for (size_t i = 0; i < e->count; i++) {
        int64_t at = e->entries[i].at_ns;
        if (at >= yield.start_unix_ns && at < yield.end_unix_ns)
            write_entry(&e->entries[i], service, &room, out);
    }
    buf_release(&room);
}

static int nodion_decode(const struct stream *st, const struct ask *ask, struct bytes frame,
                         struct page *out, struct error *err)
{
    struct nodion_place place;
    struct edge entries = { 0 };
    struct span yield;
    int rc = -1;
    page_reset(out);
    if (nodion_place_read(ask, &place, err))
        return -1;
    int64_t limit = nodion_place_limit(&place, st->settings[LIMIT].number);
    struct service service = service_of(st, ask->session);
    entries.at_ns = nodion_place_span(&place).start_unix_ns;
    if (frame.len > 0 && read_frame(frame, &entries, &limit, err))
        goto out;
    if (nodion_place_settle(&place, &entries, (int64_t)entries.count >= limit, &yield, &out->lost,
                            err))
        goto out;
    /* ends that are no whole milliseconds: this window's alone */
    if (yield.start_unix_ns < ask->span.start_unix_ns)
        yield.start_unix_ns = ask->span.start_unix_ns;
    if (yield.end_unix_ns > ask->span.end_unix_ns)
        yield.end_unix_ns = ask->span.end_unix_ns;
    write_entries(&entries, yield, &service, out);
    nodion_place_write(&place, &out->next);
    rc = page_finish(out, err);
out:
    edge_release(&entries);
    if (rc)
        page_reset(out);
    return rc;
}

const struct source source_nodion = {
    .name = "nodion",
    .summary = "Nodion application logs",
    .fields = fields,
    .endpoint = "https://api.nodion.com",
    .resource = resource,
    .service_name = -1, /* prepare() asks for it */
    .budget = APPLICATION_ID,
    .limits = {
        /* Not documented: one call in 5 s is gentle. Logs are kept for 7 days, read 2026-11. */
        .calls = 1,
        .period_ns = NS_PER_S * 5,
        .span_ns = NS_PER_S * 3600 * 24, /* ours: a run after a day's rest is one call */
        .retention_ns = NS_PER_S * 3600 * 24 * 7,
        .wait_ns = NS_PER_S * 10,
    },
    .defaults = { .lookback = "1h", .lag = "10s", .overlap = "2m", .window = "24h" },
    .request = nodion_request,
    .decode = nodion_decode,
    .prepare = nodion_prepare,
    .prepared = nodion_prepared,
};
