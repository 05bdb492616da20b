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

#include "lpm/bucket.h"
#include "lpm/lookup.h"

/* A variant may name its processor, and its own ways to count the keys that are less than an address. */
#ifndef LPM_PROCESSOR
#define LPM_PROCESSOR
#define LPM_KEYS4_BEFORE lpm_keys4_before
#define LPM_KEYS6_BEFORE lpm_keys6_before
#define LPM_LINE_BEFORE  lpm_line_before
#endif

#define LPM_STAGE LPM_PROCESSOR static inline __attribute__((always_inline))

/* Lanes of a burst. Not of bytes, which might be anything else in memory to the compiler. A loop that
 * fills a list writes every lane to its end, and moves the end for those that it lists: free of
 * branches. It counts in a variable of its own, as a count in memory would be waited for in every turn. */
struct lpm_list {
    unsigned count;
    uint16_t lanes[LPM_LANES + 1]; /* one more, which a lane that is not listed is written to */
};

/* One burst under way. */
struct lpm_lanes {
    const struct lpm_layer *layer[LPM_LANES];
    const struct lpm_node *node[LPM_LANES];
    uint32_t fallback[LPM_LANES];
    uint32_t slot[LPM_LANES];
    uint32_t bit[LPM_LANES];  /* of the touched ones */
    uint64_t high[LPM_LANES]; /* IPv6: the address */
    uint64_t low[LPM_LANES];
    struct lpm_list touched; /* by their layer */
    uint64_t small;          /* bit: the base was found without a direct table */
    uint64_t settled;        /* bit: the layer has decided */
};

/* --- Layers ------------------------------------------------------------------------------------ */

/* True when all FIBs have one base. */
LPM_STAGE bool lpm_load_layers(struct lpm_lanes *lanes, const struct lpm_fib *const *fibs,
                               unsigned n)
{
    uintptr_t difference = 0;

    for (unsigned i = 0; i < n; i++) {
        lanes->layer[i] = lpm_fib_layer(fibs[i]);
        __builtin_prefetch(lanes->layer[i]);
    }
    for (unsigned i = 1; i < n; i++)
        difference |= (uintptr_t)lanes->layer[i]->table ^ (uintptr_t)lanes->layer[0]->table;
    return difference == 0;
}

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

/* The lanes of the list touched, on their way through the ranges. */
struct lpm_search {
    const struct lpm_ranges *ranges[LPM_LANES];
    union {
        const uint32_t *bottom4[LPM_LANES];
        const uint64_t *bottom6[LPM_LANES];
    };
};

/* Which lanes their layers touch, and the ranges of those. */
LPM_STAGE void lpm_load_ranges(struct lpm_lanes *lanes, struct lpm_search *search, unsigned n)
{
    struct lpm_list *touched = &lanes->touched;
    unsigned count = 0;

    for (unsigned i = 0; i < n; i++) {
        touched->lanes[count] = (uint16_t)i;
        count += lpm_layer_touches(lanes->layer[i], lanes->bit[i]);
    }
    touched->count = count;
    for (unsigned j = 0; j < count; j++) {
        search->ranges[j] = lpm_rcu_dereference(&lanes->layer[touched->lanes[j]]->ranges);
        __builtin_prefetch(search->ranges[j]);
        __builtin_prefetch(search->ranges[j] + 1);
    }
}

/* A base without a direct table gets the node of "no route" for now. */
LPM_STAGE void lpm_load_slots(struct lpm_lanes *lanes, unsigned n, bool one_base)
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
    lanes->settled = 0;
}

