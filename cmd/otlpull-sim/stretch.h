/* stretch.h -- what platforms that are asked by time have in common: the parameters of a call, and
 * the visible entries of a stretch of time in their order. */
#ifndef OTLPULL_SIM_STRETCH_H
#define OTLPULL_SIM_STRETCH_H

#include "history.h"
#include "sim.h"
#include "web.h"

/* A parameter's value; NULL: it is not there. */
const char *stretch_parameter(const struct web_request *rq, const char *key);

/* Whether there are no others than these (ends with NULL), each once, and all are well encoded. */
bool stretch_has_only(const struct web_request *rq, const char *const *known);

/* A number that a quirk gives, or the fallback. */
int64_t stretch_quirk(const struct sim *sim, const char *name, int64_t fallback);

/* The app with this name; SIZE_MAX: none. */
size_t stretch_app(const struct sim *sim, const char *name, size_t len);

struct stretch {
    const struct history *h;
    uint64_t next, end;
    int64_t visible_ns;
};

/* The entries whose time is in [from, to). */
void stretch_init(struct stretch *s, struct sim *sim, const struct history *h, int64_t from_ns,
                  int64_t to_ns);
bool stretch_next(struct stretch *s, struct entry *out);

/* What stands for an instance: the UUID of a site. */
const char *stretch_instance(const struct history *h, size_t site);

#endif
