#include "history.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "words.h"

#define LATEST_NS INT64_C(8000000000000000000) /* 2223: short of what int64_t holds */
#define TWIN_RUN  8 /* every eighth entry is never a twin: a run of them is short */

static const char *const level_words[LEVELS] = {
    "TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"
};

const char *history_level_word(enum history_level level)
{
    return level_words[level];
}

int history_level_named(const char *word)
{
    for (int i = 0; i < LEVELS; i++) {
        if (strcmp(word, level_words[i]) == 0)
            return i;
    }
    return -1;
}

/* splitmix64's finish. */
uint64_t history_mix(uint64_t a, uint64_t b)
{
    uint64_t z = a + (b + 1) * UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* Whether something of this share happens, by 32 random bits. */
static bool happens(uint64_t random, double share)
{
    return share > 0 && (double)(random & UINT32_MAX) < share * ((double)UINT32_MAX + 1);
}

static uint64_t content_of(const struct history *h, uint64_t index)
{
    while (index % TWIN_RUN && happens(history_mix(h->seed ^ 0x7717, index), h->twin_share))
        index--;
    return index;
}

static int64_t time_of(const struct history *h, uint64_t content, uint64_t random)
{
    int64_t start_ns = h->base_ns - (int64_t)h->count * h->step_ns;
    int64_t jitter_ns = (int64_t)(random % (uint64_t)h->step_ns);
    int64_t t = start_ns + (int64_t)content * h->step_ns + jitter_ns;
    return t - t % NS_PER_MS;
}

static enum history_level level_of(uint64_t random)
{
    static const unsigned char upto[LEVELS] = { 4, 19, 79, 91, 99, 100 }; /* of a hundred */
    unsigned int percent = (unsigned int)(random % 100);
    int level = 0;
    while (percent >= upto[level])
        level++;
    return (enum history_level)level;
}

void history_at(const struct history *h, uint64_t index, struct entry *out)
{
    uint64_t content = content_of(h, index);
    uint64_t random = history_mix(h->seed, content);
    struct entry e = { .index = index, .content = content, .random = random };
    e.time_ns = time_of(h, content, random);
    e.seen_ns = e.time_ns;
    if (h->max_late_ns > 0) {
        uint64_t late = history_mix(h->seed ^ 0x1a7e, index);
        if (happens(late, h->late_share))
            e.seen_ns += (int64_t)(history_mix(late, 1) % (uint64_t)h->max_late_ns) + 1;
    }
    e.odd = happens(history_mix(random, 2), h->odd_share);
    e.level = level_of(random >> 40);
    e.site = (size_t)((random >> 20) % h->site_count);
    words_choose(h->words, history_mix(random, 3), h->mean_body_bytes, &e.first_word, &e.end_word);
    *out = e;
}

uint64_t history_before(const struct history *h, int64_t t)
{
    int64_t start_ns = h->base_ns - (int64_t)h->count * h->step_ns;
    if (h->count == 0 || t <= start_ns - NS_PER_MS)
        return 0;
    uint64_t low = 0, high = h->count;
    t = t < LATEST_NS ? t : LATEST_NS;
    if (h->live && t > h->base_ns)
        high = (uint64_t)((t - start_ns) / h->step_ns) + 2;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        uint64_t content = content_of(h, middle);
        if (time_of(h, content, history_mix(h->seed, content)) < t)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

uint64_t history_until(const struct history *h, int64_t now)
{
    return history_before(h, now < LATEST_NS ? now + 1 : now);
}

static void number_it(const struct history *h, const struct entry *e, struct buf *out)
{
    char text[48];
    int len = snprintf(text, sizeof(text), " #%llu%s", (unsigned long long)e->content, h->suffix);
    buf_append(out, text, (size_t)len);
}

void history_message(const struct history *h, const struct entry *e, struct buf *out)
{
    buf_append_bytes(out, words_plain(h->words, e->first_word, e->end_word));
    number_it(h, e, out);
}

void history_message_json(const struct history *h, const struct entry *e, struct buf *out)
{
    buf_append_bytes(out, words_json(h->words, e->first_word, e->end_word));
    number_it(h, e, out);
}

static bool site_wanted(const struct history *h, const struct history_filter *f, size_t site)
{
    for (size_t i = 0; i < f->site_count; i++) {
        if (strcmp(f->sites[i], h->sites[site]) == 0)
            return true;
    }
    return f->site_count == 0;
}

bool history_matches(const struct history *h, const struct history_filter *f, const struct entry *e,
                     struct buf *scratch)
{
    if ((f->levels && !(f->levels & (1U << e->level))) || !site_wanted(h, f, e->site))
        return false;
    if (!f->message)
        return true;
    buf_reset(scratch);
    history_message(h, e, scratch);
    return memmem(buf_text(scratch), scratch->len, f->message, strlen(f->message)) != NULL;
}
