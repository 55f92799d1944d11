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
