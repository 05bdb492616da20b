/* See oracle.h. Candidates are listed class by class, then rules strike some of them out. */
#include "tests/fabric/oracle.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CANDIDATES 256

struct oracle {
    const struct world *world;
    const struct fabric *fabric;
    const struct fabric_nic *nic;
    uint32_t vnet;
    struct fabric_row *rows;
    size_t n;
};

static struct fabric_row *add(struct oracle *oracle, enum fabric_source source,
                              const struct lpm_prefix *prefix, enum fabric_next_hop_type type,
                              uint32_t vnet)
{
    assert(oracle->n < CANDIDATES);
    oracle->rows[oracle->n] =
        (struct fabric_row){.prefix = *prefix, .source = source, .type = type, .vnet = vnet};
    return &oracle->rows[oracle->n++];
}

static const struct fabric_row *get(const struct oracle *oracle, enum fabric_source source,
                                    const struct lpm_prefix *prefix)
{
    for (size_t i = 0; i < oracle->n; i++)
        if (oracle->rows[i].source == source && lpm_prefix_equal(&oracle->rows[i].prefix, prefix))
            return &oracle->rows[i];
    return NULL;
}

static void strike(struct oracle *oracle, size_t i)
{
    memmove(&oracle->rows[i], &oracle->rows[i + 1], (--oracle->n - i) * sizeof(*oracle->rows));
}

/* --- Who is peered, whose route server -------------------------------------------------------- */

/* The VNet at the other end of a peering of `vnet` that has routes, or FABRIC_NONE. */
static uint32_t far_end(const struct fabric_peering *peering, uint32_t vnet)
{
    if (!peering->in_sync || !peering->sides[0].allow_virtual_network_access ||
        !peering->sides[1].allow_virtual_network_access)
        return FABRIC_NONE;
    if (peering->vnets[0] == vnet)
        return peering->vnets[1];
    return peering->vnets[1] == vnet ? peering->vnets[0] : FABRIC_NONE;
}

static uint32_t server_of(const struct oracle *oracle)
{
    const struct fabric *fabric = oracle->fabric;
    for (uint32_t i = 0; i < fabric->route_servers_count; i++)
        if (fabric->route_servers[i].vnet == oracle->vnet)
            return i;
    for (uint32_t i = 0; i < fabric->peerings_count; i++) {
        const struct fabric_peering *peering = &fabric->peerings[i];
        uint32_t hub = far_end(peering, oracle->vnet);
        unsigned mine = peering->vnets[1] == oracle->vnet;
        if (hub == FABRIC_NONE || !peering->sides[mine].use_remote_gateways ||
            !peering->sides[1 - mine].allow_gateway_transit)
            continue;
        for (uint32_t j = 0; j < fabric->route_servers_count; j++)
            if (fabric->route_servers[j].vnet == hub)
                return j;
    }
    return FABRIC_NONE;
}

/* --- System ----------------------------------------------------------------------------------- */

static void add_spaces(struct oracle *oracle)
{
    const struct fabric *fabric = oracle->fabric;
    const struct fabric_prefixes *own = &fabric->vnets[oracle->vnet].space;
    for (uint32_t i = 0; i < own->n; i++)
        add(oracle, FABRIC_SOURCE_DEFAULT, &own->items[i], FABRIC_VNET_LOCAL, oracle->vnet);
    for (uint32_t i = 0; i < fabric->peerings_count; i++) {
        uint32_t other = far_end(&fabric->peerings[i], oracle->vnet);
        for (uint32_t j = 0; other != FABRIC_NONE && j < fabric->vnets[other].space.n; j++)
            add(oracle, FABRIC_SOURCE_DEFAULT, &fabric->vnets[other].space.items[j],
                fabric->peerings[i].global ? FABRIC_VNET_GLOBAL_PEERING : FABRIC_VNET_PEERING,
                other);
    }
}

