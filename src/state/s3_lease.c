#include "s3_lease.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/jread.h"

/* {"lease":{"by":NAME,"until":RFC 3339}}\n: nowhere in a JSON document may its first bytes stand,
 * as their quotes would be escaped. */
#define BEGIN     "{\"lease\":{"
#define END       "}}\n"
#define BYTES_MAX 320

/* The longest that a lease may lie ahead of the store's clock. */
#define AHEAD_MOST_NS (10 * S3_LEASE_NS)

#define BY_LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._:-"

void s3_lease_name(char out[S3_LEASE_BY_MAX])
{
    char host[65] = "";
    unsigned long long chance = 0;
    if (gethostname(host, sizeof(host) - 1) || !host[0])
        memcpy(host, "host", sizeof("host"));
    for (char *c = host; *c; c++) {
        if (!strchr(BY_LETTERS, *c))
            *c = '-';
    }
    if (getrandom(&chance, sizeof(chance), 0) != (ssize_t)sizeof(chance))
        chance = (unsigned long long)(uintptr_t)out; /* the process is told apart by its id yet */
    snprintf(out, S3_LEASE_BY_MAX, "%s:%ld:%016llx", host, (long)getpid(), chance);
}

void s3_lease_write(const struct s3_lease *lease, struct buf *out)
{
    char until[TIMEFMT_MAX];
    timefmt_rfc3339(lease->until_unix_ns, 3, until);
    buf_printf(out, BEGIN "\"by\":\"%s\",\"until\":\"%s\"" END, lease->by, until);
}

/* The line, where the object ends with one. */
static bool find_line(struct bytes object, struct bytes *line)
{
    size_t end_len = strlen(END);
    if (object.len < end_len || memcmp(object.data + object.len - end_len, END, end_len) != 0)
        return false;
    size_t most = object.len < BYTES_MAX ? object.len : BYTES_MAX;
    for (size_t len = strlen(BEGIN) + end_len; len <= most; len++) {
        const char *at = object.data + object.len - len;
        if (memcmp(at, BEGIN, strlen(BEGIN)) == 0) {
            *line = (struct bytes){ at, len };
            return true;
        }
    }
    return false;
}

static bool read_line(struct bytes line, struct s3_lease *out)
{
    struct error ignored;
    struct s3_lease lease;
    const char *by;
    struct json_object *document = jread_parse((struct bytes){ line.data, line.len - 1 }, &ignored);
    struct json_object *body = jread_member(document, "lease");
    bool good = jread_text(body, "by", &by) && strlen(by) < sizeof(lease.by) && *by &&
                strspn(by, BY_LETTERS) == strlen(by) &&
                jread_time(body, "until", &lease.until_unix_ns);
    if (good) {
        memcpy(lease.by, by, strlen(by) + 1);
        *out = lease;
    }
    jread_release(document);
    return good;
}

bool s3_lease_split(struct bytes object, struct bytes *document, struct s3_lease *out)
{
    struct bytes line;
    *document = object;
    if (!find_line(object, &line) || !read_line(line, out))
        return false;
    document->len -= line.len;
    return true;
}

bool s3_lease_holds(const struct s3_lease *lease, int64_t now_unix_ns)
{
    return lease->until_unix_ns > now_unix_ns &&
           lease->until_unix_ns <= time_add(now_unix_ns, AHEAD_MOST_NS);
}
