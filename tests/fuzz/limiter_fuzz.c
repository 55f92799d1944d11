/* limiter_fuzz.c -- the document in which runs remember their calls: whatever stands in it is read
 * or refused; what was read leaves between none and all of the budget, withholds a call for no
 * longer than a hold and two periods, and is followed by one that reads. */
#include "fuzz.h"

#include <string.h>

#include "base/buf.h"
#include "limiter.h"
#include "state/document.h"
#include "tests/unit/fake_clock.h"

#define KEY       "forge app"
#define CALLS     4
#define PERIOD_NS (60 * NS_PER_S)
/* A 429's longest hold, then what others' calls may count for, the last of them from a permit's. */
#define WAIT_MOST_NS (LIMITER_HOLD_MOST_NS + 2 * PERIOD_NS)

/* A store of one document. */
struct memory {
    struct store store; /* first */
    struct buf content;
};

static struct buf *content_of(struct store *s)
{
    return &((struct memory *)(void *)s)->content;
}

static int get(struct store *s, const char *name, struct buf *out, struct store_version *version,
               struct error *err)
{
    (void)name, (void)err;
    buf_append_bytes(out, buf_bytes(content_of(s)));
    *version = (struct store_version){ { 0, 0, 1 } };
    return 0;
}

static int put(struct store *s, const char *name, struct bytes content,
               struct store_version *version, struct error *err)
{
    (void)name, (void)version, (void)err;
    buf_reset(content_of(s));
    buf_append_bytes(content_of(s), content);
    return 0;
}

static int lock(struct store *s, const char *name, int64_t give_up_mono_ns, struct store_lock **out,
                struct error *err)
{
    (void)s, (void)name, (void)give_up_mono_ns, (void)err;
    *out = NULL;
    return 0;
}

static void unlock(struct store *s, struct store_lock *held)
{
    (void)s, (void)held;
}

/* The input as the body of a good document: no fuzzer finds a checksum. */
static void fill(struct store *s, struct bytes body)
{
    struct store_version version;
    struct error err;
    struct buf whole = BUF_INIT(1 << 24);
    document_begin(&whole);
    buf_append_bytes(&whole, body);
    FUZZ_CHECK(document_put(s, "", &whole, &version, &err) == 0);
    buf_release(&whole);
}

static int left_in(struct store *s, struct clock *clk, int *left, struct error *err)
{
    int rc = limiter_left(s, clk, KEY, CALLS, PERIOD_NS, left, err);
    FUZZ_CHECK(rc == 0 || (err->kind == ERR_STATE && err->text[0]));
    FUZZ_CHECK(rc != 0 || (*left >= 0 && *left <= CALLS));
    return rc;
}

/* One call beside those that the document knows. */
static void call(struct store *s, struct clock *clk)
{
    struct error err = { 0 };
    struct permit permit;
    int left = 0;
    struct limiter *l = limiter_create(s, clk, KEY, CALLS, PERIOD_NS);
    FUZZ_CHECK(limiter_acquire(l, clk, clock_mono_ns(clk) + WAIT_MOST_NS, &permit, &err) == 0);
    FUZZ_CHECK(permit.send_before_mono_ns > clock_mono_ns(clk));
    limiter_done(l, &permit, clock_mono_ns(clk));
    FUZZ_CHECK(limiter_close(l, &err) == 0);
    FUZZ_CHECK(left_in(s, clk, &left, &err) == 0 && left < CALLS);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fake_clock fake = fake_clock();
    struct memory m = {
        .store = { .where = "fuzz", .get = get, .put = put, .lock = lock, .unlock = unlock },
        .content = BUF_INIT(1 << 24),
    };
    struct error err = { 0 };
    int left = 0;
    fill(&m.store, (struct bytes){ (const char *)data, size });
    if (left_in(&m.store, &fake.clk, &left, &err) == 0)
        call(&m.store, &fake.clk);
    buf_release(&m.content);
    return 0;
}
