#include "answer.h"

#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/clock.h"
#include "base/jread.h"
#include "base/timefmt.h"

#define NAME_MAX_BYTES  64
#define VALUE_MAX_BYTES ((size_t)64 * 1024) /* of one credential: tokens run to some KB */

void credentials_release(struct credentials *c)
{
    free(c->access_key);
    free(c->secret_key);
    free(c->session_token);
    *c = (struct credentials){ 0 };
}

/* ---- XML ---------------------------------------------------------------------------------------
 */

static const char *find(struct bytes in, const char *what)
{
    return memmem(in.data, in.len, what, strlen(what));
}

static void append_unescaped(struct buf *out, struct bytes text)
{
    static const struct {
        const char *entity;
        char c;
    } entities[] = {
        { "&amp;", '&' }, { "&lt;", '<' }, { "&gt;", '>' }, { "&quot;", '"' }, { "&apos;", '\'' },
    };
    while (text.len) {
        size_t used = 1;
        char c = *text.data;
        for (size_t i = 0; c == '&' && i < COUNT(entities); i++) {
            size_t len = strlen(entities[i].entity);
            if (text.len >= len && memcmp(text.data, entities[i].entity, len) == 0) {
                c = entities[i].c;
                used = len;
                break;
            }
        }
        buf_append_char(out, c);
        text.data += used;
        text.len -= used;
    }
}

static struct bytes trimmed(struct bytes text)
{
    while (text.len && strchr(" \t\r\n", text.data[0])) {
        text.data++;
        text.len--;
    }
    while (text.len && strchr(" \t\r\n", text.data[text.len - 1]))
        text.len--;
    return text;
}

bool answer_element(struct bytes xml, const char *name, struct buf *out)
{
    char open[NAME_MAX_BYTES + 3] = "<", close[NAME_MAX_BYTES + 4] = "</";
    size_t len = strnlen(name, NAME_MAX_BYTES);
    memcpy(open + 1, name, len);
    memcpy(close + 2, name, len);
    open[len + 1] = close[len + 2] = '>';
    const char *at = find(xml, open);
    if (!at)
        return false;
    at += len + 2;
    struct bytes rest = { at, xml.len - (size_t)(at - xml.data) };
    const char *end = find(rest, close);
    if (!end)
        return false;
    append_unescaped(out, trimmed((struct bytes){ at, (size_t)(end - at) }));
    return true;
}

/* ---- errors ------------------------------------------------------------------------------------
 */

static bool is_json(struct bytes body)
{
    body = trimmed(body);
    return body.len && *body.data == '{';
}

/* The first text among these members; NULL: none. */
static const char *first_text(struct json_object *document, const char *const *keys)
{
    const char *text = NULL;
    for (; *keys && !jread_text(document, *keys, &text); keys++)
        text = NULL;
    return text;
}

static void append_member(struct bytes body, const char *const *keys, struct buf *out)
{
    struct error ignored;
    struct json_object *document = jread_parse(body, &ignored);
    const char *text = first_text(document, keys);
    if (text)
        buf_append_text(out, text);
    jread_release(document);
}

/* JSON has "com.amazonaws.ssm#ParameterNotFound", some services "Name:http://...". */
static void keep_code(const char *text, char *out, size_t out_bytes)
{
    const char *hash = strrchr(text, '#');
    const char *name = hash ? hash + 1 : text;
    size_t len = strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-");
    if (len >= out_bytes)
        len = out_bytes - 1;
    memcpy(out, name, len);
    out[len] = '\0';
}

void answer_code(struct bytes body, char *out, size_t out_bytes)
{
    static const char *const keys[] = { "__type", "code", "Code", NULL };
    struct buf text = BUF_INIT(1024);
    if (is_json(body))
        append_member(body, keys, &text);
    else if (!answer_element(body, "Code", &text))
        buf_reset(&text);
    keep_code(buf_text(&text), out, out_bytes);
    buf_release(&text);
}

void answer_message(struct bytes body, struct buf *out)
{
    static const char *const keys[] = { "message", "Message", NULL };
    if (is_json(body))
        append_member(body, keys, out);
    else
        answer_element(body, "Message", out);
}

