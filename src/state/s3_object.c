#include "s3_object.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/s3_path.h"
#include "base/timefmt.h"
#include "net/http.h"
#include "state/s3_list.h"

/* After SIGTERM the last notes of a run, a few calls, must fit into two seconds; and what begins
 * past the store's deadline, which has left time for them, is tried for no longer. */
#define GRACE_NS   (500 * NS_PER_MS)
#define PAGES_MAX  1000
#define SELF_TEST  "self-test.json"
#define PATH_BYTES 1400 /* bytes: a bucket's name, and a key of at most 1024, with room */

static const char *from_environment(void *self, const char *name)
{
    (void)self;
    return getenv(name);
}

int s3_bucket_open(struct s3_bucket *b, const char *path, bool writable, const struct store *store,
                   struct clock *clk, struct error *err)
{
    const struct aws_options options = {
        .clk = clk, .getenv = from_environment, .stop_grace_ns = GRACE_NS, .given_up = ERR_STATE
    };
    struct s3_path parts;
    struct buf base = BUF_INIT(PATH_BYTES);
    *b = (struct s3_bucket){ .clk = clk,
                             .deadline_mono_ns = &store->deadline_mono_ns,
                             .writable = writable };
    const char *problem = s3_path_parse(path, &parts);
    if (problem)
        return error_set(err, ERR_CONFIG, "state %s: takes %s", path, problem);
    b->aws = aws_create(&options, err);
    if (!b->aws)
        return error_within(err, "state %s", path);
    b->where = xstrndup(path, (size_t)(parts.prefix.len ? parts.prefix.data + parts.prefix.len
                                                        : parts.bucket.data + parts.bucket.len) -
                                  (size_t)path);
    buf_printf(&base, "/%.*s/", (int)parts.bucket.len, parts.bucket.data);
    b->key_at = base.len;
    if (parts.prefix.len)
        buf_printf(&base, "%.*s/", (int)parts.prefix.len, parts.prefix.data);
    b->base = xstrdup(buf_text(&base));
    buf_release(&base);
    return 0;
}

void s3_bucket_close(struct s3_bucket *b)
{
    aws_destroy(b->aws);
    free(b->where);
    free(b->base);
    *b = (struct s3_bucket){ 0 };
}

/* ---- words -------------------------------------------------------------------------------------
 */

static int within(const struct s3_bucket *b, const char *name, struct error *err)
{
    return error_within(err, "state %s/%s", b->where, name);
}

static int no_bucket(const struct s3_bucket *b, struct error *err)
{
    struct buf endpoint = BUF_INIT(ERROR_TEXT_BYTES / 2);
    aws_endpoint(b->aws, AWS_S3, &endpoint);
    error_set(err, ERR_CONFIG,
              "state %s: there is no such bucket at %s (NoSuchBucket): create it in region %s, or "
              "mend state.path",
              b->where, buf_text(&endpoint), aws_region(b->aws));
    buf_release(&endpoint);
    return -1;
}

static bool is_code(const struct aws_answer *answer, const char *code)
{
    return strcmp(answer->code, code) == 0;
}

static int conditions_ignored(const struct s3_bucket *b, const char *how, struct error *err)
{
    return error_set(err, ERR_CONFIG,
                     "state %s: this store %s: two runs at once could undo each other's work; use "
                     "one with conditional writes (If-None-Match, If-Match)",
                     b->where, how);
}

/* Behind what was denied, what to allow. */
static int needs(struct error *err, const char *rights)
{
    struct error why = *err;
    return error_set(err, why.kind, "%.340s: it needs %s", why.text, rights);
}

/* What failed on the way, or has an answer that no rule of ours knows. */
static int explain(const struct s3_bucket *b, const char *name, const struct aws_answer *answer,
                   int rc, struct error *err)
{
    if (is_code(answer, "NoSuchBucket"))
        return no_bucket(b, err);
    if (is_code(answer, "NotImplemented"))
        return conditions_ignored(b, "does not know conditional writes (NotImplemented)", err);
    if (rc == 0)
        aws_unexpected(answer, ERR_STATE, err);
    return within(b, name, err);
}

/* ---- one call ----------------------------------------------------------------------------------
 */

static int64_t call_until(const struct s3_bucket *b)
{
    int64_t grace = time_add(clock_mono_ns(b->clk), GRACE_NS);
    if (!*b->deadline_mono_ns)
        return TIME_FOREVER;
    return *b->deadline_mono_ns > grace ? *b->deadline_mono_ns : grace;
}

/* A deadline that comes first is no good end here: nothing is known of the state then. */
static int call(struct s3_bucket *b, const struct aws_request *request, struct aws_answer *answer,
                struct error *err)
{
    int rc = aws_call(b->aws, request, answer, call_until(b), err);
    if (rc && err->kind == ERR_DEADLINE)
        err->kind = ERR_STATE;
    return rc;
}

