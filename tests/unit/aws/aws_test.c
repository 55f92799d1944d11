/* One call: which answers are asked for again, which are the caller's, which end it and as what. */
#include "tests/unit/aws/fake_http.h"

#include "aws/aws.h"

#define XML(code)                                                                                  \
    "<?xml version=\"1.0\"?>\n<Error><Code>" code "</Code><Message>m</Message></Error>"
#define JSON(code) "{\"__type\":\"com.amazonaws.x#" code "\",\"message\":\"m\"}"

static const struct variable keys[] = { { "AWS_REGION", "eu-west-1" },
                                        { "AWS_ACCESS_KEY_ID", "AKIA" },
                                        { "AWS_SECRET_ACCESS_KEY", "secret" },
                                        { NULL, NULL } };

/* One call in a world of its own. */
struct called {
    struct fake_clock clock;
    struct aws *aws;
    struct aws_answer answer;
    struct error err;
    int rc;
};

static void call(struct called *c, const struct scripted *rows, size_t count, int64_t limit_ns)
{
    *c = (struct called){ .clock = fake_clock() };
    const struct aws_options options = {
        .clk = &c->clock.clk, .getenv = variable_of, .self = (void *)keys, .given_up = ERR_STATE
    };
    const struct aws_request request = { .service = AWS_S3,
                                         .method = "PUT",
                                         .path = "/bucket/key",
                                         .headers = { { "If-Match", "\"e\"" } },
                                         .content_type = "application/json",
                                         .body = BYTES("{}") };
    script_set(rows, count);
    c->aws = aws_create(&options, &c->err);
    assert_non_null(c->aws);
    c->rc = aws_call(c->aws, &request, &c->answer, c->clock.mono_ns + limit_ns, &c->err);
}

static void call_release(struct called *c)
{
    aws_answer_release(&c->answer);
    aws_destroy(c->aws);
}

static void judges_answers(void **state)
{
    static const struct {
        const char *name;
        struct scripted first; /* what comes to each attempt */
        int attempts;
        enum error_kind kind; /* ERR_NONE: it is the caller's */
        const char *code;
    } rows[] = {
        { "written", { .status = 200 }, 1, ERR_NONE, "" },
        { "no error, whatever it says", { .status = 200, .body = JSON("X") }, 1, ERR_NONE, "" },
        { "not modified", { .status = 304 }, 1, ERR_NONE, "" },
        { "no such key", { .status = 404, .body = XML("NoSuchKey") }, 1, ERR_NONE, "NoSuchKey" },
        { "conflict",
          { .status = 409, .body = XML("ConditionalRequestConflict") },
          1,
          ERR_NONE,
          "ConditionalRequestConflict" },
        { "changed",
          { .status = 412, .body = XML("PreconditionFailed") },
          1,
          ERR_NONE,
          "PreconditionFailed" },
        { "an error of JSON",
          { .status = 400, .body = JSON("ParameterNotFound") },
          1,
          ERR_NONE,
          "ParameterNotFound" },
        { "a store that cannot do it",
          { .status = 501, .body = XML("NotImplemented") },
          1,
          ERR_NONE,
          "NotImplemented" },
        { "refused", { .status = 403, .body = XML("AccessDenied") }, 1, ERR_AUTH, "AccessDenied" },
        { "refused, by 400",
          { .status = 400, .body = JSON("UnrecognizedClientException") },
          1,
          ERR_AUTH,
          "UnrecognizedClientException" },
        { "refused, without a word", { .status = 403 }, 1, ERR_AUTH, "" },
        { "expired", { .status = 400, .body = XML("ExpiredToken") }, 1, ERR_AUTH, "ExpiredToken" },
        { "another region",
          { .status = 301, .body = XML("PermanentRedirect") },
          1,
          ERR_CONFIG,
          "PermanentRedirect" },
        { "another region, by 400",
          { .status = 400, .body = XML("AuthorizationHeaderMalformed") },
          1,
          ERR_CONFIG,
          "AuthorizationHeaderMalformed" },
        { "a redirect", { .status = 307 }, 1, ERR_CONFIG, "" },
        { "slow down", { .status = 503, .body = XML("SlowDown") }, 5, ERR_STATE, "SlowDown" },
        { "an error of theirs", { .status = 500 }, 5, ERR_STATE, "" },
        { "throttled",
          { .status = 400, .body = JSON("ThrottlingException") },
          5,
          ERR_STATE,
          "ThrottlingException" },
        { "too many", { .status = 429 }, 5, ERR_STATE, "" },
        { "they read too slowly",
          { .status = 400, .body = XML("RequestTimeout") },
          5,
          ERR_STATE,
          "RequestTimeout" },
        { "no connection", { .kind = ERR_RETRY, .unsent = true }, 5, ERR_STATE, "" },
        { "a lost answer", { .kind = ERR_RETRY }, 5, ERR_STATE, "" },
        { "an answer too long", { .kind = ERR_INPUT }, 1, ERR_STATE, "" },
        { "a CA file that is none", { .kind = ERR_CONFIG, .unsent = true }, 1, ERR_CONFIG, "" },
        { "no time", { .kind = ERR_DEADLINE, .unsent = true }, 1, ERR_DEADLINE, "" },
        { "stopped", { .kind = ERR_STOPPED, .unsent = true }, 1, ERR_STOPPED, "" },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct scripted each[] = { rows[i].first, rows[i].first, rows[i].first,
                                         rows[i].first, rows[i].first, rows[i].first };
        struct called c;
        check_row(rows[i].name);
        call(&c, each, COUNT(each), 3600 * NS_PER_S);
        check_i64(script.next, rows[i].attempts);
        check_i64(c.rc, rows[i].kind ? -1 : 0);
        check_i64(c.err.kind, rows[i].kind);
        check_text(c.answer.code, rows[i].code);
        call_release(&c);
    }
}

