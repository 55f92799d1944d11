/* fetch.h -- one page of one source: permit → request → reply → records, tried again as long as its
 * retry settings say. Every request on the wire has had a permit of its own. */
#ifndef OTLPULL_FETCH_H
#define OTLPULL_FETCH_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/error.h"
#include "config.h"
#include "limiter.h"
#include "net/http.h"
#include "source/source.h"

/* What a type's prepare() has given, for all that fetch of one source at once. */
struct session {
    pthread_mutex_t mutex;
    struct buf text;
    int64_t had_mono_ns;
};

void session_init(struct session *s);
void session_release(struct session *s);

struct fetch {
    const struct source_config *source;
    struct session *session;
    struct limiter *limiter;
    struct http *http;
    struct clock *clk;
    int64_t calls;   /* requests made */
    int64_t retries; /* of these, those that came after another for the same page */
    /* May be NULL: told when a call goes out, having had its permit, and when it is over. */
    void (*on_wire)(void *arg, bool yes);
    void *on_wire_arg;
    struct reply reply;
};

/* All is borrowed. */
void fetch_init(struct fetch *f, const struct source_config *source, struct session *session,
                struct limiter *limiter, struct http *http, struct clock *clk);

/* Fill `out` with the page that `at` names; its records are spans of f->reply.body and of its own
 * text, good until the next call. ERR_INPUT: the platform refuses the request; with a cursor most
 * likely that, so that the window must begin anew. ERR_PLATFORM, ERR_AUTH, ERR_CONFIG, ERR_DEADLINE
 * (no permit in time), ERR_STATE, ERR_STOPPED. */
int fetch_page(struct fetch *f, const struct span *span, const struct cursor *at, struct page *out,
               int64_t deadline_mono_ns, struct error *err);

/* A number for the request that begins `span`: pages of it belong together only while it stays. */
int fetch_query(const struct source_config *source, const struct span *span, uint64_t *query,
                struct error *err);

void fetch_release(struct fetch *f);

#endif
