/*
 * Peerings: between two VNets, once, without overlapping address spaces, and gateways used by rule.
 */
#include "engine/fabric/validate.h"

#include <stdio.h>

#define PEERING_TEXT 200

/* "peerings[hub,spoke1]": what a warning is about. */
static char *peering_object(const struct fabric *fabric, const struct fabric_peering *peering,
                            char text[PEERING_TEXT])
{
    snprintf(text, PEERING_TEXT, "peerings[%s,%s]", fabric->vnets[peering->vnets[0]].name,
             fabric->vnets[peering->vnets[1]].name);
    return text;
}

/* "peerings[hub, spoke1]", for messages. */
static char *peering_text(const struct fabric *fabric, const struct fabric_peering *peering,
                          char text[PEERING_TEXT])
{
    snprintf(text, PEERING_TEXT, "peerings[%s, %s]", fabric->vnets[peering->vnets[0]].name,
             fabric->vnets[peering->vnets[1]].name);
    return text;
}

/* Peerings stand sorted by their VNets. */
static void check_pairs(struct fabric_loader *loader)
{
    const struct fabric *fabric = loader->fabric;
    char text[PEERING_TEXT], object[PEERING_TEXT];

    for (uint32_t i = 0; i < fabric->peerings_count; i++) {
        const struct fabric_peering *peering = &fabric->peerings[i];
        const struct fabric_peering *before = i > 0 ? peering - 1 : NULL;

        if (before && before->vnets[0] == peering->vnets[0] &&
            before->vnets[1] == peering->vnets[1])
            FABRIC_ERROR(loader, &peering->place,
                         "%s: these two are peered already (%s:%u); one entry makes both halves",
                         peering_text(fabric, peering, text), before->place.file,
                         before->place.line);
        if (!peering->in_sync)
            FABRIC_WARNING(loader, FABRIC_LINT_OUT_OF_SYNC, peering_object(fabric, peering, object),
                           "Sync the peering again, then say in_sync: true.", &peering->place,
                           "%s.in_sync: no route stands over this peering until it is synced again",
                           peering_text(fabric, peering, text));
    }
}

/* --- Remote gateways -------------------------------------------------------------------------- */

/* The name of a route server or gateway in vnet, or NULL. */
static const char *gateway_in(const struct fabric *fabric, uint32_t vnet)
{
    if (fabric->vnets[vnet].route_server != FABRIC_NONE)
        return fabric->route_servers[fabric->vnets[vnet].route_server].name;
    for (uint32_t i = 0; i < fabric->gateways_count; i++)
        if (fabric->gateways[i].vnet == vnet)
            return fabric->gateways[i].name;
    return NULL;
}

struct remote_use {
    struct fabric_loader *loader;
    const struct fabric_peering *first;
};

/* Refused is what has two meanings (whose routes?); what comes to nothing is legal, and half of
 * a change in progress. */
static void check_remote_use(void *context, const struct fabric_peering *peering, unsigned side)
{
    struct remote_use *use = context;
    const struct fabric *fabric = use->loader->fabric;
    const char *own = gateway_in(fabric, peering->vnets[side]);
    const char *vnet = fabric->vnets[peering->vnets[side]].name;
    const char *other = fabric->vnets[peering->vnets[1 - side]].name;
    char text[PEERING_TEXT], object[PEERING_TEXT];

    if (!peering->sides[side].use_remote_gateways)
        return;
    peering_text(fabric, peering, text);
    peering_object(fabric, peering, object);
    if (own)
        FABRIC_ERROR(
            use->loader, &peering->place,
            "%s.%s.use_remote_gateways: '%s' has '%s' of its own and cannot use another VNet's",
            text, vnet, vnet, own);
    if (use->first)
        FABRIC_ERROR(use->loader, &peering->place,
                     "%s.%s.use_remote_gateways: '%s' does so already (%s:%u); a VNet can use the "
                     "gateways of one other",
                     text, vnet, vnet, use->first->place.file, use->first->place.line);
    use->first = use->first ? use->first : peering;
    if (!peering->sides[1 - side].allow_gateway_transit)
        FABRIC_WARNING(use->loader, FABRIC_LINT_REMOTE_GATEWAYS, object,
                       "Set allow_gateway_transit: true on the other side, or take "
                       "use_remote_gateways out.",
                       &peering->place,
                       "%s.%s.use_remote_gateways: comes to nothing as '%s' does not set "
                       "allow_gateway_transit",
                       text, vnet, other);
    else if (!gateway_in(fabric, peering->vnets[1 - side]))
        FABRIC_WARNING(use->loader, FABRIC_LINT_REMOTE_GATEWAYS, object,
                       "Give the other VNet a route server or a gateway, or take "
                       "use_remote_gateways out.",
                       &peering->place,
                       "%s.%s.use_remote_gateways: '%s' has no route server and no gateway to use",
                       text, vnet, other);
}

