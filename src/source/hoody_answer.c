/* hoody_answer.c -- the shape is told by what is there: servers differ in which they send. The
 * outer object or array is scanned, and each entry noted where it stands. */
#include "hoody_answer.h"

#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "edge.h"

#define ROWS_MAX ((size_t)1 << 20)

static int64_t tenant_of(const struct hoody_entry *e, uint64_t seed)
{
    uint64_t key = XXH3_64bits_withSeed(e->project.data, e->project.len, seed);
    return (int64_t)(XXH3_64bits_withSeed(e->container.data, e->container.len, key) >> 16);
}

/* Row ids of different tenants coincide. */
static struct hoody_row row_of(const struct hoody_entry *e)
{
    struct hoody_row row = { .text = e->text, .id = e->id, .unix_ns = e->unix_ns };
    if (e->id > 0) {
        row.key = tenant_of(e, XXH3_64bits(&e->id, sizeof(e->id)));
        row.tenant = tenant_of(e, 0);
    } else {
        row.key = (int64_t)(XXH3_64bits(e->text.data, e->text.len) >> 16);
        row.tenant = row.key;
    }
    return row;
}

/* Note one value as a row, without reading it into a record yet. */
static int add_row(struct otlp_scan *s, struct hoody_answer *a, struct error *err)
{
    struct hoody_entry e;
    struct otlp_text text;
    bool object = otlp_scan_peek(s) == '{';
    if (!otlp_scan_value(s, &text))
        return edge_not_json(s, err);
    if (!object)
        return error_set(err, ERR_INPUT, "entry %zu: not an object", a->count);
    if (a->count == a->capacity) {
        if (a->capacity == ROWS_MAX)
            return error_set(err, ERR_INPUT, "more than %zu entries", a->count);
        a->capacity = a->capacity ? 2 * a->capacity : 64;
        a->rows = xreallocarray(a->rows, a->capacity, sizeof(*a->rows));
    }
    hoody_entry_read(text, &e);
    a->rows[a->count++] = row_of(&e);
    return 0;
}

static int read_array(struct otlp_scan *s, struct hoody_answer *a, struct error *err)
{
    otlp_scan_enter_array(s);
    while (otlp_scan_next_element(s)) {
        if (add_row(s, a, err))
            return -1;
    }
    return s->problem ? edge_not_json(s, err) : 0;
}

struct otlp_text hoody_member(struct otlp_text object, const char *name)
{
    struct otlp_scan s;
    struct otlp_text key, value, found = { 0 };
    otlp_scan_init(&s, object.data, object.len);
    otlp_scan_enter_object(&s);
    while (otlp_scan_next_key(&s, &key) && otlp_scan_value(&s, &value)) {
        if (otlp_key_is(key, name))
            found = value;
    }
    if (found.len > 0 && found.data[0] == 'n')
        found.len = 0;
    return found;
}

static int read_entries(struct otlp_text object, struct otlp_text entries, struct hoody_answer *a,
                        struct error *err)
{
    struct otlp_scan s;
    if (entries.data[0] != '[')
        return error_set(err, ERR_INPUT, "entries: not an array");
    a->shape = HOODY_OBJECT;
    if (!hoody_integer(hoody_member(object, "limit"), &a->limit))
        a->limit = 0;
    otlp_scan_init(&s, entries.data, entries.len);
    return read_array(&s, a, err);
}

/* An object with entries; or one a line, the last of which is the trailer. */
static int read_objects(struct otlp_scan *s, struct hoody_answer *a, struct error *err)
{
    while (otlp_scan_peek(s)) {
        struct otlp_scan before = *s;
        struct otlp_text object;
        bool first = a->shape == HOODY_NONE;
        if (!otlp_scan_value(s, &object))
            return edge_not_json(s, err);
        if (a->trailer.len > 0)
            return error_set(err, ERR_INPUT, "there is more behind the trailer");
        struct otlp_text entries = first ? hoody_member(object, "entries")
                                         : (struct otlp_text){ 0 };
        if (entries.len > 0)
            return read_entries(object, entries, a, err) ||
                           (!otlp_scan_end(s) && edge_not_json(s, err))
                       ? -1
                       : 0;
        a->shape = HOODY_LINES;
        struct otlp_text trailer = hoody_member(object, "__trailer");
        if (trailer.len > 0 && trailer.data[0] != 'f')
            a->trailer = object;
        else if (add_row(&before, a, err))
            return -1;
    }
    return otlp_scan_end(s) ? 0 : edge_not_json(s, err);
}

