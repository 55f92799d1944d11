/* fake_http.h -- src/net/http.h answered by a script, for what the tests of src/aws/ cannot bring
 * about over a wire: an expiry, a clock. Defining all of it keeps http.c out of the program. */
#ifndef OTLPULL_TESTS_FAKE_HTTP_H
#define OTLPULL_TESTS_FAKE_HTTP_H

#include "tests/unit/check.h"
#include "tests/unit/fake_clock.h"
#include "net/http.h"

#define SCRIPT_MAX 32

/* One answer: a status and a body, or none with an error's kind. */
struct scripted {
    int status;
    const char *body;
    const char *header, *value; /* one that the caller may want */
    enum error_kind kind;       /* of no answer */
    bool unsent;                /* not a byte of the request went out */
    const char *retry_after;
};

static struct script {
    struct scripted rows[SCRIPT_MAX];
    size_t count, next;
    char asked[SCRIPT_MAX][512];  /* "METHOD URL KEY" of each request, KEY signed with */
    char header[SCRIPT_MAX][512]; /* its first header's value */
    char body[SCRIPT_MAX][512];
} script;

static inline void script_set(const struct scripted *rows, size_t count)
{
    script = (struct script){ .count = count };
    if (count)
        memcpy(script.rows, rows, count * sizeof(*rows));
}

int http_global_init(struct error *err)
{
    (void)err;
    return 0;
}

void http_global_release(void)
{
}

struct http *http_create(const struct http_options *options)
{
    return (struct http *)(void *)options->clk;
}

void http_destroy(struct http *h)
{
    (void)h;
}

struct http_keep *http_keep_create(void)
{
    return NULL;
}

void http_keep_destroy(struct http_keep *k)
{
    (void)k;
}

static inline void note_request(const struct request *r, size_t i)
{
    snprintf(script.asked[i], sizeof(script.asked[i]), "%s %s %s",
             r->method      ? r->method
             : r->body.data ? "POST"
                            : "GET",
             buf_text(&r->url), r->sign ? r->sign->access_key : "-");
    if (r->headers.count)
        snprintf(script.header[i], sizeof(script.header[i]), "%s", r->headers.items[0].value);
    snprintf(script.body[i], sizeof(script.body[i]), "%.*s", (int)r->body.len,
             r->body.data ? r->body.data : "");
}

int http_send(struct http *h, const struct request *request, struct reply *out,
              int64_t deadline_mono_ns, struct error *err)
{
    struct clock *clk = (struct clock *)(void *)h;
    size_t i = script.next++;
    (void)deadline_mono_ns;
    if (i >= script.count)
        fail_msg("request %zu, of %zu", i + 1, script.count);
    const struct scripted *row = &script.rows[i];
    note_request(request, i);
    reply_release(out);
    *out = (struct reply){ .body = BUF_INIT(1 << 20) };
    if (!row->unsent)
        out->sent_mono_ns = clock_mono_ns(clk);
    if (row->kind)
        return error_set(err, row->kind, "no answer");
    out->status = row->status;
    buf_append_text(&out->body, row->body ? row->body : "");
    if (row->retry_after)
        snprintf(out->retry_after, sizeof(out->retry_after), "%s", row->retry_after);
    if (row->header && strcmp(row->header, "ETag") == 0)
        snprintf(out->etag, sizeof(out->etag), "%s", row->value);
    else if (row->header)
        pairs_add(&out->headers, row->header, row->value);
    return 0;
}

/* ---- an environment ----------------------------------------------------------------------------
 */

struct variable {
    const char *name, *value;
};

/* `self`: an array that ends with a name of NULL. */
static inline const char *variable_of(void *self, const char *name)
{
    for (const struct variable *v = self; v && v->name; v++) {
        if (strcmp(v->name, name) == 0)
            return v->value;
    }
    return NULL;
}

#endif
