/*
 * VNets and subnets: address spaces that do not overlap, subnets inside them, and the subnets with
 * a meaning of their own.
 */
#include "engine/fabric/validate.h"

#include <stdio.h>
#include <string.h>

/* IPv4: five addresses are reserved, so a /29 is the smallest with room; IPv6: four. */
#define LONGEST_SUBNET4 29u
#define LONGEST_SUBNET6 125u
#define WHAT_TEXT       256

/* --- Address space ---------------------------------------------------------------------------- */

/* A space that holds such a range is wrong as well: the part inside it would look like any other
 * and carry nothing. */
static void check_routable(struct fabric_loader *loader, const struct fabric_place *place,
                           const char *what, const struct lpm_prefix *prefix)
{
    const struct fabric_unroutable *range = fabric_unroutable_find(prefix);

    if (range)
        FABRIC_ERROR(loader, place, "%s: %s overlaps %s, which %s", what, FABRIC_PREFIX(prefix),
                     range->prefix, range->why);
}

struct overlap_context {
    struct fabric_loader *loader;
    const struct fabric_vnet *vnet;
};

static void tell_space_overlap(void *context, const struct fabric_claim *outer,
                               const struct fabric_claim *inner)
{
    const struct overlap_context *overlap = context;

    FABRIC_ERROR(overlap->loader,
                 fabric_place_of(overlap->loader, inner->slot, &overlap->vnet->place),
                 "vnets[%s].address_space: %s overlaps %s of the same VNet", overlap->vnet->name,
                 FABRIC_PREFIX(&inner->prefix), FABRIC_PREFIX(&outer->prefix));
}

static struct fabric_claim *claims_make(struct fabric_loader *loader, size_t n)
{
    struct fabric_claim *claims = fabric_arena_array(&loader->tree, n, sizeof(*claims));

    loader->out_of_memory |= claims == NULL;
    return claims;
}

/* Overlaps are found over all prefixes at once, in n log n. */
static void check_space(struct fabric_loader *loader, const struct fabric_vnet *vnet)
{
    struct overlap_context context = {.loader = loader, .vnet = vnet};
    struct fabric_claim *claims = claims_make(loader, vnet->space.n);
    char what[WHAT_TEXT];

    snprintf(what, sizeof(what), "vnets[%s].address_space", vnet->name);
    for (uint32_t i = 0; claims && i < vnet->space.n; i++) {
        const struct lpm_prefix *prefix = &vnet->space.items[i];

        check_routable(loader, fabric_place_of(loader, prefix, &vnet->place), what, prefix);
        claims[i] = (struct fabric_claim){.prefix = *prefix, .slot = prefix};
    }
    if (claims)
        fabric_each_overlap(claims, vnet->space.n, tell_space_overlap, &context);
}

/* --- Subnets ---------------------------------------------------------------------------------- */

/* All of it may be wrong at once, and all is said. */
static void check_subnet_prefix(struct fabric_loader *loader, const struct fabric_vnet *vnet,
                                const struct fabric_subnet *subnet, const struct lpm_prefix *prefix)
{
    const struct fabric_place *place = fabric_place_of(loader, prefix, &subnet->place);
    unsigned longest = prefix->family == LPM_IPV4 ? LONGEST_SUBNET4 : LONGEST_SUBNET6;
    char text[FABRIC_PREFIXES_TEXT], what[WHAT_TEXT];
    bool inside = false;

    snprintf(what, sizeof(what), "vnets[%s].subnets[%s].prefixes", vnet->name, subnet->name);
    for (uint32_t i = 0; i < vnet->space.n; i++)
        inside |= lpm_prefix_covers(&vnet->space.items[i], prefix);
    if (!inside)
        FABRIC_ERROR(loader, place, "%s: %s lies outside the VNet's address space (%s)", what,
                     FABRIC_PREFIX(prefix), fabric_prefixes_text(&vnet->space, text));
    if (prefix->length > longest)
        FABRIC_ERROR(loader, place,
                     "%s: %s has no room beside its reserved addresses; the smallest subnet is a "
                     "/%u",
                     what, FABRIC_PREFIX(prefix), longest);
    check_routable(loader, place, what, prefix);
}

static void tell_subnet_overlap(void *context, const struct fabric_claim *outer,
                                const struct fabric_claim *inner)
{
    const struct overlap_context *overlap = context;
    const struct fabric_subnet *subnets = overlap->loader->fabric->subnets;

    FABRIC_ERROR(overlap->loader,
                 fabric_place_of(overlap->loader, inner->slot, &subnets[inner->owner].place),
                 "vnets[%s].subnets[%s].prefixes: %s overlaps %s of subnet '%s'",
                 overlap->vnet->name, subnets[inner->owner].name, FABRIC_PREFIX(&inner->prefix),
                 FABRIC_PREFIX(&outer->prefix), subnets[outer->owner].name);
}

