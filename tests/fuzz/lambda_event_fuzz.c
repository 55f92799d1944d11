/* An invocation's event: any bytes at all. What is read are names that a configuration may have,
 * and what is refused is said in words, which hold no control character. */
#include "fuzz.h"

#include <string.h>

#include "lambda/event.h"

static void check_names(const struct event *e)
{
    FUZZ_CHECK(e->count <= EVENT_SOURCES_MAX);
    for (size_t i = 0; i < e->count; i++) {
        size_t len = strnlen(e->sources[i], EVENT_SOURCE_NAME_MAX + 1);
        FUZZ_CHECK(len > 0 && len <= EVENT_SOURCE_NAME_MAX);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes text = { (const char *)data, size };
    struct event event = { 0 };
    struct error err = { 0 };
    if (event_read(text, &event, &err)) {
        FUZZ_CHECK(err.kind == ERR_INPUT && err.text[0]);
        FUZZ_CHECK(!event.sources && event.count == 0);
        for (const char *c = err.text; *c; c++)
            FUZZ_CHECK((unsigned char)*c >= ' ' && *c != 0x7f);
    } else {
        FUZZ_CHECK(err.kind == ERR_NONE);
        check_names(&event);
    }
    event_release(&event);
    FUZZ_CHECK(!event.sources && event.count == 0);
    return 0;
}
