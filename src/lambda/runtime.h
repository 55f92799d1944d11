/* runtime.h -- AWS Lambda's Runtime API, from the runtime's side: an invocation comes, its answer
 * or its error goes back. (docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html) */
#ifndef OTLPULL_LAMBDA_RUNTIME_H
#define OTLPULL_LAMBDA_RUNTIME_H

#include <stdint.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/error.h"

struct runtime;

/* What is to be done; good until the next one. */
struct invocation {
    const char *request_id;
    const char *trace_id;     /* X-Ray's; NULL: none came */
    int64_t deadline_unix_ns; /* at which the process is killed; 0: none came that could be true */
    struct bytes event;
};

/* `api`: AWS_LAMBDA_RUNTIME_API, "HOST:PORT". http_global_init() comes first. */
struct runtime *runtime_create(const char *api, struct clock *clk);
void runtime_destroy(struct runtime *r);

/* Wait for the next invocation, for hours if need be. ERR_STOPPED: the clock said stop.
 * ERR_PLATFORM: the API does not do as it should, which a new process may mend, and nothing else.
 */
int runtime_next(struct runtime *r, struct invocation *out, struct error *err);

/* The invocation is over, with a JSON value. ERR_INPUT: this answer was not taken, and the next
 * invocation may be asked for. ERR_STOPPED and ERR_PLATFORM as above. */
int runtime_answer(struct runtime *r, const struct invocation *inv, struct bytes json,
                   struct error *err);

/* The same with an error. `type` is "Runtime.Reason" or "Function.Reason", in letters. */
int runtime_fail(struct runtime *r, const struct invocation *inv, const char *type,
                 const char *message, struct error *err);

/* Nothing can be done at all: instead of the first runtime_next(). */
int runtime_fail_init(struct runtime *r, const char *type, const char *message, struct error *err);

#endif
