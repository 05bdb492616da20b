/*
 * Tables of keys: route servers and their peers, gateways, load balancers, policies.
 */
#include "engine/fabric/schema.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- Route servers ------------------------------------------------------------------------------ */

static const struct fabric_word prefix_counts[] = {{"unique", false}, {"azure", true}, {NULL, 0}};
static const struct fabric_word limit_actions[] = {
    {"warn", FABRIC_LIMIT_WARN},
    {"drop_excess", FABRIC_LIMIT_DROP_EXCESS},
    {"close", FABRIC_LIMIT_CLOSE},
    {NULL, 0},
};
static const struct fabric_word forever[] = {{"forever", UINT32_MAX}, {NULL, 0}};

static const struct fabric_key max_prefixes_keys[] = {
    {.name = "limit",
     .type = FABRIC_TYPE_NUMBER,
     .least = 0,
     .most = 10000000,
     FABRIC_FIELD(fabric_max_prefixes, limit),
     .fallback = "0",
     .otherwise = "none; 4000 in azure mode"},
    {.name = "count",
     .type = FABRIC_TYPE_WORD,
     .words = prefix_counts,
     FABRIC_FIELD(fabric_max_prefixes, count_azure),
     .otherwise = "unique; azure with quirk count_mode"},
    {.name = "warn_percent",
     .type = FABRIC_TYPE_NUMBER,
     .least = 1,
     .most = 100,
     FABRIC_FIELD(fabric_max_prefixes, warn_percent),
     .fallback = "80"},
    {.name = "action",
     .type = FABRIC_TYPE_WORD,
     .words = limit_actions,
     FABRIC_FIELD(fabric_max_prefixes, action),
     .fallback = "close"},
    {.name = "idle_minutes",
     .type = FABRIC_TYPE_NUMBER,
     .least = 1,
     .most = 10080,
     .words = forever,
     FABRIC_FIELD(fabric_max_prefixes, idle_minutes),
     .fallback = "5"},
};
static const struct fabric_schema max_prefixes_schema = {
    .title = "route_servers.peers.max_prefixes", .word = "limit", FABRIC_KEYS(max_prefixes_keys)};

static const struct fabric_key bfd_keys[] = {
    {.name = "interval_ms",
     .type = FABRIC_TYPE_NUMBER,
     .least = 10,
     .most = 60000,
     FABRIC_FIELD(fabric_bfd, interval_ms),
     .fallback = "300"},
    {.name = "multiplier",
     .type = FABRIC_TYPE_NUMBER,
     .least = 1,
     .most = 255,
     FABRIC_FIELD(fabric_bfd, multiplier),
     .fallback = "3"},
};
static const struct fabric_schema bfd_schema = {
    .title = "route_servers.peers.bfd", .word = "BFD session", FABRIC_KEYS(bfd_keys)};

