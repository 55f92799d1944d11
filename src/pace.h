/* pace.h -- whether a platform is so slow that one call after another cannot use up the budget, and
 * if so, how many calls may be under way at once. Pure.
 *
 * One call is the urgent one: it brings what is delivered next. What the budget has left beside the
 * calls that can be made for that, one after the other, may be spent on what comes later: so no
 * reading ahead is at the cost of what is next. */
#ifndef OTLPULL_PACE_H
#define OTLPULL_PACE_H

#include <stdbool.h>
#include <stdint.h>

/* Under way at once at most: the budget of 30 a minute at ten seconds' latency needs five, and an
 * API with a larger budget is seldom as slow. */
#define PACE_CALLS_MOST 32
/* Calls that are remembered; a budget of more is taken for one of this many in a shorter period. */
#define PACE_RECENT 256

struct pace_call {
    int64_t sent_mono_ns; /* 0: none */
    bool urgent;
};

struct pace {
    int64_t period_ns;
    int budget; /* calls in a period */
    int most;   /* under way at once */
    int under_way;
    int64_t urgent_mono_ns; /* since when the urgent call is under way; 0: it is not */
    int64_t latency_ns;     /* as it was lately; 0: no call was answered yet */
    struct pace_call recent[PACE_RECENT];
    int recent_at;
};

void pace_init(struct pace *p, int calls, int64_t period_ns);

void pace_sent(struct pace *p, int64_t now_mono_ns, bool urgent);
/* A call is over that was sent then; 0: it had no answer, and tells nothing. */
void pace_over(struct pace *p, int64_t now_mono_ns, int64_t sent_mono_ns, bool urgent);

/* It answers so soon that there is nothing to be gained: a thread's turn costs as much. */
bool pace_is_quick(const struct pace *p, int64_t now_mono_ns);

/* One call after another cannot use up the budget. */
bool pace_is_slow(const struct pace *p, int64_t now_mono_ns);

/* Whether a call that is not urgent may begin. */
bool pace_may_call_beside(const struct pace *p, int64_t now_mono_ns);

/* How long to wait before looking again whether one may. */
int64_t pace_pause_ns(const struct pace *p);

#endif
