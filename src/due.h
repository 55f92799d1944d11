/* due.h -- up to which moment records are due, and by whose clock.
 *
 * That is a matter of the platform's: a clock of ours that is ahead would move the checkpoint past
 * records that are still to come, and one that is behind would find nothing due. So the first
 * answer's Date is compared with ours, and where they are far apart windows go by the platform's.
 */
#ifndef OTLPULL_DUE_H
#define OTLPULL_DUE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/diag.h"

struct due {
    struct clock *clk;
    int64_t lag_ns;
    int64_t until_unix_ns; /* no record from there on is due */
    int64_t base_unix_ns,
        mono_ns; /* the time at a moment; it goes on from there, and jumps no more */
    bool compared;
    bool corrected; /* by what the first answer said: it is another time than we began with */
};

/* By our own clock, until there is another to compare it with. `clk` is borrowed. */
void due_init(struct due *d, struct clock *clk, int64_t lag_ns);

/* The time now, by the clock that windows go by. */
int64_t due_now(const struct due *d);

/* The platform's clock is `skew_ns` ahead of ours: where that is far, or ours is ahead by more than
 * `lag`, warn, and go by the platform's, unless it is so far that the answer must come out of some
 * cache. */
void due_compare(struct due *d, int64_t skew_ns, const struct diag *diag, const char *source);

/* Whether a checkpoint lies so far ahead of what is due that one of the two is wrong. */
bool due_is_far_before(const struct due *d, int64_t checkpoint_unix_ns);

#endif
