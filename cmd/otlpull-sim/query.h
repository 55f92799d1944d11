/* query.h -- the percent-encoding of URLs, read strictly. */
#ifndef OTLPULL_SIM_QUERY_H
#define OTLPULL_SIM_QUERY_H

#include <stdbool.h>
#include <stddef.h>

#include "net/request.h"

/* The text, for the caller to free; NULL: a wrong escape or a NUL. */
char *query_decode(const char *text, size_t len, bool plus_is_space);

/* Add "a=b&c=d" to the list, '+' read as a space; false: it holds a wrong escape or a NUL. */
bool query_parse(const char *text, struct pairs *out);

#endif
