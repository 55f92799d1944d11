/* writer.c -- texts as JSON. What came from elsewhere may be anything: the output is always valid
 * JSON in valid UTF-8. */
#include "otlp.h"

#include <string.h>

#include "utf8.h"

void otlp_put_text(struct otlp_sink out, const char *text)
{
    out.put(out.to, text, strlen(text));
}

static void put_escape(struct otlp_sink out, char c)
{
    static const char hex[] = "0123456789abcdef";
    static const char plain[] = "\"\\\b\f\n\r\t", letters[] = "\"\\bfnrt";
    const char *at = c ? strchr(plain, c) : NULL;
    if (at) {
        out.put(out.to, (char[]){ '\\', letters[at - plain] }, 2);
        return;
    }
    char escape[] = "\\u00xx";
    escape[4] = hex[(unsigned char)c >> 4];
    escape[5] = hex[c & 0x0f];
    out.put(out.to, escape, sizeof(escape) - 1);
}

void otlp_put_string(struct otlp_sink out, const char *text, size_t len)
{
    const char *p = text, *plain = text, *end = text + len;
    otlp_put_text(out, "\"");
    while (p < end) {
        size_t step = 1;
        bool keep = (unsigned char)*p >= 0x20 && *p != '"' && *p != '\\';
        if (*p & 0x80) {
            step = utf8_sequence((const unsigned char *)p, (size_t)(end - p));
            keep = step != 0;
        }
        if (keep) {
            p += step;
            continue;
        }
        if (p > plain)
            out.put(out.to, plain, (size_t)(p - plain));
        if (*p & 0x80)
            otlp_put_text(out, UTF8_REPLACEMENT);
        else
            put_escape(out, *p);
        plain = ++p;
    }
    if (p > plain)
        out.put(out.to, plain, (size_t)(p - plain));
    otlp_put_text(out, "\"");
}

void otlp_put_attribute(struct otlp_sink out, const char *key, const char *value)
{
    otlp_put_text(out, "{\"key\":");
    otlp_put_string(out, key, strlen(key));
    otlp_put_text(out, ",\"value\":{\"stringValue\":");
    otlp_put_string(out, value, strlen(value));
    otlp_put_text(out, "}}");
}
