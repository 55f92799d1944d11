/* scan.c -- the strict pull reader. Log text is mostly plain ASCII inside strings, so strings are
 * stepped over 16 bytes at a time (SSE2) or 8 (anywhere else): one signed comparison finds control
 * characters and everything beyond ASCII together, and only what stops a step is looked at alone.
 * No byte at or past the end is ever read; the last few go one by one. */
#include "otlp.h"

#include <string.h>

#include "utf8.h"

#if defined(__SSE2__) && !defined(OTLP_PORTABLE)
#include <emmintrin.h>
#define OTLP_SSE2
#endif

_Static_assert(OTLP_MAX_DEPTH <= 64, "value() keeps a bit for each open bracket in 64 bits");

static const char *fail(struct otlp_scan *s, const char *at, const char *problem)
{
    s->at = at;
    s->problem = problem;
    return NULL;
}

static inline const char *skip_space(const char *p, const char *end)
{
    while (p < end && otlp_is_space(*p))
        p++;
    return p;
}

static inline bool is_plain(char c)
{
    return (signed char)c >= 0x20 && c != '"' && c != '\\';
}

#ifdef OTLP_SSE2

/* A bit for each of 16 bytes that a string cannot hold as it is, or that is not ASCII. */
static inline uint32_t stops_of(const char *p)
{
    const __m128i quote = _mm_set1_epi8('"');
    const __m128i backslash = _mm_set1_epi8('\\');
    const __m128i blank = _mm_set1_epi8(0x20);
    __m128i block = _mm_loadu_si128((const __m128i *)(const void *)p);
    __m128i stop = _mm_or_si128(
        _mm_or_si128(_mm_cmpeq_epi8(block, quote), _mm_cmpeq_epi8(block, backslash)),
        _mm_cmplt_epi8(block, blank));
    return (uint32_t)_mm_movemask_epi8(stop);
}

/* Step over whole plain blocks; `*found` once p stands on a byte that is not plain. */
static inline const char *skip_blocks(const char *p, const char *end, bool *found)
{
    for (; end - p >= 16; p += 16) {
        uint32_t stops = stops_of(p);
        if (stops) {
            *found = true;
            return p + __builtin_ctz(stops);
        }
    }
    return p;
}

#else

/* As above; here the last step is left to the bytes one by one. */
static inline const char *skip_blocks(const char *p, const char *end, bool *found)
{
    const uint64_t ones = UINT64_MAX / 0xff, tops = ones << 7;
    (void)found;
    for (; end - p >= 8; p += 8) {
        uint64_t block;
        memcpy(&block, p, sizeof(block));
        uint64_t quote = block ^ (ones * '"'), backslash = block ^ (ones * '\\');
        uint64_t stop = (block - ones * 0x20) | (quote - ones) | (backslash - ones) | block;
        if (stop & tops)
            break;
    }
    return p;
}

#endif

/* The first byte that a string cannot hold as it is, or that is not ASCII, or the end. */
static inline const char *skip_plain(const char *p, const char *end)
{
    bool found = false;
    p = skip_blocks(p, end, &found);
    if (found)
        return p;
    while (p < end && is_plain(*p))
        p++;
    return p;
}

/* At a backslash: the place behind its escape. A lone surrogate passes: the grammar has it, and
 * every reader takes it for U+FFFD. */
static const char *skip_escape(struct otlp_scan *s, const char *p)
{
    if (s->end - p < 2)
        return fail(s, s->end, "ends inside a string");
    if (p[1] == '\0' || !strchr("\"\\/bfnrtu", p[1]))
        return fail(s, p, "unknown escape in a string");
    if (p[1] != 'u')
        return p + 2;
    if (s->end - p < 6)
        return fail(s, s->end, "ends inside a string");
    for (int i = 2; i < 6; i++) {
        char c = (char)(p[i] | 0x20);
        if (!((p[i] >= '0' && p[i] <= '9') || (c >= 'a' && c <= 'f')))
            return fail(s, p, "\\u without four hex digits");
    }
    return p + 6;
}

