/*
 * What gateways and route servers bring along. A route server with a port brings one NIC, which has the
 * addresses of both instances, as they are of one kernel. A gateway brings a NIC for each instance, so
 * that it has an address in the data plane and effective routes as any other; and a VNet that has
 * gateways but no route server gets an implicit one, so that one place chooses among what they learn.
 * Neighbors that are addresses get names.
 *
 * They stand behind the file's own objects, in room that was left for them (top.c): indices that the
 * file's objects have stay what they are, and no check of what the file says meets them.
 */
#include "engine/fabric/validate.h"

/* Of implicit route servers, as of every one by default. */
#define DEFAULT_ASN 65515u

static bool add_nic(struct fabric_loader *loader, uint32_t index, uint32_t instance)
{
    struct fabric *fabric = loader->fabric;
    const struct fabric_gateway *gateway = &fabric->gateways[index];
    struct fabric_nic *nic = &fabric->nics[fabric->nics_count];

    *nic = (struct fabric_nic){
        .name = fabric_arena_print(loader->arena, "%s/%u", gateway->name, (unsigned)instance),
        .place = gateway->place,
        .vnet = gateway->vnet,
        .subnet = fabric_find_subnet(fabric, gateway->vnet, FABRIC_GATEWAY_SUBNET),
        .addresses = {.items = &gateway->addresses.items[instance], .n = 1},
        .ip_forwarding = true,
        .port = gateway->port,
        .underlay_port = FABRIC_NONE,
        .host = FABRIC_NONE,
        .router = FABRIC_NONE,
        .gateway = index,
    };
    fabric->nics_count++;
    fabric->brought_nic_count++;
    return nic->name != NULL;
}

/* Its end of the gateways' sessions is the first address of their subnet, the fabric's own in every
 * subnet. */
static void add_route_server(struct fabric *fabric, const struct fabric_gateway *gateway)
{
    uint32_t subnet = fabric_find_subnet(fabric, gateway->vnet, FABRIC_GATEWAY_SUBNET);
    const struct lpm_prefix *prefix = &fabric->subnets[subnet].prefixes.items[0];
    struct fabric_route_server *server = &fabric->route_servers[fabric->route_servers_count];
    unsigned last = prefix->family == LPM_IPV4 ? 3 : 15;

    *server = (struct fabric_route_server){
        .name = fabric->vnets[gateway->vnet].name,
        .place = gateway->place,
        .vnet = gateway->vnet,
        .asn = DEFAULT_ASN,
        .instance_count = 1,
        .port = FABRIC_NONE,
        .implicit = true,
    };
    server->addresses[0].family = prefix->family;
    for (unsigned i = 0; i <= last; i++)
        server->addresses[0].bytes[i] = prefix->bytes[i];
    server->addresses[0].bytes[last] |= 1;
    fabric->vnets[gateway->vnet].route_server = fabric->route_servers_count++;
    fabric->implicit_server_count++;
}

static bool add_server_nic(struct fabric_loader *loader, struct fabric_route_server *server)
{
    struct fabric *fabric = loader->fabric;
    uint32_t subnet = fabric_find_subnet(fabric, server->vnet, FABRIC_ROUTE_SERVER_SUBNET);

    if (server->port == FABRIC_NONE || subnet == FABRIC_NONE)
        return true;
    fabric->nics[fabric->nics_count] = (struct fabric_nic){
        .name = fabric_arena_print(loader->arena, "%s/nic", server->name),
        .place = server->place,
        .vnet = server->vnet,
        .subnet = subnet,
        .addresses = {.items = server->addresses, .n = server->instance_count},
        .port = server->port,
        .underlay_port = FABRIC_NONE,
        .host = FABRIC_NONE,
        .router = FABRIC_NONE,
        .gateway = FABRIC_NONE,
    };
    fabric->brought_nic_count++;
    return fabric->nics[fabric->nics_count++].name != NULL;
}

/* A box that the file knows by its address alone is called by it. */
static bool name_neighbors(struct fabric_loader *loader, struct fabric_gateway *gateway)
{
    bool good = true;

    for (uint32_t i = 0; i < gateway->neighbor_count; i++) {
        struct fabric_neighbor *neighbor = &gateway->neighbors[i];

        if (neighbor->address.family == 0)
            continue;
        neighbor->name =
            fabric_arena_print(loader->arena, "%s", FABRIC_ADDRESS(&neighbor->address));
        good &= neighbor->name != NULL;
    }
    return good;
}

void fabric_bring_along(struct fabric_loader *loader)
{
    struct fabric *fabric = loader->fabric;

    for (uint32_t i = 0; i < fabric->gateways_count; i++) {
        struct fabric_gateway *gateway = &fabric->gateways[i];

        gateway->first_nic = fabric->nics_count;
        bool good = name_neighbors(loader, gateway);
        for (uint32_t j = 0; j < gateway->addresses.n; j++)
            good &= add_nic(loader, i, j);
        if (!good) {
            loader->out_of_memory = true;
            return;
        }
        if (fabric->vnets[gateway->vnet].route_server == FABRIC_NONE)
            add_route_server(fabric, gateway);
    }
    for (uint32_t i = 0; i < fabric->route_servers_count; i++)
        if (!add_server_nic(loader, &fabric->route_servers[i])) {
            loader->out_of_memory = true;
            return;
        }
}
