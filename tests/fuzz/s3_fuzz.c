/* What a bucket answers with: an object and the lease behind it, a list, an error; and the path
 * that names it. Each is read or refused, and what was read is what stands there. */
#include "fuzz.h"

#include <string.h>

#include "base/s3_path.h"
#include "state/s3_lease.h"
#include "state/s3_list.h"
#include "state/stores.h"

static void check_lease(struct bytes object)
{
    struct s3_lease lease, again;
    struct bytes document, same;
    struct buf whole = BUF_INIT(1 << 24);
    bool found = s3_lease_split(object, &document, &lease);
    FUZZ_CHECK(document.data == object.data && document.len <= object.len);
    FUZZ_CHECK(found == (document.len < object.len));
    if (found) {
        FUZZ_CHECK(lease.by[0] && memchr(lease.by, '\0', sizeof(lease.by)));
        FUZZ_CHECK(!s3_lease_holds(&lease, lease.until_unix_ns));
        buf_append_bytes(&whole, document);
        s3_lease_write(&lease, &whole);
        FUZZ_CHECK(s3_lease_split(buf_bytes(&whole), &same, &again));
        FUZZ_CHECK(bytes_equal(document, same) && strcmp(lease.by, again.by) == 0);
    }
    buf_release(&whole);
}

static void check_list(struct bytes xml)
{
    struct buf names = BUF_INIT(1 << 24), next = BUF_INIT(1 << 24);
    if (s3_list_read(xml, BYTES("p/"), "x", &names, &next)) {
        for (const char *at = buf_text(&names); *at;) {
            size_t len = strcspn(at, "\n");
            FUZZ_CHECK(at[len] == '\n' && store_is_name((struct bytes){ at, len }, "x"));
            at += len + 1;
        }
        FUZZ_CHECK(next.len <= xml.len);
    } else {
        FUZZ_CHECK(next.len == 0);
    }
    buf_release(&names);
    buf_release(&next);
}

static void check_path(struct bytes text)
{
    struct s3_path parts;
    char *path = xstrndup(text.data, text.len);
    if (s3_path_is(path) && !s3_path_parse(path, &parts)) {
        FUZZ_CHECK(parts.bucket.len >= 3 && parts.bucket.len <= 63);
        FUZZ_CHECK(!memmem(parts.prefix.data, parts.prefix.len, "//", 2));
        FUZZ_CHECK(parts.prefix.len == 0 ||
                   (*parts.prefix.data != '/' && parts.prefix.data[parts.prefix.len - 1] != '/'));
    }
    free(path);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes input = { (const char *)data, size };
    check_lease(input);
    check_list(input);
    check_path(input);
    return 0;
}
