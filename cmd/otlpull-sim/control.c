#include "control.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "faults.h"
#include "parse.h"
#include "platform.h"
#include "select.h"
#include "sink.h"
#include "traffic.h"

#define PIECE_BYTES ((size_t)64 << 10)
#define SAMPLES     10 /* of missing records are shown */

/* ---- records: every one that is visible, made while it is sent ---------------------------------
 */

struct listing {
    struct select select;
    struct buf ready;
    size_t sent;
};

static ssize_t listing_read(void *state, char *out, size_t max)
{
    struct listing *l = state;
    const struct history *h;
    struct entry e;
    if (l->sent == l->ready.len) {
        buf_reset(&l->ready);
        l->sent = 0;
        while (l->ready.len < PIECE_BYTES && select_next(&l->select, &h, &e)) {
            l->select.sim->platform->render(h, &e, &l->ready);
            buf_append_char(&l->ready, '\n');
        }
    }
    size_t n = l->ready.len - l->sent < max ? l->ready.len - l->sent : max;
    if (n > 0)
        memcpy(out, l->ready.data + l->sent, n);
    l->sent += n;
    return (ssize_t)n;
}

static void listing_release(void *state)
{
    struct listing *l = state;
    select_release(&l->select);
    buf_release(&l->ready);
    free(l);
}

static int list_records(struct sim *sim, const struct web_request *rq, struct web_answer *out,
                        struct error *err)
{
    struct listing *l = xcalloc(1, sizeof(*l));
    l->ready.max = (size_t)1 << 30;
    if (select_init(&l->select, sim, &rq->query, err)) {
        free(l);
        return -1;
    }
    out->stream = (struct web_stream){ listing_read, listing_release, l, -1 };
    return 0;
}

/* ---- check: what the sink has, beside what the API shows ---------------------------------------
 */

struct known {
    uint64_t print, content;
    const char *suffix;
};

struct knowns {
    struct known *items;
    size_t count, capacity;
};

static int by_print(const void *a, const void *b)
{
    const struct known *left = a, *right = b;
    return (left->print > right->print) - (left->print < right->print);
}

static int by_number(const void *a, const void *b)
{
    const uint64_t *left = a, *right = b;
    return (*left > *right) - (*left < *right);
}

static void knowns_fill(struct knowns *k, struct select *select)
{
    const struct history *h;
    struct entry e;
    struct print print = PRINT_INIT;
    while (select_next(select, &h, &e)) {
        if (k->count == k->capacity) {
            k->capacity = k->capacity ? 2 * k->capacity : 4096;
            k->items = xreallocarray(k->items, k->capacity, sizeof(*k->items));
        }
        select->sim->platform->print(h, &e, &print);
        k->items[k->count++] = (struct known){ print_end(&print), e.content, h->suffix };
    }
    print_release(&print);
}

struct difference {
    size_t missing, repeated, unknown;
    struct buf samples;
};

static void note_missing(struct difference *d, const struct known *known)
{
    if (d->missing++ < SAMPLES)
        buf_printf(&d->samples, "%s\"#%" PRIu64 "%s\"", d->samples.len ? "," : "", known->content,
                   known->suffix);
}

/* Walk both sorted rows side by side. */
static void compare(const struct knowns *k, const uint64_t *got, size_t got_count,
                    struct difference *d)
{
    size_t i = 0, j = 0;
    while (i < k->count || j < got_count) {
        if (j == got_count || (i < k->count && k->items[i].print < got[j])) {
            note_missing(d, &k->items[i++]);
        } else if (i < k->count && k->items[i].print == got[j]) {
            i++;
            j++;
        } else {
            bool again = i > 0 && k->items[i - 1].print == got[j];
            d->repeated += again;
            d->unknown += !again;
            j++;
        }
    }
}

