/* export.h -- batch → POST → verdict: each record delivered, or refused alone, or an error that
 * says whether later may do. The verdicts are DESIGN's table "on what the collector says". */
#ifndef OTLPULL_EXPORT_H
#define OTLPULL_EXPORT_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/error.h"
#include "batch.h"
#include "config.h"
#include "net/http.h"
#include "wire.h"

#define REFUSAL_WORDS 256

/* Singles refused while nothing was ever accepted in this run: then the collector is at fault. */
#define REFUSALS_BEFORE_ACCEPTANCE 10

/* A record that was refused when it was sent alone; or that could not be sent, as `encoding` cannot
 * hold it: then status and words are what a receiver would say of it, a 400. */
struct refusal {
    size_t index; /* in the batch */
    int status;
    bool unsent; /* nobody was asked: it is the record's own fault, whatever the collector takes */
    char
        words[REFUSAL_WORDS]; /* the collector's: they may quote the record, so they reach no log */
};

struct export_counts {
    int64_t accepted, rejected; /* records; rejected by name, in a partial success */
    int64_t bytes;              /* of accepted requests' bodies, as they went over the wire */
    int64_t retries;            /* pauses after which records were sent again */
};

struct export
{
    const struct exporter_config *config;
    struct http *http;
    struct clock *clk;
    atomic_bool *accepted; /* whether the collector accepted anything in this run; shared by all */
    struct export_counts counts;
    size_t refused_alone; /* while nothing was accepted */
    struct buf scratch, packed;
    struct wire wire;
    size_t sent_bytes; /* of the last body, on the wire */
    struct reply reply;
    struct refusal *refusals; /* of the last batch; also where an error ended it */
    size_t refusal_count, refusal_capacity;
};

void export_init(struct export *ex, const struct exporter_config *config, struct http *http,
                 struct clock *clk, atomic_bool *accepted);

/* Send every record of the batch; each one's fate is noted in it, also on failure. 0: each is
 * delivered or refused. -1: ERR_COLLECTOR, ERR_AUTH, ERR_CONFIG, ERR_STOPPED; what is FATE_OPEN
 * then, the end of the batch, must come again.
 *
 * One record that is refused, wherever in a batch of n, costs at most 2 log2(n) requests more than
 * none (where n is odd: log2(n + 1)): a body that got a 400 is sent once more, as that may be a
 * collector that is paused, but in halves. */
int export_batch(struct export *ex, struct batch *b, int64_t deadline_mono_ns, struct error *err);

void export_release(struct export *ex);

#endif
