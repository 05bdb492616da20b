/*
 * Changing the FIBs of a domain, prefix by prefix.
 *
 * A base's change is seen through its derived FIBs at once, also by those that are to keep what
 * they show. So a batch has three steps, and no reader sees in any FIB a leaf that is not the old
 * or the new one of that FIB:
 *
 *   1. derived FIBs that will differ from the new base get their overrides, FIBs alone their routes and the base's
 *   2. the base changes
 *   3. derived FIBs that agree with the new base drop their overrides
 */
#include "engine/program/tables.h"

#include <errno.h>
#include <stdlib.h>

struct batch {
    struct program_domain *domain;
    enum program_family family;
    const struct lpm_prefix *prefixes;
    size_t n;
    uint32_t base_before[PROGRAM_BATCH], base_after[PROGRAM_BATCH];
    uint32_t at; /* prefix that scopes are picked for */
    int changed;
};

/* --- Leaves ----------------------------------------------------------------------------------- */

/* The leaf for this view at prefix, with a reference. */
static int leaf_of(const struct program_domain *domain, const struct fabric_view *view,
                   const struct lpm_prefix *prefix, uint32_t *leaf)
{
    struct fabric_row rows[3];
    *leaf = LPM_NO_ROUTE;
    if (fabric_view_rows_at(view, domain->bgp, prefix, rows) == 0)
        return 0;
    return program_groups_hold(domain->groups, view->vnet, &rows[0], leaf);
}

static struct lpm_change change_to(const struct lpm_prefix *prefix, uint32_t leaf)
{
    return (struct lpm_change){
        .kind = leaf == LPM_NO_ROUTE ? LPM_REMOVE : LPM_SET, .prefix = *prefix, .leaf = leaf};
}

static void release_all(const struct program_domain *domain, const uint32_t *leaves, size_t n)
{
    for (size_t i = 0; i < n; i++)
        program_groups_release(domain->groups, leaves[i]);
}

/* --- Which scopes ----------------------------------------------------------------------------- */

static int pick(void *context, uint32_t first, uint32_t count)
{
    const struct batch *batch = context;
    struct program_domain *domain = batch->domain;
    size_t needed = domain->pick_count + count;
    if (needed > domain->pick_capacity) {
        void *grown = realloc(domain->picks, 2 * needed * sizeof(*domain->picks));
        if (!grown)
            return -ENOMEM;
        domain->picks = grown;
        domain->pick_capacity = 2 * needed;
    }
    for (uint32_t i = 0; i < count; i++)
        domain->picks[domain->pick_count++] = (struct program_pick){first + i, batch->at};
    return 0;
}

/* The scopes of VNets that see the next hops behind this leaf of the base otherwise. */
static int pick_deviating(struct batch *batch, uint32_t leaf)
{
    const uint32_t *vnets;
    size_t count;
    int error = program_groups_deviating(batch->domain->groups, leaf, &vnets, &count);
    for (size_t i = 0; i < count && !error; i++) {
        size_t n, first = program_domain_scopes(batch->domain, vnets[i], &n);
        error = pick(batch, (uint32_t)first, (uint32_t)n);
    }
    return error;
}

static int pick_followers(struct batch *batch)
{
    const struct program_domain *domain = batch->domain;
    int error = 0;
    if (domain->alone_count[batch->family] == 0 || domain->recovering)
        return 0;
    batch->at = PROGRAM_FOLLOWS;
    for (uint32_t i = 0; i < domain->scope_count && !error; i++)
        if (domain->scopes[i].tables[batch->family].kind == PROGRAM_ALONE)
            error = pick(batch, i, 1);
    return error;
}

static bool is_reserved(const struct fabric_view *shared, const struct lpm_prefix *prefix)
{
    for (size_t i = 0; i < shared->system_count; i++)
        if (shared->system[i].kind == FABRIC_SYSTEM_RESERVED &&
            lpm_prefix_equal(&shared->system[i].prefix, prefix))
            return true;
    return false;
}

