/* tasks.h -- threads that are none: the program's pthread calls end here (the linker's --wrap), and
 * become tasks of which one runs at a time. Which goes on where several could is drawn by the seed,
 * and time passes only while none can: the same seed gives the same run, thread for thread. */
#ifndef OTLPULL_TESTS_MODEL_TASKS_H
#define OTLPULL_TESTS_MODEL_TASKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rng.h"

struct tasks;

/* One for the whole process: pthread_mutex_lock() is told no more than a mutex. */
struct tasks *tasks_create(void);
void tasks_destroy(struct tasks *t);

/* No task, and this moment. Tasks that never ended are forgotten. */
void tasks_reset(struct tasks *t, struct rng chance, int64_t mono_ns);

int64_t tasks_mono_ns(const struct tasks *t);

/* Time goes on by itself too, a little. */
void tasks_pass(struct tasks *t, int64_t ns);

/* A task that tasks_run() begins. `owner`: whom tasks_wake_owned() wakes; inherited by the threads
 * that it makes. */
void tasks_add(struct tasks *t, void *(*work)(void *), void *arg, void *owner);

/* Until all have ended. False: they wait for each other, for ever, or for longer than `most_ns`. */
bool tasks_run(struct tasks *t, int64_t most_ns);

/* For the task that runs: wait until somebody wakes those that wait `on` this (true), or for that
 * moment (false). */
bool tasks_wait(struct tasks *t, const void *on, int64_t until_mono_ns);
void tasks_wake(struct tasks *t, const void *on);

/* Wake every task of an owner that waits for a moment, whatever it waits on. */
void tasks_wake_owned(struct tasks *t, const void *owner);

/* Let another go first, perhaps. */
void tasks_yield(struct tasks *t);

#endif
