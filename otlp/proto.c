/* proto.c -- an OTLP/JSON request as protobuf, in one walk over the text and without a tree. The
 * wire has each nested message's length before its content: a byte is left for it, and the few
 * messages that need more are moved along once they are whole. As messages lie inside one another
 * no deeper than the brackets may go, that moves a byte a few times at most. Protobuf is never
 * longer than the text it came from, which bounds all of it. Turned down: a first walk for the
 * lengths alone, which reads the text twice and so costs more than it saves.
 *
 * Field numbers: opentelemetry-proto 1.x, collector/logs/v1/logs_service.proto, logs/v1/logs.proto,
 * resource/v1/resource.proto, common/v1/common.proto. Wire types and the mapping of JSON:
 * protobuf.dev, "Encoding" and "ProtoJSON Format", as OTLP changes it (ids are hex). Where a value
 * does not fit its field, this refuses what the OpenTelemetry Collector refuses as JSON. */
#include "otlp.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum kind {
    TEXT,
    BOOL,
    INT64,
    DOUBLE,
    BYTES,
    FIXED64,
    FIXED32,
    UINT32,
    SEVERITY,
    TRACE_ID,
    SPAN_ID,
    MESSAGE,
    LIST, /* of messages */
};

enum message {
    NONE,
    REQUEST, /* ExportLogsServiceRequest */
    RESOURCE_LOGS,
    RESOURCE,
    SCOPE_LOGS,
    SCOPE,
    RECORD,
    KEY_VALUE,
    ANY_VALUE,
    ARRAY,
    KEY_VALUE_LIST,
    MESSAGES
};

#define MEMBERS_MAX 12

struct member {
    const char *name, *other; /* as ProtoJSON writes it; as the .proto has it: readers take both */
    unsigned char name_len, other_len;
    unsigned char number; /* below 16: a field's tag is one byte */
    enum kind kind;
    enum message of;
};

#define MEMBER(name, other, number, kind, of)                                                      \
    {                                                                                              \
        name, other, sizeof(name) - 1, sizeof(other) - 1, number, kind, of                         \
    }
#define SAME(name, number, kind, of) MEMBER(name, name, number, kind, of)
#define DROPPED_COUNT(number)                                                                      \
    MEMBER("droppedAttributesCount", "dropped_attributes_count", number, UINT32, NONE)

static const struct member members[MESSAGES][MEMBERS_MAX] = {
    [REQUEST] = { MEMBER("resourceLogs", "resource_logs", 1, LIST, RESOURCE_LOGS) },
    [RESOURCE_LOGS] = { SAME("resource", 1, MESSAGE, RESOURCE),
                        MEMBER("scopeLogs", "scope_logs", 2, LIST, SCOPE_LOGS),
                        MEMBER("schemaUrl", "schema_url", 3, TEXT, NONE) },
    [RESOURCE] = { SAME("attributes", 1, LIST, KEY_VALUE), DROPPED_COUNT(2) },
    [SCOPE_LOGS] = { SAME("scope", 1, MESSAGE, SCOPE),
                     MEMBER("logRecords", "log_records", 2, LIST, RECORD),
                     MEMBER("schemaUrl", "schema_url", 3, TEXT, NONE) },
    [SCOPE] = { SAME("name", 1, TEXT, NONE), SAME("version", 2, TEXT, NONE),
                SAME("attributes", 3, LIST, KEY_VALUE), DROPPED_COUNT(4) },
    [RECORD] = { MEMBER("timeUnixNano", "time_unix_nano", 1, FIXED64, NONE),
                 MEMBER("severityNumber", "severity_number", 2, SEVERITY, NONE),
                 MEMBER("severityText", "severity_text", 3, TEXT, NONE),
                 SAME("body", 5, MESSAGE, ANY_VALUE), SAME("attributes", 6, LIST, KEY_VALUE),
                 DROPPED_COUNT(7), SAME("flags", 8, FIXED32, NONE),
                 MEMBER("traceId", "trace_id", 9, TRACE_ID, NONE),
                 MEMBER("spanId", "span_id", 10, SPAN_ID, NONE),
                 MEMBER("observedTimeUnixNano", "observed_time_unix_nano", 11, FIXED64, NONE),
                 MEMBER("eventName", "event_name", 12, TEXT, NONE) },
    [KEY_VALUE] = { SAME("key", 1, TEXT, NONE), SAME("value", 2, MESSAGE, ANY_VALUE) },
    [ANY_VALUE] = { MEMBER("stringValue", "string_value", 1, TEXT, NONE),
                    MEMBER("boolValue", "bool_value", 2, BOOL, NONE),
                    MEMBER("intValue", "int_value", 3, INT64, NONE),
                    MEMBER("doubleValue", "double_value", 4, DOUBLE, NONE),
                    MEMBER("arrayValue", "array_value", 5, MESSAGE, ARRAY),
                    MEMBER("kvlistValue", "kvlist_value", 6, MESSAGE, KEY_VALUE_LIST),
                    MEMBER("bytesValue", "bytes_value", 7, BYTES, NONE) },
    [ARRAY] = { SAME("values", 1, LIST, ANY_VALUE) },
    [KEY_VALUE_LIST] = { SAME("values", 1, LIST, KEY_VALUE) },
};

