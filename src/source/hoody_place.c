/* hoody_place.c -- three ways of going on; which one, the answers decide.
 *
 * Rows without numbers are told apart by their text and time: where such are purged, those of the
 * very last millisecond that was read may come twice. By cursor, rows behind the last one may come
 * twice where they are of over 500 tenants and more than a place has keys for. */
#include "hoody_place.h"

#include <stdlib.h>
#include <string.h>

#include "edge.h"

#define KEY_LEN   12  /* hex digits of a key */
#define ID_LEN    16  /* and of an id behind it */
#define BY_TENANT 't' /* begins what is known by tenants */
#define MOST      (INT64_MAX / 4)

/* A number of at most `most`. */
static bool take(struct bytes *text, int64_t most, int64_t *out)
{
    return edge_take(text, out) && *out <= most;
}

static bool take_bool(struct bytes *text, bool *out)
{
    int64_t number;
    if (!take(text, 1, &number))
        return false;
    *out = number == 1;
    return true;
}

static bool is_by_tenant(struct bytes known)
{
    return known.len > 0 && known.data[0] == BY_TENANT;
}

/* The text may come from a state file, and the configuration may have changed since. */
static bool take_place(struct bytes text, struct hoody_place *p)
{
    bool fanout = p->fanout;
    int64_t known_len;
    if (text.len == 0 || text.data[0] == '\0' || !strchr("rnoc", text.data[0]))
        return false;
    p->way = (enum hoody_way)text.data[0];
    text = (struct bytes){ text.data + 1, text.len - 1 };
    if (!take_bool(&text, &p->fanout) || p->fanout != fanout || !take_bool(&text, &p->begun) ||
        !take(&text, INT64_MAX, &p->floor_unix_ns) || !take(&text, INT64_MAX - 1, &p->id) ||
        !take(&text, INT64_MAX, &p->newest_unix_ns) || !take(&text, MOST, &p->offset) ||
        !take(&text, MOST, &p->back) || !take(&text, INT64_MAX, &p->last) ||
        !take(&text, CURSOR_MAX, &known_len))
        return false;
    if (text.len == 0 || text.data[0] != ' ' || (size_t)known_len >= text.len)
        return false;
    p->known = (struct bytes){ text.data + 1, (size_t)known_len };
    if (is_by_tenant(p->known) ? (known_len - 1) % (KEY_LEN + ID_LEN) != 0
                               : known_len % KEY_LEN != 0)
        return false;
    p->cursor = (struct bytes){ text.data + 1 + known_len, text.len - 1 - (size_t)known_len };
    return true;
}

int hoody_place_read(const struct ask *ask, bool fanout, struct hoody_place *out, struct error *err)
{
    int64_t start = ask->span.start_unix_ns;
    *out = (struct hoody_place){ .way = fanout ? HOODY_BY_CURSOR : HOODY_BY_ROW,
                                 .fanout = fanout,
                                 .floor_unix_ns = start > 0 ? start : 0 };
    if (ask->at.len > 0 && !take_place(ask->at, out))
        return error_set(err, ERR_INPUT, "place: not one of ours");
    return 0;
}

static void place_write(const struct hoody_place *p, struct buf *out)
{
    buf_reset(out);
    buf_printf(out, "%c %d %d %lld %lld %lld %lld %lld %lld %zu ", (char)p->way, p->fanout,
               p->begun, (long long)p->floor_unix_ns, (long long)p->id,
               (long long)p->newest_unix_ns, (long long)p->offset, (long long)p->back,
               (long long)p->last, p->known.len);
    buf_append_bytes(out, p->known);
    buf_append_bytes(out, p->cursor);
}

int64_t hoody_place_first(const struct hoody_place *p)
{
    int64_t first = p->offset - 1 - p->back;
    return first > 0 ? first : 0;
}

static void note_rows(struct hoody_place *p, const struct hoody_answer *a)
{
    for (size_t i = 0; i < a->count; i++) {
        if (a->rows[i].id > p->id)
            p->id = a->rows[i].id;
        if (a->rows[i].unix_ns > p->newest_unix_ns)
            p->newest_unix_ns = a->rows[i].unix_ns;
    }
}

/* Whether as many came as were asked for, or as the server gives at most. */
static bool is_full(const struct hoody_answer *a, int64_t asked)
{
    if (a->limit > 0 && a->limit < asked)
        asked = a->limit;
    return a->count > 0 && (int64_t)a->count >= asked;
}

