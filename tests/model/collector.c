#include "tests/model/model.h"

#include <stdlib.h>
#include <string.h>

#include "otlp/otlp.h"

#define MARK_MAX 12

static void note(struct taken *out, uint32_t content, size_t *capacity)
{
    if (out->count == *capacity) {
        *capacity = *capacity ? 2 * *capacity : 32;
        out->contents = xreallocarray(out->contents, *capacity, sizeof(*out->contents));
    }
    out->contents[out->count++] = content;
}

/* The number of a mark "~N~" that begins at `at`; false: it is none. */
static bool read_mark(const char *at, const char *end, size_t *number, size_t *len)
{
    size_t n = 0, i = 1;
    while (at + i < end && i < MARK_MAX && at[i] >= '0' && at[i] <= '9')
        n = n * 10 + (size_t)(at[i++] - '0');
    *number = n;
    *len = i + 1;
    return i > 1 && at + i < end && at[i] == '~';
}

void collector_find(struct world *w, struct bytes text, struct taken *out)
{
    const char *end = text.data + text.len;
    const char *at = memchr(text.data, '~', text.len);
    size_t capacity = 0;
    *out = (struct taken){ 0 };
    while (at) {
        size_t number, len;
        if (!read_mark(at, end, &number, &len) || number >= w->content_count) {
            world_fail(w, "a record that no platform has: %.*s",
                       (int)(end - at < 40 ? end - at : 40), at);
            return;
        }
        const struct content *c = &w->contents[number];
        if (out->origin && c->origin != out->origin)
            world_fail(w, "a request with records of two sources");
        out->origin = c->origin;
        if (!w->plan.normalize && w->platform->verbatim &&
            ((size_t)(at - text.data) < c->mark_at || (size_t)(end - at) < c->len - c->mark_at ||
             memcmp(at - c->mark_at, c->text, c->len) != 0))
            world_fail(w, "record %zu is not as the platform sent it", number);
        note(out, (uint32_t)number, &capacity);
        at += len;
        at = memchr(at, '~', (size_t)(end - at));
    }
}

static bool holds_poison(const struct world *w, const struct taken *taken)
{
    for (size_t i = 0; i < taken->count; i++) {
        if (w->contents[taken->contents[i]].poison)
            return true;
    }
    return false;
}

static int spell_status(struct world *w)
{
    static const int statuses[COLLECTOR_KINDS] = {
        [COLLECTOR_429] = 429, [COLLECTOR_503] = 503, [COLLECTOR_500] = 500, [COLLECTOR_400] = 400
    };
    int64_t now = tasks_mono_ns(w->tasks);
    for (size_t i = 0; i < w->plan.collector_spell_count && !w->calm; i++) {
        const struct spell *s = &w->plan.collector_spells[i];
        if (s->kind != COLLECTOR_DOWN && now >= s->from_mono_ns && now < s->to_mono_ns) {
            w->faults_in_run++;
            return statuses[s->kind];
        }
    }
    return 0;
}

/* What it answers to a body, and whether it keeps the records. */
static int verdict(struct world *w, const struct request *request, const struct taken *taken,
                   struct reply *out)
{
    int status = spell_status(w);
    if (!status && w->plan.body_limit && request->body.len > w->plan.body_limit)
        status = 413;
    if (!status && w->plan.queue && taken->count > w->plan.queue && world_fault(w, 800))
        status = 503;
    if (!status && world_fault(w, w->plan.post_faults))
        status = (int)RNG_PICK(&w->faults, 429, 502, 503, 504);
    if (!status && holds_poison(w, taken))
        status = w->plan.poison_status;
    if ((status == 429 || status == 503) && rng_percent(&w->faults, 50))
        snprintf(out->retry_after, sizeof(out->retry_after), "%d", (int)rng_below(&w->faults, 20));
    return status ? status : rng_percent(&w->faults, 90) ? 200 : 202;
}