static const char *skip_beyond_ascii(struct otlp_scan *s, const char *p)
{
    do {
        size_t len = utf8_sequence((const unsigned char *)p, (size_t)(s->end - p));
        if (!len)
            return fail(s, p, "bytes that are not UTF-8");
        p += len;
    } while (p < s->end && (*p & 0x80));
    return p;
}

/* Behind an opening quote, or further on in a string: the place behind the closing one. */
static const char *skip_any_string(struct otlp_scan *s, const char *p)
{
    for (;;) {
        p = skip_plain(p, s->end);
        if (p == s->end)
            return fail(s, p, "ends inside a string");
        if (*p == '"')
            return p + 1;
        if (*p == '\\')
            p = skip_escape(s, p);
        else if (*p & 0x80)
            p = skip_beyond_ascii(s, p);
        else
            return fail(s, p, "control character in a string");
        if (!p)
            return NULL;
    }
}

/* As above. Most strings are plain and short: those end here, without a call. */
static inline const char *skip_string(struct otlp_scan *s, const char *p)
{
#ifdef OTLP_SSE2
    for (; s->end - p >= 32; p += 32) {
        uint32_t stops = stops_of(p) | stops_of(p + 16) << 16;
        if (!stops)
            continue;
        p += __builtin_ctz(stops);
        if (*p == '"')
            return p + 1;
        break;
    }
#endif
    return skip_any_string(s, p);
}

/* A key and its colon; `key` (may be NULL) gets it without its quotes. */
static inline const char *skip_key(struct otlp_scan *s, const char *p, struct otlp_text *key)
{
    p = skip_space(p, s->end);
    if (p == s->end)
        return fail(s, p, "ends inside an object");
    if (*p != '"')
        return fail(s, p, "no key where one is due");
    const char *begin = p + 1;
    p = skip_string(s, begin);
    if (!p)
        return NULL;
    if (key)
        *key = (struct otlp_text){ begin, (size_t)(p - 1 - begin) };
    p = skip_space(p, s->end);
    if (p == s->end || *p != ':')
        return fail(s, p, "no colon behind a key");
    return p + 1;
}

static const char *skip_digits(struct otlp_scan *s, const char *p)
{
    const char *begin = p;
    while (p < s->end && *p >= '0' && *p <= '9')
        p++;
    return p > begin ? p : fail(s, p, "not a number");
}

static const char *skip_number(struct otlp_scan *s, const char *p)
{
    if (*p == '-')
        p++;
    if (p < s->end && *p == '0')
        p++; /* and nothing more: no leading zeros */
    else
        p = skip_digits(s, p);
    if (p && p < s->end && *p == '.')
        p = skip_digits(s, p + 1);
    if (p && p < s->end && (*p == 'e' || *p == 'E')) {
        p++;
        if (p < s->end && (*p == '+' || *p == '-'))
            p++;
        p = skip_digits(s, p);
    }
    return p;
}

static const char *skip_word(struct otlp_scan *s, const char *p, const char *word)
{
    size_t len = strlen(word);
    if ((size_t)(s->end - p) < len || memcmp(p, word, len) != 0)
        return fail(s, p, "not a value");
    return p + len;
}

/* At the first byte of a value that is no object and no array. */
static inline const char *skip_scalar(struct otlp_scan *s, const char *p)
{
    switch (*p) {
    case '"':
        return skip_string(s, p + 1);
    case 't':
        return skip_word(s, p, "true");
    case 'f':
        return skip_word(s, p, "false");
    case 'n':
        return skip_word(s, p, "null");
    default:
        if (*p == '-' || (*p >= '0' && *p <= '9'))
            return skip_number(s, p);
        return fail(s, p, "no value where one is due");
    }
}

/* One whole value from `p`, at its first byte: the place behind it. Brackets are kept as bits, 1
 * for an object, the innermost lowest: no recursion on untrusted text. */
