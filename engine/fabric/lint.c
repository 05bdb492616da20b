/*
 * The rules, one function each. What they have in common is asked of the model by the helpers above
 * them.
 */
#include "engine/fabric/lint.h"

#include <stdarg.h>
#include <stdio.h>

#include "engine/bgp/attributes.h"
#include "engine/fabric/effective.h"
#include "engine/fabric/validate.h"

#define OBJECT_TEXT  200
#define MESSAGE_TEXT 768

struct lint {
    const struct fabric *fabric;
    fabric_lint_take *take;
    void *context;
};

void fabric_lint_tell(fabric_lint_take *take, void *context, const struct fabric_place *place,
                      const char *rule, const char *object, const char *remedy, const char *format,
                      ...)
{
    char message[MESSAGE_TEXT], what[OBJECT_TEXT];
    va_list arguments;
    snprintf(what, sizeof(what), "%s", object);
    int n = snprintf(message, sizeof(message), "%s: ", what);
    va_start(arguments, format);
    vsnprintf(message + n, sizeof(message) - (size_t)n, format, arguments);
    va_end(arguments);
    take(context, &(struct fabric_problem){.file = place->file,
                                           .line = place->line,
                                           .rule = rule,
                                           .object = what,
                                           .message = message,
                                           .remedy = remedy});
}

#define TELL(lint, ...) fabric_lint_tell((lint)->take, (lint)->context, __VA_ARGS__)

/* --- Questions -------------------------------------------------------------------------------- */

/* A NIC that passes on what is not its own. */
static bool is_appliance(const struct fabric_nic *nic)
{
    return nic->ip_forwarding || nic->router != FABRIC_NONE;
}

/* Gateways' instances are neither appliances nor VMs: what they pass on needs no permission. */
static bool has_nic(const struct fabric *fabric, uint32_t vnet, bool appliance)
{
    for (uint32_t i = 0; i < fabric->nics_count; i++)
        if (fabric->nics[i].vnet == vnet && is_appliance(&fabric->nics[i]) == appliance &&
            fabric_nic_gateway(fabric, i) == FABRIC_NONE)
            return true;
    return false;
}

/* The route server of the file in that VNet, not one that gateways without one bring along. */
static uint32_t server_in(const struct fabric *fabric, uint32_t vnet)
{
    uint32_t server = fabric->vnets[vnet].route_server;
    uint32_t own = fabric->route_servers_count - fabric->implicit_server_count;
    return server < own ? server : FABRIC_NONE;
}

static const struct fabric_gateway *gateway_of(const struct fabric *fabric, uint32_t vnet, bool vpn)
{
    for (uint32_t i = 0; i < fabric->gateways_count; i++)
        if (fabric->gateways[i].vnet == vnet && fabric->gateways[i].vpn == vpn)
            return &fabric->gateways[i];
    return NULL;
}

static bool owns_gateway(const struct fabric *fabric, uint32_t vnet)
{
    return fabric->vnets[vnet].route_server != FABRIC_NONE || gateway_of(fabric, vnet, true) ||
           gateway_of(fabric, vnet, false);
}

static const struct fabric_subnet *subnet_named(const struct fabric *fabric, uint32_t vnet,
                                                const char *name)
{
    uint32_t subnet = fabric_find_subnet(fabric, vnet, name);
    return subnet == FABRIC_NONE ? NULL : &fabric->subnets[subnet];
}

static bool overlap(const struct lpm_prefix *a, const struct lpm_prefix *b)
{
    return lpm_prefix_covers(a, b) || lpm_prefix_covers(b, a);
}

/* Calls visit for each router and each route server that it speaks with. */
static void each_session(const struct lint *lint,
                         void (*visit)(const struct lint *lint, const struct fabric_router *router,
                                       const struct fabric_neighbor *neighbor,
                                       const struct fabric_route_server *server))
{
    const struct fabric *fabric = lint->fabric;
    for (uint32_t i = 0; i < fabric->routers_count; i++)
        for (uint32_t j = 0; j < fabric->routers[i].neighbor_count; j++) {
            const struct fabric_neighbor *neighbor = &fabric->routers[i].neighbors[j];
            if (neighbor->route_server != FABRIC_NONE)
                visit(lint, &fabric->routers[i], neighbor,
                      &fabric->route_servers[neighbor->route_server]);
        }
}

