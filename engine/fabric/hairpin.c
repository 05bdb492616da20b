#include "engine/fabric/hairpin.h"

/* --- What the box keeps ----------------------------------------------------------------------- */

static bool is_host(const struct lpm_prefix *prefix, const struct lpm_address *address)
{
    return prefix->length == (prefix->family == LPM_IPV4 ? 32 : 128) &&
           lpm_prefix_contains(prefix, address);
}

/* An address that it translates, or one of its own that it announces: no packet for it leaves as it came. */
static bool keeps(const struct fabric_router *router, const struct lpm_prefix *prefix)
{
    for (uint32_t i = 0; i < router->destination_nat_count; i++)
        if (is_host(prefix, &router->destination_nat[i].address))
            return true;
    for (uint32_t i = 0; i < router->host_count; i++)
        if (is_host(prefix, &router->hosts[i].address))
            return true;
    for (uint32_t i = 0; i < router->originate.n; i++)
        if (lpm_prefix_equal(&router->originate.items[i], prefix) &&
            prefix->length == (prefix->family == LPM_IPV4 ? 32 : 128))
            return true;
    return false;
}

/* --- Where it sends on ------------------------------------------------------------------------ */

/* The far end of one of its tunnels? */
static bool is_tunnelled(const struct fabric *fabric, uint32_t router,
                         const struct lpm_address *address)
{
    for (uint32_t i = 0; i < fabric->tunnels_count; i++)
        for (unsigned end = 0; end < 2; end++)
            if (fabric->tunnels[i].ends[end] == router &&
                lpm_address_equal(&fabric->tunnels[i].addresses[!end], address))
                return true;
    return false;
}

static bool is_in_subnet(const struct fabric *fabric, uint32_t nic,
                         const struct lpm_address *address)
{
    const struct fabric_prefixes *prefixes = &fabric->subnets[fabric->nics[nic].subnet].prefixes;

    for (uint32_t i = 0; i < prefixes->n; i++)
        if (lpm_prefix_contains(&prefixes->items[i], address))
            return true;
    return false;
}

/* Does a static route lead out of another NIC, or into a tunnel? */
static bool leads_away(const struct fabric *fabric, uint32_t router, uint32_t nic,
                       const struct fabric_router_static *route)
{
    const struct fabric_router *model = &fabric->routers[router];

    if (route->via_subnet_gateway)
        return model->nics[0] != nic;
    if (is_tunnelled(fabric, router, &route->via))
        return true;
    for (uint32_t i = 0; i < model->nic_count; i++)
        if (is_in_subnet(fabric, model->nics[i], &route->via))
            return model->nics[i] != nic;
    return false;
}

/* The static route that covers all of prefix, the longest; NULL: none. */
static const struct fabric_router_static *static_of(const struct fabric_router *router,
                                                    const struct lpm_prefix *prefix)
{
    const struct fabric_router_static *best = NULL;

    for (uint32_t i = 0; i < router->static_count; i++)
        if (lpm_prefix_covers(&router->statics[i].prefix, prefix) &&
            (!best || router->statics[i].prefix.length > best->prefix.length))
            best = &router->statics[i];
    return best;
}

/* --- Whom it has the route from --------------------------------------------------------------- */

static uint32_t asn_of(const struct fabric *fabric, const struct fabric_neighbor *neighbor)
{
    if (neighbor->route_server != FABRIC_NONE)
        return fabric->route_servers[neighbor->route_server].asn;
    if (neighbor->router != FABRIC_NONE)
        return fabric->routers[neighbor->router].asn;
    return neighbor->gateway != FABRIC_NONE ? fabric->gateways[neighbor->gateway].asn
                                            : neighbor->asn;
}

/* Do packets to that neighbor leave otherwise than by the fabric? Those to a gateway go by a line. */
static bool is_elsewhere(const struct fabric *fabric, const struct fabric_neighbor *neighbor)
{
    if (neighbor->tunnel != FABRIC_NONE || neighbor->gateway != FABRIC_NONE)
        return true;
    return neighbor->router != FABRIC_NONE && fabric->routers[neighbor->router].nic_count == 0;
}

/* The first AS behind the box's own, which may stand more than once; 0: none. */
static uint32_t asn_behind(const struct fabric_router *router, const struct rib_path *path)
{
    struct bgp_as_path_cursor cursor = bgp_as_path_begin(path->attributes);
    uint32_t asn;

    while (bgp_as_path_next(&cursor, &asn))
        if (asn != router->asn)
            return asn;
    return 0;
}

/* How often its own AS number stands in what it announces to the route server on its own account; the
 * route server's, overridden, would be one more. */
static unsigned own_count(const struct fabric_router *router, uint32_t route_server)
{
    for (uint32_t i = 0; i < router->neighbor_count; i++)
        if (router->neighbors[i].route_server == route_server)
            return 1 + router->neighbors[i].prepend;
    return 1;
}

/* Can only neighbors elsewhere have said it? One of the box's own AS adds no number to the path, and that of
 * another route server may have been overridden. */
static bool comes_from_elsewhere(const struct fabric *fabric, const struct fabric_router *router,
                                 uint32_t route_server, const struct rib_path *path)
{
    const uint32_t behind = asn_behind(router, path),
                   overridden = fabric->route_servers[route_server].asn;
    bool elsewhere = false;

    if (bgp_as_path_first(path->attributes) != router->asn)
        return false; /* somebody else said it, with this box's address as next hop */
    if (behind == 0 &&
        bgp_as_path_count(path->attributes, router->asn) <= own_count(router, route_server))
        return false;
    for (uint32_t i = 0; i < router->neighbor_count; i++) {
        const struct fabric_neighbor *neighbor = &router->neighbors[i];
        const uint32_t asn = asn_of(fabric, neighbor);

        if (neighbor->route_server == route_server ||
            (asn != behind && asn != router->asn && (behind != 0 || asn != overridden)))
            continue;
        if (!is_elsewhere(fabric, neighbor))
            return false;
        elsewhere = true;
    }
    return elsewhere;
}

bool fabric_hairpins(const struct fabric *fabric, uint32_t nic, uint32_t route_server,
                     const struct lpm_prefix *prefix, const struct rib_path *path)
{
    const uint32_t index = fabric->nics[nic].router;

    if (index == FABRIC_NONE)
        return true;
    const struct fabric_router *router = &fabric->routers[index];
    const struct fabric_router_static *route = static_of(router, prefix);
    if (keeps(router, prefix))
        return false;
    if (route)
        return !leads_away(fabric, index, nic, route);
    return !comes_from_elsewhere(fabric, router, route_server, path);
}
