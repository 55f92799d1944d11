/* ca.h -- which file of trusted authorities a call goes by where the configuration names none. A
 * libcurl that a distribution built knows its own; one that is linked into a program for any
 * machine knows none, and no libcurl reads SSL_CERT_FILE, which OpenSSL's own programs and Go's do.
 */
#ifndef OTLPULL_NET_CA_H
#define OTLPULL_NET_CA_H

/* `named` where it is a file that this process may read, else the first such of `places` (a list
 * that ends with NULL); NULL where there is none. `named` may be NULL or empty. Borrowed. */
const char *ca_find(const char *named, const char *const *places);

/* What to give to libcurl: the file that SSL_CERT_FILE names, else, where this libcurl was built to
 * know none, the first of the places where Linux distributions keep theirs. NULL: leave it to
 * libcurl. Borrowed from the environment, or constant. */
const char *ca_default(void);

#endif