static void add_services(struct oracle *oracle)
{
    const struct fabric_subnet *subnet = &oracle->fabric->subnets[oracle->nic->subnet];
    for (uint32_t i = 0; i < oracle->fabric->service_tags_count; i++) {
        const struct fabric_service_tag *tag = &oracle->fabric->service_tags[i];
        for (uint32_t j = 0; j < subnet->service_endpoints.n; j++)
            for (uint32_t k = 0;
                 strcmp(tag->name, subnet->service_endpoints.items[j]) == 0 && k < tag->prefixes.n;
                 k++)
                if (!get(oracle, FABRIC_SOURCE_DEFAULT, &tag->prefixes.items[k]))
                    add(oracle, FABRIC_SOURCE_DEFAULT, &tag->prefixes.items[k],
                        FABRIC_SERVICE_ENDPOINT, FABRIC_NONE);
    }
}

static void add_internet(struct oracle *oracle)
{
    struct lpm_prefix any = {.family = LPM_IPV4};
    bool has_ipv6 = false;
    const struct fabric_prefixes *own = &oracle->fabric->vnets[oracle->vnet].space;
    add(oracle, FABRIC_SOURCE_DEFAULT, &any, FABRIC_INTERNET, FABRIC_NONE);
    for (uint32_t i = 0; i < own->n; i++)
        has_ipv6 |= own->items[i].family == LPM_IPV6;
    any.family = LPM_IPV6;
    if (has_ipv6)
        add(oracle, FABRIC_SOURCE_DEFAULT, &any, FABRIC_INTERNET, FABRIC_NONE);
}

/* Called when all else is known: the reserved rows hang on everything. */
static void add_reserved(struct oracle *oracle)
{
    size_t others = oracle->n;
    for (uint32_t i = 0; i < oracle->fabric->reserved.n; i++) {
        const struct lpm_prefix *prefix = &oracle->fabric->reserved.items[i];
        struct lpm_prefix any = {.family = prefix->family};
        bool gives_way = get(oracle, FABRIC_SOURCE_USER, &any) ||
                         get(oracle, FABRIC_SOURCE_BGP, &any) ||
                         get(oracle, FABRIC_SOURCE_DEFAULT, prefix);
        for (size_t j = 0; j < others; j++) {
            enum fabric_next_hop_type type = oracle->rows[j].type;
            bool space = oracle->rows[j].source == FABRIC_SOURCE_DEFAULT &&
                         (type == FABRIC_VNET_LOCAL || type == FABRIC_VNET_PEERING ||
                          type == FABRIC_VNET_GLOBAL_PEERING);
            gives_way |= space && lpm_prefix_covers(&oracle->rows[j].prefix, prefix);
        }
        if (!gives_way)
            add(oracle, FABRIC_SOURCE_DEFAULT, prefix, FABRIC_NULL, FABRIC_NONE);
    }
}

/* --- User ------------------------------------------------------------------------------------- */

static void add_user(struct oracle *oracle)
{
    const struct fabric_subnet *subnet = &oracle->fabric->subnets[oracle->nic->subnet];
    if (subnet->route_table == FABRIC_NONE)
        return;
    const struct fabric_route_table *table = &oracle->fabric->route_tables[subnet->route_table];
    for (uint32_t i = 0; i < table->route_count; i++) {
        const struct fabric_udr *route = &table->routes[i];
        struct fabric_row *row = add(oracle, FABRIC_SOURCE_USER, &route->prefix, route->type,
                                     route->type == FABRIC_VNET_LOCAL ? oracle->vnet : FABRIC_NONE);
        if (route->type == FABRIC_VIRTUAL_APPLIANCE)
            row->next_hops[row->next_hop_count++] = route->next_hop;
    }
}

/* --- BGP -------------------------------------------------------------------------------------- */

