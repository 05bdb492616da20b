/*
 * The decision: which paths to a prefix make the ECMP set, and which one of them is advertised.
 *
 * The order is that of the route server: own routes; paths that are not being drained (RFC 8326); the
 * class by hub routing preference; the shorter AS_PATH; where the class does not count, ExpressRoute
 * before others at equal length; the lower ORIGIN where the speaker compares it. All of that is known
 * when a path arrives, so it is packed into one number there (rib_rank()) and the decision is a search
 * for the lowest number.
 *
 *   rank   23     22        21               20      19..4            3              2..1     0
 *          peer   drained   has preference   class   AS_PATH length   not ER, where  ORIGIN   stale
 *                                                                     it counts
 *
 * Among paths that are drained alike come the weight and the local preference before the rest, the
 * higher first. Nearly no path has either, so they stay in the attributes, and a bit of the rank says
 * where to look. A stale path (RFC 9494) comes after all others, whatever it has.
 *
 * Equals are the ECMP set, each next hop once. MED is compared among them where the speaker is told to:
 * which paths it tells apart depends on the others. The router id does not count. The one
 * best has the shortest CLUSTER_LIST (RFC 4456 section 9) and stays what it was while it is among such
 * equals (RFC 5004: no flapping between equal externals); else it is the first in the order of peers.
 *
 * Twins are paths of one neighbour, heard through both instances, that say the same. They count as
 * one path: the first of them stands for all, and it is no change when another has to.
 */
#include "engine/rib/internal.h"

#define RANK_PEER         (1u << 23)
#define RANK_DRAINED      (1u << 22)
#define RANK_PREFERENCE   (1u << 21)
#define RANK_CLASS_SHIFT  20
#define RANK_LENGTH_SHIFT 4
#define RANK_TIE_SHIFT    3
#define RANK_ORIGIN_SHIFT 1

const char *rib_verdict_text(enum rib_verdict verdict)
{
    static const char *const texts[] = {
        [RIB_CHOSEN] = "chosen",
        [RIB_LOST_WEIGHT] = "lost: lower weight",
        [RIB_LOST_LOCAL_PREF] = "lost: lower local preference",
        [RIB_LOST_PREFERENCE] = "lost: hub routing preference",
        [RIB_LOST_AS_PATH] = "lost: longer AS path",
        [RIB_FILTERED_AS_LOOP] = "filtered: own AS in AS path",
        [RIB_FILTERED_POLICY] = "filtered: policy",
        [RIB_FILTERED_NEXT_HOP] = "filtered: next hop is this router or not a unicast address",
        [RIB_FILTERED_MARTIAN] = "filtered: no unicast route may have this prefix",
        [RIB_DUPLICATE_NEXT_HOP] = "same next hop as a chosen path",
        [RIB_LOST_STALE] = "lost: stale, the peer is gone",
        [RIB_LOST_LIMIT] = "equal, but the ECMP set is full",
        [RIB_LOST_SHUTDOWN] = "lost: drained by graceful shutdown",
        [RIB_LOST_ORIGIN] = "lost: higher origin",
        [RIB_LOST_MED] = "lost: higher MED",
        [RIB_FILTERED_AS_PATH_LENGTH] = "filtered: AS path too long",
        [RIB_FILTERED_COMMUNITIES] = "filtered: too many communities",
        [RIB_FILTERED_SUMMARISED] = "filtered: part of a summary",
        [RIB_FILTERED_FIRST_AS] = "filtered: AS path does not begin with the peer's AS",
        [RIB_FILTERED_REFLECTION_LOOP] = "filtered: reflected by this router before",
        [RIB_FILTERED_ROUTE_LEAK] = "filtered: route leak (Only to Customer)",
    };

    _Static_assert(sizeof(texts) / sizeof(texts[0]) <= 32, "a stored path has five bits for it");
    return (unsigned)verdict < sizeof(texts) / sizeof(texts[0]) ? texts[verdict] : "unknown";
}

bool rib_verdict_filtered(enum rib_verdict verdict)
{
    switch (verdict) {
    case RIB_FILTERED_AS_LOOP:
    case RIB_FILTERED_POLICY:
    case RIB_FILTERED_NEXT_HOP:
    case RIB_FILTERED_MARTIAN:
    case RIB_FILTERED_AS_PATH_LENGTH:
    case RIB_FILTERED_COMMUNITIES:
    case RIB_FILTERED_FIRST_AS:
    case RIB_FILTERED_REFLECTION_LOOP:
    case RIB_FILTERED_ROUTE_LEAK:
    case RIB_FILTERED_SUMMARISED:
        return true;
    default:
        return false;
    }
}

