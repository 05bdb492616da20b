/*
 * The direct table of a large base: the entries of all 2^18 prefixes of 18 bits, side by side.
 *
 * It replaces the first three nodes of every walk by one load, for 1 MB. Its slots are stored in
 * place, one release store each, so what a slot names is immutable but the table is not: a reader
 * sees each slot before or after a change.
 *
 * Every slot names a node, whatever it shows, so that a burst of lookups goes on without asking
 * which of them are done: half of the slots of a full table are leaves, in no order that a branch
 * predictor could learn. A slot that shows a node is the node's entry; a slot that shows a leaf is
 * the reference of its leaf cell, which lacks the mark LPM_ENTRY_NODE. A slot holds one reference to
 * what it names.
 */
#ifndef LPM_DIRECT_H
#define LPM_DIRECT_H

#include "lpm/build.h"
#include "lpm/leaf.h"

#include <stdatomic.h>

#define LPM_DIRECT_BYTES (LPM_DIRECT_SIZE * sizeof(uint32_t))

static inline uint32_t lpm_direct_load(const _Atomic uint32_t *direct, uint32_t slot)
{
    return atomic_load_explicit(&direct[slot], memory_order_acquire);
}

/* The node that a slot names. */
static inline const struct lpm_node *lpm_direct_node(const char *window, uint32_t named)
{
    return lpm_node_at(window, named & ~LPM_ENTRY_NODE);
}

/* What a slot shows: a leaf or a node. */
static inline uint32_t lpm_direct_entry(const char *window, const _Atomic uint32_t *direct,
                                        uint32_t slot)
{
    uint32_t named = lpm_direct_load(direct, slot);

    return lpm_entry_is_node(named) ? named : lpm_leaf_of(window, named);
}

struct lpm_store {
    uint32_t slot;
    uint32_t named; /* with the slot's reference to it */
};

/* Stores that are ready to be made: all that can fail has been done. */
struct lpm_stores {
    struct lpm_memory *memory;
    struct lpm_store *items; /* few, until they are too many for it */
    size_t count;
    size_t capacity;
    struct lpm_store few[4]; /* as a change of a long prefix makes them */
};

/* An empty list; it may not be moved from here on. */
void lpm_stores_init(struct lpm_stores *stores, struct lpm_memory *memory);

/* Two states of the routes: the one that direct shows and the one that it shall show. */
struct lpm_direct_step {
    enum lpm_family family;
    const _Atomic uint32_t *direct;
    uint32_t before;
    uint32_t after;
};

/* Adds the stores for every slot that key/length touches and that differs. 0 or -ENOMEM. */
int lpm_direct_prepare(struct lpm_stores *stores, const struct lpm_direct_step *step, lpm_key key,
                       unsigned length);
/* Makes the stores and releases what they replace; empties the list. */
void lpm_direct_commit(struct lpm_stores *stores, _Atomic uint32_t *direct);
void lpm_direct_abandon(struct lpm_stores *stores);
/* Releases all that the table names (not the table). */
void lpm_direct_clear(struct lpm_memory *memory, const _Atomic uint32_t *direct);

#endif
