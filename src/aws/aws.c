#include "aws.h"

#include <stdlib.h>
#include <string.h>

#include "aws/answer.h"
#include "aws/credentials.h"
#include "config_url.h"
#include "net/http.h"
#include "retry.h"

#define ATTEMPTS_MAX    5
#define TIMEOUT_NS      (30 * NS_PER_S)
#define ANSWER_MAX      ((size_t)65 << 20) /* a document of the state may have 64MiB */
#define REGION_MAX      64
#define REGION_CHARS    "abcdefghijklmnopqrstuvwxyz0123456789-"
#define BUCKET_REGION   "x-amz-bucket-region"
#define MESSAGE_MAX     8192
#define ENDPOINT_PREFIX "AWS_ENDPOINT_URL"

static const struct retry_config pauses = { .initial_interval_ns = 200 * NS_PER_MS,
                                            .max_interval_ns = 5 * NS_PER_S,
                                            .max_elapsed_ns = 60 * NS_PER_S,
                                            .multiplier = 2,
                                            .randomization_factor = 0.5 };

static const struct service {
    const char *name; /* as it is signed, and its host begins */
    const char *variable;
} services[] = {
    [AWS_S3] = { "s3", ENDPOINT_PREFIX "_S3" },
    [AWS_SECRETS_MANAGER] = { "secretsmanager", ENDPOINT_PREFIX "_SECRETS_MANAGER" },
    [AWS_SSM] = { "ssm", ENDPOINT_PREFIX "_SSM" },
    [AWS_STS] = { "sts", ENDPOINT_PREFIX "_STS" },
};

struct aws {
    struct aws_options options;
    char *region;
    char *endpoints[COUNT(services)];
    struct peer_config peer; /* its connections are kept for the next call */
    struct credentials_source *credentials;
};

/* ---- what the environment says -----------------------------------------------------------------
 */

static int read_region(struct aws *a, struct error *err)
{
    const char *name = aws_variable(&a->options, "AWS_REGION") ? "AWS_REGION"
                                                               : "AWS_DEFAULT_REGION";
    const char *region = aws_variable(&a->options, name);
    if (!region)
        return error_set(err, ERR_CONFIG, "no region for AWS: set AWS_REGION");
    size_t len = strlen(region);
    if (len > REGION_MAX || strspn(region, REGION_CHARS) != len)
        return error_set(err, ERR_CONFIG, "%s takes a region's name, such as eu-west-1", name);
    a->region = xstrdup(region);
    return 0;
}

static int read_endpoint(struct aws *a, size_t service, struct error *err)
{
    const char *name = services[service].variable;
    const char *url = aws_variable(&a->options, name);
    struct buf own = BUF_INIT(256);
    if (!url) {
        name = ENDPOINT_PREFIX;
        url = aws_variable(&a->options, name);
    }
    if (!url) {
        buf_printf(&own, "https://%s.%s.amazonaws.com%s", services[service].name, a->region,
                   strncmp(a->region, "cn-", 3) == 0 ? ".cn" : "");
        url = buf_text(&own);
    }
    bool usable = url_usable(url, false);
    if (usable) {
        size_t len = strlen(url);
        while (url[len - 1] == '/')
            len--;
        a->endpoints[service] = xstrndup(url, len);
    }
    buf_release(&own);
    return usable ? 0
                  : error_set(err, ERR_CONFIG,
                              "%s takes an http:// or https:// URL without user and query", name);
}

static int read_environment(struct aws *a, struct error *err)
{
    const char *ca_file = aws_variable(&a->options, "AWS_CA_BUNDLE");
    if (read_region(a, err))
        return -1;
    for (size_t i = 0; i < COUNT(services); i++) {
        if (read_endpoint(a, i, err))
            return -1;
    }
    const struct credentials_options credentials = { .aws = a->options,
                                                     .sts = a->endpoints[AWS_STS],
                                                     .ca_file = ca_file };
    a->peer = (struct peer_config){ .timeout_ns = TIMEOUT_NS,
                                    .max_response_bytes = ANSWER_MAX,
                                    .tls.ca_file = xstrdup(ca_file),
                                    .keep = http_keep_create() };
    a->credentials = credentials_create(&credentials, err);
    return a->credentials ? 0 : -1;
}

