/*
 * Gateways and load balancers: addresses in the right subnet that nobody else has.
 */
#include "engine/fabric/validate.h"

#include <stdio.h>

#include "engine/fabric/gateway.h"

#define WHAT_TEXT    200
#define BACKENDS_MAX 64u /* as many as a next-hop group has members */

/* --- Gateways --------------------------------------------------------------------------------- */

/* By VNet, then by type. */
static int gateway_compare(const void *a, const void *b)
{
    const struct fabric_gateway *left = a, *right = b;

    if (left->vnet != right->vnet)
        return left->vnet < right->vnet ? -1 : 1;
    return (int)left->vpn - (int)right->vpn;
}

static bool has_address(const struct fabric_gateway *gateway, uint32_t n,
                        const struct lpm_address *address)
{
    for (uint32_t i = 0; i < n; i++)
        if (lpm_address_equal(&gateway->addresses.items[i], address))
            return true;
    return false;
}

/* before: the VNet's other gateway, or NULL. */
static void check_gateway_addresses(struct fabric_loader *loader,
                                    const struct fabric_gateway *gateway,
                                    const struct fabric_gateway *before)
{
    const struct fabric *fabric = loader->fabric;
    uint32_t subnet = fabric_find_subnet(fabric, gateway->vnet, FABRIC_GATEWAY_SUBNET);
    char what[WHAT_TEXT];

    snprintf(what, sizeof(what), "gateways[%s].addresses", gateway->name);
    if (subnet == FABRIC_NONE) {
        FABRIC_ERROR(loader, fabric_place_of(loader, &gateway->vnet, &gateway->place),
                     "gateways[%s].vnet: VNet '%s' has no subnet named %s", gateway->name,
                     fabric->vnets[gateway->vnet].name, FABRIC_GATEWAY_SUBNET);
        return;
    }
    for (uint32_t i = 0; i < gateway->addresses.n; i++) {
        const struct lpm_address *address = &gateway->addresses.items[i];
        const struct fabric_place *place = fabric_place_of(loader, address, &gateway->place);

        if (fabric_check_in_subnet(loader, place, what, &fabric->subnets[subnet], address))
            fabric_check_not_a_nic(loader, place, what, gateway->vnet, address);
        if (has_address(gateway, i, address))
            FABRIC_ERROR(loader, place, "%s: %s stands twice", what, FABRIC_ADDRESS(address));
        else if (before && has_address(before, before->addresses.n, address))
            FABRIC_ERROR(loader, place, "%s: %s is taken by gateway '%s' (%s:%u)", what,
                         FABRIC_ADDRESS(address), before->name, before->place.file,
                         before->place.line);
    }
}

/* The router that has the neighbor's address says its number, too. */
static void check_neighbor_asn(struct fabric_loader *loader, const struct fabric_gateway *gateway,
                               const struct fabric_neighbor *neighbor)
{
    const struct fabric *fabric = loader->fabric;

    for (uint32_t i = 0; i < fabric->routers_count && neighbor->address.family != 0; i++)
        if (lpm_address_equal(&fabric->routers[i].address, &neighbor->address) &&
            fabric->routers[i].asn != neighbor->asn)
            FABRIC_ERROR(loader, &neighbor->place,
                         "gateways[%s].neighbors: asn is %u, but router '%s', which has this "
                         "address, has asn %u",
                         gateway->name, neighbor->asn, fabric->routers[i].name,
                         fabric->routers[i].asn);
}

/* Sessions with route servers make themselves, and gateways do not peer with one another. */
static void check_neighbors(struct fabric_loader *loader, const struct fabric_gateway *gateway)
{
    char what[WHAT_TEXT];

    snprintf(what, sizeof(what), "gateways[%s]", gateway->name);
    fabric_validate_neighbors(loader, what, FABRIC_NONE, gateway->neighbors,
                              gateway->neighbor_count);
    for (uint32_t i = 0; i < gateway->neighbor_count; i++)
        check_neighbor_asn(loader, gateway, &gateway->neighbors[i]);
    for (uint32_t i = 0; i < gateway->neighbor_count; i++)
        if (gateway->neighbors[i].route_server != FABRIC_NONE ||
            gateway->neighbors[i].gateway != FABRIC_NONE)
            FABRIC_ERROR(loader, &gateway->neighbors[i].place,
                         "%s.neighbors: a gateway's neighbor is a router or an address; it has a "
                         "session with the route server of its VNet by itself",
                         what);
}

static void check_captured(struct fabric_loader *loader, uint32_t index)
{
    const struct fabric_gateway *gateway = &loader->fabric->gateways[index];
    const struct fabric_udr *route = fabric_gateway_captor(loader->fabric, index);
    char object[WHAT_TEXT];

    snprintf(object, sizeof(object), "gateways[%s]", gateway->name);
    if (route)
        FABRIC_WARNING(loader, FABRIC_LINT_GATEWAY_CAPTURED, object,
                       "Add a route for the prefix of RouteServerSubnet with next_hop_type "
                       "VnetLocal.",
                       &route->place,
                       "the route %s of GatewaySubnet covers RouteServerSubnet: '%s' and its route "
                       "server %s",
                       FABRIC_PREFIX(&route->prefix), gateway->name,
                       loader->fabric->mode == FABRIC_AZURE
                           ? "have no session"
                           : "would have no session in azure mode");
}

