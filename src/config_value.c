#include "config_value.h"

#include <stdlib.h>
#include <string.h>

#include "base/timefmt.h"
#include "config_url.h"

#define KIB INT64_C(1024)
#define MIB (1024 * KIB)

/* Decimal digits, at most 18, at the front of `text`; NULL: none, or more. */
static const char *parse_digits(const char *text, int64_t *out)
{
    size_t digits = strspn(text, "0123456789");
    int64_t value = 0;
    if (digits == 0 || digits > 18)
        return NULL;
    for (size_t i = 0; i < digits; i++)
        value = value * 10 + (text[i] - '0');
    *out = value;
    return text + digits;
}

static bool parse_size(const char *text, int64_t *out)
{
    static const struct {
        const char *name;
        int64_t bytes;
    } units[] = { { "", 1 }, { "KiB", KIB }, { "MiB", MIB } };
    int64_t value;
    const char *unit = parse_digits(text, &value);
    for (size_t i = 0; unit && i < COUNT(units); i++) {
        if (strcmp(unit, units[i].name) == 0)
            return !__builtin_mul_overflow(value, units[i].bytes, out);
    }
    return false;
}

static bool parse_int(const char *text, int64_t *out)
{
    bool minus = *text == '-';
    const char *end = parse_digits(text + minus, out);
    if (!end || *end)
        return false;
    *out = minus ? -*out : *out;
    return true;
}

/* strtod alone would take blanks, "inf", "nan" and hexadecimal. */
static bool parse_real(const char *text, double *out)
{
    char *end;
    if (strspn(text, "0123456789.eE+-") != strlen(text) || !strpbrk(text, "0123456789"))
        return false;
    *out = strtod(text, &end);
    return *end == '\0';
}

static bool parse_bool(const char *text, int64_t *out)
{
    static const char *const words[] = { "false", "true", "False", "True", "FALSE", "TRUE" };
    for (size_t i = 0; i < COUNT(words); i++) {
        if (strcmp(text, words[i]) == 0) {
            *out = (int64_t)(i % 2);
            return true;
        }
    }
    return false;
}

bool value_is_choice(const struct field *field, const char *text, int64_t *index)
{
    for (size_t i = 0; field->choices && field->choices[i]; i++) {
        if (strcmp(field->choices[i], text) == 0) {
            *index = (int64_t)i;
            return true;
        }
    }
    return false;
}

static bool bounded(const struct field *f)
{
    return f->min || f->max;
}

static bool within(const struct field *f, int64_t value)
{
    return !bounded(f) || (value >= f->min && value <= f->max);
}

bool value_parse(const struct field *field, const char *text, struct setting *out)
{
    struct setting s = { .set = true, .text = text };
    bool ok = true;
    switch (field->kind) {
    case FIELD_URL:
        ok = url_usable(text, false);
        break;
    case FIELD_WHOLE_URL:
        ok = url_usable(text, true);
        break;
    case FIELD_INT:
        ok = parse_int(text, &s.number) && within(field, s.number);
        break;
    case FIELD_FLOAT:
        ok = parse_real(text, &s.real) &&
             (!bounded(field) || (s.real >= (double)field->min && s.real <= (double)field->max));
        break;
    case FIELD_BOOL:
        ok = parse_bool(text, &s.number);
        break;
    case FIELD_DURATION:
        ok = timefmt_parse_duration(bytes_of(text), &s.number) && within(field, s.number);
        break;
    case FIELD_SIZE:
        ok = parse_size(text, &s.number) && within(field, s.number);
        break;
    case FIELD_ENUM:
        ok = value_is_choice(field, text, &s.number);
        break;
    case FIELD_STRING:
    case FIELD_STRINGS:
    case FIELD_ENUMS:
    case FIELD_MAP:
        break;
    }
    if (ok)
        *out = s;
    return ok;
}

static void format_size(int64_t bytes, struct buf *out)
{
    if (bytes && bytes % MIB == 0)
        buf_printf(out, "%lldMiB", (long long)(bytes / MIB));
    else if (bytes && bytes % KIB == 0)
        buf_printf(out, "%lldKiB", (long long)(bytes / KIB));
    else
        buf_printf(out, "%lld", (long long)bytes);
}

static void format_number(enum field_kind kind, int64_t number, struct buf *out)
{
    if (kind == FIELD_DURATION) {
        char text[TIMEFMT_MAX];
        timefmt_duration(number, text);
        buf_append_text(out, text);
    } else if (kind == FIELD_SIZE) {
        format_size(number, out);
    } else {
        buf_printf(out, "%lld", (long long)number);
    }
}

void value_format(const struct field *field, const struct setting *setting, struct buf *out)
{
    switch (field->kind) {
    case FIELD_INT:
    case FIELD_DURATION:
    case FIELD_SIZE:
        format_number(field->kind, setting->number, out);
        break;
    case FIELD_FLOAT:
        buf_printf(out, "%.15g", setting->real);
        break;
    case FIELD_BOOL:
        buf_append_text(out, setting->number ? "true" : "false");
        break;
    default:
        buf_append_text(out, setting->text ? setting->text : "");
    }
}

static void append_bounds(const struct field *f, struct buf *out)
{
    if (!bounded(f))
        return;
    buf_append_text(out, " from ");
    format_number(f->kind, f->min, out);
    buf_append_text(out, " to ");
    format_number(f->kind, f->max, out);
}

static void append_choices(const struct field *f, struct buf *out)
{
    for (size_t i = 0; f->choices && f->choices[i]; i++)
        buf_printf(out, "%s%s", i ? ", " : "", f->choices[i]);
}

void value_takes(const struct field *f, struct buf *out)
{
    static const char *const words[] = {
        [FIELD_STRING] = "a text",
        [FIELD_URL] = ("an http:// or https:// URL without user, query and fragment "
                       "(credentials go into headers)"),
        [FIELD_WHOLE_URL] = "an http:// or https:// URL without user and fragment",
        [FIELD_INT] = "a whole number",
        [FIELD_FLOAT] = "a number",
        [FIELD_BOOL] = "true or false",
        [FIELD_DURATION] = "a duration",
        [FIELD_SIZE] = "a size",
        [FIELD_ENUM] = "one of ",
        [FIELD_STRINGS] = "a list of texts",
        [FIELD_ENUMS] = "a list of any of ",
        [FIELD_MAP] = "a map of texts",
    };
    buf_append_text(out, words[f->kind]);
    if (f->kind == FIELD_ENUM || f->kind == FIELD_ENUMS)
        append_choices(f, out);
    else if (f->kind == FIELD_INT || f->kind == FIELD_FLOAT || f->kind == FIELD_DURATION ||
             f->kind == FIELD_SIZE)
        append_bounds(f, out);
}
