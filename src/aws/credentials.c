#include "credentials.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "config_subst.h"
#include "config_url.h"
#include "net/http.h"
#include "retry.h"

#define ECS_HOST             "http://169.254.170.2"
#define EC2_HOST             "http://169.254.169.254"
#define EC2_HOST_IPV6        "http://[fd00:ec2::254]"
#define EC2_ROLES            "/latest/meta-data/iam/security-credentials"
#define RENEW_BEFORE_NS      (300 * NS_PER_S)
#define RENEW_PAUSE_NS       (30 * NS_PER_S) /* after a renewal that failed, while the old ones last */
#define EC2_TIMEOUT_NS       (1 * NS_PER_S) /* its metadata answers at once, or is not there */
#define CONTAINER_TIMEOUT_NS (5 * NS_PER_S) /* it asks others: EKS's agent its service */
#define STS_TIMEOUT_NS       (10 * NS_PER_S)
#define ANSWER_MAX           ((size_t)1024 * 1024)
#define TOKEN_FILE_MAX       ((size_t)64 * 1024)
#define CALLS_EC2            2
#define CALLS_CONTAINER      3
#define CALLS_STS            4

enum origin { FROM_ENVIRONMENT, FROM_WEB_IDENTITY, FROM_CONTAINER, FROM_EC2, FROM_NOWHERE };

struct credentials_source {
    enum origin origin;
    struct clock *clk;
    char *sts, *role, *session; /* of web identity */
    char *token_file;           /* of web identity, or of the container endpoint */
    char *token;                /* of the container endpoint, where there is no file */
    char *url;                  /* of the container endpoint, or EC2's */
    struct peer_config peer;
    int64_t stop_grace_ns;
    int calls; /* at most, for one thing */

    pthread_mutex_t mutex; /* over what follows, a renewal included: one thread makes it for all */
    struct credentials current;
    int64_t renew_after_unix_ns; /* a renewal failed: not before that */
};

/* ---- what the environment says -----------------------------------------------------------------
 */

static int read_keys(struct credentials_source *s, const struct aws_options *o, struct error *err)
{
    const char *access_key = aws_variable(o, "AWS_ACCESS_KEY_ID");
    const char *secret_key = aws_variable(o, "AWS_SECRET_ACCESS_KEY");
    if (!access_key || !secret_key)
        return error_set(err, ERR_CONFIG, "%s is set, but not %s",
                         access_key ? "AWS_ACCESS_KEY_ID" : "AWS_SECRET_ACCESS_KEY",
                         access_key ? "AWS_SECRET_ACCESS_KEY" : "AWS_ACCESS_KEY_ID");
    s->origin = FROM_ENVIRONMENT;
    s->current = (struct credentials){ .access_key = xstrdup(access_key),
                                       .secret_key = xstrdup(secret_key),
                                       .session_token = xstrdup(
                                           aws_variable(o, "AWS_SESSION_TOKEN")),
                                       .expires_unix_ns = TIME_FOREVER };
    if (!credentials_printable(&s->current))
        return error_set(err, ERR_CONFIG,
                         "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY or AWS_SESSION_TOKEN has a "
                         "blank, a line break or a letter that is not ASCII in it");
    return 0;
}

static int read_web_identity(struct credentials_source *s, const struct aws_options *o,
                             struct error *err)
{
    const char *role = aws_variable(o, "AWS_ROLE_ARN");
    const char *session = aws_variable(o, "AWS_ROLE_SESSION_NAME");
    if (!role)
        return error_set(err, ERR_CONFIG,
                         "AWS_WEB_IDENTITY_TOKEN_FILE is set, but not AWS_ROLE_ARN");
    s->origin = FROM_WEB_IDENTITY;
    s->token_file = xstrdup(aws_variable(o, "AWS_WEB_IDENTITY_TOKEN_FILE"));
    s->role = xstrdup(role);
    s->session = xstrdup(session ? session : "otlpull");
    s->peer.timeout_ns = STS_TIMEOUT_NS;
    s->peer.no_proxy = false;
    s->calls = CALLS_STS;
    return 0;
}

