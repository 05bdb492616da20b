#include "engine/cli/lint.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine/fabric/effective.h"
#include "engine/fabric/hairpin.h"

#define OBJECT_TEXT 256

struct lint {
    const struct fabric *fabric;
    struct controller *controller;
    fabric_lint_take *take;
    void *context;
};

#define TELL(lint, ...) fabric_lint_tell((lint)->take, (lint)->context, __VA_ARGS__)

static const struct fabric_bgp_peer *model_of(const struct lint *lint,
                                              const struct controller_peer *peer)
{
    return &lint->fabric->route_servers[peer->route_server].peers[peer->index];
}

static const char *peer_object(const struct lint *lint, const struct controller_peer *peer,
                               char object[OBJECT_TEXT])
{
    snprintf(object, OBJECT_TEXT, "route_servers[%s].peers[%s]",
             lint->fabric->route_servers[peer->route_server].name,
             speaker_peer_config(peer->peer)->name);
    return object;
}

/* --- L1: one instance only, or unequal sets --------------------------------------------------- */

static void check_instances(const struct lint *lint, const struct controller_peer *one,
                            const struct controller_peer *other)
{
    char object[OBJECT_TEXT];
    const struct fabric_place *place = &model_of(lint, one)->place;
    if (one->established != other->established)
        TELL(lint, place, "L1", peer_object(lint, one, object),
             "Let the appliance peer with both addresses of the route server.",
             "has a session with instance %u only: with one programming half of the VMs each, "
             "part of them lack its routes",
             one->established ? one->instance : other->instance);
    else if (one->established && !speaker_same_learned(one->peer, other->peer))
        TELL(lint, place, "L1", peer_object(lint, one, object),
             "Let the appliance announce the same prefixes to both instances.",
             "announces different prefixes to instances %u and %u", one->instance, other->instance);
}

static void check_all_instances(const struct lint *lint)
{
    size_t n = controller_peer_count(lint->controller);
    for (size_t i = 0; i < n; i++) {
        const struct controller_peer *one = controller_peer(lint->controller, i);
        for (size_t j = i + 1; j < n && one->instance == 0; j++) {
            const struct controller_peer *other = controller_peer(lint->controller, j);
            if (one->gateway == FABRIC_NONE && other->gateway == FABRIC_NONE &&
                other->route_server == one->route_server && other->neighbor == one->neighbor &&
                other->instance != 0 && controller_peer_router(lint->fabric, one) != FABRIC_NONE)
                check_instances(lint, one, other);
        }
    }
}

/* --- L2: an appliance that gets its own route back -------------------------------------------- */

static bool is_own_hop(const struct fabric *fabric, uint32_t nic, const struct lpm_address *hop)
{
    uint32_t vnet = fabric->nics[nic].vnet;
    uint32_t balancer = fabric_resolve_frontend(fabric, vnet, hop);
    return fabric_resolve_address(fabric, vnet, hop) == nic ||
           (balancer != FABRIC_NONE && fabric_is_backend(&fabric->load_balancers[balancer], nic));
}

/* What it has announced itself it may send another way: into a tunnel, say. */
static bool hairpins(const struct lint *lint, uint32_t nic, const struct lpm_prefix *prefix,
                     const struct lpm_address *hop)
{
    const struct fabric_bgp *bgp = controller_bgp(lint->controller);
    uint32_t server = fabric_route_server_for(lint->fabric, lint->fabric->nics[nic].vnet);
    struct rib_choice choice;
    if (!bgp->choice(bgp->context, server, prefix, &choice))
        return false;
    for (unsigned i = 0; i < choice.n; i++)
        if (lpm_address_equal(&choice.paths[i].next_hop, hop))
            return fabric_hairpins(lint->fabric, nic, server, prefix, &choice.paths[i]);
    return true;
}

static const struct fabric_row *row_to_itself(const struct lint *lint, uint32_t nic,
                                              const struct fabric_row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++)
        for (unsigned j = 0;
             rows[i].active && rows[i].source == FABRIC_SOURCE_BGP && j < rows[i].next_hop_count;
             j++)
            if (is_own_hop(lint->fabric, nic, &rows[i].next_hops[j]) &&
                hairpins(lint, nic, &rows[i].prefix, &rows[i].next_hops[j]))
                return &rows[i];
    return NULL;
}

