#include "base/timefmt.h"

#include "base/clock.h"
#include "tests/unit/check.h"

#define NOV_12 INT64_C(1762930801250000000) /* 2025-11-12T07:00:01.250Z */

static void writes_rfc3339(void **state)
{
    static const struct {
        const char *name;
        int64_t unix_ns;
        int digits;
        const char *want;
    } rows[] = {
        { "milliseconds", NOV_12, 3, "2025-11-12T07:00:01.250Z" },
        { "no fraction", NOV_12, 0, "2025-11-12T07:00:01Z" },
        { "nanoseconds", NOV_12 + 7, 9, "2025-11-12T07:00:01.250000007Z" },
        { "cut, not rounded", NOV_12 + 999999, 3, "2025-11-12T07:00:01.250Z" },
        { "the epoch", 0, 3, "1970-01-01T00:00:00.000Z" },
        { "before the epoch", -1, 9, "1969-12-31T23:59:59.999999999Z" },
        { "a leap day", INT64_C(1709164800000000000), 0, "2024-02-29T00:00:00Z" },
        { "the last that fits", INT64_MAX, 9, "2262-04-11T23:47:16.854775807Z" },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        char got[TIMEFMT_MAX];
        check_row(rows[i].name);
        timefmt_rfc3339(rows[i].unix_ns, rows[i].digits, got);
        check_text(got, rows[i].want);
    }
}

#define NONE INT64_MIN

static void reads_rfc3339(void **state)
{
    static const struct {
        const char *text;
        int64_t want;
    } rows[] = {
        { "2025-11-12T07:00:01.250Z", NOV_12 },
        { "2025-11-12t07:00:01.25z", NOV_12 },
        { "2025-11-12 07:00:01.2500000009Z", NOV_12 },
        { "2025-11-12T08:00:01.250+01:00", NOV_12 },
        { "2025-11-12T02:30:01.250-0430", NOV_12 },
        { "2025-11-12T07:00Z", NOV_12 - 1250 * NS_PER_MS },
        { "2025-11-12T06:59:60Z", NOV_12 - 1250 * NS_PER_MS },
        { "1970-01-01T00:00:00Z", 0 },
        { "2024-02-29T00:00:00Z", INT64_C(1709164800000000000) },
        { "2023-02-29T00:00:00Z", NONE },
        { "2025-13-01T00:00:00Z", NONE },
        { "2025-00-01T00:00:00Z", NONE },
        { "2025-11-31T00:00:00Z", NONE },
        { "2025-11-12T24:00:00Z", NONE },
        { "2025-11-12T07:60:00Z", NONE },
        { "2025-11-12T07:00:01.Z", NONE },
        { "2025-11-12T07:00:01", NONE },
        { "2025-11-12T07:00:01Z ", NONE },
        { "2025-11-12T07:00:01+24:00", NONE },
        { "25-11-12T07:00:01Z", NONE },
        { "2025-11-12", NONE },
        { "", NONE },
        { "9999-12-31T23:59:59Z", NONE },
        { "1600-01-01T00:00:00Z", NONE },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        int64_t got = NONE;
        check_row(rows[i].text);
        check_i64(timefmt_parse_rfc3339(bytes_of(rows[i].text), &got), rows[i].want != NONE);
        check_i64(got, rows[i].want);
    }
}

static void reads_http_dates(void **state)
{
    const int64_t nov_6_1994 = INT64_C(784111777) * NS_PER_S;
    const struct {
        const char *text;
        int64_t want;
    } rows[] = {
        { "Sun, 06 Nov 1994 08:49:37 GMT", nov_6_1994 },
        { "Sunday, 06-Nov-94 08:49:37 GMT", nov_6_1994 },
        { "Sun Nov  6 08:49:37 1994", nov_6_1994 },
        { "Wed, 12 Nov 2025 07:00:01 GMT", NOV_12 - 250 * NS_PER_MS },
        { "Sun, 06 Nov 1994 08:49:37 CET", NONE },
        { "Sun, 06 Nuv 1994 08:49:37 GMT", NONE },
        { "Sun, 31 Feb 1994 08:49:37 GMT", NONE },
        { "Sun, 06 Nov 1994 08:49:37 GMT and", NONE },
        { "06 Nov 1994 08:49:37 GMT", NONE },
        { "Sun,", NONE },
        { "", NONE },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        int64_t got = NONE;
        check_row(rows[i].text);
        check_i64(timefmt_parse_http_date(bytes_of(rows[i].text), &got), rows[i].want != NONE);
        check_i64(got, rows[i].want);
    }
}

static void reads_and_writes_durations(void **state)
{
    static const struct {
        const char *text;
        int64_t want;
        const char *back;
    } rows[] = {
        { "0", 0, "0s" },
        { "0s", 0, "0s" },
        { "250ms", 250 * NS_PER_MS, "250ms" },
        { "90m", 5400 * NS_PER_S, "1h30m" },
        { "1h30m", 5400 * NS_PER_S, "1h30m" },
        { "14d", 14 * 86400 * NS_PER_S, "14d" },
        { "1d2h3m4s5ms", ((86400 + 7200 + 180 + 4) * NS_PER_S) + 5 * NS_PER_MS, "1d2h3m4s5ms" },
        { "36500d", INT64_C(36500) * 86400 * NS_PER_S, "36500d" },
        { "36501d", NONE, NULL },
        { "5", NONE, NULL },
        { "m", NONE, NULL },
        { "5m5m", NONE, NULL },
        { "5s5m", NONE, NULL },
        { "-5s", NONE, NULL },
        { "1.5h", NONE, NULL },
        { "5 s", NONE, NULL },
        { "5y", NONE, NULL },
        { "99999999999999999999s", NONE, NULL },
        { "30000000000000000000d", NONE, NULL },  /* past int64_t in the last digit */
        { "36500d876000h52560000m", NONE, NULL }, /* past int64_t as a sum */
        { "", NONE, NULL },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        int64_t got = NONE;
        check_row(rows[i].text);
        check_i64(timefmt_parse_duration(bytes_of(rows[i].text), &got), rows[i].want != NONE);
        check_i64(got, rows[i].want);
        if (rows[i].back) {
            char back[TIMEFMT_MAX];
            timefmt_duration(got, back);
            check_text(back, rows[i].back);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_rfc3339),
        cmocka_unit_test(reads_rfc3339),
        cmocka_unit_test(reads_http_dates),
        cmocka_unit_test(reads_and_writes_durations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
