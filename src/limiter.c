#include "limiter.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/jread.h"
#include "base/timefmt.h"
#include "state/document.h"

/* How long a permit that was reserved ahead may wait for its use. */
#define HOLD_MOST_NS (30 * NS_PER_S)
/* How long another process may hold the document: it only reads, reckons and writes. */
#define LOCK_WAIT_NS (10 * NS_PER_S)
/* While calls of ours are under way, when to look again whether one has ended; and while others
 * hold permits, whether they gave some back. */
#define LOOK_AGAIN_NS        (5 * NS_PER_MS)
#define LOOK_AGAIN_OTHERS_NS (500 * NS_PER_MS)

enum use { FREE, READY, FLYING, DONE };

/* A call of ours: when it counts as made. READY and FLYING ones count at `at_mono_ns` at the
 * latest. */
struct slot {
    enum use use;
    int64_t at_mono_ns;
};

struct limiter {
    struct store *store;
    struct clock *clk;
    const char *key;
    int64_t period_ns;
    int calls;
    char name[48], lock_name[48];
    uint64_t run; /* names our calls among those of other runs */
    pthread_mutex_t mutex;
    struct slot *slots; /* `calls` of them */
    /* What the document last said of others. */
    int64_t *others_mono_ns;
    uint64_t *others_run;
    size_t others_count, others_capacity;
    int64_t not_before_mono_ns;
};

static void names_of(const char *key, char name[48], char lock_name[48])
{
    unsigned long long hash = XXH3_64bits(key, strlen(key));
    snprintf(name, 48, "budget-%016llx.json", hash);
    snprintf(lock_name, 48, "budget-%016llx.lock", hash);
}

struct limiter *limiter_create(struct store *store, struct clock *clk, const char *key, int calls,
                               int64_t period_ns)
{
    struct limiter *l = xcalloc(1, sizeof(*l));
    l->store = store;
    l->clk = clk;
    l->key = key;
    l->calls = calls;
    l->period_ns = period_ns;
    l->slots = xcalloc((size_t)calls, sizeof(*l->slots));
    names_of(key, l->name, l->lock_name);
    int64_t seed[] = { clock_unix_ns(clk), clock_mono_ns(clk), getpid(), (int64_t)(uintptr_t)l };
    l->run = XXH3_64bits(seed, sizeof(seed));
    pthread_mutex_init(&l->mutex, NULL);
    return l;
}

static void destroy(struct limiter *l)
{
    pthread_mutex_destroy(&l->mutex);
    free(l->slots);
    free(l->others_mono_ns);
    free(l->others_run);
    free(l);
}

const char *limiter_key(const struct limiter *l)
{
    return l->key;
}

static int64_t hold_ns(const struct limiter *l)
{
    return l->period_ns < HOLD_MOST_NS ? l->period_ns : HOLD_MOST_NS;
}

/* From when on a permit that was reserved ahead is too near its end to be used: the request may
 * first have to connect, and must arrive before that. */
static int64_t stale_ns(const struct limiter *l)
{
    return hold_ns(l) / 2;
}

static int64_t travel_ns(const struct limiter *l)
{
    return hold_ns(l) / 10;
}

static void add_other(struct limiter *l, uint64_t run, int64_t at_mono_ns)
{
    if (l->others_count == l->others_capacity) {
        l->others_capacity = l->others_capacity ? 2 * l->others_capacity : 64;
        l->others_mono_ns = xreallocarray(l->others_mono_ns, l->others_capacity,
                                          sizeof(*l->others_mono_ns));
        l->others_run = xreallocarray(l->others_run, l->others_capacity, sizeof(*l->others_run));
    }
    l->others_mono_ns[l->others_count] = at_mono_ns;
    l->others_run[l->others_count++] = run;
}

/* A time from the document on our own scale. The wall clock may have been set since it was written:
 * no call can count later than a permit's hold from now, nor a 429 forbid longer than an hour. */
static int64_t to_mono(const struct limiter *l, int64_t unix_ns, int64_t most_ahead_ns)
{
    int64_t ahead_ns = time_add(unix_ns, -clock_unix_ns(l->clk));
    return clock_mono_ns(l->clk) + (ahead_ns < most_ahead_ns ? ahead_ns : most_ahead_ns);
}

