/*
 * Adj-RIB-In: what peers announce becomes paths of entries.
 *
 * What an UPDATE says of all its prefixes (rank, filter) is worked out once per UPDATE. A filtered
 * path is kept, with the reason, so that it can be shown and counted; the decision passes it over.
 */
#include "engine/rib/internal.h"

#include <errno.h>
#include <stdio.h>

/* As many loads as a core has under way at once. */
#define PREFETCH 12u

/* Fills what the peer's words mean to us: attributes after import policy (a reference of the caller's
 * own), filter, rank. Loops and next hops are looked for after policy, which may have taken the own AS
 * out. -ENOMEM. */
static int judge(const struct speaker_peer *peer, const struct lpm_prefix *prefix,
                 const struct bgp_attributes *received, struct rib_stored_path *path)
{
    struct speaker *speaker = peer->speaker;
    const struct rib_policy_route route = {
        .prefix = prefix, .attributes = received, .source = peer->config.source, .import = true};
    struct rib_policy_outcome outcome = {.accepted = true};
    int error = 0;

    if (peer->import_policy != NULL)
        error = rib_policy_apply(peer->import_policy, speaker->policy, speaker->builder,
                                 speaker->attributes, &route, &outcome);
    else if (speaker->config.require_policy && !peer->internal)
        outcome.accepted = false; /* RFC 8212 */
    if (error < 0)
        return error;
    rib_set_attributes(path, outcome.attributes);
    if (rib_attributes(path) == NULL)
        rib_set_attributes(path, bgp_attributes_hold(received));
    if (rib_is_martian(prefix))
        path->filter = RIB_FILTERED_MARTIAN;
    else
        path->filter =
            outcome.accepted ? rib_filter_of(peer, rib_attributes(path)) : RIB_FILTERED_POLICY;
    if (outcome.suppressed && path->filter == RIB_CHOSEN)
        path->filter = RIB_FILTERED_SUMMARISED;
    path->rank = rib_rank(speaker, peer, rib_attributes(path));
    return 0;
}

/* Judges one route and puts it into its place. */
static int take(struct speaker_peer *peer, const struct lpm_prefix *prefix, uint32_t path_id,
                const struct bgp_attributes *received)
{
    struct rib_stored_path path = {.path_id = path_id, .peer = peer->index};
    int error = judge(peer, prefix, received, &path);

    if (error < 0)
        return error;
    error = rib_path_set(peer->speaker, prefix, &path);
    bgp_attributes_release(peer->speaker->attributes, rib_attributes(&path));
    return error;
}

/* Judges one learned path anew. What was stale stays so: the peer has not confirmed it. */
static int take_again(struct speaker_peer *peer, enum bgp_family family, uint32_t id,
                      struct rib_stored_path *path)
{
    struct rib_table *table = &peer->speaker->tables[family];
    struct lpm_prefix prefix = rib_entry_prefix(table, rib_table_entry(table, id));
    struct rib_peer_tables *tables = &peer->tables[family];
    const struct bgp_attributes *received =
        bgp_attributes_hold(bgp_attributes_received(rib_attributes(path)));
    bool doomed = rib_bitset_test(&tables->doomed, id);
    bool stale = rib_bitset_test(&tables->stale, id) && rib_path_is_stale(peer, family, path);
    bool demoted = stale && path->rank & RIB_RANK_STALE;
    uint8_t generation = path->flags & RIB_PATH_GENERATION;
    int error = take(peer, &prefix, path->path_id, received);

    bgp_attributes_release(peer->speaker->attributes, received);
    path->flags = (path->flags & ~RIB_PATH_GENERATION) | generation;
    if (error >= 0 && doomed)
        error = rib_bitset_set(&tables->doomed, id);
    if (error < 0 || !stale)
        return error;
    if (demoted)
        rib_path_demote(peer->speaker, family, id, path);
    return rib_bitset_set(&tables->stale, id);
}

