/*
 * Bulk lookup with AVX2: as bulk_avx512.c, four lanes at once, with two things made by hand.
 *
 * There is no vector popcount, so bits are counted by looking up half bytes (Mula, Kurz, Lemire,
 * "Faster population counts using AVX2 instructions", 2018); and there are no mask registers, so a
 * lane is masked by the sign of a word, which is what tells a node from a leaf anyway.
 */
#include "lpm/bulk.h"

#if defined(__x86_64__) && !defined(FINGERPOST_SANITIZE)

#include <immintrin.h>

#define WIDTH   4
#define VECTORS (LPM_LANES / WIDTH)

#define AVX2   __attribute__((target("avx2,bmi2,popcnt")))
#define INLINE AVX2 static inline __attribute__((always_inline))

/* Four lanes under way. */
struct vector {
    __m256i high;
    __m256i low; /* IPv6 only */
    __m128i entry;
};

INLINE __m256i count_bits(__m256i words)
{
    const __m256i counts =
        _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4));
    const __m256i half = _mm256_set1_epi8(0x0f);
    __m256i lower = _mm256_shuffle_epi8(counts, _mm256_and_si256(words, half));
    __m256i upper =
        _mm256_shuffle_epi8(counts, _mm256_and_si256(_mm256_srli_epi16(words, 4), half));

    return _mm256_sad_epu8(_mm256_add_epi8(lower, upper), _mm256_setzero_si256());
}

INLINE void step(struct vector *vector, const char *window, bool wide)
{
    __m128i nodes = vector->entry; /* gathers look at the signs, which are LPM_ENTRY_NODE */
    __m128i reference = _mm_andnot_si128(_mm_set1_epi32((int)LPM_ENTRY_NODE), vector->entry);
    __m256i cell = _mm256_slli_epi64(_mm256_cvtepu32_epi64(reference), 3);
    __m256i chunk = _mm256_srli_epi64(vector->high, 64 - LPM_STRIDE);
    __m256i runs = _mm256_mask_i64gather_epi64(_mm256_setzero_si256(), (const void *)window, cell,
                                               _mm256_cvtepi32_epi64(nodes), 1);
    __m256i upto =
        _mm256_sub_epi64(_mm256_sllv_epi64(_mm256_set1_epi64x(2), chunk), _mm256_set1_epi64x(1));
    __m256i place = count_bits(_mm256_and_si256(runs, upto));
    __m256i at = _mm256_add_epi64(cell, _mm256_slli_epi64(place, 2));
    const char *first = window + offsetof(struct lpm_node, entries) - sizeof(uint32_t);

    vector->entry = _mm256_mask_i64gather_epi32(vector->entry, (const void *)first, at, nodes, 1);
    vector->high = _mm256_slli_epi64(vector->high, LPM_STRIDE);
    if (wide) {
        vector->high =
            _mm256_or_si256(vector->high, _mm256_srli_epi64(vector->low, 64 - LPM_STRIDE));
        vector->low = _mm256_slli_epi64(vector->low, LPM_STRIDE);
    }
}

INLINE int any_node(const struct vector vectors[VECTORS])
{
    __m128i any = vectors[0].entry;

    for (unsigned i = 1; i < VECTORS; i++)
        any = _mm_or_si128(any, vectors[i].entry);
    return _mm_movemask_ps(_mm_castsi128_ps(any));
}

INLINE void walk(struct lpm_lanes *lanes, bool wide)
{
    struct vector vectors[VECTORS];

    for (unsigned i = 0; i < VECTORS; i++) {
        vectors[i].entry = _mm_load_si128((const void *)&lanes->entry[i * WIDTH]);
        vectors[i].high = _mm256_load_si256((const void *)&lanes->high[i * WIDTH]);
        if (wide)
            vectors[i].low = _mm256_load_si256((const void *)&lanes->low[i * WIDTH]);
    }
    while (any_node(vectors)) {
        for (unsigned i = 0; i < VECTORS; i++)
            step(&vectors[i], lanes->window, wide);
    }
    for (unsigned i = 0; i < VECTORS; i++)
        _mm_store_si128((void *)&lanes->entry[i * WIDTH], vectors[i].entry);
}

INLINE void look_up(const struct lpm_fib *const *fibs, const struct lpm_burst *burst,
                    uint32_t *leaves, bool wide)
{
    struct lpm_lanes lanes;

    lpm_load_layers(&lanes, fibs, burst);
    if (!lanes.window) {
        lpm_bulk_scalar.look_up(fibs, burst, leaves);
        return;
    }
    walk(&lanes, wide);
    lpm_load_tables(&lanes, burst);
    walk(&lanes, wide);
    lpm_finish(&lanes, leaves, burst->n);
}

AVX2 static void avx2_look_up(const struct lpm_fib *const *fibs, const struct lpm_burst *burst,
                              uint32_t *leaves)
{
    if (burst->low)
        look_up(fibs, burst, leaves, true);
    else
        look_up(fibs, burst, leaves, false);
}

AVX2 static void avx2_look_up_one4(const struct lpm_table *table, const _Atomic uint32_t *direct,
                                   const uint32_t *addresses, uint32_t *leaves, unsigned n)
{
    lpm_one4(table, direct, addresses, leaves, n);
}

static bool usable(void)
{
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2");
}

/* Counting bits by hand eats up what four lanes gain: slower than the scalar variant wherever it
 * was measured so far (Zen 4: 5 to 30 %). It is kept for the processors where it was not. */
static bool preferred(void)
{
    return false;
}

const struct lpm_bulk lpm_bulk_avx2 = {
    .name = "avx2",
    .usable = usable,
    .preferred = preferred,
    .look_up = avx2_look_up,
    .look_up_one4 = avx2_look_up_one4,
};

#else

static bool usable(void)
{
    return false;
}

const struct lpm_bulk lpm_bulk_avx2 = {.name = "avx2", .usable = usable};

#endif