/* A token is shown there: over TLS, or to this machine, or to where ECS and EKS listen. */
static bool container_url_usable(const char *url)
{
    static const char *const hosts[] = { ECS_HOST, "http://169.254.170.23",
                                         "http://[fd00:ec2::23]" };
    if (!url_usable(url, true))
        return false;
    for (size_t i = 0; i < COUNT(hosts); i++) {
        size_t len = strlen(hosts[i]);
        if (strncasecmp(url, hosts[i], len) == 0 && (!url[len] || strchr(":/?", url[len])))
            return true;
    }
    return !url_in_clear(url);
}

static int read_container(struct credentials_source *s, const struct aws_options *o,
                          struct error *err)
{
    const char *relative = aws_variable(o, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
    const char *full = aws_variable(o, "AWS_CONTAINER_CREDENTIALS_FULL_URI");
    struct buf url = BUF_INIT(REQUEST_URL_MAX);
    buf_printf(&url, "%s%s", relative ? ECS_HOST : "", relative ? relative : full);
    bool usable = !url.full && (!relative || *relative == '/') &&
                  container_url_usable(buf_text(&url));
    s->origin = FROM_CONTAINER;
    s->peer.timeout_ns = CONTAINER_TIMEOUT_NS;
    s->calls = CALLS_CONTAINER;
    s->url = xstrdup(buf_text(&url));
    s->token_file = xstrdup(aws_variable(o, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"));
    s->token = xstrdup(aws_variable(o, "AWS_CONTAINER_AUTHORIZATION_TOKEN"));
    buf_release(&url);
    if (s->token && strpbrk(s->token, "\r\n"))
        return error_set(err, ERR_CONFIG,
                         "AWS_CONTAINER_AUTHORIZATION_TOKEN has a line break in it");
    if (usable)
        return 0;
    if (relative)
        return error_set(err, ERR_CONFIG,
                         "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI takes a path that begins with /");
    return error_set(err, ERR_CONFIG,
                     "AWS_CONTAINER_CREDENTIALS_FULL_URI takes an https:// URL, or http:// to this "
                     "machine, 169.254.170.2, 169.254.170.23 or [fd00:ec2::23]");
}

static int read_ec2(struct credentials_source *s, const struct aws_options *o, struct error *err)
{
    const char *disabled = aws_variable(o, "AWS_EC2_METADATA_DISABLED");
    const char *endpoint = aws_variable(o, "AWS_EC2_METADATA_SERVICE_ENDPOINT");
    const char *mode = aws_variable(o, "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE");
    if (disabled && strcasecmp(disabled, "true") == 0)
        return 0;
    if (!endpoint)
        endpoint = mode && strcasecmp(mode, "ipv6") == 0 ? EC2_HOST_IPV6 : EC2_HOST;
    if (!url_usable(endpoint, false))
        return error_set(err, ERR_CONFIG, "AWS_EC2_METADATA_SERVICE_ENDPOINT takes an http:// URL");
    s->origin = FROM_EC2;
    s->url = xstrdup(endpoint);
    for (size_t len = strlen(s->url); len && s->url[len - 1] == '/'; len--)
        s->url[len - 1] = '\0';
    return 0;
}

static int read_environment(struct credentials_source *s, const struct aws_options *o,
                            struct error *err)
{
    if (aws_variable(o, "AWS_ACCESS_KEY_ID") || aws_variable(o, "AWS_SECRET_ACCESS_KEY"))
        return read_keys(s, o, err);
    if (aws_variable(o, "AWS_WEB_IDENTITY_TOKEN_FILE"))
        return read_web_identity(s, o, err);
    if (aws_variable(o, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI") ||
        aws_variable(o, "AWS_CONTAINER_CREDENTIALS_FULL_URI"))
        return read_container(s, o, err);
    return read_ec2(s, o, err);
}

struct credentials_source *credentials_create(const struct credentials_options *options,
                                              struct error *err)
{
    struct credentials_source *s = xcalloc(1, sizeof(*s));
    s->origin = FROM_NOWHERE;
    s->clk = options->aws.clk;
    s->stop_grace_ns = options->aws.stop_grace_ns;
    s->sts = xstrdup(options->sts);
    s->peer = (struct peer_config){ .timeout_ns = EC2_TIMEOUT_NS,
                                    .no_proxy = true,
                                    .max_response_bytes = ANSWER_MAX,
                                    .tls.ca_file = xstrdup(options->ca_file) };
    s->calls = CALLS_EC2;
    pthread_mutex_init(&s->mutex, NULL);
    if (read_environment(s, &options->aws, err)) {
        credentials_destroy(s);
        return NULL;
    }
    return s;
}

void credentials_destroy(struct credentials_source *s)
{
    if (!s)
        return;
    pthread_mutex_destroy(&s->mutex);
    credentials_release(&s->current);
    free(s->sts);
    free(s->role);
    free(s->session);
    free(s->token_file);
    free(s->token);
    free(s->url);
    free((char *)s->peer.tls.ca_file);
    free(s);
}

/* ---- one call, asked again where it may help ---------------------------------------------------
 */

static const struct retry_config pauses = { .initial_interval_ns = 100 * NS_PER_MS,
                                            .max_interval_ns = 2 * NS_PER_S,
                                            .multiplier = 2,
                                            .randomization_factor = 0.5 };

/* 0: a 2xx. ERR_INPUT: the peer is not what it should be. ERR_AUTH: it said no, with `status` and
 * the name of its error. */
static int judge(const struct request *request, const struct reply *reply, struct error *err)
{
    char code[AWS_CODE_MAX];
    struct buf url = BUF_INIT(ERROR_TEXT_BYTES);
    if (reply->status >= 200 && reply->status < 300)
        return 0;
    answer_code(buf_bytes(&reply->body), code, sizeof(code));
    bool later = reply->status >= 500 || reply->status == 429 ||
                 strcmp(code, "IDPCommunicationError") == 0;
    url_for_show(buf_text(&request->url), &url);
    error_set(err, later ? ERR_RETRY : ERR_AUTH, "%s: %d%s%s", buf_text(&url), reply->status,
              *code ? " " : "", code);
    buf_release(&url);
    return -1;
}

static int ask(struct credentials_source *s, struct http *http, const struct request *request,
               struct reply *reply, int64_t deadline_mono_ns, struct error *err)
{
    struct retry retry;
    retry_begin(&retry, &pauses, s->clk);
    for (;;) {
        retry.count++;
        if (http_send(http, request, reply, deadline_mono_ns, err) == 0 &&
            judge(request, reply, err) == 0)
            return 0;
        if (err->kind != ERR_RETRY)
            return -1;
        if (retry.count >= s->calls)
            return error_within(err, "gave up after %d attempts", retry.count);
        if (retry_wait(&retry, 0, deadline_mono_ns, ERR_RETRY, err))
            return -1;
    }
}

static struct http *http_for(struct credentials_source *s)
{
    const struct http_options options = { .peer = &s->peer,
                                          .clk = s->clk,
                                          .stop_grace_ns = s->stop_grace_ns,
                                          .ca_setting = "AWS_CA_BUNDLE" };
    return http_create(&options);
}

/* ---- a token in a file -------------------------------------------------------------------------
 */

/* Without the white space behind it. It is rotated: read anew each time. */
static int read_token(const char *path, struct buf *out, struct error *err)
{
    if (subst_read_file(path, out, err))
        return -1;
    while (out->len && strchr(" \t\r\n", out->data[out->len - 1]))
        out->data[--out->len] = '\0';
    if (out->len == 0 || out->len > TOKEN_FILE_MAX)
        return error_set(err, ERR_CONFIG, "%s: %s", path, out->len ? "larger than 64KiB" : "empty");
    for (size_t i = 0; i < out->len; i++) {
        if (out->data[i] < 0x20 || out->data[i] == 0x7f)
            return error_set(err, ERR_CONFIG, "%s: not a token, which is one line of text", path);
    }
    return 0;
}

/* ---- the origins -------------------------------------------------------------------------------
 */

static int from_web_identity(struct credentials_source *s, struct http *http,
                             struct credentials *out, int64_t deadline_mono_ns, struct error *err)
{
    struct request request = REQUEST_INIT, form = { .url = BUF_INIT(4 * TOKEN_FILE_MAX) };
    struct buf token = BUF_INIT(TEXT_BYTES_MAX);
    struct reply reply = { 0 };
    int rc = -1;
    if (read_token(s->token_file, &token, err))
        goto out;
    request_query(&form, "Action", BYTES("AssumeRoleWithWebIdentity"));
    request_query(&form, "RoleArn", bytes_of(s->role));
    request_query(&form, "RoleSessionName", bytes_of(s->session));
    request_query(&form, "Version", BYTES("2011-06-15"));
    request_query(&form, "WebIdentityToken", buf_bytes(&token));
    buf_printf(&request.url, "%s/", s->sts);
    request.body = (struct bytes){ form.url.data + 1, form.url.len - 1 }; /* without its "?" */
    request.content_type = "application/x-www-form-urlencoded";
    rc = ask(s, http, &request, &reply, deadline_mono_ns, err);
    if (rc)
        error_within(err, "credentials for AWS_ROLE_ARN with the token in %s", s->token_file);
    else if ((rc = answer_credentials_xml(buf_bytes(&reply.body), out, err)))
        error_within(err, "STS");
out:
    reply_release(&reply);
    buf_release(&token);
    request_release(&form);
    request_release(&request);
    return rc;
}

static int from_container(struct credentials_source *s, struct http *http, struct credentials *out,
                          int64_t deadline_mono_ns, struct error *err)
{
    struct request request = REQUEST_INIT;
    struct buf token = BUF_INIT(TEXT_BYTES_MAX);
    struct reply reply = { 0 };
    int rc = -1;
    buf_append_text(&request.url, s->url);
    if (s->token_file && read_token(s->token_file, &token, err)) {
        error_within(err, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
        goto out;
    }
    if (token.len)
        request_header(&request, "Authorization", buf_text(&token));
    else if (s->token)
        request_header(&request, "Authorization", s->token);
    rc = ask(s, http, &request, &reply, deadline_mono_ns, err);
    if (rc)
        error_within(err, "credentials from the container's endpoint");
    else if ((rc = answer_credentials_json(buf_bytes(&reply.body), out, err)))
        error_within(err, "the container's credentials endpoint");
out:
    reply_release(&reply);
    buf_release(&token);
    request_release(&request);
    return rc;
}

static int ask_ec2(struct credentials_source *s, struct http *http, struct request *request,
                   struct buf *out, int64_t deadline_mono_ns, struct error *err)
{
    struct reply reply = { 0 };
    int rc = ask(s, http, request, &reply, deadline_mono_ns, err);
    struct bytes body = buf_bytes(&reply.body);
    if (rc == 0)
        buf_append_bytes(out, body);
    reply_release(&reply);
    return rc;
}

/* The token, the name of the instance's role, the role's credentials. */
static int walk_ec2(struct credentials_source *s, struct http *http, struct buf *token,
                    struct buf *role, struct buf *answer, int64_t deadline_mono_ns,
                    struct error *err)
{
    struct request request = REQUEST_INIT;
    int rc = -1;
    buf_printf(&request.url, "%s/latest/api/token", s->url);
    request.method = "PUT";
    request.body = BYTES("");
    request_header(&request, "X-aws-ec2-metadata-token-ttl-seconds", "21600");
    if (ask_ec2(s, http, &request, token, deadline_mono_ns, err))
        goto out;
    request_reset(&request);
    buf_printf(&request.url, "%s" EC2_ROLES, s->url);
    buf_append_char(&request.url, '/');
    request_header(&request, "X-aws-ec2-metadata-token", buf_text(token));
    if (ask_ec2(s, http, &request, role, deadline_mono_ns, err))
        goto out;
    if (strcspn(buf_text(role), "\r\n") < role->len) /* one instance has one role */
        role->data[strcspn(role->data, "\r\n")] = '\0';
    buf_reset(&request.url);
    buf_printf(&request.url, "%s" EC2_ROLES, s->url);
    request_path(&request, buf_text(role));
    rc = ask_ec2(s, http, &request, answer, deadline_mono_ns, err);
out:
    request_release(&request);
    return rc;
}

/* Where nothing else is configured, this place may not be EC2 at all: then no one answers. */
static int no_credentials(struct error *err)
{
    struct error why = *err;
    return error_set(err, ERR_CONFIG,
                     "no credentials for AWS: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or "
                     "give this job a role (no web identity, no container endpoint%s%s)",
                     *why.text ? ", EC2's metadata: " : "", why.text);
}

static int from_ec2(struct credentials_source *s, struct http *http, struct credentials *out,
                    int64_t deadline_mono_ns, struct error *err)
{
    struct buf token = BUF_INIT(4096), role = BUF_INIT(1024), answer = BUF_INIT(ANSWER_MAX);
    int rc = walk_ec2(s, http, &token, &role, &answer, deadline_mono_ns, err);
    if (rc == 0 && (rc = answer_credentials_json(buf_bytes(&answer), out, err)))
        error_within(err, "the instance metadata of EC2");
    else if (rc && (err->kind == ERR_AUTH || (err->kind == ERR_RETRY && !s->current.access_key)))
        no_credentials(err);
    buf_release(&token);
    buf_release(&role);
    buf_release(&answer);
    return rc;
}

/* ---- the way in --------------------------------------------------------------------------------
 */

static int fetch(struct credentials_source *s, struct credentials *out, int64_t deadline_mono_ns,
                 struct error *err)
{
    struct http *http = http_for(s);
    int rc = -1;
    switch (s->origin) {
    case FROM_WEB_IDENTITY:
        rc = from_web_identity(s, http, out, deadline_mono_ns, err);
        break;
    case FROM_CONTAINER:
        rc = from_container(s, http, out, deadline_mono_ns, err);
        break;
    case FROM_EC2:
        rc = from_ec2(s, http, out, deadline_mono_ns, err);
        break;
    case FROM_ENVIRONMENT:
        error_set(err, ERR_AUTH,
                  "AWS_SESSION_TOKEN has expired, and nothing here renews what the environment "
                  "gives");
        break;
    case FROM_NOWHERE:
        *err = (struct error){ 0 };
        no_credentials(err);
        break;
    }
    http_destroy(http);
    if (rc && err->kind == ERR_INPUT) /* nonsense now may be none later */
        err->kind = ERR_RETRY;
    return rc;
}

static bool same(const struct credentials *a, const struct credentials *b)
{
    const char *of_a = a->session_token ? a->session_token : "";
    const char *of_b = b->session_token ? b->session_token : "";
    return strcmp(a->access_key, b->access_key) == 0 && strcmp(of_a, of_b) == 0;
}

/* Whether they must be fetched first; `usable`: those at hand would do, if that fails. */
static bool due(const struct credentials_source *s, const struct credentials *refused, bool *usable)
{
    int64_t now = clock_unix_ns(s->clk);
    const struct credentials *c = &s->current;
    *usable = c->access_key && !(refused && same(c, refused)) && now < c->expires_unix_ns;
    if (!*usable)
        return true;
    return now >= time_add(c->expires_unix_ns, -RENEW_BEFORE_NS) && now >= s->renew_after_unix_ns;
}

static int renew(struct credentials_source *s, bool usable, int64_t deadline_mono_ns,
                 struct error *err)
{
    struct credentials fresh = { 0 };
    struct error why = { 0 };
    if (fetch(s, &fresh, deadline_mono_ns, &why) == 0) {
        credentials_release(&s->current);
        s->current = fresh;
        return 0;
    }
    if (usable) { /* whatever the failure: a last call on the way out needs them too */
        s->renew_after_unix_ns = time_add(clock_unix_ns(s->clk), RENEW_PAUSE_NS);
        return 0;
    }
    *err = why;
    return -1;
}

int credentials_get(struct credentials_source *s, const struct credentials *refused,
                    struct credentials *out, int64_t deadline_mono_ns, struct error *err)
{
    bool usable;
    int rc = 0;
    pthread_mutex_lock(&s->mutex);
    if (due(s, refused, &usable))
        rc = renew(s, usable, deadline_mono_ns, err);
    if (rc == 0)
        *out = (struct credentials){ .access_key = xstrdup(s->current.access_key),
                                     .secret_key = xstrdup(s->current.secret_key),
                                     .session_token = xstrdup(s->current.session_token),
                                     .expires_unix_ns = s->current.expires_unix_ns };
    pthread_mutex_unlock(&s->mutex);
    return rc;
}
