/*
 * The arena, its window of address space, the accounts, and the graves.
 *
 *      window ------------------------------------------------------------> window_size
 *      |  extents that the arena asked for, in order    |  reserved, not accessible   |
 *      ^ first page: cell 0 and nothing else, so that reference 0 is free to mean "none"
 *
 * The window is reserved without access, which costs no memory and no commit charge, and opened
 * extent by extent through jemalloc's hooks. jemalloc keeps and reuses what it got (retained
 * extents), so the only thing that is ever given back piecemeal is the content of unused pages.
 */
#include "lpm/memory.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define CELL_UNIT    8
#define WINDOW_MOST  ((size_t)16 << 30) /* all that 31 bits of reference can name */
#define WINDOW_LEAST ((size_t)64 << 20)
#define PAGE         4096

static bool may_allocate(struct lpm_memory *memory)
{
    if (memory->fail_after < 0)
        return true;
    if (memory->fail_after == 0)
        return false;
    memory->fail_after--;
    return true;
}

#ifdef FINGERPOST_SANITIZE

#define CELLS_MOST ((size_t)1 << 24)
#define LINE       64 /* jemalloc's sizes that are a multiple of this are aligned to it */

static int open_storage(struct lpm_memory *memory)
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

static void close_storage(struct lpm_memory *memory)
{
    free(lpm_memory_at(memory->window, 0));
    munmap(memory->window, memory->window_size);
}

static void *take(struct lpm_memory *memory, size_t size, bool zero)
{
    void *block = size % LINE == 0 ? aligned_alloc(LINE, size) : malloc(size);

    (void)memory;
    if (block && zero)
        memset(block, 0, size);
    return block;
}

static void give_back(struct lpm_memory *memory, void *block, size_t size)
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
static uint32_t name_cell(struct lpm_memory *memory, void *block)
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

static void unname_cell(struct lpm_memory *memory, uint32_t cell)
{
    void **slots = (void **)(void *)memory->window;

    slots[cell] = (void *)(uintptr_t)memory->free_cell;
    memory->free_cell = cell;
}

#else

#include <jemalloc/jemalloc.h>

/* jemalloc hands the hooks' address back to them, which is how they find their window. */
struct hooks {
    extent_hooks_t extent; /* first */
    struct lpm_memory *memory;
};

static size_t round_up(size_t value, size_t unit)
{
    return (value + unit - 1) / unit * unit;
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
    if (mprotect((void *)start, size, PROT_READ | PROT_WRITE) < 0)
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
        return 0;
    }
    return -ENOMEM;
}

static int open_storage(struct lpm_memory *memory)
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

static void close_storage(struct lpm_memory *memory)
{
    mallctl("tcache.destroy", NULL, NULL, &memory->thread_cache, sizeof(memory->thread_cache));
    arena_control("arena", memory->arena, "destroy");
    munmap(memory->window, memory->window_size + PAGE);
}

static int flags(const struct lpm_memory *memory)
{
    return MALLOCX_ARENA(memory->arena) | MALLOCX_TCACHE(memory->thread_cache);
}

static void *take(struct lpm_memory *memory, size_t size, bool zero)
{
    return mallocx(size, flags(memory) | (zero ? MALLOCX_ZERO : 0));
}

static void give_back(struct lpm_memory *memory, void *block, size_t size)
{
    sdallocx(block, size, flags(memory));
}

/* jemalloc's size classes for small requests. The accounts ask at every allocation and every burial,
 * which are most of what a change of one route does, so the answer must cost less than a call. */
#define SMALL_MOST 1024

static uint16_t small_sizes[SMALL_MOST / CELL_UNIT + 1];

__attribute__((constructor)) static void fill_small_sizes(void)
{
    for (size_t units = 1; units <= SMALL_MOST / CELL_UNIT; units++)
        small_sizes[units] = (uint16_t)nallocx(units * CELL_UNIT, 0);
}

size_t lpm_memory_size(size_t size)
{
    if (size <= SMALL_MOST)
        return small_sizes[(size + CELL_UNIT - 1) / CELL_UNIT];
    return nallocx(size, 0);
}

size_t lpm_memory_free_bytes(const struct lpm_memory *memory)
{
    size_t taken = memory->deferred;

    for (int kind = 0; kind < LPM_MEMORY_KINDS; kind++)
        taken += memory->bytes[kind];
    return memory->window_used > taken ? memory->window_used - taken : 0;
}

static uint32_t name_cell(struct lpm_memory *memory, void *block)
{
    return (uint32_t)((size_t)((char *)block - memory->window) / CELL_UNIT);
}

static void unname_cell(struct lpm_memory *memory, uint32_t cell)
{
    (void)memory;
    (void)cell;
}

#endif

/* --- Blocks ------------------------------------------------------------------------------------ */

void *lpm_memory_block(struct lpm_memory *memory, enum lpm_memory_kind kind, size_t size)
{
    void *block = may_allocate(memory) ? take(memory, size, true) : NULL;

    if (block)
        memory->bytes[kind] += lpm_memory_size(size);
    return block;
}

void lpm_memory_free_block(struct lpm_memory *memory, enum lpm_memory_kind kind, void *block,
                           size_t size)
{
    if (!block)
        return;
    memory->bytes[kind] -= lpm_memory_size(size);
    give_back(memory, block, size);
}

void lpm_memory_defer_block(struct lpm_memory *memory, enum lpm_memory_kind kind, size_t size)
{
    memory->bytes[kind] -= lpm_memory_size(size);
    memory->deferred += lpm_memory_size(size);
}

