#include "tests/model/model.h"

#include <stdlib.h>
#include <string.h>

/* When somebody who waits for a lock looks again, unless he is woken. */
#define LOCK_LOOK_NS (5 * NS_PER_MS)

struct store_lock {
    char name[128];
};

static struct process *process_with(struct store *s)
{
    return (struct process *)(void *)((char *)s - offsetof(struct process, store));
}

static struct document *find(struct world *w, const char *name)
{
    for (size_t i = 0; i < w->document_count; i++) {
        if (strcmp(w->documents[i].name, name) == 0)
            return &w->documents[i];
    }
    return NULL;
}

static struct document *find_or_add(struct world *w, const char *name)
{
    struct document *d = find(w, name);
    if (d || w->document_count == DOCUMENTS_MAX)
        return d;
    d = &w->documents[w->document_count++];
    snprintf(d->name, sizeof(d->name), "%s", name);
    d->text = (struct buf)BUF_INIT(STORE_DOCUMENT_MAX);
    d->version = 0;
    return d;
}

/* Whose source's file this is; NULL: none's. */
static struct origin *origin_of(struct world *w, const char *name, const char *suffix)
{
    char own[128];
    for (size_t i = 0; i < w->plan.source_count; i++) {
        snprintf(own, sizeof(own), "source-%s.%s", w->origins[i].name, suffix);
        if (strcmp(own, name) == 0)
            return &w->origins[i];
    }
    return NULL;
}

static int fails(struct process *p, const char *name, const char *what, struct error *err)
{
    for (size_t i = 0; i < SOURCES_MAX && strncmp(name, "budget-", 7) == 0; i++)
        p->w->budgets[i].not_before_mono_ns = 0; /* what a 429 said cannot be kept for the next */
    world_say(p->w, "run %d: store: %s: cannot be %s", p->number, name, what);
    return error_set(err, ERR_STATE, "state %s: cannot be %s", name, what);
}

static int model_get(struct store *s, const char *name, struct buf *out,
                     struct store_version *version, struct error *err)
{
    struct process *p = process_with(s);
    tasks_yield(p->w->tasks);
    if (!process_lives(p, false) || world_fault(p->w, p->w->plan.store_faults))
        return fails(p, name, "read", err);
    const struct document *d = find(p->w, name);
    *version = (struct store_version){ { 0 } };
    if (d && d->version) {
        buf_append_bytes(out, buf_bytes(&d->text));
        *version = (struct store_version){ { d->version, 0, d->text.len + 1 } };
    }
    return 0;
}

/* The document's first writing says from when on records are owed. */
static void note_begin(struct world *w, struct origin *o)
{
    const struct source_config *source = &w->config.sources[o->index];
    int64_t now = world_unix_ns(w), kept = w->platform->retention_ns;
    /* Where a first run's clock was wrong, it shows at the first answer: only then is it known from
     * when on. */
    if (o->begun || (w->settings->with & WITH_WALL_JUMPS && !o->answered))
        return;
    o->begun = true;
    o->begin_unix_ns = now - source->lookback_ns;
    if (w->settings->with & WITH_WALL_JUMPS) /* it may have been at any time by its own clock */
        o->begin_unix_ns = now;
    if (kept && o->begin_unix_ns < now - kept + 2 * MINUTE)
        o->begin_unix_ns = now - kept + 2 * MINUTE;
}

static void write(struct process *p, const char *name, struct document *d, struct bytes content,
                  struct store_version *version)
{
    struct world *w = p->w;
    struct origin *o = origin_of(w, name, "json");
    d->version = ++w->versions;
    *version = (struct store_version){ { d->version, 0, content.len + 1 } };
    if (o && w->settings->breakage == BREAK_FORGET_PUT && d->text.len > 0 &&
        rng_percent(&w->faults, 20)) {
        version->parts[2] = d->text.len + 1;
        book_noted(w, o);
        return;
    }
    buf_reset(&d->text);
    buf_append_bytes(&d->text, content);
    if (!o)
        return;
    world_say(w, "run %d notes the state of %s", p->number, o->name);
    note_begin(w, o);
    if (w->plan.days)
        book_check_gaps(w, o);
    book_noted(w, o);
}

