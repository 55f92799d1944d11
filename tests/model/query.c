#include "tests/model/model.h"

#include <string.h>
#include <strings.h>

static int digit_of(char c)
{
    return c >= '0' && c <= '9'                 ? c - '0'
           : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10
                                                : -1;
}

static struct bytes unescape(const char *at, size_t len, struct buf *out)
{
    size_t before = out->len;
    for (size_t i = 0; i < len; i++) {
        char c = at[i];
        if (c == '%' && i + 2 < len) {
            c = (char)(digit_of(at[i + 1]) * 16 + digit_of(at[i + 2]));
            i += 2;
        }
        buf_append_char(out, c);
    }
    return (struct bytes){ out->data + before, out->len - before };
}

bool query_path(const struct request *r, const char *prefix, struct bytes *path, const char **query)
{
    const char *at = buf_text(&r->url);
    size_t len = strlen(prefix);
    if (strncmp(at, prefix, len) != 0)
        return false;
    *path = (struct bytes){ at + len, strcspn(at + len, "?") };
    *query = path->data + path->len;
    *query += **query == '?';
    return true;
}

bool query_next(const char **at, struct buf *room, struct bytes *key, struct bytes *value)
{
    size_t len = strcspn(*at, "&");
    const char *equals = memchr(*at, '=', len);
    if (len == 0)
        return false;
    *key = (struct bytes){ *at, equals ? (size_t)(equals - *at) : len };
    *value = equals ? unescape(equals + 1, len - key->len - 1, room) : BYTES("");
    *at += len + ((*at)[len] == '&');
    return true;
}

bool query_number(struct bytes text, int64_t *out)
{
    int64_t n = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9' || n > INT64_MAX / 10 - 1)
            return false;
        n = n * 10 + (text.data[i] - '0');
    }
    *out = n;
    return text.len > 0;
}

const char *query_header(const struct request *r, const char *key)
{
    for (size_t i = 0; i < r->headers.count; i++) {
        if (strcasecmp(r->headers.items[i].key, key) == 0)
            return r->headers.items[i].value;
    }
    return NULL;
}
