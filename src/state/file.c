/* file.c -- the store as a directory: one file per document, replaced by temp file, fsync, rename
 * and fsync of the directory; locks by flock, which die with their process. A lock file is never
 * removed: whoever holds an unlinked one would hold nothing. */
#include "state/stores.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOCK_RETRY_NS (5 * NS_PER_MS)
#define PIECE_BYTES   65536

struct file_store {
    struct store store; /* first, so that one is the other */
    struct clock *clk;
    char *path;
    int dir;       /* -1: only to be read, and could not be opened, ... */
    int dir_errno; /* ... for this reason */
};

struct store_lock {
    int fd;
};

struct store_reader {
    const char *name; /* for messages; what follows the struct */
    int fd;
};

static struct file_store *self_of(struct store *s)
{
    return (struct file_store *)(void *)s;
}

static int fail(const struct file_store *s, const char *name, const char *what,
                enum error_kind kind, struct error *err)
{
    return error_set(err, kind, "state %s/%s: %s: %s", s->path, name, what, strerror(errno));
}

static struct store_version version_of(const struct stat *st)
{
    return (struct store_version){ {
        (uint64_t)st->st_ino,
        (uint64_t)st->st_mtim.tv_sec * UINT64_C(1000000000) + (uint64_t)st->st_mtim.tv_nsec,
        (uint64_t)st->st_size + 1,
    } };
}

static bool version_is(const struct store_version *a, const struct store_version *b)
{
    return memcmp(a->parts, b->parts, sizeof(a->parts)) == 0;
}

static int read_all(int fd, size_t size, struct buf *out)
{
    if (!buf_reserve(out, size)) {
        errno = EFBIG;
        return -1;
    }
    for (;;) {
        char piece[PIECE_BYTES];
        ssize_t n = read(fd, piece, sizeof(piece));
        if (n == 0)
            return 0;
        if (n < 0 && errno != EINTR)
            return -1;
        buf_append(out, piece, n > 0 ? (size_t)n : 0);
        if (out->full) {
            errno = EFBIG;
            return -1;
        }
    }
}

static int write_all(int fd, struct bytes content)
{
    while (content.len > 0) {
        ssize_t n = write(fd, content.data, content.len);
        if (n < 0 && errno != EINTR)
            return -1;
        content.data += n > 0 ? n : 0;
        content.len -= n > 0 ? (size_t)n : 0;
    }
    return 0;
}

/* A regular file's descriptor; -1 with `absent` where there is none, else with an error. */
static int open_regular(struct file_store *s, const char *name, struct stat *st, bool *absent,
                        struct error *err)
{
    int fd = -1;
    errno = s->dir_errno;
    if (s->dir >= 0)
        fd = openat(s->dir, name, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    *absent = fd < 0 && errno == ENOENT;
    if (fd >= 0 && fstat(fd, st) == 0 && S_ISREG(st->st_mode))
        return fd;
    if (fd >= 0) {
        error_set(err, ERR_STATE, "state %s/%s: not a regular file", s->path, name);
        close(fd);
    } else if (!*absent) {
        fail(s, name, "cannot be opened", ERR_STATE, err);
    }
    return -1;
}

static int file_get(struct store *store, const char *name, struct buf *out,
                    struct store_version *version, struct error *err)
{
    struct file_store *s = self_of(store);
    struct stat st;
    bool absent;
    int rc = 0;
    *version = (struct store_version){ { 0 } };
    int fd = open_regular(s, name, &st, &absent, err);
    if (fd < 0)
        return absent ? 0 : -1;
    if (read_all(fd, (size_t)st.st_size, out))
        rc = fail(s, name, "cannot be read", ERR_STATE, err);
    else
        *version = version_of(&st);
    close(fd);
    return rc;
}

/* What a document or a journal shall become: bytes of the old one around new ones. */
struct content {
    int old; /* descriptor; -1: there is nothing to keep */
    off_t head_len, tail_at;
    struct bytes with;
};

/* Copy [from, to) of a file to the end of another; to where it ends where that comes first. */
static int copy_range(int from_fd, off_t from, off_t to, int to_fd)
{
    char piece[PIECE_BYTES];
    while (from < to) {
        size_t most = to - from < PIECE_BYTES ? (size_t)(to - from) : PIECE_BYTES;
        ssize_t n = pread(from_fd, piece, most, from);
        if (n == 0)
            return 0;
        if (n < 0 && errno != EINTR)
            return -1;
        if (n > 0 && write_all(to_fd, (struct bytes){ piece, (size_t)n }))
            return -1;
        from += n > 0 ? n : 0;
    }
    return 0;
}

static int write_content(int fd, const struct content *content)
{
    if (content->old >= 0 && copy_range(content->old, 0, content->head_len, fd))
        return -1;
    if (write_all(fd, content->with))
        return -1;
    return content->old >= 0 ? copy_range(content->old, content->tail_at, INT64_MAX, fd) : 0;
}

/* A temp file of the same name for all: only the lock's holder writes, and what a killed run left
 * is overwritten instead of gathering. */
static int write_temp(struct file_store *s, const char *temp, const struct content *content,
                      struct store_version *version, struct error *err)
{
    struct stat st;
    int fd = openat(s->dir, temp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return fail(s, temp, "cannot be created", ERR_STATE, err);
    if (write_content(fd, content) || fsync(fd) || fstat(fd, &st)) {
        fail(s, temp, "cannot be written", ERR_STATE, err);
        close(fd);
        unlinkat(s->dir, temp, 0);
        return -1;
    }
    *version = version_of(&st);
    if (close(fd))
        return fail(s, temp, "cannot be written", ERR_STATE, err);
    return 0;
}

/* Put the content in the place of what is there. `version`: of the new one. */
static int replace(struct file_store *s, const char *name, const struct content *content,
                   struct store_version *version, struct error *err)
{
    char temp[300];
    struct buf temp_name = BUF_INIT(sizeof(temp) - 1);
    struct store_version written;
    buf_printf(&temp_name, "%s.tmp", name);
    memcpy(temp, buf_text(&temp_name), temp_name.len + 1);
    buf_release(&temp_name);
    if (write_temp(s, temp, content, &written, err))
        return -1;
    if (renameat(s->dir, temp, s->dir, name)) {
        fail(s, name, "cannot be replaced", ERR_STATE, err);
        unlinkat(s->dir, temp, 0);
        return -1;
    }
    *version = written; /* it is the new one from here on, durable or not */
    if (fsync(s->dir))
        return fail(s, name, "cannot be made durable", ERR_STATE, err);
    return 0;
}

static int file_put(struct store *store, const char *name, struct bytes content,
                    struct store_version *version, struct error *err)
{
    struct file_store *s = self_of(store);
    struct content whole = { .old = -1, .with = content };
    struct store_version now = { { 0 } };
    struct stat st;

