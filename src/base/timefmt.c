#include "timefmt.h"

#include <stdio.h>
#include <string.h>

#define DAY_S INT64_C(86400)

/* Days since 1970-01-01 of a date in the proleptic Gregorian calendar, and back: years begin in
 * March, so that the leap day is a year's last, and 400 of them are one cycle of 146097 days. */
static int64_t days_from_date(int64_t y, int m, int d)
{
    y -= m <= 2;
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t year_of_era = y - era * 400;
    int64_t day_of_year = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

static void date_from_days(int64_t days, int64_t *y, int *m, int *d)
{
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    int64_t day_of_era = days - era * 146097;
    int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 -
                           day_of_era / 146096) /
                          365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t month = (5 * day_of_year + 2) / 153;
    *d = (int)(day_of_year - (153 * month + 2) / 5 + 1);
    *m = (int)(month < 10 ? month + 3 : month - 9);
    *y = year_of_era + era * 400 + (*m <= 2);
}

static int days_in_month(int64_t y, int m)
{
    static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    bool leap = (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;
    return m == 2 && leap ? 29 : days[m - 1];
}

void timefmt_rfc3339(int64_t unix_ns, int digits, char out[TIMEFMT_MAX])
{
    int64_t seconds = unix_ns / NS_PER_S;
    int64_t fraction = unix_ns % NS_PER_S;
    if (fraction < 0) {
        fraction += NS_PER_S;
        seconds--;
    }
    int64_t days = seconds / DAY_S;
    int64_t of_day = seconds % DAY_S;
    if (of_day < 0) {
        of_day += DAY_S;
        days--;
    }
    int64_t y;
    int m, d;
    date_from_days(days, &y, &m, &d);
    for (int i = digits; i < 9; i++)
        fraction /= 10;
    int len = snprintf(out, TIMEFMT_MAX, "%04d-%02d-%02dT%02d:%02d:%02d", (int)y, m, d,
                       (int)(of_day / 3600), (int)(of_day / 60 % 60), (int)(of_day % 60));
    if (digits > 0)
        len += snprintf(out + len, TIMEFMT_MAX - (size_t)len, ".%0*lld", digits,
                        (long long)fraction);
    snprintf(out + len, TIMEFMT_MAX - (size_t)len, "Z");
}

/* A reader over text that remembers whether all went well so far. */
struct reader {
    const char *at, *end;
    bool ok;
};

static bool take(struct reader *r, char c)
{
    if (r->ok && r->at < r->end && *r->at == c) {
        r->at++;
        return true;
    }
    return false;
}

static void need(struct reader *r, const char *any_of)
{
    if (r->ok && r->at < r->end && *r->at && strchr(any_of, *r->at))
        r->at++;
    else
        r->ok = false;
}

static int digits(struct reader *r, int count)
{
    int value = 0;
    for (int i = 0; i < count; i++) {
        if (!r->ok || r->at == r->end || *r->at < '0' || *r->at > '9') {
            r->ok = false;
            return 0;
        }
        value = value * 10 + (*r->at++ - '0');
    }
    return value;
}

static bool to_unix_ns(int64_t y, int m, int d, int64_t of_day_s, int64_t fraction_ns, int64_t *out)
{
    if (m < 1 || m > 12 || d < 1 || d > days_in_month(y, m))
        return false;
    int64_t seconds = days_from_date(y, m, d) * DAY_S + of_day_s;
    int64_t ns;
    if (__builtin_mul_overflow(seconds, NS_PER_S, &ns) ||
        __builtin_add_overflow(ns, fraction_ns, &ns))
        return false;
    *out = ns;
    return true;
}

bool timefmt_parse_rfc3339(struct bytes text, int64_t *unix_ns)
{
    struct reader r = { text.data, text.data + text.len, true };
    int y = digits(&r, 4);
    need(&r, "-");
    int m = digits(&r, 2);
    need(&r, "-");
    int d = digits(&r, 2);
    need(&r, "Tt ");
    int hour = digits(&r, 2);
    need(&r, ":");
    int minute = digits(&r, 2);
    int second = take(&r, ':') ? digits(&r, 2) : 0;
    int64_t fraction_ns = 0;
    if (take(&r, '.')) {
        fraction_ns = digits(&r, 1) * (NS_PER_S / 10);
        for (int64_t unit = NS_PER_S / 100; r.ok && r.at < r.end && *r.at >= '0' && *r.at <= '9';
             unit /= 10)
            fraction_ns += (*r.at++ - '0') * unit;
    }
    int64_t offset_s = 0;
    if (!take(&r, 'Z') && !take(&r, 'z')) {
        bool west = r.at < r.end && *r.at == '-';
        need(&r, "+-");
        int offset_hour = digits(&r, 2);
        take(&r, ':');
        int offset_minute = digits(&r, 2);
        if (offset_hour > 23 || offset_minute > 59)
            return false;
        offset_s = (offset_hour * 60 + offset_minute) * (west ? INT64_C(-60) : 60);
    }
    if (!r.ok || r.at != r.end || hour > 23 || minute > 59 || second > 60)
        return false;
    return to_unix_ns(y, m, d, hour * 3600 + minute * 60 + second - offset_s, fraction_ns, unix_ns);
}

static int month_by_name(struct reader *r)
{
    static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    if (r->ok && r->end - r->at >= 3) {
        for (int i = 0; i < 12; i++) {
            if (memcmp(r->at, names + 3 * (size_t)i, 3) == 0) {
                r->at += 3;
                return i + 1;
            }
        }
    }
    r->ok = false;
    return 0;
}

static int64_t time_of_day(struct reader *r)
{
    int hour = digits(r, 2);
    need(r, ":");
    int minute = digits(r, 2);
    need(r, ":");
    int second = digits(r, 2);
    if (hour > 23 || minute > 59 || second > 60)
        r->ok = false;
    return hour * 3600 + minute * 60 + second;
}

bool timefmt_parse_http_date(struct bytes text, int64_t *unix_ns)
{
    struct reader r = { text.data, text.data + text.len, true };
    int y, m, d;
    int64_t of_day_s;
    while (r.at < r.end && ((*r.at >= 'A' && *r.at <= 'Z') || (*r.at >= 'a' && *r.at <= 'z')))
        r.at++; /* the day's name adds nothing */
    if (r.at == text.data)
        return false;
    if (!take(&r, ',')) { /* asctime: Sun Nov  6 08:49:37 1994 */
        need(&r, " ");
        m = month_by_name(&r);
        need(&r, " ");
        d = take(&r, ' ') ? digits(&r, 1) : digits(&r, 2);
        need(&r, " ");
        of_day_s = time_of_day(&r);
        need(&r, " ");
        y = digits(&r, 4);
    } else { /* Sun, 06 Nov 1994 08:49:37 GMT, or Sunday, 06-Nov-94 08:49:37 GMT */
        need(&r, " ");
        d = digits(&r, 2);
        bool obsolete = r.at < r.end && *r.at == '-';
        need(&r, " -");
        m = month_by_name(&r);
        need(&r, " -");
        y = digits(&r, obsolete ? 2 : 4);
        if (obsolete)
            y += y < 70 ? 2000 : 1900;
        need(&r, " ");
        of_day_s = time_of_day(&r);
        need(&r, " ");
        need(&r, "G");
        need(&r, "M");
        need(&r, "T");
    }
    return r.ok && r.at == r.end && to_unix_ns(y, m, d, of_day_s, 0, unix_ns);
}

static const struct unit {
    const char *name;
    int64_t ns;
} units[] = {
    { "d", DAY_S *NS_PER_S }, { "h", 3600 * NS_PER_S }, { "m", 60 * NS_PER_S },
    { "s", NS_PER_S },        { "ms", NS_PER_MS },
};

static const struct unit *unit_named(const char *at, size_t len, const struct unit *from)
{
    for (; from < units + COUNT(units); from++) {
        if (strlen(from->name) == len && memcmp(from->name, at, len) == 0)
            return from;
    }
    return NULL;
}

bool timefmt_parse_duration(struct bytes text, int64_t *ns)
{
    const int64_t most_ns = 36500 * DAY_S * NS_PER_S;
    const char *at = text.data, *end = text.data + text.len;
    const struct unit *next = units;
    int64_t total = 0;
    if (bytes_is(text, "0")) {
        *ns = 0;
        return true;
    }
    if (at == end)
        return false;
    while (at < end) {
        const char *number = at;
        int64_t value = 0;
        for (; at < end && *at >= '0' && *at <= '9'; at++) {
            if (value > most_ns / 10)
                return false;
            value = value * 10 + (*at - '0');
        }
        if (at == number)
            return false;
        const char *name = at;
        while (at < end && *at >= 'a' && *at <= 'z')
            at++;
        const struct unit *unit = unit_named(name, (size_t)(at - name), next);
        if (!unit || value > most_ns / unit->ns)
            return false;
        total += value * unit->ns;
        if (total > most_ns)
            return false;
        next = unit + 1;
    }
    *ns = total;
    return true;
}

void timefmt_duration(int64_t ns, char out[TIMEFMT_MAX])
{
    int len = 0;
    for (size_t i = 0; i < COUNT(units); i++) {
        int64_t n = ns / units[i].ns;
        if (n > 0)
            len += snprintf(out + len, TIMEFMT_MAX - (size_t)len, "%lld%s", (long long)n,
                            units[i].name);
        ns -= n > 0 ? n * units[i].ns : 0;
    }
    if (len == 0)
        snprintf(out, TIMEFMT_MAX, "0s");
}
