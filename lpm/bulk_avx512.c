/*
 * Bulk lookup with AVX-512, twice: the stages of bulk.h as the compiler makes them, with the keys of a
 * node of ranges compared in one or two operations; and the same with a burst of one IPv4 base gathered,
 * eight lanes at once.
 *
 * The order of loads argued in core.c holds for gathers: each needs the one before it, and x86 makes
 * every aligned word of a gather a whole load, in order.
 */
#if defined(__x86_64__) && !defined(FINGERPOST_SANITIZE)

#include "lpm/bucket.h"
#include "lpm/ranges.h"

#include <immintrin.h>

#define AVX512                                                                                     \
    __attribute__((target("avx512f,avx512vl,avx512dq,avx512bw,avx512vpopcntdq,bmi,bmi2,popcnt")))

/* keys: which of the words of a cache line count, by bit. */
AVX512 static inline __attribute__((always_inline)) unsigned
avx512_line_before(const uint32_t *line, unsigned keys, uint32_t address)
{
    return (unsigned)__builtin_popcount(
        keys & _mm512_cmplt_epu32_mask(_mm512_load_si512((const void *)line),
                                       _mm512_set1_epi32((int)address)));
}

AVX512 static inline __attribute__((always_inline)) unsigned
avx512_lines_before(const uint64_t *lines, unsigned keys, uint64_t address)
{
    __m512i wanted = _mm512_set1_epi64((long long)address);
    unsigned low = _mm512_cmplt_epu64_mask(_mm512_load_si512((const void *)lines), wanted);
    unsigned high = _mm512_cmplt_epu64_mask(_mm512_load_si512((const void *)(lines + 8)), wanted);

    return (unsigned)__builtin_popcount(keys & (low | high << 8));
}

#define LPM_PROCESSOR    AVX512
#define LPM_LINE_BEFORE  avx512_line_before
#define LPM_LINES_BEFORE avx512_lines_before
#include "lpm/bulk.h"

AVX512 static void avx512_look_up4(const struct lpm_fib *const *fibs, const uint32_t *addresses,
                                   uint32_t *leaves, unsigned n)
{
    lpm_look_up4(fibs, addresses, leaves, n);
}

#define WIDTH   8
#define VECTORS (LPM_LANES / WIDTH)

/* The nodes of eight slots, as distances from the window. */
AVX512 static inline __m512i nodes_at(const _Atomic uint32_t *direct, __m256i addresses)
{
    __m256i slots = _mm256_srli_epi32(addresses, 32 - LPM_DIRECT_BITS);
    __m256i named = _mm256_i32gather_epi32((const int *)(uintptr_t)direct, slots, 4);
    __m256i cells = _mm256_andnot_si256(_mm256_set1_epi32((int)LPM_ENTRY_NODE), named);

    return _mm512_slli_epi64(_mm512_cvtepu32_epi64(cells), 3);
}

/* What they show. */
AVX512 static inline __m256i entries_at(const char *window, __m512i nodes, __m256i addresses)
{
    __m512i runs = _mm512_i64gather_epi64(nodes, window, 1);
    /* Shifts out what is beyond the chunk: a shift takes the lowest six bits. */
    __m512i beyond = _mm512_cvtepu32_epi64(
        _mm256_andnot_si256(_mm256_srli_epi32(addresses, 32 - LPM_DIRECT_BITS - LPM_STRIDE),
                            _mm256_set1_epi32(LPM_SLOTS - 1)));
    __m512i place = _mm512_popcnt_epi64(_mm512_sllv_epi64(runs, beyond));
    __m512i wide = _mm512_and_si512(runs, _mm512_set1_epi64(LPM_NODE_WIDE));
    /* As lpm_node_slot(): the place is shifted by 2 and starts from 1, or by 1 and starts from 0. */
    __m512i at = _mm512_sllv_epi64(_mm512_sub_epi64(place, wide),
                                   _mm512_add_epi64(wide, _mm512_set1_epi64(1)));
    __m256i halves = _mm512_cvtepi64_epi32(_mm512_slli_epi64(wide, 4));
    __m256i loaded;

    at = _mm512_add_epi64(_mm512_add_epi64(at, _mm512_slli_epi64(wide, 1)), nodes);
    loaded = _mm512_i64gather_epi32(at, window + LPM_NODE_HEAD - sizeof(uint16_t), 1);
    return _mm256_srlv_epi32(loaded, _mm256_sub_epi32(_mm256_set1_epi32(16), halves));
}