    if (fstatat(s->dir, name, &st, 0) == 0)
        now = version_of(&st);
    else if (errno != ENOENT)
        return fail(s, name, "cannot be read", ERR_STATE, err);
    if (!version_is(&now, version))
        return error_set(err, ERR_STATE,
                         "state %s/%s: was changed by another while this run held it", s->path,
                         name);
    return replace(s, name, &whole, version, err);
}

static int file_lock(struct store *store, const char *name, int64_t give_up_mono_ns,
                     struct store_lock **out, struct error *err)
{
    struct file_store *s = self_of(store);
    int fd = openat(s->dir, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0 && errno == EACCES && faccessat(s->dir, name, F_OK, 0) == 0)
        return error_set(
            err, ERR_STATE,
            "state %s/%s: belongs to another user: otlpull must always run as the same "
            "one (chown -R)",
            s->path, name);
    if (fd < 0)
        return fail(s, name, "cannot be created", ERR_STATE_CREATE, err);
    while (flock(fd, LOCK_EX | LOCK_NB)) {
        int64_t now = clock_mono_ns(s->clk);
        if (errno != EWOULDBLOCK && errno != EINTR)
            fail(s, name, "cannot be locked", ERR_STATE, err);
        else if (now >= give_up_mono_ns)
            error_set(err, ERR_LOCKED, "state %s/%s: held by another run", s->path, name);
        else if (!clock_sleep_until(s->clk, now + LOCK_RETRY_NS))
            error_set(err, ERR_STOPPED, "stopped");
        else
            continue;
        close(fd);
        return -1;
    }
    *out = xmalloc(sizeof(**out));
    (*out)->fd = fd;
    return 0;
}

static void file_unlock(struct store *store, struct store_lock *lock)
{
    (void)store;
    if (!lock)
        return;
    close(lock->fd); /* and with it the flock */
    free(lock);
}

static int file_append(struct store *store, const char *name, struct bytes content,
                       size_t max_bytes, struct error *err)
{
    struct file_store *s = self_of(store);
    struct stat st;
    char last = '\n';
    int rc = -1;
    int fd = openat(s->dir, name, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return fail(s, name, "cannot be created", ERR_STATE, err);
    if (fstat(fd, &st) || (st.st_size > 0 && pread(fd, &last, 1, st.st_size - 1) != 1))
        fail(s, name, "cannot be read", ERR_STATE, err);
    else if ((size_t)st.st_size + content.len > max_bytes)
        store_journal_full(store, name, max_bytes, err);
    else if ((last != '\n' && write_all(fd, BYTES("\n"))) || /* a power loss cut a line */
             write_all(fd, content) || fsync(fd) || fsync(s->dir)) {
        fail(s, name, "cannot be written", ERR_STATE, err);
        if (ftruncate(fd, st.st_size)) /* no half line for the next one to continue */
            error_within(err, "and cannot be cut back");
    } else
        rc = 0;
    close(fd);
    return rc;
}

static int file_open(struct store *store, const char *name, struct store_reader **out,
                     uint64_t *bytes, struct error *err)
{
    struct stat st;
    bool absent;
    *out = NULL;
    *bytes = 0;
    int fd = open_regular(self_of(store), name, &st, &absent, err);
    if (fd < 0)
        return absent ? 0 : -1;
    size_t name_bytes = strlen(name) + 1;
    struct store_reader *reader = xmalloc(sizeof(*reader) + name_bytes);
    *reader = (struct store_reader){ memcpy(reader + 1, name, name_bytes), fd };
    *out = reader;
    *bytes = (uint64_t)st.st_size;
    return 0;
}

static int file_read(struct store *store, struct store_reader *reader, struct buf *out,
                     struct error *err)
{
    char piece[PIECE_BYTES];
    ssize_t n;
    do
        n = read(reader->fd, piece, sizeof(piece));
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return fail(self_of(store), reader->name, "cannot be read", ERR_STATE, err);
    buf_append(out, piece, (size_t)n);
    return 0;
}

static void file_end(struct store *store, struct store_reader *reader)
{
    (void)store;
    if (!reader)
        return;
    close(reader->fd);
    free(reader);
}

static int file_splice(struct store *store, const char *name, uint64_t from, uint64_t to,
                       struct bytes with, struct error *err)
{
    struct file_store *s = self_of(store);
    struct store_version ignored;
    struct stat st;
    bool absent;
    int rc;
    int fd = open_regular(s, name, &st, &absent, err);
    if (fd < 0)
        return absent ? error_set(err, ERR_STATE, "state %s/%s: is gone", s->path, name) : -1;
    struct content content = { fd, (off_t)from, (off_t)to, with };
    if (from > to || (off_t)to > st.st_size)
        rc = error_set(err, ERR_STATE, "state %s/%s: was cut short by another", s->path, name);
    else if (from == 0 && (off_t)to == st.st_size && with.len == 0)
        rc = unlinkat(s->dir, name, 0) || fsync(s->dir)
                 ? fail(s, name, "cannot be removed", ERR_STATE, err)
                 : 0;
    else
        rc = replace(s, name, &content, &ignored, err);
    close(fd);
    return rc;
}

static int file_names(struct store *store, const char *suffix, struct buf *out, struct error *err)
{
    struct file_store *s = self_of(store);
    struct dirent **entries;
    if (s->dir < 0 && s->dir_errno == ENOENT)
        return 0;
    int count = scandir(s->path, &entries, NULL, alphasort);
    if (count < 0)
        return error_set(err, ERR_STATE, "state %s: cannot be read: %s", s->path, strerror(errno));
    for (int i = 0; i < count; i++) {
        if (store_is_name(bytes_of(entries[i]->d_name), suffix))
            buf_printf(out, "%s\n", entries[i]->d_name);
        free(entries[i]);
    }
    free(entries);
    return 0;
}

static void file_close(struct store *store)
{
    struct file_store *s = self_of(store);
    if (s->dir >= 0)
        close(s->dir);
    free(s->path);
    free(s);
}

static struct file_store *create(const char *path, struct clock *clk)
{
    struct file_store *s = xcalloc(1, sizeof(*s));
    s->store = (struct store){ .get = file_get,
                               .put = file_put,
                               .lock = file_lock,
                               .unlock = file_unlock,
                               .append = file_append,
                               .open = file_open,
                               .read = file_read,
                               .end = file_end,
                               .splice = file_splice,
                               .names = file_names,
                               .close = file_close };
    s->clk = clk;
    s->path = xstrdup(path);
    s->store.where = s->path;
    s->dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    s->dir_errno = errno;
    return s;
}

/* Make one folder, and have its name in the folder above outlive a power loss, where that one may
 * be opened. */
static int make_folder(const char *path, mode_t mode)
{
    if (mkdir(path, mode))
        return errno == EEXIST ? 0 : -1;
    char *above = xstrdup(path);
    char *slash = strrchr(above, '/');
    if (slash)
        slash[slash == above] = '\0';
    int fd = open(slash ? above : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    free(above);
    if (fd < 0)
        return errno == EACCES ? 0 : -1;
    int rc = fsync(fd), saved_errno = errno;
    close(fd);
    errno = saved_errno;
    return rc;
}

/* Make the folder and the parents that are missing. */
static int make_folders(const char *path)
{
    char *copy = xstrdup(path);
    int rc = 0;
    for (char *slash = strchr(copy + 1, '/'); slash && !rc; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        rc = make_folder(copy, 0755);
        *slash = '/';
    }
    if (!rc)
        rc = make_folder(copy, 0700);
    int saved_errno = errno;
    free(copy);
    errno = saved_errno;
    return rc;
}

struct store *file_store_open(const char *path, struct clock *clk, struct error *err)
{
    struct file_store *s = create(path, clk);
    if (s->dir < 0 && errno == ENOENT) {
        if (make_folders(path)) {
            error_set(err, ERR_STATE_CREATE, "state %s: cannot be created: %s", path,
                      strerror(errno));
            file_close(&s->store);
            return NULL;
        }
        s->dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    }
    if (s->dir < 0) {
        error_set(err, errno == ENOTDIR ? ERR_STATE_CREATE : ERR_STATE,
                  "state %s: cannot be opened: %s", path, strerror(errno));
        file_close(&s->store);
        return NULL;
    }
    return &s->store;
}

struct store *file_store_open_for_reading(const char *path, struct clock *clk)
{
    return &create(path, clk)->store;
}
