/*
 * Bulk lookup: cutting an array into bursts, choosing the variant, and the scalar one.
 */
#include "lpm/bulk.h"

#include <errno.h>

/* --- Scalar ------------------------------------------------------------------------------------ */

/* Lanes whose entry is a node. A lane that is done drops out without a branch. */
struct active {
    unsigned count;
    uint8_t lanes[LPM_LANES + 1];
};

LPM_STAGE void enlist(struct active *active, const struct lpm_lanes *lanes, unsigned lane)
{
    active->lanes[active->count] = (uint8_t)lane;
    active->count += lpm_entry_is_node(lanes->entry[lane]);
}

LPM_STAGE void step(struct lpm_lanes *lanes, unsigned lane, bool wide)
{
    const char *window = lanes->layer[lane]->window;
    unsigned chunk = (unsigned)(lanes->high[lane] >> (64 - LPM_STRIDE));

    lanes->entry[lane] = lpm_node_slot(lpm_node_at(window, lanes->entry[lane]), chunk);
    lanes->high[lane] <<= LPM_STRIDE;
    if (wide) {
        lanes->high[lane] |= lanes->low[lane] >> (64 - LPM_STRIDE);
        lanes->low[lane] <<= LPM_STRIDE;
    }
    lpm_node_prefetch(window, lanes->entry[lane]);
}

LPM_STAGE void walk(struct lpm_lanes *lanes, bool wide)
{
    struct active active = {0};

    for (unsigned lane = 0; lane < LPM_LANES; lane++)
        enlist(&active, lanes, lane);
    while (active.count) {
        unsigned count = active.count;

        active.count = 0;
        for (unsigned i = 0; i < count; i++) {
            unsigned lane = active.lanes[i];

            step(lanes, lane, wide);
            enlist(&active, lanes, lane);
        }
    }
}

LPM_STAGE void look_up(const struct lpm_fib *const *fibs, const struct lpm_burst *burst,
                       uint32_t *leaves, bool wide)
{
    struct lpm_lanes lanes;

    lpm_load_layers(&lanes, fibs, burst);
    walk(&lanes, wide);
    lpm_load_tables(&lanes, burst);
    walk(&lanes, wide);
    lpm_finish(&lanes, leaves, burst->n);
}

/* Apart for the two families, so that IPv4 has nothing to do for the lower half. */
static void scalar_look_up(const struct lpm_fib *const *fibs, const struct lpm_burst *burst,
                           uint32_t *leaves)
{
    if (burst->low)
        look_up(fibs, burst, leaves, true);
    else
        look_up(fibs, burst, leaves, false);
}

static void scalar_look_up_one4(const struct lpm_table *table, const _Atomic uint32_t *direct,
                                const uint32_t *addresses, uint32_t *leaves, unsigned n)
{
    lpm_one4(table, direct, addresses, leaves, n);
}

static bool everywhere(void)
{
    return true;
}

const struct lpm_bulk lpm_bulk_scalar = {
    .name = "scalar",
    .usable = everywhere,
    .preferred = everywhere,
    .look_up = scalar_look_up,
    .look_up_one4 = scalar_look_up_one4,
};

/* --- Choice ------------------------------------------------------------------------------------ */

#define VARIANTS 3

static const struct lpm_bulk *const variants[VARIANTS] = {&lpm_bulk_scalar, &lpm_bulk_avx2,
                                                          &lpm_bulk_avx512};

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

static unsigned burst_size(unsigned n, unsigned most)
{
    return n < most ? n : most;
}

/* How many of the first fibs are the same. */
static unsigned run_of_one(const struct lpm_fib *const *fibs, unsigned n)
{
    uintptr_t difference = 0;

    for (unsigned i = 1; i < n; i++)
        difference |= (uintptr_t)fibs[i] ^ (uintptr_t)fibs[0];
    return difference == 0;
}

/* A burst of one FIB that is a large base. False: it is something else. */
static bool look_up_one4(const struct lpm_fib *const *fibs, const uint32_t *addresses,
                         uint32_t *leaves, unsigned n)
{
    const struct lpm_layer *layer;
    const _Atomic uint32_t *direct;

    if (!run_of_one(fibs, n))
        return false;
    layer = lpm_fib_layer(fibs[0]);
    if (layer != &layer->table->plain)
        return false;
    direct = atomic_load_explicit(&layer->table->direct, memory_order_acquire);
    if (!direct)
        return false;
    chosen->look_up_one4(layer->table, direct, addresses, leaves, n);
    return true;
}

static void look_up_some4(const struct lpm_fib *const *fibs, const uint32_t *addresses,
                          uint32_t *leaves, unsigned n)
{
    uint64_t high[LPM_LANES];
    struct lpm_burst burst = {.high = high};

    for (unsigned done = 0; done < n; done += LPM_LANES) {
        burst.n = burst_size(n - done, LPM_LANES);
        for (unsigned i = 0; i < burst.n; i++)
            high[i] = (uint64_t)addresses[done + i] << 32;
        chosen->look_up(fibs + done, &burst, leaves + done);
    }
}

void lpm_lookup_bulk4(const struct lpm_fib *const *fibs, const uint32_t *addresses,
                      uint32_t *leaves, unsigned n)
{
    for (unsigned done = 0; done < n; done += LPM_ONE) {
        unsigned count = burst_size(n - done, LPM_ONE);

        if (!look_up_one4(fibs + done, addresses + done, leaves + done, count))
            look_up_some4(fibs + done, addresses + done, leaves + done, count);
    }
}

void lpm_lookup_bulk6(const struct lpm_fib *const *fibs, const uint8_t (*addresses)[16],
                      uint32_t *leaves, unsigned n)
{
    uint64_t high[LPM_LANES], low[LPM_LANES];
    struct lpm_burst burst = {.high = high, .low = low};

    for (unsigned done = 0; done < n; done += LPM_LANES) {
        burst.n = burst_size(n - done, LPM_LANES);
        for (unsigned i = 0; i < burst.n; i++) {
            lpm_key key = lpm_key_of(addresses[done + i]);

            high[i] = (uint64_t)(key >> 64);
            low[i] = (uint64_t)key;
        }
        chosen->look_up(fibs + done, &burst, leaves + done);
    }
}
