#include "platform.h"

#include <string.h>

/* clang-format off */
static const struct platform *const platforms[] = {
    &platform_forge,
    &platform_hoody,
    &platform_nodion,
    &platform_fly,
    &platform_scalingo,
};
/* clang-format on */

const struct platform *platform_at(size_t i)
{
    return i < COUNT(platforms) ? platforms[i] : NULL;
}

const struct platform *platform_named(const char *name)
{
    for (size_t i = 0; i < COUNT(platforms); i++) {
        if (strcmp(platforms[i]->name, name) == 0)
            return platforms[i];
    }
    return NULL;
}
