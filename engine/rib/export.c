/*
 * What a peer is sent of a path: whether it may have it, and how the attributes are dressed.
 *
 *                     eBGP, prepending     eBGP, transparent     iBGP
 *   AS_PATH           own ASN 1 + prepend  prepend               untouched
 *   next hop          self                 untouched             untouched
 *   MED               own routes only      untouched             untouched
 *   LOCAL_PREF        absent               absent                present
 *
 * An own route's next hop is self unless it was originated with one. as_override goes before the
 * prepend. The session does the dressing as it encodes (struct bgp_export), so no second set of
 * attributes is kept; only the mark on reflected routes needs one, and that is made when wanted.
 */
#include "engine/rib/internal.h"

#include <string.h>

/* What the route server of azure mode attaches to an NVA's route towards other NVAs. */
#define REFLECTED_COMMUNITY (65517u << 16 | 65517u)

/* Is the next hop replaced by our own address? */
static bool next_hop_is_self(const struct speaker_peer *peer, const struct rib_stored_path *path)
{
    if (path->peer == RIB_LOCAL)
        return path->attributes->next_hop.family == 0;
    return peer->speaker->config.prepend_own_asn && !peer->internal;
}

static bool is_marked(const struct speaker_peer *peer, const struct rib_stored_path *path)
{
    const struct speaker *speaker = peer->speaker;

    return speaker->config.mark_reflected && !peer->internal &&
           peer->config.source == RIB_SOURCE_NVA &&
           rib_path_source(speaker, path) == RIB_SOURCE_NVA;
}

/* A learned path's communities say how far it may go (RFC 1997). An own route may carry them too:
 * they are for whom it is sent to. */
static bool communities_allow(const struct speaker_peer *peer,
                              const struct bgp_attributes *attributes)
{
    if (attributes->reach & BGP_REACH_NO_ADVERTISE)
        return false;
    return peer->internal || !(attributes->reach & BGP_REACH_NO_EXPORT);
}

bool rib_export_is_own(const struct speaker_peer *peer, const struct rib_stored_path *path)
{
    const struct speaker_peer *origin = peer->speaker->peers[path->peer];

    return origin != NULL &&
           lpm_address_equal(&origin->config.peer_address, &peer->config.peer_address);
}

static bool reflection_allowed(const struct speaker_peer *peer, const struct rib_stored_path *path)
{
    const struct speaker *speaker = peer->speaker;

    if (!speaker->config.reflect)
        return false;
    if (speaker->peers[path->peer]->internal && peer->internal)
        return false; /* RFC 4271 9.2: iBGP speakers hear it from the border router itself */
    return communities_allow(peer, path->attributes);
}

bool rib_export_group_allowed(const struct speaker_peer *member, enum bgp_family family,
                              const struct rib_stored_path *path)
{
    const struct lpm_address *next_hop;

    if (path == NULL || !(member->families & BGP_FAMILY_BIT(family)))
        return false;
    if (path->peer != RIB_LOCAL && !reflection_allowed(member, path))
        return false;
    next_hop = next_hop_is_self(member, path) ? &member->self[family] : &path->attributes->next_hop;
    return next_hop->family == bgp_family_info(family)->lpm_family;
}

bool rib_export_allowed(const struct speaker_peer *peer, enum bgp_family family,
                        const struct rib_stored_path *path)
{
    return rib_export_group_allowed(peer, family, path) && !rib_export_is_own(peer, path);
}

/* A peer's own AS counts only where it is replaced: the others' paths are sent with it. */
bool rib_export_same(const struct speaker_peer *a, const struct speaker_peer *b)
{
    const struct bgp_encoding *encoding_a = bgp_session_encoding(a->session);
    const struct bgp_encoding *encoding_b = bgp_session_encoding(b->session);

    for (enum bgp_family family = 0; family < BGP_FAMILY_COUNT; family++)
        if (!lpm_address_equal(&a->self[family], &b->self[family]))
            return false;
    return a->internal == b->internal && a->families == b->families &&
           a->config.source == b->config.source && a->config.prepend == b->config.prepend &&
           a->config.as_override == b->config.as_override &&
           (!a->config.as_override || a->config.asn == b->config.asn) &&
           a->export_policy == b->export_policy &&
           encoding_a->four_octet_as == encoding_b->four_octet_as &&
           encoding_a->message_max == encoding_b->message_max;
}

