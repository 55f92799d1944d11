#include "due.h"

#include "base/timefmt.h"
#include "window.h"

#define FAR_NS      (30 * NS_PER_S)
#define DATE_NS     (2 * NS_PER_S) /* a Date is of whole seconds, and a moment on its way */
#define BELIEVED_NS (NS_PER_S * 3600 * 24)

void due_init(struct due *d, struct clock *clk, int64_t lag_ns)
{
    *d = (struct due){ .clk = clk,
                       .lag_ns = lag_ns,
                       .base_unix_ns = clock_unix_ns(clk),
                       .mono_ns = clock_mono_ns(clk) };
    d->until_unix_ns = window_due(due_now(d), lag_ns);
}

int64_t due_now(const struct due *d)
{
    return d->base_unix_ns + clock_mono_ns(d->clk) - d->mono_ns;
}

/* Whether a clock that is ahead by so much, or behind where it is less than 0, misleads. */
static bool is_far(const struct due *d, int64_t ahead_ns)
{
    return ahead_ns < -FAR_NS || ahead_ns > FAR_NS || ahead_ns > d->lag_ns + DATE_NS;
}

void due_compare(struct due *d, int64_t skew_ns, const struct diag *diag, const char *source)
{
    char by[TIMEFMT_MAX];
    int64_t size_ns = skew_ns < 0 ? -skew_ns : skew_ns;
    int64_t now = clock_unix_ns(d->clk);
    d->compared = true;
    if (is_far(d, -skew_ns)) {
        timefmt_duration(size_ns - size_ns % NS_PER_S, by);
        diag_say(diag, DIAG_WARN,
                 "source %s: this machine's clock is %s %s the platform's, by the Date of its "
                 "answer: windows go by the %s; set the wrong one right",
                 source, by, skew_ns < 0 ? "ahead of" : "behind",
                 size_ns < BELIEVED_NS ? "platform's" : "machine's");
        if (size_ns < BELIEVED_NS)
            now += skew_ns;
    }
    d->corrected = is_far(d, due_now(d) - now); /* ours may have been set since we began, too */
    if (d->corrected) {
        d->base_unix_ns = now;
        d->mono_ns = clock_mono_ns(d->clk);
        d->until_unix_ns = window_due(now, d->lag_ns);
    }
}

bool due_is_far_before(const struct due *d, int64_t checkpoint_unix_ns)
{
    return checkpoint_unix_ns > time_add(d->until_unix_ns, FAR_NS);
}
