#include "config_yaml.h"

#include <string.h>

#include <yaml.h>

struct reading {
    struct arena *arena;
    struct faults *faults;
    struct node *root;
    struct node *open[YAML_DEPTH_MAX]; /* lists and maps that we are inside of */
    size_t depth;
    size_t nodes, documents;
    const char *key; /* read; its value comes next */
    struct place key_at;
};

static struct place place_of(const yaml_mark_t *mark)
{
    return (struct place){ .line = (int)mark->line + 1, .column = (int)mark->column + 1 };
}

static int refuse(struct reading *r, struct place at, const char *words)
{
    fault_add(r->faults, at, "", "%s", words);
    return -1;
}

struct node *node_get(const struct node *map, const char *key)
{
    for (struct node *n = map->first; n; n = n->next) {
        if (n->key && strcmp(n->key, key) == 0)
            return n;
    }
    return NULL;
}

void node_append(struct node *parent, struct node *child)
{
    if (parent->last)
        parent->last->next = child;
    else
        parent->first = child;
    parent->last = child;
    parent->count++;
}

static bool means_null(const yaml_event_t *e)
{
    static const char *const words[] = { "", "~", "null", "Null", "NULL" };
    if (e->data.scalar.style != YAML_PLAIN_SCALAR_STYLE)
        return false;
    for (size_t i = 0; i < COUNT(words); i++) {
        if (strcmp((const char *)e->data.scalar.value, words[i]) == 0)
            return true;
    }
    return false;
}

/* A new value, in its place in the tree; NULL: refused. */
static struct node *place_node(struct reading *r, enum node_kind kind, struct place at)
{
    struct node *top = r->depth ? r->open[r->depth - 1] : NULL;
    if (top && top->kind == NODE_MAP && !r->key) {
        refuse(r, at, "a key must be a text");
        return NULL;
    }
    if (r->nodes++ == YAML_NODES_MAX) {
        refuse(r, at, "too many values in one file");
        return NULL;
    }
    struct node *n = arena_alloc(r->arena, 1, sizeof(*n));
    n->kind = kind;
    n->at = at;
    if (!top) {
        r->root = n;
        return n;
    }
    if (top->kind != NODE_MAP || !r->key) {
        node_append(top, n);
        return n;
    }
    n->key = r->key;
    n->key_at = r->key_at;
    r->key = NULL;
    if (node_get(top, n->key)) {
        struct buf key = BUF_INIT(FAULT_PATH_MAX);
        fault_quote(&key, n->key);
        fault_add(r->faults, n->key_at, "", "repeated key %s; takes each key once", buf_text(&key));
        buf_release(&key);
        return n; /* read on, for the faults behind it; it hangs on nothing */
    }
    if (top->count == YAML_KEYS_MAX) {
        refuse(r, n->key_at, "too many keys in one map");
        return NULL;
    }
    node_append(top, n);
    return n;
}

static int on_scalar(struct reading *r, const yaml_event_t *e, struct place at)
{
    const char *value = (const char *)e->data.scalar.value;
    size_t len = e->data.scalar.length;
    const struct node *top = r->depth ? r->open[r->depth - 1] : NULL;
    if (memchr(value, 0, len))
        return refuse(r, at, "a NUL character; takes text");
    if (top && top->kind == NODE_MAP && !r->key) {
        if (strcmp(value, "<<") == 0)
            return refuse(r, at, "merge keys (<<) are not supported; write the keys out");
        r->key = arena_strndup(r->arena, value, len);
        r->key_at = at;
        return 0;
    }
    struct node *n = place_node(r, means_null(e) ? NODE_NULL : NODE_TEXT, at);
    if (!n)
        return -1;
    n->text = n->written = arena_strndup(r->arena, value, len);
    return 0;
}

static int on_start(struct reading *r, enum node_kind kind, struct place at)
{
    if (r->depth == YAML_DEPTH_MAX)
        return refuse(r, at, "nested too deeply; takes at most 16 levels");
    struct node *n = place_node(r, kind, at);
    if (!n)
        return -1;
    r->open[r->depth++] = n;
    return 0;
}

