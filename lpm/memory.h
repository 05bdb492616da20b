/*
 * Where every byte of the trie comes from, and how it goes back.
 *
 * Two kinds of storage, both from one jemalloc arena per struct lpm:
 *   - blocks: plain pointers, for the few large or long-lived structures;
 *   - cells:  trie nodes, named by a 32-bit reference instead of a pointer, which halves the
 *             tables that readers walk. The arena's memory lies in one reserved window of address
 *             space, and a reference is the cell's distance from the window's start in 8-byte units.
 *
 * Cell 0 is there from the start: LPM_CELL_FIRST bytes of zeros that are never freed. No reference
 * that lpm_memory_cell() returns is 0.
 *
 * A cell that readers may still hold is buried: it stays as it is until a grace period has passed.
 *
 * Sanitizers cannot look into jemalloc's arenas. With FINGERPOST_SANITIZE every block and cell is
 * its own malloc(), and the window is a table of pointers that the references index, so that a use
 * after free is seen at the very node.
 */
#ifndef LPM_MEMORY_H
#define LPM_MEMORY_H

#include "lpm/rcu.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LPM_CELL_FIRST 64

enum lpm_memory_kind {
    LPM_MEMORY_LOOKUP, /* read on the packet path */
    LPM_MEMORY_WRITER,
    LPM_MEMORY_KINDS,
};

/* How every cell begins. While it lives both words are its own; once buried, link names the next
 * cell of its pile. Readers use first only. */
struct lpm_cell {
    uint64_t first;
    uint32_t link;
};

/* Cells are of at most so many bytes, in units of LPM_CELL_UNIT. */
#define LPM_CELL_UNIT  8
#define LPM_CELL_MOST  2048
#define LPM_CELL_PILES (LPM_CELL_MOST / LPM_CELL_UNIT + 1)

/* Bytes of cells that are kept at hand for the next changes, in all sizes together. */
#define LPM_SPARE_MOST ((size_t)16 << 20)

/* Cells of one size, chained through their links; last counts while first is not 0. */
struct lpm_pile {
    uint32_t first, last;
};

/* Cells that died in one grace period's batch, a pile for each size. */
struct lpm_grave {
    uint64_t stamp; /* lpm_rcu_batch() */
    size_t bytes;
    struct lpm_pile piles[LPM_CELL_PILES];
};

/* Leaf cells by leaf; leaf.c owns it. */
struct lpm_leaves {
    uint32_t *cells;
    uint32_t room; /* a power of two, or 0 */
    uint32_t count;
};

struct lpm_memory {
    char *window;
    size_t window_size;
    size_t window_used;
    size_t window_open; /* accessible */
    unsigned arena;
    unsigned thread_cache;
    uint32_t free_cell;                     /* sanitizer builds: chain of free references */
    uint32_t next_cell;                     /* sanitizer builds: first reference never used */
    struct lpm_pile spares[LPM_CELL_PILES]; /* by size in units */
    size_t spare_bytes;
    size_t bytes[LPM_MEMORY_KINDS];
    size_t deferred;
    struct lpm_grave graves[2]; /* by stamp & 1: one gathering, one waiting */
    struct lpm_rcu_head burial;
    bool burial_pending;
    struct lpm_leaves leaves;
    long fail_after; /* tests: this many more allocations succeed; -1: all */
};

/* 0 or -ENOMEM. */
int lpm_memory_init(struct lpm_memory *memory);
/* Everything must have been freed or buried; waits for what is buried. */
void lpm_memory_exit(struct lpm_memory *memory);
/* False when a test wants this allocation to fail. */
bool lpm_memory_may_allocate(struct lpm_memory *memory);

/* Zeroed; NULL when there is no memory. A size in whole cache lines begins with one. */
void *lpm_memory_block(struct lpm_memory *memory, enum lpm_memory_kind kind, size_t size);
void lpm_memory_free_block(struct lpm_memory *memory, enum lpm_memory_kind kind, void *block,
                           size_t size);
/* Moves a block to the deferred account; free it later by lpm_memory_free_deferred(). */
void lpm_memory_defer_block(struct lpm_memory *memory, enum lpm_memory_kind kind, size_t size);
void lpm_memory_free_deferred(struct lpm_memory *memory, void *block, size_t size);

/* Reference of a new cell, or 0. Not zeroed. */
uint32_t lpm_memory_cell(struct lpm_memory *memory, enum lpm_memory_kind kind, size_t size);
/* For a cell of that size that no reader has ever seen. */
void lpm_memory_free_cell(struct lpm_memory *memory, enum lpm_memory_kind kind, uint32_t cell,
                          size_t size);
/* For a cell that readers may hold: freed after a grace period. */
void lpm_memory_bury(struct lpm_memory *memory, enum lpm_memory_kind kind, uint32_t cell,
                     size_t size);

/* Bytes that a request of size takes. */
size_t lpm_memory_size(size_t size);
/* Bytes got from the system that are neither live nor deferred. */
size_t lpm_memory_free_bytes(const struct lpm_memory *memory);

static inline void *lpm_memory_at(const char *window, uint32_t cell)
{
#ifdef FINGERPOST_SANITIZE
    return ((void *const *)(const void *)window)[cell];
#else
    return (char *)(uintptr_t)(window + (size_t)cell * 8);
#endif
}

#endif
