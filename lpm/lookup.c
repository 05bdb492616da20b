/*
 * Lookup of one address. The order of the loads is argued in core.c; arrays are looked up in
 * bulk.c.
 */
#include "lpm/lookup.h"

#include "lpm/bucket.h"

#include <assert.h>

static inline uint32_t walk(const char *window, uint32_t entry, lpm_key address, unsigned depth)
{
    address <<= depth;
    while (lpm_entry_is_node(entry)) {
        entry = lpm_node_slot(lpm_node_at(window, entry), (unsigned)(address >> 122));
        address <<= LPM_STRIDE;
    }
    if (lpm_entry_is_bucket(entry))
        return lpm_bucket_look_up(window, entry, (uint32_t)(address >> 96));
    return entry;
}

static uint32_t look_up_base(const struct lpm_table *table, lpm_key address)
{
    unsigned depth;
    uint32_t entry = lpm_table_entry(table, (uint64_t)(address >> 64), &depth);

    return walk(table->window, entry, address, depth);
}

uint32_t lpm_lookup(const struct lpm_fib *fib, const struct lpm_address *address)
{
    const struct lpm_layer *layer = lpm_fib_layer(fib);
    const struct lpm_table *table = layer->table;
    uint32_t fallback = lpm_layer_fallback(layer);
    lpm_key key = lpm_key_of(address->bytes);
    enum lpm_family family = (enum lpm_family)fib->family;
    uint32_t leaf = LPM_ENTRY_INHERIT;

    assert(address->family == fib->family);
    if (lpm_layer_touches(layer, lpm_touched_bit(family, key)))
        leaf = lpm_ranges_look_up(lpm_rcu_dereference(&layer->ranges), family, key, table->window,
                                  &table->routes);
    if (leaf == LPM_ENTRY_INHERIT)
        leaf = look_up_base(table, key);
    return leaf ? leaf : fallback;
}
