/* The environment: alone, and beside a file. */
#include "tests/unit/config_case.h"

#define FORGE                                                                                      \
    { "FORGE_APP_ID", "A" }, { "FORGE_ENVIRONMENT_ID", "E" }, { "FORGE_EMAIL", "m" },              \
    {                                                                                              \
        "FORGE_API_TOKEN", "t${env:x}"                                                             \
    }
#define OTLP "OTEL_EXPORTER_OTLP_"

static const char *pair(const struct pairs *list, const char *key)
{
    for (size_t i = 0; i < list->count; i++) {
        if (strcmp(list->items[i].key, key) == 0)
            return list->items[i].value;
    }
    return "(none)";
}

static void suffices_alone(void **state)
{
    static const struct variable env[] = { FORGE,
                                           { "FORGE_API_ENDPOINT", "http://localhost:9/sim/" },
                                           { "OTLPULL_STATE", "/s" },
                                           { "OTLPULL_LOG_LEVEL", "debug" },
                                           { "OTLPULL_LOG_FORMAT", "json" },
                                           { NULL, NULL } };
    struct loaded l;
    (void)state;
    case_load(&l, NULL, env);
    assert_int_equal(l.rc, 0);
    assert_int_equal(l.cfg.source_count, 1);
    const struct source_config *s = &l.cfg.sources[0];
    assert_string_equal(s->stream.name, "forge");
    assert_ptr_equal(s->stream.type, &source_forge);
    assert_string_equal(s->stream.endpoint, "http://localhost:9/sim");
    assert_string_equal(s->stream.settings[3].text, "t${env:x}"); /* taken as it stands */
    assert_string_equal(s->budget_key, "forge A");
    assert_string_equal(l.cfg.exporter.url, "http://localhost:4318/v1/logs");
    assert_string_equal(l.cfg.state_path, "/s");
    assert_int_equal(l.cfg.log_level, LOG_DEBUG);
    assert_int_equal(l.cfg.log_format, LOG_JSON);
    case_release(&l);
}

static void names_all_that_is_missing(void **state)
{
    static const struct variable env[] = { { "FORGE_EMAIL", "m" },
                                           { "FORGE_API_TOKEN", "" },
                                           { "FORGE_API_ENDPOINT", "api" },
                                           { NULL, NULL } };
    struct loaded l;
    (void)state;
    case_load(&l, NULL, env);
    assert_string_equal(
        buf_text(&l.faults),
        "FORGE_API_ENDPOINT: got \"api\", takes an http:// or https:// URL without user, query and "
        "fragment (credentials go into headers)\n"
        "FORGE_APP_ID: not set, takes a text (the app's id: the UUID at the end of app.id in "
        "manifest.yml)\n"
        "FORGE_ENVIRONMENT_ID: not set, takes a text (the environment's id, a UUID: see `forge "
        "environments list`)\n"
        "FORGE_API_TOKEN: not set, takes a text (API token of that account)\n");
    assert_string_equal(l.err.text,
                        "4 faults in the environment, and there is no configuration file "
                        "(--config, OTLPULL_CONFIG, /etc/otlpull/otlpull.yaml)");
    case_release(&l);
}

/* Values as the specification has them, and both forms of each name. */
static void reads_otel(void **state)
{
    static const struct variable env[] = { { OTLP "ENDPOINT", "https://c.example.com/base///" },
                                           { OTLP "HEADERS", "x=1" },
                                           { OTLP "LOGS_HEADERS",
                                             " api-key = a%20b%3D=c ,, tenant=t,api-key=last" },
                                           { OTLP "COMPRESSION", "none" },
                                           { OTLP "LOGS_COMPRESSION", "GZip" },
                                           { OTLP "TIMEOUT", "2500" },
                                           { OTLP "LOGS_TIMEOUT", "" },
                                           { OTLP "CERTIFICATE", "/ca" },
                                           { OTLP "LOGS_CLIENT_CERTIFICATE", "/cert" },
                                           { OTLP "CLIENT_KEY", "/key" },
                                           { OTLP "PROTOCOL", "http/json" },
                                           { OTLP "LOGS_PROTOCOL", "http/protobuf" },
                                           { OTLP "INSECURE", "true" },
                                           { NULL, NULL } };
    struct loaded l;
    (void)state;
    case_load(&l, MINIMAL, env);
    assert_int_equal(l.rc, 0);
    assert_int_equal(l.warnings.len, 0);
    const struct exporter_config *e = &l.cfg.exporter;
    assert_string_equal(e->url, "https://c.example.com/base/v1/logs");
    assert_int_equal(e->peer.headers.count, 2);
    assert_string_equal(pair(&e->peer.headers, "api-key"), "last");
    assert_string_equal(pair(&e->peer.headers, "tenant"), "t");
    assert_int_equal(e->compression, COMPRESSION_GZIP);
    assert_int_equal(e->peer.timeout_ns, INT64_C(2500000000));
    assert_string_equal(e->peer.tls.ca_file, "/ca");
    assert_string_equal(e->peer.tls.cert_file, "/cert");
    assert_string_equal(e->peer.tls.key_file, "/key");
    assert_int_equal(e->encoding, ENCODING_PROTO);
    case_release(&l);
}

