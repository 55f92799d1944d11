#include "sha256.h"

#include <openssl/evp.h>

void sha256_hex(struct bytes data, char out[SHA256_HEX_BYTES])
{
    static const char hex[] = "0123456789abcdef";
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    /* fails for want of memory alone */
    if (EVP_Digest(data.data, data.len, digest, &len, EVP_sha256(), NULL) != 1)
        out_of_memory();
    for (unsigned i = 0; i < len; i++) {
        *out++ = hex[digest[i] >> 4];
        *out++ = hex[digest[i] & 0x0f];
    }
    *out = '\0';
}
