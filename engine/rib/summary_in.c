/*
 * Summaries on the way in: where import policy makes one route of many that a peer announces.
 *
 *   path of the peer ── mark of the rule ──> struct rib_summary of (peer, rule)   aggregate, counted
 *        (filtered as summarised, or kept)          │ the end of the input
 *                                                   v
 *                                        a path of the peer to the summary's prefix, not in its learned
 *
 * A summary is there while a route contributes. Under which rule a path contributes is in the mark of its
 * attributes (bgp_attributes_mark()), so that nothing more is kept with a path. The mark is the rule's while
 * its policy lives, and a summary holds the policy: while a new policy takes over path by path (RIB_WALK_JUDGE),
 * the old rule's summary and the new one's are there side by side, each of its own paths.
 *
 * Invariant: between two public calls a summary counts exactly the paths of its peer that have its mark and are
 * accepted, and its own path says so.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "engine/rib/aggregate.h"
#include "engine/rib/internal.h"

struct rib_summary {
    struct rib_summary *next;  /* of the peer */
    struct rib_summary *dirty; /* of the speaker; itself: the last one; NULL: not in the list */
    struct speaker_peer *peer;
    struct rib_policy *policy; /* one reference held */
    uint32_t rule;
    uint32_t number; /* names its path */
    struct rib_aggregate aggregate;
    const struct bgp_attributes
        *attributes; /* of its path, which holds the reference; NULL: there is none */
};

/* --- Contributors ----------------------------------------------------------------------------- */

bool rib_summary_has(const struct rib_stored_path *path)
{
    return path->peer != RIB_LOCAL && !path->summary && rib_attributes(path) != NULL &&
           (path->filter == RIB_CHOSEN || path->filter == RIB_FILTERED_SUMMARISED) &&
           bgp_attributes_mark(rib_attributes(path)) != 0;
}

static const struct rib_policy_rule *rule_of(const struct rib_summary *summary)
{
    return rib_policy_rule(summary->policy, summary->rule);
}

static struct rib_summary *find(const struct speaker_peer *peer, uint64_t mark)
{
    struct rib_summary *summary = peer->summaries;

    while (summary != NULL && rib_policy_mark(summary->policy, summary->rule) != mark)
        summary = summary->next;
    return summary;
}

static void soil(struct rib_summary *summary)
{
    struct speaker *speaker = summary->peer->speaker;

    if (summary->dirty != NULL)
        return;
    summary->dirty = speaker->dirty_summaries != NULL ? speaker->dirty_summaries : summary;
    speaker->dirty_summaries = summary;
}

/* Only the peer's present policy gives new marks. */
static struct rib_summary *add(struct speaker_peer *peer, uint64_t mark)
{
    struct rib_summary *summary = calloc(1, sizeof(*summary));

    if (summary == NULL)
        return NULL;
    summary->peer = peer;
    summary->policy = rib_policy_hold(peer->import_policy);
    while (rib_policy_mark(summary->policy, summary->rule) != mark)
        summary->rule++;
    summary->number = ++peer->speaker->summary_numbers;
    summary->next = peer->summaries;
    peer->summaries = summary;
    soil(summary); /* goes again if nothing joins it */
    return summary;
}

int rib_summary_reserve(struct speaker *speaker, const struct rib_stored_path *path)
{
    uint64_t mark = bgp_attributes_mark(rib_attributes(path));
    struct speaker_peer *peer = speaker->peers[path->peer];

    return find(peer, mark) != NULL || add(peer, mark) != NULL ? 0 : -ENOMEM;
}

static struct rib_summary *summary_of(const struct speaker *speaker,
                                      const struct rib_stored_path *path)
{
    struct rib_summary *summary =
        find(speaker->peers[path->peer], bgp_attributes_mark(rib_attributes(path)));

    assert(summary != NULL);
    soil(summary);
    return summary;
}

void rib_summary_join(const struct speaker *speaker, const struct rib_stored_path *path)
{
    rib_aggregate_add(&summary_of(speaker, path)->aggregate, rib_attributes(path),
                      path->rank & RIB_RANK_STALE);
}

