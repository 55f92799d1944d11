/* scalingo.c -- Scalingo: a token for a token, a URL for that, and there the app's last `n` lines
 * as text, in no order; where that is full it is emptied at once, into archives. */
#include "tests/model/model.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/timefmt.h"

#define AUTH     "https://auth.test/v1/tokens/exchange"
#define API      "https://api.test/v1/apps/"
#define LOGS     "https://logs.test/apps/"
#define ARCHIVES "https://store.test/"

enum { DUMP, EXCHANGE, URL, LIST, ARCHIVE };

static void scalingo_adapt(struct origin *o, struct rng *r)
{
    struct manner *m = &o->manner;
    snprintf(o->app, sizeof(o->app), "shop-%u", (unsigned)o->budget);
    m->by_arrival = false;
    m->rolls = rng_percent(r, 50);
    m->ring = m->rolls ? (size_t)rng_between(r, 3, 120) : 0;
    m->rolls_early = m->rolls && rng_percent(r, 30) ? (int)rng_between(r, 20, 400) : 0;
    m->archived = rng_percent(r, 75); /* its URL is asked for, and so are archives */
    m->ignores_filters = rng_percent(r, 40);
    m->keeps_newest = rng_percent(r, 50);
    m->session_ns = rng_percent(r, 40) ? rng_between(r, 10, 60) * MINUTE : 0;
    m->page_size = (int)rng_between(r, 1, 5); /* of archives */
    o->instances = (unsigned)rng_between(r, 1, 3);
    o->filtered = rng_percent(r, 25);
    m->twins_together = true;
    m->prompt_at_first = true; /* how far the first dump reaches back only its times tell */
    m->follows = m->order == ORDER_ASC && !o->filtered && !m->rolls;
}

static void scalingo_configure(const struct origin *o, struct buf *yaml)
{
    buf_printf(yaml, ", type: scalingo, app: %s", o->app);
    if (o->manner.archived)
        buf_printf(yaml,
                   ", api_token: %s, auth_endpoint: \"https://auth.test\", api_endpoint: "
                   "\"https://api.test/\"",
                   o->token);
    else
        buf_printf(yaml, ", logs_url: \"" LOGS "%s/logs?token=%zu-0&timestamp=1\"", o->app,
                   o->index);
    buf_printf(yaml, ", lines: %d", o->manner.order == ORDER_ASC ? 1000 : 4);
    if (o->filtered)
        buf_append_text(yaml, ", filter: \"web|cron\"");
}

static void scalingo_write_record(const struct content *c, int64_t time_unix_ns, const char *mark,
                                  const char *padding, struct rng *chance, struct buf *out)
{
    bool summer = rng_percent(chance, 30);
    bool whole = time_unix_ns % NS_PER_MS == 0 && rng_percent(chance, 50);
    char time[TIMEFMT_MAX];
    if (c->follows) {
        buf_printf(out, "    at %s%s", mark, padding);
        return;
    }
    timefmt_rfc3339(time_unix_ns + (summer ? 2 * HOUR : 0), whole ? 3 : 9, time);
    buf_printf(out, "%.10s %.*s %s [%s-%u] %s%s%s", time, whole ? 12 : 18, time + 11,
               summer ? "+0200 CEST" : "+0000 UTC", c->foreign ? "worker" : "web", c->instance,
               rng_percent(chance, 30) ? "[api] " : "", mark, padding);
}

/* "N-NUMBER": whose it is, and which. */
static bool read_key(struct world *w, struct bytes text, struct question *out)
{
    const char *dash = memchr(text.data, '-', text.len);
    int64_t index, number;
    if (!dash || !query_number((struct bytes){ text.data, (size_t)(dash - text.data) }, &index) ||
        !query_number((struct bytes){ dash + 1, text.len - (size_t)(dash - text.data) - 1 },
                      &number) ||
        index >= (int64_t)w->plan.source_count)
        return false;
    out->origin = &w->origins[index];
    out->key = (size_t)number;
    return true;
}

static void read_dump(struct world *w, const char *query, struct buf *room, struct question *out)
{
    struct bytes name, value;
    bool dated = false;
    while (query_next(&query, room, &name, &value)) {
        if (bytes_is(name, "token"))
            read_key(w, value, out);
        else if (bytes_is(name, "timestamp"))
            dated = bytes_is(value, "1");
        else if (bytes_is(name, "n") && query_number(value, &out->limit))
            out->wrong = out->limit <= 150000 ? out->wrong : "n";
        else if (bytes_is(name, "filter"))
            out->filtered = bytes_is(value, "web|cron");
        else
            out->wrong = "a parameter that nobody knows";
    }
    if (out->origin && (!dated || out->limit < 0 || out->filtered != out->origin->filtered))
        out->wrong = "a parameter is missing";
}

