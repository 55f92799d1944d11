/* ${...} in values: what it takes, and that no fault ever shows what came out. */
#include "tests/unit/config_case.h"

#include <stdlib.h>
#include <unistd.h>

#define REPLACED(what) IN_SOURCE "    message: " what "\n"

static const struct variable env[] = {
    { "NAME", "value" },      { "EMPTY", "" },      { "AGAIN", "${env:NAME} $$ ${NAME}" },
    { "YAML", "{a: [b, #c" }, { "BROKEN", "a\nb" }, { "LATIN", "caf\xe9" },
    { "SECRET", "hunter2" },  { "_x9", "low" },     { NULL, NULL },
};

static void replaces(void **state)
{
    static const struct {
        const char *text, *want; /* NULL: unset */
    } rows[] = {
        { "${env:NAME}", "value" },
        { "a${env:NAME}b${NAME}c", "avaluebvaluec" },
        { "${env:_x9}", "low" },
        { "${env:NAME:-other}", "value" },
        { "${env:NONE:-other}", "other" },
        { "${NONE:-a:-b}", "a:-b" },
        { "${env:NONE:-}", NULL },
        { "${env:EMPTY}", NULL },
        { "${env:EMPTY:-other}", NULL }, /* the default is for a variable that is unset */
        { "x${env:EMPTY}", "x" },
        { "${env:AGAIN}", "${env:NAME} $$ ${NAME}" }, /* once, and not again */
        { "${env:YAML}", "{a: [b, #c" },              /* never structure */
        { "$$", "$" },
        { "$${env:NAME}", "${env:NAME}" },
        { "a$b", "a$b" },
        { "$", "$" },
        { "\"$NAME\"", "$NAME" },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct buf text = BUF_INIT(4096);
        struct loaded l;
        buf_printf(&text, REPLACED("%s"), rows[i].text);
        case_load(&l, buf_text(&text), env);
        assert_int_equal(l.rc, 0);
        const struct setting *message = &l.cfg.sources[0].stream.settings[5];
        assert_int_equal(message->set, rows[i].want != NULL);
        if (rows[i].want)
            assert_string_equal(message->text, rows[i].want);
        case_release(&l);
        buf_release(&text);
    }
}

static void replaces_in_lists_and_maps_but_not_in_keys(void **state)
{
    struct loaded l;
    (void)state;
    case_load(&l,
              IN_SOURCE "    installation_contexts: [\"${env:NAME}\"]\n"
                        "    resource: {\"${env:NAME}\": \"${env:NAME}\"}\n",
              env);
    assert_int_equal(l.rc, 0);
    assert_string_equal(l.cfg.sources[0].stream.settings[6].list[0], "value");
    const struct pairs *resource = &l.cfg.sources[0].resource;
    assert_string_equal(resource->items[resource->count - 1].key, "${env:NAME}");
    assert_string_equal(resource->items[resource->count - 1].value, "value");
    case_release(&l);
}

#define AT       "c.yaml:8:14: sources[0].message: "
#define BAD_NAME AT "bad ${...}; takes ${env:NAME}, with letters, digits and _ in NAME\n"
#define BAD_KIND                                                                                   \
    AT "unknown kind of ${...}; takes ${env:NAME}, ${env:NAME:-default}, ${file:/path}, "          \
       "${credential:NAME}, ${aws-secret:NAME}, ${aws-secret:NAME#json_key}, ${aws-param:NAME}, "  \
       "and $$ for a dollar\n"

