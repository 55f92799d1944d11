/* text.c -- what a JSON string's text means. */
#include "otlp.h"

#include <string.h>

#include "utf8.h"

static uint32_t hex4(const char *p)
{
    uint32_t code = 0;
    for (int i = 0; i < 4; i++) {
        unsigned c = (unsigned char)p[i];
        code = code << 4 | (c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
    }
    return code;
}

/* At a backslash: write what the escape means, return the place behind it. */
static const char *unescape_one(const char *p, const char *end, char out[4], size_t *len)
{
    static const char letters[] = "bfnrt", meanings[] = "\b\f\n\r\t";
    *len = 1;
    if (p[1] != 'u') {
        const char *letter = strchr(letters, p[1]);
        out[0] = p[1]; /* " \ / mean themselves */
        if (letter)
            out[0] = meanings[letter - letters];
        return p + 2;
    }
    uint32_t code = hex4(p + 2);
    p += 6;
    if (code >= 0xd800 && code <= 0xdfff) {
        uint32_t low = end - p >= 6 && p[0] == '\\' && p[1] == 'u' ? hex4(p + 2) : 0;
        if (code <= 0xdbff && low >= 0xdc00 && low <= 0xdfff) {
            code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
            p += 6;
        } else {
            code = 0xfffd;
        }
    }
    *len = utf8_write(code, out);
    return p;
}

/* The inside of a string. */
static size_t unescape(struct otlp_text inside, char *out, size_t max)
{
    const char *p = inside.data, *end = p + inside.len;
    size_t len = 0;
    while (p < end) {
        char one[4] = { *p };
        size_t one_len = 1;
        if (*p == '\\')
            p = unescape_one(p, end, one, &one_len);
        else
            p++;
        if (max - len < one_len)
            return OTLP_NONE;
        memcpy(out + len, one, one_len);
        len += one_len;
    }
    return len;
}

size_t otlp_unescape(struct otlp_text raw, char *out, size_t max)
{
    if (raw.len < 2 || raw.data[0] != '"')
        return OTLP_NONE;
    return unescape((struct otlp_text){ raw.data + 1, raw.len - 2 }, out, max);
}

struct otlp_text otlp_plain(struct otlp_text raw, char *room, size_t max)
{
    if (raw.len < 2 || raw.data[0] != '"')
        return (struct otlp_text){ "", 0 };
    if (!memchr(raw.data, '\\', raw.len))
        return (struct otlp_text){ raw.data + 1, raw.len - 2 };
    size_t len = otlp_unescape(raw, room, max);
    return (struct otlp_text){ room, len == OTLP_NONE ? 0 : len };
}

bool otlp_key_is(struct otlp_text key, const char *name)
{
    size_t len = strlen(name);
    if (key.len == len && memcmp(key.data, name, len) == 0)
        return true; /* no name holds a backslash */
    if (key.len <= len || !memchr(key.data, '\\', key.len))
        return false;
    char plain[64];
    size_t max = len < sizeof(plain) ? len : sizeof(plain);
    return unescape(key, plain, max) == len && memcmp(plain, name, len) == 0;
}