/* 0 wins over 1. */
static uint32_t class_of(enum rib_preference preference, enum rib_source source)
{
    switch (preference) {
    case RIB_PREFER_EXPRESS_ROUTE:
        return source != RIB_SOURCE_EXPRESS_ROUTE;
    case RIB_PREFER_VPN_GATEWAY: /* no knob between VPN and NVA: both before ExpressRoute */
        return source == RIB_SOURCE_EXPRESS_ROUTE;
    case RIB_PREFER_BRANCHES:
        return source == RIB_SOURCE_NVA;
    case RIB_PREFER_AS_PATH:
        break;
    }
    return 0;
}

/* Weight or local preference is not what a path without them has. */
static bool has_preference(const struct bgp_attributes *attributes)
{
    return attributes->local_pref != BGP_DEFAULT_LOCAL_PREF ||
           bgp_attributes_weight(attributes) != 0;
}

/* The neighbour says so, or we were told to drain it. */
static bool is_drained(const struct speaker_peer *peer, const struct bgp_attributes *attributes)
{
    return peer->config.graceful_shutdown ||
           (attributes->communities.length > 0 &&
            bgp_attributes_has_standard(attributes, BGP_GRACEFUL_SHUTDOWN));
}

uint32_t rib_rank(const struct speaker *speaker, const struct speaker_peer *peer,
                  const struct bgp_attributes *attributes)
{
    enum rib_preference preference = speaker->config.preference;
    enum rib_source source;
    uint32_t tie, origin;

    if (peer == NULL)
        return 0;
    source = peer->config.source;
    tie = preference == RIB_PREFER_AS_PATH && source != RIB_SOURCE_EXPRESS_ROUTE;
    origin = speaker->config.compare_origin ? attributes->origin : 0;
    return RANK_PEER | (is_drained(peer, attributes) ? RANK_DRAINED : 0) |
           (has_preference(attributes) ? RANK_PREFERENCE : 0) |
           (attributes->reach & BGP_REACH_STALE ? RIB_RANK_STALE : 0) |
           class_of(preference, source) << RANK_CLASS_SHIFT |
           (uint32_t)attributes->as_path_length << RANK_LENGTH_SHIFT | tie << RANK_TIE_SHIFT |
           origin << RANK_ORIGIN_SHIFT;
}

static int compare_numbers(uint32_t a, uint32_t b)
{
    return (a > b) - (a < b);
}

/* By weight, then by local preference; the higher is better. An own route is before all learned ones
 * and has neither. */
static int compare_weights(const struct rib_stored_path *a, const struct rib_stored_path *b)
{
    if (!((a->rank | b->rank) & RANK_PREFERENCE) || !(a->rank & b->rank & RANK_PEER))
        return 0;
    return compare_numbers(bgp_attributes_weight(rib_attributes(b)),
                           bgp_attributes_weight(rib_attributes(a)));
}

static int compare_local_prefs(const struct rib_stored_path *a, const struct rib_stored_path *b)
{
    if (!((a->rank | b->rank) & RANK_PREFERENCE) || !(a->rank & b->rank & RANK_PEER))
        return 0;
    return compare_numbers(rib_attributes(b)->local_pref, rib_attributes(a)->local_pref);
}

int rib_path_order(const struct rib_stored_path *a, const struct rib_stored_path *b)
{
    int order = compare_numbers(a->rank & RIB_RANK_STALE, b->rank & RIB_RANK_STALE);

    if (order == 0)
        order = compare_numbers(a->rank & RANK_DRAINED, b->rank & RANK_DRAINED);
    if (order == 0)
        order = compare_weights(a, b);
    if (order == 0)
        order = compare_local_prefs(a, b);
    return order != 0 ? order : compare_numbers(a->rank, b->rank);
}

enum rib_source rib_path_source(const struct speaker *speaker, const struct rib_stored_path *path)
{
    return path->peer == RIB_LOCAL ? RIB_SOURCE_LOCAL : speaker->peers[path->peer]->config.source;
}

/* How many next hops a set led by best may have. Equals of an ExpressRoute path are all
 * ExpressRoute, by class or by the tie bit, so looking at one is enough. */
