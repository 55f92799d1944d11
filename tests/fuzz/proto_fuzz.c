/* proto_fuzz.c -- otlp/proto.c beside json-c: a request's text as protobuf, read back by the
 * simulator's decoder, is what json-c reads from the text itself; and both refuse the same texts.
 * What json-c cannot tell is only converted and read back:
 *   - a member that stands twice, of which its tree holds one
 *   - an escaped NUL, which ends a key for it
 *   - integers beyond 64 bits, which it holds at the end of its scale, and those ends
 * Brackets deeper than OTLP_MAX_DEPTH are ours to refuse.
 *
 * The same input is also a collector's answer in protobuf, which src/wire.c reads. */
#include "fuzz.h"

#include <errno.h>
#include <json-c/json.h>
#include <math.h>
#include <string.h>

#include "base/base64.h"
#include "cmd/otlpull-sim/json_strict.h"
#include "cmd/otlpull-sim/otlp_proto.h"
#include "otlp/otlp.h"
#include "wire.h"

enum form { STRING, BOOL, INT64, DOUBLE, BASE64, TIME, UINT32, SEVERITY, ID_16, ID_8, ONE, MANY };

enum type {
    REQUEST,
    RESOURCE_LOGS,
    RESOURCE,
    SCOPE_LOGS,
    SCOPE,
    RECORD,
    KEY_VALUE,
    VALUE,
    ARRAY,
    LIST
};

static const struct row {
    enum type in;
    const char *name, *other;
    enum form form;
    enum type of;
} rows[] = {
    { REQUEST, "resourceLogs", "resource_logs", MANY, RESOURCE_LOGS },
    { RESOURCE_LOGS, "resource", "", ONE, RESOURCE },
    { RESOURCE_LOGS, "scopeLogs", "scope_logs", MANY, SCOPE_LOGS },
    { RESOURCE_LOGS, "schemaUrl", "schema_url", STRING, 0 },
    { RESOURCE, "attributes", "", MANY, KEY_VALUE },
    { RESOURCE, "droppedAttributesCount", "dropped_attributes_count", UINT32, 0 },
    { SCOPE_LOGS, "scope", "", ONE, SCOPE },
    { SCOPE_LOGS, "logRecords", "log_records", MANY, RECORD },
    { SCOPE_LOGS, "schemaUrl", "schema_url", STRING, 0 },
    { SCOPE, "name", "", STRING, 0 },
    { SCOPE, "version", "", STRING, 0 },
    { SCOPE, "attributes", "", MANY, KEY_VALUE },
    { SCOPE, "droppedAttributesCount", "dropped_attributes_count", UINT32, 0 },
    { RECORD, "timeUnixNano", "time_unix_nano", TIME, 0 },
    { RECORD, "observedTimeUnixNano", "observed_time_unix_nano", TIME, 0 },
    { RECORD, "severityNumber", "severity_number", SEVERITY, 0 },
    { RECORD, "severityText", "severity_text", STRING, 0 },
    { RECORD, "body", "", ONE, VALUE },
    { RECORD, "attributes", "", MANY, KEY_VALUE },
    { RECORD, "droppedAttributesCount", "dropped_attributes_count", UINT32, 0 },
    { RECORD, "flags", "", UINT32, 0 },
    { RECORD, "traceId", "trace_id", ID_16, 0 },
    { RECORD, "spanId", "span_id", ID_8, 0 },
    { RECORD, "eventName", "event_name", STRING, 0 },
    { KEY_VALUE, "key", "", STRING, 0 },
    { KEY_VALUE, "value", "", ONE, VALUE },
    { VALUE, "stringValue", "string_value", STRING, 0 },
    { VALUE, "boolValue", "bool_value", BOOL, 0 },
    { VALUE, "intValue", "int_value", INT64, 0 },
    { VALUE, "doubleValue", "double_value", DOUBLE, 0 },
    { VALUE, "bytesValue", "bytes_value", BASE64, 0 },
    { VALUE, "arrayValue", "array_value", ONE, ARRAY },
    { VALUE, "kvlistValue", "kvlist_value", ONE, LIST },
    { ARRAY, "values", "", MANY, VALUE },
    { LIST, "values", "", MANY, KEY_VALUE },
};

/* What json-c makes of a text: whether it can be protobuf, and whether json-c can tell. */
struct oracle {
    bool refused, unsure;
};

static struct json_object *refuse(struct oracle *o)
{
    o->refused = true;
    return NULL;
}

/* ---- single values ---- */

static struct json_object *text_of(const char *format, long long number)
{
    char text[32];
    snprintf(text, sizeof(text), format, number);
    return json_object_new_string(text);
}

