/*
 * Changing the FIBs of a VNet, prefix by prefix.
 *
 * A base's change is seen through its derived FIBs at once, also by those that are to keep what
 * they show. So a batch has three steps, and no reader sees in any FIB a leaf that is not the old
 * or the new one of that FIB:
 *
 *   1. derived FIBs that will differ from the new base get their overrides, FIBs alone their routes
 *   2. the base changes
 *   3. derived FIBs that agree with the new base drop their overrides
 */
#include "engine/program/tables.h"

#include <errno.h>
#include <stdlib.h>

/* --- Leaves ----------------------------------------------------------------------------------- */

/* The leaf for this view at prefix, with a reference. */
static int leaf_of(const struct program_vnet *vnet, const struct fabric_view *view,
                   const struct lpm_prefix *prefix, uint32_t *leaf)
{
    struct fabric_row rows[3];
    *leaf = LPM_NO_ROUTE;
    if (fabric_view_rows_at(view, vnet->bgp, prefix, rows) == 0)
        return 0;
    return program_groups_hold(vnet->groups, vnet->vnet, &rows[0], leaf);
}

static struct lpm_change change_to(const struct lpm_prefix *prefix, uint32_t leaf)
{
    return (struct lpm_change){
        .kind = leaf == LPM_NO_ROUTE ? LPM_REMOVE : LPM_SET, .prefix = *prefix, .leaf = leaf};
}

static void release_all(const struct program_vnet *vnet, const uint32_t *leaves, size_t n)
{
    for (size_t i = 0; i < n; i++)
        program_groups_release(vnet->groups, leaves[i]);
}

/* --- One batch -------------------------------------------------------------------------------- */

struct batch {
    struct program_vnet *vnet;
    enum program_family family;
    const struct lpm_prefix *prefixes;
    size_t n;
    uint32_t base_before[PROGRAM_BATCH], base_after[PROGRAM_BATCH];
    int changed;
};

/* Changes of one FIB, and the references that go with them: taken when they are applied, given
 * back when they cannot be. */
struct edit {
    struct lpm_change changes[PROGRAM_BATCH];
    uint32_t dropped[PROGRAM_BATCH]; /* leaf that the FIB held here, LPM_NO_ROUTE: none */
    size_t n;
};

static void edit_add(struct edit *edit, struct lpm_change change, uint32_t dropped)
{
    edit->changes[edit->n] = change;
    edit->dropped[edit->n++] = dropped;
}

static void edit_cancel(const struct program_vnet *vnet, const struct edit *edit)
{
    for (size_t i = 0; i < edit->n; i++)
        program_groups_release(vnet->groups, edit->changes[i].leaf);
}

static int edit_apply(const struct program_vnet *vnet, struct lpm_fib *fib, const struct edit *edit)
{
    int error = edit->n ? lpm_update(fib, edit->changes, edit->n) : 0;
    if (error)
        edit_cancel(vnet, edit);
    else
        release_all(vnet, edit->dropped, edit->n);
    return error;
}

/* What this scope is to show at prefix i, with a reference. */
static int wanted_leaf(const struct batch *batch, const struct program_scope *scope, size_t i,
                       uint32_t *leaf)
{
    if (!fabric_view_is_plain_at(&scope->view, &batch->prefixes[i]))
        return leaf_of(batch->vnet, &scope->view, &batch->prefixes[i], leaf);
    *leaf = batch->base_after[i];
    program_groups_again(batch->vnet->groups, *leaf);
    return 0;
}

/* Room for one batch of one FIB. */
static int late_reserve(struct program_vnet *vnet)
{
    size_t needed = vnet->late_count + PROGRAM_BATCH;
    if (needed <= vnet->late_capacity)
        return 0;
    void *grown = realloc(vnet->late, 2 * needed * sizeof(*vnet->late));
    if (!grown)
        return -ENOMEM;
    vnet->late = grown;
    vnet->late_capacity = 2 * needed;
    return 0;
}

/* leaf is the override's that goes; lpm does not read it in an LPM_INHERIT. */
static void late_add(struct program_vnet *vnet, struct program_table *table,
                     const struct lpm_prefix *prefix, uint32_t leaf)
{
    vnet->late[vnet->late_count++] =
        (struct lpm_change){.kind = LPM_INHERIT, .prefix = *prefix, .leaf = leaf};
    table->late_count++;
}