static unsigned set_limit(const struct speaker *speaker, const struct rib_stored_path *best)
{
    unsigned limit = speaker->config.ecmp_max;

    if (speaker->config.single_express_route_path &&
        rib_path_source(speaker, best) == RIB_SOURCE_EXPRESS_ROUTE)
        return 1;
    return limit == 0 || limit > RIB_ECMP_MAX ? RIB_ECMP_MAX : limit;
}

static bool same_next_hop(const struct rib_stored_path *a, const struct rib_stored_path *b)
{
    return rib_attributes(a) == rib_attributes(b) ||
           lpm_address_equal(&rib_attributes(a)->next_hop, &rib_attributes(b)->next_hop);
}

static bool next_hop_chosen(const struct rib_decision *decision, const struct rib_stored_path *path)
{
    for (unsigned i = 0; i < decision->n; i++)
        if (same_next_hop(decision->chosen[i], path))
            return true;
    return false;
}

bool rib_same_neighbor(const struct speaker *speaker, const struct rib_stored_path *a,
                       const struct rib_stored_path *b)
{
    if (a->peer == b->peer || a->peer == RIB_LOCAL || b->peer == RIB_LOCAL)
        return a->peer == b->peer;
    return lpm_address_equal(&speaker->peers[a->peer]->config.peer_address,
                             &speaker->peers[b->peer]->config.peer_address);
}

bool rib_twins(const struct speaker *speaker, const struct rib_stored_path *a,
               const struct rib_stored_path *b)
{
    return rib_attributes(a) == rib_attributes(b) && a->rank == b->rank && a->filter == b->filter &&
           a->peer != RIB_LOCAL && rib_same_neighbor(speaker, a, b);
}

/* Paths of one neighbour stand together, but its twins need not stand side by side. */
static const struct rib_stored_path *first_twin(const struct speaker *speaker,
                                                const struct rib_stored_path *paths,
                                                const struct rib_stored_path *path)
{
    const struct rib_stored_path *first = path;

    for (const struct rib_stored_path *at = path;
         at > paths && rib_same_neighbor(speaker, at - 1, path); at--)
        if (rib_twins(speaker, at - 1, path))
            first = at - 1;
    return first;
}

/* Is the path one to decide about? */
static bool eligible(const struct rib_stored_path *path, bool learned_only)
{
    return path->filter == RIB_CHOSEN && !(learned_only && path->peer == RIB_LOCAL);
}

/* Does another path that is equal so far, and comparable by MED, have a lower one? */
static bool beaten_by_med(const struct speaker *speaker, const struct rib_entry *entry,
                          const struct rib_stored_path *path, bool learned_only)
{
    const struct rib_stored_path *paths = rib_entry_paths_const(entry);
    enum rib_med mode = speaker->config.med;

    for (unsigned i = 0; mode != RIB_MED_IGNORED && i < entry->n_paths; i++)
        if (eligible(&paths[i], learned_only) && rib_path_order(&paths[i], path) == 0 &&
            rib_attributes(&paths[i])->med < rib_attributes(path)->med &&
            (mode == RIB_MED_ALWAYS || bgp_as_path_first(rib_attributes(&paths[i])) ==
                                           bgp_as_path_first(rib_attributes(path))))
            return true;
    return false;
}

/* How many clusters reflected the path on its way (RFC 4456); external peers send no CLUSTER_LIST. */
static unsigned clusters_of(const struct speaker *speaker, const struct rib_stored_path *path)
{
    const struct speaker_peer *peer = speaker->peers[path->peer];

    return peer != NULL && peer->internal ? bgp_attributes_clusters(rib_attributes(path)) : 0;
}

/* Of two equals, does a come before b? The shorter CLUSTER_LIST (RFC 4456 section 9), then the present
 * best. */
static bool leads(const struct speaker *speaker, const struct rib_stored_path *a,
                  const struct rib_stored_path *b)
{
    unsigned of_a = clusters_of(speaker, a), of_b = clusters_of(speaker, b);

    return of_a != of_b ? of_a < of_b : (a->flags & RIB_PATH_BEST) != 0;
}

