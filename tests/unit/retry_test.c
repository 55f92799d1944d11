#include "retry.h"

#include "base/clock.h"
#include "tests/unit/check.h"

#define S NS_PER_S

static const struct retry_config config = { .initial_interval_ns = 1 * S,
                                            .max_interval_ns = 30 * S,
                                            .max_elapsed_ns = 300 * S,
                                            .multiplier = 1.5,
                                            .randomization_factor = 0.5 };

static void backs_off_within_limits(void **state)
{
    const uint32_t least = 0, most = UINT32_MAX;
    static const struct retry_config for_ever = { .initial_interval_ns = 1 * S,
                                                  .max_interval_ns = 30 * S,
                                                  .multiplier = 1.5 };
    (void)state;
    check_i64(retry_wait_ns(&config, 1, 0, 0, least), S / 2);
    check_i64(retry_wait_ns(&config, 1, 0, 0, most), 3 * S / 2);
    check_i64(retry_wait_ns(&config, 2, 0, 0, least), 3 * S / 4);
    check_i64(retry_wait_ns(&config, 1000000, 0, 0, most), 45 * S);
    check_i64(retry_wait_ns(&config, 1, 0, 7 * S, most), 7 * S);
    check_i64(retry_wait_ns(&config, 5, 299 * S, 0, most), -1);
    check_i64(retry_wait_ns(&config, 1, 0, 301 * S, least), -1);
    check_i64(retry_wait_ns(&for_ever, 1, INT64_MAX / 2, 7 * S, least), 7 * S);
}

static void reads_when_to_come_back(void **state)
{
    static const struct {
        const char *name, *retry_after, *reset;
        int64_t want_s; /* from 2025-11-12T07:00:00Z; -1: nothing is named */
    } rows[] = {
        { "nothing", "", "", -1 },
        { "seconds", "7", "", 7 },
        { "zero would hammer", "0", "", 1 },
        { "an hour is too long for one run", "3600", "", 300 },
        { "absurd", "999999999999999999", "", 300 },
        { "too long to be a number", "9999999999999999999999", "", -1 },
        { "a fraction", "1.5", "", 2 },
        { "negative", "-5", "", -1 },
        { "a date", "Wed, 12 Nov 2025 07:00:20 GMT", "", 20 },
        { "a date that has passed", "Wed, 12 Nov 2025 06:00:20 GMT", "", 1 },
        { "nonsense", "soon", "", -1 },
        { "reset without seconds", "", "2025-11-12T07:01Z", 60 },
        { "reset with seconds", "", "2025-11-12T07:00:09Z", 9 },
        { "reset as an epoch", "", "1762930815", 15 },
        { "Retry-After goes first", "3", "2025-11-12T07:01Z", 3 },
        { "nonsense in the first, sense in the second", "soon", "2025-11-12T07:01Z", 60 },
        { "reset as nonsense", "", "later", -1 },
    };
    const int64_t now = INT64_C(1762930800) * S;
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct reply reply = { 0 };
        int64_t got = -S;
        check_row(rows[i].name);
        memcpy(reply.retry_after, rows[i].retry_after, strlen(rows[i].retry_after));
        memcpy(reply.ratelimit_reset, rows[i].reset, strlen(rows[i].reset));
        check_i64(retry_after(&reply, now, &got), rows[i].want_s >= 0);
        check_i64(got, rows[i].want_s * S);
    }
}

static void reckons_by_the_peers_own_clock(void **state)
{
    static const struct {
        const char *name, *retry_after, *reset;
        int64_t ahead_s, want_s; /* how far the peer's clock is from ours */
    } rows[] = {
        { "a date, ours an hour slow", "Wed, 12 Nov 2025 08:00:20 GMT", "", 3600, 20 },
        { "a date, ours an hour fast", "Wed, 12 Nov 2025 06:00:20 GMT", "", -3600, 20 },
        { "a reset, ours a day slow", "", "2025-11-13T07:01Z", 86400, 60 },
        { "an epoch, ours a minute fast", "", "1762930745", -60, 5 },
        { "seconds need no clock", "7", "", 3600, 7 },
    };
    const int64_t now = INT64_C(1762930800) * S;
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct reply reply = { .date_unix_ns = now + rows[i].ahead_s * S };
        int64_t got = -S;
        check_row(rows[i].name);
        memcpy(reply.retry_after, rows[i].retry_after, strlen(rows[i].retry_after));
        memcpy(reply.ratelimit_reset, rows[i].reset, strlen(rows[i].reset));
        check_i64(retry_after(&reply, now, &got), true);
        check_i64(got, rows[i].want_s * S);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(backs_off_within_limits),
        cmocka_unit_test(reads_when_to_come_back),
        cmocka_unit_test(reckons_by_the_peers_own_clock),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
