/*
 * Route tables: one route a prefix, next hops by type, and next hops that the subnets using the
 * table can reach.
 */
#include "engine/fabric/validate.h"

#include <stdio.h>

#define OBJECT_TEXT 200

/* Only an appliance has an address; the fabric knows where all the others are. */
static void check_next_hop(struct fabric_loader *loader, const struct fabric_route_table *table,
                           const struct fabric_udr *route)
{
    bool given = route->next_hop.family != 0;
    const struct fabric_place *place = fabric_place_of(loader, &route->next_hop, &route->place);

    if (route->type == FABRIC_VIRTUAL_APPLIANCE && !given)
        FABRIC_ERROR(
            loader, &route->place,
            "route_tables[%s].routes[%s]: VirtualAppliance needs next_hop, the appliance's address",
            table->name, FABRIC_PREFIX(&route->prefix));
    else if (route->type != FABRIC_VIRTUAL_APPLIANCE && given)
        FABRIC_ERROR(loader, place,
                     "route_tables[%s].routes[%s].next_hop: %s takes no next_hop, only "
                     "VirtualAppliance does",
                     table->name, FABRIC_PREFIX(&route->prefix),
                     fabric_next_hop_type_text(route->type));
    else if (given && route->next_hop.family != route->prefix.family)
        FABRIC_ERROR(loader, place,
                     "route_tables[%s].routes[%s].next_hop: %s is of the other address family",
                     table->name, FABRIC_PREFIX(&route->prefix), FABRIC_ADDRESS(&route->next_hop));
}

/* Routes stand in prefix order, so equal ones stand side by side. */
static void check_table(struct fabric_loader *loader, const struct fabric_route_table *table)
{
    for (uint32_t i = 0; i < table->route_count; i++) {
        const struct fabric_udr *route = &table->routes[i];

        if (i > 0 && lpm_prefix_equal(&route->prefix, &route[-1].prefix))
            FABRIC_ERROR(loader, &route->place,
                         "route_tables[%s].routes: %s stands twice, first at %s:%u; a table has "
                         "one route a prefix",
                         table->name, FABRIC_PREFIX(&route->prefix), route[-1].place.file,
                         route[-1].place.line);
        check_next_hop(loader, table, route);
    }
}

static void tell_out_of_reach(struct fabric_loader *loader, const struct fabric_subnet *subnet,
                              const struct fabric_route_table *table,
                              const struct fabric_udr *route, enum fabric_reach reach)
{
    char object[OBJECT_TEXT];

    snprintf(object, sizeof(object), "route_tables[%s].routes[%s]", table->name,
             FABRIC_PREFIX(&route->prefix));
    FABRIC_WARNING(loader, FABRIC_LINT_NEXT_HOP, object,
                   "Give the address of a NIC or load balancer in the subnet's VNet or in one "
                   "peered with it.",
                   fabric_place_of(loader, &route->next_hop, &route->place),
                   "%s.next_hop: %s %s, so subnet '%s' drops what takes this route", object,
                   FABRIC_ADDRESS(&route->next_hop),
                   reach == FABRIC_REACH_OUTSIDE
                       ? "is outside the subnet's VNet and those peered with it"
                       : "is an address that no NIC has",
                   subnet->full_name);
}

/* One warning a route: the subnets that share a table mostly share the mistake as well. */
static void check_reach(struct fabric_loader *loader, const struct fabric_subnet *subnet,
                        bool *told)
{
    const struct fabric *fabric = loader->fabric;
    const struct fabric_route_table *table = &fabric->route_tables[subnet->route_table];

    for (uint32_t i = 0; i < table->route_count; i++) {
        const struct fabric_udr *route = &table->routes[i];
        enum fabric_reach reach;

        if (route->type != FABRIC_VIRTUAL_APPLIANCE || told[i])
            continue;
        reach = fabric_reach(fabric, subnet->vnet, &route->next_hop);
        told[i] = reach != FABRIC_REACH_TAKEN;
        if (told[i])
            tell_out_of_reach(loader, subnet, table, route, reach);
    }
}

/* Flags for each route of each table. */
static bool **told_make(struct fabric_loader *loader)
{
    const struct fabric *fabric = loader->fabric;
    bool **told = fabric_arena_array(&loader->tree, fabric->route_tables_count, sizeof(*told));

    for (uint32_t i = 0; told && i < fabric->route_tables_count; i++) {
        told[i] =
            fabric_arena_array(&loader->tree, fabric->route_tables[i].route_count, sizeof(**told));
        if (!told[i])
            return NULL;
    }
    return told;
}

void fabric_validate_tables(struct fabric_loader *loader)
{
    const struct fabric *fabric = loader->fabric;
    size_t errors = loader->problems->errors;
    bool **told = told_make(loader);

    if (!told) {
        loader->out_of_memory = true;
        return;
    }
    for (uint32_t i = 0; i < fabric->route_tables_count; i++)
        check_table(loader, &fabric->route_tables[i]);
    for (uint32_t i = 0; i < fabric->subnets_count && loader->problems->errors == errors; i++)
        if (fabric->subnets[i].route_table != FABRIC_NONE)
            check_reach(loader, &fabric->subnets[i], told[fabric->subnets[i].route_table]);
}