struct aws *aws_create(const struct aws_options *options, struct error *err)
{
    struct aws *a = xcalloc(1, sizeof(*a));
    a->options = *options;
    if (read_environment(a, err)) {
        aws_destroy(a);
        return NULL;
    }
    return a;
}

void aws_destroy(struct aws *a)
{
    if (!a)
        return;
    http_keep_destroy(a->peer.keep);
    for (size_t i = 0; i < COUNT(services); i++)
        free(a->endpoints[i]);
    credentials_destroy(a->credentials);
    free(a->region);
    free((char *)a->peer.tls.ca_file);
    free(a);
}

const char *aws_region(const struct aws *a)
{
    return a->region;
}

void aws_endpoint(const struct aws *a, enum aws_service service, struct buf *out)
{
    buf_append_text(out, a->endpoints[service]);
}

/* ---- what an answer means ----------------------------------------------------------------------
 */

enum verdict { FOR_CALLER, AGAIN, EXPIRED, REFUSED, ELSEWHERE };

#define CLOCK_WRONG   "this machine's clock is wrong"
#define KEY_UNKNOWN   "AWS does not know the access key, or not with this session token"
#define SECRET_WRONG  "the secret access key is wrong, or this machine's clock"
#define TOKEN_EXPIRED "the credentials have expired"

/* Most services answer most errors with 400: the name tells them apart. */
static const struct code {
    const char *name;
    enum verdict verdict;
    const char *hint; /* what to look at; NULL: the name says it */
} codes[] = {
    { "ExpiredToken", EXPIRED, TOKEN_EXPIRED },
    { "ExpiredTokenException", EXPIRED, TOKEN_EXPIRED },
    { "TokenRefreshRequired", EXPIRED, TOKEN_EXPIRED },
    { "AccessDenied", REFUSED, NULL },
    { "AccessDeniedException", REFUSED, NULL },
    { "IncompleteSignature", REFUSED, NULL },
    { "IncompleteSignatureException", REFUSED, NULL },
    { "InvalidAccessKeyId", REFUSED, KEY_UNKNOWN },
    { "InvalidClientTokenId", REFUSED, KEY_UNKNOWN },
    { "InvalidSignatureException", REFUSED, SECRET_WRONG },
    { "InvalidToken", REFUSED, KEY_UNKNOWN },
    { "MissingAuthenticationToken", REFUSED, NULL },
    { "MissingAuthenticationTokenException", REFUSED, NULL },
    { "NotAuthorized", REFUSED, NULL },
    { "OptInRequired", REFUSED, NULL },
    { "RequestExpired", REFUSED, CLOCK_WRONG },
    { "RequestTimeTooSkewed", REFUSED, CLOCK_WRONG },
    { "SignatureDoesNotMatch", REFUSED, SECRET_WRONG },
    { "UnrecognizedClientException", REFUSED, KEY_UNKNOWN },
    { "BandwidthLimitExceeded", AGAIN, NULL },
    { "InternalServiceError", AGAIN, NULL },
    { "PriorRequestNotComplete", AGAIN, NULL },
    { "RequestLimitExceeded", AGAIN, NULL },
    { "RequestThrottled", AGAIN, NULL },
    { "RequestThrottledException", AGAIN, NULL },
    { "RequestTimeout", AGAIN, NULL },
    { "RequestTimeoutException", AGAIN, NULL },
    { "SlowDown", AGAIN, NULL },
    { "ThrottledException", AGAIN, NULL },
    { "Throttling", AGAIN, NULL },
    { "ThrottlingException", AGAIN, NULL },
    { "TooManyRequestsException", AGAIN, NULL },
    { "AuthorizationHeaderMalformed", ELSEWHERE, NULL },
    { "IllegalLocationConstraintException", ELSEWHERE, NULL },
    { "PermanentRedirect", ELSEWHERE, NULL },
    { "TemporaryRedirect", ELSEWHERE, NULL },
};

