/*
 * Tables of keys: modelled routers, what they peer with, and the tunnels between them.
 */
#include "engine/fabric/schema.h"

#include <stdlib.h>
#include <string.h>

/* --- Neighbors -------------------------------------------------------------------------------- */

static const struct fabric_key neighbor_keys[] = {
    {.name = "route_server",
     .type = FABRIC_TYPE_REFERENCE,
     .section = FABRIC_ROUTE_SERVERS,
     FABRIC_FIELD(fabric_neighbor, route_server),
     .otherwise = "one of these four"},
    {.name = "router",
     .type = FABRIC_TYPE_REFERENCE,
     .section = FABRIC_ROUTERS,
     FABRIC_FIELD(fabric_neighbor, router),
     .otherwise = "one of these four"},
    {.name = "gateway",
     .type = FABRIC_TYPE_REFERENCE,
     .section = FABRIC_GATEWAYS,
     FABRIC_FIELD(fabric_neighbor, gateway),
     .otherwise = "one of these four"},
    {.name = "address",
     .type = FABRIC_TYPE_ADDRESS,
     FABRIC_FIELD(fabric_neighbor, address),
     .otherwise = "one of these four"},
    {.name = "asn",
     .type = FABRIC_TYPE_NUMBER,
     .least = 1,
     .most = UINT32_MAX,
     FABRIC_FIELD(fabric_neighbor, asn),
     .otherwise = "required with address"},
    {.name = "tunnel",
     .type = FABRIC_TYPE_REFERENCE,
     .section = FABRIC_TUNNELS,
     FABRIC_FIELD(fabric_neighbor, tunnel),
     .otherwise = "none"},
    {.name = "instances",
     .type = FABRIC_TYPE_NUMBER,
     .least = 0,
     .most = 1,
     FABRIC_ITEMS(fabric_neighbor, instances, instance_count),
     .otherwise = "all of the route server"},
    {.name = "as_override",
     .type = FABRIC_TYPE_BOOLEAN,
     FABRIC_FIELD(fabric_neighbor, as_override),
     .fallback = "false"},
    {.name = "prepend",
     .type = FABRIC_TYPE_NUMBER,
     .least = 0,
     .most = 32,
     FABRIC_FIELD(fabric_neighbor, prepend),
     .fallback = "0"},
    {.name = "key_file",
     .type = FABRIC_TYPE_STRING,
     FABRIC_FIELD(fabric_neighbor, key_file),
     .otherwise = "none"},
    {.name = "bfd",
     .type = FABRIC_TYPE_OBJECT,
     .object = &fabric_schema_bfd,
     FABRIC_FIELD(fabric_neighbor, bfd),
     .present_offset = offsetof(struct fabric_neighbor, bfd.enabled)},
    {.name = "bgp",
     .type = FABRIC_TYPE_OBJECT,
     .object = &fabric_schema_bgp,
     FABRIC_FIELD(fabric_neighbor, bgp)},
    {.name = "import",
     .type = FABRIC_TYPE_NAMED,
     .section = FABRIC_POLICIES,
     FABRIC_FIELD(fabric_neighbor, import_policy),
     .otherwise = "none"},
    {.name = "export",
     .type = FABRIC_TYPE_NAMED,
     .section = FABRIC_POLICIES,
     FABRIC_FIELD(fabric_neighbor, export_policy),
     .otherwise = "none"},
};

static int index_compare(uint32_t a, uint32_t b)
{
    return a < b ? -1 : a > b;
}

/* Neighbors have no names. This order keeps those of one kind together and, being total, makes
 * two equal entries stand side by side. */
static int neighbor_compare(const void *a, const void *b)
{
    const struct fabric_neighbor *left = a, *right = b;
    int order = index_compare(left->route_server, right->route_server);

    if (order == 0)
        order = index_compare(left->router, right->router);
    if (order == 0)
        order = index_compare(left->gateway, right->gateway);
    if (order == 0)
        order = index_compare(left->tunnel, right->tunnel);
    return order ? order : lpm_address_compare(&left->address, &right->address);
}

