/* store.h -- where whole small documents are kept, atomically: a directory, or a prefix in an S3
 * bucket, whose conditional PUT is the put-if-unchanged below.
 *
 * Names are of [A-Za-z0-9._-]. A document is replaced as a whole: after a power loss at any moment
 * the old or the new one is there. A journal may be too large to be held at once: it is appended to
 * and read in pieces. */
#ifndef OTLPULL_STATE_STORE_H
#define OTLPULL_STATE_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/error.h"

#define STORE_DOCUMENT_MAX ((size_t)64 << 20)

/* Which writing of a document one has seen; zero: that there was none. */
struct store_version {
    uint64_t parts[3];
};

struct store_lock;
struct store_reader;

struct store {
    const char *where; /* the path, for messages */
    /* put() alone keeps others from writing in between, and nobody need hold a lock for it: of a
     * document that is not held, it fails with ERR_LOCKED where another was faster. */
    bool optimistic;
    /* When the run's last notes must be made, some time past its own deadline; 0 or TIME_FOREVER:
     * whenever; set by who opened it, before it is used. What takes longer fails with ERR_STATE;
     * what is begun later is still tried, but not for long. */
    int64_t deadline_mono_ns;
    /* Append the document to `out`, and tell its version. No such document: 0, nothing appended and
     * a zero version. ERR_STATE. */
    int (*get)(struct store *s, const char *name, struct buf *out, struct store_version *version,
               struct error *err);
    /* Replace the document if it is still at `version`, which then becomes the new one. ERR_STATE:
     * it could not be written, or was changed by another, and the old one is in place; or, with
     * `version` moved on, the new one, which may not outlive a power loss. */
    int (*put)(struct store *s, const char *name, struct bytes content,
               struct store_version *version, struct error *err);
    /* Hold `name`, "NAME.lock", alone among all runs until unlocked or the process dies, and with
     * it the document "NAME.json". Waits until `give_up_mono_ns` for another holder, then
     * ERR_LOCKED. ERR_STATE_CREATE, ERR_STATE, ERR_STOPPED. */
    int (*lock)(struct store *s, const char *name, int64_t give_up_mono_ns, struct store_lock **out,
                struct error *err);
    void (*unlock)(struct store *s, struct store_lock *lock); /* NULL is fine */
    /* Append to a journal, durably; refuses, with ERR_STATE, to let it grow past `max_bytes`. */
    int (*append)(struct store *s, const char *name, struct bytes content, size_t max_bytes,
                  struct error *err);
    /* Begin to read a journal as it is now, whatever becomes of it meanwhile: `out`, and how long
     * it is. There is none: 0, `out` NULL, no bytes. ERR_STATE. */
    int (*open)(struct store *s, const char *name, struct store_reader **out, uint64_t *bytes,
                struct error *err);
    /* Append to `out` the next piece of it; nothing: that was the end. ERR_STATE. */
    int (*read)(struct store *s, struct store_reader *reader, struct buf *out, struct error *err);
    void (*end)(struct store *s, struct store_reader *reader); /* NULL is fine */
    /* Put `with` in the place of a journal's bytes [from, to); one that becomes empty is removed.
     * After a power loss at any moment it is the old or the new one. Nobody may append meanwhile:
     * the caller holds the lock that those who append hold. ERR_STATE, with the old one in place.
     */
    int (*splice)(struct store *s, const char *name, uint64_t from, uint64_t to, struct bytes with,
                  struct error *err);
    /* Append to `out` each name that ends in `suffix`, a line each, sorted. ERR_STATE. */
    int (*names)(struct store *s, const char *suffix, struct buf *out, struct error *err);
    void (*close)(struct store *s);
};

/* Open the store that `path` names, a directory or s3://bucket/prefix; the former is made (0700)
 * where it is missing, the latter is not asked for yet, and any of its functions may end with
 * ERR_AUTH or ERR_CONFIG too. `clk` is borrowed. ERR_STATE_CREATE, ERR_STATE, ERR_CONFIG. */
struct store *store_open(const char *path, struct clock *clk, struct error *err);

/* The same without making anything: a store that is not there yet reads as empty. Never NULL. */
struct store *store_open_for_reading(const char *path, struct clock *clk);

#endif
