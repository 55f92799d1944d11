/* Journals in the store as a directory: read in pieces, and parts of them replaced. */
#include "state/store.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/world.h"

#define MAX ((size_t)1 << 20)

static void append(struct world *w, const char *text)
{
    struct error err = { 0 };
    assert_int_equal(w->store->append(w->store, "j", bytes_of(text), MAX, &err), 0);
}

static int splice(struct world *w, uint64_t from, uint64_t to, const char *with, struct error *err)
{
    return w->store->splice(w->store, "j", from, to, bytes_of(with), err);
}

/* All that a reader has yet to give. */
static void check_rest(struct world *w, struct store_reader *reader, const char *want)
{
    struct error err = { 0 };
    struct buf out = BUF_INIT(MAX);
    size_t before;
    do {
        before = out.len;
        assert_int_equal(w->store->read(w->store, reader, &out, &err), 0);
    } while (out.len > before);
    check_text(buf_text(&out), want);
    buf_release(&out);
}

static void check_journal(struct world *w, const char *want)
{
    struct error err = { 0 };
    struct store_reader *reader = NULL;
    uint64_t bytes = 0;
    assert_int_equal(w->store->open(w->store, "j", &reader, &bytes, &err), 0);
    assert_non_null(reader);
    check_i64(bytes, strlen(want));
    check_rest(w, reader, want);
    w->store->end(w->store, reader);
}

static bool exists(const struct world *w, const char *name)
{
    char path[256];
    struct stat st;
    snprintf(path, sizeof(path), "%s/%s", w->path, name);
    return lstat(path, &st) == 0;
}

static void one_that_is_not_there_is_empty(void **state)
{
    struct world *w = *state;
    struct error err = { 0 };
    struct store_reader *reader = NULL;
    uint64_t bytes = 1;
    assert_int_equal(w->store->open(w->store, "j", &reader, &bytes, &err), 0);
    check_i64(reader == NULL && bytes == 0, true);
    w->store->end(w->store, reader);
    check_i64(splice(w, 0, 0, "x", &err), -1);
    check_i64(err.kind, ERR_STATE);
}

static void a_part_is_replaced(void **state)
{
    static const struct {
        const char *name;
        uint64_t from, to;
        const char *with, *want;
    } rows[] = {
        { "nothing", 0, 0, "", "one\ntwo\nthree\n" },
        { "at the beginning", 0, 4, "", "two\nthree\n" },
        { "in the middle", 4, 8, "2\n", "one\n2\nthree\n" },
        { "by more", 4, 8, "two and a half\n", "one\ntwo and a half\nthree\n" },
        { "at the end", 8, 14, "", "one\ntwo\n" },
        { "all", 0, 14, "x\n", "x\n" },
        { "added at the end", 14, 14, "x\n", "one\ntwo\nthree\nx\n" },
    };
    struct world *w = *state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct error err = { 0 };
        check_row(rows[i].name);
        append(w, "one\ntwo\nthree\n");
        check_i64(splice(w, rows[i].from, rows[i].to, rows[i].with, &err), 0);
        check_journal(w, rows[i].want);
        check_i64(splice(w, 0, strlen(rows[i].want), "", &err), 0); /* for the next row */
        check_i64(exists(w, "j") || exists(w, "j.tmp"), false);
    }
}

static void beyond_its_end_there_is_nothing(void **state)
{
    struct world *w = *state;
    struct error err = { 0 };
    append(w, "one\n");
    check_i64(splice(w, 0, 5, "", &err), -1);
    check_i64(err.kind, ERR_STATE);
    check_i64(splice(w, 3, 2, "", &err), -1);
    check_journal(w, "one\n");
}

static void a_reader_sees_what_it_was_opened_on(void **state)
{
    struct world *w = *state;
    struct error err = { 0 };
    struct store_reader *reader = NULL;
    uint64_t bytes = 0;
    append(w, "one\ntwo\n");
    assert_int_equal(w->store->open(w->store, "j", &reader, &bytes, &err), 0);
    check_i64(splice(w, 0, 4, "", &err), 0);
    append(w, "three\n");
    check_rest(w, reader, "one\ntwo\n");
    w->store->end(w->store, reader);
    check_journal(w, "two\nthree\n");
}

/* In several pieces, of which none ends where a part does. */
static void a_long_one_stays_whole(void **state)
{
    struct world *w = *state;
    struct error err = { 0 };
    struct buf text = BUF_INIT(MAX), want = BUF_INIT(MAX);
    for (int i = 0; i < 30000; i++)
        buf_printf(&text, "%d\n", i);
    buf_append(&want, text.data, 70001);
    buf_append_text(&want, "here");
    buf_append_text(&want, text.data + 70500);
    append(w, text.data);
    check_i64(splice(w, 70001, 70500, "here", &err), 0);
    check_journal(w, buf_text(&want));
    buf_release(&text);
    buf_release(&want);
}

static void a_write_that_fails_leaves_the_old_one(void **state)
{
    struct world *w = *state;
    struct error err = { 0 };
    struct rlimit before, none;
    append(w, "one\ntwo\nthree\n");
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    none = (struct rlimit){ 8, before.rlim_max };
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
    int rc = splice(w, 0, 4, "", &err);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    check_i64(rc, -1);
    check_i64(err.kind, ERR_STATE);
    check_journal(w, "one\ntwo\nthree\n");
    check_i64(exists(w, "j.tmp"), false);
}

static void names_by_their_end(void **state)
{
    struct world *w = *state;
    struct error err = { 0 };
    struct buf out = BUF_INIT(MAX);
    const char *const names[] = { "b.jsonl", "a.jsonl", "a.jsonl.tmp", "jsonl", "x.json" };
    char path[256];
    for (size_t i = 0; i < COUNT(names); i++)
        assert_int_equal(w->store->append(w->store, names[i], BYTES("x\n"), MAX, &err), 0);
    snprintf(path, sizeof(path), "%s/odd\nname.jsonl", w->path);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(w->store->names(w->store, ".jsonl", &out, &err), 0);
    check_text(buf_text(&out), "a.jsonl\nb.jsonl\n");
    buf_release(&out);
    snprintf(path, sizeof(path), "%s/nowhere", w->root);
    struct store *empty = store_open_for_reading(path, &w->fake.clk);
    assert_int_equal(empty->names(empty, "", &out, &err), 0);
    check_i64(out.len, 0);
    empty->close(empty);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_WORLD(one_that_is_not_there_is_empty),
        IN_WORLD(a_part_is_replaced),
        IN_WORLD(beyond_its_end_there_is_nothing),
        IN_WORLD(a_reader_sees_what_it_was_opened_on),
        IN_WORLD(a_long_one_stays_whole),
        IN_WORLD(a_write_that_fails_leaves_the_old_one),
        IN_WORLD(names_by_their_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
