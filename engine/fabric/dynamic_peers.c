/*
 * Neighbours of a route server that the file does not name (dynamic_peers): who may be one, what its session
 * is like, and which modelled routers are.
 */
#include <stdio.h>
#include <string.h>

#include "engine/fabric/route_server.h"

uint32_t fabric_route_server_neighbors(const struct fabric *fabric, uint32_t route_server)
{
    const struct fabric_route_server *server = &fabric->route_servers[route_server];
    bool more = server->dynamic_peer_count > 0 && server->peer_limit > server->peer_count;
    return more ? server->peer_limit : server->peer_count;
}

uint32_t fabric_dynamic_peers_of(const struct fabric *fabric, uint32_t route_server,
                                 const struct lpm_address *address)
{
    const struct fabric_route_server *server = &fabric->route_servers[route_server];
    uint32_t best = FABRIC_NONE;
    for (uint32_t i = 0; i < server->instance_count; i++)
        if (lpm_address_equal(&server->addresses[i], address))
            return FABRIC_NONE;
    for (uint32_t i = 0; i < server->peer_count; i++)
        if (lpm_address_equal(&server->peers[i].address, address))
            return FABRIC_NONE;
    for (uint32_t i = 0; i < server->dynamic_peer_count; i++) {
        const struct lpm_prefix *prefix = &server->dynamic_peers[i].prefix;
        if (lpm_prefix_contains(prefix, address) &&
            (best == FABRIC_NONE || prefix->length > server->dynamic_peers[best].prefix.length))
            best = i;
    }
    return best;
}

bool fabric_dynamic_peers_take(const struct fabric *fabric, uint32_t route_server, uint32_t range,
                               uint32_t asn)
{
    const struct fabric_dynamic_peers *peers =
        &fabric->route_servers[route_server].dynamic_peers[range];
    char text[FABRIC_ASN_TEXT];
    bool listed = false;
    for (uint32_t i = 0; i < peers->range_count; i++)
        listed |= asn >= peers->asn_first[i] && asn <= peers->asn_last[i];
    return listed && !fabric_asn_refused(fabric, asn, text);
}

uint32_t fabric_dynamic_peers_template(const struct fabric *fabric, uint32_t route_server,
                                       uint32_t range)
{
    const struct fabric_route_server *server = &fabric->route_servers[route_server];
    uint32_t i = 0;
    while (strcmp(server->peers[i].name, server->dynamic_peers[range].template_peer) != 0)
        i++; /* there is one: a file without it is not taken */
    return i;
}

struct speaker_peer_config fabric_route_server_dynamic_peer(
    const struct fabric *fabric, uint32_t route_server, unsigned instance, uint32_t range,
    const struct lpm_address *address, uint32_t asn, char name[FABRIC_DYNAMIC_NAME])
{
    char text[LPM_ADDRESS_TEXT];
    struct speaker_peer_config config = fabric_route_server_peer(
        fabric, route_server, instance, fabric_dynamic_peers_template(fabric, route_server, range));
    snprintf(name, FABRIC_DYNAMIC_NAME, "%.120s@%s", config.name,
             lpm_address_format(address, text));
    config.name = name;
    config.peer_address = *address;
    config.asn = asn;
    config.passive = true;
    return config;
}

/* --- Modelled routers that are among them ------------------------------------------------------ */

static bool is_configured(const struct fabric_route_server *server, uint32_t router)
{
    for (uint32_t i = 0; i < server->peer_count; i++)
        if (server->peers[i].router == router)
            return true;
    return false;
}

/* An address of the router's, as seen from the route server, in a range. */
static bool is_in_range(const struct fabric *fabric, uint32_t route_server, uint32_t nic,
                        const struct lpm_address *address, uint32_t *range)
{
    const struct fabric_route_server *server = &fabric->route_servers[route_server];
    if (fabric_resolve_address(fabric, server->vnet, address) != nic)
        return false;
    *range = fabric_dynamic_peers_of(fabric, route_server, address);
    return *range != FABRIC_NONE;
}

bool fabric_dynamic_peers_find(const struct fabric *fabric, uint32_t route_server, uint32_t router,
                               struct fabric_dynamic_peer *found)
{
    const struct fabric_router *model = &fabric->routers[router];
    if (is_configured(&fabric->route_servers[route_server], router))
        return false;
    for (uint32_t i = 0; i < model->nic_count; i++) {
        const struct fabric_nic *nic = &fabric->nics[model->nics[i]];
        for (uint32_t j = 0; j < nic->addresses.n; j++) {
            found->address = nic->addresses.items[j];
            if (is_in_range(fabric, route_server, model->nics[i], &found->address, &found->range))
                return true;
        }
    }
    return false;
}

uint32_t fabric_dynamic_peer_router(const struct fabric *fabric, uint32_t route_server,
                                    const struct lpm_address *address)
{
    uint32_t nic =
        fabric_resolve_address(fabric, fabric->route_servers[route_server].vnet, address);
    return nic == FABRIC_NONE ? FABRIC_NONE : fabric->nics[nic].router;
}

static bool names(const struct fabric_router *router, uint32_t route_server)
{
    for (uint32_t i = 0; i < router->neighbor_count; i++)
        if (router->neighbors[i].route_server == route_server)
            return true;
    return false;
}

bool fabric_dynamic_peers_apply(const struct fabric *fabric, uint32_t route_server, uint32_t router,
                                struct fabric_dynamic_peer *found)
{
    const struct fabric_router *model = &fabric->routers[router];
    return names(model, route_server) &&
           fabric_dynamic_peers_find(fabric, route_server, router, found) &&
           fabric_dynamic_peers_take(fabric, route_server, found->range, model->asn);
}

bool fabric_route_server_has_router(const struct fabric *fabric, uint32_t route_server,
                                    uint32_t router)
{
    struct fabric_dynamic_peer found;
    return is_configured(&fabric->route_servers[route_server], router) ||
           (fabric_dynamic_peers_find(fabric, route_server, router, &found) &&
            fabric_dynamic_peers_take(fabric, route_server, found.range,
                                      fabric->routers[router].asn));
}