/* The path that leads: lowest rank, then as leads() says, then the first. NULL: none is usable. */
static const struct rib_stored_path *find_best(const struct speaker *speaker,
                                               const struct rib_entry *entry, bool learned_only)
{
    const struct rib_stored_path *paths = rib_entry_paths_const(entry);
    const struct rib_stored_path *best = NULL;

    for (unsigned i = 0; i < entry->n_paths; i++) {
        int order;

        if (!eligible(&paths[i], learned_only))
            continue;
        order = best != NULL ? rib_path_order(&paths[i], best) : -1;
        if ((order < 0 || (order == 0 && leads(speaker, &paths[i], best))) &&
            !beaten_by_med(speaker, entry, &paths[i], learned_only))
            best = &paths[i];
    }
    return best != NULL ? first_twin(speaker, paths, best) : NULL;
}

static void decide(const struct speaker *speaker, const struct rib_entry *entry, bool learned_only,
                   struct rib_decision *decision)
{
    const struct rib_stored_path *paths = rib_entry_paths_const(entry);
    const struct rib_stored_path *best = find_best(speaker, entry, learned_only);
    unsigned limit;

    decision->speaker = speaker;
    decision->entry = entry;
    decision->learned_only = learned_only;
    decision->n = 0;
    if (best == NULL)
        return;
    decision->chosen[decision->n++] = best;
    limit = set_limit(speaker, best);
    for (unsigned i = 0; i < entry->n_paths && decision->n < limit; i++)
        if (eligible(&paths[i], learned_only) && rib_path_order(&paths[i], best) == 0 &&
            !next_hop_chosen(decision, &paths[i]) &&
            !beaten_by_med(speaker, entry, &paths[i], learned_only))
            decision->chosen[decision->n++] = &paths[i];
}

void rib_decide(const struct speaker *speaker, const struct rib_entry *entry,
                struct rib_decision *decision)
{
    decide(speaker, entry, false, decision);
}

void rib_decide_learned(const struct speaker *speaker, const struct rib_entry *entry,
                        struct rib_decision *decision)
{
    decide(speaker, entry, true, decision);
}

/* What is own and what is not, and the class. */
static uint32_t class_bits(const struct rib_stored_path *path)
{
    return (path->rank & ~RANK_PREFERENCE) >> RANK_CLASS_SHIFT;
}

enum rib_verdict rib_verdict_of(const struct rib_decision *decision,
                                const struct rib_stored_path *path)
{
    const struct rib_stored_path *best;

    if (path->filter != RIB_CHOSEN)
        return path->filter;
    /* Nothing was learned, and this one is our own. */
    if (decision->n == 0)
        return RIB_LOST_PREFERENCE;
    best = decision->chosen[0];
    if ((path->rank & ~best->rank) & RIB_RANK_STALE)
        return RIB_LOST_STALE;
    if ((path->rank & RANK_DRAINED) != (best->rank & RANK_DRAINED) && best->rank & RANK_PEER)
        return RIB_LOST_SHUTDOWN;
    if (compare_weights(path, best) != 0)
        return RIB_LOST_WEIGHT;
    if (compare_local_prefs(path, best) != 0)
        return RIB_LOST_LOCAL_PREF;
    if (class_bits(path) != class_bits(best))
        return RIB_LOST_PREFERENCE;
    if (path->rank >> RANK_LENGTH_SHIFT != best->rank >> RANK_LENGTH_SHIFT)
        return RIB_LOST_AS_PATH;
    if (path->rank >> RANK_TIE_SHIFT != best->rank >> RANK_TIE_SHIFT)
        return RIB_LOST_PREFERENCE;
    if (path->rank != best->rank)
        return RIB_LOST_ORIGIN;
    for (unsigned i = 0; i < decision->n; i++)
        if (decision->chosen[i] == path)
            return RIB_CHOSEN;
    if (next_hop_chosen(decision, path))
        return RIB_DUPLICATE_NEXT_HOP;
    return beaten_by_med(decision->speaker, decision->entry, path, decision->learned_only)
               ? RIB_LOST_MED
               : RIB_LOST_LIMIT;
}

uint32_t rib_cluster_id(const struct speaker_peer *peer)
{
    uint32_t configured = peer->speaker->config.cluster_id;

    return configured != 0 ? configured : peer->config.identifier;
}

const struct rib_stored_path *rib_best(const struct rib_entry *entry)
{
    const struct rib_stored_path *paths = rib_entry_paths_const(entry);

    for (unsigned i = 0; i < entry->n_paths; i++)
        if (paths[i].flags & RIB_PATH_BEST)
            return &paths[i];
    return NULL;
}