/* --- L3: no static route to RouteServerSubnet ------------------------------------------------- */

/* A guest with one NIC and no routes of its own sends by that NIC whatever it learns. */
static void check_static(const struct lint *lint, const struct fabric_router *router,
                         const struct fabric_neighbor *neighbor,
                         const struct fabric_route_server *server)
{
    const struct fabric_subnet *subnet =
        subnet_named(lint->fabric, server->vnet, FABRIC_ROUTE_SERVER_SUBNET);
    char object[OBJECT_TEXT];
    (void)neighbor;
    if (!subnet || (router->static_count == 0 && router->nic_count < 2))
        return;
    for (uint32_t i = 0; i < router->static_count; i++)
        for (uint32_t j = 0; j < subnet->prefixes.n; j++)
            if (router->statics[i].via_subnet_gateway &&
                lpm_prefix_covers(&router->statics[i].prefix, &subnet->prefixes.items[j]))
                return;
    snprintf(object, sizeof(object), "routers[%s].static", router->name);
    TELL(lint, &router->place, "L3", object,
         "Add {prefix: the route server's subnet, via: subnet-gateway}.",
         "has no route to %s by its subnet's gateway, so the VNet's prefix that route server '%s' "
         "announces, whose next hop is inside itself, makes the session flap",
         subnet->full_name, server->name);
}

/* --- L4: a route table of GatewaySubnet that captures RouteServerSubnet ----------------------- */

static const struct fabric_udr *longest_over(const struct fabric_route_table *table,
                                             const struct lpm_prefix *prefix)
{
    const struct fabric_udr *best = NULL;
    for (uint32_t i = 0; i < table->route_count; i++)
        if (overlap(&table->routes[i].prefix, prefix) &&
            (!best || table->routes[i].prefix.length > best->prefix.length))
            best = &table->routes[i];
    return best;
}

static void check_gateway_table(const struct lint *lint, uint32_t vnet)
{
    const struct fabric *fabric = lint->fabric;
    const struct fabric_subnet *gateways = subnet_named(fabric, vnet, FABRIC_GATEWAY_SUBNET);
    const struct fabric_subnet *servers = subnet_named(fabric, vnet, FABRIC_ROUTE_SERVER_SUBNET);
    char object[OBJECT_TEXT], prefix[LPM_PREFIX_TEXT];
    /* Where there is a gateway already, loading the file says so. */
    if (!gateways || !servers || gateways->route_table == FABRIC_NONE ||
        gateway_of(fabric, vnet, true) || gateway_of(fabric, vnet, false))
        return;
    const struct fabric_route_table *table = &fabric->route_tables[gateways->route_table];
    for (uint32_t i = 0; i < servers->prefixes.n; i++) {
        const struct fabric_udr *route = longest_over(table, &servers->prefixes.items[i]);
        if (!route || route->type == FABRIC_VNET_LOCAL)
            continue;
        lpm_prefix_format(&route->prefix, prefix);
        snprintf(object, sizeof(object), "route_tables[%s].routes[%s]", table->name, prefix);
        TELL(lint, &route->place, "L4", object,
             "Add a more specific route to RouteServerSubnet with next_hop_type: VnetLocal.",
             "is in force in %s and covers %s: the gateway's sessions with the route server are "
             "lost",
             gateways->full_name, servers->full_name);
    }
}

/* --- L5: propagation off where routes of the route server are expected ------------------------ */

static bool expects_routes(const struct fabric *fabric, uint32_t subnet)
{
    bool guests = false;
    for (uint32_t i = 0; i < fabric->nics_count; i++)
        if (fabric->nics[i].subnet == subnet) {
            if (is_appliance(&fabric->nics[i]))
                return false; /* an appliance's subnet does well without its own routes */
            guests = true;
        }
    return guests;
}

