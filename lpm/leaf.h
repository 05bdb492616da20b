/*
 * Leaf cells: nodes of a single run that is a leaf, one for each leaf in use.
 *
 * Where readers want every entry to name a node, so that they need not ask which entries do, a
 * leaf cell stands for the leaf (see direct.h). All that want the same leaf share one cell, so the
 * cells in use fit into the first-level cache. Cell 0 stands for leaf 0: it is there from the start,
 * is never freed, and makes zeroed memory mean "no route".
 */
#ifndef LPM_LEAF_H
#define LPM_LEAF_H

#include "lpm/node.h"

/* Writes cell 0. For a memory that has just been opened. */
void lpm_leaf_begin(struct lpm_memory *memory);

/* The cell of leaf with one reference more, or LPM_ENTRY_FAILED. */
uint32_t lpm_leaf_get(struct lpm_memory *memory, uint32_t leaf);
/* One reference less; the last one buries the cell. */
void lpm_leaf_put(struct lpm_memory *memory, uint32_t cell);

static inline uint32_t lpm_leaf_of(const char *window, uint32_t cell)
{
    return lpm_node_entry(lpm_node_at(window, cell), 0);
}

#endif
