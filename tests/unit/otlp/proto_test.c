/* OTLP/JSON as protobuf: the bytes of each form, and what is refused. */
#include "otlp/otlp.h"

#include <stdlib.h>

#include "tests/unit/check.h"

static const char *const wrap_begin = "{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[";
static const char *const wrap_end = "]}]}]}";

/* The protobuf of a whole request into `out`; false: refused, and p says why. */
static bool convert(struct otlp_proto *p, struct bytes text, struct buf *out)
{
    struct otlp_text request = { text.data, text.len };
    char *exact = malloc(text.len ? text.len : 1); /* the sanitizer finds a byte too many */
    size_t len = otlp_proto_write(p, request, exact);
    if (len != OTLP_NONE)
        buf_append(out, exact, len);
    free(exact);
    return len != OTLP_NONE;
}

/* The text of one record, as a request's: its protobuf behind the three messages around it. */
static bool convert_record(struct otlp_proto *p, struct bytes record, struct buf *out)
{
    struct buf text = BUF_INIT(1 << 20), whole = BUF_INIT(1 << 20);
    buf_append_text(&text, wrap_begin);
    buf_append_bytes(&text, record);
    buf_append_text(&text, wrap_end);
    bool done = convert(p, buf_bytes(&text), &whole);
    if (done) {
        size_t len = whole.len - 6; /* three messages of less than 128 bytes */
        const char around[] = { 0x0a, (char)(len + 4), 0x12, (char)(len + 2), 0x12, (char)len };
        assert_true(whole.len >= 6 && len < 120);
        assert_memory_equal(whole.data, around, sizeof(around));
        buf_append(out, whole.data + 6, len);
    }
    buf_release(&text);
    buf_release(&whole);
    return done;
}

struct row {
    struct bytes text, want;
};

static void check_rows(const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct buf out = BUF_INIT(1 << 20);
        struct otlp_proto p;
        check_row(rows[i].text.data);
        assert_true(convert_record(&p, rows[i].text, &out));
        assert_null(p.problem);
        check_bytes(buf_bytes(&out), rows[i].want);
        buf_release(&out);
    }
}

#define BODY(value) TEXT("{\"body\":" value "}")

