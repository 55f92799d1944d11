/* A source's state document: whatever stands in the file is read or refused, and what was read is
 * written as a text that reads as the same. */
#include "fuzz.h"

#include <string.h>

#include "state/document.h"
#include "state/state.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes whole = { (const char *)data, size }, body = whole;
    struct source_state st = SOURCE_STATE_INIT, again = SOURCE_STATE_INIT;
    struct buf text = BUF_INIT(1 << 24), second = BUF_INIT(1 << 24);
    struct error err = { 0 };
    const char *why = NULL;

    if (!document_open(whole, &body, &why)) {
        FUZZ_CHECK(why != NULL);
        body = whole; /* no fuzzer finds a checksum: read it as if it had fitted */
    }
    if (state_read(body, &st, &err)) {
        FUZZ_CHECK(err.kind == ERR_STATE);
    } else {
        state_write(&st, &text);
        FUZZ_CHECK(!text.full);
        FUZZ_CHECK(state_read(buf_bytes(&text), &again, &err) == 0);
        state_write(&again, &second);
        FUZZ_CHECK(bytes_equal(buf_bytes(&text), buf_bytes(&second)));
    }
    state_release(&st);
    state_release(&again);
    buf_release(&text);
    buf_release(&second);
    return 0;
}
