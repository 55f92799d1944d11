#include "tests/model/model.h"

/* Time that reading the clock takes, so that nobody who waits for it by reading waits for ever. */
#define READING_NS 100

static int64_t process_mono_ns(struct clock *clk)
{
    struct world *w = process_of(clk)->w;
    tasks_pass(w->tasks, READING_NS);
    return tasks_mono_ns(w->tasks);
}

static int64_t process_unix_ns(struct clock *clk)
{
    struct world *w = process_of(clk)->w;
    tasks_pass(w->tasks, READING_NS);
    return world_unix_ns(w) + w->skew_ns;
}

static bool sleep_on(struct process *p, struct clock *clk, int64_t until_mono_ns)
{
    int64_t end = p->stop_at_mono_ns < until_mono_ns ? p->stop_at_mono_ns : until_mono_ns;
    while (!process_stopped(p, clk)) {
        if (tasks_mono_ns(p->w->tasks) >= end)
            return true;
        tasks_wait(p->w->tasks, clk, end);
    }
    return false;
}

static bool process_sleep_until(struct clock *clk, int64_t until_mono_ns)
{
    return sleep_on(process_of(clk), clk, until_mono_ns);
}

static bool clock_says_stop(struct clock *clk)
{
    return process_stopped(process_of(clk), clk);
}

static struct clock_child *child_of(struct clock *clk)
{
    return (struct clock_child *)(void *)clk;
}

/* The same clock, stopped by itself too: what src/base/clock.c does with descriptors, which know
 * nothing of our time. */
static int64_t child_mono_ns(struct clock *clk)
{
    return clock_mono_ns(child_of(clk)->parent);
}

static int64_t child_unix_ns(struct clock *clk)
{
    return clock_unix_ns(child_of(clk)->parent);
}

/* For messages, which are there or not: what they read must not change what happens. */
static int64_t words_unix_ns(struct clock *clk)
{
    const struct world *w = process_of(child_of(clk)->parent)->w;
    return world_unix_ns(w) + w->skew_ns;
}

struct process *process_of(struct clock *clk)
{
    while (clk->mono_ns == child_mono_ns)
        clk = child_of(clk)->parent;
    return (struct process *)(void *)clk;
}

bool process_stopped(const struct process *p, const struct clock *clk)
{
    if (p->killed || tasks_mono_ns(p->w->tasks) >= p->stop_at_mono_ns)
        return true;
    for (; clk->mono_ns == child_mono_ns; clk = ((const struct clock_child *)clk)->parent) {
        if (((const struct clock_child *)clk)->own_fd)
            return true;
    }
    return false;
}

int __wrap_clock_child_init(struct clock_child *child, struct clock *parent, struct error *err);
void __wrap_clock_child_stop(struct clock_child *child);
void __wrap_clock_child_release(struct clock_child *child);

int __wrap_clock_child_init(struct clock_child *child, struct clock *parent, struct error *err)
{
    (void)err;
    *child = (struct clock_child){ .parent = parent };
    child->clk = (struct clock){ .unix_ns = child_unix_ns,
                                 .mono_ns = child_mono_ns,
                                 .sleep_until = process_sleep_until,
                                 .stopped = clock_says_stop,
                                 .stop_fd = -1 };
    return 0;
}

void __wrap_clock_child_stop(struct clock_child *child)
{
    child->own_fd = 1;
    tasks_wake(process_of(&child->clk)->w->tasks, child);
}

void __wrap_clock_child_release(struct clock_child *child)
{
    (void)child;
}

void process_set_clock(struct world *w, int64_t skew_ns)
{
    if (skew_ns > w->skew_ns)
        w->set_ahead_mono_ns = tasks_mono_ns(w->tasks);
    if (skew_ns != w->skew_ns)
        world_say(w, "the clock is set, to %lld s ahead", (long long)(skew_ns / NS_PER_S));
    w->skew_ns = skew_ns;
}

void process_upset_clock(struct world *w, int permille)
{
    struct rng *r = &w->faults;
    if (w->calm || !rng_permille(r, permille))
        return;
    int64_t size_ns = rng_between(r, 45 * NS_PER_S, RNG_PICK(r, MINUTE, HOUR, 6 * HOUR));
    process_set_clock(w, size_ns * RNG_PICK(r, -1, 0, 1));
}

bool process_lives(struct process *p, bool after)
{
    if (p->killed)
        return false;
    if (!after)
        p->operations++;
    if (p->w->settings->with & WITH_JUMPS_WITHIN)
        process_upset_clock(p->w, 2);
    if (p->operations != p->plan->kill_at || p->plan->kill_after != after)
        return true;
    p->killed = true;
    p->w->faults_in_run++;
    p->w->totals.kills++;
    world_say(p->w, "run %d is killed", p->number);
    for (size_t i = 0; i < p->w->plan.source_count; i++)
        book_unnoted(p->w, &p->w->origins[i]);
    for (size_t i = 0; i < SOURCES_MAX; i++)
        p->w->budgets[i].not_before_mono_ns = 0; /* it may have died with that word */
    tasks_wake_owned(p->w->tasks, p);
    return false;
}

void process_init(struct process *p, struct world *w, const struct run_plan *plan, int number)
{
    *p = (struct process){ .w = w, .plan = plan, .number = number };
    p->clk = (struct clock){ .unix_ns = process_unix_ns,
                             .mono_ns = process_mono_ns,
                             .sleep_until = process_sleep_until,
                             .stopped = clock_says_stop,
                             .stop_fd = -1 };
    p->words = (struct clock_child){ .clk = { .unix_ns = words_unix_ns, .stop_fd = -1 },
                                     .parent = &p->clk };
    p->stop_at_mono_ns = plan->stop_ns ? tasks_mono_ns(w->tasks) + plan->stop_ns : TIME_FOREVER;
    store_of(p, &p->store);
}
