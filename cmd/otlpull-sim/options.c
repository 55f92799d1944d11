#include "options.h"

#include <getopt.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/timefmt.h"
#include "parse.h"

#define RECORDS_MAX    INT64_C(1000000000)
#define BODY_MAX       (INT64_C(16) << 20)
#define HOURS_MAX      87600.0
#define FIRST_OPTION   256 /* getopt's values; below are characters */
#define DEFAULT_PERIOD (60 * NS_PER_S)

enum kind { TEXT, COUNT_OF, SIZE, DURATION, SHARE, POSITIVE, CHOICE, LIST, FLAG };

struct option_row {
    const char *name;
    enum kind kind;
    size_t at;            /* in struct options */
    const char *fallback; /* as it would be typed; NULL: none */
    int64_t min, max;     /* of COUNT_OF and SIZE */
    const char *const *choices;
    const char *value, *help;
};

static const char *const orders[] = { "asc", "desc", "shuffled", NULL };
static const char *const bounds[] = { "closed", "half-open", "open-closed", "open", NULL };
static const char *const filters[] = { "record", "arrival", NULL };
static const char *const cursors[] = { "stable", "forever", "repeat", NULL };
static const char *const lasts[] = { "absent", "null", "empty", NULL };

#define AT(member) offsetof(struct options, member)

static const struct option_row rows[] = {
    { "platform", TEXT, AT(platform), "forge", .value = "NAME", .help = "whose API to play" },
    { "listen", TEXT, AT(listen), "127.0.0.1:0", .value = "HOST:PORT",
      .help = "where the API listens; port 0: any" },
    { "sink", TEXT, AT(sink), "127.0.0.1:0", .value = "HOST:PORT",
      .help = "where the OTLP/HTTP sink listens; none: no sink" },
    { "ports-file", TEXT, AT(ports_file), NULL, .value = "FILE",
      .help = "write api=PORT and sink=PORT there once both listen" },
    { "seed", COUNT_OF, AT(seed), "1", 0, INT64_MAX, .value = "N",
      .help = "of all that looks random" },
    { "hours", POSITIVE, AT(hours), "3", .value = "H", .help = "how far back the history reaches" },
    { "records", COUNT_OF, AT(records), "1000", 0, RECORDS_MAX, .value = "N",
      .help = "in these hours; as often from then on" },
    { "no-live", FLAG, AT(no_live), NULL, .help = "no more records after the start" },
    { "now", TEXT, AT(now), NULL, .value = "T", .help = "end the past at this RFC 3339 time" },
    { "sites", COUNT_OF, AT(sites), "5", 1, 10000, .value = "N", .help = "installation contexts" },
    { "body-bytes", SIZE, AT(body_bytes), "80", 0, BODY_MAX, .value = "N",
      .help = "mean length of a message" },
    { "late", TEXT, AT(late), NULL, .value = "PERCENT:MAX",
      .help = "share that turns visible late, by at most MAX" },
    { "twins", SHARE, AT(twins), "0", .value = "PERCENT", .help = "byte-identical copies" },
    { "odd", SHARE, AT(odd), "0", .value = "PERCENT",
      .help = "records with odd ids, times, severities" },
    { "email", TEXT, AT(email), "dev@example.com", .value = "TEXT", .help = "user of the API" },
    { "token", TEXT, AT(token), "sim-token", .value = "TEXT", .help = "... and the token" },
    { "app", LIST, AT(apps), "11111111-2222-4333-8444-555555555555", .value = "UUID",
      .help = "app that exists (repeatable)" },
    { "environment", LIST, AT(environments), "66666666-7777-4888-8999-000000000000",
      .value = "UUID", .help = "environment that each app has (repeatable)" },
    { "page-size", COUNT_OF, AT(page_size), "200", 1, 1000000, .value = "N",
      .help = "records in a page" },
    { "order", CHOICE, AT(order), "asc", .choices = orders, .value = "asc|desc|shuffled",
      .help = "of a window's records" },
    { "bounds", CHOICE, AT(bounds), "closed", .choices = bounds,
      .value = "closed|half-open|open-closed|open", .help = "how a window's ends are read" },
    { "filter-by", CHOICE, AT(filter_by), "record", .choices = filters, .value = "record|arrival",
      .help = "the time that windows go by" },
    { "sparse", FLAG, AT(sparse), NULL,
      .help = "cut pages before filtering: some come short or empty" },
    { "cursor-mode", CHOICE, AT(cursor_mode), "stable", .choices = cursors,
      .value = "stable|forever|repeat", .help = "cursors that end; never end; come back the same" },
    { "cursor-ttl", DURATION, AT(cursor_ttl_ns), "0", .value = "D",
      .help = "a cursor's life; 0: no end" },
    { "last-cursor", CHOICE, AT(last_cursor), "absent", .choices = lasts,
      .value = "absent|null|empty", .help = "how a last page says so" },
    { "rate", TEXT, AT(rate), "30/1m", .value = "CALLS/PERIOD",
      .help = "calls in any rolling period, per app; 0: no limit" },
    { "latency", DURATION, AT(latency_ns), "0", .value = "D",
      .help = "before each answer of the API" },
    { "quirk", LIST, AT(quirks), NULL, .value = "NAME[=VALUE]",
      .help = "a way of the platform's own (repeatable)" },
    { "fault", LIST, AT(faults), NULL, .value = "RULE", .help = "see below (repeatable)" },
    { "fault-script", LIST, AT(fault_scripts), NULL, .value = "FILE",
      .help = "a rule a line (repeatable)" },
    { "sink-strict", FLAG, AT(sink_strict), NULL,
      .help = "refuse what the Collector lets pass, too" },
    { "sink-unread", FLAG, AT(sink_unread), NULL,
      .help = "accept each body without reading it: for measurements" },
    { "sink-refuse", LIST, AT(sink_refuse), NULL, .value = "TEXT",
      .help = "400 for a request with this in a record's body (repeatable)" },
    { "sink-max-bytes", SIZE, AT(sink_max_bytes), "20MiB", 1, INT64_C(1) << 30, .value = "SIZE",
      .help = "longest body, before and after decompression" },
    { "sink-header", LIST, AT(sink_headers), NULL, .value = "KEY=VALUE",
      .help = "header without which the sink says 401 (repeatable)" },
    { "sink-keep", SIZE, AT(sink_keep_bytes), "256MiB", 0, INT64_C(1) << 40, .value = "SIZE",
      .help = "how much of what arrived to keep for /_sink/records" },
    { "sink-latency", DURATION, AT(sink_latency_ns), "0", .value = "D",
      .help = "before each answer of the sink" },
    { "log", FLAG, AT(log), NULL, .help = "a line to stderr for each request" },
    { "exit-after", DURATION, AT(exit_after_ns), "0", .value = "D",
      .help = "end by itself; 0: never" },
    { "help", FLAG, AT(help), NULL, .help = "print this" },
};

