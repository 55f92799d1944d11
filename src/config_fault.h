/* config_fault.h -- the faults of one configuration, gathered so that a user mends them in one go:
 * each with its place, listed in the order of the file. */
#ifndef OTLPULL_CONFIG_FAULT_H
#define OTLPULL_CONFIG_FAULT_H

#include <stddef.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"

#define FAULTS_LISTED   50  /* more are counted only */
#define FAULT_PATH_MAX  160 /* bytes of "sources[3].headers.X-Name" */
#define FAULT_SHOWN_MAX 60  /* bytes of what was written that a fault repeats */

/* Where something was written: a line of the file (from 1), or a variable. */
struct place {
    const char *variable; /* NULL: in the file */
    int line, column;
};

struct fault {
    struct place at;
    const char *text;
};

struct faults {
    const char *file; /* its name as the user gave it; NULL: there is none */
    struct arena *arena;
    size_t count;         /* found; at most FAULTS_LISTED of them are kept */
    enum error_kind kind; /* of the worst */
    struct fault listed[FAULTS_LISTED];
};

/* `path` is the key, "sources[0].name"; "" where there is none to name. */
void fault_add(struct faults *f, struct place at, const char *path, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* The same of an error, whose kind counts. */
void fault_add_error(struct faults *f, struct place at, const char *path, const struct error *err);

/* A line each: "FILE:LINE:COLUMN: PATH: words", or "VARIABLE: words". */
void faults_write(const struct faults *f, struct buf *out);

/* Write a path for fault_add(); one that is too long is cut. */
void fault_path(char out[FAULT_PATH_MAX], const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Append `text` as a fault may repeat it: in quotes, cut, without control characters. */
void fault_quote(struct buf *out, const char *text);

#endif
