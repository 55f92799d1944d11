/* config_subst.h -- ${env:NAME}, ${file:PATH}, ${credential:NAME} and AWS's secrets in the text of
 * one value. It happens once, after the YAML was read: what comes out never makes structure and is
 * not looked at again, so a secret may hold any character. */
#ifndef OTLPULL_CONFIG_SUBST_H
#define OTLPULL_CONFIG_SUBST_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "config.h"

#define TEXT_BYTES_MAX ((size_t)1024 * 1024) /* of one value or file */
#define SUBST_BYTES_MAX                                                                            \
    ((size_t)16 * 1024 * 1024) /* of all values: a file of 1MiB may name many others               \
                                */

struct subst {
    const struct config_input *in;
    size_t bytes;        /* made so far */
    bool stands_in;      /* set where a secret was not fetched; the caller resets it */
    struct arena *arena; /* of the secrets that were */
    struct secret_fetched *fetched;
    size_t fetched_count;
};

/* Append `written` to `out` with every ${...} replaced and $$ as $. ERR_CONFIG: words that name the
 * variable or file, never what is in it; for secrets also what fetch_secret has. */
int subst_expand(struct subst *s, const char *written, struct buf *out, struct error *err);

/* Append a whole file to `out`, up to out's maximum. */
int subst_read_file(const char *path, struct buf *out, struct error *err);

/* Why `text` is not one that we take: NULL where it is UTF-8 without control characters but tab. */
const char *subst_text_problem(const char *text, size_t len);

#endif
