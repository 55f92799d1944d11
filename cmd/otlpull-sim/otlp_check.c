#include "otlp_check.h"

#include <errno.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/buf.h"

enum type {
    TYPE_TEXT,
    TYPE_BOOL,
    TYPE_UINT32,
    TYPE_UINT64,
    TYPE_INT64,
    TYPE_DOUBLE,
    TYPE_BYTES,
    TYPE_SEVERITY,
    TYPE_TRACE_ID,
    TYPE_SPAN_ID,
    TYPE_OBJECT,
    TYPE_LIST, /* of objects */
};

enum message {
    MESSAGE_NONE,
    MESSAGE_REQUEST,
    MESSAGE_RESOURCE_LOGS,
    MESSAGE_RESOURCE,
    MESSAGE_SCOPE_LOGS,
    MESSAGE_SCOPE,
    MESSAGE_RECORD,
    MESSAGE_KEY_VALUE,
    MESSAGE_ANY_VALUE,
    MESSAGE_ARRAY,
    MESSAGE_KVLIST,
};

/* opentelemetry-proto: logs/v1, resource/v1, common/v1. */
static const struct member {
    enum message in;
    const char *name, *other; /* as protobuf's JSON has it, and as the .proto has it */
    enum type type;
    enum message of;
} members[] = {
    { MESSAGE_REQUEST, "resourceLogs", "resource_logs", TYPE_LIST, MESSAGE_RESOURCE_LOGS },
    { MESSAGE_RESOURCE_LOGS, "resource", "", TYPE_OBJECT, MESSAGE_RESOURCE },
    { MESSAGE_RESOURCE_LOGS, "scopeLogs", "scope_logs", TYPE_LIST, MESSAGE_SCOPE_LOGS },
    { MESSAGE_RESOURCE_LOGS, "schemaUrl", "schema_url", TYPE_TEXT, MESSAGE_NONE },
    { MESSAGE_RESOURCE, "attributes", "", TYPE_LIST, MESSAGE_KEY_VALUE },
    { MESSAGE_RESOURCE, "droppedAttributesCount", "dropped_attributes_count", TYPE_UINT32, 0 },
    { MESSAGE_SCOPE_LOGS, "scope", "", TYPE_OBJECT, MESSAGE_SCOPE },
    { MESSAGE_SCOPE_LOGS, "logRecords", "log_records", TYPE_LIST, MESSAGE_RECORD },
    { MESSAGE_SCOPE_LOGS, "schemaUrl", "schema_url", TYPE_TEXT, MESSAGE_NONE },
    { MESSAGE_SCOPE, "name", "", TYPE_TEXT, MESSAGE_NONE },
    { MESSAGE_SCOPE, "version", "", TYPE_TEXT, MESSAGE_NONE },
    { MESSAGE_SCOPE, "attributes", "", TYPE_LIST, MESSAGE_KEY_VALUE },
    { MESSAGE_SCOPE, "droppedAttributesCount", "dropped_attributes_count", TYPE_UINT32, 0 },
    { MESSAGE_RECORD, "timeUnixNano", "time_unix_nano", TYPE_UINT64, MESSAGE_NONE },
    { MESSAGE_RECORD, "observedTimeUnixNano", "observed_time_unix_nano", TYPE_UINT64,
      MESSAGE_NONE },
    { MESSAGE_RECORD, "severityNumber", "severity_number", TYPE_SEVERITY, MESSAGE_NONE },
    { MESSAGE_RECORD, "severityText", "severity_text", TYPE_TEXT, MESSAGE_NONE },
    { MESSAGE_RECORD, "body", "", TYPE_OBJECT, MESSAGE_ANY_VALUE },
    { MESSAGE_RECORD, "attributes", "", TYPE_LIST, MESSAGE_KEY_VALUE },
    { MESSAGE_RECORD, "droppedAttributesCount", "dropped_attributes_count", TYPE_UINT32, 0 },
    { MESSAGE_RECORD, "flags", "", TYPE_UINT32, MESSAGE_NONE },
    { MESSAGE_RECORD, "traceId", "trace_id", TYPE_TRACE_ID, MESSAGE_NONE },
    { MESSAGE_RECORD, "spanId", "span_id", TYPE_SPAN_ID, MESSAGE_NONE },
    { MESSAGE_RECORD, "eventName", "event_name", TYPE_TEXT, MESSAGE_NONE },
    { MESSAGE_KEY_VALUE, "key", "", TYPE_TEXT, MESSAGE_NONE },
    { MESSAGE_KEY_VALUE, "value", "", TYPE_OBJECT, MESSAGE_ANY_VALUE },
    { MESSAGE_ANY_VALUE, "stringValue", "string_value", TYPE_TEXT, MESSAGE_NONE },
    { MESSAGE_ANY_VALUE, "boolValue", "bool_value", TYPE_BOOL, MESSAGE_NONE },
    { MESSAGE_ANY_VALUE, "intValue", "int_value", TYPE_INT64, MESSAGE_NONE },
    { MESSAGE_ANY_VALUE, "doubleValue", "double_value", TYPE_DOUBLE, MESSAGE_NONE },
    { MESSAGE_ANY_VALUE, "bytesValue", "bytes_value", TYPE_BYTES, MESSAGE_NONE },
    { MESSAGE_ANY_VALUE, "arrayValue", "array_value", TYPE_OBJECT, MESSAGE_ARRAY },
    { MESSAGE_ANY_VALUE, "kvlistValue", "kvlist_value", TYPE_OBJECT, MESSAGE_KVLIST },
    { MESSAGE_ARRAY, "values", "", TYPE_LIST, MESSAGE_ANY_VALUE },
    { MESSAGE_KVLIST, "values", "", TYPE_LIST, MESSAGE_KEY_VALUE },
};

