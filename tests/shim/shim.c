/* shim.c -- preloaded into otlpull by the fault tests: counts its calls of each kind, from main()
 * to its end, and lets the n-th of one kind fail, or kills the process at one.
 *
 * OTLPULL_SHIM, the plan:
 *   KIND:N=WHAT    the N-th call of this kind (names[]) fails; WHAT: an errno's name, or
 *                  "short" (only a part is read or written), "eof" (of recv: an early end)
 *   kill-before:N  SIGKILL before the N-th operation that changes the state folder,
 *   kill-after:N   ... after it,
 *   kill-amid:N    ... or in the middle of the N-th write to it
 * OTLPULL_SHIM_STATE, the state folder: of the calls on files only those in it count.
 * OTLPULL_SHIM_LOG gets a line "reached" at the N-th, and "KIND=COUNT ..." at the end.
 *
 * It stands before libasan in the list of libraries (verify_asan_link_order=0) and hands on to it:
 * the sanitizers still see every call. It has no sanitizer of its own. Its state is global, as the
 * functions that it stands for have no argument to carry any. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum kind {
    MALLOC, /* of the program itself, ... */
    LIBRARY_MALLOC,
    JSON_MALLOC, /* ... and of the libraries that it uses */
    SOCKET,
    CONNECT,
    GETSOCKOPT,
    SEND,
    RECV,
    POLL,
    THREAD,
    OPEN,
    READ,
    WRITE,
    CLOSE,
    STAT,
    FSYNC,
    RENAME,
    FTRUNCATE,
    UNLINK,
    MKDIR,
    FLOCK,
    STATE, /* all that change the state folder, together */
    KINDS,
    KILL_BEFORE = KINDS,
    KILL_AFTER,
    KILL_AMID,
    PLANS,
    NONE,
};

static const char *const names[PLANS] = {
    "malloc", "library-malloc", "json-malloc",    "socket",    "connect", "getsockopt", "send",
    "recv",   "poll",           "pthread_create", "open",      "read",    "write",      "close",
    "stat",   "fsync",          "rename",         "ftruncate", "unlink",  "mkdir",      "flock",
    "state",  "kill-before",    "kill-after",     "kill-amid",
};

enum { SHORT = -1, AT_END = -2 }; /* in place of an errno */

typedef int main_function(int, char **, char **);

static struct {
    atomic_bool counting;
    enum kind plan;
    unsigned long at;
    int what;
    const char *log, *state;
    atomic_ulong counts[KINDS];
    main_function *main;
    const void *program; /* where its code begins */
} shim = { .plan = NONE };

/* The functions that come after ours. */
static struct {
    atomic_bool found;
    void *(*malloc)(size_t);
    void *(*calloc)(size_t, size_t);
    void *(*realloc)(void *, size_t);
    int (*socket)(int, int, int);
    __typeof__(&connect) connect; /* its header's type is a union */
    int (*getsockopt)(int, int, int, void *, socklen_t *);
    ssize_t (*send)(int, const void *, size_t, int);
    ssize_t (*recv)(int, void *, size_t, int);
    int (*poll)(struct pollfd *, nfds_t, int);
    int (*pthread_create)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
    int (*open)(const char *, int, ...);
    int (*openat)(int, const char *, int, ...);
    ssize_t (*read)(int, void *, size_t);
    ssize_t (*pread)(int, void *, size_t, off_t);
    ssize_t (*write)(int, const void *, size_t);
    int (*close)(int);
    int (*fstat)(int, struct stat *);
    int (*fstatat)(int, const char *, struct stat *, int);
    int (*fsync)(int);
    int (*renameat)(int, const char *, int, const char *);
    int (*ftruncate)(int, off_t);
    int (*unlinkat)(int, const char *, int);
    int (*mkdir)(const char *, mode_t);
    int (*flock)(int, int);
    int (*libc_start_main)(main_function *, int, char **, void (*)(void), void (*)(void),
                           void (*)(void), void *);
} next;

#define FIND(name) (*(void **)&next.name = dlsym(RTLD_NEXT, #name))

