#include "config.h"

#include <string.h>

#include "config_parts.h"
#include "config_value.h"

#define HIDDEN    "\"***\""
#define STEP      2 /* blanks per level */
#define DEPTH_MAX 4 /* of names like a.b.c */

static void indent(struct buf *out, size_t level)
{
    buf_printf(out, "%*s", (int)(level * STEP), "");
}

/* Whether YAML reads it as the text that it is, without quotes. A colon is safe with no blank
 * behind it, and blanks are not among these. */
static bool is_plain(const char *text)
{
    static const char *const words[] = { "null", "Null", "NULL" };
    static const char safe[] =
        "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_./:+@-";
    for (size_t i = 0; i < COUNT(words); i++) {
        if (strcmp(text, words[i]) == 0)
            return false;
    }
    size_t len = strlen(text);
    return len > 0 && strspn(text, safe) == len && text[len - 1] != ':' && !strchr(":-@", text[0]);
}

/* In keys nothing is substituted, so a dollar stays one. */
static void put_text(struct buf *out, const char *text, bool key)
{
    if (is_plain(text)) {
        buf_append_text(out, text);
        return;
    }
    buf_append_char(out, '"');
    for (const char *c = text; *c; c++) {
        if (*c == '"' || *c == '\\')
            buf_append_char(out, '\\');
        if (*c == '$' && !key)
            buf_append_char(out, '$');
        if (*c == '\t')
            buf_append_text(out, "\\t");
        else
            buf_append_char(out, *c);
    }
    buf_append_char(out, '"');
}

static void put_map(struct buf *out, const struct pairs *map, bool secret, size_t level)
{
    if (!map || map->count == 0) {
        buf_append_text(out, " {}\n");
        return;
    }
    buf_append_char(out, '\n');
    for (size_t i = 0; i < map->count; i++) {
        indent(out, level + 1);
        put_text(out, map->items[i].key, true);
        buf_append_text(out, ": ");
        if (secret)
            buf_append_text(out, HIDDEN);
        else
            put_text(out, map->items[i].value, false);
        buf_append_char(out, '\n');
    }
}

static void put_list(struct buf *out, const struct setting *s, bool secret, size_t level)
{
    if (s->list_count == 0) {
        buf_append_text(out, " []\n");
        return;
    }
    buf_append_char(out, '\n');
    for (size_t i = 0; i < s->list_count; i++) {
        indent(out, level + 1);
        buf_append_text(out, "- ");
        if (secret)
            buf_append_text(out, HIDDEN);
        else
            put_text(out, s->list[i], false);
        buf_append_char(out, '\n');
    }
}

/* A query may hold credentials. */
static void put_url(struct buf *out, const char *url)
{
    size_t len = strcspn(url, "?");
    buf_append_char(out, '"');
    for (size_t i = 0; i < len; i++) {
        if (url[i] == '$')
            buf_append_char(out, '$');
        buf_append_char(out, url[i]);
    }
    buf_append_text(out, url[len] ? "?***\"" : "\"");
}

static void put_single(struct buf *out, const struct field *field, const struct setting *s)
{
    struct buf text = BUF_INIT(TEXT_BYTES_MAX);
    buf_append_char(out, ' ');
    value_format(field, s, &text);
    if (field->secret)
        buf_append_text(out, HIDDEN);
    else if (strchr(buf_text(&text), '?') && strstr(buf_text(&text), "://"))
        put_url(out, buf_text(&text));
    else
        put_text(out, buf_text(&text), false);
    buf_append_char(out, '\n');
    buf_release(&text);
}

/* Print what stands in front of the last part of a name, where the name before it did not. */
static size_t put_parents(struct buf *out, const char *name, const char *before, size_t level)
{
    const char *part = name;
    for (const char *dot; (dot = strchr(part, '.')); part = dot + 1, level++) {
        if (strncmp(name, before, (size_t)(dot - name) + 1) == 0)
            continue;
        indent(out, level);
        buf_printf(out, "%.*s:\n", (int)(dot - part), part);
    }
    indent(out, level);
    buf_printf(out, "%s:", part);
    return level;
}

static void put_field(struct buf *out, const struct field *field, const struct setting *s,
                      const char *before, size_t level)
{
    if (!*field->name)
        return;
    level = put_parents(out, field->name, before, level);
    if (field->kind == FIELD_MAP)
        put_map(out, s->map, field->secret, level);
    else if (field->kind == FIELD_STRINGS || field->kind == FIELD_ENUMS)
        put_list(out, s, field->secret, level);
    else if (s->set)
        put_single(out, field, s);
    else
        buf_append_char(out, '\n');
}

static void put_fields(struct buf *out, const struct source_memory *m, size_t from, size_t to,
                       const struct setting *resource)
{
    for (size_t i = from; i < to; i++)
        put_field(out, &m->table[i], i == SOURCE_RESOURCE ? resource : &m->settings[i],
                  i > from ? m->table[i - 1].name : "", 2);
}

static void put_source(struct buf *out, const struct source_memory *m,
                       const struct source_config *cfg)
{
    const struct setting resource = { .set = true, .map = &cfg->resource };
    buf_append_text(out, "  - name: ");
    put_text(out, m->settings[SOURCE_NAME].text, false);
    buf_append_char(out, '\n');
    put_fields(out, m, SOURCE_TYPE, SOURCE_WINDOW, &resource);
    put_fields(out, m, SOURCE_COUNT, m->count, &resource);
    put_fields(out, m, SOURCE_WINDOW, SOURCE_COUNT, &resource);
}

void config_print(const struct config *cfg, struct buf *out)
{
    const struct config_memory *m = cfg->memory;
    buf_append_text(out, "sources:\n");
    for (size_t i = 0; i < cfg->source_count; i++)
        put_source(out, &m->sources[i], &cfg->sources[i]);
    for (size_t i = 0; i < ROOT_COUNT; i++)
        put_field(out, &config_root_fields[i], &m->root[i], i ? config_root_fields[i - 1].name : "",
                  0);
}