/* Step 1 at one prefix of a derived FIB; takes over the reference to wanted. */
static void plan_derived(struct batch *batch, struct program_table *table, size_t i,
                         uint32_t wanted, struct edit *edit)
{
    const struct lpm_prefix *prefix = &batch->prefixes[i];
    uint32_t shown = lpm_get(table->fib, prefix);
    bool overrides = shown != batch->base_before[i];
    bool differs = wanted != batch->base_after[i];
    bool explicitly = batch->vnet->recovering;

    table->differs += (size_t)differs - (size_t)overrides;
    batch->changed += shown != wanted;
    if (differs && (!overrides || shown != wanted || explicitly)) {
        edit_add(edit, change_to(prefix, wanted), overrides ? shown : LPM_NO_ROUTE);
        return;
    }
    if (!differs && (overrides || explicitly))
        late_add(batch->vnet, table, prefix, overrides ? shown : LPM_NO_ROUTE);
    program_groups_release(batch->vnet->groups, wanted);
}

static void plan_alone(struct batch *batch, struct program_table *table, size_t i, uint32_t wanted,
                       struct edit *edit)
{
    uint32_t shown = lpm_get(table->fib, &batch->prefixes[i]);
    table->differs += (size_t)(wanted != batch->base_after[i]);
    table->differs -= (size_t)(shown != batch->base_before[i]);
    if (shown == wanted) {
        program_groups_release(batch->vnet->groups, wanted);
        return;
    }
    batch->changed++;
    edit_add(edit, change_to(&batch->prefixes[i], wanted), shown);
}

static int plan_scope(struct batch *batch, struct program_scope *scope, struct program_table *table,
                      struct edit *edit)
{
    for (size_t i = 0; i < batch->n; i++) {
        uint32_t wanted;
        int error = wanted_leaf(batch, scope, i, &wanted);
        if (error)
            return error;
        if (table->kind == PROGRAM_DERIVED)
            plan_derived(batch, table, i, wanted, edit);
        else
            plan_alone(batch, table, i, wanted, edit);
    }
    return 0;
}

static int apply_scope(struct batch *batch, struct program_scope *scope)
{
    struct program_table *table = &scope->tables[batch->family];
    struct edit edit = {.n = 0};
    table->late_first = batch->vnet->late_count;
    table->late_count = 0;
    if (table->kind == PROGRAM_SHARES)
        return 0;
    int error = late_reserve(batch->vnet);
    if (!error)
        error = plan_scope(batch, scope, table, &edit);
    if (!error)
        return edit_apply(batch->vnet, table->fib, &edit);
    edit_cancel(batch->vnet, &edit);
    return error;
}

static int apply_base(struct batch *batch)
{
    struct edit edit = {.n = 0};
    for (size_t i = 0; i < batch->n; i++) {
        if (batch->base_before[i] == batch->base_after[i])
            continue;
        edit_add(&edit, change_to(&batch->prefixes[i], batch->base_after[i]),
                 batch->base_before[i]);
        program_groups_again(batch->vnet->groups, batch->base_after[i]);
        batch->changed++;
    }
    return edit_apply(batch->vnet, batch->vnet->bases[batch->family], &edit);
}

/* Step 3. */
static int apply_late(struct batch *batch, const struct program_table *table)
{
    const struct lpm_change *late;
    int error;
    if (table->late_count == 0)
        return 0;
    late = &batch->vnet->late[table->late_first];
    error = lpm_update(table->fib, late, table->late_count);
    for (size_t i = 0; i < table->late_count && !error; i++)
        program_groups_release(batch->vnet->groups, late[i].leaf);
    return error;
}

static int apply_steps(struct batch *batch)
{
    struct program_vnet *vnet = batch->vnet;
    int error = 0;
    vnet->late_count = 0;
    for (size_t i = 0; i < vnet->scope_count && !error; i++)
        error = apply_scope(batch, &vnet->scopes[i]);
    if (!error)
        error = apply_base(batch);
    for (size_t i = 0; i < vnet->scope_count && !error; i++)
        error = apply_late(batch, &vnet->scopes[i].tables[batch->family]);
    return error;
}

int program_vnet_apply(struct program_vnet *vnet, const struct lpm_prefix *prefixes, size_t n)
{
    struct batch batch = {.vnet = vnet,
                          .family = prefixes[0].family == LPM_IPV6 ? PROGRAM_IPV6 : PROGRAM_IPV4,
                          .prefixes = prefixes,
                          .n = n};
    size_t known = 0;
    int error = 0;
    while (known < n && !error) {
        batch.base_before[known] = lpm_get(vnet->bases[batch.family], &prefixes[known]);
        error = leaf_of(vnet, &vnet->plain, &prefixes[known], &batch.base_after[known]);
        known += !error;
    }
    if (!error)
        error = apply_steps(&batch);
    release_all(vnet, batch.base_after, known);
    if (!error)
        return batch.changed;
    vnet->recovering = true;
    return error;
}
