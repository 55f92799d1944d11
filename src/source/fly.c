/* fly.c -- Fly.io app logs over HTTP: GET /api/v1/apps/{app}/logs, oldest first, from a moment on.
 *
 * Two editions are about. One answers in JSON:API pages and goes on from `next_token`, the other in
 * lines (NDJSON), from `start_time`. A window's first call sends both; from then on it is what the
 * answers look like that counts, never their Content-Type.
 *
 * A page may end amid entries of one nanosecond, and nobody says whether what is asked for from a
 * moment includes it. So each page is asked for from a nanosecond before the edge that the last one
 * came to, and what was there already is told by prints in the cursor. The cursor text: the shape,
 * the edge, the size of the last answer, the number of prints, the prints, the token, as in
 * "A 1779235200123456789 100 1 4711 1779235200123456788". A window is done when it has nothing
 * more, or when its end was reached; the next begins at its own beginning, `overlap` before that.
 *
 * Vendor facts are those of Fly's documentation and of fly-go, flyctl's client, read 2026-11. */
#include "source.h"

#include <string.h>
#include <strings.h>

#include "base/timefmt.h"
#include "edge.h"
#include "entry.h"
#include "fly_answer.h"
#include "fly_entry.h"
#include "pick.h"

#define PRINTS_MOST 512  /* of entries at one edge */
#define TOKEN_MOST  4096 /* bytes; it is a time in practice */
/* Where logs are kept for less than was asked for, the first entry is much later than that. */
#define KEPT_AT_LEAST_NS (NS_PER_S * 86400 * 7) /* documentation, read 2026-11: 7 to 15 days */
#define MUCH_LATER_NS    (NS_PER_S * 86400)

static const struct field fields[] = {
    [FLY_APP] = { .name = "app",
                  .kind = FIELD_STRING,
                  .required = true,
                  .identity = true,
                  .help = "the app's name" },
    [FLY_TOKEN] = { .name = "token",
                    .kind = FIELD_STRING,
                    .required = true,
                    .secret = true,
                    .help = "a token that may read it: see `fly tokens create readonly`" },
    [FLY_REGION] = { .name = "region",
                     .kind = FIELD_STRING,
                     .identity = true,
                     .help = "only entries of this region, as `cdg`; by default of all" },
    [FLY_INSTANCE] = { .name = "instance",
                       .kind = FIELD_STRING,
                       .identity = true,
                       .help = "only entries of this Machine; by default of all" },
    { .name = NULL },
};

static const struct attribute resource[] = {
    { "cloud.provider", "fly_io" },
    { NULL, NULL },
};

/* Where a window stands. */
struct place {
    enum fly_shape shape;
    int64_t from_ns;    /* what lies before was yielded */
    int64_t last_count; /* of entries in the last answer; 0: this is the first */
    int64_t prints[PRINTS_MOST];
    size_t print_count; /* of entries from from_ns on that were yielded */
    struct bytes token; /* what to ask for; of lines a moment; empty: the first */
};

/* ---- the cursor --------------------------------------------------------------------------------
 */

/* A token as a moment: decimal digits; false: it says nothing to us. */
static bool token_time(struct bytes token, int64_t *unix_ns)
{
    char text[24] = " ";
    struct bytes number = { text, token.len + 1 };
    if (token.len == 0 || token.len > sizeof(text) - 2)
        return false;
    memcpy(text + 1, token.data, token.len);
    return edge_take(&number, unix_ns) && number.len == 0;
}

/* The text may come from a state file. */
static int place_read(const struct ask *ask, struct place *out, struct error *err)
{
    struct bytes text = ask->at;
    int64_t count = 0;
    *out = (struct place){ .shape = FLY_UNKNOWN, .from_ns = ask->span.start_unix_ns };
    if (text.len == 0)
        return 0;
    out->shape = (enum fly_shape)text.data[0];
    text = (struct bytes){ text.data + 1, text.len - 1 };
    bool good = (out->shape == FLY_PAGES || out->shape == FLY_LINES) &&
                edge_take(&text, &out->from_ns) && edge_take(&text, &out->last_count) &&
                edge_take(&text, &count) && out->from_ns > 0 && count <= PRINTS_MOST;
    while (good && out->print_count < (size_t)count)
        good = edge_take(&text, &out->prints[out->print_count++]);
    if (good && text.len > 1 && text.data[0] == ' ')
        out->token = (struct bytes){ text.data + 1, text.len - 1 };
    int64_t moment;
    good = good && (out->shape == FLY_PAGES ? out->token.len > 0 : token_time(out->token, &moment));
    return good ? 0 : error_set(err, ERR_INPUT, "cursor: not one of ours");
}

