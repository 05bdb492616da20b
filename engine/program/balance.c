/*
 * The FIBs of a VNet as a whole: made, given up, and kept in the form that is cheaper.
 *
 * A derived FIB pays for what differs. Once that is more than half of the base, a FIB of its own is
 * smaller and quicker; it becomes derived again when less than a quarter differs, so that a count
 * that hovers around one bound does not make the FIB go back and forth.
 */
#include "engine/program/tables.h"

#include <errno.h>
#include <stdlib.h>

/* Below this many differing prefixes a FIB is always derived: it costs a few pages at most, where a
 * base has a whole table. */
#define ALONE_MINIMUM 1024

static const enum lpm_family families[PROGRAM_FAMILIES] = {LPM_IPV4, LPM_IPV6};

/* --- Life ------------------------------------------------------------------------------------- */

static int open_table(struct program_table *table, struct lpm_fib *base, bool plain)
{
    table->kind = plain ? PROGRAM_SHARES : PROGRAM_DERIVED;
    table->fib = base;
    return plain ? 0 : lpm_derive(base, NULL, 0, &table->fib);
}

int program_vnet_open(struct program_vnet *vnet)
{
    for (unsigned family = 0; family < PROGRAM_FAMILIES; family++) {
        int error = lpm_base_create(vnet->lpm, families[family], NULL, 0, &vnet->bases[family]);
        for (size_t i = 0; i < vnet->scope_count && !error; i++) {
            struct program_scope *scope = &vnet->scopes[i];
            error = open_table(&scope->tables[family], vnet->bases[family], scope->plain);
        }
        if (error)
            return error;
    }
    return 0;
}

static void close_scope(struct program_vnet *vnet, struct program_scope *scope)
{
    for (unsigned family = 0; family < PROGRAM_FAMILIES; family++)
        if (scope->tables[family].fib != vnet->bases[family])
            lpm_release(scope->tables[family].fib);
    fabric_view_close(&scope->view);
    free(scope->nics);
}

void program_vnet_close(struct program_vnet *vnet)
{
    for (size_t i = 0; i < vnet->scope_count; i++)
        close_scope(vnet, &vnet->scopes[i]);
    for (unsigned family = 0; family < PROGRAM_FAMILIES; family++)
        lpm_release(vnet->bases[family]);
    fabric_view_close(&vnet->plain);
    free(vnet->scopes);
    free(vnet->late);
}

/* --- References ------------------------------------------------------------------------------- */

struct counting {
    const struct program_vnet *vnet;
    const struct lpm_fib *base; /* count what differs from it; NULL: all */
};

static int count_route(void *context, const struct lpm_route *route)
{
    const struct counting *counting = context;
    if (!counting->base || lpm_get(counting->base, &route->prefix) != route->leaf)
        program_groups_again(counting->vnet->groups, route->leaf);
    return 0;
}

void program_vnet_count_references(const struct program_vnet *vnet)
{
    for (unsigned family = 0; family < PROGRAM_FAMILIES; family++) {
        struct counting all = {.vnet = vnet};
        struct counting overrides = {.vnet = vnet, .base = vnet->bases[family]};
        lpm_each(vnet->bases[family], count_route, &all);
        for (size_t i = 0; i < vnet->scope_count; i++) {
            const struct program_table *table = &vnet->scopes[i].tables[family];
            if (table->kind != PROGRAM_SHARES)
                lpm_each(table->fib, count_route, table->kind == PROGRAM_ALONE ? &all : &overrides);
        }
    }
}

/* --- Difference between a FIB and its base ---------------------------------------------------- */

/* Changes that make a copy of the base show what fib shows. */
struct difference {
    const struct lpm_fib *fib, *base;
    struct lpm_change *changes; /* NULL: only counted */
    size_t n;
};

static void difference_add(struct difference *difference, const struct lpm_prefix *prefix,
                           uint32_t leaf)
{
    if (difference->changes)
        difference->changes[difference->n] = (struct lpm_change){
            .kind = leaf == LPM_NO_ROUTE ? LPM_REMOVE : LPM_SET, .prefix = *prefix, .leaf = leaf};
    difference->n++;
}

static int of_base(void *context, const struct lpm_route *route)
{
    struct difference *difference = context;
    uint32_t leaf = lpm_get(difference->fib, &route->prefix);
    if (leaf != route->leaf)
        difference_add(difference, &route->prefix, leaf);
    return 0;
}

