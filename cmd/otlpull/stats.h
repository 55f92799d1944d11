/* stats.h -- the platform's own counts of what it keeps, for `status --stats`. */
#ifndef OTLPULL_CMD_STATS_H
#define OTLPULL_CMD_STATS_H

#include "app.h"
#include "state/store.h"

/* Ask for them, by a permit of the source's budget, and append them as one JSON object; nothing is
 * asked or appended where the type has none. ERR_PLATFORM, ERR_AUTH, ERR_CONFIG, ERR_STATE,
 * ERR_STOPPED. */
int stats_ask(struct app *app, struct store *store, const struct source_config *source,
              struct buf *out, struct error *err);

/* The same object as lines for a person; empty: that there are none. */
void stats_write_text(struct bytes counts, struct buf *out);

#endif
