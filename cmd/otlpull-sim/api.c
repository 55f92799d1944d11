#include "api.h"

#include <string.h>
#include <time.h>

#include "control.h"
#include "platform.h"
#include "spoil.h"
#include "traffic.h"

/* Whether the fault is one that only the platform can shape. */
static bool shaped(const struct fault *fault)
{
    return fault->kind == FAULT_DEEP || fault->kind == FAULT_BADUTF8 ||
           fault->kind == FAULT_WRONGTYPE;
}

/* A clock of its own, once it was set; else the server's library says the time. */
static void add_date(struct sim *sim, struct web_answer *out)
{
    char text[64];
    struct tm tm;
    time_t now = (time_t)(sim_now(sim) / NS_PER_S);
    if (atomic_load(&sim->ahead_ns) == 0)
        return;
    strftime(text, sizeof(text), "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&now, &tm));
    pairs_add(&out->headers, "Date", text);
}

static void call(struct sim *sim, const struct web_request *rq, struct web_answer *out)
{
    int64_t wait_ns, records = -1;
    size_t budget = sim->platform->budget(sim, rq);
    uint64_t number = traffic_arrived(sim->traffic, rq, budget, &wait_ns);
    struct fault fault = faults_next(sim->faults, FAULT_API);
    out->delay_ns = atomic_load(&sim->latency_ns);
    pairs_add(&out->headers, "Content-Type", "application/json");
    add_date(sim, out);
    if (wait_ns > 0) {
        sim->platform->too_early(wait_ns, out);
    } else if (!spoil_before(&fault, out)) {
        if (shaped(&fault))
            sim->platform->wrong(&fault, out);
        else
            records = sim->platform->answer(sim, rq, out);
        spoil_after(&fault, out);
    }
    traffic_answered(sim->traffic, number, out, records);
}

void api_answer(void *self, const struct web_request *rq, struct web_answer *out)
{
    struct sim *sim = self;
    if (strncmp(rq->path, "/_sim/", strlen("/_sim/")) == 0)
        control_answer(sim, rq, out);
    else
        call(sim, rq, out);
    if (sim->options->log)
        web_log(rq, out);
}
