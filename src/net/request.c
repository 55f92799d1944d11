#include "request.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/timefmt.h"

struct pair *pairs_add(struct pairs *list, const char *key, const char *value)
{
    list->items = xreallocarray(list->items, list->count + 1, sizeof(*list->items));
    struct pair *added = &list->items[list->count++];
    *added = (struct pair){ xstrdup(key), xstrdup(value) };
    return added;
}

void pairs_release(struct pairs *list)
{
    for (size_t i = 0; i < list->count; i++) {
        free(list->items[i].key);
        free(list->items[i].value);
    }
    free(list->items);
    *list = (struct pairs){ 0 };
}

static bool is_unreserved(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("-._~", c));
}

static void append_encoded(struct buf *out, struct bytes text)
{
    static const char hex[] = "0123456789ABCDEF";
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if (is_unreserved((char)c))
            buf_append(out, &c, 1);
        else
            buf_append(out, (char[]){ '%', hex[c >> 4], hex[c & 0x0f] }, 3);
    }
}

void request_path(struct request *r, const char *segment)
{
    buf_append_char(&r->url, '/');
    append_encoded(&r->url, bytes_of(segment));
}

void request_query(struct request *r, const char *key, struct bytes value)
{
    buf_append_char(&r->url, strchr(buf_text(&r->url), '?') ? '&' : '?');
    buf_append_text(&r->url, key);
    buf_append_char(&r->url, '=');
    append_encoded(&r->url, value);
}

void request_query_time(struct request *r, const char *key, int64_t unix_ns)
{
    char date[TIMEFMT_MAX];
    timefmt_rfc3339(unix_ns, 3, date);
    request_query(r, key, bytes_of(date));
}

void request_header(struct request *r, const char *key, const char *value)
{
    pairs_add(&r->headers, key, value);
}

void request_reset(struct request *r)
{
    struct buf url = r->url;
    pairs_release(&r->headers);
    *r = (struct request){ .url = url };
    buf_reset(&r->url);
}

void request_release(struct request *r)
{
    buf_release(&r->url);
    pairs_release(&r->headers);
}

void reply_release(struct reply *r)
{
    buf_release(&r->body);
    pairs_release(&r->headers);
}

const char *reply_header(const struct reply *r, const char *name)
{
    for (size_t i = r->headers.count; i > 0; i--) { /* of a repeated one, the last */
        if (strcmp(r->headers.items[i - 1].key, name) == 0)
            return r->headers.items[i - 1].value;
    }
    return NULL;
}

/* A part of a URL, or NULL; the caller frees it with curl_free(). */
static char *url_part(CURLU *url, CURLUPart part, unsigned flags)
{
    char *text = NULL;
    return url && curl_url_get(url, part, &text, flags) == CURLUE_OK ? text : NULL;
}

/* A URL read by libcurl, which is also what will be spoken to; NULL: not a usable one. */
static CURLU *url_read(const char *text)
{
    CURLU *url = curl_url();
    char *scheme = NULL;
    bool good = url && curl_url_set(url, CURLUPART_URL, text, 0) == CURLUE_OK;
    if (good) {
        scheme = url_part(url, CURLUPART_SCHEME, 0);
        good = scheme && (strcmp(scheme, "http") == 0 || strcmp(scheme, "https") == 0);
    }
    curl_free(scheme);
    if (!good) {
        curl_url_cleanup(url);
        return NULL;
    }
    return url;
}

void url_for_show(const char *text, struct buf *out)
{
    static const CURLUPart hidden[] = { CURLUPART_USER, CURLUPART_PASSWORD, CURLUPART_OPTIONS,
                                        CURLUPART_QUERY, CURLUPART_FRAGMENT };
    CURLU *url = url_read(text);
    for (size_t i = 0; url && i < COUNT(hidden); i++)
        curl_url_set(url, hidden[i], NULL, 0);
    char *shown = url_part(url, CURLUPART_URL, 0);
    buf_append_text(out, shown ? shown : "(not a URL)");
    curl_free(shown);
    curl_url_cleanup(url);
}

static bool same_part(CURLU *a, CURLU *b, CURLUPart part)
{
    char *of_a = url_part(a, part, CURLU_DEFAULT_PORT);
    char *of_b = url_part(b, part, CURLU_DEFAULT_PORT);
    bool same = of_a && of_b && strcasecmp(of_a, of_b) == 0;
    curl_free(of_a);
    curl_free(of_b);
    return same;
}

bool url_same_origin(const char *a, const char *b)
{
    CURLU *url_a = url_read(a), *url_b = url_read(b);
    bool same = same_part(url_a, url_b, CURLUPART_SCHEME) &&
                same_part(url_a, url_b, CURLUPART_HOST) && same_part(url_a, url_b, CURLUPART_PORT);
    curl_url_cleanup(url_a);
    curl_url_cleanup(url_b);
    return same;
}

bool url_resolve(const char *base, const char *location, struct buf *out)
{
    CURLU *url = url_read(base);
    CURLU *target = NULL;
    char *text = NULL;
    if (url && curl_url_set(url, CURLUPART_URL, location, 0) == CURLUE_OK)
        text = url_part(url, CURLUPART_URL, 0);
    if (text)
        target = url_read(text); /* it may have left http */
    if (target)
        buf_append_text(out, text);
    bool good = target && !out->full;
    curl_free(text);
    curl_url_cleanup(target);
    curl_url_cleanup(url);
    return good;
}

void request_for_show(const struct request *r, struct buf *out)
{
    if (r->shown_as)
        buf_append_text(out, r->shown_as);
    else
        url_for_show(buf_text(&r->url), out);
}
