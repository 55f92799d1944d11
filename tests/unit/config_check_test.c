/* What must hold between the values of a configuration. */
#include "tests/unit/config_case.h"

#include "config_url.h"

#define FAULT(at, words) "c.yaml:" at ": sources[0]." words "\n"
#define SECOND(name, app)                                                                          \
    "  - {name: " name ", type: forge, app_id: " app ", environment_id: E, email: m, api_token: t"
#define NAME_RULE "takes 1 to 64 of A-Z a-z 0-9 . _ - without .. and not beginning with .\n"
#define NAMED(name)                                                                                \
    "sources:\n  - {type: forge, app_id: A, environment_id: E, email: m, api_token: t, "           \
    "name: " name "}\n"
#define NAMED_AT "c.yaml:2:79: sources[0].name: got "

static const struct told rows[] = {
    { "name with a slash", NAMED("a/b"), NAMED_AT "\"a/b\", " NAME_RULE },
    { "name with dots", NAMED("a..b"), NAMED_AT "\"a..b\", " NAME_RULE },
    { "name with a dot in front", NAMED(".a"), NAMED_AT "\".a\", " NAME_RULE },
    { "name of 65 bytes",
      NAMED("0123456789012345678901234567890123456789012345678901234567890123x"),
      NAMED_AT "\"012345678901234567890123456789012345678901234567890123456789...\", " NAME_RULE },
    { "a name twice", MINIMAL SECOND("a", "B") "}\n",
      "c.yaml:3:12: sources[1].name: got \"a\", takes a name of its own: sources[0] has it\n" },
    { "overlap", IN_SOURCE "    window: 10m\n    overlap: 8m\n",
      FAULT("9:14", "overlap: got \"8m\", takes at most three quarters of window") },
    { "header names", IN_SOURCE "    headers: {\"a b\": x, Content-Length: 3}\n",
      FAULT("8:15", "headers: \"a b\" is not a header's name")
          FAULT("8:25", "headers: \"Content-Length\" is set by otlpull itself") },
    { "key without certificate", IN_SOURCE "    tls: {key_file: /k}\n",
      FAULT("8:21", "tls.key_file: takes a cert_file beside it") },
    { "intervals", IN_SOURCE "    retry_on_failure: {initial_interval: 1m}\n",
      FAULT("8:42", "retry_on_failure.initial_interval: got \"1m\", takes at most max_interval") },
    { "intervals, the other", IN_SOURCE "    retry_on_failure: {max_interval: 10ms}\n",
      FAULT("8:38",
            "retry_on_failure.max_interval: got \"10ms\", takes at least initial_interval") },
    { "token over plain http", IN_SOURCE "    endpoint: http://api.example.com\n",
      FAULT("8:15", "endpoint: got \"http://api.example.com\", takes https://, as credentials go "
                    "there; or allow_insecure: true beside it") },
    { "headers over plain http",
      MINIMAL "exporter: {endpoint: \"http://c:4318\", headers: {a: b}}\n",
      "c.yaml:3:22: exporter.endpoint: got \"http://c:4318\", takes https://, as credentials go "
      "there; or allow_insecure: true beside it\n" },
    { "headers to the other endpoint",
      MINIMAL "exporter: {logs_endpoint: \"http://c:4318/l\", headers: {a: b}}\n",
      "c.yaml:3:27: exporter.logs_endpoint: got \"http://c:4318/l\", takes https://, as "
      "credentials "
      "go there; or allow_insecure: true beside it\n" },
    { "logs_endpoint", MINIMAL "exporter: {logs_endpoint: \"https://u:p@c/l\"}\n",
      "c.yaml:3:27: exporter.logs_endpoint: got ***, takes an http:// or https:// URL without user "
      "and fragment (credentials go into headers)\n" },
    { "encoding", MINIMAL "exporter: {encoding: protobuf}\n",
      "c.yaml:3:22: exporter.encoding: got \"protobuf\", takes one of json, proto\n" },
    { "s3", MINIMAL "state: {path: \"s3://bucket/pre fix\"}\n",
      "c.yaml:3:15: state.path: got \"s3://bucket/pre fix\", takes s3://bucket/prefix with a "
      "prefix "
      "of A-Z a-z 0-9 . _ ~ - and single slashes, without . and .. as parts\n" },
    { "another store", MINIMAL "state: {path: \"gs://bucket/prefix\"}\n",
      "c.yaml:3:15: state.path: got \"gs://bucket/prefix\", takes the path of a directory, or "
      "s3://bucket/prefix\n" },
    { "metrics", MINIMAL "telemetry: {metrics: {enabled: true}}\n",
      "c.yaml:3:32: telemetry.metrics.enabled: true is not supported yet, takes false\n" },
    { "one budget, two rules", MINIMAL SECOND("b", "A") ", rate_limit: {calls: 10, period: 10s}}\n",
      "c.yaml:3:102: sources[1].rate_limit.calls: got \"10\", takes the same as sources[0], as "
      "both "
      "read one app_id\n"
      "c.yaml:3:114: sources[1].rate_limit.period: got \"10s\", takes the same as sources[0], as "
      "both "
      "read one app_id\n" },
    { "one budget, a rule and the default",
      "sources:\n" SECOND("b", "A") ", rate_limit: {calls: 10}}\n" SECOND("c", "A") "}\n",
      "c.yaml:3:5: sources[1].rate_limit.calls: got 30, takes the same as sources[0], as both read "
      "one app_id\n" },
};

