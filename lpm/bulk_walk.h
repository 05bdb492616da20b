/*
 * Stages of a bulk lookup below the first node: step by step to leaves and buckets, and through those.
 */
#ifndef LPM_BULK_WALK_H
#define LPM_BULK_WALK_H

#include "lpm/bucket.h"
#include "lpm/bulk_lanes.h"

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
        const struct lpm_node *node = lpm_node_at(window, walkers->entries[j]);
        unsigned chunk = (unsigned)(bits >> (64 - LPM_STRIDE));
        uint32_t entry = node->runs & LPM_NODE_WIDE ? lpm_node_wide_slot(node, node->runs, chunk)
                                                    : lpm_node_narrow_slot(node, node->runs, chunk);

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

#endif
