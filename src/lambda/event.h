/* event.h -- an invocation's event: which sources it asks for. It may be any JSON at all, a
 * schedule's as well as what somebody typed into a console; only "sources" is ours. */
#ifndef OTLPULL_LAMBDA_EVENT_H
#define OTLPULL_LAMBDA_EVENT_H

#include <stddef.h>

#include "base/buf.h"
#include "base/error.h"

#define EVENT_SOURCES_MAX     1024
#define EVENT_SOURCE_NAME_MAX 64 /* bytes, as the configuration takes them */

/* The sources that an event names, in `{"sources": ["billing-prod"]}`; none: all of them. */
struct event {
    char (*sources)[EVENT_SOURCE_NAME_MAX + 1];
    size_t count;
};

/* Read one; release it with event_release(). ERR_INPUT: it is not JSON, or its "sources" is no list
 * of names. Of its text only those names get into the error's words. */
int event_read(struct bytes text, struct event *out, struct error *err);

void event_release(struct event *e);

#endif
