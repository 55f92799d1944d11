/* Secrets in a configuration: asked for once, told of where they stand, never shown; and what
 * stands for them where none are fetched. */
#include "tests/unit/config_case.h"

#include <stdlib.h>

#include "config_secret.h"

#define AT "c.yaml:8:14: sources[0].message: "

/* What there is to fetch, and how often it was. */
struct vault {
    int asked;
    const char *names[4];
};

static int fetch(void *self, enum secret_kind kind, const char *name, struct buf *out,
                 struct error *err)
{
    static const struct {
        enum secret_kind kind;
        const char *name, *value;
    } values[] = {
        { SECRET_AWS_SECRET, "plain", "value" },
        { SECRET_AWS_SECRET, "json", "{\"a\":\"one\",\"n\":7,\"null\":null,\"b\":\"two\\n\"}" },
        { SECRET_AWS_SECRET, "line", "value\n" },
        { SECRET_AWS_SECRET, "arn:aws:secretsmanager:eu-west-1:1:secret:x-1!", "by ARN" },
        { SECRET_AWS_SECRET, "again", "${env:NAME} $$ ${aws-secret:plain}" },
        { SECRET_AWS_PARAMETER, "/a/b", "parameter" },
        { SECRET_AWS_PARAMETER, "plain", "of the same name" },
    };
    struct vault *vault = self;
    if (vault->asked < (int)COUNT(vault->names))
        vault->names[vault->asked] = name;
    vault->asked++;
    if (strcmp(name, "denied") == 0)
        return error_set(err, ERR_AUTH, "AWS secret denied: not for us");
    if (strcmp(name, "down") == 0)
        return error_set(err, ERR_PLATFORM, "AWS secret down: no answer");
    if (strcmp(name, "retried") == 0)
        error_set(err, ERR_RETRY, "an attempt that failed, of two");
    for (size_t i = 0; i < COUNT(values); i++) {
        if (values[i].kind == kind && strcmp(values[i].name, name) == 0)
            buf_append_text(out, values[i].value);
    }
    if (strcmp(name, "nul") == 0)
        buf_append(out, "a\0b", 3);
    return 0;
}

static void load(struct loaded *l, struct vault *vault, const char *text)
{
    struct config_input in = { .path = CASE_FILE,
                               .getenv = case_getenv,
                               .fetch_secret = vault ? fetch : NULL,
                               .secrets = vault };
    *l = (struct loaded){ .faults = BUF_INIT(1 << 20), .warnings = BUF_INIT(1 << 16) };
    l->rc = config_load_text(&l->cfg, bytes_of(text), &in, &l->faults, &l->warnings, &l->err);
}

static void replaces(void **state)
{
    static const struct {
        const char *text, *want;
    } rows[] = {
        { "${aws-secret:plain}", "value" },
        { "a${aws-secret:plain}b${aws-param:/a/b}", "avaluebparameter" },
        { "${aws-param:plain}", "of the same name" },
        { "${aws-secret:json#a}-${aws-secret:json#b}", "one-two" },
        { "${aws-secret:json#n}", "7" },
        { "${aws-secret:line}", "value" },
        { "${aws-secret:arn:aws:secretsmanager:eu-west-1:1:secret:x-1!}", "by ARN" },
        { "${aws-secret:again}", "${env:NAME} $$ ${aws-secret:plain}" }, /* once, and not again */
        { "$${aws-secret:plain}", "${aws-secret:plain}" },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct buf text = BUF_INIT(4096);
        struct vault vault = { 0 };
        struct loaded l;
        buf_printf(&text, IN_SOURCE "    message: \"%s\"\n", rows[i].text);
        load(&l, &vault, buf_text(&text));
        check_row(rows[i].text);
        check_i64(l.rc, 0);
        check_text(l.cfg.sources[0].stream.settings[5].text, rows[i].want);
        case_release(&l);
        buf_release(&text);
    }
}

