/*
 * Tables: making, filling and freeing them.
 */
#include "lpm/core.h"

struct lpm_table *lpm_table_create(struct lpm *lpm, struct lpm_fib *fib)
{
    struct lpm_table *table =
        lpm_memory_block(&lpm->memory, LPM_MEMORY_LOOKUP, lpm_lines(sizeof(*table)));

    if (!table)
        return NULL;
    table->lpm = lpm;
    table->fib = fib;
    table->plain.fallback = LPM_ENTRY_INHERIT;
    table->plain.table = table;
    table->window = lpm->memory.window;
    table->layers_end = &table->layers;
    table->next = lpm->tables;
    table->before = &lpm->tables;
    if (table->next)
        table->next->before = &table->next;
    lpm->tables = table;
    return table;
}

static void unlist(struct lpm_table *table)
{
    *table->before = table->next;
    if (table->next)
        table->next->before = table->before;
}

void lpm_table_undo(struct lpm_table *table)
{
    unlist(table);
    lpm_memory_free_block(&table->lpm->memory, LPM_MEMORY_LOOKUP, table, lpm_lines(sizeof(*table)));
}

struct lpm_place lpm_table_place(const struct lpm_table *table)
{
    return (struct lpm_place){
        .routes = atomic_load_explicit(&table->routes, memory_order_relaxed),
        .entry = table->direct ? LPM_ENTRY_UNKNOWN
                               : atomic_load_explicit(&table->root, memory_order_relaxed),
    };
}

static void table_reclaim(struct lpm_rcu_head *head)
{
    struct lpm_table *table =
        (struct lpm_table *)(void *)((char *)head - offsetof(struct lpm_table, rcu));
    struct lpm_memory *memory = &table->lpm->memory;

    if (table->direct)
        lpm_memory_free_deferred(memory, table->direct, LPM_DIRECT_BYTES);
    if (table->fib)
        lpm_memory_free_deferred(memory, table->fib, sizeof(*table->fib));
    lpm_memory_free_deferred(memory, table, lpm_lines(sizeof(*table)));
}

/* The nodes go to their graves now and the blocks later: both in the end after a grace period. */
void lpm_table_drop_unused(struct lpm_table *table)
{
    struct lpm_memory *memory = &table->lpm->memory;

    if (table->plain.fibs > 0 || table->layers_count > 0)
        return;
    unlist(table);
    if (table->direct) {
        lpm_direct_clear(memory, table->direct);
        lpm_memory_defer_block(memory, LPM_MEMORY_LOOKUP, LPM_DIRECT_BYTES);
    } else {
        lpm_node_release(memory, table->root);
    }
    lpm_routes_release(memory, table->routes);
    if (table->fib)
        lpm_memory_defer_block(memory, LPM_MEMORY_LOOKUP, sizeof(*table->fib));
    lpm_memory_defer_block(memory, LPM_MEMORY_LOOKUP, lpm_lines(sizeof(*table)));
    lpm_rcu_defer_lazily(&table->rcu, table_reclaim);
}
