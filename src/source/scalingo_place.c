#include "scalingo_place.h"

#include <inttypes.h>
#include <string.h>

int64_t scalingo_place_need(const struct scalingo_place *p, int64_t start_unix_ns)
{
    return p->last.unix_ns && p->last.unix_ns < start_unix_ns ? p->last.unix_ns : start_unix_ns;
}

/* ---- write: "1 STEP KEY=VALUE ..." -------------------------------------------------------------
 */

static const char steps[] = "dla"; /* as enum scalingo_step has them */

static void put_mark(struct buf *out, char key, const struct scalingo_mark *mark)
{
    if (mark->unix_ns)
        buf_printf(out, " %c=%" PRId64 ".%" PRIx64, key, mark->unix_ns, mark->hash);
}

static void put_name(struct buf *out, char key, const struct scalingo_name *name)
{
    if (name->set)
        buf_printf(out, " %c=%" PRId64 ".%" PRId64 ".%" PRId64 ".%" PRId64, key, name->from_unix_ns,
                   name->to_unix_ns, name->size, name->nth);
}

static void put_number(struct buf *out, char key, int64_t number, int64_t usual)
{
    if (number != usual)
        buf_printf(out, " %c=%" PRId64, key, number);
}

void scalingo_place_write(const struct scalingo_place *p, struct buf *out)
{
    buf_reset(out);
    buf_printf(out, "1 %c n=%" PRId64 " f=%" PRIx64, steps[p->step], p->lines, p->filter);
    put_mark(out, 'm', &p->last);
    put_number(out, 'a', p->last_archived, 0);
    put_name(out, 'k', &p->done);
    if (p->step == SCALINGO_DUMP)
        return;
    put_mark(out, 'w', &p->newest);
    put_name(out, 'h', &p->head);
    put_name(out, 'c', &p->current);
    put_name(out, 'r', &p->first);
    put_number(out, 's', p->passed, 0);
    put_number(out, 'q', p->archives, 0);
    put_number(out, 'o', p->oldest_unix_ns, INT64_MAX);
    put_number(out, 'd', p->dump_unix_ns, INT64_MAX);
    put_number(out, 'e', p->edge_unix_ns, 0);
    put_number(out, 'u', p->archived_unix_ns, 0);
    put_number(out, 'b', p->full, 0);
    put_number(out, 't', p->found, 0);
    put_number(out, 'v', p->dumped, 0);
    if (p->edge_count > 0)
        buf_append_text(out, " x=");
    for (size_t i = 0; i < p->edge_count; i++)
        buf_printf(out, "%016" PRIx64, p->edge[i]);
}

/* ---- read --------------------------------------------------------------------------------------
 */

static bool take_char(struct bytes *text, char c)
{
    if (text->len == 0 || text->data[0] != c)
        return false;
    text->data++;
    text->len--;
    return true;
}

static int digit_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : 16;
}

/* Up to `most` hex digits. */
static bool take_hex(struct bytes *text, size_t most, uint64_t *out)
{
    size_t i = 0;
    *out = 0;
    for (; i < text->len && i < most && digit_of(text->data[i]) < 16; i++)
        *out = *out << 4 | (unsigned)digit_of(text->data[i]);
    text->data += i;
    text->len -= i;
    return i > 0;
}

static bool take_number(struct bytes *text, int64_t *out)
{
    bool negative = take_char(text, '-');
    size_t i = 0;
    int64_t n = 0;
    for (; i < text->len && digit_of(text->data[i]) < 10; i++) {
        int digit = digit_of(text->data[i]);
        if (n > (INT64_MAX - digit) / 10)
            return false;
        n = n * 10 + digit;
    }
    text->data += i;
    text->len -= i;
    *out = negative ? -n : n;
    return i > 0;
}

static bool take_mark(struct bytes *text, struct scalingo_mark *out)
{
    return take_number(text, &out->unix_ns) && out->unix_ns > 0 && take_char(text, '.') &&
           take_hex(text, 16, &out->hash);
}

static bool take_name(struct bytes *text, struct scalingo_name *out)
{
    out->set = true;
    return take_number(text, &out->from_unix_ns) && take_char(text, '.') &&
           take_number(text, &out->to_unix_ns) && take_char(text, '.') &&
           take_number(text, &out->size) && take_char(text, '.') && take_number(text, &out->nth);
}

static bool take_bool(struct bytes *text, bool *out)
{
    *out = true;
    return take_char(text, '1');
}

static bool take_edge(struct bytes *text, struct scalingo_place *p)
{
    while (text->len >= 16 && p->edge_count < SCALINGO_EDGE_MAX) {
        size_t before = text->len;
        if (!take_hex(text, 16, &p->edge[p->edge_count++]) || text->len != before - 16)
            return false;
        if (text->len == 0 || text->data[0] == ' ')
            return true;
    }
    return false;
}

static bool take_value(char key, struct bytes *text, struct scalingo_place *p)
{
    switch (key) {
    case 'n':
        return take_number(text, &p->lines);
    case 'f':
        return take_hex(text, 16, &p->filter);
    case 'm':
        return take_mark(text, &p->last);
    case 'a':
        return take_bool(text, &p->last_archived);
    case 'k':
        return take_name(text, &p->done);
    case 'w':
        return take_mark(text, &p->newest);
    case 'h':
        return take_name(text, &p->head);
    case 'c':
        return take_name(text, &p->current);
    case 'r':
        return take_name(text, &p->first);
    case 's':
        return take_number(text, &p->passed);
    case 'q':
        return take_number(text, &p->archives);
    case 'o':
        return take_number(text, &p->oldest_unix_ns);
    case 'd':
        return take_number(text, &p->dump_unix_ns);
    case 'e':
        return take_number(text, &p->edge_unix_ns);
    case 'u':
        return take_number(text, &p->archived_unix_ns);
    case 'b':
        return take_bool(text, &p->full);
    case 'v':
        return take_bool(text, &p->dumped);
    case 't':
        return take_bool(text, &p->found);
    default:
        return key == 'x' && p->edge_count == 0 && take_edge(text, p);
    }
}

static bool take_place(struct bytes text, struct scalingo_place *p)
{
    const char *step = text.len > 2 ? strchr(steps, text.data[2]) : NULL;
    if (!take_char(&text, '1') || !take_char(&text, ' ') || !step || !*step)
        return false;
    p->step = (enum scalingo_step)(step - steps);
    take_char(&text, *step);
    while (take_char(&text, ' ')) {
        char key = text.len > 0 ? text.data[0] : '\0';
        if (!take_char(&text, key) || !take_char(&text, '=') || !take_value(key, &text, p))
            return false;
    }
    return text.len == 0 && p->lines > 0 && p->lines <= SCALINGO_LINES_MAX && p->passed >= 0;
}

int scalingo_place_read(struct bytes text, struct scalingo_place *out, struct error *err)
{
    *out = (struct scalingo_place){ .oldest_unix_ns = INT64_MAX, .dump_unix_ns = INT64_MAX };
    if (text.len > 0 && !take_place(text, out))
        return error_set(err, ERR_INPUT, "cursor: not one of ours");
    return 0;
}
