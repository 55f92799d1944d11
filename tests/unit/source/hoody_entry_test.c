#include "source/hoody_entry.h"

#include <stdio.h>

#include "source/entry.h"
#include "tests/unit/check.h"

struct fixture {
    struct page page;
    struct buf room;
};

static void setup(struct fixture *f)
{
    *f = (struct fixture){ .page = PAGE_INIT, .room = BUF_INIT(1 << 20) };
}

static void teardown(struct fixture *f)
{
    page_release(&f->page);
    buf_release(&f->room);
}

/* One entry's record. */
static struct bytes record_of(struct fixture *f, struct bytes text, const struct hoody_scope *scope)
{
    struct hoody_entry e;
    struct error err = { 0 };
    page_reset(&f->page);
    hoody_entry_read((struct otlp_text){ text.data, text.len }, &e);
    hoody_entry_write(&e, scope, &f->room, &f->page);
    check_i64(page_finish(&f->page, &err), 0);
    check_i64(f->page.count, 1);
    return (struct bytes){ f->page.records[0].text, f->page.records[0].len };
}

static const struct hoody_scope nothing;

/* A value of a record: a string's text as it stands without its quotes, a number. */
static void put_raw(struct otlp_text raw, struct buf *out)
{
    assert_true(raw.len > 0);
    bool text = raw.data && raw.data[0] == '"';
    buf_append(out, raw.data + text, raw.len - 2 * text);
}

/* "KEY=s:TEXT " of an attribute: the first letter of what kind its value is. */
static void put_attribute(struct otlp_text attribute, struct buf *out)
{
    struct otlp_scan s;
    struct otlp_text key, value = { 0 };
    otlp_scan_init(&s, attribute.data, attribute.len);
    otlp_scan_enter_object(&s);
    assert_true(otlp_scan_next_key(&s, &key) && otlp_scan_value(&s, &value));
    put_raw(value, out);
    assert_true(otlp_scan_next_key(&s, &key));
    otlp_scan_enter_object(&s);
    assert_true(otlp_scan_next_key(&s, &key) && otlp_scan_value(&s, &value));
    buf_printf(out, "=%c:", key.data[0]);
    put_raw(value, out);
    buf_append_char(out, ' ');
}

static void put_member(struct otlp_scan *s, struct otlp_text key, struct buf *out)
{
    struct otlp_text value = { 0 };
    if (otlp_key_is(key, "attributes")) {
        otlp_scan_enter_array(s);
        while (otlp_scan_next_element(s) && otlp_scan_value(s, &value))
            put_attribute(value, out);
        return;
    }
    if (otlp_key_is(key, "body")) {
        otlp_scan_enter_object(s);
        assert_true(otlp_scan_next_key(s, &key) && otlp_key_is(key, "stringValue"));
    }
    assert_true(otlp_scan_value(s, &value));
    put_raw(value, out);
    if (otlp_key_is(key, "stringValue"))
        assert_false(otlp_scan_next_key(s, &key));
    buf_append_char(out, '|');
}

/* A record in short: its members' values, then its attributes. */
static void put_short(struct bytes record, struct buf *out)
{
    struct otlp_scan s;
    struct otlp_text key;
    otlp_scan_init(&s, record.data, record.len);
    otlp_scan_enter_object(&s);
    while (otlp_scan_next_key(&s, &key))
        put_member(&s, key, out);
    assert_true(otlp_scan_end(&s));
}

