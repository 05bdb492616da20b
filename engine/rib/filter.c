/*
 * Which of the routes that a peer announces are not accepted whatever they say, and what an accepted one is
 * marked with at the border.
 */
#include "engine/rib/internal.h"

#include <string.h>

/* Can the address be that of a router? */
static bool is_unicast(const struct lpm_address *address)
{
    static const uint8_t zero[16], loopback[16] = {[15] = 1};
    uint8_t first = address->bytes[0];

    if (address->family == LPM_IPV4)
        return first != 0 && first != 127 && first < 224;
    return address->family == LPM_IPV6 && first != 0xff &&
           memcmp(address->bytes, zero, sizeof(zero)) != 0 &&
           memcmp(address->bytes, loopback, sizeof(loopback)) != 0;
}

bool rib_next_hop_is_valid(const struct speaker *speaker, const struct lpm_address *next_hop)
{
    for (unsigned i = 0; i < speaker->n_addresses; i++)
        if (lpm_address_equal(&speaker->addresses[i], next_hop))
            return false;
    return is_unicast(next_hop);
}

/* Loopback, link-local, multicast, reserved: a route to them is semantically incorrect NLRI, to be ignored
 * (RFC 4271 6.3). Shorter prefixes that contain them, a default route say, are fine. */
bool rib_is_martian(const struct lpm_prefix *prefix)
{
    static const struct lpm_prefix ranges[] = {
        {LPM_IPV4, 8, {0}},
        {LPM_IPV4, 8, {127}},
        {LPM_IPV4, 16, {169, 254}},
        {LPM_IPV4, 4, {224}}, /* multicast */
        {LPM_IPV4, 4, {240}},
        {LPM_IPV6, 96, {0}},                        /* unspecified, loopback */
        {LPM_IPV6, 96, {[10] = 0xff, [11] = 0xff}}, /* IPv4-mapped */
        {LPM_IPV6, 10, {0xfe, 0x80}},
        {LPM_IPV6, 8, {0xff}}, /* multicast */
    };

    uint8_t first = prefix->bytes[0];

    /* What all but a few prefixes begin with settles it. */
    if (prefix->family == LPM_IPV4 ? first != 0 && first != 127 && first != 169 && first < 224
                                   : first != 0 && first < 0xfe)
        return false;
    for (unsigned i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++)
        if (ranges[i].family == prefix->family && lpm_prefix_covers(&ranges[i], prefix))
            return true;
    return false;
}

/* RFC 4456 section 8. With merged instances the router has several identifiers. */
static bool was_reflected_here(const struct speaker *speaker, const struct speaker_peer *peer,
                               const struct bgp_attributes *attributes)
{
    uint32_t originator = bgp_attributes_originator_id(attributes);

    for (unsigned i = 1; originator != 0 && i < speaker->n_peers; i++)
        if (speaker->peers[i]->config.identifier == originator)
            return true;
    return bgp_attributes_has_cluster(attributes, rib_cluster_id(peer));
}

/* RFC 9234 section 5, ingress: a customer may not send what was meant for customers only, a peer
 * nothing of the kind but its own. */
static bool is_leak(const struct speaker_peer *peer, const struct bgp_attributes *attributes)
{
    uint32_t only_to_customer;

    if (peer->role == BGP_ROLE_NONE)
        return false;
    only_to_customer = bgp_attributes_otc(attributes);
    switch (peer->role) {
    case BGP_ROLE_PROVIDER:
    case BGP_ROLE_RS:
        return only_to_customer != 0;
    case BGP_ROLE_PEER:
        return only_to_customer != 0 && only_to_customer != peer->config.asn;
    default:
        return false;
    }
}

/* From a provider, peer or route server, a route without the mark gets the sender's (RFC 9234
 * section 5). Returns a reference of the caller's own; NULL: no memory. */
const struct bgp_attributes *rib_marked_for_customers(const struct speaker_peer *peer,
                                                      const struct bgp_attributes *attributes)
{
    struct speaker *speaker = peer->speaker;
    const struct bgp_attributes *marked = NULL;
    bool marks = peer->role == BGP_ROLE_CUSTOMER || peer->role == BGP_ROLE_PEER ||
                 peer->role == BGP_ROLE_RS_CLIENT;

    if (!marks || bgp_attributes_otc(attributes) != 0)
        return bgp_attributes_hold(attributes);
    bgp_builder_load(speaker->builder, attributes);
    bgp_builder_set_otc(speaker->builder, peer->config.asn);
    if (bgp_builder_intern(speaker->builder, speaker->attributes, &marked) < 0)
        return NULL;
    return marked;
}

enum rib_verdict rib_filter_of(const struct speaker_peer *peer,
                               const struct bgp_attributes *attributes)
{
    const struct speaker *speaker = peer->speaker;
    const struct speaker_peer_config *config = &peer->config;

    if (bgp_as_path_count(attributes, speaker->config.asn) > config->allow_own_as)
        return RIB_FILTERED_AS_LOOP;
    if (config->max_as_path > 0 && attributes->as_path_length > config->max_as_path)
        return RIB_FILTERED_AS_PATH_LENGTH;
    if (config->max_communities > 0 &&
        bgp_attributes_communities(attributes) > config->max_communities)
        return RIB_FILTERED_COMMUNITIES;
    if (config->check_first_as && !peer->internal && bgp_as_path_first(attributes) != config->asn)
        return RIB_FILTERED_FIRST_AS;
    if (peer->internal && was_reflected_here(speaker, peer, attributes))
        return RIB_FILTERED_REFLECTION_LOOP;
    if (is_leak(peer, attributes))
        return RIB_FILTERED_ROUTE_LEAK;
    if (!rib_next_hop_is_valid(speaker, &attributes->next_hop))
        return RIB_FILTERED_NEXT_HOP;
    return RIB_CHOSEN;
}