static void leaves_to_the_file_what_it_sets(void **state)
{
    static const struct variable env[] = { { OTLP "ENDPOINT", "https://env" },
                                           { OTLP "LOGS_ENDPOINT", "https://env/logs" },
                                           { OTLP "HEADERS", "a=b" },
                                           { OTLP "COMPRESSION", "zstd" },
                                           { OTLP "TIMEOUT", "1" },
                                           { OTLP "CLIENT_CERTIFICATE", "/env" },
                                           { OTLP "CLIENT_KEY", "/env" },
                                           { OTLP "PROTOCOL", "grpc" },
                                           { "OTLPULL_STATE", "/env" },
                                           { "OTLPULL_LOG_LEVEL", "error" },
                                           { NULL, NULL } };
    struct loaded l;
    (void)state;
    case_load(&l,
              MINIMAL "exporter: {endpoint: \"https://file\", headers: {}, compression: none, "
                      "timeout: 5s, encoding: json, tls: {cert_file: /file}}\n"
                      "state: {path: /file}\ntelemetry: {logs: {level: warn}}\n",
              env);
    assert_int_equal(l.rc, 0);
    const struct exporter_config *e = &l.cfg.exporter;
    assert_string_equal(e->url, "https://file/v1/logs"); /* though _LOGS_ENDPOINT is set */
    assert_int_equal(e->peer.headers.count, 0);
    assert_int_equal(e->compression, COMPRESSION_NONE);
    assert_int_equal(e->peer.timeout_ns, INT64_C(5000000000));
    assert_string_equal(e->peer.tls.cert_file, "/file");
    assert_null(e->peer.tls.key_file); /* goes with the certificate */
    assert_string_equal(l.cfg.state_path, "/file");
    assert_int_equal(l.cfg.log_level, LOG_WARN);
    case_release(&l);

    case_load(&l, MINIMAL "exporter: {compression: , encoding: json}\n", env);
    assert_int_equal(l.rc, 0);
    assert_int_equal(l.cfg.exporter.compression, COMPRESSION_ZSTD); /* an empty key sets nothing */
    assert_string_equal(l.cfg.exporter.url, "https://env/logs");
    case_release(&l);
}

static void one(const char *variable, const char *value, const char *lines)
{
    const struct variable env[] = { { variable, value }, { NULL, NULL } };
    case_told(&(struct told){ variable, MINIMAL, lines }, env);
}

static void warns_or_refuses(void **state)
{
    (void)state;
    one(OTLP "COMPRESSION", "brotli", OTLP "COMPRESSION: not one of none, gzip, zstd; ignored\n");
    one(OTLP "TIMEOUT", "10s",
        OTLP "TIMEOUT: not a whole number of milliseconds, up to 3600000; ignored\n");
    one(OTLP "TIMEOUT", "-1",
        OTLP "TIMEOUT: not a whole number of milliseconds, up to 3600000; ignored\n");
    one(OTLP "TIMEOUT", "3600001",
        OTLP "TIMEOUT: not a whole number of milliseconds, up to 3600000; ignored\n");
    one(OTLP "LOGS_HEADERS", "good=1,secret,=x,b=%4,c=%0a,d=%ff",
        OTLP "LOGS_HEADERS: element 2 is not key=value; ignored\n" OTLP
             "LOGS_HEADERS: element 3 is not key=value; ignored\n" OTLP
             "LOGS_HEADERS: element 4 is not key=value; ignored\n" OTLP
             "LOGS_HEADERS: element 5 is not key=value; ignored\n" OTLP
             "LOGS_HEADERS: element 6 is not key=value; ignored\n");
    one(OTLP "HEADERS", "a b=1", OTLP "HEADERS: \"a b\" is not a header's name\n");
    one(OTLP "PROTOCOL", "xml",
        OTLP "PROTOCOL: not one of http/json, http/protobuf, grpc; ignored\n");
    one(OTLP "PROTOCOL", "grpc",
        OTLP "PROTOCOL: grpc is not supported; use http/protobuf or http/json, or set "
             "exporter.encoding\n");
    one(OTLP "ENDPOINT", "collector:4318",
        OTLP
        "ENDPOINT: got \"collector:4318\", takes an http:// or https:// URL without user, query "
        "and fragment (credentials go into headers)\n");
    one(OTLP "LOGS_ENDPOINT", "https://u:secret@c",
        OTLP "LOGS_ENDPOINT: got ***, takes an http:// or https:// URL without user and fragment "
             "(credentials go into headers)\n");
    one("OTEL_RESOURCE_ATTRIBUTES", "a=b,c",
        "OTEL_RESOURCE_ATTRIBUTES: an element is not key=value; all of it is ignored\n");
    one("OTEL_SERVICE_NAME", "a\nb", "OTEL_SERVICE_NAME: not one line of UTF-8; ignored\n");
    one("OTLPULL_LOG_LEVEL", "loud",
        "OTLPULL_LOG_LEVEL: got \"loud\", takes one of debug, info, warn, error\n");
    one("OTLPULL_STATE", "s3://b/p",
        "OTLPULL_STATE: got \"s3://b/p\", takes s3://bucket/prefix with a bucket of 3 to 63 of a-z "
        "0-9 . - that begins and ends with a letter or a digit\n");
    one("FORGE_API_ENDPOINT", "nonsense", ""); /* a file says where its sources are */
}

