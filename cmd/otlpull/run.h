/* run.h -- one run, as `otlpull run` makes it, and each invocation of `otlpull lambda`. */
#ifndef OTLPULL_CMD_RUN_H
#define OTLPULL_CMD_RUN_H

#include "app.h"
#include "state/store.h"
#include "workers.h"

/* Of the sources that were chosen, leave those of our shard. ERR_CONFIG. */
int run_choose_shard(struct app *app, struct error *err);

/* When one that began then must have ended, by --deadline or run.deadline; or TIME_FOREVER. */
int64_t run_deadline(const struct app *app, int64_t began_mono_ns);

#define RUN_NOTES_PART 6

/* Work these sources, an entry for each of the configuration, and say the summary, which is also in
 * `out`. Within an invocation, which must have time left behind the deadline: a third of the run's,
 * or 3 s. The store's last calls get up to a RUN_NOTES_PART of the run's time of that, and at most
 * 2 s. */
void run_once(struct app *app, struct store *store, const bool *chosen, int64_t deadline_mono_ns,
              struct run_summary *out);

/* How it ended, in a few words. */
const char *run_verdict(const struct app *app, const struct run_summary *sum);

#endif
