/* error.h -- what went wrong, in words, and what the caller can do about it.
 *
 * Everything that can fail returns 0 or -1 and takes a `struct error *err` last, which it leaves
 * untouched on success. The one who finds out writes the words with error_set(); callers put what
 * they know in front with error_within(); cmd/ prints the line once. No credential, query string or
 * record text goes in. */
#ifndef OTLPULL_BASE_ERROR_H
#define OTLPULL_BASE_ERROR_H

#include <stdbool.h>
#include <stdint.h>

/* What to do next, not what broke. Each that can end a run has its place among the exit codes. */
enum error_kind {
    ERR_NONE = 0,
    ERR_USAGE,        /* 64: the command line */
    ERR_CONFIG,       /* 78: the configuration must be mended */
    ERR_AUTH,         /* 77: credentials refused */
    ERR_STATE,        /* 74: the state cannot be read or written */
    ERR_STATE_CREATE, /* 73: the state cannot be created */
    ERR_BUG,          /* 70: a defect of ours */
    ERR_COLLECTOR,    /* 69: the collector cannot be reached, or refused past its retries */
    ERR_PLATFORM,     /* 75: the platform failed past its retries, or answered nonsense */
    ERR_DEADLINE,     /* 0: the deadline comes first; progress is kept */
    ERR_STOPPED,      /* a signal asked us to end */
    ERR_LOCKED,       /* 0: another run holds the lock */
    ERR_RETRY,        /* a peer may do better later; becomes PLATFORM or COLLECTOR */
    ERR_INPUT,        /* a peer's bytes make no sense; becomes PLATFORM or COLLECTOR */
};

#define ERROR_TEXT_BYTES 512

struct error {
    enum error_kind kind;
    char text[ERROR_TEXT_BYTES];
};

/* Write kind and words; returns -1, so that `return error_set(...)` reads well. Control characters
 * are replaced by spaces; text that does not fit ends in "...". */
int error_set(struct error *err, enum error_kind kind, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Put "WORDS: " in front of what err says; the kind stays. Returns -1. */
int error_within(struct error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The process's exit code for this kind (sysexits); 70 for the kinds that never end a run. */
int error_exit_code(enum error_kind kind);

/* The worse of two exit codes, in the order 78 77 74 73 70 69 75 0. */
int error_worse_exit_code(int a, int b);

#endif
