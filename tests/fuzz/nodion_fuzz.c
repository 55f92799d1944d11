/* nodion_fuzz.c -- a cursor and an answer of Nodion's: records are right, and a window goes on. The
 * answer is read as an application's, too. */
#include "pull_fuzz.h"

#include "base/timefmt.h"

static void read_application(struct pull_fuzz *p)
{
    struct buf session = BUF_INIT(65536);
    struct request request = REQUEST_INIT;
    struct error err = { 0 };
    if (source_nodion.prepared(&p->st, &p->ask, p->frame, &session, &err) == 0 && !session.full) {
        p->ask.session = buf_bytes(&session);
        FUZZ_CHECK(source_nodion.prepare(&p->st, &p->ask, &request, &err) == 0);
        FUZZ_CHECK(request.url.len == 0);
        pull_fuzz_run(p);
    }
    buf_release(&session);
    request_release(&request);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct setting settings[] = {
        { .text = "app" }, { .text = "key" }, { 0 }, { 0 }, { .number = 3 }
    };
    struct pull_fuzz p = { .st = { "s", &source_nodion, "https://a.b", settings, true } };
    p.ask.span = (struct span){ INT64_C(1762930800) * NS_PER_S, INT64_C(1762934400) * NS_PER_S };
    pull_fuzz_split(&p, data, size);
    pull_fuzz_run(&p);
    p.st.service_named = false;
    read_application(&p);
    return 0;
}