/* ---- single values -----------------------------------------------------------------------------
 */

static const char *text_of(struct json_object *value)
{
    return json_object_is_type(value, json_type_string) ? json_object_get_string(value) : NULL;
}

/* An integer from `least` to `most`, as a number or as text of digits. */
static const char *check_integer(struct json_object *value, int64_t least, uint64_t most,
                                 bool strict)
{
    const char *text = text_of(value);
    if (!text && strict && most > UINT32_MAX)
        return "a 64-bit integer that is no string";
    if (!text && !json_object_is_type(value, json_type_int))
        return "not an integer";
    if (!text) { /* json-c holds what is too large at the end of its scale */
        if (json_object_get_int64(value) < least || json_object_get_int64(value) == INT64_MIN)
            return "an integer out of range";
        uint64_t number = json_object_get_uint64(value);
        return number > most || number == UINT64_MAX ? "an integer out of range" : NULL;
    }
    bool minus = least < 0 && *text == '-';
    const char *digits = text + minus;
    char *end;
    errno = 0;
    uint64_t number = strtoull(digits, &end, 10);
    if (*digits < '0' || *digits > '9' || *end)
        return "text that is not an integer";
    return errno || number > most + minus ? "an integer out of range" : NULL;
}

static const char *check_severity(struct json_object *value, bool strict)
{
    const char *text = text_of(value);
    if (text) /* the names of the enum are legal, too; otlpull writes none */
        return !strict && strncmp(text, "SEVERITY_NUMBER_", 16) == 0 ? NULL : "not a number";
    if (!json_object_is_type(value, json_type_int))
        return "not an integer";
    int64_t number = json_object_get_int64(value);
    if (number < INT32_MIN || number > INT32_MAX)
        return "beyond 32 bits";
    return strict && (number < 0 || number > 24) ? "outside of 0..24" : NULL;
}

static const char *check_id(struct json_object *value, size_t digits, bool strict)
{
    const char *text = text_of(value);
    if (!text)
        return "an id that is no string";
    size_t len = (size_t)json_object_get_string_len(value);
    if (len != 0 && len != digits)
        return "an id of a wrong length";
    if (strspn(text, "0123456789abcdefABCDEF") != len)
        return "an id that is not hexadecimal";
    if (strict && strspn(text, "0") == len)
        return "an id that is empty or zero";
    return NULL;
}

