/*
 * FIBs: their life, and the argument why readers need no lock.
 *
 * Structures
 *
 *   fib ----> layer -----------------> table                (-->: pointer that the writer publishes)
 *             touched, fallback        direct or root, fallback, routes
 *               |                        |
 *               v                        v
 *             ranges                   nodes, buckets       (counted, never changed)
 *
 * A table is a base. A layer is what a derived FIB changes about it: its ranges say of every address
 * which leaf of an override shows there, or "inherit". The FIB of the base itself has the table's
 * plain layer, which inherits everything. Inside of an override the ranges say inherit where the base
 * has a longer route, so they are replaced when such a route comes or goes (follow.c); that it gets
 * another leaf, and whatever changes anywhere else, every FIB follows with no store at all. Inside of
 * an override over very many routes, and for removals, they say to ask the table's routes instead
 * (ranges.h: cover).
 *
 * The route 0/0 is not spread over anything: leaf 0 means "the fallback", a word of the layer or,
 * where that says inherit, of the table. So a default route costs nothing and changes in one
 * store.
 *
 * A reader
 *
 *   R1  loads fib->layer, then its table and both fallbacks
 *   R2  if the layer touches the address, loads layer->ranges and searches them; where they say so,
 *       loads table->routes and asks these; if that gives anything but inherit, this is the leaf
 *   R3  else loads table->direct[slot], or table->root, and walks from there
 *   R4  returns the leaf, or the fallback if it is 0
 *
 * All loads are acquire. R1 comes first; R2 and R3 may come in any order (bulk lookups make R3
 * first and for all), because an address is settled by one of them alone: whether a layer inherits
 * it depends on its overrides, which never change, or changes with a grace period between the ranges'
 * store and the base's (E). No step waits for anyone or repeats: a search
 * visits at most 6 nodes of ranges, and a walk 6 nodes for IPv4 and 22 for IPv6, or fewer and a bucket,
 * whatever the writer does.
 *
 * Publication. Nodes, buckets, ranges, layers and tables are complete before the one release store that
 * makes them reachable, so (A) whoever loads a reference sees what it names. They are buried only after
 * they were made unreachable, and freed after a grace period, so (B) what a reader loaded since its
 * last quiescent state stays what it was. Everything under one entry is immutable, so (C) R2 and R3
 * each see one state of one word. R2 where it asks the routes sees two, ranges that ask and the
 * routes: one lookup takes from the ranges only what the overrides say, which is the layer's for
 * good, and from one state of the routes all that depends on the base.
 *
 * One state in all. A lookup reads up to four words that change separately: fib->layer, a
 * fallback, layer->ranges, a word of the table. Each alone is before or after; their mixture must be
 * a state that the FIB was in, too. Counter-example, without (D):
 *
 *        reader                                     writer
 *        R1 layer: no override at P
 *                                                   gives the FIB an override P -> 7
 *                                                   changes P in the base, 5 -> 6
 *        R3 loads 6, which this FIB never showed
 *
 * (D) The writer lets a grace period pass between two stores of which a reader might see the
 * second without the first. These pairs are:
 *
 *        first store                       second store, fenced                    remembered in
 *        a FIB gets another layer          base changes where the new or the       layer->guard of both
 *                                          old layer has an override
 *        ... and the old one asks routes   base changes anywhere                   table->guard
 *        ... of another fallback           base changes anywhere                   table->guard
 *        ... of another table              the left table changes anywhere         table->guard
 *        any of these                      fallback of the base changes            table->derived_guard
 *        fallback of the base changes      base changes anywhere                   table->guard
 *
 * An old layer that no FIB has any more is on no list, so its guard is lost. It needs none: nobody
 * replaces its ranges any more, so where it has overrides a reader sees what the FIB showed before it
 * left, unless they ask the routes, which is the second pair; and where it inherits, the new layer
 * inherits too or has an override, whose guard counts.
 *
 * (E) Where a route of the base comes or goes inside of an override, a reader must not see the new one
 * of the two words, ranges and base, with the old one of the other. There are grace periods before and
 * after the base's store for this; follow.c says which, and what the ranges show in the meantime. A
 * reader that still has the ranges of a layer that its FIB has left sees where these inherit what
 * the FIB's new layer inherits too or overrides; for that the guard of the new layer is enough.
 *
 * All others commute or are read in the order of their making: an address that the old and the new
 * layer both inherit is the base's alone; a place that a FIB leaves is read from the ranges that the
 * reader had, which is (C); a fallback is stored after the words of its own update and loaded before
 * them. A fence costs nothing when the grace period has passed anyway, which is the rule: what the
 * table remembers is a number, and lpm_rcu_poll() runs between batches.
 *
 * tests/lpm/spin/one_state.pml is this argument as a model. spin tries every interleaving of a
 * lookup with every sequence of a few changes, and finds a wrong answer as soon as any one of the
 * rules is left out.
 */
