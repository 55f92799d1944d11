#include "sink_store.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/jread.h"

#define BATCHES_MAX ((size_t)1 << 20) /* kept; later ones are counted only */
#define CODING_MAX  16
#define WHY_MAX     256

struct kept_batch {
    struct batch batch;
    char coding[CODING_MAX];
};

struct kept_lines {
    struct kept_lines *next;
    struct buf text;
};

struct figures {
    uint64_t requests, accepted, refused, records, rejected, bytes, read_bytes;
    char last_coding[CODING_MAX], last_refusal[WHY_MAX];
};

struct store {
    pthread_mutex_t mutex;
    size_t keep_bytes, kept_bytes;
    struct kept_lines *lines, **last_lines;
    struct kept_batch *batches;
    size_t batch_count, batch_capacity;
    uint64_t *prints;
    size_t print_count, print_capacity;
    struct figures figures;
};

struct store *store_create(size_t keep_bytes)
{
    struct store *s = xcalloc(1, sizeof(*s));
    pthread_mutex_init(&s->mutex, NULL);
    s->keep_bytes = keep_bytes;
    s->last_lines = &s->lines;
    return s;
}

static void forget(struct store *s)
{
    while (s->lines) {
        struct kept_lines *next = s->lines->next;
        buf_release(&s->lines->text);
        free(s->lines);
        s->lines = next;
    }
    free(s->batches);
    free(s->prints);
    s->last_lines = &s->lines;
    s->batches = NULL;
    s->prints = NULL;
    s->kept_bytes = s->batch_count = s->batch_capacity = s->print_count = s->print_capacity = 0;
    s->figures = (struct figures){ 0 };
}

void store_destroy(struct store *s)
{
    if (!s)
        return;
    forget(s);
    pthread_mutex_destroy(&s->mutex);
    free(s);
}

void store_reset(struct store *s)
{
    pthread_mutex_lock(&s->mutex);
    forget(s);
    pthread_mutex_unlock(&s->mutex);
}

static void keep_batch(struct store *s, const struct batch *batch)
{
    if (s->batch_count == BATCHES_MAX)
        return;
    if (s->batch_count == s->batch_capacity) {
        s->batch_capacity = s->batch_capacity ? 2 * s->batch_capacity : 64;
        s->batches = xreallocarray(s->batches, s->batch_capacity, sizeof(*s->batches));
    }
    struct kept_batch *kept = &s->batches[s->batch_count++];
    kept->batch = *batch;
    kept->batch.coding = NULL;
    snprintf(kept->coding, sizeof(kept->coding), "%s", batch->coding ? batch->coding : "");
}

static void keep_prints(struct store *s, const uint64_t *prints, size_t count)
{
    if (!prints || count == 0)
        return;
    while (s->print_count + count > s->print_capacity) {
        s->print_capacity = s->print_capacity ? 2 * s->print_capacity : 4096;
        s->prints = xreallocarray(s->prints, s->print_capacity, sizeof(*s->prints));
    }
    memcpy(s->prints + s->print_count, prints, count * sizeof(*prints));
    s->print_count += count;
}

static void keep_lines(struct store *s, struct buf *lines)
{
    if (lines->len == 0 || lines->full || lines->len > s->keep_bytes - s->kept_bytes) {
        buf_release(lines);
        return;
    }
    struct kept_lines *kept = xcalloc(1, sizeof(*kept));
    kept->text = *lines;
    *lines = (struct buf)BUF_INIT(0);
    s->kept_bytes += kept->text.len;
    *s->last_lines = kept;
    s->last_lines = &kept->next;
}

void store_add(struct store *s, const struct batch *batch, const uint64_t *prints,
               struct buf *lines, const char *why)
{
    pthread_mutex_lock(&s->mutex);
    struct figures *f = &s->figures;
    f->requests++;
    if (*why) {
        f->refused++;
        snprintf(f->last_refusal, sizeof(f->last_refusal), "%s", why);
    } else {
        f->accepted++;
    }
    f->records += batch->records;
    f->rejected += batch->rejected;
    f->bytes += batch->bytes;
    f->read_bytes += batch->read_bytes;
    snprintf(f->last_coding, sizeof(f->last_coding), "%s", batch->coding ? batch->coding : "");
    keep_batch(s, batch);
    keep_prints(s, prints, batch->records);
    keep_lines(s, lines);
    pthread_mutex_unlock(&s->mutex);
}

uint64_t *store_prints(struct store *s, size_t *count)
{
    pthread_mutex_lock(&s->mutex);
    uint64_t *copy = xreallocarray(NULL, s->print_count, sizeof(*copy));
    if (s->print_count)
        memcpy(copy, s->prints, s->print_count * sizeof(*copy));
    *count = s->print_count;
    pthread_mutex_unlock(&s->mutex);
    return copy;
}

static int by_number(const void *a, const void *b)
{
    const uint64_t *left = a, *right = b;
    return (*left > *right) - (*left < *right);
}

/* Records that look like an earlier one. */
static size_t count_repeats(struct store *s)
{
    size_t count, repeats = 0;
    uint64_t *prints = store_prints(s, &count);
    qsort(prints, count, sizeof(*prints), by_number);
    for (size_t i = 1; i < count; i++)
        repeats += prints[i] == prints[i - 1];
    free(prints);
    return repeats;
}

void store_stats(struct store *s, struct buf *out)
{
    size_t repeats = count_repeats(s);
    pthread_mutex_lock(&s->mutex);
    struct figures f = s->figures;
    size_t kept_bytes = s->kept_bytes;
    pthread_mutex_unlock(&s->mutex);
    buf_printf(out,
               "{\"requests\":%" PRIu64 ",\"accepted\":%" PRIu64 ",\"refused\":%" PRIu64
               ",\"records\":%" PRIu64 ",\"rejected\":%" PRIu64 ",\"bytes\":%" PRIu64
               ",\"read_bytes\":%" PRIu64 ",\"kept_bytes\":%zu,\"repeats\":%zu,\"last_encoding\":",
               f.requests, f.accepted, f.refused, f.records, f.rejected, f.bytes, f.read_bytes,
               kept_bytes, repeats);
    jread_quote(out, f.last_coding);
    buf_append_text(out, ",\"last_refusal\":");
    jread_quote(out, f.last_refusal);
    buf_append_text(out, "}\n");
}

void store_records(struct store *s, struct buf *out)
{
    pthread_mutex_lock(&s->mutex);
    for (const struct kept_lines *kept = s->lines; kept; kept = kept->next)
        buf_append_bytes(out, buf_bytes(&kept->text));
    pthread_mutex_unlock(&s->mutex);
}

void store_batches(struct store *s, struct buf *out)
{
    pthread_mutex_lock(&s->mutex);
    for (size_t i = 0; i < s->batch_count; i++) {
        const struct kept_batch *kept = &s->batches[i];
        buf_printf(out,
                   "{\"unix_ns\":%" PRId64 ",\"status\":%d,\"records\":%zu,\"rejected\":%zu,"
                   "\"bytes\":%zu,\"read_bytes\":%zu,\"proto\":%s,\"encoding\":",
                   kept->batch.unix_ns, kept->batch.status, kept->batch.records,
                   kept->batch.rejected, kept->batch.bytes, kept->batch.read_bytes,
                   kept->batch.proto ? "true" : "false");
        jread_quote(out, kept->coding);
        buf_append_text(out, "}\n");
    }
    pthread_mutex_unlock(&s->mutex);
}
