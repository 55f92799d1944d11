/* The store as a directory, and the documents in it. */
#include "state/store.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/world.h"
#include "state/document.h"

static void overwrite(const struct world *w, const char *name, const char *text)
{
    char path[256];
    snprintf(path, sizeof(path), "%s/%s", w->path, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    assert_int_equal(fclose(f), 0);
}

static int put(struct world *w, const char *text, struct store_version *version, struct error *err)
{
    struct buf whole = BUF_INIT(1000);
    document_begin(&whole);
    buf_append_text(&whole, text);
    int rc = document_put(w->store, "x.json", &whole, version, err);
    buf_release(&whole);
    return rc;
}

static void a_document_comes_back(void **state)
{
    struct world *w = *state;
    struct store_version version = { { 0 } }, seen = { { 0 } };
    struct error err = { 0 };
    struct json_object *document = NULL;
    int64_t n = 0;
    assert_int_equal(document_get(w->store, "x.json", &document, &seen, &err), 0);
    check_i64(document == NULL && seen.parts[2] == 0, true);
    assert_int_equal(put(w, "{\"n\":1}", &version, &err), 0);
    assert_int_equal(put(w, "{\"n\":2}", &version, &err), 0); /* it knows its own writing */
    assert_int_equal(document_get(w->store, "x.json", &document, &seen, &err), 0);
    check_i64(jread_int(document, "n", &n) && n == 2, true);
    check_i64(memcmp(&seen, &version, sizeof(seen)), 0);
    jread_release(document);
}

static void what_another_changed_is_not_overwritten(void **state)
{
    struct world *w = *state;
    struct store_version version = { { 0 } }, stale = { { 0 } };
    struct error err = { 0 };
    assert_int_equal(put(w, "{\"n\":1}", &version, &err), 0);
    check_i64(put(w, "{\"n\":2}", &stale, &err), -1); /* it thinks that there is none */
    check_i64(err.kind, ERR_STATE);
    overwrite(w, "x.json", "somebody else's");
    check_i64(put(w, "{\"n\":3}", &version, &err), -1);
    check_i64(err.kind, ERR_STATE);
}

static void what_is_not_ours_is_an_error_that_says_so(void **state)
{
    static const struct {
        const char *name, *text, *words;
    } rows[] = {
        { "empty", "", "damaged" },
        { "not ours", "{\"a\":1}\n", "damaged" },
        { "cut", "{\"otlpull\":1,\"checksum\":\"0123", "damaged" },
        { "changed", "{\"otlpull\":1,\"checksum\":\"0123456789abcdef\",\"document\":{}}\n",
          "damaged" },
        { "newer", "{\"otlpull\":2,\"whatever\":true}\n", "another version" },
        { "much newer", "{\"otlpull\":12,\"whatever\":true}\n", "newer version" },
    };
    struct world *w = *state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct store_version version;
        struct error err = { 0 };
        struct json_object *document = NULL;
        check_row(rows[i].name);
        overwrite(w, "x.json", rows[i].text);
        check_i64(document_get(w->store, "x.json", &document, &version, &err), -1);
        check_i64(err.kind, ERR_STATE);
        check_i64(strstr(err.text, rows[i].words) != NULL, true);
        check_i64(strstr(err.text, "x.json") != NULL, true);
    }
}

static void only_regular_files_are_read(void **state)
{
    struct world *w = *state;
    struct store_version version;
    struct error err = { 0 };
    struct buf out = BUF_INIT(1000);
    char path[256];
    snprintf(path, sizeof(path), "%s/fifo", w->path);
    assert_int_equal(mkfifo(path, 0600), 0);
    check_i64(w->store->get(w->store, "fifo", &out, &version, &err), -1); /* and does not wait */
    check_i64(err.kind, ERR_STATE);
    snprintf(path, sizeof(path), "%s/folder", w->path);
    assert_int_equal(mkdir(path, 0700), 0);
    check_i64(w->store->get(w->store, "folder", &out, &version, &err), -1);
    buf_release(&out);
}