#include "lpm/core.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* --- Checks ------------------------------------------------------------------------------------ */

static bool prefix_valid(const struct lpm_prefix *prefix, enum lpm_family family)
{
    struct lpm_prefix masked = *prefix;

    if (prefix->family != family || prefix->length > lpm_family_bits(family))
        return false;
    lpm_prefix_mask(&masked);
    return memcmp(masked.bytes, prefix->bytes, sizeof(masked.bytes)) == 0;
}

static bool leaf_valid(uint32_t leaf)
{
    return leaf != LPM_NO_ROUTE && leaf <= LPM_LEAF_MAX;
}

static bool changes_valid(const struct lpm_change *changes, size_t n, enum lpm_family family,
                          bool derived)
{
    for (size_t i = 0; i < n; i++) {
        const struct lpm_change *change = &changes[i];
        bool known = change->kind == LPM_REMOVE || (change->kind == LPM_INHERIT && derived) ||
                     (change->kind == LPM_SET && leaf_valid(change->leaf));

        if (!known || !prefix_valid(&change->prefix, family))
            return false;
    }
    return true;
}

static bool routes_valid(const struct lpm_route *routes, size_t n, enum lpm_family family)
{
    for (size_t i = 0; i < n; i++) {
        if (!leaf_valid(routes[i].leaf) || !prefix_valid(&routes[i].prefix, family))
            return false;
    }
    return true;
}

/* --- The set of tables ------------------------------------------------------------------------- */

struct lpm *lpm_create(void)
{
    struct lpm *lpm = calloc(1, sizeof(*lpm));
    int status;

    if (!lpm)
        return NULL;
    status = lpm_memory_init(&lpm->memory);
    if (status < 0) {
        free(lpm);
        errno = -status;
        return NULL;
    }
    lpm_leaf_begin(&lpm->memory);
    return lpm;
}

void lpm_destroy(struct lpm *lpm)
{
    if (!lpm)
        return;
    assert(lpm->fibs == 0);
    lpm_memory_exit(&lpm->memory);
    free(lpm);
}

/* --- FIBs -------------------------------------------------------------------------------------- */

static struct lpm_fib *fib_create(struct lpm *lpm, enum lpm_family family)
{
    struct lpm_fib *fib = lpm_memory_block(&lpm->memory, LPM_MEMORY_LOOKUP, sizeof(*fib));

    if (!fib)
        return NULL;
    fib->family = (uint8_t)family;
    lpm->fibs++;
    return fib;
}

/* For a FIB that no reader has seen. */
static void fib_undo(struct lpm *lpm, struct lpm_fib *fib)
{
    lpm->fibs--;
    lpm_memory_free_block(&lpm->memory, LPM_MEMORY_LOOKUP, fib, sizeof(*fib));
}

/* A table with these routes, whose FIB shall be fib. */
static struct lpm_table *table_with(struct lpm *lpm, struct lpm_fib *fib,
                                    const struct lpm_route *routes, size_t n)
{
    struct lpm_table *table = lpm_table_create(lpm, fib);

    if (!table)
        return NULL;
    if (lpm_table_fill(table, routes, n) < 0) {
        lpm_table_undo(table);
        return NULL;
    }
    table->plain.fibs = 1;
    return table;
}

int lpm_base_create(struct lpm *lpm, enum lpm_family family, const struct lpm_route *routes,
                    size_t n, struct lpm_fib **fib)
{
    struct lpm_table *table;
    struct lpm_fib *made;

    if ((family != LPM_IPV4 && family != LPM_IPV6) || !routes_valid(routes, n, family))
        return -EINVAL;
    made = fib_create(lpm, family);
    if (!made)
        return -ENOMEM;
    table = table_with(lpm, made, routes, n);
    if (!table) {
        fib_undo(lpm, made);
        return -ENOMEM;
    }
    lpm_rcu_publish(&made->layer, &table->plain);
    *fib = made;
    return 0;
}

int lpm_derive(struct lpm_fib *base, const struct lpm_change *changes, size_t n,
               struct lpm_fib **fib)
{
    struct lpm_layer *layer;
    struct lpm_fib *made;

    if (!lpm_fib_is_base(base) || !changes_valid(changes, n, (enum lpm_family)base->family, true))
        return -EINVAL;
    made = fib_create(lpm_of(base), (enum lpm_family)base->family);
    if (!made)
        return -ENOMEM;
    layer = lpm_layer_get(lpm_fib_layer(base)->table, NULL, changes, n);
    if (!layer) {
        fib_undo(lpm_of(base), made);
        return -ENOMEM;
    }
    lpm_rcu_publish(&made->layer, layer);
    *fib = made;
    return 0;
}

