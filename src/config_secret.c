#include "config_secret.h"

#include <string.h>

#include "base/jread.h"

#define STAND_IN_MAX ((size_t)63) /* as a label of a host's name may have */

struct secret_fetched {
    enum secret_kind kind;
    const char *name;
    struct bytes value;
    int rc; /* what fetch_secret returned */
    struct error err;
    struct secret_fetched *next;
};

static const char *const words[] = {
    [SECRET_AWS_SECRET] = "aws-secret",
    [SECRET_AWS_PARAMETER] = "aws-param",
};

static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

static bool is_name(struct bytes name)
{
    for (size_t i = 0; i < name.len; i++) {
        char c = name.data[i];
        if (!c || (!strchr(letters, c) && !strchr("/_+=.@!:-", c)))
            return false;
    }
    return name.len > 0 && name.len <= SECRET_NAME_MAX;
}

static void stand_in(struct subst *s, enum secret_kind kind, struct bytes body, struct buf *out)
{
    char text[STAND_IN_MAX + 1];
    size_t len = strlen(words[kind]);
    memcpy(text, words[kind], len);
    for (size_t i = 0; i < body.len && len < STAND_IN_MAX; i++) {
        bool plain = body.data[i] && strchr(letters, body.data[i]);
        if (plain && (i == 0 || !strchr(letters, body.data[i - 1])))
            text[len++] = '-';
        if (plain && len < STAND_IN_MAX)
            text[len++] = body.data[i];
    }
    buf_append(out, text, len);
    s->stands_in = true;
}

/* Ask for it; NULL with an error: there are too many. */
static struct secret_fetched *fetch(struct subst *s, enum secret_kind kind, struct bytes name,
                                    struct error *err)
{
    const struct config_input *in = s->in;
    struct buf value = BUF_INIT(SECRET_BYTES_MAX);
    if (s->fetched_count == SECRETS_MAX) {
        error_set(err, ERR_CONFIG,
                  "more than %d secrets and parameters; one secret may hold many, "
                  "${aws-secret:NAME#json_key}",
                  SECRETS_MAX);
        return NULL;
    }
    struct secret_fetched *f = arena_alloc(s->arena, 1, sizeof(*f));
    f->kind = kind;
    f->name = arena_strndup(s->arena, name.data, name.len);
    f->rc = in->fetch_secret(in->secrets, kind, f->name, &value, &f->err);
    if (f->rc == 0 && value.full)
        f->rc = error_set(&f->err, ERR_CONFIG, "%s %.100s is larger than 1MiB", words[kind],
                          f->name);
    f->value = (struct bytes){ arena_strndup(s->arena, buf_text(&value), value.len), value.len };
    f->next = s->fetched;
    s->fetched = f;
    s->fetched_count++;
    buf_release(&value);
    return f;
}

static struct secret_fetched *have(struct subst *s, enum secret_kind kind, struct bytes name,
                                   struct error *err)
{
    for (struct secret_fetched *f = s->fetched; f; f = f->next) {
        if (f->kind == kind && bytes_is(name, f->name))
            return f;
    }
    return fetch(s, kind, name, err);
}

static void append_line(struct buf *out, struct bytes text)
{
    if (text.len && text.data[text.len - 1] == '\n')
        text.len--;
    buf_append_bytes(out, text);
}

/* A member of the JSON object that a secret often is. */
static int append_member(const struct secret_fetched *f, const char *key, struct buf *out,
                         struct error *err)
{
    struct error why;
    struct json_object *object = jread_parse(f->value, &why);
    struct bytes text;
    int64_t number;
    int rc = 0;
    if (jread_is_text(jread_member(object, key), &text))
        append_line(out, text);
    else if (jread_int(object, key, &number))
        buf_printf(out, "%lld", (long long)number);
    else if (!object)
        rc = error_set(err, ERR_CONFIG,
                       "AWS secret %.100s is not a JSON object, so that #%.60s picks nothing",
                       f->name, key);
    else
        rc = error_set(err, ERR_CONFIG, "AWS secret %.100s has %s under the key %.60s", f->name,
                       jread_has(object, key) ? "no text" : "nothing", key);
    jread_release(object);
    return rc;
}

int secret_expand(struct subst *s, enum secret_kind kind, struct bytes body, struct buf *out,
                  struct error *err)
{
    const char *hash = kind == SECRET_AWS_SECRET ? memchr(body.data, '#', body.len) : NULL;
    struct bytes name = { body.data, hash ? (size_t)(hash - body.data) : body.len };
    struct bytes key = { hash ? hash + 1 : "", hash ? body.len - name.len - 1 : 0 };
    if (!is_name(name) || (hash && key.len == 0))
        return error_set(err, ERR_CONFIG, "bad ${%s:...}; takes %s", words[kind],
                         kind == SECRET_AWS_SECRET
                             ? "${aws-secret:NAME} or ${aws-secret:NAME#json_key}"
                             : "${aws-param:NAME}");
    if (!s->in->fetch_secret) {
        stand_in(s, kind, body, out);
        return 0;
    }
    const struct secret_fetched *f = have(s, kind, name, err);
    if (!f)
        return -1;
    if (f->rc) {
        *err = f->err;
        return -1;
    }
    if (hash)
        return append_member(f, arena_strndup(s->arena, key.data, key.len), out, err);
    append_line(out, f->value);
    return 0;
}
