/*
 * Blocks and their accounts. Cells are in cell.c, the storage of both is in arena.c.
 */
#include "lpm/memory.h"

#include "lpm/arena.h"

#include <assert.h>

bool lpm_memory_may_allocate(struct lpm_memory *memory)
{
    if (memory->fail_after < 0)
        return true;
    if (memory->fail_after == 0)
        return false;
    memory->fail_after--;
    return true;
}

void *lpm_memory_block(struct lpm_memory *memory, enum lpm_memory_kind kind, size_t size)
{
    void *block = lpm_memory_may_allocate(memory) ? lpm_arena_take(memory, size, true) : NULL;

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
    lpm_arena_give_back(memory, block, size);
}

void lpm_memory_defer_block(struct lpm_memory *memory, enum lpm_memory_kind kind, size_t size)
{
    memory->bytes[kind] -= lpm_memory_size(size);
    memory->deferred += lpm_memory_size(size);
    lpm_rcu_weigh(lpm_memory_size(size));
}

void lpm_memory_free_deferred(struct lpm_memory *memory, void *block, size_t size)
{
    memory->deferred -= lpm_memory_size(size);
    lpm_arena_give_back(memory, block, size);
}

int lpm_memory_init(struct lpm_memory *memory)
{
    memory->fail_after = -1;
    return lpm_arena_open(memory);
}

void lpm_memory_exit(struct lpm_memory *memory)
{
    lpm_rcu_barrier();
    assert(!memory->burial_pending);
    lpm_arena_close(memory);
}
