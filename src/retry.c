#include "retry.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/timefmt.h"

int64_t retry_wait_ns(const struct retry_config *config, int attempt, int64_t elapsed_ns,
                      int64_t asked_ns, uint32_t chance)
{
    double interval = (double)config->initial_interval_ns;
    double most = (double)config->max_interval_ns;
    for (int i = 1; i < attempt && interval < most; i++)
        interval *= config->multiplier;
    if (interval > most)
        interval = most;
    double swing = config->randomization_factor * (2.0 * chance / UINT32_MAX - 1.0);
    int64_t wait_ns = (int64_t)(interval * (1.0 + swing));
    if (asked_ns > 0)
        wait_ns = asked_ns;
    if (config->max_elapsed_ns > 0 && time_add(elapsed_ns, wait_ns) > config->max_elapsed_ns)
        return -1;
    return wait_ns;
}

/* Digits alone; a fraction of a second, as some proxies send it, is rounded up. */
static bool parse_seconds(const char *text, int64_t *seconds)
{
    size_t whole = strspn(text, "0123456789");
    if (whole == 0 || whole > 18)
        return false;
    *seconds = strtoll(text, NULL, 10);
    if (text[whole] == '.') {
        size_t fraction = strspn(text + whole + 1, "0123456789");
        *seconds += fraction > strspn(text + whole + 1, "0");
        whole += 1 + fraction;
    }
    return text[whole] == '\0';
}

static int64_t held(int64_t wait_ns)
{
    if (wait_ns < RETRY_AFTER_LEAST_NS)
        return RETRY_AFTER_LEAST_NS;
    return wait_ns < RETRY_AFTER_MOST_NS ? wait_ns : RETRY_AFTER_MOST_NS;
}

bool retry_after(const struct reply *reply, int64_t now_unix_ns, int64_t *wait_ns)
{
    int64_t seconds, at_unix_ns;
    if (reply->date_unix_ns)
        now_unix_ns = reply->date_unix_ns;
    if (parse_seconds(reply->retry_after, &seconds)) {
        *wait_ns = held(seconds < 86400 ? seconds * NS_PER_S : RETRY_AFTER_MOST_NS);
        return true;
    }
    if (timefmt_parse_http_date(bytes_of(reply->retry_after), &at_unix_ns) ||
        timefmt_parse_rfc3339(bytes_of(reply->ratelimit_reset), &at_unix_ns)) {
        *wait_ns = held(time_add(at_unix_ns, -now_unix_ns));
        return true;
    }
    if (parse_seconds(reply->ratelimit_reset, &seconds) && seconds < INT64_C(8000000000)) {
        *wait_ns = held(seconds * NS_PER_S - now_unix_ns);
        return true;
    }
    return false;
}

void retry_begin(struct retry *r, const struct retry_config *config, struct clock *clk)
{
    int64_t now = clock_mono_ns(clk);
    *r = (struct retry){ .config = config, .clk = clk, .began_mono_ns = now };
    r->chance = (uint32_t)(now ^ now >> 32 ^ clock_unix_ns(clk)) | 1;
}

/* xorshift32: jitter needs no better. */
static uint32_t next_chance(struct retry *r)
{
    r->chance ^= r->chance << 13;
    r->chance ^= r->chance >> 17;
    r->chance ^= r->chance << 5;
    return r->chance;
}

int retry_wait(struct retry *r, int64_t asked_ns, int64_t deadline_mono_ns,
               enum error_kind given_up, struct error *err)
{
    int64_t now = clock_mono_ns(r->clk);
    int64_t wait_ns = retry_wait_ns(r->config, r->count, now - r->began_mono_ns, asked_ns,
                                    next_chance(r));
    if (wait_ns < 0 || time_add(now, wait_ns) > deadline_mono_ns) {
        err->kind = given_up;
        return error_within(err, "gave up after %d attempt%s%s", r->count, r->count > 1 ? "s" : "",
                            wait_ns < 0 ? "" : ", as the deadline leaves no time for another");
    }
    if (!clock_sleep_until(r->clk, now + wait_ns))
        return error_set(err, ERR_STOPPED, "stopped");
    return 0;
}