enum { VARINT = 0, BITS64 = 1, DELIMITED = 2, BITS32 = 5 }; /* wire types */

#define LEN_MAX ((size_t)INT32_MAX) /* protobuf's own limit */

struct writer {
    struct otlp_scan s;
    struct otlp_proto *p;
    char *out;
    size_t len, max;
};

static bool refuse(struct writer *w, const char *problem)
{
    w->p->problem = problem;
    return false;
}

/* ---- the wire ---- */

/* Where the next `len` bytes go; NULL: there is no room, which never comes. */
static char *room_for(struct writer *w, size_t len)
{
    if (len > w->max - w->len) {
        refuse(w, "longer as protobuf than as JSON");
        return NULL;
    }
    char *at = w->out + w->len;
    w->len += len;
    return at;
}

static size_t varint_len(uint64_t value)
{
    size_t len = 1;
    for (; value > 0x7f; value >>= 7)
        len++;
    return len;
}

static void write_varint(char *at, uint64_t value)
{
    for (; value > 0x7f; value >>= 7)
        *at++ = (char)(value | 0x80);
    *at = (char)value;
}

static void put_varint(struct writer *w, uint64_t value)
{
    char *at = room_for(w, varint_len(value));
    if (at)
        write_varint(at, value);
}

static void put_tag(struct writer *w, const struct member *m, int wire_type)
{
    put_varint(w, (uint64_t)m->number << 3 | (unsigned)wire_type);
}

/* Begin a field that has a length, which is not known yet; end it where it began. */
static size_t begin_field(struct writer *w, const struct member *m)
{
    put_tag(w, m, DELIMITED);
    room_for(w, 1);
    return w->len;
}

static void end_field(struct writer *w, size_t begin)
{
    size_t len = w->len - begin, more = varint_len(len) - 1;
    if (w->p->problem || (more && !room_for(w, more)))
        return;
    char *at = w->out + begin;
    if (more)
        memmove(at + more, at, len);
    write_varint(at - 1, len);
}

/* The lowest `len` bytes, the lowest first. */
static void put_fixed(struct writer *w, const struct member *m, uint64_t value, size_t len)
{
    put_tag(w, m, len == 8 ? BITS64 : BITS32);
    char *at = room_for(w, len);
    for (size_t i = 0; at && i < len; i++)
        at[i] = (char)(value >> 8 * i);
}

/* ---- single values ---- */

static bool is_string(struct otlp_text raw)
{
    return raw.data[0] == '"';
}

static bool put_text(struct writer *w, const struct member *m, struct otlp_text raw)
{
    if (!is_string(raw))
        return refuse(w, "not a string");
    if (!memchr(raw.data, '\\', raw.len)) {
        put_tag(w, m, DELIMITED);
        put_varint(w, raw.len - 2);
        char *at = room_for(w, raw.len - 2);
        if (at)
            memcpy(at, raw.data + 1, raw.len - 2);
        return at != NULL;
    }
    size_t begin = begin_field(w, m);
    size_t len = otlp_unescape(raw, w->out + w->len, w->max - w->len);
    if (!room_for(w, len))
        return false;
    end_field(w, begin);
    return true;
}

static bool put_bool(struct writer *w, const struct member *m, struct otlp_text raw)
{
    if (raw.data[0] != 't' && raw.data[0] != 'f')
        return refuse(w, "not true or false");
    put_tag(w, m, VARINT);
    put_varint(w, raw.data[0] == 't');
    return true;
}