static void tells_faults(void **state)
{
    static const struct {
        const char *text, *words;
        enum error_kind kind;
    } rows[] = {
        { "${aws-secret:denied}", AT "AWS secret denied: not for us\n", ERR_AUTH },
        { "${aws-secret:down}", AT "AWS secret down: no answer\n", ERR_PLATFORM },
        { "${aws-secret:json#c}", AT "AWS secret json has nothing under the key c\n", ERR_CONFIG },
        { "${aws-secret:json#null}", AT "AWS secret json has no text under the key null\n",
          ERR_CONFIG },
        { "${aws-secret:plain#a}",
          AT "AWS secret plain is not a JSON object, so that #a picks nothing\n", ERR_CONFIG },
        { "${aws-secret:nul}", AT "got a control character, takes none\n", ERR_CONFIG },
        { "${aws-secret:}",
          AT "bad ${aws-secret:...}; takes ${aws-secret:NAME} or ${aws-secret:NAME#json_key}\n",
          ERR_CONFIG },
        { "${aws-param:a b}", AT "bad ${aws-param:...}; takes ${aws-param:NAME}\n", ERR_CONFIG },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct buf text = BUF_INIT(4096);
        struct vault vault = { 0 };
        struct loaded l;
        buf_printf(&text, IN_SOURCE "    message: \"%s\"\n", rows[i].text);
        load(&l, &vault, buf_text(&text));
        check_row(rows[i].text);
        check_i64(l.rc, -1);
        check_i64(l.err.kind, rows[i].kind);
        check_text(buf_text(&l.faults), rows[i].words);
        case_release(&l);
        buf_release(&text);
    }
}

/* 78 77 75: what is to be mended in the file comes before who may read it, and that before time. */
static void ends_as_the_worst(void **state)
{
    static const struct {
        const char *lines;
        enum error_kind kind;
    } rows[] = {
        { "    message: ${aws-secret:down}\n    scope: {name: \"${aws-secret:denied}\"}\n",
          ERR_AUTH },
        { "    message: ${aws-secret:denied}\n    scope: {name: \"${aws-secret:down}\"}\n",
          ERR_AUTH },
        { "    message: ${aws-secret:denied}\n    window: never\n", ERR_CONFIG },
        { "    window: never\n    message: ${aws-secret:down}\n", ERR_CONFIG },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct buf text = BUF_INIT(4096);
        struct vault vault = { 0 };
        struct loaded l;
        buf_printf(&text, IN_SOURCE "%s", rows[i].lines);
        load(&l, &vault, buf_text(&text));
        check_row(rows[i].lines);
        check_i64(l.err.kind, rows[i].kind);
        check_text(l.err.text, "c.yaml: 2 faults");
        case_release(&l);
        buf_release(&text);
    }
}

static void asks_once(void **state)
{
    struct vault vault = { 0 };
    struct loaded l;
    (void)state;
    load(&l, &vault,
         IN_SOURCE "    message: ${aws-secret:json#a}\n"
                   "    headers: {x: \"${aws-secret:json#b}\", y: \"${aws-secret:denied}\", "
                   "z: \"${aws-secret:denied}\", v: \"${aws-secret:retried}\"}\n");
    assert_int_equal(l.rc, -1);
    assert_int_equal(vault.asked, 3);
    check_text(buf_text(&l.faults),
               "c.yaml:9:45: sources[0].headers.y: AWS secret denied: not for us\n"
               "c.yaml:9:72: sources[0].headers.z: AWS secret denied: not for us\n");
    case_release(&l);
    vault = (struct vault){ 0 };
    load(&l, &vault, MINIMAL); /* and not at all where none is named */
    assert_int_equal(vault.asked, 0);
    case_release(&l);
}

