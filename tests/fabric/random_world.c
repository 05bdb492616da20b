/* See random_world.h. */
#include "tests/fabric/random_world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* SplitMix64 (Steele, Lea and Flood, OOPSLA 2014). */
uint64_t chance_next(struct chance *chance)
{
    uint64_t word = chance->state += 0x9e3779b97f4a7c15u;
    word = (word ^ (word >> 30)) * 0xbf58476d1ce4e5b9u;
    word = (word ^ (word >> 27)) * 0x94d049bb133111ebu;
    return word ^ (word >> 31);
}

unsigned chance_below(struct chance *chance, unsigned n)
{
    return (unsigned)((chance_next(chance) >> 32) % n);
}

bool chance_one_in(struct chance *chance, unsigned n)
{
    return chance_below(chance, n) == 0;
}

uint64_t chance_seed(void)
{
    const char *given = getenv("FABRIC_SEED");
    return given ? strtoull(given, NULL, 0) : (uint64_t)time(NULL);
}

/* Where routes and announcements come from: around, equal to and inside reserved prefixes, spaces
 * and service prefixes. Spaces are 10.<n>.0.0/16 and fd00:<n>::/48, and a few special ones. */
static const char *const interesting[] = {
    "0.0.0.0/0",      "0.0.0.0/1",      "128.0.0.0/1",    "10.0.0.0/8",      "10.0.0.0/14",
    "10.0.0.0/16",    "10.1.0.0/16",    "10.1.7.0/24",    "10.2.0.0/17",     "10.2.0.4/32",
    "10.3.0.0/16",    "10.9.0.0/16",    "172.16.0.0/12",  "172.16.0.0/16",   "172.20.0.0/16",
    "192.168.0.0/16", "192.168.0.0/15", "192.168.7.0/24", "100.64.0.0/10",   "100.64.1.0/24",
    "20.60.0.0/16",   "20.60.7.0/24",   "20.0.0.0/8",     "9.9.9.9/32",      "::/0",
    "fd00::/8",       "fc00::/7",       "fd00:1::/48",    "fd00:1:0:7::/64", "fd00:2::/32",
    "2001:db8::/32",  "2001:db8:1::/48"};

static struct lpm_prefix random_prefix(struct chance *chance)
{
    return world_prefix(
        interesting[chance_below(chance, sizeof(interesting) / sizeof(interesting[0]))]);
}

/* --- Objects ---------------------------------------------------------------------------------- */

static void add_tables(struct world *world, struct chance *chance)
{
    static const enum fabric_next_hop_type types[] = {
        FABRIC_VNET_LOCAL,        FABRIC_INTERNET,          FABRIC_NULL,
        FABRIC_VIRTUAL_APPLIANCE, FABRIC_VIRTUAL_APPLIANCE, FABRIC_VIRTUAL_NETWORK_GATEWAY};
    unsigned tables = chance_below(chance, 4);
    for (unsigned i = 0; i < tables; i++) {
        uint32_t table = world_add_table(world, "table", !chance_one_in(chance, 3));
        unsigned wanted = chance_below(chance, 6);
        for (unsigned j = 0; j < wanted; j++) {
            char prefix[LPM_PREFIX_TEXT], next_hop[32];
            struct lpm_prefix chosen = random_prefix(chance);
            enum fabric_next_hop_type type = types[chance_below(chance, 6)];
            bool known = false;
            for (uint32_t k = 0; k < world->tables[table].route_count; k++)
                known |= lpm_prefix_equal(&world->tables[table].routes[k].prefix, &chosen);
            snprintf(next_hop, sizeof(next_hop),
                     chosen.family == LPM_IPV4 ? "10.%u.0.4" : "fd00:%u::4",
                     chance_below(chance, 5));
            if (!known)
                world_add_route(world, table, lpm_prefix_format(&chosen, prefix), type,
                                type == FABRIC_VIRTUAL_APPLIANCE ? next_hop : NULL);
        }
    }
}

