#include "sink.h"

#include <inttypes.h>
#include <json-c/json.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/jread.h"
#include "decode.h"
#include "json_strict.h"
#include "otlp_proto.h"
#include "otlp_check.h"
#include "print.h"
#include "sink_store.h"
#include "spoil.h"

#define JSON     "application/json"
#define PROTOBUF "application/x-protobuf"

#define PLAIN (JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE)

struct sink {
    const struct options *options;
    struct faults *faults;
    struct store *store;
    const _Atomic int64_t *latency_ns;
};

/* One POST on its way: what the store shall know of it. */
struct delivery {
    struct batch batch;
    uint64_t *prints;
    struct buf lines;
    struct error why;
};

struct sink *sink_create(const struct options *options, struct faults *faults,
                         const _Atomic int64_t *latency_ns)
{
    struct sink *sink = xcalloc(1, sizeof(*sink));
    sink->options = options;
    sink->faults = faults;
    sink->store = store_create((size_t)options->sink_keep_bytes);
    sink->latency_ns = latency_ns;
    return sink;
}

void sink_destroy(struct sink *sink)
{
    if (!sink)
        return;
    store_destroy(sink->store);
    free(sink);
}

uint64_t *sink_prints(struct sink *sink, size_t *count)
{
    return store_prints(sink->store, count);
}

/* ---- the request's frame -----------------------------------------------------------------------
 */

/* Whether a Content-Type, parameters aside, is this one. */
static bool is_type(const char *type, const char *wanted)
{
    if (!type || strncasecmp(type, wanted, strlen(wanted)) != 0)
        return false;
    const char *rest = type + strlen(wanted);
    rest += strspn(rest, " \t");
    return *rest == '\0' || *rest == ';';
}

/* Whether it bears each header that the options ask for. */
static bool authorized(const struct sink *sink, const struct web_request *rq)
{
    const struct list *wanted = &sink->options->sink_headers;
    for (size_t i = 0; i < wanted->count; i++) {
        const char *equals = strchr(wanted->items[i], '=');
        char *key = xstrndup(wanted->items[i], (size_t)(equals - wanted->items[i]));
        const char *got = web_header(rq, key);
        free(key);
        if (!got || strcmp(got, equals + 1) != 0)
            return false;
    }
    return true;
}

/* The status with which the frame alone is refused; 0: it is fine. */
static int check_frame(const struct sink *sink, const struct web_request *rq)
{
    if (strcmp(rq->path, "/v1/logs") != 0)
        return 404;
    if (strcmp(rq->method, "POST") != 0)
        return 405;
    if (!authorized(sink, rq))
        return 401;
    const char *type = web_header(rq, "Content-Type");
    return is_type(type, JSON) || is_type(type, PROTOBUF) ? 0 : 415;
}

/* ---- the records -------------------------------------------------------------------------------
 */

static void add_line(struct buf *out, const struct otlp_item *item)
{
    const char *const keys[] = { "{\"resource\":", ",\"scope\":", ",\"record\":" };
    struct json_object *const values[] = { item->resource, item->scope, item->record };
    for (size_t i = 0; i < COUNT(keys); i++) {
        size_t len = 0;
        buf_append_text(out, keys[i]);
        const char *text = json_object_to_json_string_length(values[i], PLAIN, &len);
        buf_append(out, text, len);
    }
    buf_append_text(out, "}\n");
}

/* Fingerprints and lines of the records from the `rejected`-th on. */
static void take_records(const struct sink *sink, const struct otlp_items *items,
                         struct delivery *d)
{
    struct print print = PRINT_INIT;
    bool keep = sink->options->sink_keep_bytes > 0;
    d->prints = xreallocarray(NULL, items->count, sizeof(*d->prints));
    for (size_t i = d->batch.rejected; i < items->count; i++) {
        print_record(&print, items->items[i].record);
        d->prints[d->batch.records++] = print_end(&print);
        if (keep)
            add_line(&d->lines, &items->items[i]);
    }
    print_release(&print);
}

/* A text that a test has declared to be poison. */
static const char *poison_of(const struct sink *sink, const struct otlp_items *items)
{
    const struct list *poison = &sink->options->sink_refuse;
    for (size_t i = 0; i < poison->count; i++) {
        for (size_t j = 0; j < items->count; j++) {
            if (otlp_body_has(items->items[j].record, poison->items[i]))
                return poison->items[i];
        }
    }
    return NULL;
}

static int read_document(const struct sink *sink, struct json_object *document,
                         const struct fault *fault, struct delivery *d)
{
    struct otlp_items items = { 0 };
    int rc = otlp_check(document, sink->options->sink_strict, &items, &d->why);
    if (rc == 0 && poison_of(sink, &items))
        rc = error_set(&d->why, ERR_INPUT, "a record that is to be refused");
    if (rc == 0) {
        if (fault->kind == FAULT_PARTIAL)
            d->batch.rejected = (size_t)strtoull(fault->detail + (*fault->detail == '"'), NULL, 10);
        if (d->batch.rejected > items.count)
            d->batch.rejected = items.count;
        take_records(sink, &items, d);
    }
    otlp_items_release(&items);
    return rc;
}