void rib_summary_leave(const struct speaker *speaker, const struct rib_stored_path *path)
{
    rib_aggregate_remove(&summary_of(speaker, path)->aggregate, rib_attributes(path),
                         path->rank & RIB_RANK_STALE);
}

/* --- The summary's own path ------------------------------------------------------------------- */

/* That of its contributors; where they differ, the peer that said them all, if it has an address of the
 * family (RFC 4271 has the aggregating speaker here, but a route server forwards nothing). */
static struct lpm_address next_hop_of(const struct rib_summary *summary)
{
    struct lpm_address next_hop = rib_aggregate_next_hop(&summary->aggregate);

    if (next_hop.family == 0 &&
        summary->peer->config.peer_address.family == rule_of(summary)->summary.family)
        next_hop = summary->peer->config.peer_address;
    return next_hop;
}

/* A weight needs something that the set was made of: the same without it. */
static int add_weight(struct speaker *speaker, uint32_t weight,
                      const struct bgp_attributes **attributes)
{
    const struct bgp_attributes *plain = *attributes;
    int error;

    if (weight == 0)
        return 0;
    bgp_builder_set_received(speaker->builder, plain, weight, 0);
    error = bgp_builder_intern(speaker->builder, speaker->attributes, attributes);
    bgp_attributes_release(speaker->attributes, plain);
    return error;
}

static int build(const struct rib_summary *summary, const struct bgp_attributes **attributes)
{
    const struct speaker_peer *peer = summary->peer;
    const struct rib_policy_rule *rule = rule_of(summary);
    struct speaker *speaker = peer->speaker;
    struct lpm_address next_hop = next_hop_of(summary);
    int error;

    rib_aggregate_build(&summary->aggregate, speaker->config.asn, peer->config.identifier, true,
                        speaker->builder);
    bgp_builder_set_next_hop(speaker->builder, &next_hop);
    if (summary->aggregate.with_otc > 0)
        bgp_builder_set_otc(speaker->builder, peer->config.asn);
    rib_policy_change(rule, rule->summary.family, speaker->builder);
    error = bgp_builder_intern(speaker->builder, speaker->attributes, attributes);
    if (error < 0)
        return error;
    return add_weight(speaker, rule->set & RIB_SET_WEIGHT ? rule->weight : 0, attributes);
}

static uint32_t id_of(const struct rib_summary *summary)
{
    const struct lpm_prefix *prefix = &rule_of(summary)->summary;

    return rib_table_find(&summary->peer->speaker->tables[bgp_family_of(prefix)], prefix);
}

/* -EMSGSIZE: what the rule wants of it fits in no message, so there is none. */
static int set_path(struct rib_summary *summary)
{
    struct speaker_peer *peer = summary->peer;
    struct speaker *speaker = peer->speaker;
    const struct rib_aggregate *aggregate = &summary->aggregate;
    const struct lpm_prefix *prefix = &rule_of(summary)->summary;
    enum bgp_family family = bgp_family_of(prefix);
    struct rib_stored_path path = {
        .path_id = summary->number, .peer = peer->index, .summary = 1, .filter = RIB_CHOSEN};
    const struct bgp_attributes *attributes;
    int error = build(summary, &attributes);

    if (error < 0)
        return error;
    rib_set_attributes(&path, attributes);
    path.rank = rib_rank(speaker, peer, attributes);
    if (aggregate->stale == aggregate->n)
        path.rank |= RIB_RANK_STALE;
    if (rib_is_martian(prefix))
        path.filter = RIB_FILTERED_MARTIAN;
    else if (!rib_next_hop_is_valid(speaker, &attributes->next_hop))
        path.filter = RIB_FILTERED_NEXT_HOP;
    error = rib_path_set(speaker, prefix, &path);
    if (error == 0)
        summary->attributes = attributes;
    if (error == 0 && rib_bitset_set(&peer->tables[family].made, id_of(summary)) < 0)
        error = -ENOMEM;
    bgp_attributes_release(speaker->attributes, attributes);
    return error;
}

