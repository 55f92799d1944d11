/* diag.h -- our own messages: one event a line, to stderr. "log" is always a customer's record;
 * what we have to say about ourselves is diag. Only pull.c and cmd/ call it. No credential and no
 * record text may be handed in.
 *
 * To systemd's journal a line begins with its priority, "<3>" for an error as syslog(3) numbers
 * them. The journal knows time and program itself, so that text goes without them. */
#ifndef OTLPULL_BASE_DIAG_H
#define OTLPULL_BASE_DIAG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"

enum diag_level { DIAG_DEBUG, DIAG_INFO, DIAG_WARN, DIAG_ERROR };

struct diag {
    enum diag_level level; /* what lies below is not written */
    bool json;             /* one JSON object a line instead of text */
    bool journal;          /* `fd` is the journal: diag_is_journal() */
    int fd;
    struct clock *clk;
};

/* A named figure or text that goes with an event. */
struct diag_field {
    const char *name;
    const char *text; /* NULL: the number counts */
    int64_t number;
};

/* Whether `fd` is the very stream to the journal that systemd names in JOURNAL_STREAM, here
 * `stream` (NULL: not set). It inherits to programs whose stderr is something else by then. */
bool diag_is_journal(int fd, const char *stream);

/* Write one event, in one write(2): lines of several threads never mix. */
void diag_event(const struct diag *d, enum diag_level level, const char *message,
                const struct diag_field *fields, size_t count);

/* The same without fields. */
void diag_say(const struct diag *d, enum diag_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
