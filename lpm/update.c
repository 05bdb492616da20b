/*
 * Changing a base: prepare everything that can fail, fence, then store.
 *
 *   collect   the changes into an edit of the routes, noting the prefixes that changed
 *   prepare   the new root, or the stores into the direct table; new ranges of the layers that are
 *             concerned (follow.c)
 *   fence     wait, in the rare cases that core.c lists
 *   commit    release stores; what they replace is buried
 */
#include "lpm/follow.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A direct table that went out of use, until its grace period has passed. */
struct retired {
    struct lpm_rcu_head rcu;
    struct lpm_memory *memory;
    _Atomic uint32_t *direct;
};

struct update {
    struct lpm_table *table;
    struct lpm_memory *memory;
    struct lpm_routes_edit edit;
    uint32_t fallback;
    long routes;                /* added less removed, 0/0 too */
    struct lpm_region *regions; /* few_regions, if that has room for them */
    size_t regions_count;
    size_t regions_room;
    struct lpm_region few_regions[4];
    _Atomic uint32_t *direct; /* in force after the commit, or NULL */
    struct lpm_stores stores; /* if direct */
    uint32_t root;            /* otherwise; LPM_ENTRY_UNKNOWN until built */
    struct retired *retired;  /* if the table loses its direct table */
    struct lpm_follow follow;
};

static void begin(struct update *update, struct lpm_table *table)
{
    *update = (struct update){
        .table = table,
        .memory = &table->lpm->memory,
        .edit = {.memory = &table->lpm->memory, .root = table->routes},
        .fallback = table->fallback,
        .direct = table->direct,
        .root = LPM_ENTRY_UNKNOWN,
    };
    lpm_stores_init(&update->stores, update->memory);
    lpm_follow_begin(&update->follow, table);
}

static void free_lists(struct update *update)
{
    if (update->regions != update->few_regions)
        lpm_memory_free_block(update->memory, LPM_MEMORY_WRITER, update->regions,
                              update->regions_room * sizeof(struct lpm_region));
}

static enum lpm_family family_of(const struct update *update)
{
    return (enum lpm_family)update->table->fib->family;
}

/* --- Collect ----------------------------------------------------------------------------------- */

static int set_route(struct update *update, const struct lpm_prefix *prefix, uint32_t leaf)
{
    lpm_key key = lpm_key_of(prefix->bytes);
    long before = update->edit.routes;
    int changed;

    if (prefix->length == 0) {
        update->routes += (leaf != 0) - (update->fallback != 0);
        update->fallback = leaf;
        return 0;
    }
    changed = lpm_routes_set(&update->edit, key, prefix->length, leaf);
    if (changed > 0 && update->regions) {
        long routes = update->edit.routes - before;

        update->regions[update->regions_count++] =
            (struct lpm_region){.key = key, .length = prefix->length, .comes = routes != 0};
        lpm_follow_note(&update->follow, key, prefix->length, routes);
    }
    return changed < 0 ? changed : 0;
}

static int compare_regions(const void *left, const void *right)
{
    const struct lpm_region *a = left;
    const struct lpm_region *b = right;

    return lpm_key_compare(a->key, a->length, b->key, b->length);
}

static bool region_covers(const struct lpm_region *outer, const struct lpm_region *inner)
{
    return outer->length <= inner->length &&
           lpm_key_cut(outer->key ^ inner->key, outer->length) == 0;
}

/* Sorts, and leaves out what another region covers. */
static void tidy_regions(struct update *update)
{
    struct lpm_region *regions = update->regions;
    size_t kept = 0;

    if (update->regions_count > 1)
        qsort(regions, update->regions_count, sizeof(*regions), compare_regions);
    for (size_t i = 0; i < update->regions_count; i++) {
        if (kept == 0 || !region_covers(&regions[kept - 1], &regions[i])) {
            regions[kept++] = regions[i];
            continue;
        }
        regions[kept - 1].others = true;
        regions[kept - 1].comes |= regions[i].comes;
    }
    update->regions_count = kept;
}

/* Brings near what readers have there, so that it is loaded while the routes are looked through. In a
 * large batch it would be gone again before it is needed. */
