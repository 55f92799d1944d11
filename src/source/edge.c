#include "edge.h"

#include <stdlib.h>

#define ENTRIES_MOST ((size_t)1 << 20)

int edge_add(struct edge *e, int64_t unix_ns, struct otlp_text text, struct error *err)
{
    if (e->count == e->capacity) {
        if (e->capacity == ENTRIES_MOST)
            return error_set(err, ERR_INPUT, "more than %zu entries", e->count);
        e->capacity = e->capacity ? 2 * e->capacity : 64;
        e->entries = xreallocarray(e->entries, e->capacity, sizeof(*e->entries));
    }
    if (unix_ns != 0)
        e->at_ns = unix_ns;
    if (text.len > e->longest)
        e->longest = text.len;
    e->entries[e->count++] = (struct edge_entry){ unix_ns, e->at_ns, text };
    return 0;
}

int edge_not_json(const struct otlp_scan *s, struct error *err)
{
    return error_set(err, ERR_INPUT, "not JSON: %s, at byte %zu", s->problem, otlp_scan_offset(s));
}

int edge_wrong_type(struct otlp_scan *s, struct error *err, const char *words)
{
    return otlp_scan_value(s, NULL) ? error_set(err, ERR_INPUT, "%s", words)
                                    : edge_not_json(s, err);
}

int edge_add_array(struct edge *e, struct otlp_scan *s, const char *name,
                   bool (*read)(struct otlp_scan *s, int64_t *unix_ns), struct error *err)
{
    if (otlp_scan_peek(s) != '[') {
        edge_wrong_type(s, err, "not an array");
        return s->problem ? -1 : error_within(err, "%s", name);
    }
    otlp_scan_enter_array(s);
    while (otlp_scan_next_element(s)) {
        int64_t unix_ns = 0;
        char first = otlp_scan_peek(s);
        const char *begin = s->at;
        if (first != '{') {
            edge_wrong_type(s, err, "not an object");
            return s->problem ? -1 : error_within(err, "%s[%zu]", name, e->count);
        }
        if (!read(s, &unix_ns))
            break;
        if (edge_add(e, unix_ns, (struct otlp_text){ begin, (size_t)(s->at - begin) }, err))
            return error_within(err, "%s", name);
    }
    return s->problem ? edge_not_json(s, err) : 0;
}

void edge_release(struct edge *e)
{
    free(e->entries);
    *e = (struct edge){ 0 };
}

bool edge_range(const struct edge *e, int64_t from_ns, int64_t to_ns, int64_t *first_ns,
                int64_t *last_ns)
{
    bool any = false;
    for (size_t i = 0; i < e->count; i++) {
        int64_t at = e->entries[i].at_ns;
        if (at < from_ns || at >= to_ns)
            continue;
        *first_ns = any && *first_ns < at ? *first_ns : at;
        *last_ns = any && *last_ns > at ? *last_ns : at;
        any = true;
    }
    return any;
}

bool edge_take(struct bytes *text, int64_t *out)
{
    int64_t value = 0;
    size_t i = 1;
    if (text->len < 2 || text->data[0] != ' ')
        return false;
    for (; i < text->len && text->data[i] >= '0' && text->data[i] <= '9'; i++) {
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, text->data[i] - '0', &value))
            return false;
    }
    if (i == 1)
        return false;
    *text = (struct bytes){ text->data + i, text->len - i };
    *out = value;
    return true;
}
