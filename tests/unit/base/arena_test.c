/* What a sanitizer watches over: nothing leaks, nothing overlaps. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/buf.h"

static void gives_zeroed_memory_until_released(void **state)
{
    static const size_t sizes[] = { 0, 1, 7, 16, 100000 };
    struct arena arena = { 0 };
    unsigned char *pieces[COUNT(sizes)];
    (void)state;
    for (size_t i = 0; i < COUNT(sizes); i++) {
        pieces[i] = arena_alloc(&arena, sizes[i], 1);
        assert_int_equal((uintptr_t)pieces[i] % _Alignof(max_align_t), 0);
        for (size_t k = 0; k < sizes[i]; k++)
            assert_int_equal(pieces[i][k], 0);
        memset(pieces[i], (int)i + 1, sizes[i]);
    }
    for (size_t i = 0; i < COUNT(sizes); i++)
        assert_true(sizes[i] == 0 || pieces[i][sizes[i] - 1] == i + 1);
    arena_release(&arena);
    arena_release(&arena);
    assert_non_null(arena_alloc(&arena, 1, 1)); /* usable again */
    arena_release(&arena);
}

static void copies_texts(void **state)
{
    struct arena arena = { 0 };
    (void)state;
    assert_string_equal(arena_strdup(&arena, "text"), "text");
    assert_string_equal(arena_strndup(&arena, "text", 2), "te");
    assert_null(arena_strdup(&arena, NULL));
    arena_release(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_zeroed_memory_until_released),
        cmocka_unit_test(copies_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
