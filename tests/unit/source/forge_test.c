#include "source/source.h"

#include <stdlib.h>

#include "base/clock.h"
#include "tests/unit/check.h"

/* As the fields of forge stand. */
enum { APP_ID, ENVIRONMENT_ID, EMAIL, API_TOKEN, LEVELS, MESSAGE, CONTEXTS, FIELDS };

#define START  INT64_C(1762930800000000000) /* 2025-11-12T07:00:00Z */
#define PREFIX "https://api.example.com/v1/app/logs/app%201?environmentId=env%2F1"
#define DATES                                                                                      \
    "&startDate=2025-11-12T07%3A00%3A00.000Z"                                                      \
    "&endDate=2025-11-12T08%3A00%3A00.250Z"

struct fixture {
    struct setting settings[FIELDS];
    struct stream st;
    struct cursor at;
    struct request request;
    struct page page;
    struct error err;
};

static void setup(struct fixture *f)
{
    *f = (struct fixture){
        .settings = { [APP_ID] = { .text = "app 1" },
                      [ENVIRONMENT_ID] = { .text = "env/1" },
                      [EMAIL] = { .text = "me@example.com" },
                      [API_TOKEN] = { .text = "secret" } },
        .st = { .name = "s", .type = &source_forge, .endpoint = "https://api.example.com" },
        .at = { .text = BUF_INIT(CURSOR_MAX) },
        .request = REQUEST_INIT,
        .page = PAGE_INIT,
    };
    f->st.settings = f->settings;
}

static void teardown(struct fixture *f)
{
    buf_release(&f->at.text);
    request_release(&f->request);
    page_release(&f->page);
}

static int request(struct fixture *f)
{
    static const struct span span = { START, START + 3600 * NS_PER_S + 250 * NS_PER_MS };
    struct ask ask = { .span = span, .at = buf_bytes(&f->at.text) };
    return source_forge.request(&f->st, &ask, &f->request, &f->err);
}

static int decode(struct fixture *f, const char *frame, size_t len)
{
    /* A copy in a block of just its size: a sanitizer then sees any read past its end. */
    char *exact = xmalloc(len);
    memcpy(exact, frame, len);
    struct ask ask = { .at = buf_bytes(&f->at.text) };
    int rc = source_forge.decode(&f->st, &ask, (struct bytes){ exact, len }, &f->page, &f->err);
    free(exact);
    return rc;
}

static void set_contexts(struct fixture *f, const char **list, size_t count)
{
    f->settings[CONTEXTS].list = list;
    f->settings[CONTEXTS].list_count = count;
}

static void test_requests(void **state)
{
    static const char *const two_levels[] = { "INFO", "ERROR" };
    static const char *const site[] = { "ari:cloud:jira::site/1" };
    static const struct {
        const char *name;
        const char *const *levels;
        size_t level_count;
        const char *message;
        const char *const *contexts;
        size_t context_count;
        const char *cursor, *want;
    } rows[] = {
        { "plain", NULL, 0, NULL, NULL, 0, "", PREFIX DATES },
        { "levels repeat the key", two_levels, 2, NULL, NULL, 0, "",
          PREFIX DATES "&level=INFO&level=ERROR" },
        { "message", NULL, 0, "a&b=\xc3\xa9 +", NULL, 0, "",
          PREFIX DATES "&message=a%26b%3D%C3%A9%20%2B" },
        { "empty message", NULL, 0, "", NULL, 0, "", PREFIX DATES },
        { "installation context", NULL, 0, NULL, site, 1, "",
          PREFIX DATES "&installationContext=ari%3Acloud%3Ajira%3A%3Asite%2F1" },
        { "cursor, with all else again", two_levels, 1, "m", site, 1, "0 a+b/c==",
          PREFIX DATES "&level=INFO&message=m&installationContext=ari%3Acloud%3Ajira%3A%3Asite%2F1"
                       "&cursor=a%2Bb%2Fc%3D%3D" },
        { "cursor with spaces", NULL, 0, NULL, NULL, 0, "0  x 1", PREFIX DATES "&cursor=%20x%201" },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct fixture f;
        setup(&f);
        check_row(rows[i].name);
        f.settings[LEVELS].list = rows[i].levels;
        f.settings[LEVELS].list_count = rows[i].level_count;
        f.settings[MESSAGE].text = rows[i].message;
        f.settings[CONTEXTS].list = rows[i].contexts;
        f.settings[CONTEXTS].list_count = rows[i].context_count;
        buf_append_text(&f.at.text, rows[i].cursor);
        buf_append_text(&f.request.url, "left over");
        check_i64(request(&f), 0);
        check_text(buf_text(&f.request.url), rows[i].want);
        check_text(f.request.accept, "application/json");
        check_text(f.request.username, "me@example.com");
        check_text(f.request.password, "secret");
        check_i64(f.request.bearer == NULL && f.request.body.data == NULL, true);
        teardown(&f);
    }
}

