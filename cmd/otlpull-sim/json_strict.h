/* json_strict.h -- whether a text is JSON to the letter (RFC 8259, UTF-8 checked). json-c, which
 * reads it then, lets NaN and raw control characters pass and does not tell of repeated keys. */
#ifndef OTLPULL_SIM_JSON_STRICT_H
#define OTLPULL_SIM_JSON_STRICT_H

#include <stddef.h>

#include "base/buf.h"
#include "base/error.h"

struct json_object;

#define JSON_STRICT_DEPTH 1000

/* Read a whole text; NULL with ERR_INPUT. `unique`: a key that stands twice in an object is an
 * error as well. The caller puts the object. */
struct json_object *json_strict_parse(struct bytes text, bool unique, struct error *err);

#endif
