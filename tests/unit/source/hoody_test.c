#include "hoody_case.h"

/* ---- the request -------------------------------------------------------------------------------
 */

static void test_first_request(void **state)
{
    static const char *const one[] = { "warn" }, *const two[] = { "warn", "error" };
    static const struct {
        const char *name;
        size_t field;
        struct setting value;
        const char *want;
    } rows[] = {
        { "plain", LIMIT, { .number = 500 }, "?afterId=0&limit=500" },
        { "fan-out", FANOUT, { .number = 1 }, "?limit=2" },
        { "project", PROJECT, { .text = "a b" }, "?afterId=0&limit=2&projectId=a%20b" },
        { "container", CONTAINER, { .text = "c" }, "?afterId=0&limit=2&containerId=c" },
        { "service", SERVICE, { .text = "s&" }, "?afterId=0&limit=2&serviceName=s%26" },
        { "no service", SERVICE, { .text = "" }, "?afterId=0&limit=2" },
        { "one level", LEVELS, { .list = one, .list_count = 1 }, "?afterId=0&limit=2&level=warn" },
        { "a list gives nothing", LEVELS, { .list = two, .list_count = 2 }, "?afterId=0&limit=2" },
        { "kind", KIND, { .text = "event" }, "?afterId=0&limit=2&kind=event" },
        { "origin", ORIGIN, { .text = "edge" }, "?afterId=0&limit=2&source=edge" },
        { "method", METHOD, { .text = "GET" }, "?afterId=0&limit=2&method=GET" },
        { "body", REQUEST_BODY, { .number = 1 }, "?afterId=0&limit=2&includeRequestBody=true" },
        { "answer", RESPONSE_BODY, { .number = 1 }, "?afterId=0&limit=2&includeResponseBody=true" },
        { "slash", BASE_URL, { .text = BASE "//" }, "?afterId=0&limit=2" },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct fixture f;
        char want[512];
        setup(&f);
        check_row(rows[i].name);
        f.settings[rows[i].field] = rows[i].value;
        snprintf(want, sizeof(want), BASE "/_logs%s", rows[i].want);
        check_i64(request(&f), 0);
        check_text(buf_text(&f.request.url), want);
        check_i64(f.request.bearer == NULL, true);
        check_i64(strstr(f.request.shown_as, "example.com") == NULL, true);
        teardown(&f);
    }
}

static void test_token(void **state)
{
    struct fixture f;
    (void)state;
    setup(&f);
    f.settings[TOKEN].text = "t";
    check_i64(request(&f), 0);
    check_text(f.request.bearer, "t");
    teardown(&f);
}

/* ---- what is refused ---------------------------------------------------------------------------
 */

static void test_trailers(void **state)
{
    static const struct {
        const char *trailer;
        int status;
    } rows[] = {
        { "{\"__trailer\":true,\"error\":\"busy\",\"status\":503}", 503 },
        { "{\"error\":\"busy\",\"status\":\"429\",\"__trailer\":true}", 429 },
        { "{\"__trailer\":true,\"error\":\"busy\"}", 500 },
        { "{\"__trailer\":true,\"error\":{\"a\":1},\"status\":200}", 500 },
        { "{\"__trailer\":true,\"status\":403}", 403 },
        { "{\"__trailer\":true,\"error\":null,\"status\":200,\"stoppedReason\":\"error\"}", 0 },
        { "{\"__trailer\":true,\"error\":\"\"}", 0 },
        { "{\"__trailer\":true,\"cursor\":null,\"stoppedReason\":\"limit\"}", 0 },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct fixture f;
        struct buf frame = BUF_INIT(4096);
        setup(&f);
        check_row(rows[i].trailer);
        f.settings[FANOUT].number = 1;
        buf_append_text(&frame, "{\"id\":1}");
        buf_append_text(&frame, rows[i].trailer);
        check_i64(decode(&f, buf_bytes(&frame)), 0);
        check_i64(f.page.status, rows[i].status);
        check_i64(f.page.count, rows[i].status == 0);
        buf_release(&frame);
        teardown(&f);
    }
}

static void test_refuses(void **state)
{
    static const struct {
        const char *frame, *want;
    } rows[] = {
        { " ", "not JSON: ends where a value is due, at byte 1" },
        { "<html>", "not JSON: no value where one is due, at byte 0" },
        { "7", "neither an object nor an array" },
        { "null", "neither an object nor an array" },
        { "{}", "cut off: there is no trailer" },
        { "{\"error\":\"rate_limited\"}", "cut off: there is no trailer" },
        { "{\"entries\":7}", "entries: not an array" },
        { "{\"entries\":[7]}", "entry 0: not an object" },
        { "{\"entries\":[{},[]]}", "entry 1: not an object" },
        { "{\"entries\":[]} x", "not JSON: more text behind the value, at byte 15" },
        { "{\"entries\":[", "not JSON: ends where a value is due, at byte 12" },
        { "[{\"id\":1},]", "not JSON: no value where one is due, at byte 10" },
        { "[{\"a\":\"\xff\"}]", "not JSON: bytes that are not UTF-8, at byte 7" },
        { "[] []", "not JSON: more text behind the value, at byte 3" },
        { "{\"id\":1}\n{\"id\":2", "not JSON: ends inside an object or an array, at byte 16" },
        { "{\"id\":1}\n7", "entry 1: not an object" },
        { "{\"__trailer\":true}\n{\"id\":1}", "there is more behind the trailer" },
        { "{\"__trailer\":true,\"cursor\":7}", "cursor: not a text, or over 16384 bytes" },
        { "{\"__trailer\":false,\"id\":1}", "cut off: there is no trailer" },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct fixture f;
        setup(&f);
        check_row(rows[i].frame);
        check_i64(decode(&f, bytes_of(rows[i].frame)), -1);
        check_i64(f.err.kind, ERR_INPUT);
        check_text(f.err.text, rows[i].want);
        check_i64(f.page.count, 0);
        check_i64(f.page.next.more, false);
        teardown(&f);
    }
}