AVX512 static inline __mmask8 lanes_from(unsigned i, unsigned n)
{
    return n - i < WIDTH ? (__mmask8)((1u << (n - i)) - 1) : 0xff;
}

/* Lanes beyond the last look address 0 up, in vain. */
AVX512 static void gather_look_up_one4(const struct lpm_table *table, const uint32_t *addresses,
                                       uint32_t *leaves, unsigned n)
{
    uint32_t fallback = atomic_load_explicit(&table->fallback, memory_order_acquire);
    const _Atomic uint32_t *direct = atomic_load_explicit(&table->direct, memory_order_acquire);
    __m256i keys[VECTORS], any = _mm256_setzero_si256();
    __m512i nodes[VECTORS];

    if (!direct) {
        lpm_one_root4(table, fallback, addresses, leaves, n);
        return;
    }
    for (unsigned i = 0; i < n; i += WIDTH) {
        keys[i / WIDTH] = _mm256_maskz_loadu_epi32(lanes_from(i, n), addresses + i);
        nodes[i / WIDTH] = nodes_at(direct, keys[i / WIDTH]);
    }
    for (unsigned i = 0; i < n; i += WIDTH) {
        __m256i entries = entries_at(table->window, nodes[i / WIDTH], keys[i / WIDTH]);

        entries = _mm256_maskz_mov_epi32(lanes_from(i, n), entries);
        _mm256_mask_storeu_epi32(leaves + i, lanes_from(i, n), entries);
        any = _mm256_or_si256(any, entries);
    }
    lpm_finish_one4(table, fallback, _mm256_movepi32_mask(any) ? LPM_ENTRY_NODE : 0, addresses,
                    leaves, n);
}

AVX512 static void avx512_look_up_one4(const struct lpm_table *table, const uint32_t *addresses,
                                       uint32_t *leaves, unsigned n)
{
    lpm_one4(table, addresses, leaves, n);
}

AVX512 static void avx512_look_up_one6(const struct lpm_table *table,
                                       const uint8_t (*addresses)[16], uint32_t *leaves, unsigned n)
{
    lpm_one6(table, addresses, leaves, n);
}

AVX512 static void avx512_look_up6(const struct lpm_fib *const *fibs,
                                   const uint8_t (*addresses)[16], uint32_t *leaves, unsigned n)
{
    lpm_look_up6(fibs, addresses, leaves, n);
}

static bool usable(void)
{
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512vpopcntdq") && __builtin_cpu_supports("bmi2");
}

/* To the AVX2 variant: it is the same with fewer operations. */
static bool preferred(void)
{
    return true;
}

/* AMD's gathers are microcoded (Zen 4: half as fast as loads one by one); those of other processors
 * that get here are not. */
static bool gathers_preferred(void)
{
    __builtin_cpu_init();
    return !__builtin_cpu_is("amd");
}

const struct lpm_bulk lpm_bulk_avx512 = {
    .name = "avx512",
    .usable = usable,
    .preferred = preferred,
    .look_up4 = avx512_look_up4,
    .look_up_one4 = avx512_look_up_one4,
    .look_up6 = avx512_look_up6,
    .look_up_one6 = avx512_look_up_one6,
};

const struct lpm_bulk lpm_bulk_gather = {
    .name = "avx512-gather",
    .usable = usable,
    .preferred = gathers_preferred,
    .look_up4 = avx512_look_up4,
    .look_up_one4 = gather_look_up_one4,
    .look_up6 = avx512_look_up6,
    .look_up_one6 = avx512_look_up_one6,
};

#else

#include "lpm/lookup.h"

static bool usable(void)
{
    return false;
}

const struct lpm_bulk lpm_bulk_avx512 = {.name = "avx512", .usable = usable};
const struct lpm_bulk lpm_bulk_gather = {.name = "avx512-gather", .usable = usable};

#endif