static void read_api(struct world *w, const struct request *r, struct bytes path, const char *query,
                     struct buf *room, struct question *out)
{
    static const char scheme[] = "Bearer jwt-";
    const char *auth = query_header(r, "Authorization");
    struct bytes name, value;
    if (!auth || strncmp(auth, scheme, strlen(scheme)) != 0 ||
        !read_key(w, bytes_of(auth + strlen(scheme)), out))
        return;
    size_t len = strlen(out->origin->app);
    struct bytes rest = { path.data + len, path.len - len };
    if (path.len < len || memcmp(path.data, out->origin->app, len) != 0)
        out->wrong = "another app";
    out->kind = bytes_is(rest, "/logs") ? URL : LIST;
    if (out->kind == LIST && !bytes_is(rest, "/logs_archives"))
        out->wrong = "a path that nobody knows";
    while (query_next(&query, room, &name, &value)) {
        if (!bytes_is(name, "cursor") || !query_number(value, &out->offset))
            out->wrong = "a parameter that nobody knows";
    }
}

static void scalingo_read_request(struct world *w, const struct request *r, struct buf *room,
                                  struct question *out)
{
    const char *query;
    struct bytes path;
    if (query_path(r, LOGS, &path, &query)) {
        read_dump(w, query, room, out);
    } else if (query_path(r, API, &path, &query)) {
        read_api(w, r, path, query, room, out);
    } else if (query_path(r, ARCHIVES, &path, &query)) {
        const char *slash = memchr(path.data, '/', path.len);
        out->kind = ARCHIVE;
        if (slash && read_key(w, (struct bytes){ path.data, (size_t)(slash - path.data) }, out) &&
            !query_number(bytes_of(slash + 1), &out->offset))
            out->wrong = "an archive that nobody gave";
    } else if (query_path(r, AUTH, &path, &query)) {
        out->kind = EXCHANGE;
        for (size_t i = 0; i < w->plan.source_count && r->username && !*r->username; i++) {
            if (r->password && strcmp(r->password, w->origins[i].token) == 0)
                out->origin = &w->origins[i];
        }
        if (!r->body.data && (!r->method || strcmp(r->method, "POST") != 0))
            out->wrong = "GET, where POST is wanted";
    }
}

/* The lines of records that arrived [from, to), as many of the last as `n` says; of an archive all
 * of them, of whatever container. */
static void write_lines(struct origin *o, size_t from, size_t to, size_t n, bool all,
                        struct buf *out)
{
    struct world *w = o->w;
    const struct record **list = xcalloc(o->record_count + 1, sizeof(const struct record *));
    size_t count = 0;
    for (size_t i = from; i < to; i++) {
        const struct record *r = &o->records[o->arrived[i]];
        if (!w->contents[r->content].foreign || o->manner.ignores_filters || all)
            list[count++] = r;
    }
    const struct record **last = list + (count > n ? count - n : 0);
    count = count > n ? n : count;
    world_say(w, "  %s: %zu lines", o->name, count);
    for (size_t i = count; i > 1 && o->manner.order == ORDER_SHUFFLED; i--) {
        size_t k = rng_below(&w->faults, i);
        const struct record *r = last[k];
        last[k] = last[i - 1];
        last[i - 1] = r;
    }
    count = platform_lose(w, count);
    for (size_t i = 0; i < count; i++) {
        const struct content *c = &w->contents[last[i]->content];
        buf_append(out, c->text, c->len);
        if (i + 1 < count || o->manner.last_cursor)
            buf_append_char(out, '\n');
    }
    free(list);
}

static void write_date(int64_t unix_ns, struct buf *out)
{
    char text[64];
    time_t seconds = (time_t)(unix_ns / NS_PER_S);
    struct tm tm;
    gmtime_r(&seconds, &tm);
    strftime(text, sizeof(text), "%a %b %d %H:%M:%S +0000 UTC %Y", &tm);
    buf_printf(out, "\"%s\"", text);
}

