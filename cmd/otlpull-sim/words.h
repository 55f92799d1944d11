/* words.h -- running text that messages are cut from, held twice: as text and as it stands inside a
 * JSON string, so that a message is two copies of memory and no escaping. */
#ifndef OTLPULL_SIM_WORDS_H
#define OTLPULL_SIM_WORDS_H

#include "base/buf.h"

struct words;

/* Enough text for messages of `mean_bytes` on average. */
struct words *words_create(uint64_t seed, size_t mean_bytes);
void words_destroy(struct words *words);

/* Choose a stretch of words, half to one and a half times `mean_bytes` long. */
void words_choose(const struct words *words, uint64_t random, size_t mean_bytes, size_t *first,
                  size_t *end);

struct bytes words_plain(const struct words *words, size_t first, size_t end);
struct bytes words_json(const struct words *words, size_t first, size_t end);

#endif
