/*
 * The stages of a bulk lookup, which the variants compile for their processors.
 *
 * A lookup is a chain of loads of which each needs the one before: FIB, layer, slot of the direct
 * table, node, leaf. One after the other they cost their full latency. So a burst goes through the
 * chain in step: every stage makes one load for each lane and prefetches what the next one will
 * need, and the latencies of all lanes pass side by side.
 *
 *      layers     FIB -> layer: does it touch the address? -> base -> slot of the direct table -> node
 *      ranges     for the lanes that their layer touches: root -> bottom
 *      entries    node -> leaf, as though the base decided for all
 *      settling   for the touched ones: bottom -> value, unless "inherit"
 *      walks      those whose entry is still a node, and bases without a direct table
 *      buckets    those that came to a bucket: line -> bottom, if it has bottoms -> value
 *      fallbacks  for those without a leaf
 *
 * No stage branches on an address but on lists of lanes, which are gathered without a branch. What a
 * base would say where a layer then decides is looked up in vain: to leave such a lane out would
 * cost more than the load.
 *
 * Words are loaded as core.c says: the layer and the fallbacks first.
 */
#ifndef LPM_BULK_H
#define LPM_BULK_H

#include "lpm/bulk_layers.h"
#include "lpm/bulk_ranges.h"
#include "lpm/bulk_walk.h"

/* --- IPv4 -------------------------------------------------------------------------------------- */

LPM_STAGE unsigned lpm_chunk4(uint32_t address)
{
    return address >> (32 - LPM_DIRECT_BITS - LPM_STRIDE) & (LPM_SLOTS - 1);
}

LPM_STAGE void lpm_spread4(struct lpm_lanes *lanes, const uint32_t *addresses, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        lanes->high[i] = (uint64_t)addresses[i] << 32;
        lanes->low[i] = 0;
    }
}

/* What nodes show, as though all were narrow, which most often they are; if one is not, once more.
 * Returns all that they show or'ed, or 0 when these are leaves for certain. */
LPM_STAGE uint32_t lpm_load_entries4(const struct lpm_node *const *nodes, const uint32_t *addresses,
                                     uint32_t *leaves, unsigned n)
{
    uint64_t runs_of_any = 0;
    uint32_t any = 0;

    for (unsigned i = 0; i < n; i++) {
        uint64_t runs = nodes[i]->runs;

        runs_of_any |= runs;
        leaves[i] = lpm_node_narrow_slot(nodes[i], runs, lpm_chunk4(addresses[i]));
    }
    for (unsigned i = 0; (runs_of_any & LPM_NODE_WIDE) && i < n; i++) {
        leaves[i] = lpm_node_slot(nodes[i], lpm_chunk4(addresses[i]));
        any |= leaves[i];
    }
    return any;
}

/* Of several bases, or bases without a direct table. The layers are loaded. */
LPM_STAGE_APART void lpm_look_up_mixed4(struct lpm_lanes *lanes, const uint32_t *addresses,
                                        uint32_t *leaves, unsigned n)
{
    struct lpm_search search;

    for (unsigned i = 0; i < n; i++) {
        lanes->bit[i] = lpm_touched_bit4(addresses[i]);
        lanes->slot[i] = addresses[i] >> (32 - LPM_DIRECT_BITS);
    }
    lpm_list_touched(lanes, n);
    lpm_load_ranges(lanes, &search, sizeof(struct lpm_node4));
    lpm_load_nodes(lanes, n, false);
    lpm_descend4(lanes, &search, addresses);
    lpm_load_entries4(lanes->node, addresses, leaves, n);
    lpm_settle4(lanes, &search, addresses, leaves);
    lpm_spread4(lanes, addresses, n);
    lpm_walk_all(lanes, (struct lpm_windows){0}, LPM_DIRECT_BITS + LPM_STRIDE, leaves, n);
    if (lanes->small)
        lpm_walk_small(lanes, leaves, n);
    lpm_fall_back(lanes, leaves, n);
}