static void refuses(void **state)
{
    static const struct told rows[] = {
        { "unset", REPLACED("${env:NONE}"), AT "the environment variable NONE is not set\n" },
        { "unset, short form", REPLACED("${NONE}"),
          AT "the environment variable NONE is not set\n" },
        { "no name", REPLACED("${}"), BAD_NAME },
        { "no name after env", REPLACED("${env:}"), BAD_NAME },
        { "bad name", REPLACED("${env:A-B}"), BAD_NAME },
        { "name with a digit in front", REPLACED("${9}"), BAD_NAME },
        { "unknown kind", REPLACED("${yaml:x}"), BAD_KIND },
        { "open", REPLACED("${env:NAME"), AT "${ without }; $$ is a dollar\n" },
        { "nested", REPLACED("${env:NONE:-${env:NAME}}"),
          AT "${...} inside ${...} is not supported\n" },
        { "aws secret", REPLACED("${aws-secret:x#}"),
          AT "bad ${aws-secret:...}; takes ${aws-secret:NAME} or ${aws-secret:NAME#json_key}\n" },
        { "aws parameter", REPLACED("${aws-param:x#y}"),
          AT "bad ${aws-param:...}; takes ${aws-param:NAME}\n" },
        { "no file", REPLACED("${file:}"), AT "bad ${file:...}; takes ${file:/path}\n" },
        { "missing file", REPLACED("${file:/none/x}"), AT "/none/x: No such file or directory\n" },
        { "a folder", REPLACED("${file:/}"), AT "/: Is a directory\n" },
        { "endless file", REPLACED("${file:/dev/zero}"), AT "/dev/zero: larger than 1MiB\n" },
        { "credential without systemd", REPLACED("${credential:x}"),
          AT "${credential:...} needs CREDENTIALS_DIRECTORY, which systemd sets for "
             "LoadCredential=; by hand it is the folder of these files\n" },
        { "credential elsewhere", REPLACED("${credential:../x}"),
          AT "bad ${credential:...}; takes a name without slash\n" },
        { "line break", REPLACED("${env:BROKEN}"), AT "got a line break, takes one line\n" },
        { "not UTF-8", REPLACED("${env:LATIN}"), AT "got bytes that are not UTF-8, takes UTF-8\n" },
        { "what came out is not shown", MINIMAL "run: {concurrency: \"${env:SECRET}\"}\n",
          "c.yaml:3:20: run.concurrency: got \"${env:SECRET}\", takes a whole number from 1 to "
          "64\n" },
        { "nor in a URL", MINIMAL "exporter: {endpoint: \"${env:SECRET}\"}\n",
          "c.yaml:3:22: exporter.endpoint: got \"${env:SECRET}\", takes an http:// or https:// URL "
          "without user, query and fragment (credentials go into headers)\n" },
        { "required and empty",
          "sources:\n  - name: a\n    type: forge\n    app_id: ${env:EMPTY}\n"
          "    environment_id: E\n    email: m\n    api_token: t\n",
          "c.yaml:4:13: sources[0].app_id: empty, takes a text (the app's id: the UUID at the end "
          "of "
          "app.id in manifest.yml)\n" },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++)
        case_told(&rows[i], env);
}

/* A temporary folder with a file of this content in it, called "token". */
static void write_token(char folder[32], char path[64], const char *content)
{
    snprintf(folder, 32, "/tmp/config_subst_XXXXXX");
    assert_non_null(mkdtemp(folder));
    snprintf(path, 64, "%s/token", folder);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(content, file);
    assert_int_equal(fclose(file), 0);
}

/* ${KIND NAME} gives `want`, or a fault that does not tell what was read. */
static void check_token(const char *kind, const char *name, const char *folder, const char *want)
{
    const struct variable vars[] = { { "CREDENTIALS_DIRECTORY", folder }, { NULL, NULL } };
    struct buf text = BUF_INIT(1024);
    struct loaded l;
    buf_printf(&text,
               "sources:\n  - {name: a, type: forge, app_id: A, environment_id: E, email: m, "
               "api_token: \"${%s%s}\"}\n",
               kind, name);
    case_load(&l, buf_text(&text), vars);
    assert_int_equal(l.rc, want ? 0 : -1);
    if (want)
        assert_string_equal(l.cfg.sources[0].stream.settings[3].text, want);
    else
        assert_null(strstr(buf_text(&l.faults), "s3cret"));
    case_release(&l);
    buf_release(&text);
}

static void reads_files_and_credentials(void **state)
{
    static const struct {
        const char *content, *want; /* NULL: a fault */
    } rows[] = {
        { "s3cret", "s3cret" }, { "s3cret\n", "s3cret" }, { "$x ${env:NAME}\n", "$x ${env:NAME}" },
        { "", NULL },           { "s3cret\n\n", NULL },   { "s3cret\r\n", NULL },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        char folder[32], path[64];
        write_token(folder, path, rows[i].content);
        check_token("file:", path, folder, rows[i].want);
        check_token("credential:", "token", folder, rows[i].want);
        unlink(path);
        rmdir(folder);
    }
}

/* A small file that asks for much. */
static void bounds_what_comes_out(void **state)
{
    char *large = malloc((1 << 20) + 1);
    struct loaded l;
    (void)state;
    assert_non_null(large);
    memset(large, 'x', 1 << 20);
    large[1 << 20] = '\0';
    const struct variable vars[] = { { "LARGE", large }, { NULL, NULL } };
    case_told(&(struct told){ "one value", REPLACED("a${env:LARGE}"),
                              AT "larger than 1MiB with its ${...} replaced\n" },
              vars);
    struct buf text = BUF_INIT(4096);
    buf_append_text(&text, IN_SOURCE "    resource:\n");
    for (int i = 0; i < 16; i++)
        buf_printf(&text, "      k%d: ${env:LARGE}\n", i);
    case_load(&l, buf_text(&text), vars);
    assert_string_equal(buf_text(&l.faults), "c.yaml:24:12: sources[0].resource.k15: all ${...} "
                                             "together give more than 16MiB\n");
    case_release(&l);
    buf_release(&text);
    free(large);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replaces),
        cmocka_unit_test(replaces_in_lists_and_maps_but_not_in_keys),
        cmocka_unit_test(refuses),
        cmocka_unit_test(reads_files_and_credentials),
        cmocka_unit_test(bounds_what_comes_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
