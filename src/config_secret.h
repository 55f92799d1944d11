/* config_secret.h -- ${aws-secret:NAME}, ${aws-secret:NAME#json_key} and ${aws-param:NAME}: each
 * name is asked for once in the reading of a configuration, however often it stands there, and
 * whether it was had or not. */
#ifndef OTLPULL_CONFIG_SECRET_H
#define OTLPULL_CONFIG_SECRET_H

#include "base/buf.h"
#include "base/error.h"
#include "config_subst.h"

#define SECRETS_MAX      200 /* names in one configuration: each is a call */
#define SECRET_NAME_MAX  ((size_t)2048)
#define SECRET_BYTES_MAX ((size_t)1024 * 1024)

/* Append what `body`, the text behind the colon, stands for; without a newline at its end, as of a
 * file. Where nothing may be fetched, a name that stands for it is appended, of [A-Za-z0-9-], and
 * s->stands_in is set. Errors as fetch_secret has them. */
int secret_expand(struct subst *s, enum secret_kind kind, struct bytes body, struct buf *out,
                  struct error *err);

#endif