static int check_own_routes(const struct lint *lint, uint32_t nic)
{
    const struct fabric *fabric = lint->fabric;
    const struct fabric_nic *model = &fabric->nics[nic];
    struct fabric_scope scope = fabric_scope_of(fabric, nic);
    struct fabric_row *rows;
    char object[OBJECT_TEXT], prefix[LPM_PREFIX_TEXT];
    size_t n;
    if (!model->ip_forwarding || fabric_nic_gateway(fabric, nic) != FABRIC_NONE)
        return 0;
    int error = fabric_rows(fabric, controller_bgp(lint->controller), &scope, &rows, &n);
    if (error)
        return error;
    const struct fabric_row *row = row_to_itself(lint, nic, rows, n);
    snprintf(object, sizeof(object), "nics[%s]", model->name);
    if (row)
        TELL(lint, &model->place, "L2", object,
             "Give the appliance's subnet a route table with routes of its own for these prefixes, "
             "or with bgp_propagation: false.",
             "its effective route to %s leads to itself: what it sends there comes back to it",
             lpm_prefix_format(&row->prefix, prefix));
    free(rows);
    return 0;
}

/* --- Choices of a route server: L8, L9, L10 --------------------------------------------------- */

struct choices {
    const struct lint *lint;
    uint32_t route_server;
    unsigned out_of_reach; /* told already */
    bool *told;            /* routers that L10 was told of */
};

/* A next hop that no VNet which takes the route can reach is a black hole for all. */
static bool is_reached(const struct fabric *fabric, uint32_t route_server,
                       const struct lpm_address *hop)
{
    for (uint32_t i = 0; i < fabric->vnets_count; i++)
        if (fabric_route_server_for(fabric, i) == route_server &&
            (fabric_resolve_address(fabric, i, hop) != FABRIC_NONE ||
             fabric_resolve_frontend(fabric, i, hop) != FABRIC_NONE))
            return true;
    return false;
}

#define OUT_OF_REACH_MOST 16u /* findings of one route server: the rest is more of the same */

