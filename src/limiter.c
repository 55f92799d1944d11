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
/* In a store across a network no less, whatever the period, and so many times as long as a writing
 * takes: most of it must be left once the reservation is written. */
#define HOLD_REMOTE_NS     (10 * NS_PER_S)
#define HOLD_REMOTE_WRITES 4
/* How long another process may hold the document, which it only reads, reckons and writes, before
 * we give up: it is frozen. When none waits for the outcome, much shorter. */
#define LOCK_WAIT_NS       (10 * NS_PER_S)
#define LOCK_WAIT_SHORT_NS (1 * NS_PER_S)
#define LOCK_AGAIN_NS      (5 * NS_PER_MS)
/* Of others' calls that need not count for us, but may for a run with a longer period, so many of
 * the latest are kept: as many as a budget may have at most. */
#define KEPT_MOST 10000

enum use { FREE, READY, FLYING, DONE };

/* A call of ours: when it counts as made. READY and FLYING ones count at `at_mono_ns` at the
 * latest, says the document. */
struct slot {
    enum use use;
    int64_t began_mono_ns; /* when its permit was given: it is not made before that */
    int64_t at_mono_ns;
};

/* A call of another run, or one of ours that only a run with a longer period need still count. */
struct other {
    uint64_t run;
    int64_t at_mono_ns;
    int64_t period_ns; /* by which its own run counts */
    bool unwritten;    /* retired from our slots, and in no document yet */
};

struct limiter {
    struct store *store;
    struct clock *clk;
    const char *key;
    int64_t period_ns;
    int calls;
    char name[48], lock_name[48];
    uint64_t run; /* names our calls among those of other runs; 0 is nobody's */
    pthread_mutex_t mutex;
    int waiting;        /* threads that want a permit */
    struct slot *slots; /* `calls` of them */
    /* What the document last said, ... */
    struct other *others;
    size_t others_count, others_capacity;
    int64_t longest_ns;   /* the longest period among all its calls: so long it must know them */
    int64_t read_mono_ns; /* ... and when */
    int64_t writing_ns;   /* how long it last took to write it */
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
    free(l->others);
    free(l);
}

const char *limiter_key(const struct limiter *l)
{
    return l->key;
}

