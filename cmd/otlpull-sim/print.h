/* print.h -- a record's fingerprint: 64 bits over what must arrive unharmed, in a form that is the
 * same before and after the repairs that otlpull may make. So a wrong time or id counts as none,
 * and severityNumber and observedTimeUnixNano do not count at all. */
#ifndef OTLPULL_SIM_PRINT_H
#define OTLPULL_SIM_PRINT_H

#include <stdint.h>

#include "base/buf.h"

struct json_object;

struct print {
    struct buf text;
};

#define PRINT_INIT                                                                                 \
    {                                                                                              \
        .text = BUF_INIT((size_t)1 << 30)                                                          \
    }

/* The pieces, in this order: time (0: none), severityText, body, traceId, spanId, then key and
 * value of each attribute. */
void print_time(struct print *p, uint64_t time_ns);
void print_text(struct print *p, const char *text, size_t len);
/* An id of this many hex digits: in small letters; half of them get zeros in front; what is none,
 * or all zero, counts as absent. */
void print_id(struct print *p, const char *text, size_t digits);

/* The fingerprint; `p` is empty again. */
uint64_t print_end(struct print *p);

/* All pieces of a LogRecord that was received. */
void print_record(struct print *p, struct json_object *record);

void print_release(struct print *p);

#endif