static const struct fabric_key peer_keys[] = {
    {.name = "name",
     .type = FABRIC_TYPE_NAME,
     .required = true,
     FABRIC_FIELD(fabric_bgp_peer, name)},
    {.name = "address",
     .type = FABRIC_TYPE_ADDRESS,
     .required = true,
     FABRIC_FIELD(fabric_bgp_peer, address)},
    {.name = "asn",
     .type = FABRIC_TYPE_NUMBER,
     .required = true,
     .least = 1,
     .most = UINT32_MAX,
     FABRIC_FIELD(fabric_bgp_peer, asn)},
    {.name = "key_file",
     .type = FABRIC_TYPE_STRING,
     FABRIC_FIELD(fabric_bgp_peer, key_file),
     .otherwise = "none"},
    {.name = "hold_time_s",
     .type = FABRIC_TYPE_NUMBER,
     .least = 0,
     .most = 65535,
     FABRIC_FIELD(fabric_bgp_peer, hold_time_s),
     .fallback = "180"},
    {.name = "keepalive_s",
     .type = FABRIC_TYPE_NUMBER,
     .least = 0,
     .most = 65535,
     FABRIC_FIELD(fabric_bgp_peer, keepalive_s),
     .fallback = "60",
     .otherwise = "60, or a third of hold_time_s where that is less"},
    {.name = "bfd",
     .type = FABRIC_TYPE_OBJECT,
     .object = &bfd_schema,
     FABRIC_FIELD(fabric_bgp_peer, bfd),
     .present_offset = offsetof(struct fabric_bgp_peer, bfd.enabled)},
    {.name = "max_prefixes",
     .type = FABRIC_TYPE_OBJECT,
     .object = &max_prefixes_schema,
     FABRIC_FIELD(fabric_bgp_peer, max_prefixes)},
    {.name = "import",
     .type = FABRIC_TYPE_NAMED,
     .section = FABRIC_POLICIES,
     FABRIC_FIELD(fabric_bgp_peer, import_policy),
     .otherwise = "none"},
    {.name = "export",
     .type = FABRIC_TYPE_NAMED,
     .section = FABRIC_POLICIES,
     FABRIC_FIELD(fabric_bgp_peer, export_policy),
     .otherwise = "none"},
};
static const struct fabric_schema peer_schema = {.title = "route_servers.peers",
                                                 .word = "peer",
                                                 FABRIC_KEYS(peer_keys),
                                                 FABRIC_OF(fabric_bgp_peer),
                                                 .named = true};

/* "65001" or "65100-65199". */
static bool parse_asn_range(const char *text, uint32_t *first, uint32_t *last)
{
    unsigned long low, high;
    char *end;

    if (strspn(text, "0123456789-") != strlen(text) || text[0] == '-' || strlen(text) > 21)
        return false;
    low = high = strtoul(text, &end, 10);
    if (*end == '-') {
        if (end[1] == '-' || end[1] == '\0')
            return false;
        high = strtoul(end + 1, &end, 10);
    }
    if (*end != '\0' || low == 0 || low > high || high > UINT32_MAX)
        return false;
    *first = (uint32_t)low;
    *last = (uint32_t)high;
    return true;
}

static bool read_asn_ranges(struct fabric_loader *loader, const struct fabric_key *key,
                            const struct fabric_node *node, void *object,
                            const struct fabric_path *path)
{
    struct fabric_dynamic_peers *peers = object;

    (void)key;
    if (node->kind != FABRIC_NODE_SEQUENCE || node->n == 0)
        return fabric_expected(loader, node, path, "a list of AS numbers and ranges");
    peers->asn_first = fabric_loader_array(loader, node->n, sizeof(uint32_t));
    peers->asn_last = fabric_loader_array(loader, node->n, sizeof(uint32_t));
    if (!peers->asn_first || !peers->asn_last)
        return false;
    peers->range_count = node->n;
    for (uint32_t i = 0; i < node->n; i++) {
        const struct fabric_node *range = node->items[i];

        if (range->kind != FABRIC_NODE_SCALAR ||
            !parse_asn_range(range->text, &peers->asn_first[i], &peers->asn_last[i]))
            return fabric_expected(loader, range, path, "an AS number or a range like 65100-65199");
    }
    return true;
}

static const struct fabric_key dynamic_peers_keys[] = {
    {.name = "prefix",
     .type = FABRIC_TYPE_PREFIX,
     .required = true,
     FABRIC_FIELD(fabric_dynamic_peers, prefix)},
    {.name = "asns",
     .type = FABRIC_TYPE_HANDLED,
     .required = true,
     .handler = read_asn_ranges,
     .shape = "list of AS numbers and ranges"},
    {.name = "template",
     .type = FABRIC_TYPE_STRING,
     .required = true,
     FABRIC_FIELD(fabric_dynamic_peers, template_peer)},
};

static int dynamic_peers_compare(const void *a, const void *b)
{
    const struct fabric_dynamic_peers *left = a, *right = b;

    return lpm_prefix_compare(&left->prefix, &right->prefix);
}