static int refuse_extras(struct reading *r, const yaml_event_t *e, struct place at)
{
    const yaml_char_t *anchor = NULL, *tag = NULL;
    switch (e->type) {
    case YAML_ALIAS_EVENT:
        return refuse(r, at, "aliases (*name) are not supported; write the value out");
    case YAML_SCALAR_EVENT:
        anchor = e->data.scalar.anchor;
        tag = e->data.scalar.tag;
        break;
    case YAML_SEQUENCE_START_EVENT:
        anchor = e->data.sequence_start.anchor;
        tag = e->data.sequence_start.tag;
        break;
    case YAML_MAPPING_START_EVENT:
        anchor = e->data.mapping_start.anchor;
        tag = e->data.mapping_start.tag;
        break;
    default:
        break;
    }
    if (anchor)
        return refuse(r, at, "anchors (&name) are not supported; write the value out");
    if (tag)
        return refuse(r, at, "tags (!name) are not supported");
    return 0;
}

static int on_event(struct reading *r, const yaml_event_t *e)
{
    struct place at = place_of(&e->start_mark);
    if (refuse_extras(r, e, at))
        return -1;
    switch (e->type) {
    case YAML_DOCUMENT_START_EVENT:
        if (r->documents++)
            return refuse(r, at, "a second document (---); takes one");
        return 0;
    case YAML_SCALAR_EVENT:
        return on_scalar(r, e, at);
    case YAML_SEQUENCE_START_EVENT:
        return on_start(r, NODE_LIST, at);
    case YAML_MAPPING_START_EVENT:
        return on_start(r, NODE_MAP, at);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        r->depth--;
        return 0;
    default:
        return 0;
    }
}

/* libyaml's words name no content of the file. A byte that is no text has an offset alone. */
static void refuse_syntax(struct reading *r, const yaml_parser_t *p, struct bytes text)
{
    struct place at = place_of(&p->problem_mark);
    const char *problem = p->problem ? p->problem : "cannot be read";
    if (p->error == YAML_READER_ERROR) {
        at = (struct place){ .line = 1, .column = 1 };
        for (size_t i = 0; i < p->problem_offset && i < text.len; i++) {
            at.column = text.data[i] == '\n' ? 1 : at.column + 1;
            at.line += text.data[i] == '\n';
        }
    }
    if (p->context)
        fault_add(r->faults, at, "", "not valid YAML: %s, %s that begins in line %d", problem,
                  p->context, (int)p->context_mark.line + 1);
    else
        fault_add(r->faults, at, "", "not valid YAML: %s", problem);
}

struct node *yaml_read(struct bytes text, struct arena *arena, struct faults *faults)
{
    struct reading r = { .arena = arena, .faults = faults };
    yaml_parser_t parser;
    bool done = false;
    int rc = 0;
    if (text.len > YAML_BYTES_MAX) {
        refuse(&r, (struct place){ .line = 1, .column = 1 }, "larger than 1MiB");
        return NULL;
    }
    if (!yaml_parser_initialize(&parser))
        out_of_memory();
    yaml_parser_set_input_string(&parser, (const unsigned char *)text.data, text.len);
    while (!done && rc == 0) {
        yaml_event_t event;
        if (!yaml_parser_parse(&parser, &event)) {
            if (parser.error == YAML_MEMORY_ERROR)
                out_of_memory();
            refuse_syntax(&r, &parser, text);
            rc = -1;
            break;
        }
        rc = on_event(&r, &event);
        done = event.type == YAML_STREAM_END_EVENT;
        yaml_event_delete(&event);
    }
    yaml_parser_delete(&parser);
    if (rc)
        return NULL;
    if (!r.root) { /* an empty file is an empty map */
        r.root = arena_alloc(arena, 1, sizeof(*r.root));
        r.root->at = (struct place){ .line = 1, .column = 1 };
    }
    return r.root;
}
