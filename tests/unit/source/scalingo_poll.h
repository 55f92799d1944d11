/* scalingo_poll.h -- a poll of Scalingo's log, answer by answer. It begins at 09:15:10, of a stream
 * that asks for four lines at first; texts are those of lines by L(SECOND, TEXT). */
#ifndef OTLPULL_TESTS_SCALINGO_POLL_H
#define OTLPULL_TESTS_SCALINGO_POLL_H

#include <stdlib.h>

#include "base/timefmt.h"
#include "source/source.h"
#include "tests/unit/check.h"

/* As the fields of scalingo stand. */
enum { APP, API_TOKEN, REGION, AUTH_ENDPOINT, API_ENDPOINT, LOGS_URL, LINES, FILTER, MODE, FIELDS };

#define MARCH           INT64_C(1772442900) /* 2026-03-02T09:15:00Z */
#define L(second, text) "2026-03-02 09:15:" second " +0000 UTC [w-1] " text "\n"
#define GIVEN           "Ttok\nUhttps://logs.example/apps/a/logs?token=x&timestamp=7\n"

struct fixture {
    struct setting settings[FIELDS];
    struct stream st;
    struct ask ask;
    struct buf at, session;
    struct request request;
    struct page page;
    struct error err;
};

static inline void setup(struct fixture *f)
{
    *f = (struct fixture){
        .settings = { [APP] = { .text = "my app" },
                      [API_TOKEN] = { .text = "tk-us-secret" },
                      [REGION] = { .text = "osc-fr1" },
                      [AUTH_ENDPOINT] = { .text = "https://auth.example/" },
                      [LINES] = { .number = 4 } },
        .st = { .name = "s", .type = &source_scalingo },
        .at = BUF_INIT(CURSOR_MAX),
        .session = BUF_INIT((size_t)1 << 20),
        .request = REQUEST_INIT,
        .page = PAGE_INIT,
    };
    f->st.settings = f->settings;
    f->ask.span = (struct span){ (MARCH + 10) * NS_PER_S, (MARCH + 40) * NS_PER_S };
    buf_append_text(&f->session, GIVEN);
}

static inline void teardown(struct fixture *f)
{
    buf_release(&f->at);
    buf_release(&f->session);
    request_release(&f->request);
    page_release(&f->page);
}

static inline const struct ask *ask_of(struct fixture *f)
{
    f->ask.at = buf_bytes(&f->at);
    f->ask.session = buf_bytes(&f->session);
    return &f->ask;
}

static inline int request(struct fixture *f)
{
    return source_scalingo.request(&f->st, ask_of(f), &f->request, &f->err);
}

static inline int prepare(struct fixture *f)
{
    return source_scalingo.prepare(&f->st, ask_of(f), &f->request, &f->err);
}

static inline int prepared(struct fixture *f, const char *frame)
{
    return source_scalingo.prepared(&f->st, ask_of(f), bytes_of(frame), &f->session, &f->err);
}

static inline int decode(struct fixture *f, const char *frame, size_t len)
{
    char *exact = xmalloc(len); /* so that a sanitizer sees any read past its end */
    memcpy(exact, frame, len);
    int rc = source_scalingo.decode(&f->st, ask_of(f), (struct bytes){ exact, len }, &f->page,
                                    &f->err);
    free(exact);
    return rc;
}

/* Decode, and go on to where it says; what it yielded, as "text text ". */
static inline void step(struct fixture *f, const char *frame, const char *want, bool more)
{
    static const char begin[] = "\"stringValue\":\"";
    struct buf got = BUF_INIT(8192);
    check_i64(decode(f, frame, strlen(frame)), 0);
    for (size_t i = 0; i < f->page.count; i++) {
        const struct otlp_record *r = &f->page.records[i];
        const char *text = memmem(r->text, r->len, begin, sizeof(begin) - 1);
        text += sizeof(begin) - 1;
        const char *end = memchr(text, '"', r->len);
        buf_append(&got, text, (size_t)(end - text));
        buf_append_char(&got, ' ');
    }
    check_text(buf_text(&got), want);
    check_i64(f->page.next.more, more);
    buf_reset(&f->at);
    buf_append_bytes(&f->at, buf_bytes(&f->page.next.text));
    buf_release(&got);
}

static inline void check_lost(struct fixture *f, int64_t from_s, int64_t to_s)
{
    int64_t start = f->page.lost.start_unix_ns, end = f->page.lost.end_unix_ns;
    check_i64(start == end ? 0 : start / NS_PER_S - MARCH, from_s);
    check_i64(start == end ? 0 : end / NS_PER_S - MARCH, to_s);
}

static inline void check_asks_lines(struct fixture *f, int lines)
{
    char want[120];
    snprintf(want, sizeof(want), "https://logs.example/apps/a/logs?token=x&timestamp=7&n=%d",
             lines);
    check_i64(request(f), 0);
    check_text(buf_text(&f->request.url), want);
}

/* The listing of one page, fetched twice: first whether there is any, then for its URLs. */
static inline void list(struct fixture *f, const char *frame)
{
    check_i64(request(f), 0);
    check_text(buf_text(&f->request.url),
               "https://api.osc-fr1.scalingo.com/v1/apps/my%20app/logs_archives");
    step(f, frame, "", true);
    check_i64(prepare(f), 0);
    check_text(buf_text(&f->request.url),
               "https://api.osc-fr1.scalingo.com/v1/apps/my%20app/logs_archives");
    check_i64(prepared(f, frame), 0);
    check_i64(prepare(f), 0);
    check_text(buf_text(&f->request.url), "");
}

static inline void check_asks(struct fixture *f, const char *url)
{
    check_i64(request(f), 0);
    check_text(buf_text(&f->request.url), url);
}

#define ARCHIVE(url, from, to)                                                                     \
    "{\"url\":\"https://s3.example/" url "\",\"size\":99,"                                         \
    "\"from\":\"Mon Mar  2 09:15:" from " +0000 UTC 2026\","                                       \
    "\"to\":\"Mon Mar  2 09:15:" to " +0000 UTC 2026\"}"
#define LISTED(archives) "{\"next_cursor\":\"\",\"has_more\":false,\"archives\":[" archives "]}"

#endif
