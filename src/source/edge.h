/* edge.h -- the entries of one answer by their times, before it is settled which of them its page
 * yields. Platforms cut their answers where they like, also amid entries of one moment, and pages
 * of a window must neither overlap nor leave a gap; so the whole answer is looked over first. */
#ifndef OTLPULL_SOURCE_EDGE_H
#define OTLPULL_SOURCE_EDGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "otlp/otlp.h"

/* One entry: the text of its JSON object, borrowed. */
struct edge_entry {
    int64_t unix_ns; /* 0: it says none that can be read */
    int64_t at_ns;   /* its place: that time, or the place of the one before */
    struct otlp_text text;
};

struct edge {
    struct edge_entry *entries;
    size_t count, capacity;
    size_t longest; /* bytes of the longest text */
    int64_t at_ns;  /* the place of the last; set it to where the answer should begin */
};

/* ERR_INPUT: more than a page may hold (2^20). */
int edge_add(struct edge *e, int64_t unix_ns, struct otlp_text text, struct error *err);
void edge_release(struct edge *e);

/* Add the elements of the array that stands at `s`. `read` reads past one object and says its time,
 * 0: none; false: a problem of the scan. `name` is the array's, in messages. ERR_INPUT. */
int edge_add_array(struct edge *e, struct otlp_scan *s, const char *name,
                   bool (*read)(struct otlp_scan *s, int64_t *unix_ns), struct error *err);

/* What is wrong with a frame whose scan has a problem: ERR_INPUT. */
int edge_not_json(const struct otlp_scan *s, struct error *err);

/* What is wrong with a value that stands at `s` and is of another type than it should be, in these
 * words where it is JSON at all: ERR_INPUT. */
int edge_wrong_type(struct otlp_scan *s, struct error *err, const char *words);

/* Of the entries that lie in [from, to) the first and the last place; false: there are none. */
bool edge_range(const struct edge *e, int64_t from_ns, int64_t to_ns, int64_t *first_ns,
                int64_t *last_ns);

/* Cursors hold numbers, each after a space: take the next, 0 or more, off the text's beginning. */
bool edge_take(struct bytes *text, int64_t *out);

#endif
