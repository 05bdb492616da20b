/*
 * What a peer is sent of a path: whether it may have it, and how the attributes are dressed.
 *
 *                     eBGP, prepending     eBGP, transparent     iBGP
 *   AS_PATH           own ASN 1 + prepend  prepend               untouched
 *   next hop          self                 untouched             untouched
 *   MED               own routes only      untouched             untouched
 *   LOCAL_PREF        absent               absent                present
 *
 * An internal peer with next_hop_self gets self for what external peers said.
 *
 * An own route's next hop is self unless it was originated with one. as_override goes before the
 * prepend. The session does this dressing as it encodes (struct bgp_export), so no second set of
 * attributes is kept; only the mark on reflected routes needs one, and that is made when wanted.
 */
#include "engine/rib/outbound.h"

#include <string.h>

/* What the route server of azure mode attaches to an NVA's route towards other NVAs. */
#define REFLECTED_COMMUNITY (65517u << 16 | 65517u)

/* Does the peer, an external one, see routes as if we were not there (RFC 7947)? */
static bool is_transparent(const struct speaker_peer *peer)
{
    return peer->config.transparent || !peer->speaker->config.prepend_own_asn;
}

/* Is the next hop replaced by our own address? */
static bool next_hop_is_self(const struct speaker_peer *peer, const struct rib_stored_path *path)
{
    if (path->peer == RIB_LOCAL)
        return rib_attributes(path)->next_hop.family == 0;
    if (peer->internal)
        return peer->config.next_hop_self && !peer->speaker->peers[path->peer]->internal;
    return !is_transparent(peer);
}

/* Our own address as next hop of the family; family 0: none. */
static const struct lpm_address *self_of(const struct speaker_peer *peer, enum bgp_family family)
{
    bool over_ipv6 =
        family == BGP_IPV4_UNICAST && peer->self[family].family == 0 && peer->extended_next_hop;

    return &peer->self[over_ipv6 ? BGP_IPV6_UNICAST : family];
}

/* Can the peer take this next hop for a route of the family? IPv4 routes may have an IPv6 one where
 * that was agreed on (RFC 8950). */