static void decorate_subnet(struct world *world, struct chance *chance, uint32_t index)
{
    struct fabric_subnet *subnet = &world->subnets[index];
    if (world->fabric.route_tables_count > 0 && chance_one_in(chance, 2))
        subnet->route_table = chance_below(chance, world->fabric.route_tables_count);
    if (chance_one_in(chance, 4))
        world_set_strings(world, &subnet->service_endpoints,
                          chance_one_in(chance, 2) ? "Storage" : "Storage Sql");
    subnet->reject_nva = chance_one_in(chance, 10);
    subnet->reject_vpn = chance_one_in(chance, 10);
    subnet->reject_express_route = chance_one_in(chance, 10);
    if (chance_one_in(chance, 6))
        world_set_strings(world, &subnet->reject_communities, "65001:7 65001:666");
    if (chance_one_in(chance, 6))
        world_set_strings(world, &subnet->reject_prefixes, "10.2.0.0/17 0.0.0.0/0 172.16.0.0/12");
}

static void add_vnet(struct world *world, struct chance *chance, unsigned number)
{
    static const char *const special[] = {" 172.16.0.0/12", " 192.168.0.0/15", " 100.64.0.0/16",
                                          " 20.60.0.0/16", ""};
    char space[160], name[48];
    snprintf(name, sizeof(name), "vnet%u", number);
    snprintf(space, sizeof(space), "10.%u.0.0/16%s", number, number < 4 ? special[number] : "");
    if (!chance_one_in(chance, 3))
        snprintf(space + strlen(space), sizeof(space) - strlen(space), " fd00:%u::/48", number);
    uint32_t vnet = world_add_vnet(world, name, space);
    if (chance_one_in(chance, 4))
        world_set_overrides(world, vnet,
                            number % 2 ? "10.0.0.0/8 fd00::/16" : "10.1.0.0/16 20.60.0.0/15");
    unsigned subnets = 1 + chance_below(chance, 3);
    for (unsigned i = 0; i < subnets; i++) {
        snprintf(name, sizeof(name), "subnet%u", i);
        snprintf(space, sizeof(space), "10.%u.%u.0/24 fd00:%u:0:%u::/64", number, i, number, i);
        uint32_t subnet = world_add_subnet(world, vnet, name, space);
        decorate_subnet(world, chance, subnet);
        unsigned nics = 1 + chance_below(chance, 3);
        for (unsigned j = 0; j < nics; j++) {
            snprintf(name, sizeof(name), "nic%u-%u-%u", number, i, j);
            snprintf(space, sizeof(space), "10.%u.%u.%u fd00:%u:0:%u::%u", number, i, 4 + j, number,
                     i, 4 + j);
            uint32_t nic = world_add_nic(world, subnet, name, space);
            world->nics[nic].ip_forwarding = chance_one_in(chance, 2);
        }
    }
}

/* Each VNet uses at most one route server, and none beside its own. */
static void add_peerings(struct world *world, struct chance *chance)
{
    uint32_t n = world->fabric.vnets_count;
    bool uses[WORLD_VNETS] = {false};
    for (uint32_t a = 0; a < n; a++)
        for (uint32_t b = a + 1; b < n; b++) {
            if (chance_one_in(chance, 2))
                continue;
            struct fabric_peering *peering = world_add_peering(world, a, b);
            peering->in_sync = !chance_one_in(chance, 8);
            peering->global = chance_one_in(chance, 4);
            for (unsigned side = 0; side < 2; side++) {
                struct fabric_peering_side *options = &peering->sides[side];
                uint32_t own = peering->vnets[side];
                options->allow_virtual_network_access = !chance_one_in(chance, 10);
                options->allow_forwarded_traffic = !chance_one_in(chance, 3);
                options->allow_gateway_transit = !chance_one_in(chance, 4);
                options->use_remote_gateways = !uses[own] &&
                                               world->vnets[own].route_server == FABRIC_NONE &&
                                               chance_one_in(chance, 2);
                uses[own] |= options->use_remote_gateways;
            }
        }
}

/* Peers of a route server: some NICs, some with a router that the world knows. */
static void add_peers(struct world *world, struct chance *chance)
{
    for (uint32_t nic = 0; nic < world->fabric.nics_count; nic++) {
        if (world->fabric.route_servers_count == 0 || !chance_one_in(chance, 4))
            continue;
        if (chance_one_in(chance, 2))
            world_add_router(world, "router", nic);
        world_add_peer(world, chance_below(chance, world->fabric.route_servers_count), nic);
    }
}