static void a_write_that_fails_leaves_the_old_one(void **state)
{
    struct world *w = *state;
    struct store_version version = { { 0 } };
    struct error err = { 0 };
    struct json_object *document = NULL;
    struct rlimit before, none;
    int64_t n = 0;
    assert_int_equal(put(w, "{\"n\":1}", &version, &err), 0);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    none = (struct rlimit){ 10, before.rlim_max };
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
    int rc = put(w, "{\"n\":2}", &version, &err);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    check_i64(rc, -1);
    check_i64(err.kind, ERR_STATE);
    assert_int_equal(document_get(w->store, "x.json", &document, &version, &err), 0);
    check_i64(jread_int(document, "n", &n) && n == 1, true);
    jread_release(document);
    assert_int_equal(put(w, "{\"n\":3}", &version, &err), 0);
}

static void a_lock_is_held_by_one(void **state)
{
    struct world *w = *state;
    struct error err = { 0 };
    struct store_lock *lock = NULL, *second = NULL;
    assert_int_equal(w->store->lock(w->store, "x.lock", 0, &lock, &err), 0);
    check_i64(w->store->lock(w->store, "x.lock", 0, &second, &err), -1);
    check_i64(err.kind, ERR_LOCKED);
    int64_t until = w->fake.mono_ns + NS_PER_S;
    check_i64(w->store->lock(w->store, "x.lock", until, &second, &err), -1);
    check_i64(w->fake.mono_ns >= until, true);
    assert_int_equal(w->store->lock(w->store, "y.lock", 0, &second, &err), 0);
    w->store->unlock(w->store, second);
    w->store->unlock(w->store, lock);
    assert_int_equal(w->store->lock(w->store, "x.lock", 0, &lock, &err), 0);
    w->store->unlock(w->store, lock);
}

static void a_journal_is_bounded(void **state)
{
    struct world *w = *state;
    struct store_version version;
    struct error err = { 0 };
    struct buf out = BUF_INIT(1000);
    assert_int_equal(w->store->append(w->store, "j", BYTES("one\n"), 10, &err), 0);
    assert_int_equal(w->store->append(w->store, "j", BYTES("two\n"), 10, &err), 0);
    check_i64(w->store->append(w->store, "j", BYTES("three\n"), 10, &err), -1);
    check_i64(err.kind, ERR_STATE);
    assert_int_equal(w->store->get(w->store, "j", &out, &version, &err), 0);
    check_text(buf_text(&out), "one\ntwo\n");
    buf_release(&out);
}

static void a_place_that_cannot_be_is_said(void **state)
{
    struct world *w = *state;
    struct error err = { 0 };
    char path[256];
    struct stat st;
    assert_int_equal(stat(w->path, &st), 0);
    check_i64(st.st_mode & 0777, 0700);
    overwrite(w, "file", "");
    snprintf(path, sizeof(path), "%s/file/below", w->path);
    check_i64(store_open(path, &w->fake.clk, &err) == NULL, true);
    check_i64(err.kind, ERR_STATE_CREATE);
    snprintf(path, sizeof(path), "%s/nowhere", w->root);
    struct store *empty = store_open_for_reading(path, &w->fake.clk);
    struct store_version version;
    struct buf out = BUF_INIT(10);
    assert_int_equal(empty->get(empty, "x", &out, &version, &err), 0);
    check_i64(version.parts[2], 0);
    check_i64(stat(path, &st), -1); /* reading makes nothing */
    empty->close(empty);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_WORLD(a_document_comes_back),
        IN_WORLD(what_another_changed_is_not_overwritten),
        IN_WORLD(what_is_not_ours_is_an_error_that_says_so),
        IN_WORLD(only_regular_files_are_read),
        IN_WORLD(a_write_that_fails_leaves_the_old_one),
        IN_WORLD(a_lock_is_held_by_one),
        IN_WORLD(a_journal_is_bounded),
        IN_WORLD(a_place_that_cannot_be_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
