/*
 * Making, counting and releasing the nodes that readers walk.
 */
#include "lpm/node.h"

#include <assert.h>

static size_t size_of_node(unsigned entries)
{
    return offsetof(struct lpm_node, entries) + entries * sizeof(uint32_t);
}

size_t lpm_node_cell_size(const void *cell)
{
    const struct lpm_node *node = cell;

    return size_of_node((unsigned)__builtin_popcountll(node->runs));
}

static struct lpm_node *writable(struct lpm_memory *memory, uint32_t entry)
{
    return lpm_memory_at(memory->window, entry & ~LPM_ENTRY_NODE);
}

uint32_t lpm_node_retain(struct lpm_memory *memory, uint32_t entry)
{
    if (lpm_entry_is_node(entry))
        writable(memory, entry)->references++;
    return entry;
}

void lpm_node_release(struct lpm_memory *memory, uint32_t entry)
{
    struct lpm_node *node;
    unsigned count;

    if (!lpm_entry_is_node(entry))
        return;
    node = writable(memory, entry);
    assert(node->references > 0);
    if (--node->references > 0)
        return;
    count = (unsigned)__builtin_popcountll(node->runs);
    for (unsigned i = 0; i < count; i++)
        lpm_node_release(memory, node->entries[i]);
    lpm_memory_bury(memory, LPM_MEMORY_LOOKUP, entry & ~LPM_ENTRY_NODE);
}

/* Where each run begins. Equal neighbours that are nodes make a run too: the node is named once, so
 * the second reference to it is given up. */
static uint64_t find_runs(struct lpm_memory *memory, const uint32_t slots[LPM_SLOTS])
{
    uint64_t runs = 1;

    for (unsigned i = 1; i < LPM_SLOTS; i++) {
        if (slots[i] != slots[i - 1])
            runs |= UINT64_C(1) << i;
        else
            lpm_node_release(memory, slots[i]);
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

    if (count == 1 && !lpm_entry_is_node(slots[0]))
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
