/* stores.h -- the kinds of store that store_open() picks from, and what they have in common. */
#ifndef OTLPULL_STATE_STORES_H
#define OTLPULL_STATE_STORES_H

#include "state/store.h"

struct store *file_store_open(const char *path, struct clock *clk, struct error *err);
struct store *file_store_open_for_reading(const char *path, struct clock *clk);

/* "s3://bucket/prefix"; makes no call yet. ERR_CONFIG: no region, a path that is none. */
struct store *s3_store_open(const char *path, struct clock *clk, struct error *err);
struct store *s3_store_open_for_reading(const char *path, struct clock *clk);

/* Whether it is a name such as a store's, and ends so. */
bool store_is_name(struct bytes text, const char *suffix);

/* Words for a journal that may not grow, with what to do. */
int store_journal_full(const struct store *s, const char *name, size_t max_bytes,
                       struct error *err);

#endif
