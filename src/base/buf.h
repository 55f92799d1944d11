/* buf.h -- the one growable piece of memory (struct buf, owns) and the one view (struct bytes,
 * borrows). Appending cannot fail midway: past its maximum a buffer turns `full`, keeps what it
 * had, takes no more, and whoever uses the text asks once. Untrusted sizes thus end as one
 * ERR_INPUT.
 *
 * xmalloc and its kin end the process when memory is out: sane only because every size is bounded
 * and the checkpoint trails the collector's acceptance. */
#ifndef OTLPULL_BASE_BUF_H
#define OTLPULL_BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

struct bytes {
    const char *data;
    size_t len;
};

struct buf {
    char *data; /* NUL-terminated once anything was appended, else NULL */
    size_t len; /* without the NUL */
    size_t capacity;
    size_t max; /* bytes it may ever hold */
    bool full;  /* something did not fit */
};

#define BUF_INIT(max_bytes)                                                                        \
    {                                                                                              \
        .max = (max_bytes)                                                                         \
    }
#define BYTES(literal) ((struct bytes){ (literal), sizeof(literal) - 1 })

void buf_append(struct buf *b, const void *data, size_t len);
void buf_append_bytes(struct buf *b, struct bytes bytes);
void buf_append_text(struct buf *b, const char *text);
void buf_append_char(struct buf *b, char c);
void buf_printf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Make room for `len` more bytes; false (and full) where that is past the maximum. */
bool buf_reserve(struct buf *b, size_t len);

/* Forget the content, keep the memory. */
void buf_reset(struct buf *b);

/* Free the memory; the buffer is empty and usable again, its maximum kept. */
void buf_release(struct buf *b);

/* The content; data is never NULL. */
struct bytes buf_bytes(const struct buf *b);

/* Its text, never NULL; owned by the buffer. */
const char *buf_text(const struct buf *b);

struct bytes bytes_of(const char *text); /* NULL gives an empty one */
bool bytes_equal(struct bytes a, struct bytes b);
bool bytes_is(struct bytes a, const char *text);

/* Memory that is never NULL: a process that has none left says so and ends with 70. */
_Noreturn void out_of_memory(void);
void *xmalloc(size_t size);
void *xcalloc(size_t count, size_t size);
void *xreallocarray(void *old, size_t count, size_t size);
char *xstrdup(const char *text); /* NULL gives NULL */
char *xstrndup(const char *text, size_t len);

#endif
