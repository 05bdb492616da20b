/*
 * What readers walk: nodes of 6-bit strides with their runs of equal slots packed (after Asai and
 * Ohara, "Poptrie", SIGCOMM 2015).
 *
 * An entry is 32 bits: a leaf, or a reference to a node or to a bucket (bucket.h). A node stands for 64
 * slots; bit c of runs is set where slot c differs from slot c - 1, and there is one entry for slot 0
 * and one for each set bit. So slot c is entry popcount(runs & bits 1..c): leaves and
 * children need no separate vectors, and header and entries lie side by side, most often on one
 * cache line.
 *
 *      slots    a a a b b N c c ...        runs  ? 0 0 1 0 1 1 0 ...      entries  a b N c ...
 *
 * Bit 0 of runs says how wide entries are. In nodes of IPv4 whose entries are all leaves of up to 16
 * bits, as most often, they take 2 bytes each and bit 0 is clear; else 4. Nodes of IPv6 have buckets
 * below them, most often, so all are wide: but for leaf cells (leaf.h) nothing has to be asked.
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
    union {
        uint32_t wide[1];
        uint16_t narrow[1];
    } entries; /* as many as there are runs */
};

#define LPM_NODE_WIDE UINT64_C(1) /* of runs */
#define LPM_NODE_HEAD offsetof(struct lpm_node, entries)

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

/* Runs, and so entries. */
static inline unsigned lpm_node_count(const struct lpm_node *node)
{
    return (unsigned)__builtin_popcountll(node->runs | 1);
}

static inline uint32_t lpm_node_entry(const struct lpm_node *node, size_t i)
{
    const char *entries = (const char *)node + LPM_NODE_HEAD;
    uint32_t entry;
    uint16_t leaf;

    if (node->runs & LPM_NODE_WIDE) {
        memcpy(&entry, entries + i * sizeof(entry), sizeof(entry));
        return entry;
    }
    memcpy(&leaf, entries + i * sizeof(leaf), sizeof(leaf));
    return leaf;
}

/* How wide nodes are comes in no order that a branch predictor could learn, so there is no branch: of a
 * narrow node the entry is loaded together with the two bytes before it. These may be the writer's, so
 * the sanitizers must not see it. */
static inline uint32_t lpm_node_slot(const struct lpm_node *node, unsigned chunk)
{
    uint64_t runs = node->runs;
    /* Counts from 1 in a wide node, from 0 in a narrow one. */
    size_t place = (size_t)__builtin_popcountll(runs << (~chunk % LPM_SLOTS));
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ && !defined(FINGERPOST_SANITIZE)
    unsigned wide = runs & LPM_NODE_WIDE;
    uint32_t entry;

    memcpy(&entry, (const char *)node + LPM_NODE_HEAD - 2 - 2 * wide + (place << (1 + wide)),
           sizeof(entry));
    return entry >> (16 - 16 * wide);
#else
    return lpm_node_entry(node, runs & LPM_NODE_WIDE ? place - 1 : place);
#endif
}

/* The same, if the node is narrow; else anything. */
static inline uint32_t lpm_node_narrow_slot(const struct lpm_node *node, uint64_t runs,
                                            unsigned chunk)
{
    size_t place = (size_t)__builtin_popcountll(runs << (~chunk % LPM_SLOTS));
    uint16_t leaf;

    memcpy(&leaf, (const char *)node + LPM_NODE_HEAD + place * sizeof(leaf), sizeof(leaf));
    return leaf;
}

/* The same, if the node is wide. */
static inline uint32_t lpm_node_wide_slot(const struct lpm_node *node, uint64_t runs,
                                          unsigned chunk)
{
    /* Counts from 1. */
    size_t place = (size_t)__builtin_popcountll(runs << (~chunk % LPM_SLOTS));
    uint32_t entry;

    memcpy(&entry, (const char *)node + LPM_NODE_HEAD + (place - 1) * sizeof(entry), sizeof(entry));
    return entry;
}

/* Bytes of what an entry names, a node or a bucket. */
size_t lpm_entry_bytes(const char *window, uint32_t entry);
/* Makes a node of 64 slots, taking over a reference from each slot that is a node; a node of
 * nothing but one leaf is that leaf. narrow: it may be. LPM_ENTRY_FAILED when there is no memory, all slots released.
 */
uint32_t lpm_node_make(struct lpm_memory *memory, const uint32_t slots[LPM_SLOTS], bool narrow);
/* Any entry. */
uint32_t lpm_node_retain(struct lpm_memory *memory, uint32_t entry);
/* Any entry. The last reference buries the node or bucket and releases what it names. */
void lpm_node_release(struct lpm_memory *memory, uint32_t entry);

#endif
