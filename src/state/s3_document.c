#include "s3_document.h"

#include <stdlib.h>
#include <string.h>

#define RENEW_NS (S3_LEASE_NS / 3)
#define LOOK_NS  (S3_LEASE_NS / 30)

struct s3_document *s3_document_find(struct s3_store *s, const char *name)
{
    pthread_mutex_lock(&s->mutex);
    struct s3_document *d = s->documents;
    while (d && strcmp(d->name, name) != 0)
        d = d->next;
    if (!d) {
        d = xcalloc(1, sizeof(*d));
        d->name = xstrdup(name);
        d->content = (struct buf)BUF_INIT(STORE_DOCUMENT_MAX);
        pthread_mutex_init(&d->mutex, NULL);
        d->next = s->documents;
        s->documents = d;
    }
    pthread_mutex_unlock(&s->mutex);
    return d;
}

int64_t s3_store_unix_ns(struct s3_store *s)
{
    pthread_mutex_lock(&s->mutex);
    int64_t told_ns = s->date_unix_ns, since_ns = clock_mono_ns(s->clk) - s->date_mono_ns;
    pthread_mutex_unlock(&s->mutex);
    return told_ns ? told_ns + since_ns : clock_unix_ns(s->clk);
}

/* Leases go by the store's clock, which is the same for all machines. */
static void note_date(struct s3_store *s, int64_t date_unix_ns)
{
    if (!date_unix_ns)
        return;
    pthread_mutex_lock(&s->mutex);
    s->date_unix_ns = date_unix_ns;
    s->date_mono_ns = clock_mono_ns(s->clk);
    pthread_mutex_unlock(&s->mutex);
}

static int check_size(const struct s3_store *s, const struct s3_document *d, struct error *err)
{
    return !d->content.full ? 0
                            : error_set(err, ERR_STATE, "state %s/%s: over %zu bytes",
                                        s->bucket.where, d->name, d->content.max);
}

/* What another wrote is new to who had seen it before; what is as we know it is not. */
static int take(struct s3_store *s, struct s3_document *d, const struct s3_object *object,
                struct error *err)
{
    struct bytes content;
    d->lease.by[0] = '\0';
    s3_lease_split(buf_bytes(&object->content), &content, &d->lease);
    if (!d->seen || !bytes_equal(buf_bytes(&d->content), content)) {
        buf_reset(&d->content);
        buf_append_bytes(&d->content, content);
        d->seen++;
    }
    memcpy(d->etag, object->etag, sizeof(d->etag));
    d->known = true;
    d->unsure = false;
    note_date(s, object->date_unix_ns);
    return check_size(s, d, err);
}

int s3_document_load(struct s3_store *s, struct s3_document *d, struct error *err)
{
    struct s3_object object = { 0 };
    int rc = s3_get(&s->bucket, d->name, &object, err);
    if (rc == 0)
        rc = take(s, d, &object, err);
    s3_object_release(&object);
    return rc;
}

int s3_document_settle(struct s3_store *s, struct s3_document *d, struct error *err)
{
    if (!d->held || !d->unsure || d->lost)
        return 0;
    if (s3_document_load(s, d, err))
        return -1;
    d->lost = strcmp(d->lease.by, s->by) != 0;
    return 0;
}

/* What to do about a writing that was refused. */
enum refusal { IS_OURS, TRY_AGAIN, GIVE_WAY, IS_GONE };

static bool is_by(const struct s3_store *s, const struct s3_object *object)
{
    struct s3_lease lease;
    struct bytes content;
    return s3_lease_split(buf_bytes(&object->content), &content, &lease) &&
           strcmp(lease.by, s->by) == 0;
}

/* What is there now may be our own: of an attempt whose answer was lost. While we hold the lease
 * nobody else writes, so whatever bears our name is. */
static enum refusal judge(const struct s3_store *s, const struct s3_document *d,
                          const struct s3_object *object, struct bytes whole)
{
    if (!object->etag[0] && d->etag[0])
        return IS_GONE;
    if (object->etag[0] && bytes_equal(buf_bytes(&object->content), whole))
        return IS_OURS;
    if (strcmp(object->etag, d->etag) == 0 || is_by(s, object)) /* others only tried, or it is */
        return TRY_AGAIN;
    return GIVE_WAY;
}

static int look_at_refusal(struct s3_store *s, struct s3_document *d, struct bytes whole,
                           enum refusal *refusal, struct error *err)
{
    struct s3_object object = { 0 };
    int rc = s3_get(&s->bucket, d->name, &object, err);
    if (rc == 0) {
        *refusal = judge(s, d, &object, whole);
        if (*refusal == IS_OURS || *refusal == TRY_AGAIN)
            memcpy(d->etag, object.etag, sizeof(d->etag));
        else
            rc = take(s, d, &object, err);
    }
    s3_object_release(&object);
    return rc;
}

static int is_gone(const struct s3_store *s, struct s3_document *d, struct error *err)
{
    d->lost = d->held; /* what is lost is not to be made anew from what we remember */
    return error_set(err, ERR_STATE,
                     "state %s/%s: was removed while this run worked with it: put a good copy "
                     "back, or start anew",
                     s->bucket.where, d->name);
}

