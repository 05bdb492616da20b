/*
 * Bulk lookup: cutting an array into bursts, choosing the variant, and the scalar one.
 */
#include "lpm/bulk.h"

#include <errno.h>

/* --- Scalar ------------------------------------------------------------------------------------ */

static void scalar_look_up4(const struct lpm_fib *const *fibs, const uint32_t *addresses,
                            uint32_t *leaves, unsigned n)
{
    lpm_look_up4(fibs, addresses, leaves, n);
}

static void scalar_look_up_one4(const struct lpm_table *table, const uint32_t *addresses,
                                uint32_t *leaves, unsigned n)
{
    lpm_one4(table, addresses, leaves, n);
}

static void scalar_look_up_one6(const struct lpm_table *table, const uint8_t (*addresses)[16],
                                uint32_t *leaves, unsigned n)
{
    lpm_one6(table, addresses, leaves, n);
}

static void scalar_look_up6(const struct lpm_fib *const *fibs, const uint8_t (*addresses)[16],
                            uint32_t *leaves, unsigned n)
{
    lpm_look_up6(fibs, addresses, leaves, n);
}

static bool everywhere(void)
{
    return true;
}

const struct lpm_bulk lpm_bulk_scalar = {
    .name = "scalar",
    .usable = everywhere,
    .preferred = everywhere,
    .look_up4 = scalar_look_up4,
    .look_up_one4 = scalar_look_up_one4,
    .look_up6 = scalar_look_up6,
    .look_up_one6 = scalar_look_up_one6,
};

/* --- Choice ------------------------------------------------------------------------------------ */

#define VARIANTS 4

static const struct lpm_bulk *const variants[VARIANTS] = {&lpm_bulk_scalar, &lpm_bulk_avx2,
                                                          &lpm_bulk_avx512, &lpm_bulk_gather};

/* Filled before main(), so that a reader never meets a choice that is just being made. */
static const char *usable_names[VARIANTS + 1];
static const struct lpm_bulk *preferred = &lpm_bulk_scalar;
static const struct lpm_bulk *chosen = &lpm_bulk_scalar;

__attribute__((constructor)) static void choose_preferred(void)
{
    unsigned count = 0;

    for (unsigned i = 0; i < VARIANTS; i++) {
        if (!variants[i]->usable())
            continue;
        usable_names[count++] = variants[i]->name;
        if (variants[i]->preferred())
            preferred = variants[i];
    }
    chosen = preferred;
}

const char *const *lpm_variants(void)
{
    return usable_names;
}

int lpm_force_variant(const char *name)
{
    if (!name) {
        chosen = preferred;
        return 0;
    }
    for (unsigned i = 0; i < VARIANTS; i++) {
        if (strcmp(variants[i]->name, name) == 0 && variants[i]->usable()) {
            chosen = variants[i];
            return 0;
        }
    }
    return -EINVAL;
}

/* --- Bursts ------------------------------------------------------------------------------------ */

static unsigned burst_size(unsigned n)
{
    return n < LPM_LANES ? n : LPM_LANES;
}

static bool all_one(const struct lpm_fib *const *fibs, unsigned n)
{
    uintptr_t difference = 0;

    if (fibs[0] != fibs[n - 1] || fibs[0] != fibs[n / 2])
        return false;
    for (unsigned i = 1; i < n; i++)
        difference |= (uintptr_t)fibs[i] ^ (uintptr_t)fibs[0];
    return difference == 0;
}

/* The base that all FIBs of a burst are; NULL: they are something else. */
static const struct lpm_table *one_base(const struct lpm_fib *const *fibs, unsigned n)
{
    const struct lpm_layer *layer;

    if (!all_one(fibs, n))
        return NULL;
    layer = lpm_fib_layer(fibs[0]);
    return layer == &layer->table->plain ? layer->table : NULL;
}

void lpm_lookup_bulk4(const struct lpm_fib *const *fibs, const uint32_t *addresses,
                      uint32_t *leaves, unsigned n)
{
    for (unsigned done = 0; done < n; done += LPM_LANES) {
        unsigned count = burst_size(n - done);
        const struct lpm_table *base = one_base(fibs + done, count);

        if (base)
            chosen->look_up_one4(base, addresses + done, leaves + done, count);
        else
            chosen->look_up4(fibs + done, addresses + done, leaves + done, count);
    }
}

void lpm_lookup_bulk6(const struct lpm_fib *const *fibs, const uint8_t (*addresses)[16],
                      uint32_t *leaves, unsigned n)
{
    for (unsigned done = 0; done < n; done += LPM_LANES) {
        unsigned count = burst_size(n - done);
        const struct lpm_table *base = one_base(fibs + done, count);

        if (base)
            chosen->look_up_one6(base, addresses + done, leaves + done, count);
        else
            chosen->look_up6(fibs + done, addresses + done, leaves + done, count);
    }
}
