#include "scalingo_lines.h"

#include <stdlib.h>
#include <string.h>

#define NOWHERE UINT32_MAX

static struct bytes line_from(struct bytes frame, size_t at)
{
    const char *begin = frame.data + at;
    const char *end = memchr(begin, '\n', frame.len - at);
    return (struct bytes){ begin, end ? (size_t)(end - begin) : frame.len - at };
}

static void add(struct scalingo_lines *l, int64_t unix_ns, size_t at, uint32_t head)
{
    if (l->count == l->capacity) {
        l->capacity = l->capacity ? 2 * l->capacity : 1024;
        l->items = xreallocarray(l->items, l->capacity, sizeof(*l->items));
    }
    l->items[l->count++] = (struct scalingo_ref){ unix_ns, (uint32_t)at, head };
}

static int by_time(const void *a, const void *b)
{
    const struct scalingo_ref *left = a, *right = b;
    if (left->unix_ns != right->unix_ns)
        return left->unix_ns < right->unix_ns ? -1 : 1;
    return (left->at > right->at) - (left->at < right->at);
}

/* Mostly they are in order. */
static void sort(struct scalingo_lines *l)
{
    for (size_t i = 1; i < l->count; i++) {
        if (l->items[i].unix_ns < l->items[i - 1].unix_ns) {
            qsort(l->items, l->count, sizeof(*l->items), by_time);
            return;
        }
    }
}

int scalingo_lines_read(struct scalingo_lines *l, struct bytes frame, size_t skip, size_t most,
                        struct error *err)
{
    struct scalingo_line line;
    int64_t unix_ns = 0;
    uint32_t head = NOWHERE;
    size_t at = 0;
    if (frame.len >= NOWHERE)
        return error_set(err, ERR_INPUT, "over 4 GiB");
    *l = (struct scalingo_lines){ .frame = frame };
    while (at < frame.len && l->count < most) {
        struct bytes text = line_from(frame, at);
        /* Of those that are skipped the last one with a time is needed. */
        if (text.len > 0 && scalingo_line_read(text, &line)) {
            unix_ns = line.unix_ns;
            head = (uint32_t)at;
        }
        if (text.len > 0 && l->passed >= skip)
            add(l, unix_ns, at, head);
        l->passed++;
        at += text.len + 1;
    }
    l->more = at < frame.len;
    sort(l);
    return 0;
}

void scalingo_lines_at(const struct scalingo_lines *l, size_t i, struct scalingo_line *out)
{
    const struct scalingo_ref *ref = &l->items[i];
    struct scalingo_line head = { 0, { "", 0 }, { "", 0 } };
    if (ref->head != NOWHERE)
        scalingo_line_read(line_from(l->frame, ref->head), &head);
    if (ref->at != ref->head)
        head.text = line_from(l->frame, ref->at);
    *out = head;
}

size_t scalingo_lines_from(const struct scalingo_lines *l, int64_t unix_ns)
{
    size_t low = 0, high = l->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (l->items[middle].unix_ns < unix_ns)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

size_t scalingo_lines_timed(const struct scalingo_lines *l)
{
    return scalingo_lines_from(l, 1);
}

bool scalingo_lines_have(const struct scalingo_lines *l, int64_t unix_ns, uint64_t hash)
{
    struct scalingo_line line;
    for (size_t i = scalingo_lines_from(l, unix_ns); i < l->count && l->items[i].unix_ns == unix_ns;
         i++) {
        scalingo_lines_at(l, i, &line);
        if (scalingo_line_hash(&line) == hash)
            return true;
    }
    return false;
}

void scalingo_lines_release(struct scalingo_lines *l)
{
    free(l->items);
    *l = (struct scalingo_lines){ 0 };
}
