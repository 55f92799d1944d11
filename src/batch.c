#include "batch.h"

#include <stdlib.h>
#include <string.h>

#include "normalize.h"
#include "sink.h"

/* What normalizing can add to a record, head and tail with it. */
#define ROOM_BYTES ((size_t)1 << 20)
/* Resources of one batch, and of those how many keep their memory from one to the next. */
#define GROUPS_MOST 1024
#define GROUPS_KEPT 16
#define BEGIN_BYTES (sizeof(OTLP_REQUEST_BEGIN) - 1)
#define TAIL_BYTES  (sizeof(OTLP_RESOURCE_END OTLP_REQUEST_END) - 1)

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
    *b = (struct batch){ .source = source,
                         .max_records = exporter->max_batch_records,
                         .max_bytes = exporter->max_batch_bytes,
                         .max_text = 2 * largest + ROOM_BYTES };
}

/* Whether the source's own configuration names this attribute. */
static bool is_configured(const struct source_config *source, struct otlp_text attribute)
{
    struct otlp_scan s;
    struct otlp_text key, raw = { 0 };
    otlp_scan_init(&s, attribute.data, attribute.len);
    otlp_scan_enter_object(&s);
    while (otlp_scan_next_key(&s, &key))
        otlp_scan_value(&s, otlp_key_is(key, "key") ? &raw : NULL);
    for (size_t i = 0; i < source->resource.count && raw.len > 1; i++) {
        if (otlp_key_is((struct otlp_text){ raw.data + 1, raw.len - 2 },
                        source->resource.items[i].key))
            return true;
    }
    return false;
}

/* Of a resource's attributes those that the configuration does not name. */
static void add_unconfigured(const struct source_config *source, struct bytes resource,
                             struct buf *out)
{
    struct buf list = BUF_INIT(resource.len + 2);
    struct otlp_scan s;
    struct otlp_text attribute;
    buf_append_char(&list, '[');
    buf_append_bytes(&list, resource);
    buf_append_char(&list, ']');
    otlp_scan_init(&s, buf_text(&list), list.len);
    otlp_scan_enter_array(&s);
    while (otlp_scan_next_element(&s) && otlp_scan_value(&s, &attribute)) {
        if (is_configured(source, attribute))
            continue;
        if (out->len > 0)
            buf_append_char(out, ',');
        buf_append(out, attribute.data, attribute.len);
    }
    buf_release(&list);
}

static void put_head(struct batch *b, struct batch_group *g)
{
    const struct source_config *source = b->source;
    struct otlp_attribute *resource = attributes_of(&source->resource);
    struct otlp_attribute *attributes = attributes_of(&source->scope_attributes);
    struct otlp_scope scope = { source->scope_name, source->scope_version, attributes,
                                source->scope_attributes.count };
    struct buf more = BUF_INIT(g->resource.len);
    add_unconfigured(source, buf_bytes(&g->resource), &more);
    otlp_put_text(sink_of(&g->text), OTLP_REQUEST_BEGIN);
    otlp_put_resource_head(sink_of(&g->text), resource, source->resource.count,
                           (struct otlp_text){ buf_text(&more), more.len }, &scope);
    g->head_len = g->text.len;
    buf_release(&more);
    free(resource);
    free(attributes);
}

/* The index of the group of these; the one used last is likely. */
static size_t find_group(const struct batch *b, struct bytes resource)
{
    size_t last = b->count > 0 ? b->items[b->count - 1].group : 0;
    if (last < b->group_count && bytes_equal(resource, buf_bytes(&b->groups[last].resource)))
        return last;
    for (size_t i = 0; i < b->group_count; i++) {
        if (bytes_equal(resource, buf_bytes(&b->groups[i].resource)))
            return i;
    }
    return b->group_count;
}

static void add_group(struct batch *b, struct bytes resource)
{
    if (b->group_count == b->group_capacity) {
        b->group_capacity = b->group_capacity ? 2 * b->group_capacity : 1;
        b->groups = xreallocarray(b->groups, b->group_capacity, sizeof(*b->groups));
    }
    struct batch_group *g = &b->groups[b->group_count++];
    *g = (struct batch_group){ .resource = BUF_INIT(resource.len + 1),
                               .text = BUF_INIT(b->max_text) };
    buf_append_bytes(&g->resource, resource);
    put_head(b, g);
}

static struct batch_item *next_item(struct batch *b)
{
    if (b->count == b->capacity) {
        b->capacity = b->capacity ? 2 * b->capacity : 256;
        b->items = xreallocarray(b->items, b->capacity, sizeof(*b->items));
    }
    return &b->items[b->count];
}

/* What the body grows by with a group's first record, besides the record: its head and tail; of
 * the batch's first, what stands around all of them as well. */
