/* secrets.h -- secrets and parameters for a configuration that is being read: what it hands out as
 * struct config_input's fetch_secret. Nothing of AWS is touched before the first is asked for, and
 * nothing is kept from one reading to the next. */
#ifndef OTLPULL_AWS_SECRETS_H
#define OTLPULL_AWS_SECRETS_H

#include "aws/aws.h"
#include "config.h"

struct secrets {
    struct clock *clk; /* borrowed */
    const char *(*getenv)(void *self, const char *name);
    void *self;
    int64_t deadline_mono_ns; /* of all of them together */
    struct aws *aws;          /* from the first one on */
    bool begun;               /* libcurl is */
    struct error failed;      /* what will not go better for the next one, or of kind ERR_NONE */
};

/* For `secrets`, a struct secrets: append the value of a secret (its text, or the bytes of a binary
 * one) or parameter to `out`. The words say what to mend, never what came: ERR_CONFIG    there is
 * none of this name, no region, no credentials, ... ERR_AUTH      credentials, or the permission to
 * read it, were refused ERR_PLATFORM  no answer, past the retries or the deadline; or nonsense */
int secrets_fetch(void *secrets, enum secret_kind kind, const char *name, struct buf *out,
                  struct error *err);

void secrets_release(struct secrets *s);

#endif
