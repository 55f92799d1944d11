/* options.h -- the command line. */
#ifndef OTLPULL_SIM_OPTIONS_H
#define OTLPULL_SIM_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#define OPTIONS_LIST_MAX 64

struct list {
    const char *items[OPTIONS_LIST_MAX];
    size_t count;
};

enum order { ORDER_ASC, ORDER_DESC, ORDER_SHUFFLED };
enum bounds { BOUNDS_CLOSED, BOUNDS_HALF_OPEN, BOUNDS_OPEN_CLOSED, BOUNDS_OPEN };
enum filter_by { BY_RECORD, BY_ARRIVAL };
enum cursor_mode { CURSOR_STABLE, CURSOR_FOREVER, CURSOR_REPEAT };
enum last_cursor { LAST_ABSENT, LAST_NULL, LAST_EMPTY };

/* All texts are those of argv. */
struct options {
    const char *platform, *listen, *sink, *ports_file;
    /* the history */
    int64_t seed, records, sites, body_bytes;
    double hours, twins, odd;
    const char *late, *now;
    bool no_live;
    double late_share;   /* from `late` */
    int64_t max_late_ns; /* ... */
    int64_t base_ns;     /* from `now`; 0: the real time */
    /* the API */
    const char *email, *token;
    struct list apps, environments;
    int64_t page_size, latency_ns, cursor_ttl_ns;
    int order, bounds, filter_by, cursor_mode, last_cursor;
    bool sparse;
    const char *rate;
    int64_t rate_calls, rate_period_ns; /* from `rate`; 0 calls: none */
    struct list faults, fault_scripts;
    struct list quirks; /* the platform's own ways: NAME or NAME=VALUE */
    /* the sink */
    bool sink_strict, sink_unread;
    int64_t sink_max_bytes, sink_keep_bytes, sink_latency_ns;
    struct list sink_refuse, sink_headers;
    /* the program */
    bool log, help;
    int64_t exit_after_ns;
};

/* A quirk's value, "" for one without; NULL: it was not asked for. */
const char *options_quirk(const struct options *o, const char *name);

/* Defaults first, then what argv says. */
int options_read(struct options *out, int argc, char **argv, struct error *err);
void options_help(void); /* to stdout */

/* "30/1m", or "0" for no limit. */
bool options_rate(const char *text, int64_t *calls, int64_t *period_ns);

#endif
