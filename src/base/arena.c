#include "arena.h"

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"

struct arena_piece {
    struct arena_piece *next;
    max_align_t memory[];
};

void *arena_alloc(struct arena *a, size_t count, size_t size)
{
    /* a product that does not fit fails in xcalloc as memory that is not to be had */
    size_t bytes = size && count > SIZE_MAX / 2 / size ? SIZE_MAX / 2 : count * size;
    struct arena_piece *piece = xcalloc(1, sizeof(*piece) + bytes);
    piece->next = a->pieces;
    a->pieces = piece;
    return piece->memory;
}

char *arena_strndup(struct arena *a, const char *text, size_t len)
{
    char *copy = arena_alloc(a, len + 1, 1);
    memcpy(copy, text, len);
    return copy;
}

char *arena_strdup(struct arena *a, const char *text)
{
    return text ? arena_strndup(a, text, strlen(text)) : NULL;
}

void arena_release(struct arena *a)
{
    while (a->pieces) {
        struct arena_piece *next = a->pieces->next;
        free(a->pieces);
        a->pieces = next;
    }
}