LPM_STAGE void lpm_look_up4(const struct lpm_fib *const *fibs, const uint32_t *addresses,
                            uint32_t *leaves, unsigned n)
{
    struct lpm_lanes lanes;
    struct lpm_search search;
    const struct lpm_table *table;
    struct lpm_base_words base;
    uint32_t any;

    table = lpm_load_layers4(&lanes, fibs, addresses, n);
    base = lpm_load_base(table);
    if (!base.direct || !lpm_load_nodes4(&lanes, table, &base, addresses, n)) {
        lpm_look_up_mixed4(&lanes, addresses, leaves, n);
        return;
    }
    lpm_load_ranges(&lanes, &search, sizeof(struct lpm_node4));
    lpm_descend4(&lanes, &search, addresses);
    any = lpm_load_entries4(lanes.node, addresses, leaves, n);
    lpm_settle4(&lanes, &search, addresses, leaves);
    if (!lpm_entry_is_leaf(any)) {
        lpm_spread4(&lanes, addresses, n);
        lpm_walk_all(&lanes, (struct lpm_windows){true, base.window}, LPM_DIRECT_BITS + LPM_STRIDE,
                     leaves, n);
    }
    lpm_fall_back4(&lanes, base.fallback, leaves, n);
}

/* --- One IPv4 base ----------------------------------------------------------------------------- */

LPM_STAGE void lpm_walk_one4(const char *window, const uint32_t *addresses, uint32_t *leaves,
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

/* What a burst of one base has left when all have come through slot and node. */
LPM_STAGE void lpm_finish_one4(const struct lpm_table *table, uint32_t fallback, uint32_t any,
                               const uint32_t *addresses, uint32_t *leaves, unsigned n)
{
    if (!lpm_entry_is_leaf(any))
        lpm_walk_one4(table->window, addresses, leaves, n);
    lpm_fall_back_one(fallback, leaves, n);
}

/* Without a direct table. Apart, so that it takes no registers from the straight way. */
LPM_STAGE_APART void lpm_one_root4(const struct lpm_table *table, uint32_t fallback,
                                   const uint32_t *addresses, uint32_t *leaves, unsigned n)
{
    uint32_t root = atomic_load_explicit(&table->root, memory_order_acquire);
    struct lpm_lanes lanes;

    lpm_spread4(&lanes, addresses, n);
    for (unsigned i = 0; i < n; i++)
        leaves[i] = root;
    lpm_walk_all(&lanes, (struct lpm_windows){true, table->window}, 0, leaves, n);
    lpm_fall_back_one(fallback, leaves, n);
}

/* Two loads and a count of bits for each address and no branch that depends on it: what a slot names
 * is a node in any case (direct.h), and what that shows is the leaf unless a route is long. */
LPM_STAGE void lpm_one4(const struct lpm_table *table, const uint32_t *addresses, uint32_t *leaves,
                        unsigned n)
{
    const char *window = table->window;
    uint32_t fallback = atomic_load_explicit(&table->fallback, memory_order_acquire);
    const _Atomic uint32_t *direct = atomic_load_explicit(&table->direct, memory_order_acquire);
    const struct lpm_node *nodes[LPM_LANES];
    uint32_t any = 0;

    if (!direct) {
        lpm_one_root4(table, fallback, addresses, leaves, n);
        return;
    }
    for (unsigned i = 0; i < n; i++) {
        nodes[i] = lpm_direct_node(window,
                                   lpm_direct_load(direct, addresses[i] >> (32 - LPM_DIRECT_BITS)));
        __builtin_prefetch(nodes[i]);
    }
    any = lpm_load_entries4(nodes, addresses, leaves, n);
    lpm_finish_one4(table, fallback, any, addresses, leaves, n);
}

/* --- IPv6 -------------------------------------------------------------------------------------- */

/* Of the node that a slot names. */
LPM_STAGE unsigned lpm_chunk6(uint64_t high)
{
    return (unsigned)(high >> (64 - LPM_DIRECT_BITS - LPM_STRIDE)) & (LPM_SLOTS - 1);
}

LPM_STAGE void lpm_spread6(struct lpm_lanes *lanes, const uint8_t (*addresses)[16], unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        lpm_key key = lpm_key_of(addresses[i]);

        lanes->high[i] = (uint64_t)(key >> 64);
        lanes->low[i] = (uint64_t)key;
    }
}

