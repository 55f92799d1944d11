#include "tasks.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "base/buf.h"
#include "base/clock.h"

#define TASKS_MAX 512
/* So far apart that valgrind sees a switch of stacks and no deep call. */
#define STACK_STRIDE ((size_t)4 << 20)
#define STACK_BYTES  ((size_t)256 << 10)
#define SWITCHES_MAX 3000000

/* AddressSanitizer must be told of each change of stack. */
#ifdef __SANITIZE_ADDRESS__
void __sanitizer_start_switch_fiber(void **fake_stack, const void *bottom, size_t size);
void __sanitizer_finish_switch_fiber(void *fake_stack, const void **bottom_old, size_t *size_old);
void __asan_unpoison_memory_region(void const volatile *address, size_t size);
#endif

enum standing { READY, WAITING, ENDED };

struct task {
    ucontext_t context;
    char *stack; /* its lowest byte in use; NULL: the home task's, which is the process's own */
    const void *stack_bottom; /* the same, as the sanitizer has it */
    size_t stack_bytes;
#ifdef __SANITIZE_ADDRESS__
    void *fake_stack;
#endif
    void *(*work)(void *);
    void *arg;
    void *owner;
    enum standing standing;
    const void *on;
    int64_t until_mono_ns;
    bool woken;
};

struct tasks {
    struct task home; /* whoever called tasks_run() */
    struct task *list[TASKS_MAX];
    size_t count, alive;
    struct task *current;
    struct rng chance;
    int64_t mono_ns, most_mono_ns;
    size_t switches;
    bool stuck;
};

/* What the pthread functions below work on: their callers know of none. */
static struct tasks *scheduler;

struct tasks *tasks_create(void)
{
    scheduler = xcalloc(1, sizeof(*scheduler));
    return scheduler;
}

void tasks_destroy(struct tasks *t)
{
    for (size_t i = 0; i < TASKS_MAX && t->list[i]; i++) {
        munmap(t->list[i]->stack + STACK_BYTES - STACK_STRIDE, STACK_STRIDE);
        free(t->list[i]);
    }
    free(t);
    scheduler = NULL;
}

void tasks_reset(struct tasks *t, struct rng chance, int64_t mono_ns)
{
    t->count = t->alive = t->switches = 0;
    t->chance = chance;
    t->mono_ns = mono_ns;
    t->stuck = false;
}

int64_t tasks_mono_ns(const struct tasks *t)
{
    return t->mono_ns;
}

void tasks_pass(struct tasks *t, int64_t ns)
{
    t->mono_ns += ns;
}

/* Go to another task's stack, and come back when somebody goes to this one's. */
static void go(struct tasks *t, struct task *to)
{
    struct task *from = t->current;
    volatile bool back = false;
    t->current = to;
    getcontext(&from->context);
    if (!back) {
        back = true;
#ifdef __SANITIZE_ADDRESS__
        __sanitizer_start_switch_fiber(from->standing == ENDED ? NULL : &from->fake_stack,
                                       to->stack_bottom, to->stack_bytes);
#endif
        setcontext(&to->context);
    }
#ifdef __SANITIZE_ADDRESS__
    __sanitizer_finish_switch_fiber(from->fake_stack, NULL, NULL);
#endif
}

/* The moment that the first of the waiting waits for, if all do. */
static bool pass_time(struct tasks *t)
{
    int64_t first = TIME_FOREVER;
    for (size_t i = 0; i < t->count; i++) {
        if (t->list[i]->standing == WAITING && t->list[i]->until_mono_ns < first)
            first = t->list[i]->until_mono_ns;
    }
    if (first == TIME_FOREVER || first > t->most_mono_ns || t->switches > SWITCHES_MAX)
        return false;
    if (first > t->mono_ns)
        t->mono_ns = first;
    return true;
}

/* One of those that can go on; NULL: none can, ever. */
static struct task *choose(struct tasks *t)
{
    struct task *ready[TASKS_MAX];
    for (;;) {
        size_t count = 0;
        for (size_t i = 0; i < t->count; i++) {
            struct task *task = t->list[i];
            if (task->standing == WAITING && task->until_mono_ns <= t->mono_ns)
                task->standing = READY;
            if (task->standing == READY)
                ready[count++] = task;
        }
        if (count > 0)
            return count == 1 ? ready[0] : ready[rng_below(&t->chance, count)];
        if (!pass_time(t))
            return NULL;
    }
}

static void reschedule(struct tasks *t)
{
    struct task *next = NULL;
    t->switches++;
    if (t->alive > 0) {
        next = choose(t);
        t->stuck = !next;
    }
    if (!next)
        next = &t->home;
    if (next != t->current)
        go(t, next);
}

