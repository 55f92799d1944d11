/* scalingo_place.h -- where the reading of an app's log stands: the text of its cursor.
 *
 * A poll asks for the last so many lines, and for more of them until they reach back to where they
 * must. Where the log host has no more, the archives that it has rolled over to come next, the
 * newest first. Lines only ever go from the log host to an archive, all of them together and in
 * their order; so the dump is read first, and what an archive has of it as well is told by the
 * dump's oldest lines, whose hashes are in the cursor. */
#ifndef OTLPULL_SOURCE_SCALINGO_PLACE_H
#define OTLPULL_SOURCE_SCALINGO_PLACE_H

#include "source.h"

#define SCALINGO_LINES_MAX 150000
/* Some of the dump's oldest lines, as the clocks of containers are not quite one: what has come a
 * little early or late is still told apart. */
#define SCALINGO_EDGE_MAX 600

enum scalingo_step {
    SCALINGO_DUMP,    /* the log host's last lines */
    SCALINGO_LIST,    /* which archives there are */
    SCALINGO_ARCHIVE, /* the next older one of them */
};

/* A line; unix_ns 0: none. */
struct scalingo_mark {
    int64_t unix_ns;
    uint64_t hash;
};

/* An archive: its URL is a credential and differs each time. */
struct scalingo_name {
    bool set;
    int64_t from_unix_ns, to_unix_ns, size;
    int64_t nth; /* of those that are alike in all this, the oldest first */
};

struct scalingo_place {
    enum scalingo_step step;
    int64_t lines;             /* to ask the log host for */
    uint64_t filter;           /* hash of the filter that all this was seen with */
    struct scalingo_mark last; /* the newest line of the poll before */
    bool last_archived;        /* ... was in `done` */
    struct scalingo_name done; /* no later poll needs this archive or one before it */
    /* of the poll under way, once its dump was read */
    struct scalingo_mark newest;  /* the newest line */
    struct scalingo_name head;    /* the list's first when they were listed first */
    struct scalingo_name current; /* the archive that was read last, or a part of it */
    struct scalingo_name first;   /* the newest one that was read */
    int64_t passed;               /* lines of `current` that were read; 0: all of it was */
    int64_t archives;             /* that were read to their end */
    int64_t oldest_unix_ns;       /* of all lines so far; INT64_MAX: there was none */
    int64_t dump_unix_ns;         /* the dump's oldest line; INT64_MAX: it had none */
    int64_t edge_unix_ns;         /* its lines up to then are in `edge`; INT64_MAX: all */
    int64_t archived_unix_ns;     /* the newest line of the archives so far; 0: there was none */
    bool full;                    /* the dump had as many lines as may be asked for */
    bool dumped;                  /* the archive that is being read has lines of the dump */
    bool found;                   /* `last` was among the archives' lines */
    size_t edge_count;
    uint64_t edge[SCALINGO_EDGE_MAX];
};

/* How far back the lines of a poll whose window begins at `start` must reach, to meet the poll
 * before. */
int64_t scalingo_place_need(const struct scalingo_place *place, int64_t start_unix_ns);

/* An empty text is the beginning of a poll that knows of none before it. ERR_INPUT: the text is not
 * one of ours. */
int scalingo_place_read(struct bytes text, struct scalingo_place *out, struct error *err);
void scalingo_place_write(const struct scalingo_place *place, struct buf *out);

#endif
