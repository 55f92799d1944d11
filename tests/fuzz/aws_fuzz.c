/* aws_fuzz.c -- what AWS answers, or whoever stands in its place: an error's name is always one
 * that may be shown, credentials are such as may go into a header, and a secret comes whole or not.
 */
#include "fuzz.h"

#include <string.h>

#include "aws/answer.h"

#define OUT_MAX ((size_t)1 << 20)

static void check_code(struct bytes body)
{
    static const char shown[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
    char code[16];
    memset(code, 'x', sizeof(code));
    answer_code(body, code, sizeof(code));
    FUZZ_CHECK(memchr(code, '\0', sizeof(code)));
    FUZZ_CHECK(strspn(code, shown) == strlen(code));
}

static void check_message(struct bytes body)
{
    struct buf message = BUF_INIT(40);
    answer_message(body, &message);
    FUZZ_CHECK(message.len <= 40);
    buf_release(&message);
}

static void check_printable(const char *text)
{
    FUZZ_CHECK(*text);
    for (; *text; text++)
        FUZZ_CHECK(*text > 0x20 && *text < 0x7f);
}

static void check_credentials(struct bytes body,
                              int (*read)(struct bytes, struct credentials *, struct error *))
{
    struct credentials c;
    struct error err = { 0 };
    if (read(body, &c, &err)) {
        FUZZ_CHECK(err.kind == ERR_INPUT && *err.text);
        FUZZ_CHECK(!c.access_key && !c.secret_key && !c.session_token);
        return;
    }
    FUZZ_CHECK(err.kind == ERR_NONE);
    check_printable(c.access_key);
    check_printable(c.secret_key);
    if (c.session_token)
        check_printable(c.session_token);
    credentials_release(&c);
}

static void check_secret(struct bytes body, int (*read)(struct bytes, struct buf *, struct error *))
{
    struct buf out = BUF_INIT(OUT_MAX);
    struct error err = { 0 };
    buf_append_text(&out, "before");
    if (read(body, &out, &err))
        FUZZ_CHECK(err.kind == ERR_INPUT && out.len == 6);
    else
        FUZZ_CHECK(err.kind == ERR_NONE && (out.full || out.len <= 6 + body.len));
    FUZZ_CHECK(memcmp(buf_text(&out), "before", 6) == 0);
    buf_release(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes body = { (const char *)data, size };
    struct buf element = BUF_INIT(OUT_MAX);
    check_code(body);
    check_message(body);
    check_credentials(body, answer_credentials_json);
    check_credentials(body, answer_credentials_xml);
    check_secret(body, answer_secret);
    check_secret(body, answer_parameter);
    if (!answer_element(body, "Region", &element))
        FUZZ_CHECK(element.len == 0);
    buf_release(&element);
    return 0;
}
