/*
 * Bulk lookup for processors with AVX2 and BMI2: the stages of bulk.h as the compiler makes them for
 * these. Shifts by a variable are one operation then, and the 16 keys of a node of ranges are compared
 * in two.
 *
 * Gathers are not used: where they are microcoded they are slower than loads one by one (AMD Zen 4:
 * 5 to 30 %), and processors with fast gathers have AVX-512.
 */
#if defined(__x86_64__) && !defined(FINGERPOST_SANITIZE)

#include "lpm/bucket.h"
#include "lpm/ranges.h"

#include <immintrin.h>

#define AVX2 __attribute__((target("avx2,bmi,bmi2,popcnt")))

/* keys: which of the words of a cache line count, by bit. */
AVX2 static inline __attribute__((always_inline)) unsigned
avx2_line_before(const uint32_t *line, unsigned keys, uint32_t address)
{
    const __m256i *halves = (const __m256i *)(const void *)line;
    __m256i wanted = _mm256_set1_epi32((int)address);
    unsigned not_before = 0;

    /* There is no comparison of unsigned numbers: the greater of both is the key. */
    for (unsigned i = 0; i < 2; i++) {
        __m256i half = _mm256_load_si256(&halves[i]);
        __m256i greater = _mm256_cmpeq_epi32(_mm256_max_epu32(half, wanted), half);

        not_before |= (unsigned)_mm256_movemask_ps(_mm256_castsi256_ps(greater)) << (8 * i);
    }
    return (unsigned)__builtin_popcount(keys & ~not_before);
}

AVX2 static inline __attribute__((always_inline)) unsigned
avx2_lines_before(const uint64_t *lines, unsigned keys, uint64_t address)
{
    const __m256i *quarters = (const __m256i *)(const void *)lines;
    __m256i sign = _mm256_set1_epi64x(INT64_MIN);
    __m256i wanted = _mm256_xor_si256(_mm256_set1_epi64x((long long)address), sign);
    unsigned before = 0;

    for (unsigned i = 0; i < 4; i++) {
        __m256i quarter = _mm256_xor_si256(_mm256_load_si256(&quarters[i]), sign);
        __m256i less = _mm256_cmpgt_epi64(wanted, quarter);

        before |= (unsigned)_mm256_movemask_pd(_mm256_castsi256_pd(less)) << (4 * i);
    }
    return (unsigned)__builtin_popcount(keys & before);
}

#define LPM_PROCESSOR    AVX2
#define LPM_LINE_BEFORE  avx2_line_before
#define LPM_LINES_BEFORE avx2_lines_before
#include "lpm/bulk.h"

AVX2 static void avx2_look_up4(const struct lpm_fib *const *fibs, const uint32_t *addresses,
                               uint32_t *leaves, unsigned n)
{
    lpm_look_up4(fibs, addresses, leaves, n);
}

AVX2 static void avx2_look_up_one4(const struct lpm_table *table, const uint32_t *addresses,
                                   uint32_t *leaves, unsigned n)
{
    lpm_one4(table, addresses, leaves, n);
}

AVX2 static void avx2_look_up_one6(const struct lpm_table *table, const uint8_t (*addresses)[16],
                                   uint32_t *leaves, unsigned n)
{
    lpm_one6(table, addresses, leaves, n);
}

AVX2 static void avx2_look_up6(const struct lpm_fib *const *fibs, const uint8_t (*addresses)[16],
                               uint32_t *leaves, unsigned n)
{
    lpm_look_up6(fibs, addresses, leaves, n);
}

static bool usable(void)
{
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") &&
           __builtin_cpu_supports("bmi2");
}

/* To the scalar variant, always: it is the same with fewer operations. */
static bool preferred(void)
{
    return true;
}

const struct lpm_bulk lpm_bulk_avx2 = {
    .name = "avx2",
    .usable = usable,
    .preferred = preferred,
    .look_up4 = avx2_look_up4,
    .look_up_one4 = avx2_look_up_one4,
    .look_up6 = avx2_look_up6,
    .look_up_one6 = avx2_look_up_one6,
};

#else

#include "lpm/lookup.h"

static bool usable(void)
{
    return false;
}

const struct lpm_bulk lpm_bulk_avx2 = {.name = "avx2", .usable = usable};

#endif
