#include "stretch.h"

#include <string.h>

#include "parse.h"

const char *stretch_parameter(const struct web_request *rq, const char *key)
{
    for (size_t i = 0; i < rq->query.count; i++) {
        if (strcmp(rq->query.items[i].key, key) == 0)
            return rq->query.items[i].value;
    }
    return NULL;
}

bool stretch_has_only(const struct web_request *rq, const char *const *known)
{
    size_t found = 0;
    for (; *known; known++)
        found += stretch_parameter(rq, *known) != NULL;
    return !rq->query_bad && found == rq->query.count;
}

int64_t stretch_quirk(const struct sim *sim, const char *name, int64_t fallback)
{
    int64_t value;
    const char *quirk = options_quirk(sim->options, name);
    return quirk && parse_count(quirk, &value) ? value : fallback;
}

size_t stretch_app(const struct sim *sim, const char *name, size_t len)
{
    const struct list *apps = &sim->options->apps;
    for (size_t i = 0; i < apps->count; i++) {
        if (strlen(apps->items[i]) == len && memcmp(apps->items[i], name, len) == 0)
            return i;
    }
    return SIZE_MAX;
}

void stretch_init(struct stretch *s, struct sim *sim, const struct history *h, int64_t from_ns,
                  int64_t to_ns)
{
    *s = (struct stretch){ .h = h, .visible_ns = sim_visible_ns(sim) };
    uint64_t visible = history_until(h, s->visible_ns);
    s->next = history_before(h, from_ns);
    s->end = history_before(h, to_ns);
    s->end = s->end < visible ? s->end : visible;
}

bool stretch_next(struct stretch *s, struct entry *out)
{
    while (s->next < s->end) {
        history_at(s->h, s->next++, out);
        if (out->seen_ns <= s->visible_ns)
            return true;
    }
    return false;
}

const char *stretch_instance(const struct history *h, size_t site)
{
    const char *slash = strrchr(h->sites[site], '/');
    return slash ? slash + 1 : h->sites[site];
}
