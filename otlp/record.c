/* record.c -- one LogRecord and the places of the members that we read. */
#include "otlp.h"

#include <string.h>

static const char *const names[OTLP_MEMBERS] = {
    [OTLP_TIME] = "timeUnixNano",
    [OTLP_OBSERVED_TIME] = "observedTimeUnixNano",
    [OTLP_SEVERITY_NUMBER] = "severityNumber",
    [OTLP_SEVERITY_TEXT] = "severityText",
    [OTLP_TRACE_ID] = "traceId",
    [OTLP_SPAN_ID] = "spanId",
};

static bool is(struct otlp_text key, enum otlp_member m)
{
    return memcmp(key.data, names[m], key.len) == 0;
}

enum otlp_member otlp_member_of_key(struct otlp_text key)
{
    /* Each length leaves one or two: a key is compared at most twice. */
    switch (key.len) {
    case sizeof("spanId") - 1:
        return is(key, OTLP_SPAN_ID) ? OTLP_SPAN_ID : OTLP_MEMBERS;
    case sizeof("traceId") - 1:
        return is(key, OTLP_TRACE_ID) ? OTLP_TRACE_ID : OTLP_MEMBERS;
    case sizeof("severityText") - 1:
        if (is(key, OTLP_SEVERITY_TEXT))
            return OTLP_SEVERITY_TEXT;
        if (is(key, OTLP_TIME))
            return OTLP_TIME;
        break;
    case sizeof("severityNumber") - 1:
        if (is(key, OTLP_SEVERITY_NUMBER))
            return OTLP_SEVERITY_NUMBER;
        break;
    case sizeof("observedTimeUnixNano") - 1:
        if (is(key, OTLP_OBSERVED_TIME))
            return OTLP_OBSERVED_TIME;
        break;
    default:
        break;
    }
    if (!memchr(key.data, '\\', key.len))
        return OTLP_MEMBERS;
    for (int m = 0; m < OTLP_MEMBERS; m++) {
        if (otlp_key_is(key, names[m]))
            return (enum otlp_member)m;
    }
    return OTLP_MEMBERS;
}

bool otlp_scan_record(struct otlp_scan *s, struct otlp_record *out)
{
    struct otlp_record r = { 0 };
    if (!otlp_scan_enter_object(s))
        return false;
    r.text = s->at - 1;
    struct otlp_text key, value;
    while (otlp_scan_next_key(s, &key)) {
        enum otlp_member m = otlp_member_of_key(key);
        if (!otlp_scan_value(s, &value))
            return false;
        if (m == OTLP_MEMBERS)
            continue;
        r.repeated |= r.at[m].value_len != 0;
        r.at[m] = (struct otlp_place){ (uint32_t)(key.data - 1 - r.text),
                                       (uint32_t)(value.data - r.text), (uint32_t)value.len };
    }
    if (s->problem)
        return false;
    size_t len = (size_t)(s->at - r.text);
    if (len > UINT32_MAX) {
        s->problem = "a record of more than 4 GiB";
        return false;
    }
    r.len = (uint32_t)len;
    *out = r;
    return true;
}

struct otlp_text otlp_record_value(const struct otlp_record *r, enum otlp_member m)
{
    return (struct otlp_text){ r->text + r->at[m].value, r->at[m].value_len };
}

bool otlp_record_time(const struct otlp_record *r, enum otlp_member m, uint64_t *unix_ns)
{
    char room[32];
    struct otlp_text raw = otlp_record_value(r, m);
    bool quoted = raw.len && raw.data[0] == '"';
    struct otlp_text digits = quoted ? otlp_plain(raw, room, sizeof(room)) : raw;
    uint64_t value = 0;
    for (size_t i = 0; i < digits.len; i++) {
        unsigned digit = (unsigned char)digits.data[i] - (unsigned)'0';
        if (digit > 9 || value > (UINT64_MAX - digit) / 10)
            return false;
        value = value * 10 + digit;
    }
    if (!digits.len)
        return false;
    *unix_ns = value;
    return true;
}
