#include "http.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "net/ca.h"
#include "net/sha256.h"

#define CONNECTION_MAX_AGE_S                                                                       \
    60L /* a proxy or a frozen machine has dropped it by then, silently                            \
         */
#define RECEIVE_BUFFER_BYTES 131072L
#define SEND_BUFFER_BYTES    524288L /* a batch is megabytes: fewer, larger writes */

struct http {
    struct http_options options;
    CURLM *multi;
    CURL *easy;
    const char *ca_file;   /* where the peer's configuration names none; NULL: libcurl's own */
    int64_t round_trip_ns; /* of the last handshake */
    int64_t used_unix_ns;  /* when its last call ended; 0: it made none */
    struct http *next;     /* in a struct http_keep */
};

struct http_keep {
    pthread_mutex_t mutex;
    struct http *idle;
};

/* One call under way, as the callbacks see it. */
struct call {
    struct http *h;
    const struct request *request;
    struct reply *reply;
    int sent;
    int64_t send_before_mono_ns;
    bool too_late, too_long;
};

static void *reallocate(void *old, size_t bytes)
{
    return xreallocarray(old, bytes, 1);
}

int http_global_init(struct error *err)
{
    CURLcode rc = curl_global_init_mem(CURL_GLOBAL_DEFAULT, xmalloc, free, reallocate, xstrdup,
                                       xcalloc);
    return rc == CURLE_OK ? 0 : error_set(err, ERR_BUG, "libcurl: %s", curl_easy_strerror(rc));
}

void http_global_release(void)
{
    curl_global_cleanup();
}

static CURLM *create_multi(void)
{
    CURLM *multi = curl_multi_init();
    if (!multi)
        abort(); /* libcurl fails here only for want of memory */
    return multi;
}

static struct http *create(void)
{
    struct http *h = xcalloc(1, sizeof(*h));
    h->ca_file = ca_default();
    h->multi = create_multi();
    h->easy = curl_easy_init();
    if (!h->easy)
        abort();
    return h;
}

static struct http *take_kept(struct http_keep *k)
{
    pthread_mutex_lock(&k->mutex);
    struct http *h = k->idle;
    if (h)
        k->idle = h->next;
    pthread_mutex_unlock(&k->mutex);
    return h;
}

struct http *http_create(const struct http_options *options)
{
    struct http_keep *k = options->peer->keep;
    struct http *h = k ? take_kept(k) : NULL;
    if (!h)
        h = create();
    h->options = *options;
    return h;
}

static void release(struct http *h)
{
    curl_easy_cleanup(h->easy);
    curl_multi_cleanup(h->multi);
    free(h);
}

void http_destroy(struct http *h)
{
    struct http_keep *k = h ? h->options.peer->keep : NULL;
    if (!k && h)
        release(h);
    if (!k)
        return;
    pthread_mutex_lock(&k->mutex);
    h->next = k->idle;
    k->idle = h;
    pthread_mutex_unlock(&k->mutex);
}

struct http_keep *http_keep_create(void)
{
    struct http_keep *k = xcalloc(1, sizeof(*k));
    pthread_mutex_init(&k->mutex, NULL);
    return k;
}

void http_keep_destroy(struct http_keep *k)
{
    struct http *h;
    if (!k)
        return;
    while ((h = take_kept(k)))
        release(h);
    pthread_mutex_destroy(&k->mutex);
    free(k);
}

/* A machine that was frozen (Lambda between two invocations, a laptop) has lost its connections,
 * and libcurl, which reckons their age by a clock that stood still, would wait on them in vain. */
static void drop_stale(struct http *h)
{
    int64_t idle_ns = clock_unix_ns(h->options.clk) - h->used_unix_ns;
    if (h->used_unix_ns == 0 || (idle_ns >= 0 && idle_ns < CONNECTION_MAX_AGE_S * NS_PER_S))
        return;
    curl_multi_cleanup(h->multi); /* the TLS sessions stay, with the easy handle */
    h->multi = create_multi();
    h->used_unix_ns = 0;
}

static size_t on_body(char *data, size_t size, size_t count, void *to)
{
    struct call *call = to;
    struct buf *body = &call->reply->body;
    size_t len = size * count; /* size is 1, says libcurl */
    size_t fits = len < body->max - body->len ? len : body->max - body->len;
    if (fits < len && !call->h->options.status_suffices) {
        call->too_long = true;
        return 0;
    }
    buf_append(body, data, fits);
    return len;
}

static void keep_header(struct bytes line, const char *name, char *out, size_t out_bytes)
{
    size_t name_len = strlen(name);
    if (line.len <= name_len || line.data[name_len] != ':' ||
        strncasecmp(line.data, name, name_len) != 0)
        return;
    const char *at = line.data + name_len + 1, *end = line.data + line.len;
    while (at < end && (*at == ' ' || *at == '\t'))
        at++;
    while (end > at && strchr(" \t\r\n", end[-1]))
        end--;
    size_t len = (size_t)(end - at);
    if (len >= out_bytes) /* too long to mean anything to us */
        len = 0;
    memcpy(out, at, len);
    out[len] = '\0';
}