/* Before the first call of any: the loader calls some before any constructor. */
static void find(void)
{
    if (atomic_load(&next.found))
        return;
    FIND(malloc), FIND(calloc), FIND(realloc);
    FIND(socket), FIND(connect), FIND(getsockopt), FIND(send), FIND(recv), FIND(poll);
    FIND(pthread_create);
    FIND(open), FIND(openat), FIND(read), FIND(pread), FIND(write), FIND(close);
    FIND(fstat), FIND(fstatat), FIND(fsync), FIND(renameat), FIND(ftruncate), FIND(unlinkat);
    FIND(mkdir), FIND(flock);
    *(void **)&next.libc_start_main = dlsym(RTLD_NEXT, "__libc_start_main");
    atomic_store(&next.found, true);
}

/* By plain system calls: nothing of this may be counted, or allocate. */
static void say(const char *text)
{
    long fd = shim.log
                  ? syscall(SYS_openat, AT_FDCWD, shim.log, O_WRONLY | O_CREAT | O_APPEND, 0600)
                  : -1;
    if (fd < 0)
        return;
    syscall(SYS_write, fd, text, strlen(text));
    syscall(SYS_close, fd);
}

static void say_counts(void)
{
    char line[1024];
    size_t len = 0;
    if (!atomic_exchange(&shim.counting, false))
        return;
    for (size_t i = 0; i < KINDS; i++)
        len += (size_t)snprintf(line + len, sizeof(line) - len, "%s=%lu%s", names[i],
                                atomic_load(&shim.counts[i]), i + 1 < KINDS ? " " : "\n");
    say(line);
}

/* Count a call; whether it is the one. */
static bool is_the_one(enum kind kind)
{
    if (!atomic_load(&shim.counting))
        return false;
    unsigned long n = atomic_fetch_add(&shim.counts[kind], 1) + 1;
    bool dies = kind == STATE ? shim.plan == KILL_BEFORE || shim.plan == KILL_AFTER
                              : kind == WRITE && shim.plan == KILL_AMID;
    if ((shim.plan != kind && !dies) || n != shim.at)
        return false;
    say("reached\n");
    return true;
}

static bool fails(enum kind kind)
{
    if (!is_the_one(kind))
        return false;
    errno = shim.what > 0 ? shim.what : 0;
    return true;
}

static void die(void)
{
    syscall(SYS_kill, getpid(), SIGKILL);
    for (;;)
        pause();
}

static bool is_below(const char *path)
{
    size_t len = shim.state ? strlen(shim.state) : 0;
    return len > 0 && strncmp(path, shim.state, len) == 0 &&
           (path[len] == '\0' || path[len] == '/');
}

static bool in_state(int fd)
{
    char link[64], path[512];
    int saved_errno = errno;
    if (!atomic_load(&shim.counting))
        return false;
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    ssize_t len = readlink(link, path, sizeof(path) - 1);
    errno = saved_errno;
    if (len < 0)
        return false;
    path[len] = '\0';
    return is_below(path);
}

/* Around an operation that changes the state folder: whether it is the one to die at. */
static bool change_begins(bool changes)
{
    bool here = changes && is_the_one(STATE);
    if (here && shim.plan == KILL_BEFORE)
        die();
    return here;
}

static void change_ends(bool here)
{
    if (here && shim.plan == KILL_AFTER)
        die();
}

/* NOLINTBEGIN(readability-inconsistent-declaration-parameter-name): libc's names are its own */

/* Three kinds: only the program's own calls are under its control, and json-c makes a kind of its
 * own of what it does then. */
static bool has_no_memory(const void *caller)
{
    Dl_info info = { 0 };
    if (!atomic_load(&shim.counting))
        return false;
    if (dladdr(caller, &info) && info.dli_fbase == shim.program)
        return fails(MALLOC);
    return fails(info.dli_fname && strstr(info.dli_fname, "libjson-c") ? JSON_MALLOC
                                                                       : LIBRARY_MALLOC);
}

void *malloc(size_t size)
{
    find();
    return has_no_memory(__builtin_return_address(0)) ? NULL : next.malloc(size);
}

void *calloc(size_t count, size_t size)
{
    find();
    return has_no_memory(__builtin_return_address(0)) ? NULL : next.calloc(count, size);
}

