#include "source.h"

#include <string.h>

static const struct source *const sources[] = {
    &source_forge,
};

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

void stream_identity(const struct stream *st, char out[STREAM_IDENTITY_BYTES])
{
    const struct source *type = st->type;
    struct buf text = BUF_INIT(STREAM_IDENTITY_BYTES - 1);
    buf_append_text(&text, type->name);
    for (size_t i = 0; type->fields[i].name; i++) {
        if (type->fields[i].resource && st->settings[i].text)
            buf_printf(&text, " %s", st->settings[i].text);
    }
    memcpy(out, buf_text(&text), text.len + 1);
    buf_release(&text);
}