/* Who announces a prefix: asked once, however many scopes have a router of their own. */
struct announcers {
    struct lpm_address items[32];
    size_t n;
    bool more; /* than there is room for: any scope may be concerned */
};

static int add_announcer(void *context, const struct lpm_address *address)
{
    struct announcers *announcers = context;
    announcers->more = announcers->n == sizeof(announcers->items) / sizeof(announcers->items[0]);
    if (!announcers->more)
        announcers->items[announcers->n++] = *address;
    return announcers->more;
}

static bool is_announcer(const struct announcers *announcers, const struct fabric_view *view)
{
    for (size_t i = 0; i < announcers->n; i++)
        if (fabric_view_owns(view, &announcers->items[i]))
            return true;
    return announcers->more;
}

/* A scope that is odd for its own router alone differs only where that announces, or did. */
static bool is_odd_at(const struct batch *batch, const struct announcers *announcers,
                      const struct program_scope *scope)
{
    const struct program_table *table = &scope->tables[batch->family];
    return scope->filters_paths || is_announcer(announcers, &scope->view) ||
           (table->differs > 0 &&
            lpm_get(table->fib, &batch->prefixes[batch->at]) != batch->base_before[batch->at]);
}

/* And at the reserved prefixes all may, for where one announces a default route. */
static int pick_odd(struct batch *batch)
{
    const struct program_domain *domain = batch->domain;
    const struct lpm_prefix *prefix = &batch->prefixes[batch->at];
    bool all = is_reserved(&domain->shared, prefix);
    struct announcers announcers = {.n = 0};
    int error = 0;
    if (domain->odd_count > 0 && domain->route_server != FABRIC_NONE)
        domain->bgp->each_announcer(domain->bgp->context, domain->route_server, prefix,
                                    add_announcer, &announcers);
    for (size_t i = 0; i < domain->odd_count && !error; i++)
        if (all || is_odd_at(batch, &announcers, &domain->scopes[domain->odd[i]]))
            error = pick(batch, domain->odd[i], 1);
    return error;
}

static int pick_at(struct batch *batch)
{
    struct program_domain *domain = batch->domain;
    if (domain->recovering)
        return pick(batch, 0, (uint32_t)domain->scope_count);
    int error = program_special_each(&domain->special, &batch->prefixes[batch->at], pick, batch);
    if (!error)
        error = pick_odd(batch);
    if (!error)
        error = pick_deviating(batch, batch->base_before[batch->at]);
    if (!error && batch->base_after[batch->at] != batch->base_before[batch->at])
        error = pick_deviating(batch, batch->base_after[batch->at]);
    return error;
}

static int compare_picks(const void *a, const void *b)
{
    const struct program_pick *left = a, *right = b;
    if (left->scope != right->scope)
        return left->scope < right->scope ? -1 : 1;
    return (left->prefix > right->prefix) - (left->prefix < right->prefix);
}

/* By scope, then by prefix, without duplicates. */
static int pick_all(struct batch *batch)
{
    struct program_domain *domain = batch->domain;
    size_t kept = 0;
    int error = 0;
    domain->pick_count = 0;
    for (batch->at = 0; batch->at < batch->n && !error; batch->at++)
        error = pick_at(batch);
    if (!error)
        error = pick_followers(batch);
    if (domain->pick_count > 0)
        qsort(domain->picks, domain->pick_count, sizeof(*domain->picks), compare_picks);
    for (size_t i = 0; i < domain->pick_count; i++)
        if (i == 0 || compare_picks(&domain->picks[i], &domain->picks[kept - 1]) != 0)
            domain->picks[kept++] = domain->picks[i];
    domain->pick_count = kept;
    return error;
}

/* How many picks from `from` on are of one scope. */
static size_t run_of_scope(const struct program_domain *domain, size_t from)
{
    size_t n = 1;
    while (from + n < domain->pick_count &&
           domain->picks[from + n].scope == domain->picks[from].scope)
        n++;
    return n;
}