static const struct fabric_schema dynamic_peers_schema = {.title = "route_servers.dynamic_peers",
                                                          .word = "range of peers",
                                                          FABRIC_KEYS(dynamic_peers_keys),
                                                          FABRIC_OF(fabric_dynamic_peers),
                                                          .compare = dynamic_peers_compare};

static const struct fabric_key listen_keys[] = {
    {.name = "interface",
     .type = FABRIC_TYPE_STRING,
     .required = true,
     FABRIC_FIELD(fabric_route_server, listen_interface)},
};
static const struct fabric_schema listen_schema = {
    .title = "route_servers.listen", .word = "listener", FABRIC_KEYS(listen_keys)};

static const struct fabric_key limits_keys[] = {
    {.name = "peers",
     .type = FABRIC_TYPE_NUMBER,
     .least = 1,
     .most = 4096,
     FABRIC_FIELD(fabric_route_server, peer_limit),
     .fallback = "256",
     .otherwise = "256; 8 with quirk peer_limit"},
    {.name = "prefixes",
     .type = FABRIC_TYPE_NUMBER,
     .least = 1,
     .most = 10000000,
     FABRIC_FIELD(fabric_route_server, prefix_limit),
     .fallback = "100000",
     .otherwise = "100000; 10000 in azure mode"},
};
static const struct fabric_schema limits_schema = {
    .title = "route_servers.limits", .word = "limits", FABRIC_KEYS(limits_keys)};

static const struct fabric_word preferences[] = {
    {"ExpressRoute", FABRIC_PREFER_EXPRESS_ROUTE},
    {"VpnGateway", FABRIC_PREFER_VPN_GATEWAY},
    {"ASPath", FABRIC_PREFER_AS_PATH},
    {NULL, 0},
};
static const struct fabric_key route_server_keys[] = {
    {.name = "name",
     .type = FABRIC_TYPE_NAME,
     .required = true,
     FABRIC_FIELD(fabric_route_server, name)},
    {.name = "vnet",
     .type = FABRIC_TYPE_REFERENCE,
     .required = true,
     .section = FABRIC_VNETS,
     FABRIC_FIELD(fabric_route_server, vnet)},
    {.name = "asn",
     .type = FABRIC_TYPE_NUMBER,
     .least = 1,
     .most = UINT32_MAX,
     FABRIC_FIELD(fabric_route_server, asn),
     .fallback = "65515"},
    {.name = "addresses",
     .type = FABRIC_TYPE_ADDRESS,
     .required = true,
     FABRIC_FIXED(fabric_route_server, addresses, 1, 2),
     .count_offset = offsetof(struct fabric_route_server, instance_count)},
    {.name = "port",
     .type = FABRIC_TYPE_REFERENCE,
     .section = FABRIC_PORTS,
     FABRIC_FIELD(fabric_route_server, port),
     .otherwise = "none"},
    {.name = "listen", .type = FABRIC_TYPE_OBJECT, .object = &listen_schema},
    {.name = "branch_to_branch",
     .type = FABRIC_TYPE_BOOLEAN,
     FABRIC_FIELD(fabric_route_server, branch_to_branch),
     .fallback = "false"},
    {.name = "preference",
     .type = FABRIC_TYPE_WORD,
     .words = preferences,
     FABRIC_FIELD(fabric_route_server, preference),
     .fallback = "ExpressRoute"},
    {.name = "limits", .type = FABRIC_TYPE_OBJECT, .object = &limits_schema},
    {.name = "peers",
     .type = FABRIC_TYPE_OBJECTS,
     .object = &peer_schema,
     FABRIC_ITEMS(fabric_route_server, peers, peer_count),
     .otherwise = "none"},
    {.name = "dynamic_peers",
     .type = FABRIC_TYPE_OBJECTS,
     .object = &dynamic_peers_schema,
     FABRIC_ITEMS(fabric_route_server, dynamic_peers, dynamic_peer_count),
     .otherwise = "none"},
};
const struct fabric_schema fabric_schema_route_server = {.title = "route_servers",
                                                         .word = "route server",
                                                         FABRIC_KEYS(route_server_keys),
                                                         FABRIC_OF(fabric_route_server),
                                                         .named = true};

