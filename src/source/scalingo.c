/* scalingo.c -- Scalingo: an API token is exchanged, gives an app's log URL, and that gives its
 * last lines as text. There is no cursor and no time filter: each poll asks for as many lines as
 * reach back to where it must, and `seen` drops those that were sent. What the log host has no more
 * is looked for in the archives (scalingo_place.h).
 *
 * Vendor facts: developers.scalingo.com (logs, logs archives, authentication) and the sources of
 * the vendor's own client, read 2026-11. */
#include "source.h"

#include <stdio.h>
#include <string.h>

#include "base/timefmt.h"
#include "scalingo_decode.h"
#include "scalingo_line.h"
#include "scalingo_session.h"

enum { APP, API_TOKEN, REGION, AUTH_ENDPOINT, API_ENDPOINT, LOGS_URL, LINES, FILTER, MODE };

static const char *const modes[] = { "dump", NULL };

static const struct field fields[] = {
    [APP] = { .name = "app",
              .kind = FIELD_STRING,
              .required = true,
              .identity = true,
              .help = "the app's name" },
    [API_TOKEN] = { .name = "api_token",
                    .kind = FIELD_STRING,
                    .secret = true,
                    .help = "an API token (tk-us-...) of an account that may see the app" },
    [REGION] = { .name = "region",
                 .kind = FIELD_STRING,
                 .fallback = "osc-fr1",
                 .resource = "cloud.region",
                 .help = "where the app runs: osc-fr1, osc-secnum-fr1" },
    [AUTH_ENDPOINT] = { .name = "auth_endpoint",
                        .kind = FIELD_URL,
                        .fallback = "https://auth.scalingo.com",
                        .help = "base URL of the authentication API" },
    [API_ENDPOINT] = { .name = "api_endpoint",
                       .kind = FIELD_URL,
                       .help = "base URL of the region's API; by default made from region" },
    [LOGS_URL] = { .name = "logs_url",
                   .kind = FIELD_WHOLE_URL,
                   .secret = true,
                   .help = "a ready URL of the log host, in place of api_token; without archives" },
    [LINES] = { .name = "lines",
                .kind = FIELD_INT,
                .fallback = "1000",
                .min = 1,
                .max = SCALINGO_LINES_MAX,
                .help = "how many lines to ask for at first; more where polls do not meet" },
    [FILTER] = { .name = "filter",
                 .kind = FIELD_STRING,
                 .help = "only these containers or types: web-1, web, router, web|worker" },
    [MODE] = { .name = "mode",
               .kind = FIELD_ENUM,
               .fallback = "dump",
               .choices = modes,
               .help = "how the log is read" },
    { .name = NULL },
};

static const struct attribute resource[] = { { "cloud.provider", "scalingo" }, { NULL, NULL } };

static const char *scalingo_check(const struct setting *settings, int *field)
{
    const struct setting *region = &settings[REGION];
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789-";
    if (!settings[LOGS_URL].text && !settings[API_TOKEN].text) {
        *field = API_TOKEN;
        return "is missing (or logs_url in its place)";
    }
    if (region->text && (!*region->text || region->text[strspn(region->text, allowed)])) {
        *field = REGION;
        return "takes small letters, digits and dashes";
    }
    return NULL;
}

/* ---- where it stands ---------------------------------------------------------------------------
 */

static bool has_archives(const struct stream *st)
{
    return !st->settings[LOGS_URL].text;
}

static uint64_t filter_hash(const struct stream *st)
{
    struct scalingo_line filter = { 0, { "", 0 }, bytes_of(st->settings[FILTER].text) };
    return scalingo_line_hash(&filter);
}

/* The text may come from a state file, and the configuration may have changed since. */
static int place_of(const struct stream *st, const struct ask *ask, struct scalingo_place *out,
                    struct error *err)
{
    uint64_t filter = filter_hash(st);
    if (scalingo_place_read(ask->at, out, err))
        return -1;
    if (out->step != SCALINGO_DUMP && (!has_archives(st) || out->filter != filter))
        return error_set(err, ERR_INPUT, "cursor: of other settings");
    if (out->filter != filter) /* it would not show the lines that are known */
        out->last.unix_ns = 0;
    out->filter = filter;
    if (out->lines < st->settings[LINES].number)
        out->lines = st->settings[LINES].number;
    return 0;
}

/* ---- requests ----------------------------------------------------------------------------------
 */

static void add_base(struct request *out, const char *base)
{
    size_t len = strlen(base);
    while (len > 0 && base[len - 1] == '/')
        len--;
    buf_append(&out->url, base, len);
}

static void add_api(const struct stream *st, struct request *out, const char *what)
{
    const struct setting *set = st->settings;
    if (set[API_ENDPOINT].text)
        add_base(out, set[API_ENDPOINT].text);
    else
        buf_printf(&out->url, "https://api.%s.scalingo.com", set[REGION].text);
    buf_append_text(&out->url, "/v1/apps");
    request_path(out, set[APP].text);
    buf_printf(&out->url, "/%s", what);
    out->accept = "application/json";
}

static void add_bearer(const struct ask *ask, struct request *out)
{
    struct buf text = BUF_INIT(REQUEST_URL_MAX);
    buf_append_text(&text, "Bearer ");
    buf_append_bytes(&text, scalingo_session_token(ask->session));
    request_header(out, "Authorization", buf_text(&text));
    buf_release(&text);
}

static void ask_list(const struct stream *st, const struct ask *ask, struct bytes cursor,
                     struct request *out)
{
    add_api(st, out, "logs_archives");
    if (cursor.len)
        request_query(out, "cursor", cursor);
    add_bearer(ask, out);
}