static bool in_range(const struct option_row *row, int64_t value)
{
    return value >= row->min && value <= row->max;
}

static bool choose(const char *const *choices, const char *text, int *out)
{
    for (int i = 0; choices[i]; i++) {
        if (strcmp(choices[i], text) == 0) {
            *out = i;
            return true;
        }
    }
    return false;
}

static bool list_add(struct list *list, const char *text)
{
    if (list->count == OPTIONS_LIST_MAX)
        return false;
    list->items[list->count++] = text;
    return true;
}

static bool set(struct options *out, const struct option_row *row, const char *text)
{
    void *at = (char *)out + row->at;
    switch (row->kind) {
    case TEXT:
        *(const char **)at = text;
        return true;
    case COUNT_OF:
        return parse_count(text, at) && in_range(row, *(int64_t *)at);
    case SIZE:
        return parse_size(text, at) && in_range(row, *(int64_t *)at);
    case DURATION:
        return parse_duration(text, at);
    case SHARE:
        return parse_share(text, at);
    case POSITIVE:
        return parse_positive(text, at) && *(double *)at <= HOURS_MAX;
    case CHOICE:
        return choose(row->choices, text, at);
    case LIST:
        return list_add(at, text);
    case FLAG:
        *(bool *)at = true;
        return true;
    }
    return false;
}

/* "A<separator>B": A into `left`, B returned; NULL where that is not its shape. */
static const char *split(const char *text, char separator, char left[32])
{
    const char *at = strchr(text, separator);
    size_t len = at ? (size_t)(at - text) : 0;
    if (!at || len >= 32)
        return NULL;
    memcpy(left, text, len);
    left[len] = '\0';
    return at + 1;
}

/* "PERCENT:MAX" */
static bool read_late(struct options *o)
{
    char percent[32];
    const char *most = o->late ? split(o->late, ':', percent) : NULL;
    return !o->late ||
           (most && parse_share(percent, &o->late_share) && parse_duration(most, &o->max_late_ns));
}

bool options_rate(const char *text, int64_t *calls, int64_t *period_ns)
{
    char count[32];
    int64_t n, period;
    const char *per = split(text, '/', count);
    if (strcmp(text, "0") == 0) {
        *calls = 0;
        *period_ns = DEFAULT_PERIOD;
        return true;
    }
    if (!per || !parse_count(count, &n) || !parse_duration(per, &period) || period == 0)
        return false;
    *calls = n;
    *period_ns = period;
    return true;
}