static void keep_date(struct bytes line, struct reply *reply)
{
    char date[REPLY_HEADER_MAX] = "";
    int64_t unix_ns;
    keep_header(line, "Date", date, sizeof(date));
    if (timefmt_parse_http_date(bytes_of(date), &unix_ns) && unix_ns > 0)
        reply->date_unix_ns = unix_ns;
}

static void keep_wanted(struct bytes line, const struct request *r, struct reply *reply)
{
    for (size_t i = 0; r->wanted && r->wanted[i]; i++) {
        char value[4096] = "";
        keep_header(line, r->wanted[i], value, sizeof(value));
        if (value[0])
            pairs_add(&reply->headers, r->wanted[i], value);
    }
}

static size_t on_header(char *data, size_t size, size_t count, void *to)
{
    const struct call *call = to;
    struct reply *reply = call->reply;
    struct bytes line = { data, size * count };
    keep_wanted(line, call->request, reply);
    keep_header(line, "Retry-After", reply->retry_after, sizeof(reply->retry_after));
    keep_header(line, "X-RateLimit-Reset", reply->ratelimit_reset, sizeof(reply->ratelimit_reset));
    keep_header(line, "Location", reply->location, sizeof(reply->location));
    keep_header(line, "Content-Type", reply->content_type, sizeof(reply->content_type));
    keep_header(line, "ETag", reply->etag, sizeof(reply->etag));
    keep_date(line, reply);
    return line.len;
}

/* Called before each writing of the request. libcurl writes it a second time, unasked, where a kept
 * connection breaks before an answer: a call that no permit was had for, or a batch sent twice. */
static int on_send(void *to, char *peer_ip, char *own_ip, int peer_port, int own_port)
{
    struct call *call = to;
    (void)peer_ip, (void)own_ip, (void)peer_port, (void)own_port;
    if (call->sent++ > 0)
        return CURL_PREREQFUNC_ABORT;
    int64_t now = clock_mono_ns(call->h->options.clk);
    call->too_late = call->send_before_mono_ns && now >= call->send_before_mono_ns;
    if (call->too_late)
        return CURL_PREREQFUNC_ABORT;
    call->reply->sent_mono_ns = now;
    return CURL_PREREQFUNC_OK;
}

static void set_tls(CURL *easy, const struct tls_config *tls, const char *default_ca_file,
                    bool own_certificate)
{
    const char *ca_file = tls->ca_file ? tls->ca_file : default_ca_file;
    bool newest = tls->min_version && strcmp(tls->min_version, "1.3") == 0;
    curl_easy_setopt(easy, CURLOPT_SSLVERSION,
                     newest ? (long)CURL_SSLVERSION_TLSv1_3 : (long)CURL_SSLVERSION_TLSv1_2);
    if (ca_file) {
        curl_easy_setopt(easy, CURLOPT_CAINFO, ca_file);
        curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
    }
    if (tls->cert_file && own_certificate)
        curl_easy_setopt(easy, CURLOPT_SSLCERT, tls->cert_file);
    if (tls->key_file && own_certificate)
        curl_easy_setopt(easy, CURLOPT_SSLKEY, tls->key_file);
    if (tls->insecure_skip_verify) {
        curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L);
        curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);
    }
}

static struct curl_slist *add_header(struct curl_slist *list, const char *key, const char *value)
{
    struct buf line = BUF_INIT(1 << 20);
    buf_append_text(&line, key);
    if (*value) {
        buf_append_text(&line, ": ");
        buf_append_text(&line, value);
    } else {
        buf_append_char(&line, ';'); /* libcurl's way to send a header without a value */
    }
    struct curl_slist *longer = curl_slist_append(list, buf_text(&line));
    buf_release(&line);
    if (!longer)
        abort();
    return longer;
}

/* What libcurl 7.88 leaves to us; it signs every header of the list, also one that it does not
 * send.
 */
static struct curl_slist *add_signed_headers(struct curl_slist *list, const struct request *r)
{
    char hash[SHA256_HEX_BYTES];
    sha256_hex(r->body, hash);
    list = add_header(list, "x-amz-content-sha256", hash);
    if (r->sign->session_token)
        list = add_header(list, "x-amz-security-token", r->sign->session_token);
    return list;
}

