/* jread.h -- typed reads from small JSON documents (state, answers), and the one piece of writing
 * they need. json-c stays behind this file. */
#ifndef OTLPULL_BASE_JREAD_H
#define OTLPULL_BASE_JREAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"

struct json_object;

#define JREAD_MAX_DEPTH 32

/* One JSON object, as strict as json-c is, at most JREAD_MAX_DEPTH deep; NULL with ERR_INPUT for
 * anything else. The caller releases it; what the readers below return lives as long. */
struct json_object *jread_parse(struct bytes text, struct error *err);
void jread_release(struct json_object *document);

/* A member, or NULL where `object` is none (NULL too) or has no such member, or it is null. */
struct json_object *jread_member(struct json_object *object, const char *key);

/* Whether there is such a member, null or not. */
bool jread_has(struct json_object *object, const char *key);

/* Whether a value is an array; and a text, which lives as long as the value. */
bool jread_is_array(struct json_object *value);
bool jread_is_text(struct json_object *value, struct bytes *out);

/* Elements of an array; 0 and NULL for anything else. */
size_t jread_count(struct json_object *array);
struct json_object *jread_at(struct json_object *array, size_t i);

/* Typed members; false, with `out` untouched, where it is absent or of another type. An integer may
 * also be written as a decimal string, as protobuf's JSON mapping has 64-bit ones. */
bool jread_text(struct json_object *object, const char *key, const char **out);
bool jread_int(struct json_object *object, const char *key, int64_t *out);
bool jread_bool(struct json_object *object, const char *key, bool *out);
bool jread_time(struct json_object *object, const char *key, int64_t *unix_ns); /* RFC 3339 */

/* Append text as a JSON string with its quotes. */
void jread_quote(struct buf *out, const char *text);

#endif