static struct json_object *integer(struct oracle *o, struct json_object *in, enum form form)
{
    bool is_signed = form == INT64 || form == SEVERITY;
    const char *text = json_object_get_string(in);
    if (json_object_is_type(in, json_type_int)) {
        int64_t low = json_object_get_int64(in);
        o->unsure |= low == INT64_MIN || json_object_get_uint64(in) == UINT64_MAX;
    } else if (!json_object_is_type(in, json_type_string) || form == SEVERITY ||
               strlen(text) != (size_t)json_object_get_string_len(in)) {
        return refuse(o);
    }
    bool sign = *text == '-' || (*text == '+' && is_signed);
    if (sign && !is_signed)
        return refuse(o);
    const char *digits = text + sign;
    if (!*digits || digits[strspn(digits, "0123456789")])
        return refuse(o);
    errno = 0;
    unsigned long long number = strtoull(digits, NULL, 10);
    unsigned long long most = form == TIME     ? UINT64_MAX
                              : form == UINT32 ? UINT32_MAX
                              : form == INT64  ? INT64_MAX
                                               : INT32_MAX;
    if (errno || number > most + (*text == '-' && number == most + 1))
        return refuse(o);
    if (form == TIME || form == INT64)
        return text_of(*text == '-' ? "%lld" : "%llu",
                       (long long)(*text == '-' ? 0 - number : number));
    return json_object_new_int64(*text == '-' ? -(int64_t)number : (int64_t)number);
}

static struct json_object *severity(struct oracle *o, struct json_object *in)
{
    static const char *const words[] = { "TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL" };
    if (!json_object_is_type(in, json_type_string))
        return integer(o, in, SEVERITY);
    for (int i = 0; i <= 24; i++) {
        char name[40] = "SEVERITY_NUMBER_UNSPECIFIED", digit[2] = { (char)('1' + (i + 3) % 4), 0 };
        if (i > 0)
            snprintf(name, sizeof(name), "SEVERITY_NUMBER_%s%s", words[(i - 1) / 4],
                     *digit == '1' ? "" : digit);
        if ((size_t)json_object_get_string_len(in) == strlen(name) &&
            strcmp(json_object_get_string(in), name) == 0)
            return json_object_new_int(i);
    }
    return refuse(o);
}

static struct json_object *floating(struct oracle *o, struct json_object *in)
{
    const char *text = json_object_get_string(in);
    bool string = json_object_is_type(in, json_type_string);
    char *end, out[40];
    if (json_object_is_type(in, json_type_int)) {
        int64_t low = json_object_get_int64(in);
        o->unsure |= low == INT64_MIN || json_object_get_uint64(in) == UINT64_MAX;
    } else if (!json_object_is_type(in, json_type_double) &&
               (!string || !*text || strchr(text, '(') || strchr(" \t\n\v\f\r", *text))) {
        return refuse(o);
    }
    errno = 0;
    double value = strtod(text, &end);
    size_t len = string ? (size_t)json_object_get_string_len(in) : strlen(text);
    if (end != text + len || (errno == ERANGE && isinf(value)))
        return refuse(o);
    if (isnan(value))
        return json_object_new_string("NaN");
    if (isinf(value))
        return json_object_new_string(value < 0 ? "-Infinity" : "Infinity");
    snprintf(out, sizeof(out), "%.17g", value);
    return json_tokener_parse(out); /* as it is read back */
}

static struct json_object *base64(struct oracle *o, struct json_object *in)
{
    if (!json_object_is_type(in, json_type_string))
        return refuse(o);
    size_t len = (size_t)json_object_get_string_len(in), padding = 0;
    struct buf text = BUF_INIT(len + 4), plain = BUF_INIT(len + 4), again = BUF_INIT(2 * len + 8);
    buf_append(&text, json_object_get_string(in), len);
    for (size_t i = 0; i < len; i++) {
        if (text.data[i] == '-')
            text.data[i] = '+';
        else if (text.data[i] == '_')
            text.data[i] = '/';
    }
    while (padding < len && text.data[len - 1 - padding] == '=')
        padding++;
    while (padding == 0 && text.len % 4 > 1)
        buf_append_char(&text, '=');
    struct json_object *out = NULL;
    if (padding <= 2 && base64_decode(&plain, buf_bytes(&text))) {
        base64_append(&again, buf_text(&plain), plain.len);
        out = json_object_new_string(buf_text(&again));
    }
    buf_release(&text);
    buf_release(&plain);
    buf_release(&again);
    return out ? out : refuse(o);
}

static struct json_object *id(struct oracle *o, struct json_object *in, size_t digits)
{
    if (!json_object_is_type(in, json_type_string))
        return refuse(o);
    const char *text = json_object_get_string(in);
    size_t len = (size_t)json_object_get_string_len(in);
    char small[33] = "";
    if ((len && len != digits) || strspn(text, "0123456789abcdefABCDEF") != len)
        return refuse(o);
    for (size_t i = 0; i < len; i++)
        small[i] = text[i] >= 'A' && text[i] <= 'F' ? (char)(text[i] | 0x20) : text[i];
    return json_object_new_string(small);
}

