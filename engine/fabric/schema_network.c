/*
 * Tables of keys: VNets, subnets, peerings, route tables, service tags.
 */
#include "engine/fabric/schema.h"

/* --- VNets and subnets ------------------------------------------------------------------------ */

/* A list of words that become three switches. */
static bool read_reject_sources(struct fabric_loader *loader, const struct fabric_key *key,
                                const struct fabric_node *node, void *object,
                                const struct fabric_path *path)
{
    static const struct fabric_word sources[] = {
        {"ExpressRoute", 0}, {"Vpn", 1}, {"NVA", 2}, {NULL, 0}};
    static const struct fabric_key source_key = {
        .type = FABRIC_TYPE_WORD, .size = sizeof(uint32_t), .words = sources};
    struct fabric_subnet *subnet = object;
    bool *const flags[] = {&subnet->reject_express_route, &subnet->reject_vpn, &subnet->reject_nva};
    bool good = true;

    (void)key;
    if (node->kind != FABRIC_NODE_SEQUENCE)
        return fabric_expected(loader, node, path, "a list");
    for (uint32_t i = 0; i < node->n; i++) {
        uint32_t source;

        if (fabric_read_scalar(loader, &source_key, node->items[i], &source, path))
            *flags[source] = true;
        else
            good = false;
    }
    return good;
}

static const struct fabric_key import_keys[] = {
    {.name = "reject_sources",
     .type = FABRIC_TYPE_HANDLED,
     .handler = read_reject_sources,
     .shape = "list of: ExpressRoute, Vpn, NVA",
     .otherwise = "none"},
    {.name = "reject_communities",
     .type = FABRIC_TYPE_COMMUNITY,
     FABRIC_ITEMS(fabric_subnet, reject_communities.items, reject_communities.n),
     .otherwise = "none"},
    {.name = "reject_prefixes",
     .type = FABRIC_TYPE_PREFIX_RANGE,
     FABRIC_ITEMS(fabric_subnet, reject_prefixes.items, reject_prefixes.n),
     .otherwise = "none"},
};
static const struct fabric_schema import_schema = {
    .title = "vnets.subnets.import", .word = "import filter", FABRIC_KEYS(import_keys)};

static const struct fabric_key subnet_keys[] = {
    {.name = "name", .type = FABRIC_TYPE_NAME, .required = true, FABRIC_FIELD(fabric_subnet, name)},
    {.name = "prefixes",
     .type = FABRIC_TYPE_PREFIX,
     .required = true,
     FABRIC_ITEMS(fabric_subnet, prefixes.items, prefixes.n)},
    {.name = "route_table",
     .type = FABRIC_TYPE_REFERENCE,
     .section = FABRIC_ROUTE_TABLES,
     FABRIC_FIELD(fabric_subnet, route_table),
     .otherwise = "none"},
    {.name = "gateway_mac",
     .type = FABRIC_TYPE_MAC,
     FABRIC_FIELD(fabric_subnet, gateway_mac),
     .fallback = "12:34:56:78:9a:bc"},
    {.name = "service_endpoints",
     .type = FABRIC_TYPE_NAMED,
     .section = FABRIC_SERVICE_TAGS,
     FABRIC_ITEMS(fabric_subnet, service_endpoints.items, service_endpoints.n),
     .otherwise = "none"},
    {.name = "import", .type = FABRIC_TYPE_OBJECT, .object = &import_schema},
};
const struct fabric_schema fabric_schema_subnet = {.title = "vnets.subnets",
                                                   .word = "subnet",
                                                   FABRIC_KEYS(subnet_keys),
                                                   FABRIC_OF(fabric_subnet),
                                                   .named = true};

/* Subnets of all VNets stand in one array, collected before (top.c). */
static bool read_subnets(struct fabric_loader *loader, const struct fabric_key *key,
                         const struct fabric_node *node, void *object,
                         const struct fabric_path *path)
{
    struct fabric_vnet *vnet = object;
    struct fabric_objects subnets = {
        .nodes = loader->subnets.nodes + vnet->first_subnet,
        .n = vnet->subnet_count,
    };

    (void)key;
    (void)node;
    return fabric_fill(loader, &fabric_schema_subnet, &subnets,
                       loader->fabric->subnets + vnet->first_subnet, path);
}

