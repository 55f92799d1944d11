/* Which connections http.c uses, as a little server counts them: kept ones, stale ones, no proxy.
 */
#include "net/http.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/check.h"
#include "tests/unit/fake_clock.h"

#define MINUTE (60 * NS_PER_S)

static const char answer[] =
    "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nx-one:  a b \r\nX-Two: first\r\n"
    "X-Two: last\r\nX-Three:\r\n\r\nok";

/* Answers each request alike, a connection at a time. */
struct server {
    pthread_t thread;
    int listener, connections;
    char url[64];
};

/* Until the client hangs up; it sends no body. */
static void serve(int fd)
{
    char text[4096];
    size_t len = 0;
    ssize_t n;
    while ((n = recv(fd, text + len, sizeof(text) - 1 - len, 0)) > 0) {
        len += (size_t)n;
        text[len] = '\0';
        if (!strstr(text, "\r\n\r\n"))
            continue;
        len = 0;
        if (send(fd, answer, sizeof(answer) - 1, MSG_NOSIGNAL) < 0)
            return;
    }
}

static void *accept_all(void *arg)
{
    struct server *s = arg;
    int fd;
    while ((fd = accept(s->listener, NULL, NULL)) >= 0) {
        s->connections++;
        serve(fd);
        close(fd);
    }
    return NULL;
}

static void server_start(struct server *s)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof(at);
    *s = (struct server){ .listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0) };
    assert_int_equal(bind(s->listener, (struct sockaddr *)&at, len), 0);
    assert_int_equal(listen(s->listener, 4), 0);
    getsockname(s->listener, (struct sockaddr *)&at, &len);
    snprintf(s->url, sizeof(s->url), "http://127.0.0.1:%d/", ntohs(at.sin_port));
    assert_int_equal(pthread_create(&s->thread, NULL, accept_all, s), 0);
}

/* Once every client has hung up. */
static int server_stop(struct server *s)
{
    shutdown(s->listener, SHUT_RDWR);
    pthread_join(s->thread, NULL);
    close(s->listener);
    return s->connections;
}

static int get(struct http *h, const struct server *s, const char *const *wanted,
               struct reply *reply)
{
    struct request request = REQUEST_INIT;
    struct error err = { 0 };
    buf_append_text(&request.url, s->url);
    request.wanted = wanted;
    int rc = http_send(h, &request, reply, TIME_FOREVER, &err);
    request_release(&request);
    return rc;
}

static void get_well(struct http *h, const struct server *s)
{
    struct reply reply = { 0 };
    check_i64(get(h, s, NULL, &reply), 0);
    check_i64(reply.status, 200);
    reply_release(&reply);
}

static void test_kept_for_the_next_run(void **state)
{
    struct server s;
    struct fake_clock clock = fake_clock();
    struct peer_config peer = { .max_response_bytes = 100, .keep = http_keep_create() };
    (void)state;
    server_start(&s);
    for (int i = 0; i < 3; i++) { /* each by a clock of its own */
        struct fake_clock own = clock;
        struct http *h = http_create(&(struct http_options){ .peer = &peer, .clk = &own.clk });
        get_well(h, &s);
        http_destroy(h);
    }
    http_keep_destroy(peer.keep);
    check_i64(server_stop(&s), 1);
}

static void test_two_at_once_are_two(void **state)
{
    struct fake_clock clock = fake_clock();
    struct peer_config peer = { .max_response_bytes = 100, .keep = http_keep_create() };
    struct http_options options = { .peer = &peer, .clk = &clock.clk };
    (void)state;
    struct http *a = http_create(&options), *b = http_create(&options);
    assert_ptr_not_equal(a, b);
    http_destroy(a);
    http_destroy(b);
    struct http *c = http_create(&options), *d = http_create(&options);
    assert_true((c == a && d == b) || (c == b && d == a));
    http_destroy(c);
    http_destroy(d);
    http_keep_destroy(peer.keep);
}

