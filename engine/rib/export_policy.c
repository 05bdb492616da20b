/*
 * Which path a peer is sent where policy has a say, and what follows when the policy changes.
 *
 *   paths to a prefix, best first ── policy accepts? ──> sent
 *                 └─ no: the next one
 *
 * Only policy passes over a path. What may not be sent for another reason (NO_EXPORT) ends the search, as
 * without a policy: it is still this speaker's choice for that peer. Split horizon comes last, so the
 * search has one result for all peers of an update group.
 */
#include "engine/rib/outbound.h"

#include <stdlib.h>

/* What a peer was, or is to be, told of a prefix, before it is dressed. */
struct told {
    const struct rib_stored_path *path; /* NULL: nothing */
    struct rib_policy_outcome outcome;  /* with a path and a policy */
};

int rib_export_apply(const struct speaker_peer *peer, const struct rib_policy *policy,
                     enum bgp_family family, uint32_t id, const struct rib_stored_path *path,
                     struct rib_policy_outcome *outcome)
{
    struct speaker *speaker = peer->speaker;
    const struct rib_table *table = &speaker->tables[family];
    struct lpm_prefix prefix = rib_entry_prefix(table, rib_table_entry(table, id));
    const struct rib_policy_route route = {.prefix = &prefix,
                                           .attributes = rib_attributes(path),
                                           .source = rib_path_source(speaker, path)};

    return rib_policy_apply(policy, speaker->policy, speaker->builder, speaker->attributes, &route,
                            outcome);
}

const struct rib_stored_path *rib_export_next(const struct rib_entry *entry,
                                              const struct rib_stored_path *last)
{
    const struct rib_stored_path *paths = rib_entry_paths_const(entry);
    const struct rib_stored_path *next = NULL;

    if (last == NULL)
        return rib_best(entry);
    for (unsigned i = 0; i < entry->n_paths; i++) {
        const struct rib_stored_path *path = &paths[i];
        int order = rib_path_order(path, last);
        bool after = order > 0 || (order == 0 && (last->flags & RIB_PATH_BEST || path > last));

        if (path->filter == RIB_CHOSEN && path != last && !(path->flags & RIB_PATH_BEST) && after &&
            (next == NULL || rib_path_order(path, next) < 0))
            next = path;
    }
    return next;
}

/* *told as this policy (NULL: none) wants it; drop the reference in its outcome. */
static int choose(const struct speaker_peer *peer, const struct rib_policy *policy,
                  enum bgp_family family, uint32_t id, struct told *told)
{
    const struct rib_entry *entry = rib_table_entry(&peer->speaker->tables[family], id);

    *told = (struct told){0};
    if (entry->n_paths == 0)
        return 0;
    if (policy == NULL && peer->speaker->config.require_policy && !peer->internal)
        return 0; /* RFC 8212 */
    for (const struct rib_stored_path *path = rib_export_next(entry, NULL);
         rib_export_group_allowed(peer, family, path); path = rib_export_next(entry, path)) {
        int error = 0;

        if (policy != NULL)
            error = rib_export_apply(peer, policy, family, id, path, &told->outcome);
        if (error < 0)
            return error;
        if (policy == NULL || told->outcome.accepted) {
            told->path = path;
            return 0;
        }
    }
    return 0;
}

const struct rib_stored_path *rib_export_best(const struct speaker_peer *peer,
                                              enum bgp_family family, uint32_t id)
{
    const struct rib_entry *entry = rib_table_entry(&peer->speaker->tables[family], id);
    struct told told;

    if (rib_selects(peer, family))
        return rib_selection_best(peer, family, id);
    if (rib_group_summary(peer->group, family, id) != NULL)
        return rib_group_summary(peer->group, family, id);
    if (!rib_export_filtered(peer))
        return rib_best(entry);
    /* Without memory to judge by, nothing is said: a route may not slip past its policy. */
    if (choose(peer, peer->export_policy, family, id, &told) < 0)
        return NULL;
    bgp_attributes_release(peer->speaker->attributes, told.outcome.attributes);
    return told.outcome.suppressed ? NULL : told.path;
}

/* The same, with split horizon. */
static int choose_for(const struct speaker_peer *peer, const struct rib_policy *policy,
                      enum bgp_family family, uint32_t id, struct told *told)
{
    int error = choose(peer, policy, family, id, told);