static bool next_hop_fits(const struct speaker_peer *peer, enum bgp_family family,
                          const struct lpm_address *next_hop)
{
    return next_hop->family == bgp_family_info(family)->lpm_family ||
           (next_hop->family == LPM_IPV6 && peer->extended_next_hop);
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

bool rib_export_keeps_next_hop(const struct speaker_peer *peer)
{
    return peer->internal ? !peer->config.next_hop_self : is_transparent(peer);
}

bool rib_export_is_own(const struct speaker_peer *peer, const struct rib_stored_path *path)
{
    const struct speaker_peer *origin = peer->speaker->peers[path->peer];

    if (path->peer == RIB_LOCAL && path->summary)
        return rib_group_summary_is_own(peer, path);

    return origin != NULL && rib_same_horizon(origin, peer);
}

/* RFC 9234 section 5, egress: what is for customers only goes to nobody else. */
static bool role_allows(const struct speaker_peer *peer, const struct bgp_attributes *attributes)
{
    bool upwards = peer->role == BGP_ROLE_CUSTOMER || peer->role == BGP_ROLE_PEER ||
                   peer->role == BGP_ROLE_RS_CLIENT;

    return !upwards || bgp_attributes_otc(attributes) == 0;
}

bool rib_discards(const struct speaker_peer *peer, const struct bgp_attributes *attributes)
{
    return peer->config.accept_blackhole && attributes->communities.length > 0 &&
           bgp_attributes_has_standard(attributes, BGP_BLACKHOLE);
}

static bool reflection_allowed(const struct speaker_peer *peer, const struct rib_stored_path *path)
{
    const struct speaker *speaker = peer->speaker;

    const struct speaker_peer *origin = speaker->peers[path->peer];

    if (speaker->config.withheld[origin->config.source] >> peer->config.source & 1u)
        return false;
    /* What a neighbour wants dropped is dropped here; others would draw its traffic (RFC 7999 3.2). */
    if (rib_discards(origin, rib_attributes(path)))
        return false;
    if (origin->internal && peer->internal) {
        /* RFC 4271 9.2: iBGP speakers hear it from the border router itself; or from us, when one
         * of the two is our client (RFC 4456 section 6). */
        if (!origin->config.reflect_client && !peer->config.reflect_client)
            return false;
    } else if (!speaker->config.reflect) {
        return false;
    }
    return communities_allow(peer, rib_attributes(path)) && role_allows(peer, rib_attributes(path));
}

bool rib_export_group_allowed(const struct speaker_peer *member, enum bgp_family family,
                              const struct rib_stored_path *path)
{
    const struct lpm_address *next_hop;

    if (path == NULL || !(member->families & BGP_FAMILY_BIT(family)))
        return false;
    if (path->peer != RIB_LOCAL && !reflection_allowed(member, path))
        return false;
    /* RFC 9494 section 4.3: who does not know what stale means would take it for a good route. */
    if (path->rank & RIB_RANK_STALE && !(member->long_lived & BGP_FAMILY_BIT(family)))
        return false;
    next_hop =
        next_hop_is_self(member, path) ? self_of(member, family) : &rib_attributes(path)->next_hop;
    return next_hop_fits(member, family, next_hop);
}

bool rib_export_allowed(const struct speaker_peer *peer, enum bgp_family family,
                        const struct rib_stored_path *path)
{
    return rib_export_group_allowed(peer, family, path) && !rib_export_is_own(peer, path);
}

/* The settings that bear on what a peer is sent. A peer's own AS counts only where it is replaced:
 * the others' paths are sent with it. */
static bool configured_alike(const struct speaker_peer_config *a,
                             const struct speaker_peer_config *b)
{
    return a->source == b->source && a->prepend == b->prepend && a->as_override == b->as_override &&
           (!a->as_override || a->asn == b->asn) && a->transparent == b->transparent &&
           a->private_as == b->private_as && a->remove_as_count == b->remove_as_count &&
           (a->remove_as_count == 0 ||
            memcmp(a->remove_as, b->remove_as, a->remove_as_count * sizeof(*a->remove_as)) == 0) &&
           a->reflect_client == b->reflect_client && a->next_hop_self == b->next_hop_self &&
           a->graceful_shutdown == b->graceful_shutdown;
}

bool rib_export_same(const struct speaker_peer *a, const struct speaker_peer *b)
{
    const struct bgp_encoding *encoding_a = bgp_session_encoding(a->session);
    const struct bgp_encoding *encoding_b = bgp_session_encoding(b->session);

    for (enum bgp_family family = 0; family < BGP_FAMILY_COUNT; family++)
        if (!lpm_address_equal(&a->self[family], &b->self[family]))
            return false;
    return a->internal == b->internal && a->families == b->families && a->role == b->role &&
           a->extended_next_hop == b->extended_next_hop && a->selections == 0 &&
           b->selections == 0 && a->long_lived == b->long_lived &&
           rib_cluster_id(a) == rib_cluster_id(b) && configured_alike(&a->config, &b->config) &&
           a->export_policy == b->export_policy && a->config.identifier == b->config.identifier &&
           encoding_a->four_octet_as == encoding_b->four_octet_as &&
           encoding_a->message_max == encoding_b->message_max;
}

/* --- Changes that need a set of their own ----------------------------------------------------- */

/* What depends on the path; all zero: nothing. Compared by same_dress(): a copy need not have the bytes
 * between the fields. */
struct dress {
    uint32_t originator; /* ORIGINATOR_ID of a reflected route (RFC 4456); 0: not reflected */
    bool marked;
    bool stale;  /* says so, unless the peer before us has said it (RFC 9494 section 4.3) */
    bool otc;    /* our ASN as Only to Customer (RFC 9234) */
    bool border; /* non-transitive extended communities stay within the AS (RFC 4360 section 6) */
    bool paths;  /* AS numbers leave the AS_PATH */
};

static bool adds_otc(const struct speaker_peer *peer, const struct bgp_attributes *attributes)
{
    bool downwards =
        peer->role == BGP_ROLE_PROVIDER || peer->role == BGP_ROLE_PEER || peer->role == BGP_ROLE_RS;

    return downwards && bgp_attributes_otc(attributes) == 0;
}

static struct dress dress_of(const struct speaker_peer *peer, const struct rib_stored_path *path,
                             const struct bgp_attributes *attributes)
{
    const struct speaker_peer *origin = peer->speaker->peers[path->peer];
    struct dress dress;

    memset(&dress, 0, sizeof(dress));
    dress.marked = is_marked(peer, path);
    dress.stale = path->rank & RIB_RANK_STALE && !(attributes->reach & BGP_REACH_STALE);
    dress.otc = adds_otc(peer, attributes);
    if (origin != NULL && origin->internal && peer->internal)
        dress.originator = bgp_session_negotiated(origin->session)->peer_identifier;
    if (!peer->internal) {
        dress.border = origin != NULL && bgp_attributes_has_non_transitive(attributes);
        dress.paths =
            peer->config.private_as != RIB_PRIVATE_AS_KEPT || peer->config.remove_as_count > 0;
    }
    return dress;
}

static bool same_dress(const struct dress *a, const struct dress *b)
{
    return a->originator == b->originator && a->marked == b->marked && a->stale == b->stale &&
           a->otc == b->otc && a->border == b->border && a->paths == b->paths;
}

static bool is_dressed(const struct speaker_peer *peer, const struct dress *dress)
{
    static const struct dress plain;

    return peer->config.graceful_shutdown || !same_dress(dress, &plain);
}

static void add_standard(struct bgp_attribute_builder *builder, uint32_t standard)
{
    const struct bgp_community community = {.kind = BGP_COMMUNITY, .standard = standard};

    bgp_builder_add_community(builder, &community);
}

static void edit_path(const struct speaker_peer *peer, struct bgp_attribute_builder *builder)
{
    if (peer->config.private_as == RIB_PRIVATE_AS_REMOVED)
        bgp_builder_remove_private_as(builder);
    else if (peer->config.private_as == RIB_PRIVATE_AS_REPLACED)
        bgp_builder_replace_private_as(builder, peer->speaker->config.asn);
    for (unsigned i = 0; i < peer->config.remove_as_count; i++)
        bgp_builder_remove_as(builder, peer->config.remove_as[i]);
}

/* Replaces *attributes, a reference, by the same in this dress, a set of its own. */
static int put_on(const struct speaker_peer *peer, const struct dress *dress,
                  const struct bgp_attributes **attributes)
{
    const struct bgp_attributes *plain = *attributes;
    struct speaker *speaker = peer->speaker;
    struct bgp_attribute_builder *builder = speaker->builder;
    int error;

    bgp_builder_load(builder, plain);
    if (dress->marked)
        add_standard(builder, REFLECTED_COMMUNITY);
    if (dress->stale)
        add_standard(builder, BGP_LLGR_STALE);
    if (peer->config.graceful_shutdown)
        add_standard(builder, BGP_GRACEFUL_SHUTDOWN);
    if (dress->otc)
        bgp_builder_set_otc(builder, speaker->config.asn);
    if (dress->originator != 0)
        bgp_builder_reflect(builder, dress->originator, rib_cluster_id(peer));
    if (dress->border)
        bgp_builder_clear_non_transitive(builder);
    if (dress->paths)
        edit_path(peer, builder);
    error = bgp_builder_intern(builder, speaker->attributes, attributes);
    bgp_attributes_release(speaker->attributes, plain);
    return error;
}

/* --- The whole -------------------------------------------------------------------------------- */

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
    struct dress dress;
    int error = 0;

    memset(outgoing, 0, sizeof(*outgoing));
    export->internal = peer->internal;
    export->keep_med = path->peer == RIB_LOCAL || is_transparent(peer);
    if (next_hop_is_self(peer, path))
        export->next_hop = *self_of(peer, family);
    if (!peer->internal) {
        export->prepend_asn = config->asn;
        /* A summary is of this speaker's making, so its AS is where the path begins. */
        export->prepend_count =
            (is_transparent(peer) && !path->summary ? 0 : 1) + peer->config.prepend;
        if (peer->config.as_override) {
            export->replace_from = peer->config.asn;
            export->replace_to = config->asn;
        }
    }
    if (peer->export_policy != NULL && !(path->peer == RIB_LOCAL && path->summary))
        error = apply_policy(peer, family, id, path, outgoing);
    else
        outgoing->attributes = bgp_attributes_hold(rib_attributes(path));
    if (error < 0)
        return error;
    dress = dress_of(peer, path, outgoing->attributes);
    return is_dressed(peer, &dress) ? put_on(peer, &dress, &outgoing->attributes) : 0;
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
    struct dress of_a, of_b;

    if ((a->peer == RIB_LOCAL) != (b->peer == RIB_LOCAL))
        return false;
    of_a = dress_of(peer, a, rib_attributes(a));
    of_b = dress_of(peer, b, rib_attributes(b));
    if (!same_dress(&of_a, &of_b))
        return false;
    if (rib_attributes(a) == rib_attributes(b))
        return true;
    return next_hop_is_self(peer, a) && next_hop_is_self(peer, b) &&
           compare_bytes(rib_attributes(a), rib_attributes(b)) == 0;
}

int rib_attributes_compare(const struct bgp_attributes *a, const struct bgp_attributes *b)
{
    int order = compare_bytes(a, b);

    return order != 0 ? order : lpm_address_compare(&a->next_hop, &b->next_hop);
}

int rib_export_compare(const struct rib_stored_path *a, const struct rib_stored_path *b)
{
    if ((a->peer == RIB_LOCAL) != (b->peer == RIB_LOCAL))
        return a->peer == RIB_LOCAL ? -1 : 1;
    if (rib_attributes(a) == rib_attributes(b))
        return 0;
    return rib_attributes_compare(rib_attributes(a), rib_attributes(b));
}
