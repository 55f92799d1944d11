/* s3.c -- the store as a prefix in an S3 bucket: an object per document, written only where it
 * still is what it was when last seen (If-Match, If-None-Match), so that two runs can never both
 * move a checkpoint. What is held alone bears a lease (s3_lease.h).
 *
 * Each call goes over the network and is paid for, so what this process knows for sure is not asked
 * again: a document that it holds, and what it wrote itself, which the next writing proves. */
#include <stdlib.h>
#include <string.h>

#include "net/http.h"
#include "state/s3_document.h"
#include "state/s3_journal.h"
#include "state/stores.h"

#define LOCK_RETRY_NS (500 * NS_PER_MS)

/* "NAME.lock" is the lease of "NAME.json". */
#define LOCK_SUFFIX     ".lock"
#define DOCUMENT_SUFFIX ".json"

struct store_lock {
    struct s3_document *document;
};

static struct s3_store *self_of(struct store *store)
{
    return (struct s3_store *)(void *)store;
}

static struct store_version version_of(const struct s3_document *d)
{
    if (d->content.len == 0)
        return (struct store_version){ { 0 } };
    return (struct store_version){ { d->seen, 0, d->content.len + 1 } };
}

/* Whether it is what the caller has seen. */
static bool is_at(const struct s3_document *d, const struct store_version *version)
{
    if (version->parts[2] == 0)
        return d->content.len == 0;
    return version->parts[0] == d->seen && version->parts[2] == d->content.len + 1;
}

static int s3_store_get(struct store *store, const char *name, struct buf *out,
                        struct store_version *version, struct error *err)
{
    struct s3_store *s = self_of(store);
    *version = (struct store_version){ { 0 } };
    if (s->broken.kind) {
        *err = s->broken;
        return -1;
    }
    struct s3_document *d = s3_document_find(s, name);
    pthread_mutex_lock(&d->mutex);
    int rc = d->held ? s3_document_settle(s, d, err) : d->known ? 0 : s3_document_load(s, d, err);
    if (rc == 0) {
        *version = version_of(d);
        buf_append_bytes(out, buf_bytes(&d->content));
        d->known = false; /* the next one asks, as others may have written */
    }
    pthread_mutex_unlock(&d->mutex);
    return rc;
}

static int changed(const struct s3_store *s, const char *name, struct error *err)
{
    return error_set(err, ERR_STATE, "state %s/%s: was changed by another while this run held it",
                     s->bucket.where, name);
}

static int put_document(struct s3_store *s, struct s3_document *d, struct bytes content,
                        struct store_version *version, struct error *err)
{
    if (d->lost || !is_at(d, version))
        return changed(s, d->name, err);
    if (d->held && bytes_equal(buf_bytes(&d->content), content))
        return 0; /* it is there, and that it can be written its lease has shown */
    if (s3_document_write(s, d, content, d->held, err) == 0) {
        d->seen++;
        *version = version_of(d);
        return 0;
    }
    if (d->held && err->kind == ERR_LOCKED) {
        d->lost = true;
        return changed(s, d->name, err);
    }
    return -1;
}

static int s3_store_put(struct store *store, const char *name, struct bytes content,
                        struct store_version *version, struct error *err)
{
    struct s3_store *s = self_of(store);
    struct s3_document *d = s3_document_find(s, name);
    pthread_mutex_lock(&d->mutex);
    int rc = put_document(s, d, content, version, err);
    pthread_mutex_unlock(&d->mutex);
    return rc;
}

static char *document_of(const char *lock_name)
{
    size_t len = strlen(lock_name), suffix_len = strlen(LOCK_SUFFIX);
    struct buf name = BUF_INIT(1024);
    if (len > suffix_len && strcmp(lock_name + len - suffix_len, LOCK_SUFFIX) == 0)
        len -= suffix_len;
    buf_append(&name, lock_name, len);
    buf_append_text(&name, DOCUMENT_SUFFIX);
    return name.data;
}

/* Whether another run works with it. What bears our own name is what an earlier run of this process
 * could not let go of. */
static bool is_taken(struct s3_store *s, const struct s3_document *d)
{
    return d->held || (d->lease.by[0] && strcmp(d->lease.by, s->by) != 0 &&
                       s3_lease_holds(&d->lease, s3_store_unix_ns(s)));
}

