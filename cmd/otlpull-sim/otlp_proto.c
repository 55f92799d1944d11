#include "otlp_proto.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/base64.h"

#define DEPTH_MAX 100 /* messages inside one another, as protobuf's own readers have it */

enum wire { WIRE_VARINT = 0, WIRE_64 = 1, WIRE_TEXT = 2, WIRE_32 = 5 };

enum form {
    FORM_STRING,
    FORM_BASE64,
    FORM_HEX,
    FORM_BOOL,
    FORM_INT32,
    FORM_INT64,  /* a string in JSON */
    FORM_UINT32, /* also a fixed32 */
    FORM_TIME,   /* a fixed64: a string in JSON */
    FORM_DOUBLE,
    FORM_ONE,
    FORM_MANY,
};

enum type {
    TYPE_NONE,
    TYPE_REQUEST,
    TYPE_RESOURCE_LOGS,
    TYPE_RESOURCE,
    TYPE_SCOPE_LOGS,
    TYPE_SCOPE,
    TYPE_LOG_RECORD,
    TYPE_KEY_VALUE,
    TYPE_ANY_VALUE,
    TYPE_ARRAY_VALUE,
    TYPE_KEY_VALUE_LIST,
};

/* opentelemetry-proto v1.7.0: collector/logs/v1, logs/v1, resource/v1, common/v1. */
static const struct row {
    enum type in;
    unsigned number;
    enum wire wire;
    enum form form;
    enum type of;
    const char *name;
} rows[] = {
    { TYPE_REQUEST, 1, WIRE_TEXT, FORM_MANY, TYPE_RESOURCE_LOGS, "resourceLogs" },
    { TYPE_RESOURCE_LOGS, 1, WIRE_TEXT, FORM_ONE, TYPE_RESOURCE, "resource" },
    { TYPE_RESOURCE_LOGS, 2, WIRE_TEXT, FORM_MANY, TYPE_SCOPE_LOGS, "scopeLogs" },
    { TYPE_RESOURCE_LOGS, 3, WIRE_TEXT, FORM_STRING, TYPE_NONE, "schemaUrl" },
    { TYPE_RESOURCE, 1, WIRE_TEXT, FORM_MANY, TYPE_KEY_VALUE, "attributes" },
    { TYPE_RESOURCE, 2, WIRE_VARINT, FORM_UINT32, TYPE_NONE, "droppedAttributesCount" },
    { TYPE_SCOPE_LOGS, 1, WIRE_TEXT, FORM_ONE, TYPE_SCOPE, "scope" },
    { TYPE_SCOPE_LOGS, 2, WIRE_TEXT, FORM_MANY, TYPE_LOG_RECORD, "logRecords" },
    { TYPE_SCOPE_LOGS, 3, WIRE_TEXT, FORM_STRING, TYPE_NONE, "schemaUrl" },
    { TYPE_SCOPE, 1, WIRE_TEXT, FORM_STRING, TYPE_NONE, "name" },
    { TYPE_SCOPE, 2, WIRE_TEXT, FORM_STRING, TYPE_NONE, "version" },
    { TYPE_SCOPE, 3, WIRE_TEXT, FORM_MANY, TYPE_KEY_VALUE, "attributes" },
    { TYPE_SCOPE, 4, WIRE_VARINT, FORM_UINT32, TYPE_NONE, "droppedAttributesCount" },
    { TYPE_LOG_RECORD, 1, WIRE_64, FORM_TIME, TYPE_NONE, "timeUnixNano" },
    { TYPE_LOG_RECORD, 11, WIRE_64, FORM_TIME, TYPE_NONE, "observedTimeUnixNano" },
    { TYPE_LOG_RECORD, 2, WIRE_VARINT, FORM_INT32, TYPE_NONE, "severityNumber" },
    { TYPE_LOG_RECORD, 3, WIRE_TEXT, FORM_STRING, TYPE_NONE, "severityText" },
    { TYPE_LOG_RECORD, 5, WIRE_TEXT, FORM_ONE, TYPE_ANY_VALUE, "body" },
    { TYPE_LOG_RECORD, 6, WIRE_TEXT, FORM_MANY, TYPE_KEY_VALUE, "attributes" },
    { TYPE_LOG_RECORD, 7, WIRE_VARINT, FORM_UINT32, TYPE_NONE, "droppedAttributesCount" },
    { TYPE_LOG_RECORD, 8, WIRE_32, FORM_UINT32, TYPE_NONE, "flags" },
    { TYPE_LOG_RECORD, 9, WIRE_TEXT, FORM_HEX, TYPE_NONE, "traceId" },
    { TYPE_LOG_RECORD, 10, WIRE_TEXT, FORM_HEX, TYPE_NONE, "spanId" },
    { TYPE_LOG_RECORD, 12, WIRE_TEXT, FORM_STRING, TYPE_NONE, "eventName" },
    { TYPE_KEY_VALUE, 1, WIRE_TEXT, FORM_STRING, TYPE_NONE, "key" },
    { TYPE_KEY_VALUE, 2, WIRE_TEXT, FORM_ONE, TYPE_ANY_VALUE, "value" },
    { TYPE_ANY_VALUE, 1, WIRE_TEXT, FORM_STRING, TYPE_NONE, "stringValue" },
    { TYPE_ANY_VALUE, 2, WIRE_VARINT, FORM_BOOL, TYPE_NONE, "boolValue" },
    { TYPE_ANY_VALUE, 3, WIRE_VARINT, FORM_INT64, TYPE_NONE, "intValue" },
    { TYPE_ANY_VALUE, 4, WIRE_64, FORM_DOUBLE, TYPE_NONE, "doubleValue" },
    { TYPE_ANY_VALUE, 5, WIRE_TEXT, FORM_ONE, TYPE_ARRAY_VALUE, "arrayValue" },
    { TYPE_ANY_VALUE, 6, WIRE_TEXT, FORM_ONE, TYPE_KEY_VALUE_LIST, "kvlistValue" },
    { TYPE_ANY_VALUE, 7, WIRE_TEXT, FORM_BASE64, TYPE_NONE, "bytesValue" },
    { TYPE_ARRAY_VALUE, 1, WIRE_TEXT, FORM_MANY, TYPE_ANY_VALUE, "values" },
    { TYPE_KEY_VALUE_LIST, 1, WIRE_TEXT, FORM_MANY, TYPE_KEY_VALUE, "values" },
};

