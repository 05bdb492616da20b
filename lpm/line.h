/*
 * Searching a cache line or two of sorted keys: how many are less than an address is where to go on.
 *
 * Counting is free of branches. A word that is no key may be the writer's, so the sanitizers must not
 * see it read.
 */
#ifndef LPM_LINE_H
#define LPM_LINE_H

#include <stdint.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#define LPM_LINE       64 /* bytes */
#define LPM_LINE_WORDS 16 /* of 32 bits */

/* How many of the words are keys (by bit) and less than the address. */
#if defined(__SSE2__) && !defined(FINGERPOST_SANITIZE)
static inline unsigned lpm_line_before(const uint32_t *line, unsigned keys, uint32_t address)
{
    /* There is no comparison of unsigned numbers. */
    __m128i sign = _mm_set1_epi32(INT32_MIN);
    __m128i wanted = _mm_xor_si128(_mm_set1_epi32((int)address), sign);
    unsigned before = 0;

    for (unsigned i = 0; i < LPM_LINE_WORDS; i += 4) {
        __m128i words = _mm_load_si128((const __m128i *)(const void *)(line + i));
        __m128i less = _mm_cmplt_epi32(_mm_xor_si128(words, sign), wanted);

        before |= (unsigned)_mm_movemask_ps(_mm_castsi128_ps(less)) << i;
    }
    return (unsigned)__builtin_popcount(before & keys);
}
#else
static inline unsigned lpm_line_before(const uint32_t *line, unsigned keys, uint32_t address)
{
    unsigned count = 0;

    for (; keys; keys &= keys - 1)
        count += line[__builtin_ctz(keys)] < address;
    return count;
}
#endif

/* The same with 16 words of 64 bits, on two lines. */
static inline unsigned lpm_lines_before(const uint64_t *lines, unsigned keys, uint64_t address)
{
    unsigned count = 0;

    for (; keys; keys &= keys - 1)
        count += lines[__builtin_ctz(keys)] < address;
    return count;
}

#endif