/* Take the lease, if nobody has it: ERR_LOCKED. */
static int take_lease(struct s3_store *s, struct s3_document *d, struct error *err)
{
    char until[TIMEFMT_MAX];
    if (!d->held && !d->known && s3_document_load(s, d, err))
        return -1;
    if (is_taken(s, d)) {
        d->known = d->known && d->held;
        timefmt_rfc3339(d->lease.until_unix_ns, 0, until);
        return error_set(err, ERR_LOCKED,
                         "state %s/%s: held by another run (%s) until %s at the latest",
                         s->bucket.where, d->name, d->lease.by, until);
    }
    d->known = false;
    if (s3_document_write(s, d, buf_bytes(&d->content), true, err))
        return -1;
    d->seen++;
    d->held = true;
    d->lost = false;
    return 0;
}

/* Another that took it at this very moment is seen at the next look, which costs no call. */
static int take_lease_soon(struct s3_store *s, struct s3_document *d, int64_t give_up_mono_ns,
                           struct error *err)
{
    for (;;) {
        struct error why = { 0 };
        pthread_mutex_lock(&d->mutex);
        int rc = take_lease(s, d, &why);
        bool raced = rc && why.kind == ERR_LOCKED && d->known && !d->held;
        pthread_mutex_unlock(&d->mutex);
        if (rc == 0)
            return 0;
        int64_t now = clock_mono_ns(s->clk);
        if (!raced && (why.kind != ERR_LOCKED || now >= give_up_mono_ns)) {
            *err = why;
            return -1;
        }
        if (!raced && !clock_sleep_until(s->clk, now + LOCK_RETRY_NS))
            return error_set(err, ERR_STOPPED, "stopped");
    }
}

static int s3_store_lock(struct store *store, const char *name, int64_t give_up_mono_ns,
                         struct store_lock **out, struct error *err)
{
    struct s3_store *s = self_of(store);
    if (s3_renewer_start(s, err))
        return -1;
    char *document = document_of(name);
    struct s3_document *d = s3_document_find(s, document);
    free(document);
    if (take_lease_soon(s, d, give_up_mono_ns, err))
        return -1;
    *out = xmalloc(sizeof(**out));
    (*out)->document = d;
    return 0;
}

/* Where it fails, the lease ends by itself. */
static void s3_store_unlock(struct store *store, struct store_lock *lock)
{
    struct error ignored;
    if (!lock)
        return;
    struct s3_document *d = lock->document;
    pthread_mutex_lock(&d->mutex);
    if (s3_document_settle(self_of(store), d, &ignored) == 0 && !d->lost)
        s3_document_write(self_of(store), d, buf_bytes(&d->content), false, &ignored);
    d->held = d->lost = d->unsure = d->known = false;
    buf_release(&d->content);
    pthread_mutex_unlock(&d->mutex);
    free(lock);
}

static int s3_store_names(struct store *store, const char *suffix, struct buf *out,
                          struct error *err)
{
    struct s3_store *s = self_of(store);
    if (s->broken.kind) {
        *err = s->broken;
        return -1;
    }
    return s3_names(&s->bucket, suffix, out, err);
}

static void s3_store_close(struct store *store)
{
    struct s3_store *s = self_of(store);
    s3_renewer_end(s);
    while (s->documents) {
        struct s3_document *d = s->documents;
        s->documents = d->next;
        pthread_mutex_destroy(&d->mutex);
        buf_release(&d->content);
        free(d->name);
        free(d);
    }
    s3_bucket_close(&s->bucket);
    pthread_mutex_destroy(&s->mutex);
    http_global_release();
    free(s);
}

static struct s3_store *create(const char *path, bool writable, struct clock *clk)
{
    struct s3_store *s = xcalloc(1, sizeof(*s));
    s->store = (struct store){ .where = path,
                               .optimistic = true,
                               .get = s3_store_get,
                               .put = s3_store_put,
                               .lock = s3_store_lock,
                               .unlock = s3_store_unlock,
                               .append = s3_append,
                               .open = s3_open,
                               .read = s3_read,
                               .end = s3_end,
                               .splice = s3_splice,
                               .names = s3_store_names,
                               .close = s3_store_close };
    s->clk = clk;
    s3_lease_name(s->by);
    pthread_mutex_init(&s->mutex, NULL);
    /* Counted, so that it may be called beside main()'s; and who only reads calls it nowhere else.
     */
    if (http_global_init(&s->broken) == 0 &&
        s3_bucket_open(&s->bucket, path, writable, &s->store, clk, &s->broken) == 0)
        s->store.where = s->bucket.where;
    return s;
}

struct store *s3_store_open(const char *path, struct clock *clk, struct error *err)
{
    struct s3_store *s = create(path, true, clk);
    if (!s->broken.kind)
        return &s->store;
    *err = s->broken;
    s3_store_close(&s->store);
    return NULL;
}

struct store *s3_store_open_for_reading(const char *path, struct clock *clk)
{
    return &create(path, false, clk)->store;
}