/* ---- filters on our side -----------------------------------------------------------------------
 */

static void test_filters(void **state)
{
    static const char *const two[] = { "warn", "error" };
    static const struct {
        const char *name;
        size_t field;
        struct setting value;
        const char *members;
        bool wanted;
    } rows[] = {
        { "project", PROJECT, { .text = "p" }, "\"projectId\":\"p\"", true },
        { "another project", PROJECT, { .text = "p" }, "\"projectId\":\"q\"", false },
        { "a project not named", PROJECT, { .text = "p" }, "", true },
        { "container", CONTAINER, { .text = "p" }, "\"containerId\":\"p\"", true },
        { "another container", CONTAINER, { .text = "p" }, "\"containerId\":\"pp\"", false },
        { "service", SERVICE, { .text = "s/1" }, "\"serviceName\":\"s\\/1\"", true },
        { "another service", SERVICE, { .text = "s" }, "\"serviceName\":\"t\"", false },
        { "a service not named", SERVICE, { .text = "s" }, "\"serviceName\":null", true },
        { "any service", SERVICE, { .text = "" }, "\"serviceName\":\"t\"", true },
        { "level", LEVELS, { .list = two, .list_count = 2 }, "\"level\":\"error\"", true },
        { "level in capitals",
          LEVELS,
          { .list = two, .list_count = 2 },
          "\"level\":\"WARN\"",
          true },
        { "another level", LEVELS, { .list = two, .list_count = 2 }, "\"level\":\"info\"", false },
        { "no level", LEVELS, { .list = two, .list_count = 2 }, "", false },
        { "any level", LEVELS, { 0 }, "\"level\":\"odd\"", true },
        { "kind", KIND, { .text = "request" }, "\"kind\":\"request\"", true },
        { "another kind", KIND, { .text = "request" }, "\"kind\":\"event\"", false },
        { "origin", ORIGIN, { .text = "edge" }, "\"source\":\"edge\"", true },
        { "another origin", ORIGIN, { .text = "edge" }, "\"source\":\"backend\"", false },
        { "method", METHOD, { .text = "get" }, "\"method\":\"GET\"", true },
        { "another method", METHOD, { .text = "GET" }, "\"method\":\"PUT\"", false },
        { "no method", METHOD, { .text = "GET" }, "", false },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct fixture f;
        char frame[256];
        setup(&f);
        check_row(rows[i].name);
        f.settings[rows[i].field] = rows[i].value;
        snprintf(frame, sizeof(frame), "[{\"id\":1%s%s}]", rows[i].members[0] ? "," : "",
                 rows[i].members);
        check_i64(decode(&f, bytes_of(frame)), 0);
        check_i64(f.page.count, rows[i].wanted);
        teardown(&f);
    }
}

/* ---- the platform's counts ---------------------------------------------------------------------
 */

static void test_stats(void **state)
{
    static const struct {
        const char *frame, *want, *problem;
    } rows[] = {
        { "{\"total\":9,\"byLevel\":{\"info\":7,\"error\":2,\"odd\":1},\"byProject\":{\"proj_ab\":"
          "9},"
          "\"byContainer\":{\"cnt\\\"cd\":9},\"byService\":{}}",
          "{\"total\":9,\"by_level\":{\"debug\":0,\"info\":7,\"warn\":0,\"error\":2,\"odd\":1},"
          "\"by_project\":{\"proj_ab\":9},\"by_container\":{\"cnt\\\"cd\":9},\"by_service\":{}}",
          NULL },
        { "{\"total\":\"9007199254740993\",\"x\":1}", "{\"total\":9007199254740993}", NULL },
        { "{\"byLevel\":{}}", NULL, "stats: no total" },
        { "[]", NULL, "stats: no total" },
        { "{\"total\":1,\"byLevel\":{\"info\":\"x\"}}", NULL, "stats: a count is no number" },
        { "{\"total\":1", NULL, "not JSON: ends inside an object or an array, at byte 10" },
        { "", NULL, "not JSON: ends where a value is due, at byte 0" },
    };
    const struct source *stats = source_hoody.stats;
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct fixture f;
        setup(&f);
        check_row(rows[i].frame);
        check_i64(stats->request(&f.st, &f.ask, &f.request, &f.err), 0);
        check_text(buf_text(&f.request.url), BASE "/_logs/stats");
        int rc = stats->decode(&f.st, &f.ask, bytes_of(rows[i].frame), &f.page, &f.err);
        check_i64(rc, rows[i].want ? 0 : -1);
        check_text(rows[i].want ? buf_text(&f.page.text) : f.err.text,
                   rows[i].want ? rows[i].want : rows[i].problem);
        teardown(&f);
    }
}

static void test_table(void **state)
{
    (void)state;
    check_i64(source_named("hoody") == &source_hoody, true);
    check_i64(source_hoody.tails, true);
    check_text(source_hoody.fields[source_hoody.budget].name, "base_url");
    check_i64(source_hoody.fields[FIELDS].name == NULL, true);
    for (const struct field *f = source_hoody.fields; f->name; f++) {
        check_row(f->name);
        check_i64(f->help != NULL, true);
        check_i64(f->secret, strcmp(f->name, "base_url") == 0 || strcmp(f->name, "token") == 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_request), cmocka_unit_test(test_token),
        cmocka_unit_test(test_trailers),      cmocka_unit_test(test_refuses),
        cmocka_unit_test(test_filters),       cmocka_unit_test(test_stats),
        cmocka_unit_test(test_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
