/* platform.h -- the plug for a simulated platform: its rules and the shape of its records.
 * Counting, the rolling limit, faults and latency are the same for all and stay with api.c; entries
 * come from history.c. A platform is a file and a line in platform.c. */
#ifndef OTLPULL_SIM_PLATFORM_H
#define OTLPULL_SIM_PLATFORM_H

#include <stdint.h>

#include "faults.h"
#include "history.h"
#include "print.h"
#include "sim.h"
#include "web.h"

struct platform {
    const char *name, *summary;
    /* Whose limit a call counts against: a number below sim->budgets; SIZE_MAX: nobody's. */
    size_t (*budget)(const struct sim *sim, const struct web_request *rq);
    /* Answer one call by the vendor's rules. Returns the records in the page, -1: no page. */
    int64_t (*answer)(struct sim *sim, const struct web_request *rq, struct web_answer *out);
    /* Refuse one that came too early. */
    void (*too_early)(int64_t wait_ns, struct web_answer *out);
    /* Write an answer that is wrong in the vendor's own shape: deep, huge, wrongtype, badutf8. */
    void (*wrong)(const struct fault *fault, struct web_answer *out);
    /* Append a record as the vendor sends it. */
    void (*render)(const struct history *h, const struct entry *e, struct buf *out);
    /* What a collector gets of it, as print_record() will see it. */
    void (*print)(const struct history *h, const struct entry *e, struct print *out);
};

extern const struct platform platform_forge;
extern const struct platform platform_hoody;
extern const struct platform platform_nodion;
extern const struct platform platform_fly;
extern const struct platform platform_scalingo;

const struct platform *platform_named(const char *name); /* NULL: there is none */
const struct platform *platform_at(size_t i);            /* NULL past the last */

#endif