LPM_STAGE void lpm_look_up6(const struct lpm_fib *const *fibs, const uint8_t (*addresses)[16],
                            uint32_t *leaves, unsigned n)
{
    const struct lpm_table *table;
    struct lpm_windows windows;
    struct lpm_lanes lanes;
    struct lpm_search search;

    lpm_spread6(&lanes, addresses, n);
    for (unsigned i = 0; i < n; i++) {
        lanes.bit[i] = lpm_touched_bit6(lanes.high[i]);
        lanes.slot[i] = (uint32_t)(lanes.high[i] >> (64 - LPM_DIRECT_BITS));
    }
    table = lpm_load_layers(&lanes, fibs, n);
    windows = (struct lpm_windows){table != NULL, table ? table->window : NULL};
    lpm_list_touched(&lanes, n);
    lpm_load_ranges(&lanes, &search, sizeof(struct lpm_node6));
    if (table)
        lpm_load_nodes(&lanes, n, true);
    else
        lpm_load_nodes(&lanes, n, false);
    lpm_descend6(&lanes, &search);
    for (unsigned i = 0; i < n; i++) {
        leaves[i] = lpm_node_slot(lanes.node[i], lpm_chunk6(lanes.high[i]));
        lpm_entry_prefetch(lpm_lane_window(&lanes, windows, i), leaves[i]);
    }
    lpm_settle6(&lanes, &search, leaves);
    lpm_walk_all(&lanes, windows, LPM_DIRECT_BITS + LPM_STRIDE, leaves, n);
    if (lanes.small)
        lpm_walk_small(&lanes, leaves, n);
    lpm_fall_back(&lanes, leaves, n);
}

/* --- One IPv6 base ----------------------------------------------------------------------------- */

LPM_STAGE_APART void lpm_one_root6(const struct lpm_table *table, uint32_t fallback,
                                   const uint8_t (*addresses)[16], uint32_t *leaves, unsigned n)
{
    uint32_t root = atomic_load_explicit(&table->root, memory_order_acquire);
    struct lpm_lanes lanes;

    lpm_spread6(&lanes, addresses, n);
    for (unsigned i = 0; i < n; i++)
        leaves[i] = root;
    lpm_walk_all(&lanes, (struct lpm_windows){true, table->window}, 0, leaves, n);
    lpm_fall_back_one(fallback, leaves, n);
}

LPM_STAGE void lpm_one6(const struct lpm_table *table, const uint8_t (*addresses)[16],
                        uint32_t *leaves, unsigned n)
{
    struct lpm_windows windows = {true, table->window};
    uint32_t fallback = atomic_load_explicit(&table->fallback, memory_order_acquire);
    const _Atomic uint32_t *direct = atomic_load_explicit(&table->direct, memory_order_acquire);
    struct lpm_lanes lanes;
    struct lpm_walkers walkers;
    struct lpm_found found;

    if (!direct) {
        lpm_one_root6(table, fallback, addresses, leaves, n);
        return;
    }
    lpm_spread6(&lanes, addresses, n);
    for (unsigned i = 0; i < n; i++) {
        uint32_t slot = (uint32_t)(lanes.high[i] >> (64 - LPM_DIRECT_BITS));

        walkers.entries[i] = lpm_direct_load(direct, slot);
        __builtin_prefetch(lpm_direct_node(windows.window, walkers.entries[i]));
        walkers.lanes[i] = (uint16_t)i;
        walkers.bits[i] = lpm_bits_at(&lanes, i, LPM_DIRECT_BITS);
    }
    walkers.count = n;
    found.count = 0;
    /* All slots name nodes, so all lanes have one step at least. */
    lpm_walk(&lanes, windows, &walkers, &found, LPM_DIRECT_BITS, leaves);
    lpm_search_buckets(&lanes, windows, &found, leaves);
    lpm_fall_back_one(fallback, leaves, n);
}

#endif
