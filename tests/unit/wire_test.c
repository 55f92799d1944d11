/* Bodies as they go out, and answers as they come back, in both encodings. */
#include "wire.h"

#include <stdlib.h>

#include "tests/unit/check.h"

#define BEGIN "{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":["
#define END   "]}]}]}"

static void test_encode(void **state)
{
    static const struct {
        enum encoding encoding;
        struct bytes text, want;
        const char *words; /* of the error */
    } rows[] = {
        { ENCODING_JSON, TEXT("any"), TEXT("any"), NULL },
        { ENCODING_PROTO, TEXT(BEGIN "{\"eventName\":\"a\"},{},{}" END),
          TEXT("\x0a\x0b\x12\x09\x12\3\x62\1a\x12\0\x12\0"), NULL },
        { ENCODING_PROTO, TEXT("{}"), TEXT(""), NULL },
        { ENCODING_PROTO, TEXT(BEGIN "{\"body\":\"secret\"}" END), TEXT(""),
          "not OTLP: body: not an object" },
        { ENCODING_PROTO, TEXT("[]"), TEXT(""), "not OTLP: not an object" },
    };
    struct wire w = { 0 };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct bytes body = rows[i].text;
        struct error err = { 0 };
        check_row(rows[i].text.data);
        check_i64(wire_encode(&w, rows[i].encoding, &body, &err), rows[i].words ? -1 : 0);
        check_text(err.text, rows[i].words ? rows[i].words : "");
        check_i64(err.kind, rows[i].words ? ERR_INPUT : ERR_NONE);
        check_bytes(body, rows[i].words ? rows[i].text : rows[i].want);
    }
    check_text(wire_content_type(ENCODING_JSON), "application/json");
    check_text(wire_content_type(ENCODING_PROTO), "application/x-protobuf");
    wire_release(&w);
}

#define PROTO "application/x-protobuf"

static const struct {
    const char *type;
    struct bytes body;
    int64_t rejected;
    const char *words;
} answers[] = {
    { "application/json", TEXT("{\"partialSuccess\":{\"rejectedLogRecords\":\"3\"}}"), 3, NULL },
    { "", TEXT("{\"partialSuccess\":{\"rejectedLogRecords\":3}}"), 3, NULL },
    { "", TEXT("{\"partialSuccess\":{\"rejectedLogRecords\":100}}"), 10, NULL },
    { "", TEXT("{\"partialSuccess\":{\"rejectedLogRecords\":-1}}"), 0, NULL },
    { "", TEXT(""), 0, "" },
    { "text/plain", TEXT("\x0a\2\x08\3"), 0, NULL },
    { PROTO, TEXT(""), 0, "" },
    { PROTO, TEXT("\x0a\0"), 0, "" },
    { PROTO, TEXT("\x0a\2\x08\3"), 3, "" },
    { "Application/X-Protobuf; charset=x", TEXT("\x0a\5\x08\3\x12\1w"), 3, "" },
    { PROTO "2", TEXT("\x0a\2\x08\3"), 0, NULL },
    { PROTO, TEXT("\x0a\4\x12\0\x08\4"), 4, "" },
    { PROTO, TEXT("\x0a\2\x08\x7f"), 10, "" },
    { PROTO, TEXT("\x0a\x0b\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\1"), 0, "" },
    /* What it does not know, in each form; then cut, and nonsense. */
    { PROTO, TEXT("\x18\x96\1!12345678=1234\x0a\2\x08\3"), 3, "" },
    { PROTO, TEXT("\x0a\2\x08"), 0, "" },
    { PROTO, TEXT("\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\1\x08\3"), 0, "" },
    { PROTO, TEXT("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\1"), 0, "" },
    { PROTO, TEXT("\x0b\x0a\2\x08\3"), 0, "" },
    { PROTO, TEXT("!123"), 0, "" },
    { PROTO, TEXT("{\"partialSuccess\":{\"rejectedLogRecords\":3}}"), 0, "" },
    /* google.rpc.Status: its words */
    { PROTO, TEXT("\x08\3\x12\5sorry"), 0, "sorry" },
    { PROTO, TEXT("\x12\5sorry\x12\2no"), 0, "no" },
    { PROTO, TEXT("\x12\6sorry"), 0, "" },
    { PROTO, TEXT("\x12\x1elonger than there is room for."), 0, "longer than the" },
    { "text/plain", TEXT("longer than there is room for."), 0, "longer than the" },
};

static void test_answers(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(answers); i++) {
        struct reply reply = { .body = BUF_INIT(1000) };
        char words[16];
        check_row(answers[i].body.data);
        snprintf(reply.content_type, sizeof(reply.content_type), "%s", answers[i].type);
        /* Its own memory, to the byte: the sanitizer finds a step behind it. */
        reply.body.data = xmalloc(answers[i].body.len + 1);
        reply.body.len = answers[i].body.len;
        memcpy(reply.body.data, answers[i].body.data, answers[i].body.len);
        reply.body.data[reply.body.len] = '\0';
        check_i64(wire_rejected(&reply, 10), answers[i].rejected);
        wire_words(&reply, words, sizeof(words));
        if (answers[i].words)
            check_text(words, answers[i].words);
        else
            check_i64(strncmp(words, reply.body.data, sizeof(words) - 1), 0);
        free(reply.body.data);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_encode),
                                        cmocka_unit_test(test_answers) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
