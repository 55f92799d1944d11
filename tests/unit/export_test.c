/* A batch and a collector that refuses: what is asked of it, and what becomes of each record. The
 * collector stands in http.c's place. */
#include "export.h"

#include <stdlib.h>

#include "tests/unit/check.h"
#include "tests/unit/fake_clock.h"

#define RECORDS_MAX 8192

/* A collector by rule. */
static struct collector {
    size_t poison[2];  /* records that it refuses ... */
    int poison_status; /* ... with this */
    int at, times;     /* from its at-th request on, from 1, so often this status, whatever comes */
    int status;
    size_t most; /* records, above which it says 413 or `over_status` */
    int over_status;
    int requests;
    int arrived[RECORDS_MAX]; /* how often each did */
} collector;

static bool is_poison(size_t id)
{
    return collector.poison_status && (id == collector.poison[0] || id == collector.poison[1]);
}

static int answer_to(const char *body)
{
    static size_t ids[RECORDS_MAX];
    size_t count = 0;
    bool poisoned = false;
    for (const char *at = body; (at = strstr(at, "\"id\":")); count++) {
        ids[count] = strtoul(at += 5, NULL, 10);
        poisoned = poisoned || is_poison(ids[count]);
    }
    collector.requests++;
    if (collector.requests >= collector.at && collector.requests < collector.at + collector.times)
        return collector.status;
    if (collector.most && count > collector.most)
        return collector.over_status;
    if (poisoned)
        return collector.poison_status;
    for (size_t i = 0; i < count; i++)
        collector.arrived[ids[i]]++;
    return 200;
}

int http_send(struct http *h, const struct request *request, struct reply *out,
              int64_t deadline_mono_ns, struct error *err)
{
    (void)h;
    (void)deadline_mono_ns;
    (void)err;
    buf_reset(&out->body);
    out->body.max = 1000;
    buf_append_text(&out->body, "no");
    out->status = answer_to(request->body.data);
    return 0;
}

/* An exporter for it, and a batch. */
struct post {
    struct fake_clock fake;
    struct exporter_config config;
    atomic_bool accepted;
    struct export ex;
    struct batch batch;
};

static void post_init(struct post *p)
{
    static const struct source_config source = { .scope_name = "s" };
    memset(p, 0, sizeof(*p));
    p->fake = fake_clock();
    p->config = (struct exporter_config){
        .url = "http://collector/v1/logs",
        .retry = { NS_PER_S, NS_PER_S, 60 * NS_PER_S, 1.0, 0.0 },
        .max_batch_records = RECORDS_MAX,
        .max_batch_bytes = (size_t)1 << 20,
    };
    atomic_store(&p->accepted, true);
    export_init(&p->ex, &p->config, NULL, &p->fake.clk, &p->accepted);
    batch_init(&p->batch, &source, &p->config);
}

static void post_release(struct post *p)
{
    batch_release(&p->batch);
    export_release(&p->ex);
}

/* Send the records 0 to n - 1 to a collector that is as `rule` says. */
static int post(struct post *p, size_t n, const struct collector *rule, struct error *err)
{
    collector = *rule;
    batch_reset(&p->batch);
    for (size_t i = 0; i < n; i++) {
        char text[32];
        int len = snprintf(text, sizeof(text), "{\"id\":%zu}", i);
        struct otlp_record record = { .text = text, .len = (uint32_t)len };
        assert_true(
            batch_add(&p->batch, &record, (struct bytes){ "", 0 }, 0, (struct otlp_text){ 0 }));
    }
    return export_batch(&p->ex, &p->batch, TIME_FOREVER, err);
}

/* Each record but the poison arrived once, and the poison is refused. */
static void check_all_settled(const struct post *p, size_t n)
{
    size_t refused = 0;
    for (size_t i = 0; i < n; i++) {
        check_i64(collector.arrived[i], !is_poison(i));
        check_i64(p->batch.items[i].fate, is_poison(i) ? FATE_REFUSED : FATE_DELIVERED);
        if (!is_poison(i))
            continue;
        assert_true(refused < p->ex.refusal_count);
        check_i64(p->ex.refusals[refused].index, i);
        check_i64(p->ex.refusals[refused].status, collector.poison_status);
        check_text(p->ex.refusals[refused].words, "no");
        refused++;
    }
    check_i64(p->ex.refusal_count, refused);
}