/* What arrived between two times that the ring was emptied, and when. */
static void write_archive(struct origin *o, size_t index, size_t key, struct buf *out)
{
    size_t first = index ? o->rolled[index - 1] : 0, size = 0;
    for (size_t i = first; i < o->rolled[index]; i++)
        size += o->w->contents[o->records[o->arrived[i]].content].len + 1;
    buf_printf(out, "{\"url\":\"" ARCHIVES "%zu-%zu/%zu\",\"size\":%zu,\"from\":", o->index, key,
               index, size);
    write_date(o->records[o->arrived[first]].seen_unix_ns, out);
    buf_append_text(out, ",\"to\":");
    write_date(o->records[o->arrived[o->rolled[index] - 1]].seen_unix_ns, out);
    buf_append_char(out, '}');
}

/* The cursor is how many archives there are up to the next one, in either order. */
static void write_list(struct origin *o, const struct question *q, struct buf *out)
{
    const struct manner *m = &o->manner;
    size_t count = shelf_gone(o, world_unix_ns(o->w)) ? o->rolled_count : 0;
    size_t next = q->offset > 0 ? (size_t)q->offset : m->keeps_newest ? count : 1, listed = 0;
    size_t key = platform_give_key(o, ARCHIVE);
    buf_append_text(out, "{\"archives\":[");
    for (; next > 0 && next <= count && listed < (size_t)m->page_size; listed++) {
        buf_append_text(out, listed ? "," : "");
        write_archive(o, next - 1, key, out);
        next += m->keeps_newest ? SIZE_MAX : 1;
    }
    world_say(o->w, "  %s: %zu archives of %zu", o->name, listed, count);
    if (next > 0 && next <= count)
        buf_printf(out,
                   m->eager_cursor ? "],\"next_cursor\":%zu,\"has_more\":true}"
                                   : "],\"next_cursor\":\"%zu\",\"has_more\":true}",
                   next);
    else
        buf_append_text(out, "],\"next_cursor\":\"\",\"has_more\":false}");
}

static void answer_dump(struct origin *o, const struct question *q, struct reply *out)
{
    int64_t now = world_unix_ns(o->w);
    write_lines(o, shelf_gone(o, now), shelf_arrived(o, now), (size_t)q->limit, false, &out->body);
    o->as_text = true;
    if (rng_permille(&o->w->faults, o->manner.rolls_early))
        shelf_roll(o);
    if (out->body.len == 0)
        out->status = (int)RNG_PICK(&o->w->faults, 200, 204, 404);
}

static void scalingo_answer(struct origin *o, const struct question *q, struct reply *out)
{
    struct world *w = o->w;
    static const int wanted[] = {
        [DUMP] = URL, [URL] = EXCHANGE, [LIST] = EXCHANGE, [ARCHIVE] = ARCHIVE
    };
    int64_t life_ns = wanted[q->kind] == EXCHANGE ? HOUR : o->manner.session_ns;
    bool free_for_all = q->kind == EXCHANGE || (q->kind == DUMP && !o->manner.archived);
    if (!free_for_all && !platform_key_holds(o, q->key, wanted[q->kind], life_ns)) {
        w->faults_in_run++;
        out->status = q->kind == URL || q->kind == LIST ? 401 : (int)RNG_PICK(&w->faults, 401, 403);
        return;
    }
    out->status = 200;
    if (q->kind == EXCHANGE)
        buf_printf(&out->body, "{\"token\":\"jwt-%zu-%zu\"}", o->index,
                   platform_give_key(o, EXCHANGE));
    else if (q->kind == URL)
        buf_printf(&out->body,
                   "{\"app\":{\"name\":\"%s\"},\"logs_url\":\"" LOGS
                   "%s/logs?token=%zu-%zu&timestamp=1\"}",
                   o->app, o->app, o->index, platform_give_key(o, URL));
    else if (q->kind == LIST)
        write_list(o, q, &out->body);
    else if (q->kind == DUMP)
        answer_dump(o, q, out);
    else if ((size_t)q->offset >= o->rolled_count)
        world_fail(w, "%s: an archive that nobody gave", o->name);
    else {
        size_t first = q->offset ? o->rolled[q->offset - 1] : 0;
        write_lines(o, first, o->rolled[q->offset], SIZE_MAX, true, &out->body);
        o->as_text = true;
    }
}

static void scalingo_name_instance(const struct content *c, char out[64])
{
    snprintf(out, 64, "%s-%u", c->foreign ? "worker" : "web", c->instance);
}

const struct platform platform_scalingo = {
    .type = "scalingo",
    .retention_ns = 365 * DAY,
    .unit_ns = 1,
    .tails = true,
    .adapt = scalingo_adapt,
    .configure = scalingo_configure,
    .write_record = scalingo_write_record,
    .name_instance = scalingo_name_instance,
    .read_request = scalingo_read_request,
    .answer = scalingo_answer,
};
