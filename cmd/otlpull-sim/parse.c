#include "parse.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/timefmt.h"

static bool count_and_rest(const char *text, int64_t *out, const char **rest)
{
    char *end;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (errno || text[0] < '0' || text[0] > '9')
        return false;
    *out = value;
    *rest = end;
    return true;
}

bool parse_count(const char *text, int64_t *out)
{
    int64_t value;
    const char *rest;
    if (!count_and_rest(text, &value, &rest) || *rest)
        return false;
    *out = value;
    return true;
}

bool parse_size(const char *text, int64_t *out)
{
    static const struct {
        const char *name;
        int shift;
    } units[] = { { "", 0 }, { "KiB", 10 }, { "MiB", 20 }, { "GiB", 30 } };
    int64_t value;
    const char *rest;
    if (!count_and_rest(text, &value, &rest))
        return false;
    for (size_t i = 0; i < COUNT(units); i++) {
        if (strcmp(rest, units[i].name) == 0 && value <= INT64_MAX >> units[i].shift) {
            *out = value << units[i].shift;
            return true;
        }
    }
    return false;
}

bool parse_duration(const char *text, int64_t *out)
{
    return timefmt_parse_duration(bytes_of(text), out);
}

bool parse_moment(const char *text, int64_t *out)
{
    return parse_count(text, out) || timefmt_parse_rfc3339(bytes_of(text), out);
}

static bool parse_number(const char *text, double *out)
{
    char *end;
    double value = strtod(text, &end);
    if (end == text || *end || !isfinite(value))
        return false;
    *out = value;
    return true;
}

bool parse_share(const char *text, double *out)
{
    double percent;
    if (!parse_number(text, &percent) || percent < 0 || percent > 100)
        return false;
    *out = percent / 100;
    return true;
}

bool parse_positive(const char *text, double *out)
{
    double value;
    if (!parse_number(text, &value) || value <= 0)
        return false;
    *out = value;
    return true;
}
