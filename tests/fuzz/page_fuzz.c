/* page_fuzz.c -- a Forge answer, then each of its records through normalize: what comes out is one
 * strict JSON object that json-c reads too, whose members are right or gone; what we do not mend is
 * as it was; and a second pass changes nothing. */
#include "fuzz.h"

#include <json-c/json.h>
#include <string.h>

#include "normalize.h"
#include "sink.h"
#include "source/source.h"

#define OBSERVED "1762930801250000001"

static const char *const known[] = { "timeUnixNano",   "observedTimeUnixNano",
                                     "severityNumber", "traceId",
                                     "spanId",         "severityText" };

static void normalize(const struct otlp_record *r, struct buf *out)
{
    struct otlp_text observed = { OBSERVED, sizeof(OBSERVED) - 1 };
    normalize_record(r, observed, sink_of(out));
    FUZZ_CHECK(!out->full);
}

static void check_id(struct json_object *object, const char *key, size_t digits)
{
    struct json_object *id;
    if (!json_object_object_get_ex(object, key, &id))
        return;
    FUZZ_CHECK(json_object_is_type(id, json_type_string));
    const char *text = json_object_get_string(id);
    FUZZ_CHECK(strlen(text) == digits && strspn(text, "0123456789abcdefABCDEF") == digits);
    FUZZ_CHECK(strspn(text, "0") < digits);
}

static void check_members(const struct otlp_record *r, struct json_object *object)
{
    uint64_t time = 0;
    struct json_object *number;
    check_id(object, "traceId", 32);
    check_id(object, "spanId", 16);
    FUZZ_CHECK(!r->repeated);
    FUZZ_CHECK(!r->at[OTLP_TIME].value_len || otlp_record_time(r, OTLP_TIME, &time));
    FUZZ_CHECK(otlp_record_time(r, OTLP_OBSERVED_TIME, &time) && time != 0);
    if (json_object_object_get_ex(object, "severityNumber", &number)) {
        FUZZ_CHECK(json_object_is_type(number, json_type_int));
        FUZZ_CHECK(json_object_get_int(number) >= 0 && json_object_get_int(number) <= 24);
    }
}

static struct json_object *parse(struct bytes text)
{
    struct json_tokener *tok = json_tokener_new_ex(1000);
    json_tokener_set_flags(tok, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
    struct json_object *object = json_tokener_parse_ex(tok, text.data, (int)text.len);
    FUZZ_CHECK(json_tokener_get_error(tok) == json_tokener_success);
    FUZZ_CHECK(json_object_is_type(object, json_type_object));
    json_tokener_free(tok);
    return object;
}

static void check_record(const struct otlp_record *before)
{
    struct buf once = BUF_INIT(before->len + 512), twice = BUF_INIT(before->len + 512);
    struct otlp_record after;
    struct otlp_scan s;
    normalize(before, &once);
    otlp_scan_init(&s, buf_bytes(&once).data, once.len);
    FUZZ_CHECK(otlp_scan_record(&s, &after) && otlp_scan_end(&s) && after.len == once.len);
    normalize(&after, &twice);
    FUZZ_CHECK(bytes_equal(buf_bytes(&once), buf_bytes(&twice)));

    struct json_object *was = parse((struct bytes){ before->text, before->len });
    struct json_object *is = parse(buf_bytes(&once));
    /* json-c cuts a key at an escaped NUL, so that it would find what is not there. */
    if (!memmem(before->text, before->len, "\\u0000", 6)) {
        check_members(&after, is);
        FUZZ_CHECK(json_object_equal(json_object_object_get(was, "severityText"),
                                     json_object_object_get(is, "severityText")));
        for (size_t i = 0; i < COUNT(known); i++) {
            json_object_object_del(was, known[i]);
            json_object_object_del(is, known[i]);
        }
        FUZZ_CHECK(json_object_equal(was, is));
    }
    json_object_put(was);
    json_object_put(is);
    buf_release(&once);
    buf_release(&twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    /* As the fields of forge stand: app, environment, email, token, levels, message, contexts. */
    struct setting settings[7] = {
        { .text = "a" }, { .text = "e" }, { .text = "m" }, { .text = "t" }, { 0 }, { 0 }, { 0 }
    };
    struct stream st = { "s", &source_forge, "http://x", settings, false };
    struct page page = PAGE_INIT;
    struct request request = REQUEST_INIT;
    struct ask ask = { .span = { 0, 3600 }, .at = BYTES("") };
    struct error err = { 0 };
    struct bytes frame = { (const char *)data, size };

    if (size > 1 << 20)
        return 0;
    if (source_forge.decode(&st, &ask, frame, &page, &err)) {
        FUZZ_CHECK(err.kind == ERR_INPUT && err.text[0] && page.count == 0 && !page.next.more);
        goto out;
    }
    FUZZ_CHECK(page.next.more == (page.next.text.len > 0));
    for (size_t i = 0; i < page.count; i++)
        check_record(&page.records[i]);
    ask.at = buf_bytes(&page.next.text);
    FUZZ_CHECK(source_forge.request(&st, &ask, &request, &err) == 0);
    for (size_t i = 0; i < request.url.len; i++)
        FUZZ_CHECK(request.url.data[i] > ' ' && request.url.data[i] < 0x7f);
out:
    request_release(&request);
    page_release(&page);
    return 0;
}