static int only_of_fib(void *context, const struct lpm_route *route)
{
    struct difference *difference = context;
    if (lpm_get(difference->base, &route->prefix) == LPM_NO_ROUTE)
        difference_add(difference, &route->prefix, route->leaf);
    return 0;
}

static size_t differ(const struct lpm_fib *fib, const struct lpm_fib *base,
                     struct lpm_change *changes)
{
    struct difference difference = {.fib = fib, .base = base, .changes = changes};
    lpm_each(base, of_base, &difference);
    lpm_each(fib, only_of_fib, &difference);
    return difference.n;
}

void program_vnet_recovered(struct program_vnet *vnet)
{
    for (size_t i = 0; i < vnet->scope_count; i++)
        for (unsigned family = 0; family < PROGRAM_FAMILIES; family++) {
            struct program_table *table = &vnet->scopes[i].tables[family];
            if (table->kind != PROGRAM_SHARES)
                table->differs = differ(table->fib, vnet->bases[family], NULL);
        }
    vnet->recovering = false;
}

/* --- Form ------------------------------------------------------------------------------------- */

struct inheriting {
    const struct program_vnet *vnet;
    const struct lpm_fib *base;
};

/* A route that both show: one reference while the FIB is derived, two while it stands alone. */
static int refer_inherited(void *context, const struct lpm_route *route)
{
    const struct inheriting *inheriting = context;
    if (lpm_get(inheriting->base, &route->prefix) == route->leaf)
        program_groups_again(inheriting->vnet->groups, route->leaf);
    return 0;
}

static int release_inherited(void *context, const struct lpm_route *route)
{
    const struct inheriting *inheriting = context;
    if (lpm_get(inheriting->base, &route->prefix) == route->leaf)
        program_groups_release(inheriting->vnet->groups, route->leaf);
    return 0;
}

static int stand_alone(struct program_vnet *vnet, struct program_table *table, struct lpm_fib *base)
{
    int error = lpm_detach(table->fib);
    if (error)
        return error;
    struct inheriting inheriting = {.vnet = vnet, .base = base};
    lpm_each(table->fib, refer_inherited, &inheriting);
    table->kind = PROGRAM_ALONE;
    return 0;
}

static int derive_again(struct program_vnet *vnet, struct program_table *table,
                        struct lpm_fib *base, struct lpm_fib **old)
{
    struct lpm_fib *derived;
    struct lpm_change *changes = calloc(table->differs + 1, sizeof(*changes));
    if (!changes)
        return -ENOMEM;
    size_t n = differ(table->fib, base, changes);
    int error = lpm_derive(base, changes, n, &derived);
    free(changes);
    if (error)
        return error;
    struct inheriting inheriting = {.vnet = vnet, .base = base};
    lpm_each(derived, release_inherited, &inheriting);
    *old = table->fib;
    table->fib = derived;
    table->kind = PROGRAM_DERIVED;
    return 0;
}

static int balance_table(struct program_vnet *vnet, struct program_scope *scope,
                         enum program_family family, struct lpm_fib **old)
{
    struct program_table *table = &scope->tables[family];
    struct lpm_fib *base = vnet->bases[family];
    size_t routes = lpm_fib_routes(base);
    if (table->kind == PROGRAM_DERIVED && table->differs > ALONE_MINIMUM &&
        table->differs > routes / 2)
        return stand_alone(vnet, table, base);
    if (table->kind == PROGRAM_ALONE &&
        (table->differs <= ALONE_MINIMUM / 2 || table->differs < routes / 4))
        return derive_again(vnet, table, base, old);
    return 0;
}

int program_vnet_balance(struct program_vnet *vnet,
                         void (*moved)(void *context, const struct program_scope *scope),
                         void *context)
{
    int error = 0;
    for (size_t i = 0; i < vnet->scope_count && !error; i++)
        for (unsigned family = 0; family < PROGRAM_FAMILIES && !error; family++) {
            struct lpm_fib *old = NULL;
            error = balance_table(vnet, &vnet->scopes[i], (enum program_family)family, &old);
            if (old)
                moved(context, &vnet->scopes[i]);
            lpm_release(old);
        }
    return error;
}
