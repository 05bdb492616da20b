/*
 * First and last stages of a bulk lookup: from FIBs over layers to the nodes that their bases' slots
 * name; and the fallbacks of those without a leaf.
 */
#ifndef LPM_BULK_LAYERS_H
#define LPM_BULK_LAYERS_H

#include "lpm/bulk_lanes.h"

/* The words of a base. */
struct lpm_base_words {
    const char *window;
    uint32_t fallback;
    const _Atomic uint32_t *direct;
};

LPM_STAGE struct lpm_base_words lpm_load_base(const struct lpm_table *table)
{
    return (struct lpm_base_words){
        .window = table->window,
        .fallback = atomic_load_explicit(&table->fallback, memory_order_acquire),
        .direct = atomic_load_explicit(&table->direct, memory_order_acquire),
    };
}

/* --- All of one base --------------------------------------------------------------------------- */

/* All lanes' layers; and their slots are brought near, as though all had the first one's base, which is
 * returned, and as though that kept its direct table: what is looked up is loaded when all layers are. */
LPM_STAGE const struct lpm_table *lpm_load_layers4(struct lpm_lanes *lanes,
                                                   const struct lpm_fib *const *fibs,
                                                   const uint32_t *addresses, unsigned n)
{
    const struct lpm_table *table = lpm_fib_layer(fibs[0])->table;
    uintptr_t direct = (uintptr_t)atomic_load_explicit(&table->direct, memory_order_acquire);

    for (unsigned i = 0; i < n; i++) {
        uint32_t slot = addresses[i] >> (32 - LPM_DIRECT_BITS);

        lanes->layer[i] = lpm_fib_layer(fibs[i]);
        __builtin_prefetch(lanes->layer[i]);
        __builtin_prefetch((const void *)(direct + slot * sizeof(uint32_t)));
    }
    return table;
}

/* Nodes and touched lanes. False: not all are of this base, and nothing is known. */
LPM_STAGE bool lpm_load_nodes4(struct lpm_lanes *lanes, const struct lpm_table *table,
                               const struct lpm_base_words *base, const uint32_t *addresses,
                               unsigned n)
{
    uintptr_t difference = 0;
    unsigned count = 0;

    for (unsigned i = 0; i < n; i++) {
        const struct lpm_layer *layer = lanes->layer[i];
        uint32_t address = addresses[i];

        difference |= (uintptr_t)layer->table ^ (uintptr_t)table;
        lanes->touched.lanes[count] = (uint16_t)i;
        count += lpm_layer_touches(layer, lpm_touched_bit4(address));
        lanes->node[i] = lpm_direct_node(
            base->window, lpm_direct_load(base->direct, address >> (32 - LPM_DIRECT_BITS)));
        __builtin_prefetch(lanes->node[i]);
    }
    lanes->touched.count = count;
    return difference == 0;
}

/* A layer's fallback never changes, so that it may be asked so late; the base's has been loaded before
 * its slots. */
LPM_STAGE void lpm_fall_back4(const struct lpm_lanes *lanes, uint32_t fallback, uint32_t *leaves,
                              unsigned n)
{
    uint32_t none = 0;

    for (unsigned i = 0; i < n; i++)
        none |= leaves[i] == LPM_NO_ROUTE;
    for (unsigned i = 0; none && i < n; i++) {
        uint32_t own = lanes->layer[i]->fallback;

        /* No branch: whether there is a leaf comes in no order. */
        own = own == LPM_ENTRY_INHERIT ? fallback : own;
        leaves[i] |= own & -(uint32_t)(leaves[i] == LPM_NO_ROUTE);
    }
}

/* --- Of several bases, or IPv6 ----------------------------------------------------------------- */

/* The base of all FIBs; NULL: they have several. */
LPM_STAGE const struct lpm_table *lpm_load_layers(struct lpm_lanes *lanes,
                                                  const struct lpm_fib *const *fibs, unsigned n)
{
    const struct lpm_table *table = lpm_fib_layer(fibs[0])->table;
    uintptr_t difference = 0;

    for (unsigned i = 0; i < n; i++) {
        lanes->layer[i] = lpm_fib_layer(fibs[i]);
        __builtin_prefetch(lanes->layer[i]);
    }
    for (unsigned i = 0; i < n; i++)
        difference |= (uintptr_t)lanes->layer[i]->table ^ (uintptr_t)table;
    return difference == 0 ? table : NULL;
}

LPM_STAGE void lpm_list_touched(struct lpm_lanes *lanes, unsigned n)
{
    unsigned count = 0;

    for (unsigned i = 0; i < n; i++) {
        lanes->touched.lanes[count] = (uint16_t)i;
        count += lpm_layer_touches(lanes->layer[i], lanes->bit[i]);
    }
    lanes->touched.count = count;
}

/* A base without a direct table gets the node of "no route" for now. */
LPM_STAGE void lpm_load_nodes(struct lpm_lanes *lanes, unsigned n, bool one_base)
{
    struct lpm_base_words base = {0};
    uint64_t small = 0;

    for (unsigned i = 0; i < n; i++) {
        const struct lpm_layer *layer = lanes->layer[i];

        if (!one_base || i == 0)
            base = lpm_load_base(layer->table);
        lanes->fallback[i] = layer->fallback == LPM_ENTRY_INHERIT ? base.fallback : layer->fallback;
        lanes->node[i] = lpm_direct_node(
            base.window, base.direct ? lpm_direct_load(base.direct, lanes->slot[i]) : 0);
        __builtin_prefetch(lanes->node[i]);
        small |= (uint64_t)!base.direct << i;
    }
    lanes->small = small;
}

LPM_STAGE void lpm_fall_back(const struct lpm_lanes *lanes, uint32_t *leaves, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        leaves[i] = leaves[i] ? leaves[i] : lanes->fallback[i];
}

LPM_STAGE void lpm_fall_back_one(uint32_t fallback, uint32_t *leaves, unsigned n)
{
    for (unsigned i = 0; fallback && i < n; i++)
        leaves[i] = leaves[i] ? leaves[i] : fallback;
}

#endif
