/* dead_letter.h -- a record that the collector refused even alone, as it is kept: a JSON object a
 * line, in the source's journal in the state,
 *   {"source":NAME,"time":RFC 3339,"status":HTTP's,"answer":the collector's words,"record":{...}}
 * and "resource":[...] before the record, where that has attributes of its own.
 * The one place that knows this format. */
#ifndef OTLPULL_DEAD_LETTER_H
#define OTLPULL_DEAD_LETTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "otlp/otlp.h"
#include "state/store.h"

/* A source's dead letters; past it nothing more is kept, and so nothing more is passed over. */
#define DEAD_LETTERS_MAX ((size_t)256 << 20)

struct letter {
    struct bytes source;     /* NAME */
    int64_t unix_ns;         /* when it was refused */
    int status;              /* of the answer */
    struct otlp_text answer; /* as it stands, a JSON string: otlp_unescape() */
    struct bytes resource;   /* as batch_add() takes it */
    struct otlp_record record;
};

/* Append a line, from the collector's words as they came. */
void dead_letter_write(struct buf *out, const char *source, int64_t unix_ns, int status,
                       const char *words, struct bytes resource, struct bytes record);

/* Read a line, which the letter then borrows from. False, with static words in `why`: it is none.
 */
bool dead_letter_read(struct bytes line, struct letter *out, const char **why);

/* The journal's name in the store. */
void dead_letter_file_name(const char *source, char out[128]);

/* Append the name of each source that has a journal, a line each. ERR_STATE. */
int dead_letter_sources(struct store *store, struct buf *out, struct error *err);

/* How long a source's journal is; 0: there is none. ERR_STATE. */
int dead_letters_size(struct store *store, const char *source, uint64_t *bytes, struct error *err);

/* A journal that is being read, line by line: no more of it is held than its longest line. */
struct dead_letters {
    struct store *store;
    const char *source;
    struct store_reader *reader; /* NULL: there is none */
    struct buf text;             /* what was read and not yet handed out, and the line before it */
    size_t at;
    size_t line;         /* number of the line that was read last */
    size_t damaged;      /* lines that are no letters, ... */
    size_t damaged_line; /* ... the first of them, ... */
    const char *damage;  /* ... and what is wrong with it */
};

/* `store` and `source` are borrowed. ERR_STATE. */
int dead_letters_open(struct dead_letters *d, struct store *store, const char *source,
                      struct error *err);

/* The next line, with its end, until the call after; empty: that was the last. ERR_STATE. */
int dead_letters_next(struct dead_letters *d, struct bytes *line, struct error *err);

/* Read the line as a letter of this source, as dead_letter_read() does. */
bool dead_letters_read(const struct dead_letters *d, struct bytes line, struct letter *out,
                       const char **why);

/* Note that the line that was read last is no letter. */
void dead_letters_note(struct dead_letters *d, const char *why);

/* 0; or ERR_STATE where one was noted, with words on which. */
int dead_letters_damage(const struct dead_letters *d, struct error *err);

void dead_letters_close(struct dead_letters *d);

#endif
