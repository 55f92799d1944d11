/* spoil.h -- carries out a fault on an answer: before the work, in place of it, or upon its result.
 */
#ifndef OTLPULL_SIM_SPOIL_H
#define OTLPULL_SIM_SPOIL_H

#include "faults.h"
#include "web.h"

/* Whether the fault replaces the work: the answer is then complete. */
bool spoil_before(const struct fault *fault, struct web_answer *out);

/* Do to a finished answer what the fault says. */
void spoil_after(const struct fault *fault, struct web_answer *out);

#endif
