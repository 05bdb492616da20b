/*
 * Making, counting and releasing the nodes that readers walk.
 */
#include "lpm/node.h"

#include "lpm/spread.h"

#include <assert.h>

static size_t size_of_node(bool wide, unsigned entries)
{
    return LPM_NODE_HEAD + entries * (wide ? sizeof(uint32_t) : sizeof(uint16_t));
}

size_t lpm_entry_bytes(const char *window, uint32_t entry)
{
    const struct lpm_node *node = lpm_memory_at(window, lpm_entry_cell(entry));

    if (lpm_entry_is_bucket(entry))
        return (size_t)node->runs;
    return size_of_node(node->runs & LPM_NODE_WIDE, lpm_node_count(node));
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
    for (unsigned i = 0; i < lpm_node_count(node) && node->runs & LPM_NODE_WIDE; i++)
        lpm_node_release(memory, lpm_node_entry(node, i));
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
    lpm_memory_bury(memory, LPM_MEMORY_LOOKUP, lpm_entry_cell(entry),
                    lpm_entry_bytes(memory->window, entry));
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

static void fill(struct lpm_node *node, const uint32_t slots[LPM_SLOTS], uint64_t runs, bool wide)
{
    char *entries = (char *)node + LPM_NODE_HEAD;

    node->runs = (runs & ~LPM_NODE_WIDE) | wide;
    node->references = 1;
    for (; wide && runs; runs &= runs - 1, entries += sizeof(uint32_t))
        memcpy(entries, &slots[__builtin_ctzll(runs)], sizeof(uint32_t));
    for (; runs; runs &= runs - 1, entries += sizeof(uint16_t)) {
        uint16_t leaf = (uint16_t)slots[__builtin_ctzll(runs)];

        memcpy(entries, &leaf, sizeof(leaf));
    }
}

/* Is there an entry that takes more than 16 bits? */
static bool any_wide(const uint32_t slots[LPM_SLOTS])
{
    uint32_t all = 0;

    for (unsigned c = 0; c < LPM_SLOTS; c++)
        all |= slots[c];
    return all > UINT16_MAX;
}

uint32_t lpm_node_make(struct lpm_memory *memory, const uint32_t slots[LPM_SLOTS], bool narrow)
{
    uint64_t runs = find_runs(memory, slots);
    unsigned count = (unsigned)__builtin_popcountll(runs);
    bool wide = !narrow || any_wide(slots);
    uint32_t cell;

    if (count == 1 && lpm_entry_is_leaf(slots[0]))
        return slots[0];
    cell = lpm_memory_cell(memory, LPM_MEMORY_LOOKUP, size_of_node(wide, count));
    if (!cell) {
        release_runs(memory, slots, runs);
        return LPM_ENTRY_FAILED;
    }
    fill(lpm_memory_at(memory->window, cell), slots, runs, wide);
    return LPM_ENTRY_NODE | cell;
}
