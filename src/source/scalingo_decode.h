/* scalingo_decode.h -- reads Scalingo's answers: a dump of last lines, the list of archives, or one
 * of them. */
#ifndef OTLPULL_SOURCE_SCALINGO_DECODE_H
#define OTLPULL_SOURCE_SCALINGO_DECODE_H

#include "scalingo_place.h"

/* What of the settings matters to it. */
struct scalingo_rules {
    const char *filter; /* NULL or empty: none */
    bool archives;      /* there is a token to list them with */
};

/* A frame while it is read. */
struct scalingo_reading {
    struct scalingo_rules rules;
    const struct ask *ask;
    struct scalingo_place place; /* as ask->at has it */
    struct page *out;
};

/* Read it: records into r->out, and where to go on. ERR_INPUT. */
int scalingo_decode_frame(struct scalingo_reading *r, struct bytes frame, struct error *err);

#endif
