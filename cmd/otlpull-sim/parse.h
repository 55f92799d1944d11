/* parse.h -- how options and scripts write numbers. The whole text must be one. */
#ifndef OTLPULL_SIM_PARSE_H
#define OTLPULL_SIM_PARSE_H

#include <stdbool.h>
#include <stdint.h>

bool parse_count(const char *text, int64_t *out);    /* 0 .. INT64_MAX, decimal */
bool parse_size(const char *text, int64_t *out);     /* bytes; KiB MiB GiB */
bool parse_duration(const char *text, int64_t *out); /* "2s", "1h30m", "0" */
bool parse_moment(const char *text, int64_t *out);   /* Unix ns, or RFC 3339 */
bool parse_share(const char *text, double *out);     /* percent, 0 .. 100, as 0 .. 1 */
bool parse_positive(const char *text, double *out);  /* a decimal number above 0 */

#endif