static size_t count_of(const char *text, const char *part)
{
    size_t count = 0;
    for (const char *p = text; (p = strstr(p, part)); p += strlen(part))
        count++;
    return count;
}

static void test_contexts_go_in_groups(void **state)
{
    static const struct {
        const char *at, *frame;
        size_t asked;
        const char *first, *next;
    } rows[] = {
        { "", "{\"appLogs\":[],\"cursor\":\"x y\"}", 50, "site0", "0 x y" },
        { "0 x y", "{\"appLogs\":[]}", 50, "site0", "1 " },
        { "", "{\"appLogs\":[],\"cursor\":null}", 50, "site0", "1 " },
        { "1 ", "{\"appLogs\":[],\"cursor\":\"z\"}", 50, "site50", "1 z" },
        { "1 z", "{\"appLogs\":[],\"cursor\":\"\"}", 50, "site50", "2 " },
        { "1 z", "", 50, "site50", "2 " },
        { "2 ", "{\"appLogs\":[],\"cursor\":\"z\"}", 20, "site100", "2 z" },
        { "2 z", "{\"appLogs\":[]}", 20, "site100", "" },
    };
    const char *sites[120];
    char names[120][16];
    (void)state;
    for (size_t i = 0; i < COUNT(sites); i++) {
        snprintf(names[i], sizeof(names[i]), "site%zu", i);
        sites[i] = names[i];
    }
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct fixture f;
        char first[64];
        setup(&f);
        check_row(rows[i].at);
        set_contexts(&f, sites, COUNT(sites));
        buf_append_text(&f.at.text, rows[i].at);
        check_i64(request(&f), 0);
        const char *url = buf_text(&f.request.url);
        check_i64(count_of(url, "installationContext="), rows[i].asked);
        snprintf(first, sizeof(first), "Z&installationContext=%s&", rows[i].first);
        check_i64(count_of(url, first), 1);
        check_i64(decode(&f, rows[i].frame, strlen(rows[i].frame)), 0);
        check_text(buf_text(&f.page.next.text), rows[i].next);
        check_i64(f.page.next.more, rows[i].next[0] != '\0');
        teardown(&f);
    }
}

static void test_group_bounds(void **state)
{
    static const struct {
        size_t contexts;
        bool more;
    } rows[] = { { 0, false }, { 1, false }, { 50, false }, { 51, true } };
    static const char *sites[51];
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct fixture f;
        setup(&f);
        set_contexts(&f, sites, rows[i].contexts);
        check_i64(decode(&f, "{\"appLogs\":[]}", 14), 0);
        check_i64(f.page.next.more, rows[i].more);
        teardown(&f);
    }
}

/* A stored cursor is as untrusted as an answer. */
static void test_bad_cursors(void **state)
{
    static const struct {
        const char *text, *want;
    } rows[] = {
        { "x", "cursor: not one of ours" },
        { " x", "cursor: not one of ours" },
        { "0", "cursor: not one of ours" },
        { "0x", "cursor: not one of ours" },
        { "-1 x", "cursor: not one of ours" },
        { "18446744073709551616 x", "cursor: not one of ours" },
        { "1 x", "cursor: group 1 of 1" },
        { "999999999 x", "cursor: group 999999999 of 1" },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct fixture f;
        setup(&f);
        check_row(rows[i].text);
        buf_append_text(&f.at.text, rows[i].text);
        check_i64(request(&f), -1);
        check_i64(f.err.kind, ERR_INPUT);
        check_text(f.err.text, rows[i].want);
        f.err.text[0] = '\0';
        check_i64(decode(&f, "{\"appLogs\":[]}", 14), -1);
        check_i64(f.err.kind, ERR_INPUT);
        check_text(f.err.text, rows[i].want);
        teardown(&f);
    }
}

