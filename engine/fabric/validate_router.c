/*
 * Modelled routers, the neighbors of routers and gateways, and tunnels.
 */
#include "engine/fabric/validate.h"

#include <stdio.h>

#define WHAT_TEXT 200

/* --- Neighbors -------------------------------------------------------------------------------- */

static bool same_neighbor(const struct fabric_neighbor *a, const struct fabric_neighbor *b)
{
    return a->route_server == b->route_server && a->router == b->router &&
           a->gateway == b->gateway && a->tunnel == b->tunnel &&
           lpm_address_equal(&a->address, &b->address);
}

/* A session inside a tunnel ends where the tunnel ends. */
static void check_tunnel(struct fabric_loader *loader, const char *owner, uint32_t self,
                         const struct fabric_neighbor *neighbor)
{
    const struct fabric_tunnel *tunnel;

    if (neighbor->tunnel == FABRIC_NONE)
        return;
    tunnel = &loader->fabric->tunnels[neighbor->tunnel];
    if (neighbor->router == FABRIC_NONE || self == FABRIC_NONE ||
        !((tunnel->ends[0] == self && tunnel->ends[1] == neighbor->router) ||
          (tunnel->ends[1] == self && tunnel->ends[0] == neighbor->router)))
        FABRIC_ERROR(loader, fabric_place_of(loader, &neighbor->tunnel, &neighbor->place),
                     "%s.neighbors: tunnel '%s' does not join this router and the neighbor", owner,
                     tunnel->name);
}

/* Whoever is named by reference brings an AS number; only a bare address has none. */
static void check_neighbor(struct fabric_loader *loader, const char *owner, uint32_t self,
                           const struct fabric_neighbor *neighbor)
{
    bool has_address = neighbor->address.family != 0;
    bool with_gateway = self == FABRIC_NONE || neighbor->gateway != FABRIC_NONE;
    unsigned ways = (neighbor->route_server != FABRIC_NONE) + (neighbor->router != FABRIC_NONE) +
                    (neighbor->gateway != FABRIC_NONE) + has_address;

    if (ways != 1)
        FABRIC_ERROR(loader, &neighbor->place,
                     "%s.neighbors: give one of route_server, router, gateway and address, not %s",
                     owner, ways == 0 ? "none" : "several");
    else if (has_address != (neighbor->asn != 0))
        FABRIC_ERROR(loader, &neighbor->place, "%s.neighbors: %s", owner,
                     has_address ? "address needs the neighbor's asn"
                                 : "asn stands with address only; others have their own");
    else if (self != FABRIC_NONE && neighbor->router == self)
        FABRIC_ERROR(loader, &neighbor->place, "%s.neighbors: a router is not its own neighbor",
                     owner);
    check_tunnel(loader, owner, self, neighbor);
    if (neighbor->key_file && with_gateway)
        FABRIC_ERROR(loader, fabric_place_of(loader, &neighbor->key_file, &neighbor->place),
                     "%s.neighbors.key_file: sessions with gateways have no key", owner);
    if (neighbor->bfd.enabled &&
        (with_gateway || (neighbor->router == FABRIC_NONE && !has_address)))
        FABRIC_ERROR(loader, fabric_place_of(loader, &neighbor->bfd.interval_ms, &neighbor->place),
                     "%s.neighbors.bfd: only between routers; %s", owner,
                     neighbor->route_server != FABRIC_NONE
                         ? "with a route server its peers[] say whether there is BFD"
                         : "gateways have none");
}

void fabric_validate_neighbors(struct fabric_loader *loader, const char *owner, uint32_t self,
                               const struct fabric_neighbor *neighbors, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        check_neighbor(loader, owner, self, &neighbors[i]);
        /* They are sorted, so the same one twice stands side by side. */
        if (i > 0 && same_neighbor(&neighbors[i], &neighbors[i - 1]))
            FABRIC_ERROR(loader, &neighbors[i].place, "%s.neighbors: the same neighbor as at %s:%u",
                         owner, neighbors[i - 1].place.file, neighbors[i - 1].place.line);
    }
}

/* --- Routers ---------------------------------------------------------------------------------- */

/* used_by: for each NIC, the last router seen to claim it, plus one. */
static void check_nics(struct fabric_loader *loader, uint32_t index, uint32_t *used_by)
{
    const struct fabric *fabric = loader->fabric;
    const struct fabric_router *router = &fabric->routers[index];

    for (uint32_t i = 0; i < router->nic_count; i++) {
        const struct fabric_nic *nic = &fabric->nics[router->nics[i]];
        const struct fabric_place *place =
            fabric_place_of(loader, &router->nics[i], &router->place);

        if (used_by[router->nics[i]] == index + 1)
            FABRIC_ERROR(loader, place, "routers[%s].nic: '%s' stands twice", router->name,
                         nic->name);
        else if (nic->router != index)
            FABRIC_ERROR(loader, place, "routers[%s].nic: '%s' belongs to router '%s' (%s:%u)",
                         router->name, nic->name, fabric->routers[nic->router].name,
                         fabric->routers[nic->router].place.file,
                         fabric->routers[nic->router].place.line);
        used_by[router->nics[i]] = index + 1;
    }
}