/* One field as it stands on the wire. */
struct piece {
    uint64_t number;
    enum wire wire;
    uint64_t value;    /* of a varint, fixed64 or fixed32 */
    struct bytes text; /* of what has a length */
};

static const struct row *row_of(enum type in, uint64_t number)
{
    for (size_t i = 0; i < COUNT(rows); i++) {
        if (rows[i].in == in && rows[i].number == number)
            return &rows[i];
    }
    return NULL;
}

/* ---- reading -----------------------------------------------------------------------------------
 */

static int read_varint(struct bytes *in, uint64_t *out, struct error *err)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < 10; i++) {
        if (in->len == 0)
            return error_set(err, ERR_INPUT, "a varint is cut");
        unsigned char byte = (unsigned char)in->data[0];
        in->data++;
        in->len--;
        if (i == 9 && byte > 1)
            break;
        value |= (uint64_t)(byte & 0x7f) << (7 * i);
        if (byte & 0x80)
            continue;
        if (i > 0 && byte == 0)
            return error_set(err, ERR_INPUT, "a varint is longer than it need be");
        *out = value;
        return 0;
    }
    return error_set(err, ERR_INPUT, "a varint of more than 64 bits");
}

static int read_piece(struct bytes *in, struct piece *out, struct error *err)
{
    uint64_t tag = 0, len = 0;
    *out = (struct piece){ 0 };
    if (read_varint(in, &tag, err))
        return -1;
    out->number = tag >> 3;
    out->wire = (enum wire)(tag & 7);
    if (out->wire == WIRE_VARINT)
        return read_varint(in, &out->value, err);
    if (out->wire == WIRE_TEXT && read_varint(in, &len, err))
        return -1;
    if (out->wire == WIRE_64 || out->wire == WIRE_32)
        len = out->wire == WIRE_64 ? 8 : 4;
    else if (out->wire != WIRE_TEXT)
        return error_set(err, ERR_INPUT, "wire type %d", (int)out->wire);
    if (len > in->len)
        return error_set(err, ERR_INPUT, "field %" PRIu64 " is cut", out->number);
    out->text = (struct bytes){ in->data, (size_t)len };
    for (size_t i = 0; i < len && out->wire != WIRE_TEXT; i++)
        out->value |= (uint64_t)(unsigned char)in->data[i] << (8 * i);
    in->data += len;
    in->len -= (size_t)len;
    return 0;
}

