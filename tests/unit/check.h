/* check.h -- what tables of tests need beside cmocka: a failure names its row. */
#ifndef OTLPULL_TESTS_CHECK_H
#define OTLPULL_TESTS_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"

/* A struct bytes in a static table, where BYTES() is no constant. */
#define TEXT(literal)                                                                              \
    {                                                                                              \
        (literal), sizeof(literal) - 1                                                             \
    }

/* The row that is being checked; each test program is one file, and has its own. */
static const char *check_row_name;

static inline void check_row(const char *name)
{
    check_row_name = name;
}

static inline void check_failed(const char *file, int line)
{
    print_error("row: %s\n", check_row_name ? check_row_name : "(none)");
    _fail(file, line);
}

static inline void check_i64_at(int64_t got, int64_t want, const char *file, int line)
{
    if (got != want) {
        print_error("got %lld, not %lld\n", (long long)got, (long long)want);
        check_failed(file, line);
    }
}

static inline void check_bytes_at(struct bytes got, struct bytes want, const char *file, int line)
{
    if (!bytes_equal(got, want)) {
        print_error("got  |%.*s|\nwant |%.*s|\n", (int)got.len, got.data, (int)want.len, want.data);
        check_failed(file, line);
    }
}

#define check_i64(got, want)   check_i64_at((int64_t)(got), (int64_t)(want), __FILE__, __LINE__)
#define check_bytes(got, want) check_bytes_at(got, want, __FILE__, __LINE__)
#define check_text(got, want)  check_bytes(bytes_of(got), bytes_of(want))

#endif