static void test_not_kept_is_gone(void **state)
{
    struct server s;
    struct fake_clock clock = fake_clock();
    struct peer_config peer = { .max_response_bytes = 100 };
    (void)state;
    server_start(&s);
    for (int i = 0; i < 3; i++) {
        struct http *h = http_create(&(struct http_options){ .peer = &peer, .clk = &clock.clk });
        get_well(h, &s);
        http_destroy(h);
    }
    check_i64(server_stop(&s), 3);
}

static void freeze(struct fake_clock *clock, int64_t ns)
{
    clock->unix_ns += ns;
}

/* The machine was frozen: the wall clock went on, the other one did not. Or the wall clock was set.
 */
static void test_stale(void **state)
{
    static const struct {
        const char *name;
        int64_t later_ns;
        int connections;
    } rows[] = {
        { "at once", 0, 1 },          { "a while", MINUTE - NS_PER_S, 1 },
        { "a minute", MINUTE, 2 },    { "an hour", 60 * MINUTE, 2 },
        { "set back", -NS_PER_S, 2 },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct server s;
        struct fake_clock clock = fake_clock();
        struct peer_config peer = { .max_response_bytes = 100 };
        check_row(rows[i].name);
        server_start(&s);
        struct http *h = http_create(&(struct http_options){ .peer = &peer, .clk = &clock.clk });
        get_well(h, &s);
        freeze(&clock, rows[i].later_ns);
        get_well(h, &s);
        get_well(h, &s);
        http_destroy(h);
        check_i64(server_stop(&s), rows[i].connections);
    }
}

static void test_wanted_headers(void **state)
{
    static const char *const wanted[] = { "X-One", "X-Two", "X-Three", "X-Four", NULL };
    struct server s;
    struct fake_clock clock = fake_clock();
    struct peer_config peer = { .max_response_bytes = 100 };
    struct reply reply = { 0 };
    (void)state;
    server_start(&s);
    struct http *h = http_create(&(struct http_options){ .peer = &peer, .clk = &clock.clk });
    for (int i = 0; i < 2; i++) {
        check_i64(get(h, &s, wanted, &reply), 0);
        check_text(reply_header(&reply, "X-One"), "a b");
        check_text(reply_header(&reply, "X-Two"), "last");
        assert_null(reply_header(&reply, "X-Three"));
        assert_null(reply_header(&reply, "X-Four"));
    }
    check_i64(get(h, &s, NULL, &reply), 0);
    assert_null(reply_header(&reply, "X-One"));
    reply_release(&reply);
    http_destroy(h);
    server_stop(&s);
}

static void test_no_proxy(void **state)
{
    struct server s;
    struct fake_clock clock = fake_clock();
    struct peer_config peer = { .max_response_bytes = 100 };
    struct reply reply = { 0 };
    (void)state;
    setenv("http_proxy", "http://127.0.0.1:1", 1);
    unsetenv("no_proxy");
    unsetenv("NO_PROXY");
    server_start(&s);
    struct http *h = http_create(&(struct http_options){ .peer = &peer, .clk = &clock.clk });
    check_i64(get(h, &s, NULL, &reply), -1); /* nobody is there */
    peer.no_proxy = true;
    check_i64(get(h, &s, NULL, &reply), 0);
    reply_release(&reply);
    http_destroy(h);
    check_i64(server_stop(&s), 1);
    unsetenv("http_proxy");
}

static int set_up(void **state)
{
    struct error err;
    (void)state;
    return http_global_init(&err);
}

static int tear_down(void **state)
{
    (void)state;
    http_global_release();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kept_for_the_next_run), cmocka_unit_test(test_two_at_once_are_two),
        cmocka_unit_test(test_not_kept_is_gone),      cmocka_unit_test(test_stale),
        cmocka_unit_test(test_wanted_headers),        cmocka_unit_test(test_no_proxy),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