/* Another rule may have made one of the same prefix. */
static bool has_made(const struct speaker_peer *peer, const struct lpm_prefix *prefix)
{
    for (const struct rib_summary *summary = peer->summaries; summary != NULL;
         summary = summary->next)
        if (summary->attributes != NULL && lpm_prefix_equal(&rule_of(summary)->summary, prefix))
            return true;
    return false;
}

static void take_path_back(struct rib_summary *summary)
{
    struct speaker_peer *peer = summary->peer;
    const struct lpm_prefix *prefix = &rule_of(summary)->summary;

    if (summary->attributes == NULL)
        return;
    summary->attributes = NULL;
    if (!has_made(peer, prefix))
        rib_bitset_clear(&peer->tables[bgp_family_of(prefix)].made, id_of(summary));
    rib_path_remove_summary(peer->speaker, prefix, summary->number);
}

static void free_summary(struct rib_summary *summary)
{
    struct rib_summary **link = &summary->peer->summaries;

    while (*link != summary)
        link = &(*link)->next;
    *link = summary->next;
    rib_policy_release(summary->policy);
    free(summary);
}

static void settle(struct rib_summary *summary)
{
    int error = summary->aggregate.n > 0 ? set_path(summary) : -EMSGSIZE;

    if (error < 0)
        take_path_back(summary);
    if (error == -ENOMEM)
        rib_fault(summary->peer, BGP_CEASE_RESOURCES, "out of memory");
    if (summary->aggregate.n == 0)
        free_summary(summary);
}

void rib_summaries_settle(struct speaker *speaker)
{
    while (speaker->dirty_summaries != NULL) {
        struct rib_summary *summary = speaker->dirty_summaries;

        speaker->dirty_summaries = summary->dirty != summary ? summary->dirty : NULL;
        summary->dirty = NULL;
        settle(summary);
    }
}

void rib_summaries_free(struct speaker_peer *peer)
{
    while (peer->summaries != NULL)
        free_summary(peer->summaries);
}

/* --- Questions -------------------------------------------------------------------------------- */

struct rib_policy_place rib_summary_place(const struct speaker_peer *peer,
                                          const struct lpm_prefix *prefix,
                                          const struct bgp_attributes *attributes)
{
    for (const struct rib_summary *summary = peer->summaries; summary != NULL;
         summary = summary->next)
        if (summary->attributes == attributes &&
            lpm_prefix_equal(&rule_of(summary)->summary, prefix))
            return rib_policy_place(summary->policy, summary->rule);
    return (struct rib_policy_place){0};
}

/* Counts anew, the slow way. */
static bool count_valid(const struct rib_summary *summary)
{
    const struct speaker_peer *peer = summary->peer;
    enum bgp_family family = bgp_family_of(&rule_of(summary)->summary);
    const struct rib_bitset *learned = &peer->tables[family].learned;
    uint64_t mark = rib_policy_mark(summary->policy, summary->rule);
    uint32_t n = 0, stale = 0;

    for (uint32_t id = rib_bitset_next(learned, 0); id != RIB_BITSET_END;
         id = rib_bitset_next(learned, id + 1)) {
        const struct rib_entry *entry = rib_table_entry(&peer->speaker->tables[family], id);
        const struct rib_stored_path *paths = rib_entry_paths_const(entry);

        for (unsigned i = 0; i < entry->n_paths; i++) {
            if (paths[i].peer != peer->index || !rib_summary_has(&paths[i]) ||
                bgp_attributes_mark(rib_attributes(&paths[i])) != mark)
                continue;
            n++;
            stale += (paths[i].rank & RIB_RANK_STALE) != 0;
        }
    }
    return n > 0 && n == summary->aggregate.n && stale == summary->aggregate.stale;
}

bool rib_summaries_valid(const struct speaker_peer *peer)
{
    for (const struct rib_summary *summary = peer->summaries; summary != NULL;
         summary = summary->next)
        if (summary->dirty != NULL || !count_valid(summary))
            return false;
    return true;
}
