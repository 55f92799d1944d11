#include "window.h"

static int64_t whole_ms(int64_t unix_ns)
{
    int64_t rest = unix_ns % NS_PER_MS;
    return unix_ns - rest - (rest < 0 ? NS_PER_MS : 0);
}

/* Nothing before this can be asked for. */
static int64_t edge(int64_t now_unix_ns, const struct window_rules *rules)
{
    if (rules->retention_ns == 0)
        return INT64_MIN;
    return whole_ms(now_unix_ns - rules->retention_ns + WINDOW_MARGIN_NS);
}

int64_t window_due(int64_t now_unix_ns, int64_t lag_ns)
{
    return whole_ms(now_unix_ns - lag_ns);
}

int64_t window_begin(int64_t now_unix_ns, int64_t lookback_ns, const struct window_rules *rules)
{
    int64_t begin = whole_ms(now_unix_ns - lookback_ns);
    int64_t earliest = time_add(edge(now_unix_ns, rules), WINDOW_MARGIN_NS);
    return begin > earliest ? begin : earliest;
}

bool window_kept(const struct span *span, int64_t now_unix_ns, const struct window_rules *rules)
{
    return span->start_unix_ns >= edge(now_unix_ns, rules);
}

bool window_next(struct span *out, struct span *lost, int64_t checkpoint_unix_ns,
                 int64_t due_unix_ns, bool first, int64_t now_unix_ns,
                 const struct window_rules *rules)
{
    int64_t back_ns = first && rules->overlap_ns > WINDOW_EDGE_NS ? rules->overlap_ns
                                                                  : WINDOW_EDGE_NS;
    int64_t earliest = edge(now_unix_ns, rules);
    int64_t start = whole_ms(checkpoint_unix_ns - back_ns);
    struct span none = { 0, 0 };

    *lost = none;
    if (due_unix_ns <= checkpoint_unix_ns)
        return false;
    if (checkpoint_unix_ns < earliest)
        *lost = (struct span){ checkpoint_unix_ns,
                               earliest < due_unix_ns ? earliest : due_unix_ns };
    if (start < earliest)
        start = earliest;
    if (start >= due_unix_ns)
        return false;
    int64_t end = time_add(start, rules->window_ns);
    *out = (struct span){ start, end < due_unix_ns ? end : due_unix_ns };
    return true;
}
