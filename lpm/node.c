/*
 * Making, counting and releasing the nodes that readers walk.
 */
#include "lpm/node.h"

#include <assert.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

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
    for (unsigned i = 0; i < count; i++) {
        if (lpm_entry_is_node(node->entries[i]))
            lpm_node_release(memory, node->entries[i]);
    }
    lpm_memory_bury(memory, LPM_MEMORY_LOOKUP, entry & ~LPM_ENTRY_NODE);
}

/* Bit c: slot c differs from the one before it; bit 0 always. Making nodes is most of what a change
 * of a route costs, and this was half of that, slot by slot. */
static uint64_t find_edges(const uint32_t slots[LPM_SLOTS])
{
    uint64_t edges = 1;
    unsigned i = 1;

#ifdef __SSE2__
    for (; i + 4 <= LPM_SLOTS; i += 4) {
        __m128i here = _mm_loadu_si128((const __m128i *)(const void *)&slots[i]);
        __m128i before = _mm_loadu_si128((const __m128i *)(const void *)&slots[i - 1]);
        int equal = _mm_movemask_ps(_mm_castsi128_ps(_mm_cmpeq_epi32(here, before)));

        edges |= (uint64_t)(~equal & 15) << i;
    }
#endif
    for (; i < LPM_SLOTS; i++)
        edges |= (uint64_t)(slots[i] != slots[i - 1]) << i;
    return edges;
}

/* Where each run begins. Equal neighbours that are nodes make a run too: the node is named once, so
 * the second reference to it is given up. */
static uint64_t find_runs(struct lpm_memory *memory, const uint32_t slots[LPM_SLOTS])
{
    uint64_t runs = find_edges(slots);

    for (uint64_t same = ~runs; same; same &= same - 1) {
        uint32_t entry = slots[__builtin_ctzll(same)];

        if (lpm_entry_is_node(entry))
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