const struct fabric_schema fabric_schema_neighbor = {.title = "neighbors",
                                                     .word = "neighbor",
                                                     FABRIC_KEYS(neighbor_keys),
                                                     FABRIC_OF(fabric_neighbor),
                                                     .compare = neighbor_compare};

/* --- Routers ---------------------------------------------------------------------------------- */

/* A word or an address. */
static bool read_static_via(struct fabric_loader *loader, const struct fabric_key *key,
                            const struct fabric_node *node, void *object,
                            const struct fabric_path *path)
{
    struct fabric_router_static *route = object;

    (void)key;
    if (node->kind == FABRIC_NODE_SCALAR && strcmp(node->text, "subnet-gateway") == 0) {
        route->via_subnet_gateway = true;
        return true;
    }
    if (node->kind != FABRIC_NODE_SCALAR || lpm_address_parse(node->text, &route->via) < 0)
        return fabric_expected(loader, node, path, "subnet-gateway or an IPv4 or IPv6 address");
    return true;
}

static const struct fabric_key static_keys[] = {
    {.name = "prefix",
     .type = FABRIC_TYPE_PREFIX,
     .required = true,
     FABRIC_FIELD(fabric_router_static, prefix)},
    {.name = "via",
     .type = FABRIC_TYPE_HANDLED,
     .required = true,
     .handler = read_static_via,
     .shape = "subnet-gateway or an address"},
};

static int static_compare(const void *a, const void *b)
{
    const struct fabric_router_static *left = a, *right = b;

    return lpm_prefix_compare(&left->prefix, &right->prefix);
}

static const struct fabric_schema static_schema = {.title = "routers.static",
                                                   .word = "static route",
                                                   FABRIC_KEYS(static_keys),
                                                   FABRIC_OF(fabric_router_static),
                                                   .compare = static_compare};

static const struct fabric_key when_down_keys[] = {
    {.name = "withdraw",
     .type = FABRIC_TYPE_PREFIX,
     .required = true,
     FABRIC_ITEMS(fabric_router_health, withdraw.items, withdraw.n)},
};
static const struct fabric_schema when_down_schema = {
    .title = "routers.health.when_down", .word = "consequence", FABRIC_KEYS(when_down_keys)};

static const struct fabric_key health_keys[] = {
    {.name = "name",
     .type = FABRIC_TYPE_NAME,
     .required = true,
     FABRIC_FIELD(fabric_router_health, name)},
    {.name = "when_down",
     .type = FABRIC_TYPE_OBJECT,
     .required = true,
     .object = &when_down_schema},
};
static const struct fabric_schema health_schema = {.title = "routers.health",
                                                   .word = "health check",
                                                   FABRIC_KEYS(health_keys),
                                                   .size = sizeof(struct fabric_router_health),
                                                   .named = true};

static const struct fabric_key router_host_keys[] = {
    {.name = "name",
     .type = FABRIC_TYPE_NAME,
     .required = true,
     FABRIC_FIELD(fabric_router_host, name)},
    {.name = "address",
     .type = FABRIC_TYPE_ADDRESS,
     .required = true,
     FABRIC_FIELD(fabric_router_host, address)},
};
static const struct fabric_schema router_host_schema = {.title = "routers.hosts",
                                                        .word = "host",
                                                        FABRIC_KEYS(router_host_keys),
                                                        .size = sizeof(struct fabric_router_host),
                                                        .named = true};

static const struct fabric_key destination_nat_keys[] = {
    {.name = "address",
     .type = FABRIC_TYPE_ADDRESS,
     .required = true,
     FABRIC_FIELD(fabric_router_destination_nat, address)},
    {.name = "to",
     .type = FABRIC_TYPE_ADDRESS,
     .required = true,
     FABRIC_FIELD(fabric_router_destination_nat, to)},
};

static int destination_nat_compare(const void *a, const void *b)
{
    const struct fabric_router_destination_nat *left = a, *right = b;

    return lpm_address_compare(&left->address, &right->address);
}

