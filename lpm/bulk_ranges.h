/*
 * Stages of a bulk lookup through the ranges of layers, for the lanes that their layers touch.
 */
#ifndef LPM_BULK_RANGES_H
#define LPM_BULK_RANGES_H

#include "lpm/bulk_lanes.h"

/* The lanes of the list touched, on their way. */
struct lpm_search {
    const struct lpm_ranges *ranges[LPM_LANES];
    union {
        const struct lpm_bottom4 *bottom4[LPM_LANES];
        const struct lpm_bottom6 *bottom6[LPM_LANES];
    };
};

LPM_STAGE void lpm_prefetch_lines(const void *first, size_t bytes)
{
    for (size_t at = 0; at < bytes; at += LPM_LINE)
        __builtin_prefetch((const char *)first + at);
}

/* root_bytes: of the root's keys. */
LPM_STAGE void lpm_load_ranges(const struct lpm_lanes *lanes, struct lpm_search *search,
                               size_t root_bytes)
{
    const struct lpm_list *touched = &lanes->touched;

    for (unsigned j = 0; j < touched->count; j++) {
        search->ranges[j] = lpm_rcu_dereference(&lanes->layer[touched->lanes[j]]->ranges);
        lpm_prefetch_lines(search->ranges[j] + 1, root_bytes);
    }
}

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
        const uint32_t *root = lpm_ranges_root4(ranges)->keys;
        uint32_t address = addresses[touched->lanes[j]];
        uint32_t node = LPM_LINE_BEFORE(root, LPM_KEYS_ROOT, address);

        for (uint32_t level = root[0]; level-- > 0;)
            node = node * LPM_FANOUT + LPM_LINE_BEFORE(lpm_ranges_node4(ranges, level, node)->keys,
                                                       LPM_KEYS_ALL, address);
        search->bottom4[j] = lpm_ranges_bottom4(ranges, node);
        __builtin_prefetch(search->bottom4[j]);
    }
}

LPM_STAGE uint32_t lpm_bottom4_value(const struct lpm_bottom4 *bottom, uint32_t address)
{
    return bottom->values[LPM_LINE_BEFORE(bottom->keys, LPM_BOTTOM4_KEYS, address)];
}

LPM_STAGE uint32_t lpm_bottom6_value(const struct lpm_bottom6 *bottom, uint64_t high)
{
    return bottom->values[LPM_LINES_BEFORE(bottom->keys, LPM_BOTTOM6_KEYS, high)];
}

LPM_STAGE void lpm_settle4(struct lpm_lanes *lanes, const struct lpm_search *search,
                           const uint32_t *addresses, uint32_t *leaves)
{
    const struct lpm_list *touched = &lanes->touched;
    uint64_t settled = 0;

    for (unsigned j = 0; j < touched->count; j++) {
        unsigned lane = touched->lanes[j];
        uint32_t value = lpm_settled_value(lanes->layer[lane],
                                           lpm_bottom4_value(search->bottom4[j], addresses[lane]),
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
        const uint64_t *root = lpm_ranges_root6(ranges)->keys;
        uint64_t high = lanes->high[touched->lanes[j]];
        uint32_t node = LPM_LINES_BEFORE(root, LPM_KEYS_ROOT, high);

        for (uint64_t level = root[0]; level-- > 0;)
            node = node * LPM_FANOUT +
                   LPM_LINES_BEFORE(lpm_ranges_node6(ranges, (uint32_t)level, node)->keys,
                                    LPM_KEYS_ALL, high);
        search->bottom6[j] = lpm_ranges_bottom6(ranges, node);
        lpm_prefetch_lines(search->bottom6[j], sizeof(struct lpm_bottom6));
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
            lanes->layer[lane], lpm_bottom6_value(search->bottom6[j], lanes->high[lane]),
            (lpm_key)lanes->high[lane] << 64 | lanes->low[lane], search->ranges[j]);

        leaves[lane] = value == LPM_ENTRY_INHERIT ? leaves[lane] : value;
        settled |= (uint64_t)(value != LPM_ENTRY_INHERIT) << lane;
    }
    lanes->settled = settled;
}

#endif
