#include "net/ca.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/check.h"

/* In a folder of its own: files "a" and "b", a folder "d"; there is no "none". */
static int enter(void **state)
{
    static char folder[] = "/tmp/otlpull-ca-XXXXXX";
    (void)state;
    if (!mkdtemp(folder) || chdir(folder) || mkdir("d", 0700))
        return -1;
    for (int i = 0; i < 2; i++) {
        FILE *f = fopen(i ? "b" : "a", "w");
        if (!f || fclose(f))
            return -1;
    }
    *state = folder;
    return 0;
}

static int leave(void **state)
{
    return unlink("a") || unlink("b") || rmdir("d") || rmdir(*state);
}

static void test_find(void **state)
{
    static const struct {
        const char *name, *named, *places[3], *want;
    } rows[] = {
        { "what is named comes first", "b", { "a", NULL }, "b" },
        { "the first place, where none is named", NULL, { "a", "b", NULL }, "a" },
        { "an empty name is none", "", { "a", NULL }, "a" },
        { "a name that is not there", "none", { "b", NULL }, "b" },
        { "a folder is no bundle", "d", { "d", "a", NULL }, "a" },
        { "places that are not there", NULL, { "none", "b", NULL }, "b" },
        { "nothing there", "none", { "none", "d", NULL }, NULL },
        { "nowhere to look", NULL, { NULL }, NULL },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        const char *got = ca_find(rows[i].named, rows[i].places);
        check_row(rows[i].name);
        check_i64(!got, !rows[i].want);
        if (got)
            check_text(got, rows[i].want);
    }
}

static void test_default(void **state)
{
    (void)state;
    assert_int_equal(setenv("SSL_CERT_FILE", "a", 1), 0);
    check_text(ca_default(), "a");
    assert_int_equal(setenv("SSL_CERT_FILE", "none", 1), 0);
    const char *other = ca_default();
    assert_int_equal(unsetenv("SSL_CERT_FILE"), 0);
    assert_ptr_equal(ca_default(), other); /* as if it named nothing */
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_find),
        cmocka_unit_test(test_default),
    };
    return cmocka_run_group_tests(tests, enter, leave);
}