/* ---- credentials -------------------------------------------------------------------------------
 */

static bool fits_header(const char *text)
{
    size_t len = strnlen(text, VALUE_MAX_BYTES + 1);
    for (size_t i = 0; i < len; i++) {
        if (text[i] <= 0x20 || text[i] == 0x7f)
            return false;
    }
    return len > 0 && len <= VALUE_MAX_BYTES;
}

bool credentials_printable(const struct credentials *c)
{
    return fits_header(c->access_key) && fits_header(c->secret_key) &&
           (!c->session_token || fits_header(c->session_token));
}

static int check(struct credentials *c, bool expiry_read, struct error *err)
{
    const char *problem = NULL;
    if (!c->access_key || !c->secret_key)
        problem = "no access key and secret key in the answer";
    else if (!credentials_printable(c))
        problem = "the credentials in the answer are not printable text";
    else if (!expiry_read)
        problem = "the credentials' Expiration is not a time";
    if (!problem)
        return 0;
    credentials_release(c);
    return error_set(err, ERR_INPUT, "%s", problem);
}

static bool read_expiry(const char *text, int64_t *expires_unix_ns)
{
    *expires_unix_ns = TIME_FOREVER;
    return !text || !*text || timefmt_parse_rfc3339(bytes_of(text), expires_unix_ns);
}

static char *copy_of(const char *text)
{
    return text && *text ? xstrdup(text) : NULL;
}

int answer_credentials_json(struct bytes body, struct credentials *out, struct error *err)
{
    struct json_object *document = jread_parse(body, err);
    const char *access_key = NULL, *secret_key = NULL, *token = NULL, *expires = NULL;
    *out = (struct credentials){ 0 };
    if (!document)
        return -1;
    jread_text(document, "AccessKeyId", &access_key);
    jread_text(document, "SecretAccessKey", &secret_key);
    jread_text(document, "Token", &token);
    jread_text(document, "Expiration", &expires);
    out->access_key = copy_of(access_key);
    out->secret_key = copy_of(secret_key);
    out->session_token = copy_of(token);
    bool read = read_expiry(expires, &out->expires_unix_ns);
    jread_release(document);
    return check(out, read, err);
}

static char *element_copy(struct bytes xml, const char *name)
{
    struct buf text = BUF_INIT(VALUE_MAX_BYTES);
    char *copy = NULL;
    if (answer_element(xml, name, &text) && !text.full && strlen(buf_text(&text)) == text.len)
        copy = copy_of(buf_text(&text));
    buf_release(&text);
    return copy;
}

int answer_credentials_xml(struct bytes body, struct credentials *out, struct error *err)
{
    char *expires = element_copy(body, "Expiration");
    *out = (struct credentials){ .access_key = element_copy(body, "AccessKeyId"),
                                 .secret_key = element_copy(body, "SecretAccessKey"),
                                 .session_token = element_copy(body, "SessionToken") };
    bool read = read_expiry(expires, &out->expires_unix_ns);
    free(expires);
    return check(out, read, err);
}

/* ---- secrets -----------------------------------------------------------------------------------
 */

int answer_secret(struct bytes body, struct buf *out, struct error *err)
{
    struct json_object *document = jread_parse(body, err);
    struct bytes text;
    int rc = 0;
    if (!document)
        return -1;
    if (jread_is_text(jread_member(document, "SecretString"), &text))
        buf_append_bytes(out, text);
    else if (!jread_is_text(jread_member(document, "SecretBinary"), &text))
        rc = error_set(err, ERR_INPUT, "neither SecretString nor SecretBinary is in it");
    else if (!base64_decode(out, text))
        rc = error_set(err, ERR_INPUT, "its SecretBinary is not base64");
    jread_release(document);
    return rc;
}

int answer_parameter(struct bytes body, struct buf *out, struct error *err)
{
    struct json_object *document = jread_parse(body, err);
    struct bytes text;
    int rc = 0;
    if (!document)
        return -1;
    if (jread_is_text(jread_member(jread_member(document, "Parameter"), "Value"), &text))
        buf_append_bytes(out, text);
    else
        rc = error_set(err, ERR_INPUT, "no Parameter.Value is in it");
    jread_release(document);
    return rc;
}
