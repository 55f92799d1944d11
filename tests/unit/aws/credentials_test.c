/* When credentials are fetched, and when not: expiry, renewal, refusal. What each place is asked
 * for over the wire is tests/e2e/test_aws_credentials.py. */
#include "tests/unit/aws/fake_http.h"

#include "aws/credentials.h"

#define MINUTE (60 * NS_PER_S)

/* The fake clock stands at 2025-11-12T07:00:00Z. */
#define GIVEN(key, expires)                                                                        \
    {                                                                                              \
        .status = 200, .body = "{\"AccessKeyId\":\"" key                                           \
                               "\",\"SecretAccessKey\":\"s\",\"Token\":\"" key                     \
                               "-t\",\"Expiration\":\"" expires "\"}"                              \
    }

static const struct variable container[] = {
    { "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/v2/credentials/x" }, { NULL, NULL }
};

static struct credentials_source *source(struct fake_clock *clock, const struct variable *env)
{
    const struct credentials_options options = {
        .aws = { .clk = &clock->clk, .getenv = variable_of, .self = (void *)env },
        .sts = "https://sts.eu-west-1.amazonaws.com",
    };
    struct error err = { 0 };
    struct credentials_source *s = credentials_create(&options, &err);
    assert_non_null(s);
    return s;
}

/* The key to use now, or the error's kind. */
static void check_now(struct credentials_source *s, const struct credentials *refused,
                      const char *key, enum error_kind kind, size_t requests)
{
    struct credentials got = { 0 };
    struct error err = { 0 };
    int rc = credentials_get(s, refused, &got, TIME_FOREVER, &err);
    check_i64(rc, kind ? -1 : 0);
    check_i64(err.kind, kind);
    check_text(got.access_key ? got.access_key : "", key);
    check_i64(script.next, (int64_t)requests);
    credentials_release(&got);
}

static void renews_before_the_end(void **state)
{
    static const struct scripted rows[] = { GIVEN("A", "2025-11-12T08:00:00Z"),
                                            GIVEN("B", "2025-11-12T09:00:00Z") };
    struct fake_clock clock = fake_clock();
    struct credentials_source *s = source(&clock, container);
    (void)state;
    script_set(rows, COUNT(rows));
    check_row("the first");
    check_now(s, NULL, "A", ERR_NONE, 1);
    check_text(script.asked[0], "GET http://169.254.170.2/v2/credentials/x -");
    check_row("again");
    check_now(s, NULL, "A", ERR_NONE, 1);
    clock.unix_ns += 55 * MINUTE - 1;
    check_row("a moment before");
    check_now(s, NULL, "A", ERR_NONE, 1);
    clock.unix_ns += 1;
    check_row("five minutes before the end");
    check_now(s, NULL, "B", ERR_NONE, 2);
    credentials_destroy(s);
}

static void goes_on_with_the_old_ones(void **state)
{
    static const struct scripted rows[] = { GIVEN("A", "2025-11-12T08:00:00Z"),
                                            { .status = 500 },
                                            { .status = 500 },
                                            { .status = 500 }, /* a renewal, three attempts */
                                            { .status = 403 }, /* another, a minute later */
                                            { .kind = ERR_DEADLINE },
                                            { .kind = ERR_STOPPED },
                                            { .kind = ERR_RETRY },
                                            { .kind = ERR_RETRY },
                                            { .kind = ERR_RETRY },
                                            GIVEN("B", "2025-11-12T09:00:00Z") };
    struct fake_clock clock = fake_clock();
    struct credentials_source *s = source(&clock, container);
    (void)state;
    script_set(rows, COUNT(rows));
    check_row("the first");
    check_now(s, NULL, "A", ERR_NONE, 1);
    clock.unix_ns += 56 * MINUTE;
    check_row("a renewal that fails");
    check_now(s, NULL, "A", ERR_NONE, 4);
    check_row("not at once again");
    check_now(s, NULL, "A", ERR_NONE, 4);
    clock.unix_ns += MINUTE;
    check_row("but later");
    check_now(s, NULL, "A", ERR_NONE, 5);
    clock.unix_ns += MINUTE;
    check_row("past a deadline");
    check_now(s, NULL, "A", ERR_NONE, 6);
    clock.unix_ns += MINUTE;
    check_row("on the way out");
    check_now(s, NULL, "A", ERR_NONE, 7);
    clock.unix_ns += MINUTE;
    check_row("past the end");
    check_now(s, NULL, "", ERR_RETRY, 10);
    check_row("and when it gives some");
    check_now(s, NULL, "B", ERR_NONE, 11);
    credentials_destroy(s);
}

