/*
 * Attributes that a set keeps as bytes and that few ask for: found by a walk over the canonical
 * bytes, which is a handful of headers. What every decision reads is a field of the set instead.
 */
#include <math.h>

#include "engine/bgp/attribute_private.h"

/* Where the value of a type stands; NULL: the set has none. Types ascend. */
static const uint8_t *find(const struct bgp_attributes *attributes, uint8_t type, size_t *length)
{
    for (const uint8_t *at = attributes->bytes, *end = at + attributes->size; at < end;) {
        bool wide = at[0] & ATTRIBUTE_EXTENDED;
        const uint8_t *value = at + (wide ? 4 : 3);
        *length = wide ? bytes_get16(at + 2) : at[2];
        if (at[1] >= type) {
            return at[1] == type ? value : NULL;
        }
        at = value + *length;
    }
    return NULL;
}

uint32_t bgp_attributes_otc(const struct bgp_attributes *attributes)
{
    size_t length;
    const uint8_t *value = find(attributes, ATTRIBUTE_OTC, &length);
    return value != NULL ? bytes_get32(value) : 0;
}

uint32_t bgp_attributes_originator_id(const struct bgp_attributes *attributes)
{
    size_t length;
    const uint8_t *value = find(attributes, ATTRIBUTE_ORIGINATOR_ID, &length);
    return value != NULL ? bytes_get32(value) : 0;
}

bool bgp_attributes_has_cluster(const struct bgp_attributes *attributes, uint32_t cluster_id)
{
    size_t length = 0;
    const uint8_t *value = find(attributes, ATTRIBUTE_CLUSTER_LIST, &length);
    for (size_t at = 0; value != NULL && at + 4 <= length; at += 4) {
        if (bytes_get32(value + at) == cluster_id) {
            return true;
        }
    }
    return false;
}

unsigned bgp_attributes_clusters(const struct bgp_attributes *attributes)
{
    size_t length = 0;
    const uint8_t *value = find(attributes, ATTRIBUTE_CLUSTER_LIST, &length);
    return value != NULL ? (unsigned)(length / 4) : 0;
}

/* --- Communities ------------------------------------------------------------------------------ */

unsigned bgp_attributes_communities(const struct bgp_attributes *attributes)
{
    return attributes->communities.length / community_size(BGP_COMMUNITY) +
           attributes->extended_communities.length / community_size(BGP_EXTENDED_COMMUNITY) +
           attributes->large_communities.length / community_size(BGP_LARGE_COMMUNITY);
}

/* --- Extended communities --------------------------------------------------------------------- */

bool bgp_attributes_has_non_transitive(const struct bgp_attributes *attributes)
{
    const struct bgp_span *span = &attributes->extended_communities;
    for (size_t at = 0; at < span->length; at += 8) {
        if (attributes->bytes[span->offset + at] & EXTENDED_NOT_TRANSITIVE) {
            return true;
        }
    }
    return false;
}

/* Some send it with the transitive bit and mean the same. Octets 4 to 7: bytes a second as an IEEE
 * float. Not a number, none or less: as if it were not there. */
float bgp_attributes_link_bandwidth(const struct bgp_attributes *attributes)
{
    const struct bgp_span *span = &attributes->extended_communities;
    for (size_t at = 0; at < span->length; at += 8) {
        const uint8_t *community = attributes->bytes + span->offset + at;
        uint32_t bits = bytes_get32(community + 4);
        float bandwidth;
        memcpy(&bandwidth, &bits, sizeof bandwidth);
        if ((community[0] & ~EXTENDED_NOT_TRANSITIVE) == 0 &&
            community[1] == EXTENDED_LINK_BANDWIDTH && isfinite(bandwidth) && bandwidth > 0) {
            return bandwidth;
        }
    }
    return 0;
}
