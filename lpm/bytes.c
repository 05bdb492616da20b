/*
 * What a FIB costs, found by walking it; and what everything costs, kept by memory.c.
 */
#include "lpm/core.h"

static size_t node_bytes(const char *window, uint32_t entry)
{
    const struct lpm_node *node = lpm_memory_at(window, lpm_entry_cell(entry));
    size_t bytes;

    if (lpm_entry_is_leaf(entry))
        return 0;
    bytes = lpm_memory_size(lpm_entry_bytes(window, entry));
    if (lpm_entry_is_bucket(entry))
        return bytes;
    for (unsigned i = 0; i < lpm_node_count(node); i++)
        bytes += node_bytes(window, lpm_node_entry(node, i));
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
    size_t bytes = lpm_memory_size(lpm_lines(sizeof(*table)));

    if (!table->direct)
        return bytes + node_bytes(table->window, table->root);
    for (uint32_t slot = 0; slot < LPM_DIRECT_SIZE; slot++)
        bytes += node_bytes(table->window, lpm_direct_entry(table->window, table->direct, slot));
    return bytes + lpm_memory_size(LPM_DIRECT_BYTES);
}

static size_t layer_bytes(const struct lpm_layer *layer)
{
    struct lpm_overs overs = lpm_layer_overs(layer);
    const struct lpm_ranges *ranges = lpm_layer_own_ranges(layer);

    return lpm_memory_size(lpm_layer_size(&overs)) + (ranges ? lpm_memory_size(ranges->size) : 0);
}

void lpm_fib_bytes(const struct lpm_fib *fib, struct lpm_fib_bytes *bytes)
{
    const struct lpm_layer *layer = lpm_fib_layer(fib);
    const struct lpm_table *table = layer->table;
    struct lpm_overs overs = lpm_layer_overs(layer);

    bytes->lookup = lpm_memory_size(sizeof(*fib));
    if (lpm_fib_is_base(fib)) {
        bytes->lookup += table_bytes(table);
        bytes->writer = routes_bytes(table->window, table->routes);
        return;
    }
    /* The overrides lie behind the layer in one block, but no lookup reads them. */
    bytes->writer = lpm_overs_bytes(&overs);
    if (layer != &table->plain)
        bytes->lookup += layer_bytes(layer) - bytes->writer;
}

void lpm_bytes(const struct lpm *lpm, struct lpm_bytes *bytes)
{
    bytes->lookup = lpm->memory.bytes[LPM_MEMORY_LOOKUP];
    bytes->writer = lpm->memory.bytes[LPM_MEMORY_WRITER];
    bytes->deferred = lpm->memory.deferred;
    bytes->free = lpm_memory_free_bytes(&lpm->memory);
}