LPM_STAGE void lpm_load_bases(struct lpm_lanes *lanes, struct lpm_search *search,
                              const struct lpm_fib *const *fibs, unsigned n)
{
    bool one_base = lpm_load_layers(lanes, fibs, n);

    lpm_load_ranges(lanes, search, n);
    if (one_base)
        lpm_load_slots(lanes, n, true);
    else
        lpm_load_slots(lanes, n, false);
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

/* --- Ranges ------------------------------------------------------------------------------------ */

LPM_STAGE uint32_t lpm_settled_value(const struct lpm_layer *layer, uint32_t value, lpm_key address,
                                     const struct lpm_ranges *ranges)
{
    const struct lpm_table *table = layer->table;

    if (__builtin_expect(value & LPM_VALUE_SLOW, 0))
        return lpm_ranges_settle(ranges, value, address, table->window, &table->routes);
    return value;
}

LPM_STAGE void lpm_descend4(const struct lpm_lanes *lanes, struct lpm_search *search,
                            const uint32_t *addresses)
{
    const struct lpm_list *touched = &lanes->touched;

    for (unsigned j = 0; j < touched->count; j++) {
        const struct lpm_ranges *ranges = search->ranges[j];
        uint32_t address = addresses[touched->lanes[j]];
        uint32_t node = 0;

        for (uint32_t level = ranges->levels; level-- > 0;)
            node = node * LPM_FANOUT +
                   LPM_KEYS4_BEFORE(lpm_ranges_keys4(ranges, level, node), address);
        search->bottom4[j] = lpm_ranges_bottom4(ranges, node);
        __builtin_prefetch(search->bottom4[j]);
        __builtin_prefetch(search->bottom4[j] + LPM_FANOUT);
    }
}

LPM_STAGE void lpm_settle4(struct lpm_lanes *lanes, const struct lpm_search *search,
                           const uint32_t *addresses, uint32_t *leaves)
{
    const struct lpm_list *touched = &lanes->touched;
    uint64_t settled = 0;

    for (unsigned j = 0; j < touched->count; j++) {
        unsigned lane = touched->lanes[j];
        uint32_t value = lpm_settled_value(
            lanes->layer[lane],
            lpm_bottom4_value(search->bottom4[j],
                              LPM_KEYS4_BEFORE(search->bottom4[j], addresses[lane])),
            (lpm_key)addresses[lane] << 96, search->ranges[j]);

        leaves[lane] = value == LPM_ENTRY_INHERIT ? leaves[lane] : value;
        settled |= (uint64_t)(value != LPM_ENTRY_INHERIT) << lane;
    }
    lanes->settled = settled;
}

LPM_STAGE void lpm_descend6(const struct lpm_lanes *lanes, struct lpm_search *search)
{
    const struct lpm_list *touched = &lanes->touched;

    for (unsigned j = 0; j < touched->count; j++) {
        const struct lpm_ranges *ranges = search->ranges[j];
        uint64_t high = lanes->high[touched->lanes[j]];
        uint32_t node = 0;

        for (uint32_t level = ranges->levels; level-- > 0;)
            node =
                node * LPM_FANOUT + LPM_KEYS6_BEFORE(lpm_ranges_keys6(ranges, level, node), high);
        search->bottom6[j] = lpm_ranges_bottom6(ranges, node);
        for (unsigned at = 0; at < LPM_BOTTOM6; at += LPM_LINE)
            __builtin_prefetch((const char *)search->bottom6[j] + at);
    }
}

LPM_STAGE void lpm_settle6(struct lpm_lanes *lanes, const struct lpm_search *search,
                           uint32_t *leaves)
{
    const struct lpm_list *touched = &lanes->touched;
    uint64_t settled = 0;

    for (unsigned j = 0; j < touched->count; j++) {
        unsigned lane = touched->lanes[j];
        uint32_t value = lpm_settled_value(
            lanes->layer[lane],
            lpm_bottom6_value(search->bottom6[j],
                              LPM_KEYS6_BEFORE(search->bottom6[j], lanes->high[lane])),
            (lpm_key)lanes->high[lane] << 64 | lanes->low[lane], search->ranges[j]);

        leaves[lane] = value == LPM_ENTRY_INHERIT ? leaves[lane] : value;
        settled |= (uint64_t)(value != LPM_ENTRY_INHERIT) << lane;
    }
    lanes->settled = settled;
}

/* --- Buckets ----------------------------------------------------------------------------------- */

/* Lanes that came to a bucket. */
struct lpm_found {
    unsigned count;
    uint16_t lanes[LPM_LANES + 1];
    uint32_t entries[LPM_LANES + 1];
    uint32_t addresses[LPM_LANES + 1]; /* 32 bits from the bucket's place on */
};

/* Where nodes and buckets are: all in one window, or each lane's in that of its own FIB. */
struct lpm_windows {
    bool one;
    const char *window;
};

LPM_STAGE const char *lpm_lane_window(const struct lpm_lanes *lanes, struct lpm_windows windows,
                                      unsigned lane)
{
    return windows.one ? windows.window : lanes->layer[lane]->table->window;
}

/* Lines of found, and which of them have bottoms. */
LPM_STAGE void lpm_find_lines(const struct lpm_lanes *lanes, struct lpm_windows windows,
                              const struct lpm_found *found, const uint32_t *lines[LPM_LANES],
                              struct lpm_list *tall)
{
    unsigned n = found->count, count = 0;

    for (unsigned j = 0; j < n; j++) {
        uint32_t entry = found->entries[j];
        enum lpm_bucket_form form = lpm_bucket_form(entry);

        lines[j] = lpm_bucket_at(lpm_lane_window(lanes, windows, found->lanes[j]), entry);
        __builtin_prefetch(lpm_bucket_second(lines[j], form));
        tall->lanes[count] = (uint16_t)j;
        count += lpm_bucket_has_bottoms(form);
    }
    tall->count = count;
}

LPM_STAGE void lpm_find_bottoms(const struct lpm_found *found, const struct lpm_list *tall,
                                const uint32_t *lines[LPM_LANES])
{
    unsigned n = tall->count;

    for (unsigned k = 0; k < n; k++) {
        unsigned j = tall->lanes[k];
        enum lpm_bucket_form form = lpm_bucket_form(found->entries[j]);
        uint32_t address = found->addresses[j];
        const uint32_t *second = lpm_bucket_second(lines[j], form);
        unsigned place = LPM_LINE_BEFORE(lines[j], LPM_BUCKET_FIRST_KEYS, address) +
                         LPM_LINE_BEFORE(second, lpm_bucket_second_keys(form), address);

        lines[j] = second + LPM_BUCKET_WORDS * (1 + place);
        __builtin_prefetch(lines[j]);
    }
}

LPM_STAGE void lpm_search_buckets(const struct lpm_lanes *lanes, struct lpm_windows windows,
                                  const struct lpm_found *found, uint32_t *leaves)
{
    const uint32_t *lines[LPM_LANES];
    unsigned n = found->count;
    struct lpm_list tall;

    lpm_find_lines(lanes, windows, found, lines, &tall);
    lpm_find_bottoms(found, &tall, lines);
    for (unsigned j = 0; j < n; j++) {
        enum lpm_bucket_form form = lpm_bucket_form(found->entries[j]);
        unsigned place = LPM_LINE_BEFORE(lines[j], lpm_bucket_keys(form), found->addresses[j]);

        leaves[found->lanes[j]] = lines[j][lpm_bucket_values(form) + place];
    }
}

/* --- Walks ------------------------------------------------------------------------------------- */

/* Lanes whose entries are nodes. */
struct lpm_walkers {
    unsigned count;
    uint16_t lanes[LPM_LANES + 1];
    uint32_t entries[LPM_LANES + 1];
    uint64_t bits[LPM_LANES + 1]; /* of the address, from the node's depth on */
};

#define LPM_WALKER_BITS (LPM_STRIDE + LPM_BUCKET_BITS) /* that a step needs */

/* 64 bits of a lane's address from depth on; what is beyond it is 0. */
LPM_STAGE uint64_t lpm_bits_at(const struct lpm_lanes *lanes, unsigned lane, unsigned depth)
{
    if (depth == 0)
        return lanes->high[lane];
    if (depth < 64)
        return lanes->high[lane] << depth | lanes->low[lane] >> (64 - depth);
    return lanes->low[lane] << depth % 64;
}

/* One step of all walkers. What comes to a bucket is added to found. */
LPM_STAGE void lpm_step(const struct lpm_lanes *lanes, struct lpm_windows windows,
                        struct lpm_walkers *walkers, struct lpm_found *found, uint32_t *leaves)
{
    unsigned n = walkers->count, left = 0, buckets = found->count;

    for (unsigned j = 0; j < n; j++) {
        unsigned lane = walkers->lanes[j];
        const char *window = lpm_lane_window(lanes, windows, lane);
        uint64_t bits = walkers->bits[j];
        uint32_t entry = lpm_node_slot(lpm_node_at(window, walkers->entries[j]),
                                       (unsigned)(bits >> (64 - LPM_STRIDE)));

        leaves[lane] = entry;
        lpm_entry_prefetch(window, entry);
        walkers->lanes[left] = (uint16_t)lane;
        walkers->entries[left] = entry;
        walkers->bits[left] = bits << LPM_STRIDE;
        left += lpm_entry_is_node(entry);
        found->lanes[buckets] = (uint16_t)lane;
        found->entries[buckets] = entry;
        found->addresses[buckets] = (uint32_t)(bits >> (64 - LPM_WALKER_BITS));
        buckets += lpm_entry_is_bucket(entry);
    }
    walkers->count = left;
    found->count = buckets;
}

/* All walkers, whose nodes and bits are of depth, to the leaf or a bucket. */
LPM_STAGE void lpm_walk(const struct lpm_lanes *lanes, struct lpm_windows windows,
                        struct lpm_walkers *walkers, struct lpm_found *found, unsigned depth,
                        uint32_t *leaves)
{
    unsigned valid = 64; /* of their bits */

    for (; walkers->count > 0; depth += LPM_STRIDE, valid -= LPM_STRIDE) {
        if (valid < LPM_WALKER_BITS) {
            for (unsigned j = 0; j < walkers->count; j++)
                walkers->bits[j] = lpm_bits_at(lanes, walkers->lanes[j], depth);
            valid = 64;
        }
        lpm_step(lanes, windows, walkers, found, leaves);
    }
}

/* All n lanes, whose entries are at depth. */
LPM_STAGE void lpm_walk_all(const struct lpm_lanes *lanes, struct lpm_windows windows,
                            unsigned depth, uint32_t *leaves, unsigned n)
{
    struct lpm_walkers walkers;
    struct lpm_found found;
    unsigned nodes = 0, buckets = 0;

    for (unsigned i = 0; i < n; i++) {
        uint64_t bits = lpm_bits_at(lanes, i, depth);

        walkers.lanes[nodes] = (uint16_t)i;
        walkers.entries[nodes] = leaves[i];
        walkers.bits[nodes] = bits;
        nodes += lpm_entry_is_node(leaves[i]);
        found.lanes[buckets] = (uint16_t)i;
        found.entries[buckets] = leaves[i];
        found.addresses[buckets] = (uint32_t)(bits >> (64 - LPM_BUCKET_BITS));
        buckets += lpm_entry_is_bucket(leaves[i]);
    }
    walkers.count = nodes;
    found.count = buckets;
    lpm_walk(lanes, windows, &walkers, &found, depth, leaves);
    lpm_search_buckets(lanes, windows, &found, leaves);
}

/* The lanes of bases without a direct table that no layer has settled, from the root. */
LPM_STAGE void lpm_walk_small(struct lpm_lanes *lanes, uint32_t *leaves, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        const struct lpm_table *table = lanes->layer[i]->table;
        bool open = (lanes->small & ~lanes->settled) >> i & 1;
        uint32_t root = atomic_load_explicit(&table->root, memory_order_acquire);

        leaves[i] = open ? root : leaves[i];
        lpm_entry_prefetch(table->window, leaves[i]);
    }
    lpm_walk_all(lanes, (struct lpm_windows){0}, 0, leaves, n);
}

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