/* A server that does not say its limit may have one below what was asked for: then only an empty
 * answer is the end. */
static bool may_be_more(const struct hoody_answer *a, int64_t asked)
{
    return a->limit > 0 ? is_full(a, asked) : a->count > 0;
}

/* There is nothing more: the next run goes on from here, with whatever comes. */
static void end_run(struct hoody_place *p)
{
    p->begun = false;
    p->floor_unix_ns = 0;
}

/* Whether these are rows behind the one that was asked for, and all of them up to the last. An
 * array that begins elsewhere may be the ring in memory, which forgets. */
static bool is_behind(const struct hoody_answer *a, int64_t id)
{
    if (a->shape == HOODY_ARRAY && a->count > 0 && a->rows[0].id != id + 1)
        return false;
    for (size_t i = 0; i < a->count; i++) {
        if (a->rows[i].id <= id)
            return false;
        id = a->rows[i].id;
    }
    return true;
}

/* None of the answer's rows is to be delivered. */
static void drop_rows(struct hoody_answer *a)
{
    for (size_t i = 0; a->rows && i < a->count; i++)
        a->rows[i].known = true;
}

static bool go_on_by_row(struct hoody_place *p, struct hoody_answer *a, int64_t asked)
{
    if (!is_behind(a, p->id)) {
        drop_rows(a);
        p->way = HOODY_BY_OFFSET;
        return true;
    }
    if (a->count == 0 && !p->begun) {
        p->way = HOODY_NEWEST;
        return true;
    }
    note_rows(p, a);
    p->begun = true;
    return may_be_more(a, asked);
}

/* There is nothing behind what was read. The newest row tells whether that is so: with a number
 * before it, the store is another one; with none, numbers lead nowhere. */
static bool go_on_from_newest(struct hoody_place *p, struct hoody_answer *a, int *status)
{
    const struct hoody_row *newest = a->count == 1 ? &a->rows[0] : NULL;
    bool numbered = newest && newest->id > 0;
    drop_rows(a);
    p->way = HOODY_BY_ROW;
    p->begun = true;
    if (numbered && newest->id < p->id)
        *status = 410;
    if (newest && (numbered ? p->id == 0 : newest->unix_ns > p->newest_unix_ns))
        p->way = HOODY_BY_OFFSET;
    return p->way == HOODY_BY_OFFSET || (numbered && newest->id > p->id);
}

/* By offset, in rows without numbers: how many go up to the last that was read; 0: it is not here.
 */
static size_t rows_up_to_last(const struct hoody_place *p, const struct hoody_answer *a)
{
    size_t count = 0;
    for (size_t i = 0; i < a->count && p->last; i++) {
        if (a->rows[i].key == p->last)
            count = i + 1;
        if (count == 1 && p->back == 0)
            break; /* it lies where it did: others like it are its twins */
    }
    return count;
}

/* Of rows without numbers, once all that may be the last was searched for it, none was read. */
static void mark_read(const struct hoody_place *p, struct hoody_answer *a)
{
    size_t read = rows_up_to_last(p, a);
    for (size_t i = 0; i < a->count; i++) {
        struct hoody_row *row = &a->rows[i];
        if (row->id > 0)
            row->known = row->id <= p->id;
        else
            row->known = p->last ? i < read : row->unix_ns < p->newest_unix_ns;
    }
}

/* Whether nothing can lie between what was read and what came. */
static bool meets(const struct hoody_place *p, const struct hoody_answer *a)
{
    if (a->count > 0 && a->rows[0].id > 0)
        return a->rows[0].id <= p->id;
    return rows_up_to_last(p, a) > 0;
}

static int64_t highest_id(const struct hoody_answer *a)
{
    int64_t id = 0;
    for (size_t i = 0; i < a->count; i++)
        id = a->rows[i].id > id ? a->rows[i].id : id;
    return id;
}

