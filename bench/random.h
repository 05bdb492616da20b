/*
 * Random numbers that are the same in every run: splitmix64 (Steele, Lea, Flood, "Fast Splittable
 * Pseudorandom Number Generators", OOPSLA 2014).
 */
#ifndef BENCH_RANDOM_H
#define BENCH_RANDOM_H

#include <math.h>
#include <stdint.h>

struct bench_random {
    uint64_t state;
};

/* A permutation of the 64-bit numbers that looks random; also used as a hash. */
static inline uint64_t bench_mix(uint64_t x)
{
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

static inline uint64_t bench_random_next(struct bench_random *random)
{
    return bench_mix(random->state += 0x9e3779b97f4a7c15u);
}

/* 0 .. n-1; n is below 2^32, so the bias of the multiplication is nothing here. */
static inline uint64_t bench_random_below(struct bench_random *random, uint64_t n)
{
    return (bench_random_next(random) >> 32) * n >> 32;
}

/* [0, 1) */
static inline double bench_unit(uint64_t bits)
{
    return (double)(bits >> 11) * 0x1p-53;
}

/* 0 .. n-1, where rank k comes with a chance of about 1/(k+1): Zipf's law with exponent 1. The
 * logarithm of a Zipf(1) variable is uniform. */
static inline uint64_t bench_zipf(uint64_t bits, uint64_t n)
{
    uint64_t rank = (uint64_t)exp2(bench_unit(bits) * log2((double)n + 1));
    return rank > n ? n - 1 : rank - 1;
}

#endif