/* Of a number or an id in a string that holds escapes; what needs more is none that anybody writes.
 */
#define NUMBER_ROOM 64

struct integer {
    uint64_t value; /* without its sign */
    bool minus;
};

static bool read_integer(struct otlp_text raw, struct integer *out)
{
    char room[NUMBER_ROOM];
    struct otlp_text text = is_string(raw) ? otlp_plain(raw, room, sizeof(room)) : raw;
    struct integer n = { 0 };
    size_t i = text.len && (text.data[0] == '-' || text.data[0] == '+');
    n.minus = i && text.data[0] == '-';
    if (i == text.len)
        return false;
    for (; i < text.len; i++) {
        unsigned digit = (unsigned char)text.data[i] - (unsigned)'0';
        if (digit > 9 || n.value > (UINT64_MAX - digit) / 10)
            return false;
        n.value = n.value * 10 + digit;
    }
    *out = n;
    return true;
}

/* One without a sign: fixed64, fixed32 or, as a varint, uint32. */
static bool put_unsigned(struct writer *w, const struct member *m, struct otlp_text raw)
{
    struct integer n;
    bool is_64 = m->kind == FIXED64;
    bool sign = is_string(raw) && (raw.data[1] == '-' || raw.data[1] == '+');
    if (sign || !read_integer(raw, &n) || (n.minus && n.value) || (!is_64 && n.value > UINT32_MAX))
        return refuse(w,
                      is_64 ? "not an unsigned 64-bit integer" : "not an unsigned 32-bit integer");
    if (m->kind == UINT32) {
        put_tag(w, m, VARINT);
        put_varint(w, n.value);
    } else {
        put_fixed(w, m, n.value, is_64 ? 8 : 4);
    }
    return true;
}

/* One with a sign, of `bits`, as a varint, which has it in 64. */
static bool put_signed(struct writer *w, const struct member *m, struct otlp_text raw, int bits)
{
    struct integer n;
    uint64_t most = UINT64_MAX >> (65 - bits);
    if (!read_integer(raw, &n) || n.value > most + n.minus)
        return refuse(w, bits == 64 ? "not a 64-bit integer" : "not a 32-bit integer");
    put_tag(w, m, VARINT);
    put_varint(w, n.minus ? ~n.value + 1 : n.value);
    return true;
}

/* As ProtoJSON and the Collector have it: a number, or a string of one, or "NaN", "Infinity" or
 * "-Infinity". strtod() stops inside of the text: a digit is not the last thing in an object. */