/* Who gives the subnet a default route of its own has decided where it sends. */
static void check_propagation(const struct lint *lint, uint32_t index)
{
    const struct fabric *fabric = lint->fabric;
    const struct fabric_subnet *subnet = &fabric->subnets[index];
    uint32_t server = fabric_route_server_for(fabric, subnet->vnet);
    char object[OBJECT_TEXT];
    if (subnet->route_table == FABRIC_NONE || server == FABRIC_NONE ||
        !expects_routes(fabric, index))
        return;
    const struct fabric_route_table *table = &fabric->route_tables[subnet->route_table];
    if (table->bgp_propagation)
        return;
    for (uint32_t i = 0; i < table->route_count; i++)
        if (table->routes[i].prefix.length == 0)
            return;
    snprintf(object, sizeof(object), "route_tables[%s]", table->name);
    TELL(lint, &table->place, "L5", object,
         "Set bgp_propagation: true, or give the table the routes that its VMs need.",
         "bgp_propagation is off, so the VMs of subnet '%s' get no route of route server '%s', and "
         "the table has no default route either",
         subnet->full_name, fabric->route_servers[server].name);
}

/* --- L6: a spoke that does not use the hub's route server ------------------------------------- */

struct spoke {
    const struct fabric *fabric;
    bool uses; /* the gateways of some VNet */
    const struct fabric_peering *hub;
    unsigned side; /* of the spoke, in hub */
};

static void look_for_hub(void *context, const struct fabric_peering *peering, unsigned side)
{
    struct spoke *spoke = context;
    spoke->uses |= peering->sides[side].use_remote_gateways;
    if (server_in(spoke->fabric, peering->vnets[!side]) != FABRIC_NONE && !spoke->hub) {
        spoke->hub = peering;
        spoke->side = side;
    }
}

static void check_spoke(const struct lint *lint, uint32_t vnet)
{
    const struct fabric *fabric = lint->fabric;
    struct spoke spoke = {.fabric = fabric};
    char object[OBJECT_TEXT];
    if (owns_gateway(fabric, vnet) || !has_nic(fabric, vnet, false))
        return;
    fabric_each_peering(fabric, vnet, look_for_hub, &spoke);
    if (!spoke.hub || spoke.uses)
        return;
    const char *hub = fabric->vnets[spoke.hub->vnets[!spoke.side]].name;
    snprintf(object, sizeof(object), "peerings[%s,%s]", fabric->vnets[spoke.hub->vnets[0]].name,
             fabric->vnets[spoke.hub->vnets[1]].name);
    TELL(lint, &spoke.hub->place, "L6", object,
         "Set use_remote_gateways: true on the spoke's side and allow_gateway_transit: true on the "
         "hub's.",
         "'%s' does not use the gateways of '%s', so its NICs get no route of the route server "
         "there, and the appliances do not learn of '%s'",
         fabric->vnets[vnet].name, hub, fabric->vnets[vnet].name);
}

/* --- L7: an announced prefix that is equal to, or inside, a VNet's space ---------------------- */

/* The VNet of those that take the server's routes that keeps this prefix out; FABRIC_NONE: none. */
static uint32_t suppressing(const struct fabric *fabric, uint32_t route_server,
                            const struct lpm_prefix *prefix)
{
    for (uint32_t i = 0; i < fabric->vnets_count; i++)
        if (fabric_route_server_for(fabric, i) == route_server &&
            fabric_import_suppressed(fabric, i, prefix))
            return i;
    return FABRIC_NONE;
}

static void check_announced(const struct lint *lint, const struct fabric_router *router,
                            const struct fabric_neighbor *neighbor,
                            const struct fabric_route_server *server)
{
    const struct fabric *fabric = lint->fabric;
    char object[OBJECT_TEXT], prefix[LPM_PREFIX_TEXT];
    (void)server;
    for (uint32_t i = 0; i < router->originate.n; i++) {
        uint32_t vnet = suppressing(fabric, neighbor->route_server, &router->originate.items[i]);
        if (vnet == FABRIC_NONE)
            continue;
        lpm_prefix_format(&router->originate.items[i], prefix);
        snprintf(object, sizeof(object), "routers[%s].originate[%s]", router->name, prefix);
        TELL(lint, &router->place, "L7", object,
             "Use a route table where traffic within VNets is to pass the appliance.",
             "is equal to or inside the space of VNet '%s' or of one peered with it: it is learned "
             "and passed on, but not programmed there",
             fabric->vnets[vnet].name);
    }
}

