#include "s3_path.h"

#include <string.h>

#define SCHEME     "s3://"
#define LETTERS    "abcdefghijklmnopqrstuvwxyz"
#define DIGITS     "0123456789"
#define PREFIX_MAX 700 /* bytes: a key may have 1024, and the longest name of ours is about 100 */

bool s3_path_is(const char *path)
{
    return strncmp(path, SCHEME, strlen(SCHEME)) == 0;
}

static bool is_alphanumeric(char c)
{
    return c && strchr(LETTERS DIGITS, c);
}

/* https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html (read 2026-11) */
static bool is_bucket(struct bytes name)
{
    if (name.len < 3 || name.len > 63 || !is_alphanumeric(name.data[0]) ||
        !is_alphanumeric(name.data[name.len - 1]))
        return false;
    for (size_t i = 0; i < name.len; i++) {
        char c = name.data[i], before = i ? name.data[i - 1] : '-';
        if (!is_alphanumeric(c) && c != '-' && (c != '.' || before == '.'))
            return false;
    }
    return true;
}

/* One part between slashes; "." and ".." would be resolved on the way. */
static bool is_part(struct bytes part)
{
    static const char usable[] = LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZ" DIGITS "._~-";
    for (size_t i = 0; i < part.len; i++) {
        if (!part.data[i] || !strchr(usable, part.data[i]))
            return false;
    }
    return part.len > 0 && !bytes_is(part, ".") && !bytes_is(part, "..");
}

static bool is_prefix(struct bytes prefix)
{
    const char *at = prefix.data, *end = prefix.data + prefix.len;
    while (prefix.len > 0) {
        const char *slash = memchr(at, '/', (size_t)(end - at));
        if (!is_part((struct bytes){ at, (size_t)((slash ? slash : end) - at) }))
            return false;
        if (!slash)
            break;
        at = slash + 1;
    }
    return prefix.len <= PREFIX_MAX;
}

const char *s3_path_parse(const char *path, struct s3_path *out)
{
    struct s3_path parts;
    if (!s3_path_is(path))
        return "s3://bucket/prefix";
    const char *bucket = path + strlen(SCHEME);
    parts.bucket = (struct bytes){ bucket, strcspn(bucket, "/") };
    const char *rest = bucket + parts.bucket.len;
    parts.prefix = bytes_of(rest + (*rest == '/'));
    if (parts.prefix.len > 0 && parts.prefix.data[parts.prefix.len - 1] == '/')
        parts.prefix.len--;
    if (!is_bucket(parts.bucket))
        return "s3://bucket/prefix with a bucket of 3 to 63 of a-z 0-9 . - that begins and ends "
               "with a letter or a digit";
    if (!is_prefix(parts.prefix))
        return "s3://bucket/prefix with a prefix of A-Z a-z 0-9 . _ ~ - and single slashes, "
               "without . and .. as parts";
    *out = parts;
    return NULL;
}
