/* config_fields.h -- one reader for every block of the configuration: a table of fields and a map
 * give settings, and every fault on the way. A dot in a field's name is a map inside: "tls.ca_file"
 * is ca_file in the map tls. */
#ifndef OTLPULL_CONFIG_FIELDS_H
#define OTLPULL_CONFIG_FIELDS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/buf.h"
#include "config_fault.h"
#include "config_subst.h"
#include "config_yaml.h"
#include "source/source.h"

/* What reading one configuration goes by. */
struct loading {
    const struct config_input *in;
    struct arena *kept;    /* texts that the configuration holds */
    struct arena *scratch; /* what ends with the reading */
    struct faults *faults;
    struct subst subst;
    struct buf *warnings;
};

/* One table, and what was read for it. A field whose name is "" is no key: the type has none such.
 */
struct fields {
    const struct field *table;
    size_t count;
    struct setting *settings;
    struct node **nodes;   /* where each was written; NULL: nowhere */
    const char *path;      /* "sources[2]." in front of each name in a fault; "" at the top */
    const char *elsewhere; /* a key that the caller reads; NULL: none */
    bool unknown_ok;       /* the keys of a type that does not exist cannot be judged */
};

/* Room for `count` settings, in `kept`. */
void fields_init(struct fields *f, struct loading *ld, const struct field *table, size_t count,
                 const char *path);

/* Read every key of `map`. */
void fields_read(struct fields *f, struct loading *ld, struct node *map);

/* Read one value. False: a fault was found. A value that is empty leaves its setting unset. */
bool fields_set(struct fields *f, struct loading *ld, size_t i, struct node *value);

/* The text of a value that fields_set() will read later; NULL: it has none. Tells no fault. */
const char *fields_peek(struct loading *ld, struct node *n);

/* Set what is still unset to its default; find what is required and missing. `at` is where the map
 * begins. */
void fields_finish(struct fields *f, struct loading *ld, struct place at);

/* A fault of the i-th field: where it was written, or else at `at`. */
void fields_fault(const struct fields *f, struct loading *ld, size_t i, struct place at,
                  const char *format, ...) __attribute__((format(printf, 5, 6)));

/* The same, as "got X, takes WORDS", X being what was written or the default. */
void fields_fault_takes(const struct fields *f, struct loading *ld, size_t i, struct place at,
                        const char *format, ...) __attribute__((format(printf, 5, 6)));

/* Set `key` in `list` to a value; both must live as long as the list, whose memory is `arena`'s. */
void pairs_put(struct pairs *list, struct arena *arena, const char *key, const char *value);

#endif