static bool refused(const struct fabric_subnet *subnet, const struct lpm_prefix *prefix,
                    const struct rib_path *path)
{
    /* Worlds know no "ge" and "le". */
    for (uint32_t i = 0; i < subnet->reject_prefixes.n; i++) {
        struct lpm_prefix rejected = world_prefix(subnet->reject_prefixes.items[i]);
        if (lpm_prefix_equal(&rejected, prefix))
            return true;
    }
    if ((path->source == RIB_SOURCE_NVA && subnet->reject_nva) ||
        (path->source == RIB_SOURCE_VPN && subnet->reject_vpn) ||
        (path->source == RIB_SOURCE_EXPRESS_ROUTE && subnet->reject_express_route))
        return true;
    for (uint32_t i = 0; i < subnet->reject_communities.n; i++) {
        unsigned high = 0, low = 0;
        sscanf(subnet->reject_communities.items[i], "%u:%u", &high, &low);
        if (bgp_attributes_has_standard(path->attributes, high << 16 | low))
            return true;
    }
    return false;
}

/* Rule 3 of 2.1: own space, peered space, service endpoints. */
static bool protected_prefix(const struct oracle *oracle, const struct lpm_prefix *prefix)
{
    const struct fabric_prefixes *overrides = &oracle->fabric->vnets[oracle->vnet].bgp_overrides;
    bool overrides_space = false;
    for (uint32_t i = 0; i < overrides->n; i++)
        overrides_space |= lpm_prefix_covers(&overrides->items[i], prefix);
    for (size_t i = 0; i < oracle->n; i++)
        if (oracle->rows[i].source == FABRIC_SOURCE_DEFAULT &&
            oracle->rows[i].type != FABRIC_INTERNET &&
            (!overrides_space || oracle->rows[i].type == FABRIC_SERVICE_ENDPOINT) &&
            lpm_prefix_covers(&oracle->rows[i].prefix, prefix))
            return true;
    return false;
}

static bool is_own(const struct oracle *oracle, const struct lpm_address *neighbor)
{
    for (uint32_t i = 0; i < oracle->fabric->nics_count; i++) {
        const struct fabric_nic *nic = &oracle->fabric->nics[i];
        bool same_box = nic == oracle->nic ||
                        (oracle->nic->router != FABRIC_NONE && nic->router == oracle->nic->router);
        for (uint32_t j = 0; same_box && j < nic->addresses.n; j++)
            if (lpm_address_equal(&nic->addresses.items[j], neighbor))
                return true;
    }
    return false;
}

static bool self_announced(const struct oracle *oracle, uint32_t server,
                           const struct lpm_prefix *prefix)
{
    for (size_t i = 0; i < oracle->world->path_count; i++) {
        const struct world_path *path = &oracle->world->paths[i];
        if (path->route_server == server && lpm_prefix_equal(&path->prefix, prefix) &&
            is_own(oracle, &path->neighbor))
            return !oracle->fabric->quirks.own_route_to_originator;
    }
    return false;
}

/* What the box announces itself it must not get from another appliance, nor from itself; from a gateway it may. */
static bool comes_round(const struct oracle *oracle, uint32_t server,
                        const struct lpm_prefix *prefix)
{
    const struct fabric_bgp *bgp = &oracle->world->bgp;
    struct rib_choice choice;
    bool found = false;
    if (!self_announced(oracle, server, prefix) ||
        !bgp->choice(bgp->context, server, prefix, &choice))
        return false;
    for (unsigned i = 0; i < choice.n; i++)
        found |=
            choice.paths[i].source == RIB_SOURCE_NVA || is_own(oracle, &choice.paths[i].next_hop);
    return found;
}

static int compare_addresses(const void *a, const void *b)
{
    return lpm_address_compare(a, b);
}

