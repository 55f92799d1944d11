/* document.h -- a JSON document with a version and a checksum around it, so that a damaged or newer
 * one is an error that says so and what to do, never a silent restart. */
#ifndef OTLPULL_STATE_DOCUMENT_H
#define OTLPULL_STATE_DOCUMENT_H

#include "base/buf.h"
#include "base/error.h"
#include "base/jread.h"
#include "state/store.h"

/* Read `name`. `out` is NULL where there is none; the caller releases it with jread_release().
 * ERR_STATE: unreadable, damaged, or written by a newer otlpull. */
int document_get(struct store *store, const char *name, struct json_object **out,
                 struct store_version *version, struct error *err);

/* Begin a document in an empty buffer; its body, a JSON object's text, is appended to it. */
void document_begin(struct buf *whole);

/* Finish the document that was begun and write it under `name`, where that is still at `version`.
 */
int document_put(struct store *store, const char *name, struct buf *whole,
                 struct store_version *version, struct error *err);

/* The bytes between the two, for tests and fuzzing: document_open() finds the body inside of a
 * whole document; false with words in `why` where it is not one. */
bool document_open(struct bytes whole, struct bytes *body, const char **why);

#endif
