#include "wire.h"

#include <string.h>
#include <strings.h>

#include "base/jread.h"
#include "otlp/otlp.h"

#define PROTOBUF "application/x-protobuf"

const char *wire_content_type(enum encoding encoding)
{
    return encoding == ENCODING_PROTO ? PROTOBUF : "application/json";
}

int wire_encode(struct wire *w, enum encoding encoding, struct bytes *body, struct error *err)
{
    if (encoding == ENCODING_JSON)
        return 0;
    struct otlp_proto p;
    w->proto.max = body->len;
    buf_reset(&w->proto);
    buf_reserve(&w->proto, body->len);
    size_t len = otlp_proto_write(&p, (struct otlp_text){ body->data, body->len }, w->proto.data);
    if (len == OTLP_NONE)
        return error_set(err, ERR_INPUT, "not OTLP: %s%s%s", p.member ? p.member : "",
                         p.member ? ": " : "", p.problem);
    w->proto.len = len;
    w->proto.data[len] = '\0';
    *body = buf_bytes(&w->proto);
    return 0;
}

/* ---- answers -----------------------------------------------------------------------------------
 */

static bool is_protobuf(const struct reply *reply)
{
    size_t len = sizeof(PROTOBUF) - 1;
    return strncasecmp(reply->content_type, PROTOBUF, len) == 0 &&
           (reply->content_type[len] == '\0' || strchr("; \t", reply->content_type[len]));
}

static bool read_varint(struct bytes *in, uint64_t *out)
{
    uint64_t value = 0;
    for (int shift = 0; shift < 64 && in->len; shift += 7) {
        unsigned char byte = (unsigned char)*in->data++;
        in->len--;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            *out = value;
            return true;
        }
    }
    return false;
}

/* The next field of a message: a varint's `value`, or `text`; else both are empty. False: the end,
 * or nonsense. */
static bool next_field(struct bytes *in, uint64_t *number, uint64_t *value, struct bytes *text)
{
    uint64_t tag, len = 0;
    *value = 0;
    *text = BYTES("");
    if (!read_varint(in, &tag))
        return false;
    *number = tag >> 3;
    switch (tag & 7) {
    case 0:
        return read_varint(in, value);
    case 1:
        len = 8;
        break;
    case 2:
        if (!read_varint(in, &len))
            return false;
        break;
    case 5:
        len = 4;
        break;
    default:
        return false;
    }
    if (len > in->len)
        return false;
    if ((tag & 7) == 2)
        *text = (struct bytes){ in->data, (size_t)len };
    in->data += len;
    in->len -= (size_t)len;
    return true;
}

/* ExportLogsServiceResponse: partial_success = 1; in that, rejected_log_records = 1. */
static int64_t rejected_in_protobuf(struct bytes answer)
{
    uint64_t number, value;
    struct bytes text;
    int64_t rejected = 0;
    while (next_field(&answer, &number, &value, &text)) {
        struct bytes partial = number == 1 ? text : BYTES("");
        while (next_field(&partial, &number, &value, &text)) {
            if (number == 1)
                rejected = (int64_t)value;
        }
    }
    return rejected;
}

/* `{"partialSuccess":{"rejectedLogRecords":"3"}}` */
static int64_t rejected_in_json(struct bytes answer)
{
    struct error ignored;
    int64_t rejected = 0;
    struct json_object *document = answer.len ? jread_parse(answer, &ignored) : NULL;
    jread_int(jread_member(document, "partialSuccess"), "rejectedLogRecords", &rejected);
    jread_release(document);
    return rejected;
}

int64_t wire_rejected(const struct reply *reply, size_t count)
{
    struct bytes answer = buf_bytes(&reply->body);
    int64_t rejected = is_protobuf(reply) ? rejected_in_protobuf(answer) : rejected_in_json(answer);
    if (rejected < 0)
        return 0;
    return rejected < (int64_t)count ? rejected : (int64_t)count;
}

void wire_words(const struct reply *reply, char *out, size_t out_bytes)
{
    struct bytes words = buf_bytes(&reply->body), rest = words, text;
    uint64_t number, value;
    if (is_protobuf(reply)) {
        words.len = 0;
        while (next_field(&rest, &number, &value, &text)) {
            if (number == 2) /* of google.rpc.Status */
                words = text;
        }
    }
    size_t len = words.len < out_bytes ? words.len : out_bytes - 1;
    memcpy(out, words.data, len);
    out[len] = '\0';
}

void wire_release(struct wire *w)
{
    buf_release(&w->proto);
}
