/*
 * The walk over the model that yields system routes.
 *
 *   VNet's own CIDRs ── VnetLocal           peered VNets' CIDRs ── VNetPeering, VNetGlobalPeering
 *   tags of service endpoints ── VirtualNetworkServiceEndpoint
 *   0.0.0.0/0, ::/0 ── Internet             reserved prefixes ── None
 *
 * A reserved prefix gives way to an address space that is equal to it or contains it: that space is
 * in use, and a longer None row would swallow part of it. The vendor documents this for the VNet's
 * own space; it holds for peered space as well, since the packets of a NIC reach both alike. A
 * space inside the reserved prefix leaves the None row standing, which then loses by the longest
 * match.
 */
#include "engine/fabric/system.h"

#include <string.h>

#include "engine/fabric/rules.h"

struct walk {
    const struct fabric *fabric;
    uint32_t vnet;
    int (*visit)(void *context, const struct fabric_system_route *route);
    void *context;
    int stopped; /* what visit returned */
};

struct lpm_prefix fabric_default_prefix(uint8_t family)
{
    return (struct lpm_prefix){.family = family};
}

static void tell(struct walk *walk, const struct fabric_system_route *route)
{
    if (!walk->stopped)
        walk->stopped = walk->visit(walk->context, route);
}

static void tell_local(struct walk *walk)
{
    const struct fabric_vnet *vnet = &walk->fabric->vnets[walk->vnet];
    for (uint32_t i = 0; i < vnet->space.n; i++)
        tell(walk, &(struct fabric_system_route){.prefix = vnet->space.items[i],
                                                 .kind = FABRIC_SYSTEM_LOCAL,
                                                 .type = FABRIC_VNET_LOCAL,
                                                 .vnet = walk->vnet,
                                                 .via = vnet->name});
}

static void tell_peering(void *context, const struct fabric_peering *peering, unsigned side)
{
    struct walk *walk = context;
    uint32_t other = peering->vnets[!side];
    const struct fabric_vnet *vnet = &walk->fabric->vnets[other];
    struct fabric_system_route route = {
        .kind = FABRIC_SYSTEM_PEERING,
        .type = peering->global ? FABRIC_VNET_GLOBAL_PEERING : FABRIC_VNET_PEERING,
        .vnet = other,
        .via = vnet->name,
        .rule = fabric_peering_routes(peering) ? NULL : FABRIC_RULE_PEERING_WITHOUT_ROUTES,
    };
    for (uint32_t i = 0; i < vnet->space.n; i++) {
        route.prefix = vnet->space.items[i];
        tell(walk, &route);
    }
}

static const struct fabric_service_tag *find_tag(const struct fabric *fabric, const char *name)
{
    for (uint32_t i = 0; i < fabric->service_tags_count; i++)
        if (strcmp(fabric->service_tags[i].name, name) == 0)
            return &fabric->service_tags[i];
    return NULL;
}

static void tell_services(struct walk *walk, const struct fabric_subnet *subnet)
{
    for (uint32_t i = 0; i < subnet->service_endpoints.n; i++) {
        const struct fabric_service_tag *tag =
            find_tag(walk->fabric, subnet->service_endpoints.items[i]);
        for (uint32_t j = 0; tag && j < tag->prefixes.n; j++)
            tell(walk, &(struct fabric_system_route){.prefix = tag->prefixes.items[j],
                                                     .kind = FABRIC_SYSTEM_SERVICE,
                                                     .type = FABRIC_SERVICE_ENDPOINT,
                                                     .vnet = FABRIC_NONE,
                                                     .via = tag->name});
    }
}

static bool has_space(const struct fabric_vnet *vnet, uint8_t family)
{
    for (uint32_t i = 0; i < vnet->space.n; i++)
        if (vnet->space.items[i].family == family)
            return true;
    return false;
}

static void tell_internet(struct walk *walk)
{
    struct fabric_system_route route = {.kind = FABRIC_SYSTEM_INTERNET,
                                        .type = FABRIC_INTERNET,
                                        .vnet = FABRIC_NONE,
                                        .via = "internet"};
    route.prefix = fabric_default_prefix(LPM_IPV4);
    tell(walk, &route);
    if (!has_space(&walk->fabric->vnets[walk->vnet], LPM_IPV6))
        return;
    route.prefix = fabric_default_prefix(LPM_IPV6);
    tell(walk, &route);
}

/* Is some space that the VNet reaches equal to this reserved prefix, or around it? */
struct cover {
    const struct fabric *fabric;
    const struct lpm_prefix *reserved;
    bool found;
};

static void cover_by_space(struct cover *cover, uint32_t vnet)
{
    const struct fabric_prefixes *space = &cover->fabric->vnets[vnet].space;
    for (uint32_t i = 0; i < space->n; i++)
        if (lpm_prefix_covers(&space->items[i], cover->reserved))
            cover->found = true;
}

static void cover_by_peering(void *context, const struct fabric_peering *peering, unsigned side)
{
    if (fabric_peering_routes(peering))
        cover_by_space(context, peering->vnets[!side]);
}

static void tell_reserved(struct walk *walk)
{
    for (uint32_t i = 0; i < walk->fabric->reserved.n; i++) {
        const struct lpm_prefix *prefix = &walk->fabric->reserved.items[i];
        struct cover cover = {.fabric = walk->fabric, .reserved = prefix};
        cover_by_space(&cover, walk->vnet);
        fabric_each_peering(walk->fabric, walk->vnet, cover_by_peering, &cover);
        tell(walk, &(struct fabric_system_route){.prefix = *prefix,
                                                 .kind = FABRIC_SYSTEM_RESERVED,
                                                 .type = FABRIC_NULL,
                                                 .vnet = FABRIC_NONE,
                                                 .via = "reserved",
                                                 .rule = cover.found ? FABRIC_RULE_RESERVED_IN_USE
                                                                     : NULL});
    }
}

int fabric_each_system_route(const struct fabric *fabric, uint32_t vnet, uint32_t subnet,
                             int (*visit)(void *context, const struct fabric_system_route *route),
                             void *context)
{
    struct walk walk = {.fabric = fabric, .vnet = vnet, .visit = visit, .context = context};
    tell_local(&walk);
    fabric_each_peering(fabric, vnet, tell_peering, &walk);
    if (subnet != FABRIC_NONE)
        tell_services(&walk, &fabric->subnets[subnet]);
    tell_internet(&walk);
    tell_reserved(&walk);
    return walk.stopped;
}
