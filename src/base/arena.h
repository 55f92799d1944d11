/* arena.h -- memory that is let go all at once: for texts and tables that live as long as the thing
 * they describe. Each piece is an allocation of its own, so that a sanitizer sees a step over its
 * end; what is kept here is small and made once, so the few bytes this costs do not matter. */
#ifndef OTLPULL_BASE_ARENA_H
#define OTLPULL_BASE_ARENA_H

#include <stddef.h>

struct arena {
    struct arena_piece *pieces;
};

/* Zeroed memory, aligned for anything; freed by arena_release() alone. */
void *arena_alloc(struct arena *a, size_t count, size_t size);

char *arena_strdup(struct arena *a, const char *text); /* NULL gives NULL */
char *arena_strndup(struct arena *a, const char *text, size_t len);

/* Free everything; the arena is empty and usable again. */
void arena_release(struct arena *a);

#endif