/* --- Overlapping spaces ----------------------------------------------------------------------- */

/* The middle VNet and all that are peered with it: an address must mean one NIC to its NICs. */
struct space_search {
    struct fabric_loader *loader;
    uint32_t middle;
    struct fabric_claim *claims;
    size_t n;
};

/* Called twice: without claims it only counts. */
static void claim_space(struct space_search *search, uint32_t vnet)
{
    const struct fabric_prefixes *space = &search->loader->fabric->vnets[vnet].space;

    for (uint32_t i = 0; i < space->n; i++) {
        if (search->claims)
            search->claims[search->n] =
                (struct fabric_claim){.prefix = space->items[i], .owner = vnet};
        search->n++;
    }
}

static void claim_peer_space(void *context, const struct fabric_peering *peering, unsigned side)
{
    claim_space(context, peering->vnets[1 - side]);
}

static void tell_overlap(void *context, const struct fabric_claim *outer,
                         const struct fabric_claim *inner)
{
    const struct space_search *search = context;
    const struct fabric *fabric = search->loader->fabric;
    uint32_t middle = search->middle;
    bool direct = outer->owner == middle || inner->owner == middle;
    uint32_t other = inner->owner == middle ? outer->owner : inner->owner;
    const struct fabric_peering *peering;
    char text[PEERING_TEXT];
    unsigned side;

    /* Within one VNet it was told there; between the two of a peering both ends would tell it. */
    if (outer->owner == inner->owner || (direct && other < middle) ||
        !fabric_peering_between(fabric, middle, other, &peering, &side))
        return;
    FABRIC_ERROR(search->loader, &peering->place, "%s: %s of '%s' overlaps %s of '%s'%s%s%s",
                 peering_text(fabric, peering, text), FABRIC_PREFIX(&inner->prefix),
                 fabric->vnets[inner->owner].name, FABRIC_PREFIX(&outer->prefix),
                 fabric->vnets[outer->owner].name, direct ? "" : ", and both are peered with '",
                 direct ? "" : fabric->vnets[middle].name, direct ? "" : "'");
}

/* Everything that a NIC of this VNet can address directly. */
static void check_spaces(struct fabric_loader *loader, uint32_t vnet)
{
    struct space_search search = {.loader = loader, .middle = vnet};

    claim_space(&search, vnet);
    fabric_each_peering(loader->fabric, vnet, claim_peer_space, &search);
    search.claims = fabric_arena_array(&loader->tree, search.n, sizeof(*search.claims));
    if (!search.claims) {
        loader->out_of_memory = true;
        return;
    }
    search.n = 0;
    claim_space(&search, vnet);
    fabric_each_peering(loader->fabric, vnet, claim_peer_space, &search);
    fabric_each_overlap(search.claims, search.n, tell_overlap, &search);
}

/* Each VNet is looked at as the middle of its star. */
void fabric_validate_peerings(struct fabric_loader *loader)
{
    size_t errors = loader->problems->errors;

    check_pairs(loader);
    /* VNets peered twice would be seen to overlap. */
    if (loader->problems->errors > errors)
        return;
    for (uint32_t i = 0; i < loader->fabric->vnets_count; i++) {
        struct remote_use use = {.loader = loader};

        fabric_each_peering(loader->fabric, i, check_remote_use, &use);
        check_spaces(loader, i);
    }
}