/* Boxes on-premises have no NIC that would say it, and no two have one address. */
static void check_address(struct fabric_loader *loader, uint32_t index)
{
    const struct fabric *fabric = loader->fabric;
    const struct fabric_router *router = &fabric->routers[index];
    const struct fabric_place *place = fabric_place_of(loader, &router->address, &router->place);

    if (router->address.family == 0)
        return;
    if (router->nic_count > 0)
        FABRIC_ERROR(loader, place,
                     "routers[%s].address: is for boxes on-premises; this router has those of its "
                     "NICs",
                     router->name);
    for (uint32_t i = 0; i < index; i++)
        if (lpm_address_equal(&fabric->routers[i].address, &router->address))
            FABRIC_ERROR(loader, place, "routers[%s].address: %s is that of router '%s' (%s:%u)",
                         router->name, FABRIC_ADDRESS(&router->address), fabric->routers[i].name,
                         fabric->routers[i].place.file, fabric->routers[i].place.line);
}

/* A route's next hop has the route's address family, and a subnet's gateway is that of a NIC. */
static void check_statics(struct fabric_loader *loader, const struct fabric_router *router)
{
    for (uint32_t i = 0; i < router->static_count; i++) {
        const struct fabric_router_static *route = &router->statics[i];

        if (!route->via_subnet_gateway && route->via.family != route->prefix.family)
            FABRIC_ERROR(loader, &route->place,
                         "routers[%s].static[%s].via: %s is of the other address family",
                         router->name, FABRIC_PREFIX(&route->prefix), FABRIC_ADDRESS(&route->via));
        if (route->via_subnet_gateway && router->nic_count == 0)
            FABRIC_ERROR(loader, &route->place,
                         "routers[%s].static[%s].via: subnet-gateway needs a nic", router->name,
                         FABRIC_PREFIX(&route->prefix));
    }
}

/* Nested prefixes are fine here; only the same one twice is a mistake. */
static void check_originate(struct fabric_loader *loader, const struct fabric_router *router)
{
    struct fabric_claim *claims =
        fabric_arena_array(&loader->tree, router->originate.n, sizeof(*claims));

    if (!claims) {
        loader->out_of_memory = true;
        return;
    }
    for (uint32_t i = 0; i < router->originate.n; i++)
        claims[i] = (struct fabric_claim){.prefix = router->originate.items[i],
                                          .slot = &router->originate.items[i]};
    fabric_sort_claims(claims, router->originate.n);
    for (uint32_t i = 1; i < router->originate.n; i++)
        if (lpm_prefix_equal(&claims[i].prefix, &claims[i - 1].prefix))
            FABRIC_ERROR(loader, fabric_place_of(loader, claims[i].slot, &router->place),
                         "routers[%s].originate: %s stands twice", router->name,
                         FABRIC_PREFIX(&claims[i].prefix));
}

/* Sorted by address, equal ones stand side by side. */
static void check_translations(struct fabric_loader *loader, const struct fabric_router *router)
{
    for (uint32_t i = 0; i < router->destination_nat_count; i++) {
        const struct fabric_router_destination_nat *rule = &router->destination_nat[i];

        if (rule->to.family != rule->address.family)
            FABRIC_ERROR(loader, &rule->place,
                         "routers[%s].destination_nat.to: %s is of the other address family",
                         router->name, FABRIC_ADDRESS(&rule->to));
        if (i > 0 && lpm_address_equal(&rule->address, &router->destination_nat[i - 1].address))
            FABRIC_ERROR(loader, &rule->place, "routers[%s].destination_nat: %s stands twice",
                         router->name, FABRIC_ADDRESS(&rule->address));
    }
}

void fabric_validate_routers(struct fabric_loader *loader)
{
    uint32_t *used_by =
        fabric_arena_array(&loader->tree, loader->fabric->nics_count, sizeof(*used_by));

    if (!used_by) {
        loader->out_of_memory = true;
        return;
    }
    for (uint32_t i = 0; i < loader->fabric->routers_count; i++) {
        const struct fabric_router *router = &loader->fabric->routers[i];
        char what[WHAT_TEXT];

        snprintf(what, sizeof(what), "routers[%s]", router->name);
        check_nics(loader, i, used_by);
        check_address(loader, i);
        check_statics(loader, router);
        check_originate(loader, router);
        check_translations(loader, router);
        fabric_validate_neighbors(loader, what, i, router->neighbors, router->neighbor_count);
    }
}

/* --- Tunnels ---------------------------------------------------------------------------------- */

void fabric_validate_tunnels(struct fabric_loader *loader)
{
    for (uint32_t i = 0; i < loader->fabric->tunnels_count; i++) {
        const struct fabric_tunnel *tunnel = &loader->fabric->tunnels[i];

        if (tunnel->ends[0] == tunnel->ends[1])
            FABRIC_ERROR(loader, fabric_place_of(loader, &tunnel->ends[1], &tunnel->place),
                         "tunnels[%s].ends: must be two routers", tunnel->name);
        if (!tunnel->ipsec && tunnel->vni == 0)
            FABRIC_ERROR(loader, &tunnel->place, "tunnels[%s]: type vxlan needs vni", tunnel->name);
        if (tunnel->addresses[0].family != tunnel->addresses[1].family ||
            lpm_address_equal(&tunnel->addresses[0], &tunnel->addresses[1]))
            FABRIC_ERROR(loader, fabric_place_of(loader, &tunnel->addresses[1], &tunnel->place),
                         "tunnels[%s].addresses: must be two different ones of one family",
                         tunnel->name);
        if (tunnel->underlay_count == 2 &&
            (tunnel->underlay[0].family != tunnel->underlay[1].family ||
             lpm_address_equal(&tunnel->underlay[0], &tunnel->underlay[1])))
            FABRIC_ERROR(loader, fabric_place_of(loader, &tunnel->underlay[1], &tunnel->place),
                         "tunnels[%s].underlay: must be two different ones of one family",
                         tunnel->name);
    }
}
