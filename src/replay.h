/* replay.h -- a source's dead letters, sent to the collector again: what it takes now is removed,
 * what it refuses again is kept with its new answer. */
#ifndef OTLPULL_REPLAY_H
#define OTLPULL_REPLAY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/error.h"
#include "config.h"
#include "export.h"
#include "state/store.h"

/* What every source of a replay is worked with; all of it borrowed. */
struct replay {
    const struct config *config;
    struct store *store;
    struct clock *clk;
    struct export *ex; /* its `accepted` says yes from the start: nothing is lost by a refusal */
    bool dry_run;      /* print what would be sent; send and change nothing */
};

struct replay_result {
    bool any;             /* the source has dead letters */
    int64_t sent;         /* letters that the collector accepted, or that were printed */
    int64_t refused;      /* that it refused again */
    int last_status;      /* ... with this */
    struct error damaged; /* ERR_STATE where lines were no letters; they are kept as they are */
};

/* `out` is filled in any case. A batch's letters leave the journal once it is answered for: a
 * process that dies in between sends that one batch again, and loses nothing. ERR_LOCKED where a
 * run holds the source, ERR_STOPPED, ERR_STATE, and what export_batch() says. */
int replay_source(const struct replay *r, const struct source_config *source,
                  struct replay_result *out, struct error *err);

#endif
