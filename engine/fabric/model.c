/*
 * Questions to the model that several rooms ask: who is called what, who is peered with whom,
 * whose route server serves a VNet, which NIC has an address.
 *
 * Names are looked up by halving, as arrays stand in the order of names. Peerings and addresses
 * have indices when the loader made the fabric (index.c); a fabric put together by hand has none
 * and is scanned.
 */
#include "engine/fabric/model.h"

#include <string.h>

const char *fabric_next_hop_type_text(enum fabric_next_hop_type type)
{
    static const char *const texts[] = {
        [FABRIC_VNET_LOCAL] = "VnetLocal",
        [FABRIC_VNET_PEERING] = "VNetPeering",
        [FABRIC_VNET_GLOBAL_PEERING] = "VNetGlobalPeering",
        [FABRIC_INTERNET] = "Internet",
        [FABRIC_NULL] = "None",
        [FABRIC_VIRTUAL_APPLIANCE] = "VirtualAppliance",
        [FABRIC_VIRTUAL_NETWORK_GATEWAY] = "VirtualNetworkGateway",
        [FABRIC_SERVICE_ENDPOINT] = "VirtualNetworkServiceEndpoint",
    };

    return texts[type];
}

/* Index in an array of n objects of `size` bytes whose first member is their name. */
static uint32_t find_by_name(const void *array, uint32_t n, size_t size, const char *name)
{
    uint32_t low = 0, high = n;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        const char *const *candidate = (const void *)((const char *)array + (size_t)middle * size);
        int order = strcmp(name, *candidate);

        if (order == 0)
            return middle;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return FABRIC_NONE;
}

uint32_t fabric_find_vnet(const struct fabric *fabric, const char *name)
{
    return find_by_name(fabric->vnets, fabric->vnets_count, sizeof(*fabric->vnets), name);
}

uint32_t fabric_find_subnet(const struct fabric *fabric, uint32_t vnet, const char *name)
{
    const struct fabric_vnet *owner = &fabric->vnets[vnet];
    uint32_t found = find_by_name(fabric->subnets + owner->first_subnet, owner->subnet_count,
                                  sizeof(*fabric->subnets), name);

    return found == FABRIC_NONE ? FABRIC_NONE : owner->first_subnet + found;
}

uint32_t fabric_find_nic(const struct fabric *fabric, const char *name)
{
    uint32_t written = fabric->nics_count - fabric->brought_nic_count;
    uint32_t found = find_by_name(fabric->nics, written, sizeof(*fabric->nics), name);

    for (uint32_t i = written; found == FABRIC_NONE && i < fabric->nics_count; i++)
        if (strcmp(fabric->nics[i].name, name) == 0)
            found = i;
    return found;
}

uint32_t fabric_find_route_server(const struct fabric *fabric, const char *name)
{
    return find_by_name(fabric->route_servers,
                        fabric->route_servers_count - fabric->implicit_server_count,
                        sizeof(*fabric->route_servers), name);
}

uint32_t fabric_find_router(const struct fabric *fabric, const char *name)
{
    return find_by_name(fabric->routers, fabric->routers_count, sizeof(*fabric->routers), name);
}

uint32_t fabric_find_gateway(const struct fabric *fabric, const char *name)
{
    return find_by_name(fabric->gateways, fabric->gateways_count, sizeof(*fabric->gateways), name);
}

uint32_t fabric_nic_gateway(const struct fabric *fabric, uint32_t nic)
{
    return nic < fabric->nics_count - fabric->brought_nic_count ? FABRIC_NONE
                                                                : fabric->nics[nic].gateway;
}

uint32_t fabric_nic_attached(const struct fabric *fabric, uint32_t nic)
{
    uint32_t gateway = fabric_nic_gateway(fabric, nic);
    bool shared = gateway != FABRIC_NONE && fabric->gateways[gateway].port != FABRIC_NONE;

    return shared ? fabric->gateways[gateway].first_nic : nic;
}

/* --- Peerings --------------------------------------------------------------------------------- */

