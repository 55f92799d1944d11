#include "faults.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "history.h"
#include "parse.h"

#define RULE_MAX     8192 /* bytes of one */
#define RULES_MAX    100000
#define DEEP_DEFAULT 100000
#define LEVELS_MAX   50000000
#define HUGE_MAX     (INT64_C(16) << 30)

struct rule {
    struct rule *next;
    enum fault_server server;
    int64_t from, to; /* the n-th request; from 0: not by place */
    int64_t every;    /* 0: not by count */
    double share;     /* of all */
    char *detail, *body;
    struct pairs headers;
    struct fault fault;
};

struct faults {
    pthread_mutex_t mutex;
    uint64_t seed;
    struct rule *rules;
    struct rule *retired; /* a request that is being answered may still use them */
    int64_t seen[2];      /* requests per server */
};

static const struct {
    const char *name;
    enum fault_kind kind;
    bool takes_value, needs_value;
} kinds[] = {
    { "reset", FAULT_RESET, false, false },     { "cut", FAULT_CUT, false, false },
    { "hang", FAULT_HANG, false, false },       { "lost", FAULT_LOST, false, false },
    { "badjson", FAULT_BADJSON, false, false }, { "badutf8", FAULT_BADUTF8, false, false },
    { "garbage", FAULT_GARBAGE, false, false }, { "deep", FAULT_DEEP, true, false },
    { "huge", FAULT_HUGE, true, true },         { "wrongtype", FAULT_WRONGTYPE, true, false },
    { "gzip", FAULT_GZIP, false, false },       { "partial", FAULT_PARTIAL, true, true },
    { "ok", FAULT_NONE, false, false },
};

static void rules_release(struct rule *rule)
{
    while (rule) {
        struct rule *next = rule->next;
        pairs_release(&rule->headers);
        free(rule->detail);
        free(rule->body);
        free(rule);
        rule = next;
    }
}

struct faults *faults_create(uint64_t seed)
{
    struct faults *faults = xcalloc(1, sizeof(*faults));
    pthread_mutex_init(&faults->mutex, NULL);
    faults->seed = seed;
    return faults;
}

void faults_destroy(struct faults *faults)
{
    if (!faults)
        return;
    rules_release(faults->rules);
    rules_release(faults->retired);
    pthread_mutex_destroy(&faults->mutex);
    free(faults);
}

/* ---- reading a rule ----------------------------------------------------------------------------
 */

/* Cut the text at the first `c`; what follows it, or NULL. */
static char *cut_at(char *text, char c)
{
    char *at = strchr(text, c);
    if (at)
        *at++ = '\0';
    return at;
}

static bool read_when(char *text, struct rule *rule)
{
    if (strcmp(text, "*") == 0)
        return parse_count("1", &rule->every);
    if (text[0] == '%')
        return parse_count(text + 1, &rule->every) && rule->every > 0;
    if (text[0] == '~')
        return parse_share(text + 1, &rule->share);
    char *to = cut_at(text, '-');
    if (!parse_count(text, &rule->from) || rule->from == 0)
        return false;
    rule->to = rule->from;
    return !to || (parse_count(to, &rule->to) && rule->to >= rule->from);
}

static bool read_value(struct rule *rule, const char *value)
{
    struct fault *fault = &rule->fault;
    switch (fault->kind) {
    case FAULT_DEEP:
        fault->number = DEEP_DEFAULT;
        return !value || (parse_count(value, &fault->number) && fault->number > 0 &&
                          fault->number < LEVELS_MAX);
    case FAULT_HUGE:
        return parse_size(value, &fault->number) && fault->number <= HUGE_MAX;
    case FAULT_PARTIAL: /* with quotes: as a string, as protobuf's JSON has it */
        rule->detail = xstrdup(value);
        return value[strspn(value, "\"0123456789")] == '\0';
    case FAULT_WRONGTYPE:
        rule->detail = xstrdup(value ? value : "logs");
        return true;
    default:
        return true;
    }
}

/* What stands before the first ';'. */
static bool read_action(char *text, struct rule *rule)
{
    int64_t status;
    if (parse_count(text, &status)) {
        rule->fault.kind = FAULT_STATUS;
        rule->fault.status = (int)status;
        return status >= 200 && status <= 599;
    }
    char *value = cut_at(text, '=');
    if (strcmp(text, "delay") == 0)
        return value && parse_duration(value, &rule->fault.delay_ns);
    for (size_t i = 0; i < COUNT(kinds); i++) {
        if (strcmp(text, kinds[i].name) == 0) {
            rule->fault.kind = kinds[i].kind;
            return (!value || kinds[i].takes_value) && (value || !kinds[i].needs_value) &&
                   read_value(rule, value);
        }
    }
    return false;
}