/* --- Gateways and load balancers ------------------------------------------------------------------- */

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

/* --- Policies ------------------------------------------------------------------------------------------ */

static const struct fabric_key match_keys[] = {
    {.name = "prefixes",
     .type = FABRIC_TYPE_PREFIX_RANGE,
     FABRIC_ITEMS(fabric_policy_rule, match_prefixes.items, match_prefixes.n),
     .otherwise = "any"},
    {.name = "as_path",
     .type = FABRIC_TYPE_AS_PATH,
     FABRIC_FIELD(fabric_policy_rule, match_as_path),
     .otherwise = "any"},
    {.name = "communities",
     .type = FABRIC_TYPE_COMMUNITY,
     FABRIC_ITEMS(fabric_policy_rule, match_communities.items, match_communities.n),
     .otherwise = "any"},
};
static const struct fabric_schema match_schema = {
    .title = "policies.rules.match", .word = "match", FABRIC_KEYS(match_keys)};

static const struct fabric_key set_keys[] = {
    {.name = "add_communities",
     .type = FABRIC_TYPE_COMMUNITY,
     FABRIC_ITEMS(fabric_policy_rule, add_communities.items, add_communities.n),
     .otherwise = "none"},
    {.name = "remove_communities",
     .type = FABRIC_TYPE_COMMUNITY,
     FABRIC_ITEMS(fabric_policy_rule, remove_communities.items, remove_communities.n),
     .otherwise = "none"},
    {.name = "prepend",
     .type = FABRIC_TYPE_NUMBER,
     .least = 1,
     .most = UINT32_MAX,
     FABRIC_ITEMS(fabric_policy_rule, prepend, prepend_count),
     .otherwise = "none"},
    {.name = "next_hop",
     .type = FABRIC_TYPE_ADDRESS,
     FABRIC_FIELD(fabric_policy_rule, set_next_hop),
     .otherwise = "untouched"},
};
static const struct fabric_schema set_schema = {
    .title = "policies.rules.set", .word = "change", FABRIC_KEYS(set_keys)};

static const struct fabric_word verdicts[] = {
    {"accept", FABRIC_RULE_ACCEPT},
    {"reject", FABRIC_RULE_REJECT},
    {"continue", FABRIC_RULE_CONTINUE},
    {NULL, 0},
};
static const struct fabric_key rule_keys[] = {
    {.name = "match", .type = FABRIC_TYPE_OBJECT, .object = &match_schema},
    {.name = "set", .type = FABRIC_TYPE_OBJECT, .object = &set_schema},
    {.name = "then",
     .type = FABRIC_TYPE_WORD,
     .words = verdicts,
     FABRIC_FIELD(fabric_policy_rule, then),
     .fallback = "accept"},
};
static const struct fabric_schema rule_schema = {.title = "policies.rules",
                                                 .word = "rule",
                                                 FABRIC_KEYS(rule_keys),
                                                 FABRIC_OF(fabric_policy_rule)};

static const struct fabric_key policy_keys[] = {
    {.name = "name", .type = FABRIC_TYPE_NAME, .required = true, FABRIC_FIELD(fabric_policy, name)},
    {.name = "rules",
     .type = FABRIC_TYPE_OBJECTS,
     .object = &rule_schema,
     FABRIC_ITEMS(fabric_policy, rules, rule_count),
     .otherwise = "none: everything is permitted"},
};
const struct fabric_schema fabric_schema_policy = {.title = "policies",
                                                   .word = "policy",
                                                   FABRIC_KEYS(policy_keys),
                                                   FABRIC_OF(fabric_policy),
                                                   .named = true};
