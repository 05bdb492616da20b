/*
 * The stages of a bulk lookup, which every variant has in common but for the walk.
 *
 * A lookup is a chain of loads of which each needs the one before: FIB, layer, node, ..., leaf.
 * One after the other they cost their full latency. So a burst goes through the chain in step:
 * every stage makes one load for each lane and prefetches what the next one will need, and the
 * latencies of all lanes pass side by side.
 *
 *      load_layers      FIB -> layer -> root, fallback
 *      walk             down the overrides, to a leaf or "inherit"
 *      load_tables      for those that inherit: base -> direct entry or root
 *      walk             down the base
 *      finish           leaf, or the fallback
 *
 * Words are loaded as core.c says. A variant is a walk and the lines that put it between the
 * stages. Only the walk has enough to do per load for vectors to gain: gathering the single words
 * of the other stages measured slower than loading them one by one (AMD Zen 4).
 */
#ifndef LPM_BULK_H
#define LPM_BULK_H

#include "lpm/lookup.h"

#define LPM_STAGE static inline __attribute__((always_inline))

/* One burst under way. */
struct lpm_lanes {
    _Alignas(64) uint64_t high[LPM_LANES]; /* address bits not walked yet, from the top */
    _Alignas(64) uint64_t low[LPM_LANES];  /* IPv6 only */
    _Alignas(64) uint32_t entry[LPM_LANES];
    uint32_t fallback[LPM_LANES];
    const struct lpm_layer *layer[LPM_LANES];
    const char *window; /* of all lanes; NULL: they have different ones */
};

/* --- One IPv4 base ----------------------------------------------------------------------------- */

/* Few routes are longer than 24 bits, so this is apart from the straight way. */
LPM_STAGE void lpm_walk_on4(const char *window, const uint32_t *addresses, uint32_t *leaves,
                            unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        uint64_t rest = (uint64_t)addresses[i] << (32 + LPM_DIRECT_BITS + LPM_STRIDE);
        uint32_t entry = leaves[i];

        for (; lpm_entry_is_node(entry); rest <<= LPM_STRIDE)
            entry = lpm_node_slot(lpm_node_at(window, entry), (unsigned)(rest >> 58));
        leaves[i] = entry;
    }
}

/* Two loads and a count of bits for each address and no branch that depends on it: what a slot names
 * is a node in any case (direct.h), and what that shows is the leaf unless a route is long. */
LPM_STAGE void lpm_one4(const struct lpm_table *table, const _Atomic uint32_t *direct,
                        const uint32_t *addresses, uint32_t *leaves, unsigned n)
{
    const char *window = table->plain.window;
    uint32_t fallback = atomic_load_explicit(&table->fallback, memory_order_acquire);
    const struct lpm_node *nodes[LPM_ONE];
    uint32_t any = 0;

    for (unsigned i = 0; i < n; i++) {
        nodes[i] = lpm_direct_node(window,
                                   lpm_direct_load(direct, addresses[i] >> (32 - LPM_DIRECT_BITS)));
        __builtin_prefetch(nodes[i]);
    }
    for (unsigned i = 0; i < n; i++) {
        unsigned chunk = addresses[i] >> (32 - LPM_DIRECT_BITS - LPM_STRIDE) & (LPM_SLOTS - 1);

        leaves[i] = lpm_node_slot(nodes[i], chunk);
        any |= leaves[i];
    }
    if (lpm_entry_is_node(any))
        lpm_walk_on4(window, addresses, leaves, n);
    for (unsigned i = 0; fallback && i < n; i++)
        leaves[i] = leaves[i] ? leaves[i] : fallback;
}

/* --- Any FIBs ---------------------------------------------------------------------------------- */

LPM_STAGE bool lpm_one_fib(const struct lpm_fib *const *fibs, unsigned n)
{
    uintptr_t difference = 0;

    for (unsigned i = 1; i < n; i++)
        difference |= (uintptr_t)fibs[i] ^ (uintptr_t)fibs[0];
    return difference == 0;
}

LPM_STAGE void lpm_load_one_layer(struct lpm_lanes *lanes, const struct lpm_fib *fib)
{
    const struct lpm_layer *layer = lpm_fib_layer(fib);
    uint32_t fallback = lpm_layer_fallback(layer);
    uint32_t entry = atomic_load_explicit(&layer->root, memory_order_acquire);

    lanes->window = layer->window;
    for (unsigned i = 0; i < LPM_LANES; i++) {
        lanes->layer[i] = layer;
        lanes->fallback[i] = fallback;
        lanes->entry[i] = entry;
    }
}

LPM_STAGE void lpm_load_each_layer(struct lpm_lanes *lanes, const struct lpm_fib *const *fibs,
                                   unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        lanes->layer[i] = lpm_fib_layer(fibs[i]);
        __builtin_prefetch(lanes->layer[i]);
    }
    lanes->window = lpm_fib_layer(fibs[0])->window;
    for (unsigned i = 0; i < n; i++) {
        const struct lpm_layer *layer = lanes->layer[i];

        lanes->fallback[i] = lpm_layer_fallback(layer);
        lanes->entry[i] = atomic_load_explicit(&layer->root, memory_order_acquire);
        lpm_node_prefetch(layer->window, lanes->entry[i]);
        if (layer->window != lanes->window)
            lanes->window = NULL;
    }
}

/* A burst from one NIC has one FIB, whose words are then loaded once. Lanes beyond n hold no node, so
 * that a walk over all lanes leaves them alone. */
LPM_STAGE void lpm_load_layers(struct lpm_lanes *lanes, const struct lpm_fib *const *fibs,
                               const struct lpm_burst *burst)
{
    if (lpm_one_fib(fibs, burst->n))
        lpm_load_one_layer(lanes, fibs[0]);
    else
        lpm_load_each_layer(lanes, fibs, burst->n);
    for (unsigned i = 0; i < burst->n; i++) {
        lanes->high[i] = burst->high[i];
        if (burst->low)
            lanes->low[i] = burst->low[i];
    }
    for (unsigned i = burst->n; i < LPM_LANES; i++) {
        lanes->entry[i] = LPM_NO_ROUTE;
        lanes->high[i] = lanes->low[i] = 0;
    }
}

/* The lanes that inherit start again at their base, from the whole address. */
LPM_STAGE void lpm_load_tables(struct lpm_lanes *lanes, const struct lpm_burst *burst)
{
    for (unsigned i = 0; i < burst->n; i++) {
        const _Atomic uint32_t *direct =
            atomic_load_explicit(&lanes->layer[i]->table->direct, memory_order_relaxed);

        if (direct)
            __builtin_prefetch(
                (const void *)(uintptr_t)&direct[burst->high[i] >> (64 - LPM_DIRECT_BITS)]);
    }
    for (unsigned i = 0; i < burst->n; i++) {
        uint64_t high = burst->high[i];
        unsigned depth;

        if (lanes->entry[i] != LPM_ENTRY_INHERIT)
            continue;
        lanes->entry[i] = lpm_table_entry(lanes->layer[i]->table, high, &depth);
        lanes->high[i] = high << depth;
        if (burst->low) {
            lanes->high[i] |= depth ? burst->low[i] >> (64 - depth) : 0;
            lanes->low[i] = burst->low[i] << depth;
        }
        lpm_node_prefetch(lanes->layer[i]->window, lanes->entry[i]);
    }
}

LPM_STAGE void lpm_finish(const struct lpm_lanes *lanes, uint32_t *leaves, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        leaves[i] = lanes->entry[i] ? lanes->entry[i] : lanes->fallback[i];
}

#endif
