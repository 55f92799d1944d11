/* config_fuzz.c -- a configuration file: faults that tell where, and never what a substitution
 * gave; or a configuration that prints as one which reads and prints the same. */
#include "fuzz.h"

#include <string.h>

#include "config.h"

#define SECRET   "hunter2-hunter2"
#define TEXT_MAX (64 << 20)

static const char *get_variable(void *self, const char *name)
{
    (void)self;
    return strcmp(name, "S") == 0 ? SECRET : NULL;
}

static void check_faults(const struct buf *faults, const struct error *err, struct bytes text)
{
    FUZZ_CHECK(err->kind == ERR_CONFIG && err->text[0]);
    FUZZ_CHECK(!faults->full && strncmp(buf_text(faults), "f:", 2) == 0);
    if (!memmem(text.data, text.len, SECRET, strlen(SECRET)))
        FUZZ_CHECK(!strstr(buf_text(faults), SECRET));
}

static void check_print(const struct config *cfg, const struct config_input *in, struct buf *notes)
{
    struct buf first = BUF_INIT(TEXT_MAX), second = BUF_INIT(TEXT_MAX);
    struct error err = { 0 };
    struct config again;
    config_print(cfg, &first);
    FUZZ_CHECK(!first.full);
    if (first.len <= (1 << 20)) {
        FUZZ_CHECK(config_load_text(&again, buf_bytes(&first), in, notes, notes, &err) == 0);
        config_print(&again, &second);
        FUZZ_CHECK(bytes_equal(buf_bytes(&first), buf_bytes(&second)));
        config_release(&again);
    }
    buf_release(&first);
    buf_release(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct config_input in = { .path = "f", .getenv = get_variable };
    struct bytes text = { (const char *)data, size };
    struct buf faults = BUF_INIT(1 << 20), notes = BUF_INIT(1 << 20);
    struct error err = { 0 };
    struct config cfg;
    /* No file is to be read for a fuzzer: it would find the ones that never end. */
    if (memmem(text.data, text.len, "${file:", 7))
        return 0;
    if (config_load_text(&cfg, text, &in, &faults, &notes, &err))
        check_faults(&faults, &err, text);
    else
        check_print(&cfg, &in, &notes);
    config_release(&cfg);
    buf_release(&faults);
    buf_release(&notes);
    return 0;
}
