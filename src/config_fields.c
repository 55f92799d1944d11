#include "config_fields.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config_url.h"
#include "config_value.h"

#define WORDS_MAX 768
#define LIST_MAX  100000

void fields_init(struct fields *f, struct loading *ld, const struct field *table, size_t count,
                 const char *path)
{
    *f = (struct fields){ .table = table, .count = count, .path = path };
    f->settings = arena_alloc(ld->kept, count, sizeof(*f->settings));
    f->nodes = arena_alloc(ld->scratch, count, sizeof(struct node *));
}

void pairs_put(struct pairs *list, struct arena *arena, const char *key, const char *value)
{
    for (size_t i = 0; i < list->count; i++) {
        if (strcmp(list->items[i].key, key) == 0) {
            list->items[i].value = arena_strdup(arena, value);
            return;
        }
    }
    if ((list->count & (list->count + 1)) == 0 || !list->items) { /* full at 1, 3, 7, ... */
        struct pair *larger = arena_alloc(arena, 2 * list->count + 1, sizeof(*larger));
        if (list->count)
            memcpy(larger, list->items, list->count * sizeof(*larger));
        list->items = larger;
    }
    list->items[list->count++] = (struct pair){ arena_strdup(arena, key),
                                                arena_strdup(arena, value) };
}

/* ---- faults ------------------------------------------------------------------------------------
 */

/* What a fault says it got. A secret's text is never shown, nor what came from a substitution, nor
 * a URL that may hold credentials. */
static void describe(const struct field *field, const struct node *n, struct buf *out)
{
    static const char *const kinds[] = {
        [NODE_NULL] = "nothing", [NODE_LIST] = "a list", [NODE_MAP] = "a map"
    };
    bool single = field->kind != FIELD_STRINGS && field->kind != FIELD_ENUMS &&
                  field->kind != FIELD_MAP;
    if (n->kind != NODE_TEXT)
        buf_append_text(out, kinds[n->kind]);
    else if (!single)
        buf_append_text(out, "a text");
    else if (field->secret || !url_shown(n->written))
        buf_append_text(out, "***");
    else
        fault_quote(out, n->written);
}

static void fault_takes(struct loading *ld, const struct field *field, const char *path,
                        const struct node *n)
{
    struct buf words = BUF_INIT(WORDS_MAX);
    buf_append_text(&words, "got ");
    describe(field, n, &words);
    buf_append_text(&words, ", takes ");
    value_takes(field, &words);
    fault_add(ld->faults, n->at, path, "%s", buf_text(&words));
    buf_release(&words);
}

