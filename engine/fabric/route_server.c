/*
 * From the words of the fabric file to the configuration of a BGP speaker: one place for the twin
 * and the live engine.
 */
#include "engine/fabric/route_server.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/bgp/message.h"
#include "engine/fabric/effective.h"
#include "engine/fabric/gateway.h"

/* RFC 4271 suggests 120 s; a peer that only listens and starts after the engine would wait that
 * long. */
#define CONNECT_RETRY_S 10

/* What the real route server programs at most. */
#define AZURE_ECMP_MAX 8
/* A warning at this share of limits.prefixes. */
#define PREFIX_WARN_PERCENT 80

unsigned fabric_route_server_speakers(const struct fabric *fabric, uint32_t route_server)
{
    const struct fabric_route_server *server = &fabric->route_servers[route_server];
    return fabric->quirks.half_programming ? server->instance_count : 1;
}

static enum rib_preference preference_of(enum fabric_preference preference)
{
    switch (preference) {
    case FABRIC_PREFER_VPN_GATEWAY:
        return RIB_PREFER_VPN_GATEWAY;
    case FABRIC_PREFER_AS_PATH:
        return RIB_PREFER_AS_PATH;
    case FABRIC_PREFER_EXPRESS_ROUTE:
        break;
    }
    return RIB_PREFER_EXPRESS_ROUTE;
}

/* A BGP identifier need only be unique within the AS (RFC 6286); an IPv4 address of the instance
 * is, and an IPv6 one is folded to 32 bits that are not zero. */
uint32_t fabric_bgp_identifier(const struct lpm_address *address)
{
    uint32_t identifier = 0;
    unsigned length = address->family == LPM_IPV4 ? 4 : 16;
    for (unsigned i = 0; i < length; i++)
        identifier = ((identifier << 8) | (identifier >> 24)) ^ address->bytes[i];
    return identifier ? identifier : 1;
}

struct speaker_config fabric_route_server_config(const struct fabric *fabric, uint32_t route_server)
{
    const struct fabric_route_server *server = &fabric->route_servers[route_server];
    struct speaker_config config = {
        .name = server->name,
        .asn = server->asn,
        .preference = preference_of(server->preference),
        .prepend_own_asn = true,
        .require_policy = server->require_policy,
        .reflect = true,
        .prefix_limit = server->prefix_limit,
        .prefix_warn_percent = PREFIX_WARN_PERCENT,
        .mark_reflected = fabric->mode == FABRIC_AZURE,
        /* A gateway without a route server keeps its circuits apart. */
        .single_express_route_path = fabric->quirks.single_er_path && !server->implicit,
        .ecmp_max = fabric->mode == FABRIC_AZURE ? AZURE_ECMP_MAX : RIB_ECMP_MAX,
        .med = server->med,
        .compare_origin = server->compare_origin,
        .link_bandwidth = fabric->mode != FABRIC_AZURE,
        .cluster_id = server->cluster_id.family ? fabric_bgp_identifier(&server->cluster_id) : 0,
    };
    fabric_route_server_withheld(fabric, route_server, config.withheld);
    return config;
}

static const struct lpm_prefix *subnet_prefix(const struct fabric *fabric,
                                              const struct fabric_route_server *server,
                                              enum lpm_family family,
                                              const struct lpm_address *within)
{
    const struct fabric_vnet *vnet = &fabric->vnets[server->vnet];
    for (uint32_t i = 0; i < vnet->subnet_count; i++) {
        const struct fabric_subnet *subnet = &fabric->subnets[vnet->first_subnet + i];
        if (strcmp(subnet->name, "RouteServerSubnet") != 0)
            continue;
        for (uint32_t j = 0; j < subnet->prefixes.n; j++) {
            const struct lpm_prefix *prefix = &subnet->prefixes.items[j];
            if (prefix->family == family && (!within || lpm_prefix_contains(prefix, within)))
                return prefix;
        }
    }
    return NULL;
}

struct lpm_address fabric_route_server_address6(const struct fabric *fabric, uint32_t route_server,
                                                unsigned instance)
{
    const struct fabric_route_server *server = &fabric->route_servers[route_server];
    const struct lpm_address *own = &server->addresses[instance];
    if (own->family == LPM_IPV6)
        return *own;
    const struct lpm_prefix *prefix4 = subnet_prefix(fabric, server, LPM_IPV4, own);
    const struct lpm_prefix *prefix6 = subnet_prefix(fabric, server, LPM_IPV6, NULL);
    if (!prefix4 || !prefix6)
        return (struct lpm_address){0};
    struct lpm_address address = {.family = LPM_IPV6};
    memcpy(address.bytes, prefix6->bytes, sizeof(address.bytes));
    /* The offset is that of a host in an IPv4 subnet: only bits beyond the IPv4 prefix are set. */
    for (unsigned i = 0; i < 4; i++)
        address.bytes[12 + i] |= (uint8_t)(own->bytes[i] ^ prefix4->bytes[i]);
    return address;
}

struct lpm_address fabric_route_server_local(const struct fabric *fabric, uint32_t route_server,
                                             unsigned instance, uint32_t peer)
{
    const struct fabric_route_server *server = &fabric->route_servers[route_server];
    const struct fabric_bgp_peer *neighbor = &server->peers[peer];
    if (instance < neighbor->transport.local_address_count)
        return neighbor->transport.local_addresses[instance];
    if (neighbor->address.family == server->addresses[instance].family)
        return server->addresses[instance];
    if (neighbor->address.family == LPM_IPV6)
        return fabric_route_server_address6(fabric, route_server, instance);
    return (struct lpm_address){0};
}

