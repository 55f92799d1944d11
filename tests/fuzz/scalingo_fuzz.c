/* scalingo_fuzz.c -- a poll of Scalingo's log from any place: the input is the place's text, then
 * the answers that come, with "\n==\n" between. Whatever they are, each is refused whole or leads
 * on to a place that can be asked for, and what it yields are records. */
#include "fuzz.h"

#include <string.h>

#include "base/timefmt.h"
#include "source/scalingo_line.h"
#include "source/source.h"

#define STEPS_MOST  40
#define SESSION_MAX ((size_t)1 << 20)

/* As the fields of scalingo stand. */
enum { APP, API_TOKEN, REGION, AUTH_ENDPOINT, API_ENDPOINT, LOGS_URL, LINES, FILTER, MODE, FIELDS };

struct poll {
    struct setting settings[FIELDS];
    struct stream st;
    struct ask ask;
    struct buf at, session;
    struct request request;
    struct page page;
    struct bytes rest; /* of the input */
};

static struct bytes next_frame(struct poll *p)
{
    const char *end = memmem(p->rest.data, p->rest.len, "\n==\n", 4);
    struct bytes frame = { p->rest.data, end ? (size_t)(end - p->rest.data) : p->rest.len };
    size_t used = end ? frame.len + 4 : frame.len;
    p->rest.data += used;
    p->rest.len -= used;
    return frame;
}

static const struct ask *ask_of(struct poll *p)
{
    p->ask.at = buf_bytes(&p->at);
    p->ask.session = buf_bytes(&p->session);
    return &p->ask;
}

static void check_url(const struct poll *p)
{
    struct bytes url = buf_bytes(&p->request.url);
    FUZZ_CHECK(url.len > 0 && (memcmp(url.data, "http", 4) == 0));
    for (size_t i = 0; i < url.len; i++)
        FUZZ_CHECK(url.data[i] > ' ' && url.data[i] < 0x7f);
}

/* All that is missing before a frame; false: an answer was refused. */
static bool have_session(struct poll *p)
{
    struct error err = { 0 };
    for (int i = 0; i < 64; i++) {
        FUZZ_CHECK(source_scalingo.prepare(&p->st, ask_of(p), &p->request, &err) == 0);
        if (p->request.url.len == 0)
            return true;
        check_url(p);
        if (source_scalingo.prepared(&p->st, ask_of(p), next_frame(p), &p->session, &err)) {
            FUZZ_CHECK(err.kind == ERR_INPUT && err.text[0]);
            return false;
        }
        FUZZ_CHECK(!p->session.full);
    }
    FUZZ_CHECK(!"a session is at most 64 pieces");
    return false;
}

static void check_records(const struct poll *p)
{
    for (size_t i = 0; i < p->page.count; i++) {
        struct otlp_record again;
        struct otlp_scan s;
        uint64_t unix_ns;
        otlp_scan_init(&s, p->page.records[i].text, p->page.records[i].len);
        FUZZ_CHECK(otlp_scan_record(&s, &again) && otlp_scan_end(&s));
        FUZZ_CHECK(otlp_record_time(&again, OTLP_TIME, &unix_ns) && unix_ns <= INT64_MAX);
        struct bytes resource = page_resource_of(&p->page, i);
        if (resource.len == 0)
            continue;
        otlp_scan_init(&s, resource.data, resource.len);
        FUZZ_CHECK(otlp_scan_value(&s, NULL) && otlp_scan_end(&s));
    }
}

/* One frame; false: that was all. */
static bool step(struct poll *p)
{
    struct error err = { 0 };
    FUZZ_CHECK(source_scalingo.request(&p->st, ask_of(p), &p->request, &err) == 0);
    check_url(p);
    if (source_scalingo.decode(&p->st, ask_of(p), next_frame(p), &p->page, &err)) {
        FUZZ_CHECK(err.kind == ERR_INPUT && err.text[0]);
        FUZZ_CHECK(p->page.count == 0 && !p->page.next.more);
        return false;
    }
    FUZZ_CHECK(p->page.next.text.len > 0 && !p->page.next.text.full);
    FUZZ_CHECK(!memmem(p->page.next.text.data, p->page.next.text.len, "://", 3));
    FUZZ_CHECK(p->page.lost.start_unix_ns <= p->page.lost.end_unix_ns);
    check_records(p);
    buf_reset(&p->at);
    buf_append_bytes(&p->at, buf_bytes(&p->page.next.text));
    return p->page.next.more;
}

static void check_line(struct bytes line)
{
    struct scalingo_line read;
    bool is_one = scalingo_line_read(line, &read);
    FUZZ_CHECK(is_one == (read.unix_ns > 0) && is_one == (read.container.len > 0));
    FUZZ_CHECK(read.text.len <= line.len && read.container.len <= line.len);
    FUZZ_CHECK(is_one || bytes_equal(read.text, line));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct poll p = { .settings = { [APP] = { .text = "a" },
                                    [API_TOKEN] = { .text = "t" },
                                    [REGION] = { .text = "osc-fr1" },
                                    [AUTH_ENDPOINT] = { .text = "https://auth.example" },
                                    [LINES] = { .number = 4 } },
                      .at = BUF_INIT(CURSOR_MAX),
                      .session = BUF_INIT(SESSION_MAX),
                      .request = REQUEST_INIT,
                      .page = PAGE_INIT,
                      .rest = { (const char *)data, size } };
    struct error err = { 0 };
    p.st = (struct stream){ .name = "s", .type = &source_scalingo, .settings = p.settings };
    p.ask.span = (struct span){ INT64_C(1772442910) * NS_PER_S, INT64_C(1772442940) * NS_PER_S };
    if (size > 1 << 20)
        return 0;
    check_line(p.rest);
    buf_append_bytes(&p.at, next_frame(&p));
    if (p.at.full || source_scalingo.request(&p.st, ask_of(&p), &p.request, &err)) {
        FUZZ_CHECK(p.at.full || err.kind == ERR_INPUT);
        goto out;
    }
    for (int i = 0; i < STEPS_MOST && have_session(&p) && step(&p); i++)
        ;
out:
    buf_release(&p.at);
    buf_release(&p.session);
    request_release(&p.request);
    page_release(&p.page);
    return 0;
}
