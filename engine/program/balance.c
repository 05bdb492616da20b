/*
 * The FIBs of a domain as a whole: made, given up, and kept in the form that is cheaper.
 *
 * A derived FIB takes memory for what differs, and each change of an override costs all of them. A FIB alone
 * takes memory for all routes, and makes each change of the base once more. What changes next nobody knows; so a
 * FIB whose form has cost more than to give it the other one gets that, if memory allows. That is no more than twice
 * the work of who knew, and a neighbour that comes and goes does not make its FIB go back and forth.
 */
#include "engine/program/tables.h"

#include <errno.h>
#include <stdlib.h>

/* Below this many differing prefixes a FIB is always derived: it costs a few pages at most, where a
 * base has a whole table. */
#define ALONE_MINIMUM 1024
/* A FIB may stand alone to save work if it takes no more than about this many times the memory of its overrides. */
#define ALONE_TIMES 16u
/* To give a FIB the other form costs, for each of its routes, as much as so many overrides that are written anew. */
#define FORM_WORK 6u
/* A FIB of so few routes gets the form that takes less memory whatever that costs. */
#define FORM_SMALL 16384u

static const enum lpm_family families[PROGRAM_FAMILIES] = {LPM_IPV4, LPM_IPV6};

/* --- Life ------------------------------------------------------------------------------------- */

static int open_scope(struct program_domain *domain, struct program_scope *scope)
{
    int error = 0;
    for (unsigned family = 0; family < PROGRAM_FAMILIES && !error; family++)
        error = lpm_derive(domain->bases[family], NULL, 0, &scope->tables[family].fib);
    return error;
}

int program_domain_open(struct program_domain *domain)
{
    int error = 0;
    for (unsigned family = 0; family < PROGRAM_FAMILIES && !error; family++)
        error = lpm_base_create(domain->lpm, families[family], NULL, 0, &domain->bases[family]);
    for (size_t i = 0; i < domain->scope_count && !error; i++)
        error = open_scope(domain, &domain->scopes[i]);
    return error;
}

static void close_scope(struct program_scope *scope)
{
    for (unsigned family = 0; family < PROGRAM_FAMILIES; family++)
        lpm_release(scope->tables[family].fib);
    fabric_view_close(&scope->view);
    free(scope->nics);
}

void program_domain_close(struct program_domain *domain)
{
    for (size_t i = 0; i < domain->scope_count; i++)
        close_scope(&domain->scopes[i]);
    for (unsigned family = 0; family < PROGRAM_FAMILIES; family++)
        lpm_release(domain->bases[family]);
    fabric_view_close(&domain->shared);
    program_special_free(&domain->special);
    free(domain->scopes);
    free(domain->odd);
    free(domain->picks);
    free(domain->late);
}

/* --- What the FIBs hold ----------------------------------------------------------------------- */

struct visiting {
    void (*visit)(void *context, const struct lpm_prefix *prefix);
    void *context;
};

static int visit_route(void *context, const struct lpm_route *route)
{
    const struct visiting *visiting = context;
    visiting->visit(visiting->context, &route->prefix);
    return 0;
}

static int visit_override(void *context, const struct lpm_prefix *prefix, uint32_t base_leaf,
                          uint32_t leaf)
{
    const struct visiting *visiting = context;
    (void)base_leaf, (void)leaf;
    visiting->visit(visiting->context, prefix);
    return 0;
}

void program_domain_each(const struct program_domain *domain,
                         void (*visit)(void *context, const struct lpm_prefix *prefix),
                         void *context)
{
    struct visiting visiting = {visit, context};
    for (unsigned family = 0; family < PROGRAM_FAMILIES; family++) {
        lpm_each(domain->bases[family], visit_route, &visiting);
        for (size_t i = 0; i < domain->scope_count; i++)
            lpm_diff(domain->bases[family], domain->scopes[i].tables[family].fib, visit_override,
                     &visiting);
    }
}

/* --- References ------------------------------------------------------------------------------- */

static int count_route(void *context, const struct lpm_route *route)
{
    program_groups_again(context, route->leaf);
    return 0;
}

static int count_override(void *context, const struct lpm_prefix *prefix, uint32_t base_leaf,
                          uint32_t leaf)
{
    (void)prefix, (void)base_leaf;
    program_groups_again(context, leaf);
    return 0;
}

void program_domain_count_references(const struct program_domain *domain)
{
    for (unsigned family = 0; family < PROGRAM_FAMILIES; family++) {
        lpm_each(domain->bases[family], count_route, domain->groups);
        for (size_t i = 0; i < domain->scope_count; i++) {
            const struct program_table *table = &domain->scopes[i].tables[family];
            if (table->kind == PROGRAM_ALONE)
                lpm_each(table->fib, count_route, domain->groups);
            else
                lpm_diff(domain->bases[family], table->fib, count_override, domain->groups);
        }
    }
}

/* --- Difference between a FIB and its base ---------------------------------------------------- */

/* Changes that make a copy of the base show what fib shows. */
struct difference {
    struct lpm_change *changes; /* NULL: only counted */
    size_t n;
};

