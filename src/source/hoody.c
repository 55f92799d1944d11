/* hoody.c -- Hoody's proxy logs: GET {base_url}/_logs, whose URL is the credential, and so is shown
 * nowhere. There is no time to ask by: a first reading goes through all there is, and drops what is
 * older than `lookback`. */
#include "source.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/timefmt.h"
#include "entry.h"
#include "hoody_place.h"

#define SHOWN_AS "(base_url)/_logs"

enum {
    BASE_URL,
    TOKEN,
    FANOUT,
    PROJECT_ID,
    CONTAINER_ID,
    SERVICE_NAME,
    LEVELS,
    KIND,
    ORIGIN,
    METHOD,
    REQUEST_BODY,
    RESPONSE_BODY,
    LIMIT,
    MODE,
};

static const char *const levels[] = { "debug", "info", "warn", "error", NULL };
static const char *const kinds[] = { "request", "response", "event", NULL };
static const char *const origins[] = { "backend", "edge", NULL };
static const char *const modes[] = { "query", NULL };

static const struct field fields[] = {
    [BASE_URL] = { .name = "base_url",
                   .kind = FIELD_URL,
                   .required = true,
                   .secret = true,
                   .identity = true,
                   .help = "what stands before /_logs; whoever has it reads the logs" },
    [TOKEN] = { .name = "token",
                .kind = FIELD_STRING,
                .secret = true,
                .help = "Bearer token, where the URL is gated by one" },
    [FANOUT] = { .name = "fanout",
                 .kind = FIELD_BOOL,
                 .fallback = "false",
                 .help = "all tenants of the admin endpoint, by its cursor" },
    [PROJECT_ID] = { .name = "project_id",
                     .kind = FIELD_STRING,
                     .identity = true,
                     .help = "only this project's entries" },
    [CONTAINER_ID] = { .name = "container_id",
                       .kind = FIELD_STRING,
                       .identity = true,
                       .help = "only this container's entries" },
    [SERVICE_NAME] = { .name = "service_name",
                       .kind = FIELD_STRING,
                       .help = "only this service's entries" },
    [LEVELS] = { .name = "levels",
                 .kind = FIELD_ENUMS,
                 .choices = levels,
                 .help = "only entries of these levels; by default all" },
    [KIND] = { .name = "kind",
               .kind = FIELD_ENUM,
               .choices = kinds,
               .help = "only entries of this kind" },
    [ORIGIN] = { .name = "origin",
                 .kind = FIELD_ENUM,
                 .choices = origins,
                 .help = "only entries from there: the API's source" },
    [METHOD] = { .name = "method",
                 .kind = FIELD_STRING,
                 .help = "only requests of this HTTP method" },
    [REQUEST_BODY] = { .name = "include_request_body",
                       .kind = FIELD_BOOL,
                       .fallback = "false",
                       .help = "with the bodies of requests" },
    [RESPONSE_BODY] = { .name = "include_response_body",
                        .kind = FIELD_BOOL,
                        .fallback = "false",
                        .help = "with the bodies of responses" },
    [LIMIT] = { .name = "limit",
                .kind = FIELD_INT,
                .fallback = "500",
                .min = 1,
                .max = 10000,
                .help = "entries asked for at once" },
    [MODE] = { .name = "mode",
               .kind = FIELD_ENUM,
               .fallback = "query",
               .choices = modes,
               .help = "how they are had" },
    { .name = NULL },
};

static const struct attribute resource[] = {
    { "cloud.provider", "hoody" },
    { NULL, NULL },
};

/* ---- the request -------------------------------------------------------------------------------
 */

static void add_number(struct request *out, const char *key, int64_t number)
{
    char text[24];
    snprintf(text, sizeof(text), "%lld", (long long)number);
    request_query(out, key, bytes_of(text));
}

static void add_text(struct request *out, const char *key, const struct setting *set)
{
    if (set->text && set->text[0])
        request_query(out, key, bytes_of(set->text));
}

/* How many entries are asked for: by offset, beside one that was read before. */
static int64_t asked_for(const struct stream *st, const struct hoody_place *p)
{
    if (p->way == HOODY_NEWEST)
        return 1;
    return st->settings[LIMIT].number + (p->way == HOODY_BY_OFFSET && p->offset > 0);
}

static void add_place(struct request *out, const struct stream *st, const struct hoody_place *p)
{
    if (p->way == HOODY_NEWEST) {
        add_number(out, "last", 1);
        return;
    }
    if (p->way == HOODY_BY_ROW)
        add_number(out, "afterId", p->id);
    add_number(out, "limit", asked_for(st, p));
    if (p->way == HOODY_BY_OFFSET)
        add_number(out, "offset", hoody_place_first(p));
    if (p->cursor.len > 0)
        request_query(out, "cursor", p->cursor);
}

static void add_filters(struct request *out, const struct setting *set)
{
    add_text(out, "projectId", &set[PROJECT_ID]);
    add_text(out, "containerId", &set[CONTAINER_ID]);
    add_text(out, "serviceName", &set[SERVICE_NAME]);
    if (set[LEVELS].list_count == 1) /* a list of them gives nothing */
        request_query(out, "level", bytes_of(set[LEVELS].list[0]));
    add_text(out, "kind", &set[KIND]);
    add_text(out, "source", &set[ORIGIN]);
    add_text(out, "method", &set[METHOD]);
    if (set[REQUEST_BODY].number)
        request_query(out, "includeRequestBody", BYTES("true"));
    if (set[RESPONSE_BODY].number)
        request_query(out, "includeResponseBody", BYTES("true"));
}