static void test_any_values(void **state)
{
    static const struct row rows[] = {
        { BODY("{}"), TEXT("\x2a\0") },
        { BODY("{\"unknown\":1}"), TEXT("\x2a\0") },
        { BODY("null"), TEXT("") },
        { BODY("{\"stringValue\":\"ab\"}"), TEXT("\x2a\4\x0a\2ab") },
        { BODY("{\"stringValue\":\"\"}"), TEXT("\x2a\2\x0a\0") },
        { BODY("{\"stringValue\":\"\\u00e9\\ud83d\\ude00\\/\\n\"}"),
          TEXT("\x2a\x0a\x0a\x08\xc3\xa9\xf0\x9f\x98\x80/\n") },
        { BODY("{\"stringValue\":\"\\ud800\"}"), TEXT("\x2a\5\x0a\3\xef\xbf\xbd") },
        { BODY("{\"stringValue\":null}"), TEXT("\x2a\0") },
        { BODY("{\"boolValue\":true}"), TEXT("\x2a\2\x10\1") },
        { BODY("{\"boolValue\":false}"), TEXT("\x2a\2\x10\0") },
        { BODY("{\"intValue\":\"300\"}"), TEXT("\x2a\3\x18\xac\2") },
        { BODY("{\"intValue\":0}"), TEXT("\x2a\2\x18\0") },
        { BODY("{\"intValue\":-1}"), TEXT("\x2a\x0b\x18\xff\xff\xff\xff\xff\xff\xff\xff\xff\1") },
        { BODY("{\"intValue\":\"-9223372036854775808\"}"),
          TEXT("\x2a\x0b\x18\x80\x80\x80\x80\x80\x80\x80\x80\x80\1") },
        { BODY("{\"intValue\":9223372036854775807}"),
          TEXT("\x2a\x0a\x18\xff\xff\xff\xff\xff\xff\xff\xff\x7f") },
        { BODY("{\"doubleValue\":1.5}"), TEXT("\x2a\x09\x21\0\0\0\0\0\0\xf8\x3f") },
        { BODY("{\"doubleValue\":-0}"), TEXT("\x2a\x09\x21\0\0\0\0\0\0\0\x80") },
        { BODY("{\"doubleValue\":\"2\"}"), TEXT("\x2a\x09\x21\0\0\0\0\0\0\0\x40") },
        { BODY("{\"doubleValue\":\"NaN\"}"), TEXT("\x2a\x09\x21\0\0\0\0\0\0\xf8\x7f") },
        { BODY("{\"doubleValue\":\"Infinity\"}"), TEXT("\x2a\x09\x21\0\0\0\0\0\0\xf0\x7f") },
        { BODY("{\"doubleValue\":\"-Infinity\"}"), TEXT("\x2a\x09\x21\0\0\0\0\0\0\xf0\xff") },
        { BODY("{\"doubleValue\":1e-400}"), TEXT("\x2a\x09\x21\0\0\0\0\0\0\0\0") },
        { BODY("{\"bytesValue\":\"\"}"), TEXT("\x2a\2\x3a\0") },
        { BODY("{\"bytesValue\":\"QQ==\"}"), TEXT("\x2a\3\x3a\1A") },
        { BODY("{\"bytesValue\":\"QUI\"}"), TEXT("\x2a\4\x3a\2AB") },
        { BODY("{\"bytesValue\":\"QUJD\"}"), TEXT("\x2a\5\x3a\3ABC") },
        { BODY("{\"bytesValue\":\"+\\/-_\\u0041A=\\u003d\"}"), TEXT("\x2a\6\x3a\4\xfb\xff\xbf\0") },
        { BODY("{\"arrayValue\":{}}"), TEXT("\x2a\2\x2a\0") },
        { BODY("{\"arrayValue\":{\"values\":[{\"boolValue\":true},{},null]}}"),
          TEXT("\x2a\x0a\x2a\x08\x0a\2\x10\1\x0a\0\x0a\0") },
        { BODY("{\"kvlistValue\":{\"values\":[{\"key\":\"k\",\"value\":{\"arrayValue\":{\"values\":"
               "[{\"intValue\":1}]}}}]}}"),
          TEXT("\x2a\x0f\x32\x0d\x0a\x0b\x0a\1k\x12\6\x2a\4\x0a\2\x18\1") },
        { BODY("{\"string_value\":\"a\"}"), TEXT("\x2a\3\x0a\1a") },
        { BODY("{\"string\\u0056alue\":\"a\"}"), TEXT("\x2a\3\x0a\1a") },
        /* The last one counts: for a reader, or, where it would join them, here. */
        { BODY("{\"stringValue\":\"a\",\"boolValue\":true}"), TEXT("\x2a\5\x0a\1a\x10\1") },
        { BODY("{\"arrayValue\":{\"values\":[{}]},\"boolValue\":true,\"arrayValue\":{}}"),
          TEXT("\x2a\4\x10\1\x2a\0") },
        { BODY("{\"arrayValue\":{\"values\":[{}]},\"kvlistValue\":{\"values\":[{},{}]},"
               "\"arrayValue\":{},\"kvlistValue\":{}}"),
          TEXT("\x2a\4\x2a\0\x32\0") },
        { BODY("{\"stringValue\":\"a\"},\"body\":{\"boolValue\":true}"), TEXT("\x2a\2\x10\1") },
        { BODY(
              "{\"arrayValue\":{\"values\":[{},{}]}},\"body\":{},\"body\":{\"stringValue\":\"b\"}"),
          TEXT("\x2a\3\x0a\1b") },
        { BODY("{},\"body\":null"), TEXT("\x2a\0") },
    };
    (void)state;
    check_rows(rows, COUNT(rows));
}

#define ID "0af7651916cd43dd8448eb211c80319c"