static void place_write(const struct place *p, struct cursor *next)
{
    next->more = true;
    buf_printf(&next->text, "%c %lld %lld %zu", p->shape, (long long)p->from_ns,
               (long long)p->last_count, p->print_count);
    for (size_t i = 0; i < p->print_count; i++)
        buf_printf(&next->text, " %lld", (long long)p->prints[i]);
    buf_append_char(&next->text, ' ');
    buf_append_bytes(&next->text, p->token);
}

/* ---- request -----------------------------------------------------------------------------------
 */

/* Take a part off the front of a list with commas, without the blanks around it. */
static bool take_part(struct bytes *list, struct bytes *part)
{
    if (list->len == 0)
        return false;
    const char *comma = memchr(list->data, ',', list->len);
    size_t len = comma ? (size_t)(comma - list->data) : list->len;
    *part = (struct bytes){ list->data, len };
    len += comma != NULL;
    *list = (struct bytes){ list->data + len, list->len - len };
    while (part->len > 0 && strchr(" \t\r\n", part->data[0]))
        *part = (struct bytes){ part->data + 1, part->len - 1 };
    while (part->len > 0 && strchr(" \t\r\n", part->data[part->len - 1]))
        part->len--;
    return true;
}

static bool begins(struct bytes text, const char *with)
{
    return text.len >= strlen(with) && strncasecmp(text.data, with, strlen(with)) == 0;
}

/* fly-go's tokens, read 2026-11: a list; macaroons go under a scheme of their own, by themselves;
 * an OAuth token goes as Bearer. */
static void add_authorization(const char *setting, struct request *out)
{
    struct bytes token = bytes_of(setting), part;
    struct buf value = BUF_INIT(REQUEST_URL_MAX);
    while (begins(token, " "))
        token = (struct bytes){ token.data + 1, token.len - 1 };
    size_t scheme = begins(token, "FlyV1 ") ? 6 : begins(token, "Bearer ") ? 7 : 0;
    token = (struct bytes){ token.data + scheme, token.len - scheme };
    struct bytes list = token;
    while (take_part(&list, &part)) {
        if (!begins(part, "fm1r_") && !begins(part, "fm1a_") && !begins(part, "fm2_"))
            continue;
        buf_append_text(&value, value.len ? "," : "FlyV1 ");
        buf_append_bytes(&value, part);
    }
    if (value.len == 0) {
        buf_append_text(&value, "Bearer ");
        if (take_part(&token, &part)) {
            buf_append_bytes(&value, part);
            while (take_part(&token, &part)) {
                buf_append_char(&value, ',');
                buf_append_bytes(&value, part);
            }
        }
    }
    request_header(out, "Authorization", buf_text(&value));
    buf_release(&value);
}

/* An endpoint that ends in /v1 is the API's root by itself: https://api.machines.dev/v1. */
static void add_path(const struct stream *st, struct request *out)
{
    size_t len = strlen(st->endpoint);
    bool root = len > 3 && strcmp(st->endpoint + len - 3, "/v1") == 0;
    buf_reset(&out->url);
    buf_append_text(&out->url, st->endpoint);
    buf_append_text(&out->url, root ? "/apps" : "/api/v1/apps");
    request_path(out, st->settings[FLY_APP].text);
    request_path(out, "logs");
}

static bool is_set(const struct setting *setting)
{
    return setting->text && setting->text[0];
}

