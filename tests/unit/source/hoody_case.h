/* hoody_case.h -- one Hoody source with its settings, and a request and an answer of it. */
#ifndef OTLPULL_TESTS_HOODY_CASE_H
#define OTLPULL_TESTS_HOODY_CASE_H

#include <stdlib.h>

#include "base/timefmt.h"
#include "source/source.h"
#include "tests/unit/check.h"

/* As the fields of hoody stand. */
enum {
    BASE_URL,
    TOKEN,
    FANOUT,
    PROJECT,
    CONTAINER,
    SERVICE,
    LEVELS,
    KIND,
    ORIGIN,
    METHOD,
    REQUEST_BODY,
    RESPONSE_BODY,
    LIMIT,
    MODE,
    FIELDS
};

#define BASE  "https://p-c-logs-1.node.example.com/deep"
#define START (1000 * NS_PER_MS) /* of the span */

struct fixture {
    struct setting settings[FIELDS];
    struct stream st;
    struct ask ask;
    struct buf at;
    struct request request;
    struct page page;
    struct error err;
};

static inline void setup(struct fixture *f)
{
    *f = (struct fixture){
        .settings = { [BASE_URL] = { .text = BASE }, [LIMIT] = { .number = 2 } },
        .st = { .name = "s", .type = &source_hoody },
        .ask = { .span = { START, 2 * START } },
        .at = BUF_INIT((size_t)2 * CURSOR_MAX),
        .request = REQUEST_INIT,
        .page = PAGE_INIT,
    };
    f->st.settings = f->settings;
}

static inline void teardown(struct fixture *f)
{
    buf_release(&f->at);
    request_release(&f->request);
    page_release(&f->page);
}

static inline int request(struct fixture *f)
{
    f->ask.at = buf_bytes(&f->at);
    return source_hoody.request(&f->st, &f->ask, &f->request, &f->err);
}

static inline int decode(struct fixture *f, struct bytes frame)
{
    /* A copy in a block of just its size: a sanitizer then sees any read past its end. */
    char *exact = xmalloc(frame.len);
    memcpy(exact, frame.data, frame.len);
    f->ask.at = buf_bytes(&f->at);
    int rc = source_hoody.decode(&f->st, &f->ask, (struct bytes){ exact, frame.len }, &f->page,
                                 &f->err);
    free(exact);
    return rc;
}

#endif
