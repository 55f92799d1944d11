/* traffic.h -- what reached the API: how often, when, with what outcome; and the limit "N calls in
 * any rolling period", kept as the platform keeps it, by the times of arrival. Calls that are
 * refused count as calls. */
#ifndef OTLPULL_SIM_TRAFFIC_H
#define OTLPULL_SIM_TRAFFIC_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

struct web_request;
struct web_answer;
struct traffic;

/* Each of `budgets` has its own limit; calls 0: none (the period still counts for the figures). */
struct traffic *traffic_create(size_t budgets, int64_t calls, int64_t period_ns);
void traffic_destroy(struct traffic *traffic);
void traffic_limit(struct traffic *traffic, int64_t calls, int64_t period_ns);

/* Note a call; returns its number from 0. `wait_ns` becomes how long to wait before the next, 0: it
 * is within the limit. A budget of SIZE_MAX is nobody's: noted only. */
uint64_t traffic_arrived(struct traffic *traffic, const struct web_request *rq, size_t budget,
                         int64_t *wait_ns);

/* Note how it ended: with a page of records, or without. */
void traffic_answered(struct traffic *traffic, uint64_t call, const struct web_answer *answer,
                      int64_t page_records);

void traffic_stats(struct traffic *traffic, struct buf *out); /* one JSON object */
void traffic_calls(struct traffic *traffic, struct buf *out); /* a line of JSON per call */

#endif
