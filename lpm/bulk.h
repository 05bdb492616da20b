/*
 * The stages of a bulk lookup, which the variants compile for their processors.
 *
 * A lookup is a chain of loads of which each needs the one before: FIB, layer, slot of the direct
 * table, node, leaf. One after the other they cost their full latency. So a burst goes through the
 * chain in step: every stage makes one load for each lane and prefetches what the next one will
 * need, and the latencies of all lanes pass side by side.
 *
 *      layers     FIB -> layer: does it touch the address? -> base -> slot of the direct table
 *      nodes      slot -> node -> leaf, as though the base decided for all
 *      ranges     for the lanes that their layer touches: ranges -> node -> value, unless "inherit"
 *      walks      the few whose entry is still a node, and bases without a direct table
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

#include "lpm/lookup.h"

#define LPM_STAGE static inline __attribute__((always_inline))

struct lpm_list {
    unsigned count;
    uint8_t lanes[LPM_LANES + 1]; /* one more, which a lane that is not listed is written to */
};

LPM_STAGE void lpm_list_add(struct lpm_list *list, unsigned lane, bool listed)
{
    list->lanes[list->count] = (uint8_t)lane;
    list->count += listed;
}

/* One burst under way. */
struct lpm_lanes {
    const struct lpm_layer *layer[LPM_LANES];
    const struct lpm_node *node[LPM_LANES];
    uint32_t fallback[LPM_LANES];
    uint64_t high[LPM_LANES]; /* IPv6: the address */
    uint64_t low[LPM_LANES];
    struct lpm_list touched; /* by their layer */
    struct lpm_list small;   /* of bases without a direct table */
    uint64_t settled;        /* bit: the layer has decided */
};

/* --- Layers ------------------------------------------------------------------------------------ */

LPM_STAGE void lpm_load_layers(struct lpm_lanes *lanes, const struct lpm_fib *const *fibs,
                               unsigned n)
{
    lanes->touched.count = lanes->small.count = 0;
    lanes->settled = 0;
    for (unsigned i = 0; i < n; i++) {
        lanes->layer[i] = lpm_fib_layer(fibs[i]);
        __builtin_prefetch(lanes->layer[i]);
    }
}

/* A base without a direct table gets the node of "no route" for now. */
LPM_STAGE void lpm_load_slot(struct lpm_lanes *lanes, unsigned i, unsigned bit, uint32_t slot)
{
    const struct lpm_layer *layer = lanes->layer[i];
    const struct lpm_table *table = layer->table;
    uint32_t fallback = atomic_load_explicit(&table->fallback, memory_order_acquire);
    const _Atomic uint32_t *direct = atomic_load_explicit(&table->direct, memory_order_acquire);
    uint32_t named = direct ? lpm_direct_load(direct, slot) : 0;

    lanes->fallback[i] = layer->fallback == LPM_ENTRY_INHERIT ? fallback : layer->fallback;
    lanes->node[i] = lpm_direct_node(table->window, named);
    __builtin_prefetch(lanes->node[i]);
    lpm_list_add(&lanes->touched, i, lpm_layer_touches(layer, bit));
    lpm_list_add(&lanes->small, i, !direct);
}

LPM_STAGE void lpm_fall_back(const struct lpm_lanes *lanes, uint32_t *leaves, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        leaves[i] = leaves[i] ? leaves[i] : lanes->fallback[i];
}

/* --- Ranges ------------------------------------------------------------------------------------ */

/* The lanes of the list touched, on their way through the ranges. */
struct lpm_search {
    const struct lpm_ranges *ranges[LPM_LANES];
    const char *bottom[LPM_LANES];
};

LPM_STAGE void lpm_load_ranges(const struct lpm_lanes *lanes, struct lpm_search *search)
{
    for (unsigned j = 0; j < lanes->touched.count; j++) {
        search->ranges[j] = lpm_rcu_dereference(&lanes->layer[lanes->touched.lanes[j]]->ranges);
        __builtin_prefetch(search->ranges[j]);
        __builtin_prefetch(search->ranges[j] + 1);
    }
}

LPM_STAGE void lpm_take_value(struct lpm_lanes *lanes, const struct lpm_ranges *ranges,
                              unsigned lane, uint32_t value, lpm_key address, uint32_t *leaves)
{
    const struct lpm_table *table = lanes->layer[lane]->table;

    if (__builtin_expect(value & LPM_VALUE_SLOW, 0))
        value = lpm_ranges_settle(ranges, value, address, table->window, &table->routes);
    leaves[lane] = value == LPM_ENTRY_INHERIT ? leaves[lane] : value;
    lanes->settled |= (uint64_t)(value != LPM_ENTRY_INHERIT) << lane;
}

