/* pick.h -- reads the members of one JSON entry by their paths, in whatever order and case its keys
 * come and whatever else it holds: scanned once, no tree. */
#ifndef OTLPULL_SOURCE_PICK_H
#define OTLPULL_SOURCE_PICK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "otlp/otlp.h"

#define PICK_FIELDS_MOST 32

/* Where a field may stand: its keys from the outside in, in small letters, with dots between. Of
 * several that name one field the first of the table that has a value counts. */
struct pick_path {
    const char *path; /* NULL: the table's end */
    size_t field;
};

/* Read the object that stands at `s` to its end. Each field gets its value's text as it stands, or
 * nothing: where it is absent, null, "" or an object that is looked into. False: no object, or a
 * problem of the scan. */
bool pick_members(struct otlp_scan *s, const struct pick_path *paths, struct otlp_text *fields,
                  size_t count);

/* Whether a key means `name` (small letters), in any case. */
bool pick_key_is(struct otlp_text key, const char *name);

/* The text of a value: a string's, any other's as it stands in the JSON. It may stand in `room`,
 * to which it then is added; prepare that for an entry by pick_room(). */
struct bytes pick_text(struct otlp_text value, struct buf *room);
void pick_room(struct buf *room, size_t entry_bytes);

/* An integer, or a string that is one. */
bool pick_int(struct otlp_text value, int64_t *out);

/* A string that is an RFC 3339 time. */
bool pick_time(struct otlp_text value, int64_t *unix_ns);

#endif
