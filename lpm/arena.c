/*
 * The arena and its window of address space.
 *
 *      window ------------------------------------------------------------> window_size
 *      |  extents that the arena asked for, in order    |  reserved, not accessible   |
 *      ^ first page: cell 0 and nothing else, so that reference 0 is free to mean "none"
 *
 * The window is reserved without access, which costs no memory and no commit charge, and opened
 * as extents are asked for through jemalloc's hooks. jemalloc keeps and reuses what it got (retained
 * extents), so the only thing that is ever given back piecemeal is the content of unused pages.
 */
#include "lpm/arena.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#ifdef FINGERPOST_SANITIZE

#define CELLS_MOST ((size_t)1 << 24)
#define LINE       64 /* jemalloc's sizes that are a multiple of this are aligned to it */

int lpm_arena_open(struct lpm_memory *memory)
{
    memory->window_size = CELLS_MOST * sizeof(void *);
    memory->window = mmap(NULL, memory->window_size, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory->window == MAP_FAILED)
        return -ENOMEM;
    *(void **)(void *)memory->window = calloc(1, LPM_CELL_FIRST);
    memory->next_cell = 1;
    if (lpm_memory_at(memory->window, 0))
        return 0;
    munmap(memory->window, memory->window_size);
    return -ENOMEM;
}

void lpm_arena_close(struct lpm_memory *memory)
{
    free(lpm_memory_at(memory->window, 0));
    munmap(memory->window, memory->window_size);
}

void *lpm_arena_take(struct lpm_memory *memory, size_t size, bool zero)
{
    void *block = size % LINE == 0 ? aligned_alloc(LINE, size) : malloc(size);

    (void)memory;
    if (block && zero)
        memset(block, 0, size);
    return block;
}

void lpm_arena_give_back(struct lpm_memory *memory, void *block, size_t size)
{
    (void)memory;
    (void)size;
    free(block);
}

size_t lpm_memory_size(size_t size)
{
    return size;
}

size_t lpm_memory_free_bytes(const struct lpm_memory *memory)
{
    (void)memory;
    return 0;
}

/* A free slot of the pointer table holds the number of the next free one. */
uint32_t lpm_arena_name(struct lpm_memory *memory, void *block)
{
    void **slots = (void **)(void *)memory->window;
    uint32_t cell = memory->free_cell;

    if (cell)
        memory->free_cell = (uint32_t)(uintptr_t)slots[cell];
    else if (memory->next_cell < CELLS_MOST)
        cell = memory->next_cell++;
    else
        return 0;
    slots[cell] = block;
    return cell;
}

void lpm_arena_unname(struct lpm_memory *memory, uint32_t cell)
{
    void **slots = (void **)(void *)memory->window;

    slots[cell] = (void *)(uintptr_t)memory->free_cell;
    memory->free_cell = cell;
}

#else

#include <jemalloc/jemalloc.h>

#define WINDOW_MOST  ((size_t)8 << 30) /* all that 30 bits of reference can name */
#define WINDOW_LEAST ((size_t)64 << 20)
#define PAGE         4096
#define HUGE_PAGE    ((size_t)2 << 20)

/* jemalloc hands the hooks' address back to them, which is how they find their window. */
struct hooks {
    extent_hooks_t extent; /* first */
    struct lpm_memory *memory;
};

static size_t round_up(size_t value, size_t unit)
{
    return (value + unit - 1) / unit * unit;
}

/* Makes the window accessible up to end. In whole huge pages, because the kernel gives one only where
 * all of it is accessible when it is first touched. */
static bool open_window(struct lpm_memory *memory, size_t end)
{
    size_t open = round_up(end, HUGE_PAGE);

    if (open > memory->window_size)
        open = memory->window_size;
    if (open <= memory->window_open)
        return true;
    if (mprotect(memory->window + memory->window_open, open - memory->window_open,
                 PROT_READ | PROT_WRITE) < 0)
        return false;
    memory->window_open = open;
    return true;
}

static void *extent_alloc(extent_hooks_t *extent, void *where, size_t size, size_t alignment,
                          bool *zero, bool *commit, unsigned arena)
{
    struct lpm_memory *memory = ((struct hooks *)(void *)extent)->memory;
    uintptr_t start = round_up((uintptr_t)memory->window + memory->window_used, alignment);
    size_t end = start + size - (uintptr_t)memory->window;

    (void)arena;
    if (end > memory->window_size || (where && where != (void *)start))
        return NULL;
    if (!open_window(memory, end))
        return NULL;
    memory->window_used = end;
    *zero = true;
    *commit = true;
    return (void *)start;
}

/* Extents may be cut and joined at will: the window is one mapping. */
static bool extent_split(extent_hooks_t *extent, void *where, size_t size, size_t left,
                         size_t right, bool committed, unsigned arena)
{
    (void)extent, (void)where, (void)size, (void)left, (void)right, (void)committed, (void)arena;
    return false;
}