static void test_records(void **state)
{
    static const struct row rows[] = {
        { TEXT("{}"), TEXT("") },
        { TEXT("null"), TEXT("") },
        { TEXT("{\"timeUnixNano\":\"258\"}"), TEXT("\x09\2\1\0\0\0\0\0\0") },
        { TEXT("{\"time_unix_nano\":18446744073709551615}"),
          TEXT("\x09\xff\xff\xff\xff\xff\xff\xff\xff") },
        { TEXT("{\"timeUnixNano\":\"005\"}"), TEXT("\x09\5\0\0\0\0\0\0\0") },
        { TEXT("{\"observedTimeUnixNano\":1}"), TEXT("\x59\1\0\0\0\0\0\0\0") },
        { TEXT("{\"severityNumber\":9}"), TEXT("\x10\x09") },
        { TEXT("{\"severityNumber\":-1}"), TEXT("\x10\xff\xff\xff\xff\xff\xff\xff\xff\xff\1") },
        { TEXT("{\"severityNumber\":\"SEVERITY_NUMBER_UNSPECIFIED\"}"), TEXT("\x10\0") },
        { TEXT("{\"severityNumber\":\"SEVERITY_NUMBER_TRACE\"}"), TEXT("\x10\1") },
        { TEXT("{\"severityNumber\":\"SEVERITY_NUMBER_WARN3\"}"), TEXT("\x10\x0f") },
        { TEXT("{\"severityNumber\":\"SEVERITY_NUMBER_FATAL4\"}"), TEXT("\x10\x18") },
        { TEXT("{\"severityText\":\"a\"}"), TEXT("\x1a\1a") },
        { TEXT("{\"severityText\":\"a\",\"severityText\":\"\"}"), TEXT("\x1a\1a\x1a\0") },
        { TEXT(
              "{\"attributes\":[{\"key\":\"k\",\"value\":{\"stringValue\":\"v\"}},{\"key\":\"k\"}],"
              "\"attributes\":[null]}"),
          TEXT("\x32\x08\x0a\1k\x12\3\x0a\1v\x32\3\x0a\1k\x32\0") },
        { TEXT("{\"attributes\":[],\"attributes\":null}"), TEXT("") },
        { TEXT("{\"droppedAttributesCount\":\"300\"}"), TEXT("\x38\xac\2") },
        { TEXT("{\"flags\":4294967295}"), TEXT("\x45\xff\xff\xff\xff") },
        { TEXT("{\"traceId\":\"" ID "\"}"),
          TEXT("\x4a\x10\x0a\xf7\x65\x19\x16\xcd\x43\xdd\x84\x48\xeb\x21\x1c\x80\x31\x9c") },
        { TEXT("{\"spanId\":\"B7ad6B716920333\\u0031\"}"),
          TEXT("\x52\x08\xb7\xad\x6b\x71\x69\x20\x33\x31") },
        { TEXT("{\"traceId\":\"\",\"spanId\":\"\"}"), TEXT("\x4a\0\x52\0") },
        { TEXT("{\"eventName\":\"e\"}"), TEXT("\x62\1e") },
        { TEXT("{\"flags\":-0}"), TEXT("\x45\0\0\0\0") },
        { TEXT("{\"unknown\":{\"body\":[1,null,{}]},\"EventName\":7}"), TEXT("") },
        { TEXT("{\"timeUnixNano\":null,\"traceId\":null,\"flags\":null,\"attributes\":null}"),
          TEXT("") },
    };
    (void)state;
    check_rows(rows, COUNT(rows));
}

static void test_requests(void **state)
{
    static const struct row rows[] = {
        { TEXT("{}"), TEXT("") },
        { TEXT("{\"resourceLogs\":[],\"x\":1}"), TEXT("") },
        { TEXT("{\"resource_logs\":[{\"resource\":{\"attributes\":[{\"key\":\"a\"}],"
               "\"droppedAttributesCount\":1},\"schemaUrl\":\"u\",\"scopeLogs\":[{\"schema_url\":"
               "\"v\",\"log_records\":[{},{}],\"scope\":{\"name\":\"n\",\"version\":\"1\","
               "\"attributes\":[{}],\"droppedAttributesCount\":2}}]}]} "),
          TEXT("\x0a\x21\x0a\7\x0a\3\x0a\1a\x10\1\x1a\1u\x12\x13\x1a\1v\x12\0\x12\0\x0a\x0a\x0a\1n"
               "\x12\0011\x1a\0 \2") },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct buf out = BUF_INIT(1024);
        struct otlp_proto p;
        check_row(rows[i].text.data);
        assert_true(convert(&p, rows[i].text, &out));
        check_bytes(buf_bytes(&out), rows[i].want);
        buf_release(&out);
    }
}

