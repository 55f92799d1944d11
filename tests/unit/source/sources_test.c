/* What holds of each type in the table, whatever its platform. */
#include "source/source.h"

#include "tests/unit/check.h"

static size_t field_count(const struct source *type)
{
    size_t count = 0;
    while (type->fields[count].name)
        count++;
    return count;
}

static void test_table(void **state)
{
    const struct source *type;
    (void)state;
    for (size_t i = 0; (type = source_at(i)); i++) {
        int count = (int)field_count(type), secrets = 0;
        check_row(type->name);
        check_i64(source_named(type->name) == type, true);
        check_i64(type->summary && type->request && type->decode, true);
        check_i64((type->prepare == NULL) == (type->prepared == NULL), true);
        check_i64(type->budget >= 0 && type->budget < count, true);
        check_i64(type->fields[type->budget].required, true);
        check_i64(type->service_name >= -1 && type->service_name < count, true);
        check_i64(type->service_name >= 0 && type->fields[type->service_name].secret, false);
        check_i64(type->limits.calls > 0 && type->limits.period_ns > 0, true);
        check_i64(type->limits.wait_ns > 0, true);
        check_i64(type->tails && type->limits.span_ns, false);
        for (int k = 0; k < count; k++) {
            check_row(type->fields[k].name);
            check_i64(type->fields[k].help != NULL, true);
            check_i64(type->fields[k].secret && type->fields[k].resource, false);
            secrets += type->fields[k].secret;
        }
        check_i64(secrets > 0, true);
    }
    check_i64(source_named("") == NULL && source_named("Forge") == NULL, true);
}

/* Neither says a secret, and both tell one app from another. */
static void test_keys(void **state)
{
    const struct source *type;
    (void)state;
    for (size_t i = 0; (type = source_at(i)); i++) {
        struct setting settings[2][32] = { { { 0 } }, { { 0 } } };
        char identities[2][STREAM_IDENTITY_BYTES];
        struct buf keys[2] = { BUF_INIT(1024), BUF_INIT(1024) };
        check_row(type->name);
        assert_true(field_count(type) <= 32);
        for (int n = 0; n < 2; n++) {
            struct stream st = { .name = "s", .type = type, .settings = settings[n] };
            for (size_t k = 0; k < field_count(type); k++)
                settings[n][k] = (struct setting){ .set = true, .text = n ? "S3CRET2" : "S3CRET1" };
            stream_identity(&st, identities[n]);
            stream_budget_key(&st, &keys[n]);
            check_i64(strncmp(buf_text(&keys[n]), type->name, strlen(type->name)), 0);
            if (type->fields[type->budget].secret)
                check_i64(strstr(buf_text(&keys[n]), "S3CRET") == NULL, true);
        }
        check_i64(strcmp(identities[0], identities[1]) != 0, true);
        check_i64(strcmp(buf_text(&keys[0]), buf_text(&keys[1])) != 0, true);
        buf_release(&keys[0]);
        buf_release(&keys[1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
