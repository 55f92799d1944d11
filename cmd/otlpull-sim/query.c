#include "query.h"

#include <stdlib.h>
#include <string.h>

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

char *query_decode(const char *text, size_t len, bool plus_is_space)
{
    char *out = xmalloc(len + 1);
    size_t n = 0;
    for (size_t i = 0; i < len; i++) {
        char c = text[i];
        if (c == '+' && plus_is_space) {
            c = ' ';
        } else if (c == '%') {
            int high = i + 2 < len ? hex_value(text[i + 1]) : -1;
            int low = i + 2 < len ? hex_value(text[i + 2]) : -1;
            if (high < 0 || low < 0 || (high | low) == 0) {
                free(out);
                return NULL;
            }
            c = (char)(high * 16 + low);
            i += 2;
        }
        out[n++] = c;
    }
    out[n] = '\0';
    return out;
}

bool query_parse(const char *text, struct pairs *out)
{
    bool good = true;
    while (good && *text) {
        size_t len = strcspn(text, "&");
        const char *equals = memchr(text, '=', len);
        size_t key_len = equals ? (size_t)(equals - text) : len;
        char *key = query_decode(text, key_len, true);
        char *value = equals ? query_decode(equals + 1, len - key_len - 1, true) : xstrdup("");
        good = key && value;
        if (good)
            pairs_add(out, key, value);
        free(key);
        free(value);
        text += len + (text[len] == '&');
    }
    return good;
}
