/* retry.h -- attempt and answer → wait this long, or give up. The one place that decides it, for
 * both sides; what it reckons is pure, time and chance are handed in.
 *
 * Exponential backoff with jitter as the OpenTelemetry Collector's retry_on_failure has it; a peer
 * that names a time is waited for that long instead. */
#ifndef OTLPULL_RETRY_H
#define OTLPULL_RETRY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/error.h"
#include "config.h"
#include "net/request.h"

/* A peer's word on when to come back is held between these: 0 would hammer, and no peer's word
 * stops us for longer than one run may take. */
#define RETRY_AFTER_LEAST_NS (1 * NS_PER_S)
#define RETRY_AFTER_MOST_NS  (300 * NS_PER_S)

/* How long to wait before attempt `attempt` + 1 (the first is 1), `elapsed_ns` after the first
 * began. `asked_ns` is what the peer asked for, 0 for nothing; `chance` any 32 random bits. -1:
 * give up, the wait would pass max_elapsed_time. */
int64_t retry_wait_ns(const struct retry_config *config, int attempt, int64_t elapsed_ns,
                      int64_t asked_ns, uint32_t chance);

/* What a reply's headers ask for: Retry-After in seconds or as an HTTP date, else X-RateLimit-Reset
 * as ISO 8601 (with or without seconds) or epoch seconds; held between the two limits above. A
 * moment is reckoned from the peer's own clock where it tells it (Date), else from `now_unix_ns`:
 * ours may be far off. False: they name no time that can be read. */
bool retry_after(const struct reply *reply, int64_t now_unix_ns, int64_t *wait_ns);

/* The attempts at one thing. */
struct retry {
    const struct retry_config *config;
    struct clock *clk;
    int64_t began_mono_ns;
    int count;       /* attempts made: the caller counts */
    uint32_t chance; /* state of the jitter's generator */
};

void retry_begin(struct retry *r, const struct retry_config *config, struct clock *clk);

/* After a failed attempt, with its words in `err`: sleep until the next, or -1 with `err` as the
 * last word, its kind `given_up` or ERR_STOPPED. A wait that would pass the deadline is not begun.
 */
int retry_wait(struct retry *r, int64_t asked_ns, int64_t deadline_mono_ns,
               enum error_kind given_up, struct error *err);

#endif
