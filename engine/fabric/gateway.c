/*
 * From the words under `gateways:` to speakers and sessions.
 */
#include "engine/fabric/gateway.h"

#include <limits.h>
#include <stdlib.h>

#include "engine/fabric/effective.h"
#include "engine/fabric/placement.h"
#include "engine/fabric/route_server.h"

#define CONNECT_RETRY_S 10
#define HOLD_TIME_S     180
#define KEEPALIVE_S     60

#define GATEWAY_SUBNET "GatewaySubnet"

#define BIT(source) (1u << (source))

enum rib_source fabric_gateway_source(const struct fabric_gateway *gateway)
{
    return gateway->vpn ? RIB_SOURCE_VPN : RIB_SOURCE_EXPRESS_ROUTE;
}

uint32_t fabric_gateway_server(const struct fabric *fabric, uint32_t gateway)
{
    return fabric->vnets[fabric->gateways[gateway].vnet].route_server;
}

/* Above all that people number by hand. */
uint32_t fabric_gateway_kernel_table(const struct fabric_gateway *gateway)
{
    return gateway->kernel_table ? gateway->kernel_table
                                 : 0x1000000u + fabric_name_vni(gateway->name);
}

/* --- Routes of GatewaySubnet ------------------------------------------------------------------ */

static const struct fabric_udr *longest_route(const struct fabric_route_table *table,
                                              const struct lpm_address *address)
{
    const struct fabric_udr *best = NULL;

    for (uint32_t i = 0; i < table->route_count; i++)
        if (lpm_prefix_contains(&table->routes[i].prefix, address) &&
            (!best || table->routes[i].prefix.length > best->prefix.length))
            best = &table->routes[i];
    return best;
}

/* A user's route comes before the VNet's own of the same length. */
static bool captures(const struct fabric_vnet *vnet, const struct fabric_udr *route,
                     const struct lpm_address *address)
{
    if (route->type == FABRIC_VNET_LOCAL)
        return false;
    for (uint32_t i = 0; i < vnet->space.n; i++)
        if (lpm_prefix_contains(&vnet->space.items[i], address) &&
            vnet->space.items[i].length > route->prefix.length)
            return false;
    return true;
}

const struct fabric_udr *fabric_gateway_captor(const struct fabric *fabric, uint32_t gateway)
{
    const struct fabric_vnet *vnet = &fabric->vnets[fabric->gateways[gateway].vnet];
    uint32_t subnet = fabric_find_subnet(fabric, fabric->gateways[gateway].vnet, GATEWAY_SUBNET);
    const struct fabric_route_server *server =
        vnet->route_server == FABRIC_NONE ? NULL : &fabric->route_servers[vnet->route_server];
    uint32_t table = subnet == FABRIC_NONE ? FABRIC_NONE : fabric->subnets[subnet].route_table;

    for (uint32_t i = 0;
         server && !server->implicit && table != FABRIC_NONE && i < server->instance_count; i++) {
        const struct fabric_udr *route =
            longest_route(&fabric->route_tables[table], &server->addresses[i]);

        if (route && captures(vnet, route, &server->addresses[i]))
            return route;
    }
    return NULL;
}

bool fabric_gateway_is_cut_off(const struct fabric *fabric, uint32_t gateway)
{
    return fabric->mode == FABRIC_AZURE && fabric_gateway_captor(fabric, gateway) != NULL;
}

/* --- Who is told what ------------------------------------------------------------------------- */

/* Branches are the gateways' sites. Without branch_to_branch they hear nothing of each other, nor of
 * NVAs; never does one ExpressRoute circuit hear of another. A VPN gateway passes routes between its own
 * branches by itself. */
void fabric_route_server_withheld(const struct fabric *fabric, uint32_t route_server,
                                  uint8_t withheld[RIB_SOURCES])
{
    const unsigned gateways = BIT(RIB_SOURCE_EXPRESS_ROUTE) | BIT(RIB_SOURCE_VPN);
    bool b2b = fabric->route_servers[route_server].branch_to_branch;
    enum fabric_nva_reflect reflect = fabric->quirks.nva_reflect;
    bool between_nvas = reflect == FABRIC_REFLECT_ALWAYS || (reflect == FABRIC_REFLECT_B2B && b2b);

    withheld[RIB_SOURCE_LOCAL] = 0;
    withheld[RIB_SOURCE_NVA] =
        (uint8_t)((between_nvas ? 0 : BIT(RIB_SOURCE_NVA)) | (b2b ? 0 : gateways));
    withheld[RIB_SOURCE_EXPRESS_ROUTE] =
        (uint8_t)(BIT(RIB_SOURCE_EXPRESS_ROUTE) | (b2b ? 0 : BIT(RIB_SOURCE_NVA) | gateways));
    withheld[RIB_SOURCE_VPN] =
        (uint8_t)(BIT(RIB_SOURCE_VPN) | (b2b ? 0 : BIT(RIB_SOURCE_NVA) | gateways));
}