static const struct fabric_schema destination_nat_schema = {
    .title = "routers.destination_nat",
    .word = "translation",
    FABRIC_KEYS(destination_nat_keys),
    FABRIC_OF(fabric_router_destination_nat),
    .compare = destination_nat_compare};

/* An address, or a place in the table's list of peers. */
static bool read_table_peer(struct fabric_loader *loader, const struct fabric_key *key,
                            const struct fabric_node *node, void *object,
                            const struct fabric_path *path)
{
    struct fabric_router_table *table = object;
    char *end;

    (void)key;
    if (node->kind == FABRIC_NODE_SCALAR && lpm_address_parse(node->text, &table->peer) == 0)
        return true;
    if (node->kind == FABRIC_NODE_SCALAR && node->text[0] >= '0' && node->text[0] <= '9') {
        unsigned long value = strtoul(node->text, &end, 10);
        table->peer_place = (uint32_t)value + 1;
        if (*end == '\0' && value <= UINT16_MAX)
            return true;
    }
    return fabric_expected(loader, node, path,
                           "an IPv4 or IPv6 address, or a number between 0 and 65535");
}

static const struct fabric_word table_speeds[] = {{"recorded", false}, {"full", true}, {NULL, 0}};
static const struct fabric_key table_keys[] = {
    {.name = "mrt",
     .type = FABRIC_TYPE_STRING,
     .required = true,
     FABRIC_FIELD(fabric_router_table, mrt)},
    {.name = "peer",
     .type = FABRIC_TYPE_HANDLED,
     .handler = read_table_peer,
     .shape = "an address or a number 0-65535",
     .otherwise = "any: the first path of each prefix"},
    {.name = "updates",
     .type = FABRIC_TYPE_STRING,
     FABRIC_FIELD(fabric_router_table, updates),
     .otherwise = "none"},
    {.name = "speed",
     .type = FABRIC_TYPE_WORD,
     .words = table_speeds,
     FABRIC_FIELD(fabric_router_table, full_speed),
     .fallback = "recorded"},
    {.name = "updates_after_s",
     .type = FABRIC_TYPE_NUMBER,
     .least = 0,
     .most = 86400,
     FABRIC_FIELD(fabric_router_table, updates_after_s),
     .fallback = "10"},
};
static const struct fabric_schema table_schema = {
    .title = "routers.table", .word = "table", FABRIC_KEYS(table_keys)};

/* One role so far. It is kept as text, as whoever acts upon it compares words. */
static bool read_role(struct fabric_loader *loader, const struct fabric_key *key,
                      const struct fabric_node *node, void *object, const struct fabric_path *path)
{
    struct fabric_router *router = object;

    (void)key;
    if (node->kind != FABRIC_NODE_SCALAR || strcmp(node->text, "msee") != 0)
        return fabric_expected(loader, node, path, "msee, or no role at all");
    router->role = "msee";
    return true;
}

