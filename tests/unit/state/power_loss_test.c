/* Power loss at any moment: after each operation of file.c on its folder every disk that POSIX
 * allows is made, and read again. */
#include <stdlib.h>

#include "tests/unit/state/disk_recorder.h"
#include "tests/unit/world.h"
#include "state/document.h"

enum { DISKS_MAX = 200000 };

static void write_document(struct buf *whole, int number)
{
    document_begin(whole);
    buf_printf(whole, "{\"n\":%d,\"text\":\"", number);
    for (int i = 0; i < (number * 97) % 300; i++) /* longer and shorter than the one before */
        buf_append_char(whole, (char)('a' + number));
    buf_append_text(whole, "\"}");
}

static int put(struct store *store, int number)
{
    struct buf whole = BUF_INIT(BYTES_MAX - 1);
    struct store_version version;
    struct json_object *document;
    struct error err = { 0 };
    write_document(&whole, number);
    if (document_get(store, "x.json", &document, &version, &err))
        fail_msg("%s", err.text);
    int rc = document_put(store, "x.json", &whole, &version, &err);
    jread_release(document);
    buf_release(&whole);
    return rc;
}

static void line_of(int number, char out[64])
{
    snprintf(out, 64, "{\"line\":%d,\"text\":\"%.*s\"}\n", number, number, "abcdefghijklmnopqrst");
}

static int append(struct store *store, int number)
{
    struct error err = { 0 };
    char line[64];
    line_of(number, line);
    return store->append(store, "journal", bytes_of(line), BYTES_MAX, &err);
}

static void call(struct store *store, bool is_append)
{
    assert_true(rec.call_count < CALLS);
    struct call *c = &rec.calls[rec.call_count++];
    *c = (struct call){ .append = is_append, .number = rec.call_count, .first_op = rec.op_count };
    c->rc = is_append ? append(store, c->number) : put(store, c->number);
    c->end_op = rec.op_count;
}

/* What a run left that was killed before its rename; longer than what comes. */
static void leave_temp_file(const char *path)
{
    char text[700];
    int sync_count = rec.sync_count;
    rec.sync_count = -FDS; /* none of these is to fail */
    memset(text, 'z', sizeof(text));
    int dir = open(path, O_RDONLY | O_DIRECTORY);
    int fd = openat(dir, "x.json.tmp", O_WRONLY | O_CREAT, 0600);
    assert_int_equal(write(fd, text, sizeof(text)), sizeof(text));
    assert_int_equal(fsync(fd), 0);
    close(fd);
    assert_int_equal(fsync(dir), 0);
    close(dir);
    rec.sync_count = sync_count;
}

/* That no change of the folder went past the wraps. */
static void check_recorded(const char *path)
{
    int dir = open(path, O_RDONLY | O_DIRECTORY), files = 0;
    const struct node *folder = &rec.live.nodes[resolve(path, NULL)];
    for (int i = 0; i < NAMES; i++) {
        char bytes[BYTES_MAX + 1];
        if (!folder->names[i].name[0])
            continue;
        const struct node *n = &rec.live.nodes[folder->names[i].node];
        int fd = openat(dir, folder->names[i].name, O_RDONLY, 0);
        ssize_t len = read(fd, bytes, sizeof(bytes));
        check_bytes(((struct bytes){ bytes, len > 0 ? (size_t)len : 0 }),
                    ((struct bytes){ n->bytes, n->len }));
        close(fd);
        files++;
    }
    close(dir);
    check_i64(files >= 2, true);
}

/* Several runs on a new folder. `parents_last`: its parents are on the disk from the start. */
static void play(struct world *w, const char *root, bool parents_last, int fail_sync)
{
    char path[160];
    struct error err = { 0 };
    rec = (struct recorder){ .root = root, .fail_sync = 0, .disks = rec.disks };
    memset(rec.node_of_fd, -1, sizeof(rec.node_of_fd));
    new_node(true);
    snprintf(path, sizeof(path), "%s/a/b", root);
    assert_int_equal(mkdir(root, 0700), 0);
    rec.on = true;
    struct store *store = store_open(path, &w->fake.clk, &err);
    assert_non_null(store);
    if (parents_last) {
        record(SYNC, 0);
        record(SYNC, resolve(root, NULL));
        record(SYNC, lookup(&rec.live, 0, "a"));
    }
    rec.sync_count = 0;
    rec.fail_sync = fail_sync;
    call(store, false);
    leave_temp_file(path);
    call(store, false);
    call(store, true);
    call(store, false);
    call(store, true);
    call(store, true);
    call(store, false);
    check_recorded(path);
    store->close(store);
    rec.on = false;
}

static void write_disk(const struct disk *d, int node, const char *path)
{
    char below[256];
    const struct node *n = &d->nodes[node];
    if (n->folder)
        assert_int_equal(mkdir(path, 0700), 0);
    for (int i = 0; i < NAMES && n->folder; i++) {
        snprintf(below, sizeof(below), "%s/%s", path, n->names[i].name);
        if (n->names[i].name[0])
            write_disk(d, n->names[i].node, below);
    }
    if (n->folder)
        return;
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(n->bytes, 1, n->len, f), n->len);
    assert_int_equal(fclose(f), 0);
}

static void remove_tree(const char *path)
{
    char command[256];
    snprintf(command, sizeof(command), "rm -rf '%s'", path);
    assert_int_equal(system(command), 0); /* the folder is this test's own */
}

