/* forge.c -- Atlassian Forge: GET /v1/app/logs/{appId}, a stretch of at most an hour drained by
 * cursor. Its records are OTLP/JSON already, so a page is scanned once and spliced.
 *
 * One call takes at most 50 installation contexts. More are asked for in groups of 50, one after
 * the other inside the same span. The cursor text says which: "GROUP CURSOR", where CURSOR is the
 * API's own and empty on a group's first page.
 *
 * Vendor facts are those of "Export app logs" in Atlassian's Forge documentation, read 2026-11:
 * https://developer.atlassian.com/platform/forge/export-app-logs/ */
#include "source.h"

#include <string.h>

#include "base/timefmt.h"
#include "edge.h"

#define CONTEXTS_PER_CALL 50 /* Export app logs, read 2026-11: installationContext, at most 50 */

enum { APP_ID, ENVIRONMENT_ID, EMAIL, API_TOKEN, LEVELS, MESSAGE, INSTALLATION_CONTEXTS };

/* Export app logs, read 2026-11: the values of `level`. */
static const char *const levels[] = { "TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL", NULL };

static const struct field fields[] = {
    [APP_ID] = { .name = "app_id",
                 .kind = FIELD_STRING,
                 .required = true,
                 .env = "FORGE_APP_ID",
                 .resource = "atlassian.forge.app.id",
                 .help = "the app's id: the UUID at the end of app.id in manifest.yml" },
    [ENVIRONMENT_ID] = { .name = "environment_id",
                         .kind = FIELD_STRING,
                         .required = true,
                         .env = "FORGE_ENVIRONMENT_ID",
                         .resource = "atlassian.forge.environment.id",
                         .help = "the environment's id, a UUID: see `forge environments list`" },
    [EMAIL] = { .name = "email",
                .kind = FIELD_STRING,
                .required = true,
                .env = "FORGE_EMAIL",
                .help = "account that owns the app or may see its logs" },
    [API_TOKEN] = { .name = "api_token",
                    .kind = FIELD_STRING,
                    .required = true,
                    .secret = true,
                    .env = "FORGE_API_TOKEN",
                    .help = "API token of that account" },
    [LEVELS] = { .name = "levels",
                 .kind = FIELD_ENUMS,
                 .choices = levels,
                 .help = "only records of these levels; by default all" },
    [MESSAGE] = { .name = "message",
                  .kind = FIELD_STRING,
                  .help = "only records whose message contains this text" },
    [INSTALLATION_CONTEXTS] = { .name = "installation_contexts",
                                .kind = FIELD_STRINGS,
                                .help = "only records of these sites (ARIs); any number" },
    { .name = NULL },
};

static const struct attribute resource[] = {
    { "cloud.provider", "atlassian" },
    { "cloud.platform", "atlassian_forge" },
    { NULL, NULL },
};

/* Where a request stands inside its span. */
struct place {
    size_t group;
    struct bytes cursor; /* the API's; empty: the group's first page */
};

static size_t group_count(const struct stream *st)
{
    size_t contexts = st->settings[INSTALLATION_CONTEXTS].list_count;
    return contexts ? (contexts + CONTEXTS_PER_CALL - 1) / CONTEXTS_PER_CALL : 1;
}

/* The text may come from a state file, and the configuration may have changed since. */
static int place_read(const struct stream *st, struct bytes text, struct place *out,
                      struct error *err)
{
    size_t i = 0, group = 0;
    while (i < text.len && i < 9 && text.data[i] >= '0' && text.data[i] <= '9')
        group = group * 10 + (size_t)(text.data[i++] - '0');
    if (text.len && (i == 0 || i == text.len || text.data[i] != ' '))
        return error_set(err, ERR_INPUT, "cursor: not one of ours");
    if (group >= group_count(st))
        return error_set(err, ERR_INPUT, "cursor: group %zu of %zu", group, group_count(st));
    if (text.len)
        i++;
    *out = (struct place){ group, { text.data + i, text.len - i } };
    return 0;
}

static void add_list(struct request *out, const char *key, const struct setting *list, size_t from,
                     size_t count)
{
    for (size_t i = from; i < list->list_count && i - from < count; i++)
        request_query(out, key, bytes_of(list->list[i]));
}

static int forge_request(const struct stream *st, const struct ask *ask, struct request *out,
                         struct error *err)
{
    const struct setting *set = st->settings;
    struct place place = { 0 };
    if (place_read(st, ask->at, &place, err))
        return -1;
    buf_reset(&out->url);
    buf_append_text(&out->url, st->endpoint);
    buf_append_text(&out->url, "/v1/app/logs");
    request_path(out, set[APP_ID].text);
    request_query(out, "environmentId", bytes_of(set[ENVIRONMENT_ID].text));
    /* Export app logs, read 2026-11: yyyy-MM-ddTHH:mm:ss.SSSZ, exactly three digits */
    request_query_time(out, "startDate", ask->span.start_unix_ns);
    request_query_time(out, "endDate", ask->span.end_unix_ns);
    add_list(out, "level", &set[LEVELS], 0, SIZE_MAX);
    if (set[MESSAGE].text && set[MESSAGE].text[0])
        request_query(out, "message", bytes_of(set[MESSAGE].text));
    add_list(out, "installationContext", &set[INSTALLATION_CONTEXTS],
             place.group * CONTEXTS_PER_CALL, CONTEXTS_PER_CALL);
    if (place.cursor.len)
        request_query(out, "cursor", place.cursor);
    if (out->url.full)
        return error_set(err, ERR_CONFIG,
                         "message or installation_contexts: too long for a URL of %zu bytes",
                         out->url.max);
    out->accept = "application/json";
    out->username = set[EMAIL].text;
    out->password = set[API_TOKEN].text;
    return 0;
}