static const struct code *find_code(const char *name)
{
    for (size_t i = 0; i < COUNT(codes); i++) {
        if (strcmp(codes[i].name, name) == 0)
            return &codes[i];
    }
    return NULL;
}

static enum verdict judge(const struct aws_answer *answer)
{
    const struct code *code = find_code(answer->code);
    int status = answer->reply.status;
    if (status < 300 || status == 304)
        return FOR_CALLER;
    if (code)
        return code->verdict;
    if (status < 400)
        return ELSEWHERE;
    if (status == 429 || (status >= 500 && status != 501))
        return AGAIN;
    return status == 401 || status == 403 ? REFUSED : FOR_CALLER;
}

int aws_unexpected(const struct aws_answer *answer, enum error_kind kind, struct error *err)
{
    return error_set(err, kind, "%d%s%s", answer->reply.status, *answer->code ? " " : "",
                     answer->code);
}

/* Their own words are repeated where they speak of permissions: others quote what was signed, the
 * session token with it. */
static bool repeatable(const struct aws_answer *answer, const struct credentials *keys,
                       const struct buf *message)
{
    const char *text = buf_text(message), *token = keys->session_token;
    return strncmp(answer->code, "AccessDenied", 12) == 0 && *text && !message->full &&
           !strstr(text, keys->secret_key) && !(token && strstr(text, token));
}

static int tell_refused(const struct aws_answer *answer, const struct credentials *keys,
                        struct error *err)
{
    const struct code *code = find_code(answer->code);
    const char *hint = code ? code->hint : NULL;
    struct buf message = BUF_INIT(MESSAGE_MAX);
    answer_message(buf_bytes(&answer->reply.body), &message);
    if (repeatable(answer, keys, &message))
        hint = buf_text(&message);
    error_set(err, ERR_AUTH, "%d%s%s%s%.240s", answer->reply.status, *answer->code ? " " : "",
              answer->code, hint ? ": " : "", hint ? hint : "");
    buf_release(&message);
    return -1;
}

static int tell_elsewhere(const struct aws *a, const struct aws_answer *answer, struct error *err)
{
    struct buf region = BUF_INIT(REGION_MAX);
    const char *of_bucket = reply_header(&answer->reply, BUCKET_REGION);
    struct error told;
    if (of_bucket)
        buf_append_text(&region, of_bucket);
    else
        answer_element(buf_bytes(&answer->reply.body), "Region", &region);
    aws_unexpected(answer, ERR_CONFIG, err);
    told = *err;
    if (region.len && strspn(buf_text(&region), REGION_CHARS) == region.len)
        error_set(err, ERR_CONFIG, "%s: it is in the region %s, not in %s (AWS_REGION)", told.text,
                  buf_text(&region), a->region);
    else
        error_set(err, ERR_CONFIG, "%s: it is not in the region %s (AWS_REGION)", told.text,
                  a->region);
    buf_release(&region);
    return -1;
}

/* ---- a call ------------------------------------------------------------------------------------
 */

/* Put "GET https://host/path: " in front, as http.c does with what it has to tell. */
static int name_request(const struct request *request, struct error *err)
{
    struct buf shown = BUF_INIT(ERROR_TEXT_BYTES);
    request_for_show(request, &shown);
    error_within(err, "%s %s", request->method, buf_text(&shown));
    buf_release(&shown);
    return -1;
}

static const char *const wanted_headers[] = { BUCKET_REGION, NULL };

/* One call while it is under way. */
struct call {
    struct aws *a;
    struct http *http;
    struct request request;
    struct credentials keys;
    struct signing sign;
    struct aws_answer *answer;
    int64_t deadline_mono_ns;
};

static void compose(struct call *c, const struct aws_request *from)
{
    struct request *to = &c->request;
    buf_printf(&to->url, "%s%s", c->a->endpoints[from->service], from->path);
    if (from->query)
        buf_printf(&to->url, "?%s", from->query);
    to->method = from->method;
    to->content_type = from->content_type;
    to->body = from->body;
    to->sign = &c->sign;
    to->wanted = wanted_headers;
    for (size_t i = 0; i < AWS_HEADERS_MAX && from->headers[i].name; i++)
        request_header(to, from->headers[i].name, from->headers[i].value);
    c->sign = (struct signing){ .region = c->a->region, .service = services[from->service].name };
}

