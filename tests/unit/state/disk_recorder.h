/* disk_recorder.h -- stands between file.c and the system (-Wl,--wrap), and records what it does to
 * its folder, so that a test can tell which disks a power loss may leave.
 *
 * Sure are only the bytes of a file that was fsynced since, and the names in a folder that was. Of
 * all else each change may have reached the disk or not, in any order; a write also by half, as
 * zeroes, or in its later half alone. Bytes whose fsync failed stay unsure for good: Linux drops
 * them as if they were written. */
#ifndef OTLPULL_TESTS_DISK_RECORDER_H
#define OTLPULL_TESTS_DISK_RECORDER_H

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/check.h"

enum { NODES = 24, NAMES = 8, OPS = 128, FDS = 256, BYTES_MAX = 1024, CALLS = 16 };
struct node {
    bool folder;
    size_t len;
    char bytes[BYTES_MAX];
    struct {
        char name[32]; /* "": none */
        int node;
    } names[NAMES];
};

/* Node 0 is the root, which holds the store's parents. */
struct disk {
    struct node nodes[NODES];
    int count;
};

enum op_kind { ENTER, MOVE, REMOVE, WRITE, CUT, SYNC };

struct op {
    enum op_kind kind;
    int node;   /* whose bytes or names it changes */
    int target; /* ENTER, MOVE: what the name then stands for */
    char name[32], from[32];
    size_t at, len; /* WRITE; CUT: `len` is the new length */
    char bytes[BYTES_MAX];
    bool failed;          /* SYNC */
    bool unsure_for_good; /* an fsync of it failed */
};

/* How a change fared that was not yet synced. */
enum fate { ABSENT, WHOLE, HALF, ZEROES, LATER_HALF, FATES };

/* A call of the store: which operations were its own, and what it said. */
struct call {
    bool append; /* else put */
    int number, first_op, end_op, rc;
};

static struct recorder {
    bool on;
    const char *root;
    struct disk live; /* with all changes */
    struct op ops[OPS];
    int op_count;
    int sync_count, fail_sync; /* the n-th fsync fails; 0: none */
    int node_of_fd[FDS];       /* -1: not ours */
    struct call calls[CALLS];
    int call_count;
    int disks; /* that were looked at */
} rec;

static int find(const struct disk *d, int folder, const char *name)
{
    for (int i = 0; i < NAMES; i++) {
        if (*name && strcmp(d->nodes[folder].names[i].name, name) == 0)
            return i;
    }
    return -1;
}

static int lookup(const struct disk *d, int folder, const char *name)
{
    int i = find(d, folder, name);
    return i < 0 ? -1 : d->nodes[folder].names[i].node;
}

static void enter(struct disk *d, int folder, const char *name, int node)
{
    int i = find(d, folder, name);
    for (int j = 0; i < 0 && j < NAMES; j++)
        i = d->nodes[folder].names[j].name[0] ? -1 : j;
    assert_true(i >= 0);
    snprintf(d->nodes[folder].names[i].name, sizeof(d->nodes[folder].names[i].name), "%s", name);
    d->nodes[folder].names[i].node = node;
}

static void drop(struct disk *d, int folder, const char *name)
{
    int i = find(d, folder, name);
    if (i >= 0)
        d->nodes[folder].names[i].name[0] = '\0';
}

static void put_bytes(struct node *n, size_t at, const char *bytes, size_t len)
{
    assert_true(at + len <= BYTES_MAX);
    if (at > n->len)
        memset(n->bytes + n->len, 0, at - n->len);
    if (bytes)
        memcpy(n->bytes + at, bytes, len);
    else
        memset(n->bytes + at, 0, len);
    n->len = at + len > n->len ? at + len : n->len;
}

static void apply_write(struct node *n, const struct op *op, enum fate fate)
{
    size_t half = op->len / 2;
    if (fate == WHOLE)
        put_bytes(n, op->at, op->bytes, op->len);
    else if (fate == HALF)
        put_bytes(n, op->at, op->bytes, half);
    else if (fate == ZEROES)
        put_bytes(n, op->at, NULL, op->len);
    else if (fate == LATER_HALF) {
        put_bytes(n, op->at, NULL, half);
        put_bytes(n, op->at + half, op->bytes + half, op->len - half);
    }
}

static void apply(struct disk *d, const struct op *op, enum fate fate)
{
    struct node *n = &d->nodes[op->node];
    if (fate == ABSENT || op->kind == SYNC)
        return;
    if (op->kind == WRITE) {
        apply_write(n, op, fate);
    } else if (op->kind == CUT) {
        if (op->len > n->len)
            put_bytes(n, n->len, NULL, op->len - n->len);
        n->len = op->len;
    } else if (op->kind == REMOVE) {
        drop(d, op->node, op->name);
    } else {
        if (op->kind == MOVE)
            drop(d, op->node, op->from);
        enter(d, op->node, op->name, op->target);
    }
}

static struct op *record(enum op_kind kind, int node)
{
    assert_true(rec.op_count < OPS);
    struct op *op = &rec.ops[rec.op_count++];
    *op = (struct op){ .kind = kind, .node = node };
    return op;
}

static int new_node(bool folder)
{
    assert_true(rec.live.count < NODES);
    rec.live.nodes[rec.live.count] = (struct node){ .folder = folder };
    return rec.live.count++;
}

static void record_name(enum op_kind kind, int folder, const char *from, const char *name, int node)
{
    struct op *op = record(kind, folder);
    op->target = node;
    snprintf(op->name, sizeof(op->name), "%s", name);
    snprintf(op->from, sizeof(op->from), "%s", from);
    apply(&rec.live, op, WHOLE);
}

static void record_cut(int node, size_t len)
{
    struct op *op = record(CUT, node);
    op->len = len;
    apply(&rec.live, op, WHOLE);
}