static void test_entries(void **state)
{
    static const struct {
        const char *name, *entry, *want;
    } rows[] = {
        { "nothing", "{}", "0|" },
        { "null is absent",
          "{\"id\":null,\"tsMs\":null,\"tsIso\":null,\"kind\":null,\"level\":null,\"traceId\":null,"
          "\"method\":null,\"url\":null,\"status\":null,\"data\":null,\"source\":null}",
          "0|" },
        { "tsIso where tsMs is missing", "{\"tsIso\":\"2025-11-12T07:00:01.250Z\"}",
          "1762930801250000000|" },
        { "tsMs first", "{\"tsIso\":\"2025-11-12T07:00:01.250Z\",\"tsMs\":5}", "5000000|" },
        { "no time", "{\"tsIso\":\"yesterday\",\"tsMs\":99999999999999999999}", "0|" },
        { "tsMs as another number", "{\"tsMs\":1.76293080125e12}", "1762930801250000000|" },
        { "32 digits", "{\"traceId\":\"9B2F0D4E1C3A4F5B8D6E7A8B9C0D1E2F\"}",
          "0|9b2f0d4e1c3a4f5b8d6e7a8b9c0d1e2f|" },
        { "a UUID", "{\"traceId\":\"9b2f0d4e-1c3a-4f5b-8d6e-7a8b9c0d1e2f\"}",
          "0|9b2f0d4e1c3a4f5b8d6e7a8b9c0d1e2f|"
          "hoody.trace_id=s:9b2f0d4e-1c3a-4f5b-8d6e-7a8b9c0d1e2f " },
        { "all zero", "{\"traceId\":\"00000000000000000000000000000000\"}",
          "0|hoody.trace_id=s:00000000000000000000000000000000 " },
        { "unusable", "{\"traceId\":\"x\\ty\"}", "0|hoody.trace_id=s:x\\ty " },
        { "request without a status", "{\"kind\":\"request\",\"method\":\"GET\",\"url\":\"/a\"}",
          "0|GET /a|http.request.method=s:GET url.path=s:/a hoody.kind=s:request " },
        { "request with one", "{\"method\":\"GET\",\"status\":200}",
          "0|GET 200|http.request.method=s:GET http.response.status_code=i:200 " },
        { "a whole URL", "{\"url\":\"https://a/b?c\"}",
          "0|https://a/b?c|url.full=s:https://a/b?c " },
        { "a query, empty", "{\"url\":\"/a?\"}", "0|/a?|url.path=s:/a " },
        { "a query with another", "{\"url\":\"/a?b?c\"}",
          "0|/a?b?c|url.path=s:/a url.query=s:b?c " },
        { "an event's message",
          "{\"kind\":\"event\",\"data\":{\"n\":1,\"message\":\"it \\\"is\\\"\"}}",
          "0|it \\\"is\\\"|hoody.kind=s:event hoody.data.n=i:1 " },
        { "an event's data", "{\"kind\":\"event\",\"data\":{\"message\":7}}",
          "0|{\\\"message\\\":7}|hoody.kind=s:event hoody.data.message=i:7 " },
        { "an event's text", "{\"kind\":\"event\",\"data\":\"up\"}", "0|up|hoody.kind=s:event " },
        { "an event with nothing", "{\"kind\":\"event\",\"url\":\"/a\"}",
          "0|/a|url.path=s:/a hoody.kind=s:event " },
        { "a message of no event", "{\"data\":{\"message\":\"m\"}}", "0|hoody.data.message=s:m " },
        { "data that is known",
          "{\"data\":{\"bytesIn\":1,\"bytesOut\":2,\"userAgent\":\"u\",\"durationMs\":1.5}}",
          "0|http.request.body.size=i:1 http.response.body.size=i:2 user_agent.original=s:u "
          "hoody.duration_ms=d:1.5 " },
        { "data that is not",
          "{\"data\":{\"b\":true,\"c\":null,\"d\":{\"e\": [1]},\"f\":9007199254740993,"
          "\"g\":18446744073709551616,\"h\\u0069\":\"x\"}}",
          "0|hoody.data.b=b:true hoody.data.d=s:{\\\"e\\\": [1]} hoody.data.f=i:9007199254740993 "
          "hoody.data.g=s:18446744073709551616 hoody.data.hi=s:x " },
        { "data that is no object", "{\"data\":[1, 2]}", "0|hoody.data=s:[1, 2] " },
        { "members that nobody told of",
          "{\"requestBody\":\"{\\\"a\\\":1}\",\"bodyTruncated\":true,\"row_id\":4}",
          "0|hoody.requestBody=s:{\\\"a\\\":1} hoody.bodyTruncated=b:true " },
        { "a row", "{\"id\":7}", "0|log.record.uid=s://7 hoody.row_id=i:7 " },
        { "no row", "{\"id\":0}", "0|" },
        { "a row that is none", "{\"id\":-3}", "0|" },
        { "a level of no number", "{\"level\":\"audit\"}", "0|audit|" },
        { "the last of a member counts", "{\"level\":\"info\",\"level\":\"error\"}",
          "0|17|error|" },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct fixture f;
        struct buf got = BUF_INIT(4096);
        setup(&f);
        check_row(rows[i].name);
        put_short(record_of(&f, bytes_of(rows[i].entry), &nothing), &got);
        check_text(buf_text(&got), rows[i].want);
        buf_release(&got);
        teardown(&f);
    }
}

