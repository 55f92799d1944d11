#include "select.h"

#include <stdlib.h>
#include <string.h>

#include "parse.h"

static bool read_text(const char *text, char **out)
{
    free(*out);
    *out = xstrdup(text);
    return true;
}

static bool read_level(const char *text, unsigned int *out)
{
    int level = history_level_named(text);
    if (level >= 0)
        *out |= 1U << level;
    return level >= 0;
}

static bool read_site(struct select *s, const char *text)
{
    if (s->filter.site_count == SELECT_SITES_MAX)
        return false;
    s->sites[s->filter.site_count++] = xstrdup(text);
    return true;
}

static bool read_pair(struct select *s, const char *key, const char *value)
{
    if (strcmp(key, "from") == 0)
        return parse_moment(value, &s->from_ns);
    if (strcmp(key, "to") == 0)
        return parse_moment(value, &s->to_ns);
    if (strcmp(key, "app") == 0)
        return read_text(value, &s->app);
    if (strcmp(key, "environment") == 0)
        return read_text(value, &s->environment);
    if (strcmp(key, "message") == 0)
        return read_text(value, &s->message);
    if (strcmp(key, "level") == 0)
        return read_level(value, &s->filter.levels);
    if (strcmp(key, "installationContext") == 0)
        return read_site(s, value);
    s->by_arrival = strcmp(value, "arrival") == 0;
    return strcmp(key, "by") == 0 && (s->by_arrival || strcmp(value, "record") == 0);
}

int select_init(struct select *s, struct sim *sim, const struct pairs *query, struct error *err)
{
    *s = (struct select){ .sim = sim, .to_ns = INT64_MAX, .scratch = BUF_INIT((size_t)64 << 20) };
    s->visible_ns = sim_visible_ns(sim);
    for (size_t i = 0; i < query->count; i++) {
        if (!read_pair(s, query->items[i].key, query->items[i].value)) {
            select_release(s);
            return error_set(err, ERR_USAGE, "%s: not known, or a wrong value",
                             query->items[i].key);
        }
    }
    s->filter.message = s->message;
    s->filter.sites = (const char *const *)s->sites;
    return 0;
}

void select_release(struct select *s)
{
    free(s->app);
    free(s->environment);
    free(s->message);
    for (size_t i = 0; i < s->filter.site_count; i++)
        free(s->sites[i]);
    buf_release(&s->scratch);
    *s = (struct select){ 0 };
}

static bool wanted(const char *chosen, const char *name)
{
    return !chosen || (name && strcmp(chosen, name) == 0);
}

/* Go to the first entry of the stream that it stands at. */
static void begin(struct select *s)
{
    const struct history *h = &s->sim->streams[s->stream];
    int64_t earliest = s->from_ns - (s->by_arrival ? h->max_late_ns : 0);
    int64_t latest = s->to_ns < s->visible_ns ? s->to_ns - 1 : s->visible_ns;
    s->index = history_before(h, earliest);
    s->end = history_until(h, latest);
    if (!wanted(s->app, h->app) || !wanted(s->environment, h->environment))
        s->end = s->index;
    s->begun = true;
}

static bool holds(const struct select *s, const struct entry *e)
{
    int64_t t = s->by_arrival ? e->seen_ns : e->time_ns;
    return t >= s->from_ns && t < s->to_ns && e->seen_ns <= s->visible_ns;
}

bool select_next(struct select *s, const struct history **h, struct entry *out)
{
    for (; s->stream < s->sim->stream_count; s->stream++, s->begun = false) {
        *h = &s->sim->streams[s->stream];
        if (!s->begun)
            begin(s);
        while (s->index < s->end) {
            history_at(*h, s->index++, out);
            if (holds(s, out) && history_matches(*h, &s->filter, out, &s->scratch))
                return true;
        }
    }
    return false;
}