static const struct fabric_key vnet_keys[] = {
    {.name = "name", .type = FABRIC_TYPE_NAME, .required = true, FABRIC_FIELD(fabric_vnet, name)},
    {.name = "region",
     .type = FABRIC_TYPE_STRING,
     FABRIC_FIELD(fabric_vnet, region),
     .fallback = "default"},
    {.name = "address_space",
     .type = FABRIC_TYPE_PREFIX,
     .required = true,
     FABRIC_ITEMS(fabric_vnet, space.items, space.n)},
    {.name = "bgp_overrides",
     .type = FABRIC_TYPE_PREFIX,
     FABRIC_ITEMS(fabric_vnet, bgp_overrides.items, bgp_overrides.n),
     .otherwise = "none"},
    {.name = "subnets",
     .type = FABRIC_TYPE_OBJECTS,
     .object = &fabric_schema_subnet,
     .handler = read_subnets,
     .otherwise = "none"},
};
const struct fabric_schema fabric_schema_vnet = {.title = "vnets",
                                                 .word = "VNet",
                                                 FABRIC_KEYS(vnet_keys),
                                                 FABRIC_OF(fabric_vnet),
                                                 .named = true};

/* --- Peerings --------------------------------------------------------------------------------- */

static const struct fabric_key side_keys[] = {
    {.name = "allow_virtual_network_access",
     .type = FABRIC_TYPE_BOOLEAN,
     FABRIC_FIELD(fabric_peering_side, allow_virtual_network_access),
     .fallback = "true"},
    {.name = "allow_forwarded_traffic",
     .type = FABRIC_TYPE_BOOLEAN,
     FABRIC_FIELD(fabric_peering_side, allow_forwarded_traffic),
     .fallback = "false"},
    {.name = "allow_gateway_transit",
     .type = FABRIC_TYPE_BOOLEAN,
     FABRIC_FIELD(fabric_peering_side, allow_gateway_transit),
     .fallback = "false"},
    {.name = "use_remote_gateways",
     .type = FABRIC_TYPE_BOOLEAN,
     FABRIC_FIELD(fabric_peering_side, use_remote_gateways),
     .fallback = "false"},
};
const struct fabric_schema fabric_schema_side = {
    .title = "peerings.side", .word = "side", FABRIC_KEYS(side_keys)};

/* Both sides get their defaults here; the file's own options follow through read_side(). */
static bool read_peering_vnets(struct fabric_loader *loader, const struct fabric_key *key,
                               const struct fabric_node *node, void *object,
                               const struct fabric_path *path)
{
    struct fabric_peering *peering = object;
    char text[FABRIC_PATH_TEXT];
    bool good = true;

    for (unsigned side = 0; side < 2; side++)
        good &= fabric_read_object(loader, &fabric_schema_side, NULL, &peering->sides[side], path);
    if (node->kind != FABRIC_NODE_SEQUENCE || node->n != 2)
        return fabric_expected(loader, node, path, "a list of exactly two VNets");
    for (unsigned side = 0; side < 2; side++) {
        peering->vnets[side] = fabric_refer(loader, key->section, node->items[side], path);
        good &= peering->vnets[side] != FABRIC_NONE;
    }
    if (!good || peering->vnets[0] != peering->vnets[1])
        return good;
    FABRIC_ERROR(loader, &node->place, "%s: a VNet cannot be peered with itself",
                 fabric_path_format(path, text));
    return false;
}

/* A key that is neither one of the table nor one of the peering's VNets. */
static void tell_no_side(struct fabric_loader *loader, const struct fabric_node *key,
                         const struct fabric_peering *peering, const struct fabric_path *path)
{
    const char *first = loader->fabric->vnets[peering->vnets[0]].name;
    const char *second = loader->fabric->vnets[peering->vnets[1]].name;
    char text[FABRIC_PATH_TEXT], found[FABRIC_FOUND_TEXT];

    FABRIC_ERROR(loader, &key->place, "%s: unknown key %s; known here: vnets, in_sync, %s, %s",
                 fabric_path_format(path, text), fabric_node_found(key, found), first, second);
}

/* The options of one side, under the name of its VNet. */
static void read_side(struct fabric_loader *loader, const struct fabric_node *key,
                      const struct fabric_node *value, void *object, const struct fabric_path *path)
{
    struct fabric_peering *peering = object;
    struct fabric_path side_path = {.parent = path, .key = key->text, .index = FABRIC_NONE};
    uint32_t vnet = fabric_find_vnet(loader->fabric, key->text);

    /* Its VNets are wrong, which was told; what the sides are called cannot be checked then. */
    if (peering->vnets[0] == FABRIC_NONE || peering->vnets[1] == FABRIC_NONE ||
        peering->vnets[0] == peering->vnets[1])
        return;
    for (unsigned side = 0; side < 2; side++)
        if (vnet != FABRIC_NONE && peering->vnets[side] == vnet) {
            fabric_read_object(loader, &fabric_schema_side, value, &peering->sides[side],
                               &side_path);
            return;
        }
    tell_no_side(loader, key, peering, path);
}