static const char *check_double(struct json_object *value)
{
    const char *text = text_of(value);
    if (!text)
        return json_object_is_type(value, json_type_int) ||
                       (json_object_is_type(value, json_type_double) &&
                        json_object_get_double(value) - json_object_get_double(value) == 0)
                   ? NULL
                   : "not a number";
    if (strcmp(text, "NaN") == 0 || strcmp(text, "Infinity") == 0 || strcmp(text, "-Infinity") == 0)
        return NULL;
    char *end;
    double number = strtod(text, &end);
    return end == text || *end || number - number != 0 ? "text that is not a number" : NULL;
}

static const char *check_bytes(struct json_object *value)
{
    const char *text = text_of(value);
    size_t len = text ? strlen(text) : 0;
    struct buf decoded = BUF_INIT(len);
    bool good = text && base64_decode(&decoded, (struct bytes){ text, len });
    buf_release(&decoded);
    return good ? NULL : "not base64";
}

static const char *check_leaf(enum type type, struct json_object *value, bool strict)
{
    switch (type) {
    case TYPE_TEXT: /* null is as good as absent */
        return text_of(value) || (!value && !strict) ? NULL : "not a string";
    case TYPE_BOOL:
        return json_object_is_type(value, json_type_boolean) ? NULL : "not true or false";
    case TYPE_UINT32:
        return check_integer(value, 0, UINT32_MAX, strict);
    case TYPE_UINT64:
        return check_integer(value, 0, UINT64_MAX, strict);
    case TYPE_INT64:
        return check_integer(value, INT64_MIN, INT64_MAX, strict);
    case TYPE_DOUBLE:
        return check_double(value);
    case TYPE_BYTES:
        return check_bytes(value);
    case TYPE_SEVERITY:
        return check_severity(value, strict);
    case TYPE_TRACE_ID:
        return check_id(value, 32, strict);
    case TYPE_SPAN_ID:
        return check_id(value, 16, strict);
    default:
        return "not known";
    }
}

/* ---- the tree ----------------------------------------------------------------------------------
 */

static int check_object(enum message message, struct json_object *value, bool strict,
                        struct error *err);

static const struct member *member_named(enum message message, const char *name)
{
    for (size_t i = 0; i < COUNT(members); i++) {
        if (members[i].in == message &&
            (strcmp(members[i].name, name) == 0 || strcmp(members[i].other, name) == 0))
            return &members[i];
    }
    return NULL;
}

static struct json_object *get(struct json_object *object, enum message message, const char *name)
{
    struct json_object *value = NULL;
    if (!json_object_is_type(object, json_type_object))
        return NULL;
    if (!json_object_object_get_ex(object, name, &value))
        json_object_object_get_ex(object, member_named(message, name)->other, &value);
    return value;
}

static const char *repeated_key(struct json_object *list)
{
    size_t count = json_object_array_length(list);
    for (size_t i = 0; i < count; i++) {
        const char *key = text_of(
            get(json_object_array_get_idx(list, i), MESSAGE_KEY_VALUE, "key"));
        for (size_t j = 0; key && j < i; j++) {
            const char *earlier = text_of(
                get(json_object_array_get_idx(list, j), MESSAGE_KEY_VALUE, "key"));
            if (earlier && strcmp(key, earlier) == 0)
                return key;
        }
    }
    return NULL;
}

static int check_list(const struct member *m, struct json_object *list, bool strict,
                      struct error *err)
{
    if (!list && !strict)
        return 0;
    if (!json_object_is_type(list, json_type_array))
        return error_set(err, ERR_INPUT, "%s: not a list", m->name);
    size_t count = json_object_array_length(list);
    if (strict && count == 0 && m->of != MESSAGE_KEY_VALUE && m->of != MESSAGE_ANY_VALUE)
        return error_set(err, ERR_INPUT, "%s: empty", m->name);
    for (size_t i = 0; i < count; i++) {
        if (check_object(m->of, json_object_array_get_idx(list, i), strict, err))
            return error_within(err, "%s[%zu]", m->name, i);
    }
    if (strict && m->of == MESSAGE_KEY_VALUE && repeated_key(list))
        return error_set(err, ERR_INPUT, "%s: %s stands twice", m->name, repeated_key(list));
    return 0;
}