static void test_refused(void **state)
{
    static const struct {
        struct bytes text;
        const char *member, *problem;
    } rows[] = {
        { TEXT("7"), "logRecords", "not an object" },
        { BODY("\"x\""), "body", "not an object" },
        { BODY("{\"stringValue\":7}"), "stringValue", "not a string" },
        { BODY("{\"boolValue\":\"true\"}"), "boolValue", "not true or false" },
        { BODY("{\"intValue\":1.0}"), "intValue", "not a 64-bit integer" },
        { BODY("{\"intValue\":1e2}"), "intValue", "not a 64-bit integer" },
        { BODY("{\"intValue\":\"\"}"), "intValue", "not a 64-bit integer" },
        { BODY("{\"intValue\":\"-\"}"), "intValue", "not a 64-bit integer" },
        { BODY("{\"intValue\":\" 5\"}"), "intValue", "not a 64-bit integer" },
        { BODY("{\"intValue\":9223372036854775808}"), "intValue", "not a 64-bit integer" },
        { BODY("{\"intValue\":-9223372036854775809}"), "intValue", "not a 64-bit integer" },
        { BODY("{\"intValue\":99999999999999999999}"), "intValue", "not a 64-bit integer" },
        { BODY("{\"intValue\":true}"), "intValue", "not a 64-bit integer" },
        { BODY("{\"doubleValue\":true}"), "doubleValue", "not a number" },
        { BODY("{\"doubleValue\":\"\"}"), "doubleValue", "not a number" },
        { BODY("{\"doubleValue\":\" 1\"}"), "doubleValue", "not a number" },
        { BODY("{\"doubleValue\":\"1x\"}"), "doubleValue", "not a number" },
        { BODY("{\"doubleValue\":\"nan(1)\"}"), "doubleValue", "not a number" },
        { BODY("{\"doubleValue\":\"1\\u0000\"}"), "doubleValue", "not a number" },
        { BODY("{\"doubleValue\":-1e400}"), "doubleValue", "a number out of range" },
        { BODY("{\"bytesValue\":\"Q\"}"), "bytesValue", "not base64" },
        { BODY("{\"bytesValue\":\"QQ=\"}"), "bytesValue", "not base64" },
        { BODY("{\"bytesValue\":\"QQ===\"}"), "bytesValue", "not base64" },
        { BODY("{\"bytesValue\":\"=QQQ\"}"), "bytesValue", "not base64" },
        { BODY("{\"bytesValue\":\"QQ=Q\"}"), "bytesValue", "not base64" },
        { BODY("{\"bytesValue\":\"QQQQ====\"}"), "bytesValue", "not base64" },
        { BODY("{\"bytesValue\":\"Q Q=\"}"), "bytesValue", "not base64" },
        { BODY("{\"bytesValue\":7}"), "bytesValue", "not base64" },
        { BODY("{\"arrayValue\":[]}"), "arrayValue", "not an object" },
        { BODY("{\"arrayValue\":{\"values\":{}}}"), "values", "not an array" },
        { BODY("{\"arrayValue\":{\"values\":[1]}}"), "values", "not an object" },
        /* One that is left out is checked as well, as readers of JSON do. */
        { BODY("7,\"body\":{}"), "body", "not an object" },
        { TEXT("{\"timeUnixNano\":18446744073709551616}"), "timeUnixNano",
          "not an unsigned 64-bit integer" },
        { TEXT("{\"timeUnixNano\":\"-0\"}"), "timeUnixNano", "not an unsigned 64-bit integer" },
        { TEXT("{\"timeUnixNano\":\"\"}"), "timeUnixNano", "not an unsigned 64-bit integer" },
        { TEXT("{\"flags\":4294967296}"), "flags", "not an unsigned 32-bit integer" },
        { TEXT("{\"droppedAttributesCount\":-1}"), "droppedAttributesCount",
          "not an unsigned 32-bit integer" },
        { TEXT("{\"severityNumber\":2147483648}"), "severityNumber", "not a 32-bit integer" },
        { TEXT("{\"severityNumber\":\"9\"}"), "severityNumber",
          "not a number, nor the name of one" },
        { TEXT("{\"severityNumber\":\"SEVERITY_NUMBER_INFO5\"}"), "severityNumber",
          "not a number, nor the name of one" },
        { TEXT("{\"severityNumber\":\"SEVERITY_NUMBER_2\"}"), "severityNumber",
          "not a number, nor the name of one" },
        { TEXT("{\"traceId\":\"b7ad6b7169203331\"}"), "traceId", "not 32 hex digits" },
        { TEXT("{\"traceId\":7}"), "traceId", "not 32 hex digits" },
        { TEXT("{\"spanId\":\"" ID "\"}"), "spanId", "not 16 hex digits" },
        { TEXT("{\"spanId\":\"b7ad6b716920333g\"}"), "spanId", "not hex digits" },
        { TEXT("{\"attributes\":{}}"), "attributes", "not an array" },
        { TEXT("{\"attributes\":[{\"key\":7}]}"), "key", "not a string" },
        { TEXT("{\"eventName\":\"a\nb\"}"), "eventName", "control character in a string" },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct buf out = BUF_INIT(1024);
        struct otlp_proto p;
        check_row(rows[i].text.data);
        assert_false(convert_record(&p, rows[i].text, &out));
        check_text(p.problem, rows[i].problem);
        check_text(p.member, rows[i].member);
    }
}

