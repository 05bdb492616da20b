/*
 * What follows from the file without being written in it: owners, indices, defaults that depend on
 * other values.
 */
#include "engine/fabric/gateway.h"
#include "engine/fabric/loader.h"

#include <stdlib.h>
#include <string.h>

#define AZURE_PEER_LIMIT    8u
#define AZURE_PEER_PREFIXES 4000u
#define AZURE_PREFIX_LIMIT  10000u

/* --- Peerings --------------------------------------------------------------------------------- */

/* By VNets, then by line, so that of two entries for one pair the later one is the one told as
 * the duplicate. */
static int peering_compare(const void *a, const void *b)
{
    const struct fabric_peering *left = a, *right = b;

    for (unsigned side = 0; side < 2; side++)
        if (left->vnets[side] != right->vnets[side])
            return left->vnets[side] < right->vnets[side] ? -1 : 1;
    return (int)left->place.line - (int)right->place.line;
}

/* The VNet that stands first in the order of names becomes side 0, so [a, b] and [b, a] are one
 * thing. */
static void complete_peerings(struct fabric *fabric)
{
    for (uint32_t i = 0; i < fabric->peerings_count; i++) {
        struct fabric_peering *peering = &fabric->peerings[i];

        if (peering->vnets[0] > peering->vnets[1]) {
            struct fabric_peering swapped = *peering;

            for (unsigned side = 0; side < 2; side++) {
                peering->vnets[side] = swapped.vnets[1 - side];
                peering->sides[side] = swapped.sides[1 - side];
            }
        }
        peering->global = strcmp(fabric->vnets[peering->vnets[0]].region,
                                 fabric->vnets[peering->vnets[1]].region) != 0;
    }
    if (fabric->peerings_count > 0)
        qsort(fabric->peerings, fabric->peerings_count, sizeof(*fabric->peerings), peering_compare);
}

/* --- Indices ---------------------------------------------------------------------------------- */

static int link_compare(const void *a, const void *b)
{
    const struct fabric_link *left = a, *right = b;

    if (left->vnet != right->vnet)
        return left->vnet < right->vnet ? -1 : 1;
    if (left->other != right->other)
        return left->other < right->other ? -1 : 1;
    return left->peering < right->peering ? -1 : left->peering > right->peering;
}

/* Every peering twice, once from each side, so that all peerings of a VNet stand together and
 * "between these two" is one search (model.c). */
static bool index_links(struct fabric_loader *loader)
{
    struct fabric *fabric = loader->fabric;
    struct fabric_link *links =
        fabric_loader_array(loader, (size_t)fabric->peerings_count * 2, sizeof(*links));
    uint32_t n = 0;

    if (!links)
        return false;
    for (uint32_t i = 0; i < fabric->peerings_count; i++)
        for (unsigned side = 0; side < 2; side++)
            links[n++] = (struct fabric_link){.vnet = fabric->peerings[i].vnets[side],
                                              .other = fabric->peerings[i].vnets[1 - side],
                                              .peering = i,
                                              .side = side};
    if (n > 0)
        qsort(links, n, sizeof(*links), link_compare);
    fabric->links = links;
    fabric->link_count = n;
    return true;
}

static int owner_compare(const void *a, const void *b)
{
    const struct fabric_owner *left = a, *right = b;
    int order = fabric_owner_compare(left, right->vnet, &right->address);

    return order ? order : left->nic < right->nic ? -1 : left->nic > right->nic;
}

/* Every address of every NIC, so that "who has this address" is one search. Duplicates stay in,
 * side by side: the checks find them there. */
static bool index_owners(struct fabric_loader *loader)
{
    struct fabric *fabric = loader->fabric;
    struct fabric_owner *owners;
    size_t total = 0;
    uint32_t n = 0;

    for (uint32_t i = 0; i < fabric->nics_count; i++)
        total += fabric->nics[i].addresses.n;
    owners = fabric_loader_array(loader, total, sizeof(*owners));
    if (!owners)
        return false;
    for (uint32_t i = 0; i < fabric->nics_count; i++)
        for (uint32_t j = 0; j < fabric->nics[i].addresses.n; j++)
            owners[n++] = (struct fabric_owner){.vnet = fabric->nics[i].vnet,
                                                .nic = i,
                                                .address = fabric->nics[i].addresses.items[j]};
    if (n > 0)
        qsort(owners, n, sizeof(*owners), owner_compare);
    fabric->owners = owners;
    fabric->owner_count = n;
    return true;
}

/* --- MAC addresses ---------------------------------------------------------------------------- */

/* FNV-1a over the name and the number of the attempt. */
static uint64_t name_hash(const char *name, unsigned attempt)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);

    for (const char *c = name; *c; c++)
        hash = (hash ^ (uint8_t)*c) * UINT64_C(0x100000001b3);
    return (hash ^ attempt) * UINT64_C(0x100000001b3);
}

struct mac_set {
    uint64_t *macs; /* open addressing; a MAC plus one, 0: free */
    size_t mask;
};

