#include "words.h"

#include <stdlib.h>
#include <string.h>

#include "history.h"

#define TEXT_BYTES ((size_t)64 << 10) /* at least */

struct words {
    struct buf plain, json;
    uint32_t *plain_at, *json_at; /* where the i-th word begins; one more: the end */
    size_t count;
};

/* Some need escaping, some are not ASCII, some are escaped although they need not be. */
static const struct {
    const char *plain, *json;
} vocabulary[] = {
    { "sync ", "sync " },
    { "done ", "done " },
    { "issue ", "issue " },
    { "created ", "created " },
    { "for ", "for " },
    { "project ", "project " },
    { "storage ", "storage " },
    { "request ", "request " },
    { "took ", "took " },
    { "250 ms ", "250 ms " },
    { "failed ", "failed " },
    { "retrying ", "retrying " },
    { "webhook ", "webhook " },
    { "payload ", "payload " },
    { "user ", "user " },
    { "resolver ", "resolver " },
    { "invoked ", "invoked " },
    { "with ", "with " },
    { "cache ", "cache " },
    { "miss ", "miss " },
    { "quota ", "quota " },
    { "exceeded ", "exceeded " },
    { "\"quoted\" ", "\\\"quoted\\\" " },
    { "back\\slash ", "back\\\\slash " },
    { "line\nbreak ", "line\\nbreak " },
    { "tab\tstop ", "tab\\tstop " },
    { "a/b ", "a\\/b " },
    { "na\xc3\xafve ", "na\xc3\xafve " },
    { "\xe6\x97\xa5\xe6\x9c\xac ", "\xe6\x97\xa5\xe6\x9c\xac " },
    { "\xf0\x9f\x98\x80 ", "\\ud83d\\ude00 " },
    { "caf\xc3\xa9 ", "caf\\u00e9 " },
    { "\x01 ", "\\u0001 " },
    { "{} ", "{} " },
    { "[1,2] ", "[1,2] " },
    { "</html> ", "<\\/html> " },
};

/* The first of these are everyday words; the rest come up seldom. */
#define EVERYDAY 22

struct words *words_create(uint64_t seed, size_t mean_bytes)
{
    size_t bytes = 8 * mean_bytes > TEXT_BYTES ? 8 * mean_bytes : TEXT_BYTES;
    struct words *w = xcalloc(1, sizeof(*w));
    size_t room = bytes / 3 + 2;
    w->plain.max = w->json.max = 2 * bytes + 64;
    w->plain_at = xreallocarray(NULL, room, sizeof(*w->plain_at));
    w->json_at = xreallocarray(NULL, room, sizeof(*w->json_at));
    while (w->plain.len < bytes && w->count + 1 < room) {
        uint64_t random = history_mix(seed ^ 0x30d5, w->count);
        size_t of = random % 16 ? EVERYDAY : COUNT(vocabulary);
        size_t word = (size_t)((random >> 8) % of);
        w->plain_at[w->count] = (uint32_t)w->plain.len;
        w->json_at[w->count] = (uint32_t)w->json.len;
        buf_append_text(&w->plain, vocabulary[word].plain);
        buf_append_text(&w->json, vocabulary[word].json);
        w->count++;
    }
    w->plain_at[w->count] = (uint32_t)w->plain.len;
    w->json_at[w->count] = (uint32_t)w->json.len;
    return w;
}

void words_destroy(struct words *words)
{
    if (!words)
        return;
    buf_release(&words->plain);
    buf_release(&words->json);
    free(words->plain_at);
    free(words->json_at);
    free(words);
}

/* The first word that begins at or after this byte of the text. */
static size_t word_at(const struct words *words, size_t byte)
{
    size_t low = 0, high = words->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (words->plain_at[middle] < byte)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

void words_choose(const struct words *words, uint64_t random, size_t mean_bytes, size_t *first,
                  size_t *end)
{
    size_t len = mean_bytes / 2 + (size_t)(random >> 32) % (mean_bytes + 1);
    size_t start = (size_t)(random & UINT32_MAX) % (words->plain.len - len);
    *first = word_at(words, start);
    *end = word_at(words, start + len);
}

static struct bytes cut(const struct buf *text, const uint32_t *at, size_t first, size_t end)
{
    size_t len = at[end] - at[first];
    return (struct bytes){ text->data + at[first], len ? len - 1 : 0 }; /* not the last space */
}

struct bytes words_plain(const struct words *words, size_t first, size_t end)
{
    return cut(&words->plain, words->plain_at, first, end);
}

struct bytes words_json(const struct words *words, size_t first, size_t end)
{
    return cut(&words->json, words->json_at, first, end);
}
