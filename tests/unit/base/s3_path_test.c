#include "tests/unit/check.h"

#include "base/s3_path.h"

#define X100                                                                                       \
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx" \
    "xxxxxxxx"

static void test_good(void **state)
{
    static const struct {
        const char *path, *bucket, *prefix;
    } rows[] = {
        { "s3://bucket", "bucket", "" },
        { "s3://bucket/", "bucket", "" },
        { "s3://abc/p", "abc", "p" },
        { "s3://a.b-c.0/p/q/", "a.b-c.0", "p/q" },
        { "s3://bucket/A.b_c~d-0/..x/y..", "bucket", "A.b_c~d-0/..x/y.." },
        { "s3://bucket/" X100 X100 X100 X100 X100 X100 X100, "bucket",
          X100 X100 X100 X100 X100 X100 X100 },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct s3_path parts;
        check_row(rows[i].path);
        check_i64(s3_path_is(rows[i].path), true);
        assert_null(s3_path_parse(rows[i].path, &parts));
        check_bytes(parts.bucket, bytes_of(rows[i].bucket));
        check_bytes(parts.prefix, bytes_of(rows[i].prefix));
    }
}

static void test_bad(void **state)
{
    static const char *const rows[] = {
        "s3://",
        "s3:///p",
        "s3://ab",
        "s3://Bucket/p",
        "s3://buck_et/p",
        "s3://-bucket/p",
        "s3://bucket-/p",
        "s3://a..b/p",
        "s3://.abc/p",
        "s3://bucket/./",
        "s3://bucket/..",
        "s3://bucket/a/../b",
        "s3://bucket//a",
        "s3://bucket/a//",
        "s3://bucket/a b",
        "s3://bucket/a%20b",
        "s3://bucket/a?b",
        "s3://bucket/\xc3\xa4",
        "s3://bucket/a=b",
        "/var/lib/otlpull",
        "s3://0123456789012345678901234567890123456789012345678901234567890123/p",
        "s3://bucket/x" X100 X100 X100 X100 X100 X100 X100,
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct s3_path parts = { .bucket = bytes_of("untouched") };
        check_row(rows[i]);
        const char *problem = s3_path_parse(rows[i], &parts);
        check_i64(problem != NULL && strstr(problem, "s3://bucket/prefix") != NULL, true);
        check_bytes(parts.bucket, BYTES("untouched"));
    }
    check_row("another scheme");
    check_i64(s3_path_is("/s3://bucket") || s3_path_is("s3:bucket") || s3_path_is(""), false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_bad),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
