/* otlp.h -- the library's whole face: OTLP/JSON log records as spans of text.
 *
 * A record is not parsed into a tree: it is a piece of text, scanned once and strictly (RFC 8259,
 * UTF-8 checked, depth limited), with the places of the few members that somebody must read or
 * mend. Everything else passes through to the wire byte for byte. The library sees libc alone,
 * allocates nothing per record and writes into what the caller gives it.
 *
 * Sources: opentelemetry-proto logs/v1/logs.proto; OTLP 1.x "JSON Protobuf Encoding"; RFC 8259. */
#ifndef OTLP_OTLP_H
#define OTLP_OTLP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OTLP_MAX_DEPTH 64 /* objects and arrays inside one another, of a whole text */

struct otlp_text {
    const char *data; /* borrowed */
    size_t len;
};

/* Where bytes go. */
struct otlp_sink {
    void (*put)(void *to, const char *data, size_t len);
    void *to;
};

/* The members of a LogRecord that we read. */
enum otlp_member {
    OTLP_TIME,            /* timeUnixNano */
    OTLP_OBSERVED_TIME,   /* observedTimeUnixNano */
    OTLP_SEVERITY_NUMBER, /* severityNumber */
    OTLP_SEVERITY_TEXT,   /* severityText */
    OTLP_TRACE_ID,        /* traceId */
    OTLP_SPAN_ID,         /* spanId */
    OTLP_MEMBERS
};

/* Offsets into a record's text. `value_len` 0: the member is absent. */
struct otlp_place {
    uint32_t key, value, value_len;
};

/* One LogRecord: a JSON object's text from its { to its }, borrowed. Where a member stands more
 * than once its last place counts, as every reader has it, and `repeated` is set. */
struct otlp_record {
    const char *text;
    uint32_t len;
    bool repeated;
    struct otlp_place at[OTLP_MEMBERS];
};

/* The text of a member's value, as it stands (a string with its quotes); len 0: absent. */
struct otlp_text otlp_record_value(const struct otlp_record *r, enum otlp_member m);

/* A time (OTLP_TIME or OTLP_OBSERVED_TIME) as what OTLP/JSON allows for a fixed64: a JSON string of
 * decimal digits, or a JSON integer. False, `unix_ns` untouched, where it is absent or no such. */
bool otlp_record_time(const struct otlp_record *r, enum otlp_member m, uint64_t *unix_ns);

/* The member that a key (as it stands, without its quotes) names; OTLP_MEMBERS: none of them. */
enum otlp_member otlp_member_of_key(struct otlp_text key);

/* JSON's white space. */
static inline bool otlp_is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

/* ---- scan: a strict pull reader over one JSON text ---- */

/* Once `problem` is set (static words, never the text's own) every call returns false. */
struct otlp_scan {
    const char *begin, *at, *end;
    const char *problem;
    int depth;
    bool first; /* no member or element of the innermost bracket was read yet */
};

void otlp_scan_init(struct otlp_scan *s, const char *text, size_t len);

/* What stands next: one of { [ " t f n, '0' for any number, or '\0' for nothing or nonsense. */
char otlp_scan_peek(struct otlp_scan *s);

/* Enter an object or an array that stands here; false, with a problem, for anything else. */
bool otlp_scan_enter_object(struct otlp_scan *s);
bool otlp_scan_enter_array(struct otlp_scan *s);

/* Inside an object: read the next key (as it stands, without its quotes) and its colon; the caller
 * then reads the value. Inside an array: come to the next element. False at the closing bracket,
 * which is read, or at a problem: ask s->problem. */
bool otlp_scan_next_key(struct otlp_scan *s, struct otlp_text *key);
bool otlp_scan_next_element(struct otlp_scan *s);

/* Whether a key as it stands (it may hold escapes) means `name`. */
bool otlp_key_is(struct otlp_text key, const char *name);

/* Read any one value, checking all of it; `raw` (may be NULL) gets its text as it stands. */
bool otlp_scan_value(struct otlp_scan *s, struct otlp_text *raw);

