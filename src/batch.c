#include "batch.h"

#include <stdlib.h>

#include "normalize.h"
#include "sink.h"

/* What normalizing can add to a record, head and tail with it. */
#define ROOM_BYTES ((size_t)1 << 20)

static struct otlp_attribute *attributes_of(const struct pairs *pairs)
{
    struct otlp_attribute *list = xcalloc(pairs->count, sizeof(*list));
    for (size_t i = 0; i < pairs->count; i++)
        list[i] = (struct otlp_attribute){ pairs->items[i].key, pairs->items[i].value };
    return list;
}

void batch_init(struct batch *b, const struct source_config *source,
                const struct exporter_config *exporter)
{
    size_t largest = exporter->max_batch_bytes > source->peer.max_response_bytes
                         ? exporter->max_batch_bytes
                         : source->peer.max_response_bytes;
    *b = (struct batch){ .text = BUF_INIT(2 * largest + ROOM_BYTES),
                         .max_records = exporter->max_batch_records,
                         .max_bytes = exporter->max_batch_bytes };
    struct otlp_attribute *resource = attributes_of(&source->resource);
    struct otlp_attribute *attributes = attributes_of(&source->scope_attributes);
    struct otlp_scope scope = { source->scope_name, source->scope_version, attributes,
                                source->scope_attributes.count };
    otlp_put_head(sink_of(&b->text), resource, source->resource.count, &scope);
    b->head_len = b->text.len;
    otlp_put_tail(sink_of(&b->text));
    b->tail_len = b->text.len - b->head_len;
    batch_reset(b);
    free(resource);
    free(attributes);
}

static struct batch_item *next_item(struct batch *b)
{
    if (b->count == b->capacity) {
        b->capacity = b->capacity ? 2 * b->capacity : 256;
        b->items = xreallocarray(b->items, b->capacity, sizeof(*b->items));
    }
    return &b->items[b->count];
}

bool batch_add(struct batch *b, const struct otlp_record *record, uint64_t print, bool normalize,
               struct otlp_text observed)
{
    size_t before = b->text.len;
    if (b->count == b->max_records)
        return false;
    if (b->count > 0)
        buf_append_char(&b->text, ',');
    size_t at = b->text.len;
    if (normalize)
        normalize_record(record, observed, sink_of(&b->text));
    else
        buf_append(&b->text, record->text, record->len);
    if (b->count > 0 && (b->text.full || b->text.len + b->tail_len > b->max_bytes)) {
        b->text.len = before;
        b->text.full = false;
        return false;
    }
    *next_item(b) = (struct batch_item){ at, b->text.len - at, print, FATE_OPEN };
    b->count++;
    return true;
}

void batch_drop_last(struct batch *b)
{
    b->count--;
    b->text.len = b->items[b->count].at - (b->count > 0);
    b->text.full = false;
}

struct bytes batch_body(struct batch *b, size_t from, size_t to, struct buf *scratch)
{
    size_t end = b->items[to - 1].at + b->items[to - 1].len;
    if (from == 0 && to == b->count) { /* the whole: only the tail is missing */
        otlp_put_tail(sink_of(&b->text));
        struct bytes body = buf_bytes(&b->text);
        b->text.len = end;
        return body;
    }
    scratch->max = b->text.max;
    buf_reset(scratch);
    buf_append(scratch, b->text.data, b->head_len);
    buf_append(scratch, b->text.data + b->items[from].at, end - b->items[from].at);
    otlp_put_tail(sink_of(scratch));
    return buf_bytes(scratch);
}

bool batch_print(struct batch *b, FILE *to)
{
    struct buf unused = BUF_INIT(0);
    struct bytes body = batch_body(b, 0, b->count, &unused);
    flockfile(to);
    bool ok = fwrite(body.data, 1, body.len, to) == body.len && putc('\n', to) != EOF &&
              fflush(to) == 0;
    funlockfile(to);
    return ok;
}

struct bytes batch_record(const struct batch *b, size_t i)
{
    return (struct bytes){ b->text.data + b->items[i].at, b->items[i].len };
}

void batch_reset(struct batch *b)
{
    b->text.len = b->head_len;
    b->text.full = false;
    b->count = 0;
}

void batch_release(struct batch *b)
{
    buf_release(&b->text);
    free(b->items);
    *b = (struct batch){ 0 };
}