static void takes_so_many(void **state)
{
    struct buf text = BUF_INIT(1 << 16);
    struct vault vault = { 0 };
    struct loaded l;
    (void)state;
    buf_append_text(&text, IN_SOURCE "    resource:\n");
    for (int i = 0; i <= SECRETS_MAX; i++)
        buf_printf(&text, "      k%d: ${aws-param:/%d}x\n", i, i);
    load(&l, &vault, buf_text(&text));
    assert_int_equal(vault.asked, SECRETS_MAX);
    check_text(buf_text(&l.faults),
               "c.yaml:209:13: sources[0].resource.k200: more than 200 secrets and parameters; one "
               "secret may hold many, ${aws-secret:NAME#json_key}\n");
    case_release(&l);
    buf_release(&text);
}

/* As `check` has it: all passes that would pass with a value, whatever the key takes. */
static void stands_in(void **state)
{
    struct buf shown = BUF_INIT(1 << 20);
    struct loaded l;
    (void)state;
    load(&l, NULL,
         "sources:\n"
         "  - name: ${aws-param:name}\n"
         "    type: forge\n"
         "    app_id: ${aws-param:/App/id}\n"
         "    environment_id: E\n"
         "    email: m\n"
         "    api_token: ${aws-secret:x#y}\n"
         "    endpoint: https://${aws-param:host}:8443/x/\n"
         "    levels: [INFO]\n"
         "    timeout: ${aws-param:timeout}\n"
         "exporter:\n"
         "  endpoint: ${aws-param:/collector/url}\n"
         "  max_batch_records: 10\n"
         "  headers: {a: \"${aws-secret:h}\"}\n");
    check_text(buf_text(&l.faults), "");
    assert_int_equal(l.rc, 0);
    check_text(l.cfg.sources[0].stream.name, "aws-param-name");
    check_text(l.cfg.sources[0].stream.settings[0].text, "aws-param-App-id");
    check_text(l.cfg.sources[0].stream.endpoint, "https://aws-param-host:8443/x");
    assert_int_equal(l.cfg.sources[0].peer.timeout_ns, 30 * INT64_C(1000000000));
    check_text(l.cfg.exporter.url, "https://aws-param-collector-url/v1/logs");
    assert_int_equal(l.cfg.exporter.max_batch_records, 10);
    assert_null(strstr(buf_text(&l.warnings), "api_token"));
    assert_null(strstr(buf_text(&l.warnings), "headers"));
    assert_non_null(strstr(buf_text(&l.warnings),
                           "c.yaml:10:14: sources[0].timeout: is fetched when otlpull runs; here "
                           "the default stands for it\n"));
    config_print(&l.cfg, &shown);
    assert_null(strstr(buf_text(&shown), "aws-secret"));
    case_release(&l);
    buf_release(&shown);
}

/* What stands for a name is a text for all that may become of it: a host, a path, a name of ours.
 */
static void stands_in_shortly(void **state)
{
    struct buf text = BUF_INIT(8192);
    struct loaded l;
    (void)state;
    buf_append_text(&text, IN_SOURCE "    message: ${aws-param:");
    for (int i = 0; i < 1000; i++)
        buf_append_text(&text, "/a_b");
    buf_append_text(&text, "}\n");
    assert_false(text.full);
    load(&l, NULL, buf_text(&text));
    assert_int_equal(l.rc, -1); /* longer than any name */
    case_release(&l);
    buf_reset(&text);
    buf_append_text(&text, IN_SOURCE "    message: ${aws-param:");
    for (int i = 0; i < 100; i++)
        buf_append_text(&text, "/a_b");
    buf_append_text(&text, "}\n");
    load(&l, NULL, buf_text(&text));
    check_text(l.cfg.sources[0].stream.settings[5].text,
               "aws-param-a-b-a-b-a-b-a-b-a-b-a-b-a-b-a-b-a-b-a-b-a-b-a-b-a-b-a");
    case_release(&l);
    buf_release(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replaces),          cmocka_unit_test(tells_faults),
        cmocka_unit_test(ends_as_the_worst), cmocka_unit_test(asks_once),
        cmocka_unit_test(takes_so_many),     cmocka_unit_test(stands_in),
        cmocka_unit_test(stands_in_shortly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
