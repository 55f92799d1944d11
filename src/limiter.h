/* limiter.h -- keeps an app inside "N calls per period", whoever else runs: the next may begin once
 * the oldest of the last N is a period old. A token bucket is shorter, but after a pause it lets
 * nearly 2N into one period, and a vendor that counts a rolling one answers with 429.
 *
 * The calls are remembered in the store, under their budget's key, so that runs beside and just
 * after this one count them too. A permit is reserved there before it is used; several at a time
 * while plenty are left, so that a quick API does not cost a write per call. What a killed run had
 * reserved counts as if it had been used at the last possible moment. */
#ifndef OTLPULL_LIMITER_H
#define OTLPULL_LIMITER_H

#include <stdint.h>

#include "base/clock.h"
#include "base/error.h"
#include "state/store.h"

struct limiter;

/* One budget, for all threads of this process that use it. `store`, `clk` and `key` are borrowed.
 */
struct limiter *limiter_create(struct store *store, struct clock *clk, const char *key, int calls,
                               int64_t period_ns);

const char *limiter_key(const struct limiter *l);

struct permit {
    int slot;
    int64_t send_before_mono_ns; /* later it is worth nothing: other runs no longer count it */
};

/* Sleep on `clk` (of the same time as the limiter's own, its stop may be another) until one more
 * call may begin, note it in the store, and give its permit. If that moment lies past the deadline:
 * note nothing, do not sleep, ERR_DEADLINE. ERR_STATE; ERR_PLATFORM: another run is frozen and
 * keeps the store's document; ERR_STOPPED. Any number of threads may ask at once. */
int limiter_acquire(struct limiter *l, struct clock *clk, int64_t deadline_mono_ns,
                    struct permit *out, struct error *err);

/* The call of this permit is over; the platform counted it at `arrived_mono_ns` at the latest. */
void limiter_done(struct limiter *l, const struct permit *permit, int64_t arrived_mono_ns);

/* Or it was not made after all: not a byte of it went out. The permit is the next one's. */
void limiter_return(struct limiter *l, const struct permit *permit);

/* No word of a platform holds us for longer than this. */
#define LIMITER_HOLD_MOST_NS (300 * NS_PER_S)

/* The platform says: none before `until_mono_ns`. Holds for every run; ERR_STATE, ERR_STOPPED. */
int limiter_hold(struct limiter *l, struct clock *clk, int64_t until_mono_ns, struct error *err);

/* Give back what was reserved and not used, and write when the others were; then free it.
 * ERR_STATE, ERR_STOPPED. */
int limiter_close(struct limiter *l, struct error *err);

/* Calls that a budget has left now, as the store has it; makes no call and takes no lock. */
int limiter_left(struct store *store, struct clock *clk, const char *key, int calls,
                 int64_t period_ns, int *left, struct error *err);

#endif
