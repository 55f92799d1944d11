/* fly_fuzz.c -- a cursor and an answer of Fly's in any shape: records are right, and a window goes
 * on. */
#include "pull_fuzz.h"

#include "base/timefmt.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct setting all[] = { { .text = "app" }, { .text = "fm2_a,b" }, { 0 }, { 0 } };
    static const struct setting one_region[] = {
        { .text = "app" }, { .text = "b" }, { .text = "cdg" }, { 0 }
    };
    struct pull_fuzz p = { .st = { "s", &source_fly, "https://a.b", all, true } };
    p.ask.span = (struct span){ INT64_C(1779235200) * NS_PER_S, INT64_C(1779238800) * NS_PER_S };
    pull_fuzz_split(&p, data, size);
    pull_fuzz_run(&p);
    p.st.settings = one_region;
    pull_fuzz_run(&p);
    return 0;
}
