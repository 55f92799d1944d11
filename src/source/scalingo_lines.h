/* scalingo_lines.h -- the lines of a frame, sorted by time: their order in it is not guaranteed. A
 * line of another form has the time and the container of the one before it in the frame, and stays
 * right behind it. */
#ifndef OTLPULL_SOURCE_SCALINGO_LINES_H
#define OTLPULL_SOURCE_SCALINGO_LINES_H

#include "scalingo_line.h"

struct scalingo_ref {
    int64_t unix_ns; /* 0: none */
    uint32_t at;     /* where the line begins in the frame */
    uint32_t head;   /* where the one begins whose container it has; UINT32_MAX: none */
};

struct scalingo_lines {
    struct bytes frame; /* borrowed */
    struct scalingo_ref *items;
    size_t count, capacity;
    size_t passed; /* lines of the frame up to the last one here, blank ones too */
    bool more;     /* the frame has lines behind it */
};

/* Read those behind the first `skip` of the frame, at most `most` of them; blank ones are left
 * out. ERR_INPUT: a frame of 4 GiB. */
int scalingo_lines_read(struct scalingo_lines *l, struct bytes frame, size_t skip, size_t most,
                        struct error *err);

/* One of them, with its time and container. */
void scalingo_lines_at(const struct scalingo_lines *l, size_t i, struct scalingo_line *out);

/* The first that has a time; `count` where none has. */
size_t scalingo_lines_timed(const struct scalingo_lines *l);

/* The first whose time is not before `unix_ns`. */
size_t scalingo_lines_from(const struct scalingo_lines *l, int64_t unix_ns);

/* Whether a line of this time and hash is among them. */
bool scalingo_lines_have(const struct scalingo_lines *l, int64_t unix_ns, uint64_t hash);

void scalingo_lines_release(struct scalingo_lines *l);

#endif