/* The end of the text, wherever it comes: no byte behind it is read. */
static void test_cut(void **state)
{
    static const char text[] =
        "{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[{\"body\":{\"doubleValue\":12,"
        "\"bytesValue\":\"\\/AA\",\"intValue\":\"1\"},\"traceId\":\"" ID "\",\"flags\":1}]}]}]}";
    struct buf out = BUF_INIT(1024);
    struct otlp_proto p;
    (void)state;
    for (size_t len = 0; len < sizeof(text) - 1; len++) {
        char *exact = malloc(len ? len : 1);
        memcpy(exact, text, len);
        check_row(text);
        assert_false(convert(&p, (struct bytes){ exact, len }, &out));
        assert_non_null(p.problem);
        free(exact);
    }
    assert_true(convert(&p, (struct bytes){ text, sizeof(text) - 1 }, &out));
    buf_release(&out);
    assert_false(convert(&p, BYTES("{} x"), &out));
}

/* `levels` arrays inside one another, three brackets each, in a record's one. */
static bool convert_deep(int levels)
{
    struct buf text = BUF_INIT(1 << 20), out = BUF_INIT(1 << 20);
    struct otlp_proto p;
    buf_append_text(&text, wrap_begin);
    buf_append_text(&text, "{\"body\":");
    for (int i = 0; i < levels; i++)
        buf_append_text(&text, "{\"arrayValue\":{\"values\":[");
    for (int i = 0; i < levels; i++)
        buf_append_text(&text, "]}}");
    buf_append_text(&text, "}");
    buf_append_text(&text, wrap_end);
    bool done = convert(&p, buf_bytes(&text), &out);
    buf_release(&text);
    buf_release(&out);
    return done;
}

static void test_depth(void **state)
{
    (void)state;
    check_i64(convert_deep((OTLP_MAX_DEPTH - 1) / 3), true);
    check_i64(convert_deep((OTLP_MAX_DEPTH - 1) / 3 + 1), false);
}

/* Lengths of one, two and three bytes. */
static void test_long(void **state)
{
    (void)state;
    for (size_t count = 0; count < 20000; count += count / 7 + 1) {
        struct buf text = BUF_INIT(1 << 20), out = BUF_INIT(1 << 20), want = BUF_INIT(1 << 20);
        struct otlp_proto p;
        buf_append_text(&text, "{\"resourceLogs\":[{\"resource\":{\"attributes\":[");
        for (size_t i = 0; i < count; i++)
            buf_append_text(&text, i ? ",{}" : "{}");
        buf_append_text(&text, "]}}]}");
        size_t inner = 2 * count, len_of_inner = inner < 128 ? 1 : inner < 16384 ? 2 : 3;
        size_t lens[] = { 1 + len_of_inner + inner, inner };
        for (size_t i = 0; i < COUNT(lens); i++) {
            buf_append_char(&want, 0x0a);
            for (size_t rest = lens[i]; true; rest >>= 7) {
                buf_append_char(&want, (char)(rest > 127 ? rest | 128 : rest));
                if (rest < 128)
                    break;
            }
        }
        for (size_t i = 0; i < count; i++)
            buf_append(&want, "\x0a\0", 2);
        check_row("long");
        assert_true(convert(&p, buf_bytes(&text), &out));
        check_i64(out.len == want.len && memcmp(out.data, want.data, want.len) == 0, true);
        buf_release(&text);
        buf_release(&out);
        buf_release(&want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_any_values), cmocka_unit_test(test_records),
        cmocka_unit_test(test_requests),   cmocka_unit_test(test_refused),
        cmocka_unit_test(test_cut),        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
