/*
 * Lint rules about what a route server has chosen: L9, next hops that who follows them cannot reach, and L10,
 * appliances that keep sessions and share flows.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine/cli/lint_private.h"
#include "engine/fabric/effective.h"

#define OUT_OF_REACH_MOST 16u /* findings of one route server: the rest is more of the same */
#define REACHED_MOST      8u  /* as many as an ECMP set commonly has */

struct choices {
    const struct lint *lint;
    uint32_t route_server;
    struct lpm_address told_hops[OUT_OF_REACH_MOST]; /* that L9 was told of */
    unsigned told_hop_count;
    struct lpm_address reached[REACHED_MOST]; /* by every VNet, looked at lately: a ring */
    unsigned reached_next;
    bool *told; /* routers that L10 was told of */
};

static bool is_among(const struct lpm_address *hops, unsigned n, const struct lpm_address *hop)
{
    for (unsigned i = 0; i < n; i++)
        if (lpm_address_equal(&hops[i], hop))
            return true;
    return false;
}

static bool reaches(const struct fabric *fabric, uint32_t vnet, const struct lpm_address *hop)
{
    return fabric_resolve_address(fabric, vnet, hop) != FABRIC_NONE ||
           fabric_resolve_frontend(fabric, vnet, hop) != FABRIC_NONE;
}

/* Has a NIC of this VNet the route, and in use? */
static bool follows(const struct lint *lint, uint32_t vnet, const struct lpm_prefix *prefix,
                    const struct lpm_address *hop)
{
    const struct fabric *fabric = lint->fabric;
    struct fabric_row rows[3];

    for (uint32_t i = 0; i < fabric->nics_count; i++) {
        if (fabric->nics[i].vnet != vnet)
            continue;
        const struct fabric_scope scope = fabric_scope_of(fabric, i);
        if (fabric_rows_at(fabric, controller_bgp(lint->controller), &scope, prefix, rows) > 0 &&
            rows[0].source == FABRIC_SOURCE_BGP &&
            is_among(rows[0].next_hops, rows[0].next_hop_count, hop))
            return true;
    }
    return false;
}

/* VNets that take the route server's routes, by whether they can reach a next hop. */
struct reach {
    unsigned reaching, apart; /* apart: they cannot */
    unsigned misled;          /* of these, VNets with NICs that have the route in use */
    uint32_t example;         /* one of the misled */
};

static struct reach reach_of(const struct choices *choices, const struct lpm_prefix *prefix,
                             const struct lpm_address *hop)
{
    const struct fabric *fabric = choices->lint->fabric;
    struct reach reach = {.example = FABRIC_NONE};

    for (uint32_t i = 0; i < fabric->vnets_count; i++) {
        if (fabric_route_server_for(fabric, i) != choices->route_server)
            continue;
        if (reaches(fabric, i, hop)) {
            reach.reaching++;
            continue;
        }
        reach.apart++;
        if (follows(choices->lint, i, prefix, hop) && reach.misled++ == 0)
            reach.example = i;
    }
    return reach;
}

static void tell_hop(const struct lint *lint, const struct controller_peer *peer,
                     const struct lpm_prefix *prefix, const struct lpm_address *next_hop,
                     const struct reach *reach)
{
    char object[LINT_OBJECT_TEXT], hop[LPM_ADDRESS_TEXT], text[LPM_PREFIX_TEXT], others[32] = "";

    lpm_prefix_format(prefix, text);
    lpm_address_format(next_hop, hop);
    lint_peer_object(lint, peer, object);
    if (reach->misled > 1)
        snprintf(others, sizeof(others), " and of %u more", reach->misled - 1);
    if (reach->reaching == 0)
        LINT_TELL(
            lint, &lint_peer_model(lint, peer)->place, "L9", object,
            "Announce a next hop that is a NIC or a load balancer of the route server's VNet or "
            "of one peered with it.",
            "announces %s with next hop %s, which no NIC in reach has: the route stays Active "
            "and drops what takes it",
            text, hop);
    else
        LINT_TELL(
            lint, &lint_peer_model(lint, peer)->place, "L9", object,
            "Peer these VNets with that of the next hop, or announce one that all can reach: in "
            "the route server's VNet.",
            "announces %s with next hop %s, and NICs of VNet '%s'%s have the route and no way to "
            "it: peering leads one VNet further, and what takes the route is dropped",
            text, hop, lint->fabric->vnets[reach->example].name, others);
}

