/*
 * What a FIB costs, found by walking it; and what everything costs, kept by memory.c.
 */
#include "lpm/core.h"

/* Nodes under entry that are not under base, which is the base's entry of the same place (0: none).
 * A node that both share always hangs at the same place in both. */
static size_t node_bytes(const struct lpm_table *table, uint32_t entry, uint32_t base,
                         unsigned depth, uint32_t prefix);

/* The base's entry for slot c of the place whose entry is base. */
static uint32_t base_slot(const struct lpm_table *table, uint32_t base, unsigned depth,
                          uint32_t prefix, unsigned c)
{
    if (base == LPM_ENTRY_UNKNOWN && depth + LPM_STRIDE == LPM_DIRECT_BITS)
        return lpm_direct_entry(table->plain.window, table->direct, prefix << LPM_STRIDE | c);
    if (!lpm_entry_is_node(base))
        return base;
    return lpm_node_slot(lpm_node_at(table->plain.window, base), c);
}

static size_t node_bytes(const struct lpm_table *table, uint32_t entry, uint32_t base,
                         unsigned depth, uint32_t prefix)
{
    const struct lpm_node *node;
    unsigned place = 0;
    size_t bytes;

    if (!lpm_entry_is_node(entry) || entry == base)
        return 0;
    node = lpm_node_at(table->plain.window, entry);
    bytes = lpm_memory_size(lpm_node_cell_size(node));
    for (uint64_t runs = node->runs; runs; runs &= runs - 1) {
        unsigned c = (unsigned)__builtin_ctzll(runs);

        bytes += node_bytes(table, node->entries[place++], base_slot(table, base, depth, prefix, c),
                            depth + LPM_STRIDE, prefix << LPM_STRIDE | c);
    }
    return bytes;
}

static size_t routes_bytes(const char *window, uint32_t root)
{
    const struct lpm_routes_node *node = root ? lpm_routes_at(window, root) : NULL;
    size_t bytes = 0;

    if (!node)
        return 0;
    for (unsigned c = 0; c < LPM_SLOTS; c++)
        bytes += routes_bytes(window, lpm_routes_child(node, c));
    return bytes + lpm_memory_size(lpm_routes_cell_size(node));
}

static size_t table_bytes(const struct lpm_table *table)
{
    size_t bytes = lpm_memory_size(sizeof(*table));

    if (!table->direct)
        return bytes + node_bytes(table, table->root, 0, 0, 0);
    for (uint32_t slot = 0; slot < LPM_DIRECT_SIZE; slot++)
        bytes += node_bytes(table, lpm_direct_entry(table->plain.window, table->direct, slot), 0,
                            LPM_DIRECT_BITS, slot);
    return bytes + lpm_memory_size(LPM_DIRECT_BYTES);
}

void lpm_fib_bytes(const struct lpm_fib *fib, struct lpm_fib_bytes *bytes)
{
    const struct lpm_layer *layer = lpm_fib_layer(fib);
    const struct lpm_table *table = layer->table;

    bytes->lookup = lpm_memory_size(sizeof(*fib));
    if (lpm_fib_is_base(fib)) {
        bytes->lookup += table_bytes(table);
        bytes->writer = routes_bytes(layer->window, table->routes);
        return;
    }
    if (layer != &table->plain)
        bytes->lookup += lpm_memory_size(sizeof(*layer)) +
                         node_bytes(table, layer->root, lpm_table_place(table).entry, 0, 0);
    bytes->writer = routes_bytes(layer->window, layer->over);
}

void lpm_bytes(const struct lpm *lpm, struct lpm_bytes *bytes)
{
    bytes->lookup = lpm->memory.bytes[LPM_MEMORY_LOOKUP];
    bytes->writer = lpm->memory.bytes[LPM_MEMORY_WRITER];
    bytes->deferred = lpm->memory.deferred;
    bytes->free = lpm_memory_free_bytes(&lpm->memory);
}
