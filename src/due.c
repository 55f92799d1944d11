#include "due.h"

#include "base/timefmt.h"
#include "window.h"

#define FAR_NS      (30 * NS_PER_S)
#define DATE_NS     (2 * NS_PER_S) /* a Date is of whole seconds, and a moment on its way */
#define BELIEVED_NS (24 * 3600 * NS_PER_S)

void due_init(struct due *d, struct clock *clk, int64_t lag_ns)
{
    *d = (struct due){ .clk = clk, .lag_ns = lag_ns };
    d->until_unix_ns = window_due(due_now(d), lag_ns);
}

int64_t due_now(const struct due *d)
{
    return clock_unix_ns(d->clk) + d->skew_ns;
}

void due_compare(struct due *d, int64_t skew_ns, const struct diag *diag, const char *source)
{
    char by[TIMEFMT_MAX];
    int64_t size_ns = skew_ns < 0 ? -skew_ns : skew_ns;
    d->compared = true;
    if (size_ns <= FAR_NS && -skew_ns <= d->lag_ns + DATE_NS)
        return;
    timefmt_duration(size_ns - size_ns % NS_PER_S, by);
    diag_say(diag, DIAG_WARN,
             "source %s: this machine's clock is %s %s the platform's, by the Date of its answer: "
             "windows go by the %s; set the wrong one right",
             source, by, skew_ns < 0 ? "ahead of" : "behind",
             size_ns < BELIEVED_NS ? "platform's" : "machine's");
    if (size_ns < BELIEVED_NS) {
        d->skew_ns = skew_ns;
        d->until_unix_ns = window_due(due_now(d), d->lag_ns);
    }
}

bool due_is_far_before(const struct due *d, int64_t checkpoint_unix_ns)
{
    return checkpoint_unix_ns > time_add(d->until_unix_ns, FAR_NS);
}
