#include "engine/cli/lint_private.h"

#include <stdio.h>
#include <stdlib.h>

#include "engine/fabric/effective.h"
#include "engine/fabric/hairpin.h"

const struct fabric_bgp_peer *lint_peer_model(const struct lint *lint,
                                              const struct controller_peer *peer)
{
    return &lint->fabric->route_servers[peer->route_server].peers[peer->index];
}

const char *lint_peer_object(const struct lint *lint, const struct controller_peer *peer,
                             char object[LINT_OBJECT_TEXT])
{
    snprintf(object, LINT_OBJECT_TEXT, "route_servers[%s].peers[%s]",
             lint->fabric->route_servers[peer->route_server].name,
             speaker_peer_config(peer->peer)->name);
    return object;
}

/* --- L1: one instance only, or unequal sets --------------------------------------------------- */

static void check_instances(const struct lint *lint, const struct controller_peer *one,
                            const struct controller_peer *other)
{
    char object[LINT_OBJECT_TEXT];
    const struct fabric_place *place = &lint_peer_model(lint, one)->place;
    if (one->established != other->established)
        LINT_TELL(lint, place, "L1", lint_peer_object(lint, one, object),
                  "Let the appliance peer with both addresses of the route server.",
                  "has a session with instance %u only: with one programming half of the VMs each, "
                  "part of them lack its routes",
                  one->established ? one->instance : other->instance);
    else if (one->established && !speaker_same_learned(one->peer, other->peer))
        LINT_TELL(lint, place, "L1", lint_peer_object(lint, one, object),
                  "Let the appliance announce the same prefixes to both instances.",
                  "announces different prefixes to instances %u and %u", one->instance,
                  other->instance);
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
    char object[LINT_OBJECT_TEXT], prefix[LPM_PREFIX_TEXT];
    size_t n;
    if (!model->ip_forwarding || fabric_nic_gateway(fabric, nic) != FABRIC_NONE)
        return 0;
    int error = fabric_rows(fabric, controller_bgp(lint->controller), &scope, &rows, &n);
    if (error)
        return error;
    const struct fabric_row *row = row_to_itself(lint, nic, rows, n);
    snprintf(object, sizeof(object), "nics[%s]", model->name);
    if (row)
        LINT_TELL(
            lint, &model->place, "L2", object,
            "Give the appliance's subnet a route table with routes of its own for these prefixes, "
            "or with bgp_propagation: false.",
            "its effective route to %s leads to itself: what it sends there comes back to it",
            lpm_prefix_format(&row->prefix, prefix));
    free(rows);
    return 0;
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
    char object[LINT_OBJECT_TEXT], prefix[LPM_PREFIX_TEXT];
    if (!peer->established || peer->instance != 0 || peer->gateway != FABRIC_NONE)
        return 0;
    int error = speaker_each_learned(peer->speaker, peer->peer, look_for_loop, &loops);
    if (error || loops.lost == 0)
        return error;
    LINT_TELL(
        lint, &lint_peer_model(lint, peer)->place, "L8", lint_peer_object(lint, peer, object),
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
    char object[LINT_OBJECT_TEXT];
    if (!peer->established || peer->instance != 0 || peer->gateway != FABRIC_NONE)
        return;
    limit = &lint_peer_model(lint, peer)->max_prefixes;
    if (limit->limit == 0)
        return;
    speaker_peer_counters(peer->peer, &counters);
    if (limit->count_azure && 2 * counters.held > limit->limit)
        LINT_TELL(
            lint, &lint_peer_model(lint, peer)->place, "L11", lint_peer_object(lint, peer, object),
            "Announce half of the limit at most, count: unique, or a higher limit.",
            "holds %zu prefixes of %u: when they are all said again, after a route refresh say, "
            "they count twice and the session is closed",
            counters.held, limit->limit);
    if (counters.held * 100 >= (size_t)limit->limit * limit->warn_percent)
        LINT_TELL(lint, &lint_peer_model(lint, peer)->place, "limit-near",
                  lint_peer_object(lint, peer, object),
                  "Announce fewer prefixes, or raise max_prefixes.limit.",
                  "has %zu prefixes, and the limit is %u", counters.held, limit->limit);
}

static void check_peer_count(const struct lint *lint, const struct fabric_route_server *server)
{
    char object[LINT_OBJECT_TEXT];
    if (server->peer_count == 0 || server->peer_count * 5 < server->peer_limit * 4)
        return;
    snprintf(object, sizeof(object), "route_servers[%s].peers", server->name);
    LINT_TELL(lint, &server->place, "limit-near", object,
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
        error = lint_choices(&lint, i);
    for (size_t i = 0; i < peers; i++)
        check_limit(&lint, controller_peer(lint.controller, i));
    for (uint32_t i = 0; i < twin->fabric->route_servers_count; i++)
        check_peer_count(&lint, &twin->fabric->route_servers[i]);
    return error;
}
