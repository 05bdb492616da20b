/*
 * Which changes of the fabric a drill may make: those that leave its BGP sessions where they are.
 */
#include "engine/fabric/drill_loader.h"
#include "engine/fabric/gateway.h"
#include "engine/fabric/route_server.h"

#include <string.h>

/* Paths that changes may have, and all below them; a star is any one name. Who speaks BGP with whom, and from where,
 * has to stay. */
static const char *const changeable[] = {
    "nics",
    "peerings",
    "policies",
    "reserved_prefixes",
    "route_tables",
    "service_tags",
    "vnets",
    "route_servers/*/peers/*/import",
    "route_servers/*/peers/*/export",
    "route_servers/*/peers/*/key_file",
    "gateways/*/import",
    "gateways/*/export",
    "gateways/*/neighbors/*/import",
    "gateways/*/neighbors/*/export",
    "routers/*/originate",
    "routers/*/blocks",
    "routers/*/static",
    "routers/*/stateful",
    "routers/*/source_nat",
    "routers/*/destination_nat",
    "routers/*/health",
    "routers/*/hosts",
    "routers/*/neighbors/*/as_override",
    "routers/*/neighbors/*/prepend",
    "routers/*/neighbors/*/bfd",
    "routers/*/neighbors/*/bgp",
    "routers/*/neighbors/*/import",
    "routers/*/neighbors/*/export",
    "routers/*/neighbors/*/key_file",
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
static bool moved_in_range(const struct fabric *a, const struct fabric *b, uint32_t server,
                           uint32_t router)
{
    struct fabric_dynamic_peer before, after;
    bool was = fabric_dynamic_peers_find(a, server, router, &before);
    return was != fabric_dynamic_peers_find(b, server, router, &after) ||
           (was &&
            (before.range != after.range || !lpm_address_equal(&before.address, &after.address)));
}

/* Who speaks BGP, from where: routers by their NICs, route servers and gateways by their VNets. */
static const char *moved_speaker(const struct fabric *a, const struct fabric *b)
{
    for (uint32_t i = 0; i < a->routers_count; i++)
        for (uint32_t j = 0; j < a->routers[i].nic_count; j++)
            if (!same_addresses(&a->nics[a->routers[i].nics[j]], &b->nics[b->routers[i].nics[j]]))
                return a->routers[i].name;
    for (uint32_t i = 0; i < a->route_servers_count; i++)
        for (uint32_t j = 0; j < a->route_servers[i].peer_count; j++)
            if (a->route_servers[i].peers[j].router != b->route_servers[i].peers[j].router ||
                (a->route_servers[i].peers[j].nic == FABRIC_NONE) !=
                    (b->route_servers[i].peers[j].nic == FABRIC_NONE))
                return a->route_servers[i].peers[j].name;
    for (uint32_t i = 0; i < a->route_servers_count; i++)
        for (uint32_t j = 0; j < a->routers_count; j++)
            if (moved_in_range(a, b, i, j))
                return a->routers[j].name;
    for (uint32_t i = 0; i < a->gateways_count; i++)
        if (fabric_gateway_is_cut_off(a, i) != fabric_gateway_is_cut_off(b, i))
            return a->gateways[i].name;
    return NULL;
}

void fabric_drill_check_speakers(struct fabric_loader *loader, const struct fabric_drill *drill,
                                 const struct fabric_drill_event *event)
{
    const char *moved;

    if (!event->change || event->stage == 0)
        return;
    moved = moved_speaker(drill->stages[event->stage - 1], drill->stages[event->stage]);
    if (moved)
        FABRIC_ERROR(
            loader, &event->place,
            "'%s' speaks BGP: its NIC, its addresses and its way to the route server cannot "
            "change while the fabric runs",
            moved);
}