static void tells_what_to_mend(void **state)
{
    static const struct {
        struct scripted answer;
        const char *words;
    } rows[] = {
        { { .status = 301, .header = "x-amz-bucket-region", .value = "us-east-2" },
          "301: it is in the region us-east-2, not in eu-west-1 (AWS_REGION)" },
        { { .status = 400,
            .body = "<Error><Code>AuthorizationHeaderMalformed</Code><Region>ap-south-1</Region></"
                    "Error>" },
          "400 AuthorizationHeaderMalformed: it is in the region ap-south-1, not in eu-west-1 "
          "(AWS_REGION)" },
        { { .status = 301, .header = "x-amz-bucket-region", .value = "x\ny" },
          "301: it is not in the region eu-west-1 (AWS_REGION)" },
        { { .status = 403,
            .body = "<Error><Code>AccessDenied</Code><Message>not u &amp; v</Message></Error>" },
          "403 AccessDenied: not u & v" },
        { { .status = 403,
            .body = "<Error><Code>AccessDenied</Code><Message>it says secret</Message></Error>" },
          "403 AccessDenied" }, /* the key's own text */
        { { .status = 403,
            .body =
                "<Error><Code>SignatureDoesNotMatch</Code><Message>x-amz-security-token:T</Message>"
                "<CanonicalRequest>T</CanonicalRequest></Error>" },
          "403 SignatureDoesNotMatch: the secret access key is wrong, or this machine's clock" },
        { { .status = 403, .body = XML("RequestTimeTooSkewed") },
          "403 RequestTimeTooSkewed: this machine's clock is wrong" },
        { { .status = 403, .body = XML("InvalidAccessKeyId") },
          "403 InvalidAccessKeyId: AWS does not know the access key, or not with this session "
          "token" },
        { { .status = 403 }, "403" },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct buf want = BUF_INIT(1024);
        struct called c;
        check_row(rows[i].words);
        call(&c, &rows[i].answer, 1, 3600 * NS_PER_S);
        buf_printf(&want, "PUT https://s3.eu-west-1.amazonaws.com/bucket/key: %s", rows[i].words);
        check_text(c.err.text, buf_text(&want));
        call_release(&c);
        buf_release(&want);
    }
}

/* A 412 to an attempt behind a lost answer may be an answer to ourselves: the caller's to find out.
 */
