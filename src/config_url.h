/* config_url.h -- what a configured URL must be before anything is sent to it. */
#ifndef OTLPULL_CONFIG_URL_H
#define OTLPULL_CONFIG_URL_H

#include <stdbool.h>

#include "base/buf.h"

/* Whether `text` is an http:// or https:// URL with a host, and without user, fragment, blanks and,
 * unless `query`, without a query. */
bool url_usable(const char *text, bool query);

/* Whether what goes to this usable URL can be read on its way: plain http, to a host that is not
 * this one (localhost, 127.0.0.0/8, ::1). */
bool url_in_clear(const char *text);

/* Whether a fault may repeat this text: it has no part where credentials are put. */
bool url_shown(const char *text);

#endif
