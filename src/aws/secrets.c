#include "secrets.h"

#include <string.h>

#include "aws/answer.h"
#include "base/jread.h"
#include "net/http.h"

#define QUESTION_MAX 8192

static const struct store {
    enum aws_service service;
    const char *what, *target, *missing;
    const char *permission;
    const char *before, *after; /* the question, around the name */
    int (*read)(struct bytes body, struct buf *out, struct error *err);
} stores[] = {
    [SECRET_AWS_SECRET] = { .service = AWS_SECRETS_MANAGER,
                            .what = "secret",
                            .target = "secretsmanager.GetSecretValue",
                            .missing = "ResourceNotFoundException",
                            .permission = "secretsmanager:GetSecretValue",
                            .before = "{\"SecretId\":",
                            .after = "}",
                            .read = answer_secret },
    [SECRET_AWS_PARAMETER] = { .service = AWS_SSM,
                               .what = "parameter",
                               .target = "AmazonSSM.GetParameter",
                               .missing = "ParameterNotFound",
                               .permission = "ssm:GetParameter",
                               .before = "{\"Name\":",
                               .after = ",\"WithDecryption\":true}",
                               .read = answer_parameter },
};

static int begin(struct secrets *s, struct error *err)
{
    const struct aws_options options = {
        .clk = s->clk, .getenv = s->getenv, .self = s->self, .given_up = ERR_PLATFORM
    };
    if (!s->begun && http_global_init(err))
        return -1;
    s->begun = true;
    if (!s->aws)
        s->aws = aws_create(&options, err);
    return s->aws ? 0 : -1;
}

static int judge(const struct secrets *s, const struct store *store,
                 const struct aws_answer *answer, struct buf *out, struct error *err)
{
    if (answer->reply.status == 200) {
        if (store->read(buf_bytes(&answer->reply.body), out, err) == 0)
            return 0;
        err->kind = ERR_PLATFORM;
        return error_within(err, "the answer");
    }
    if (strcmp(answer->code, store->missing) == 0)
        return error_set(err, ERR_CONFIG, "there is none of this name in the region %s",
                         aws_region(s->aws));
    return aws_unexpected(answer, ERR_CONFIG, err);
}

static bool is_denied(const struct aws_answer *answer)
{
    return strncmp(answer->code, "AccessDenied", 12) == 0;
}

/* What a run that has not begun makes of it. */
static int explain(const struct store *store, const char *name, const struct aws_answer *answer,
                   struct error *err)
{
    if (is_denied(answer))
        error_within(err, "takes the permission %s", store->permission);
    if (err->kind == ERR_DEADLINE || err->kind == ERR_STOPPED)
        err->kind = ERR_PLATFORM;
    return error_within(err, "AWS %s %.100s", store->what, name);
}

/* Where no answer is to be had, or nothing will be taken from us, the next one fares no better: it
 * has the same words, without a call. */
static int ask(struct secrets *s, const struct aws_request *request, struct aws_answer *answer,
               struct error *err)
{
    if (s->failed.kind) {
        *err = s->failed;
        return -1;
    }
    if (begin(s, err) == 0 && aws_call(s->aws, request, answer, s->deadline_mono_ns, err) == 0)
        return 0;
    if (!is_denied(answer))
        s->failed = *err;
    return -1;
}

int secrets_fetch(void *secrets, enum secret_kind kind, const char *name, struct buf *out,
                  struct error *err)
{
    struct secrets *s = secrets;
    const struct store *store = &stores[kind];
    struct buf question = BUF_INIT(QUESTION_MAX);
    struct aws_answer answer = { 0 };
    int rc = -1;
    buf_append_text(&question, store->before);
    jread_quote(&question, name);
    buf_append_text(&question, store->after);
    const struct aws_request request = { .service = store->service,
                                         .method = "POST",
                                         .path = "/",
                                         .headers = { { "X-Amz-Target", store->target } },
                                         .content_type = "application/x-amz-json-1.1",
                                         .body = buf_bytes(&question) };
    if (question.full)
        error_set(err, ERR_CONFIG, "its name is too long");
    else if (ask(s, &request, &answer, err) == 0)
        rc = judge(s, store, &answer, out, err);
    if (rc)
        explain(store, name, &answer, err);
    aws_answer_release(&answer);
    buf_release(&question);
    return rc;
}

void secrets_release(struct secrets *s)
{
    aws_destroy(s->aws);
    s->aws = NULL;
    if (s->begun)
        http_global_release();
    s->begun = false;
}