static bool go_on_by_offset(struct hoody_place *p, struct hoody_answer *a, int64_t asked,
                            int *status)
{
    int64_t first = hoody_place_first(p), before = p->offset, id = p->id;
    if (first > 0 && !meets(p, a)) { /* rows before it are gone */
        drop_rows(a);
        p->back += p->id > 0 && p->back > 0 ? p->back : asked; /* without numbers by each page */
        return true;
    }
    mark_read(p, a);
    note_rows(p, a);
    p->offset = first + (int64_t)a->count;
    p->last = a->count > 0 ? a->rows[a->count - 1].key : p->last;
    bool stuck = p->offset <= before && p->back == 0;
    p->back = 0;
    if (!stuck && may_be_more(a, asked))
        return true;
    if (a->count > 0 && highest_id(a) < id && highest_id(a) > 0)
        *status = 410; /* the store was rebuilt */
    return false;
}

/* ---- by cursor ---------------------------------------------------------------------------------
 */

/* What the same cursor gave before, so that it is not given again: each row's key, or where these
 * are too many for a place, each tenant's highest id, as ids ascend; of rows without one the key.
 */
struct known {
    int64_t key; /* a row's or a tenant's */
    int64_t id;  /* 0: it is one row */
    int64_t top; /* the highest that came now */
    bool used;
};

static int by_key(const void *a, const void *b)
{
    const struct known *left = a, *right = b;
    if (left->key != right->key)
        return left->key > right->key ? 1 : -1;
    return (left->id > right->id) - (left->id < right->id);
}

static void sort_known(struct known *list, size_t count)
{
    if (count > 0)
        qsort(list, count, sizeof(*list), by_key);
}

static int64_t hex_at(const char *text, size_t len)
{
    char hex[ID_LEN + 1] = "";
    memcpy(hex, text, len);
    return (int64_t)strtoull(hex, NULL, 16);
}

static struct known *known_read(struct bytes text, size_t *count)
{
    bool by_tenant = is_by_tenant(text);
    size_t len = by_tenant ? KEY_LEN + ID_LEN : KEY_LEN;
    *count = (text.len - (by_tenant ? 1 : 0)) / len;
    struct known *list = xcalloc(*count, sizeof(*list));
    for (size_t i = 0; i < *count; i++) {
        const char *at = text.data + (by_tenant ? 1 : 0) + i * len;
        list[i].key = hex_at(at, KEY_LEN);
        list[i].id = by_tenant ? hex_at(at + KEY_LEN, ID_LEN) : 0;
    }
    sort_known(list, *count);
    return list;
}

/* The first with this key that is left; NULL: none. */
static struct known *known_find(struct known *list, size_t count, int64_t key)
{
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (list[middle].key < key)
            low = middle + 1;
        else
            high = middle;
    }
    while (low < count && list[low].key == key && list[low].used)
        low++;
    return low < count && list[low].key == key ? &list[low] : NULL;
}

/* Rows that the same cursor gave before, each as often as it did. A tenant whose highest id has
 * dropped numbers anew: all it gives is new. */
static void mark_known(const struct hoody_place *p, struct hoody_answer *a)
{
    size_t count;
    bool by_tenant = is_by_tenant(p->known);
    struct known *list = known_read(p->known, &count);
    for (size_t i = 0; i < a->count && by_tenant; i++) {
        struct known *tenant = known_find(list, count, a->rows[i].tenant);
        if (tenant && a->rows[i].id > tenant->top)
            tenant->top = a->rows[i].id;
    }
    for (size_t i = 0; i < a->count; i++) {
        struct hoody_row *row = &a->rows[i];
        struct known *found = known_find(list, count, by_tenant ? row->tenant : row->key);
        row->known = found && row->id <= found->id && found->id <= found->top;
        if (found && found->id == 0)
            row->known = found->used = true;
    }
    free(list);
}

/* Each tenant's highest id; false: it does not fit. */
static bool write_tenants(const struct hoody_answer *a, size_t room, struct buf *out)
{
    struct known *list = xcalloc(a->count, sizeof(*list));
    size_t count = 0;
    for (size_t i = 0; i < a->count; i++)
        list[i] = (struct known){ .key = a->rows[i].tenant, .id = a->rows[i].id };
    sort_known(list, a->count);
    for (size_t i = 0; i < a->count; i++) {
        bool last = i + 1 == a->count || list[i].key != list[i + 1].key;
        if (last || list[i].id == 0)
            list[count++] = list[i];
    }
    bool has_room = 1 + count * (KEY_LEN + ID_LEN) <= room;
    if (has_room)
        buf_append_char(out, BY_TENANT);
    for (size_t i = 0; i < count && has_room; i++)
        buf_printf(out, "%0*llx%0*llx", KEY_LEN, (unsigned long long)list[i].key, ID_LEN,
                   (unsigned long long)list[i].id);
    free(list);
    return has_room;
}

