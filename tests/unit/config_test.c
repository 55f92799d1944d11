/* What a configuration becomes. */
#include "tests/unit/config_case.h"

#include <stdlib.h>

#define SECONDS(n) (INT64_C(1000000000) * (n))

static void has_every_default(void **state)
{
    struct loaded l;
    (void)state;
    case_load(&l, MINIMAL, NULL);
    assert_int_equal(l.rc, 0);
    const struct source_config *s = &l.cfg.sources[0];
    assert_string_equal(s->stream.endpoint, "https://api.atlassian.com");
    assert_string_equal(s->budget_key, "forge A");
    assert_int_equal(s->rate.calls, 30);
    assert_int_equal(s->rate.period_ns, SECONDS(60));
    assert_int_equal(s->window_ns, SECONDS(3600));
    assert_int_equal(s->lookback_ns, SECONDS(3600));
    assert_int_equal(s->lag_ns, SECONDS(60));
    assert_int_equal(s->overlap_ns, SECONDS(300));
    assert_true(s->normalize);
    assert_int_equal(s->peer.timeout_ns, SECONDS(30));
    assert_int_equal(s->peer.max_response_bytes, INT64_C(64) << 20);
    assert_int_equal(s->peer.headers.count, 0);
    assert_null(s->peer.tls.ca_file);
    assert_string_equal(s->peer.tls.min_version, "1.2");
    assert_false(s->peer.tls.insecure_skip_verify);
    assert_int_equal(s->retry.initial_interval_ns, SECONDS(1));
    assert_int_equal(s->retry.max_interval_ns, SECONDS(30));
    assert_int_equal(s->retry.max_elapsed_ns, SECONDS(300));
    assert_true(s->retry.multiplier > 1.499 && s->retry.multiplier < 1.501);
    assert_true(s->retry.randomization_factor > 0.499 && s->retry.randomization_factor < 0.501);
    assert_string_equal(s->scope_name, "otlpull");
    assert_true(*s->scope_version != '\0');
    assert_int_equal(s->scope_attributes.count, 0);

    const struct exporter_config *e = &l.cfg.exporter;
    assert_string_equal(e->url, "http://localhost:4318/v1/logs");
    assert_int_equal(e->compression, COMPRESSION_NONE);
    assert_int_equal(e->peer.timeout_ns, SECONDS(10));
    assert_int_equal(e->peer.max_response_bytes, 4 << 20);
    assert_int_equal(e->retry.initial_interval_ns, SECONDS(5));
    assert_int_equal(e->max_batch_records, 8192);
    assert_int_equal(e->max_batch_bytes, 4 << 20);
    assert_string_equal(l.cfg.state_path, "/var/lib/otlpull");
    assert_int_equal(l.cfg.dead_letter, DEAD_LETTER_KEEP);
    assert_int_equal(l.cfg.concurrency, 4);
    assert_int_equal(l.cfg.deadline_ns, 0);
    assert_int_equal(l.cfg.log_level, LOG_INFO);
    assert_int_equal(l.cfg.log_format, LOG_TEXT);
    case_release(&l);
}

