#include "pick.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/timefmt.h"

#define PATH_BYTES 128 /* longer ones are in no table */

/* The values so far, and by which row of the table each was found. */
struct picking {
    const struct pick_path *paths;
    struct otlp_text *fields;
    size_t ranks[PICK_FIELDS_MOST];
    char path[PATH_BYTES]; /* of the object that is being read, with a dot behind it */
};

/* The key in small letters behind the first `len` bytes of `path`; 0: too long, else the length. */
static size_t add_key(char path[PATH_BYTES], size_t len, struct otlp_text key)
{
    char quoted[PATH_BYTES + 2];
    if (key.len > PATH_BYTES || len + 2 > PATH_BYTES)
        return 0;
    quoted[0] = '"';
    memcpy(quoted + 1, key.data, key.len);
    quoted[key.len + 1] = '"';
    struct otlp_text whole = { quoted, key.len + 2 };
    size_t added = otlp_unescape(whole, path + len, PATH_BYTES - len - 2);
    if (added == OTLP_NONE)
        return 0;
    for (size_t i = len; i < len + added; i++)
        path[i] = (char)tolower((unsigned char)path[i]);
    path[len + added] = '\0';
    return len + added;
}

bool pick_key_is(struct otlp_text key, const char *name)
{
    char text[PATH_BYTES];
    return add_key(text, 0, key) == strlen(name) && strcmp(text, name) == 0;
}

static bool has_value(struct otlp_text raw)
{
    bool null = raw.len == 4 && memcmp(raw.data, "null", 4) == 0;
    return !null && !(raw.len == 2 && raw.data[0] == '"');
}

static void keep(struct picking *p, size_t row, struct otlp_text raw)
{
    size_t field = p->paths[row].field;
    if (!has_value(raw) || (p->fields[field].len > 0 && p->ranks[field] < row))
        return;
    p->fields[field] = raw;
    p->ranks[field] = row;
}

/* Whether some path leads into the object of this one. */
static bool leads_on(const struct picking *p, size_t len)
{
    for (const struct pick_path *row = p->paths; row->path; row++) {
        if (strncmp(row->path, p->path, len) == 0 && row->path[len] == '.')
            return true;
    }
    return false;
}

/* The scan bounds the depth, as do the paths. */
static bool read_object(struct picking *p, struct otlp_scan *s, size_t len)
{
    struct otlp_text key, raw;
    otlp_scan_enter_object(s);
    while (otlp_scan_next_key(s, &key)) {
        size_t end = add_key(p->path, len, key);
        if (end > 0 && otlp_scan_peek(s) == '{' && leads_on(p, end)) {
            p->path[end] = '.';
            if (!read_object(p, s, end + 1))
                return false;
            continue;
        }
        if (!otlp_scan_value(s, &raw))
            return false;
        for (size_t i = 0; end > 0 && p->paths[i].path; i++) {
            if (strcmp(p->paths[i].path, p->path) == 0)
                keep(p, i, raw);
        }
    }
    return !s->problem;
}

bool pick_members(struct otlp_scan *s, const struct pick_path *paths, struct otlp_text *fields,
                  size_t count)
{
    struct picking p = { .paths = paths, .fields = fields };
    for (size_t i = 0; i < count; i++)
        fields[i] = (struct otlp_text){ "", 0 };
    return otlp_scan_peek(s) == '{' && read_object(&p, s, 0);
}

void pick_room(struct buf *room, size_t entry_bytes)
{
    buf_reset(room);
    buf_reserve(room, entry_bytes);
}

struct bytes pick_text(struct otlp_text value, struct buf *room)
{
    if (value.len == 0)
        return (struct bytes){ "", 0 };
    if (value.data[0] != '"')
        return (struct bytes){ value.data, value.len };
    char *at = room->data + room->len;
    struct otlp_text plain = otlp_plain(value, at, room->capacity - room->len);
    if (plain.data == at)
        room->len += plain.len;
    return (struct bytes){ plain.data, plain.len };
}

bool pick_int(struct otlp_text value, int64_t *out)
{
    char text[24];
    bool quoted = value.len > 2 && value.data[0] == '"';
    size_t len = quoted ? value.len - 2 : value.len;
    if (len == 0 || len >= sizeof(text))
        return false;
    memcpy(text, value.data + quoted, len);
    text[len] = '\0';
    if (strspn(text, "-0123456789") != len)
        return false;
    char *end;
    errno = 0;
    long long number = strtoll(text, &end, 10);
    if (errno || *end)
        return false;
    *out = number;
    return true;
}

bool pick_time(struct otlp_text value, int64_t *unix_ns)
{
    char room[64];
    struct otlp_text text = otlp_plain(value, room, sizeof(room));
    return timefmt_parse_rfc3339((struct bytes){ text.data, text.len }, unix_ns);
}