static void prefetch(const struct update *update, const struct lpm_prefix *prefix)
{
    uint32_t slot = (uint32_t)(lpm_key_of(prefix->bytes) >> (128 - LPM_DIRECT_BITS));

    if (update->direct)
        __builtin_prefetch(
            lpm_direct_node(update->memory->window, lpm_direct_load(update->direct, slot)));
}

static int collect(struct update *update, const struct lpm_change *changes, size_t n)
{
    bool few = n <= sizeof(update->few_regions) / sizeof(update->few_regions[0]);
    int status = 0;

    update->regions =
        few ? update->few_regions
            : lpm_memory_block(update->memory, LPM_MEMORY_WRITER, n * sizeof(struct lpm_region));
    if (!update->regions)
        return -ENOMEM;
    update->regions_room = n;
    for (size_t i = 0; i < n && status == 0; i++) {
        if (few)
            prefetch(update, &changes[i].prefix);
        status =
            set_route(update, &changes[i].prefix, changes[i].kind == LPM_SET ? changes[i].leaf : 0);
    }
    if (status == 0)
        tidy_regions(update);
    return status;
}

/* --- Prepare ----------------------------------------------------------------------------------- */

static int prepare_root(struct update *update)
{
    struct lpm_build build = lpm_build_of(update->memory, family_of(update), false);

    update->root = lpm_build_base(&build, 0, update->edit.root, 0, lpm_table_place(update->table));
    if (update->root != LPM_ENTRY_FAILED)
        return 0;
    return -ENOMEM;
}

/* All of the table's slots, into a direct table that is new. */
static int prepare_new_direct(struct update *update)
{
    struct lpm_direct_step step = {.family = family_of(update), .after = update->edit.root};

    update->direct = lpm_memory_block(update->memory, LPM_MEMORY_LOOKUP, LPM_DIRECT_BYTES);
    if (!update->direct)
        return -ENOMEM;
    step.direct = update->direct;
    return lpm_direct_prepare(&update->stores, &step, 0, 0);
}

/* Regions longer than a slot are of that slot; they are in order, so one slot's follow each other. */
static int prepare_direct(struct update *update)
{
    struct lpm_direct_step step = {
        .family = family_of(update),
        .direct = update->direct,
        .before = update->table->routes,
        .after = update->edit.root,
    };
    struct lpm_region done = {.length = 129}; /* none, which covers nothing */
    int status = 0;

    for (size_t i = 0; i < update->regions_count && status == 0; i++) {
        struct lpm_region region = update->regions[i];

        if (region.length > LPM_DIRECT_BITS) {
            region.length = LPM_DIRECT_BITS;
            region.key = lpm_key_cut(region.key, LPM_DIRECT_BITS);
        }
        if (region_covers(&done, &region))
            continue;
        done = region;
        status = lpm_direct_prepare(&update->stores, &step, region.key, region.length);
    }
    return status;
}

static int prepare_lookup(struct update *update)
{
    size_t count = update->table->count + (size_t)update->routes + (size_t)update->edit.routes;

    if (!update->direct && count >= LPM_DIRECT_GROW)
        return prepare_new_direct(update);
    if (update->direct && count <= LPM_DIRECT_SHRINK) {
        update->retired =
            lpm_memory_block(update->memory, LPM_MEMORY_WRITER, sizeof(*update->retired));
        if (!update->retired)
            return -ENOMEM;
        update->direct = NULL;
    }
    return update->direct ? prepare_direct(update) : prepare_root(update);
}

static void abandon(struct update *update)
{
    lpm_direct_abandon(&update->stores);
    if (update->direct && update->direct != update->table->direct)
        lpm_memory_free_block(update->memory, LPM_MEMORY_LOOKUP, update->direct, LPM_DIRECT_BYTES);
    lpm_memory_free_block(update->memory, LPM_MEMORY_WRITER, update->retired,
                          sizeof(*update->retired));
    lpm_node_release(update->memory, update->root);
    lpm_follow_abandon(&update->follow);
    lpm_routes_abandon(&update->edit);
    free_lists(update);
}

/* --- Fence ------------------------------------------------------------------------------------- */

