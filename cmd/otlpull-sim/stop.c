#include "stop.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "base/buf.h"
#include "base/clock.h"

struct stop {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool stopped;
};

struct stop *stop_create(void)
{
    struct stop *stop = xcalloc(1, sizeof(*stop));
    pthread_condattr_t attributes;
    pthread_mutex_init(&stop->mutex, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&stop->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    return stop;
}

void stop_all(struct stop *stop)
{
    pthread_mutex_lock(&stop->mutex);
    stop->stopped = true;
    pthread_cond_broadcast(&stop->changed);
    pthread_mutex_unlock(&stop->mutex);
}

void stop_destroy(struct stop *stop)
{
    if (!stop)
        return;
    pthread_cond_destroy(&stop->changed);
    pthread_mutex_destroy(&stop->mutex);
    free(stop);
}

bool stop_wait(struct stop *stop, int64_t ns)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    int64_t nanos = until.tv_nsec + ns % NS_PER_S;
    until.tv_sec += (time_t)(ns / NS_PER_S + nanos / NS_PER_S);
    until.tv_nsec = (long)(nanos % NS_PER_S);
    pthread_mutex_lock(&stop->mutex);
    int rc = 0;
    while (!stop->stopped && rc != ETIMEDOUT)
        rc = pthread_cond_timedwait(&stop->changed, &stop->mutex, &until);
    bool on = !stop->stopped;
    pthread_mutex_unlock(&stop->mutex);
    return on;
}
