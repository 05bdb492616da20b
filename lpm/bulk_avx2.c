/*
 * Bulk lookup for processors with AVX2 and BMI2: the stages of bulk.h as the compiler makes them for
 * these. Shifts by a variable and counts of bits are one operation each then, and the 16 keys of a
 * node of ranges are compared in two.
 *
 * Gathers are not used: where they are microcoded they are slower than loads one by one (AMD Zen 4:
 * 5 to 30 %), and processors with fast gathers have AVX-512.
 */
#include "lpm/bulk.h"

#if defined(__x86_64__) && !defined(FINGERPOST_SANITIZE)

#define AVX2 __attribute__((target("avx2,bmi,bmi2,popcnt")))

AVX2 static void avx2_look_up4(const struct lpm_fib *const *fibs, const uint32_t *addresses,
                               uint32_t *leaves, unsigned n)
{
    lpm_look_up4(fibs, addresses, leaves, n);
}

AVX2 static void avx2_look_up_one4(const struct lpm_table *table, const _Atomic uint32_t *direct,
                                   const uint32_t *addresses, uint32_t *leaves, unsigned n)
{
    lpm_one4(table, direct, addresses, leaves, n);
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
};

#else

static bool usable(void)
{
    return false;
}

const struct lpm_bulk lpm_bulk_avx2 = {.name = "avx2", .usable = usable};

#endif