static int read_others(struct limiter *l, struct json_object *document, struct error *err)
{
    int64_t now = clock_mono_ns(l->clk), at_unix_ns;
    l->others_count = 0;
    if (jread_time(document, "not_before", &at_unix_ns))
        l->not_before_mono_ns = to_mono(l, at_unix_ns, 3600 * NS_PER_S);
    struct json_object *calls = jread_member(document, "calls");
    for (size_t i = 0; i < jread_count(calls); i++) {
        const char *run;
        if (!jread_time(jread_at(calls, i), "at", &at_unix_ns) ||
            !jread_text(jread_at(calls, i), "run", &run))
            return error_set(err, ERR_STATE,
                             "state %s/%s: \"calls\" makes no sense: remove the file to begin anew",
                             l->store->where, l->name);
        uint64_t id = strtoull(run, NULL, 16);
        int64_t at = to_mono(l, at_unix_ns, hold_ns(l));
        if (id != l->run && at + l->period_ns > now)
            add_other(l, id, at);
    }
    return 0;
}

static void write_call(struct buf *out, const struct limiter *l, uint64_t run, int64_t at_mono_ns)
{
    char time[TIMEFMT_MAX];
    int64_t ahead_ns = at_mono_ns - clock_mono_ns(l->clk);
    timefmt_rfc3339(clock_unix_ns(l->clk) + ahead_ns, 9, time);
    buf_printf(out, "%s{\"run\":\"%016llx\",\"at\":\"%s\"}",
               out->data[out->len - 1] == '[' ? "" : ",", (unsigned long long)run, time);
}

static void write_document(const struct limiter *l, struct buf *out)
{
    int64_t now = clock_mono_ns(l->clk);
    buf_append_text(out, "{\"key\":");
    jread_quote(out, l->key);
    if (l->not_before_mono_ns > now) {
        char time[TIMEFMT_MAX];
        timefmt_rfc3339(clock_unix_ns(l->clk) + l->not_before_mono_ns - now, 9, time);
        buf_printf(out, ",\"not_before\":\"%s\"", time);
    }
    buf_append_text(out, ",\"calls\":[");
    for (size_t i = 0; i < l->others_count; i++)
        write_call(out, l, l->others_run[i], l->others_mono_ns[i]);
    for (int i = 0; i < l->calls; i++) {
        if (l->slots[i].use != FREE)
            write_call(out, l, l->run, l->slots[i].at_mono_ns);
    }
    buf_append_text(out, "]}");
}