static int model_put(struct store *s, const char *name, struct bytes content,
                     struct store_version *version, struct error *err)
{
    struct process *p = process_with(s);
    struct world *w = p->w;
    struct origin *o = origin_of(w, name, "json");
    struct document *d;
    tasks_yield(w->tasks);
    if (!process_lives(p, false) || !(d = find_or_add(w, name)))
        return fails(p, name, "written", err);
    if (version->parts[0] != d->version || (d->version && version->parts[2] != d->text.len + 1)) {
        world_fail(w, "%s: written over what another wrote, while it was locked", name);
        return fails(p, name, "written: it was changed by another", err);
    }
    bool fault = world_fault(w, w->plan.store_faults);
    if (fault && rng_percent(&w->faults, 50)) {
        if (o)
            book_unnoted(w, o);
        return fails(p, name, "written", err);
    }
    write(p, name, d, content, version);
    if (!process_lives(p, true) || fault)
        return fails(p, name, "made durable", err);
    return 0;
}

static struct held_lock *held(struct world *w, const char *name)
{
    for (size_t i = 0; i < w->lock_count; i++) {
        if (strcmp(w->locks[i].name, name) == 0)
            return &w->locks[i];
    }
    return NULL;
}

static int model_lock(struct store *s, const char *name, int64_t give_up_mono_ns,
                      struct store_lock **out, struct error *err)
{
    struct process *p = process_with(s);
    struct world *w = p->w;
    tasks_yield(w->tasks);
    if (!process_lives(p, false))
        return fails(p, name, "locked", err);
    while (held(w, name)) {
        int64_t now = tasks_mono_ns(w->tasks);
        if (p->killed || w->lock_count == LOCKS_MAX)
            return fails(p, name, "locked", err);
        if (now >= give_up_mono_ns)
            return error_set(err, ERR_LOCKED, "state %s: held by another run", name);
        if (process_stopped(p, &p->clk))
            return error_set(err, ERR_STOPPED, "stopped");
        tasks_wait(w->tasks, w->locks, now + LOCK_LOOK_NS);
    }
    *out = xcalloc(1, sizeof(**out));
    snprintf((*out)->name, sizeof((*out)->name), "%s", name);
    w->locks[w->lock_count].by = *out;
    snprintf(w->locks[w->lock_count++].name, sizeof(w->locks[0].name), "%s", name);
    return 0;
}

static void model_unlock(struct store *s, struct store_lock *lock)
{
    struct world *w = process_with(s)->w;
    if (!lock)
        return;
    struct held_lock *h = held(w, lock->name);
    if (!h || h->by != lock)
        world_fail(w, "%s: let go by one who does not hold it", lock->name);
    else
        *h = w->locks[--w->lock_count];
    free(lock);
    tasks_wake(w->tasks, w->locks);
}

static int model_append(struct store *s, const char *name, struct bytes content, size_t max_bytes,
                        struct error *err)
{
    struct process *p = process_with(s);
    struct world *w = p->w;
    struct taken taken;
    (void)max_bytes;
    tasks_yield(w->tasks);
    if (!process_lives(p, false) || world_fault(w, w->plan.store_faults)) {
        struct origin *o = origin_of(w, name, "dead-letter.jsonl");
        if (o && !p->killed)
            book_unnoted(w, o); /* what went with them cannot be noted without them */
        return fails(p, name, "written", err);
    }
    collector_find(w, content, &taken);
    world_say(w, "run %d keeps %zu dead letters of %s", p->number, taken.count,
              taken.origin ? taken.origin->name : "?");
    for (size_t i = 0; i < taken.count; i++)
        w->contents[taken.contents[i]].dead++;
    book_given(w, &taken);
    free(taken.contents);
    return process_lives(p, true) ? 0 : fails(p, name, "written", err);
}

static void model_close(struct store *s)
{
    (void)s;
}

void store_of(struct process *p, struct store *out)
{
    (void)p;
    *out = (struct store){ .where = "memory",
                           .get = model_get,
                           .put = model_put,
                           .lock = model_lock,
                           .unlock = model_unlock,
                           .append = model_append,
                           .close = model_close };
}

bool store_read(struct world *w, const char *name, struct bytes *out)
{
    const struct document *d = find(w, name);
    if (!d || !d->version)
        return false;
    *out = buf_bytes(&d->text);
    return true;
}

void store_empty(struct world *w)
{
    for (size_t i = 0; i < w->document_count; i++)
        buf_release(&w->documents[i].text);
    w->document_count = w->lock_count = 0;
}