static int check_sink(struct sim *sim, const struct web_request *rq, struct web_answer *out,
                      struct error *err)
{
    struct select select;
    struct knowns knowns = { 0 };
    struct difference d = { .samples = BUF_INIT(4096) };
    size_t got_count = 0;
    if (!sim->sink)
        return error_set(err, ERR_USAGE, "there is no sink");
    if (select_init(&select, sim, &rq->query, err))
        return -1;
    knowns_fill(&knowns, &select);
    select_release(&select);
    uint64_t *got = sink_prints(sim->sink, &got_count);
    if (knowns.count > 0)
        qsort(knowns.items, knowns.count, sizeof(*knowns.items), by_print);
    qsort(got, got_count, sizeof(*got), by_number);
    compare(&knowns, got, got_count, &d);
    web_json(out, 200,
             "{\"expected\":%zu,\"delivered\":%zu,\"missing\":%zu,\"extra\":%zu,\"repeated\":%zu,"
             "\"unknown\":%zu,\"missing_sample\":[%s]}\n",
             knowns.count, got_count, d.missing, d.repeated + d.unknown, d.repeated, d.unknown,
             buf_text(&d.samples));
    free(got);
    free(knowns.items);
    buf_release(&d.samples);
    return 0;
}

/* ---- settings ----------------------------------------------------------------------------------
 */

static bool set_rate(struct sim *sim, const char *value)
{
    int64_t calls, period_ns;
    if (!options_rate(value, &calls, &period_ns))
        return false;
    traffic_limit(sim->traffic, calls, period_ns);
    return true;
}

static bool set_clock(struct sim *sim, const char *value)
{
    int64_t now_ns;
    if (!parse_moment(value, &now_ns))
        return false;
    atomic_store(&sim->ahead_ns, now_ns - clock_unix_ns(&sim->clk));
    return true;
}

static bool read_page_size(const char *text, int64_t *out)
{
    return parse_count(text, out) && *out > 0;
}

static bool set_one(struct sim *sim, const char *key, const char *value)
{
    const struct {
        const char *key;
        bool (*read)(const char *text, int64_t *out);
        _Atomic int64_t *to;
    } numbers[] = {
        { "page-size", read_page_size, &sim->page_size },
        { "visible-until", parse_moment, &sim->visible_until_ns },
        { "latency", parse_duration, &sim->latency_ns },
        { "cursor-ttl", parse_duration, &sim->cursor_ttl_ns },
        { "sink-latency", parse_duration, &sim->sink_latency_ns },
    };
    int64_t number;
    if (strcmp(key, "rate") == 0)
        return set_rate(sim, value);
    if (strcmp(key, "clock") == 0)
        return set_clock(sim, value);
    for (size_t i = 0; i < COUNT(numbers); i++) {
        if (strcmp(key, numbers[i].key) == 0 && numbers[i].read(value, &number)) {
            atomic_store(numbers[i].to, number);
            return true;
        }
    }
    return false;
}

static int set_all(struct sim *sim, const struct web_request *rq, struct error *err)
{
    for (size_t i = 0; i < rq->query.count; i++) {
        const struct pair *p = &rq->query.items[i];
        if (!set_one(sim, p->key, p->value))
            return error_set(err, ERR_USAGE, "%s: not known, or a wrong value", p->key);
    }
    return 0;
}

void control_answer(struct sim *sim, const struct web_request *rq, struct web_answer *out)
{
    const char *what = rq->path + strlen("/_sim/");
    bool post = strcmp(rq->method, "POST") == 0;
    struct error err = { 0 };
    int rc = 0;
    if (strcmp(what, "stats") == 0)
        traffic_stats(sim->traffic, &out->body);
    else if (strcmp(what, "calls") == 0)
        traffic_calls(sim->traffic, &out->body);
    else if (strcmp(what, "records") == 0)
        rc = list_records(sim, rq, out, &err);
    else if (strcmp(what, "check") == 0)
        rc = check_sink(sim, rq, out, &err);
    else if (post && strcmp(what, "fault") == 0)
        rc = faults_replace(sim->faults, buf_text(&rq->body), &err);
    else if (post && strcmp(what, "set") == 0)
        rc = set_all(sim, rq, &err);
    else
        web_json(out, 404, "no such thing\n");
    if (rc)
        web_json(out, 400, "%s\n", err.text);
}