static void takes_every_key(void **state)
{
    struct loaded l;
    (void)state;
    case_load(&l,
              IN_SOURCE "    levels: [ERROR, TRACE]\n"
                        "    message: a \"quoted\" text\n"
                        "    installation_contexts: [\"ari:cloud:jira::site/1\"]\n"
                        "    window: 30m\n    lookback: 14d\n    lag: 0s\n    overlap: 1m30s\n"
                        "    rate_limit: {calls: 7}\n    timeout: 1m\n"
                        "    max_response_bytes: 2048\n    normalize: false\n    interval: 10s\n"
                        "    headers: {X-A: b, X-C: }\n"
                        "    tls: {ca_file: /a, cert_file: /b, key_file: /c, "
                        "insecure_skip_verify: true, min_version: 1.3}\n"
                        "    scope: {name: n, version: v, attributes: {k: w}}\n"
                        "exporter:\n  logs_endpoint: https://c/x?key=1\n  compression: zstd\n"
                        "  max_batch_records: 1\n  max_batch_bytes: 1KiB\n"
                        "  retry_on_failure: {max_elapsed_time: 0}\n"
                        "state: {path: relative, dead_letter: drop}\n"
                        "run: {concurrency: 64, deadline: 50s}\n",
              NULL);
    assert_int_equal(l.rc, 0);
    const struct source_config *s = &l.cfg.sources[0];
    const struct setting *levels = &s->stream.settings[4];
    assert_int_equal(levels->list_count, 2);
    assert_string_equal(levels->list[1], "TRACE");
    assert_string_equal(s->stream.settings[5].text, "a \"quoted\" text");
    assert_int_equal(s->window_ns, SECONDS(1800));
    assert_int_equal(s->lookback_ns, SECONDS(INT64_C(14) * 86400));
    assert_int_equal(s->lag_ns, 0);
    assert_int_equal(s->overlap_ns, SECONDS(90));
    assert_int_equal(s->rate.calls, 7);
    assert_int_equal(s->rate.period_ns, SECONDS(60));
    assert_false(s->normalize);
    assert_int_equal(s->peer.max_response_bytes, 2048);
    assert_int_equal(s->peer.headers.count, 1); /* X-C has no value */
    assert_string_equal(s->peer.tls.key_file, "/c");
    assert_true(s->peer.tls.insecure_skip_verify);
    assert_string_equal(s->peer.tls.min_version, "1.3");
    assert_string_equal(s->scope_attributes.items[0].value, "w");
    assert_string_equal(l.cfg.exporter.url, "https://c/x?key=1");
    assert_int_equal(l.cfg.exporter.compression, COMPRESSION_ZSTD);
    assert_int_equal(l.cfg.exporter.retry.max_elapsed_ns, 0);
    assert_int_equal(l.cfg.dead_letter, DEAD_LETTER_DROP);
    assert_int_equal(l.cfg.concurrency, 64);
    assert_int_equal(l.cfg.deadline_ns, SECONDS(50));
    case_release(&l);
}

static void a_short_window_has_a_short_overlap(void **state)
{
    struct loaded l;
    (void)state;
    case_load(&l, IN_SOURCE "    window: 4m\n", NULL);
    assert_int_equal(l.cfg.sources[0].overlap_ns, SECONDS(120));
    case_release(&l);
    case_load(&l, IN_SOURCE "    window: 1s\n", NULL);
    assert_int_equal(l.cfg.sources[0].overlap_ns, SECONDS(1) / 2);
    case_release(&l);
}

static void appends_the_path_with_one_slash(void **state)
{
    static const char *const rows[][2] = {
        { "http://h", "http://h/v1/logs" },
        { "http://h/", "http://h/v1/logs" },
        { "http://h:1/a//", "http://h:1/a/v1/logs" },
        { "http://h/v1/logs", "http://h/v1/logs/v1/logs" },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct buf text = BUF_INIT(1024);
        struct loaded l;
        buf_printf(&text, MINIMAL "exporter: {endpoint: \"%s\"}\n", rows[i][0]);
        case_load(&l, buf_text(&text), NULL);
        assert_string_equal(l.cfg.exporter.url, rows[i][1]);
        case_release(&l);
        buf_release(&text);
    }
}

static void says_which_file_cannot_be_read(void **state)
{
    struct config_input in = { .path = "/none/otlpull.yaml", .getenv = case_getenv };
    struct buf faults = BUF_INIT(1024), warnings = BUF_INIT(1024);
    struct error err = { 0 };
    struct config cfg;
    (void)state;
    assert_int_equal(config_load(&cfg, &in, &faults, &warnings, &err), -1);
    assert_int_equal(err.kind, ERR_CONFIG);
    assert_string_equal(err.text, "/none/otlpull.yaml: No such file or directory");
    in.path = "/dev/zero";
    assert_int_equal(config_load(&cfg, &in, &faults, &warnings, &err), -1);
    assert_string_equal(err.text, "/dev/zero: larger than 1MiB");
    config_release(&cfg);
    buf_release(&faults);
    buf_release(&warnings);
}