static void ask_dump(const struct stream *st, const struct ask *ask,
                     const struct scalingo_place *place, struct request *out)
{
    const struct setting *set = st->settings;
    char lines[24];
    int len = snprintf(lines, sizeof(lines), "%lld", (long long)place->lines);
    struct bytes url = has_archives(st) ? scalingo_session_url(ask->session)
                                        : bytes_of(set[LOGS_URL].text);
    if (url.len)
        buf_append_bytes(&out->url, url); /* opaque, with all of its parameters */
    else
        add_api(st, out, "logs");
    out->shown_as = "the log URL";
    out->elsewhere = has_archives(st);
    out->accept = "text/plain";
    request_query(out, "n", (struct bytes){ lines, (size_t)len });
    if (set[FILTER].text && set[FILTER].text[0])
        request_query(out, "filter", bytes_of(set[FILTER].text));
}

static int scalingo_request(const struct stream *st, const struct ask *ask, struct request *out,
                            struct error *err)
{
    struct scalingo_place place;
    struct scalingo_name name;
    struct bytes url;
    if (place_of(st, ask, &place, err))
        return -1;
    request_reset(out);
    if (place.step == SCALINGO_DUMP) {
        ask_dump(st, ask, &place, out);
    } else if (place.step == SCALINGO_ARCHIVE &&
               scalingo_session_next(ask->session, &place, &name, &url)) {
        buf_append_bytes(&out->url, url);
        out->shown_as = "an archive's URL";
        out->elsewhere = true;
    } else {
        ask_list(st, ask, (struct bytes){ "", 0 }, out);
    }
    return out->url.full ? error_set(err, ERR_CONFIG, "logs_url or filter: too long") : 0;
}

/* ---- what must be had first --------------------------------------------------------------------
 */

enum missing { NOTHING, TOKEN, URL, ARCHIVES };

/* `cursor`: of the archives' page. */
static enum missing missing(const struct stream *st, const struct ask *ask,
                            const struct scalingo_place *place, struct bytes *cursor)
{
    if (!has_archives(st))
        return NOTHING;
    if (scalingo_session_token(ask->session).len == 0)
        return TOKEN;
    if (scalingo_session_url(ask->session).len == 0)
        return URL;
    if (place->step == SCALINGO_ARCHIVE &&
        !scalingo_session_listed(ask->session, ask, place, cursor))
        return ARCHIVES;
    return NOTHING;
}

static int scalingo_prepare(const struct stream *st, const struct ask *ask, struct request *out,
                            struct error *err)
{
    struct scalingo_place place;
    struct bytes cursor;
    if (place_of(st, ask, &place, err))
        return -1;
    request_reset(out);
    switch (missing(st, ask, &place, &cursor)) {
    case TOKEN:
        add_base(out, st->settings[AUTH_ENDPOINT].text);
        buf_append_text(&out->url, "/v1/tokens/exchange");
        out->accept = "application/json";
        out->username = "";
        out->password = st->settings[API_TOKEN].text;
        out->body = (struct bytes){ "", 0 };
        out->content_type = "application/json";
        break;
    case URL:
        add_api(st, out, "logs");
        add_bearer(ask, out);
        break;
    case ARCHIVES:
        ask_list(st, ask, cursor, out);
        break;
    case NOTHING:
        break;
    }
    return 0;
}

static int scalingo_prepared(const struct stream *st, const struct ask *ask, struct bytes frame,
                             struct buf *session, struct error *err)
{
    struct scalingo_place place;
    struct scalingo_listing listing;
    struct bytes cursor;
    if (place_of(st, ask, &place, err))
        return -1;
    switch (missing(st, ask, &place, &cursor)) {
    case TOKEN:
        return scalingo_session_add_token(frame, session, err);
    case URL:
        return scalingo_session_add_url(frame, session, err);
    case ARCHIVES:
        return scalingo_session_list(frame, ask, &place, session, &listing, err);
    case NOTHING:
        break;
    }
    return 0;
}

/* Nothing was logged yet; an app has no archives; one of them has been removed. */
static int scalingo_status(const struct ask *ask, int status)
{
    (void)ask;
    return status == 404 ? 204 : status;
}

static int scalingo_decode(const struct stream *st, const struct ask *ask, struct bytes frame,
                           struct page *out, struct error *err)
{
    const struct setting *set = st->settings;
    struct scalingo_reading r = { .rules = { .filter = set[FILTER].text,
                                             .archives = has_archives(st) },
                                  .ask = ask,
                                  .out = out };
    page_reset(out);
    int rc = place_of(st, ask, &r.place, err);
    if (rc == 0)
        rc = scalingo_decode_frame(&r, frame, err);
    if (rc)
        page_reset(out);
    return rc;
}

const struct source source_scalingo = {
    .name = "scalingo",
    .summary = "Scalingo application logs",
    .fields = fields,
    .resource = resource,
    .service_name = APP,
    .budget = APP,
    .limits = {
        /* 60 requests a minute; archives are kept for a year; a token is good for an hour, how long
         * the log URL is nobody says. */
        .calls = 60,
        .period_ns = NS_PER_S * 60,
        .retention_ns = NS_PER_S * 3600 * 24 * 365,
        .wait_ns = NS_PER_S * 15,
        .session_ns = NS_PER_S * 60 * 50,
    },
    .defaults = { .lookback = "1h", .lag = "0s", .overlap = "1m" },
    .tails = true,
    .request = scalingo_request,
    .decode = scalingo_decode,
    .prepare = scalingo_prepare,
    .prepared = scalingo_prepared,
    .check = scalingo_check,
    .status = scalingo_status,
};