static bool layer_meets(const struct update *update, const struct lpm_layer *layer)
{
    struct lpm_overs overs = lpm_layer_overs(layer);

    for (size_t i = 0; i < update->regions_count; i++) {
        if (lpm_overs_intersect(&overs, update->regions[i].key, update->regions[i].length))
            return true;
    }
    return false;
}

/* The cases are argued in core.c. */
static void fence(const struct update *update)
{
    const struct lpm_table *table = update->table;
    uint64_t stamp = table->guard;

    if (update->fallback != table->fallback && stamp < table->derived_guard)
        stamp = table->derived_guard;
    for (const struct lpm_layer *layer = table->layers;
         layer && layer->guard > stamp && !lpm_rcu_passed(layer->guard); layer = layer->next) {
        if (layer_meets(update, layer))
            stamp = layer->guard;
    }
    lpm_rcu_wait(stamp);
}

/* --- Commit ------------------------------------------------------------------------------------ */

static void retire_direct(struct lpm_rcu_head *head)
{
    struct retired *retired = (struct retired *)(void *)head;

    lpm_memory_free_deferred(retired->memory, retired->direct, LPM_DIRECT_BYTES);
    lpm_memory_free_deferred(retired->memory, retired, sizeof(*retired));
}

static void drop_direct(struct update *update, _Atomic uint32_t *direct)
{
    struct retired *retired = update->retired;

    lpm_direct_clear(update->memory, direct);
    lpm_memory_defer_block(update->memory, LPM_MEMORY_LOOKUP, LPM_DIRECT_BYTES);
    lpm_memory_defer_block(update->memory, LPM_MEMORY_WRITER, sizeof(*retired));
    retired->memory = update->memory;
    retired->direct = direct;
    lpm_rcu_defer_lazily(&retired->rcu, retire_direct);
}

/* The four ways from with or without a direct table to with or without. A new direct table is
 * filled before it is shown, and an old one goes out of sight after the root is in place. */
static void commit_lookup(struct update *update)
{
    struct lpm_table *table = update->table;
    _Atomic uint32_t *direct = table->direct;
    uint32_t root = table->root;

    if (update->direct)
        lpm_direct_commit(&update->stores, update->direct);
    else
        atomic_store_explicit(&table->root, update->root, memory_order_release);
    if (update->direct != direct)
        lpm_rcu_publish(&table->direct, update->direct);
    if (!direct)
        lpm_node_release(update->memory, root);
    else if (!update->direct)
        drop_direct(update, direct);
}

/* The fallback goes last: readers load it first, so a reader that has the new one sees all the
 * rest new too, and the next change waits for those that still have the old one. */
static void commit(struct update *update)
{
    struct lpm_table *table = update->table;

    lpm_follow_before(&update->follow);
    commit_lookup(update);
    atomic_store_explicit(&table->routes, update->edit.root, memory_order_release);
    lpm_follow_after(&update->follow);
    table->count += (size_t)update->routes + (size_t)update->edit.routes;
    lpm_routes_commit(&update->edit);
    if (update->fallback != table->fallback) {
        atomic_store_explicit(&table->fallback, update->fallback, memory_order_release);
        table->guard = lpm_rcu_stamp();
    }
    free_lists(update);
}

int lpm_table_update(struct lpm_table *table, const struct lpm_change *changes, size_t n)
{
    struct update update;
    int status;

    if (n == 0)
        return 0;
    begin(&update, table);
    status = collect(&update, changes, n);
    if (status == 0)
        status = prepare_lookup(&update);
    if (status == 0)
        status = lpm_follow_prepare(&update.follow, update.regions, update.regions_count,
                                    update.edit.root);
    if (status < 0) {
        abandon(&update);
        return status;
    }
    fence(&update);
    commit(&update);
    return 0;
}

int lpm_table_fill(struct lpm_table *table, const struct lpm_route *routes, size_t n)
{
    struct update update;
    int status = 0;

    begin(&update, table);
    for (size_t i = 0; i < n && status == 0; i++)
        status = set_route(&update, &routes[i].prefix, routes[i].leaf);
    if (status == 0)
        status = prepare_lookup(&update);
    if (status < 0)
        abandon(&update);
    else
        commit(&update);
    return status;
}