static struct curl_slist *headers_of(const struct peer_config *peer, const struct request *r)
{
    struct curl_slist *list = NULL;
    if (r->accept)
        list = add_header(list, "Accept", r->accept);
    if (r->body.data && !r->sign)
        list = curl_slist_append(list, "Expect:"); /* no 100-continue: it costs a round trip */
    if (r->body.data && r->content_type)
        list = add_header(list, "Content-Type", r->content_type);
    if (r->sign)
        list = add_signed_headers(list, r);
    if (r->content_encoding)
        list = add_header(list, "Content-Encoding", r->content_encoding);
    for (size_t i = 0; i < peer->headers.count && !r->elsewhere; i++)
        list = add_header(list, peer->headers.items[i].key, peer->headers.items[i].value);
    for (size_t i = 0; i < r->headers.count; i++)
        list = add_header(list, r->headers.items[i].key, r->headers.items[i].value);
    return list;
}

/* The four parts of a provider, so that libcurl guesses none from the host's name. */
static void set_signing(CURL *easy, const struct signing *sign)
{
    struct buf provider = BUF_INIT(256);
    buf_printf(&provider, "aws:amz:%s:%s", sign->region, sign->service);
    curl_easy_setopt(easy, CURLOPT_AWS_SIGV4, buf_text(&provider));
    curl_easy_setopt(easy, CURLOPT_USERNAME, sign->access_key);
    curl_easy_setopt(easy, CURLOPT_PASSWORD, sign->secret_key);
    buf_release(&provider);
}

static void set_request(struct http *h, const struct request *r, struct call *call,
                        struct curl_slist *headers)
{
    CURL *easy = h->easy;
    curl_easy_reset(easy); /* keeps connections, TLS sessions and names found */
    curl_easy_setopt(easy, CURLOPT_URL, buf_text(&r->url));
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L); /* wait for no name server past the deadline */
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "otlpull/" OTLPULL_VERSION);
    curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "gzip");
    curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, RECEIVE_BUFFER_BYTES);
    curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, SEND_BUFFER_BYTES);
    curl_easy_setopt(easy, CURLOPT_MAXAGE_CONN, CONNECTION_MAX_AGE_S);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, call);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, call);
    curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_send);
    curl_easy_setopt(easy, CURLOPT_PREREQDATA, call);
    if (h->options.peer->no_proxy)
        curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
    set_tls(easy, &h->options.peer->tls, h->ca_file, !r->elsewhere);
    if (r->username) {
        curl_easy_setopt(easy, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
        curl_easy_setopt(easy, CURLOPT_USERNAME, r->username);
        curl_easy_setopt(easy, CURLOPT_PASSWORD, r->password);
    } else if (r->bearer) {
        curl_easy_setopt(easy, CURLOPT_HTTPAUTH, (long)CURLAUTH_BEARER);
        curl_easy_setopt(easy, CURLOPT_XOAUTH2_BEARER, r->bearer);
    } else if (r->sign) {
        set_signing(easy, r->sign);
    }
    if (r->body.data) {
        curl_easy_setopt(easy, CURLOPT_POST, 1L);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, r->body.data);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->body.len);
    }
    if (r->method)
        curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, r->method);
}

/* Wait for the call's end. 0: libcurl has a result, in `result`. */
static int drive(struct http *h, CURLcode *result, int64_t deadline_mono_ns, struct error *err)
{
    struct clock *clk = h->options.clk;
    bool stopping = false;
    for (;;) {
        int running = 0, left = 0;
        CURLMcode rc = curl_multi_perform(h->multi, &running);
        if (rc != CURLM_OK)
            return error_set(err, ERR_BUG, "libcurl: %s", curl_multi_strerror(rc));
        if (!running) {
            CURLMsg *message = curl_multi_info_read(h->multi, &left);
            *result = message ? message->data.result : CURLE_FAILED_INIT;
            return 0;
        }
        int64_t now = clock_mono_ns(clk);
        if (!stopping && clock_stopped(clk)) {
            stopping = true;
            int64_t until = time_add(now, h->options.stop_grace_ns);
            deadline_mono_ns = until < deadline_mono_ns ? until : deadline_mono_ns;
        }
        if (now >= deadline_mono_ns)
            return stopping ? error_set(err, ERR_STOPPED, "stopped")
                            : error_set(err, ERR_DEADLINE, "the deadline came first");
        int64_t left_ms = (deadline_mono_ns - now) / NS_PER_MS + 1;
        struct curl_waitfd stop = { .fd = clk->stop_fd, .events = CURL_WAIT_POLLIN };
        bool watch = clk->stop_fd >= 0 && !stopping;
        curl_multi_poll(h->multi, watch ? &stop : NULL, watch ? 1 : 0,
                        left_ms < 1000 ? (int)left_ms : 1000, NULL);
    }
}