static void tells_faults(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++)
        case_told(&rows[i], NULL);
}

static void takes_what_is_right(void **state)
{
    static const struct told good[] = {
        { "longest name", NAMED("0123456789.12345678901234567890123456789_1234567890-234567890123"),
          "" },
        { "two budgets", MINIMAL SECOND("b", "B") ", rate_limit: {calls: 1}}\n", "" },
        { "one budget, one rule", MINIMAL SECOND("b", "A") ", rate_limit: {calls: 30}}\n", "" },
        { "insecure by wish", IN_SOURCE "    endpoint: http://api\n    allow_insecure: true\n",
          "" },
        { "loopback", IN_SOURCE "    endpoint: http://127.8.0.1:9000/x/\n", "" },
        { "nothing secret", MINIMAL "exporter: {endpoint: http://collector:4318}\n", "" },
        { "null maps", MINIMAL "exporter:\nrun:\nstate: ~\ntelemetry: {logs: }\n", "" },
        { "certificate and key in one file", IN_SOURCE "    tls: {cert_file: /c}\n", "" },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(good); i++)
        case_told(&good[i], NULL);
}

static void knows_urls(void **state)
{
    static const struct {
        const char *text;
        bool usable, with_query, in_clear;
    } urls[] = {
        { "http://localhost", true, true, false },
        { "HTTP://LOCALHOST:80/", true, true, false },
        { "https://example.com/a/b", true, true, false },
        { "http://example.com", true, true, true },
        { "http://example.com/localhost", true, true, true },
        { "http://[::1]:4318", true, true, false },
        { "http://[fd00::1]", true, true, true },
        { "http://127.255.0.1", true, true, false },
        { "http://127.0.0.1.example.com", true, true, true },
        { "http://localhost.example.com", true, true, true },
        { "http://128.0.0.1", true, true, true },
        { "https://h/p?q=1", false, true, false },
        { "https://h/p#f", false, false, false },
        { "https://u@h", false, false, false },
        { "http://localhost@example.com", false, false, true },
        { "http://localhost\\@example.com", false, false, true },
        { "https://h:0", false, false, false },
        { "https://h:65536", false, false, false },
        { "https://h:", false, false, false },
        { "https://h:80x", false, false, false },
        { "https://[::1", false, false, false },
        { "https://[localhost]", false, false, false },
        { "https://", false, false, false },
        { "https:///p", false, false, false },
        { "https://a b", false, false, false },
        { "ftp://h", false, false, false },
        { "", false, false, false },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(urls); i++) {
        if (url_usable(urls[i].text, false) != urls[i].usable ||
            url_usable(urls[i].text, true) != urls[i].with_query ||
            (urls[i].with_query && url_in_clear(urls[i].text) != urls[i].in_clear))
            fail_msg("%s", urls[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tells_faults),
        cmocka_unit_test(takes_what_is_right),
        cmocka_unit_test(knows_urls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
