#include "forge_record.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define APPEND(out, literal) buf_append(out, literal, sizeof(literal) - 1)

/* What varies. JSON values as they stand, "" for a member that is left out. */
struct fields {
    char time[40], trace[48], span[32];
    char severity[24]; /* the number */
    const char *level; /* NULL: left out */
    char invocation[37];
    bool invoked;     /* a container's own records have no invocationId */
    bool kvlist;      /* the body is no text */
    uint64_t time_ns; /* as a collector may keep it; 0: it is not one */
    char trace_id[40], span_id[24];
    char arguments[24];
    const char *version, *function, *module, *license, *edition;
};

/* ---- values ------------------------------------------------------------------------------------
 */

static void hex(uint64_t value, char *out, size_t digits)
{
    static const char set[] = "0123456789abcdef";
    for (size_t i = digits; i > 0; i--, value >>= 4)
        out[i - 1] = set[value & 15];
}

static void uuid(uint64_t a, uint64_t b, char out[37])
{
    hex(a >> 32, out, 8);
    out[8] = '-';
    hex(a >> 16, out + 9, 4);
    out[13] = '-';
    hex((a & 0x0fff) | 0x4000, out + 14, 4);
    out[18] = '-';
    hex((b >> 48 & 0x3fff) | 0x8000, out + 19, 4);
    out[23] = '-';
    hex(b, out + 24, 12);
    out[36] = '\0';
}

static void decimal(uint64_t value, char *out)
{
    char reversed[20];
    size_t n = 0;
    do {
        reversed[n++] = (char)('0' + value % 10);
        value /= 10;
    } while (value);
    while (n > 0)
        *out++ = reversed[--n];
    *out = '\0';
}

static void quote(const char *text, char *out)
{
    size_t len = strlen(text);
    out[0] = '"';
    memcpy(out + 1, text, len);
    out[len + 1] = '"';
    out[len + 2] = '\0';
}

static void set_trace(struct fields *f, const char *id)
{
    snprintf(f->trace_id, sizeof(f->trace_id), "%s", id);
    quote(f->trace_id, f->trace);
}

static void set_span(struct fields *f, const char *id)
{
    snprintf(f->span_id, sizeof(f->span_id), "%s", id);
    quote(f->span_id, f->span);
}

static void set_time(struct fields *f, const char *json, uint64_t time_ns)
{
    snprintf(f->time, sizeof(f->time), "%s", json);
    f->time_ns = time_ns;
}

/* ---- the odd ones ------------------------------------------------------------------------------
 */

static void odd_trace(struct fields *f, uint64_t which)
{
    switch (which) {
    case 0: /* 64 bits, as older tracers have them */
        f->trace_id[16] = '\0';
        quote(f->trace_id, f->trace);
        break;
    case 1:
        set_trace(f, "");
        memcpy(f->trace, "null", sizeof("null"));
        break;
    case 2:
        set_trace(f, "0af7651916cd43");
        break;
    case 3:
        set_trace(f, "zzf7651916cd43dd8448eb211c80319c");
        break;
    case 4:
        set_trace(f, "00000000000000000000000000000000");
        break;
    case 5:
        set_trace(f, "0AF7651916CD43DD8448EB211C80319C");
        break;
    default:
        set_trace(f, "");
        break;
    }
}

static void odd_span(struct fields *f, uint64_t which)
{
    switch (which) {
    case 0:
        set_span(f, "");
        memcpy(f->span, "null", sizeof("null"));
        break;
    case 1:
        set_span(f, "b7ad6b");
        break;
    case 2:
        set_span(f, "b7ad6b71692033-1");
        break;
    case 3:
        set_span(f, "0000000000000000");
        break;
    default:
        set_span(f, "");
        memcpy(f->span, "12345", sizeof("12345"));
        break;
    }
}