/* To a gateway, whatever the route server says has RIB_SOURCE_NVA. */
struct speaker_config fabric_gateway_config(const struct fabric *fabric, uint32_t gateway)
{
    const struct fabric_gateway *model = &fabric->gateways[gateway];
    struct speaker_config config = {
        .name = model->name,
        .asn = model->asn,
        .preference = RIB_PREFER_BRANCHES,
        .prepend_own_asn = true,
        .reflect = true,
    };

    config.withheld[RIB_SOURCE_NVA] = BIT(RIB_SOURCE_NVA);
    if (!model->vpn)
        config.withheld[RIB_SOURCE_EXPRESS_ROUTE] = BIT(RIB_SOURCE_EXPRESS_ROUTE);
    return config;
}

int fabric_gateway_originate(const struct fabric *fabric, uint32_t gateway, struct speaker *speaker)
{
    const struct fabric_gateway *model = &fabric->gateways[gateway];
    struct lpm_prefix *prefixes = NULL;
    size_t n = 0;
    int error = fabric_originated(fabric, fabric_gateway_server(fabric, gateway), &prefixes, &n);

    if (!error)
        error = fabric_originate_prefixes(speaker, prefixes, n);
    for (uint32_t i = 0; !error && i < model->static_branch_count; i++)
        error = fabric_originate_prefixes(speaker, model->static_branches[i].prefixes.items,
                                          model->static_branches[i].prefixes.n);
    if (!error)
        error =
            fabric_originate_prefixes(speaker, model->point_to_site.items, model->point_to_site.n);
    free(prefixes);
    return error;
}

/* --- Sessions with the route server ----------------------------------------------------------- */

/* No hold time: there is no line that could fail. An implicit server speaks for no AS on a path's way: its
 * number may stand in what a gateway of another one has learned. */
struct speaker_peer_config fabric_gateway_link_server(const struct fabric *fabric, uint32_t gateway,
                                                      unsigned instance, unsigned server_instance)
{
    const struct fabric_gateway *model = &fabric->gateways[gateway];
    const struct fabric_route_server *server =
        &fabric->route_servers[fabric_gateway_server(fabric, gateway)];

    return (struct speaker_peer_config){
        .name = model->name,
        .instance = server_instance,
        .source = fabric_gateway_source(model),
        .local_address = server->addresses[server_instance],
        .peer_address = model->addresses.items[instance],
        .identifier = fabric_bgp_identifier(&server->addresses[server_instance]),
        .asn = model->asn,
        .passive = true,
        .connect_retry_s = CONNECT_RETRY_S,
        .reflect_client = true,
        .allow_own_as = server->implicit ? UINT_MAX : 0,
    };
}

struct speaker_peer_config fabric_gateway_link_gateway(const struct fabric *fabric,
                                                       uint32_t gateway, unsigned instance,
                                                       unsigned server_instance)
{
    const struct fabric_gateway *model = &fabric->gateways[gateway];
    const struct fabric_route_server *server =
        &fabric->route_servers[fabric_gateway_server(fabric, gateway)];

    return (struct speaker_peer_config){
        .name = server->name,
        .instance = instance,
        .source = RIB_SOURCE_NVA,
        .local_address = model->addresses.items[instance],
        .peer_address = server->addresses[server_instance],
        .identifier = fabric_bgp_identifier(&model->addresses.items[instance]),
        .asn = server->asn,
        .connect_retry_s = CONNECT_RETRY_S,
        .next_hop_self = true,
    };
}

/* --- Sessions with what is outside ------------------------------------------------------------ */

const struct fabric_neighbor *fabric_router_names_gateway(const struct fabric *fabric,
                                                          uint32_t router, uint32_t gateway)
{
    const struct fabric_router *model = &fabric->routers[router];

    for (uint32_t i = 0; i < model->neighbor_count; i++)
        if (model->neighbors[i].gateway == gateway)
            return &model->neighbors[i];
    return NULL;
}

/* Who answers in the twin: the router that is named, or the one that has the address. */
static uint32_t router_behind(const struct fabric *fabric, const struct fabric_neighbor *neighbor)
{
    if (neighbor->router != FABRIC_NONE)
        return neighbor->router;
    for (uint32_t i = 0; i < fabric->routers_count; i++)
        if (lpm_address_equal(&fabric->routers[i].address, &neighbor->address))
            return i;
    return FABRIC_NONE;
}

static bool names_router(const struct fabric *fabric, uint32_t gateway, uint32_t router)
{
    const struct fabric_gateway *model = &fabric->gateways[gateway];

    for (uint32_t i = 0; i < model->neighbor_count; i++)
        if (router_behind(fabric, &model->neighbors[i]) == router)
            return true;
    return false;
}

static bool is_further(const struct fabric *fabric, uint32_t gateway, uint32_t router)
{
    return fabric_router_names_gateway(fabric, router, gateway) != NULL &&
           !names_router(fabric, gateway, router);
}

