/* forge_query.h -- the parameters of a call for Forge's app logs, held to the documented letter. */
#ifndef OTLPULL_SIM_FORGE_QUERY_H
#define OTLPULL_SIM_FORGE_QUERY_H

#include <stdint.h>

#include "history.h"
#include "web.h"

#define FORGE_MOST_SITES 50

/* Texts are the request's own. */
struct forge_query {
    const char *environment;
    int64_t start_ns, end_ns;
    const char *cursor; /* NULL: the first page */
    const char *sites[FORGE_MOST_SITES];
    struct history_filter filter;
    uint64_t digest; /* of all but the cursor, in any order */
};

/* Read and check all but the cursor; NULL: fine, else what is wrong. What could be read is in `q`
 * in either case; `environment` may be NULL then. */
const char *forge_query_read(struct forge_query *q, const struct web_request *rq, int64_t now_ns);

#endif