static const struct fabric_key peering_keys[] = {
    {.name = "vnets",
     .type = FABRIC_TYPE_HANDLED,
     .required = true,
     .section = FABRIC_VNETS,
     .handler = read_peering_vnets,
     .shape = "list of two names of VNets"},
    {.name = "in_sync",
     .type = FABRIC_TYPE_BOOLEAN,
     FABRIC_FIELD(fabric_peering, in_sync),
     .fallback = "true"},
};
const struct fabric_schema fabric_schema_peering = {.title = "peerings",
                                                    .word = "peering",
                                                    FABRIC_KEYS(peering_keys),
                                                    FABRIC_OF(fabric_peering),
                                                    .other_key = read_side,
                                                    .other_object = &fabric_schema_side};

/* --- Route tables ----------------------------------------------------------------------------- */

static const struct fabric_word next_hop_types[] = {
    {"VirtualAppliance", FABRIC_VIRTUAL_APPLIANCE},
    {"VnetLocal", FABRIC_VNET_LOCAL},
    {"Internet", FABRIC_INTERNET},
    {"VirtualNetworkGateway", FABRIC_VIRTUAL_NETWORK_GATEWAY},
    {"None", FABRIC_NULL},
    {NULL, 0},
};
static const struct fabric_key udr_keys[] = {
    {.name = "prefix",
     .type = FABRIC_TYPE_PREFIX,
     .required = true,
     FABRIC_FIELD(fabric_udr, prefix)},
    {.name = "next_hop_type",
     .type = FABRIC_TYPE_WORD,
     .required = true,
     .words = next_hop_types,
     FABRIC_FIELD(fabric_udr, type)},
    {.name = "next_hop",
     .type = FABRIC_TYPE_ADDRESS,
     FABRIC_FIELD(fabric_udr, next_hop),
     .otherwise = "required for VirtualAppliance"},
};

/* By prefix, as the model promises; by line after that, so that of two routes to one prefix the
 * later is the duplicate. */
static int udr_compare(const void *a, const void *b)
{
    const struct fabric_udr *left = a, *right = b;
    int by_prefix = lpm_prefix_compare(&left->prefix, &right->prefix);

    return by_prefix ? by_prefix : (int)left->place.line - (int)right->place.line;
}

static const struct fabric_schema udr_schema = {.title = "route_tables.routes",
                                                .word = "route",
                                                FABRIC_KEYS(udr_keys),
                                                FABRIC_OF(fabric_udr),
                                                .compare = udr_compare};

static const struct fabric_key route_table_keys[] = {
    {.name = "name",
     .type = FABRIC_TYPE_NAME,
     .required = true,
     FABRIC_FIELD(fabric_route_table, name)},
    {.name = "bgp_propagation",
     .type = FABRIC_TYPE_BOOLEAN,
     FABRIC_FIELD(fabric_route_table, bgp_propagation),
     .fallback = "true"},
    {.name = "routes",
     .type = FABRIC_TYPE_OBJECTS,
     .object = &udr_schema,
     FABRIC_ITEMS(fabric_route_table, routes, route_count),
     .otherwise = "none"},
};
const struct fabric_schema fabric_schema_route_table = {.title = "route_tables",
                                                        .word = "route table",
                                                        FABRIC_KEYS(route_table_keys),
                                                        FABRIC_OF(fabric_route_table),
                                                        .named = true};

static const struct fabric_key service_tag_keys[] = {
    {.name = "name",
     .type = FABRIC_TYPE_NAME,
     .required = true,
     FABRIC_FIELD(fabric_service_tag, name)},
    {.name = "prefixes",
     .type = FABRIC_TYPE_PREFIX,
     .required = true,
     FABRIC_ITEMS(fabric_service_tag, prefixes.items, prefixes.n)},
};
const struct fabric_schema fabric_schema_service_tag = {.title = "service_tags",
                                                        .word = "service tag",
                                                        FABRIC_KEYS(service_tag_keys),
                                                        FABRIC_OF(fabric_service_tag),
                                                        .named = true};