/* False: somebody has it already. */
static bool mac_add(struct mac_set *set, const uint8_t mac[6])
{
    uint64_t value = 0;
    size_t i;

    for (unsigned byte = 0; byte < 6; byte++)
        value = value << 8 | mac[byte];
    value++;
    for (i = (size_t)(value * UINT64_C(0x9e3779b97f4a7c15) >> 24) & set->mask; set->macs[i];
         i = (i + 1) & set->mask)
        if (set->macs[i] == value)
            return false;
    set->macs[i] = value;
    return true;
}

/* NICs without a MAC in the file get a locally administered one made from their name: the same
 * in every run and whatever else is in the file, but for the rare clash, where the later name
 * tries again. */
static bool complete_macs(struct fabric_loader *loader)
{
    struct fabric *fabric = loader->fabric;
    struct mac_set set = {.mask = 63};

    while (set.mask < (size_t)fabric->nics_count * 2)
        set.mask = set.mask * 2 + 1;
    set.macs = fabric_arena_array(&loader->tree, set.mask + 1, sizeof(*set.macs));
    if (!set.macs) {
        loader->out_of_memory = true;
        return false;
    }
    for (uint32_t i = 0; i < fabric->nics_count; i++)
        if (fabric_noted(loader, fabric->nics[i].mac))
            mac_add(&set, fabric->nics[i].mac);
    for (uint32_t i = 0; i < fabric->nics_count; i++) {
        struct fabric_nic *nic = &fabric->nics[i];
        unsigned attempt = 0;

        if (fabric_noted(loader, nic->mac))
            continue;
        do {
            uint64_t hash = name_hash(nic->name, attempt++);

            nic->mac[0] = 0x02;
            for (unsigned byte = 1; byte < 6; byte++)
                nic->mac[byte] = (uint8_t)(hash >> (8 * byte));
        } while (!mac_add(&set, nic->mac));
    }
    return true;
}

/* --- Owners and defaults ---------------------------------------------------------------------- */

#define PROBE_TIMEOUT_MS 1000u

static void complete_load_balancer(const struct fabric *fabric,
                                   struct fabric_load_balancer *balancer)
{
    unsigned half_ms = balancer->probe_interval_s * 1000u / 2;

    balancer->vnet = fabric->subnets[balancer->subnet].vnet;
    if (balancer->probe_timeout_ms == 0)
        balancer->probe_timeout_ms = half_ms < PROBE_TIMEOUT_MS ? half_ms : PROBE_TIMEOUT_MS;
}

/* A NIC's VNet and router are nowhere written: they follow from its subnet, and from the
 * routers' own lists. */
static void complete_nics(struct fabric *fabric)
{
    for (uint32_t i = 0; i < fabric->nics_count; i++) {
        fabric->nics[i].vnet = fabric->subnets[fabric->nics[i].subnet].vnet;
        fabric->nics[i].router = FABRIC_NONE;
    }
    for (uint32_t i = 0; i < fabric->load_balancers_count; i++)
        complete_load_balancer(fabric, &fabric->load_balancers[i]);
    for (uint32_t i = 0; i < fabric->routers_count; i++)
        fabric->routers[i].number = i;
    /* A NIC that two routers claim is an error that the checks tell; here the first one has it. */
    for (uint32_t i = 0; i < fabric->routers_count; i++)
        for (uint32_t j = 0; j < fabric->routers[i].nic_count; j++)
            if (fabric->nics[fabric->routers[i].nics[j]].router == FABRIC_NONE)
                fabric->nics[fabric->routers[i].nics[j]].router = i;
}

/* Which NIC and modelled router stand behind the address, and the defaults that hang on other
 * values. What the file gives is never touched: a note says that it does. */
static void complete_peer(struct fabric_loader *loader, const struct fabric_route_server *server,
                          struct fabric_bgp_peer *peer)
{
    const struct fabric *fabric = loader->fabric;

    peer->nic = fabric_resolve_address(fabric, server->vnet, &peer->address);
    peer->router = peer->nic == FABRIC_NONE ? FABRIC_NONE : fabric->nics[peer->nic].router;
    if (!fabric_noted(loader, &peer->keepalive_s) && peer->keepalive_s > peer->hold_time_s / 3)
        peer->keepalive_s = peer->hold_time_s / 3;
    if (!fabric_noted(loader, &peer->graceful_restart.enabled) && fabric->mode == FABRIC_AZURE)
        peer->graceful_restart.enabled = false;
    if (!fabric_noted(loader, &peer->max_prefixes.count_azure))
        peer->max_prefixes.count_azure = fabric->quirks.count_mode;
    if (!fabric_noted(loader, &peer->max_prefixes.limit) && fabric->mode == FABRIC_AZURE)
        peer->max_prefixes.limit = AZURE_PEER_PREFIXES;
}

/* From the last to the first, so that of two in one VNet (an error that the checks tell) the
 * first one counts. */
