#include "refused.h"

#include <stdlib.h>
#include <string.h>

#include "base/timefmt.h"
#include "sink.h"
#include "state/state.h"

void refused_take(struct refused *r, const struct batch *b, const struct export *ex)
{
    for (size_t i = 0; i < ex->refusal_count; i++) {
        const struct refusal *refusal = &ex->refusals[i];
        struct bytes record = batch_record(b, refusal->index);
        if (r->count == r->capacity) {
            r->capacity = r->capacity ? 2 * r->capacity : 16;
            r->items = xreallocarray(r->items, r->capacity, sizeof(*r->items));
        }
        struct refused_record *item = &r->items[r->count++];
        item->text = xstrndup(record.data, record.len);
        item->len = record.len;
        item->status = refusal->status;
        memcpy(item->words, refusal->words, sizeof(item->words));
    }
}

/* The record goes in as it stands: it is one JSON object, without a line break outside of its own
 * white space, which is made blank. */
static void put_record(struct buf *out, const struct refused_record *item)
{
    size_t at = out->len;
    buf_append(out, item->text, item->len);
    for (; at < out->len; at++) {
        if (out->data[at] == '\n' || out->data[at] == '\r')
            out->data[at] = ' ';
    }
}

int refused_keep(const struct refused *r, struct store *store, const char *source,
                 int64_t now_unix_ns, struct error *err)
{
    struct buf lines = BUF_INIT(DEAD_LETTERS_MAX);
    struct otlp_sink sink = sink_of(&lines);
    char time[TIMEFMT_MAX], name[128];
    timefmt_rfc3339(now_unix_ns, 3, time);
    for (size_t i = 0; i < r->count; i++) {
        buf_append_text(&lines, "{\"source\":");
        otlp_put_string(sink, source, strlen(source));
        buf_printf(&lines, ",\"time\":\"%s\",\"status\":%d,\"answer\":", time, r->items[i].status);
        otlp_put_string(sink, r->items[i].words, strlen(r->items[i].words));
        buf_append_text(&lines, ",\"record\":");
        put_record(&lines, &r->items[i]);
        buf_append_text(&lines, "}\n");
    }
    state_file_name(source, "dead-letter.jsonl", name);
    int rc = lines.full ? error_set(err, ERR_STATE, "dead letters over %zu bytes", lines.max)
                        : store->append(store, name, buf_bytes(&lines), DEAD_LETTERS_MAX, err);
    buf_release(&lines);
    return rc;
}

void refused_reset(struct refused *r)
{
    for (size_t i = 0; i < r->count; i++)
        free(r->items[i].text);
    r->count = 0;
}

void refused_release(struct refused *r)
{
    refused_reset(r);
    free(r->items);
    *r = (struct refused){ 0 };
}
