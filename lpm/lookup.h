/*
 * What single and bulk lookups have in common, and the one place where a bulk variant is chosen.
 */
#ifndef LPM_LOOKUP_H
#define LPM_LOOKUP_H

#include "lpm/core.h"

/* A base's word for the address, and the depth of what it names. */
static inline uint32_t lpm_table_entry(const struct lpm_table *table, uint64_t high,
                                       unsigned *depth)
{
    const _Atomic uint32_t *direct = atomic_load_explicit(&table->direct, memory_order_acquire);

    *depth = direct ? LPM_DIRECT_BITS : 0;
    if (direct)
        return lpm_direct_entry(table->window, direct, (uint32_t)(high >> (64 - LPM_DIRECT_BITS)));
    return atomic_load_explicit(&table->root, memory_order_acquire);
}

static inline uint32_t lpm_layer_fallback(const struct lpm_layer *layer)
{
    if (layer->fallback != LPM_ENTRY_INHERIT)
        return layer->fallback;
    return atomic_load_explicit(&layer->table->fallback, memory_order_acquire);
}

/* --- Bulk variants ----------------------------------------------------------------------------- */

#define LPM_LANES 64

/* All variants give the same answers; bulk.c chooses. Bursts are of up to LPM_LANES addresses. */
struct lpm_bulk {
    const char *name;
    bool (*usable)(void);    /* on this machine, in this build */
    bool (*preferred)(void); /* there, to the variants before it */
    /* In any IPv4 FIBs. */
    void (*look_up4)(const struct lpm_fib *const *fibs, const uint32_t *addresses, uint32_t *leaves,
                     unsigned n);
    /* In one IPv4 base. */
    void (*look_up_one4)(const struct lpm_table *table, const uint32_t *addresses, uint32_t *leaves,
                         unsigned n);
    /* In any IPv6 FIBs. */
    void (*look_up6)(const struct lpm_fib *const *fibs, const uint8_t (*addresses)[16],
                     uint32_t *leaves, unsigned n);
    /* In one IPv6 base. */
    void (*look_up_one6)(const struct lpm_table *table, const uint8_t (*addresses)[16],
                         uint32_t *leaves, unsigned n);
};

extern const struct lpm_bulk lpm_bulk_scalar;
extern const struct lpm_bulk lpm_bulk_avx2;
extern const struct lpm_bulk lpm_bulk_avx512;
extern const struct lpm_bulk lpm_bulk_gather;

#endif