/* In its place. JSON is the longer: past the largest body that is taken it may still be right. */
static int proto_to_json(struct buf *body, struct error *err)
{
    struct buf json = BUF_INIT((size_t)1 << 30);
    int rc = otlp_proto_to_json(buf_bytes(body), &json, err);
    buf_release(body);
    *body = json;
    return rc;
}

static int read_body(const struct sink *sink, const struct web_request *rq,
                     const struct fault *fault, struct delivery *d)
{
    struct buf text = BUF_INIT((size_t)sink->options->sink_max_bytes);
    struct json_object *document = NULL;
    int rc = -1;
    if (sink->options->sink_unread)
        return 0;
    if (rq->body.full) {
        error_set(&d->why, ERR_INPUT, "request body too large");
        goto out;
    }
    if (decode_body(d->batch.coding, buf_bytes(&rq->body), &text, &d->why))
        goto out;
    d->batch.read_bytes = text.len;
    if (d->batch.proto && proto_to_json(&text, &d->why))
        goto out;
    document = json_strict_parse(buf_bytes(&text), sink->options->sink_strict, &d->why);
    if (document)
        rc = read_document(sink, document, fault, d);
out:
    json_object_put(document);
    buf_release(&text);
    return rc;
}

/* ---- answers -----------------------------------------------------------------------------------
 */

#define INVALID_ARGUMENT 3 /* google.rpc.Code */

/* All in the request's encoding, as OTLP/HTTP has it. */
static void refuse(const struct delivery *d, struct web_answer *out, int status)
{
    if (d->batch.proto) {
        otlp_proto_refused(&out->body, INVALID_ARGUMENT, d->why.text);
    } else {
        buf_printf(&out->body, "{\"code\":%d,\"message\":", INVALID_ARGUMENT);
        jread_quote(&out->body, d->why.text);
        buf_append_char(&out->body, '}');
    }
    out->status = status;
    pairs_add(&out->headers, "Content-Type", d->batch.proto ? PROTOBUF : JSON);
}

static void accept(const struct delivery *d, struct web_answer *out, const struct fault *fault)
{
    bool partial = fault->kind == FAULT_PARTIAL;
    pairs_add(&out->headers, "Content-Type", d->batch.proto ? PROTOBUF : JSON);
    if (d->batch.proto) {
        const char *count = partial ? fault->detail : "";
        out->status = 200;
        otlp_proto_accepted(&out->body, strtoull(count + (*count == '"'), NULL, 10),
                            partial ? "as scripted" : NULL);
    } else if (partial) {
        web_json(
            out, 200,
            "{\"partialSuccess\":{\"rejectedLogRecords\":%s,\"errorMessage\":\"as scripted\"}}",
            fault->detail);
    } else {
        web_json(out, 200, "{\"partialSuccess\":{}}");
    }
}

static void receive(struct sink *sink, const struct web_request *rq, const struct fault *fault,
                    struct delivery *d, struct web_answer *out)
{
    int status = check_frame(sink, rq);
    if (status) {
        error_set(&d->why, ERR_INPUT, "%s %s: refused with %d", rq->method, rq->path, status);
        refuse(d, out, status);
        return;
    }
    if (read_body(sink, rq, fault, d)) {
        refuse(d, out, 400);
        return;
    }
    accept(d, out, fault);
    spoil_after(fault, out);
}

static void deliver(struct sink *sink, const struct web_request *rq, struct web_answer *out)
{
    struct fault fault = faults_next(sink->faults, FAULT_SINK);
    struct delivery d = { .lines = BUF_INIT((size_t)1 << 30) };
    d.batch.unix_ns = rq->arrived_unix_ns;
    d.batch.bytes = rq->body.len;
    d.batch.coding = web_header(rq, "Content-Encoding");
    d.batch.proto = is_type(web_header(rq, "Content-Type"), PROTOBUF);
    out->delay_ns = atomic_load(sink->latency_ns);
    if (spoil_before(&fault, out))
        error_set(&d.why, ERR_INPUT, "refused by script");
    else
        receive(sink, rq, &fault, &d, out);
    d.batch.status = out->end == WEB_WHOLE || out->end == WEB_CUT ? out->status : 0;
    store_add(sink->store, &d.batch, d.prints, &d.lines, d.why.text);
    free(d.prints);
    buf_release(&d.lines);
}

static void control(struct sink *sink, const struct web_request *rq, struct web_answer *out)
{
    const char *what = rq->path + strlen("/_sink/");
    bool post = strcmp(rq->method, "POST") == 0;
    struct error err = { 0 };
    if (strcmp(what, "stats") == 0)
        store_stats(sink->store, &out->body);
    else if (strcmp(what, "records") == 0)
        store_records(sink->store, &out->body);
    else if (strcmp(what, "batches") == 0)
        store_batches(sink->store, &out->body);
    else if (post && strcmp(what, "reset") == 0)
        store_reset(sink->store);
    else if (!post || strcmp(what, "fault") != 0)
        out->status = 404;
    else if (faults_replace(sink->faults, buf_text(&rq->body), &err))
        web_json(out, 400, "%s\n", err.text);
}

void sink_answer(void *self, const struct web_request *rq, struct web_answer *out)
{
    struct sink *sink = self;
    if (strncmp(rq->path, "/_sink/", strlen("/_sink/")) == 0)
        control(sink, rq, out);
    else
        deliver(sink, rq, out);
    if (sink->options->log)
        web_log(rq, out);
}
