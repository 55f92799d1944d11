/* stop.h -- what wakes every thread that waits, once, at the program's end. */
#ifndef OTLPULL_SIM_STOP_H
#define OTLPULL_SIM_STOP_H

#include <stdbool.h>
#include <stdint.h>

struct stop;

struct stop *stop_create(void);
void stop_destroy(struct stop *stop);
void stop_all(struct stop *stop);

/* Wait; false when asked to stop first. */
bool stop_wait(struct stop *stop, int64_t ns);

#endif
