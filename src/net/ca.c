#include "ca.h"

#include <curl/curl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const nowhere[] = { NULL };

static const char *const usual[] = {
    "/etc/ssl/certs/ca-certificates.crt", /* Debian, Ubuntu, Arch, Alpine, our image */
    "/etc/pki/tls/certs/ca-bundle.crt",   /* Fedora, Amazon Linux and so Lambda */
    "/etc/ssl/ca-bundle.pem",             /* SUSE */
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", /* RHEL without its link */
    "/etc/ssl/cert.pem",                                 /* Alpine without its package, BSD */
    NULL,
};

static bool readable(const char *path)
{
    struct stat st;
    return path && *path && stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, R_OK) == 0;
}

const char *ca_find(const char *named, const char *const *places)
{
    if (readable(named))
        return named;
    while (*places && !readable(*places))
        places++;
    return *places;
}

const char *ca_default(void)
{
    const curl_version_info_data *libcurl = curl_version_info(CURLVERSION_NOW);
    bool knows_one = libcurl->cainfo || libcurl->capath;
    return ca_find(getenv("SSL_CERT_FILE"), knows_one ? nowhere : usual);
}
