/*
 * Where the bytes of memory.h come from: one jemalloc arena per struct lpm, whose extents lie in one
 * reserved window of address space, so that a cell's reference is its place there.
 *
 * Used by memory.c and cell.c only.
 */
#ifndef LPM_ARENA_H
#define LPM_ARENA_H

#include "lpm/memory.h"

/* 0 or -ENOMEM. */
int lpm_arena_open(struct lpm_memory *memory);
void lpm_arena_close(struct lpm_memory *memory);

/* NULL when there is no memory. A size in whole cache lines begins with one. */
void *lpm_arena_take(struct lpm_memory *memory, size_t size, bool zero);
void lpm_arena_give_back(struct lpm_memory *memory, void *block, size_t size);

/* The reference of a block that was taken, or 0 when there is none left; and its end. */
uint32_t lpm_arena_name(struct lpm_memory *memory, void *block);
void lpm_arena_unname(struct lpm_memory *memory, uint32_t cell);

#endif