static void test_resources(void **state)
{
    static const struct {
        const char *name, *entry;
        struct hoody_scope scope;
        const char *want, *uid;
    } rows[] = {
        { "none", "{\"id\":1}", { 0 }, "", "//1" },
        { "all",
          "{\"id\":1,\"serviceName\":\"s\",\"containerId\":\"c\",\"projectId\":\"p\"}",
          { "x", "y", "z" },
          "service.name=s:s service.instance.id=s:c container.id=s:c hoody.project.id=s:p ",
          "p/c/1" },
        { "as configured",
          "{\"id\":1}",
          { "x", "y", "z" },
          "service.name=s:z service.instance.id=s:y container.id=s:y hoody.project.id=s:x ",
          "x/y/1" },
        { "escaped",
          "{\"id\":1,\"serviceName\":\"a\\u0062\",\"projectId\":\"\\/p\"}",
          { 0 },
          "service.name=s:ab hoody.project.id=s:/p ",
          "/p//1" },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct fixture f;
        char uid[64];
        struct buf list = BUF_INIT(4096), got = BUF_INIT(4096);
        setup(&f);
        check_row(rows[i].name);
        struct bytes record = record_of(&f, bytes_of(rows[i].entry), &rows[i].scope);
        snprintf(uid, sizeof(uid), "\"%s\"", rows[i].uid);
        check_i64(memmem(record.data, record.len, uid, strlen(uid)) != NULL, true);
        buf_append_text(&list, "{\"attributes\":[");
        buf_append_bytes(&list, page_resource_of(&f.page, 0));
        buf_append_text(&list, "]}");
        put_short(buf_bytes(&list), &got);
        check_text(buf_text(&got), rows[i].want);
        buf_release(&list);
        buf_release(&got);
        teardown(&f);
    }
}

static void test_integers(void **state)
{
    static const struct {
        const char *raw;
        bool good;
        int64_t want;
    } rows[] = {
        { "0", true, 0 },
        { "-7", true, -7 },
        { "9223372036854775807", true, INT64_MAX },
        { "9223372036854775808", false, 0 },
        { "\"12\"", true, 12 },
        { "12.9", true, 12 },
        { "1e3", true, 1000 },
        { "1e30", false, 0 },
        { "\"\"", false, 0 },
        { "\"1x\"", false, 0 },
        { "true", false, 0 },
        { "null", false, 0 },
        { "{}", false, 0 },
        { "1234567890123456789012345678901234567890", false, 0 },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        int64_t got = 0;
        check_row(rows[i].raw);
        check_i64(hoody_integer((struct otlp_text){ rows[i].raw, strlen(rows[i].raw) }, &got),
                  rows[i].good);
        check_i64(got, rows[i].want);
    }
}

/* The hand-made answer after the vendor's sample; tests run at the repository's top. */
static void test_sample(void **state)
{
    static const char want[] =
        "1762930801250000000|13|warn|GET /v1/items?x=1 404|9b2f0d4e1c3a4f5b8d6e7a8b9c0d1e2f|"
        "log.record.uid=s:proj_ab/cnt_cd/501 http.request.method=s:GET "
        "http.response.status_code=i:404 client.address=s:198.51.100.7 url.path=s:/v1/items "
        "url.query=s:x=1 hoody.kind=s:response hoody.source=s:backend hoody.row_id=i:501 "
        "hoody.trace_id=s:9b2f0d4e-1c3a-4f5b-8d6e-7a8b9c0d1e2f http.response.body.size=i:31 "
        "hoody.duration_ms=i:4 ";
    struct fixture f;
    struct otlp_scan s;
    struct otlp_text key, entry = { 0 };
    struct buf got = BUF_INIT(4096);
    char frame[4096];
    FILE *file = fopen("tests/data/hoody_page.json", "rb");
    (void)state;
    setup(&f);
    assert_non_null(file);
    size_t len = fread(frame, 1, sizeof(frame), file);
    fclose(file);
    otlp_scan_init(&s, frame, len);
    otlp_scan_enter_object(&s);
    assert_true(otlp_scan_next_key(&s, &key) && otlp_key_is(key, "entries"));
    otlp_scan_enter_array(&s);
    assert_true(otlp_scan_next_element(&s) && otlp_scan_value(&s, &entry));
    check_row("sample");
    put_short(record_of(&f, (struct bytes){ entry.data, entry.len }, &nothing), &got);
    check_text(buf_text(&got), want);
    buf_release(&got);
    teardown(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_entries),
        cmocka_unit_test(test_resources),
        cmocka_unit_test(test_integers),
        cmocka_unit_test(test_sample),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