static void check_hop(struct choices *choices, const struct lpm_prefix *prefix,
                      const struct rib_path *path)
{
    const struct lint *lint = choices->lint;
    char object[OBJECT_TEXT], hop[LPM_ADDRESS_TEXT], text[LPM_PREFIX_TEXT];
    if (!path->peer || path->discard || choices->out_of_reach == OUT_OF_REACH_MOST ||
        is_reached(lint->fabric, choices->route_server, &path->next_hop))
        return;
    const struct controller_peer *peer = speaker_peer_user(path->peer);
    if (peer->gateway != FABRIC_NONE)
        return;
    choices->out_of_reach++;
    TELL(lint, &model_of(lint, peer)->place, "L9", peer_object(lint, peer, object),
         "Announce a next hop that is a NIC or a load balancer of the route server's VNet or of "
         "one peered with it.",
         "announces %s with next hop %s, which no NIC in reach has: the route stays Active and "
         "drops what takes it",
         lpm_prefix_format(prefix, text), lpm_address_format(&path->next_hop, hop));
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
    char object[OBJECT_TEXT], text[LPM_PREFIX_TEXT];
    for (unsigned i = 0; i < choice->n; i++) {
        uint32_t router = stateful_behind(lint, choices->route_server, &choice->paths[i].next_hop);
        if (router == FABRIC_NONE || choices->told[router])
            continue;
        choices->told[router] = true;
        snprintf(object, sizeof(object), "routers[%s].stateful",
                 lint->fabric->routers[router].name);
        TELL(lint, &lint->fabric->routers[router].place, "L10", object,
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

static int check_choices(const struct lint *lint, uint32_t route_server)
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

/* --- L8: the route server's own AS number in an appliance's path ------------------------------ */

struct loops {
    const struct lint *lint;
    uint32_t route_server;
    const struct speaker *speaker;
    size_t lost;
    struct lpm_prefix example;
};

struct candidates {
    bool accepted;
};

static int look_for_accepted(void *context, const struct rib_path *path, enum rib_verdict verdict)
{
    struct candidates *candidates = context;
    candidates->accepted |= path->peer == NULL || !rib_verdict_filtered(verdict);
    return candidates->accepted;
}

/* What the route server said itself comes back with its AS number, and that is as it should be; a
 * prefix that it has from nobody else is lost. */
static int look_for_loop(void *context, const struct lpm_prefix *prefix,
                         const struct rib_path *path, enum rib_verdict verdict)
{
    struct loops *loops = context;
    const struct fabric_bgp *bgp = controller_bgp(loops->lint->controller);
    struct candidates candidates = {false};
    (void)path;
    if (verdict != RIB_FILTERED_AS_LOOP || speaker_originates(loops->speaker, prefix))
        return 0;
    bgp->each_candidate(bgp->context, loops->route_server, prefix, look_for_accepted, &candidates);
    if (!candidates.accepted && loops->lost++ == 0)
        loops->example = *prefix;
    return 0;
}

static int check_loops(const struct lint *lint, const struct controller_peer *peer)
{
    struct loops loops = {
        .lint = lint, .route_server = peer->route_server, .speaker = peer->speaker};
    char object[OBJECT_TEXT], prefix[LPM_PREFIX_TEXT];
    if (!peer->established || peer->instance != 0 || peer->gateway != FABRIC_NONE)
        return 0;
    int error = speaker_each_learned(peer->speaker, peer->peer, look_for_loop, &loops);
    if (error || loops.lost == 0)
        return error;
    TELL(lint, &model_of(lint, peer)->place, "L8", peer_object(lint, peer, object),
         "Use as_override at the appliance, or remove the AS number there before it announces the "
         "routes.",
         "announces %zu prefixes with AS %u in the path, %s among them, which are dropped as loops",
         loops.lost, lint->fabric->route_servers[peer->route_server].asn,
         lpm_prefix_format(&loops.example, prefix));
    return 0;
}

/* --- Limits: L11, limit-near ------------------------------------------------------------------ */

static void check_limit(const struct lint *lint, const struct controller_peer *peer)
{
    const struct fabric_max_prefixes *limit;
    struct speaker_peer_counters counters;
    char object[OBJECT_TEXT];
    if (!peer->established || peer->instance != 0 || peer->gateway != FABRIC_NONE)
        return;
    limit = &model_of(lint, peer)->max_prefixes;
    if (limit->limit == 0)
        return;
    speaker_peer_counters(peer->peer, &counters);
    if (limit->count_azure && 2 * counters.held > limit->limit)
        TELL(lint, &model_of(lint, peer)->place, "L11", peer_object(lint, peer, object),
             "Announce half of the limit at most, count: unique, or a higher limit.",
             "holds %zu prefixes of %u: when they are all said again, after a route refresh say, "
             "they count twice and the session is closed",
             counters.held, limit->limit);
    if (counters.held * 100 >= (size_t)limit->limit * limit->warn_percent)
        TELL(lint, &model_of(lint, peer)->place, "limit-near", peer_object(lint, peer, object),
             "Announce fewer prefixes, or raise max_prefixes.limit.",
             "has %zu prefixes, and the limit is %u", counters.held, limit->limit);
}

static void check_peer_count(const struct lint *lint, const struct fabric_route_server *server)
{
    char object[OBJECT_TEXT];
    if (server->peer_count == 0 || server->peer_count * 5 < server->peer_limit * 4)
        return;
    snprintf(object, sizeof(object), "route_servers[%s].peers", server->name);
    TELL(lint, &server->place, "limit-near", object,
         "Raise limits.peers, or take in fewer peers by one that keeps next hops.",
         "%u peers, and the limit is %u", server->peer_count, server->peer_limit);
}

/* --- All -------------------------------------------------------------------------------------- */

int lint_twin(struct twin *twin, fabric_lint_take *take, void *context)
{
    const struct lint lint = {twin->fabric, sim_controller(twin->sim), take, context};
    size_t peers = controller_peer_count(lint.controller);
    int error = 0;
    check_all_instances(&lint);
    for (uint32_t i = 0; i < twin->fabric->nics_count && !error; i++)
        error = check_own_routes(&lint, i);
    for (size_t i = 0; i < peers && !error; i++)
        error = check_loops(&lint, controller_peer(lint.controller, i));
    for (uint32_t i = 0; i < twin->fabric->route_servers_count && !error; i++)
        error = check_choices(&lint, i);
    for (size_t i = 0; i < peers; i++)
        check_limit(&lint, controller_peer(lint.controller, i));
    for (uint32_t i = 0; i < twin->fabric->route_servers_count; i++)
        check_peer_count(&lint, &twin->fabric->route_servers[i]);
    return error;
}
