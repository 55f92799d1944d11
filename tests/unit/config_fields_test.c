/* Every kind of value, every key's range, and how a fault tells of them. */
#include "tests/unit/config_case.h"

#define FAULT(at, words) "c.yaml:" at ": sources[0]." words "\n"

static const struct told rows[] = {
    { "missing", "sources:\n  - name: a\n    type: forge\n    app_id: A\n    email:\n",
      "c.yaml:2:5: sources[0].environment_id: missing, takes a text (the environment's id, a UUID: "
      "see `forge environments list`)\n"
      "c.yaml:2:5: sources[0].api_token: missing, takes a text (API token of that account)\n"
      "c.yaml:5:11: sources[0].email: empty, takes a text (account that owns the app or may see "
      "its "
      "logs)\n" },
    { "no such type", "sources:\n  - {name: a, type: heroku, x: 1}\n",
      "c.yaml:2:21: sources[0].type: got \"heroku\", takes one of forge, nodion, fly, scalingo, "
      "hoody\n" },
    { "no type", "sources:\n  - {name: a, app_id: 1}\n",
      "c.yaml:2:5: sources[0].type: missing, takes one of forge, nodion, fly, scalingo, "
      "hoody\n" },
    { "unknown key inside", IN_SOURCE "    tls: {ca: x}\n",
      FAULT("8:11", "tls: unknown key \"ca\", takes ca_file, cert_file, key_file, "
                    "insecure_skip_verify, min_version") },
    { "unknown key at the top", MINIMAL "exporters:\n",
      "c.yaml:3:1: unknown key \"exporters\", takes sources, exporter, state, run, telemetry\n" },
    { "a dot does not lead into a map", MINIMAL "state.path: /x\n",
      "c.yaml:3:1: unknown key \"state.path\", takes sources, exporter, state, run, telemetry\n" },
    { "a list for a text", IN_SOURCE "    message: [a]\n",
      FAULT("8:14", "message: got a list, takes a text") },
    { "a map for a text", IN_SOURCE "    message: {a: b}\n",
      FAULT("8:14", "message: got a map, takes a text") },
    { "a text for a map", IN_SOURCE "    tls: on\n",
      FAULT("8:10", "tls: got a text, takes a map") },
    { "a list for a map", IN_SOURCE "    tls: []\n",
      FAULT("8:10", "tls: got a list, takes a map") },
    { "a text for headers", IN_SOURCE "    headers: secret\n",
      FAULT("8:14", "headers: got a text, takes a map of texts") },
    { "a list in headers", IN_SOURCE "    headers: {a: [secret]}\n",
      FAULT("8:18", "headers.a: got a list, takes a text") },
    { "an empty key in a map", IN_SOURCE "    resource: {\"\": x}\n",
      FAULT("8:16", "resource: a bad key in it: got nothing, takes a text") },
    { "a text for a list", IN_SOURCE "    levels: INFO\n",
      FAULT("8:13", "levels: got a text, takes a list of any of TRACE, DEBUG, INFO, WARN, ERROR, "
                    "FATAL") },
    { "not one of a list's", IN_SOURCE "    levels: [INFO, info]\n",
      FAULT("8:20", "levels[1]: got \"info\", takes one of TRACE, DEBUG, INFO, WARN, ERROR, "
                    "FATAL") },
    { "nothing in a list", IN_SOURCE "    installation_contexts: [a, \"\", ~]\n",
      FAULT("8:32", "installation_contexts[1]: got \"\", takes a text")
          FAULT("8:36", "installation_contexts[2]: got nothing, takes a text") },
    { "twice in a list", IN_SOURCE "    installation_contexts: [b, a, b]\n",
      FAULT("8:28", "installation_contexts: got the same text twice, takes each once") },
    { "bool", IN_SOURCE "    normalize: yes\n",
      FAULT("8:16", "normalize: got \"yes\", takes true or false") },
    { "duration without unit", IN_SOURCE "    lag: 60\n",
      FAULT("8:10", "lag: got \"60\", takes a duration from 0s to 1h") },
    { "window", IN_SOURCE "    window: 61m\n",
      FAULT("8:13", "window: got \"61m\", takes a duration from 1s to 1h") },
    { "lookback", IN_SOURCE "    lookback: 15d\n",
      FAULT("8:15", "lookback: got \"15d\", takes a duration from 1s to 14d") },
    { "timeout", IN_SOURCE "    timeout: 0s\n",
      FAULT("8:14", "timeout: got \"0s\", takes a duration from 1ms to 1h") },
    { "calls", IN_SOURCE "    rate_limit: {calls: 0, period: 2h}\n",
      FAULT("8:25", "rate_limit.calls: got \"0\", takes a whole number from 1 to 10000")
          FAULT("8:36", "rate_limit.period: got \"2h\", takes a duration from 1s to 1h") },
    { "a number past all bounds", IN_SOURCE "    rate_limit: {calls: 99999999999999999999}\n",
      FAULT("8:25",
            "rate_limit.calls: got \"99999999999999999999\", takes a whole number from 1 to "
            "10000") },
    { "a fraction", MINIMAL "run: {concurrency: 1.5}\n",
      "c.yaml:3:20: run.concurrency: got \"1.5\", takes a whole number from 1 to 64\n" },
    { "size", IN_SOURCE "    max_response_bytes: 64MB\n",
      FAULT("8:25", "max_response_bytes: got \"64MB\", takes a size from 1KiB to 1024MiB") },
    { "size past all bounds", MINIMAL "exporter: {max_batch_bytes: 999999999999999999MiB}\n",
      "c.yaml:3:29: exporter.max_batch_bytes: got \"999999999999999999MiB\", takes a size from "
      "1KiB "
      "to 64MiB\n" },
    { "real", IN_SOURCE "    retry_on_failure: {multiplier: 0.9, randomization_factor: nan}\n",
      FAULT("8:36", "retry_on_failure.multiplier: got \"0.9\", takes a number from 1 to 100")
          FAULT("8:63", "retry_on_failure.randomization_factor: got \"nan\", takes a number from 0 "
                        "to 1") },
    { "enum", MINIMAL "exporter: {compression: snappy}\n",
      "c.yaml:3:25: exporter.compression: got \"snappy\", takes one of none, gzip, zstd\n" },
    { "URL", MINIMAL "exporter: {endpoint: localhost:4318}\n",
      "c.yaml:3:22: exporter.endpoint: got \"localhost:4318\", takes an http:// or https:// URL "
      "without user, query and fragment (credentials go into headers)\n" },
    { "a URL with a user is not repeated", MINIMAL "exporter: {endpoint: \"https://u:p@h\"}\n",
      "c.yaml:3:22: exporter.endpoint: got ***, takes an http:// or https:// URL without user, "
      "query "
      "and fragment (credentials go into headers)\n" },
    { "a line break", IN_SOURCE "    message: |\n      a\n",
      FAULT("8:14", "message: got a line break, takes one line") },
    { "a control character", IN_SOURCE "    message: \"\\x01\"\n",
      FAULT("8:14", "message: got a control character, takes none") },
    { "long values are cut",
      MINIMAL "run: {concurrency: "
              "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeefffffffff"
              "\xc3\xa9gggg}\n",
      "c.yaml:3:20: run.concurrency: got "
      "\"aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeefffffffff...\", takes a whole number "
      "from "
      "1 to 64\n" },
    { "sources is no list", "sources: {a: b}\n",
      "c.yaml:1:10: sources: not a list, takes a list of sources\n" },
    { "no source", "sources: []\n", "c.yaml:1:10: sources: empty, takes a list of sources\n" },
    { "sources: nothing", "sources:\n", "c.yaml:1:9: sources: empty, takes a list of sources\n" },
    { "a source is no map", "sources: [a]\n",
      "c.yaml:1:11: sources[0]: takes a map that begins with name and type\n" },
};

