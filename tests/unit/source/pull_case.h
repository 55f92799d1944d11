/* pull_case.h -- one entry of a source as its tests ask it: settings, a request, a frame, a page.
 */
#ifndef OTLPULL_TESTS_PULL_CASE_H
#define OTLPULL_TESTS_PULL_CASE_H

#include <stdlib.h>

#include "base/clock.h"
#include "source/source.h"
#include "tests/unit/check.h"

#define SETTINGS_MOST 8

struct pull_case {
    struct setting settings[SETTINGS_MOST];
    struct stream st;
    struct ask ask;
    struct buf at; /* of ask */
    struct request request;
    struct page page;
    struct error err;
};

static inline void case_setup(struct pull_case *c, const struct source *type, struct span span)
{
    *c = (struct pull_case){
        .st = { .name = "s", .type = type, .endpoint = "https://api.example.com" },
        .ask = { .span = span },
        .at = BUF_INIT(CURSOR_MAX),
        .request = REQUEST_INIT,
        .page = PAGE_INIT,
    };
    c->st.settings = c->settings;
}

static inline void case_teardown(struct pull_case *c)
{
    buf_release(&c->at);
    request_release(&c->request);
    page_release(&c->page);
}

static inline int case_request(struct pull_case *c)
{
    c->ask.at = buf_bytes(&c->at);
    request_reset(&c->request);
    return c->st.type->request(&c->st, &c->ask, &c->request, &c->err);
}

static inline int case_decode(struct pull_case *c, struct bytes frame)
{
    /* A copy in a block of just its size: a sanitizer then sees any read past its end. */
    char *exact = xmalloc(frame.len);
    c->ask.at = buf_bytes(&c->at);
    memcpy(exact, frame.data, frame.len);
    int rc = c->st.type->decode(&c->st, &c->ask, (struct bytes){ exact, frame.len }, &c->page,
                                &c->err);
    free(exact);
    return rc;
}

/* Go on where the last page says. */
static inline void case_go_on(struct pull_case *c)
{
    buf_reset(&c->at);
    buf_append_bytes(&c->at, buf_bytes(&c->page.next.text));
}

static inline void case_check_record(const struct pull_case *c, size_t i, const char *resource,
                                     const char *record)
{
    assert_true(i < c->page.count);
    check_bytes(page_resource_of(&c->page, i), bytes_of(resource));
    struct bytes got = { c->page.records[i].text, c->page.records[i].len };
    check_bytes(got, bytes_of(record));
}

/* A file of tests/data; tests run at the repository's top. */
static inline void case_load(const char *path, struct buf *out)
{
    char block[4096];
    size_t len;
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    while ((len = fread(block, 1, sizeof(block), file)) > 0)
        buf_append(out, block, len);
    fclose(file);
}

/* Random numbers that are the same in every run. */
static inline uint64_t case_random(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return *state >> 33;
}

#endif