static int fly_request(const struct stream *st, const struct ask *ask, struct request *out,
                       struct error *err)
{
    struct place place;
    const struct setting *set = st->settings;
    if (place_read(ask, &place, err))
        return -1;
    char date[TIMEFMT_MAX];
    struct buf token = BUF_INIT(TOKEN_MOST);
    int64_t moment = place.from_ns - 1;
    add_path(st, out);
    token_time(place.token, &moment);
    buf_printf(&token, "%lld", (long long)moment);
    if (place.shape != FLY_LINES)
        request_query(out, "next_token", place.token.len ? place.token : buf_bytes(&token));
    timefmt_rfc3339(moment, 9, date);
    if (place.shape != FLY_PAGES)
        request_query(out, "start_time", bytes_of(date));
    /* As flyctl has it: of the two the Machine. */
    if (is_set(&set[FLY_INSTANCE]))
        request_query(out, "instance", bytes_of(set[FLY_INSTANCE].text));
    else if (is_set(&set[FLY_REGION]))
        request_query(out, "region", bytes_of(set[FLY_REGION].text));
    out->accept = "application/json";
    add_authorization(set[FLY_TOKEN].text, out);
    buf_release(&token);
    return 0;
}

/* ---- where to go on ----------------------------------------------------------------------------
 */

/* FNV-1a, of 63 bits: what an edge's entries are known by. */
static int64_t print_of(struct otlp_text text)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < text.len; i++)
        hash = (hash ^ (unsigned char)text.data[i]) * UINT64_C(0x100000001b3);
    return (int64_t)(hash >> 1);
}

/* Whether an entry was yielded before; each print stands for one. */
static bool take_print(struct place *p, int64_t print)
{
    for (size_t i = 0; i < p->print_count; i++) {
        if (p->prints[i] == print) {
            p->prints[i] = p->prints[--p->print_count];
            return true;
        }
    }
    return false;
}

static bool add_print(struct place *p, int64_t print)
{
    if (p->print_count == PRINTS_MOST)
        return false;
    p->prints[p->print_count++] = print;
    return true;
}

/* What an answer says of how far it reaches. */
struct reach {
    struct bytes token; /* of a page; empty: none */
    bool any;           /* there is an entry that was asked for, and these are ... */
    int64_t first_ns, last_ns;
    int64_t edge_ns; /* all before it is there */
    bool as_given;   /* the token is the way to go on: it is no moment, or one behind all entries */
    bool ends;       /* the platform, or the window, has no more */
    bool stuck;      /* what was asked for from the edge on has only what is right before it */
};

/* Whether an answer that has nothing new cannot have been cut: it is far smaller than the one
 * before, which a page's size bounds; or twice that, where entries of one moment are kept together.
 */
static bool is_short(const struct place *at, const struct fly_answer *a)
{
    return 2 * (a->entries.count + a->torn + a->alien) <= (size_t)at->last_count;
}

/* A platform for which a moment includes itself may have a whole page of what was yielded: the edge
 * itself is then the moment to ask for. */
static bool is_stuck(const struct place *at, const struct fly_answer *a)
{
    int64_t first, last, moment = at->from_ns - 1;
    token_time(at->token, &moment);
    return moment == at->from_ns - 1 && !is_short(at, a) &&
           edge_range(&a->entries, moment, at->from_ns, &first, &last);
}

static struct reach reach_of(const struct ask *ask, const struct place *at,
                             const struct fly_answer *a, struct bytes token)
{
    struct reach r = { .token = token };
    int64_t moment = 0;
    bool is_time = token_time(token, &moment);
    bool same = at->token.len ? bytes_equal(token, at->token)
                              : is_time && moment == at->from_ns - 1;
    r.any = edge_range(&a->entries, at->from_ns, INT64_MAX, &r.first_ns, &r.last_ns);
    if (!r.any) {
        r.edge_ns = at->from_ns;
        r.last_ns = at->from_ns - 1;
        r.stuck = is_stuck(at, a);
        r.ends = !a->cut && !r.stuck;
        return r;
    }
    r.edge_ns = is_time && moment >= at->from_ns && moment < r.last_ns ? moment : r.last_ns;
    r.as_given = token.len > 0 && (!is_time || moment > r.last_ns);
    r.ends = same || r.edge_ns >= ask->span.end_unix_ns;
    return r;
}

/* Write what was not yielded before, and note in `next` what the next answer may hold again.
 * Returns how many entries are new; `*fits` turns false where the notes are too many. */
