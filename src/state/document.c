#include "document.h"

#include <stdio.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

/* The frame is fixed text, so that the checksum covers exact bytes:
 *   {"otlpull":1,"checksum":"0123456789abcdef","document":BODY}\n */
#define HEAD       "{\"otlpull\":"
#define VERSION    "1"
#define CHECKSUM   ",\"checksum\":\""
#define DOCUMENT   "\",\"document\":"
#define TAIL       "}\n"
#define SUM_DIGITS 16

static void checksum_of(struct bytes body, char out[SUM_DIGITS + 1])
{
    snprintf(out, SUM_DIGITS + 1, "%016llx", (unsigned long long)XXH3_64bits(body.data, body.len));
}

static bool take(struct bytes *at, const char *text)
{
    size_t len = strlen(text);
    if (at->len < len || memcmp(at->data, text, len) != 0)
        return false;
    at->data += len;
    at->len -= len;
    return true;
}

bool document_open(struct bytes whole, struct bytes *body, const char **why)
{
    struct bytes at = whole;
    *why = "damaged";
    if (!take(&at, HEAD))
        return false;
    if (!take(&at, VERSION)) {
        *why = "written by another version of otlpull";
        return false;
    }
    if (at.len > 0 && *at.data >= '0' && *at.data <= '9') {
        *why = "written by a newer version of otlpull";
        return false;
    }
    if (!take(&at, CHECKSUM) || at.len < SUM_DIGITS)
        return false;
    const char *sum = at.data;
    at.data += SUM_DIGITS;
    at.len -= SUM_DIGITS;
    if (!take(&at, DOCUMENT) || at.len < strlen(TAIL) ||
        memcmp(at.data + at.len - strlen(TAIL), TAIL, strlen(TAIL)) != 0)
        return false;
    at.len -= strlen(TAIL);
    char expected[SUM_DIGITS + 1];
    checksum_of(at, expected);
    if (memcmp(sum, expected, SUM_DIGITS) != 0)
        return false;
    *body = at;
    return true;
}

int document_get(struct store *store, const char *name, struct json_object **out,
                 struct store_version *version, struct error *err)
{
    struct buf whole = BUF_INIT(STORE_DOCUMENT_MAX);
    struct bytes body;
    const char *why;
    int rc = -1;
    *out = NULL;
    if (store->get(store, name, &whole, version, err))
        goto out;
    if (version->parts[2] == 0) { /* there is none */
        rc = 0;
        goto out;
    }
    if (!document_open(buf_bytes(&whole), &body, &why)) {
        error_set(err, ERR_STATE,
                  "state %s/%s: %s: put a good copy back, or remove it to begin anew", store->where,
                  name, why);
        goto out;
    }
    *out = jread_parse(body, err);
    if (!*out) {
        err->kind = ERR_STATE;
        error_within(err, "state %s/%s", store->where, name);
        goto out;
    }
    rc = 0;
out:
    buf_release(&whole);
    return rc;
}

void document_begin(struct buf *whole)
{
    buf_append_text(whole, HEAD VERSION CHECKSUM);
    buf_printf(whole, "%0*d", SUM_DIGITS, 0);
    buf_append_text(whole, DOCUMENT);
}

int document_put(struct store *store, const char *name, struct buf *whole,
                 struct store_version *version, struct error *err)
{
    const size_t sum_at = strlen(HEAD VERSION CHECKSUM);
    const size_t body_at = sum_at + SUM_DIGITS + strlen(DOCUMENT);
    char sum[SUM_DIGITS + 1];
    size_t end = whole->len;
    buf_append_text(whole, TAIL);
    if (whole->full)
        return error_set(err, ERR_STATE, "state %s/%s: over %zu bytes", store->where, name,
                         whole->max);
    checksum_of((struct bytes){ whole->data + body_at, end - body_at }, sum);
    memcpy(whole->data + sum_at, sum, SUM_DIGITS);
    return store->put(store, name, buf_bytes(whole), version, err);
}