static bool extent_merge(extent_hooks_t *extent, void *left, size_t left_size, void *right,
                         size_t right_size, bool committed, unsigned arena)
{
    (void)extent, (void)left, (void)left_size, (void)right, (void)right_size;
    (void)committed, (void)arena;
    return false;
}

static bool extent_purge(extent_hooks_t *extent, void *where, size_t size, size_t offset,
                         size_t length, unsigned arena)
{
    (void)extent, (void)size, (void)arena;
    return madvise((char *)where + offset, length, MADV_DONTNEED) != 0;
}

static int reserve_window(struct lpm_memory *memory)
{
    for (size_t size = WINDOW_MOST; size >= WINDOW_LEAST; size /= 2) {
        char *window =
            mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

        if (window == MAP_FAILED)
            continue;
        if (mprotect(window, PAGE, PROT_READ | PROT_WRITE) < 0) {
            munmap(window, size);
            continue;
        }
        madvise(window, size, MADV_HUGEPAGE); /* good to have; no loss without */
        memory->window = window;
        memory->window_size = size;
        memory->window_used = PAGE;
        memory->window_open = PAGE;
        return 0;
    }
    return -ENOMEM;
}

int lpm_arena_open(struct lpm_memory *memory)
{
    extent_hooks_t *installed;
    struct hooks *hooks;
    size_t length = sizeof(unsigned);

    if (reserve_window(memory) < 0)
        return -ENOMEM;
    /* At the window's very end, where it lives as long as the arena that points to it. */
    memory->window_size -= PAGE;
    hooks = (struct hooks *)(void *)(memory->window + memory->window_size);
    if (mprotect(hooks, PAGE, PROT_READ | PROT_WRITE) < 0)
        goto unmap;
    hooks->memory = memory;
    hooks->extent = (extent_hooks_t){
        .alloc = extent_alloc,
        .split = extent_split,
        .merge = extent_merge,
        .purge_forced = extent_purge,
    };
    installed = &hooks->extent;
    if (mallctl("arenas.create", &memory->arena, &length, &installed, sizeof(installed)) != 0)
        goto unmap;
    if (mallctl("tcache.create", &memory->thread_cache, &length, NULL, 0) == 0)
        return 0;
unmap:
    munmap(memory->window, memory->window_size + PAGE);
    return -ENOMEM;
}

static void arena_control(const char *format_head, unsigned arena, const char *action)
{
    char name[64];

    snprintf(name, sizeof(name), "%s.%u.%s", format_head, arena, action);
    mallctl(name, NULL, NULL, NULL, 0);
}

void lpm_arena_close(struct lpm_memory *memory)
{
    mallctl("tcache.destroy", NULL, NULL, &memory->thread_cache, sizeof(memory->thread_cache));
    arena_control("arena", memory->arena, "destroy");
    munmap(memory->window, memory->window_size + PAGE);
}

static int flags(const struct lpm_memory *memory)
{
    return MALLOCX_ARENA(memory->arena) | MALLOCX_TCACHE(memory->thread_cache);
}

void *lpm_arena_take(struct lpm_memory *memory, size_t size, bool zero)
{
    return mallocx(size, flags(memory) | (zero ? MALLOCX_ZERO : 0));
}

void lpm_arena_give_back(struct lpm_memory *memory, void *block, size_t size)
{
    sdallocx(block, size, flags(memory));
}

/* jemalloc's size classes for small requests. The accounts ask at every allocation and every burial,
 * which are most of what a change of one route does, so the answer must cost less than a call. */
#define SMALL_MOST   LPM_CELL_MOST

static uint16_t small_sizes[SMALL_MOST / LPM_CELL_UNIT + 1];

__attribute__((constructor)) static void fill_small_sizes(void)
{
    for (size_t units = 1; units <= SMALL_MOST / LPM_CELL_UNIT; units++)
        small_sizes[units] = (uint16_t)nallocx(units * LPM_CELL_UNIT, 0);
}

size_t lpm_memory_size(size_t size)
{
    if (size <= SMALL_MOST)
        return small_sizes[(size + LPM_CELL_UNIT - 1) / LPM_CELL_UNIT];
    return nallocx(size, 0);
}

size_t lpm_memory_free_bytes(const struct lpm_memory *memory)
{
    size_t taken = memory->deferred;

    for (int kind = 0; kind < LPM_MEMORY_KINDS; kind++)
        taken += memory->bytes[kind];
    return memory->window_used > taken ? memory->window_used - taken : 0;
}

uint32_t lpm_arena_name(struct lpm_memory *memory, void *block)
{
    return (uint32_t)((size_t)((char *)block - memory->window) / LPM_CELL_UNIT);
}

void lpm_arena_unname(struct lpm_memory *memory, uint32_t cell)
{
    (void)memory;
    (void)cell;
}

#endif
