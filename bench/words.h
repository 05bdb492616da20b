/*
 * Small conversions between the types of lpm.h and those of DPDK.
 */
#ifndef BENCH_WORDS_H
#define BENCH_WORDS_H

#include <stdint.h>

/* The first four bytes in host byte order. */
static inline uint32_t bench_word(const uint8_t bytes[16])
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

/* For functions that only read what they take a pointer to without const. */
static inline void *bench_no_const(const void *pointer)
{
    return (void *)(uintptr_t)pointer;
}

#endif
