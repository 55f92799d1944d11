/* scalingo_line.h -- entries as Scalingo's log lines: "2026-03-02 09:15:00.070300000 +0000 UTC
 * [web-1] text". A history's sites are containers; one of them is the router, whose text is made of
 * keys and values.
 *
 * Quirks: zone=OFFSET WORD ("+0200 CEST"; "mixed": several), digits=0..9 of the fraction (or
 * "mixed"). */
#ifndef OTLPULL_SIM_SCALINGO_LINE_H
#define OTLPULL_SIM_SCALINGO_LINE_H

#include "history.h"
#include "print.h"

#define SCALINGO_CONTAINER_BYTES 32

void scalingo_container(const struct entry *e, char out[SCALINGO_CONTAINER_BYTES]);

/* Whether the log host's `filter` lets it pass: containers or types, a bar between them. */
bool scalingo_passes(const struct entry *e, const char *filter);

/* The line without its end. */
void scalingo_line_render(const struct history *h, const struct entry *e, struct buf *out);
void scalingo_line_print(const struct history *h, const struct entry *e, struct print *p);

#endif