/* --- L13: prepending private AS numbers for on-prem ------------------------------------------- */

static void check_prepend(const struct lint *lint, const struct fabric_router *router,
                          const struct fabric_neighbor *neighbor,
                          const struct fabric_route_server *server)
{
    const struct fabric_gateway *gateway = gateway_of(lint->fabric, server->vnet, false);
    char object[OBJECT_TEXT];
    if (!gateway || !server->branch_to_branch || neighbor->prepend == 0 ||
        !bgp_as_is_private(router->asn))
        return;
    snprintf(object, sizeof(object), "routers[%s].neighbors[%s].prepend", router->name,
             server->name);
    TELL(lint, &neighbor->place, "L13", object,
         "Prepend a public AS number, or set a local preference at the customer's edge.",
         "AS %u is private: the provider edge behind gateway '%s' strips it, so on-prem routers do "
         "not see the longer path",
         router->asn, gateway->name);
}

/* --- L14: forwarded traffic that a spoke does not take ---------------------------------------- */

static void check_forwarded(const struct lint *lint, const struct fabric_peering *peering,
                            unsigned side)
{
    const struct fabric *fabric = lint->fabric;
    uint32_t vnet = peering->vnets[side], other = peering->vnets[!side];
    char object[OBJECT_TEXT];
    if (peering->sides[side].allow_forwarded_traffic || !fabric_peering_routes(peering) ||
        !has_nic(fabric, other, true) || !has_nic(fabric, vnet, false) ||
        fabric_route_server_for(fabric, vnet) == FABRIC_NONE)
        return;
    snprintf(object, sizeof(object), "peerings[%s,%s]", fabric->vnets[peering->vnets[0]].name,
             fabric->vnets[peering->vnets[1]].name);
    TELL(lint, &peering->place, "L14", object,
         "Set allow_forwarded_traffic: true on that VNet's side.",
         "'%s' does not set allow_forwarded_traffic: packets that an appliance in '%s' passes on "
         "to it for others are dropped",
         fabric->vnets[vnet].name, fabric->vnets[other].name);
}

/* --- L9: backends that drop what they are to pass on ------------------------------------------ */

/* Whether a frontend is a next hop is for the routes to say; a load balancer of routers is made for
 * it. */
static void check_balancer(const struct lint *lint, const struct fabric_load_balancer *balancer)
{
    const struct fabric *fabric = lint->fabric;
    char object[OBJECT_TEXT];
    for (uint32_t i = 0; i < balancer->backend_count; i++) {
        const struct fabric_nic *nic = &fabric->nics[balancer->backends[i]];
        if (nic->router == FABRIC_NONE || nic->ip_forwarding)
            continue;
        snprintf(object, sizeof(object), "nics[%s]", nic->name);
        TELL(lint, &nic->place, "L9", object,
             "Set ip_forwarding: true on the NIC of a backend that passes packets on.",
             "ip_forwarding is off, but it is a backend of load balancer '%s' and belongs to a "
             "router: what is to be passed on is dropped as receiver-not-forwarding",
             balancer->name);
    }
}

/* --- All -------------------------------------------------------------------------------------- */

void fabric_lint(const struct fabric *fabric, fabric_lint_take *take, void *context)
{
    const struct lint lint = {fabric, take, context};
    each_session(&lint, check_static);
    for (uint32_t i = 0; i < fabric->vnets_count; i++)
        check_gateway_table(&lint, i);
    for (uint32_t i = 0; i < fabric->subnets_count; i++)
        check_propagation(&lint, i);
    for (uint32_t i = 0; i < fabric->vnets_count; i++)
        check_spoke(&lint, i);
    each_session(&lint, check_announced);
    for (uint32_t i = 0; i < fabric->load_balancers_count; i++)
        check_balancer(&lint, &fabric->load_balancers[i]);
    each_session(&lint, check_prepend);
    for (uint32_t i = 0; i < fabric->peerings_count; i++)
        for (unsigned side = 0; side < 2; side++)
            check_forwarded(&lint, &fabric->peerings[i], side);
}