static void keep(struct world *w, struct taken *taken)
{
    taken->accepted = true;
    for (size_t i = 0; i < taken->count; i++) {
        struct content *c = &w->contents[taken->contents[i]];
        c->delivered++;
        if (w->settings->breakage == BREAK_TWICE && !w->broken) {
            w->broken = true;
            c->delivered++;
        }
    }
}

static void check_body(struct world *w, struct bytes body)
{
    struct otlp_scan s;
    otlp_scan_init(&s, body.data, body.len);
    if (!otlp_scan_value(&s, NULL) || !otlp_scan_end(&s))
        world_fail(w, "a request whose body is not JSON");
}

/* Each record stands under a resource of its own instance. */
static void check_resources(struct world *w, struct bytes body, const struct taken *taken)
{
    static const char resource[] = "\"resource\":{", scopes[] = "\"scopeLogs\"";
    const char *at = body.data, *end = body.data + body.len, *from = NULL, *to = NULL;
    for (size_t i = 0; i < taken->count; i++) {
        const struct content *c = &w->contents[taken->contents[i]];
        char mark[24], instance[64], attribute[128];
        snprintf(mark, sizeof(mark), "~%u~", taken->contents[i]);
        w->platform->name_instance(c, instance);
        int len = snprintf(attribute, sizeof(attribute),
                           "\"service.instance.id\",\"value\":{\"stringValue\":\"%s\"}", instance);
        const char *here = memmem(at, (size_t)(end - at), mark, strlen(mark));
        const char *next = at;
        while (here && (next = memmem(next, (size_t)(here - next), resource, strlen(resource)))) {
            from = next++;
            to = memmem(from, (size_t)(here - from), scopes, strlen(scopes));
        }
        if (!here || !from || !to || !memmem(from, (size_t)(to - from), attribute, (size_t)len))
            world_fail(w, "record %u is under the resource of another instance than %s",
                       taken->contents[i], instance);
        at = here ? here + 1 : at;
    }
}

void collector_answer(struct process *p, const struct request *request, struct reply *out,
                      struct taken *taken)
{
    struct world *w = p->w;
    collector_find(w, request->body, taken);
    w->totals.posts++;
    if (w->totals.posts % 16 == 1)
        check_body(w, request->body);
    if (w->platform->name_instance)
        check_resources(w, request->body, taken);
    if (taken->count == 0 || taken->count > w->config.exporter.max_batch_records ||
        (taken->count > 1 && request->body.len > w->config.exporter.max_batch_bytes))
        world_fail(w, "a request with %zu records in %zu bytes", taken->count, request->body.len);
    out->status = verdict(w, request, taken, out);
    world_say(w, "run %d sends %zu records of %s -> %d (first ~%u~)", p->number, taken->count,
              taken->origin ? taken->origin->name : "?", out->status,
              taken->count ? taken->contents[0] : 0);
    if (out->status >= 300) {
        if (taken->count == 1 && out->status != 429 && out->status != 503)
            w->contents[taken->contents[0]].refused_alone++;
        buf_append_text(&out->body, "{\"code\":3,\"message\":\"no\"}");
        return;
    }
    keep(w, taken);
    if (world_fault(w, w->plan.partial)) /* what it rejects by name is gone, and told */
        buf_printf(&out->body, "{\"partialSuccess\":{\"rejectedLogRecords\":\"%d\"}}",
                   (int)rng_between(&w->faults, 0, (int64_t)taken->count));
    else
        buf_append_text(&out->body, "{}");
}

void collector_heard(struct world *w, struct taken *taken, bool heard)
{
    if (taken->accepted && heard) {
        book_given(w, taken);
    } else if (taken->accepted) { /* nobody can know: it may go again */
        for (size_t i = 0; i < taken->count; i++)
            w->contents[taken->contents[i]].excused++;
    }
    free(taken->contents);
    *taken = (struct taken){ 0 };
}
