/*
 * Tables of keys: gateways and load balancers.
 */
#include "engine/fabric/schema.h"

static const struct fabric_key branch_keys[] = {
    {.name = "name",
     .type = FABRIC_TYPE_NAME,
     .required = true,
     FABRIC_FIELD(fabric_static_branch, name)},
    {.name = "prefixes",
     .type = FABRIC_TYPE_PREFIX,
     .required = true,
     FABRIC_ITEMS(fabric_static_branch, prefixes.items, prefixes.n)},
};
static const struct fabric_schema branch_schema = {.title = "gateways.static_branches",
                                                   .word = "branch",
                                                   FABRIC_KEYS(branch_keys),
                                                   .size = sizeof(struct fabric_static_branch),
                                                   .named = true};

static const struct fabric_word gateway_types[] = {
    {"ExpressRoute", false}, {"Vpn", true}, {NULL, 0}};
static const struct fabric_key gateway_keys[] = {
    {.name = "name",
     .type = FABRIC_TYPE_NAME,
     .required = true,
     FABRIC_FIELD(fabric_gateway, name)},
    {.name = "type",
     .type = FABRIC_TYPE_WORD,
     .required = true,
     .words = gateway_types,
     FABRIC_FIELD(fabric_gateway, vpn)},
    {.name = "vnet",
     .type = FABRIC_TYPE_REFERENCE,
     .required = true,
     .section = FABRIC_VNETS,
     FABRIC_FIELD(fabric_gateway, vnet)},
    {.name = "asn",
     .type = FABRIC_TYPE_NUMBER,
     .least = 1,
     .most = UINT32_MAX,
     FABRIC_FIELD(fabric_gateway, asn),
     .fallback = "65515"},
    {.name = "addresses",
     .type = FABRIC_TYPE_ADDRESS,
     .required = true,
     FABRIC_ITEMS(fabric_gateway, addresses.items, addresses.n)},
    {.name = "neighbors",
     .type = FABRIC_TYPE_OBJECTS,
     .object = &fabric_schema_neighbor,
     FABRIC_ITEMS(fabric_gateway, neighbors, neighbor_count),
     .otherwise = "none"},
    {.name = "static_branches",
     .type = FABRIC_TYPE_OBJECTS,
     .object = &branch_schema,
     FABRIC_ITEMS(fabric_gateway, static_branches, static_branch_count),
     .otherwise = "none"},
    {.name = "point_to_site",
     .type = FABRIC_TYPE_PREFIX,
     FABRIC_ITEMS(fabric_gateway, point_to_site.items, point_to_site.n),
     .otherwise = "none"},
    {.name = "port",
     .type = FABRIC_TYPE_REFERENCE,
     .section = FABRIC_PORTS,
     FABRIC_FIELD(fabric_gateway, port),
     .otherwise = "none"},
};
const struct fabric_schema fabric_schema_gateway = {.title = "gateways",
                                                    .word = "gateway",
                                                    FABRIC_KEYS(gateway_keys),
                                                    FABRIC_OF(fabric_gateway),
                                                    .named = true};

static const struct fabric_key probe_keys[] = {
    {.name = "interval_s",
     .type = FABRIC_TYPE_NUMBER,
     .least = 1,
     .most = 3600,
     FABRIC_FIELD(fabric_load_balancer, probe_interval_s),
     .fallback = "5"},
    {.name = "failures",
     .type = FABRIC_TYPE_NUMBER,
     .least = 1,
     .most = 100,
     FABRIC_FIELD(fabric_load_balancer, probe_failures),
     .fallback = "2"},
};
static const struct fabric_schema probe_schema = {
    .title = "load_balancers.probe", .word = "probe", FABRIC_KEYS(probe_keys)};

static const struct fabric_key load_balancer_keys[] = {
    {.name = "name",
     .type = FABRIC_TYPE_NAME,
     .required = true,
     FABRIC_FIELD(fabric_load_balancer, name)},
    {.name = "subnet",
     .type = FABRIC_TYPE_REFERENCE,
     .required = true,
     .section = FABRIC_SUBNETS,
     FABRIC_FIELD(fabric_load_balancer, subnet)},
    {.name = "frontend",
     .type = FABRIC_TYPE_ADDRESS,
     .required = true,
     FABRIC_FIELD(fabric_load_balancer, frontend)},
    {.name = "backends",
     .type = FABRIC_TYPE_REFERENCE,
     .required = true,
     .section = FABRIC_NICS,
     FABRIC_ITEMS(fabric_load_balancer, backends, backend_count)},
    {.name = "probe", .type = FABRIC_TYPE_OBJECT, .object = &probe_schema},
};
const struct fabric_schema fabric_schema_load_balancer = {.title = "load_balancers",
                                                          .word = "load balancer",
                                                          FABRIC_KEYS(load_balancer_keys),
                                                          FABRIC_OF(fabric_load_balancer),
                                                          .named = true};