/* Replaces *attributes, a reference, by the same with the mark, a set of its own. */
static int mark(struct speaker *speaker, const struct bgp_attributes **attributes)
{
    const struct bgp_attributes *plain = *attributes;
    int error;
    const struct bgp_community community = {.kind = BGP_COMMUNITY, .standard = REFLECTED_COMMUNITY};

    bgp_builder_load(speaker->builder, plain);
    bgp_builder_add_community(speaker->builder, &community);
    error = bgp_builder_intern(speaker->builder, speaker->attributes, attributes);
    bgp_attributes_release(speaker->attributes, plain);
    return error;
}

/* What policy gave by hand is sent as it gave it. */
static int apply_policy(const struct speaker_peer *peer, enum bgp_family family, uint32_t id,
                        const struct rib_stored_path *path, struct rib_outgoing *outgoing)
{
    struct rib_policy_outcome outcome;
    int error = rib_export_apply(peer, peer->export_policy, family, id, path, &outcome);

    if (error < 0)
        return error;
    outgoing->attributes = outcome.attributes;
    if (outcome.changed & RIB_SET_NEXT_HOP)
        outgoing->export.next_hop = (struct lpm_address){0};
    if (outcome.changed & RIB_SET_MED)
        outgoing->export.keep_med = true;
    return 0;
}

int rib_export_prepare(const struct speaker_peer *peer, enum bgp_family family, uint32_t id,
                       const struct rib_stored_path *path, struct rib_outgoing *outgoing)
{
    const struct speaker_config *config = &peer->speaker->config;
    struct bgp_export *export = &outgoing->export;
    int error = 0;

    memset(outgoing, 0, sizeof(*outgoing));
    export->internal = peer->internal;
    export->keep_med = path->peer == RIB_LOCAL || !config->prepend_own_asn;
    if (next_hop_is_self(peer, path))
        export->next_hop = peer->self[family];
    if (!peer->internal) {
        export->prepend_asn = config->asn;
        export->prepend_count = (config->prepend_own_asn ? 1 : 0) + peer->config.prepend;
        if (peer->config.as_override) {
            export->replace_from = peer->config.asn;
            export->replace_to = config->asn;
        }
    }
    if (peer->export_policy != NULL)
        error = apply_policy(peer, family, id, path, outgoing);
    else
        outgoing->attributes = bgp_attributes_hold(path->attributes);
    if (error == 0 && is_marked(peer, path))
        error = mark(peer->speaker, &outgoing->attributes);
    return error;
}

/* Without a policy the words follow from the path alone. */
bool rib_export_same_words(const struct speaker_peer *peer, enum bgp_family family, uint32_t id,
                           const struct rib_stored_path *path, const struct rib_outgoing *outgoing)
{
    struct rib_outgoing other;
    bool same;

    if (peer->export_policy == NULL)
        return true;
    if (rib_export_prepare(peer, family, id, path, &other) < 0)
        return false;
    same = other.attributes == outgoing->attributes &&
           other.export.keep_med == outgoing->export.keep_med &&
           lpm_address_equal(&other.export.next_hop, &outgoing->export.next_hop);
    bgp_attributes_release(peer->speaker->attributes, other.attributes);
    return same;
}

/* Orders sets by what is in them, the next hop left out. */
static int compare_bytes(const struct bgp_attributes *a, const struct bgp_attributes *b)
{
    if (a->size != b->size)
        return (int)a->size - (int)b->size;
    return memcmp(a->bytes, b->bytes, a->size);
}

bool rib_export_alike(const struct speaker_peer *peer, const struct rib_stored_path *a,
                      const struct rib_stored_path *b)
{
    if ((a->peer == RIB_LOCAL) != (b->peer == RIB_LOCAL) ||
        is_marked(peer, a) != is_marked(peer, b))
        return false;
    if (a->attributes == b->attributes)
        return true;
    return next_hop_is_self(peer, a) && next_hop_is_self(peer, b) &&
           compare_bytes(a->attributes, b->attributes) == 0;
}

int rib_export_compare(const struct rib_stored_path *a, const struct rib_stored_path *b)
{
    int order;

    if ((a->peer == RIB_LOCAL) != (b->peer == RIB_LOCAL))
        return a->peer == RIB_LOCAL ? -1 : 1;
    if (a->attributes == b->attributes)
        return 0;
    order = compare_bytes(a->attributes, b->attributes);
    if (order != 0)
        return order;
    return lpm_address_compare(&a->attributes->next_hop, &b->attributes->next_hop);
}
