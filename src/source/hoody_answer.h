/* hoody_answer.h -- an answer of Hoody's proxy logs, in whichever of its three shapes it comes. */
#ifndef OTLPULL_SOURCE_HOODY_ANSWER_H
#define OTLPULL_SOURCE_HOODY_ANSWER_H

#include "hoody_entry.h"

struct hoody_row {
    struct otlp_text text;
    int64_t id, unix_ns; /* 0: none */
    int64_t key;         /* tells it from others, in 48 bits: by tenant and id, else by its text */
    int64_t tenant;      /* whose it is, in 48 bits; of one without an id its key */
    bool known;          /* it was read before */
};

enum hoody_shape {
    HOODY_NONE,   /* no content */
    HOODY_OBJECT, /* with entries */
    HOODY_ARRAY,  /* of entries */
    HOODY_LINES,  /* an entry each, and a trailer */
};

struct hoody_answer {
    enum hoody_shape shape;
    struct hoody_row *rows; /* spans of the frame */
    size_t count, capacity;
    int64_t limit;            /* as an object says it was taken; 0: it does not say */
    struct otlp_text trailer; /* of lines; len 0: there is none */
};

/* Read a frame into an answer that is all zero; hoody_answer_release() in either case. ERR_INPUT.
 */
int hoody_answer_read(struct bytes frame, struct hoody_answer *a, struct error *err);
void hoody_answer_release(struct hoody_answer *a);

/* The value of an object's member; len 0: there is none, or it is null. */
struct otlp_text hoody_member(struct otlp_text object, const char *name);

/* Read the platform's counts, an untrusted frame, and write them as one object of ours. ERR_INPUT.
 */
int hoody_counts_read(struct bytes frame, struct buf *out, struct error *err);

#endif