void fields_fault(const struct fields *f, struct loading *ld, size_t i, struct place at,
                  const char *format, ...)
{
    char words[WORDS_MAX], path[FAULT_PATH_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(words, sizeof(words), format, args);
    va_end(args);
    fault_path(path, "%s%s", f->path, f->table[i].name);
    fault_add(ld->faults, f->nodes[i] ? f->nodes[i]->at : at, path, "%s", words);
}

void fields_fault_takes(const struct fields *f, struct loading *ld, size_t i, struct place at,
                        const char *format, ...)
{
    char takes[WORDS_MAX];
    struct buf got = BUF_INIT(WORDS_MAX);
    va_list args;
    va_start(args, format);
    vsnprintf(takes, sizeof(takes), format, args);
    va_end(args);
    if (f->nodes[i])
        describe(&f->table[i], f->nodes[i], &got);
    else
        value_format(&f->table[i], &f->settings[i], &got);
    fields_fault(f, ld, i, at, "got %s, takes %s", buf_text(&got), takes);
    buf_release(&got);
}

/* ---- one value ---------------------------------------------------------------------------------
 */

/* Replace ${...} in a text, once. False: a fault was found. */
static bool expand(struct loading *ld, struct node *n, const char *path)
{
    struct buf text = BUF_INIT(TEXT_BYTES_MAX);
    struct error err = { 0 };
    const char *problem = NULL;
    bool ok = true;
    ld->subst.stands_in = false;
    if (n->expanded) {
        buf_append_text(&text, n->text);
    } else if (subst_expand(&ld->subst, n->written, &text, &err)) {
        fault_add_error(ld->faults, n->at, path, &err);
        ok = false;
    }
    if (ok && (problem = subst_text_problem(buf_text(&text), text.len))) {
        fault_add(ld->faults, n->at, path, "got %s", problem);
        ok = false;
    }
    if (ok && !n->expanded) {
        n->text = arena_strndup(ld->scratch, buf_text(&text), text.len);
        n->expanded = true;
    }
    buf_release(&text);
    return ok;
}

static bool is_empty(const struct node *n)
{
    return n->kind == NODE_NULL || (n->kind == NODE_TEXT && !*n->text);
}

/* Where secrets are not fetched: what stands for one must pass for it. Returns the text to read;
 * NULL: none would do, and the default stands. */
static const char *stand_in(struct loading *ld, const struct field *field, const char *path,
                            const struct node *n)
{
    const char *text = n->text;
    struct buf url = BUF_INIT(TEXT_BYTES_MAX);
    if (field->kind == FIELD_URL || field->kind == FIELD_WHOLE_URL) {
        buf_printf(&url, "%s%s", strstr(text, "://") ? "" : "https://", text);
        text = arena_strdup(ld->scratch, buf_text(&url));
    } else if (field->kind != FIELD_STRING) {
        text = NULL;
    }
    buf_release(&url);
    if (!field->secret && !n->at.variable)
        buf_printf(ld->warnings,
                   "%s:%d:%d: %s: is fetched when otlpull runs; here %s stands for it\n",
                   ld->faults->file ? ld->faults->file : "", n->at.line, n->at.column, path,
                   text ? text : "the default");
    return text;
}

static bool set_single(struct loading *ld, const struct field *field, const char *path,
                       struct node *n, struct setting *out)
{
    if (n->kind == NODE_NULL)
        return true;
    if (n->kind != NODE_TEXT) {
        fault_takes(ld, field, path, n);
        return false;
    }
    if (!expand(ld, n, path))
        return false;
    if (is_empty(n))
        return true;
    if (ld->subst.stands_in && !(n->text = stand_in(ld, field, path, n))) {
        n->text = "";
        return true;
    }
    char *text = arena_strdup(ld->kept, n->text);
    if (!value_parse(field, text, out)) {
        fault_takes(ld, field, path, n);
        return false;
    }
    if (field->kind == FIELD_URL) {
        for (size_t len = strlen(text); text[len - 1] == '/'; len--)
            text[len - 1] = '\0';
    }
    return true;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Twice in a list is asking twice, and for what a platform groups, receiving twice. */
static bool all_once(const char *const *list, size_t count)
{
    const char **sorted = xreallocarray(NULL, count, sizeof(*sorted));
    bool ok = true;
    for (size_t i = 0; i < count; i++)
        sorted[i] = list[i];
    qsort(sorted, count, sizeof(*sorted), by_text);
    for (size_t i = 1; i < count; i++)
        ok = ok && strcmp(sorted[i - 1], sorted[i]) != 0;
    free(sorted);
    return ok;
}

static bool set_list(struct loading *ld, const struct field *field, const char *path,
                     struct node *n, struct setting *out)
{
    if (n->kind == NODE_NULL)
        return true;
    if (n->kind != NODE_LIST) {
        fault_takes(ld, field, path, n);
        return false;
    }
    const struct field entry = { .kind = field->kind == FIELD_ENUMS ? FIELD_ENUM : FIELD_STRING,
                                 .choices = field->choices,
                                 .secret = field->secret };
    const char **list = arena_alloc(ld->kept, n->count, sizeof(*list));
    size_t count = 0, seen = 0;
    for (struct node *item = n->first; item; item = item->next, seen++) {
        char item_path[FAULT_PATH_MAX];
        struct setting value = { 0 };
        fault_path(item_path, "%s[%zu]", path, seen);
        if (!set_single(ld, &entry, item_path, item, &value))
            continue;
        if (value.set)
            list[count++] = value.text;
        else
            fault_takes(ld, &entry, item_path, item);
    }
    if (!all_once(list, count))
        fault_add(ld->faults, n->at, path, "got the same text twice, takes each once");
    else if (count > LIST_MAX)
        fault_add(ld->faults, n->at, path, "got %zu texts, takes at most %d", count, LIST_MAX);
    else if (count == seen)
        *out = (struct setting){ .set = true, .list = list, .list_count = count };
    return out->set;
}

/* An entry without a value is left out, as a key without one is anywhere else. */
static bool set_map(struct loading *ld, const struct field *field, const char *path, struct node *n,
                    struct setting *out)
{
    if (n->kind == NODE_NULL)
        return true;
    if (n->kind != NODE_MAP) {
        fault_takes(ld, field, path, n);
        return false;
    }
    struct pairs *map = arena_alloc(ld->kept, 1, sizeof(*map));
    const struct field entry = { .kind = FIELD_STRING, .secret = field->secret };
    bool ok = true;
    for (struct node *item = n->first; item; item = item->next) {
        char item_path[FAULT_PATH_MAX];
        struct setting value = { 0 };
        const char *problem = subst_text_problem(item->key, strlen(item->key));
        fault_path(item_path, "%s.%s", path, item->key);
        if (!*item->key || problem) {
            fault_add(ld->faults, item->key_at, path, "a bad key in it: got %s",
                      problem ? problem : "nothing, takes a text");
            ok = false;
        } else if (!set_single(ld, &entry, item_path, item, &value)) {
            ok = false;
        } else if (value.set) {
            pairs_put(map, ld->kept, item->key, value.text);
        }
    }
    if (ok)
        *out = (struct setting){ .set = true, .map = map };
    return ok;
}

const char *fields_peek(struct loading *ld, struct node *n)
{
    struct faults aside = { .arena = ld->scratch };
    struct faults *faults = ld->faults;
    ld->faults = &aside;
    bool ok = n && n->kind == NODE_TEXT && expand(ld, n, "");
    ld->faults = faults;
    return ok ? n->text : NULL;
}

bool fields_set(struct fields *f, struct loading *ld, size_t i, struct node *value)
{
    const struct field *field = &f->table[i];
    char path[FAULT_PATH_MAX];
    fault_path(path, "%s%s", f->path, field->name);
    f->nodes[i] = value;
    switch (field->kind) {
    case FIELD_STRINGS:
    case FIELD_ENUMS:
        return set_list(ld, field, path, value, &f->settings[i]);
    case FIELD_MAP:
        return set_map(ld, field, path, value, &f->settings[i]);
    default:
        return set_single(ld, field, path, value, &f->settings[i]);
    }
}

/* ---- maps --------------------------------------------------------------------------------------
 */

/* List the keys that the map `within` ("" or "tls.") takes. */
static void append_keys(const struct fields *f, const char *within, struct buf *out)
{
    size_t skip = strlen(within);
    const char *last = "";
    size_t last_len = 0;
    if (f->elsewhere && !*within)
        buf_printf(out, "%s, ", f->elsewhere);
    for (size_t i = 0; i < f->count; i++) {
        if (!*f->table[i].name || strncmp(f->table[i].name, within, skip) != 0)
            continue;
        const char *key = f->table[i].name + skip;
        size_t len = strcspn(key, ".");
        if (len == last_len && strncmp(key, last, len) == 0)
            continue; /* another field of the map just named */
        buf_printf(out, "%s%.*s", last_len ? ", " : "", (int)len, key);
        last = key;
        last_len = len;
    }
}

static void fault_unknown(const struct fields *f, struct loading *ld, const char *within,
                          const struct node *n)
{
    struct buf words = BUF_INIT(WORDS_MAX);
    char path[FAULT_PATH_MAX];
    fault_path(path, "%s%s", f->path, within);
    if (*path)
        path[strlen(path) - 1] = '\0'; /* the dot */
    buf_append_text(&words, "unknown key ");
    fault_quote(&words, n->key);
    buf_append_text(&words, ", takes ");
    append_keys(f, within, &words);
    fault_add(ld->faults, n->key_at, path, "%s", buf_text(&words));
    buf_release(&words);
}

/* The field of this name, or f->count; `inner` where fields stand in a map of this name. */
static size_t find(const struct fields *f, const char *name, bool *inner)
{
    size_t len = strlen(name);
    *inner = false;
    for (size_t i = 0; i < f->count && len > 0; i++) {
        if (strcmp(f->table[i].name, name) == 0)
            return i;
        if (strncmp(f->table[i].name, name, len) == 0 && f->table[i].name[len] == '.')
            *inner = true;
    }
    return f->count;
}

/* The depth is that of the table's names, whatever the file's. */
static void read_map(struct fields *f, struct loading *ld, struct node *map, const char *within)
{
    for (struct node *n = map->first; n; n = n->next) {
        char name[FAULT_PATH_MAX];
        bool inner = false;
        size_t i = f->count;
        if (f->elsewhere && !*within && strcmp(n->key, f->elsewhere) == 0)
            continue;
        /* a dot in a key as written is a part of it, never a way into a map */
        if (!strchr(n->key, '.') && strlen(within) + strlen(n->key) + 2 < sizeof(name)) {
            fault_path(name, "%s%s", within, n->key);
            i = find(f, name, &inner);
        }
        if (i < f->count) {
            fields_set(f, ld, i, n);
        } else if (inner && n->kind == NODE_MAP) {
            fault_path(name, "%s%s.", within, n->key);
            read_map(f, ld, n, name);
        } else if (inner && n->kind != NODE_NULL) {
            char path[FAULT_PATH_MAX];
            fault_path(path, "%s%s", f->path, name);
            fault_add(ld->faults, n->at, path, "got a %s, takes a map",
                      n->kind == NODE_LIST ? "list" : "text");
        } else if (!inner && !f->unknown_ok) {
            fault_unknown(f, ld, within, n);
        }
    }
}

void fields_read(struct fields *f, struct loading *ld, struct node *map)
{
    read_map(f, ld, map, "");
}

static void fault_missing(const struct fields *f, struct loading *ld, size_t i, struct place at)
{
    const struct field *field = &f->table[i];
    const struct node *n = f->nodes[i];
    struct buf words = BUF_INIT(WORDS_MAX);
    buf_append_text(&words, !n ? "missing" : n->at.variable ? "not set" : "empty");
    buf_append_text(&words, ", takes ");
    value_takes(field, &words);
    if (field->help)
        buf_printf(&words, " (%s)", field->help);
    fields_fault(f, ld, i, at, "%s", buf_text(&words));
    buf_release(&words);
}

void fields_finish(struct fields *f, struct loading *ld, struct place at)
{
    for (size_t i = 0; i < f->count; i++) {
        const struct field *field = &f->table[i];
        if (f->settings[i].set || (f->nodes[i] && !is_empty(f->nodes[i])))
            continue; /* done, or a fault that was told */
        if (field->fallback)
            value_parse(field, field->fallback, &f->settings[i]);
        else if (field->required)
            fault_missing(f, ld, i, at);
    }
}
