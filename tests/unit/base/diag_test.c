/* What a message looks like: to a person, to a program, to systemd's journal. */
#include "base/diag.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/check.h"
#include "tests/unit/fake_clock.h"

#define TIME "2025-11-12T07:00:00.000Z"

/* What `d` writes of one event, through a pipe; it is the fd of `d`. */
static struct bytes written(struct diag d, enum diag_level level, char out[1024])
{
    static const struct diag_field fields[] = { { "n", NULL, -7 }, { "text", "a \"b\"", 0 } };
    int ends[2];
    struct fake_clock clk = fake_clock();
    assert_int_equal(pipe(ends), 0);
    d.fd = ends[1];
    d.clk = &clk.clk;
    diag_event(&d, level, "two\nlines", fields, COUNT(fields));
    close(ends[1]);
    ssize_t n = read(ends[0], out, 1024);
    close(ends[0]);
    assert_true(n >= 0);
    return (struct bytes){ out, (size_t)n };
}

static void a_line_for_each_reader(void **state)
{
    static const struct {
        const char *name;
        bool json, journal;
        enum diag_level level;
        const char *want;
    } rows[] = {
        { "text", false, false, DIAG_WARN,
          TIME " warn  otlpull: two lines n=-7 text=\"a \\\"b\\\"\"\n" },
        { "JSON", true, false, DIAG_ERROR,
          "{\"time\":\"" TIME "\",\"level\":\"error\",\"message\":\"two\\nlines\",\"n\":-7,"
          "\"text\":\"a \\\"b\\\"\"}\n" },
        { "journal, debug", false, true, DIAG_DEBUG, "<7>two lines n=-7 text=\"a \\\"b\\\"\"\n" },
        { "journal, info", false, true, DIAG_INFO, "<6>two lines n=-7 text=\"a \\\"b\\\"\"\n" },
        { "journal, warn", false, true, DIAG_WARN, "<4>two lines n=-7 text=\"a \\\"b\\\"\"\n" },
        { "journal, error", false, true, DIAG_ERROR, "<3>two lines n=-7 text=\"a \\\"b\\\"\"\n" },
        { "journal, JSON", true, true, DIAG_ERROR,
          "<3>{\"time\":\"" TIME "\",\"level\":\"error\",\"message\":\"two\\nlines\",\"n\":-7,"
          "\"text\":\"a \\\"b\\\"\"}\n" },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct diag d = { .json = rows[i].json, .journal = rows[i].journal };
        char text[1024];
        check_row(rows[i].name);
        check_bytes(written(d, rows[i].level, text), bytes_of(rows[i].want));
    }
}

static void below_the_level_nothing(void **state)
{
    char text[1024];
    (void)state;
    check_i64(written((struct diag){ .level = DIAG_WARN }, DIAG_INFO, text).len, 0);
}

static void the_journal_is_known_by_its_stream(void **state)
{
    int ends[2];
    struct stat st;
    char own[64], other[64], longer[80];
    (void)state;
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(fstat(ends[1], &st), 0);
    snprintf(own, sizeof(own), "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
    snprintf(other, sizeof(other), "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino + 1);
    snprintf(longer, sizeof(longer), "%s0", own);
    check_i64(diag_is_journal(ends[1], own), true);
    check_i64(diag_is_journal(ends[1], other), false); /* set for who started us */
    check_i64(diag_is_journal(ends[1], longer), false);
    check_i64(diag_is_journal(ends[1], ""), false);
    check_i64(diag_is_journal(ends[1], NULL), false);
    close(ends[0]);
    close(ends[1]);
    check_i64(diag_is_journal(ends[1], own), false); /* nothing there */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_for_each_reader),
        cmocka_unit_test(below_the_level_nothing),
        cmocka_unit_test(the_journal_is_known_by_its_stream),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