/* --- One batch -------------------------------------------------------------------------------- */

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

static void edit_cancel(const struct program_domain *domain, const struct edit *edit)
{
    for (size_t i = 0; i < edit->n; i++)
        program_groups_release(domain->groups, edit->changes[i].leaf);
}

static int edit_apply(const struct program_domain *domain, struct lpm_fib *fib,
                      const struct edit *edit)
{
    int error = edit->n ? lpm_update(fib, edit->changes, edit->n) : 0;
    if (error)
        edit_cancel(domain, edit);
    else
        release_all(domain, edit->dropped, edit->n);
    return error;
}

/* Room for one late change of each pick. */
static int late_reserve(struct program_domain *domain)
{
    if (domain->pick_count <= domain->late_capacity)
        return 0;
    void *grown = realloc(domain->late, 2 * domain->pick_count * sizeof(*domain->late));
    if (!grown)
        return -ENOMEM;
    domain->late = grown;
    domain->late_capacity = 2 * domain->pick_count;
    return 0;
}

/* Step 1 at one prefix of a derived FIB; takes over the reference to wanted. */
static void plan_derived(struct batch *batch, const struct program_pick *pick,
                         struct program_table *table, uint32_t wanted, struct edit *edit)
{
    struct program_domain *domain = batch->domain;
    const struct lpm_prefix *prefix = &batch->prefixes[pick->prefix];
    uint32_t shown = lpm_get(table->fib, prefix);
    bool overrides = shown != batch->base_before[pick->prefix];
    bool differs = wanted != batch->base_after[pick->prefix];
    bool explicitly = domain->recovering;

    table->differs += (size_t)differs - (size_t)overrides;
    batch->changed += shown != wanted;
    if (differs && (!overrides || shown != wanted || explicitly)) {
        edit_add(edit, change_to(prefix, wanted), overrides ? shown : LPM_NO_ROUTE);
        return;
    }
    if (!differs && (overrides || explicitly))
        domain->late[domain->late_count++] =
            (struct program_late){pick->scope, *prefix, overrides ? shown : LPM_NO_ROUTE};
    program_groups_release(domain->groups, wanted);
}

static void plan_alone(struct batch *batch, const struct program_pick *pick,
                       struct program_table *table, uint32_t wanted, struct edit *edit)
{
    const struct lpm_prefix *prefix = &batch->prefixes[pick->prefix];
    uint32_t shown = lpm_get(table->fib, prefix);
    table->differs += (size_t)(wanted != batch->base_after[pick->prefix]);
    table->differs -= (size_t)(shown != batch->base_before[pick->prefix]);
    if (shown == wanted) {
        program_groups_release(batch->domain->groups, wanted);
        return;
    }
    batch->changed++;
    edit_add(edit, change_to(prefix, wanted), shown);
}

/* A FIB alone that was picked at n prefixes shows what the base does at all others. */
static void plan_follower(struct batch *batch, const struct program_pick *picks, size_t n,
                          struct program_table *table, struct edit *edit)
{
    size_t before = edit->n, next = 0;
    for (uint32_t i = 0; i < batch->n; i++) {
        if (next < n && picks[next].prefix == i) {
            next++;
        } else if (batch->base_before[i] != batch->base_after[i]) {
            edit_add(edit, change_to(&batch->prefixes[i], batch->base_after[i]),
                     batch->base_before[i]);
            program_groups_again(batch->domain->groups, batch->base_after[i]);
        }
    }
    batch->changed += (int)(edit->n - before);
    table->work += edit->n - before;
}