static void odd_time(struct fields *f, uint64_t which)
{
    char number[24];
    switch (which) {
    case 0:
        set_time(f, "-1", 0);
        break;
    case 1:
        set_time(f, "\"-1762930801250000000\"", 0);
        break;
    case 2:
        set_time(f, "1762930801.25", 0);
        break;
    case 3:
        set_time(f, "\"99999999999999999999999\"", 0);
        break;
    case 4:
        set_time(f, "", 0);
        break;
    case 5:
        set_time(f, "null", 0);
        break;
    case 6:
        set_time(f, "\"2026-11-12T07:00:01.250Z\"", 0);
        break;
    case 7:
        set_time(f, "1.76293080125e18", 0);
        break;
    default: /* a number, and a good one */
        decimal(f->time_ns, number);
        set_time(f, number, f->time_ns);
        break;
    }
}

static void odd_rest(struct fields *f, uint64_t which)
{
    switch (which) {
    case 0: /* no number: the text tells */
        f->severity[0] = '\0';
        break;
    case 1: /* no text: the number of the other scale tells */
        f->level = NULL;
        break;
    case 2: /* neither means anything */
        f->level = "AUDIT";
        memcpy(f->severity, "77", sizeof("77"));
        break;
    case 3: /* a number as text */
        memcpy(f->severity, "\"30\"", sizeof("\"30\""));
        break;
    case 4: /* beyond what 32 bits hold */
        memcpy(f->severity, "9999999999", sizeof("9999999999"));
        break;
    case 5:
        memcpy(f->severity, "null", sizeof("null"));
        break;
    case 6:
        memcpy(f->severity, "17.5", sizeof("17.5"));
        break;
    case 7:
        f->invoked = false;
        break;
    default:
        f->kvlist = true;
        break;
    }
}

static void make_odd(struct fields *f, uint64_t random)
{
    uint64_t which = random % 30;
    if (which < 7)
        odd_trace(f, which);
    else if (which < 12)
        odd_span(f, which - 7);
    else if (which < 21)
        odd_time(f, which - 12);
    else
        odd_rest(f, which - 21);
}

/* ---- the record --------------------------------------------------------------------------------
 */

static void fields_of(const struct history *h, const struct entry *e, struct fields *f)
{
    static const char *const numbers[LEVELS] = {
        "10", "20", "30", "40", "50", "60"
    }; /* Bunyan's */
    static const char *const versions[] = { "2.7.1", "2.8.0", "3.0.0" };
    static const char *const functions[] = { "resolver", "main", "issue-panel", "scheduled-sync" };
    static const char *const modules[] = { "core:function", "jira:issuePanel", "core:trigger" };
    /* a few records in a row come from one invocation */
    uint64_t call = history_mix(h->seed ^ 0xca11, e->content / 4);
    *f = (struct fields){ .time_ns = (uint64_t)e->time_ns, .invoked = true };
    f->time[0] = '"';
    decimal(f->time_ns, f->time + 1);
    size_t len = strlen(f->time);
    f->time[len] = '"';
    hex(history_mix(call, 1), f->trace_id, 16);
    hex(call | 1, f->trace_id + 16, 16);
    quote(f->trace_id, f->trace);
    hex(e->random | 1, f->span_id, 16);
    quote(f->span_id, f->span);
    memcpy(f->severity, numbers[e->level], 3);
    f->level = history_level_word(e->level);
    uuid(history_mix(call, 2), history_mix(call, 3), f->invocation);
    decimal(e->random >> 44, f->arguments);
    f->version = versions[call % COUNT(versions)];
    f->function = functions[(call >> 8) % COUNT(functions)];
    f->module = modules[(call >> 16) % COUNT(modules)];
    f->license = (call >> 24) % 8 ? "Active" : "Inactive";
    f->edition = (call >> 32) % 4 ? "Standard" : "Advanced";
    if (e->odd)
        make_odd(f, history_mix(e->random, 9));
}

static void put(struct buf *out, const char *text)
{
    buf_append(out, text, strlen(text));
}

static void put_member(struct buf *out, const char *head, const char *json)
{
    if (json[0]) {
        put(out, head);
        put(out, json);
    }
}

static void put_attribute(struct buf *out, const char *key, const char *value)
{
    APPEND(out, "{\"key\":\"");
    put(out, key);
    APPEND(out, "\",\"value\":{\"stringValue\":\"");
    put(out, value);
    APPEND(out, "\"}},");
}

