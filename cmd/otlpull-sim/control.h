/* control.h -- the simulator's own end points, /_sim/...: figures, calls, all records, what is
 * missing at the sink, new faults and settings. */
#ifndef OTLPULL_SIM_CONTROL_H
#define OTLPULL_SIM_CONTROL_H

#include "sim.h"
#include "web.h"

void control_answer(struct sim *sim, const struct web_request *rq, struct web_answer *out);

#endif
