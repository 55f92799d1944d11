/* buf, error, base64, jread: what everything else stands on. */
#include "base/base64.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/jread.h"

#include <stdlib.h>

#include "tests/unit/check.h"

static void a_full_buffer_keeps_what_it_had(void **state)
{
    struct buf b = BUF_INIT(5);
    (void)state;
    check_text(buf_text(&b), "");
    buf_append_text(&b, "abc");
    buf_append_text(&b, "def");
    check_i64(b.full, true);
    check_text(buf_text(&b), "abc");
    buf_append_char(&b, 'x'); /* full stays full, or a text could have holes */
    check_text(buf_text(&b), "abc");
    buf_reset(&b);
    buf_printf(&b, "%d", 12345);
    check_i64(b.full, false);
    check_text(buf_text(&b), "12345");
    buf_printf(&b, "%d", 6);
    check_i64(b.full, true);
    buf_release(&b);
    check_i64(b.max, 5);
}

static void a_long_printf_fits(void **state)
{
    struct buf b = BUF_INIT(2000);
    (void)state;
    buf_printf(&b, "%01000d|", 7);
    check_i64(b.len, 1001);
    check_i64(b.data[999], '7');
    check_i64(b.data[1000], '|');
    buf_release(&b);
}

static void an_error_says_it_in_one_line(void **state)
{
    struct error err = { 0 };
    (void)state;
    check_i64(error_set(&err, ERR_INPUT, "bad\nthing %d", 7), -1);
    check_i64(error_within(&err, "source %s", "shop"), -1);
    check_text(err.text, "source shop: bad thing 7");
    check_i64(err.kind, ERR_INPUT);
    error_set(&err, ERR_BUG, "%0600d", 1);
    check_i64(strlen(err.text), ERROR_TEXT_BYTES - 1);
    check_text(err.text + ERROR_TEXT_BYTES - 4, "...");
}

static void exit_codes_have_an_order(void **state)
{
    static const int worst_first[] = { 78, 77, 74, 73, 70, 69, 75, 0 };
    (void)state;
    for (size_t i = 0; i < COUNT(worst_first); i++) {
        for (size_t j = 0; j < COUNT(worst_first); j++)
            check_i64(error_worse_exit_code(worst_first[i], worst_first[j]),
                      worst_first[i < j ? i : j]);
    }
}

static void base64_goes_there_and_back(void **state)
{
    static const struct {
        const char *plain, *coded;
    } rows[] = { { "", "" },
                 { "f", "Zg==" },
                 { "fo", "Zm8=" },
                 { "foo", "Zm9v" },
                 { "foob", "Zm9vYg==" },
                 { "fooba", "Zm9vYmE=" },
                 { "foobar", "Zm9vYmFy" } };
    static const char *const broken[] = { "Zg=", "Z", "Zg==Zg==", "Z===", "Zm9v!A==", "====" };
    struct buf out = BUF_INIT(100);
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        buf_reset(&out);
        base64_append(&out, rows[i].plain, strlen(rows[i].plain));
        check_text(buf_text(&out), rows[i].coded);
        buf_reset(&out);
        check_i64(base64_decode(&out, bytes_of(rows[i].coded)), true);
        check_bytes(buf_bytes(&out), bytes_of(rows[i].plain));
    }
    for (size_t i = 0; i < COUNT(broken); i++) {
        buf_reset(&out);
        check_row(broken[i]);
        check_i64(base64_decode(&out, bytes_of(broken[i])), false);
        check_i64(out.len, 0);
    }
    buf_release(&out);
}

static void json_is_read_strictly(void **state)
{
    static const char *const refused[] = { "",    "{",    "{} x", "nul", "[1,]",
                                           "\"a", "null", "[]",   "7",   "{}\0{}" };
    (void)state;
    for (size_t i = 0; i < COUNT(refused); i++) {
        struct error err = { 0 };
        check_row(refused[i]);
        struct json_object *document = jread_parse(bytes_of(refused[i]), &err);
        check_i64(document == NULL, i != COUNT(refused) - 1);
        check_i64(err.kind, i != COUNT(refused) - 1 ? ERR_INPUT : ERR_NONE);
        jread_release(document);
    }
}

static void json_members_have_types(void **state)
{
    struct error err = { 0 };
    struct json_object *d = jread_parse(
        BYTES("{\"n\":-7,\"s\":\"12\",\"t\":\"x\",\"big\":\"99999999999999999999\",\"a\":[1,2],"
              "\"null\":null,\"when\":\"1970-01-01T00:00:01Z\",\"f\":1.5} \n"),
        &err);
    int64_t n = 42;
    const char *text = "as it was";
    (void)state;
    assert_non_null(d);
    check_i64(jread_int(d, "n", &n) && n == -7, true);
    check_i64(jread_int(d, "s", &n) && n == 12, true);
    n = 42;
    check_i64(jread_int(d, "t", &n) || jread_int(d, "big", &n) || jread_int(d, "f", &n), false);
    check_i64(jread_int(d, "absent", &n) || jread_int(d, "null", &n), false);
    check_i64(n, 42);
    check_i64(jread_text(d, "n", &text), false);
    check_text(text, "as it was");
    check_i64(jread_time(d, "when", &n) && n == 1000000000, true);
    check_i64(jread_count(jread_member(d, "a")), 2);
    check_i64(jread_at(jread_member(d, "a"), 2) == NULL, true);
    check_i64(jread_count(jread_member(d, "s")), 0);
    jread_release(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_buffer_keeps_what_it_had),
        cmocka_unit_test(a_long_printf_fits),
        cmocka_unit_test(an_error_says_it_in_one_line),
        cmocka_unit_test(exit_codes_have_an_order),
        cmocka_unit_test(base64_goes_there_and_back),
        cmocka_unit_test(json_is_read_strictly),
        cmocka_unit_test(json_members_have_types),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
