/*
 * Effective routes against the oracle, over random fabrics and random BGP.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/fabric/explain.h"
#include "tests/fabric/oracle.h"
#include "tests/fabric/random_world.h"

#define WORLDS  150
#define CHANGES 25

static void expect_equal(const struct world *world, uint32_t nic, uint64_t seed)
{
    size_t n;
    struct fabric_row *rows = oracle_rows(world, nic, &n);
    char *expected = world_rows_text(world, rows, n);
    char *actual = world_nic_rows(world, nic);
    cr_assert_str_eq(actual, expected, "seed %llu: %s has\n%sand not\n%s", (unsigned long long)seed,
                     world->nics[nic].name, actual, expected);
    free(actual);
    free(expected);
    free(rows);
}

Test(effective, rows_are_those_of_the_oracle)
{
    uint64_t seed = chance_seed();
    struct chance chance = {seed};
    for (unsigned i = 0; i < WORLDS; i++) {
        struct world *world = random_world(&chance);
        for (unsigned change = 0; change < CHANGES; change++) {
            uint32_t server;
            struct lpm_prefix prefix;
            random_bgp_change(world, &chance, &server, &prefix);
            expect_equal(world, chance_below(&chance, world->fabric.nics_count), seed);
        }
        for (uint32_t nic = 0; nic < world->fabric.nics_count; nic++)
            expect_equal(world, nic, seed);
        world_destroy(world);
    }
}

static size_t rows_of(const struct world *world, uint32_t nic, struct fabric_row **rows)
{
    struct fabric_scope scope = fabric_scope_of(&world->fabric, nic);
    size_t n;
    cr_assert_eq(fabric_rows(&world->fabric, &world->bgp, &scope, rows, &n), 0);
    return n;
}

static bool same_row(const struct fabric_row *a, const struct fabric_row *b)
{
    bool same = lpm_prefix_equal(&a->prefix, &b->prefix) && a->source == b->source &&
                a->active == b->active && a->type == b->type && a->vnet == b->vnet &&
                a->next_hop_count == b->next_hop_count;
    for (unsigned i = 0; i < a->next_hop_count && same; i++)
        same = lpm_address_equal(&a->next_hops[i], &b->next_hops[i]);
    return same;
}

static bool same_rows_at(const struct lpm_prefix *prefix, const struct fabric_row *a, size_t n_a,
                         const struct fabric_row *b, size_t n_b)
{
    size_t i = 0, j = 0;
    for (;;) {
        while (i < n_a && !lpm_prefix_equal(&a[i].prefix, prefix))
            i++;
        while (j < n_b && !lpm_prefix_equal(&b[j].prefix, prefix))
            j++;
        if (i == n_a || j == n_b)
            return i == n_a && j == n_b;
        if (!same_row(&a[i++], &b[j++]))
            return false;
    }
}

Test(effective, one_prefix_has_one_active_row_and_rows_at_agrees_with_the_list)
{
    uint64_t seed = chance_seed();
    struct chance chance = {seed};
    for (unsigned i = 0; i < WORLDS; i++) {
        struct world *world = random_world(&chance);
        uint32_t server;
        struct lpm_prefix prefix;
        for (unsigned change = 0; change < CHANGES; change++)
            random_bgp_change(world, &chance, &server, &prefix);
        uint32_t nic = chance_below(&chance, world->fabric.nics_count);
        struct fabric_scope scope = fabric_scope_of(&world->fabric, nic);
        struct fabric_row *rows, at[3];
        size_t n = rows_of(world, nic, &rows);
        for (size_t j = 0; j < n; j++) {
            bool first = j == 0 || !lpm_prefix_equal(&rows[j].prefix, &rows[j - 1].prefix);
            cr_assert_eq(rows[j].active, first, "seed %llu", (unsigned long long)seed);
            unsigned count =
                fabric_rows_at(&world->fabric, &world->bgp, &scope, &rows[j].prefix, at);
            cr_assert(same_rows_at(&rows[j].prefix, rows, n, at, count), "seed %llu",
                      (unsigned long long)seed);
        }
        free(rows);
        world_destroy(world);
    }
}

struct prefix_set {
    struct lpm_prefix items[64];
    size_t n;
};

static void remember(void *context, const struct lpm_prefix *prefix)
{
    struct prefix_set *set = context;
    set->items[set->n++] = *prefix;
}

static bool contains(const struct prefix_set *set, const struct lpm_prefix *prefix)
{
    for (size_t i = 0; i < set->n; i++)
        if (lpm_prefix_equal(&set->items[i], prefix))
            return true;
    return false;
}

static void expect_only_dependents(const struct world *world, const struct lpm_prefix *changed,
                                   const struct fabric_row *before, size_t n_before,
                                   const struct fabric_row *after, size_t n_after, uint64_t seed)
{
    struct prefix_set dependents = {.n = 0};
    fabric_dependents(&world->fabric, changed, remember, &dependents);
    for (size_t i = 0; i < n_before + n_after; i++) {
        const struct lpm_prefix *prefix =
            i < n_before ? &before[i].prefix : &after[i - n_before].prefix;
        cr_assert(contains(&dependents, prefix) ||
                      same_rows_at(prefix, before, n_before, after, n_after),
                  "seed %llu: a row changed that does not depend on the change",
                  (unsigned long long)seed);
    }
}

Test(effective, a_change_of_bgp_touches_only_its_dependents)
{
    uint64_t seed = chance_seed();
    struct chance chance = {seed};
    for (unsigned i = 0; i < WORLDS; i++) {
        struct world *world = random_world(&chance);
        uint32_t nic = chance_below(&chance, world->fabric.nics_count);
        for (unsigned change = 0; change < CHANGES; change++) {
            struct fabric_row *before, *after;
            uint32_t server;
            struct lpm_prefix prefix;
            size_t n_before = rows_of(world, nic, &before), n_after;
            if (random_bgp_change(world, &chance, &server, &prefix)) {
                n_after = rows_of(world, nic, &after);
                expect_only_dependents(world, &prefix, before, n_before, after, n_after, seed);
                free(after);
            }
            free(before);
        }
        world_destroy(world);
    }
}

/* Takes some object away; what undo() needs to bring it back. */
struct removal {
    enum { OF_PEERING, OF_TABLE, OF_PATHS } kind;
    struct fabric_peering peering;
    uint32_t subnet, table;
    size_t path_count;
};