/* n picks of one scope. */
static int apply_scope(struct batch *batch, const struct program_pick *picks, size_t n)
{
    struct program_domain *domain = batch->domain;
    struct program_scope *scope = &domain->scopes[picks[0].scope];
    struct program_table *table = &scope->tables[batch->family];
    struct edit edit = {.n = 0};
    bool follows = picks[n - 1].prefix == PROGRAM_FOLLOWS;
    n -= follows;
    for (size_t i = 0; i < n; i++) {
        uint32_t wanted;
        int error = leaf_of(domain, &scope->view, &batch->prefixes[picks[i].prefix], &wanted);
        if (error) {
            edit_cancel(domain, &edit);
            return error;
        }
        if (table->kind == PROGRAM_DERIVED)
            plan_derived(batch, &picks[i], table, wanted, &edit);
        else
            plan_alone(batch, &picks[i], table, wanted, &edit);
    }
    if (follows)
        plan_follower(batch, picks, n, table, &edit);
    else if (edit.n > 0)
        table->work += table->differs;
    return edit_apply(domain, table->fib, &edit);
}

static int apply_base(struct batch *batch)
{
    struct edit edit = {.n = 0};
    for (size_t i = 0; i < batch->n; i++) {
        if (batch->base_before[i] == batch->base_after[i])
            continue;
        edit_add(&edit, change_to(&batch->prefixes[i], batch->base_after[i]),
                 batch->base_before[i]);
        program_groups_again(batch->domain->groups, batch->base_after[i]);
        batch->changed++;
    }
    return edit_apply(batch->domain, batch->domain->bases[batch->family], &edit);
}

/* Step 3, for the run of late changes of one scope; returns its length, or -errno. */
static int apply_late(const struct batch *batch, const struct program_late *late, size_t left)
{
    const struct program_domain *domain = batch->domain;
    struct program_table *table = &domain->scopes[late[0].scope].tables[batch->family];
    struct lpm_change changes[PROGRAM_BATCH];
    size_t n = 0;
    for (; n < left && late[n].scope == late[0].scope; n++)
        changes[n] = (struct lpm_change){.kind = LPM_INHERIT, .prefix = late[n].prefix};
    int error = lpm_update(table->fib, changes, n);
    table->work += table->differs;
    for (size_t i = 0; i < n && !error; i++)
        program_groups_release(domain->groups, late[i].leaf);
    return error ? error : (int)n;
}

static int apply_steps(struct batch *batch)
{
    struct program_domain *domain = batch->domain;
    domain->late_count = 0;
    int error = late_reserve(domain);
    for (size_t i = 0; i < domain->pick_count && !error;) {
        size_t n = run_of_scope(domain, i);
        error = apply_scope(batch, &domain->picks[i], n);
        i += n;
    }
    if (!error)
        error = apply_base(batch);
    for (size_t i = 0; i < domain->late_count && !error;) {
        int n = apply_late(batch, &domain->late[i], domain->late_count - i);
        error = n < 0 ? n : 0;
        i += n < 0 ? 0 : (size_t)n;
    }
    return error;
}

/* The FIBs that were picked, when all is applied. */
static void relieve(const struct batch *batch)
{
    struct program_domain *domain = batch->domain;
    for (size_t i = 0; i < domain->pick_count && !domain->recovering;
         i += run_of_scope(domain, i)) {
        struct program_scope *scope = &domain->scopes[domain->picks[i].scope];
        program_domain_relieve(domain, &scope->tables[batch->family], batch->family);
    }
}

int program_domain_apply(struct program_domain *domain, const struct lpm_prefix *prefixes, size_t n)
{
    struct batch batch = {.domain = domain,
                          .family = prefixes[0].family == LPM_IPV6 ? PROGRAM_IPV6 : PROGRAM_IPV4,
                          .prefixes = prefixes,
                          .n = n};
    size_t known = 0;
    int error = 0;
    while (known < n && !error) {
        batch.base_before[known] = lpm_get(domain->bases[batch.family], &prefixes[known]);
        error = leaf_of(domain, &domain->shared, &prefixes[known], &batch.base_after[known]);
        known += !error;
    }
    if (!error)
        error = pick_all(&batch);
    if (!error)
        error = apply_steps(&batch);
    release_all(domain, batch.base_after, known);
    if (error)
        domain->recovering = true;
    else
        relieve(&batch);
    return error ? error : batch.changed;
}
