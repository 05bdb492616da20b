/*
 * Preparing and making the stores of a direct table.
 */
#include "lpm/direct.h"

#include <errno.h>
#include <string.h>

#define FEW (sizeof((struct lpm_stores){0}.few) / sizeof(struct lpm_store))

void lpm_stores_init(struct lpm_stores *stores, struct lpm_memory *memory)
{
    stores->memory = memory;
    stores->items = stores->few;
    stores->count = 0;
    stores->capacity = FEW;
}

static void free_items(struct lpm_stores *stores)
{
    if (stores->items != stores->few)
        lpm_memory_free_block(stores->memory, LPM_MEMORY_WRITER, stores->items,
                              stores->capacity * sizeof(*stores->items));
}

static int grow(struct lpm_stores *stores)
{
    size_t capacity = stores->capacity * 4;
    struct lpm_store *items =
        lpm_memory_block(stores->memory, LPM_MEMORY_WRITER, capacity * sizeof(*items));

    if (!items)
        return -ENOMEM;
    memcpy(items, stores->items, stores->count * sizeof(*items));
    free_items(stores);
    stores->items = items;
    stores->capacity = capacity;
    return 0;
}

static int add_store(struct lpm_stores *stores, uint32_t slot, uint32_t named)
{
    if (stores->count == stores->capacity && grow(stores) < 0)
        return -ENOMEM;
    stores->items[stores->count++] = (struct lpm_store){.slot = slot, .named = named};
    return 0;
}

/* Routes at one place, before or after: the node below it and the leaf from above it. */
struct state {
    uint32_t routes;
    uint32_t inherited;
};

static struct state state_below(const char *window, struct state state, unsigned chunk)
{
    const struct lpm_routes_node *node;

    if (!state.routes)
        return state;
    node = lpm_routes_at(window, state.routes);
    return (struct state){
        .routes = lpm_routes_child(node, chunk),
        .inherited = lpm_routes_best(node, chunk, state.inherited),
    };
}

static void drop(struct lpm_memory *memory, uint32_t named)
{
    if (!lpm_entry_is_leaf(named))
        lpm_node_release(memory, named);
    else
        lpm_leaf_put(memory, named);
}

static int add_entry(struct lpm_stores *stores, uint32_t slot, uint32_t entry)
{
    uint32_t named = lpm_entry_is_node(entry) ? entry : lpm_leaf_get(stores->memory, entry);

    if (named == LPM_ENTRY_FAILED)
        return -ENOMEM;
    if (add_store(stores, slot, named) == 0)
        return 0;
    drop(stores->memory, named);
    return -ENOMEM;
}

static int prepare_slot(struct lpm_stores *stores, const struct lpm_direct_step *step,
                        uint32_t slot, struct state before, struct state after)
{
    struct lpm_build build = lpm_build_of(stores->memory, step->family, true);
    uint32_t known = lpm_direct_entry(stores->memory->window, step->direct, slot);
    uint32_t entry = lpm_build_base(&build, LPM_DIRECT_BITS, after.routes, after.inherited,
                                    (struct lpm_place){before.routes, known, before.inherited});

    if (entry == LPM_ENTRY_FAILED)
        return -ENOMEM;
    if (entry != known)
        return add_entry(stores, slot, entry);
    lpm_node_release(stores->memory, entry);
    return 0;
}

/* The slots first .. last (all of 18 bits) that lie under prefix, which has depth bits. */
static int prepare_below(struct lpm_stores *stores, const struct lpm_direct_step *step,
                         unsigned depth, uint32_t prefix, uint32_t first, uint32_t last,
                         struct state before, struct state after)
{
    unsigned shift = LPM_DIRECT_BITS - depth;
    uint32_t low, high;
    int status = 0;

    if (before.routes == after.routes && before.inherited == after.inherited)
        return 0;
    if (depth == LPM_DIRECT_BITS)
        return prepare_slot(stores, step, prefix, before, after);
    shift -= LPM_STRIDE;
    low = prefix << LPM_STRIDE;
    high = low + LPM_SLOTS - 1;
    if (low < first >> shift)
        low = first >> shift;
    if (high > last >> shift)
        high = last >> shift;
    for (uint32_t at = low; at <= high && status == 0; at++) {
        unsigned chunk = at % LPM_SLOTS;

        status = prepare_below(stores, step, depth + LPM_STRIDE, at, first, last,
                               state_below(stores->memory->window, before, chunk),
                               state_below(stores->memory->window, after, chunk));
    }
    return status;
}

int lpm_direct_prepare(struct lpm_stores *stores, const struct lpm_direct_step *step, lpm_key key,
                       unsigned length)
{
    uint32_t first = (uint32_t)(key >> (128 - LPM_DIRECT_BITS));
    uint32_t last = first;

    if (length < LPM_DIRECT_BITS)
        last |= (LPM_DIRECT_SIZE - 1) >> length;
    return prepare_below(stores, step, 0, 0, first, last, (struct state){.routes = step->before},
                         (struct state){.routes = step->after});
}

static void empty(struct lpm_stores *stores)
{
    free_items(stores);
    lpm_stores_init(stores, stores->memory);
}

void lpm_direct_commit(struct lpm_stores *stores, _Atomic uint32_t *direct)
{
    for (size_t i = 0; i < stores->count; i++) {
        const struct lpm_store *store = &stores->items[i];
        uint32_t replaced = lpm_direct_load(direct, store->slot);

        atomic_store_explicit(&direct[store->slot], store->named, memory_order_release);
        drop(stores->memory, replaced);
    }
    empty(stores);
}

void lpm_direct_abandon(struct lpm_stores *stores)
{
    for (size_t i = 0; i < stores->count; i++)
        drop(stores->memory, stores->items[i].named);
    empty(stores);
}

void lpm_direct_clear(struct lpm_memory *memory, const _Atomic uint32_t *direct)
{
    for (uint32_t slot = 0; slot < LPM_DIRECT_SIZE; slot++)
        drop(memory, lpm_direct_load(direct, slot));
}
