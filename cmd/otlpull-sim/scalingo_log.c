#include "scalingo_log.h"

#include <stdlib.h>

#include "base/timefmt.h"
#include "net/compress.h"
#include "options.h"
#include "parse.h"
#include "scalingo_line.h"

#define HOUR_NS (3600 * NS_PER_S)

static uint64_t quirk_number(const struct history *h, const char *name, uint64_t fallback)
{
    int64_t value;
    const char *quirk = options_quirk(h->options, name);
    return quirk && parse_count(quirk, &value) ? (uint64_t)value : fallback;
}

struct arrival {
    int64_t seen_ns;
    uint64_t index;
};

static int by_arrival(const void *a, const void *b)
{
    const struct arrival *left = a, *right = b;
    if (left->seen_ns != right->seen_ns)
        return left->seen_ns < right->seen_ns ? -1 : 1;
    return (left->index > right->index) - (left->index < right->index);
}

/* Those that are late have arrived behind others. */
static void sort_arrivals(struct scalingo_log *log, int64_t visible_ns)
{
    struct entry e;
    uint64_t until = log->count;
    struct arrival *list = xcalloc(until + 1, sizeof(*list));
    log->count = 0;
    for (uint64_t i = 0; i < until; i++) {
        history_at(log->h, i, &e);
        if (e.seen_ns <= visible_ns)
            list[log->count++] = (struct arrival){ e.seen_ns, i };
    }
    qsort(list, log->count, sizeof(*list), by_arrival);
    log->arrivals = xcalloc(log->count + 1, sizeof(*log->arrivals));
    for (uint64_t i = 0; i < log->count; i++)
        log->arrivals[i] = list[i].index;
    free(list);
}

void scalingo_log_init(struct scalingo_log *log, struct sim *sim, const struct history *h)
{
    int64_t visible_ns = sim_visible_ns(sim);
    *log = (struct scalingo_log){ .h = h, .count = history_until(h, visible_ns) };
    if (h->max_late_ns > 0)
        sort_arrivals(log, visible_ns);
    log->ring = quirk_number(h, "ring", 0);
    uint64_t archives = log->ring ? log->count / log->ring : 0;
    uint64_t kept = quirk_number(h, "archives-kept", archives);
    log->archive_count = archives;
    log->first_archive = kept < archives ? archives - kept : 0;
}

void scalingo_log_release(struct scalingo_log *log)
{
    free(log->arrivals);
    log->arrivals = NULL;
}

static void entry_of(const struct scalingo_log *log, uint64_t i, struct entry *out)
{
    history_at(log->h, log->arrivals ? log->arrivals[i] : i, out);
}

static void put_line(const struct scalingo_log *log, uint64_t i, struct buf *out)
{
    struct entry e;
    entry_of(log, i, &e);
    scalingo_line_render(log->h, &e, out);
    buf_append_char(out, '\n');
}

/* The i-th of `count` in an order that is none. */
static uint64_t shuffled(uint64_t i, uint64_t count)
{
    uint64_t stride = count / 2 + 1; /* shares no divisor with an odd count; ... */
    if (count % 2 == 0)
        stride = count % 4 ? count / 2 + 2 : count / 2 + 1; /* ... nor these with an even one */
    return i * stride % count;
}

int64_t scalingo_log_dump(const struct scalingo_log *log, int order, uint64_t n, const char *filter,
                          struct buf *out)
{
    struct entry e;
    uint64_t hot = log->ring ? log->archive_count * log->ring : 0, count = 0;
    uint64_t most = n < log->count - hot ? n : log->count - hot;
    uint64_t *chosen = xcalloc(most + 1, sizeof(*chosen)); /* the newest first */
    for (uint64_t i = log->count; i > hot && count < most; i--) {
        entry_of(log, i - 1, &e);
        if (scalingo_passes(&e, filter))
            chosen[count++] = i - 1;
    }
    for (uint64_t i = 0; i < count; i++) {
        uint64_t at = order == ORDER_ASC ? count - 1 - i : i;
        put_line(log, chosen[order == ORDER_SHUFFLED ? shuffled(i, count) : at], out);
    }
    free(chosen);
    return (int64_t)count;
}

bool scalingo_log_has(const struct scalingo_log *log, uint64_t archive)
{
    return archive >= log->first_archive && archive < log->archive_count;
}

int64_t scalingo_log_archive(const struct scalingo_log *log, uint64_t archive, struct buf *out)
{
    struct error err;
    struct buf small = BUF_INIT(out->max);
    for (uint64_t i = 0; i < log->ring; i++)
        put_line(log, archive * log->ring + i, out);
    if (options_quirk(log->h->options, "archive-gzip") &&
        compress_gzip(buf_bytes(out), &small, &err) == 0) {
        buf_reset(out);
        buf_append_bytes(out, buf_bytes(&small));
    }
    buf_release(&small);
    return (int64_t)log->ring;
}

void scalingo_log_span(const struct scalingo_log *log, uint64_t archive, int64_t *from_ns,
                       int64_t *to_ns)
{
    struct entry first, last;
    entry_of(log, archive * log->ring, &first);
    entry_of(log, archive * log->ring + log->ring - 1, &last);
    *from_ns = first.time_ns;
    *to_ns = last.time_ns;
    if (options_quirk(log->h->options, "archive-hours")) {
        *from_ns -= *from_ns % HOUR_NS;
        *to_ns -= *to_ns % HOUR_NS;
    }
}