/* Whether all its fields are of that type, and no message stands twice where there is one. */
static int check_fields(enum type type, struct bytes in, struct error *err)
{
    uint64_t seen = 0;
    while (in.len > 0) {
        struct piece piece;
        if (read_piece(&in, &piece, err))
            return -1;
        const struct row *row = row_of(type, piece.number);
        if (!row || row->wire != piece.wire)
            return error_set(err, ERR_INPUT, "no such field: %" PRIu64 ", wire type %d",
                             piece.number, (int)piece.wire);
        if (row->form == FORM_ONE && (seen >> row->number & 1))
            return error_set(err, ERR_INPUT, "%s stands twice", row->name);
        seen |= UINT64_C(1) << row->number;
    }
    return 0;
}

/* ---- writing -----------------------------------------------------------------------------------
 */

/* As JSON wants it; whether it is UTF-8, the JSON reader says. */
static void put_string(struct buf *out, struct bytes text)
{
    buf_append_char(out, '"');
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if (c < 0x20 || c == '"' || c == '\\')
            buf_printf(out, "\\u%04x", c);
        else
            buf_append_char(out, (char)c);
    }
    buf_append_char(out, '"');
}

static void put_hex(struct buf *out, struct bytes id)
{
    buf_append_char(out, '"');
    for (size_t i = 0; i < id.len; i++)
        buf_printf(out, "%02x", (unsigned char)id.data[i]);
    buf_append_char(out, '"');
}

static void put_double(struct buf *out, uint64_t bits)
{
    double number;
    memcpy(&number, &bits, sizeof(number));
    if (isnan(number))
        buf_append_text(out, "\"NaN\"");
    else if (isinf(number))
        buf_append_text(out, number < 0 ? "\"-Infinity\"" : "\"Infinity\"");
    else
        buf_printf(out, "%.17g", number);
}

static void put_single(struct buf *out, enum form form, const struct piece *piece)
{
    switch (form) {
    case FORM_STRING:
        put_string(out, piece->text);
        break;
    case FORM_BASE64:
        buf_append_char(out, '"');
        base64_append(out, piece->text.data, piece->text.len);
        buf_append_char(out, '"');
        break;
    case FORM_HEX:
        put_hex(out, piece->text);
        break;
    case FORM_BOOL:
        buf_append_text(out, piece->value ? "true" : "false");
        break;
    case FORM_INT32:
        buf_printf(out, "%" PRId64, (int64_t)piece->value);
        break;
    case FORM_INT64:
        buf_printf(out, "\"%" PRId64 "\"", (int64_t)piece->value);
        break;
    case FORM_UINT32:
        buf_printf(out, "%" PRIu64, piece->value);
        break;
    case FORM_TIME:
        buf_printf(out, "\"%" PRIu64 "\"", piece->value);
        break;
    case FORM_DOUBLE:
        put_double(out, piece->value);
        break;
    case FORM_ONE:
    case FORM_MANY:
        break;
    }
}