/* One of what stands behind it. */
static bool read_extra(char *text, struct rule *rule)
{
    char *value = cut_at(text, '=');
    if (!value || !*text)
        return false;
    if (strcmp(text, "delay") == 0)
        return parse_duration(value, &rule->fault.delay_ns);
    if (strcmp(text, "body") == 0) {
        free(rule->body);
        rule->body = xstrdup(value);
        return true;
    }
    pairs_add(&rule->headers, text, value);
    return true;
}

/* A body may hold anything but a line's end, so it takes the rest of the rule. */
static bool read_extras(char *text, struct rule *rule)
{
    while (text) {
        char *next = strncmp(text, "body=", 5) == 0 ? NULL : cut_at(text, ';');
        if (!read_extra(text, rule))
            return false;
        text = next;
    }
    return true;
}

static struct rule *rule_read(char *text)
{
    struct rule *rule = xcalloc(1, sizeof(*rule));
    char *when = cut_at(text, ':');
    char *action = when ? cut_at(when, '=') : NULL;
    char *extras = action ? cut_at(action, ';') : NULL;
    bool sink = strcmp(text, "sink") == 0;
    rule->server = sink ? FAULT_SINK : FAULT_API;
    if (action && (sink || strcmp(text, "api") == 0) && read_when(when, rule) &&
        read_action(action, rule) && read_extras(extras, rule)) {
        rule->fault.detail = rule->detail;
        rule->fault.body = rule->body;
        rule->fault.headers = &rule->headers;
        return rule;
    }
    rules_release(rule);
    return NULL;
}

/* All rules of a text, in their order; empty lines and those that begin with # say nothing. */
static int rules_read(const char *text, struct rule **out, struct error *err)
{
    struct rule *first = NULL, **last = &first;
    size_t count = 0;
    while (*text) {
        size_t len = strcspn(text, "\r\n");
        if (len > RULE_MAX || count++ > RULES_MAX) {
            rules_release(first);
            return error_set(err, ERR_USAGE, "a fault rule is too long, or too many of them");
        }
        if (len > 0 && text[0] != '#') {
            char *line = xstrndup(text, len);
            *last = rule_read(line);
            free(line);
            if (!*last) {
                rules_release(first);
                return error_set(err, ERR_USAGE, "no fault rule: %.*s (see --help)", (int)len,
                                 text);
            }
            last = &(*last)->next;
        }
        text += len + (text[len] != '\0');
    }
    *out = first;
    return 0;
}

static struct rule **end_of(struct rule **list)
{
    while (*list)
        list = &(*list)->next;
    return list;
}

int faults_add(struct faults *faults, const char *rules, struct error *err)
{
    struct rule *added = NULL;
    if (rules_read(rules, &added, err))
        return -1;
    pthread_mutex_lock(&faults->mutex);
    *end_of(&faults->rules) = added;
    pthread_mutex_unlock(&faults->mutex);
    return 0;
}

int faults_replace(struct faults *faults, const char *rules, struct error *err)
{
    struct rule *added = NULL;
    if (rules_read(rules, &added, err))
        return -1;
    pthread_mutex_lock(&faults->mutex);
    *end_of(&faults->retired) = faults->rules;
    faults->rules = added;
    faults->seen[FAULT_API] = faults->seen[FAULT_SINK] = 0;
    pthread_mutex_unlock(&faults->mutex);
    return 0;
}

static bool fits(const struct faults *faults, const struct rule *rule, int64_t n)
{
    if (rule->from)
        return n >= rule->from && n <= rule->to;
    if (rule->every)
        return n % rule->every == 0;
    uint64_t random = history_mix(faults->seed ^ 0xfa17 ^ (uint64_t)rule->server, (uint64_t)n);
    return (double)(random & UINT32_MAX) < rule->share * ((double)UINT32_MAX + 1);
}

struct fault faults_next(struct faults *faults, enum fault_server server)
{
    struct fault fault = { .kind = FAULT_NONE };
    pthread_mutex_lock(&faults->mutex);
    int64_t n = ++faults->seen[server];
    for (const struct rule *rule = faults->rules; rule; rule = rule->next) {
        if (rule->server == server && fits(faults, rule, n)) {
            fault = rule->fault;
            break;
        }
    }
    pthread_mutex_unlock(&faults->mutex);
    return fault;
}
