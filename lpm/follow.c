/*
 * Ranges say where the base decides inside of an override: where it has a longer route. They do so
 * by two words, the ranges and the base's, and a lookup may load the base's word first. So when a
 * route comes or goes there, a reader must not meet the base's new word with the old ranges, nor the
 * other way round:
 *
 *      goes     1. the ranges ask about the override    2. grace period    3. the base changes
 *      comes    1. the base changes    2. grace period    3. ranges that let the base decide
 *
 * Ranges that ask take all that depends on the base from one state of its routes (core.c), so they
 * are right before and after, and the step from one to the other is the store of table->routes. When
 * routes have gone, ranges that do not ask any more follow at the end, like those for routes that
 * came; for these nothing has to be waited for.
 *
 * Asking is slower to look up and needs no change ever again. So where very many layers are concerned
 * at once they go on asking, until their overrides change: the first route that comes or goes inside
 * of the same override of thousands of FIBs takes microseconds for each, and later ones nothing.
 */
#include "lpm/follow.h"

#include <errno.h>

/* Layers that are worked out anew for every route. */
#define SETTLED_MOST 256

struct lpm_followed {
    struct lpm_layer *layer;
    struct lpm_ranges *asking;  /* or NULL: not needed */
    struct lpm_ranges *settled; /* the same */
};

void lpm_follow_begin(struct lpm_follow *follow, struct lpm_table *table)
{
    *follow = (struct lpm_follow){.table = table};
}

void lpm_follow_note(struct lpm_follow *follow, lpm_key key, unsigned length, long routes)
{
    if (routes == 0 || !lpm_touch_test(follow->table, key, length))
        return;
    follow->comes |= routes > 0;
    follow->goes |= routes < 0;
}

/* --- Prepare ----------------------------------------------------------------------------------- */

/* In the order of what has to be loaded for it: with thousands of layers nothing of theirs is near. */
static bool region_concerns(const struct lpm_region *region, const struct lpm_layer *layer)
{
    enum lpm_family family = (enum lpm_family)layer->table->fib->family;
    struct lpm_overs overs = lpm_layer_overs(layer);

    if (!region->comes)
        return false;
    if (region->others)
        return lpm_overs_intersect(&overs, region->key, region->length);
    return lpm_layer_touches(layer, lpm_touched_bit(family, region->key)) &&
           !lpm_ranges_ask(lpm_layer_own_ranges(layer), family, region->key) &&
           lpm_layer_needs(layer, region->key, region->length);
}

static int list_concerned(struct lpm_follow *follow, const struct lpm_region *regions, size_t n)
{
    struct lpm_table *table = follow->table;

    follow->layers = lpm_memory_block(&table->lpm->memory, LPM_MEMORY_WRITER,
                                      table->layers_count * sizeof(*follow->layers));
    if (!follow->layers)
        return -ENOMEM;
    follow->room = table->layers_count;
    for (struct lpm_layer *layer = table->layers; layer; layer = layer->next) {
        for (size_t i = 0; i < n && layer->overs_count > 0; i++) {
            if (!region_concerns(&regions[i], layer))
                continue;
            follow->layers[follow->count++].layer = layer;
            break;
        }
    }
    return 0;
}

int lpm_follow_prepare(struct lpm_follow *follow, const struct lpm_region *regions, size_t n,
                       uint32_t routes)
{
    int status = 0;
    bool many;

    if (!follow->comes && !follow->goes)
        return 0;
    status = list_concerned(follow, regions, n);
    many = follow->count > SETTLED_MOST;
    for (size_t i = 0; i < follow->count && status == 0; i++) {
        struct lpm_followed *at = &follow->layers[i];

        if (follow->goes || many)
            status = lpm_layer_ranges(at->layer, routes, regions, n, &at->asking);
        if (status == 0 && !many)
            status = lpm_layer_ranges(at->layer, routes, NULL, 0, &at->settled);
    }
    return status;
}

static void free_list(struct lpm_follow *follow)
{
    lpm_memory_free_block(&follow->table->lpm->memory, LPM_MEMORY_WRITER, follow->layers,
                          follow->room * sizeof(*follow->layers));
    follow->layers = NULL;
}

void lpm_follow_abandon(struct lpm_follow *follow)
{
    for (size_t i = 0; i < follow->count; i++) {
        lpm_ranges_free(follow->layers[i].asking);
        lpm_ranges_free(follow->layers[i].settled);
    }
    free_list(follow);
}

/* --- Commit ------------------------------------------------------------------------------------ */

static void replace(struct lpm_layer *layer, struct lpm_ranges *ranges)
{
    struct lpm_ranges *replaced = lpm_layer_own_ranges(layer);

    if (!ranges)
        return;
    lpm_rcu_publish(&layer->ranges, ranges);
    lpm_ranges_defer(replaced);
}

void lpm_follow_before(struct lpm_follow *follow)
{
    for (size_t i = 0; i < follow->count; i++)
        replace(follow->layers[i].layer, follow->layers[i].asking);
    if (follow->count > 0 && follow->goes)
        lpm_rcu_wait(lpm_rcu_stamp());
}

void lpm_follow_after(struct lpm_follow *follow)
{
    if (follow->count > 0 && follow->layers[0].settled && follow->comes)
        lpm_rcu_wait(lpm_rcu_stamp());
    for (size_t i = 0; i < follow->count; i++)
        replace(follow->layers[i].layer, follow->layers[i].settled);
    free_list(follow);
}
