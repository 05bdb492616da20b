/*
 * Sessions between route servers and modelled routers are written at both ends: as a peer of the
 * route server and as a neighbor of the router. Where one end is missing, no session comes up in
 * the twin; that is legal and rarely meant.
 */
#include "engine/fabric/validate.h"

static bool router_has_neighbor(const struct fabric_router *router, uint32_t server)
{
    for (uint32_t i = 0; i < router->neighbor_count; i++)
        if (router->neighbors[i].route_server == server)
            return true;
    return false;
}

static bool server_has_peer(const struct fabric_route_server *server, uint32_t router)
{
    for (uint32_t i = 0; i < server->peer_count; i++)
        if (server->peers[i].router == router)
            return true;
    return false;
}

static void check_server(struct fabric_loader *loader, uint32_t index)
{
    const struct fabric *fabric = loader->fabric;
    const struct fabric_route_server *server = &fabric->route_servers[index];

    for (uint32_t i = 0; i < server->peer_count; i++) {
        const struct fabric_bgp_peer *peer = &server->peers[i];
        const struct fabric_router *router =
            peer->router == FABRIC_NONE ? NULL : &fabric->routers[peer->router];

        if (router && !router_has_neighbor(router, index))
            FABRIC_WARNING(loader, FABRIC_LINT_ONE_SIDED_SESSION, &peer->place,
                           "route_servers[%s].peers[%s]: router '%s' (%s:%u) has this address but "
                           "no neighbor {route_server: %s}; no session comes up in the twin",
                           server->name, peer->name, router->name, router->place.file,
                           router->place.line, server->name);
    }
}

static void check_router(struct fabric_loader *loader, uint32_t index)
{
    const struct fabric *fabric = loader->fabric;
    const struct fabric_router *router = &fabric->routers[index];

    for (uint32_t i = 0; i < router->neighbor_count; i++) {
        uint32_t server = router->neighbors[i].route_server;

        if (server != FABRIC_NONE && !server_has_peer(&fabric->route_servers[server], index))
            FABRIC_WARNING(loader, FABRIC_LINT_ONE_SIDED_SESSION, &router->neighbors[i].place,
                           "routers[%s].neighbors: route server '%s' has no peer at an address of "
                           "this router's NICs; no session comes up",
                           router->name, fabric->route_servers[server].name);
    }
}

void fabric_validate_sessions(struct fabric_loader *loader)
{
    for (uint32_t i = 0; i < loader->fabric->route_servers_count; i++)
        check_server(loader, i);
    for (uint32_t i = 0; i < loader->fabric->routers_count; i++)
        check_router(loader, i);
}