static struct json_object *single(struct oracle *o, enum form form, struct json_object *in)
{
    switch (form) {
    case STRING:
        return json_object_is_type(in, json_type_string) ? json_object_get(in) : refuse(o);
    case BOOL:
        return json_object_is_type(in, json_type_boolean) ? json_object_get(in) : refuse(o);
    case SEVERITY:
        return severity(o, in);
    case DOUBLE:
        return floating(o, in);
    case BASE64:
        return base64(o, in);
    case ID_16:
        return id(o, in, 32);
    case ID_8:
        return id(o, in, 16);
    default:
        return integer(o, in, form);
    }
}

/* ---- messages ---- */

static struct json_object *message(struct oracle *o, enum type type, struct json_object *in);

static void add_list(struct oracle *o, struct json_object *out, const struct row *row,
                     struct json_object *in)
{
    struct json_object *list = NULL;
    if (!json_object_is_type(in, json_type_array)) {
        refuse(o);
        return;
    }
    size_t count = json_object_array_length(in);
    if (count && !json_object_object_get_ex(out, row->name, &list)) {
        list = json_object_new_array();
        json_object_object_add(out, row->name, list);
    }
    for (size_t i = 0; i < count; i++) {
        struct json_object *element = json_object_array_get_idx(in, i);
        json_object_array_add(list,
                              element ? message(o, row->of, element) : json_object_new_object());
    }
}

static struct json_object *message(struct oracle *o, enum type type, struct json_object *in)
{
    struct json_object *out = json_object_new_object();
    if (!json_object_is_type(in, json_type_object)) {
        o->refused = true;
        return out;
    }
    json_object_object_foreach(in, key, value)
    {
        const struct row *row = NULL;
        for (size_t i = 0; i < COUNT(rows) && !row; i++) {
            if (rows[i].in == type && *key &&
                (strcmp(rows[i].name, key) == 0 || strcmp(rows[i].other, key) == 0))
                row = &rows[i];
        }
        if (!row || !value)
            continue;
        if (row->form == MANY) {
            add_list(o, out, row, value);
            continue;
        }
        struct json_object *made = row->form == ONE ? message(o, row->of, value)
                                                    : single(o, row->form, value);
        if (type == VALUE) { /* one of: the last */
            json_object_put(out);
            out = json_object_new_object();
        }
        json_object_object_add(out, row->name, made);
    }
    return out;
}

/* ---- */

/* NULL: refused, and `too_deep` says whether for that. Else what the protobuf says, as JSON. */
static struct json_object *convert(const char *text, size_t len, bool *too_deep)
{
    struct otlp_proto p;
    struct buf json = BUF_INIT((size_t)1 << 30);
    struct error err = { 0 };
    char *proto = malloc(len ? len : 1);
    size_t proto_len = otlp_proto_write(&p, (struct otlp_text){ text, len }, proto);
    if (proto_len == OTLP_NONE) {
        FUZZ_CHECK(p.problem && strcmp(p.problem, "longer as protobuf than as JSON") != 0);
        *too_deep = strcmp(p.problem, "nested too deeply") == 0;
        free(proto);
        return NULL;
    }
    FUZZ_CHECK(otlp_proto_to_json((struct bytes){ proto, proto_len }, &json, &err) == 0);
    struct json_object *out = json_strict_parse(buf_bytes(&json), true, &err);
    FUZZ_CHECK(out);
    buf_release(&json);
    free(proto);
    return out;
}

static void read_answer(const char *data, size_t len)
{
    struct reply reply = { .content_type = "application/x-protobuf" };
    char words[8] = "unset";
    reply.body.data = malloc(len ? len : 1);
    reply.body.len = len;
    memcpy(reply.body.data, data, len); /* to the byte */
    int64_t rejected = wire_rejected(&reply, 10);
    wire_words(&reply, words, sizeof(words));
    FUZZ_CHECK(rejected >= 0 && rejected <= 10 && memchr(words, '\0', sizeof(words)));
    free(reply.body.data);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error ignored = { 0 };
    struct oracle o = { 0 };
    bool too_deep = false;
    const char *text = (const char *)data;
    if (size > 1 << 20)
        return 0;
    if (size)
        read_answer(text, size);
    struct json_object *got = convert(text, size, &too_deep);
    struct json_object *whole = json_strict_parse((struct bytes){ text, size }, true, &ignored);
    struct json_object *want = whole ? message(&o, REQUEST, whole) : NULL;
    bool escaped_nul = memmem(text, size, "\\u0000", 6) != NULL;
    if (want && !o.unsure && !too_deep && !escaped_nul) {
        FUZZ_CHECK((got == NULL) == o.refused);
        FUZZ_CHECK(!got || json_object_equal(got, want));
    }
    json_object_put(whole);
    json_object_put(want);
    json_object_put(got);
    return 0;
}