static void put_attributes(const struct history *h, const struct entry *e, const struct fields *f,
                           struct buf *out)
{
    APPEND(out, ",\"attributes\":[");
    put_attribute(out, "appId", h->app);
    put_attribute(out, "environmentId", h->environment);
    if (f->invoked)
        put_attribute(out, "invocationId", f->invocation);
    put_attribute(out, "installationContext", h->sites[e->site]);
    put_attribute(out, "appVersion", f->version);
    put_attribute(out, "functionKey", f->function);
    put_attribute(out, "moduleType", f->module);
    APPEND(out, "{\"key\":\"arguments\",\"value\":{\"stringValue\":\"[{\\\"n\\\":");
    put(out, f->arguments);
    APPEND(out, "}]\"}},");
    put_attribute(out, "licenseState", f->license);
    put_attribute(out, "edition", f->edition);
    out->data[out->len - 1] = ']'; /* in place of the last comma */
}

static void put_body(const struct history *h, const struct entry *e, const struct fields *f,
                     struct buf *out)
{
    if (f->kvlist) {
        buf_printf(out,
                   ",\"body\":{\"kvlistValue\":{\"values\":[{\"key\":\"n\",\"value\":"
                   "{\"stringValue\":\"#%" PRIu64 "%s\"}}]}}",
                   e->content, h->suffix);
        return;
    }
    APPEND(out, ",\"body\":{\"stringValue\":\"");
    history_message_json(h, e, out);
    APPEND(out, "\"}");
}

void forge_record_render(const struct history *h, const struct entry *e, struct buf *out)
{
    struct fields f;
    fields_of(h, e, &f);
    size_t start = out->len;
    put_member(out, ",\"timeUnixNano\":", f.time);
    put_member(out, ",\"severityNumber\":", f.severity);
    if (f.level) {
        APPEND(out, ",\"severityText\":\"");
        put(out, f.level);
        APPEND(out, "\"");
    }
    put_body(h, e, &f, out);
    put_member(out, ",\"traceId\":", f.trace);
    put_member(out, ",\"spanId\":", f.span);
    if (!buf_reserve(out, 8192))
        return;
    put_attributes(h, e, &f, out);
    APPEND(out, "}");
    out->data[start] = '{'; /* in place of the first comma */
}

static void print_attribute(struct print *p, const char *key, const char *value)
{
    print_text(p, key, strlen(key));
    print_text(p, value, strlen(value));
}

static void print_body(const struct history *h, const struct entry *e, const struct fields *f,
                       struct print *p)
{
    struct buf text = BUF_INIT((size_t)64 << 20);
    size_t skip = 0;
    if (f->kvlist) {
        put_body(h, e, f, &text);
        skip = strlen(",\"body\":");
    } else {
        history_message(h, e, &text);
    }
    print_text(p, buf_text(&text) + skip, text.len - skip);
    buf_release(&text);
}

void forge_record_print(const struct history *h, const struct entry *e, struct print *p)
{
    struct fields f;
    char arguments[48];
    fields_of(h, e, &f);
    snprintf(arguments, sizeof(arguments), "[{\"n\":%s}]", f.arguments);
    print_time(p, f.time_ns);
    print_text(p, f.level ? f.level : "", f.level ? strlen(f.level) : 0);
    print_body(h, e, &f, p);
    print_id(p, f.trace_id, 32);
    print_id(p, f.span_id, 16);
    print_attribute(p, "appId", h->app);
    print_attribute(p, "environmentId", h->environment);
    if (f.invoked)
        print_attribute(p, "invocationId", f.invocation);
    print_attribute(p, "installationContext", h->sites[e->site]);
    print_attribute(p, "appVersion", f.version);
    print_attribute(p, "functionKey", f.function);
    print_attribute(p, "moduleType", f.module);
    print_attribute(p, "arguments", arguments);
    print_attribute(p, "licenseState", f.license);
    print_attribute(p, "edition", f.edition);
}
