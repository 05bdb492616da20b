/*
 * Sessions of modelled routers are written at both ends: as a peer of the route server and as a
 * neighbor of the router, or as a neighbor of both routers. Where one end is missing, no session comes
 * up in the twin; that is legal and rarely meant.
 */
#include "engine/fabric/validate.h"

#include <stdio.h>

#include "engine/fabric/route_server.h"

#define OBJECT_TEXT 200

static bool router_has_neighbor(const struct fabric_router *router, uint32_t server)
{
    for (uint32_t i = 0; i < router->neighbor_count; i++)
        if (router->neighbors[i].route_server == server)
            return true;
    return false;
}

static void check_server(struct fabric_loader *loader, uint32_t index)
{
    const struct fabric *fabric = loader->fabric;
    const struct fabric_route_server *server = &fabric->route_servers[index];

    for (uint32_t i = 0; i < server->peer_count; i++) {
        const struct fabric_bgp_peer *peer = &server->peers[i];
        char object[OBJECT_TEXT];
        const struct fabric_router *router =
            peer->router == FABRIC_NONE ? NULL : &fabric->routers[peer->router];

        snprintf(object, sizeof(object), "route_servers[%s].peers[%s]", server->name, peer->name);
        if (router && !router_has_neighbor(router, index))
            FABRIC_WARNING(loader, FABRIC_LINT_ONE_SIDED_SESSION, object,
                           "Add the route server to the router's neighbors, or take the peer out.",
                           &peer->place,
                           "%s: router '%s' (%s:%u) has this address but "
                           "no neighbor {route_server: %s}; no session comes up in the twin",
                           object, router->name, router->place.file, router->place.line,
                           server->name);
    }
}

/* It is in a range, whose neighbours have other numbers. */
static void tell_other_asn(struct fabric_loader *loader, const char *object,
                           const struct fabric_neighbor *neighbor, uint32_t range, uint32_t asn)
{
    const struct fabric_route_server *server =
        &loader->fabric->route_servers[neighbor->route_server];
    char prefix[LPM_PREFIX_TEXT];

    FABRIC_WARNING(loader, FABRIC_LINT_ONE_SIDED_SESSION, object,
                   "Add the AS number to asns, or take the neighbor out.", &neighbor->place,
                   "%s.neighbors: route server '%s' takes no AS %u from dynamic_peers[%s]; no "
                   "session comes up",
                   object, server->name, asn,
                   lpm_prefix_format(&server->dynamic_peers[range].prefix, prefix));
}

static void check_router(struct fabric_loader *loader, uint32_t index)
{
    const struct fabric *fabric = loader->fabric;
    const struct fabric_router *router = &fabric->routers[index];
    struct fabric_dynamic_peer found;
    char object[OBJECT_TEXT];

    snprintf(object, sizeof(object), "routers[%s]", router->name);
    for (uint32_t i = 0; i < router->neighbor_count; i++) {
        uint32_t server = router->neighbors[i].route_server;

        if (server == FABRIC_NONE || fabric_route_server_has_router(fabric, server, index))
            continue;
        if (fabric_dynamic_peers_find(fabric, server, index, &found))
            tell_other_asn(loader, object, &router->neighbors[i], found.range, router->asn);
        else
            FABRIC_WARNING(loader, FABRIC_LINT_ONE_SIDED_SESSION, object,
                           "Add a peer at an address of the router's NICs to the route server, or "
                           "take the neighbor out.",
                           &router->neighbors[i].place,
                           "%s.neighbors: route server '%s' has no peer at an address of "
                           "this router's NICs; no session comes up",
                           object, fabric->route_servers[server].name);
    }
}

