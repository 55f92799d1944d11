/* pull_fuzz.h -- what holds for any source, whatever a platform answers and whatever stands in the
 * state: a first line of input is the cursor, the rest the frame. */
#ifndef OTLPULL_TESTS_PULL_FUZZ_H
#define OTLPULL_TESTS_PULL_FUZZ_H

#include <string.h>

#include "fuzz.h"
#include "source/source.h"

struct pull_fuzz {
    struct stream st;
    struct ask ask;
    struct bytes frame;
};

static inline void pull_fuzz_split(struct pull_fuzz *p, const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    const char *newline = size ? memchr(text, '\n', size) : NULL;
    size_t len = newline ? (size_t)(newline - text) : size;
    p->ask.at = (struct bytes){ text, len };
    p->frame = newline ? (struct bytes){ newline + 1, size - len - 1 } : (struct bytes){ "", 0 };
}

/* Each is a record by a strict reading, and they are the same each time the frame is read. */
static inline void pull_fuzz_check(const struct page *page, const struct page *again)
{
    FUZZ_CHECK(page->count == again->count && page->next.more == again->next.more);
    FUZZ_CHECK(bytes_equal(buf_bytes(&page->next.text), buf_bytes(&again->next.text)));
    for (size_t i = 0; i < page->count; i++) {
        const struct otlp_record *a = &page->records[i], *b = &again->records[i];
        struct otlp_scan s;
        struct bytes resource = page_resource_of(page, i);
        FUZZ_CHECK(a->len == b->len && memcmp(a->text, b->text, a->len) == 0);
        otlp_scan_init(&s, a->text, a->len);
        FUZZ_CHECK(otlp_scan_value(&s, NULL) && otlp_scan_end(&s));
        FUZZ_CHECK(bytes_equal(resource, page_resource_of(again, i)));
        while (resource.len > 0) { /* attributes with commas between */
            otlp_scan_init(&s, resource.data, resource.len);
            FUZZ_CHECK(otlp_scan_value(&s, NULL) && (s.at == s.end || *s.at == ','));
            size_t done = (size_t)(s.at - resource.data) + (s.at < s.end);
            resource = (struct bytes){ resource.data + done, resource.len - done };
        }
    }
}

/* Where to go on is another place than this, and one that can be asked for. */
static inline void pull_fuzz_next(struct pull_fuzz *p, const struct page *page)
{
    struct request request = REQUEST_INIT;
    struct error err = { 0 };
    struct ask next = p->ask;
    next.at = buf_bytes(&page->next.text);
    FUZZ_CHECK(!page->next.text.full && next.at.len > 0 && !bytes_equal(next.at, p->ask.at));
    FUZZ_CHECK(p->st.type->request(&p->st, &next, &request, &err) == 0 && !request.url.full);
    request_release(&request);
}

static inline void pull_fuzz_run(struct pull_fuzz *p)
{
    struct page page = PAGE_INIT, again = PAGE_INIT;
    struct request request = REQUEST_INIT;
    struct error err = { 0 };
    bool ours = p->st.type->request(&p->st, &p->ask, &request, &err) == 0;
    FUZZ_CHECK(ours || err.kind == ERR_INPUT);
    int rc = p->st.type->decode(&p->st, &p->ask, p->frame, &page, &err);
    FUZZ_CHECK(rc == 0 ? ours : err.kind == ERR_INPUT && page.count == 0);
    if (rc == 0) {
        FUZZ_CHECK(p->st.type->decode(&p->st, &p->ask, p->frame, &again, &err) == 0);
        pull_fuzz_check(&page, &again);
        if (page.next.more)
            pull_fuzz_next(p, &page);
    }
    page_release(&page);
    page_release(&again);
    request_release(&request);
}

#endif
