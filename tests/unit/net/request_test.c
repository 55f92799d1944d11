#include "net/request.h"

#include "tests/unit/check.h"

static void test_paths(void **state)
{
    static const struct {
        const char *segment, *want;
    } rows[] = {
        { "plain-._~09AZ", "http://h/plain-._~09AZ" },
        { "a/b?c#d", "http://h/a%2Fb%3Fc%23d" },
        { "a b+%", "http://h/a%20b%2B%25" },
        { "\xc3\xa9\x01\x7f", "http://h/%C3%A9%01%7F" },
        { "ari:cloud::app/1", "http://h/ari%3Acloud%3A%3Aapp%2F1" },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct request r = REQUEST_INIT;
        check_row(rows[i].segment);
        buf_append_text(&r.url, "http://h");
        request_path(&r, rows[i].segment);
        check_text(buf_text(&r.url), rows[i].want);
        request_release(&r);
    }
}

static void test_queries(void **state)
{
    struct request r = REQUEST_INIT;
    (void)state;
    buf_append_text(&r.url, "http://h/p");
    request_query(&r, "a", BYTES("1&2"));
    request_query(&r, "a", BYTES(""));
    request_query(&r, "b", BYTES("x\0=?"));
    check_text(buf_text(&r.url), "http://h/p?a=1%262&a=&b=x%00%3D%3F");
    request_release(&r);

    r = (struct request){ .url = BUF_INIT(16) };
    buf_append_text(&r.url, "http://h");
    request_query(&r, "key", BYTES("too long for it"));
    check_i64(r.url.full, true);
    request_release(&r);
}

static void test_pairs(void **state)
{
    struct pairs list = { 0 };
    char key[] = "k", value[] = "one";
    (void)state;
    check_text(pairs_add(&list, key, value)->value, "one");
    key[0] = value[0] = 'x'; /* it copied them */
    check_text(key, "x");
    check_text(value, "xne");
    pairs_add(&list, "empty", "");
    pairs_add(&list, "k", "two");
    check_i64(list.count, 3);
    check_text(list.items[0].value, "one");
    check_text(list.items[2].value, "two");
    pairs_release(&list);
    check_i64(list.count == 0 && !list.items, true);
    pairs_release(&list);
}

static void test_shows(void **state)
{
    static const struct {
        const char *url, *want;
    } rows[] = {
        { "https://h.example/a/b", "https://h.example/a/b" },
        { "https://h.example:8443/a?token=secret#part", "https://h.example:8443/a" },
        { "http://user:secret@h/a", "http://h/a" },
        { "http://secret@h", "http://h/" },
        { "http://[::1]:4318/v1/logs?x", "http://[::1]:4318/v1/logs" },
        { "https://u:p@h?secret", "https://h/" },
        { "", "(not a URL)" },
        { "secret", "(not a URL)" },
        { "ftp://h/secret", "(not a URL)" },
        { "file:///secret", "(not a URL)" },
        { "http://", "(not a URL)" },
        { "http://h:99999/secret", "(not a URL)" },
        { "http://h\n/secret", "(not a URL)" },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct buf out = BUF_INIT(1024);
        check_row(rows[i].url);
        url_for_show(rows[i].url, &out);
        check_text(buf_text(&out), rows[i].want);
        buf_release(&out);
    }
}

static void test_same_origin(void **state)
{
    static const struct {
        const char *a, *b;
        bool want;
    } rows[] = {
        { "https://h/a", "https://h/b?c", true },
        { "https://h", "https://h:443/", true },
        { "http://h:80", "http://h", true },
        { "https://H.Example/", "HTTPS://h.example/", true },
        { "https://user@h/", "https://h/", true },
        { "https://h", "http://h", false },
        { "https://h", "https://h:8443", false },
        { "https://h", "https://i", false },
        { "https://h", "https://h.example", false },
        { "https://h", "https://h@evil/", false },
        { "https://h", "nonsense", false },
        { "nonsense", "nonsense", false },
        { "ftp://h", "ftp://h", false },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        check_row(rows[i].b);
        check_i64(url_same_origin(rows[i].a, rows[i].b), rows[i].want);
        check_i64(url_same_origin(rows[i].b, rows[i].a), rows[i].want);
    }
}

static void test_resolves(void **state)
{
    static const struct {
        const char *base, *location, *want; /* NULL: not usable */
    } rows[] = {
        { "https://h/a/b?c", "https://i/d", "https://i/d" },
        { "https://h/a/b?c", "/d?e=f", "https://h/d?e=f" },
        { "https://h/a/b?c", "d", "https://h/a/d" },
        { "https://h/a/b?c", "../d", "https://h/d" },
        { "https://h:8443/a", "//i/d", "https://i/d" },
        { "https://h/a?c", "?d", "https://h/a?d" },
        { "https://h/a", "http://h/a", "http://h/a" },
        { "https://h/a", "ftp://h/a", NULL },
        { "https://h/a", "file:///etc/passwd", NULL },
        { "https://h/a", "http://h:99999/", NULL },
        { "nonsense", "/a", NULL },
        { "https://h/a", "http://this-one-is-far-too-long-for-the-buffer.example/abcdefgh", NULL },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct buf out = BUF_INIT(48);
        check_row(rows[i].location);
        check_i64(url_resolve(rows[i].base, rows[i].location, &out), rows[i].want != NULL);
        check_text(buf_text(&out), rows[i].want);
        buf_release(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_paths),       cmocka_unit_test(test_queries),
        cmocka_unit_test(test_pairs),       cmocka_unit_test(test_shows),
        cmocka_unit_test(test_same_origin), cmocka_unit_test(test_resolves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
