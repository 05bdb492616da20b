/*
 * What keeps a BGP route away from NICs: the filter of a VNet (equal to or inside address space)
 * and that of a subnet (by kind of source, community and prefix).
 */
#include "engine/fabric/effective.h"

struct search {
    const struct fabric *fabric;
    const struct lpm_prefix *prefix;
    bool found;
};

static void search_space(struct search *search, uint32_t vnet)
{
    const struct fabric_prefixes *space = &search->fabric->vnets[vnet].space;
    for (uint32_t i = 0; i < space->n; i++)
        if (lpm_prefix_covers(&space->items[i], search->prefix))
            search->found = true;
}

/* A peering whose routes do not appear filters nothing: where the fabric itself has no way to the
 * other VNet, what BGP says of it is all there is. */
static void search_peering(void *context, const struct fabric_peering *peering, unsigned side)
{
    if (fabric_peering_routes(peering))
        search_space(context, peering->vnets[!side]);
}

bool fabric_bgp_overrides(const struct fabric *fabric, uint32_t vnet,
                          const struct lpm_prefix *prefix)
{
    const struct fabric_prefixes *overrides = &fabric->vnets[vnet].bgp_overrides;
    for (uint32_t i = 0; i < overrides->n; i++)
        if (lpm_prefix_covers(&overrides->items[i], prefix))
            return true;
    return false;
}

bool fabric_import_suppressed(const struct fabric *fabric, uint32_t vnet,
                              const struct lpm_prefix *prefix)
{
    if (fabric_bgp_overrides(fabric, vnet, prefix))
        return false;
    struct search search = {.fabric = fabric, .prefix = prefix};
    search_space(&search, vnet);
    if (!search.found)
        fabric_each_peering(fabric, vnet, search_peering, &search);
    return search.found;
}

static bool source_rejected(const struct fabric_subnet *subnet, enum rib_source source)
{
    switch (source) {
    case RIB_SOURCE_NVA:
        return subnet->reject_nva;
    case RIB_SOURCE_EXPRESS_ROUTE:
        return subnet->reject_express_route;
    case RIB_SOURCE_VPN:
        return subnet->reject_vpn;
    case RIB_SOURCE_LOCAL:
        break;
    }
    return false;
}

static bool prefix_rejected(const struct fabric_subnet *subnet, const struct lpm_prefix *prefix)
{
    for (uint32_t i = 0; i < subnet->reject_prefixes.n; i++) {
        struct rib_prefix_range range;
        char error[RIB_PATTERN_ERROR];
        if (rib_prefix_range_parse(subnet->reject_prefixes.items[i], &range, error) == 0 &&
            lpm_prefix_covers(&range.prefix, prefix) && prefix->length >= range.least &&
            prefix->length <= range.most)
            return true;
    }
    return false;
}

bool fabric_import_rejected(const struct fabric *fabric, uint32_t subnet,
                            const struct lpm_prefix *prefix, const struct rib_path *path)
{
    const struct fabric_subnet *filter = &fabric->subnets[subnet];
    if (source_rejected(filter, path->source) || prefix_rejected(filter, prefix))
        return true;
    for (uint32_t i = 0; i < filter->reject_communities.n; i++) {
        struct bgp_community community;
        if (bgp_community_parse(filter->reject_communities.items[i], &community) == 0 &&
            bgp_attributes_has_community(path->attributes, &community))
            return true;
    }
    return false;
}