static void fib_reclaim(struct lpm_rcu_head *head)
{
    struct lpm_fib *fib = (struct lpm_fib *)(void *)((char *)head - offsetof(struct lpm_fib, rcu));

    lpm_memory_free_deferred(&lpm_of(fib)->memory, fib, sizeof(*fib));
}

/* The FIB of a base goes with the table, which derived FIBs may need for longer; any other goes
 * before its layer, by which it finds the memory that it came from. */
void lpm_release(struct lpm_fib *fib)
{
    struct lpm *lpm;

    if (!fib)
        return;
    lpm = lpm_of(fib);
    assert(!fib->released);
    fib->released = true;
    lpm->fibs--;
    if (!lpm_fib_is_base(fib)) {
        lpm_memory_defer_block(&lpm->memory, LPM_MEMORY_LOOKUP, sizeof(*fib));
        lpm_rcu_defer_lazily(&fib->rcu, fib_reclaim);
    }
    lpm_layer_put(lpm_fib_layer(fib));
}

/* --- Changes ----------------------------------------------------------------------------------- */

static bool asks_base(const struct lpm_layer *layer)
{
    const struct lpm_ranges *ranges = lpm_layer_own_ranges(layer);

    return ranges && ranges->slow_at != 0;
}

/* Publishes the layer and notes the stamps by which later stores are fenced. */
static void move_to_layer(struct lpm_fib *fib, struct lpm_layer *layer)
{
    struct lpm_layer *left = lpm_fib_layer(fib);
    uint64_t stamp;

    lpm_rcu_publish(&fib->layer, layer);
    stamp = lpm_rcu_stamp();
    lpm_layer_guard(left, stamp);
    lpm_layer_guard(layer, stamp);
    left->table->derived_guard = stamp;
    if (left->table != layer->table || left->fallback != layer->fallback || asks_base(left))
        left->table->guard = stamp;
    lpm_layer_put(left);
}

static int update_derived(struct lpm_fib *fib, const struct lpm_change *changes, size_t n)
{
    const struct lpm_layer *left = lpm_fib_layer(fib);
    struct lpm_layer *layer = lpm_layer_get(left->table, left, changes, n);

    if (!layer)
        return -ENOMEM;
    if (layer == left)
        layer->fibs--;
    else
        move_to_layer(fib, layer);
    return 0;
}

int lpm_update(struct lpm_fib *fib, const struct lpm_change *changes, size_t n)
{
    bool derived = !lpm_fib_is_base(fib);

    if (!changes_valid(changes, n, (enum lpm_family)fib->family, derived))
        return -EINVAL;
    if (derived)
        return update_derived(fib, changes, n);
    return lpm_table_update(lpm_fib_layer(fib)->table, changes, n);
}

struct collected {
    struct lpm_route *routes;
    size_t count;
};

static int collect_route(void *context, const struct lpm_route *route)
{
    struct collected *collected = context;

    collected->routes[collected->count++] = *route;
    return 0;
}

int lpm_detach(struct lpm_fib *fib)
{
    struct lpm *lpm = lpm_of(fib);
    struct lpm_memory *memory = &lpm->memory;
    size_t room = (lpm_fib_routes(fib) + 1) * sizeof(struct lpm_route);
    struct collected collected = {0};
    struct lpm_table *table;

    if (lpm_fib_is_base(fib))
        return 0;
    collected.routes = lpm_memory_block(memory, LPM_MEMORY_WRITER, room);
    if (!collected.routes)
        return -ENOMEM;
    lpm_each(fib, collect_route, &collected);
    table = table_with(lpm, fib, collected.routes, collected.count);
    lpm_memory_free_block(memory, LPM_MEMORY_WRITER, collected.routes, room);
    if (!table)
        return -ENOMEM;
    move_to_layer(fib, &table->plain);
    return 0;
}

int lpm_rebase(struct lpm_fib *fib, struct lpm_fib *base)
{
    struct lpm_layer *left = lpm_fib_layer(fib);
    struct lpm_layer *layer;

    if (lpm_fib_is_base(fib) || !lpm_fib_is_base(base) || fib->family != base->family ||
        lpm_of(fib) != lpm_of(base))
        return -EINVAL;
    layer = lpm_layer_get(lpm_fib_layer(base)->table, left, NULL, 0);
    if (!layer)
        return -ENOMEM;
    if (layer == left)
        layer->fibs--;
    else
        move_to_layer(fib, layer);
    return 0;
}