static int put_message(struct buf *out, enum type type, struct bytes in, int depth,
                       struct error *err);

/* A member and its values: from each of its fields, or from the last. False: it has none. */
static int put_member(struct buf *out, const struct row *row, struct bytes in, int depth,
                      struct error *err)
{
    struct piece piece, last = { 0 };
    size_t count = 0;
    buf_printf(out, "\"%s\":%s", row->name, row->form == FORM_MANY ? "[" : "");
    while (in.len > 0) {
        if (read_piece(&in, &piece, err))
            return -1;
        if (piece.number != row->number)
            continue;
        last = piece;
        if (row->form == FORM_MANY && count++ > 0)
            buf_append_char(out, ',');
        if (row->of && put_message(out, row->of, piece.text, depth + 1, err))
            return error_within(err, "%s", row->name);
    }
    if (row->form == FORM_MANY)
        buf_append_char(out, ']');
    else if (row->form != FORM_ONE)
        put_single(out, row->form, &last);
    return 0;
}

/* Its members in the order of the rows: the message is read once for each, and no tree is built. */
static int put_message(struct buf *out, enum type type, struct bytes in, int depth,
                       struct error *err)
{
    if (depth > DEPTH_MAX)
        return error_set(err, ERR_INPUT, "nested too deeply");
    if (check_fields(type, in, err))
        return -1;
    uint64_t there = 0, last = 0;
    struct piece piece;
    for (struct bytes rest = in; rest.len > 0;) {
        if (read_piece(&rest, &piece, err))
            return -1;
        last = piece.number;
        there |= UINT64_C(1) << last;
    }
    if (type == TYPE_ANY_VALUE) /* one of: the last */
        there = last ? UINT64_C(1) << last : 0;
    bool first = true;
    buf_append_char(out, '{');
    for (size_t i = 0; i < COUNT(rows); i++) {
        if (rows[i].in != type || !(there >> rows[i].number & 1))
            continue;
        if (!first)
            buf_append_char(out, ',');
        first = false;
        if (put_member(out, &rows[i], in, depth, err))
            return -1;
    }
    buf_append_char(out, '}');
    return 0;
}

int otlp_proto_to_json(struct bytes proto, struct buf *out, struct error *err)
{
    if (put_message(out, TYPE_REQUEST, proto, 0, err))
        return -1;
    return out->full ? error_set(err, ERR_INPUT, "more than %zu bytes as JSON", out->max) : 0;
}

/* ---- answers -----------------------------------------------------------------------------------
 */

static void put_varint(struct buf *out, uint64_t value)
{
    for (; value > 0x7f; value >>= 7)
        buf_append_char(out, (char)(value | 0x80));
    buf_append_char(out, (char)value);
}

static void put_tag(struct buf *out, unsigned number, enum wire wire)
{
    put_varint(out, number << 3 | (unsigned)wire);
}

/* Field 1, a number, and field 2, a text: both kinds of answer are that. */
static void put_number_and_words(struct buf *out, uint64_t number, const char *words)
{
    put_tag(out, 1, WIRE_VARINT);
    put_varint(out, number);
    put_tag(out, 2, WIRE_TEXT);
    put_varint(out, strlen(words));
    buf_append_text(out, words);
}

void otlp_proto_accepted(struct buf *out, uint64_t rejected, const char *words)
{
    struct buf partial = BUF_INIT(1024);
    if (words)
        put_number_and_words(&partial, rejected, words);
    put_tag(out, 1, WIRE_TEXT);
    put_varint(out, partial.len);
    buf_append_bytes(out, buf_bytes(&partial));
    buf_release(&partial);
}

void otlp_proto_refused(struct buf *out, uint64_t code, const char *words)
{
    put_number_and_words(out, code, words);
}
