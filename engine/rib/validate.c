/*
 * speaker_validate(): the invariants of internal.h, checked the slow way.
 */
#include "engine/rib/outbound.h"

static bool stands_before(const struct speaker *speaker, const struct rib_stored_path *a,
                          const struct rib_stored_path *b)
{
    return rib_path_compare(speaker, a, b) < 0;
}

/* Paths stand in order, are held, and carry the flags that the decision gives them. */
static bool paths_valid(const struct speaker *speaker, const struct rib_entry *entry)
{
    const struct rib_stored_path *paths = rib_entry_paths_const(entry);
    struct rib_decision decision;

    rib_decide(speaker, entry, &decision);
    for (unsigned i = 0; i < entry->n_paths; i++) {
        bool chosen = rib_verdict_of(&decision, &paths[i]) == RIB_CHOSEN;
        bool best = decision.n > 0 && decision.chosen[0] == &paths[i];

        if (i > 0 && !stands_before(speaker, &paths[i - 1], &paths[i]))
            return false;
        if (rib_attributes(&paths[i]) == NULL || rib_attributes(&paths[i])->references == 0)
            return false;
        if (chosen != !!(paths[i].flags & RIB_PATH_CHOSEN) ||
            best != !!(paths[i].flags & RIB_PATH_BEST))
            return false;
    }
    return !(entry->flags & (RIB_ENTRY_TOUCHED | RIB_ENTRY_BEST_TOUCHED | RIB_ENTRY_CHANGED |
                             RIB_ENTRY_NEIGHBORS));
}

/* Has a walk yet to come to this id? */
static bool is_ahead(const struct rib_peer_tables *tables, enum rib_walk_kind kind, uint32_t id)
{
    return tables->walks[kind].running && tables->walks[kind].next <= id;
}

/* The peer's marks agree with what it may have. */
static bool marks_valid(const struct speaker_peer *peer, enum bgp_family family, uint32_t id)
{
    const struct rib_peer_tables *tables = &peer->tables[family];
    const struct rib_entry *entry = rib_table_entry(&peer->speaker->tables[family], id);
    bool first = rib_bitset_test(&tables->pending[RIB_FIRST], id);
    bool reflected = rib_bitset_test(&tables->pending[RIB_REFLECTED], id);
    bool advertised = rib_bitset_test(&tables->advertised, id);
    bool kept_back = rib_bitset_test(&tables->kept_back, id);

    if ((rib_entry_peer_paths(entry, peer->index) > 0) != rib_bitset_test(&tables->learned, id))
        return false;
    if (first && reflected)
        return false;
    if (kept_back && (first || reflected || advertised))
        return false;
    if (!peer->established)
        return !first && !reflected && !advertised && !kept_back;
    if (rib_selects(peer, family) && advertised != (rib_selection_sent(peer, family, id) != NULL))
        return false;
    if (is_ahead(tables, RIB_WALK_MARK, id) || is_ahead(tables, RIB_WALK_COMPARE, id))
        return true;
    if (!rib_summary_part_valid(peer->group, family, id))
        return false;
    /* A prefix that it may have can be neither, when its attributes fit in no message. */
    return rib_export_allowed(peer, family, rib_export_best(peer, family, id)) ||
           (first || reflected) == advertised;
}

static bool entry_valid(const struct speaker *speaker, enum bgp_family family, uint32_t id)
{
    const struct rib_table *table = &speaker->tables[family];
    const struct rib_entry *entry = rib_table_entry(table, id);
    struct lpm_prefix prefix = rib_entry_prefix(table, entry);
    uint32_t waiting = 0;

    if (rib_table_find(table, &prefix) != id || !paths_valid(speaker, entry))
        return false;
    for (unsigned i = 1; i < speaker->n_peers; i++) {
        if (!marks_valid(speaker->peers[i], family, id))
            return false;
        waiting += rib_bitset_test(&speaker->peers[i]->tables[family].advertised, id);
    }
    waiting += rib_monitor_holders(speaker, family, id);
    if (entry->n_paths == 0 && rib_may_be_orphan(speaker, family, id))
        return entry->waiting >= waiting;
    return entry->n_paths > 0 || (waiting > 0 && entry->waiting == waiting);
}

/* No bit of a set stands for an entry that is not in use. */
static bool set_valid(const struct rib_table *table, const struct rib_bitset *set)
{
    size_t count = 0;

    for (uint32_t id = rib_bitset_next(set, 0); id != RIB_BITSET_END;
         id = rib_bitset_next(set, id + 1), count++)
        if (id >= table->n_ids || !(rib_table_entry(table, id)->flags & RIB_ENTRY_USED))
            return false;
    return count == set->count;
}

/* What is stale was learned, and there is a reason for it. */
static bool stale_valid(const struct rib_peer_tables *tables)
{
    for (uint32_t id = rib_bitset_next(&tables->stale, 0); id != RIB_BITSET_END;
         id = rib_bitset_next(&tables->stale, id + 1))
        if (!rib_bitset_test(&tables->learned, id) || rib_bitset_test(&tables->doomed, id))
            return false;
    for (uint32_t id = rib_bitset_next(&tables->doomed, 0); id != RIB_BITSET_END;
         id = rib_bitset_next(&tables->doomed, id + 1))
        if (!rib_bitset_test(&tables->learned, id))
            return false;
    return tables->stale.count == 0 || tables->retention != SPEAKER_RETAIN_NONE;
}

static bool summaries_valid(const struct speaker *speaker)
{
    for (const struct rib_group *group = speaker->groups; group != NULL; group = group->next)
        if (!rib_group_summaries_valid(group))
            return false;
    for (unsigned i = 1; i < speaker->n_peers; i++)
        if (!rib_summaries_valid(speaker->peers[i]))
            return false;
    return true;
}

static bool family_valid(const struct speaker *speaker, enum bgp_family family)
{
    const struct rib_table *table = &speaker->tables[family];
    uint32_t used = 0;

    for (uint32_t id = rib_table_next(table, 0); id != RIB_NO_ENTRY;
         id = rib_table_next(table, id + 1), used++)
        if (!entry_valid(speaker, family, id))
            return false;
    for (unsigned i = 1; i < speaker->n_peers; i++) {
        const struct rib_peer_tables *tables = &speaker->peers[i]->tables[family];

        if (!set_valid(table, &tables->stale) || !set_valid(table, &tables->doomed) ||
            !stale_valid(tables))
            return false;
        if (!set_valid(table, &tables->learned) || !set_valid(table, &tables->made) ||
            !set_valid(table, &tables->advertised) || !set_valid(table, &tables->kept_back) ||
            !set_valid(table, &tables->pending[RIB_FIRST]) ||
            !set_valid(table, &tables->pending[RIB_REFLECTED]))
            return false;
    }
    return used == table->used && speaker->dirty[family].count == 0;
}

bool speaker_validate(const struct speaker *speaker)
{
    for (enum bgp_family family = 0; family < BGP_FAMILY_COUNT; family++)
        if (!family_valid(speaker, family))
            return false;
    if (!summaries_valid(speaker))
        return false;
    rib_policy_scratch_clear(speaker->policy, speaker->attributes);
    return bgp_attribute_table_validate(speaker->attributes);
}