int hoody_answer_read(struct bytes frame, struct hoody_answer *a, struct error *err)
{
    struct otlp_scan s;
    if (frame.len == 0) /* no content */
        return 0;
    otlp_scan_init(&s, frame.data, frame.len);
    if (otlp_scan_peek(&s) == '{')
        return read_objects(&s, a, err);
    if (otlp_scan_peek(&s) != '[')
        return edge_wrong_type(&s, err, "neither an object nor an array");
    a->shape = HOODY_ARRAY;
    if (read_array(&s, a, err))
        return -1;
    return otlp_scan_end(&s) ? 0 : edge_not_json(&s, err);
}

void hoody_answer_release(struct hoody_answer *a)
{
    free(a->rows);
    *a = (struct hoody_answer){ 0 };
}

/* ---- counts ------------------------------------------------------------------------------------
 */

static void put_count(struct buf *out, struct otlp_text key, int64_t count)
{
    if (buf_text(out)[out->len - 1] != '{')
        buf_append_char(out, ',');
    buf_append(out, key.data, key.len);
    buf_printf(out, ":%lld", (long long)count);
}

static const char *const levels[] = { "debug", "info", "warn", "error" };

static bool is_level(struct otlp_text key)
{
    for (size_t i = 0; i < COUNT(levels); i++) {
        if (otlp_key_is(key, levels[i]))
            return true;
    }
    return false;
}

/* One that is missing is 0. */
static void put_levels(struct otlp_text counts, struct buf *out)
{
    for (size_t i = 0; i < COUNT(levels); i++) {
        int64_t count = 0;
        hoody_integer(hoody_member(counts, levels[i]), &count);
        buf_printf(out, "%s\"%s\":%lld", i ? "," : "", levels[i], (long long)count);
    }
}

static int put_counts(struct otlp_text counts, bool by_level, struct buf *out, struct error *err)
{
    struct otlp_scan s;
    struct otlp_text key, value;
    int64_t count;
    if (by_level)
        put_levels(counts, out);
    otlp_scan_init(&s, counts.data, counts.len);
    otlp_scan_enter_object(&s);
    while (otlp_scan_next_key(&s, &key) && otlp_scan_value(&s, &value)) {
        if (!hoody_integer(value, &count))
            return error_set(err, ERR_INPUT, "stats: a count is no number");
        if (!by_level || !is_level(key))
            put_count(out, (struct otlp_text){ key.data - 1, key.len + 2 }, count);
    }
    return 0;
}

int hoody_counts_read(struct bytes frame, struct buf *out, struct error *err)
{
    static const char *const parts[][2] = { { "byLevel", "by_level" },
                                            { "byProject", "by_project" },
                                            { "byContainer", "by_container" },
                                            { "byService", "by_service" } };
    struct otlp_scan s;
    struct otlp_text all;
    int64_t total;
    otlp_scan_init(&s, frame.data, frame.len);
    if (!otlp_scan_value(&s, &all) || !otlp_scan_end(&s))
        return edge_not_json(&s, err);
    if (!hoody_integer(hoody_member(all, "total"), &total))
        return error_set(err, ERR_INPUT, "stats: no total");
    buf_printf(out, "{\"total\":%lld", (long long)total);
    for (size_t i = 0; i < COUNT(parts); i++) {
        struct otlp_text counts = hoody_member(all, parts[i][0]);
        if (counts.len == 0 || counts.data[0] != '{')
            continue;
        buf_printf(out, ",\"%s\":{", parts[i][1]);
        if (put_counts(counts, i == 0, out, err))
            return -1;
        buf_append_char(out, '}');
    }
    buf_append_char(out, '}');
    return 0;
}
