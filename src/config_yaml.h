/* config_yaml.h -- YAML text to a small tree in which everything knows its line and column. What a
 * configuration has no use for is refused rather than half-supported: aliases and merge keys (their
 * expansion grows without bound), tags, several documents, keys that are not texts. */
#ifndef OTLPULL_CONFIG_YAML_H
#define OTLPULL_CONFIG_YAML_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/buf.h"
#include "config_fault.h"

#define YAML_BYTES_MAX ((size_t)1024 * 1024)
#define YAML_DEPTH_MAX 16
#define YAML_NODES_MAX 150000
#define YAML_KEYS_MAX  1000 /* of one map */

enum node_kind {
    NODE_NULL, /* nothing, or a plain null or ~ */
    NODE_TEXT,
    NODE_LIST,
    NODE_MAP,
};

struct node {
    enum node_kind kind;
    struct place at;
    const char *text;          /* of TEXT; as written until `expanded` */
    const char *written;       /* of TEXT; what a fault may show */
    bool expanded;             /* ${...} in it has been replaced, or is not to be */
    const char *key;           /* in a map */
    struct place key_at;       /* ... */
    struct node *first, *last; /* of LIST and MAP, in the order of the file */
    struct node *next;
    size_t count; /* of them */
};

/* The one document of `text`, in `arena`; NULL when that cannot be read, with a fault that says
 * why. Repeated keys are faults as well, but leave a tree. */
struct node *yaml_read(struct bytes text, struct arena *arena, struct faults *faults);

/* The value of `key`, or NULL. */
struct node *node_get(const struct node *map, const char *key);

/* Make `child` the last one of a list or map. */
void node_append(struct node *parent, struct node *child);

#endif
