/*
 * Changing the fabric under the running twin, and saying how much of the effective routes that
 * changed.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/sim/internal.h"

/* --- What changed ----------------------------------------------------------------------------- */

struct rows {
    struct fabric_row *items;
    size_t n;
};

/* Two scopes of NICs that are the same NIC before and after. */
struct pair {
    struct fabric_scope before, after;
    struct rows rows; /* before */
};

static bool same_scope(const struct fabric_scope *a, const struct fabric_scope *b)
{
    return a->subnet == b->subnet && a->router == b->router && a->nic == b->nic &&
           a->instance == b->instance;
}

/* VNets have other indices, and keep their names. */
static const char *vnet_of(const struct fabric *fabric, const struct fabric_row *row)
{
    return row->vnet == FABRIC_NONE ? "" : fabric->vnets[row->vnet].name;
}

static bool same_row(const struct fabric *before, const struct fabric_row *a,
                     const struct fabric *after, const struct fabric_row *b)
{
    return fabric_row_same(a, b) && strcmp(vnet_of(before, a), vnet_of(after, b)) == 0;
}

/* Rows stand in the order of prefixes, the Active one first; only those in use are programmed. */
static size_t next_active(const struct rows *rows, size_t i)
{
    while (i < rows->n && !rows->items[i].active)
        i++;
    return i;
}

static uint64_t count_differences(const struct fabric *before, const struct rows *a,
                                  const struct fabric *after, const struct rows *b)
{
    size_t i = next_active(a, 0), j = next_active(b, 0);
    uint64_t n = 0;
    while (i < a->n || j < b->n) {
        int order = i == a->n   ? 1
                    : j == b->n ? -1
                                : lpm_prefix_compare(&a->items[i].prefix, &b->items[j].prefix);
        n += order != 0 || !same_row(before, &a->items[i], after, &b->items[j]);
        if (order <= 0)
            i = next_active(a, i + 1);
        if (order >= 0)
            j = next_active(b, j + 1);
    }
    return n;
}

/* --- Pairs of scopes -------------------------------------------------------------------------- */

struct pairs {
    struct pair *items;
    size_t n;
};

static int add_pair(struct pairs *pairs, const struct fabric_scope *before,
                    const struct fabric_scope *after)
{
    for (size_t i = 0; i < pairs->n; i++)
        if (same_scope(&pairs->items[i].before, before) &&
            same_scope(&pairs->items[i].after, after))
            return 0;
    void *grown = realloc(pairs->items, (pairs->n + 1) * sizeof(*pairs->items));
    if (!grown)
        return -ENOMEM;
    pairs->items = grown;
    pairs->items[pairs->n++] = (struct pair){.before = *before, .after = *after};
    return 0;
}

/* Of NICs that are there before and after; what comes and goes with a NIC is no change of a route. */
static int make_pairs(struct sim *sim, const struct fabric *with, struct pairs *pairs)
{
    const struct fabric_bgp *bgp = controller_bgp(sim->controller);
    int error = 0;
    for (uint32_t i = 0; i < sim->fabric->nics_count && !error; i++) {
        uint32_t now = fabric_find_nic(with, sim->fabric->nics[i].name);
        if (now == FABRIC_NONE)
            continue;
        struct fabric_scope before = fabric_scope_of(sim->fabric, i);
        struct fabric_scope after = fabric_scope_of(with, now);
        error = add_pair(pairs, &before, &after);
    }
    for (size_t i = 0; i < pairs->n && !error; i++)
        error = fabric_rows(sim->fabric, bgp, &pairs->items[i].before, &pairs->items[i].rows.items,
                            &pairs->items[i].rows.n);
    return error;
}

static int count_changes(struct sim *sim, const struct fabric *before, const struct pairs *pairs)
{
    const struct fabric_bgp *bgp = controller_bgp(sim->controller);
    int error = 0;
    for (size_t i = 0; i < pairs->n && !error; i++) {
        struct rows now = {0};
        error = fabric_rows(sim->fabric, bgp, &pairs->items[i].after, &now.items, &now.n);
        if (!error)
            sim->entries += count_differences(before, &pairs->items[i].rows, sim->fabric, &now);
        free(now.items);
    }
    return error;
}

static int follow(struct sim *sim, const struct fabric *with)
{
    unsigned missing;
    int error = controller_set_policies(sim->controller, with, sim_now_ms(sim), &missing);
    if (!error)
        error = sim_follow_routers(sim, with);
    sim->fabric = with;
    sim->changes++;
    sim_probes_run(&sim->probes);
    for (size_t i = 0; i < controller_speaker_count(sim->controller); i++)
        sim_touched(sim, controller_speaker(sim->controller, i));
    for (uint32_t i = 0; i < sim->router_count; i++)
        if (sim->routers[i]->speaker)
            sim_touched(sim, sim->routers[i]->speaker);
    return error;
}

int sim_apply(struct sim *sim, const struct fabric *with, char error[DP_ERROR_TEXT])
{
    const struct fabric *before = sim->fabric;
    struct pairs pairs = {0};
    snprintf(error, DP_ERROR_TEXT, "no memory");
    int failed = make_pairs(sim, with, &pairs);
    sim_end_gone(sim); /* so that the ends of its links are free */
    if (!failed)
        failed = controller_apply(sim->controller, with, sim_now_ms(sim), error);
    if (!failed) {
        failed = follow(sim, with);
        if (!failed)
            failed = count_changes(sim, before, &pairs);
        sim_verify(sim);
    }
    for (size_t i = 0; i < pairs.n; i++)
        free(pairs.items[i].rows.items);
    free(pairs.items);
    return failed;
}
