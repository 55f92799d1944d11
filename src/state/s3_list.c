#include "s3_list.h"

#include <string.h>

#include "state/stores.h"

/* The text of the next element of this name, and `xml` what comes behind it. */
static bool next_element(struct bytes *xml, const char *open, const char *close, struct bytes *out)
{
    const char *end_of_all = xml->data + xml->len;
    const char *at = memmem(xml->data, xml->len, open, strlen(open));
    if (!at)
        return false;
    at += strlen(open);
    const char *end = memmem(at, (size_t)(end_of_all - at), close, strlen(close));
    if (!end)
        return false;
    *out = (struct bytes){ at, (size_t)(end - at) };
    xml->data = end + strlen(close);
    xml->len = (size_t)(end_of_all - xml->data);
    return true;
}

static void append_unescaped(struct buf *out, struct bytes text)
{
    static const struct {
        struct bytes entity;
        char c;
    } entities[] = {
        { { "&amp;", 5 }, '&' },  { { "&lt;", 4 }, '<' },    { { "&gt;", 4 }, '>' },
        { { "&quot;", 6 }, '"' }, { { "&apos;", 6 }, '\'' }, { { "&#34;", 5 }, '"' },
        { { "&#39;", 5 }, '\'' },
    };
    for (size_t i = 0; i < text.len;) {
        size_t k = 0;
        while (k < COUNT(entities) &&
               (text.len - i < entities[k].entity.len ||
                memcmp(text.data + i, entities[k].entity.data, entities[k].entity.len) != 0))
            k++;
        buf_append_char(out, k < COUNT(entities) ? entities[k].c : text.data[i]);
        i += k < COUNT(entities) ? entities[k].entity.len : 1;
    }
}

bool s3_list_read(struct bytes xml, struct bytes before, const char *suffix, struct buf *names,
                  struct buf *next)
{
    struct bytes whole = xml, key, text;
    if (!memmem(xml.data, xml.len, "<ListBucketResult", strlen("<ListBucketResult")))
        return false;
    while (next_element(&xml, "<Key>", "</Key>", &key)) {
        if (key.len < before.len || memcmp(key.data, before.data, before.len) != 0)
            continue;
        struct bytes name = { key.data + before.len, key.len - before.len };
        if (!store_is_name(name, suffix))
            continue;
        buf_append_bytes(names, name);
        buf_append_char(names, '\n');
    }
    xml = whole;
    if (!next_element(&xml, "<IsTruncated>", "</IsTruncated>", &text) || !bytes_is(text, "true"))
        return true;
    xml = whole;
    if (!next_element(&xml, "<NextContinuationToken>", "</NextContinuationToken>", &text) ||
        text.len == 0)
        return false; /* there is more, and nobody says where */
    append_unescaped(next, text);
    return true;
}