static void complete_route_servers(struct fabric_loader *loader)
{
    struct fabric *fabric = loader->fabric;

    for (uint32_t i = 0; i < fabric->vnets_count; i++)
        fabric->vnets[i].route_server = FABRIC_NONE;
    for (uint32_t i = fabric->route_servers_count; i-- > 0;) {
        struct fabric_route_server *server = &fabric->route_servers[i];

        fabric->vnets[server->vnet].route_server = i;
        if (!fabric_noted(loader, &server->peer_limit) && fabric->quirks.peer_limit)
            server->peer_limit = AZURE_PEER_LIMIT;
        if (!fabric_noted(loader, &server->prefix_limit) && fabric->mode == FABRIC_AZURE)
            server->prefix_limit = AZURE_PREFIX_LIMIT;
        for (uint32_t j = 0; j < server->peer_count; j++)
            complete_peer(loader, server, &server->peers[j]);
    }
}

/* A circuit has a limit of its provider's, by which the original does not abide. */
static void complete_gateways(struct fabric_loader *loader)
{
    for (uint32_t i = 0; i < loader->fabric->gateways_count; i++) {
        struct fabric_gateway *gateway = &loader->fabric->gateways[i];

        if (!gateway->vpn && !fabric_noted(loader, &gateway->max_advertised.limit))
            gateway->max_advertised.limit = FABRIC_EXPRESS_ROUTE_PREFIXES;
        if (!fabric_noted(loader, &gateway->max_advertised.send))
            gateway->max_advertised.send = loader->fabric->mode == FABRIC_AZURE;
    }
}

/* NICs know their VNet before addresses are indexed; peers are resolved by both indices. */
void fabric_complete(struct fabric_loader *loader)
{
    for (uint32_t i = 0; i < loader->fabric->routers_count; i++)
        fabric_blocks_add(loader, loader->fabric->routers[i].blocks,
                          loader->fabric->routers[i].block_count,
                          &loader->fabric->routers[i].originate);
    complete_gateways(loader);
    complete_nics(loader->fabric);
    complete_peerings(loader->fabric);
    if (index_links(loader) && index_owners(loader) && complete_macs(loader))
        complete_route_servers(loader);
}

/* --- The last step ---------------------------------------------------------------------------- */

static int prefix_compare(const void *a, const void *b)
{
    return lpm_prefix_compare(a, b);
}

static void sort_prefixes(struct fabric_prefixes *prefixes)
{
    if (prefixes->n > 0)
        qsort(prefixes->items, prefixes->n, sizeof(*prefixes->items), prefix_compare);
}

static int index_compare(const void *a, const void *b)
{
    const uint32_t *left = a, *right = b;

    return *left < *right ? -1 : *left > *right;
}

/* The documented four and the file's own, each once. */
static bool settle_reserved(struct fabric_loader *loader)
{
    static const char *const documented[] = {"10.0.0.0/8", "100.64.0.0/10", "172.16.0.0/12",
                                             "192.168.0.0/16"};
    const unsigned four = sizeof(documented) / sizeof(*documented);
    struct fabric_prefixes *reserved = &loader->fabric->reserved;
    struct lpm_prefix *items = fabric_loader_array(loader, reserved->n + four, sizeof(*items));
    uint32_t n = 0;

    if (!items)
        return false;
    for (unsigned i = 0; i < four; i++)
        lpm_prefix_parse(documented[i], &items[i]);
    for (uint32_t i = 0; i < reserved->n; i++)
        items[four + i] = reserved->items[i];
    qsort(items, reserved->n + four, sizeof(*items), prefix_compare);
    for (uint32_t i = 0; i < reserved->n + four; i++)
        if (i == 0 || !lpm_prefix_equal(&items[i], &items[n - 1]))
            items[n++] = items[i];
    *reserved = (struct fabric_prefixes){.items = items, .n = n};
    return true;
}

/* Sets go into an order of their own only now: the notes of their lines are by place in the
 * array. */
void fabric_settle(struct fabric_loader *loader)
{
    struct fabric *fabric = loader->fabric;

    for (uint32_t i = 0; i < fabric->vnets_count; i++)
        sort_prefixes(&fabric->vnets[i].space);
    for (uint32_t i = 0; i < fabric->subnets_count; i++)
        sort_prefixes(&fabric->subnets[i].prefixes);
    for (uint32_t i = 0; i < fabric->service_tags_count; i++)
        sort_prefixes(&fabric->service_tags[i].prefixes);
    for (uint32_t i = 0; i < fabric->routers_count; i++)
        sort_prefixes(&fabric->routers[i].originate);
    for (uint32_t i = 0; i < fabric->load_balancers_count; i++)
        qsort(fabric->load_balancers[i].backends, fabric->load_balancers[i].backend_count,
              sizeof(*fabric->load_balancers[i].backends), index_compare);
    settle_reserved(loader);
    fabric_bring_along(loader);
    if (fabric->brought_nic_count > 0 && index_owners(loader))
        complete_macs(loader);
}