static int64_t sooner(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Calls that count now, ours and others'; `next_mono_ns` is when the first of them
 * may cease to. */
static int count_calls(struct limiter *l, int64_t now, int64_t *next_mono_ns)
{
    int count = 0;
    *next_mono_ns = now + hold_ns(l) + l->period_ns;
    for (size_t i = 0; i < l->others_count; i++) {
        int64_t until = l->others_mono_ns[i] + l->period_ns;
        if (until <= now)
            continue;
        count++;
        *next_mono_ns = sooner(*next_mono_ns, until);
    }
    if (count > 0)
        *next_mono_ns = sooner(*next_mono_ns, now + LOOK_AGAIN_OTHERS_NS);
    for (int i = 0; i < l->calls; i++) {
        struct slot *slot = &l->slots[i];
        if (slot->use == FLYING) { /* counts until it is over, and then from its arrival */
            slot->at_mono_ns = now + hold_ns(l);
            *next_mono_ns = sooner(*next_mono_ns, now + LOOK_AGAIN_NS);
        } else if (slot->use == READY && slot->at_mono_ns - stale_ns(l) <= now) {
            slot->use = FREE; /* kept too long: it may no longer be used */
        } else if (slot->use == DONE && slot->at_mono_ns + l->period_ns <= now) {
            slot->use = FREE;
        }
        if (slot->use == FREE)
            continue;
        count++;
        *next_mono_ns = sooner(*next_mono_ns, slot->at_mono_ns + l->period_ns);
    }
    return count;
}

static int take_ready(struct limiter *l, int64_t now)
{
    if (l->not_before_mono_ns > now)
        return -1;
    for (int i = 0; i < l->calls; i++) {
        if (l->slots[i].use == READY && l->slots[i].at_mono_ns - stale_ns(l) > now) {
            l->slots[i].use = FLYING;
            return i;
        }
    }
    return -1;
}

static void reserve(struct limiter *l, int64_t now, int count)
{
    for (int i = 0; i < l->calls && count > 0; i++) {
        if (l->slots[i].use == FREE) {
            l->slots[i] = (struct slot){ READY, now + hold_ns(l) };
            count--;
        }
    }
}

/* Read what others did, change what is ours, write it back: under the document's lock.
 * `reserve_some`: take permits if there are any. `wake_mono_ns`: else, when there may be. */
static int synchronize(struct limiter *l, bool reserve_some, int64_t *wake_mono_ns,
                       struct error *err)
{
    struct buf whole = BUF_INIT(STORE_DOCUMENT_MAX);
    struct store_lock *lock = NULL;
    struct json_object *document = NULL;
    struct store_version version;
    int64_t next_mono_ns;
    int rc = -1;

    if (l->store->lock(l->store, l->lock_name, clock_mono_ns(l->clk) + LOCK_WAIT_NS, &lock, err)) {
        if (err->kind == ERR_LOCKED)
            err->kind = ERR_STATE;
        return -1;
    }
    int64_t held_until = l->not_before_mono_ns;
    if (document_get(l->store, l->name, &document, &version, err) || read_others(l, document, err))
        goto out;
    if (held_until > l->not_before_mono_ns)
        l->not_before_mono_ns = held_until;
    int64_t now = clock_mono_ns(l->clk);
    int free_calls = l->calls - count_calls(l, now, &next_mono_ns);
    if (reserve_some && l->not_before_mono_ns > now) {
        *wake_mono_ns = l->not_before_mono_ns;
        rc = 0;
        goto out;
    }
    if (reserve_some && free_calls <= 0) {
        *wake_mono_ns = next_mono_ns;
        rc = 0;
        goto out;
    }
    *wake_mono_ns = now;
    if (reserve_some)
        reserve(l, now, free_calls / 4 > 1 ? free_calls / 4 : 1);
    document_begin(&whole);
    write_document(l, &whole);
    rc = document_put(l->store, l->name, &whole, &version, err);
out:
    l->store->unlock(l->store, lock);
    jread_release(document);
    buf_release(&whole);
    return rc;
}

int limiter_acquire(struct limiter *l, int64_t deadline_mono_ns, struct permit *out,
                    struct error *err)
{
    for (;;) {
        int64_t wake_mono_ns = 0;
        int rc = 0;
        pthread_mutex_lock(&l->mutex);
        int slot = take_ready(l, clock_mono_ns(l->clk));
        if (slot < 0) {
            rc = synchronize(l, true, &wake_mono_ns, err);
            slot = rc ? -1 : take_ready(l, clock_mono_ns(l->clk));
        }
        if (slot >= 0)
            *out = (struct permit){ slot, l->slots[slot].at_mono_ns - travel_ns(l) };
        pthread_mutex_unlock(&l->mutex);
        if (rc || slot >= 0)
            return rc;
        if (wake_mono_ns > deadline_mono_ns)
            return error_set(err, ERR_DEADLINE, "the next call may begin only past the deadline");
        if (!clock_sleep_until(l->clk, wake_mono_ns))
            return error_set(err, ERR_STOPPED, "stopped");
    }
}

void limiter_done(struct limiter *l, const struct permit *permit, int64_t arrived_mono_ns)
{
    pthread_mutex_lock(&l->mutex);
    l->slots[permit->slot] = (struct slot){ DONE, arrived_mono_ns };
    pthread_mutex_unlock(&l->mutex);
}

int limiter_hold(struct limiter *l, int64_t until_mono_ns, struct error *err)
{
    int64_t wake_mono_ns;
    pthread_mutex_lock(&l->mutex);
    if (until_mono_ns > l->not_before_mono_ns)
        l->not_before_mono_ns = until_mono_ns;
    int rc = synchronize(l, false, &wake_mono_ns, err);
    pthread_mutex_unlock(&l->mutex);
    return rc;
}

int limiter_close(struct limiter *l, struct error *err)
{
    int64_t wake_mono_ns;
    bool used = false;
    for (int i = 0; i < l->calls; i++) {
        used = used || l->slots[i].use != FREE;
        if (l->slots[i].use == READY)
            l->slots[i].use = FREE;
    }
    int rc = used ? synchronize(l, false, &wake_mono_ns, err) : 0;
    destroy(l);
    return rc;
}

int limiter_left(struct store *store, struct clock *clk, const char *key, int calls,
                 int64_t period_ns, int *left, struct error *err)
{
    struct limiter *l = limiter_create(store, clk, key, calls, period_ns);
    struct json_object *document = NULL;
    struct store_version version;
    int64_t next_mono_ns;
    int rc = document_get(store, l->name, &document, &version, err);
    if (rc == 0)
        rc = read_others(l, document, err);
    if (rc == 0) {
        int64_t now = clock_mono_ns(clk);
        int free_calls = calls - count_calls(l, now, &next_mono_ns);
        *left = free_calls > 0 && l->not_before_mono_ns <= now ? free_calls : 0;
    }
    jread_release(document);
    destroy(l);
    return rc;
}