void *realloc(void *old, size_t size)
{
    find();
    return has_no_memory(__builtin_return_address(0)) ? NULL : next.realloc(old, size);
}

/* libasan's does not come by our malloc(). */
char *strdup(const char *text)
{
    size_t bytes = strlen(text) + 1;
    find();
    char *copy = has_no_memory(__builtin_return_address(0)) ? NULL : next.malloc(bytes);
    return copy ? memcpy(copy, text, bytes) : NULL;
}

int socket(int domain, int type, int protocol)
{
    find();
    return fails(SOCKET) ? -1 : next.socket(domain, type, protocol);
}

int connect(int fd, __CONST_SOCKADDR_ARG peer, socklen_t len)
{
    find();
    return fails(CONNECT) ? -1 : next.connect(fd, peer, len);
}

int getsockopt(int fd, int level, int name, void *value, socklen_t *len)
{
    find();
    return fails(GETSOCKOPT) ? -1 : next.getsockopt(fd, level, name, value, len);
}

ssize_t send(int fd, const void *data, size_t len, int flags)
{
    find();
    if (fails(SEND)) {
        if (shim.what != SHORT)
            return -1;
        len = len > 1 ? len / 2 : len;
    }
    return next.send(fd, data, len, flags);
}

ssize_t recv(int fd, void *data, size_t len, int flags)
{
    find();
    if (fails(RECV)) {
        if (shim.what != SHORT)
            return shim.what == AT_END ? 0 : -1;
        len = len > 1 ? 1 : len;
    }
    return next.recv(fd, data, len, flags);
}

int poll(struct pollfd *fds, nfds_t count, int timeout_ms)
{
    find();
    return fails(POLL) ? -1 : next.poll(fds, count, timeout_ms);
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*work)(void *), void *arg)
{
    find();
    return fails(THREAD) ? shim.what : next.pthread_create(thread, attr, work, arg);
}

static mode_t mode_in(int flags, va_list args)
{
    return (flags & O_CREAT) ? va_arg(args, mode_t) : 0;
}

int open(const char *path, int flags, ...)
{
    va_list args;
    va_start(args, flags);
    mode_t mode = mode_in(flags, args);
    va_end(args);
    find();
    return is_below(path) && fails(OPEN) ? -1 : next.open(path, flags, mode);
}

int openat(int dir, const char *path, int flags, ...)
{
    va_list args;
    va_start(args, flags);
    mode_t mode = mode_in(flags, args);
    va_end(args);
    find();
    bool ours = in_state(dir);
    if (ours && fails(OPEN))
        return -1;
    bool here = change_begins(ours && (flags & O_CREAT));
    int fd = next.openat(dir, path, flags, mode);
    change_ends(here);
    return fd;
}

ssize_t read(int fd, void *data, size_t len)
{
    find();
    if (in_state(fd) && fails(READ)) {
        if (shim.what != SHORT)
            return -1;
        len = len > 1 ? 1 : len;
    }
    return next.read(fd, data, len);
}

ssize_t pread(int fd, void *data, size_t len, off_t at)
{
    find();
    return in_state(fd) && fails(READ) && shim.what != SHORT ? -1 : next.pread(fd, data, len, at);
}

ssize_t write(int fd, const void *data, size_t len)
{
    find();
    bool ours = in_state(fd);
    if (ours && fails(WRITE)) {
        if (shim.what > 0)
            return -1;
        len = len > 1 ? len / 2 : len;
        if (shim.plan == KILL_AMID) {
            next.write(fd, data, len);
            die();
        }
    }
    bool here = change_begins(ours);
    ssize_t n = next.write(fd, data, len);
    change_ends(here);
    return n;
}

/* The descriptor is gone even where close() fails. */
int close(int fd)
{
    find();
    bool failed = in_state(fd) && fails(CLOSE);
    int rc = next.close(fd);
    if (!failed)
        return rc;
    errno = shim.what;
    return -1;
}

int fstat(int fd, struct stat *out)
{
    find();
    return in_state(fd) && fails(STAT) ? -1 : next.fstat(fd, out);
}

int fstatat(int dir, const char *path, struct stat *out, int flags)
{
    find();
    return in_state(dir) && fails(STAT) ? -1 : next.fstatat(dir, path, out, flags);
}

