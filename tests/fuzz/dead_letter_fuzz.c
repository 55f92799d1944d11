/* A line of a source's dead letters: whatever stands there is read or refused, and what was read
 * and written again is a line that reads as the same. */
#include "fuzz.h"

#include <string.h>

#include "base/timefmt.h"
#include "dead_letter.h"

static void write_again(const struct letter *letter, struct buf *out)
{
    struct buf source = BUF_INIT(1 << 24), words = BUF_INIT(1 << 24);
    buf_append_bytes(&source, letter->source);
    FUZZ_CHECK(buf_reserve(&words, letter->answer.len));
    size_t len = otlp_unescape(letter->answer, words.data, letter->answer.len);
    FUZZ_CHECK(len < letter->answer.len); /* it has lost its quotes */
    words.data[len] = '\0';
    dead_letter_write(out, buf_text(&source), letter->unix_ns, letter->status, words.data,
                      letter->resource, (struct bytes){ letter->record.text, letter->record.len });
    buf_release(&source);
    buf_release(&words);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes line = { (const char *)data, size };
    struct letter letter, again;
    struct buf text = BUF_INIT(1 << 24), second = BUF_INIT(1 << 24);
    const char *why = NULL;
    if (!dead_letter_read(line, &letter, &why)) {
        FUZZ_CHECK(why != NULL);
    } else {
        write_again(&letter, &text);
        FUZZ_CHECK(!text.full);
        FUZZ_CHECK(memchr(text.data, '\n', text.len) == text.data + text.len - 1); /* one line */
        FUZZ_CHECK(dead_letter_read(buf_bytes(&text), &again, &why));
        FUZZ_CHECK(bytes_equal(again.source, letter.source));
        FUZZ_CHECK(again.status == letter.status);
        FUZZ_CHECK(again.record.len == letter.record.len);
        FUZZ_CHECK(again.resource.len == letter.resource.len);
        write_again(&again, &second);
        FUZZ_CHECK(bytes_equal(buf_bytes(&text), buf_bytes(&second)));
    }
    buf_release(&text);
    buf_release(&second);
    return 0;
}
