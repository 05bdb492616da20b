/*
 * Which changes of the fabric a drill may make: those of objects that the twin lets come and go, while what both
 * readings have stays where it is.
 */
#include "engine/fabric/drill_loader.h"
#include "engine/fabric/gateway.h"
#include "engine/fabric/route_server.h"

#include <string.h>

/* Paths that changes may have, and all below them; a star is any one name. */
static const char *const changeable[] = {
    "load_balancers",        "nics",         "peerings",     "policies",
    "reserved_prefixes",     "route_tables", "service_tags", "vnets",
    "route_servers/*/peers", "gateways",     "routers",      "tunnels",
};
#define CHANGEABLE_TEXT "what can is in docs/drill.md, under \"Paths of set, add and remove\""

static bool is_below(const char *path, const char *pattern)
{
    for (;;) {
        size_t part = strcspn(path, "/"), wanted = strcspn(pattern, "/");

        if (part == 0 || (strncmp(pattern, "*", wanted) != 0 &&
                          (part != wanted || strncmp(path, pattern, part) != 0)))
            return false;
        if (pattern[wanted] == '\0')
            return true;
        if (path[part] == '\0')
            return false;
        path += part + 1;
        pattern += wanted + 1;
    }
}

static bool is_changeable(const char *path)
{
    for (size_t i = 0; i < sizeof(changeable) / sizeof(*changeable); i++)
        if (is_below(path, changeable[i]))
            return true;
    return false;
}

void fabric_drill_check_changes(struct fabric_loader *loader, const struct fabric_drill *drill)
{
    for (uint32_t i = 0; i < drill->event_count; i++) {
        const struct fabric_node *change = drill->events[i].change;

        for (uint32_t j = 0; change && j < change->n; j += 2)
            if (!is_changeable(change->items[j]->text))
                FABRIC_ERROR(loader, &change->items[j]->place,
                             "%s cannot be changed while the fabric runs; " CHANGEABLE_TEXT,
                             change->items[j]->text);
    }
}

static bool same_addresses(const struct fabric_nic *a, const struct fabric_nic *b)
{
    if (strcmp(a->name, b->name) != 0 || a->addresses.n != b->addresses.n)
        return false;
    for (uint32_t i = 0; i < a->addresses.n; i++)
        if (!lpm_address_equal(&a->addresses.items[i], &b->addresses.items[i]))
            return false;
    return true;
}

/* Is router another neighbour of the route server, or none, in the other reading? */
static bool moved_in_range(const struct fabric *a, uint32_t router, const struct fabric *b,
                           uint32_t now, uint32_t server)
{
    struct fabric_dynamic_peer before, after;
    bool was = fabric_dynamic_peers_find(a, server, router, &before);

    return was != fabric_dynamic_peers_find(b, server, now, &after) ||
           (was &&
            (before.range != after.range || !lpm_address_equal(&before.address, &after.address)));
}

/* A router of both, by its NICs. */
static bool same_nics(const struct fabric *a, const struct fabric_router *before,
                      const struct fabric *b, const struct fabric_router *now)
{
    bool same = before->nic_count == now->nic_count;

    for (uint32_t i = 0; same && i < now->nic_count; i++)
        same = same_addresses(&a->nics[before->nics[i]], &b->nics[now->nics[i]]);
    return same;
}

static const char *moved_router(const struct fabric *a, const struct fabric *b)
{
    for (uint32_t i = 0; i < a->routers_count; i++) {
        uint32_t now = fabric_find_router(b, a->routers[i].name);

        if (now == FABRIC_NONE)
            continue;
        if (!same_nics(a, &a->routers[i], b, &b->routers[now]))
            return a->routers[i].name;
        for (uint32_t j = 0; j < a->route_servers_count; j++)
            if (moved_in_range(a, i, b, now, j))
                return a->routers[i].name;
    }
    return NULL;
}

static const char *moved_gateway(const struct fabric *a, const struct fabric *b)
{
    for (uint32_t i = 0; i < a->gateways_count; i++)
        for (uint32_t j = 0; j < b->gateways_count; j++)
            if (strcmp(a->gateways[i].name, b->gateways[j].name) == 0 &&
                fabric_gateway_is_cut_off(a, i) != fabric_gateway_is_cut_off(b, j))
                return a->gateways[i].name;
    return NULL;
}

/* Who speaks BGP, from where: routers by their NICs, gateways by their way to the route server. */
static const char *moved_speaker(const struct fabric *a, const struct fabric *b)
{
    const char *moved = moved_router(a, b);

    return moved ? moved : moved_gateway(a, b);
}

/* Route servers stay. One that nobody wrote down comes and goes with the gateways of its VNet. */
static bool check_route_servers(struct fabric_loader *loader,
                                const struct fabric_drill_event *event, const struct fabric *a,
                                const struct fabric *b)
{
    bool same = a->route_servers_count == b->route_servers_count;

    for (uint32_t i = 0; same && i < a->route_servers_count; i++)
        same = strcmp(a->route_servers[i].name, b->route_servers[i].name) == 0;
    if (!same)
        FABRIC_ERROR(loader, &event->place,
                     "the first gateway of a VNet without a route server cannot come while the "
                     "fabric runs, nor the last one go: give the VNet a route server");
    return same;
}

void fabric_drill_check_speakers(struct fabric_loader *loader, const struct fabric_drill *drill,
                                 const struct fabric_drill_event *event)
{
    const char *moved;

    if (!event->change || event->stage == 0 ||
        !check_route_servers(loader, event, drill->stages[event->stage - 1],
                             drill->stages[event->stage]))
        return;
    moved = moved_speaker(drill->stages[event->stage - 1], drill->stages[event->stage]);
    if (moved)
        FABRIC_ERROR(
            loader, &event->place,
            "'%s' speaks BGP: its NIC, its addresses and its way to the route server cannot "
            "change while the fabric runs",
            moved);
}