/* Routers beyond the last for which limits.peers has room. */
static void check_room(struct fabric_loader *loader, uint32_t server)
{
    const struct fabric *fabric = loader->fabric;
    const struct fabric_route_server *model = &fabric->route_servers[server];
    uint32_t room = fabric_route_server_neighbors(fabric, server) - model->peer_count;
    struct fabric_dynamic_peer found;
    char object[OBJECT_TEXT];

    for (uint32_t i = 0; i < fabric->routers_count && model->dynamic_peer_count > 0; i++) {
        if (!fabric_dynamic_peers_apply(fabric, server, i, &found))
            continue;
        if (room > 0) {
            room--;
            continue;
        }
        snprintf(object, sizeof(object), "routers[%s]", fabric->routers[i].name);
        FABRIC_WARNING(loader, FABRIC_LINT_ONE_SIDED_SESSION, object,
                       "Raise limits.peers of the route server.", &fabric->routers[i].place,
                       "%s: route server '%s' has no room for it in dynamic_peers, as limits.peers "
                       "is %u; no session comes up",
                       object, model->name, model->peer_limit);
    }
}

/* --- Between routers -------------------------------------------------------------------------- */

/* The router that the entry means, by name or by an address of a NIC of its. */
static uint32_t meant_router(const struct fabric *fabric, const struct fabric_neighbor *neighbor)
{
    if (neighbor->address.family == 0)
        return neighbor->router;
    for (uint32_t i = 0; i < fabric->owner_count; i++)
        if (lpm_address_equal(&fabric->owners[i].address, &neighbor->address) &&
            fabric->nics[fabric->owners[i].nic].router != FABRIC_NONE)
            return fabric->nics[fabric->owners[i].nic].router;
    return FABRIC_NONE;
}

static bool names_back(const struct fabric *fabric, uint32_t router, uint32_t other,
                       uint32_t tunnel)
{
    const struct fabric_router *model = &fabric->routers[other];

    for (uint32_t i = 0; i < model->neighbor_count; i++)
        if (meant_router(fabric, &model->neighbors[i]) == router &&
            model->neighbors[i].tunnel == tunnel)
            return true;
    return false;
}

static void check_neighbor_router(struct fabric_loader *loader, uint32_t index,
                                  const struct fabric_neighbor *neighbor)
{
    const struct fabric *fabric = loader->fabric;
    const uint32_t other = meant_router(fabric, neighbor);
    char object[OBJECT_TEXT];

    snprintf(object, sizeof(object), "routers[%s]", fabric->routers[index].name);
    if (neighbor->address.family && other == FABRIC_NONE)
        FABRIC_WARNING(loader, FABRIC_LINT_ONE_SIDED_SESSION, object,
                       "Model the box that has this address as a router, or take the neighbor out.",
                       &neighbor->place,
                       "%s.neighbors: no router has a NIC with the address %s; no session comes up "
                       "in the twin",
                       object, FABRIC_ADDRESS(&neighbor->address));
    else if (other != FABRIC_NONE && other != index &&
             !names_back(fabric, index, other, neighbor->tunnel))
        FABRIC_WARNING(
            loader, FABRIC_LINT_ONE_SIDED_SESSION, object,
            "Add this router to the other's neighbors, by way of the same tunnel if any.",
            &neighbor->place,
            "%s.neighbors: router '%s' (%s:%u) does not name this one%s; no session comes up",
            object, fabric->routers[other].name, fabric->routers[other].place.file,
            fabric->routers[other].place.line,
            neighbor->tunnel == FABRIC_NONE ? "" : " over this tunnel");
}

static void check_between_routers(struct fabric_loader *loader, uint32_t index)
{
    const struct fabric_router *router = &loader->fabric->routers[index];

    for (uint32_t i = 0; i < router->neighbor_count; i++)
        check_neighbor_router(loader, index, &router->neighbors[i]);
}

void fabric_validate_sessions(struct fabric_loader *loader)
{
    for (uint32_t i = 0; i < loader->fabric->route_servers_count; i++) {
        check_server(loader, i);
        check_room(loader, i);
    }
    for (uint32_t i = 0; i < loader->fabric->routers_count; i++)
        check_router(loader, i);
    for (uint32_t i = 0; i < loader->fabric->routers_count; i++)
        check_between_routers(loader, i);
}