static void begin(void)
{
    struct tasks *t = scheduler;
    struct task *self = t->current;
#ifdef __SANITIZE_ADDRESS__
    const void *bottom;
    size_t bytes;
    __sanitizer_finish_switch_fiber(NULL, &bottom, &bytes);
    if (!t->home.stack_bottom) { /* the first of all was begun from home */
        t->home.stack_bottom = bottom;
        t->home.stack_bytes = bytes;
    }
#endif
    self->work(self->arg);
    self->standing = ENDED;
    t->alive--;
    tasks_wake(t, self);
    reschedule(t);
    abort(); /* nobody goes to what has ended */
}

static struct task *make(void)
{
    struct task *task = xcalloc(1, sizeof(*task));
    char *map = mmap(NULL, STACK_STRIDE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1,
                     0);
    if (map == MAP_FAILED ||
        mprotect(map + STACK_STRIDE - STACK_BYTES, STACK_BYTES, PROT_READ | PROT_WRITE)) {
        perror("model: a task's stack");
        abort();
    }
    task->stack = map + STACK_STRIDE - STACK_BYTES;
    task->stack_bottom = task->stack;
    task->stack_bytes = STACK_BYTES;
    return task;
}

static struct task *add(struct tasks *t, void *(*work)(void *), void *arg, void *owner)
{
    if (t->count == TASKS_MAX)
        return NULL;
    if (!t->list[t->count])
        t->list[t->count] = make();
    struct task *task = t->list[t->count++];
    task->work = work;
    task->arg = arg;
    task->owner = owner;
    task->standing = READY;
    task->on = NULL;
    task->until_mono_ns = TIME_FOREVER;
#ifdef __SANITIZE_ADDRESS__
    __asan_unpoison_memory_region(task->stack, STACK_BYTES); /* of who ended there */
#endif
    getcontext(&task->context);
    task->context.uc_stack.ss_sp = task->stack;
    task->context.uc_stack.ss_size = STACK_BYTES;
    task->context.uc_link = NULL;
    makecontext(&task->context, begin, 0);
    t->alive++;
    return task;
}

void tasks_add(struct tasks *t, void *(*work)(void *), void *arg, void *owner)
{
    add(t, work, arg, owner);
}

bool tasks_run(struct tasks *t, int64_t most_ns)
{
    t->current = &t->home;
    t->home.standing = WAITING;
    t->most_mono_ns = t->mono_ns + most_ns;
    if (t->alive > 0)
        reschedule(t);
    return !t->stuck;
}

bool tasks_wait(struct tasks *t, const void *on, int64_t until_mono_ns)
{
    struct task *self = t->current;
    self->standing = WAITING;
    self->on = on;
    self->until_mono_ns = until_mono_ns;
    self->woken = false;
    reschedule(t);
    self->on = NULL;
    return self->woken;
}

static void wake(struct task *task)
{
    task->standing = READY;
    task->woken = true;
}

void tasks_wake(struct tasks *t, const void *on)
{
    for (size_t i = 0; i < t->count; i++) {
        if (t->list[i]->standing == WAITING && t->list[i]->on == on)
            wake(t->list[i]);
    }
}

void tasks_wake_owned(struct tasks *t, const void *owner)
{
    for (size_t i = 0; i < t->count; i++) {
        struct task *task = t->list[i];
        if (task->standing == WAITING && task->owner == owner &&
            task->until_mono_ns != TIME_FOREVER)
            wake(task);
    }
}

void tasks_yield(struct tasks *t)
{
    if (t->alive > 1 && rng_percent(&t->chance, 20))
        reschedule(t);
}

/* ---- what the linker puts in pthread's place ----------------------------------------------------
 */

/* A mutex holds who has it, in its own first bytes: initialized ones are all 0, however made. */
static struct task *holder_of(const pthread_mutex_t *mutex)
{
    uintptr_t holder;
    memcpy(&holder, mutex, sizeof(holder));
    return (struct task *)holder;
}

static void set_holder(pthread_mutex_t *mutex, const struct task *task)
{
    uintptr_t holder = (uintptr_t)task;
    memcpy(mutex, &holder, sizeof(holder));
}

int __wrap_pthread_mutex_init(pthread_mutex_t *mutex, const pthread_mutexattr_t *attributes);
int __wrap_pthread_mutex_destroy(pthread_mutex_t *mutex);
int __wrap_pthread_mutex_lock(pthread_mutex_t *mutex);
int __wrap_pthread_mutex_trylock(pthread_mutex_t *mutex);
int __wrap_pthread_mutex_unlock(pthread_mutex_t *mutex);
int __wrap_pthread_condattr_init(pthread_condattr_t *attributes);
int __wrap_pthread_condattr_setclock(pthread_condattr_t *attributes, clockid_t id);
int __wrap_pthread_condattr_destroy(pthread_condattr_t *attributes);
int __wrap_pthread_cond_init(pthread_cond_t *cond, const pthread_condattr_t *attributes);
int __wrap_pthread_cond_destroy(pthread_cond_t *cond);
int __wrap_pthread_cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex);
int __wrap_pthread_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *mutex,
                                  const struct timespec *until);
