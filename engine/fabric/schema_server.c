/*
 * Tables of keys: route servers and their peers.
 */
#include "engine/fabric/schema.h"

#include <stdlib.h>
#include <string.h>

static const struct fabric_word prefix_counts[] = {{"unique", false}, {"azure", true}, {NULL, 0}};
static const struct fabric_word limit_actions[] = {
    {"warn", FABRIC_LIMIT_WARN},
    {"drop_excess", FABRIC_LIMIT_DROP_EXCESS},
    {"close", FABRIC_LIMIT_CLOSE},
    {NULL, 0},
};
static const struct fabric_word key_types[] = {
    {"md5", FABRIC_KEY_MD5}, {"tcp_ao", FABRIC_KEY_TCP_AO}, {NULL, 0}};
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
    {.name = "multihop",
     .type = FABRIC_TYPE_BOOLEAN,
     FABRIC_FIELD(fabric_bfd, multihop),
     .fallback = "false"},
};
const struct fabric_schema fabric_schema_bfd = {
    .title = "bfd", .word = "BFD session", FABRIC_KEYS(bfd_keys)};

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
    {.name = "key_type",
     .type = FABRIC_TYPE_WORD,
     .words = key_types,
     FABRIC_FIELD(fabric_bgp_peer, key_type),
     .fallback = "md5"},
    {.name = "key_id",
     .type = FABRIC_TYPE_NUMBER,
     .least = 0,
     .most = 255,
     FABRIC_FIELD(fabric_bgp_peer, key_id),
     .fallback = "1"},
    {.name = "extended_messages",
     .type = FABRIC_TYPE_BOOLEAN,
     FABRIC_FIELD(fabric_bgp_peer, extended_messages),
     .fallback = "true"},
    {.name = "transport",
     .type = FABRIC_TYPE_OBJECT,
     .object = &fabric_schema_transport,
     FABRIC_FIELD(fabric_bgp_peer, transport)},
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
    {.name = "send_hold_time_s",
     .type = FABRIC_TYPE_NUMBER,
     .least = 0,
     .most = 65535,
     FABRIC_FIELD(fabric_bgp_peer, send_hold_time_s),
     .fallback = "0",
     .otherwise = "480, or twice the negotiated hold time where that is more"},
    {.name = "bfd",
     .type = FABRIC_TYPE_OBJECT,
     .object = &fabric_schema_bfd,
     FABRIC_FIELD(fabric_bgp_peer, bfd),
     .present_offset = offsetof(struct fabric_bgp_peer, bfd.enabled)},
    {.name = "graceful_restart",
     .type = FABRIC_TYPE_OBJECT,
     .object = &fabric_schema_graceful_restart,
     FABRIC_FIELD(fabric_bgp_peer, graceful_restart)},
    {.name = "max_prefixes",
     .type = FABRIC_TYPE_OBJECT,
     .object = &max_prefixes_schema,
     FABRIC_FIELD(fabric_bgp_peer, max_prefixes)},
    {.name = "bgp",
     .type = FABRIC_TYPE_OBJECT,
     .object = &fabric_schema_bgp,
     FABRIC_FIELD(fabric_bgp_peer, bgp)},
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

/* Two arrays that belong together: firsts and lasts. A single number is a range of one. */
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
     FABRIC_FIELD(fabric_route_server, listen_interface),
     .otherwise = "none"},
    {.name = "port",
     .type = FABRIC_TYPE_NUMBER,
     .least = 1,
     .most = 65535,
     FABRIC_FIELD(fabric_route_server, listen_port),
     .otherwise = "179, or --bgp-port"},
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
static const struct fabric_word meds[] = {
    {"ignore", RIB_MED_IGNORED},
    {"same_as", RIB_MED_SAME_AS},
    {"always", RIB_MED_ALWAYS},
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
    {.name = "require_policy",
     .type = FABRIC_TYPE_BOOLEAN,
     FABRIC_FIELD(fabric_route_server, require_policy),
     .fallback = "false"},
    {.name = "preference",
     .type = FABRIC_TYPE_WORD,
     .words = preferences,
     FABRIC_FIELD(fabric_route_server, preference),
     .fallback = "ExpressRoute"},
    {.name = "med",
     .type = FABRIC_TYPE_WORD,
     .words = meds,
     FABRIC_FIELD(fabric_route_server, med),
     .fallback = "ignore"},
    {.name = "compare_origin",
     .type = FABRIC_TYPE_BOOLEAN,
     FABRIC_FIELD(fabric_route_server, compare_origin),
     .fallback = "false"},
    {.name = "cluster_id",
     .type = FABRIC_TYPE_ADDRESS,
     FABRIC_FIELD(fabric_route_server, cluster_id),
     .otherwise = "the identifier of each instance"},
    {.name = "summaries",
     .type = FABRIC_TYPE_PREFIX,
     FABRIC_ITEMS(fabric_route_server, summaries.items, summaries.n),
     .otherwise = "none"},
    {.name = "failback_hold_down_s",
     .type = FABRIC_TYPE_NUMBER,
     .least = 0,
     .most = 86400,
     .words = forever,
     FABRIC_FIELD(fabric_route_server, failback_hold_down_s),
     .fallback = "0"},
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