static const char *skip_value(struct otlp_scan *s, const char *p)
{
    const char *end = s->end;
    uint64_t open = 0;
    int depth = 0, room = OTLP_MAX_DEPTH - s->depth;
    for (;;) {
        p = skip_space(p, end);
        if (p == end)
            return fail(s, p, "ends where a value is due");
        if (*p == '{' || *p == '[') {
            if (depth == room)
                return fail(s, p, "nested too deeply");
            bool object = *p == '{';
            p = skip_space(p + 1, end);
            if (p == end || *p != (object ? '}' : ']')) {
                open = open << 1 | object;
                depth++;
                if (object && !(p = skip_key(s, p, NULL)))
                    return NULL;
                continue;
            }
            p++;
        } else if (!(p = skip_scalar(s, p))) {
            return NULL;
        }
        /* A value has ended: close what closes with it, up to the comma before the next. */
        for (; depth; depth--, open >>= 1, p++) {
            p = skip_space(p, end);
            if (p == end)
                return fail(s, p, "ends inside an object or an array");
            if (*p == ',')
                break;
            if (*p != (open & 1 ? '}' : ']'))
                return fail(s, p, "no comma or closing bracket behind a value");
        }
        if (!depth)
            return p;
        p++;
        if ((open & 1) && !(p = skip_key(s, p, NULL)))
            return NULL;
    }
}

void otlp_scan_init(struct otlp_scan *s, const char *text, size_t len)
{
    if (!len)
        text = "";
    *s = (struct otlp_scan){ .begin = text, .at = text, .end = text + len };
}

char otlp_scan_peek(struct otlp_scan *s)
{
    if (s->problem)
        return 0;
    s->at = skip_space(s->at, s->end);
    if (s->at == s->end)
        return 0;
    char c = *s->at;
    if (c == '-' || (c >= '0' && c <= '9'))
        return '0';
    if (c == '\0' || !strchr("{[\"tfn", c))
        return 0;
    return c;
}

static bool enter(struct otlp_scan *s, char bracket, const char *problem)
{
    if (s->problem)
        return false;
    s->at = skip_space(s->at, s->end);
    if (s->at == s->end || *s->at != bracket)
        fail(s, s->at, problem);
    else if (s->depth == OTLP_MAX_DEPTH)
        fail(s, s->at, "nested too deeply");
    else {
        s->at++;
        s->depth++;
        s->first = true;
    }
    return !s->problem;
}

bool otlp_scan_enter_object(struct otlp_scan *s)
{
    return enter(s, '{', "not an object");
}

bool otlp_scan_enter_array(struct otlp_scan *s)
{
    return enter(s, '[', "not an array");
}

/* Come to the next member or element; false at the closing bracket, which is read, or a problem. */
static inline bool next(struct otlp_scan *s, char closing)
{
    if (s->problem)
        return false;
    const char *p = skip_space(s->at, s->end);
    bool first = s->first;
    s->first = false;
    if (p == s->end)
        return fail(s, p, "ends inside an object or an array");
    if (*p == closing) {
        s->at = p + 1;
        s->depth--;
        return false;
    }
    if (!first && *p != ',')
        return fail(s, p, "no comma or closing bracket behind a value");
    s->at = first ? p : p + 1;
    return true;
}

bool otlp_scan_next_key(struct otlp_scan *s, struct otlp_text *key)
{
    if (!next(s, '}'))
        return false;
    const char *p = skip_key(s, s->at, key);
    if (!p)
        return false;
    s->at = p;
    return true;
}

bool otlp_scan_next_element(struct otlp_scan *s)
{
    return next(s, ']');
}

bool otlp_scan_value(struct otlp_scan *s, struct otlp_text *raw)
{
    if (s->problem)
        return false;
    const char *begin = skip_space(s->at, s->end);
    const char *p = skip_value(s, begin);
    if (!p)
        return false;
    s->at = p;
    if (raw)
        *raw = (struct otlp_text){ begin, (size_t)(p - begin) };
    return true;
}

bool otlp_scan_end(struct otlp_scan *s)
{
    if (s->problem)
        return false;
    s->at = skip_space(s->at, s->end);
    if (s->at != s->end)
        fail(s, s->at, "more text behind the value");
    return !s->problem;
}

size_t otlp_scan_offset(const struct otlp_scan *s)
{
    return (size_t)(s->at - s->begin);
}
