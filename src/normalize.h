/* normalize.h -- a record's text becomes one that a strict OTLP receiver takes: one refused record
 * costs the whole request. Only the bytes that must change do; a record with nothing to mend is its
 * own text with observedTimeUnixNano added. Every record that comes out has:
 *
 *   severityNumber        what severityText says, where that is a word we know (Forge sends 30, as
 *                         Bunyan counts, beside INFO); else 1..24 as it is, 30 40 50 60 as Bunyan
 *                         means them where there is no text at all, and 0 for anything else
 *   traceId, spanId       32 and 16 hex digits, not all zero, or not there; 16 digits in traceId
 *                         are padded on the left
 *   timeUnixNano          an unsigned 64-bit integer, as a string or a number, or not there
 *   observedTimeUnixNano  the same and not 0: its own, or the one given
 *   each of these         at most once: the last, which is the one that readers take */
#ifndef OTLPULL_NORMALIZE_H
#define OTLPULL_NORMALIZE_H

#include "otlp/otlp.h"

/* Write the record's text, mended, to `out`. `observed` is when we received it: Unix nanoseconds in
 * decimal digits. A second pass over what comes out changes nothing. */
void normalize_record(const struct otlp_record *r, struct otlp_text observed, struct otlp_sink out);

#endif