static bool put_double(struct writer *w, const struct member *m, struct otlp_text raw)
{
    char room[NUMBER_ROOM + 1] = "";
    struct otlp_text text = is_string(raw) ? otlp_plain(raw, room, NUMBER_ROOM) : raw;
    char *end = NULL;
    uint64_t bits;
    if (!text.len || !text.data[0] || !strchr("-+.0123456789IiNn", text.data[0]) ||
        raw.data + raw.len == w->s.end)
        return refuse(w, "not a number");
    errno = 0;
    double value = strtod(text.data, &end);
    if (end != text.data + text.len || memchr(text.data, '(', text.len))
        return refuse(w, "not a number");
    if (errno == ERANGE && isinf(value))
        return refuse(w, "a number out of range");
    memcpy(&bits, &value, sizeof(bits));
    put_fixed(w, m, bits, sizeof(bits));
    return true;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* None, or so many bytes. */
static bool put_id(struct writer *w, const struct member *m, struct otlp_text raw, size_t bytes)
{
    char room[NUMBER_ROOM], id[16];
    struct otlp_text text = is_string(raw) ? otlp_plain(raw, room, sizeof(room)) : raw;
    bool empty = raw.len == 2 && is_string(raw);
    if (!is_string(raw) || (!empty && text.len != 2 * bytes))
        return refuse(w, bytes == 16 ? "not 32 hex digits" : "not 16 hex digits");
    for (size_t i = 0; i < text.len / 2; i++) {
        int high = hex_digit(text.data[2 * i]), low = hex_digit(text.data[2 * i + 1]);
        if (high < 0 || low < 0)
            return refuse(w, "not hex digits");
        id[i] = (char)(high << 4 | low);
    }
    put_tag(w, m, DELIMITED);
    put_varint(w, text.len / 2);
    char *at = room_for(w, text.len / 2);
    if (at)
        memcpy(at, id, text.len / 2);
    return true;
}

/* The number of SEVERITY_NUMBER_INFO and the like; -1: no such name. */
static int severity_of_name(struct otlp_text name)
{
    static const char prefix[] = "SEVERITY_NUMBER_";
    static const char *const words[] = { "TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL" };
    size_t skip = sizeof(prefix) - 1;
    if (name.len <= skip || memcmp(name.data, prefix, skip) != 0)
        return -1;
    struct otlp_text word = { name.data + skip, name.len - skip };
    char last = word.data[word.len - 1];
    int step = last >= '2' && last <= '4' ? last - '1' : 0; /* INFO, INFO2, INFO3, INFO4 */
    word.len -= step > 0;
    for (int i = 0; i < 6; i++) {
        if (strlen(words[i]) == word.len && memcmp(words[i], word.data, word.len) == 0)
            return 1 + 4 * i + step;
    }
    return step == 0 && word.len == 11 && memcmp(word.data, "UNSPECIFIED", 11) == 0 ? 0 : -1;
}

static bool put_severity(struct writer *w, const struct member *m, struct otlp_text raw)
{
    char room[NUMBER_ROOM];
    if (!is_string(raw))
        return put_signed(w, m, raw, 32);
    int number = severity_of_name(otlp_plain(raw, room, sizeof(room)));
    if (number < 0)
        return refuse(w, "not a number, nor the name of one");
    put_tag(w, m, VARINT);
    put_varint(w, (uint64_t)number);
    return true;
}

/* ---- base64 ---- */

/* The next character of a string's inside; what base64 has is ASCII, and its / may be escaped. */
static char next_char(const char **p)
{
    char quoted[8] = "\"", plain[4] = "";
    if (**p != '\\')
        return *(*p)++;
    size_t len = (*p)[1] == 'u' ? 6 : 2;
    memcpy(quoted + 1, *p, len);
    quoted[len + 1] = '"';
    *p += len;
    return otlp_unescape((struct otlp_text){ quoted, len + 2 }, plain, 4) == 1 ? plain[0] : '\0';
}

/* RFC 4648, section 4 and, for URLs, section 5. */
static int base64_digit(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == '+' || c == '-')
        return 62;
    return c == '/' || c == '_' ? 63 : -1;
}

/* Decode a string into room for as much. OTLP_NONE: not base64. Padding may be left out. */
static size_t decode_base64(struct otlp_text raw, char *out)
{
    const char *p = raw.data + 1, *end = raw.data + raw.len - 1;
    size_t digits = 0, padding = 0;
    uint32_t bits = 0;
    while (p < end) {
        char c = next_char(&p);
        int digit = base64_digit(c);
        padding += c == '=';
        if (c == '=' && padding <= 2)
            continue;
        if (digit < 0 || padding)
            return OTLP_NONE;
        bits = bits << 6 | (uint32_t)digit;
        if (digits % 4)
            *out++ = (char)(bits >> (6 - 2 * (digits % 4)));
        digits++;
    }
    if (digits % 4 == 1 || (padding && (digits + padding) % 4))
        return OTLP_NONE;
    return digits / 4 * 3 + digits % 4 - (digits % 4 != 0);
}

static bool put_bytes(struct writer *w, const struct member *m, struct otlp_text raw)
{
    size_t begin = begin_field(w, m), len = OTLP_NONE;
    if (is_string(raw) && raw.len <= w->max - w->len)
        len = decode_base64(raw, w->out + w->len);
    if (len == OTLP_NONE)
        return refuse(w, "not base64");
    room_for(w, len);
    end_field(w, begin);
    return true;
}

/* ---- messages ---- */

static bool put_scalar(struct writer *w, const struct member *m)
{
    struct otlp_text raw;
    if (!otlp_scan_value(&w->s, &raw))
        return false;
    switch (m->kind) {
    case TEXT:
        return put_text(w, m, raw);
    case BOOL:
        return put_bool(w, m, raw);
    case INT64:
        return put_signed(w, m, raw, 64);
    case DOUBLE:
        return put_double(w, m, raw);
    case BYTES:
        return put_bytes(w, m, raw);
    case SEVERITY:
        return put_severity(w, m, raw);
    case TRACE_ID:
        return put_id(w, m, raw, 16);
    case SPAN_ID:
        return put_id(w, m, raw, 8);
    case FIXED64:
    case FIXED32:
    case UINT32:
        return put_unsigned(w, m, raw);
    case MESSAGE:
    case LIST:
        break;
    }
    return false;
}