static void check_hop(struct choices *choices, const struct lpm_prefix *prefix,
                      const struct rib_path *path)
{
    const struct lpm_address *hop = &path->next_hop;

    if (!path->peer || path->discard || choices->told_hop_count == OUT_OF_REACH_MOST ||
        is_among(choices->reached, REACHED_MOST, hop) ||
        is_among(choices->told_hops, choices->told_hop_count, hop))
        return;
    const struct controller_peer *peer = speaker_peer_user(path->peer);
    if (peer->gateway != FABRIC_NONE)
        return;
    const struct reach reach = reach_of(choices, prefix, hop);
    if (reach.apart == 0)
        choices->reached[choices->reached_next++ % REACHED_MOST] = *hop;
    else if (reach.reaching == 0 || reach.misled > 0) {
        choices->told_hops[choices->told_hop_count++] = *hop;
        tell_hop(choices->lint, peer, prefix, hop, &reach);
    }
}

/* The router behind a next hop that keeps sessions and does not translate, or FABRIC_NONE. */
static uint32_t stateful_behind(const struct lint *lint, uint32_t route_server,
                                const struct lpm_address *hop)
{
    const struct fabric *fabric = lint->fabric;
    uint32_t nic = fabric_resolve_address(fabric, fabric->route_servers[route_server].vnet, hop);
    uint32_t router = nic == FABRIC_NONE ? FABRIC_NONE : fabric->nics[nic].router;
    if (router == FABRIC_NONE || !fabric->routers[router].stateful ||
        fabric->routers[router].source_nat)
        return FABRIC_NONE;
    return router;
}

static void check_stateful(struct choices *choices, const struct lpm_prefix *prefix,
                           const struct rib_choice *choice)
{
    const struct lint *lint = choices->lint;
    char object[LINT_OBJECT_TEXT], text[LPM_PREFIX_TEXT];
    for (unsigned i = 0; i < choice->n; i++) {
        uint32_t router = stateful_behind(lint, choices->route_server, &choice->paths[i].next_hop);
        if (router == FABRIC_NONE || choices->told[router])
            continue;
        choices->told[router] = true;
        snprintf(object, sizeof(object), "routers[%s].stateful",
                 lint->fabric->routers[router].name);
        LINT_TELL(
            lint, &lint->fabric->routers[router].place, "L10", object,
            "Put a load balancer in front of the appliances and announce its frontend, translate "
            "sources there, or prepend at all but one.",
            "is one of %u equal next hops of %s, and each NIC hashes for itself: answers come "
            "back to another one, which does not know the session",
            choice->n, lpm_prefix_format(prefix, text));
    }
}

static int check_choice(void *context, const struct lpm_prefix *prefix,
                        const struct rib_choice *choice)
{
    struct choices *choices = context;
    for (unsigned i = 0; i < choice->n; i++)
        check_hop(choices, prefix, &choice->paths[i]);
    if (choice->n > 1 && choices->lint->fabric->quirks.independent_hash)
        check_stateful(choices, prefix, choice);
    return 0;
}

int lint_choices(const struct lint *lint, uint32_t route_server)
{
    const struct fabric_bgp *bgp = controller_bgp(lint->controller);
    struct choices choices = {.lint = lint, .route_server = route_server};
    choices.told = calloc((size_t)lint->fabric->routers_count + 1, sizeof(*choices.told));
    if (!choices.told)
        return -ENOMEM;
    int error = bgp->each(bgp->context, route_server, check_choice, &choices);
    free(choices.told);
    return error;
}
