/* s3_journal.h -- a journal in S3: one object, of a bounded size, that is replaced as a whole. */
#ifndef OTLPULL_STATE_S3_JOURNAL_H
#define OTLPULL_STATE_S3_JOURNAL_H

#include "state/store.h"

/* S3 cannot append: what a directory keeps 256 MiB of must here go over the wire each time. */
#define S3_JOURNAL_MAX ((size_t)32 << 20)

/* As struct store has them. */
int s3_append(struct store *store, const char *name, struct bytes content, size_t max_bytes,
              struct error *err);
int s3_open(struct store *store, const char *name, struct store_reader **out, uint64_t *bytes,
            struct error *err);
int s3_read(struct store *store, struct store_reader *reader, struct buf *out, struct error *err);
void s3_end(struct store *store, struct store_reader *reader);
int s3_splice(struct store *store, const char *name, uint64_t from, uint64_t to, struct bytes with,
              struct error *err);

#endif
