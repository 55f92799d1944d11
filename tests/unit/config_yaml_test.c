/* What is no tree that a configuration may be. */
#include "tests/unit/config_case.h"

#include "config_yaml.h"

static void refuses(void **state)
{
    static const struct told rows[] = {
        { "not closed", "sources: [\n",
          "c.yaml:2:1: not valid YAML: did not find expected node content, while parsing a flow "
          "node "
          "that begins in line 2\n" },
        { "tab", "sources:\n\t- a\n",
          "c.yaml:2:1: not valid YAML: found character that cannot start any token, while scanning "
          "for the next token that begins in line 2\n" },
        { "not UTF-8", "a: b\nab: \xff\n",
          "c.yaml:2:5: not valid YAML: invalid leading UTF-8 octet\n" },
        { "control character", "a: \x01\n",
          "c.yaml:1:4: not valid YAML: control characters are not allowed\n" },
        { "NUL by escape", "a: \"x\\0y\"\n", "c.yaml:1:4: a NUL character; takes text\n" },
        { "alias", "a: &x 1\nb: *x\n",
          "c.yaml:1:4: anchors (&name) are not supported; write the value out\n" },
        { "alias of nothing", "b: *x\n",
          "c.yaml:1:4: aliases (*name) are not supported; write the value out\n" },
        { "merge key", "a:\n  <<: {}\n",
          "c.yaml:2:3: merge keys (<<) are not supported; write the keys out\n" },
        { "tag", "a: !!str 1\n", "c.yaml:1:4: tags (!name) are not supported\n" },
        { "two documents", "a: 1\n---\nb: 1\n",
          "c.yaml:2:1: a second document (---); takes one\n" },
        { "a map as key", "? {a: b}\n: c\n", "c.yaml:1:3: a key must be a text\n" },
        { "deep", "a: [[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]\n",
          "c.yaml:1:19: nested too deeply; takes at most 16 levels\n" },
        { "a list at the top", "- a\n", "c.yaml:1:1: takes a map that begins with sources:\n" },
        { "a text at the top", "hello\n", "c.yaml:1:1: takes a map that begins with sources:\n" },
        { "nothing", "# nothing\n", "c.yaml:1:1: sources: missing, takes a list of sources\n" },
        { "repeated key, and what else there is", MINIMAL "run: {}\nstate: {path: }\nrun: 1\n",
          "c.yaml:5:1: repeated key \"run\"; takes each key once\n" },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++)
        case_told(&rows[i], NULL);
}

static void refuses_what_is_too_much(void **state)
{
    struct buf large = BUF_INIT(4 << 20), nodes = BUF_INIT(1 << 20), keys = BUF_INIT(1 << 20);
    (void)state;
    while (large.len <= YAML_BYTES_MAX)
        buf_append_text(&large, "# a comment of some length\n");
    case_told(&(struct told){ "bytes", buf_text(&large), "c.yaml:1:1: larger than 1MiB\n" }, NULL);

    buf_append_text(&nodes, "a: [");
    for (size_t i = 0; i < YAML_NODES_MAX; i++)
        buf_append_text(&nodes, "1,");
    case_told(&(struct told){ "values", buf_text(&nodes),
                              "c.yaml:1:300001: too many values in one file\n" },
              NULL);

    for (size_t i = 0; i <= YAML_KEYS_MAX; i++)
        buf_printf(&keys, "k%zu:\n", i);
    case_told(
        &(struct told){ "keys", buf_text(&keys), "c.yaml:1001:1: too many keys in one map\n" },
        NULL);
    buf_release(&large);
    buf_release(&nodes);
    buf_release(&keys);
}

static void knows_every_place(void **state)
{
    struct arena arena = { 0 };
    struct faults faults = { .arena = &arena };
    const struct node *root = yaml_read(BYTES("a: [x, ~, \"null\"]\n\xc3\xa9: {b: 'q'}\n"), &arena,
                                        &faults);
    (void)state;
    assert_non_null(root);
    const struct node *list = node_get(root, "a");
    assert_int_equal(list->kind, NODE_LIST);
    assert_int_equal(list->count, 3);
    assert_int_equal(list->first->next->kind, NODE_NULL);
    assert_int_equal(list->last->kind, NODE_TEXT);
    assert_int_equal(list->last->at.column, 11);
    const struct node *b = node_get(node_get(root, "\xc3\xa9"), "b");
    assert_string_equal(b->text, "q");
    assert_int_equal(b->at.line, 2);
    assert_int_equal(b->at.column, 8); /* characters, not bytes */
    assert_null(node_get(root, "c"));
    arena_release(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses),
        cmocka_unit_test(refuses_what_is_too_much),
        cmocka_unit_test(knows_every_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