static void asks_again_after_a_lost_answer(void **state)
{
    static const struct scripted lost[] = { { .kind = ERR_RETRY },
                                            { .status = 412, .body = XML("PreconditionFailed") } };
    static const struct scripted unsent[] = {
        { .kind = ERR_RETRY, .unsent = true },
        { .status = 200, .header = "ETag", .value = "\"e2\"" }
    };
    struct called c;
    (void)state;
    call(&c, lost, COUNT(lost), 3600 * NS_PER_S);
    assert_int_equal(c.rc, 0);
    assert_int_equal(c.err.kind, ERR_NONE); /* untouched, though an attempt failed */
    assert_int_equal(c.answer.reply.status, 412);
    check_text(c.answer.reply.etag, "");
    call_release(&c);
    call(&c, unsent, COUNT(unsent), 3600 * NS_PER_S);
    assert_int_equal(c.rc, 0);
    check_text(c.answer.reply.etag, "\"e2\"");
    check_text(script.asked[1], "PUT https://s3.eu-west-1.amazonaws.com/bucket/key AKIA");
    check_text(script.header[1], "\"e\"");
    check_text(script.body[1], "{}");
    call_release(&c);
}

static void waits_between(void **state)
{
    static const struct scripted asked[] = { { .status = 503, .retry_after = "7" },
                                             { .status = 200 } };
    static const struct scripted down[] = { { .status = 503 },
                                            { .status = 503 },
                                            { .status = 503 },
                                            { .status = 503 },
                                            { .status = 503 } };
    struct called c;
    (void)state;
    int64_t began = fake_clock().mono_ns;
    call(&c, asked, COUNT(asked), 3600 * NS_PER_S);
    assert_int_equal(c.rc, 0);
    assert_int_equal(c.clock.mono_ns - began, 7 * NS_PER_S);
    call_release(&c);
    call(&c, asked, COUNT(asked), 5 * NS_PER_S); /* which would be past the deadline */
    assert_int_equal(c.rc, -1);
    assert_int_equal(c.err.kind, ERR_STATE);
    assert_int_equal(c.clock.mono_ns, began);
    call_release(&c);
    call(&c, down, COUNT(down), 3600 * NS_PER_S);
    int64_t took = c.clock.mono_ns - began; /* 200, 400, 800, 1600 ms, each give or take a half */
    assert_in_range(took, 1500 * NS_PER_MS, 4500 * NS_PER_MS);
    call_release(&c);
}

static void finds_endpoints(void **state)
{
    static const struct {
        const char *region, *all, *s3, *want_s3, *want_ssm; /* NULL: not taken */
    } rows[] = {
        { "eu-west-1", NULL, NULL, "https://s3.eu-west-1.amazonaws.com",
          "https://ssm.eu-west-1.amazonaws.com" },
        { "cn-north-1", NULL, NULL, "https://s3.cn-north-1.amazonaws.com.cn",
          "https://ssm.cn-north-1.amazonaws.com.cn" },
        { "us-east-1", "http://minio:9000", NULL, "http://minio:9000", "http://minio:9000" },
        { "us-east-1", "http://a/", "http://b/c//", "http://b/c", "http://a" },
        { "us-east-1", "", "", "https://s3.us-east-1.amazonaws.com",
          "https://ssm.us-east-1.amazonaws.com" },
        { "us-east-1", NULL, "http://u:p@b", NULL, NULL },
        { "evil.example/", NULL, NULL, NULL, NULL },
        { "", NULL, NULL, NULL, NULL },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct variable env[] = { { "AWS_REGION", rows[i].region },
                                        { "AWS_ENDPOINT_URL_S3", rows[i].s3 },
                                        { "AWS_ENDPOINT_URL", rows[i].all },
                                        { NULL, NULL } };
        struct fake_clock clock = fake_clock();
        const struct aws_options options = { .clk = &clock.clk,
                                             .getenv = variable_of,
                                             .self = (void *)env };
        struct buf s3 = BUF_INIT(256), ssm = BUF_INIT(256);
        struct error err = { 0 };
        check_row(rows[i].region);
        struct aws *aws = aws_create(&options, &err);
        check_i64(aws != NULL, rows[i].want_s3 != NULL);
        check_i64(err.kind, aws ? ERR_NONE : ERR_CONFIG);
        if (aws) {
            aws_endpoint(aws, AWS_S3, &s3);
            aws_endpoint(aws, AWS_SSM, &ssm);
            check_text(buf_text(&s3), rows[i].want_s3);
            check_text(buf_text(&ssm), rows[i].want_ssm);
            check_text(aws_region(aws), rows[i].region);
        }
        aws_destroy(aws);
        buf_release(&s3);
        buf_release(&ssm);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(judges_answers),
        cmocka_unit_test(tells_what_to_mend),
        cmocka_unit_test(asks_again_after_a_lost_answer),
        cmocka_unit_test(waits_between),
        cmocka_unit_test(finds_endpoints),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