/* The first entry of vnet in the index that is not before `other`. */
static uint32_t link_lower_bound(const struct fabric *fabric, uint32_t vnet, uint32_t other)
{
    uint32_t low = 0, high = fabric->link_count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        const struct fabric_link *link = &fabric->links[middle];

        if (link->vnet < vnet || (link->vnet == vnet && link->other < other))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Side of vnet in peering, or 2. */
static unsigned side_of(const struct fabric_peering *peering, uint32_t vnet)
{
    return peering->vnets[0] == vnet ? 0 : peering->vnets[1] == vnet ? 1 : 2;
}

/* Index of the peering, or FABRIC_NONE. */
static uint32_t scan_between(const struct fabric *fabric, uint32_t vnet, uint32_t other,
                             unsigned *side)
{
    for (uint32_t i = 0; i < fabric->peerings_count; i++) {
        *side = side_of(&fabric->peerings[i], vnet);
        if (*side < 2 && fabric->peerings[i].vnets[1 - *side] == other)
            return i;
    }
    return FABRIC_NONE;
}

/* The same by the index. */
static uint32_t link_between(const struct fabric *fabric, uint32_t vnet, uint32_t other,
                             unsigned *side)
{
    uint32_t i = link_lower_bound(fabric, vnet, other);

    if (i == fabric->link_count || fabric->links[i].vnet != vnet || fabric->links[i].other != other)
        return FABRIC_NONE;
    *side = fabric->links[i].side;
    return fabric->links[i].peering;
}

bool fabric_peering_between(const struct fabric *fabric, uint32_t vnet, uint32_t other,
                            const struct fabric_peering **peering, unsigned *side)
{
    uint32_t found = fabric->links ? link_between(fabric, vnet, other, side)
                                   : scan_between(fabric, vnet, other, side);

    if (found == FABRIC_NONE)
        return false;
    *peering = &fabric->peerings[found];
    return true;
}

void fabric_each_peering(const struct fabric *fabric, uint32_t vnet,
                         void (*visit)(void *context, const struct fabric_peering *peering,
                                       unsigned side),
                         void *context)
{
    if (fabric->links) {
        for (uint32_t i = link_lower_bound(fabric, vnet, 0);
             i < fabric->link_count && fabric->links[i].vnet == vnet; i++)
            visit(context, &fabric->peerings[fabric->links[i].peering], fabric->links[i].side);
        return;
    }
    for (uint32_t i = 0; i < fabric->peerings_count; i++) {
        unsigned side = side_of(&fabric->peerings[i], vnet);

        if (side < 2)
            visit(context, &fabric->peerings[i], side);
    }
}

/* One side's access switched off blocks both directions, as in the original. */
bool fabric_peering_routes(const struct fabric_peering *peering)
{
    return peering->in_sync && peering->sides[0].allow_virtual_network_access &&
           peering->sides[1].allow_virtual_network_access;
}

struct route_server_search {
    const struct fabric *fabric;
    uint32_t found;
};

/* Both halves must agree: the spoke uses, the hub lends, and the peering carries routes at all. */
static void try_remote_route_server(void *context, const struct fabric_peering *peering,
                                    unsigned side)
{
    struct route_server_search *search = context;

    if (peering->sides[side].use_remote_gateways &&
        peering->sides[1 - side].allow_gateway_transit && fabric_peering_routes(peering))
        search->found = search->fabric->vnets[peering->vnets[1 - side]].route_server;
}

uint32_t fabric_route_server_for(const struct fabric *fabric, uint32_t vnet)
{
    struct route_server_search search = {.fabric = fabric,
                                         .found = fabric->vnets[vnet].route_server};

    /* A VNet with a route server of its own cannot use another's; the loader refuses it. */
    if (search.found == FABRIC_NONE)
        fabric_each_peering(fabric, vnet, try_remote_route_server, &search);
    return search.found;
}

/* --- Addresses -------------------------------------------------------------------------------- */

const struct lpm_address *fabric_nic_address(const struct fabric_nic *nic, uint8_t family)
{
    for (uint32_t i = 0; i < nic->addresses.n; i++)
        if (nic->addresses.items[i].family == family)
            return &nic->addresses.items[i];
    return NULL;
}

bool fabric_nic_has(const struct fabric_nic *nic, const struct lpm_address *address)
{
    for (uint32_t i = 0; i < nic->addresses.n; i++)
        if (lpm_address_equal(&nic->addresses.items[i], address))
            return true;
    return false;
}

static uint32_t owner_scan(const struct fabric *fabric, uint32_t vnet,
                           const struct lpm_address *address)
{
    for (uint32_t i = 0; i < fabric->nics_count; i++)
        if (fabric->nics[i].vnet == vnet && fabric_nic_has(&fabric->nics[i], address))
            return i;
    return FABRIC_NONE;
}

static uint32_t owner_search(const struct fabric *fabric, uint32_t vnet,
                             const struct lpm_address *address)
{
    uint32_t low = 0, high = fabric->owner_count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = fabric_owner_compare(&fabric->owners[middle], vnet, address);

        if (order == 0)
            return fabric->owners[middle].nic;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return FABRIC_NONE;
}

/* VNets first: the same address may stand in two VNets that do not know each other. */
int fabric_owner_compare(const struct fabric_owner *owner, uint32_t vnet,
                         const struct lpm_address *address)
{
    if (owner->vnet != vnet)
        return owner->vnet < vnet ? -1 : 1;
    return lpm_address_compare(&owner->address, address);
}

uint32_t fabric_address_owner(const struct fabric *fabric, uint32_t vnet,
                              const struct lpm_address *address)
{
    return fabric->owners ? owner_search(fabric, vnet, address) : owner_scan(fabric, vnet, address);
}

struct address_search {
    const struct fabric *fabric;
    const struct lpm_address *address;
    uint32_t found;
};

/* Whether the peering carries routes does not matter here: that packets over it are refused is
 * for the data plane to say, by a reason of its own. */
static void try_peer_address(void *context, const struct fabric_peering *peering, unsigned side)
{
    struct address_search *search = context;

    if (search->found == FABRIC_NONE)
        search->found =
            fabric_address_owner(search->fabric, peering->vnets[1 - side], search->address);
}

/* The own VNet first. Spaces of VNets peered with one do not overlap, so at most one answers. */
uint32_t fabric_resolve_address(const struct fabric *fabric, uint32_t vnet,
                                const struct lpm_address *address)
{
    struct address_search search = {.fabric = fabric, .address = address};

    search.found = fabric_address_owner(fabric, vnet, address);
    if (search.found == FABRIC_NONE)
        fabric_each_peering(fabric, vnet, try_peer_address, &search);
    return search.found;
}

uint32_t fabric_resolve_frontend(const struct fabric *fabric, uint32_t vnet,
                                 const struct lpm_address *address)
{
    const struct fabric_peering *peering;
    unsigned side;

    for (uint32_t i = 0; i < fabric->load_balancers_count; i++) {
        const struct fabric_load_balancer *balancer = &fabric->load_balancers[i];

        if (lpm_address_equal(&balancer->frontend, address) &&
            (balancer->vnet == vnet ||
             fabric_peering_between(fabric, vnet, balancer->vnet, &peering, &side)))
            return i;
    }
    return FABRIC_NONE;
}

bool fabric_is_backend(const struct fabric_load_balancer *balancer, uint32_t nic)
{
    for (uint32_t i = 0; i < balancer->backend_count; i++)
        if (balancer->backends[i] == nic)
            return true;
    return false;
}