static void begin_request(const struct stream *st, const char *path, struct request *out)
{
    const struct setting *set = st->settings;
    struct bytes base = bytes_of(set[BASE_URL].text);
    while (base.len > 0 && base.data[base.len - 1] == '/')
        base.len--;
    buf_reset(&out->url);
    buf_append_bytes(&out->url, base);
    buf_append_text(&out->url, path);
    out->shown_as = SHOWN_AS;
    if (set[TOKEN].text && set[TOKEN].text[0])
        out->bearer = set[TOKEN].text;
}

static int hoody_request(const struct stream *st, const struct ask *ask, struct request *out,
                         struct error *err)
{
    struct hoody_place place;
    if (hoody_place_read(ask, st->settings[FANOUT].number, &place, err))
        return -1;
    begin_request(st, "/_logs", out);
    add_place(out, st, &place);
    add_filters(out, st->settings);
    if (out->url.full)
        return error_set(err, ERR_CONFIG, "its settings are too long for a URL of %zu bytes",
                         out->url.max);
    return 0;
}

/* ---- which entries are wanted ------------------------------------------------------------------
 */

static bool is_scope(const struct setting *set, struct otlp_text raw)
{
    return !set->text || !set->text[0] || raw.len == 0 || hoody_is(raw, set->text);
}

static bool is_choice(const struct setting *set, struct otlp_text raw)
{
    return !set->text || !set->text[0] || hoody_is(raw, set->text);
}

static bool is_level(const struct setting *set, struct otlp_text raw)
{
    char room[64];
    struct otlp_text level = otlp_plain(raw, room, sizeof(room));
    int number = otlp_severity_of_text(level.data, level.len);
    for (size_t i = 0; i < set->list_count; i++) {
        if (number > 0 && number == otlp_severity_of_text(set->list[i], strlen(set->list[i])))
            return true;
    }
    return set->list_count == 0;
}

/* A server may ignore what it was asked for: some do serviceName, all do lists of levels. An entry
 * that does not name its scope is of the one that was asked. */
static bool is_wanted(const struct setting *set, const struct hoody_entry *e)
{
    return is_scope(&set[PROJECT_ID], e->project) && is_scope(&set[CONTAINER_ID], e->container) &&
           is_scope(&set[SERVICE_NAME], e->service) && is_level(&set[LEVELS], e->level) &&
           is_choice(&set[KIND], e->kind) && is_choice(&set[ORIGIN], e->origin) &&
           is_choice(&set[METHOD], e->method);
}

/* The rows that were not read before, as records. */
static int write_rows(const struct stream *st, int64_t floor_unix_ns, const struct hoody_answer *a,
                      struct page *out, struct error *err)
{
    const struct setting *set = st->settings;
    const struct hoody_scope scope = { set[PROJECT_ID].text, set[CONTAINER_ID].text,
                                       set[SERVICE_NAME].text };
    struct buf room = BUF_INIT(SIZE_MAX / 2);
    for (size_t i = 0; i < a->count; i++) {
        const struct hoody_row *row = &a->rows[i];
        struct hoody_entry e;
        if (row->known || (row->unix_ns > 0 && row->unix_ns < floor_unix_ns))
            continue;
        hoody_entry_read(row->text, &e);
        if (is_wanted(set, &e))
            hoody_entry_write(&e, &scope, &room, out);
    }
    buf_release(&room);
    return page_finish(out, err);
}

/* ---- a frame -----------------------------------------------------------------------------------
 */

static int hoody_decode(const struct stream *st, const struct ask *ask, struct bytes frame,
                        struct page *out, struct error *err)
{
    struct hoody_place place;
    struct hoody_answer answer = { 0 };
    struct buf text = BUF_INIT((size_t)2 * CURSOR_MAX);
    page_reset(out);
    int rc = hoody_place_read(ask, st->settings[FANOUT].number, &place, err);
    int64_t floor_unix_ns = place.floor_unix_ns;
    if (rc == 0)
        rc = hoody_answer_read(frame, &answer, err);
    if (rc == 0)
        rc = hoody_place_go_on(&place, &answer, asked_for(st, &place), &text, out, err);
    if (rc == 0 && out->status == 0)
        rc = write_rows(st, floor_unix_ns, &answer, out, err);
    if (rc)
        page_reset(out);
    buf_release(&text);
    hoody_answer_release(&answer);
    return rc;
}

/* ---- the platform's own counts -----------------------------------------------------------------
 */

static int stats_request(const struct stream *st, const struct ask *ask, struct request *out,
                         struct error *err)
{
    (void)ask;
    begin_request(st, "/_logs/stats", out);
    return out->url.full ? error_set(err, ERR_CONFIG, "base_url: too long") : 0;
}

static int stats_decode(const struct stream *st, const struct ask *ask, struct bytes frame,
                        struct page *out, struct error *err)
{
    (void)st;
    (void)ask;
    page_reset(out);
    return hoody_counts_read(frame, &out->text, err);
}

/* Seen, not promised: 30 reads per minute and scope of all kinds together; 429 with 2 s to wait. */
#define LIMITS                                                                                     \
    {                                                                                              \
        .calls = 30, .period_ns = 60 * NS_PER_S, .wait_ns = 10 * NS_PER_S                          \
    }

static const struct source stats = {
    .name = "hoody",
    .fields = fields,
    .limits = LIMITS,
    .request = stats_request,
    .decode = stats_decode,
};

const struct source source_hoody = {
    .name = "hoody",
    .summary = "Hoody proxy logs",
    .fields = fields,
    .resource = resource,
    .service_name = -1,
    .budget = BASE_URL,
    .limits = LIMITS,
    .tails = true,
    .request = hoody_request,
    .decode = hoody_decode,
    .stats = &stats,
};
