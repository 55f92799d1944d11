#include "shard.h"

#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

static bool parse_number(struct bytes text, int *out)
{
    int number = 0;
    if (text.len == 0 || text.len > 6)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return false;
        number = number * 10 + (text.data[i] - '0');
    }
    *out = number;
    return true;
}

bool shard_parse(struct bytes index, struct bytes count, struct shard *out)
{
    struct shard shard;
    if (!parse_number(index, &shard.index) || !parse_number(count, &shard.count) ||
        shard.index >= shard.count || shard.count > SHARDS_MAX)
        return false;
    *out = shard;
    return true;
}

bool shard_parse_pair(struct bytes text, struct shard *out)
{
    const char *slash = memchr(text.data, '/', text.len);
    if (!slash)
        return false;
    struct bytes index = { text.data, (size_t)(slash - text.data) };
    struct bytes count = { slash + 1, text.len - index.len - 1 };
    return shard_parse(index, count, out);
}

bool shard_has(const struct shard *shard, const char *budget_key)
{
    if (shard->count == 0)
        return true;
    return XXH3_64bits(budget_key, strlen(budget_key)) % (uint64_t)shard->count ==
           (uint64_t)shard->index;
}
