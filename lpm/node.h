/*
 * What readers walk: nodes of 6-bit strides with their runs of equal slots packed (after Asai and
 * Ohara, "Poptrie", SIGCOMM 2015).
 *
 * An entry is 32 bits: a leaf or a reference to a node. A node stands for 64
 * slots; bit c of runs is set where slot c differs from slot c - 1 (bit 0 always), and entries[]
 * has one entry per set bit. So slot c is entries[popcount(runs & bits 0..c) - 1]: leaves and
 * children need no separate vectors, and header and entries lie side by side, most often on one
 * cache line.
 *
 *      slots    a a a b b N c c ...        runs  1 0 0 1 0 1 1 0 ...      entries  a b N c ...
 *
 * A node is never changed once published. Nodes are counted, because the state before an update and
 * the one after it share them; only the writer counts.
 */
#ifndef LPM_NODE_H
#define LPM_NODE_H

#include "lpm/memory.h"
#include "lpm/routes.h"

#define LPM_ENTRY_NODE    0x80000000u /* the other 31 bits are a reference */
#define LPM_ENTRY_INHERIT 0x40000000u /* no entry of a node: the base decides (see ranges.h) */
#define LPM_ENTRY_FAILED  0x40000001u /* writer only: no memory */
#define LPM_ENTRY_UNKNOWN 0x40000002u /* writer only: not looked up */

struct lpm_node {
    uint64_t runs;       /* with references: struct lpm_cell */
    uint32_t references; /* writer only */
    uint32_t entries[];
};

size_t lpm_node_cell_size(const void *cell);

static inline bool lpm_entry_is_node(uint32_t entry)
{
    return (entry & LPM_ENTRY_NODE) != 0;
}

static inline const struct lpm_node *lpm_node_at(const char *window, uint32_t entry)
{
    return (const struct lpm_node *)lpm_memory_at(window, entry & ~LPM_ENTRY_NODE);
}

/* For any entry; one that is no node costs a useless prefetch instead of a branch. Sanitizer
 * builds keep no nodes in the window and look at what stands there. */
static inline void lpm_node_prefetch(const char *window, uint32_t entry)
{
#ifdef FINGERPOST_SANITIZE
    (void)window;
    (void)entry;
#else
    __builtin_prefetch(window + (size_t)(entry & ~LPM_ENTRY_NODE) * 8);
#endif
}

static inline uint32_t lpm_node_slot(const struct lpm_node *node, unsigned chunk)
{
    return node->entries[__builtin_popcountll(node->runs << (LPM_SLOTS - 1 - chunk)) - 1];
}

/* Makes a node of 64 slots, taking over a reference from each slot that is a node; a node of
 * nothing but one leaf is that leaf. LPM_ENTRY_FAILED when there is no memory, all slots released.
 */
uint32_t lpm_node_make(struct lpm_memory *memory, const uint32_t slots[LPM_SLOTS]);
uint32_t lpm_node_retain(struct lpm_memory *memory, uint32_t entry);
/* Any entry. The last reference buries the node and releases what it names. */
void lpm_node_release(struct lpm_memory *memory, uint32_t entry);

#endif
