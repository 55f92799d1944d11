/* api.h -- the port that a platform's clients call, and beside it /_sim/..., which steers and asks
 * the simulator itself and counts for nothing. */
#ifndef OTLPULL_SIM_API_H
#define OTLPULL_SIM_API_H

#include "web.h"

/* A web_handler; `self` is a struct sim. */
void api_answer(void *self, const struct web_request *rq, struct web_answer *out);

#endif
