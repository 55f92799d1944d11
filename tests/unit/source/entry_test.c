/* Records that are written: each part as OTLP/JSON, resources told apart, and whatever bytes come
 * in, JSON in UTF-8 comes out. */
#include "source/entry.h"

#include <math.h>

#include "tests/unit/check.h"

static void check_record_at(const struct page *page, size_t i, const char *want)
{
    assert_true(i < page->count);
    struct bytes got = { page->records[i].text, page->records[i].len };
    check_bytes(got, bytes_of(want));
}

static void test_parts(void **state)
{
    struct page page = PAGE_INIT;
    struct error err = { 0 };
    uint64_t unix_ns;
    (void)state;
    entry_begin(&page, 1762930801250000000);
    entry_severity(&page, BYTES("Warning"));
    entry_body(&page, BYTES("a \"b\"\n\xff"));
    assert_true(entry_trace_id(&page, BYTES("9B2f0d4e-1c3a-4f5b-8d6e-7a8b9c0d1e2f")));
    entry_string(&page, "empty", BYTES(""));
    entry_string(&page, "text", BYTES("x\\"));
    entry_int(&page, "int", INT64_MIN);
    entry_double(&page, "nan", NAN);
    entry_double(&page, "double", 0.5);
    entry_bool(&page, "bool", true);
    entry_end(&page, 0);
    entry_begin(&page, 0);
    entry_severity(&page, BYTES("loud"));
    entry_end(&page, 0);
    check_i64(page_finish(&page, &err), 0);
    check_i64(page.count, 2);
    check_record_at(&page, 0,
                    "{\"timeUnixNano\":\"1762930801250000000\",\"severityNumber\":13,"
                    "\"severityText\":\"Warning\","
                    "\"body\":{\"stringValue\":\"a \\\"b\\\"\\n\xef\xbf\xbd\"},"
                    "\"traceId\":\"9b2f0d4e1c3a4f5b8d6e7a8b9c0d1e2f\",\"attributes\":["
                    "{\"key\":\"text\",\"value\":{\"stringValue\":\"x\\\\\"}},"
                    "{\"key\":\"int\",\"value\":{\"intValue\":\"-9223372036854775808\"}},"
                    "{\"key\":\"double\",\"value\":{\"doubleValue\":0.5}},"
                    "{\"key\":\"bool\",\"value\":{\"boolValue\":true}}]}");
    check_record_at(&page, 1, "{\"timeUnixNano\":\"0\",\"severityText\":\"loud\"}");
    assert_true(otlp_record_time(&page.records[0], OTLP_TIME, &unix_ns));
    check_i64(unix_ns, 1762930801250000000);
    page_release(&page);
}

static void test_trace_ids(void **state)
{
    static const char *const none[] = { "",
                                        "0",
                                        "00000000000000000000000000000000",
                                        "9b2f0d4e1c3a4f5b8d6e7a8b9c0d1e2",
                                        "9b2f0d4e1c3a4f5b8d6e7a8b9c0d1e2f0",
                                        "9b2f0d4e1c3a4f5b8d6e7a8b9c0d1e2g" };
    (void)state;
    for (size_t i = 0; i < COUNT(none); i++) {
        struct page page = PAGE_INIT;
        check_row(none[i]);
        entry_begin(&page, 1);
        size_t before = page.text.len;
        check_i64(entry_trace_id(&page, bytes_of(none[i])), false);
        check_i64(page.text.len, before);
        page_release(&page);
    }
}

static void test_resources(void **state)
{
    struct page page = PAGE_INIT;
    struct error err = { 0 };
    (void)state;
    for (size_t i = 0; i < 6; i++) {
        const char *name = i % 3 == 0 ? "a" : i % 3 == 1 ? "b" : "";
        struct resource_value values[] = { { "service.instance.id", bytes_of(name), false },
                                           { "cloud.region", bytes_of(i % 3 == 1 ? "r" : ""),
                                             true } };
        entry_begin(&page, (int64_t)i + 1);
        entry_end(&page, page_resource(&page, values, COUNT(values)));
    }
    check_i64(page_finish(&page, &err), 0);
    check_i64(page.resource_count, 2);
    for (size_t i = 0; i < 6; i++)
        check_bytes(
            page_resource_of(&page, i),
            bytes_of(i % 3 == 0
                         ? "{\"key\":\"service.instance.id\",\"value\":{\"stringValue\":\"a\"}}"
                     : i % 3 == 1
                         ? "{\"key\":\"service.instance.id\",\"value\":{\"stringValue\":\"b\"}},"
                           "{\"key\":\"cloud.region\",\"value\":{\"stringValue\":\"r\"}}"
                         : ""));
    check_bytes(page_resource_key(&page, 1), /* the region is all records' */
                bytes_of("{\"key\":\"service.instance.id\",\"value\":{\"stringValue\":\"b\"}}"));
    page_reset(&page);
    check_i64(page.count, 0);
    entry_begin(&page, 1);
    entry_end(&page, 0);
    check_i64(page_finish(&page, &err), 0);
    check_bytes(page_resource_of(&page, 0), bytes_of(""));
    check_bytes(page_resource_key(&page, 0), bytes_of(""));
    page_release(&page);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parts),
        cmocka_unit_test(test_trace_ids),
        cmocka_unit_test(test_resources),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