/* What is printed says the same when it is read, but for secrets. */
static void check_print(const struct config *cfg, const char *secret)
{
    struct buf first = BUF_INIT(1 << 20), second = BUF_INIT(1 << 20);
    struct loaded l;
    config_print(cfg, &first);
    assert_null(strstr(buf_text(&first), secret));
    case_load(&l, buf_text(&first), NULL);
    if (l.rc)
        fail_msg("%s\n%s", buf_text(&first), buf_text(&l.faults));
    config_print(&l.cfg, &second);
    assert_string_equal(buf_text(&second), buf_text(&first));
    case_release(&l);
    buf_release(&first);
    buf_release(&second);
}

static void prints_what_it_reads(void **state)
{
    static const char *const rows[] = {
        MINIMAL,
        "sources:\n  - {name: \"1\", type: forge, app_id: \"a: #$$\", environment_id: \"null\", "
        "email: \"\\t\\\\\\\"-\", api_token: hunter2, headers: {X: hunter2}, message: \"~\", "
        "levels: [WARN], installation_contexts: [\"- x\", \"${X:-$y}\", \"k:\"], "
        "resource: {\"a$b\": \"${X:-c}\", \"x y\": \"[\"}}\n"
        "  - {name: b, type: forge, app_id: B, environment_id: E, email: m, api_token: hunter2, "
        "window: 90s, lag: 250ms, retry_on_failure: {multiplier: 1.123456789}, "
        "max_response_bytes: 1025}\n"
        "exporter: {logs_endpoint: \"https://c/$$x?key=hunter2\", "
        "headers: {Authorization: hunter2}, max_batch_bytes: 3KiB}\n"
        "run: {deadline: 1h30m}\n",
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct loaded l;
        case_load(&l, rows[i], NULL);
        assert_int_equal(l.rc, 0);
        check_print(&l.cfg, "hunter2");
        case_release(&l);
    }
}

/* The example holds every key at its default, so that reading it changes nothing but its examples.
 */
static void reads_the_example(void **state)
{
    static const struct variable env[] = { { "FORGE_APP_ID", "A" },
                                           { "FORGE_ENVIRONMENT_ID", "E" },
                                           { "FORGE_EMAIL", "m" },
                                           { "FORGE_API_TOKEN", "hunter2" },
                                           { NULL, NULL } };
    struct config_input in = { .path = "deploy/otlpull.example.yaml",
                               .getenv = case_getenv,
                               .self = (void *)env };
    struct buf faults = BUF_INIT(1 << 16), warnings = BUF_INIT(1 << 16);
    struct buf example = BUF_INIT(1 << 16), plain = BUF_INIT(1 << 16);
    struct error err = { 0 };
    struct config cfg;
    struct loaded l;
    (void)state;
    if (config_load(&cfg, &in, &faults, &warnings, &err))
        fail_msg("%s: %s", err.text, buf_text(&faults));
    check_print(&cfg, "hunter2");
    config_print(&cfg, &example);
    case_load(&l,
              "sources:\n  - {name: billing-prod, type: forge, app_id: A, environment_id: E, "
              "email: m, api_token: t, resource: {service.name: billing, "
              "deployment.environment.name: production}}\n",
              NULL);
    config_print(&l.cfg, &plain);
    assert_string_equal(buf_text(&example), buf_text(&plain));
    case_release(&l);
    config_release(&cfg);
    buf_release(&faults);
    buf_release(&warnings);
    buf_release(&example);
    buf_release(&plain);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(has_every_default),
        cmocka_unit_test(takes_every_key),
        cmocka_unit_test(a_short_window_has_a_short_overlap),
        cmocka_unit_test(appends_the_path_with_one_slash),
        cmocka_unit_test(says_which_file_cannot_be_read),
        cmocka_unit_test(prints_what_it_reads),
        cmocka_unit_test(reads_the_example),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
