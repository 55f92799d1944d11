#include "s3_journal.h"

#include <stdlib.h>
#include <string.h>

#include "state/s3_document.h"
#include "state/stores.h"

#define PIECE_BYTES 65536

struct store_reader {
    struct buf text;
    size_t at;
};

static struct s3_store *self_of(struct store *store)
{
    return (struct s3_store *)(void *)store;
}

/* What a journal shall become: its bytes without those in [from, to), and `with` in their place. */
struct change {
    uint64_t from, to;
    struct bytes with;
};

static int write_changed(struct s3_store *s, struct s3_document *d, const struct change *change,
                         struct error *err)
{
    struct bytes old = buf_bytes(&d->content);
    struct buf whole = BUF_INIT(STORE_DOCUMENT_MAX);
    int rc = -1;
    if (change->from > change->to || change->to > old.len) {
        error_set(err, ERR_STATE, "state %s/%s: was changed by another while this run held it",
                  s->bucket.where, d->name);
    } else {
        buf_reserve(&whole, old.len - (size_t)(change->to - change->from) + change->with.len);
        buf_append(&whole, old.data, (size_t)change->from);
        buf_append_bytes(&whole, change->with);
        buf_append(&whole, old.data + change->to, old.len - (size_t)change->to);
        rc = s3_document_write(s, d, buf_bytes(&whole), false, err);
    }
    buf_release(&whole);
    if (rc && err->kind == ERR_LOCKED)
        err->kind = ERR_STATE; /* the source's lock is held: nobody else should */
    return rc;
}

static void forget(struct s3_document *d)
{
    buf_release(&d->content); /* it may be large */
    d->known = false;
}

int s3_append(struct store *store, const char *name, struct bytes content, size_t max_bytes,
              struct error *err)
{
    struct s3_store *s = self_of(store);
    struct s3_document *d = s3_document_find(s, name);
    size_t most = max_bytes < S3_JOURNAL_MAX ? max_bytes : S3_JOURNAL_MAX;
    pthread_mutex_lock(&d->mutex);
    int rc = s3_document_load(s, d, err);
    if (rc == 0 && d->content.len + content.len > most)
        rc = store_journal_full(store, name, most, err);
    if (rc == 0) {
        const struct change change = { d->content.len, d->content.len, content };
        rc = write_changed(s, d, &change, err);
    }
    forget(d);
    pthread_mutex_unlock(&d->mutex);
    return rc;
}

int s3_splice(struct store *store, const char *name, uint64_t from, uint64_t to, struct bytes with,
              struct error *err)
{
    struct s3_store *s = self_of(store);
    struct s3_document *d = s3_document_find(s, name);
    const struct change change = { from, to, with };
    pthread_mutex_lock(&d->mutex);
    int rc = s3_document_load(s, d, err);
    if (rc == 0 && !d->etag[0])
        rc = error_set(err, ERR_STATE, "state %s/%s: is gone", s->bucket.where, name);
    if (rc == 0)
        rc = write_changed(s, d, &change, err);
    forget(d);
    pthread_mutex_unlock(&d->mutex);
    return rc;
}

int s3_open(struct store *store, const char *name, struct store_reader **out, uint64_t *bytes,
            struct error *err)
{
    struct s3_store *s = self_of(store);
    struct s3_object object = { 0 };
    *out = NULL;
    *bytes = 0;
    if (s->broken.kind) {
        *err = s->broken;
        return -1;
    }
    if (s3_get(&s->bucket, name, &object, err))
        return -1;
    *bytes = object.content.len;
    if (object.content.len > 0) { /* an empty one is what is left of one that was sent */
        *out = xcalloc(1, sizeof(**out));
        (*out)->text = object.content;
    } else {
        s3_object_release(&object);
    }
    return 0;
}

int s3_read(struct store *store, struct store_reader *reader, struct buf *out, struct error *err)
{
    (void)store, (void)err;
    size_t left = reader->text.len - reader->at;
    size_t len = left < PIECE_BYTES ? left : PIECE_BYTES;
    buf_append(out, reader->text.data + reader->at, len);
    reader->at += len;
    return 0;
}

void s3_end(struct store *store, struct store_reader *reader)
{
    (void)store;
    if (!reader)
        return;
    buf_release(&reader->text);
    free(reader);
}