    if (error == 0 && told->path != NULL &&
        (told->outcome.suppressed || rib_export_is_own(peer, told->path)))
        told->path = NULL;
    return error;
}

/* Would both be sent in the same words? Sets compare by pointer; what policy gave by hand is dressed
 * in another way than what it left. */
static bool same(const struct told *a, const struct told *b)
{
    const struct bgp_attributes *left, *right;

    if (a->path == NULL || b->path == NULL)
        return a->path == b->path;
    left = a->outcome.attributes != NULL ? a->outcome.attributes : rib_attributes(a->path);
    right = b->outcome.attributes != NULL ? b->outcome.attributes : rib_attributes(b->path);
    return a->path == b->path && left == right && a->outcome.changed == b->outcome.changed;
}

static bool is_pending(const struct rib_peer_tables *tables, uint32_t id)
{
    return rib_bitset_test(&tables->pending[RIB_FIRST], id) ||
           rib_bitset_test(&tables->pending[RIB_REFLECTED], id);
}

/* Marks an entry unless the peer was told the same by the former policy already. */
static void mark_difference(struct speaker_peer *peer, enum bgp_family family, uint32_t id)
{
    struct bgp_attribute_table *table = peer->speaker->attributes;
    struct told before, after;
    int error = choose_for(peer, peer->former_export_policy, family, id, &before);
    bool differs = true;

    if (error == 0) {
        error = choose_for(peer, peer->export_policy, family, id, &after);
        if (error == 0) {
            differs = !same(&before, &after);
            bgp_attributes_release(table, after.outcome.attributes);
        }
        bgp_attributes_release(table, before.outcome.attributes);
    }
    if (error < 0)
        rib_fault(peer, BGP_CEASE_RESOURCES, "out of memory");
    else if (differs)
        rib_mark_entry(peer, family, id);
}

void rib_export_compare_policies(struct speaker_peer *peer, enum bgp_family family, uint32_t id)
{
    uint64_t summaries = rib_group_summary_word(peer->group, family, id / 64u);

    rib_summary_note(peer->group, family, id);
    if (is_pending(&peer->tables[family], id) || rib_selects(peer, family) ||
        summaries >> (id % 64u) & 1u)
        rib_mark_entry(peer, family, id); /* it may have to wait in the other turn */
    else
        mark_difference(peer, family, id);
}

/* Into another group. What the former one's summaries told the peer is looked at anew: no policy gives it
 * back when it is asked again. */
static void change_group(struct speaker_peer *peer)
{
    uint32_t *ids[BGP_FAMILY_COUNT];
    size_t n[BGP_FAMILY_COUNT];

    for (enum bgp_family family = 0; family < BGP_FAMILY_COUNT; family++)
        ids[family] = rib_group_summary_ids(peer->group, family, &n[family]);
    rib_group_leave(peer);
    rib_group_join(peer); /* that of the new policy */
    for (enum bgp_family family = 0; family < BGP_FAMILY_COUNT; family++) {
        if (ids[family] == NULL && n[family] > 0)
            rib_fault(peer, BGP_CEASE_RESOURCES, "out of memory");
        for (size_t i = 0; ids[family] != NULL && i < n[family]; i++)
            rib_mark_entry(peer, family, ids[family][i]);
        free(ids[family]);
    }
}

/* While an earlier change is being compared, some ids were told by the policy before it: then all is said
 * again. */
void rib_export_change_policy(struct speaker_peer *peer, struct rib_policy *policy)
{
    struct rib_policy *former = peer->export_policy;
    bool again = rib_walk_runs(peer, RIB_WALK_COMPARE);

    peer->export_policy = rib_policy_hold(policy);
    peer->speaker->n_filtered += (policy != NULL) - (former != NULL);
    rib_walk_stop(peer, RIB_WALK_COMPARE);
    if (peer->established) {
        change_group(peer);
        if (!again)
            peer->former_export_policy = rib_policy_hold(former);
        rib_walk_begin(peer, peer->families, again ? RIB_WALK_MARK : RIB_WALK_COMPARE);
    }
    rib_policy_scratch_clear(peer->speaker->policy, peer->speaker->attributes);
    rib_policy_release(former);
}