/* What is longer than 24 bits, and bases without a direct table: apart from the straight way. */
LPM_STAGE void lpm_walk4(struct lpm_lanes *lanes, const uint32_t *addresses, uint32_t *leaves,
                         unsigned n)
{
    lpm_spread4(lanes, addresses, n);
    lpm_walk_all(lanes, (struct lpm_windows){0}, LPM_DIRECT_BITS + LPM_STRIDE, leaves, n);
    if (lanes->small)
        lpm_walk_small(lanes, leaves, n);
}

LPM_STAGE void lpm_look_up4(const struct lpm_fib *const *fibs, const uint32_t *addresses,
                            uint32_t *leaves, unsigned n)
{
    struct lpm_lanes lanes;
    struct lpm_search search;
    uint32_t any = 0;

    for (unsigned i = 0; i < n; i++) {
        lanes.bit[i] = lpm_touched_bit4(addresses[i]);
        lanes.slot[i] = addresses[i] >> (32 - LPM_DIRECT_BITS);
    }
    lpm_load_bases(&lanes, &search, fibs, n);
    lpm_descend4(&lanes, &search, addresses);
    for (unsigned i = 0; i < n; i++) {
        leaves[i] = lpm_node_slot(lanes.node[i], lpm_chunk4(addresses[i]));
        any |= leaves[i];
    }
    lpm_settle4(&lanes, &search, addresses, leaves);
    if (!lpm_entry_is_leaf(any) || lanes.small)
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
    if (!lpm_entry_is_leaf(any))
        lpm_walk_one4(table->window, addresses, leaves, n);
    lpm_fall_back_one(fallback, leaves, n);
}

