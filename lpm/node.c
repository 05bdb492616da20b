/*
 * Making, counting and releasing the nodes that readers walk.
 */
#include "lpm/node.h"

#include "lpm/spread.h"

#include <assert.h>

static size_t size_of_node(unsigned entries)
{
    return offsetof(struct lpm_node, entries) + entries * sizeof(uint32_t);
}

size_t lpm_node_cell_size(const void *cell)
{
    const struct lpm_node *node = cell;

    if (!(node->runs & 1)) /* a bucket */
        return (size_t)(node->runs >> 1);
    return size_of_node((unsigned)__builtin_popcountll(node->runs));
}

static struct lpm_node *writable(struct lpm_memory *memory, uint32_t entry)
{
    return lpm_memory_at(memory->window, lpm_entry_cell(entry));
}

uint32_t lpm_node_retain(struct lpm_memory *memory, uint32_t entry)
{
    if (!lpm_entry_is_leaf(entry))
        writable(memory, entry)->references++;
    return entry;
}

static void release_entries(struct lpm_memory *memory, const struct lpm_node *node)
{
    unsigned count = (unsigned)__builtin_popcountll(node->runs);

    for (unsigned i = 0; i < count; i++) {
        if (!lpm_entry_is_leaf(node->entries[i]))
            lpm_node_release(memory, node->entries[i]);
    }
}

void lpm_node_release(struct lpm_memory *memory, uint32_t entry)
{
    struct lpm_node *node;

    if (lpm_entry_is_leaf(entry))
        return;
    node = writable(memory, entry);
    assert(node->references > 0);
    if (--node->references > 0)
        return;
    if (lpm_entry_is_node(entry))
        release_entries(memory, node);
    lpm_memory_bury(memory, LPM_MEMORY_LOOKUP, lpm_entry_cell(entry));
}

/* Where each run begins. Equal neighbours that are no leaves make a run too: what they name is named
 * once, so the second reference to it is given up. */
static uint64_t find_runs(struct lpm_memory *memory, const uint32_t slots[LPM_SLOTS])
{
    uint64_t runs = lpm_spread_edges(slots);

    for (uint64_t same = ~runs; same; same &= same - 1) {
        uint32_t entry = slots[__builtin_ctzll(same)];

        if (!lpm_entry_is_leaf(entry))
            lpm_node_release(memory, entry);
    }
    return runs;
}

static void release_runs(struct lpm_memory *memory, const uint32_t slots[LPM_SLOTS], uint64_t runs)
{
    for (; runs; runs &= runs - 1)
        lpm_node_release(memory, slots[__builtin_ctzll(runs)]);
}

uint32_t lpm_node_make(struct lpm_memory *memory, const uint32_t slots[LPM_SLOTS])
{
    uint64_t runs = find_runs(memory, slots);
    unsigned count = (unsigned)__builtin_popcountll(runs);
    struct lpm_node *node;
    uint32_t cell;

    if (count == 1 && lpm_entry_is_leaf(slots[0]))
        return slots[0];
    cell = lpm_memory_cell(memory, LPM_MEMORY_LOOKUP, size_of_node(count));
    if (!cell) {
        release_runs(memory, slots, runs);
        return LPM_ENTRY_FAILED;
    }
    node = lpm_memory_at(memory->window, cell);
    node->runs = runs;
    node->references = 1;
    count = 0;
    for (; runs; runs &= runs - 1)
        node->entries[count++] = slots[__builtin_ctzll(runs)];
    return LPM_ENTRY_NODE | cell;
}