static void tells_faults(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++)
        case_told(&rows[i], NULL);
}

static void lists_fifty_and_counts_the_rest(void **state)
{
    struct buf text = BUF_INIT(1 << 16);
    struct loaded l;
    (void)state;
    buf_append_text(&text, IN_SOURCE);
    for (int i = 0; i < 60; i++)
        buf_printf(&text, "    k%d: x\n", i);
    case_load(&l, buf_text(&text), NULL);
    assert_string_equal(l.err.text, "c.yaml: 60 faults");
    assert_non_null(strstr(buf_text(&l.faults), "c.yaml:57:5: sources[0]: unknown key \"k49\""));
    assert_null(strstr(buf_text(&l.faults), "c.yaml:58:"));
    assert_non_null(strstr(buf_text(&l.faults), "\nand 10 more\n"));
    case_release(&l);
    buf_release(&text);
}

static void takes_many_contexts(void **state)
{
    struct buf text = BUF_INIT(1 << 20);
    struct loaded l;
    (void)state;
    buf_append_text(&text, IN_SOURCE "    installation_contexts:\n");
    for (int i = 0; i < 20000; i++)
        buf_printf(&text, "      - ari:cloud:jira::site/%d\n", i);
    case_load(&l, buf_text(&text), NULL);
    assert_int_equal(l.rc, 0);
    assert_int_equal(l.cfg.sources[0].stream.settings[6].list_count, 20000);
    case_release(&l);
    buf_release(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tells_faults),
        cmocka_unit_test(lists_fifty_and_counts_the_rest),
        cmocka_unit_test(takes_many_contexts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