static void test_long_url(void **state)
{
    struct fixture f;
    char *message = xmalloc(REQUEST_URL_MAX + 1);
    (void)state;
    setup(&f);
    memset(message, 'm', REQUEST_URL_MAX);
    message[REQUEST_URL_MAX] = '\0';
    f.settings[MESSAGE].text = message;
    check_i64(request(&f), -1);
    check_i64(f.err.kind, ERR_CONFIG);
    check_i64(strstr(f.err.text, "mmm") == NULL, true);
    teardown(&f);
    free(message);
}

static void test_decodes(void **state)
{
    static const struct {
        const char *name, *frame;
        size_t count;
        const char *next;
    } rows[] = {
        { "no content", "", 0, "" },
        { "empty page", "{\"appLogs\":[]}", 0, "" },
        { "empty page with a cursor", "{\"appLogs\":[],\"cursor\":\"c\"}", 0, "0 c" },
        { "spaced", " { \"appLogs\" : [ {} , { } ] , \"cursor\" : null }\n", 2, "" },
        { "cursor before the records", "{\"cursor\":\"c\",\"appLogs\":[{},{},{}]}", 3, "0 c" },
        { "unknown members", "{\"x\":{\"appLogs\":7},\"appLogs\":[{}],\"y\":[1]}", 1, "" },
        { "cursor unescaped", "{\"appLogs\":[],\"cursor\":\"a\\/b\\u002b\\u20ac\"}", 0,
          "0 a/b+\xe2\x82\xac" },
        { "escaped keys", "{\"app\\u004cogs\":[{}],\"c\\u0075rsor\":\"c\"}", 1, "0 c" },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct fixture f;
        setup(&f);
        check_row(rows[i].name);
        page_add(&f.page)->len = 7; /* of a page before */
        check_i64(decode(&f, rows[i].frame, strlen(rows[i].frame)), 0);
        check_i64(f.page.count, rows[i].count);
        check_text(buf_text(&f.page.next.text), rows[i].next);
        check_i64(f.page.next.more, rows[i].next[0] != '\0');
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
        { "\xef\xbb\xbf{\"appLogs\":[]}", "not JSON: no value where one is due, at byte 0" },
        { "[]", "not an object" },
        { "null", "not an object" },
        { "{}", "appLogs: missing" },
        { "{\"appLogs\":null}", "appLogs: not an array" },
        { "{\"appLogs\":{}}", "appLogs: not an array" },
        { "{\"appLogs\":[{},1]}", "appLogs[1]: not an object" },
        { "{\"appLogs\":[\"secret\"]}", "appLogs[0]: not an object" },
        { "{\"appLogs\":[[{}]]}", "appLogs[0]: not an object" },
        { "{\"appLogs\":[],\"appLogs\":[]}", "appLogs: there twice" },
        { "{\"appLogs\":[],\"cursor\":\"a\",\"cursor\":\"a\"}", "cursor: there twice" },
        { "{\"appLogs\":[],\"cursor\":1}", "cursor: neither a string nor null" },
        { "{\"appLogs\":[],\"cursor\":{\"a\":1}}", "cursor: neither a string nor null" },
        { "{\"appLogs\":[],\"cursor\":nil}", "not JSON: not a value, at byte 23" },
        { "{\"appLogs\":[],\"cursor\":", "not JSON: ends where a value is due, at byte 23" },
        { "{\"appLogs\":[{}", "not JSON: ends inside an object or an array, at byte 14" },
        { "{\"appLogs\":[{},", "not JSON: ends where a value is due, at byte 15" },
        { "{\"appLogs\":[{},]}", "not JSON: no value where one is due, at byte 15" },
        { "{\"appLogs\":[{\"a\":\"b", "not JSON: ends inside a string, at byte 19" },
        { "{\"appLogs\":[{\"a\":tru}]}", "not JSON: not a value, at byte 17" },
        { "{\"appLogs\":[{\"a\":\"\xff\"}]}", "not JSON: bytes that are not UTF-8, at byte 18" },
        { "{\"appLogs\":[]}{", "not JSON: more text behind the value, at byte 14" },
        { "{\"appLogs\":[],\"x\":}", "not JSON: no value where one is due, at byte 18" },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct fixture f;
        setup(&f);
        check_row(rows[i].frame);
        check_i64(decode(&f, rows[i].frame, strlen(rows[i].frame)), -1);
        check_i64(f.err.kind, ERR_INPUT);
        check_text(f.err.text, rows[i].want);
        check_i64(f.page.count, 0);
        check_i64(f.page.next.more, false);
        teardown(&f);
    }
}