/* What a route server asks of a VPN gateway beside it. */
static void check_vpn(struct fabric_loader *loader, const struct fabric_gateway *gateway)
{
    const struct fabric *fabric = loader->fabric;
    uint32_t server = fabric->vnets[gateway->vnet].route_server;
    char object[WHAT_TEXT];

    if (!gateway->vpn || server == FABRIC_NONE)
        return;
    snprintf(object, sizeof(object), "gateways[%s]", gateway->name);
    if (gateway->addresses.n < 2)
        FABRIC_WARNING(loader, FABRIC_LINT_VPN_GATEWAY, object,
                       "Give it a second address: one an instance.", &gateway->place,
                       "%s.addresses: beside a route server a VPN gateway is active-active",
                       object);
    if (gateway->asn != fabric->route_servers[server].asn)
        FABRIC_WARNING(loader, FABRIC_LINT_VPN_GATEWAY, object,
                       "Give it the AS number of the route server.",
                       fabric_place_of(loader, &gateway->asn, &gateway->place),
                       "%s.asn: %u is not that of route server '%s', %u", object, gateway->asn,
                       fabric->route_servers[server].name, fabric->route_servers[server].asn);
}

/* Beyond what the original does, and of VPN only. */
static void check_switches(struct fabric_loader *loader, const struct fabric_gateway *gateway)
{
    const char *key = gateway->default_route ? "default_route" : "point_to_site_transit";

    if (!gateway->vpn)
        FABRIC_ERROR(loader, &gateway->place, "gateways[%s].%s: belongs to type Vpn", gateway->name,
                     key);
    else if (loader->fabric->mode == FABRIC_AZURE)
        FABRIC_ERROR(loader, &gateway->place, "gateways[%s].%s: not in azure mode", gateway->name,
                     key);
}

/* What one gateway is to send on must not go to another's branches. */
static void check_kernel_table(struct fabric_loader *loader, const struct fabric_gateway *gateway)
{
    const struct fabric *fabric = loader->fabric;
    const struct fabric_place *place =
        fabric_place_of(loader, &gateway->kernel_table, &gateway->place);

    if (gateway->port == FABRIC_NONE)
        FABRIC_ERROR(loader, place, "gateways[%s].kernel_table: needs a port", gateway->name);
    for (const struct fabric_gateway *other = fabric->gateways; other < gateway; other++)
        if (fabric_gateway_kernel_table(other) == gateway->kernel_table)
            FABRIC_ERROR(loader, place,
                         "gateways[%s].kernel_table: %u is that of gateway '%s' (%s:%u)",
                         gateway->name, gateway->kernel_table, other->name, other->place.file,
                         other->place.line);
}

/* Sorted by VNet and type, the one before is the only one that can clash. */
static void check_gateway(struct fabric_loader *loader, const struct fabric_gateway *gateway,
                          const struct fabric_gateway *before)
{
    const struct fabric *fabric = loader->fabric;

    if (before && before->vnet != gateway->vnet)
        before = NULL;
    if (before && before->vpn == gateway->vpn)
        FABRIC_ERROR(loader, &gateway->place,
                     "gateways[%s]: VNet '%s' has a gateway of this type already, '%s' (%s:%u)",
                     gateway->name, fabric->vnets[gateway->vnet].name, before->name,
                     before->place.file, before->place.line);
    if (!gateway->vpn && (gateway->static_branch_count > 0 || gateway->point_to_site.n > 0))
        FABRIC_ERROR(loader, &gateway->place,
                     "gateways[%s]: static_branches and point_to_site belong to type Vpn",
                     gateway->name);
    if (gateway->default_route || gateway->point_to_site_transit)
        check_switches(loader, gateway);
    if (gateway->kernel_table)
        check_kernel_table(loader, gateway);
    if (gateway->addresses.n > FABRIC_GATEWAY_INSTANCES_MAX)
        FABRIC_ERROR(loader, &gateway->place, "gateways[%s].addresses: at most %u, one an instance",
                     gateway->name, FABRIC_GATEWAY_INSTANCES_MAX);
    else
        check_gateway_addresses(loader, gateway, before);
    check_neighbors(loader, gateway);
    check_vpn(loader, gateway);
}

/* --- Load balancers --------------------------------------------------------------------------- */

