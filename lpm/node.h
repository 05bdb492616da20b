/*
 * What readers walk: nodes of 6-bit strides with their runs of equal slots packed (after Asai and
 * Ohara, "Poptrie", SIGCOMM 2015).
 *
 * An entry is 32 bits: a leaf, or a reference to a node or to a bucket (bucket.h). A node stands for 64
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

#define LPM_ENTRY_NODE    0x80000000u /* the other 30 bits are a reference */
#define LPM_ENTRY_BUCKET  0xc0000000u /* the same, and a form */
#define LPM_ENTRY_INHERIT 0x40000000u /* no entry of a node: the base decides (see ranges.h) */
#define LPM_ENTRY_FAILED  0x40000001u /* writer only: no memory */
#define LPM_ENTRY_UNKNOWN 0x40000002u /* writer only: not looked up */

#define LPM_ENTRY_CELL 0x3fffffffu

/* Buckets begin with cache lines, so the lowest three bits of their references are free for the form.
 * Sanitizer builds count cells instead of bytes, and never so many of them. */
#ifdef FINGERPOST_SANITIZE
#define LPM_ENTRY_FORM_SHIFT 28
#else
#define LPM_ENTRY_FORM_SHIFT 0
#endif
#define LPM_ENTRY_FORM (3u << LPM_ENTRY_FORM_SHIFT)

struct lpm_node {
    uint64_t runs;       /* with references: struct lpm_cell */
    uint32_t references; /* writer only */
    uint32_t entries[];
};

size_t lpm_node_cell_size(const void *cell);

static inline bool lpm_entry_is_leaf(uint32_t entry)
{
    return (entry & LPM_ENTRY_NODE) == 0;
}

static inline bool lpm_entry_is_node(uint32_t entry)
{
    return entry >> 30 == LPM_ENTRY_NODE >> 30;
}

static inline bool lpm_entry_is_bucket(uint32_t entry)
{
    return entry >> 30 == LPM_ENTRY_BUCKET >> 30;
}

/* The cell of a bucket. */
static inline uint32_t lpm_bucket_cell(uint32_t entry)
{
    return entry & LPM_ENTRY_CELL & ~LPM_ENTRY_FORM;
}

/* The cell of a node or a bucket. */
static inline uint32_t lpm_entry_cell(uint32_t entry)
{
    return lpm_entry_is_bucket(entry) ? lpm_bucket_cell(entry) : entry & LPM_ENTRY_CELL;
}

static inline uint32_t lpm_entry_of_bucket(uint32_t cell, unsigned form)
{
    return LPM_ENTRY_BUCKET | form << LPM_ENTRY_FORM_SHIFT | cell;
}

static inline const struct lpm_node *lpm_node_at(const char *window, uint32_t entry)
{
    return (const struct lpm_node *)lpm_memory_at(window, entry & LPM_ENTRY_CELL);
}

/* For any entry; a leaf costs a useless prefetch instead of a branch, and the form of a bucket is a
 * place in its first line. Sanitizer builds keep no nodes in the window and look at what stands there. */
static inline void lpm_entry_prefetch(const char *window, uint32_t entry)
{
#ifdef FINGERPOST_SANITIZE
    (void)window;
    (void)entry;
#else
    __builtin_prefetch(window + (size_t)(entry & LPM_ENTRY_CELL) * 8);
#endif
}

static inline uint32_t lpm_node_slot(const struct lpm_node *node, unsigned chunk)
{
    /* Places count from 1. */
    size_t place = (size_t)__builtin_popcountll(node->runs << (~chunk % LPM_SLOTS));
    const char *entries = (const char *)node + offsetof(struct lpm_node, entries);
    uint32_t entry;

    memcpy(&entry, entries + (place - 1) * sizeof(entry), sizeof(entry));
    return entry;
}

/* Makes a node of 64 slots, taking over a reference from each slot that is a node; a node of
 * nothing but one leaf is that leaf. LPM_ENTRY_FAILED when there is no memory, all slots released.
 */
uint32_t lpm_node_make(struct lpm_memory *memory, const uint32_t slots[LPM_SLOTS]);
/* Any entry. */
uint32_t lpm_node_retain(struct lpm_memory *memory, uint32_t entry);
/* Any entry. The last reference buries the node or bucket and releases what it names. */
void lpm_node_release(struct lpm_memory *memory, uint32_t entry);

#endif