/* Without a direct table. Apart, so that it takes no registers from the straight way. */
LPM_PROCESSOR static __attribute__((noinline)) void lpm_one_root4(const struct lpm_table *table,
                                                                  uint32_t fallback,
                                                                  const uint32_t *addresses,
                                                                  uint32_t *leaves, unsigned n)
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
    for (unsigned i = 0; i < n; i++) {
        leaves[i] = lpm_node_slot(nodes[i], lpm_chunk4(addresses[i]));
        any |= leaves[i];
    }
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
    struct lpm_lanes lanes;
    struct lpm_search search;

    lpm_spread6(&lanes, addresses, n);
    for (unsigned i = 0; i < n; i++) {
        lanes.bit[i] = lpm_touched_bit6(lanes.high[i]);
        lanes.slot[i] = (uint32_t)(lanes.high[i] >> (64 - LPM_DIRECT_BITS));
    }
    lpm_load_bases(&lanes, &search, fibs, n);
    lpm_descend6(&lanes, &search);
    for (unsigned i = 0; i < n; i++) {
        leaves[i] = lpm_node_slot(lanes.node[i], lpm_chunk6(lanes.high[i]));
        lpm_entry_prefetch(lanes.layer[i]->table->window, leaves[i]);
    }
    lpm_settle6(&lanes, &search, leaves);
    lpm_walk_all(&lanes, (struct lpm_windows){0}, LPM_DIRECT_BITS + LPM_STRIDE, leaves, n);
    if (lanes.small)
        lpm_walk_small(&lanes, leaves, n);
    lpm_fall_back(&lanes, leaves, n);
}

/* --- One IPv6 base ----------------------------------------------------------------------------- */

LPM_PROCESSOR static __attribute__((noinline)) void lpm_one_root6(const struct lpm_table *table,
                                                                  uint32_t fallback,
                                                                  const uint8_t (*addresses)[16],
                                                                  uint32_t *leaves, unsigned n)
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