static struct speaker_prefix_limit limit_of(const struct fabric_max_prefixes *most)
{
    static const enum speaker_limit_action actions[] = {
        [FABRIC_LIMIT_WARN] = SPEAKER_LIMIT_WARN,
        [FABRIC_LIMIT_DROP_EXCESS] = SPEAKER_LIMIT_DROP_EXCESS,
        [FABRIC_LIMIT_CLOSE] = SPEAKER_LIMIT_CLOSE,
    };
    return (struct speaker_prefix_limit){
        .limit = most->limit,
        .count_azure = most->count_azure,
        .warn_percent = most->warn_percent,
        .action = actions[most->action],
        .idle_minutes = most->idle_minutes,
    };
}

static struct bgp_restart_config restart_of(const struct fabric_graceful_restart *restart)
{
    return (struct bgp_restart_config){
        .offered = restart->enabled,
        .time_s = restart->restart_seconds,
        .forwarding = restart->forwarding,
        .long_lived_s = restart->long_lived_seconds,
    };
}

struct speaker_peer_config fabric_route_server_peer(const struct fabric *fabric,
                                                    uint32_t route_server, unsigned instance,
                                                    uint32_t peer)
{
    const struct fabric_route_server *server = &fabric->route_servers[route_server];
    const struct fabric_bgp_peer *neighbor = &server->peers[peer];
    struct speaker_peer_config config = {
        .name = neighbor->name,
        .instance = instance,
        .source = RIB_SOURCE_NVA,
        .local_address = server->addresses[instance],
        .local_address6 = fabric_route_server_address6(fabric, route_server, instance),
        .peer_address = neighbor->address,
        .identifier = fabric_bgp_identifier(&server->addresses[instance]),
        .asn = neighbor->asn,
        .passive = neighbor->transport.connect == FABRIC_CONNECT_PASSIVE,
        .extended_messages = neighbor->extended_messages,
        .hold_time_s = neighbor->hold_time_s,
        .keepalive_s = neighbor->keepalive_s,
        .send_hold_time_s = neighbor->send_hold_time_s,
        .connect_retry_s = CONNECT_RETRY_S,
        .limit = limit_of(&neighbor->max_prefixes),
        .restart = restart_of(&neighbor->graceful_restart),
        .stale_time_s = neighbor->graceful_restart.stale_seconds,
    };
    fabric_bgp_options_apply(&neighbor->bgp, &config);
    return config;
}

static int originate_all(struct speaker *speaker, const struct bgp_attributes *attributes,
                         const struct lpm_prefix *prefixes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        int error = speaker_originate(speaker, &prefixes[i], attributes);
        if (error)
            return error;
    }
    return 0;
}

int fabric_route_server_originate(const struct fabric *fabric, uint32_t route_server,
                                  struct speaker *speaker)
{
    struct lpm_prefix *prefixes = NULL;
    size_t n = 0;
    int error = fabric_originated(fabric, route_server, &prefixes, &n);
    if (!error)
        error = fabric_originate_prefixes(speaker, prefixes, n);
    free(prefixes);
    return error;
}

int fabric_originate_prefixes(struct speaker *speaker, const struct lpm_prefix *prefixes, size_t n)
{
    struct bgp_attribute_table *table = speaker_attribute_table(speaker);
    const struct bgp_attributes *attributes = NULL;
    struct bgp_attribute_builder *builder = bgp_builder_create();
    if (!builder)
        return -ENOMEM;
    bgp_builder_originate(builder, BGP_ORIGIN_IGP);
    int error = bgp_builder_intern(builder, table, &attributes);
    if (!error)
        error = originate_all(speaker, attributes, prefixes, n);
    bgp_attributes_release(table, attributes);
    bgp_builder_destroy(builder);
    return error;
}

/* --- AS numbers ------------------------------------------------------------------------------- */

/* What the original refuses: its own, documentation and reserved numbers. */
static bool asn_refused_by_azure(uint32_t asn)
{
    static const struct {
        uint32_t first, last;
    } refused[] = {
        {8074, 8075},   {12076, 12076}, {23456, 23456}, {64496, 64511},
        {65515, 65515}, {65517, 65520}, {65535, 65551},
    };

    for (size_t i = 0; i < sizeof(refused) / sizeof(*refused); i++)
        if (asn >= refused[i].first && asn <= refused[i].last)
            return true;
    return false;
}

const char *fabric_asn_refused(const struct fabric *fabric, uint32_t asn,
                               char text[FABRIC_ASN_TEXT])
{
    if (asn == BGP_AS_TRANS)
        snprintf(text, FABRIC_ASN_TEXT, "%u is reserved (AS_TRANS) and nobody's own", asn);
    else if (fabric->quirks.two_octet_asn && asn > UINT16_MAX)
        snprintf(text, FABRIC_ASN_TEXT, "%u does not fit 16 bits (quirk two_octet_asn)", asn);
    else if (fabric->mode == FABRIC_AZURE && asn_refused_by_azure(asn))
        snprintf(text, FABRIC_ASN_TEXT, "azure mode refuses the reserved number %u", asn);
    else
        return NULL;
    return text;
}