static int64_t sooner(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t later(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* The longest hold of a run with this period. */
static int64_t hold_most_ns(const struct limiter *l, int64_t period_ns)
{
    return l->store->optimistic ? HOLD_MOST_NS : sooner(period_ns, HOLD_MOST_NS);
}

static int64_t hold_ns(const struct limiter *l)
{
    int64_t ns = l->period_ns;
    if (l->store->optimistic)
        ns = later(ns, later(HOLD_REMOTE_NS, HOLD_REMOTE_WRITES * l->writing_ns));
    return sooner(ns, HOLD_MOST_NS);
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

/* While a call of ours takes longer than a whole period, when to look again whether it has ended.
 */
static int64_t look_again_ns(const struct limiter *l)
{
    return later(5 * NS_PER_MS, sooner(l->period_ns / 200, 100 * NS_PER_MS));
}

/* While others' calls count, when to look again whether they gave permits back, or have found out
 * that a call counts less long than they had to say at first. */
static int64_t look_again_others_ns(const struct limiter *l)
{
    return later(20 * NS_PER_MS, sooner(l->period_ns / 100, 500 * NS_PER_MS));
}

static void add_other(struct limiter *l, struct other other)
{
    if (l->others_count == l->others_capacity) {
        l->others_capacity = l->others_capacity ? 2 * l->others_capacity : 64;
        l->others = xreallocarray(l->others, l->others_capacity, sizeof(*l->others));
    }
    l->others[l->others_count++] = other;
}

/* What the document says is read anew; what it was to say and does not yet, stays. */
static void forget_read(struct limiter *l)
{
    size_t kept = 0;
    for (size_t i = 0; i < l->others_count; i++) {
        if (l->others[i].unwritten)
            l->others[kept++] = l->others[i];
    }
    l->others_count = kept;
}

static void note_written(struct limiter *l)
{
    for (size_t i = 0; i < l->others_count; i++)
        l->others[i].unwritten = false;
}

/* A time from the document on our own scale. The wall clock may have been set back since it was
 * written: no call can count later than a permit's hold from now, nor a 429 forbid for longer than
 * its most. `*mend`: that was so, and must be written, or the next look would find the same. */
static int64_t to_mono(const struct limiter *l, int64_t unix_ns, int64_t most_ahead_ns, bool *mend)
{
    int64_t ahead_ns = time_add(unix_ns, -clock_unix_ns(l->clk));
    *mend = *mend || ahead_ns > most_ahead_ns + NS_PER_S;
    return time_add(clock_mono_ns(l->clk), sooner(ahead_ns, most_ahead_ns));
}

static bool read_call(const struct limiter *l, struct json_object *call, struct other *out,
                      bool *mend)
{
    const char *run, *period;
    int64_t at_unix_ns;
    if (!jread_time(call, "at", &at_unix_ns) || !jread_text(call, "run", &run))
        return false;
    out->run = strtoull(run, NULL, 16);
    out->period_ns = l->period_ns; /* 0.1.0 did not write it */
    if (jread_text(call, "period", &period) &&
        !timefmt_parse_duration(bytes_of(period), &out->period_ns))
        return false;
    out->at_mono_ns = to_mono(l, at_unix_ns, hold_most_ns(l, out->period_ns), mend);
    return true;
}

static bool is_known(const struct limiter *l, int64_t at_mono_ns, int64_t now)
{
    return time_add(at_mono_ns, l->longest_ns) > now;
}

static int latest_first(const void *a, const void *b)
{
    int64_t x = ((const struct other *)a)->at_mono_ns, y = ((const struct other *)b)->at_mono_ns;
    return (x < y) - (x > y);
}

static void forget_old(struct limiter *l, int64_t now)
{
    size_t kept = 0;
    for (size_t i = 0; i < l->others_count; i++) {
        if (l->others[i].run != l->run && is_known(l, l->others[i].at_mono_ns, now))
            l->others[kept++] = l->others[i];
    }
    if (kept > KEPT_MOST) {
        qsort(l->others, kept, sizeof(*l->others), latest_first);
        kept = KEPT_MOST;
    }
    l->others_count = kept;
}

static int read_others(struct limiter *l, struct json_object *document, bool *mend,
                       struct error *err)
{
    int64_t at_unix_ns;
    forget_read(l);
    l->longest_ns = l->period_ns;
    l->read_mono_ns = clock_mono_ns(l->clk);
    if (jread_time(document, "not_before", &at_unix_ns))
        l->not_before_mono_ns = later(l->not_before_mono_ns,
                                      to_mono(l, at_unix_ns, LIMITER_HOLD_MOST_NS, mend));
    struct json_object *calls = jread_member(document, "calls");
    for (size_t i = 0; i < jread_count(calls); i++) {
        struct other other = { 0 };
        if (!read_call(l, jread_at(calls, i), &other, mend))
            return error_set(err, ERR_STATE,
                             "state %s/%s: \"calls\" makes no sense: remove the file to begin anew",
                             l->store->where, l->name);
        l->longest_ns = later(l->longest_ns, other.period_ns);
        add_other(l, other);
    }
    forget_old(l, l->read_mono_ns);
    return 0;
}

/* Calls of ours that no longer count for us; a run with a longer period must still find them. */
static void retire(struct limiter *l, int64_t now)
{
    for (int i = 0; i < l->calls; i++) {
        struct slot *slot = &l->slots[i];
        if (slot->use != DONE || slot->at_mono_ns + l->period_ns > now)
            continue;
        slot->use = FREE;
        if (is_known(l, slot->at_mono_ns, now))
            add_other(l, (struct other){ 0, slot->at_mono_ns, l->period_ns, true });
    }
}

static void write_call(struct buf *out, const struct limiter *l, const struct other *call)
{
    char time[TIMEFMT_MAX], period[TIMEFMT_MAX];
    int64_t ahead_ns = call->at_mono_ns - clock_mono_ns(l->clk);
    timefmt_rfc3339(clock_unix_ns(l->clk) + ahead_ns, 9, time);
    timefmt_duration(call->period_ns, period);
    buf_printf(out, "%s{\"run\":\"%016llx\",\"at\":\"%s\",\"period\":\"%s\"}",
               out->data[out->len - 1] == '[' ? "" : ",", (unsigned long long)call->run, time,
               period);
}

/* A call under way counts as made when it is over, and at the latest a permit's hold from now. */
static void write_document(struct limiter *l, struct buf *out)
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
        write_call(out, l, &l->others[i]);
    for (int i = 0; i < l->calls; i++) {
        struct slot *slot = &l->slots[i];
        if (slot->use == FLYING) /* never sooner than was said: its request may go out until then */
            slot->at_mono_ns = later(slot->at_mono_ns, now + hold_ns(l));
        if (slot->use != FREE)
            write_call(out, l, &(struct other){ l->run, slot->at_mono_ns, l->period_ns, false });
    }
    buf_append_text(out, "]}");
}

/* When a call of ours ceases to count, as far as one knows. One that is under way counts until it
 * is over, and then from its arrival. */
static int64_t counts_until(const struct limiter *l, const struct slot *slot, int64_t now)
{
    if (slot->use == FREE)
        return now;
    if (slot->use == FLYING)
        return later(slot->began_mono_ns + l->period_ns, now + look_again_ns(l));
    return slot->at_mono_ns + l->period_ns;
}

/* Calls that count now, ours and others', as far as we know; `next_mono_ns` is when the first of
 * them may cease to. */
static int count_calls(struct limiter *l, int64_t now, int64_t *next_mono_ns)
{
    int count = 0;
    *next_mono_ns = TIME_FOREVER;
    for (size_t i = 0; i < l->others_count; i++) {
        int64_t until = l->others[i].at_mono_ns + l->period_ns;
        count += until > now;
        if (until > now)
            *next_mono_ns = sooner(*next_mono_ns, until);
    }
    if (count > 0)
        *next_mono_ns = sooner(*next_mono_ns,
                               later(now, l->read_mono_ns + look_again_others_ns(l)));
    for (int i = 0; i < l->calls; i++) {
        struct slot *slot = &l->slots[i];
        if (slot->use == READY && slot->at_mono_ns - stale_ns(l) <= now)
            slot->use = FREE; /* kept too long: it may no longer be used */
        int64_t until = counts_until(l, slot, now);
        count += until > now;
        if (until > now)
            *next_mono_ns = sooner(*next_mono_ns, until);
    }
    return count;
}

/* One that remains good for longer than this. */
static int take_ready(struct limiter *l, int64_t now, int64_t margin_ns)
{
    if (l->not_before_mono_ns > now)
        return -1;
    for (int i = 0; i < l->calls; i++) {
        if (l->slots[i].use == READY && l->slots[i].at_mono_ns - margin_ns > now) {
            l->slots[i].use = FLYING;
            l->slots[i].began_mono_ns = now;
            return i;
        }
    }
    return -1;
}

static void reserve(struct limiter *l, int64_t now, int count)
{
    for (int i = 0; i < l->calls && count > 0; i++) {
        if (l->slots[i].use == FREE) {
            l->slots[i] = (struct slot){ READY, now, now + hold_ns(l) };
            count--;
        }
    }
}

static void unreserve(struct limiter *l)
{
    for (int i = 0; i < l->calls; i++) {
        if (l->slots[i].use == READY)
            l->slots[i].use = FREE;
    }
}

static int write_whole(struct limiter *l, struct store_version *version, struct error *err)
{
    struct buf whole = BUF_INIT(STORE_DOCUMENT_MAX);
    int64_t began = clock_mono_ns(l->clk);
    document_begin(&whole);
    write_document(l, &whole);
    int rc = document_put(l->store, l->name, &whole, version, err);
    l->writing_ns = clock_mono_ns(l->clk) - began;
    if (rc)
        unreserve(l); /* nobody else knows of them */
    else
        note_written(l);
    buf_release(&whole);
    return rc;
}

/* Read what others did, change what is ours, write it back: under the document's lock, or where the
 * store notices that another was faster. `reserve_some`: only to take permits, if there are any.
 * Never waits: ERR_LOCKED. */
static int synchronize(struct limiter *l, bool reserve_some, struct error *err)
{
    struct store_lock *lock = NULL;
    struct json_object *document = NULL;
    struct store_version version;
    bool write = !reserve_some;
    int64_t next_mono_ns;
    int rc = -1;

    if (!l->store->optimistic && l->store->lock(l->store, l->lock_name, 0, &lock, err))
        return -1;
    if (document_get(l->store, l->name, &document, &version, err) ||
        read_others(l, document, &write, err))
        goto out;
    int64_t now = clock_mono_ns(l->clk);
    int free_calls = l->calls - count_calls(l, now, &next_mono_ns);
    bool take = reserve_some && free_calls > 0 && l->not_before_mono_ns <= now;
    write = write || take;
    if (write)
        retire(l, now); /* what leaves our slots must reach the document */
    if (take) {
        int wanted = free_calls / 4 > l->waiting ? free_calls / 4 : l->waiting;
        reserve(l, now, wanted < free_calls ? wanted : free_calls);
    }
    rc = write ? write_whole(l, &version, err) : 0;
out:
    l->store->unlock(l->store, lock);
    jread_release(document);
    return rc;
}

/* Whether, by what we know, no call may begin now; the document can say so too, but not the
 * contrary, unless it is time to look whether others gave permits back. */
static bool is_none_left(struct limiter *l, int64_t now, int64_t *wake_mono_ns)
{
    bool none = count_calls(l, now, wake_mono_ns) >= l->calls && *wake_mono_ns > now;
    if (l->not_before_mono_ns > now) {
        *wake_mono_ns = l->not_before_mono_ns;
        none = true;
    }
    return none;
}

/* A slot with a permit, or -1: none before `*wake_mono_ns`, or an error in `err`. */
static int try_acquire(struct limiter *l, int64_t *wake_mono_ns, struct error *err)
{
    int64_t now = clock_mono_ns(l->clk);
    int slot = take_ready(l, now, stale_ns(l));
    if (slot >= 0 || is_none_left(l, now, wake_mono_ns) || synchronize(l, true, err))
        return slot;
    now = clock_mono_ns(l->clk);
    slot = take_ready(l, now, travel_ns(l)); /* fresh, however slow the store: used now or never */
    if (slot < 0 && !is_none_left(l, now, wake_mono_ns))
        *wake_mono_ns = now; /* one ceased to count since */
    return slot;
}

/* What to do about a failed try: 0: try again at `*wake_mono_ns`. */
static int handle_failure(const struct limiter *l, const struct error *why, int64_t now,
                          int64_t *locked_since, int64_t *wake_mono_ns, struct error *err)
{
    if (why->kind != ERR_LOCKED) {
        *locked_since = 0;
        if (why->kind == ERR_NONE)
            return 0;
        *err = *why;
        return -1;
    }
    if (*locked_since == 0)
        *locked_since = now;
    if (now - *locked_since >= LOCK_WAIT_NS)
        return error_set(err, ERR_PLATFORM,
                         "its budget cannot be had in time: state %s/%s: held by another run for "
                         "%lld s",
                         l->store->where, l->store->optimistic ? l->name : l->lock_name,
                         (long long)(LOCK_WAIT_NS / NS_PER_S));
    *wake_mono_ns = now + LOCK_AGAIN_NS;
    return 0;
}

static int acquire(struct limiter *l, struct clock *clk, int64_t deadline_mono_ns,
                   struct permit *out, struct error *err)
{
    int64_t locked_since = 0;
    while (!clock_stopped(clk)) {
        int64_t wake_mono_ns = clock_mono_ns(clk);
        struct error why = { 0 };
        pthread_mutex_lock(&l->mutex);
        int slot = wake_mono_ns > deadline_mono_ns ? -1 : try_acquire(l, &wake_mono_ns, &why);
        if (slot >= 0)
            *out = (struct permit){ slot, l->slots[slot].at_mono_ns - travel_ns(l) };
        pthread_mutex_unlock(&l->mutex);
        if (slot >= 0)
            return 0;
        if (handle_failure(l, &why, clock_mono_ns(clk), &locked_since, &wake_mono_ns, err))
            return -1;
        if (wake_mono_ns > deadline_mono_ns)
            return error_set(err, ERR_DEADLINE, "the next call may begin only past the deadline");
        if (!clock_sleep_until(clk, wake_mono_ns))
            break;
    }
    return error_set(err, ERR_STOPPED, "stopped");
}

static void note_waiting(struct limiter *l, int change)
{
    pthread_mutex_lock(&l->mutex);
    l->waiting += change;
    pthread_mutex_unlock(&l->mutex);
}

int limiter_acquire(struct limiter *l, struct clock *clk, int64_t deadline_mono_ns,
                    struct permit *out, struct error *err)
{
    note_waiting(l, 1);
    int rc = acquire(l, clk, deadline_mono_ns, out, err);
    note_waiting(l, -1);
    return rc;
}

void limiter_done(struct limiter *l, const struct permit *permit, int64_t arrived_mono_ns)
{
    pthread_mutex_lock(&l->mutex);
    l->slots[permit->slot].use = DONE;
    l->slots[permit->slot].at_mono_ns = arrived_mono_ns;
    pthread_mutex_unlock(&l->mutex);
}

void limiter_return(struct limiter *l, const struct permit *permit)
{
    pthread_mutex_lock(&l->mutex);
    l->slots[permit->slot].use = READY;
    pthread_mutex_unlock(&l->mutex);
}

/* Write what changed. Where another run is frozen that holds the document it may stay unwritten:
 * what is there already errs on the safe side, and that run lets nobody else call either. */
static int update(struct limiter *l, struct clock *clk, struct error *err)
{
    int64_t until_mono_ns = clock_mono_ns(clk) + LOCK_WAIT_SHORT_NS;
    for (;;) {
        struct error why = { 0 };
        pthread_mutex_lock(&l->mutex);
        int rc = synchronize(l, false, &why);
        pthread_mutex_unlock(&l->mutex);
        int64_t now = clock_mono_ns(clk);
        if (rc == 0 || (why.kind == ERR_LOCKED && now >= until_mono_ns))
            return 0;
        if (why.kind != ERR_LOCKED) {
            *err = why;
            return -1;
        }
        if (!clock_sleep_until(clk, now + LOCK_AGAIN_NS))
            return error_set(err, ERR_STOPPED, "stopped");
    }
}

int limiter_hold(struct limiter *l, struct clock *clk, int64_t until_mono_ns, struct error *err)
{
    int64_t most_mono_ns = clock_mono_ns(clk) + LIMITER_HOLD_MOST_NS;
    pthread_mutex_lock(&l->mutex);
    l->not_before_mono_ns = later(l->not_before_mono_ns, sooner(until_mono_ns, most_mono_ns));
    pthread_mutex_unlock(&l->mutex);
    return update(l, clk, err);
}

int limiter_close(struct limiter *l, struct error *err)
{
    bool used = false;
    for (int i = 0; i < l->calls; i++)
        used = used || l->slots[i].use != FREE;
    unreserve(l);
    int rc = used ? update(l, l->clk, err) : 0;
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
    bool mend = false;
    int rc = document_get(store, l->name, &document, &version, err);
    if (rc == 0)
        rc = read_others(l, document, &mend, err);
    if (rc == 0) {
        int64_t now = clock_mono_ns(clk);
        int free_calls = calls - count_calls(l, now, &next_mono_ns);
        *left = free_calls > 0 && l->not_before_mono_ns <= now ? free_calls : 0;
    }
    jread_release(document);
    destroy(l);
    return rc;
}