static const struct fabric_key router_keys[] = {
    {.name = "name", .type = FABRIC_TYPE_NAME, .required = true, FABRIC_FIELD(fabric_router, name)},
    {.name = "nic",
     .type = FABRIC_TYPE_REFERENCE,
     .section = FABRIC_NICS,
     .or_one = true,
     FABRIC_ITEMS(fabric_router, nics, nic_count),
     .otherwise = "none: a box on-premises"},
    {.name = "role",
     .type = FABRIC_TYPE_HANDLED,
     .handler = read_role,
     .shape = "one of: msee",
     .otherwise = "none"},
    {.name = "asn",
     .type = FABRIC_TYPE_NUMBER,
     .required = true,
     .least = 1,
     .most = UINT32_MAX,
     FABRIC_FIELD(fabric_router, asn)},
    {.name = "address",
     .type = FABRIC_TYPE_ADDRESS,
     FABRIC_FIELD(fabric_router, address),
     .otherwise = "none"},
    {.name = "originate",
     .type = FABRIC_TYPE_PREFIX,
     FABRIC_ITEMS(fabric_router, originate.items, originate.n),
     .otherwise = "none"},
    {.name = "blocks",
     .type = FABRIC_TYPE_OBJECTS,
     .object = &fabric_schema_block,
     FABRIC_ITEMS(fabric_router, blocks, block_count),
     .otherwise = "none"},
    {.name = "neighbors",
     .type = FABRIC_TYPE_OBJECTS,
     .object = &fabric_schema_neighbor,
     FABRIC_ITEMS(fabric_router, neighbors, neighbor_count),
     .otherwise = "none"},
    {.name = "static",
     .type = FABRIC_TYPE_OBJECTS,
     .object = &static_schema,
     FABRIC_ITEMS(fabric_router, statics, static_count),
     .otherwise = "none"},
    {.name = "restart_seconds",
     .type = FABRIC_TYPE_NUMBER,
     .least = 0,
     .most = 4095,
     FABRIC_FIELD(fabric_router, restart_seconds),
     .fallback = "0"},
    {.name = "stateful",
     .type = FABRIC_TYPE_BOOLEAN,
     FABRIC_FIELD(fabric_router, stateful),
     .fallback = "false"},
    {.name = "source_nat",
     .type = FABRIC_TYPE_BOOLEAN,
     FABRIC_FIELD(fabric_router, source_nat),
     .fallback = "false"},
    {.name = "destination_nat",
     .type = FABRIC_TYPE_OBJECTS,
     .object = &destination_nat_schema,
     FABRIC_ITEMS(fabric_router, destination_nat, destination_nat_count),
     .otherwise = "none"},
    {.name = "health",
     .type = FABRIC_TYPE_OBJECTS,
     .object = &health_schema,
     FABRIC_ITEMS(fabric_router, health, health_count),
     .otherwise = "none"},
    {.name = "hosts",
     .type = FABRIC_TYPE_OBJECTS,
     .object = &router_host_schema,
     FABRIC_ITEMS(fabric_router, hosts, host_count),
     .otherwise = "none"},
    {.name = "table",
     .type = FABRIC_TYPE_OBJECT,
     .object = &table_schema,
     FABRIC_FIELD(fabric_router, table),
     .present_offset = offsetof(struct fabric_router, table.present)},
};
const struct fabric_schema fabric_schema_router = {.title = "routers",
                                                   .word = "router",
                                                   FABRIC_KEYS(router_keys),
                                                   FABRIC_OF(fabric_router),
                                                   .named = true};

/* --- Tunnels ---------------------------------------------------------------------------------- */

static const struct fabric_word tunnel_types[] = {{"vxlan", false}, {"ipsec", true}, {NULL, 0}};
static const struct fabric_key tunnel_keys[] = {
    {.name = "name", .type = FABRIC_TYPE_NAME, .required = true, FABRIC_FIELD(fabric_tunnel, name)},
    {.name = "type",
     .type = FABRIC_TYPE_WORD,
     .words = tunnel_types,
     FABRIC_FIELD(fabric_tunnel, ipsec),
     .fallback = "vxlan"},
    {.name = "vni",
     .type = FABRIC_TYPE_NUMBER,
     .least = 1,
     .most = 16777215,
     FABRIC_FIELD(fabric_tunnel, vni),
     .otherwise = "required for vxlan"},
    {.name = "ends",
     .type = FABRIC_TYPE_REFERENCE,
     .required = true,
     .section = FABRIC_ROUTERS,
     FABRIC_FIXED(fabric_tunnel, ends, 2, 2)},
    {.name = "addresses",
     .type = FABRIC_TYPE_ADDRESS,
     .required = true,
     FABRIC_FIXED(fabric_tunnel, addresses, 2, 2)},
    {.name = "underlay",
     .type = FABRIC_TYPE_ADDRESS,
     FABRIC_FIXED(fabric_tunnel, underlay, 2, 2),
     .count_offset = offsetof(struct fabric_tunnel, underlay_count),
     .otherwise = "of each end's NIC, or its loopback"},
};
const struct fabric_schema fabric_schema_tunnel = {.title = "tunnels",
                                                   .word = "tunnel",
                                                   FABRIC_KEYS(tunnel_keys),
                                                   FABRIC_OF(fabric_tunnel),
                                                   .named = true};