static void replaces_what_was_refused(void **state)
{
    static const struct scripted rows[] = { GIVEN("A", "2025-11-12T08:00:00Z"),
                                            GIVEN("B", "2025-11-12T08:00:00Z") };
    struct credentials a = { .access_key = (char *)"A", .session_token = (char *)"A-t" };
    struct fake_clock clock = fake_clock();
    struct credentials_source *s = source(&clock, container);
    (void)state;
    script_set(rows, COUNT(rows));
    check_row("the first");
    check_now(s, NULL, "A", ERR_NONE, 1);
    check_row("refused");
    check_now(s, &a, "B", ERR_NONE, 2);
    check_row("refused to another thread too, before it was renewed");
    check_now(s, &a, "B", ERR_NONE, 2);
    credentials_destroy(s);
}

static void has_what_the_environment_gives(void **state)
{
    static const struct variable env[] = { { "AWS_ACCESS_KEY_ID", "A" },
                                           { "AWS_SECRET_ACCESS_KEY", "s" },
                                           { "AWS_SESSION_TOKEN", "A-t" },
                                           { NULL, NULL } };
    struct credentials a = { .access_key = (char *)"A", .session_token = (char *)"A-t" };
    struct fake_clock clock = fake_clock();
    struct credentials_source *s = source(&clock, env);
    (void)state;
    script_set(NULL, 0);
    check_row("at hand");
    check_now(s, NULL, "A", ERR_NONE, 0);
    clock.unix_ns += 10000 * MINUTE;
    check_row("for ever");
    check_now(s, NULL, "A", ERR_NONE, 0);
    check_row("refused");
    check_now(s, &a, "", ERR_AUTH, 0);
    credentials_destroy(s);
}

static void asks_ec2(void **state)
{
    static const struct scripted rows[] = { { .kind = ERR_RETRY, .unsent = true }, /* one retry */
                                            { .status = 200, .body = "tok==" },
                                            { .status = 200, .body = "role-a\nrole-b" },
                                            GIVEN("A", "2025-11-12T08:00:00Z") };
    static const struct variable none[] = { { NULL, NULL } };
    struct fake_clock clock = fake_clock();
    struct credentials_source *s = source(&clock, none);
    (void)state;
    script_set(rows, COUNT(rows));
    check_row("EC2");
    check_now(s, NULL, "A", ERR_NONE, 4);
    check_text(script.asked[1], "PUT http://169.254.169.254/latest/api/token -");
    check_text(script.header[1], "21600");
    check_text(script.asked[2],
               "GET http://169.254.169.254/latest/meta-data/iam/security-credentials/ -");
    check_text(script.header[2], "tok==");
    check_text(script.asked[3],
               "GET http://169.254.169.254/latest/meta-data/iam/security-credentials/role-a -");
    check_text(script.header[3], "tok==");
    credentials_destroy(s);
}

static void stops(void **state)
{
    static const struct scripted rows[] = { { .status = 500 } };
    struct fake_clock clock = fake_clock();
    struct credentials_source *s = source(&clock, container);
    (void)state;
    script_set(rows, COUNT(rows));
    clock.stop = true;
    check_row("stopped between two attempts");
    check_now(s, NULL, "", ERR_STOPPED, 1);
    credentials_destroy(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(renews_before_the_end),
        cmocka_unit_test(goes_on_with_the_old_ones),
        cmocka_unit_test(replaces_what_was_refused),
        cmocka_unit_test(has_what_the_environment_gives),
        cmocka_unit_test(asks_ec2),
        cmocka_unit_test(stops),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