/* The node at a path, or with `name` the folder that its last part is in; -1: not below the root.
 */
static int resolve(const char *path, const char **name)
{
    size_t len = strlen(rec.root);
    int node = 0;
    char part[32];
    if (strncmp(path, rec.root, len) != 0)
        return -1;
    for (path += len; *path;) {
        path += strspn(path, "/");
        size_t part_len = strcspn(path, "/");
        if (part_len == 0)
            break;
        if (name && path[part_len + strspn(path + part_len, "/")] == '\0') {
            *name = path;
            break;
        }
        assert_true(part_len < sizeof(part));
        memcpy(part, path, part_len);
        part[part_len] = '\0';
        node = lookup(&rec.live, node, part);
        if (node < 0)
            return -1;
        path += part_len;
    }
    return node;
}

static int node_of(int fd)
{
    return rec.on && fd >= 0 && fd < FDS ? rec.node_of_fd[fd] : -1;
}

int __real_open(const char *path, int flags, ...);
int __real_openat(int dir, const char *name, int flags, mode_t mode);
int __real_mkdir(const char *path, mode_t mode);
ssize_t __real_write(int fd, const void *data, size_t len);
int __real_renameat(int from_dir, const char *from, int to_dir, const char *to);
int __real_ftruncate(int fd, off_t len);
int __real_unlinkat(int dir, const char *name, int flags);
int __real_close(int fd);

int __wrap_open(const char *path, int flags, ...);
int __wrap_openat(int dir, const char *name, int flags, mode_t mode);
int __wrap_mkdir(const char *path, mode_t mode);
ssize_t __wrap_write(int fd, const void *data, size_t len);
int __wrap_fsync(int fd);
int __wrap_renameat(int from_dir, const char *from, int to_dir, const char *to);
int __wrap_ftruncate(int fd, off_t len);
int __wrap_unlinkat(int dir, const char *name, int flags);
int __wrap_close(int fd);

/* Of folders only: file.c makes its files by openat(). */
int __wrap_open(const char *path, int flags, ...)
{
    assert_false(flags & O_CREAT);
    int fd = __real_open(path, flags);
    if (rec.on && fd >= 0 && fd < FDS)
        rec.node_of_fd[fd] = resolve(path, NULL);
    return fd;
}

int __wrap_openat(int dir, const char *name, int flags, mode_t mode)
{
    int fd = __real_openat(dir, name, flags, mode);
    int folder = node_of(dir);
    if (fd < 0 || folder < 0)
        return fd;
    assert_true(fd < FDS);
    int node = lookup(&rec.live, folder, name);
    if (node < 0) {
        node = new_node(false);
        record_name(ENTER, folder, "", name, node);
    } else if (flags & O_TRUNC) {
        record_cut(node, 0);
    }
    rec.node_of_fd[fd] = node;
    return fd;
}

int __wrap_mkdir(const char *path, mode_t mode)
{
    int rc = __real_mkdir(path, mode);
    const char *name = NULL;
    int folder = rc == 0 && rec.on ? resolve(path, &name) : -1;
    if (folder >= 0)
        record_name(ENTER, folder, "", name, new_node(true));
    return rc;
}

/* file.c writes a file from its beginning, or at its end. */
ssize_t __wrap_write(int fd, const void *data, size_t len)
{
    ssize_t n = __real_write(fd, data, len);
    int node = node_of(fd);
    if (n <= 0 || node < 0)
        return n;
    struct op *op = record(WRITE, node);
    op->at = rec.live.nodes[node].len;
    op->len = (size_t)n;
    assert_true(op->len <= BYTES_MAX);
    memcpy(op->bytes, data, op->len);
    apply(&rec.live, op, WHOLE);
    return n;
}

/* Whether the operation is on the disk for sure, after the first `count` of all. */
static bool is_sure(const struct op *op, int count)
{
    bool synced = op->kind == SYNC;
    for (const struct op *later = op + 1; later < rec.ops + count && !synced; later++)
        synced = later->kind == SYNC && later->node == op->node && !later->failed;
    return synced && !op->unsure_for_good;
}

/* The real one is never called: this machine's power stays on. */
int __wrap_fsync(int fd)
{
    int node = node_of(fd);
    if (node < 0)
        return 0;
    if (++rec.sync_count != rec.fail_sync) {
        record(SYNC, node);
        return 0;
    }
    for (int i = 0; i < rec.op_count; i++) {
        if (rec.ops[i].node == node && !rec.live.nodes[node].folder &&
            !is_sure(&rec.ops[i], rec.op_count))
            rec.ops[i].unsure_for_good = true;
    }
    record(SYNC, node)->failed = true;
    errno = EIO;
    return -1;
}

int __wrap_renameat(int from_dir, const char *from, int to_dir, const char *to)
{
    int rc = __real_renameat(from_dir, from, to_dir, to);
    int folder = node_of(to_dir);
    if (rc == 0 && folder >= 0)
        record_name(MOVE, folder, from, to, lookup(&rec.live, folder, from));
    return rc;
}

int __wrap_ftruncate(int fd, off_t len)
{
    int rc = __real_ftruncate(fd, len);
    if (rc == 0 && node_of(fd) >= 0)
        record_cut(node_of(fd), (size_t)len);
    return rc;
}

int __wrap_unlinkat(int dir, const char *name, int flags)
{
    int rc = __real_unlinkat(dir, name, flags);
    if (rc == 0 && node_of(dir) >= 0)
        record_name(REMOVE, node_of(dir), "", name, -1);
    return rc;
}

int __wrap_close(int fd)
{
    if (fd >= 0 && fd < FDS)
        rec.node_of_fd[fd] = -1;
    return __real_close(fd);
}

#endif
