/* timefmt.h -- text to nanoseconds and back, in integers only: a Unix time in nanoseconds exceeds
 * 2^53, where a double begins to lose them. */
#ifndef OTLPULL_BASE_TIMEFMT_H
#define OTLPULL_BASE_TIMEFMT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"

#define NS_PER_US INT64_C(1000)
#define NS_PER_MS INT64_C(1000000)
#define NS_PER_S  INT64_C(1000000000)

#define TIMEFMT_MAX 40 /* bytes that any of the writers below needs, with the NUL */

/* Unix nanoseconds as RFC 3339 in UTC with exactly `digits` (0..9) of a fraction, cut, not rounded:
 * "2026-11-12T07:00:01.250Z". Years 0000 to 9999; times outside are held at the ends. */
void timefmt_rfc3339(int64_t unix_ns, int digits, char out[TIMEFMT_MAX]);

/* RFC 3339 with any number of fraction digits (those past nine are cut), `Z` or an offset, `T` or a
 * space between, seconds optional (Atlassian's X-RateLimit-Reset leaves them out). The whole text
 * must be one; a leap second reads as the next one. False when it is not one or lies outside of
 * what int64_t nanoseconds can say (1678 to 2261). */
bool timefmt_parse_rfc3339(struct bytes text, int64_t *unix_ns);

/* HTTP-date (RFC 9110, 5.6.7), IMF-fixdate and the two obsolete forms. */
bool timefmt_parse_http_date(struct bytes text, int64_t *unix_ns);

/* "1h30m", "250ms", "14d", "0": units ms s m h d, each at most once, largest first; never negative;
 * at most 36500d. A bare number other than 0 is refused. */
bool timefmt_parse_duration(struct bytes text, int64_t *ns);

/* The shortest text that timefmt_parse_duration reads back, cut to milliseconds: "1h30m", "0s". */
void timefmt_duration(int64_t ns, char out[TIMEFMT_MAX]);

#endif
