#include "refused.h"

#include <stdlib.h>
#include <string.h>

#include "dead_letter.h"

void refused_take(struct refused *r, const struct batch *b, const struct export *ex)
{
    for (size_t i = 0; i < ex->refusal_count; i++) {
        const struct refusal *refusal = &ex->refusals[i];
        struct bytes record = batch_record(b, refusal->index);
        struct bytes resource = batch_resource(b, refusal->index);
        if (r->count == r->capacity) {
            r->capacity = r->capacity ? 2 * r->capacity : 16;
            r->items = xreallocarray(r->items, r->capacity, sizeof(*r->items));
        }
        struct refused_record *item = &r->items[r->count++];
        item->text = xstrndup(record.data, record.len);
        item->len = record.len;
        item->resource = xstrndup(resource.data, resource.len);
        item->print = b->items[refusal->index].print;
        item->status = refusal->status;
        item->unsent = refusal->unsent;
        memcpy(item->words, refusal->words, sizeof(item->words));
    }
}

void refused_say(const struct refused *r, const char *source, bool keep, const struct diag *diag)
{
    diag_say(diag, DIAG_WARN, "source %s: the collector refuses %zu record%s even alone (%d): %s",
             source, r->count, r->count > 1 ? "s" : "", r->items[0].status,
             keep ? "kept as dead letters" : "dropped");
}

int refused_keep(const struct refused *r, struct store *store, const char *source,
                 int64_t now_unix_ns, struct error *err)
{
    struct buf lines = BUF_INIT(DEAD_LETTERS_MAX);
    char name[128];
    for (size_t i = 0; i < r->count; i++)
        dead_letter_write(&lines, source, now_unix_ns, r->items[i].status, r->items[i].words,
                          bytes_of(r->items[i].resource),
                          (struct bytes){ r->items[i].text, r->items[i].len });
    dead_letter_file_name(source, name);
    int rc = lines.full ? error_set(err, ERR_STATE, "dead letters over %zu bytes", lines.max)
                        : store->append(store, name, buf_bytes(&lines), DEAD_LETTERS_MAX, err);
    buf_release(&lines);
    return rc;
}

bool refused_all_unsent(const struct refused *r)
{
    for (size_t i = 0; i < r->count; i++) {
        if (!r->items[i].unsent)
            return false;
    }
    return true;
}

void refused_reset(struct refused *r)
{
    for (size_t i = 0; i < r->count; i++) {
        free(r->items[i].text);
        free(r->items[i].resource);
    }
    r->count = 0;
}

void refused_release(struct refused *r)
{
    refused_reset(r);
    free(r->items);
    *r = (struct refused){ 0 };
}
