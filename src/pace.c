#include "pace.h"

#include "base/clock.h"

#define QUICK_NS (20 * NS_PER_MS)
/* Under way at once before the first answer: it may never come, or be larger than thought. */
#define FIRST_MOST 24

void pace_init(struct pace *p, int calls, int64_t period_ns)
{
    *p = (struct pace){ .period_ns = period_ns, .budget = calls };
    if (calls > PACE_RECENT) {
        p->period_ns = period_ns / calls * PACE_RECENT;
        p->budget = PACE_RECENT;
    }
    p->most = p->budget < PACE_CALLS_MOST ? p->budget : PACE_CALLS_MOST;
}

void pace_sent(struct pace *p, int64_t now_mono_ns, bool urgent)
{
    p->under_way++;
    if (urgent)
        p->urgent_mono_ns = now_mono_ns;
    p->recent[p->recent_at] = (struct pace_call){ now_mono_ns, urgent };
    p->recent_at = (p->recent_at + 1) % p->budget;
}

void pace_over(struct pace *p, int64_t now_mono_ns, int64_t sent_mono_ns, bool urgent)
{
    int64_t latency_ns = now_mono_ns - sent_mono_ns;
    p->under_way--;
    if (urgent)
        p->urgent_mono_ns = 0;
    if (sent_mono_ns == 0)
        return;
    p->latency_ns = p->latency_ns ? (3 * p->latency_ns + latency_ns) / 4 : latency_ns;
}

/* A call that is under way may show that it takes longer than those before. */
static int64_t latency_of(const struct pace *p, int64_t now_mono_ns)
{
    int64_t age_ns = p->urgent_mono_ns ? now_mono_ns - p->urgent_mono_ns : 0;
    return age_ns > p->latency_ns ? age_ns : p->latency_ns;
}

bool pace_is_quick(const struct pace *p, int64_t now_mono_ns)
{
    return latency_of(p, now_mono_ns) < QUICK_NS;
}

bool pace_is_slow(const struct pace *p, int64_t now_mono_ns)
{
    return !pace_is_quick(p, now_mono_ns) && latency_of(p, now_mono_ns) > p->period_ns / p->budget;
}

/* As many calls under way use up the budget, with something to spare: a few windows that get on are
 * better than many that do not. Before the first answer nobody knows. */
static int enough(const struct pace *p, int64_t now_mono_ns)
{
    int64_t apart_ns = p->period_ns / p->budget;
    if (p->latency_ns == 0)
        return p->most < FIRST_MOST ? p->most : FIRST_MOST;
    if (apart_ns == 0)
        return p->most;
    int64_t calls = latency_of(p, now_mono_ns) / apart_ns * 5 / 4 + 1;
    return calls < p->most ? (int)calls : p->most;
}

bool pace_may_call_beside(const struct pace *p, int64_t now_mono_ns)
{
    int64_t latency_ns = latency_of(p, now_mono_ns);
    int used = 0, urgent = 0;
    if (latency_ns <= 0 || !pace_is_slow(p, now_mono_ns) || p->under_way >= enough(p, now_mono_ns))
        return false;
    for (int i = 0; i < p->budget; i++) {
        const struct pace_call *call = &p->recent[i];
        bool counts = call->sent_mono_ns && call->sent_mono_ns + p->period_ns > now_mono_ns;
        used += counts;
        urgent += counts && call->urgent;
    }
    int64_t kept = p->period_ns / latency_ns - urgent;
    return p->budget - used > (kept > 0 ? kept : 0);
}

int64_t pace_pause_ns(const struct pace *p)
{
    int64_t pause_ns = p->period_ns / p->budget / 4;
    return pause_ns > QUICK_NS ? pause_ns : QUICK_NS;
}
