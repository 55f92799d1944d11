/* hoody_record.h -- an entry of the proxy logs, as the vendor sends it and as a collector gets it.
 */
#ifndef OTLPULL_SIM_HOODY_RECORD_H
#define OTLPULL_SIM_HOODY_RECORD_H

#include <stdbool.h>
#include <stdint.h>

#include "history.h"
#include "print.h"

/* What queries go by; NULL: it has none. */
struct hoody_traits {
    const char *level, *kind, *origin, *method;
    char service[32]; /* "": none */
};

void hoody_traits_of(const struct history *h, const struct entry *e, struct hoody_traits *out);

/* The row's number, from 1: entries are numbered as they arrive. */
uint64_t hoody_row_id(const struct history *h, const struct entry *e);

/* Append it with this number. */
void hoody_record_write(const struct history *h, const struct entry *e, uint64_t id, bool bodies,
                        struct buf *out);

/* As struct platform has them. */
void hoody_record_render(const struct history *h, const struct entry *e, struct buf *out);
void hoody_record_print(const struct history *h, const struct entry *e, struct print *p);

#endif
