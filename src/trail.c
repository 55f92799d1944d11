#include "trail.h"

#include <stdlib.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

bool trail_add(struct trail *t, struct bytes cursor)
{
    uint64_t print = XXH3_64bits(cursor.data, cursor.len);
    for (size_t i = 0; i < t->count; i++) {
        if (t->prints[i] == print)
            return false;
    }
    if (t->count == t->capacity) {
        t->capacity = t->capacity ? 2 * t->capacity : 64;
        t->prints = xreallocarray(t->prints, t->capacity, sizeof(*t->prints));
    }
    t->prints[t->count++] = print;
    return true;
}

void trail_reset(struct trail *t)
{
    t->count = 0;
}

void trail_release(struct trail *t)
{
    free(t->prints);
    *t = (struct trail){ 0 };
}