static int call_object(struct s3_bucket *b, struct aws_request *request, const char *name,
                       struct aws_answer *answer, struct error *err)
{
    char path[PATH_BYTES + 256];
    snprintf(path, sizeof(path), "%s%s", b->base, name);
    request->service = AWS_S3;
    request->path = path;
    int rc = call(b, request, answer, err);
    request->path = NULL;
    return rc;
}

static bool is_success(const struct aws_answer *answer)
{
    return answer->reply.status >= 200 && answer->reply.status < 300;
}

static void take_object(struct s3_object *out, struct aws_answer *answer)
{
    struct buf content = out->content;
    out->content = answer->reply.body; /* it may be large: moved, not copied */
    answer->reply.body = content;
    snprintf(out->etag, sizeof(out->etag), "%s", answer->reply.etag);
    out->date_unix_ns = answer->reply.date_unix_ns;
}

static void no_object(struct s3_object *out, const struct aws_answer *answer)
{
    buf_reset(&out->content);
    out->etag[0] = '\0';
    out->date_unix_ns = answer->reply.date_unix_ns;
}

/* Whether something of the prefix may be read: what s3_self_test() leaves there. */
static bool may_read(struct s3_bucket *b)
{
    struct aws_request request = { .method = "GET" };
    struct aws_answer answer = { 0 };
    struct error ignored = { 0 };
    for (int i = 0; i < 2 && !b->readable; i++) {
        if (i == 1 && (!b->writable || s3_self_test(b, &ignored)))
            break;
        if (call_object(b, &request, SELF_TEST, &answer, &ignored) == 0 && is_success(&answer))
            b->readable = true;
        else if (answer.reply.status != 403 && answer.reply.status != 404)
            break;
    }
    aws_answer_release(&answer);
    return b->readable;
}

static int get_answered(struct s3_bucket *b, const char *name, struct aws_answer *answer, int rc,
                        struct s3_object *out, struct error *err)
{
    int status = answer->reply.status;
    if (rc == 0 && status == 200) {
        if (!answer->reply.etag[0]) {
            error_set(err, ERR_STATE, "the answer has no ETag");
            return within(b, name, err);
        }
        b->readable = true;
        take_object(out, answer);
        return 0;
    }
    bool absent = rc == 0 && status == 404 && (is_code(answer, "NoSuchKey") || !answer->code[0]);
    bool hidden = rc && status == 403 && (is_code(answer, "AccessDenied") || !answer->code[0]);
    if (absent || (hidden && may_read(b))) {
        no_object(out, answer);
        return 0;
    }
    explain(b, name, answer, rc, err);
    if (!hidden)
        return -1;
    return needs(err, "s3:GetObject here, and s3:ListBucket on the bucket to tell what is missing "
                      "from what is denied");
}

int s3_get(struct s3_bucket *b, const char *name, struct s3_object *out, struct error *err)
{
    struct aws_request request = { .method = "GET" };
    struct aws_answer answer = { 0 };
    struct error why = { 0 };
    int rc = call_object(b, &request, name, &answer, &why);
    rc = get_answered(b, name, &answer, rc, out, &why);
    if (rc)
        *err = why;
    aws_answer_release(&answer);
    return rc;
}

void s3_object_release(struct s3_object *o)
{
    buf_release(&o->content);
    *o = (struct s3_object){ 0 };
}

/* ---- writing -----------------------------------------------------------------------------------
 */

static enum s3_put put_answered(struct s3_bucket *b, const char *name, struct aws_answer *answer,
                                int rc, char etag[S3_ETAG_MAX], struct error *err)
{
    int status = answer->reply.status;
    if (rc == 0 && is_success(answer)) {
        memcpy(etag, answer->reply.etag, S3_ETAG_MAX);
        return S3_PUT_DONE;
    }
    if (rc == 0 && status == 409)
        return S3_PUT_BUSY;
    if (rc == 0 && !is_code(answer, "NoSuchBucket") &&
        (status == 412 || (status == 404 && etag[0])))
        return S3_PUT_REFUSED;
    explain(b, name, answer, rc, err);
    if (rc && is_code(answer, "AccessDenied"))
        needs(err, "s3:PutObject and s3:GetObject here");
    return S3_PUT_FAILED;
}

