#include "config_subst.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "config_secret.h"
#include "otlp/utf8.h"

#define VARIABLE_NAME_MAX ((size_t)128)

int subst_read_file(const char *path, struct buf *out, struct error *err)
{
    char chunk[16384];
    ssize_t got;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return error_set(err, ERR_CONFIG, "%s: %s", path, strerror(errno));
    do {
        got = read(fd, chunk, sizeof(chunk));
        if (got > 0)
            buf_append(out, chunk, (size_t)got);
    } while ((got > 0 && !out->full) || (got < 0 && errno == EINTR));
    int failed = got < 0 ? errno : 0;
    close(fd);
    if (failed)
        return error_set(err, ERR_CONFIG, "%s: %s", path, strerror(failed));
    if (out->full)
        return error_set(err, ERR_CONFIG, "%s: larger than 1MiB", path);
    return 0;
}

static bool is_variable_name(struct bytes name)
{
    for (size_t i = 0; i < name.len; i++) {
        char c = name.data[i];
        bool letter = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';
        if (!letter && (i == 0 || c < '0' || c > '9'))
            return false;
    }
    return name.len > 0 && name.len <= VARIABLE_NAME_MAX;
}

/* NAME or NAME:-default */
static int expand_variable(struct subst *s, struct bytes body, struct buf *out, struct error *err)
{
    const char *dash = memmem(body.data, body.len, ":-", 2);
    struct bytes name = { body.data, dash ? (size_t)(dash - body.data) : body.len };
    char text[VARIABLE_NAME_MAX + 1];
    if (!is_variable_name(name))
        return error_set(err, ERR_CONFIG,
                         "bad ${...}; takes ${env:NAME}, with letters, digits and _ in NAME");
    memcpy(text, name.data, name.len);
    text[name.len] = '\0';
    const char *value = s->in->getenv(s->in->self, text);
    if (value)
        buf_append_text(out, value);
    else if (dash)
        buf_append(out, dash + 2, body.len - name.len - 2);
    else
        return error_set(err, ERR_CONFIG, "the environment variable %s is not set", text);
    return 0;
}

/* Append a file but for one newline at its end. */
static int expand_file(const char *path, struct buf *out, struct error *err)
{
    struct buf content = BUF_INIT(TEXT_BYTES_MAX);
    int rc = subst_read_file(path, &content, err);
    if (rc == 0) {
        struct bytes text = buf_bytes(&content);
        if (text.len && text.data[text.len - 1] == '\n')
            text.len--;
        buf_append_bytes(out, text);
    }
    buf_release(&content);
    return rc;
}

static int expand_path(struct bytes body, struct buf *out, struct error *err)
{
    char path[PATH_MAX];
    if (body.len == 0 || body.len >= sizeof(path))
        return error_set(err, ERR_CONFIG, "bad ${file:...}; takes ${file:/path}");
    memcpy(path, body.data, body.len);
    path[body.len] = '\0';
    return expand_file(path, out, err);
}

static int expand_credential(struct subst *s, struct bytes body, struct buf *out, struct error *err)
{
    const char *folder = s->in->getenv(s->in->self, "CREDENTIALS_DIRECTORY");
    struct buf path = BUF_INIT(PATH_MAX - 1);
    int rc = -1;
    if (body.len == 0 || body.data[0] == '.' || memchr(body.data, '/', body.len)) {
        error_set(err, ERR_CONFIG, "bad ${credential:...}; takes a name without slash");
        goto out;
    }
    if (!folder || !*folder) {
        error_set(err, ERR_CONFIG,
                  "${credential:...} needs CREDENTIALS_DIRECTORY, which systemd sets for "
                  "LoadCredential=; by hand it is the folder of these files");
        goto out;
    }
    buf_printf(&path, "%s/", folder);
    buf_append_bytes(&path, body);
    if (path.full)
        error_set(err, ERR_CONFIG, "bad ${credential:...}; its path is too long");
    else
        rc = expand_file(buf_text(&path), out, err);
out:
    buf_release(&path);
    return rc;
}

/* What stands between ${ and }. */
static int expand_body(struct subst *s, struct bytes body, struct buf *out, struct error *err)
{
    const char *colon = memchr(body.data, ':', body.len);
    size_t scheme_len = colon ? (size_t)(colon - body.data) : 0;
    struct bytes scheme = { body.data, scheme_len };
    if (!colon || (scheme_len + 1 < body.len && colon[1] == '-'))
        return expand_variable(s, body, out, err);
    struct bytes rest = { colon + 1, body.len - scheme_len - 1 };
    if (bytes_is(scheme, "env"))
        return expand_variable(s, rest, out, err);
    if (bytes_is(scheme, "file"))
        return expand_path(rest, out, err);
    if (bytes_is(scheme, "credential"))
        return expand_credential(s, rest, out, err);
    if (bytes_is(scheme, "aws-secret"))
        return secret_expand(s, SECRET_AWS_SECRET, rest, out, err);
    if (bytes_is(scheme, "aws-param"))
        return secret_expand(s, SECRET_AWS_PARAMETER, rest, out, err);
    return error_set(err, ERR_CONFIG,
                     "unknown kind of ${...}; takes ${env:NAME}, ${env:NAME:-default}, "
                     "${file:/path}, ${credential:NAME}, ${aws-secret:NAME}, "
                     "${aws-secret:NAME#json_key}, ${aws-param:NAME}, and $$ for a dollar");
}

static int too_much(struct error *err)
{
    return error_set(err, ERR_CONFIG, "all ${...} together give more than 16MiB");
}

int subst_expand(struct subst *s, const char *written, struct buf *out, struct error *err)
{
    size_t start = out->len;
    const char *at = written;
    if (s->bytes > SUBST_BYTES_MAX)
        return too_much(err);
    while (*at) {
        size_t plain = strcspn(at, "$");
        buf_append(out, at, plain);
        at += plain;
        if (*at != '$')
            break;
        if (at[1] != '{') {
            buf_append_char(out, '$');
            at += at[1] == '$' ? 2 : 1;
            continue;
        }
        struct bytes body = { at + 2, strcspn(at + 2, "}") };
        if (!body.data[body.len])
            return error_set(err, ERR_CONFIG, "${ without }; $$ is a dollar");
        if (memmem(body.data, body.len, "${", 2))
            return error_set(err, ERR_CONFIG, "${...} inside ${...} is not supported");
        if (expand_body(s, body, out, err))
            return -1;
        at = body.data + body.len + 1;
    }
    s->bytes += out->len - start;
    if (out->full)
        return error_set(err, ERR_CONFIG, "larger than 1MiB with its ${...} replaced");
    if (s->bytes > SUBST_BYTES_MAX)
        return too_much(err);
    return 0;
}

const char *subst_text_problem(const char *text, size_t len)
{
    const unsigned char *at = (const unsigned char *)text;
    for (size_t left = len; left > 0;) {
        size_t length = *at < 0x80 ? 1 : utf8_sequence(at, left);
        if (length == 0)
            return "bytes that are not UTF-8, takes UTF-8";
        if (*at == '\n' || *at == '\r')
            return "a line break, takes one line";
        if ((*at < 0x20 && *at != '\t') || *at == 0x7f)
            return "a control character, takes none";
        at += length;
        left -= length;
    }
    return NULL;
}