static size_t frame_bytes(const struct batch *b, const struct batch_group *g)
{
    return b->count == 0 ? g->head_len + TAIL_BYTES
                         : g->head_len - BEGIN_BYTES + sizeof(OTLP_RESOURCE_END); /* and a comma */
}

bool batch_add(struct batch *b, const struct otlp_record *record, struct bytes resource,
               uint64_t print, struct otlp_text observed)
{
    size_t group = find_group(b, resource);
    if (b->count == b->max_records || (b->count > 0 && group == GROUPS_MOST))
        return false;
    if (group == b->group_count)
        add_group(b, resource);
    struct batch_group *g = &b->groups[group];
    size_t before = g->text.len, bytes = g->count == 0 ? frame_bytes(b, g) : 1;
    if (g->count > 0)
        buf_append_char(&g->text, ',');
    size_t at = g->text.len;
    if (b->source->normalize)
        normalize_record(record, observed, sink_of(&g->text));
    else
        buf_append(&g->text, record->text, record->len);
    bytes += g->text.len - at;
    if (b->count > 0 && (g->text.full || b->bytes + bytes > b->max_bytes)) {
        g->text.len = before;
        g->text.full = false;
        return false;
    }
    *next_item(b) = (struct batch_item){ group, at, g->text.len - at, print, FATE_OPEN };
    b->bytes += bytes;
    g->count++;
    b->count++;
    return true;
}

void batch_drop_last(struct batch *b)
{
    b->count--;
    const struct batch_item *item = &b->items[b->count];
    struct batch_group *g = &b->groups[item->group];
    g->count--;
    b->bytes -= item->len + (g->count == 0 ? frame_bytes(b, g) : 1);
    g->text.len = item->at - (g->count > 0);
    g->text.full = false;
}

/* Of each group's text, what holds the records [from, to). */
static void find_slices(struct batch *b, size_t from, size_t to)
{
    for (size_t i = 0; i < b->group_count; i++)
        b->groups[i].from = b->groups[i].to = 0;
    for (size_t i = from; i < to; i++) {
        const struct batch_item *item = &b->items[i];
        struct batch_group *g = &b->groups[item->group];
        if (g->to == 0)
            g->from = item->at;
        g->to = item->at + item->len;
    }
}

struct bytes batch_body(struct batch *b, size_t from, size_t to, struct buf *scratch)
{
    struct batch_group *first = &b->groups[b->items[from].group];
    if (first->count == b->count && to - from == b->count) { /* all of one: its tail is missing */
        size_t end = first->text.len;
        otlp_put_tail(sink_of(&first->text));
        struct bytes body = buf_bytes(&first->text);
        first->text.len = end;
        return body;
    }
    scratch->max = b->max_text;
    buf_reset(scratch);
    buf_append_text(scratch, OTLP_REQUEST_BEGIN);
    find_slices(b, from, to);
    for (size_t i = 0; i < b->group_count; i++) {
        const struct batch_group *g = &b->groups[i];
        if (g->to == 0)
            continue;
        if (scratch->len > BEGIN_BYTES)
            buf_append_char(scratch, ',');
        buf_append(scratch, g->text.data + BEGIN_BYTES, g->head_len - BEGIN_BYTES);
        buf_append(scratch, g->text.data + g->from, g->to - g->from);
        buf_append_text(scratch, OTLP_RESOURCE_END);
    }
    buf_append_text(scratch, OTLP_REQUEST_END);
    return buf_bytes(scratch);
}

bool batch_print(struct batch *b, FILE *to)
{
    struct buf scratch = BUF_INIT(0);
    struct bytes body = batch_body(b, 0, b->count, &scratch);
    flockfile(to);
    bool ok = fwrite(body.data, 1, body.len, to) == body.len && putc('\n', to) != EOF &&
              fflush(to) == 0;
    funlockfile(to);
    buf_release(&scratch);
    return ok;
}

struct bytes batch_record(const struct batch *b, size_t i)
{
    const struct batch_item *item = &b->items[i];
    return (struct bytes){ b->groups[item->group].text.data + item->at, item->len };
}

struct bytes batch_resource(const struct batch *b, size_t i)
{
    return buf_bytes(&b->groups[b->items[i].group].resource);
}

static void release_group(struct batch_group *g)
{
    buf_release(&g->resource);
    buf_release(&g->text);
}

void batch_reset(struct batch *b)
{
    while (b->group_count > GROUPS_KEPT)
        release_group(&b->groups[--b->group_count]);
    for (size_t i = 0; i < b->group_count; i++) {
        struct batch_group *g = &b->groups[i];
        g->text.len = g->head_len;
        g->text.full = false;
        g->count = 0;
    }
    b->count = 0;
    b->bytes = 0;
}

void batch_release(struct batch *b)
{
    for (size_t i = 0; i < b->group_count; i++)
        release_group(&b->groups[i]);
    free(b->groups);
    free(b->items);
    *b = (struct batch){ 0 };
}
