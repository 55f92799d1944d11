/* rng.h -- chance that comes out the same each time: all that a seed does follows from its number.
 */
#ifndef OTLPULL_TESTS_MODEL_RNG_H
#define OTLPULL_TESTS_MODEL_RNG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rng {
    uint64_t state;
};

static inline uint64_t rng_mix(uint64_t z)
{
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* Streams of one seed are apart: what the product does changes no history. */
static inline struct rng rng_of(uint64_t seed, uint64_t stream)
{
    return (struct rng){ rng_mix(rng_mix(seed + 1) + stream) };
}

static inline uint64_t rng_next(struct rng *r)
{
    r->state += UINT64_C(0x9e3779b97f4a7c15);
    return rng_mix(r->state);
}

/* 0 .. n - 1; 0 for n of 0. */
static inline uint64_t rng_below(struct rng *r, uint64_t n)
{
    return n ? rng_next(r) % n : 0;
}

/* Both ends included. */
static inline int64_t rng_between(struct rng *r, int64_t low, int64_t high)
{
    return low + (int64_t)rng_below(r, (uint64_t)(high - low) + 1);
}

static inline bool rng_percent(struct rng *r, int percent)
{
    return (int64_t)rng_below(r, 100) < percent;
}

static inline bool rng_permille(struct rng *r, int permille)
{
    return (int64_t)rng_below(r, 1000) < permille;
}

static inline int64_t rng_pick(struct rng *r, const int64_t *choices, size_t count)
{
    return choices[rng_below(r, count)];
}

#define RNG_PICK(r, ...)                                                                           \
    rng_pick((r), (const int64_t[]){ __VA_ARGS__ },                                                \
             sizeof((const int64_t[]){ __VA_ARGS__ }) / sizeof(int64_t))

#endif