int __wrap_pthread_cond_signal(pthread_cond_t *cond);
int __wrap_pthread_cond_broadcast(pthread_cond_t *cond);
int __wrap_pthread_create(pthread_t *out, const pthread_attr_t *attributes, void *(*work)(void *),
                          void *arg);
int __wrap_pthread_join(pthread_t thread, void **result);

int __wrap_pthread_mutex_init(pthread_mutex_t *mutex, const pthread_mutexattr_t *attributes)
{
    (void)attributes;
    set_holder(mutex, NULL);
    return 0;
}

int __wrap_pthread_mutex_destroy(pthread_mutex_t *mutex)
{
    if (holder_of(mutex)) {
        fputs("model: a mutex is destroyed while it is held\n", stderr);
        abort();
    }
    return 0;
}

int __wrap_pthread_mutex_lock(pthread_mutex_t *mutex)
{
    tasks_yield(scheduler);
    if (holder_of(mutex) == scheduler->current) {
        fputs("model: a mutex is taken twice\n", stderr);
        abort();
    }
    while (holder_of(mutex))
        tasks_wait(scheduler, mutex, TIME_FOREVER);
    set_holder(mutex, scheduler->current);
    return 0;
}

int __wrap_pthread_mutex_trylock(pthread_mutex_t *mutex)
{
    if (holder_of(mutex))
        return EBUSY;
    set_holder(mutex, scheduler->current);
    return 0;
}

int __wrap_pthread_mutex_unlock(pthread_mutex_t *mutex)
{
    if (holder_of(mutex) != scheduler->current) {
        fputs("model: a mutex is let go by one who does not hold it\n", stderr);
        abort();
    }
    set_holder(mutex, NULL);
    tasks_wake(scheduler, mutex);
    tasks_yield(scheduler);
    return 0;
}

int __wrap_pthread_condattr_init(pthread_condattr_t *attributes)
{
    (void)attributes;
    return 0;
}

int __wrap_pthread_condattr_setclock(pthread_condattr_t *attributes, clockid_t id)
{
    (void)attributes;
    return id == CLOCK_MONOTONIC ? 0 : EINVAL; /* the only one whose time we know */
}

int __wrap_pthread_condattr_destroy(pthread_condattr_t *attributes)
{
    (void)attributes;
    return 0;
}

int __wrap_pthread_cond_init(pthread_cond_t *cond, const pthread_condattr_t *attributes)
{
    (void)attributes;
    (void)cond; /* whoever waits knows on which */
    return 0;
}

int __wrap_pthread_cond_destroy(pthread_cond_t *cond)
{
    (void)cond;
    return 0;
}

/* Now and then it returns for no reason, as it may. */
static bool wait_on(pthread_cond_t *cond, pthread_mutex_t *mutex, int64_t until_mono_ns)
{
    bool woken = true;
    set_holder(mutex, NULL);
    tasks_wake(scheduler, mutex);
    if (rng_percent(&scheduler->chance, 2))
        reschedule(scheduler);
    else
        woken = tasks_wait(scheduler, cond, until_mono_ns);
    while (holder_of(mutex))
        tasks_wait(scheduler, mutex, TIME_FOREVER);
    set_holder(mutex, scheduler->current);
    return woken;
}

int __wrap_pthread_cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex)
{
    wait_on(cond, mutex, TIME_FOREVER);
    return 0;
}

int __wrap_pthread_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *mutex,
                                  const struct timespec *until)
{
    return wait_on(cond, mutex, until->tv_sec * NS_PER_S + until->tv_nsec) ? 0 : ETIMEDOUT;
}

/* cppcheck-suppress constParameter ; it is pthread's */
int __wrap_pthread_cond_signal(pthread_cond_t *cond)
{
    struct task *waiting[TASKS_MAX];
    size_t count = 0;
    for (size_t i = 0; i < scheduler->count; i++) {
        struct task *task = scheduler->list[i];
        if (task->standing == WAITING && task->on == cond)
            waiting[count++] = task;
    }
    if (count > 0)
        wake(waiting[rng_below(&scheduler->chance, count)]);
    return 0;
}

int __wrap_pthread_cond_broadcast(pthread_cond_t *cond)
{
    tasks_wake(scheduler, cond);
    return 0;
}

int __wrap_pthread_create(pthread_t *out, const pthread_attr_t *attributes, void *(*work)(void *),
                          void *arg)
{
    (void)attributes;
    struct task *task = add(scheduler, work, arg, scheduler->current->owner);
    *out = (pthread_t)(uintptr_t)task;
    return task ? 0 : EAGAIN;
}

int __wrap_pthread_join(pthread_t thread, void **result)
{
    struct task *task = (struct task *)(uintptr_t)thread;
    while (task->standing != ENDED)
        tasks_wait(scheduler, task, TIME_FOREVER);
    if (result)
        *result = NULL;
    return 0;
}
