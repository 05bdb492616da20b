/*
 * Lookup of one address. The order of the loads is argued in core.c; arrays are looked up in
 * bulk.c.
 */
#include "lpm/lookup.h"

#include <assert.h>

/* IPv4: the address is at the top of 64 bits, so a chunk is a shift away, and none lies beyond. */
static inline uint32_t walk4(const char *window, uint32_t entry, uint64_t address, unsigned depth)
{
    address <<= depth;
    while (lpm_entry_is_node(entry)) {
        entry = lpm_node_slot(lpm_node_at(window, entry), (unsigned)(address >> 58));
        address <<= LPM_STRIDE;
    }
    return entry;
}

static inline uint32_t walk6(const char *window, uint32_t entry, lpm_key address, unsigned depth)
{
    address <<= depth;
    while (lpm_entry_is_node(entry)) {
        entry = lpm_node_slot(lpm_node_at(window, entry), (unsigned)(address >> 122));
        address <<= LPM_STRIDE;
    }
    return entry;
}

static inline uint32_t lookup4(const struct lpm_fib *fib, uint32_t address)
{
    const struct lpm_layer *layer = lpm_fib_layer(fib);
    uint32_t fallback = lpm_layer_fallback(layer);
    uint64_t high = (uint64_t)address << 32;
    uint32_t entry = atomic_load_explicit(&layer->root, memory_order_acquire);
    unsigned depth;

    entry = walk4(layer->window, entry, high, 0);
    if (entry == LPM_ENTRY_INHERIT) {
        entry = lpm_table_entry(layer->table, high, &depth);
        entry = walk4(layer->window, entry, high, depth);
    }
    return entry ? entry : fallback;
}

static inline uint32_t lookup6(const struct lpm_fib *fib, lpm_key address)
{
    const struct lpm_layer *layer = lpm_fib_layer(fib);
    uint32_t fallback = lpm_layer_fallback(layer);
    uint32_t entry = atomic_load_explicit(&layer->root, memory_order_acquire);
    unsigned depth;

    entry = walk6(layer->window, entry, address, 0);
    if (entry == LPM_ENTRY_INHERIT) {
        entry = lpm_table_entry(layer->table, (uint64_t)(address >> 64), &depth);
        entry = walk6(layer->window, entry, address, depth);
    }
    return entry ? entry : fallback;
}

uint32_t lpm_lookup(const struct lpm_fib *fib, const struct lpm_address *address)
{
    assert(address->family == fib->family);
    if (fib->family == LPM_IPV4)
        return lookup4(fib, (uint32_t)(lpm_key_of(address->bytes) >> 96));
    return lookup6(fib, lpm_key_of(address->bytes));
}