static enum error_kind kind_of(CURLcode rc)
{
    switch (rc) {
    case CURLE_URL_MALFORMAT:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_ENGINE_NOTFOUND:
        return ERR_CONFIG;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_UNSUPPORTED_PROTOCOL: /* of the answer: the URL's is http or https */
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_BAD_CONTENT_ENCODING:
    case CURLE_WRITE_ERROR:
        return ERR_INPUT;
    default:
        return ERR_RETRY;
    }
}

static int explain(const struct http *h, const struct call *call, CURLcode rc, struct error *err)
{
    if (call->too_long)
        return error_set(err, ERR_INPUT, "answer over %zu bytes (max_response_bytes)",
                         h->options.peer->max_response_bytes);
    if (call->too_late)
        return error_set(err, ERR_RETRY, "connecting took longer than a permit for a call lasts");
    if (call->sent > 1)
        return error_set(err, ERR_RETRY, "the connection broke before an answer");
    const char *ca = h->options.ca_setting, *what = curl_easy_strerror(rc);
    if (rc == CURLE_PEER_FAILED_VERIFICATION)
        return error_set(err, kind_of(rc), "%s (%s names the authority to trust)", what,
                         ca ? ca : "tls.ca_file");
    if (rc == CURLE_SSL_CERTPROBLEM || rc == CURLE_SSL_CACERT_BADFILE)
        return error_set(err, kind_of(rc), "%s (see %s)", what,
                         ca ? ca : "tls.ca_file, tls.cert_file, tls.key_file");
    return error_set(err, kind_of(rc), "%s", what);
}

/* The answer's time, and how far away the peer is, as the handshake of its connection measured it.
 */
static void note_times(struct http *h, struct reply *reply)
{
    curl_off_t name_us = 0, connect_us = 0;
    long connections = 0;
    curl_easy_getinfo(h->easy, CURLINFO_NAMELOOKUP_TIME_T, &name_us);
    curl_easy_getinfo(h->easy, CURLINFO_CONNECT_TIME_T, &connect_us);
    curl_easy_getinfo(h->easy, CURLINFO_NUM_CONNECTS, &connections);
    if (connections > 0 && connect_us > name_us)
        h->round_trip_ns = (connect_us - name_us) * NS_PER_US;
    reply->answered_mono_ns = clock_mono_ns(h->options.clk);
    reply->round_trip_ns = h->round_trip_ns;
}

static void reply_begin(struct reply *reply, const struct peer_config *peer)
{
    struct buf body = reply->body;
    pairs_release(&reply->headers);
    *reply = (struct reply){ .body = body };
    buf_reset(&reply->body);
    reply->body.max = peer->max_response_bytes;
}

int http_send(struct http *h, const struct request *request, struct reply *out,
              int64_t deadline_mono_ns, struct error *err)
{
    const struct peer_config *peer = h->options.peer;
    struct call call = { .h = h,
                         .request = request,
                         .reply = out,
                         .send_before_mono_ns = request->send_before_mono_ns };
    struct curl_slist *headers = NULL;
    int64_t now = clock_mono_ns(h->options.clk);
    int64_t give_up = peer->timeout_ns ? time_add(now, peer->timeout_ns) : TIME_FOREVER;
    bool timeout_first = give_up < deadline_mono_ns;
    struct error before = *err;
    CURLcode result = CURLE_OK;
    long status = 0;
    int rc = -1;

    reply_begin(out, peer);
    if (request->url.full) {
        error_set(err, ERR_CONFIG, "the request's URL is over %d bytes", REQUEST_URL_MAX);
        goto out;
    }
    headers = headers_of(peer, request);
    drop_stale(h);
    set_request(h, request, &call, headers);
    curl_multi_add_handle(h->multi, h->easy);
    rc = drive(h, &result, timeout_first ? give_up : deadline_mono_ns, err);
    if (rc && err->kind == ERR_DEADLINE && timeout_first)
        error_set(err, ERR_RETRY, "no answer within %lld ms",
                  (long long)(peer->timeout_ns / NS_PER_MS));
    note_times(h, out);
    h->used_unix_ns = clock_unix_ns(h->options.clk);
    curl_multi_remove_handle(h->multi, h->easy);
    curl_easy_getinfo(h->easy, CURLINFO_RESPONSE_CODE, &status);
    if (h->options.status_suffices && status >= 200 && status < 300) {
        rc = 0; /* however the rest of the answer fared */
        *err = before;
    } else if (rc == 0 && result != CURLE_OK) {
        rc = explain(h, &call, result, err);
    }
    if (rc == 0)
        out->status = (int)status;
out:
    curl_slist_free_all(headers);
    if (rc) {
        struct buf shown = BUF_INIT(ERROR_TEXT_BYTES);
        request_for_show(request, &shown);
        const char *method = request->body.data ? "POST" : "GET";
        error_within(err, "%s %s", request->method ? request->method : method, buf_text(&shown));
        buf_release(&shown);
    }
    return rc;
}
