/*
 * Lookup: one address, and arrays of (FIB, address) pairs. The order of the loads is argued in core.c.
 */
#include "lpm/core.h"

#include <assert.h>
#include <endian.h>
#include <string.h>

/* A base's word for the address, and the depth of what it names. */
static inline uint32_t table_entry(const struct lpm_table *table, uint64_t high, unsigned *depth)
{
    const _Atomic uint32_t *direct = atomic_load_explicit(&table->direct, memory_order_acquire);

    *depth = direct ? LPM_DIRECT_BITS : 0;
    if (direct)
        return lpm_direct_load(direct, (uint32_t)(high >> (64 - LPM_DIRECT_BITS)));
    return atomic_load_explicit(&table->root, memory_order_acquire);
}

static inline uint32_t fallback_of(const struct lpm_layer *layer)
{
    if (layer->fallback != LPM_ENTRY_INHERIT)
        return layer->fallback;
    return atomic_load_explicit(&layer->table->fallback, memory_order_acquire);
}

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
    uint32_t fallback = fallback_of(layer);
    uint64_t high = (uint64_t)address << 32;
    uint32_t entry = atomic_load_explicit(&layer->root, memory_order_acquire);
    unsigned depth;

    entry = walk4(layer->window, entry, high, 0);
    if (entry == LPM_ENTRY_INHERIT) {
        entry = table_entry(layer->table, high, &depth);
        entry = walk4(layer->window, entry, high, depth);
    }
    return entry ? entry : fallback;
}

static inline uint32_t lookup6(const struct lpm_fib *fib, lpm_key address)
{
    const struct lpm_layer *layer = lpm_fib_layer(fib);
    uint32_t fallback = fallback_of(layer);
    uint32_t entry = atomic_load_explicit(&layer->root, memory_order_acquire);
    unsigned depth;

    entry = walk6(layer->window, entry, address, 0);
    if (entry == LPM_ENTRY_INHERIT) {
        entry = table_entry(layer->table, (uint64_t)(address >> 64), &depth);
        entry = walk6(layer->window, entry, address, depth);
    }
    return entry ? entry : fallback;
}

static inline lpm_key key6(const uint8_t bytes[16])
{
    uint64_t half[2];

    memcpy(half, bytes, sizeof(half));
    return (lpm_key)be64toh(half[0]) << 64 | be64toh(half[1]);
}

uint32_t lpm_lookup(const struct lpm_fib *fib, const struct lpm_address *address)
{
    assert(address->family == fib->family);
    if (fib->family == LPM_IPV4)
        return lookup4(fib, (uint32_t)(key6(address->bytes) >> 96));
    return lookup6(fib, key6(address->bytes));
}

void lpm_lookup_bulk4(const struct lpm_fib *const *fibs, const uint32_t *addresses,
                      uint32_t *leaves, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        leaves[i] = lookup4(fibs[i], addresses[i]);
}

void lpm_lookup_bulk6(const struct lpm_fib *const *fibs, const uint8_t (*addresses)[16],
                      uint32_t *leaves, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        leaves[i] = lookup6(fibs[i], key6(addresses[i]));
}