/* Whether so many requests beside the one are at most 2 log2(n), or log2(n + 1) where n is odd. */
static bool within(int more, size_t n)
{
    size_t even = n + n % 2;
    return (UINT64_C(1) << more) <= (uint64_t)even * even;
}

static void one_poison_costs_little_wherever_it_stands(void **state)
{
    static const int statuses[] = { 400, 500, 422 };
    struct post p;
    (void)state;
    post_init(&p);
    for (size_t s = 0; s < COUNT(statuses); s++) {
        for (size_t n = 1; n <= 300; n++) {
            for (size_t place = 0; place < n; place += n < 70 ? 1 : 7) {
                struct collector rule = { .poison = { place, place },
                                          .poison_status = statuses[s] };
                struct error err = { 0 };
                char row[64];
                snprintf(row, sizeof(row), "%d for %zu of %zu", statuses[s], place, n);
                check_row(row);
                check_i64(post(&p, n, &rule, &err), 0);
                check_all_settled(&p, n);
                check_i64(within(collector.requests - 1, n), true);
            }
        }
    }
    post_release(&p);
}

static void and_in_a_batch_of_the_usual_size(void **state)
{
    static const size_t places[] = { 0, 1, 4095, 4096, 5461, 8190, 8191 };
    struct post p;
    (void)state;
    post_init(&p);
    for (size_t i = 0; i < COUNT(places); i++) {
        struct collector rule = { .poison = { places[i], places[i] }, .poison_status = 400 };
        struct error err = { 0 };
        check_i64(post(&p, 8192, &rule, &err), 0);
        check_all_settled(&p, 8192);
        check_i64(collector.requests <= 1 + 26, true);
    }
    post_release(&p);
}

static void two_poisons_are_both_found(void **state)
{
    static const int statuses[] = { 400, 500, 413 };
    struct post p;
    (void)state;
    post_init(&p);
    for (size_t s = 0; s < COUNT(statuses); s++) {
        for (size_t n = 2; n <= 21; n++) {
            for (size_t a = 0; a < n; a++) {
                for (size_t b = a + 1; b < n; b++) {
                    struct collector rule = { .poison = { a, b }, .poison_status = statuses[s] };
                    struct error err = { 0 };
                    check_i64(post(&p, n, &rule, &err), 0);
                    check_all_settled(&p, n);
                }
            }
        }
    }
    post_release(&p);
}

/* A collector that is paused says 400 to what it takes a moment later. */
static void a_single_400_refuses_nobody(void **state)
{
    struct post p;
    (void)state;
    post_init(&p);
    for (size_t n = 1; n <= 100; n++) {
        struct collector rule = { .at = 1, .times = 1, .status = 400 };
        struct error err = { 0 };
        int64_t began = p.fake.mono_ns, retries = p.ex.counts.retries;
        check_i64(post(&p, n, &rule, &err), 0);
        check_all_settled(&p, n);
        check_i64(collector.requests, n > 1 ? 3 : 2);
        check_i64(p.fake.mono_ns - began, NS_PER_S);
        check_i64(p.ex.counts.retries - retries, 1);
    }
    post_release(&p);
}

/* Nor does one between other answers; a record in two pieces of bad luck is refused, not lost. */
static void a_single_400_amid_others_loses_nobody(void **state)
{
    static const struct collector rules[] = {
        { .most = 20, .over_status = 413 },
        { .poison = { 33, 33 }, .poison_status = 500 },
    };
    struct post p;
    (void)state;
    post_init(&p);
    for (size_t r = 0; r < COUNT(rules); r++) {
        for (int at = 1; at <= 20; at++) {
            struct collector rule = rules[r];
            struct error err = { 0 };
            rule.at = at;
            rule.times = 1;
            rule.status = 400;
            check_i64(post(&p, 64, &rule, &err), 0);
            check_all_settled(&p, 64);
        }
    }
    post_release(&p);
}

