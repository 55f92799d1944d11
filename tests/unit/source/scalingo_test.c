#include "scalingo_poll.h"

/* ---- requests ----------------------------------------------------------------------------------
 */

static void test_dump_requests(void **state)
{
    static const struct {
        const char *name, *logs_url, *filter, *session, *want;
    } rows[] = {
        { "parameters are kept", NULL, NULL, GIVEN,
          "https://logs.example/apps/a/logs?token=x&timestamp=7&n=4" },
        { "filter", NULL, "web|worker", GIVEN,
          "https://logs.example/apps/a/logs?token=x&timestamp=7&n=4&filter=web%7Cworker" },
        { "empty filter", NULL, "", GIVEN,
          "https://logs.example/apps/a/logs?token=x&timestamp=7&n=4" },
        { "without parameters", NULL, NULL, "Tt\nUhttps://logs.example/x\n",
          "https://logs.example/x?n=4" },
        { "a ready URL", "https://mine.example/l?a=%20b", NULL, "",
          "https://mine.example/l?a=%20b&n=4" },
        { "no session yet: what tells it from another", NULL, "web", "",
          "https://api.osc-fr1.scalingo.com/v1/apps/my%20app/logs?n=4&filter=web" },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct fixture f;
        setup(&f);
        check_row(rows[i].name);
        f.settings[LOGS_URL].text = rows[i].logs_url;
        f.settings[FILTER].text = rows[i].filter;
        buf_reset(&f.session);
        buf_append_text(&f.session, rows[i].session);
        buf_append_text(&f.request.url, "left over");
        check_asks(&f, rows[i].want);
        check_text(f.request.shown_as, "the log URL");
        check_i64(f.request.headers.count, 0);
        check_i64(!f.request.bearer && !f.request.username && !f.request.body.data, true);
        teardown(&f);
    }
}

static void test_prepares(void **state)
{
    struct fixture f;
    (void)state;
    setup(&f);
    buf_reset(&f.session);
    check_i64(prepare(&f), 0);
    check_text(buf_text(&f.request.url), "https://auth.example/v1/tokens/exchange");
    check_text(f.request.username, "");
    check_text(f.request.password, "tk-us-secret");
    check_i64(f.request.body.data != NULL && f.request.body.len == 0, true);
    check_i64(prepared(&f, "{\"token\":\"jwt\"}"), 0);

    check_i64(prepare(&f), 0);
    check_text(buf_text(&f.request.url), "https://api.osc-fr1.scalingo.com/v1/apps/my%20app/logs");
    check_i64(f.request.headers.count, 1);
    check_text(f.request.headers.items[0].key, "Authorization");
    check_text(f.request.headers.items[0].value, "Bearer jwt");
    check_i64(!f.request.username && !f.request.body.data, true);
    check_i64(prepared(&f, "{\"app\":{},\"logs_url\":\"https://l.example/?t=1\"}"), 0);

    check_i64(prepare(&f), 0);
    check_text(buf_text(&f.request.url), "");
    check_asks(&f, "https://l.example/?t=1&n=4");

    f.settings[API_ENDPOINT].text = "http://127.0.0.1:9//";
    buf_reset(&f.session);
    buf_append_text(&f.session, "Tjwt\n");
    check_i64(prepare(&f), 0);
    check_text(buf_text(&f.request.url), "http://127.0.0.1:9/v1/apps/my%20app/logs");

    f.settings[LOGS_URL].text = "https://mine.example/";
    buf_reset(&f.session);
    check_i64(prepare(&f), 0);
    check_text(buf_text(&f.request.url), "");
    teardown(&f);
}

static void test_prepared_refuses(void **state)
{
    static const struct {
        const char *session, *frame, *why;
    } rows[] = {
        { "", "", NULL },
        { "", "[]", NULL },
        { "", "{}", "token: missing, or not a token" },
        { "", "{\"token\":7}", "token: missing, or not a token" },
        { "", "{\"token\":\"\"}", "token: missing, or not a token" },
        { "", "{\"token\":\"a\\nb\"}", "token: missing, or not a token" },
        { "", "{\"token\":\"a b\"}", "token: missing, or not a token" },
        { "Tt\n", "{\"token\":\"a\"}", "logs_url: missing, or not a URL" },
        { "Tt\n", "{\"logs_url\":\"ftp://x\"}", "logs_url: missing, or not a URL" },
        { "Tt\n", "{\"logs_url\":\"https://x/ y\"}", "logs_url: missing, or not a URL" },
        { "Tt\n", "{\"logs_url\":[\"https://x/\"]}", "logs_url: missing, or not a URL" },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct fixture f;
        setup(&f);
        check_row(rows[i].frame);
        buf_reset(&f.session);
        buf_append_text(&f.session, rows[i].session);
        check_i64(prepared(&f, rows[i].frame), -1);
        check_i64(f.err.kind, ERR_INPUT);
        if (rows[i].why)
            check_text(f.err.text, rows[i].why);
        check_text(buf_text(&f.session), rows[i].session);
        teardown(&f);
    }
}