int fsync(int fd)
{
    find();
    bool ours = in_state(fd);
    if (ours && fails(FSYNC))
        return -1;
    bool here = change_begins(ours);
    int rc = next.fsync(fd);
    change_ends(here);
    return rc;
}

int renameat(int from_dir, const char *from, int to_dir, const char *to)
{
    find();
    bool ours = in_state(to_dir);
    if (ours && fails(RENAME))
        return -1;
    bool here = change_begins(ours);
    int rc = next.renameat(from_dir, from, to_dir, to);
    change_ends(here);
    return rc;
}

int ftruncate(int fd, off_t bytes)
{
    find();
    bool ours = in_state(fd);
    if (ours && fails(FTRUNCATE))
        return -1;
    bool here = change_begins(ours);
    int rc = next.ftruncate(fd, bytes);
    change_ends(here);
    return rc;
}

int unlinkat(int dir, const char *path, int flags)
{
    find();
    bool ours = in_state(dir);
    if (ours && fails(UNLINK))
        return -1;
    bool here = change_begins(ours);
    int rc = next.unlinkat(dir, path, flags);
    change_ends(here);
    return rc;
}

int mkdir(const char *path, mode_t mode)
{
    find();
    bool ours = is_below(path);
    if (ours && fails(MKDIR))
        return -1;
    bool here = change_begins(ours);
    int rc = next.mkdir(path, mode);
    change_ends(here);
    return rc;
}

int flock(int fd, int operation)
{
    find();
    return in_state(fd) && fails(FLOCK) ? -1 : next.flock(fd, operation);
}

_Noreturn void _Exit(int code)
{
    say_counts();
    for (;;)
        syscall(SYS_exit_group, code);
}

/* NOLINTEND(readability-inconsistent-declaration-parameter-name) */

/* "EIO" and its like; 0: there is no such. */
static int errno_named(const char *name)
{
    if (strcmp(name, "short") == 0)
        return SHORT;
    if (strcmp(name, "eof") == 0)
        return AT_END;
    for (int i = 1; i < 200; i++) {
        const char *known = strerrorname_np(i);
        if (known && strcmp(known, name) == 0)
            return i;
    }
    return 0;
}

/* False: it makes no sense. */
static bool read_plan(const char *text)
{
    const char *colon = strchr(text, ':');
    char *end;
    for (size_t i = 0; colon && i < PLANS; i++) {
        if (strlen(names[i]) == (size_t)(colon - text) &&
            memcmp(names[i], text, strlen(names[i])) == 0)
            shim.plan = (enum kind)i;
    }
    if (!colon || shim.plan == NONE)
        return false;
    shim.at = strtoul(colon + 1, &end, 10);
    if (*end == '=')
        shim.what = errno_named(end + 1);
    return shim.at > 0 && (shim.plan >= KINDS ? *end == '\0' : shim.what != 0);
}

static int counted_main(int argc, char **argv, char **environment)
{
    const char *plan = getenv("OTLPULL_SHIM");
    shim.log = getenv("OTLPULL_SHIM_LOG");
    shim.state = getenv("OTLPULL_SHIM_STATE");
    if (plan && *plan && !read_plan(plan)) {
        fprintf(stderr, "OTLPULL_SHIM=%s makes no sense\n", plan);
        return 99;
    }
    Dl_info info = { 0 };
    shim.program = dladdr(*(void **)&shim.main, &info) ? info.dli_fbase : NULL;
    atomic_store(&shim.counting, true);
    int code = shim.main(argc, argv, environment);
    say_counts();
    return code;
}

/* Only otlpull is counted: not the programs that start it, which have the same environment. */
int __libc_start_main(main_function *real_main, int argc, char **argv, void (*init)(void),
                      void (*fini)(void), void (*loader_fini)(void), void *stack_end)
{
    const char *slash = strrchr(argv[0], '/');
    find();
    shim.main = real_main;
    bool ours = strcmp(slash ? slash + 1 : argv[0], "otlpull") == 0;
    return next.libc_start_main(ours ? counted_main : real_main, argc, argv, init, fini,
                                loader_fini, stack_end);
}