/* The keys to sign with; others, where those at hand were called expired. */
static int take_keys(struct call *c, bool expired, struct error *err)
{
    struct credentials keys = { 0 };
    if (credentials_get(c->a->credentials, expired ? &c->keys : NULL, &keys, c->deadline_mono_ns,
                        err))
        return -1;
    credentials_release(&c->keys);
    c->keys = keys;
    c->sign.access_key = keys.access_key;
    c->sign.secret_key = keys.secret_key;
    c->sign.session_token = keys.session_token;
    return 0;
}

/* AGAIN: with words of ERR_RETRY where later may do, of another kind where not. */
static enum verdict attempt(struct call *c, struct error *err)
{
    struct aws_answer *answer = c->answer;
    *answer->code = '\0';
    if (http_send(c->http, &c->request, &answer->reply, c->deadline_mono_ns, err))
        return AGAIN;
    if (answer->reply.status >= 300) /* what is no error may be a large document */
        answer_code(buf_bytes(&answer->reply.body), answer->code, sizeof(answer->code));
    enum verdict verdict = judge(answer);
    if (verdict == AGAIN) {
        aws_unexpected(answer, ERR_RETRY, err);
        name_request(&c->request, err);
    }
    return verdict;
}

/* Attempts until one has an answer to keep. */
static int carry_out(struct call *c, enum verdict *verdict, struct error *err)
{
    struct retry retry;
    bool renewed = false;
    retry_begin(&retry, &pauses, c->a->options.clk);
    for (;;) {
        int64_t asked_ns = 0;
        retry.count++;
        *verdict = attempt(c, err);
        if (*verdict == EXPIRED && !renewed) {
            renewed = true;
            if (take_keys(c, true, err))
                return -1;
            continue;
        }
        if (*verdict != AGAIN)
            return 0;
        if (err->kind != ERR_RETRY)
            return -1;
        if (retry.count >= ATTEMPTS_MAX)
            return error_within(err, "gave up after %d attempts", retry.count);
        if (c->answer->reply.status)
            retry_after(&c->answer->reply, clock_unix_ns(c->a->options.clk), &asked_ns);
        if (retry_wait(&retry, asked_ns, c->deadline_mono_ns, ERR_RETRY, err))
            return -1;
    }
}

static int tell(const struct call *c, enum verdict verdict, struct error *err)
{
    switch (verdict) {
    case EXPIRED:
    case REFUSED:
        tell_refused(c->answer, &c->keys, err);
        break;
    case ELSEWHERE:
        tell_elsewhere(c->a, c->answer, err);
        break;
    case FOR_CALLER:
    case AGAIN:
        return 0;
    }
    return name_request(&c->request, err);
}

int aws_call(struct aws *a, const struct aws_request *request, struct aws_answer *out,
             int64_t deadline_mono_ns, struct error *err)
{
    const struct http_options options = { .peer = &a->peer,
                                          .clk = a->options.clk,
                                          .stop_grace_ns = a->options.stop_grace_ns,
                                          .ca_setting = "AWS_CA_BUNDLE" };
    struct call c = { .a = a,
                      .http = http_create(&options),
                      .request = REQUEST_INIT,
                      .answer = out,
                      .deadline_mono_ns = deadline_mono_ns };
    enum verdict verdict;
    struct error before = *err;
    aws_answer_release(out);
    compose(&c, request);
    int rc = take_keys(&c, false, err);
    if (rc == 0)
        rc = carry_out(&c, &verdict, err);
    if (rc == 0)
        rc = tell(&c, verdict, err);
    if (rc == 0)
        *err = before; /* of attempts that had to be made again */
    else if (err->kind == ERR_RETRY || err->kind == ERR_INPUT)
        err->kind = a->options.given_up;
    credentials_release(&c.keys);
    request_release(&c.request);
    http_destroy(c.http);
    return rc;
}

void aws_answer_release(struct aws_answer *answer)
{
    reply_release(&answer->reply);
    *answer = (struct aws_answer){ 0 };
}
