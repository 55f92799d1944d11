#include "base64.h"

#include <string.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_append(struct buf *out, const void *data, size_t len)
{
    const unsigned char *in = data;
    if (!buf_reserve(out, (len + 2) / 3 * 4))
        return;
    char *at = out->data + out->len;
    for (size_t i = 0; i < len; i += 3) {
        size_t left = len - i;
        uint32_t group = (uint32_t)in[i] << 16;
        group |= left > 1 ? (uint32_t)in[i + 1] << 8 : 0;
        group |= left > 2 ? in[i + 2] : 0;
        *at++ = alphabet[group >> 18];
        *at++ = alphabet[group >> 12 & 63];
        *at++ = left > 1 ? alphabet[group >> 6 & 63] : '=';
        *at++ = left > 2 ? alphabet[group & 63] : '=';
    }
    out->len = (size_t)(at - out->data);
    *at = '\0';
}

static int value_of(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

bool base64_decode(struct buf *out, struct bytes text)
{
    size_t padding = 0;
    while (padding < 2 && padding < text.len && text.data[text.len - 1 - padding] == '=')
        padding++;
    if (text.len % 4 || !buf_reserve(out, text.len / 4 * 3))
        return false;
    size_t before = out->len;
    for (size_t i = 0; i < text.len; i += 4) {
        uint32_t group = 0;
        for (size_t j = 0; j < 4; j++) {
            bool pad = i + j >= text.len - padding;
            int value = pad ? 0 : value_of(text.data[i + j]);
            if (value < 0) {
                out->len = before;
                out->data[out->len] = '\0';
                return false;
            }
            group = group << 6 | (uint32_t)value;
        }
        char three[3] = { (char)(group >> 16), (char)(group >> 8), (char)group };
        buf_append(out, three, sizeof(three));
    }
    out->len -= padding;
    out->data[out->len] = '\0';
    return true;
}