static int check_member(const struct member *m, struct json_object *value, bool strict,
                        struct error *err)
{
    if (m->type == TYPE_LIST)
        return check_list(m, value, strict, err);
    if (m->type == TYPE_OBJECT) {
        if (check_object(m->of, value, strict, err))
            return error_within(err, "%s", m->name);
        return 0;
    }
    const char *wrong = check_leaf(m->type, value, strict);
    return wrong ? error_set(err, ERR_INPUT, "%s: %s", m->name, wrong) : 0;
}

static int check_object(enum message message, struct json_object *value, bool strict,
                        struct error *err)
{
    if (!value && !strict)
        return 0;
    if (!json_object_is_type(value, json_type_object))
        return error_set(err, ERR_INPUT, "not an object");
    json_object_object_foreach(value, key, inner)
    {
        const struct member *m = member_named(message, key);
        if (m && check_member(m, inner, strict, err)) /* unknown ones are let be, as by all */
            return -1;
    }
    if (strict && message == MESSAGE_RECORD) {
        const char *observed = text_of(get(value, message, "observedTimeUnixNano"));
        if (!observed || strcmp(observed, "0") == 0)
            return error_set(err, ERR_INPUT, "observedTimeUnixNano: missing");
    }
    if (strict && message == MESSAGE_REQUEST && !get(value, message, "resourceLogs"))
        return error_set(err, ERR_INPUT, "resourceLogs: missing");
    return 0;
}

static void items_add(struct otlp_items *out, struct otlp_item item)
{
    if (out->count == out->capacity) {
        out->capacity = out->capacity ? 2 * out->capacity : 256;
        out->items = xreallocarray(out->items, out->capacity, sizeof(*out->items));
    }
    out->items[out->count++] = item;
}

static size_t length(struct json_object *list)
{
    return list ? json_object_array_length(list) : 0;
}

static void list_scope(struct json_object *resource, struct json_object *logs,
                       struct otlp_items *out)
{
    struct json_object *scope = get(logs, MESSAGE_SCOPE_LOGS, "scope");
    struct json_object *records = get(logs, MESSAGE_SCOPE_LOGS, "logRecords");
    for (size_t i = 0; i < length(records); i++)
        items_add(out,
                  (struct otlp_item){ resource, scope, json_object_array_get_idx(records, i) });
}

int otlp_check(struct json_object *document, bool strict, struct otlp_items *out, struct error *err)
{
    if (check_object(MESSAGE_REQUEST, document, strict, err))
        return -1;
    struct json_object *all = get(document, MESSAGE_REQUEST, "resourceLogs");
    for (size_t i = 0; i < length(all); i++) {
        struct json_object *logs = json_object_array_get_idx(all, i);
        struct json_object *resource = get(logs, MESSAGE_RESOURCE_LOGS, "resource");
        struct json_object *scopes = get(logs, MESSAGE_RESOURCE_LOGS, "scopeLogs");
        for (size_t j = 0; j < length(scopes); j++)
            list_scope(resource, json_object_array_get_idx(scopes, j), out);
    }
    return 0;
}

void otlp_items_release(struct otlp_items *items)
{
    free(items->items);
    *items = (struct otlp_items){ 0 };
}

bool otlp_body_has(struct json_object *record, const char *text)
{
    struct json_object *body = get(record, MESSAGE_RECORD, "body");
    const char *string = text_of(get(body, MESSAGE_ANY_VALUE, "stringValue"));
    if (!string)
        string = json_object_to_json_string_ext(body, JSON_C_TO_STRING_PLAIN);
    return string && strstr(string, text) != NULL;
}