static int give_way(const struct s3_store *s, const struct s3_document *d, struct error *err)
{
    return error_set(err, ERR_LOCKED, "state %s/%s: was changed by another run at this moment",
                     s->bucket.where, d->name);
}

static int write_whole(struct s3_store *s, struct s3_document *d, struct bytes whole,
                       struct error *err)
{
    for (int i = 1; i <= S3_TRIES_MAX; i++) {
        int64_t date_unix_ns;
        enum s3_put put = s3_put(&s->bucket, d->name, whole, d->etag, &date_unix_ns, err);
        note_date(s, date_unix_ns);
        if (put == S3_PUT_DONE && d->etag[0])
            return 0;
        if (put == S3_PUT_FAILED)
            return -1;
        enum refusal refusal;
        if (look_at_refusal(s, d, whole, &refusal, err))
            return -1;
        switch (refusal) {
        case IS_OURS:
            return 0;
        case GIVE_WAY:
            return give_way(s, d, err);
        case IS_GONE:
            return is_gone(s, d, err);
        case TRY_AGAIN:
            break;
        }
        if (!clock_sleep_until(s->clk, clock_mono_ns(s->clk) + i * S3_TRY_AGAIN_NS))
            return error_set(err, ERR_STOPPED, "stopped");
    }
    return error_set(err, ERR_STATE, "state %s/%s: cannot be written: refused %d times (409)",
                     s->bucket.where, d->name, S3_TRIES_MAX);
}

int s3_document_write(struct s3_store *s, struct s3_document *d, struct bytes content, bool lease,
                      struct error *err)
{
    struct buf whole = BUF_INIT(STORE_DOCUMENT_MAX + 1024);
    struct s3_lease ours;
    int64_t now = clock_mono_ns(s->clk);
    int rc = -1;
    if (!d->etag[0] && s3_self_test(&s->bucket, err))
        return -1;
    buf_reserve(&whole, content.len + 512);
    buf_append_bytes(&whole, content);
    if (lease) {
        memcpy(ours.by, s->by, sizeof(ours.by));
        ours.until_unix_ns = s3_store_unix_ns(s) + S3_LEASE_NS;
        s3_lease_write(&ours, &whole);
    }
    if (whole.full) {
        error_set(err, ERR_STATE, "state %s/%s: over %zu bytes", s->bucket.where, d->name,
                  STORE_DOCUMENT_MAX);
    } else if (write_whole(s, d, buf_bytes(&whole), err) == 0) {
        buf_reset(&d->content); /* of which `content` may be a part: from the copy */
        buf_append(&d->content, whole.data, content.len);
        d->lease.by[0] = '\0';
        d->known = true;
        d->renew_mono_ns = now + RENEW_NS;
        rc = 0;
    }
    d->unsure = rc != 0;
    buf_release(&whole);
    return rc;
}

/* ---- renewal -----------------------------------------------------------------------------------
 */

/* A lease that cannot be renewed may still be good; one that another has taken over is not. */
static void renew(struct s3_store *s, struct s3_document *d)
{
    struct error why = { 0 };
    pthread_mutex_lock(&d->mutex);
    if (d->held && clock_mono_ns(s->clk) >= d->renew_mono_ns &&
        s3_document_settle(s, d, &why) == 0 && !d->lost &&
        s3_document_write(s, d, buf_bytes(&d->content), true, &why))
        d->lost = d->lost || why.kind == ERR_LOCKED;
    pthread_mutex_unlock(&d->mutex);
}

static void *renew_all(void *arg)
{
    struct s3_store *s = arg;
    struct clock *clk = &s->renewer_clk.clk;
    while (clock_sleep_until(clk, clock_mono_ns(clk) + LOOK_NS)) {
        pthread_mutex_lock(&s->mutex);
        struct s3_document *d = s->documents; /* new ones come before it, and none ever goes */
        pthread_mutex_unlock(&s->mutex);
        for (; d; d = d->next)
            renew(s, d);
    }
    return NULL;
}

int s3_renewer_start(struct s3_store *s, struct error *err)
{
    int rc = 0;
    pthread_mutex_lock(&s->mutex);
    if (!s->renewing) {
        rc = clock_child_init(&s->renewer_clk, s->clk, err);
        if (rc == 0 && pthread_create(&s->renewer, NULL, renew_all, s)) {
            clock_child_release(&s->renewer_clk);
            rc = error_set(err, ERR_STATE, "no thread can be had");
        }
        s->renewing = rc == 0;
    }
    pthread_mutex_unlock(&s->mutex);
    if (rc == 0)
        return 0;
    err->kind = ERR_STATE;
    return error_within(err, "state %s", s->bucket.where);
}

void s3_renewer_end(struct s3_store *s)
{
    if (!s->renewing)
        return;
    clock_child_stop(&s->renewer_clk);
    pthread_join(s->renewer, NULL);
    clock_child_release(&s->renewer_clk);
    s->renewing = false;
}
