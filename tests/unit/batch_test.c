/* Batches of several resources: one ResourceLogs for each, whatever the order; any run of the
 * records makes a body of its own; a record that was taken back leaves no trace; and a batch knows
 * how long its body is. */
#include "batch.h"

#include "tests/unit/check.h"

#define A "{\"key\":\"service.instance.id\",\"value\":{\"stringValue\":\"a\"}}"
#define B "{\"key\":\"service.instance.id\",\"value\":{\"stringValue\":\"b\"}}"
/* What the configuration names too. */
#define NAMED "{\"key\":\"cloud.region\",\"value\":{\"stringValue\":\"theirs\"}}"

#define OURS "{\"key\":\"cloud.region\",\"value\":{\"stringValue\":\"ours\"}}"
#define HEAD(attributes)                                                                           \
    "{\"resource\":{\"attributes\":[" attributes                                                   \
    "]},\"scopeLogs\":[{\"scope\":{\"name\":\"s\"},\"logRecords\":["
#define END "]}]}"

static struct pair resource_pairs[] = { { (char[]){ "cloud.region" }, (char[]){ "ours" } } };
static const struct source_config source = { .scope_name = "s", .resource = { resource_pairs, 1 } };

static bool add(struct batch *b, const char *text, const char *resource)
{
    struct otlp_record record = { .text = text, .len = (uint32_t)strlen(text) };
    return batch_add(b, &record, bytes_of(resource), 0, (struct otlp_text){ 0 });
}

static struct batch batch(size_t max_records, size_t max_bytes)
{
    struct exporter_config exporter = { .max_batch_records = max_records,
                                        .max_batch_bytes = max_bytes };
    struct batch b;
    batch_init(&b, &source, &exporter);
    return b;
}

static void check_body(struct batch *b, size_t from, size_t to, const char *want)
{
    struct buf scratch = BUF_INIT(0);
    check_bytes(batch_body(b, from, to, &scratch), bytes_of(want));
    buf_release(&scratch);
}

static void test_groups(void **state)
{
    struct batch b = batch(100, 1 << 20);
    (void)state;
    assert_true(add(&b, "{\"n\":1}", A));
    assert_true(add(&b, "{\"n\":2}", B "," NAMED));
    assert_true(add(&b, "{\"n\":3}", A));
    assert_true(add(&b, "{\"n\":4}", ""));
    check_row("all");
    check_body(&b, 0, 4,
               "{\"resourceLogs\":[" HEAD(OURS "," A) "{\"n\":1},{\"n\":3}" END "," HEAD(
                   OURS "," B) "{\"n\":2}" END "," HEAD(OURS) "{\"n\":4}" END "]}");
    check_row("a run in the middle");
    check_body(&b, 1, 3,
               "{\"resourceLogs\":[" HEAD(OURS "," A) "{\"n\":3}" END
                                                      "," HEAD(OURS "," B) "{\"n\":2}" END "]}");
    check_row("one");
    check_body(&b, 3, 4, "{\"resourceLogs\":[" HEAD(OURS) "{\"n\":4}" END "]}");
    check_bytes(batch_record(&b, 1), bytes_of("{\"n\":2}"));
    check_bytes(batch_resource(&b, 1), bytes_of(B "," NAMED));
    batch_reset(&b);
    check_row("a group that was there before has no part in the next batch");
    assert_true(add(&b, "{\"n\":5}", B "," NAMED));
    check_body(&b, 0, 1, "{\"resourceLogs\":[" HEAD(OURS "," B) "{\"n\":5}" END "]}");
    batch_release(&b);
}

static void test_drop_last(void **state)
{
    struct batch b = batch(100, 1 << 20);
    (void)state;
    assert_true(add(&b, "{\"n\":1}", A));
    size_t bytes = b.bytes;
    assert_true(add(&b, "{\"n\":2}", B));
    batch_drop_last(&b);
    check_i64(b.bytes, bytes);
    assert_true(add(&b, "{\"n\":3}", A));
    batch_drop_last(&b);
    check_i64(b.bytes, bytes);
    check_body(&b, 0, 1, "{\"resourceLogs\":[" HEAD(OURS "," A) "{\"n\":1}" END "]}");
    batch_drop_last(&b);
    check_i64(b.bytes, 0);
    batch_release(&b);
}

/* b.bytes is the body's length to the byte, at any number of resources. */
static void test_length(void **state)
{
    static const char both[] = B "," NAMED;
    static const char *const resources[] = { A, B, "", A, both, "", B };
    struct batch b = batch(100, 1 << 20);
    (void)state;
    for (size_t i = 0; i < COUNT(resources); i++) {
        struct buf scratch = BUF_INIT(0);
        assert_true(add(&b, "{\"body\":{}}", resources[i]));
        check_i64(batch_body(&b, 0, b.count, &scratch).len, b.bytes);
        buf_release(&scratch);
    }
    batch_release(&b);
}

static void test_full(void **state)
{
    struct batch b = batch(2, 1 << 20);
    (void)state;
    assert_true(add(&b, "{}", A) && add(&b, "{}", B));
    assert_false(add(&b, "{}", A));
    batch_release(&b);

    struct buf scratch = BUF_INIT(0);
    b = batch(100, 1 << 20);
    assert_true(add(&b, "{}", A) && add(&b, "{}", B));
    size_t two = b.bytes;
    batch_release(&b);
    b = batch(100, two);
    assert_true(add(&b, "{}", A) && add(&b, "{}", B));
    assert_false(add(&b, "{}", B)); /* not a byte more */
    check_i64(batch_body(&b, 0, 2, &scratch).len, two);
    batch_release(&b);
    b = batch(100, two - 1);
    assert_true(add(&b, "{}", A));
    assert_false(add(&b, "{}", B));
    check_i64(b.count, 1);
    batch_release(&b);
    buf_release(&scratch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_groups),
        cmocka_unit_test(test_drop_last),
        cmocka_unit_test(test_length),
        cmocka_unit_test(test_full),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
