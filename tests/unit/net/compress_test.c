#include "net/compress.h"

#include <stdlib.h>

#include "tests/unit/check.h"

static struct buf text_of(size_t len)
{
    struct buf text = BUF_INIT((size_t)64 << 20);
    for (size_t i = 0; i < len; i++)
        buf_append_char(&text, (char)('a' + i * i % 23));
    return text;
}

static void test_gzip_and_back(void **state)
{
    static const size_t lengths[] = { 0, 1, 70000, 3000000 };
    struct error err;
    (void)state;
    for (size_t i = 0; i < COUNT(lengths); i++) {
        struct buf text = text_of(lengths[i]);
        struct buf small = BUF_INIT((size_t)64 << 20), back = BUF_INIT((size_t)64 << 20);
        check_row("gzip and back");
        buf_append_text(&back, "before ");
        check_i64(compress_gzip(buf_bytes(&text), &small, &err), 0);
        check_i64(compress_is_gzip(buf_bytes(&small)), true);
        check_i64(compress_gunzip(buf_bytes(&small), &back, &err), 0);
        check_i64(back.len, lengths[i] + 7);
        struct bytes behind = { buf_text(&back) + 7, back.len - 7 };
        check_bytes(behind, buf_bytes(&text));
        buf_release(&text);
        buf_release(&small);
        buf_release(&back);
    }
}

static void test_members(void **state)
{
    struct error err;
    struct buf small = BUF_INIT(4096), back = BUF_INIT(4096);
    (void)state;
    check_i64(compress_gzip(bytes_of("one "), &small, &err), 0);
    check_i64(compress_gzip(bytes_of("two"), &small, &err), 0);
    check_i64(compress_gunzip(buf_bytes(&small), &back, &err), 0);
    check_text(buf_text(&back), "one two");
    buf_release(&small);
    buf_release(&back);
}

static void test_refuses(void **state)
{
    struct error err;
    struct buf text = text_of(100000), small = BUF_INIT(200000), back = BUF_INIT(99999);
    (void)state;
    check_i64(compress_gzip(buf_bytes(&text), &small, &err), 0);
    check_i64(compress_gunzip(buf_bytes(&small), &back, &err), -1);
    check_i64(err.kind, ERR_INPUT);
    check_text(err.text, "gzip: holds more than 99999 bytes");
    buf_release(&back);
    back = (struct buf)BUF_INIT(200000);
    for (size_t cut = 1; cut < small.len; cut += small.len / 50 + 1) {
        buf_reset(&back);
        err.kind = ERR_NONE;
        check_i64(compress_gunzip((struct bytes){ buf_text(&small), cut }, &back, &err), -1);
        check_i64(err.kind, ERR_INPUT);
    }
    small.data[small.len / 2] ^= 1;
    buf_reset(&back);
    check_i64(compress_gunzip(buf_bytes(&small), &back, &err), -1);
    check_text(err.text, "gzip: damaged or cut short");
    check_i64(compress_is_gzip(bytes_of("\x1f")), false);
    check_i64(compress_is_gzip(bytes_of("2026-03-02")), false);
    buf_release(&text);
    buf_release(&small);
    buf_release(&back);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gzip_and_back),
        cmocka_unit_test(test_members),
        cmocka_unit_test(test_refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
