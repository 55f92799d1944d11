#include "store.h"

#include <string.h>

#include "base/s3_path.h"
#include "state/stores.h"

struct store *store_open(const char *path, struct clock *clk, struct error *err)
{
    return (s3_path_is(path) ? s3_store_open : file_store_open)(path, clk, err);
}

struct store *store_open_for_reading(const char *path, struct clock *clk)
{
    return (s3_path_is(path) ? s3_store_open_for_reading : file_store_open_for_reading)(path, clk);
}

bool store_is_name(struct bytes text, const char *suffix)
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
    size_t suffix_len = strlen(suffix);
    for (size_t i = 0; i < text.len; i++) {
        if (!text.data[i] || !strchr(letters, text.data[i]))
            return false;
    }
    return text.len >= suffix_len &&
           memcmp(text.data + text.len - suffix_len, suffix, suffix_len) == 0;
}

int store_journal_full(const struct store *s, const char *name, size_t max_bytes, struct error *err)
{
    return error_set(err, ERR_STATE,
                     "state %s/%s: is full (%zu bytes): send what it holds with otlpull "
                     "dead-letter replay, or remove it",
                     s->where, name, max_bytes);
}