/* used_by: for each NIC, the last load balancer that has it as a backend, plus one. */
static void check_backends(struct fabric_loader *loader, uint32_t index, uint32_t *used_by)
{
    const struct fabric *fabric = loader->fabric;
    const struct fabric_load_balancer *balancer = &fabric->load_balancers[index];

    for (uint32_t i = 0; i < balancer->backend_count; i++) {
        const struct fabric_nic *nic = &fabric->nics[balancer->backends[i]];
        const struct fabric_place *place =
            fabric_place_of(loader, &balancer->backends[i], &balancer->place);

        if (nic->vnet != balancer->vnet)
            FABRIC_ERROR(loader, place,
                         "load_balancers[%s].backends: NIC '%s' is in VNet '%s', not in '%s'",
                         balancer->name, nic->name, fabric->vnets[nic->vnet].name,
                         fabric->vnets[balancer->vnet].name);
        if (used_by[balancer->backends[i]] == index + 1)
            FABRIC_ERROR(loader, place, "load_balancers[%s].backends: '%s' stands twice",
                         balancer->name, nic->name);
        if (!fabric_nic_address(nic, balancer->frontend.family))
            FABRIC_ERROR(loader, place,
                         "load_balancers[%s].backends: NIC '%s' has no address of the frontend's "
                         "address family",
                         balancer->name, nic->name);
        used_by[balancer->backends[i]] = index + 1;
    }
    if (balancer->backend_count > BACKENDS_MAX)
        FABRIC_ERROR(loader, &balancer->place, "load_balancers[%s].backends: at most %u",
                     balancer->name, BACKENDS_MAX);
}

static void check_probe(struct fabric_loader *loader, const struct fabric_load_balancer *balancer)
{
    if (balancer->probe_tcp && balancer->probe_port == 0)
        FABRIC_ERROR(loader, fabric_place_of(loader, &balancer->probe_tcp, &balancer->place),
                     "load_balancers[%s].probe.protocol: Tcp needs a port", balancer->name);
    if (!balancer->probe_tcp && balancer->probe_port != 0)
        FABRIC_ERROR(loader, fabric_place_of(loader, &balancer->probe_port, &balancer->place),
                     "load_balancers[%s].probe.port: goes with protocol: Tcp only", balancer->name);
    if (balancer->probe_timeout_ms > balancer->probe_interval_s * 1000u / 2)
        FABRIC_ERROR(loader, fabric_place_of(loader, &balancer->probe_timeout_ms, &balancer->place),
                     "load_balancers[%s].probe.timeout_ms: %u is more than half of interval_s (%u)",
                     balancer->name, balancer->probe_timeout_ms, balancer->probe_interval_s);
}

/* By VNet, then by frontend. */
static int frontend_compare(const void *a, const void *b)
{
    const struct fabric_load_balancer *left = a, *right = b;

    if (left->vnet != right->vnet)
        return left->vnet < right->vnet ? -1 : 1;
    return lpm_address_compare(&left->frontend, &right->frontend);
}

/* An address that is reserved or outside is told once and not looked up as well. */
static void check_frontend(struct fabric_loader *loader,
                           const struct fabric_load_balancer *balancer,
                           const struct fabric_load_balancer *before)
{
    const struct fabric_place *place =
        fabric_place_of(loader, &balancer->frontend, &balancer->place);
    char what[WHAT_TEXT];

    snprintf(what, sizeof(what), "load_balancers[%s].frontend", balancer->name);
    if (fabric_check_in_subnet(loader, place, what, &loader->fabric->subnets[balancer->subnet],
                               &balancer->frontend))
        fabric_check_not_a_nic(loader, place, what, balancer->vnet, &balancer->frontend);
    if (before && frontend_compare(balancer, before) == 0)
        FABRIC_ERROR(loader, place, "%s: %s is taken by load balancer '%s' (%s:%u)", what,
                     FABRIC_ADDRESS(&balancer->frontend), before->name, before->place.file,
                     before->place.line);
}

static void check_load_balancers(struct fabric_loader *loader)
{
    const struct fabric *fabric = loader->fabric;
    const void **balancers =
        fabric_sorted(loader, fabric->load_balancers, fabric->load_balancers_count,
                      sizeof(*fabric->load_balancers), frontend_compare);
    uint32_t *used_by = fabric_arena_array(&loader->tree, fabric->nics_count, sizeof(*used_by));

    if (!balancers || !used_by) {
        loader->out_of_memory = true;
        return;
    }
    for (uint32_t i = 0; i < fabric->load_balancers_count; i++) {
        check_frontend(loader, balancers[i], i > 0 ? balancers[i - 1] : NULL);
        check_backends(loader, i, used_by);
        check_probe(loader, &fabric->load_balancers[i]);
    }
}

void fabric_validate_gateways(struct fabric_loader *loader)
{
    const struct fabric *fabric = loader->fabric;
    const void **gateways = fabric_sorted(loader, fabric->gateways, fabric->gateways_count,
                                          sizeof(*fabric->gateways), gateway_compare);

    for (uint32_t i = 0; gateways && i < fabric->gateways_count; i++)
        check_gateway(loader, gateways[i], i > 0 ? gateways[i - 1] : NULL);
    for (uint32_t i = 0; i < fabric->gateways_count; i++)
        check_captured(loader, i);
    check_load_balancers(loader);
}
