/*
 * Cells: taking them, burying them, and using them again.
 *
 *      live ---bury---> grave of the open batch ---grace period---> spare ---> live again
 *                       (a pile for each size)                      (a pile for each size)
 *
 * A change of one route takes and buries half a dozen small cells, and a flood of changes buries
 * megabytes before liburcu's next grace period is over. Giving them back one by one would read each,
 * long out of the caches, and take longer than the changes did, all in one call. So a grave has a
 * pile for each size, chained through the cells themselves, and when its grace period has passed the
 * piles are put onto those of spare cells whole: the cost is one store for each size, however many
 * cells there are. Spares beyond LPM_SPARE_MOST go back to the arena, a few at every poll.
 */
#include "lpm/arena.h"

#include <assert.h>

/* Spares given back in one poll. */
#define GIVEN_BACK_MOST 16

static struct lpm_cell *cell_at(const struct lpm_memory *memory, uint32_t cell)
{
    return lpm_memory_at(memory->window, cell);
}

static unsigned pile_of(size_t size)
{
    assert(size <= LPM_CELL_MOST);
    return (unsigned)(size / LPM_CELL_UNIT);
}

static void push(const struct lpm_memory *memory, struct lpm_pile *pile, uint32_t cell)
{
    cell_at(memory, cell)->link = pile->first;
    if (!pile->first)
        pile->last = cell;
    pile->first = cell;
}

static uint32_t pop(const struct lpm_memory *memory, struct lpm_pile *pile)
{
    uint32_t cell = pile->first;

    if (cell)
        pile->first = cell_at(memory, cell)->link;
    return cell;
}

static void give_back(struct lpm_memory *memory, uint32_t cell, size_t size)
{
    void *block = cell_at(memory, cell);

    lpm_arena_unname(memory, cell);
    lpm_arena_give_back(memory, block, size);
}

/* --- Spares ------------------------------------------------------------------------------------ */

#ifdef FINGERPOST_SANITIZE

/* None are kept: a use after free shall be seen. */
static void spare_pile(struct lpm_memory *memory, struct lpm_pile *pile, unsigned at)
{
    for (uint32_t cell = pop(memory, pile); cell; cell = pop(memory, pile))
        give_back(memory, cell, at * (size_t)LPM_CELL_UNIT);
}

static void spare_cell(struct lpm_memory *memory, uint32_t cell, size_t size)
{
    give_back(memory, cell, size);
}

static uint32_t take_spare(struct lpm_memory *memory, size_t size)
{
    (void)memory;
    (void)size;
    return 0;
}

#else

static void spare_pile(struct lpm_memory *memory, struct lpm_pile *pile, unsigned at)
{
    struct lpm_pile *spare = &memory->spares[at];

    cell_at(memory, pile->last)->link = spare->first;
    spare->first = pile->first;
    pile->first = 0;
}

static void spare_cell(struct lpm_memory *memory, uint32_t cell, size_t size)
{
    push(memory, &memory->spares[pile_of(size)], cell);
    memory->spare_bytes += size;
}

static uint32_t take_spare(struct lpm_memory *memory, size_t size)
{
    uint32_t cell = pop(memory, &memory->spares[pile_of(size)]);

    if (cell)
        memory->spare_bytes -= size;
    return cell;
}

#endif

/* True when there are no more than shall be kept. */
static bool give_back_spares(struct lpm_memory *memory)
{
    unsigned left = GIVEN_BACK_MOST;

    for (unsigned at = LPM_CELL_PILES - 1; at > 0 && memory->spare_bytes > LPM_SPARE_MOST; at--) {
        size_t size = at * (size_t)LPM_CELL_UNIT;

        for (; left > 0 && memory->spares[at].first && memory->spare_bytes > LPM_SPARE_MOST; left--)
            give_back(memory, take_spare(memory, size), size);
    }
    return memory->spare_bytes <= LPM_SPARE_MOST;
}

/* --- Cells ------------------------------------------------------------------------------------- */

uint32_t lpm_memory_cell(struct lpm_memory *memory, enum lpm_memory_kind kind, size_t size)
{
    size_t rounded = lpm_memory_size(size);
    uint32_t cell;
    void *block;

    if (!lpm_memory_may_allocate(memory))
        return 0;
    cell = take_spare(memory, rounded);
    if (!cell) {
        block = lpm_arena_take(memory, rounded, false);
        cell = block ? lpm_arena_name(memory, block) : 0;
        if (block && !cell)
            lpm_arena_give_back(memory, block, rounded);
    }
    if (cell)
        memory->bytes[kind] += rounded;
    return cell;
}

void lpm_memory_free_cell(struct lpm_memory *memory, enum lpm_memory_kind kind, uint32_t cell,
                          size_t size)
{
    size = lpm_memory_size(size);
    memory->bytes[kind] -= size;
    spare_cell(memory, cell, size);
}

/* --- Graves ------------------------------------------------------------------------------------ */

static void empty_grave(struct lpm_memory *memory, struct lpm_grave *grave)
{
    for (unsigned at = 0; at < LPM_CELL_PILES; at++) {
        if (grave->piles[at].first)
            spare_pile(memory, &grave->piles[at], at);
    }
#ifndef FINGERPOST_SANITIZE
    memory->spare_bytes += grave->bytes;
#endif
    memory->deferred -= grave->bytes;
    grave->bytes = 0;
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
            lpm_rcu_defer_lazily(head, reclaim_graves);
        }
    }
    if (!give_back_spares(memory) && !memory->burial_pending) {
        memory->burial_pending = true;
        lpm_rcu_again(head, reclaim_graves);
    }
}

/* The grave of the open batch. The other of the two holds at most the batch before it, because all
 * older ones have passed; that is also why a stale grave in our own place may be emptied here. */
static struct lpm_grave *open_grave(struct lpm_memory *memory)
{
    uint64_t batch = lpm_rcu_batch();
    struct lpm_grave *grave = &memory->graves[batch & 1];

    if (grave->stamp != batch) {
        assert(!grave->stamp || lpm_rcu_passed(grave->stamp));
        if (grave->stamp)
            empty_grave(memory, grave);
        grave->stamp = batch;
    }
    if (!memory->burial_pending) {
        memory->burial_pending = true;
        lpm_rcu_defer_lazily(&memory->burial, reclaim_graves);
    }
    return grave;
}

void lpm_memory_bury(struct lpm_memory *memory, enum lpm_memory_kind kind, uint32_t cell,
                     size_t size)
{
    struct lpm_grave *grave = open_grave(memory);

    size = lpm_memory_size(size);
    push(memory, &grave->piles[pile_of(size)], cell);
    grave->bytes += size;
    memory->bytes[kind] -= size;
    memory->deferred += size;
    lpm_rcu_weigh(size);
}