/* Read one object as a LogRecord. */
bool otlp_scan_record(struct otlp_scan *s, struct otlp_record *out);

/* Nothing but white space may be left. */
bool otlp_scan_end(struct otlp_scan *s);

/* The line-free place of the problem, for messages: bytes from the text's beginning. */
size_t otlp_scan_offset(const struct otlp_scan *s);

#define OTLP_NONE SIZE_MAX

/* A JSON string as it stands, with its quotes, as UTF-8 text into `out` (not terminated). Returns
 * the length; OTLP_NONE where it is no string or takes more than `max`. An escaped lone surrogate
 * becomes U+FFFD. `raw` must have passed a scan. */
size_t otlp_unescape(struct otlp_text raw, char *out, size_t max);

/* The same without a copy where the string holds no escape: its text stands in `raw`, else in
 * `room`. Empty where it is no string, or holds escapes and takes more than `max`. */
struct otlp_text otlp_plain(struct otlp_text raw, char *room, size_t max);

/* ---- write ---- */

/* Text as it stands. */
void otlp_put_text(struct otlp_sink out, const char *text);

/* Text as a JSON string with its quotes; bytes that are not UTF-8 become U+FFFD. */
void otlp_put_string(struct otlp_sink out, const char *text, size_t len);

/* {"key":...,"value":{"stringValue":...}} */
void otlp_put_attribute(struct otlp_sink out, const char *key, const char *value);

/* An envelope around records: head, records separated by commas, tail.
 *
 * Head: {"resourceLogs":[{"resource":{"attributes":[ATTRIBUTES]},"scopeLogs":[{"scope":{"name":...,
 * "version":...,"attributes":[ATTRIBUTES]},"logRecords":[     Tail: ]}]}]}
 * Members of the scope that are empty are left out. */
struct otlp_attribute {
    const char *key, *value;
};

struct otlp_scope {
    const char *name, *version; /* NULL or "": left out */
    const struct otlp_attribute *attributes;
    size_t attribute_count;
};

void otlp_put_head(struct otlp_sink out, const struct otlp_attribute *resource,
                   size_t resource_count, const struct otlp_scope *scope);
void otlp_put_tail(struct otlp_sink out);

/* The same in pieces, for records of several resources: OTLP_REQUEST_BEGIN; of each resource, with
 * commas between them, its head, its records and OTLP_RESOURCE_END; OTLP_REQUEST_END. `more`: text
 * of further attributes of the resource, separated by commas; may be empty. */
#define OTLP_REQUEST_BEGIN "{\"resourceLogs\":["
#define OTLP_RESOURCE_END  "]}]}"
#define OTLP_REQUEST_END   "]}"

void otlp_put_resource_head(struct otlp_sink out, const struct otlp_attribute *resource,
                            size_t resource_count, struct otlp_text more,
                            const struct otlp_scope *scope);

/* ---- protobuf ---- */

/* Why a request cannot be protobuf. */
struct otlp_proto {
    const char *problem; /* in static words; NULL: it can */
    const char *member;  /* with which member: its name, static; NULL: with the request itself */
};

/* Write an ExportLogsServiceRequest, OTLP/JSON, as protobuf to `out`, which has room for as many
 * bytes as the text; it is never longer. Returns its length; OTLP_NONE, with a problem, where the
 * text is not JSON or a value is none that its field can hold.
 *
 * Members go by their OTLP/JSON name or the .proto's; unknown ones are left out; null is absent,
 * and in a list an empty message. Integers may be strings, enums names; ids are hex, bytes base64
 * of either alphabet. Of a member that is repeated the last counts; lists add up. Brackets go
 * OTLP_MAX_DEPTH deep in each record. Doubles are read in the process's locale, which is to be "C".
 */
size_t otlp_proto_write(struct otlp_proto *p, struct otlp_text request, char *out);

/* ---- severity ---- */

/* The SeverityNumber of a severity's usual word in any case (trace 1, debug 5, info 9, warn 13,
 * error 17, fatal 21, and their common other names); 0 for any other. */
int otlp_severity_of_text(const char *text, size_t len);

#endif