static size_t write_entries(const struct stream *st, const struct fly_answer *a, struct place *at,
                            struct place *next, struct page *out, bool *fits)
{
    struct buf room = BUF_INIT(a->entries.longest);
    size_t fresh = 0;
    for (size_t i = 0; i < a->entries.count; i++) {
        const struct edge_entry *e = &a->entries.entries[i];
        if (e->at_ns < at->from_ns)
            continue;
        bool near = e->at_ns >= next->from_ns;
        int64_t print = near || at->print_count ? print_of(e->text) : 0;
        if (!take_print(at, print)) {
            fly_entry_write(st, e, &room, out);
            fresh++;
        }
        if (near)
            *fits = add_print(next, print) && *fits;
    }
    for (size_t i = 0; i < at->print_count && next->from_ns == at->from_ns; i++)
        *fits = add_print(next, at->prints[i]) && *fits;
    buf_release(&room);
    return fresh;
}

/* Write the page, and where to go on. */
static void settle(const struct stream *st, const struct ask *ask, struct place *at,
                   const struct fly_answer *a, struct bytes token, struct page *out)
{
    struct reach r = reach_of(ask, at, a, token);
    struct place next = { .shape = a->shape, .from_ns = r.edge_ns };
    struct buf moment = BUF_INIT(32);
    size_t count = a->entries.count + a->torn + a->alien;
    bool fits = true;
    size_t fresh = write_entries(st, a, at, &next, out, &fits);
    /* A line that is torn is asked for once more, lest it was torn on its way. */
    bool once_more = a->cut && fresh == 0 && count != (size_t)at->last_count;
    bool no_more = fresh == 0 && !once_more && !r.stuck;
    if (r.ends || (no_more && (!r.any || is_short(at, a))))
        return;
    if (no_more || !fits) { /* as good as it gets: past them */
        next.from_ns = r.last_ns + 1;
        next.print_count = 0;
    }
    buf_printf(&moment, "%lld", (long long)(r.stuck ? next.from_ns : next.from_ns - 1));
    next.token = r.as_given ? r.token : buf_bytes(&moment);
    next.last_count = (int64_t)count;
    place_write(&next, &out->next);
    buf_release(&moment);
}

/* On a window's first answer: the platform may have thrown away what was asked for. */
static struct span lost_before(const struct ask *ask, const struct edge *e)
{
    int64_t first, last, start = ask->span.start_unix_ns, end = ask->span.end_unix_ns;
    if (ask->at.len == 0 && end - start > KEPT_AT_LEAST_NS &&
        edge_range(e, start, INT64_MAX, &first, &last) && first - start > MUCH_LATER_NS)
        return (struct span){ start, first };
    return (struct span){ 0, 0 };
}

static int fly_decode(const struct stream *st, const struct ask *ask, struct bytes frame,
                      struct page *out, struct error *err)
{
    struct place at;
    struct fly_answer answer = { 0 };
    struct buf room = BUF_INIT(frame.len);
    int rc = -1;
    page_reset(out);
    if (place_read(ask, &at, err))
        return -1;
    if (fly_answer_read(frame, at.shape, at.from_ns, &answer, err))
        goto out;
    pick_room(&room, answer.token.len);
    struct bytes token = pick_text(answer.token, &room);
    if (token.len > TOKEN_MOST || memchr(token.data, '\0', token.len)) {
        error_set(err, ERR_INPUT, "next_token: not one of at most %d bytes", TOKEN_MOST);
        goto out;
    }
    settle(st, ask, &at, &answer, token, out);
    out->lost = lost_before(ask, &answer.entries);
    rc = page_finish(out, err);
out:
    edge_release(&answer.entries);
    buf_release(&room);
    if (rc)
        page_reset(out);
    return rc;
}

const struct source source_fly = {
    .name = "fly",
    .summary = "Fly.io app logs, over HTTP",
    .fields = fields,
    .endpoint = "https://api.fly.io",
    .resource = resource,
    .service_name = FLY_APP,
    .budget = FLY_APP,
    .limits = {
        /* Not documented: flyctl waits 128 ms after an empty page; a quarter of a second is ours. */
        .calls = 4,
        .period_ns = NS_PER_S,
        .wait_ns = NS_PER_S * 5,
    },
    .defaults = { .lookback = "1h", .lag = "0s", .overlap = "2m" },
    .tails = true,
    .request = fly_request,
    .decode = fly_decode,
};
