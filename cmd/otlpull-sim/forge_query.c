#include "forge_query.h"

#include <string.h>

#include "base/clock.h"
#include "base/timefmt.h"

#define LONGEST_SPAN_NS (INT64_C(3600) * NS_PER_S)
#define RETENTION_NS    (14 * INT64_C(86400) * NS_PER_S)

/* yyyy-MM-ddTHH:mm:ss.SSSZ and nothing else. */
static bool read_date(const char *text, int64_t *out)
{
    static const char form[] = "dddd-dd-ddTdd:dd:dd.dddZ";
    if (strlen(text) != sizeof(form) - 1)
        return false;
    for (size_t i = 0; form[i]; i++) {
        bool digit = text[i] >= '0' && text[i] <= '9';
        if (form[i] == 'd' ? !digit : text[i] != form[i])
            return false;
    }
    return memcmp(text + 17, "60", 2) != 0 && timefmt_parse_rfc3339(bytes_of(text), out);
}

/* A parameter that may stand once; NULL: fine, else what is wrong. */
static const char *read_single(const struct web_request *rq, const char *key, const char **out)
{
    *out = NULL;
    for (size_t i = 0; i < rq->query.count; i++) {
        if (strcmp(rq->query.items[i].key, key) != 0)
            continue;
        if (*out)
            return "a parameter that takes one value stands twice";
        *out = rq->query.items[i].value;
    }
    return NULL;
}

static const char *read_repeated(const struct web_request *rq, struct forge_query *q)
{
    for (size_t i = 0; i < rq->query.count; i++) {
        const char *key = rq->query.items[i].key, *value = rq->query.items[i].value;
        if (strcmp(key, "level") == 0) {
            int level = history_level_named(value);
            if (level < 0)
                return "level: unknown";
            q->filter.levels |= 1U << level;
        } else if (strcmp(key, "installationContext") == 0) {
            if (q->filter.site_count == FORGE_MOST_SITES)
                return "installationContext: more than 50";
            if (strncmp(value, "ari:cloud:", strlen("ari:cloud:")) != 0)
                return "installationContext: not an ARI";
            q->sites[q->filter.site_count++] = value;
        }
    }
    q->filter.sites = q->sites;
    return NULL;
}

static const char *read_known(const struct web_request *rq)
{
    static const char *const known[] = { "environmentId", "startDate",           "endDate", "level",
                                         "message",       "installationContext", "cursor" };
    for (size_t i = 0; i < rq->query.count; i++) {
        size_t k = 0;
        while (k < COUNT(known) && strcmp(known[k], rq->query.items[i].key) != 0)
            k++;
        if (k == COUNT(known))
            return "unknown parameter";
    }
    return NULL;
}

static const char *check_span(int64_t start_ns, int64_t end_ns, int64_t now_ns)
{
    if (end_ns <= start_ns)
        return "endDate is not after startDate";
    if (end_ns - start_ns > LONGEST_SPAN_NS)
        return "the time range is longer than one hour";
    if (start_ns < now_ns - RETENTION_NS)
        return "startDate is more than 14 days ago";
    if (end_ns > now_ns)
        return "endDate is in the future";
    return NULL;
}

static const char *read_span(const struct web_request *rq, struct forge_query *q, int64_t now_ns)
{
    const char *start, *end;
    const char *wrong = read_single(rq, "startDate", &start);
    if (!wrong)
        wrong = read_single(rq, "endDate", &end);
    if (wrong)
        return wrong;
    if (!start || !end)
        return "startDate and endDate are required";
    if (!read_date(start, &q->start_ns) || !read_date(end, &q->end_ns))
        return "dates have the form yyyy-MM-ddTHH:mm:ss.SSSZ";
    return check_span(q->start_ns, q->end_ns, now_ns);
}

static uint64_t text_digest(uint64_t seed, const char *text)
{
    uint64_t digest = seed;
    for (; *text; text++)
        digest = history_mix(digest, (unsigned char)*text);
    return digest;
}

static uint64_t query_digest(const struct web_request *rq)
{
    uint64_t sum = text_digest(1, rq->path);
    for (size_t i = 0; i < rq->query.count; i++) {
        const struct pair *p = &rq->query.items[i];
        if (strcmp(p->key, "cursor") != 0)
            sum += text_digest(text_digest(2, p->key) + 3, p->value);
    }
    return sum;
}

const char *forge_query_read(struct forge_query *q, const struct web_request *rq, int64_t now_ns)
{
    *q = (struct forge_query){ .digest = query_digest(rq) };
    if (rq->query_bad)
        return "the query is not percent-encoded as it should be";
    const char *wrong = read_known(rq);
    if (!wrong)
        wrong = read_single(rq, "environmentId", &q->environment);
    if (!wrong && !q->environment)
        wrong = "environmentId is required";
    if (!wrong)
        wrong = read_single(rq, "message", &q->filter.message);
    if (!wrong)
        wrong = read_single(rq, "cursor", &q->cursor);
    if (!wrong)
        wrong = read_repeated(rq, q);
    return wrong ? wrong : read_span(rq, q, now_ns);
}