static int difference_add(void *context, const struct lpm_prefix *prefix, uint32_t base_leaf,
                          uint32_t leaf)
{
    struct difference *difference = context;
    (void)base_leaf;
    if (difference->changes)
        difference->changes[difference->n] = (struct lpm_change){
            .kind = leaf == LPM_NO_ROUTE ? LPM_REMOVE : LPM_SET, .prefix = *prefix, .leaf = leaf};
    difference->n++;
    return 0;
}

static size_t differ(const struct lpm_fib *fib, const struct lpm_fib *base,
                     struct lpm_change *changes)
{
    struct difference difference = {.changes = changes};
    lpm_diff(base, fib, difference_add, &difference);
    return difference.n;
}

void program_domain_recovered(struct program_domain *domain)
{
    for (size_t i = 0; i < domain->scope_count; i++)
        for (unsigned family = 0; family < PROGRAM_FAMILIES; family++) {
            struct program_table *table = &domain->scopes[i].tables[family];
            table->differs = differ(table->fib, domain->bases[family], NULL);
        }
    domain->recovering = false;
}

/* --- Form ------------------------------------------------------------------------------------- */

struct inheriting {
    const struct program_domain *domain;
    const struct lpm_fib *base;
};

/* A route that both show: one reference while the FIB is derived, two while it stands alone. */
static int refer_inherited(void *context, const struct lpm_route *route)
{
    const struct inheriting *inheriting = context;
    if (lpm_get(inheriting->base, &route->prefix) == route->leaf)
        program_groups_again(inheriting->domain->groups, route->leaf);
    return 0;
}

static int release_inherited(void *context, const struct lpm_route *route)
{
    const struct inheriting *inheriting = context;
    if (lpm_get(inheriting->base, &route->prefix) == route->leaf)
        program_groups_release(inheriting->domain->groups, route->leaf);
    return 0;
}

static int stand_alone(struct program_domain *domain, struct program_table *table,
                       enum program_family family)
{
    struct lpm_fib *base = domain->bases[family];
    int error = lpm_detach(table->fib);
    if (error)
        return error;
    struct inheriting inheriting = {.domain = domain, .base = base};
    lpm_each(table->fib, refer_inherited, &inheriting);
    table->kind = PROGRAM_ALONE;
    table->work = 0;
    domain->alone_count[family]++;
    return 0;
}

static int derive_again(struct program_domain *domain, struct program_table *table,
                        enum program_family family, struct lpm_fib **old)
{
    struct lpm_fib *base = domain->bases[family];
    struct lpm_fib *derived;
    struct lpm_change *changes = calloc(table->differs + 1, sizeof(*changes));
    if (!changes)
        return -ENOMEM;
    size_t n = differ(table->fib, base, changes);
    int error = lpm_derive(base, changes, n, &derived);
    free(changes);
    if (error)
        return error;
    struct inheriting inheriting = {.domain = domain, .base = base};
    lpm_each(derived, release_inherited, &inheriting);
    *old = table->fib;
    table->fib = derived;
    table->kind = PROGRAM_DERIVED;
    table->work = 0;
    domain->alone_count[family]--;
    return 0;
}

void program_domain_relieve(struct program_domain *domain, struct program_table *table,
                            enum program_family family)
{
    size_t routes = lpm_fib_routes(domain->bases[family]);
    if (table->kind == PROGRAM_DERIVED && table->differs > ALONE_MINIMUM &&
        table->differs > routes / ALONE_TIMES && table->work > FORM_WORK * routes)
        (void)stand_alone(domain, table, family); /* it may be asked again */
}

/* Is a FIB alone better derived? What it follows while much differs is not to be held against it. */
static bool should_derive(struct program_table *table, size_t routes)
{
    if (table->differs > ALONE_MINIMUM / 2 && table->differs >= routes / ALONE_TIMES / 2) {
        table->work = 0;
        return false;
    }
    size_t own = lpm_fib_routes(table->fib);
    return own <= FORM_SMALL || table->work > FORM_WORK * own;
}

static int balance_table(struct program_domain *domain, struct program_scope *scope,
                         enum program_family family, struct lpm_fib **old)
{
    struct program_table *table = &scope->tables[family];
    size_t routes = lpm_fib_routes(domain->bases[family]);
    if (table->kind == PROGRAM_DERIVED && table->differs > ALONE_MINIMUM &&
        table->differs > routes / 2)
        return stand_alone(domain, table, family);
    if (table->kind == PROGRAM_ALONE && should_derive(table, routes))
        return derive_again(domain, table, family, old);
    return 0;
}

int program_domain_balance(struct program_domain *domain,
                           void (*moved)(void *context, const struct program_scope *scope),
                           void *context)
{
    int error = 0;
    for (size_t i = 0; i < domain->scope_count && !error; i++)
        for (unsigned family = 0; family < PROGRAM_FAMILIES && !error; family++) {
            struct lpm_fib *old = NULL;
            error = balance_table(domain, &domain->scopes[i], (enum program_family)family, &old);
            if (old)
                moved(context, &domain->scopes[i]);
            lpm_release(old);
        }
    return error;
}