/* The row of one prefix: the route server's ECMP set, which is given, without what is refused. */
static void add_bgp_row(struct oracle *oracle, uint32_t server, const struct lpm_prefix *prefix)
{
    const struct fabric_subnet *subnet = &oracle->fabric->subnets[oracle->nic->subnet];
    const struct fabric_bgp *bgp = &oracle->world->bgp;
    struct fabric_row *row = NULL;
    struct rib_choice choice;
    if (!bgp->choice(bgp->context, server, prefix, &choice))
        return;
    for (unsigned i = 0; i < choice.n; i++) {
        if (choice.paths[i].source == RIB_SOURCE_LOCAL || refused(subnet, prefix, &choice.paths[i]))
            continue;
        if (!row)
            row =
                add(oracle, FABRIC_SOURCE_BGP, prefix, FABRIC_VIRTUAL_NETWORK_GATEWAY, FABRIC_NONE);
        row->next_hops[row->next_hop_count++] = choice.paths[i].next_hop;
    }
    if (row)
        qsort(row->next_hops, row->next_hop_count, sizeof(row->next_hops[0]), compare_addresses);
}

static void add_bgp(struct oracle *oracle)
{
    const struct fabric_subnet *subnet = &oracle->fabric->subnets[oracle->nic->subnet];
    uint32_t server = server_of(oracle);
    if (server == FABRIC_NONE ||
        (subnet->route_table != FABRIC_NONE &&
         !oracle->fabric->route_tables[subnet->route_table].bgp_propagation))
        return;
    for (size_t i = 0; i < oracle->world->path_count; i++) {
        const struct world_path *path = &oracle->world->paths[i];
        if (path->route_server != server ||
            (path->prefix.family == LPM_IPV6 && oracle->fabric->quirks.no_ipv6) ||
            get(oracle, FABRIC_SOURCE_BGP, &path->prefix) ||
            protected_prefix(oracle, &path->prefix) || comes_round(oracle, server, &path->prefix))
            continue;
        add_bgp_row(oracle, server, &path->prefix);
    }
}

/* --- All -------------------------------------------------------------------------------------- */

static int rank(enum fabric_source source)
{
    return source == FABRIC_SOURCE_USER ? 0 : source == FABRIC_SOURCE_BGP ? 1 : 2;
}

static int compare_rows(const void *a, const void *b)
{
    const struct fabric_row *left = a, *right = b;
    int order = lpm_prefix_compare(&left->prefix, &right->prefix);
    return order ? order : rank(left->source) - rank(right->source);
}

/* Own space before peered space, and both before the Internet, at one prefix. */
static void strike_weaker_system_rows(struct oracle *oracle)
{
    for (size_t i = 0; i < oracle->n; i++) {
        const struct fabric_row *row = &oracle->rows[i];
        if (row->source == FABRIC_SOURCE_DEFAULT &&
            get(oracle, FABRIC_SOURCE_DEFAULT, &row->prefix) != row)
            strike(oracle, i--);
    }
}

struct fabric_row *oracle_rows(const struct world *world, uint32_t nic, size_t *n)
{
    struct oracle oracle = {
        .world = world,
        .fabric = &world->fabric,
        .nic = &world->fabric.nics[nic],
        .vnet = world->fabric.nics[nic].vnet,
        .rows = calloc(CANDIDATES, sizeof(struct fabric_row)),
    };
    assert(oracle.rows);
    add_spaces(&oracle);
    add_services(&oracle);
    add_internet(&oracle);
    strike_weaker_system_rows(&oracle);
    add_bgp(&oracle);
    add_user(&oracle);
    add_reserved(&oracle);
    qsort(oracle.rows, oracle.n, sizeof(*oracle.rows), compare_rows);
    for (size_t i = 0; i < oracle.n; i++)
        oracle.rows[i].active =
            i == 0 || !lpm_prefix_equal(&oracle.rows[i].prefix, &oracle.rows[i - 1].prefix);
    *n = oracle.n;
    return oracle.rows;
}

const struct fabric_row *oracle_lookup(const struct fabric_row *rows, size_t n,
                                       const struct lpm_address *address)
{
    const struct fabric_row *best = NULL;
    for (size_t i = 0; i < n; i++)
        if (rows[i].active && lpm_prefix_contains(&rows[i].prefix, address) &&
            (!best || rows[i].prefix.length > best->prefix.length))
            best = &rows[i];
    return best;
}