/* The document that is there: its number; 0: there is none. */
static int64_t document_number(struct store *store)
{
    struct store_version version;
    struct json_object *document;
    struct error err = { 0 };
    int64_t n = 0;
    if (document_get(store, "x.json", &document, &version, &err)) {
        print_error("%s\n", err.text);
        check_failed(__FILE__, __LINE__);
    }
    if (document)
        check_i64(jread_int(document, "n", &n), true);
    jread_release(document);
    return n;
}

/* The last that was put for sure, or one that was begun after it. */
static void check_document(struct store *store, int count)
{
    int64_t n = document_number(store), sure = 0;
    bool begun = false;
    for (const struct call *c = rec.calls; c < rec.calls + rec.call_count; c++) {
        if (!c->append && c->rc == 0 && c->end_op <= count)
            sure = c->number;
        if (!c->append && c->first_op < count && c->number == n)
            begun = true;
    }
    if (n != sure && (n < sure || !begun)) {
        print_error("document %lld, and %lld was put\n", (long long)n, (long long)sure);
        check_failed(__FILE__, __LINE__);
    }
}

static void check_line(const char *text, int number)
{
    char line[64];
    int found = 0;
    line_of(number, line);
    for (const char *at = text; (at = strstr(at, line)); at++)
        found += at == text || at[-1] == '\n';
    if (found != 1) {
        print_error("line %d is there %d times in |%s|\n", number, found, text);
        check_failed(__FILE__, __LINE__);
    }
}

/* Every line that was appended for sure, whole. */
static void check_journal(struct store *store, int count, int newest)
{
    struct buf out = BUF_INIT(4 * BYTES_MAX);
    struct store_version version;
    struct error err = { 0 };
    assert_int_equal(store->get(store, "journal", &out, &version, &err), 0);
    for (size_t i = 0; i < out.len; i++)
        out.data[i] = out.data[i] ? out.data[i] : '?'; /* zeroes of a torn write */
    for (const struct call *c = rec.calls; c < rec.calls + rec.call_count; c++) {
        if (c->append && c->rc == 0 && c->end_op <= count)
            check_line(buf_text(&out), c->number);
    }
    if (newest)
        check_line(buf_text(&out), newest);
    buf_release(&out);
}

/* The power comes back: what is read, and that writing goes on. */
static void check_disk(struct world *w, const struct disk *d, int count)
{
    char root[128], path[160];
    struct error err = { 0 };
    snprintf(root, sizeof(root), "%s/disk%d", w->root, rec.disks++);
    write_disk(d, 0, root);
    snprintf(path, sizeof(path), "%s/a/b", root);
    struct store *store = store_open(path, &w->fake.clk, &err);
    assert_non_null(store);
    check_document(store, count);
    check_journal(store, count, 0);
    check_i64(put(store, 20), 0);
    check_i64(document_number(store), 20);
    check_i64(append(store, 19), 0);
    check_journal(store, count, 19);
    store->close(store);
}

/* The next choice of fates; false: that was the last. */
static bool next_choice(enum fate fates[OPS], int count)
{
    for (int i = 0; i < count; i++) {
        int choices = rec.ops[i].kind == WRITE ? FATES : WHOLE + 1;
        if (is_sure(&rec.ops[i], count))
            continue;
        fates[i]++;
        if ((int)fates[i] < choices)
            return true;
        fates[i] = ABSENT;
    }
    return false;
}

/* All disks that may be there when the power fails after `count` operations. */
static void check_disks(struct world *w, int count)
{
    static struct disk d;
    enum fate fates[OPS];
    for (int i = 0; i < count; i++)
        fates[i] = is_sure(&rec.ops[i], count) ? WHOLE : ABSENT;
    do {
        d = (struct disk){ .nodes = { [0] = { .folder = true } } };
        for (int i = 0; i < rec.live.count; i++)
            d.nodes[i].folder = rec.live.nodes[i].folder;
        for (int i = 0; i < count; i++)
            apply(&d, &rec.ops[i], fates[i]);
        assert_true(rec.disks < DISKS_MAX);
        check_disk(w, &d, count);
    } while (next_choice(fates, count));
}

static void power_fails_at_any_moment(void **state)
{
    struct world *w = *state;
    char root[96];
    snprintf(root, sizeof(root), "%s/live", w->root);
    play(w, root, true, 0);
    for (int count = 0; count <= rec.op_count; count++)
        check_disks(w, count);
    print_message("%d operations, %d disks\n", rec.op_count, rec.disks);
    check_i64(rec.op_count >= 30 && rec.disks >= 100, true);
}

static void power_fails_after_a_failed_fsync(void **state)
{
    struct world *w = *state;
    char root[96];
    int syncs;
    snprintf(root, sizeof(root), "%s/live", w->root);
    play(w, root, true, 0);
    syncs = rec.sync_count;
    for (int n = 1; n <= syncs; n++) {
        static char row[32];
        snprintf(row, sizeof(row), "fsync %d", n);
        check_row(row);
        remove_tree(root);
        play(w, root, true, n);
        check_i64(rec.sync_count >= n, true);
        for (int count = 0; count <= rec.op_count; count++)
            check_disks(w, count);
    }
    print_message("%d fsyncs, %d disks\n", syncs, rec.disks);
}

/* A folder that was made just now is lost with all in it unless its parents were fsynced. */
static void the_folder_itself_stays(void **state)
{
    struct world *w = *state;
    char root[96];
    snprintf(root, sizeof(root), "%s/live", w->root);
    play(w, root, false, 0);
    for (int count = 0; count <= rec.op_count; count++)
        check_disks(w, count);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_WORLD(power_fails_at_any_moment),
        IN_WORLD(power_fails_after_a_failed_fsync),
        IN_WORLD(the_folder_itself_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
