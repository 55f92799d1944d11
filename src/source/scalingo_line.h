/* scalingo_line.h -- Scalingo's log lines, in each of its modes:
 *
 *   2026-03-02 09:15:00.070300000 +0000 UTC [web-1] text */
#ifndef OTLPULL_SOURCE_SCALINGO_LINE_H
#define OTLPULL_SOURCE_SCALINGO_LINE_H

#include "source.h"

/* Spans of the line. One of another form is a text without a time and a container. */
struct scalingo_line {
    int64_t unix_ns; /* 0: none */
    struct bytes container, text;
};

/* `line` without its end. The offset counts and the zone's name does not: which of several zones it
 * is depends on the country. Any number of fraction digits; those past nine are cut. False: it is
 * of another form. */
bool scalingo_line_read(struct bytes line, struct scalingo_line *out);

/* The same for the same line, however its time was written. */
uint64_t scalingo_line_hash(const struct scalingo_line *line);

/* "web" of "web-1", "router" of "router". */
struct bytes scalingo_type(struct bytes container);

/* Whether `filter`, as the log host reads it, lets a container pass: containers or types, a bar
 * between them. NULL or empty: any. */
bool scalingo_passes(struct bytes container, const char *filter);

/* Write it as a record of `page`, with its container as resource and a call that the router tells
 * of as HTTP attributes. `scratch` is for texts with escapes. */
void scalingo_line_write(const struct scalingo_line *line, struct page *page, struct buf *scratch);

#endif
