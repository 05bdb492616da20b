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
        return lpm_direct_load(direct, (uint32_t)(high >> (64 - LPM_DIRECT_BITS)));
    return atomic_load_explicit(&table->root, memory_order_acquire);
}

static inline uint32_t lpm_layer_fallback(const struct lpm_layer *layer)
{
    if (layer->fallback != LPM_ENTRY_INHERIT)
        return layer->fallback;
    return atomic_load_explicit(&layer->table->fallback, memory_order_acquire);
}

/* --- Bulk variants ----------------------------------------------------------------------------- */

typedef void lpm_bulk4(const struct lpm_fib *const *fibs, const uint32_t *addresses,
                       uint32_t *leaves, unsigned n);
typedef void lpm_bulk6(const struct lpm_fib *const *fibs, const uint8_t (*addresses)[16],
                       uint32_t *leaves, unsigned n);

/* All variants give the same answers. */
struct lpm_bulk {
    const char *name;
    bool (*usable)(void); /* on this machine */
    lpm_bulk4 *lookup4;
    lpm_bulk6 *lookup6;
};

/* From the slowest, which is usable everywhere, to the fastest; NULL ends the list. */
extern const struct lpm_bulk *const lpm_bulk_variants[];
/* Makes lpm_lookup_bulk4/6() use this variant, or the fastest usable one again (NULL). For tests and
 * measurements, while no reader looks up. */
void lpm_bulk_choose(const struct lpm_bulk *variant);

#endif
