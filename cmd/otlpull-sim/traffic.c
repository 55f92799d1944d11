#include "traffic.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/jread.h"
#include "web.h"

#define KEPT_BYTES   ((size_t)64 << 20) /* of targets; calls beyond are counted only */
#define STATUSES     600
#define RECENT_LEAST 64

struct call {
    int64_t unix_ns, mono_ns;
    int status; /* 0: no answer yet, or none given */
    char *target;
};

/* Times of arrival within the last period, oldest first. */
struct budget {
    int64_t *recent;
    size_t count, capacity;
    uint64_t most; /* ever within one period */
};

struct traffic {
    pthread_mutex_t mutex;
    int64_t limit, period_ns;
    struct budget *budgets;
    size_t budget_count;
    struct call *calls;
    size_t kept, capacity, kept_bytes;
    uint64_t arrived, violations, pages, records, unanswered;
    uint64_t by_status[STATUSES];
    int64_t first_unix_ns, last_unix_ns;
};

struct traffic *traffic_create(size_t budgets, int64_t calls, int64_t period_ns)
{
    struct traffic *t = xcalloc(1, sizeof(*t));
    pthread_mutex_init(&t->mutex, NULL);
    t->limit = calls;
    t->period_ns = period_ns;
    t->budgets = xcalloc(budgets, sizeof(*t->budgets));
    t->budget_count = budgets;
    return t;
}

void traffic_destroy(struct traffic *t)
{
    if (!t)
        return;
    for (size_t i = 0; i < t->budget_count; i++)
        free(t->budgets[i].recent);
    for (size_t i = 0; i < t->kept; i++)
        free(t->calls[i].target);
    free(t->budgets);
    free(t->calls);
    pthread_mutex_destroy(&t->mutex);
    free(t);
}

void traffic_limit(struct traffic *t, int64_t calls, int64_t period_ns)
{
    pthread_mutex_lock(&t->mutex);
    t->limit = calls;
    t->period_ns = period_ns;
    pthread_mutex_unlock(&t->mutex);
}

/* Put one more time in its place (threads may come a little out of order) and drop those that are
 * a period old. */
static void budget_add(struct budget *b, int64_t mono_ns, int64_t period_ns)
{
    size_t old = 0;
    while (old < b->count && b->recent[old] <= mono_ns - period_ns)
        old++;
    if (old > 0)
        memmove(b->recent, b->recent + old, (b->count - old) * sizeof(*b->recent));
    b->count -= old;
    if (b->count == b->capacity) {
        b->capacity = b->capacity ? 2 * b->capacity : RECENT_LEAST;
        b->recent = xreallocarray(b->recent, b->capacity, sizeof(*b->recent));
    }
    size_t at = b->count++;
    for (; at > 0 && b->recent[at - 1] > mono_ns; at--)
        b->recent[at] = b->recent[at - 1];
    b->recent[at] = mono_ns;
    if (b->count > b->most)
        b->most = b->count;
}

static int64_t budget_wait(const struct budget *b, int64_t limit, int64_t period_ns)
{
    if (limit <= 0 || b->count <= (size_t)limit)
        return 0;
    int64_t free_at = b->recent[b->count - (size_t)limit] + period_ns;
    int64_t wait_ns = free_at - b->recent[b->count - 1];
    return wait_ns > 0 ? wait_ns : 1;
}

static void keep(struct traffic *t, const struct web_request *rq)
{
    size_t len = strlen(rq->target) + sizeof(struct call);
    if (t->kept != t->arrived || t->kept_bytes + len > KEPT_BYTES)
        return;
    if (t->kept == t->capacity) {
        t->capacity = t->capacity ? 2 * t->capacity : 256;
        t->calls = xreallocarray(t->calls, t->capacity, sizeof(*t->calls));
    }
    t->calls[t->kept++] = (struct call){ rq->arrived_unix_ns, rq->arrived_mono_ns, 0,
                                         xstrdup(rq->target) };
    t->kept_bytes += len;
}

uint64_t traffic_arrived(struct traffic *t, const struct web_request *rq, size_t budget,
                         int64_t *wait_ns)
{
    *wait_ns = 0;
    pthread_mutex_lock(&t->mutex);
    keep(t, rq);
    uint64_t call = t->arrived++;
    if (call == 0)
        t->first_unix_ns = rq->arrived_unix_ns;
    t->last_unix_ns = rq->arrived_unix_ns;
    if (budget < t->budget_count) {
        budget_add(&t->budgets[budget], rq->arrived_mono_ns, t->period_ns);
        *wait_ns = budget_wait(&t->budgets[budget], t->limit, t->period_ns);
        t->violations += *wait_ns > 0;
    }
    pthread_mutex_unlock(&t->mutex);
    return call;
}

void traffic_answered(struct traffic *t, uint64_t call, const struct web_answer *answer,
                      int64_t page_records)
{
    bool answered = answer->end == WEB_WHOLE || answer->end == WEB_CUT;
    int status = answered && answer->status < STATUSES ? answer->status : 0;
    pthread_mutex_lock(&t->mutex);
    t->by_status[status]++;
    t->unanswered += !answered;
    if (page_records >= 0) {
        t->pages++;
        t->records += (uint64_t)page_records;
    }
    if (call < t->kept)
        t->calls[call].status = status;
    pthread_mutex_unlock(&t->mutex);
}

void traffic_stats(struct traffic *t, struct buf *out)
{
    pthread_mutex_lock(&t->mutex);
    uint64_t most = 0;
    for (size_t i = 0; i < t->budget_count; i++)
        most = t->budgets[i].most > most ? t->budgets[i].most : most;
    buf_printf(out, "{\"calls\":%" PRIu64 ",\"by_status\":{", t->arrived);
    const char *comma = "";
    for (int i = 1; i < STATUSES; i++) {
        if (t->by_status[i]) {
            buf_printf(out, "%s\"%d\":%" PRIu64, comma, i, t->by_status[i]);
            comma = ",";
        }
    }
    buf_printf(out,
               "},\"unanswered\":%" PRIu64 ",\"pages\":%" PRIu64 ",\"records\":%" PRIu64
               ",\"rate_violations\":%" PRIu64 ",\"refused\":%" PRIu64 ",\"max_in_period\":%" PRIu64
               ",\"rate_calls\":%" PRId64 ",\"rate_period_ns\":%" PRId64
               ",\"first_unix_ns\":%" PRId64 ",\"last_unix_ns\":%" PRId64 ",\"kept\":%zu}\n",
               t->unanswered, t->pages, t->records, t->violations, t->violations, most, t->limit,
               t->period_ns, t->first_unix_ns, t->last_unix_ns, t->kept);
    pthread_mutex_unlock(&t->mutex);
}

void traffic_calls(struct traffic *t, struct buf *out)
{
    pthread_mutex_lock(&t->mutex);
    for (size_t i = 0; i < t->kept; i++) {
        const struct call *call = &t->calls[i];
        buf_printf(out,
                   "{\"unix_ns\":%" PRId64 ",\"mono_ns\":%" PRId64 ",\"status\":%d,\"target\":",
                   call->unix_ns, call->mono_ns, call->status);
        jread_quote(out, call->target);
        buf_append_text(out, "}\n");
    }
    pthread_mutex_unlock(&t->mutex);
}
