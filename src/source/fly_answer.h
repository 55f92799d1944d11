/* fly_answer.h -- an answer of Fly.io's logs, read as what it looks like: one JSON:API page, or
 * lines of JSON. */
#ifndef OTLPULL_SOURCE_FLY_ANSWER_H
#define OTLPULL_SOURCE_FLY_ANSWER_H

#include "edge.h"

enum fly_shape { FLY_UNKNOWN = 'U', FLY_PAGES = 'A', FLY_LINES = 'B' };

struct fly_answer {
    enum fly_shape shape;
    struct edge entries;
    struct otlp_text token; /* as it stands in the JSON; empty: none */
    size_t torn, alien;     /* lines that begin as an entry; that are none at all */
    bool cut;               /* the last one is torn, and no newline behind it */
};

/* Read a frame that follows one of `shape`; entries that say no time take their place from
 * `from_ns` on. ERR_INPUT. Release out->entries in either case. */
int fly_answer_read(struct bytes frame, enum fly_shape shape, int64_t from_ns,
                    struct fly_answer *out, struct error *err);

#endif