static int finish(struct options *o, struct error *err)
{
    if (!read_late(o))
        return error_set(err, ERR_USAGE, "--late takes PERCENT:MAX, as in 5:90s");
    if (!options_rate(o->rate, &o->rate_calls, &o->rate_period_ns))
        return error_set(err, ERR_USAGE, "--rate takes CALLS/PERIOD, as in 30/1m, or 0");
    if (o->now && (!timefmt_parse_rfc3339(bytes_of(o->now), &o->base_ns) || o->base_ns <= 0))
        return error_set(err, ERR_USAGE, "--now takes an RFC 3339 time");
    for (size_t i = 0; i < o->sink_headers.count; i++) {
        if (!strchr(o->sink_headers.items[i], '='))
            return error_set(err, ERR_USAGE, "--sink-header takes KEY=VALUE");
    }
    return 0;
}

static void defaults(struct options *out)
{
    *out = (struct options){ 0 };
    for (size_t i = 0; i < COUNT(rows); i++) {
        if (rows[i].fallback && rows[i].kind != LIST)
            set(out, &rows[i], rows[i].fallback);
    }
}

/* A list has its default only where nothing was given. */
static void default_lists(struct options *out)
{
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct list *list = (struct list *)(void *)((char *)out + rows[i].at);
        if (rows[i].kind == LIST && rows[i].fallback && list->count == 0)
            list_add(list, rows[i].fallback);
    }
}

int options_read(struct options *out, int argc, char **argv, struct error *err)
{
    struct option longs[COUNT(rows) + 1] = { 0 };
    for (size_t i = 0; i < COUNT(rows); i++) {
        longs[i].name = rows[i].name;
        longs[i].has_arg = rows[i].kind == FLAG ? no_argument : required_argument;
        longs[i].val = FIRST_OPTION + (int)i;
    }
    defaults(out);
    opterr = 0;
    int got;
    while ((got = getopt_long(argc, argv, ":", longs, NULL)) != -1) {
        if (got < FIRST_OPTION)
            return error_set(err, ERR_USAGE, "%s: %s (see --help)", argv[optind - 1],
                             got == ':' ? "needs a value" : "no such option");
        const struct option_row *row = &rows[got - FIRST_OPTION];
        if (!set(out, row, optarg))
            return error_set(err, ERR_USAGE, "--%s does not take %s (see --help)", row->name,
                             optarg);
    }
    if (optind < argc)
        return error_set(err, ERR_USAGE, "%s: takes options only (see --help)", argv[optind]);
    default_lists(out);
    return finish(out, err);
}

const char *options_quirk(const struct options *o, const char *name)
{
    size_t len = strlen(name);
    for (size_t i = 0; i < o->quirks.count; i++) {
        const char *item = o->quirks.items[i];
        if (strncmp(item, name, len) == 0 && (item[len] == '\0' || item[len] == '='))
            return item[len] ? item + len + 1 : item + len;
    }
    return NULL;
}

static const char rules_help[] =
    "\n"
    "Fault rules: SERVER:WHEN=ACTION[;Header=Value][;delay=D][;body=TEXT]\n"
    "  SERVER  api, sink\n"
    "  WHEN    N or N-M: the n-th request, from 1; *: each; %K: every K-th; ~P: P percent\n"
    "  ACTION  a status; reset, hang: no answer; cut: half of the body; lost: done, but no "
    "answer;\n"
    "          badjson, badutf8, garbage, deep[=LEVELS], huge=SIZE, gzip,\n"
    "          wrongtype[=logs|element|cursor|page]; partial=N (of the sink); delay=D; ok\n"
    "  The first rule that fits is the one.\n"
    "\n"
    "Beside the API:\n"
    "  GET  /_sim/stats /_sim/calls /_sim/records[?from=&to=] /_sim/check[?from=&to=]\n"
    "       (times: Unix ns or RFC 3339; also level=, message=, installationContext=, app=,\n"
    "       environment=, by=record|arrival)\n"
    "  POST /_sim/fault (rules in the body, in place of the old), /_sim/set?latency=&page-size=\n"
    "       &cursor-ttl=&rate=&visible-until=&clock=&sink-latency= (visible-until, clock: times)\n"
    "Beside the sink's POST /v1/logs:\n"
    "  GET  /_sink/stats /_sink/records /_sink/batches   POST /_sink/fault /_sink/reset\n";

void options_help(void)
{
    printf(
        "otlpull-sim -- a log platform's API with its rules enforced, and a strict OTLP sink\n\n");
    for (size_t i = 0; i < COUNT(rows); i++) {
        char left[64];
        snprintf(left, sizeof(left), "--%s %s", rows[i].name, rows[i].value ? rows[i].value : "");
        printf("  %-46s %s", left, rows[i].help);
        if (rows[i].fallback)
            printf(" [%s]", rows[i].fallback);
        printf("\n");
    }
    fputs(rules_help, stdout);
}