static bool put_members(struct writer *w, enum message message);

static bool at_null(const struct writer *w)
{
    const char *p = w->s.at;
    while (p < w->s.end && otlp_is_space(*p))
        p++;
    return p < w->s.end && *p == 'n';
}

/* An object as a message; null as an empty one. The brackets of a record are counted from its own
 * on, as when it was read: here there are those of the envelope around it. */
static bool put_message(struct writer *w, const struct member *m)
{
    int depth = w->s.depth;
    size_t begin = begin_field(w, m);
    bool done;
    if (m->of == RECORD)
        w->s.depth = 0;
    done = at_null(w) ? otlp_scan_value(&w->s, NULL) : put_members(w, m->of);
    w->s.depth = depth;
    end_field(w, begin);
    return done;
}

static bool put_list(struct writer *w, const struct member *m)
{
    if (!otlp_scan_enter_array(&w->s))
        return false;
    while (otlp_scan_next_element(&w->s)) {
        if (!put_message(w, m))
            return false;
    }
    return !w->s.problem;
}

static const struct member *member_of(enum message message, struct otlp_text key)
{
    bool escaped = memchr(key.data, '\\', key.len) != NULL;
    for (const struct member *m = members[message]; m->name; m++) {
        if ((key.len == m->name_len && memcmp(key.data, m->name, key.len) == 0) ||
            (key.len == m->other_len && memcmp(key.data, m->other, key.len) == 0) ||
            (escaped && (otlp_key_is(key, m->name) || otlp_key_is(key, m->other))))
            return m;
    }
    return NULL;
}

/* Where the messages that an object's members are were written, by the members' places. */
struct written {
    unsigned seen; /* a bit for each */
    struct {
        size_t begin, end;
    } at[MEMBERS_MAX];
};

/* A message stands once more, and a reader would join the two: take the earlier one out. */
static void supersede(struct writer *w, struct written *written, size_t place)
{
    size_t begin = written->at[place].begin, end = written->at[place].end;
    memmove(w->out + begin, w->out + end, w->len - end);
    w->len -= end - begin;
    for (size_t i = 0; i < MEMBERS_MAX; i++) {
        if (!(written->seen >> i & 1) || written->at[i].begin < end)
            continue;
        written->at[i].begin -= end - begin;
        written->at[i].end -= end - begin;
    }
}

static bool put_single(struct writer *w, const struct member *m, struct written *written,
                       size_t place)
{
    if (written->seen >> place & 1)
        supersede(w, written, place);
    written->seen |= 1U << place;
    written->at[place].begin = w->len;
    bool done = put_message(w, m);
    written->at[place].end = w->len;
    return done;
}

/* An object. Its depth is bounded by the scan's. */
static bool put_members(struct writer *w, enum message message)
{
    struct otlp_text key;
    struct written written;
    written.seen = 0; /* the rest is not looked at before it is set */
    if (!otlp_scan_enter_object(&w->s))
        return false;
    while (otlp_scan_next_key(&w->s, &key)) {
        const struct member *m = member_of(message, key);
        bool done;
        if (!m || at_null(w))
            done = otlp_scan_value(&w->s, NULL);
        else if (m->kind == LIST)
            done = put_list(w, m);
        else if (m->kind == MESSAGE)
            done = put_single(w, m, &written, (size_t)(m - members[message]));
        else
            done = put_scalar(w, m);
        if (!done || w->p->problem) {
            if (m && !w->p->member)
                w->p->member = m->name;
            return false;
        }
    }
    return !w->s.problem;
}

size_t otlp_proto_write(struct otlp_proto *p, struct otlp_text request, char *out)
{
    struct writer w = { .p = p, .out = out, .max = request.len };
    p->problem = p->member = NULL;
    otlp_scan_init(&w.s, request.data, request.len);
    if (request.len > LEN_MAX)
        refuse(&w, "more than 2 GiB");
    else if (put_members(&w, REQUEST) && otlp_scan_end(&w.s))
        return w.len;
    if (!p->problem)
        p->problem = w.s.problem;
    return OTLP_NONE;
}