/* Over the subnets of one VNet together: two prefixes of one subnet must not overlap either. */
static void check_subnet_overlaps(struct fabric_loader *loader, const struct fabric_vnet *vnet)
{
    const struct fabric_subnet *subnets = loader->fabric->subnets + vnet->first_subnet;
    struct overlap_context context = {.loader = loader, .vnet = vnet};
    struct fabric_claim *claims;
    size_t n = 0;

    for (uint32_t i = 0; i < vnet->subnet_count; i++)
        n += subnets[i].prefixes.n;
    claims = claims_make(loader, n);
    n = 0;
    for (uint32_t i = 0; claims && i < vnet->subnet_count; i++)
        for (uint32_t j = 0; j < subnets[i].prefixes.n; j++)
            claims[n++] = (struct fabric_claim){.prefix = subnets[i].prefixes.items[j],
                                                .owner = vnet->first_subnet + i,
                                                .slot = &subnets[i].prefixes.items[j]};
    if (claims)
        fabric_each_overlap(claims, n, tell_subnet_overlap, &context);
}

/* Routes set by hand there would cut the route server or the gateway off. */
static void check_special_subnet(struct fabric_loader *loader, const struct fabric_vnet *vnet,
                                 const struct fabric_subnet *subnet)
{
    const struct fabric_place *place =
        fabric_place_of(loader, &subnet->route_table, &subnet->place);
    const struct fabric_route_table *table;
    char what[WHAT_TEXT];

    if (subnet->route_table == FABRIC_NONE)
        return;
    table = &loader->fabric->route_tables[subnet->route_table];
    snprintf(what, sizeof(what), "vnets[%s].subnets[%s].route_table", vnet->name, subnet->name);
    if (strcmp(subnet->name, FABRIC_ROUTE_SERVER_SUBNET) == 0)
        FABRIC_ERROR(loader, place, "%s: this subnet takes no route table", what);
    if (strcmp(subnet->name, FABRIC_GATEWAY_SUBNET) != 0)
        return;
    if (!table->bgp_propagation)
        FABRIC_ERROR(loader, place,
                     "%s: '%s' has bgp_propagation off, which this subnet does not allow", what,
                     table->name);
    for (uint32_t i = 0; i < table->route_count; i++)
        if (table->routes[i].prefix.length == 0)
            FABRIC_ERROR(loader, place, "%s: '%s' holds %s, which this subnet does not allow", what,
                         table->name, FABRIC_PREFIX(&table->routes[i].prefix));
}

static void check_subnet(struct fabric_loader *loader, const struct fabric_vnet *vnet,
                         const struct fabric_subnet *subnet)
{
    char what[WHAT_TEXT];

    for (uint32_t i = 0; i < subnet->prefixes.n; i++)
        check_subnet_prefix(loader, vnet, subnet, &subnet->prefixes.items[i]);
    check_special_subnet(loader, vnet, subnet);
    snprintf(what, sizeof(what), "vnets[%s].subnets[%s].gateway_mac", vnet->name, subnet->name);
    fabric_check_mac(loader, fabric_place_of(loader, subnet->gateway_mac, &subnet->place), what,
                     subnet->gateway_mac);
}

void fabric_validate_vnets(struct fabric_loader *loader)
{
    const struct fabric *fabric = loader->fabric;

    for (uint32_t i = 0; i < fabric->vnets_count; i++) {
        const struct fabric_vnet *vnet = &fabric->vnets[i];

        /* A peering names its sides by their VNets, beside its own keys. */
        if (strcmp(vnet->name, "vnets") == 0 || strcmp(vnet->name, "in_sync") == 0)
            FABRIC_ERROR(loader, fabric_place_of(loader, &vnet->name, &vnet->place),
                         "vnets[%s].name: '%s' is a key of peerings and cannot name a VNet",
                         vnet->name, vnet->name);
        check_space(loader, vnet);
        if (fabric->mode == FABRIC_AZURE && vnet->bgp_overrides.n > 0)
            FABRIC_ERROR(loader, fabric_place_of(loader, &vnet->bgp_overrides.items, &vnet->place),
                         "vnets[%s].bgp_overrides: BGP never overrides address space in azure mode",
                         vnet->name);
        for (uint32_t j = 0; j < vnet->subnet_count; j++)
            check_subnet(loader, vnet, &fabric->subnets[vnet->first_subnet + j]);
        check_subnet_overlaps(loader, vnet);
    }
}