static void too_large_is_halved_until_it_fits(void **state)
{
    static const struct {
        size_t n, most;
        int status, requests;
    } rows[] = {
        { 64, 32, 413, 3 },  { 64, 63, 413, 3 }, { 64, 16, 413, 7 },
        { 64, 1, 413, 127 }, { 63, 16, 413, 7 }, { 64, 32, 400, 3 },
        { 64, 16, 400, 15 }, { 64, 32, 503, 4 }, /* the same once more before it is halved */
    };
    struct post p;
    (void)state;
    post_init(&p);
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct collector rule = { .most = rows[i].most, .over_status = rows[i].status };
        struct error err = { 0 };
        char row[64];
        snprintf(row, sizeof(row), "%d above %zu", rows[i].status, rows[i].most);
        check_row(row);
        check_i64(post(&p, rows[i].n, &rule, &err), 0);
        check_all_settled(&p, rows[i].n);
        check_i64(collector.requests, rows[i].requests);
    }
    post_release(&p);
}

static void a_503_is_halved_once(void **state)
{
    struct collector rule = { .most = 15, .over_status = 503 };
    struct error err = { 0 };
    struct post p;
    (void)state;
    post_init(&p);
    check_i64(post(&p, 64, &rule, &err), -1);
    check_i64(err.kind, ERR_COLLECTOR);
    check_i64(collector.requests > 10, true); /* it was patient with the half */
    for (size_t i = 0; i < 64; i++)
        check_i64(p.batch.items[i].fate, FATE_OPEN);
    check_i64(p.ex.refusal_count, 0);
    post_release(&p);
}

/* Where nothing was ever accepted it is the collector's fault. */
static void who_refuses_everything_is_not_asked_for_long(void **state)
{
    static const int statuses[] = { 400, 413, 500 };
    struct post p;
    (void)state;
    post_init(&p);
    for (size_t i = 0; i < COUNT(statuses); i++) {
        struct collector rule = { .at = 1, .times = 99999, .status = statuses[i] };
        struct error err = { 0 };
        atomic_store(&p.accepted, false);
        p.ex.refused_alone = 0;
        check_i64(post(&p, 8192, &rule, &err), -1);
        check_i64(err.kind, ERR_COLLECTOR);
        check_i64(p.ex.refusal_count, REFUSALS_BEFORE_ACCEPTANCE - 1);
        check_i64(collector.requests <= 13 + 2 * REFUSALS_BEFORE_ACCEPTANCE, true);
    }
    post_release(&p);
}

/* What is open after an error is the end of the batch: whoever goes on goes on there. */
static void what_is_open_is_the_end(void **state)
{
    struct post p;
    (void)state;
    post_init(&p);
    for (int at = 1; at < 12; at++) {
        struct collector rule = {
            .poison = { 9, 20 }, .poison_status = 400, .at = at, .times = 99999, .status = 503
        };
        struct error err = { 0 };
        size_t settled = 0;
        check_i64(post(&p, 40, &rule, &err), -1);
        while (p.batch.items[settled].fate != FATE_OPEN)
            settled++;
        for (size_t i = 0; i < 40; i++) {
            check_i64(p.batch.items[i].fate == FATE_OPEN, i >= settled);
            check_i64(collector.arrived[i], p.batch.items[i].fate == FATE_DELIVERED);
        }
    }
    post_release(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_poison_costs_little_wherever_it_stands),
        cmocka_unit_test(and_in_a_batch_of_the_usual_size),
        cmocka_unit_test(two_poisons_are_both_found),
        cmocka_unit_test(a_single_400_refuses_nobody),
        cmocka_unit_test(a_single_400_amid_others_loses_nobody),
        cmocka_unit_test(too_large_is_halved_until_it_fits),
        cmocka_unit_test(a_503_is_halved_once),
        cmocka_unit_test(who_refuses_everything_is_not_asked_for_long),
        cmocka_unit_test(what_is_open_is_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