LPM_STAGE void lpm_search4(struct lpm_lanes *lanes, struct lpm_search *search,
                           const uint32_t *addresses, uint32_t *leaves)
{
    const struct lpm_list *touched = &lanes->touched;

    for (unsigned j = 0; j < touched->count; j++) {
        const struct lpm_ranges *ranges = search->ranges[j];
        uint32_t node = 0;

        for (uint32_t level = ranges->levels; level-- > 0;)
            node = lpm_ranges_descend4(ranges, level, node, addresses[touched->lanes[j]]);
        search->bottom[j] = lpm_ranges_bottom4(ranges, node);
        __builtin_prefetch(search->bottom[j]);
        __builtin_prefetch(search->bottom[j] + LPM_LINE);
    }
    for (unsigned j = 0; j < touched->count; j++) {
        unsigned lane = touched->lanes[j];

        lpm_take_value(lanes, search->ranges[j], lane,
                       lpm_bottom4_value(search->bottom[j], addresses[lane]),
                       (lpm_key)addresses[lane] << 96, leaves);
    }
}

LPM_STAGE void lpm_search6(struct lpm_lanes *lanes, struct lpm_search *search, uint32_t *leaves)
{
    const struct lpm_list *touched = &lanes->touched;

    for (unsigned j = 0; j < touched->count; j++) {
        const struct lpm_ranges *ranges = search->ranges[j];
        uint32_t node = 0;

        for (uint32_t level = ranges->levels; level-- > 0;)
            node = lpm_ranges_descend6(ranges, level, node, lanes->high[touched->lanes[j]]);
        search->bottom[j] = lpm_ranges_bottom6(ranges, node);
        for (unsigned at = 0; at < LPM_BOTTOM6; at += LPM_LINE)
            __builtin_prefetch(search->bottom[j] + at);
    }
    for (unsigned j = 0; j < touched->count; j++) {
        unsigned lane = touched->lanes[j];

        lpm_take_value(lanes, search->ranges[j], lane,
                       lpm_bottom6_value(search->bottom[j], lanes->high[lane]),
                       (lpm_key)lanes->high[lane] << 64 | lanes->low[lane], leaves);
    }
}

/* --- Walks ------------------------------------------------------------------------------------- */

/* The six bits at depth, which all lanes have reached alike. */
LPM_STAGE unsigned lpm_chunk_at(const struct lpm_lanes *lanes, unsigned lane, unsigned depth)
{
    uint64_t high = lanes->high[lane];
    uint64_t low = lanes->low[lane];

    if (depth + LPM_STRIDE <= 64)
        return high >> (64 - LPM_STRIDE - depth) & (LPM_SLOTS - 1);
    if (depth >= 64)
        return (unsigned)(low << (depth - 64) >> (64 - LPM_STRIDE));
    return (high << (depth + LPM_STRIDE - 64) | low >> (128 - LPM_STRIDE - depth)) &
           (LPM_SLOTS - 1);
}

/* The listed lanes, whose entries are nodes at depth; the list is used up. */
LPM_STAGE void lpm_walk(const struct lpm_lanes *lanes, struct lpm_list *list, unsigned depth,
                        uint32_t *leaves)
{
    for (; list->count > 0; depth += LPM_STRIDE) {
        unsigned count = list->count;

        list->count = 0;
        for (unsigned j = 0; j < count; j++) {
            unsigned lane = list->lanes[j];
            const char *window = lanes->layer[lane]->table->window;

            leaves[lane] =
                lpm_node_slot(lpm_node_at(window, leaves[lane]), lpm_chunk_at(lanes, lane, depth));
            lpm_node_prefetch(window, leaves[lane]);
            lpm_list_add(list, lane, lpm_entry_is_node(leaves[lane]));
        }
    }
}

/* The lanes of bases without a direct table that no layer has settled, from the root. */
LPM_STAGE void lpm_walk_small(struct lpm_lanes *lanes, uint32_t *leaves)
{
    struct lpm_list list = {0};

    for (unsigned j = 0; j < lanes->small.count; j++) {
        unsigned lane = lanes->small.lanes[j];
        const struct lpm_table *table = lanes->layer[lane]->table;
        bool open = !(lanes->settled >> lane & 1);
        uint32_t root = atomic_load_explicit(&table->root, memory_order_acquire);

        leaves[lane] = open ? root : leaves[lane];
        lpm_node_prefetch(table->window, leaves[lane]);
        lpm_list_add(&list, lane, lpm_entry_is_node(leaves[lane]));
    }
    lpm_walk(lanes, &list, 0, leaves);
}

/* --- IPv4 -------------------------------------------------------------------------------------- */

LPM_STAGE unsigned lpm_chunk4(uint32_t address)
{
    return address >> (32 - LPM_DIRECT_BITS - LPM_STRIDE) & (LPM_SLOTS - 1);
}

