/* Which shard works a source: every one in exactly one, by its app, for good. */
#include "shard.h"

#include "tests/unit/check.h"

#define APPS 200

static const char *key_of(int app, char out[64])
{
    snprintf(out, 64, "forge 11111111-2222-4333-8444-%012d", app);
    return out;
}

static void what_is_a_shard(void **state)
{
    static const struct {
        const char *text;
        bool good;
        struct shard want;
    } rows[] = {
        { "0/1", true, { 0, 1 } },    { "3/4", true, { 3, 4 } },
        { "03/04", true, { 3, 4 } },  { "99999/100000", true, { 99999, 100000 } },
        { "4/4", false, { 0 } },      { "0/0", false, { 0 } },
        { "0/100001", false, { 0 } }, { "0/4294967297", false, { 0 } }, /* 1 in 32 bits */
        { "-1/4", false, { 0 } },     { "1/-4", false, { 0 } },
        { "+1/4", false, { 0 } },     { " 1/4", false, { 0 } },
        { "1/4 ", false, { 0 } },     { "1/4/8", false, { 0 } },
        { "1", false, { 0 } },        { "/4", false, { 0 } },
        { "1/", false, { 0 } },       { "/", false, { 0 } },
        { "", false, { 0 } },         { "a/b", false, { 0 } },
        { "0x1/4", false, { 0 } },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct shard got = { 0 };
        check_row(rows[i].text);
        check_i64(shard_parse_pair(bytes_of(rows[i].text), &got), rows[i].good);
        check_i64(got.index, rows[i].want.index);
        check_i64(got.count, rows[i].want.count);
    }
}

static void every_app_is_in_exactly_one(void **state)
{
    static const int counts[] = { 1, 2, 3, 7, 16, 1000, SHARDS_MAX };
    char key[64];
    (void)state;
    for (size_t n = 0; n < COUNT(counts); n++) {
        for (int app = 0; app < APPS; app++) {
            int in = 0;
            for (int i = 0; i < counts[n]; i++)
                in += shard_has(&(struct shard){ i, counts[n] }, key_of(app, key));
            check_row(key);
            check_i64(in, 1);
        }
    }
}

static void without_shards_all_is_ours(void **state)
{
    (void)state;
    check_i64(shard_has(&(struct shard){ 0 }, "forge a"), true);
    check_i64(shard_has(&(struct shard){ 0 }, "forge b"), true);
}

/* Runs of two versions side by side must agree: these numbers never change. */
static void the_numbers_are_pinned(void **state)
{
    static const int want[] = { 9, 0, 4, 4, 9, 2, 6, 6 };
    char key[64];
    (void)state;
    for (int app = 0; app < (int)COUNT(want); app++) {
        check_row(key_of(app, key));
        for (int i = 0; i < 10; i++)
            check_i64(shard_has(&(struct shard){ i, 10 }, key), i == want[app]);
    }
}

static void the_load_is_shared(void **state)
{
    int apps[8] = { 0 };
    char key[64];
    (void)state;
    for (int app = 0; app < APPS; app++) {
        for (int i = 0; i < (int)COUNT(apps); i++)
            apps[i] += shard_has(&(struct shard){ i, (int)COUNT(apps) }, key_of(app, key));
    }
    for (size_t i = 0; i < COUNT(apps); i++)
        check_i64(apps[i] > 10 && apps[i] < 45, true); /* 25 in the mean */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_a_shard),
        cmocka_unit_test(every_app_is_in_exactly_one),
        cmocka_unit_test(without_shards_all_is_ours),
        cmocka_unit_test(the_numbers_are_pinned),
        cmocka_unit_test(the_load_is_shared),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
