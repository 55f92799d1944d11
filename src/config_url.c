#include "config_url.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char *after_scheme(const char *text, bool *https)
{
    *https = strncasecmp(text, "https://", 8) == 0;
    if (*https)
        return text + 8;
    return strncasecmp(text, "http://", 7) == 0 ? text + 7 : NULL;
}

/* The host of what follows the scheme; an IPv6 address without its brackets. `rest` is what stands
 * behind it. */
static struct bytes host_of(const char *authority, const char **rest)
{
    struct bytes host = { authority, 0 };
    if (*authority == '[') {
        host.data++;
        host.len = strcspn(host.data, "]/?#");
        *rest = host.data[host.len] == ']' ? host.data + host.len + 1 : host.data;
        if (host.data[host.len] != ']')
            host.len = 0;
    } else {
        host.len = strcspn(authority, ":/?#");
        *rest = authority + host.len;
    }
    return host;
}

static bool to_text(struct bytes host, char out[INET6_ADDRSTRLEN])
{
    if (host.len >= INET6_ADDRSTRLEN)
        return false;
    memcpy(out, host.data, host.len);
    out[host.len] = '\0';
    return true;
}

static bool host_usable(struct bytes host, bool bracketed)
{
    if (bracketed) {
        char text[INET6_ADDRSTRLEN];
        struct in6_addr address;
        return to_text(host, text) && inet_pton(AF_INET6, text, &address) == 1;
    }
    for (size_t i = 0; i < host.len; i++) {
        unsigned char c = (unsigned char)host.data[i];
        if (!isalnum(c) && c != '-' && c != '.' && c != '_')
            return false;
    }
    return host.len > 0;
}

static bool port_usable(const char *at)
{
    if (*at != ':')
        return *at == '\0' || strchr("/?#", *at);
    size_t digits = strspn(at + 1, "0123456789");
    const char *end = at + 1 + digits;
    if (digits == 0 || digits > 5 || (*end && !strchr("/?#", *end)))
        return false;
    long port = strtol(at + 1, NULL, 10);
    return port >= 1 && port <= 65535;
}

bool url_usable(const char *text, bool query)
{
    bool https;
    const char *rest;
    const char *authority = after_scheme(text, &https);
    if (!authority)
        return false;
    for (const char *c = text; *c; c++) {
        if ((unsigned char)*c <= 0x20 || (unsigned char)*c >= 0x7f || strchr("\"<>\\^`{|}#", *c))
            return false;
    }
    if (strchr(text, '?') && !query)
        return false;
    struct bytes host = host_of(authority, &rest);
    return host_usable(host, *authority == '[') && port_usable(rest);
}

static bool is_loopback(struct bytes host)
{
    char text[INET6_ADDRSTRLEN];
    struct in_addr v4;
    struct in6_addr v6;
    if (!to_text(host, text))
        return false;
    if (strcasecmp(text, "localhost") == 0)
        return true;
    if (inet_pton(AF_INET, text, &v4) == 1)
        return (ntohl(v4.s_addr) >> 24) == 127;
    return inet_pton(AF_INET6, text, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

bool url_in_clear(const char *text)
{
    bool https;
    const char *rest;
    const char *authority = after_scheme(text, &https);
    return authority && !https && !is_loopback(host_of(authority, &rest));
}

bool url_shown(const char *text)
{
    return !strpbrk(text, "@?#");
}
