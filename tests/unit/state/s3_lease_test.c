#include "tests/unit/check.h"

#include "state/s3_lease.h"

#define LEASE(by, until) "{\"lease\":{\"by\":\"" by "\",\"until\":\"" until "\"}}\n"
#define GOOD             LEASE("web-1:7:0123456789abcdef", "2026-11-12T07:00:00Z")
#define X40              "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"

static const int64_t at_ns = INT64_C(1762930800) * NS_PER_S;

static void test_split(void **state)
{
    static const struct {
        const char *name, *object, *document; /* `document` NULL: the whole, as there is no lease */
    } rows[] = {
        { "behind a document", "{\"a\":1}\n" GOOD, "{\"a\":1}\n" },
        { "alone", GOOD, "" },
        { "behind what is no document", "hello" GOOD, "hello" },
        { "the last of two", GOOD GOOD, GOOD },
        { "nothing", "", NULL },
        { "none", "{\"a\":{\"b\":1}}\n", NULL },
        { "not at the end", GOOD " ", NULL },
        { "without its end", "{\"lease\":{\"by\":\"a\",\"until\":\"2026-11-12T07:00:00Z\"}}",
          NULL },
        { "no name", LEASE("", "2026-11-12T07:00:00Z"), NULL },
        { "a name of other letters", LEASE("a b", "2026-11-12T07:00:00Z"), NULL },
        { "a name too long", LEASE(X40 X40 X40 "123456789", "2026-11-12T07:00:00Z"), NULL },
        { "no time", LEASE("a", "soon"), NULL },
        { "inside of a text", "{\"a\":\"{\\\"lease\\\":{\\\"by\\\":1}}\"}}\n", NULL },
        { "a number for a name", "{\"lease\":{\"by\":1,\"until\":\"2026-11-12T07:00:00Z\"}}\n",
          NULL },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct s3_lease lease = { .by = "untouched" };
        struct bytes document;
        check_row(rows[i].name);
        bool found = s3_lease_split(bytes_of(rows[i].object), &document, &lease);
        check_i64(found, rows[i].document != NULL);
        check_bytes(document, bytes_of(rows[i].document ? rows[i].document : rows[i].object));
        check_text(lease.by, found ? "web-1:7:0123456789abcdef" : "untouched");
    }
}

static void test_there_and_back(void **state)
{
    struct s3_lease lease = { .until_unix_ns = at_ns }, back, other = { 0 };
    struct buf object = BUF_INIT(1024);
    struct bytes document;
    (void)state;
    s3_lease_name(lease.by);
    s3_lease_name(other.by);
    assert_string_not_equal(lease.by, other.by);
    buf_append_text(&object, "{}\n");
    s3_lease_write(&lease, &object);
    check_i64(s3_lease_split(buf_bytes(&object), &document, &back), true);
    check_bytes(document, BYTES("{}\n"));
    check_text(back.by, lease.by);
    check_i64(back.until_unix_ns, lease.until_unix_ns);
    buf_release(&object);
}

static void test_holds(void **state)
{
    static const struct {
        const char *name;
        int64_t until_after_ns;
        bool holds;
    } rows[] = {
        { "just taken", S3_LEASE_NS, true },
        { "to its last moment", 1, true },
        { "not at its end", 0, false },
        { "long over", -S3_LEASE_NS, false },
        { "a store's clock that went back a little", 2 * S3_LEASE_NS, true },
        { "by a clock that was an hour ahead", 3600 * NS_PER_S, false },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct s3_lease lease = { .by = "a",
                                        .until_unix_ns = at_ns + rows[i].until_after_ns };
        check_row(rows[i].name);
        check_i64(s3_lease_holds(&lease, at_ns), rows[i].holds);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_split),
        cmocka_unit_test(test_there_and_back),
        cmocka_unit_test(test_holds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