/* Paths are replaced in their places, so the walk over them is not disturbed. */
void rib_judge_again(struct speaker_peer *peer, enum bgp_family family, uint32_t id)
{
    struct rib_entry *entry = rib_table_entry(&peer->speaker->tables[family], id);

    for (unsigned i = 0; i < entry->n_paths; i++)
        if (rib_entry_paths(entry)[i].peer == peer->index && !rib_entry_paths(entry)[i].summary &&
            take_again(peer, family, id, &rib_entry_paths(entry)[i]) < 0)
            rib_fault(peer, BGP_CEASE_RESOURCES, "out of memory");
}

/* Several paths to a prefix are the peer's right, any number of them is not. */
static bool within_path_limit(struct speaker_peer *peer, const struct lpm_prefix *prefix)
{
    struct rib_table *table = &peer->speaker->tables[bgp_family_of(prefix)];
    uint32_t id = rib_table_find(table, prefix);
    char text[sizeof(peer->fault_text)], name[LPM_PREFIX_TEXT];

    if (id == RIB_NO_ENTRY ||
        rib_entry_peer_paths(rib_table_entry(table, id), peer->index) <= RIB_PEER_PATHS_MAX)
        return true;
    snprintf(text, sizeof(text), "more than %u paths to %s", RIB_PEER_PATHS_MAX,
             lpm_prefix_format(prefix, name));
    rib_fault(peer, BGP_CEASE_MAX_PREFIXES, text);
    return false;
}

/* Asks memory for the places of the next n prefixes: finding them one by one, each would wait for its
 * own. */
static void prefetch(const struct speaker_peer *peer, struct bgp_nlri *ahead, unsigned n)
{
    struct lpm_prefix prefix;

    while (n-- > 0 && bgp_nlri_next(ahead, &prefix))
        rib_table_prefetch(&peer->speaker->tables[ahead->family], &prefix);
}

static void announce(struct speaker_peer *peer, struct bgp_nlri announced,
                     const struct bgp_attributes *attributes)
{
    struct rib_stored_path path = {
        .peer = peer->index,
        .filter = rib_filter_of(peer, attributes),
        .rank = rib_rank(peer->speaker, peer, attributes),
    };
    struct bgp_nlri ahead = announced;
    uint8_t filter = path.filter;
    bool judged = peer->import_policy == NULL && !peer->speaker->config.require_policy;
    struct lpm_prefix prefix;
    int error;

    rib_set_attributes(&path, attributes);
    rib_limit_begin(peer);
    prefetch(peer, &ahead, PREFETCH);
    while (peer->fault == 0 && bgp_nlri_next(&announced, &prefix)) {
        prefetch(peer, &ahead, 1);
        if (!rib_limit_admits(peer, &prefix))
            continue;
        path.filter = rib_is_martian(&prefix) ? RIB_FILTERED_MARTIAN : filter;
        path.path_id = announced.path_id;
        if (judged)
            error = rib_path_set(peer->speaker, &prefix, &path);
        else
            error = take(peer, &prefix, announced.path_id, attributes);
        if (error < 0) {
            rib_fault(peer, BGP_CEASE_RESOURCES, "out of memory");
            return;
        }
        if (announced.with_path_id && !within_path_limit(peer, &prefix))
            return;
    }
    rib_limit_warn(peer);
}

void rib_import(struct speaker_peer *peer, const struct bgp_routes *routes)
{
    struct bgp_nlri withdrawn = routes->withdrawn, ahead = withdrawn;
    const struct bgp_attributes *attributes;
    struct lpm_prefix prefix;

    if (peer->fault != 0)
        return;
    prefetch(peer, &ahead, PREFETCH);
    while (bgp_nlri_next(&withdrawn, &prefix)) {
        prefetch(peer, &ahead, 1);
        rib_path_remove(peer->speaker, peer->index, &prefix, withdrawn.path_id);
    }
    if (routes->attributes == NULL)
        return;
    attributes = rib_marked_for_customers(peer, routes->attributes);
    if (attributes == NULL) {
        rib_fault(peer, BGP_CEASE_RESOURCES, "out of memory");
        return;
    }
    announce(peer, routes->announced, attributes);
    bgp_attributes_release(peer->speaker->attributes, attributes);
}
