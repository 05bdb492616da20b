/*
 * Random operations for the tests: a small generator, and the seed that a failure prints.
 *
 * DATAPLANE_SEED in the environment repeats a run.
 */
#ifndef TESTS_DATAPLANE_RANDOM_H
#define TESTS_DATAPLANE_RANDOM_H

#include <stdint.h>
#include <stdlib.h>
#include <time.h>

struct test_random {
    uint64_t state, seed;
};

static inline struct test_random test_random_start(void)
{
    const char *given = getenv("DATAPLANE_SEED");
    const uint64_t seed = given ? strtoull(given, NULL, 0) : (uint64_t)time(NULL);

    return (struct test_random){.state = seed, .seed = seed};
}

/* SplitMix64 (Steele, Lea and Flood, OOPSLA 2014). */
static inline uint64_t test_random_next(struct test_random *random)
{
    uint64_t word = random->state += 0x9e3779b97f4a7c15ull;

    word = (word ^ (word >> 30)) * 0xbf58476d1ce4e5b9ull;
    word = (word ^ (word >> 27)) * 0x94d049bb133111ebull;
    return word ^ (word >> 31);
}

/* 0 .. bound - 1 */
static inline uint32_t test_random_below(struct test_random *random, uint32_t bound)
{
    return (uint32_t)(test_random_next(random) >> 32) % bound;
}

static inline int test_random_one_in(struct test_random *random, uint32_t bound)
{
    return test_random_below(random, bound) == 0;
}

#endif