uint32_t fabric_gateway_neighbor_count(const struct fabric *fabric, uint32_t gateway)
{
    uint32_t n = fabric->gateways[gateway].neighbor_count;

    for (uint32_t i = 0; i < fabric->routers_count; i++)
        n += is_further(fabric, gateway, i);
    return n;
}

struct fabric_gateway_neighbor fabric_gateway_neighbor(const struct fabric *fabric,
                                                       uint32_t gateway, uint32_t index)
{
    const struct fabric_gateway *model = &fabric->gateways[gateway];
    uint32_t further = index - model->neighbor_count, router = 0;

    if (index < model->neighbor_count)
        return (struct fabric_gateway_neighbor){&model->neighbors[index],
                                                router_behind(fabric, &model->neighbors[index])};
    for (; !is_further(fabric, gateway, router) || further-- > 0; router++)
        continue;
    return (struct fabric_gateway_neighbor){NULL, router};
}

struct lpm_address fabric_router_address(const struct fabric *fabric, uint32_t router)
{
    const struct fabric_router *model = &fabric->routers[router];
    uint32_t number =
        model->number + 0x8000u; /* lines between routers count from below (circuit.c) */

    for (uint32_t i = 0; i < model->nic_count; i++)
        if (fabric->nics[model->nics[i]].addresses.n > 0)
            return fabric->nics[model->nics[i]].addresses.items[0];
    if (model->address.family != 0)
        return model->address;
    return (struct lpm_address){.family = LPM_IPV4,
                                .bytes = {169, 254, (uint8_t)(number >> 8), (uint8_t)number}};
}

bool fabric_gateway_neighbor_is_real(const struct fabric *fabric, uint32_t gateway, uint32_t index)
{
    const struct fabric_gateway_neighbor with = fabric_gateway_neighbor(fabric, gateway, index);

    if (with.router == FABRIC_NONE)
        return true;
    return fabric->routers[with.router].nic_count > 0 ||
           fabric->routers[with.router].address.family != 0;
}

static void apply_entry(const struct fabric_neighbor *entry, struct speaker_peer_config *config)
{
    if (!entry)
        return;
    config->as_override = entry->as_override;
    config->prepend = entry->prepend;
    fabric_bgp_options_apply(&entry->bgp, config);
}

struct speaker_peer_config fabric_gateway_peer(const struct fabric *fabric, uint32_t gateway,
                                               unsigned instance, uint32_t neighbor)
{
    const struct fabric_gateway *model = &fabric->gateways[gateway];
    const struct fabric_gateway_neighbor with = fabric_gateway_neighbor(fabric, gateway, neighbor);
    bool is_router = with.router != FABRIC_NONE;
    struct speaker_peer_config config = {
        .name = is_router ? fabric->routers[with.router].name : with.entry->name,
        .instance = instance,
        .source = fabric_gateway_source(model),
        .local_address = model->addresses.items[instance],
        .peer_address =
            is_router ? fabric_router_address(fabric, with.router) : with.entry->address,
        .identifier = fabric_bgp_identifier(&model->addresses.items[instance]),
        .asn = is_router ? fabric->routers[with.router].asn : with.entry->asn,
        .hold_time_s = HOLD_TIME_S,
        .keepalive_s = KEEPALIVE_S,
        .connect_retry_s = CONNECT_RETRY_S,
        .limit = {.limit = FABRIC_GATEWAY_PREFIXES,
                  .warn_percent = 80,
                  .action = SPEAKER_LIMIT_CLOSE},
        .ceiling = {.limit = model->max_advertised.limit,
                    .warn_percent = model->max_advertised.warn_percent,
                    .truncate = model->max_advertised.limit > 0 && !model->max_advertised.send},
    };

    apply_entry(with.entry, &config);
    return config;
}

struct speaker_peer_config fabric_gateway_mirror(const struct fabric *fabric, uint32_t gateway,
                                                 unsigned instance, uint32_t neighbor,
                                                 const struct fabric_neighbor *entry)
{
    const struct fabric_gateway *model = &fabric->gateways[gateway];
    struct speaker_peer_config far = fabric_gateway_peer(fabric, gateway, instance, neighbor);
    struct speaker_peer_config config = {
        .name = model->name,
        .instance = instance,
        .source = fabric_gateway_source(model),
        .local_address = far.peer_address,
        .peer_address = far.local_address,
        .identifier = fabric_bgp_identifier(&far.peer_address),
        .asn = model->asn,
        .hold_time_s = HOLD_TIME_S,
        .keepalive_s = KEEPALIVE_S,
        .connect_retry_s = CONNECT_RETRY_S,
    };

    config.limit = (struct speaker_prefix_limit){.limit = model->max_advertised.limit,
                                                 .warn_percent = model->max_advertised.warn_percent,
                                                 .action = SPEAKER_LIMIT_CLOSE};
    apply_entry(entry, &config);
    return config;
}
