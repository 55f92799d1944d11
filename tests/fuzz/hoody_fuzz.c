/* hoody_fuzz.c -- an answer of Hoody's proxy logs, and a stored place. The input: a byte of
 * settings, a line that is the place, and the frame. What is read again comes out the same; every
 * record is a strict one; where it goes on can be asked for. */
#include "fuzz.h"

#include <string.h>

#include "base/timefmt.h"
#include "source/source.h"

/* As the fields of hoody stand. */
enum { BASE_URL, FANOUT = 2, PROJECT, LEVELS = 6, LIMIT = 12, FIELDS = 14 };

struct result {
    int rc;
    struct page page;
    struct error err;
};

static void check_records(const struct page *page)
{
    for (size_t i = 0; i < page->count; i++) {
        struct otlp_scan s;
        struct otlp_text raw;
        struct bytes more = page_resource_of(page, i);
        otlp_scan_init(&s, page->records[i].text, page->records[i].len);
        FUZZ_CHECK(otlp_scan_value(&s, &raw) && otlp_scan_end(&s) && raw.data[0] == '{');
        for (otlp_scan_init(&s, more.data, more.len); more.len > 0;) {
            FUZZ_CHECK(otlp_scan_value(&s, &raw) && raw.data[0] == '{');
            if (s.at == s.end)
                break;
            FUZZ_CHECK(*s.at++ == ',');
        }
    }
}

static void check_request(const struct stream *st, struct bytes at)
{
    struct request request = REQUEST_INIT;
    struct error err = { 0 };
    struct ask ask = { .span = { NS_PER_S, 2 * NS_PER_S }, .at = at };
    FUZZ_CHECK(st->type->request(st, &ask, &request, &err) == 0);
    for (size_t i = 0; i < request.url.len; i++)
        FUZZ_CHECK(request.url.data[i] > ' ' && request.url.data[i] < 0x7f);
    request_release(&request);
}

static void decode(const struct stream *st, struct bytes at, struct bytes frame, struct result *out)
{
    struct ask ask = { .span = { NS_PER_S, 2 * NS_PER_S }, .at = at };
    *out = (struct result){ .page = PAGE_INIT };
    out->rc = st->type->decode(st, &ask, frame, &out->page, &out->err);
    FUZZ_CHECK(out->rc == 0 || (out->err.kind == ERR_INPUT && out->err.text[0]));
    FUZZ_CHECK(out->rc == 0 || (out->page.count == 0 && !out->page.next.more));
}

static void check_same(const struct page *a, const struct page *b)
{
    FUZZ_CHECK(a->count == b->count && a->status == b->status && a->next.more == b->next.more);
    FUZZ_CHECK(bytes_equal(buf_bytes(&a->text), buf_bytes(&b->text)));
    FUZZ_CHECK(bytes_equal(buf_bytes(&a->resources), buf_bytes(&b->resources)));
    FUZZ_CHECK(bytes_equal(buf_bytes(&a->next.text), buf_bytes(&b->next.text)));
}

/* What the same answer gives once it was read to its end: nothing more of what has a number. */
static void check_again(const struct stream *st, const struct page *first, struct bytes frame)
{
    struct result again;
    decode(st, buf_bytes(&first->next.text), frame, &again);
    FUZZ_CHECK(again.rc == 0 && again.page.count <= first->count);
    check_records(&again.page);
    page_release(&again.page);
}

static void check_counts(const struct stream *st, struct bytes frame)
{
    struct stream counts = *st;
    struct result result;
    struct otlp_scan s;
    counts.type = st->type->stats;
    decode(&counts, BYTES(""), frame, &result);
    otlp_scan_init(&s, buf_bytes(&result.page.text).data, result.page.text.len);
    FUZZ_CHECK(result.rc || (otlp_scan_value(&s, NULL) && otlp_scan_end(&s)));
    page_release(&result.page);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const levels[] = { "warn", "error" };
    const uint8_t *line = size > 1 ? memchr(data + 1, '\n', size - 1) : NULL;
    if (!line || size > 1 << 20)
        return 0;
    struct bytes at = { (const char *)data + 1, (size_t)(line - data - 1) };
    struct bytes frame = { (const char *)line + 1, (size_t)(data + size - line - 1) };
    struct setting settings[FIELDS] = { [BASE_URL] = { .text = "http://x" },
                                        [FANOUT] = { .number = data[0] & 1 },
                                        [LIMIT] = { .number = 1 + (data[0] >> 4) } };
    if (data[0] & 2)
        settings[PROJECT].text = "p";
    if (data[0] & 4)
        settings[LEVELS] = (struct setting){ .list = levels, .list_count = 2 };
    struct stream st = { .name = "s", .type = &source_hoody, .settings = settings };
    struct result first, second;
    decode(&st, at, frame, &first);
    decode(&st, at, frame, &second);
    check_same(&first.page, &second.page);
    if (first.rc == 0 && first.page.status == 0) {
        check_records(&first.page);
        check_request(&st, buf_bytes(&first.page.next.text));
        if (!first.page.next.more)
            check_again(&st, &first.page, frame);
    }
    check_counts(&st, frame);
    page_release(&first.page);
    page_release(&second.page);
    return 0;
}