/* What is longer than 24 bits, and bases without a direct table: apart from the straight way. */
LPM_STAGE void lpm_walk4(struct lpm_lanes *lanes, const uint32_t *addresses, uint32_t *leaves,
                         unsigned n)
{
    struct lpm_list list = {0};

    for (unsigned i = 0; i < n; i++) {
        lanes->high[i] = (uint64_t)addresses[i] << 32;
        lanes->low[i] = 0;
        lpm_list_add(&list, i, lpm_entry_is_node(leaves[i]));
    }
    lpm_walk(lanes, &list, LPM_DIRECT_BITS + LPM_STRIDE, leaves);
    lpm_walk_small(lanes, leaves);
}

LPM_STAGE void lpm_look_up4(const struct lpm_fib *const *fibs, const uint32_t *addresses,
                            uint32_t *leaves, unsigned n)
{
    struct lpm_lanes lanes;
    struct lpm_search search;
    uint32_t any = 0;

    lpm_load_layers(&lanes, fibs, n);
    for (unsigned i = 0; i < n; i++)
        lpm_load_slot(&lanes, i, lpm_touched_bit4(addresses[i]),
                      addresses[i] >> (32 - LPM_DIRECT_BITS));
    lpm_load_ranges(&lanes, &search);
    for (unsigned i = 0; i < n; i++) {
        leaves[i] = lpm_node_slot(lanes.node[i], lpm_chunk4(addresses[i]));
        any |= leaves[i];
    }
    lpm_search4(&lanes, &search, addresses, leaves);
    if (lpm_entry_is_node(any) || lanes.small.count > 0)
        lpm_walk4(&lanes, addresses, leaves, n);
    lpm_fall_back(&lanes, leaves, n);
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
    if (lpm_entry_is_node(any))
        lpm_walk_one4(table->window, addresses, leaves, n);
    for (unsigned i = 0; fallback && i < n; i++)
        leaves[i] = leaves[i] ? leaves[i] : fallback;
}

/* Two loads and a count of bits for each address and no branch that depends on it: what a slot names
 * is a node in any case (direct.h), and what that shows is the leaf unless a route is long. */
LPM_STAGE void lpm_one4(const struct lpm_table *table, const _Atomic uint32_t *direct,
                        const uint32_t *addresses, uint32_t *leaves, unsigned n)
{
    const char *window = table->window;
    uint32_t fallback = atomic_load_explicit(&table->fallback, memory_order_acquire);
    const struct lpm_node *nodes[LPM_LANES];
    uint32_t any = 0;

    for (unsigned i = 0; i < n; i++) {
        nodes[i] = lpm_direct_node(window,
                                   lpm_direct_load(direct, addresses[i] >> (32 - LPM_DIRECT_BITS)));
        __builtin_prefetch(nodes[i]);
    }
    for (unsigned i = 0; i < n; i++) {
        leaves[i] = lpm_node_slot(nodes[i], lpm_chunk4(addresses[i]));
        any |= leaves[i];
    }
    lpm_finish_one4(table, fallback, any, addresses, leaves, n);
}

/* --- IPv6 -------------------------------------------------------------------------------------- */

LPM_STAGE void lpm_look_up6(const struct lpm_fib *const *fibs, const uint8_t (*addresses)[16],
                            uint32_t *leaves, unsigned n)
{
    struct lpm_lanes lanes;
    struct lpm_search search;
    struct lpm_list list = {0};

    lpm_load_layers(&lanes, fibs, n);
    for (unsigned i = 0; i < n; i++) {
        lpm_key key = lpm_key_of(addresses[i]);

        lanes.high[i] = (uint64_t)(key >> 64);
        lanes.low[i] = (uint64_t)key;
        lpm_load_slot(&lanes, i, lpm_touched_bit6(lanes.high[i]),
                      (uint32_t)(lanes.high[i] >> (64 - LPM_DIRECT_BITS)));
    }
    lpm_load_ranges(&lanes, &search);
    for (unsigned i = 0; i < n; i++) {
        leaves[i] = lpm_node_slot(lanes.node[i], lpm_chunk_at(&lanes, i, LPM_DIRECT_BITS));
        lpm_node_prefetch(lanes.layer[i]->table->window, leaves[i]);
    }
    lpm_search6(&lanes, &search, leaves);
    for (unsigned i = 0; i < n; i++)
        lpm_list_add(&list, i, lpm_entry_is_node(leaves[i]));
    lpm_walk(&lanes, &list, LPM_DIRECT_BITS + LPM_STRIDE, leaves);
    if (lanes.small.count > 0)
        lpm_walk_small(&lanes, leaves);
    lpm_fall_back(&lanes, leaves, n);
}

#endif
