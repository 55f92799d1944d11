/* config_value.h -- the text of one value to what its field wants, and back. Pure. */
#ifndef OTLPULL_CONFIG_VALUE_H
#define OTLPULL_CONFIG_VALUE_H

#include <stdbool.h>

#include "base/buf.h"
#include "source/source.h"

/* Read a single value (no list or map) as `field` has it, its bounds too. `text` is borrowed, and
 * becomes the setting's text where that is one. False: it is not such a value. */
bool value_parse(const struct field *field, const char *text, struct setting *out);

/* "takes" what: append "a duration from 1s to 1h", "one of none, gzip, zstd". */
void value_takes(const struct field *field, struct buf *out);

/* Append the value as value_parse() reads it. */
void value_format(const struct field *field, const struct setting *setting, struct buf *out);

bool value_is_choice(const struct field *field, const char *text, int64_t *index);

#endif