struct world *random_world(struct chance *chance)
{
    struct world *world = world_create();
    unsigned vnets = 1 + chance_below(chance, 5);
    if (chance_one_in(chance, 3))
        world_set_reserved(world, "10.0.0.0/8 100.64.0.0/10 172.16.0.0/12 192.168.0.0/16 "
                                  "20.60.0.0/16 fc00::/7");
    world->fabric.quirks.own_route_to_originator = chance_one_in(chance, 3);
    world->fabric.quirks.no_ipv6 = chance_one_in(chance, 6);
    world_add_tag(world, "Storage", "20.60.0.0/16 20.61.0.0/24");
    world_add_tag(world, "Sql", "20.60.7.0/24 2001:db8::/32");
    add_tables(world, chance);
    for (unsigned i = 0; i < vnets; i++)
        add_vnet(world, chance, i);
    unsigned servers = chance_below(chance, 3);
    for (unsigned i = 0; i < servers && i < vnets; i++)
        world_add_server(world, i, i == 0 ? "rs0" : "rs1");
    add_peerings(world, chance);
    add_peers(world, chance);
    return world;
}

/* --- BGP -------------------------------------------------------------------------------------- */

/* Mostly a neighbour's own address, sometimes another's, sometimes one that nobody has. */
static struct lpm_address random_next_hop(const struct world *world, struct chance *chance,
                                          uint8_t family, uint32_t nic)
{
    if (chance_one_in(chance, 10))
        return world_address(family == LPM_IPV4 ? "203.0.113.77" : "2001:db8:77::1");
    if (chance_one_in(chance, 5))
        nic = chance_below(chance, world->fabric.nics_count);
    const struct fabric_addresses *own = &world->nics[nic].addresses;
    return own->items[family == LPM_IPV4 ? 0 : 1];
}

static void announce(struct world *world, struct chance *chance, uint32_t server,
                     const struct lpm_prefix *prefix)
{
    static const enum rib_source sources[] = {RIB_SOURCE_NVA,           RIB_SOURCE_NVA,
                                              RIB_SOURCE_NVA,           RIB_SOURCE_VPN,
                                              RIB_SOURCE_EXPRESS_ROUTE, RIB_SOURCE_LOCAL};
    const struct fabric_route_server *owner = &world->servers[server];
    struct lpm_address neighbor = world_address("198.51.100.1"); /* beyond a gateway, say */
    uint32_t nic = chance_below(chance, world->fabric.nics_count);
    if (owner->peer_count > 0 && !chance_one_in(chance, 8)) {
        nic = owner->peers[chance_below(chance, owner->peer_count)].nic;
        neighbor = world->nics[nic].addresses.items[0];
    }
    struct lpm_address next_hop = random_next_hop(world, chance, prefix->family, nic);
    enum rib_source source = sources[chance_below(chance, 6)];
    if (source == RIB_SOURCE_LOCAL)
        next_hop = (struct lpm_address){0};
    world_announce_path(world, server, prefix, &neighbor, &next_hop, source,
                        chance_one_in(chance, 4) ? "65001:666" : NULL, !chance_one_in(chance, 5));
}

bool random_bgp_change(struct world *world, struct chance *chance, uint32_t *server,
                       struct lpm_prefix *prefix)
{
    if (world->fabric.route_servers_count == 0)
        return false;
    if (world->path_count > 0 && chance_one_in(chance, world->path_count > 20 ? 2 : 4)) {
        size_t index = chance_below(chance, (unsigned)world->path_count);
        *server = world->paths[index].route_server;
        *prefix = world->paths[index].prefix;
        world_remove_path(world, index);
        return true;
    }
    *server = chance_below(chance, world->fabric.route_servers_count);
    *prefix = random_prefix(chance);
    announce(world, chance, *server, prefix);
    return true;
}

struct lpm_address random_address(const struct world *world, struct chance *chance, uint8_t family)
{
    struct lpm_address address = {.family = family};
    struct lpm_prefix around = random_prefix(chance);
    if (chance_one_in(chance, 2)) {
        uint32_t nic = chance_below(chance, world->fabric.nics_count);
        return world->nics[nic].addresses.items[family == LPM_IPV4 ? 0 : 1];
    }
    while (around.family != family)
        around = random_prefix(chance);
    memcpy(address.bytes, around.bytes, sizeof(address.bytes));
    if (address.bytes[0] == 0) /* of a default route: 0.0.0.0/8 and ::/96 are on no wire */
        address.bytes[0] = 0x26;
    address.bytes[family == LPM_IPV4 ? 3 : 15] |= (uint8_t)(1 + chance_below(chance, 8));
    return address;
}
