#include "source.h"

#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

/* clang-format off */
static const struct source *const sources[] = {
    &source_forge,
    &source_nodion,
    &source_fly,
    &source_scalingo,
    &source_hoody,
};
/* clang-format on */

const struct source *source_at(size_t i)
{
    return i < COUNT(sources) ? sources[i] : NULL;
}

const struct source *source_named(const char *name)
{
    for (size_t i = 0; i < COUNT(sources); i++) {
        if (strcmp(sources[i]->name, name) == 0)
            return sources[i];
    }
    return NULL;
}

/* A secret is not told; its fingerprint tells it from another as well. */
static void append_value(const struct field *field, const char *value, struct buf *out)
{
    if (field->secret)
        buf_printf(out, "%016llx", (unsigned long long)XXH3_64bits(value, strlen(value)));
    else
        buf_append_text(out, value);
}

void stream_budget_key(const struct stream *st, struct buf *out)
{
    const char *app = st->settings[st->type->budget].text;
    buf_printf(out, "%s ", st->type->name);
    append_value(&st->type->fields[st->type->budget], app ? app : "", out);
}

void stream_identity(const struct stream *st, char out[STREAM_IDENTITY_BYTES])
{
    const struct source *type = st->type;
    struct buf text = BUF_INIT(STREAM_IDENTITY_BYTES - 1);
    buf_append_text(&text, type->name);
    for (size_t i = 0; type->fields[i].name; i++) {
        const struct field *f = &type->fields[i];
        const char *value = st->settings[i].text;
        if ((!f->resource && !f->identity) || !value)
            continue;
        buf_append_char(&text, ' ');
        append_value(f, value, &text);
    }
    memcpy(out, buf_text(&text), text.len + 1);
    buf_release(&text);
}