static void test_cursor_limit(void **state)
{
    static const struct {
        size_t len;
        int want;
    } rows[] = { { CURSOR_MAX - 2, 0 }, { CURSOR_MAX - 1, -1 }, { 4 * CURSOR_MAX, -1 } };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct fixture f;
        struct buf frame = BUF_INIT(8 * CURSOR_MAX);
        setup(&f);
        buf_append_text(&frame, "{\"appLogs\":[{}],\"cursor\":\"");
        for (size_t k = 0; k < rows[i].len; k++)
            buf_append_char(&frame, '+');
        buf_append_text(&frame, "\"}");
        check_i64(decode(&f, frame.data, frame.len), rows[i].want);
        if (rows[i].want) {
            check_i64(f.err.kind, ERR_INPUT);
            check_text(f.err.text, "cursor: over 16384 bytes");
            check_i64(f.page.count, 0);
        } else {
            /* The longest cursor that is taken fits into a URL, encoded. */
            buf_append_bytes(&f.at.text, buf_bytes(&f.page.next.text));
            check_i64(request(&f), 0);
        }
        buf_release(&frame);
        teardown(&f);
    }
}

static void test_bounds_records(void **state)
{
    struct fixture f;
    size_t count = ((size_t)1 << 20) + 1;
    char *frame = xmalloc(3 * count + 16), *p = frame;
    (void)state;
    setup(&f);
    memcpy(p, "{\"appLogs\":[", 12);
    p += 12;
    for (size_t i = 0; i < count; i++, p += 3)
        memcpy(p, "{},", 3);
    memcpy(p - 1, "]}", 2);
    check_i64(decode(&f, frame, (size_t)(p + 1 - frame)), -1);
    check_i64(f.err.kind, ERR_INPUT);
    check_text(f.err.text, "appLogs: more than 1048576 records");
    teardown(&f);
    free(frame);
}

/* The hand-made page after the vendor's sample; tests run at the repository's top. */
static void test_sample_page(void **state)
{
    struct fixture f;
    struct buf frame = BUF_INIT(65536);
    FILE *file = fopen("tests/data/forge_page.json", "rb");
    char block[4096];
    size_t len;
    uint64_t time = 0;
    (void)state;
    assert_non_null(file);
    while ((len = fread(block, 1, sizeof(block), file)) > 0)
        buf_append(&frame, block, len);
    fclose(file);
    setup(&f);
    struct ask ask = { .at = buf_bytes(&f.at.text) };
    check_i64(source_forge.decode(&f.st, &ask, buf_bytes(&frame), &f.page, &f.err), 0);
    check_i64(f.page.count, 3);
    check_text(buf_text(&f.page.next.text), "0 eyJvZmZzZXQiOjN9+/==");
    check_i64(otlp_record_time(&f.page.records[1], OTLP_TIME, &time), true);
    check_i64(time, INT64_C(1762930801251000000));
    check_i64(f.page.records[2].at[OTLP_TRACE_ID].value_len, 0);
    buf_release(&frame);
    teardown(&f);
}

static void test_table(void **state)
{
    (void)state;
    check_i64(source_at(0) == &source_forge, true);
    check_i64(source_named("forge") == &source_forge, true);
    check_i64(source_named("Forge") == NULL, true);
    check_text(source_forge.fields[source_forge.service_name].name, "app_id");
    check_text(source_forge.fields[source_forge.budget].name, "app_id");
    for (const struct field *f = source_forge.fields; f->name; f++) {
        check_row(f->name);
        check_i64(f->help != NULL, true);
        check_i64(f->secret, strcmp(f->name, "api_token") == 0);
        check_i64(f->required, f->env != NULL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requests),       cmocka_unit_test(test_contexts_go_in_groups),
        cmocka_unit_test(test_group_bounds),   cmocka_unit_test(test_bad_cursors),
        cmocka_unit_test(test_long_url),       cmocka_unit_test(test_decodes),
        cmocka_unit_test(test_refuses),        cmocka_unit_test(test_cursor_limit),
        cmocka_unit_test(test_bounds_records), cmocka_unit_test(test_sample_page),
        cmocka_unit_test(test_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