static bool take_away(struct world *world, struct chance *chance, struct removal *removal)
{
    struct fabric *fabric = &world->fabric;
    switch (chance_below(chance, 3)) {
    case 0:
        if (fabric->peerings_count == 0)
            return false;
        removal->kind = OF_PEERING;
        removal->peering = world->peerings[--fabric->peerings_count];
        return true;
    case 1:
        removal->kind = OF_TABLE;
        removal->subnet = chance_below(chance, fabric->subnets_count);
        removal->table = world->subnets[removal->subnet].route_table;
        world->subnets[removal->subnet].route_table = FABRIC_NONE;
        return true;
    default:
        removal->kind = OF_PATHS;
        removal->path_count = world->path_count;
        world->path_count = 0;
        return true;
    }
}

static void bring_back(struct world *world, const struct removal *removal)
{
    if (removal->kind == OF_PEERING)
        world->peerings[world->fabric.peerings_count++] = removal->peering;
    else if (removal->kind == OF_TABLE)
        world->subnets[removal->subnet].route_table = removal->table;
    else
        world->path_count = removal->path_count;
}

Test(effective, taking_an_object_away_and_bringing_it_back_changes_nothing)
{
    uint64_t seed = chance_seed();
    struct chance chance = {seed};
    for (unsigned i = 0; i < WORLDS; i++) {
        struct world *world = random_world(&chance);
        uint32_t server;
        struct lpm_prefix prefix;
        for (unsigned change = 0; change < CHANGES; change++)
            random_bgp_change(world, &chance, &server, &prefix);
        for (uint32_t nic = 0; nic < world->fabric.nics_count; nic++) {
            struct removal removal;
            char *before = world_nic_rows(world, nic);
            if (take_away(world, &chance, &removal)) {
                expect_equal(world, nic, seed);
                bring_back(world, &removal);
            }
            char *after = world_nic_rows(world, nic);
            cr_assert_str_eq(before, after, "seed %llu", (unsigned long long)seed);
            free(before);
            free(after);
        }
        world_destroy(world);
    }
}

/* --- Explanations ----------------------------------------------------------------------------- */

/* What is installed is the Active row, and each class that has a row has a candidate that is not
 * filtered. */
static void expect_explained(const struct world *world, const struct fabric_scope *scope,
                             const struct lpm_prefix *prefix, uint64_t seed)
{
    struct fabric_explanation explanation;
    struct fabric_row rows[3];
    unsigned n = fabric_rows_at(&world->fabric, &world->bgp, scope, prefix, rows);
    unsigned installed = 0;
    cr_assert_eq(fabric_explain(&world->fabric, &world->bgp, scope, prefix, &explanation), 0);
    for (size_t i = 0; i < explanation.n; i++) {
        const struct fabric_candidate *candidate = &explanation.candidates[i];
        cr_assert_not_null(candidate->rule);
        cr_assert_not_null(candidate->via);
        cr_assert_eq(candidate->path != NULL, candidate->source == FABRIC_SOURCE_BGP);
        if (candidate->verdict != FABRIC_INSTALLED)
            continue;
        installed++;
        cr_assert(n > 0 && candidate->source == rows[0].source &&
                      candidate->row.type == rows[0].type && candidate->row.active,
                  "seed %llu", (unsigned long long)seed);
    }
    cr_assert_eq(installed > 0, n > 0, "seed %llu: %u rows, %u of %zu candidates installed",
                 (unsigned long long)seed, n, installed, explanation.n);
    fabric_explanation_free(&explanation);
}

Test(effective, explanations_agree_with_the_rows)
{
    uint64_t seed = chance_seed();
    struct chance chance = {seed};
    for (unsigned i = 0; i < WORLDS; i++) {
        struct world *world = random_world(&chance);
        for (unsigned change = 0; change < CHANGES; change++) {
            uint32_t server;
            struct lpm_prefix prefix;
            uint32_t nic = chance_below(&chance, world->fabric.nics_count);
            struct fabric_scope scope = fabric_scope_of(&world->fabric, nic);
            if (random_bgp_change(world, &chance, &server, &prefix))
                expect_explained(world, &scope, &prefix, seed);
            struct lpm_address address = random_address(world, &chance, LPM_IPV4);
            prefix = lpm_address_prefix(&address);
            prefix.length = (uint8_t)chance_below(&chance, 33);
            lpm_prefix_mask(&prefix);
            expect_explained(world, &scope, &prefix, seed);
        }
        world_destroy(world);
    }
}