static int read_records(struct otlp_scan *s, struct page *out, struct error *err)
{
    if (otlp_scan_peek(s) != '[')
        return edge_wrong_type(s, err, "appLogs: not an array");
    otlp_scan_enter_array(s);
    while (otlp_scan_next_element(s)) {
        size_t i = out->count;
        if (otlp_scan_peek(s) != '{')
            return otlp_scan_value(s, NULL)
                       ? error_set(err, ERR_INPUT, "appLogs[%zu]: not an object", i)
                       : edge_not_json(s, err);
        struct otlp_record *record = page_add(out);
        if (!record)
            return error_set(err, ERR_INPUT, "appLogs: more than %zu records", i);
        if (!otlp_scan_record(s, record))
            break;
    }
    return s->problem ? edge_not_json(s, err) : 0;
}

static int read_cursor(struct otlp_scan *s, struct otlp_text *raw, struct error *err)
{
    char first = otlp_scan_peek(s);
    if (first != '"' && first != 'n')
        return edge_wrong_type(s, err, "cursor: neither a string nor null");
    return otlp_scan_value(s, raw) ? 0 : edge_not_json(s, err);
}

/* The one object that an answer is; members that we do not know are none of our business. */
static int read_frame(struct bytes frame, struct page *out, struct otlp_text *cursor,
                      struct error *err)
{
    struct otlp_scan s;
    struct otlp_text key;
    bool have_logs = false, have_cursor = false;
    otlp_scan_init(&s, frame.data, frame.len);
    if (otlp_scan_peek(&s) != '{')
        return edge_wrong_type(&s, err, "not an object");
    otlp_scan_enter_object(&s);
    while (otlp_scan_next_key(&s, &key)) {
        int rc = 0;
        if (otlp_key_is(key, "appLogs")) {
            if (have_logs)
                return error_set(err, ERR_INPUT, "appLogs: there twice");
            have_logs = true;
            rc = read_records(&s, out, err);
        } else if (otlp_key_is(key, "cursor")) {
            if (have_cursor)
                return error_set(err, ERR_INPUT, "cursor: there twice");
            have_cursor = true;
            rc = read_cursor(&s, cursor, err);
        } else if (!otlp_scan_value(&s, NULL)) {
            break;
        }
        if (rc)
            return rc;
    }
    if (!otlp_scan_end(&s))
        return edge_not_json(&s, err);
    return have_logs ? 0 : error_set(err, ERR_INPUT, "appLogs: missing");
}

/* Export app logs, read 2026-11: an absent cursor ends the pages; null and "" are taken for the
 * same. */
static int set_next(const struct stream *st, const struct place *place, struct otlp_text raw,
                    struct cursor *next, struct error *err)
{
    char text[CURSOR_MAX];
    size_t len = 0;
    if (raw.len && raw.data[0] == '"')
        len = otlp_unescape(raw, text, sizeof(text));
    size_t group = len ? place->group : place->group + 1;
    if (group == group_count(st))
        return 0;
    buf_printf(&next->text, "%zu ", group);
    if (len != OTLP_NONE)
        buf_append(&next->text, text, len);
    if (len == OTLP_NONE || next->text.full)
        return error_set(err, ERR_INPUT, "cursor: over %zu bytes", next->text.max);
    next->more = true;
    return 0;
}

static int forge_decode(const struct stream *st, const struct ask *ask, struct bytes frame,
                        struct page *out, struct error *err)
{
    struct place place = { 0 };
    struct otlp_text cursor = { 0 };
    page_reset(out);
    if (place_read(st, ask->at, &place, err))
        return -1;
    /* No content (204) is a page without records, and the last one. */
    if (frame.len && read_frame(frame, out, &cursor, err))
        goto fail;
    if (set_next(st, &place, cursor, &out->next, err))
        goto fail;
    return 0;
fail:
    page_reset(out);
    return -1;
}

const struct source source_forge = {
    .name = "forge",
    .summary = "Atlassian Forge app logs",
    .fields = fields,
    .endpoint = "https://api.atlassian.com",
    .endpoint_env = "FORGE_API_ENDPOINT",
    .resource = resource,
    .service_name = APP_ID,
    .budget = APP_ID,
    .limits = {
        /* Export app logs, read 2026-11: 30 calls per minute and app; end at most 1 h behind start;
         * both within the last 14 days. No header is named for a 429: wait a period out. */
        .calls = 30,
        .period_ns = NS_PER_S * 60,
        .span_ns = NS_PER_S * 3600,
        .retention_ns = NS_PER_S * 3600 * 24 * 14,
        .wait_ns = NS_PER_S * 60,
    },
    .request = forge_request,
    .decode = forge_decode,
};
