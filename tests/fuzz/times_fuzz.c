/* The texts that say when: Retry-After, X-RateLimit-Reset, dates, durations. What is read lies
 * within its limits, and reads the same when written again. */
#include "fuzz.h"

#include <string.h>

#include "base/clock.h"
#include "base/timefmt.h"
#include "retry.h"

static void check_headers(const char *text, size_t size)
{
    struct reply reply = { 0 };
    int64_t wait_ns = 0;
    size_t half = size / 2;
    if (size >= REPLY_HEADER_MAX)
        return;
    memcpy(reply.retry_after, text, half);
    memcpy(reply.ratelimit_reset, text + half, size - half);
    if (retry_after(&reply, INT64_C(1762930800) * NS_PER_S, &wait_ns))
        FUZZ_CHECK(wait_ns >= RETRY_AFTER_LEAST_NS && wait_ns <= RETRY_AFTER_MOST_NS);
}

static void check_duration(int64_t ns)
{
    char text[TIMEFMT_MAX];
    int64_t back = -1;
    FUZZ_CHECK(ns >= 0);
    timefmt_duration(ns, text);
    FUZZ_CHECK(timefmt_parse_duration(bytes_of(text), &back) && back == ns);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes text = { (const char *)data, size };
    char written[TIMEFMT_MAX];
    int64_t ns, back = 0;
    check_headers(text.data, size);
    if (timefmt_parse_rfc3339(text, &ns)) {
        timefmt_rfc3339(ns, 9, written);
        FUZZ_CHECK(timefmt_parse_rfc3339(bytes_of(written), &back) && back == ns);
    }
    if (timefmt_parse_http_date(text, &ns))
        FUZZ_CHECK(ns % NS_PER_S == 0);
    if (timefmt_parse_duration(text, &ns))
        check_duration(ns);
    return 0;
}
