/*
 * Bulk lookup: which variant, and the scalar one.
 *
 * A lookup is a chain of loads of which each needs the one before: FIB, layer, node, ..., leaf. One after
 * the other they cost their full latency. So a burst goes through the chain in step: every stage
 * makes one load for each lane and prefetches what the next stage will need, and the latencies of a
 * burst pass side by side. Lanes that are done drop out of a stage's list without a branch.
 */
#include "lpm/lookup.h"

#include <stdatomic.h>

#define LANES 32

/* One burst under way. */
struct lanes {
    const struct lpm_layer *layer[LANES];
    uint64_t high[LANES]; /* address bits not walked yet, from the top */
    uint64_t low[LANES];  /* IPv6 only */
    uint32_t entry[LANES];
    uint32_t fallback[LANES];
    uint8_t active[LANES + 1]; /* lanes whose entry is a node */
    unsigned count;
};

static inline void enlist(struct lanes *lanes, unsigned lane)
{
    uint32_t entry = lanes->entry[lane];

    lpm_node_prefetch(lanes->layer[lane]->window, entry);
    lanes->active[lanes->count] = (uint8_t)lane;
    lanes->count += lpm_entry_is_node(entry);
}

/* Takes every active lane down until none is left. */
static inline void walk(struct lanes *lanes, bool wide)
{
    while (lanes->count) {
        unsigned count = lanes->count;

        lanes->count = 0;
        for (unsigned i = 0; i < count; i++) {
            unsigned lane = lanes->active[i];
            const char *window = lanes->layer[lane]->window;
            unsigned chunk = (unsigned)(lanes->high[lane] >> 58);

            lanes->entry[lane] = lpm_node_slot(lpm_node_at(window, lanes->entry[lane]), chunk);
            lanes->high[lane] <<= LPM_STRIDE;
            if (wide) {
                lanes->high[lane] |= lanes->low[lane] >> 58;
                lanes->low[lane] <<= LPM_STRIDE;
            }
            enlist(lanes, lane);
        }
    }
}

/* The words that say where each lane goes. */
static inline void load_layers(struct lanes *lanes, const struct lpm_fib *const *fibs, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        lanes->layer[i] = lpm_fib_layer(fibs[i]);
        __builtin_prefetch(lanes->layer[i]);
    }
    lanes->count = 0;
    for (unsigned i = 0; i < n; i++) {
        const struct lpm_layer *layer = lanes->layer[i];

        lanes->fallback[i] = lpm_layer_fallback(layer);
        lanes->entry[i] = atomic_load_explicit(&layer->root, memory_order_acquire);
        enlist(lanes, i);
    }
}

static inline void shift_to(struct lanes *lanes, unsigned lane, uint64_t high, uint64_t low,
                            unsigned depth)
{
    lpm_key key = ((lpm_key)high << 64 | low) << depth;

    lanes->high[lane] = (uint64_t)(key >> 64);
    lanes->low[lane] = (uint64_t)key;
}

/* The lanes that inherit start again at their base. high and low: the whole addresses. */
static inline void load_tables(struct lanes *lanes, const uint64_t *high, const uint64_t *low,
                               unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        const _Atomic uint32_t *direct =
            atomic_load_explicit(&lanes->layer[i]->table->direct, memory_order_relaxed);

        if (direct)
            __builtin_prefetch((const void *)(uintptr_t)&direct[high[i] >> (64 - LPM_DIRECT_BITS)]);
    }
    lanes->count = 0;
    for (unsigned i = 0; i < n; i++) {
        unsigned depth;

        if (lanes->entry[i] != LPM_ENTRY_INHERIT)
            continue;
        lanes->entry[i] = lpm_table_entry(lanes->layer[i]->table, high[i], &depth);
        shift_to(lanes, i, high[i], low ? low[i] : 0, depth);
        enlist(lanes, i);
    }
}

/* high and low are left alone: lanes has copies that are used up. */
static inline void look_up(struct lanes *lanes, const struct lpm_fib *const *fibs,
                           const uint64_t *high, const uint64_t *low, uint32_t *leaves, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        lanes->high[i] = high[i];
        lanes->low[i] = low ? low[i] : 0;
    }
    load_layers(lanes, fibs, n);
    walk(lanes, low != NULL);
    load_tables(lanes, high, low, n);
    walk(lanes, low != NULL);
    for (unsigned i = 0; i < n; i++)
        leaves[i] = lanes->entry[i] ? lanes->entry[i] : lanes->fallback[i];
}

static inline unsigned burst_of(unsigned n)
{
    return n < LANES ? n : LANES;
}

static void scalar4(const struct lpm_fib *const *fibs, const uint32_t *addresses, uint32_t *leaves,
                    unsigned n)
{
    uint64_t high[LANES];
    struct lanes lanes;

    for (unsigned done = 0; done < n; done += LANES) {
        unsigned burst = burst_of(n - done);

        for (unsigned i = 0; i < burst; i++)
            high[i] = (uint64_t)addresses[done + i] << 32;
        look_up(&lanes, fibs + done, high, NULL, leaves + done, burst);
    }
}

static void scalar6(const struct lpm_fib *const *fibs, const uint8_t (*addresses)[16],
                    uint32_t *leaves, unsigned n)
{
    uint64_t high[LANES], low[LANES];
    struct lanes lanes;

    for (unsigned done = 0; done < n; done += LANES) {
        unsigned burst = burst_of(n - done);

        for (unsigned i = 0; i < burst; i++) {
            lpm_key key = lpm_key_of(addresses[done + i]);

            high[i] = (uint64_t)(key >> 64);
            low[i] = (uint64_t)key;
        }
        look_up(&lanes, fibs + done, high, low, leaves + done, burst);
    }
}

static bool usable_everywhere(void)
{
    return true;
}

static const struct lpm_bulk scalar = {
    .name = "scalar", .usable = usable_everywhere, .lookup4 = scalar4, .lookup6 = scalar6};

/* --- Choice ------------------------------------------------------------------------------------ */

const struct lpm_bulk *const lpm_bulk_variants[] = {&scalar, NULL};

static const struct lpm_bulk *chosen = &scalar;

void lpm_bulk_choose(const struct lpm_bulk *variant)
{
    if (variant) {
        chosen = variant;
        return;
    }
    for (const struct lpm_bulk *const *at = lpm_bulk_variants; *at; at++) {
        if ((*at)->usable())
            chosen = *at;
    }
}

/* Before main(), so that a reader never meets a variant that is just being changed. */
__attribute__((constructor)) static void choose_fastest(void)
{
    lpm_bulk_choose(NULL);
}

void lpm_lookup_bulk4(const struct lpm_fib *const *fibs, const uint32_t *addresses,
                      uint32_t *leaves, unsigned n)
{
    chosen->lookup4(fibs, addresses, leaves, n);
}

void lpm_lookup_bulk6(const struct lpm_fib *const *fibs, const uint8_t (*addresses)[16],
                      uint32_t *leaves, unsigned n)
{
    chosen->lookup6(fibs, addresses, leaves, n);
}
