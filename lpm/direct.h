/*
 * The direct table of a large base: the entries of all 2^18 prefixes of 18 bits, side by side.
 *
 * It replaces the first three nodes of every walk by one load, for 1 MB. Its entries are stored in
 * place, one release store each, so what an entry names is immutable but the table is not: a
 * reader sees each entry before or after a change. Every entry holds one reference to the node it
 * names.
 */
#ifndef LPM_DIRECT_H
#define LPM_DIRECT_H

#include "lpm/build.h"

#include <stdatomic.h>

#define LPM_DIRECT_BYTES (LPM_DIRECT_SIZE * sizeof(uint32_t))

static inline uint32_t lpm_direct_load(const _Atomic uint32_t *direct, uint32_t slot)
{
    return atomic_load_explicit(&direct[slot], memory_order_acquire);
}

struct lpm_store {
    uint32_t slot;
    uint32_t entry;
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
