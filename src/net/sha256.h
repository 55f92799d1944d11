/* sha256.h -- of a body, as a signed request names it. libcrypto's: the library that libcurl brings
 * along already, shared or static, so that nothing is added to what a user installs. */
#ifndef OTLPULL_NET_SHA256_H
#define OTLPULL_NET_SHA256_H

#include "base/buf.h"

#define SHA256_HEX_BYTES 65 /* with the NUL */

void sha256_hex(struct bytes data, char out[SHA256_HEX_BYTES]);

#endif
