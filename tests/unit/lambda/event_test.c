#include "lambda/event.h"

#include <string.h>

#include "tests/unit/check.h"

#define LONGEST "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ._"

static void test_names(void **state)
{
    static const struct {
        const char *text;
        size_t count;
        const char *last;
    } rows[] = {
        { "{\"sources\":[\"billing-prod\"]}", 1, "billing-prod" },
        { " {\"a\":1,\"sources\" : [ \"a\" , \"b\" ]}\r\n", 2, "b" },
        { "{\"sources\":[\"" LONGEST "\"]}", 1, LONGEST },
        { "{\"sources\":[\"\\u0061\"]}", 1, "a" },
        { "{\"sources\":[]}", 0, NULL },
        { "{\"sources\":null}", 0, NULL },
        { "{\"SOURCES\":[\"a\"]}", 0, NULL },
        { "{\"sources\":[\"a\"],\"sources\":[\"b\",\"c\"]}", 2, "c" },
        { "{\"sources\":[\"a\"],\"sources\":null}", 0, NULL },
        { "{\"sour\\u0063es\":[\"a\"]}", 1, "a" },
        { "{\"detail\":{\"sources\":[\"a\"]}}", 0, NULL },
        { "{}", 0, NULL },
        { "[\"sources\"]", 0, NULL },
        { "\"sources\"", 0, NULL },
        { "17", 0, NULL },
        { "-0.5e10", 0, NULL },
        { "null", 0, NULL },
        { "true", 0, NULL },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct event e = { 0 };
        struct error err = { 0 };
        check_row(rows[i].text);
        check_i64(event_read(bytes_of(rows[i].text), &e, &err), 0);
        check_i64((int64_t)e.count, (int64_t)rows[i].count);
        if (rows[i].last)
            check_text(e.sources[e.count - 1], rows[i].last);
        check_i64(err.kind, ERR_NONE);
        event_release(&e);
    }
}

static void test_refused(void **state)
{
    static const struct {
        const char *text, *words;
    } rows[] = {
        { "", "the event is not JSON: " },
        { " ", "the event is not JSON: " },
        { "{\"sources\":[\"a\"]", "the event is not JSON: " },
        { "{\"sources\":[\"a\"", "the event is not JSON: " },
        { "{\"sources\":", "the event is not JSON: " },
        { "{\"sources\":[\"a\"]} x", "more text behind the value (byte 18)" },
        { "{'sources':['a']}", "the event is not JSON: " },
        { "NaN", "the event is not JSON: " },
        { "{\"sources\":[\"\xff\"]}", "the event is not JSON: " },
        { "{\"sources\":\"a\"}", "no list" },
        { "{\"sources\":{\"a\":1}}", "no list" },
        { "{\"sources\":0}", "no list" },
        { "{\"sources\":[\"a\",[\"b\"]]}", "sources[1] is no text" },
        { "{\"sources\":[null]}", "sources[0] is no text" },
        { "{\"sources\":[\"\"]}", "sources[0] is no source's name" },
        { "{\"sources\":[\"" LONGEST "x\"]}", "is no source's name" },
        { "{\"sources\":[\"a\\u0000\"]}", "is no source's name" },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct event e = { 0 };
        struct error err = { 0 };
        check_row(rows[i].text);
        check_i64(event_read(bytes_of(rows[i].text), &e, &err), -1);
        check_i64(err.kind, ERR_INPUT);
        if (!strstr(err.text, rows[i].words))
            check_text(err.text, rows[i].words);
        check_i64((int64_t)e.count, 0);
    }
}

static void test_too_many(void **state)
{
    struct buf text = BUF_INIT(1 << 20);
    struct event e = { 0 };
    struct error err = { 0 };
    (void)state;
    buf_append_text(&text, "{\"sources\":[\"a\"");
    for (int i = 1; i < EVENT_SOURCES_MAX; i++)
        buf_append_text(&text, ",\"a\"");
    size_t most = text.len;
    buf_append_text(&text, "]}");
    check_i64(event_read(buf_bytes(&text), &e, &err), 0);
    check_i64((int64_t)e.count, EVENT_SOURCES_MAX);
    event_release(&e);
    text.len = most;
    buf_append_text(&text, ",\"a\"]}");
    check_i64(event_read(buf_bytes(&text), &e, &err), -1);
    check_i64((int64_t)e.count, 0);
    buf_release(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_too_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