enum s3_put s3_put(struct s3_bucket *b, const char *name, struct bytes content,
                   char etag[S3_ETAG_MAX], int64_t *date_unix_ns, struct error *err)
{
    struct aws_request request = { .method = "PUT",
                                   .headers = { { "If-None-Match", "*" } },
                                   .content_type = "application/json",
                                   .body = content };
    struct aws_answer answer = { 0 };
    struct error why = { 0 };
    if (etag[0]) {
        request.headers[0].name = "If-Match";
        request.headers[0].value = etag;
    }
    int rc = call_object(b, &request, name, &answer, &why);
    enum s3_put outcome = put_answered(b, name, &answer, rc, etag, &why);
    if (outcome == S3_PUT_FAILED)
        *err = why;
    if (date_unix_ns)
        *date_unix_ns = answer.reply.date_unix_ns;
    aws_answer_release(&answer);
    return outcome;
}

/* Write what the self-test leaves, under a condition that does not hold, unless `may_hold`. */
static int test_write(struct s3_bucket *b, const char *etag, bool may_hold, const char *else_words,
                      struct error *err)
{
    const struct bytes content = BYTES("{\"otlpull\":\"what is here is not replaced unseen\"}\n");
    for (int i = 1; i <= S3_TRIES_MAX; i++) {
        char tag[S3_ETAG_MAX];
        snprintf(tag, sizeof(tag), "%s", etag);
        switch (s3_put(b, SELF_TEST, content, tag, NULL, err)) {
        case S3_PUT_DONE:
            return may_hold ? 0 : conditions_ignored(b, else_words, err);
        case S3_PUT_REFUSED:
            return 0;
        case S3_PUT_FAILED:
            return -1;
        case S3_PUT_BUSY:
            break;
        }
        if (!clock_sleep_until(b->clk, clock_mono_ns(b->clk) + i * S3_TRY_AGAIN_NS))
            return error_set(err, ERR_STOPPED, "stopped");
    }
    return error_set(err, ERR_STATE,
                     "state %s/" SELF_TEST ": cannot be written: refused %d times (409)", b->where,
                     S3_TRIES_MAX);
}

int s3_self_test(struct s3_bucket *b, struct error *err)
{
    static const char nobody[] = "\"00000000000000000000000000000000\"";
    if (b->tested)
        return 0;
    if (test_write(b, "", true, NULL, err) ||
        test_write(b, "", false, "replaces what is there when asked to create it", err) ||
        test_write(b, nobody, false, "replaces what has changed meanwhile", err))
        return -1;
    b->tested = true;
    return 0;
}

/* ---- listing -----------------------------------------------------------------------------------
 */

/* RFC 3986, as the signature has it. */
static void append_encoded(struct buf *out, struct bytes text)
{
    static const char kept[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] && strchr(kept, text.data[i]))
            buf_append_char(out, text.data[i]);
        else
            buf_printf(out, "%%%02X", (unsigned char)text.data[i]);
    }
}

/* The bucket's own path, without the key: what is listed stands in the query. */
static int call_list(struct s3_bucket *b, struct bytes token, struct aws_answer *answer,
                     struct error *err)
{
    char path[128];
    struct buf query = BUF_INIT(REQUEST_URL_MAX / 2);
    snprintf(path, sizeof(path), "%.*s", (int)b->key_at - 1, b->base);
    if (token.len) {
        buf_append_text(&query, "continuation-token=");
        append_encoded(&query, token);
        buf_append_char(&query, '&');
    }
    buf_append_text(&query, "list-type=2&prefix=");
    append_encoded(&query, bytes_of(b->base + b->key_at));
    const struct aws_request request = {
        .service = AWS_S3, .method = "GET", .path = path, .query = buf_text(&query)
    };
    int rc = call(b, &request, answer, err);
    buf_release(&query);
    return rc;
}

static int list_page(struct s3_bucket *b, const char *suffix, struct buf *token, struct buf *out,
                     struct error *err)
{
    struct aws_answer answer = { 0 };
    struct error why = { 0 };
    int rc = call_list(b, buf_bytes(token), &answer, &why);
    buf_reset(token);
    if (rc == 0 && answer.reply.status == 200) {
        if (!s3_list_read(buf_bytes(&answer.reply.body), bytes_of(b->base + b->key_at), suffix, out,
                          token) ||
            token->full)
            rc = error_set(err, ERR_STATE, "state %s: its list makes no sense", b->where);
    } else {
        rc = explain(b, "", &answer, rc, &why);
        if (is_code(&answer, "AccessDenied"))
            needs(&why, "s3:ListBucket on the bucket");
        *err = why;
    }
    aws_answer_release(&answer);
    return rc;
}

int s3_names(struct s3_bucket *b, const char *suffix, struct buf *out, struct error *err)
{
    struct buf token = BUF_INIT(8192);
    int pages = 0, rc;
    do
        rc = list_page(b, suffix, &token, out, err);
    while (rc == 0 && token.len > 0 && ++pages < PAGES_MAX);
    if (rc == 0 && token.len > 0)
        rc = error_set(err, ERR_STATE, "state %s: its list has no end", b->where);
    buf_release(&token);
    return rc;
}