/* ---- cursors, settings, a sample --------------------------------------------------------------
 */

static void test_bad_cursors(void **state)
{
    static const char *const cursors[] = {
        "x",
        "1",
        "1 ",
        "1 d",
        "2 d n=4 f=0",
        "1 z n=4 f=0",
        "1 d n=0 f=0",
        "1 d n=150001 f=0",
        "1 d n=99999999999999999999 f=0",
        "1 d n=4 f=",
        "1 d n=4 f=0 ",
        "1 d n=4 f=0 j=1",
        "1 d n=4 f=0x",
        "1 d n=4 f=0 m=5",
        "1 d n=4 f=0 m=0.1",
        "1 d n=4 f=0 k=1.2.3",
        "1 d n=4 f=0 a=2",
        "1 a n=4 f=0",
        "1 l n=4 f=0",
        "1 d n=4 f=0 x=123",
        "1 d n=4 f=0 x=",
        "1 d n=4 f=0 s=-1",
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cursors); i++) {
        struct fixture f;
        setup(&f);
        check_row(cursors[i]);
        buf_append_text(&f.at, cursors[i]);
        check_i64(request(&f), -1);
        check_i64(f.err.kind, ERR_INPUT);
        check_i64(prepare(&f), -1);
        check_i64(prepared(&f, "{}"), -1);
        check_i64(decode(&f, "", 0), -1);
        teardown(&f);
    }
}

static void test_checks(void **state)
{
    static const struct {
        const char *token, *url, *region;
        int field; /* -1: fine */
    } rows[] = {
        { "t", NULL, "osc-fr1", -1 },
        { NULL, "https://x/", "osc-fr1", -1 },
        { NULL, NULL, "osc-fr1", API_TOKEN },
        { "t", NULL, "x.evil.example/", REGION },
        { "t", NULL, "", REGION },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct setting settings[FIELDS] = { [API_TOKEN] = { .text = rows[i].token },
                                            [LOGS_URL] = { .text = rows[i].url },
                                            [REGION] = { .text = rows[i].region } };
        int field = -1;
        check_row(rows[i].region);
        check_i64(source_scalingo.check(settings, &field) != NULL, rows[i].field >= 0);
        check_i64(field, rows[i].field);
    }
}

static void test_statuses(void **state)
{
    struct fixture f;
    (void)state;
    setup(&f);
    check_i64(source_scalingo.status(ask_of(&f), 404), 204);
    check_i64(source_scalingo.status(ask_of(&f), 403), 403);
    check_i64(source_scalingo.status(ask_of(&f), 500), 500);
    teardown(&f);
}

static void test_secrets(void **state)
{
    (void)state;
    for (const struct field *f = source_scalingo.fields; f->name; f++) {
        check_row(f->name);
        check_i64(f->help != NULL, true);
        check_i64(f->secret, strcmp(f->name, "api_token") == 0 || strcmp(f->name, "logs_url") == 0);
    }
}

static void test_sample(void **state)
{
    struct buf frame = BUF_INIT((size_t)1 << 20);
    struct fixture f;
    char piece[4096];
    size_t n;
    FILE *file = fopen("tests/data/scalingo_dump.txt", "re");
    (void)state;
    check_i64(file != NULL, true);
    while ((n = fread(piece, 1, sizeof(piece), file)) > 0)
        buf_append(&frame, piece, n);
    fclose(file);
    setup(&f);
    f.ask.span.start_unix_ns = 0;
    f.settings[LINES].number = 1000;
    check_i64(decode(&f, buf_text(&frame), frame.len), 0);
    check_i64(f.page.count, 7);
    check_bytes(
        buf_bytes(&f.page.resources),
        bytes_of("{\"key\":\"service.instance.id\",\"value\":{\"stringValue\":\"web-1\"}}"
                 "{\"key\":\"service.instance.id\",\"value\":{\"stringValue\":\"one-off-4521\"}}"
                 "{\"key\":\"service.instance.id\",\"value\":{\"stringValue\":\"router\"}}"));
    struct bytes first = { f.page.records[0].text, f.page.records[0].len };
    check_bytes(first,
                bytes_of("{\"timeUnixNano\":\"1772442900070300000\",\"body\":{\"stringValue\":"
                         "\"[api] Completed 200 OK in 1.2ms\"},\"attributes\":[{\"key\":"
                         "\"scalingo.container.type\",\"value\":{\"stringValue\":\"web\"}}]}"));
    buf_release(&frame);
    teardown(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dump_requests),    cmocka_unit_test(test_prepares),
        cmocka_unit_test(test_prepared_refuses), cmocka_unit_test(test_bad_cursors),
        cmocka_unit_test(test_checks),           cmocka_unit_test(test_statuses),
        cmocka_unit_test(test_secrets),          cmocka_unit_test(test_sample),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