void lpm_memory_free_deferred(struct lpm_memory *memory, void *block, size_t size)
{
    memory->deferred -= lpm_memory_size(size);
    give_back(memory, block, size);
}

/* --- Cells ------------------------------------------------------------------------------------- */

#ifdef FINGERPOST_SANITIZE

static void *take_cell(struct lpm_memory *memory, size_t size)
{
    return take(memory, size, false);
}

static void give_back_cell(struct lpm_memory *memory, void *block, size_t size)
{
    give_back(memory, block, size);
}

#else

/* A change of one route takes and gives back half a dozen small cells, and jemalloc's way to a
 * thread cache that is named by number costs more than the change of a cell. So the last few of each
 * size wait at hand, chained through their first word. */
static struct lpm_spare *spare_of(struct lpm_memory *memory, size_t size)
{
    return &memory->spares[size / CELL_UNIT % LPM_SPARE_SIZES];
}

static void *take_cell(struct lpm_memory *memory, size_t size)
{
    struct lpm_spare *spare = spare_of(memory, size);
    void *block = spare->first;

    if (size > LPM_SPARE_MOST || !block)
        return take(memory, size, false);
    memcpy(&spare->first, block, sizeof(spare->first));
    spare->count--;
    return block;
}

static void give_back_cell(struct lpm_memory *memory, void *block, size_t size)
{
    struct lpm_spare *spare = spare_of(memory, size);

    if (size > LPM_SPARE_MOST || spare->count == LPM_SPARE_COUNT) {
        give_back(memory, block, size);
        return;
    }
    memcpy(block, &spare->first, sizeof(spare->first));
    spare->first = block;
    spare->count++;
}

#endif

uint32_t lpm_memory_cell(struct lpm_memory *memory, enum lpm_memory_kind kind, size_t size)
{
    size_t rounded = lpm_memory_size(size);
    void *block = may_allocate(memory) ? take_cell(memory, rounded) : NULL;
    uint32_t cell;

    if (!block)
        return 0;
    cell = name_cell(memory, block);
    if (!cell) {
        give_back_cell(memory, block, rounded);
        return 0;
    }
    memory->bytes[kind] += rounded;
    return cell;
}

static size_t release_cell(struct lpm_memory *memory, enum lpm_memory_kind kind, uint32_t cell)
{
    void *block = lpm_memory_at(memory->window, cell);
    size_t rounded = lpm_memory_size(memory->cell_size[kind](block));

    unname_cell(memory, cell);
    give_back_cell(memory, block, rounded);
    return rounded;
}

void lpm_memory_free_cell(struct lpm_memory *memory, enum lpm_memory_kind kind, uint32_t cell)
{
    memory->bytes[kind] -= release_cell(memory, kind, cell);
}

/* --- Graves ------------------------------------------------------------------------------------ */

static void empty_grave(struct lpm_memory *memory, struct lpm_grave *grave)
{
    for (int kind = 0; kind < LPM_MEMORY_KINDS; kind++) {
        uint32_t cell = grave->first[kind];

        while (cell) {
            struct lpm_cell *header = lpm_memory_at(memory->window, cell);
            uint32_t next = header->link;

            memory->deferred -= release_cell(memory, (enum lpm_memory_kind)kind, cell);
            cell = next;
        }
        grave->first[kind] = 0;
    }
    grave->stamp = 0;
}

static void reclaim_graves(struct lpm_rcu_head *head)
{
    struct lpm_memory *memory =
        (struct lpm_memory *)(void *)((char *)head - offsetof(struct lpm_memory, burial));

    memory->burial_pending = false;
    for (int i = 0; i < 2; i++) {
        struct lpm_grave *grave = &memory->graves[i];

        if (grave->stamp && lpm_rcu_passed(grave->stamp)) {
            empty_grave(memory, grave);
        } else if (grave->stamp && !memory->burial_pending) {
            memory->burial_pending = true;
            lpm_rcu_defer(head, reclaim_graves);
        }
    }
}

/* The grave of the open batch. The other of the two holds at most the batch before it, because all
 * older ones have passed; that is also why a stale grave in our own place may be emptied here. */
static struct lpm_grave *open_grave(struct lpm_memory *memory)
{
    uint64_t stamp = lpm_rcu_stamp();
    struct lpm_grave *grave = &memory->graves[stamp & 1];

    if (grave->stamp != stamp) {
        assert(!grave->stamp || lpm_rcu_passed(grave->stamp));
        empty_grave(memory, grave);
        grave->stamp = stamp;
    }
    if (!memory->burial_pending) {
        memory->burial_pending = true;
        lpm_rcu_defer(&memory->burial, reclaim_graves);
    }
    return grave;
}

void lpm_memory_bury(struct lpm_memory *memory, enum lpm_memory_kind kind, uint32_t cell)
{
    struct lpm_grave *grave = open_grave(memory);
    struct lpm_cell *header = lpm_memory_at(memory->window, cell);
    size_t size = lpm_memory_size(memory->cell_size[kind](header));

    header->link = grave->first[kind];
    grave->first[kind] = cell;
    memory->bytes[kind] -= size;
    memory->deferred += size;
}

/* --- Life -------------------------------------------------------------------------------------- */

int lpm_memory_init(struct lpm_memory *memory)
{
    memory->fail_after = -1;
    return open_storage(memory);
}

void lpm_memory_exit(struct lpm_memory *memory)
{
    lpm_rcu_barrier();
    assert(!memory->burial_pending);
    close_storage(memory);
}
