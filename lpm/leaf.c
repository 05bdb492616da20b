/*
 * Leaf cells by leaf: an open hash table of cells, at most half full.
 */
#include "lpm/leaf.h"

#include <assert.h>

#define ROOM_LEAST 16

static struct lpm_node *writable(struct lpm_memory *memory, uint32_t cell)
{
    return lpm_memory_at(memory->window, cell);
}

void lpm_leaf_begin(struct lpm_memory *memory)
{
    struct lpm_node *node = writable(memory, 0);

    node->runs = 0;
    node->entries.narrow[0] = 0;
}

static uint32_t home_of(const struct lpm_leaves *leaves, uint32_t leaf)
{
    return (leaf * UINT32_C(2654435761) >> 7) & (leaves->room - 1);
}

/* The place of leaf, or the free one where it would be. */
static uint32_t *find_place(const struct lpm_memory *memory, const struct lpm_leaves *leaves,
                            uint32_t leaf)
{
    uint32_t at = home_of(leaves, leaf);

    while (leaves->cells[at] && lpm_leaf_of(memory->window, leaves->cells[at]) != leaf)
        at = (at + 1) & (leaves->room - 1);
    return &leaves->cells[at];
}

static bool make_room(struct lpm_memory *memory)
{
    struct lpm_leaves old = memory->leaves;
    struct lpm_leaves grown = {.room = old.room ? old.room * 2 : ROOM_LEAST, .count = old.count};

    if (old.count < old.room / 2)
        return true;
    grown.cells = lpm_memory_block(memory, LPM_MEMORY_WRITER, grown.room * sizeof(uint32_t));
    if (!grown.cells)
        return false;
    for (uint32_t i = 0; i < old.room; i++) {
        if (old.cells[i])
            *find_place(memory, &grown, lpm_leaf_of(memory->window, old.cells[i])) = old.cells[i];
    }
    lpm_memory_free_block(memory, LPM_MEMORY_WRITER, old.cells, old.room * sizeof(uint32_t));
    memory->leaves = grown;
    return true;
}

static uint32_t make_cell(struct lpm_memory *memory, uint32_t leaf)
{
    bool wide = leaf > UINT16_MAX;
    size_t size = LPM_NODE_HEAD + (wide ? sizeof(uint32_t) : sizeof(uint16_t));
    uint32_t cell = make_room(memory) ? lpm_memory_cell(memory, LPM_MEMORY_LOOKUP, size) : 0;
    struct lpm_node *node;

    if (!cell)
        return LPM_ENTRY_FAILED;
    node = writable(memory, cell);
    node->runs = wide ? LPM_NODE_WIDE : 0;
    node->references = 1;
    if (wide)
        node->entries.wide[0] = leaf;
    else
        node->entries.narrow[0] = (uint16_t)leaf;
    *find_place(memory, &memory->leaves, leaf) = cell;
    memory->leaves.count++;
    return cell;
}

uint32_t lpm_leaf_get(struct lpm_memory *memory, uint32_t leaf)
{
    uint32_t cell;

    if (leaf == 0)
        return 0;
    cell = memory->leaves.room ? *find_place(memory, &memory->leaves, leaf) : 0;
    if (!cell)
        return make_cell(memory, leaf);
    writable(memory, cell)->references++;
    return cell;
}

/* Cells that stand behind a free place move up, so that every cell is found from its home. */
static void close_gap(const struct lpm_memory *memory, struct lpm_leaves *leaves, uint32_t gap)
{
    uint32_t mask = leaves->room - 1;

    for (uint32_t at = (gap + 1) & mask; leaves->cells[at]; at = (at + 1) & mask) {
        uint32_t home = home_of(leaves, lpm_leaf_of(memory->window, leaves->cells[at]));

        if (((at - home) & mask) < ((at - gap) & mask))
            continue;
        leaves->cells[gap] = leaves->cells[at];
        gap = at;
    }
    leaves->cells[gap] = 0;
}

void lpm_leaf_put(struct lpm_memory *memory, uint32_t cell)
{
    struct lpm_leaves *leaves = &memory->leaves;
    struct lpm_node *node = writable(memory, cell);

    if (cell == 0)
        return;
    assert(node->references > 0);
    if (--node->references > 0)
        return;
    close_gap(memory, leaves,
              (uint32_t)(find_place(memory, leaves, lpm_node_entry(node, 0)) - leaves->cells));
    lpm_memory_bury(memory, LPM_MEMORY_LOOKUP, cell,
                    lpm_entry_bytes(memory->window, LPM_ENTRY_NODE | cell));
    if (--leaves->count > 0)
        return;
    lpm_memory_free_block(memory, LPM_MEMORY_WRITER, leaves->cells,
                          leaves->room * sizeof(uint32_t));
    *leaves = (struct lpm_leaves){0};
}