/* What an answer gave; where there are too many rows and too many tenants, its last rows. */
static void write_known(const struct hoody_answer *a, size_t cursor_len, struct buf *out)
{
    size_t used = cursor_len + 256;
    size_t room = used < CURSOR_MAX ? CURSOR_MAX - used : 0, most = room / KEY_LEN;
    if (a->count > most && write_tenants(a, room, out))
        return;
    for (size_t i = a->count > most ? a->count - most : 0; i < a->count; i++)
        buf_printf(out, "%0*llx", KEY_LEN, (unsigned long long)a->rows[i].key);
}

/* The status that a trailer stands for; 0: it is a good one. */
static int trailer_status(struct otlp_text trailer)
{
    struct otlp_text error = hoody_member(trailer, "error");
    int64_t status;
    bool failed = error.len > 0 && error.data[0] != 'f' &&
                  !(error.len == 2 && error.data[0] == '"');
    if (!hoody_integer(hoody_member(trailer, "status"), &status) || status < 400 || status > 599)
        return failed ? 500 : 0;
    return (int)status;
}

/* `text` holds what the place borrows from then on. */
static int go_on_by_cursor(struct hoody_place *p, struct hoody_answer *a, struct buf *text,
                           bool *more, int *status, struct error *err)
{
    char room[CURSOR_MAX];
    if (a->trailer.len == 0)
        return error_set(err, ERR_INPUT, "cut off: there is no trailer");
    *status = trailer_status(a->trailer);
    struct otlp_text raw = hoody_member(a->trailer, "cursor");
    size_t len = raw.len > 0 ? otlp_unescape(raw, room, sizeof(room)) : 0;
    if (len == OTLP_NONE)
        return error_set(err, ERR_INPUT, "cursor: not a text, or over %zu bytes", sizeof(room));
    mark_known(p, a);
    note_rows(p, a);
    *more = len > 0 && !bytes_equal((struct bytes){ room, len }, p->cursor);
    if (*more)
        buf_append(text, room, len);
    else
        write_known(a, p->cursor.len, text);
    p->known = *more ? (struct bytes){ "", 0 } : buf_bytes(text);
    p->cursor = *more ? buf_bytes(text) : p->cursor;
    return 0;
}

/* ---- any way ----------------------------------------------------------------------------------
 */

/* The server's shape decides where nothing was read yet; one that has changed since cannot go on.
 */
static bool fits(struct hoody_place *p, const struct hoody_answer *a)
{
    bool lines = a->shape == HOODY_LINES;
    if (lines && (p->way == HOODY_BY_ROW || p->way == HOODY_BY_OFFSET) && p->id == 0 &&
        p->offset == 0)
        p->way = HOODY_BY_CURSOR;
    if (!lines && a->shape != HOODY_NONE && p->way == HOODY_BY_CURSOR && p->cursor.len == 0 &&
        p->known.len == 0)
        p->way = HOODY_BY_OFFSET;
    return a->shape == HOODY_NONE || lines == (p->way == HOODY_BY_CURSOR);
}

int hoody_place_go_on(struct hoody_place *p, struct hoody_answer *a, int64_t asked,
                      struct buf *text, struct page *out, struct error *err)
{
    bool more = false;
    if (!fits(p, a)) {
        out->status = 410;
        return 0;
    }
    switch (p->way) {
    case HOODY_BY_ROW:
        more = go_on_by_row(p, a, asked);
        break;
    case HOODY_NEWEST:
        more = go_on_from_newest(p, a, &out->status);
        break;
    case HOODY_BY_OFFSET:
        more = go_on_by_offset(p, a, asked, &out->status);
        break;
    case HOODY_BY_CURSOR:
        if (go_on_by_cursor(p, a, text, &more, &out->status, err))
            return -1;
        break;
    }
    if (out->status)
        return 0;
    if (!more)
        end_run(p);
    out->next.more = more;
    place_write(p, &out->next.text);
    return out->next.text.full ? error_set(err, ERR_INPUT, "cursor: over %d bytes", CURSOR_MAX) : 0;
}