static void credentials_stay_off_plain_http(void **state)
{
    static const struct variable env[] = { { OTLP "ENDPOINT", "http://c:4318" },
                                           { OTLP "HEADERS", "a=secret" },
                                           { NULL, NULL } };
    (void)state;
    case_told(&(struct told){ "headers", MINIMAL,
                              OTLP
                              "ENDPOINT: got \"http://c:4318\", takes https://, as credentials "
                              "go there; or allow_insecure: true beside it\n" },
              env);
    case_told(&(struct told){ "allowed", MINIMAL "exporter: {allow_insecure: true}\n", "" }, env);
}

static void no_limit_is_the_longest(void **state)
{
    static const struct variable env[] = { { OTLP "TIMEOUT", "0" }, { NULL, NULL } };
    struct loaded l;
    (void)state;
    case_load(&l, MINIMAL, env);
    assert_int_equal(l.cfg.exporter.peer.timeout_ns, INT64_C(3600000000000));
    case_release(&l);
}

/* The type's own, OTEL_RESOURCE_ATTRIBUTES, OTEL_SERVICE_NAME, the file: the later wins. */
static void resource_attributes_in_order(void **state)
{
    static const struct variable env[] = {
        { "OTEL_RESOURCE_ATTRIBUTES", "service.name=list,team=a%2Cb,cloud.provider=me,empty=" },
        { "OTEL_SERVICE_NAME", "named" },
        { NULL, NULL }
    };
    struct loaded l;
    (void)state;
    case_load(&l, MINIMAL, NULL);
    assert_string_equal(pair(&l.cfg.sources[0].resource, "service.name"), "A");
    assert_string_equal(pair(&l.cfg.sources[0].resource, "atlassian.forge.environment.id"), "E");
    assert_int_equal(l.cfg.sources[0].resource.count, 5);
    case_release(&l);

    case_load(&l, MINIMAL, env + 2);
    assert_string_equal(pair(&l.cfg.sources[0].resource, "service.name"), "A");
    case_release(&l);

    case_load(&l, MINIMAL, env);
    assert_string_equal(pair(&l.cfg.sources[0].resource, "service.name"), "named");
    assert_string_equal(pair(&l.cfg.sources[0].resource, "team"), "a,b");
    assert_string_equal(pair(&l.cfg.sources[0].resource, "cloud.provider"), "me");
    assert_string_equal(pair(&l.cfg.sources[0].resource, "empty"), "(none)");
    case_release(&l);

    case_load(&l, IN_SOURCE "    resource: {service.name: file, team: }\n", env);
    assert_string_equal(pair(&l.cfg.sources[0].resource, "service.name"), "file");
    assert_string_equal(pair(&l.cfg.sources[0].resource, "team"), "a,b");
    case_release(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(suffices_alone),
        cmocka_unit_test(names_all_that_is_missing),
        cmocka_unit_test(reads_otel),
        cmocka_unit_test(leaves_to_the_file_what_it_sets),
        cmocka_unit_test(warns_or_refuses),
        cmocka_unit_test(credentials_stay_off_plain_http),
        cmocka_unit_test(no_limit_is_the_longest),
        cmocka_unit_test(resource_attributes_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
