/*
 * The end of an input: decide every entry that it touched, mark what peers must be told, then tell
 * the handler. Deciding all before telling any is what lets a handler ask about any prefix.
 *
 * A touched entry is decided once, however often it was touched: a withdraw and an announcement of
 * one read, or a peer's death over a prefix that it announced on both instances, is one change.
 */
#include "engine/rib/outbound.h"

#include <stdio.h>

/* Did path, or a twin that it now stands for, have this flag? */
static bool had(const struct speaker *speaker, const struct rib_entry *entry,
                const struct rib_stored_path *path, uint8_t flag)
{
    const struct rib_stored_path *paths = rib_entry_paths_const(entry);

    if (path->flags & flag)
        return true;
    for (unsigned i = 0; i < entry->n_paths; i++)
        if (paths[i].flags & flag && rib_twins(speaker, &paths[i], path))
            return true;
    return false;
}

/* Sets the flags of the paths anew. */
static void write_flags(struct rib_entry *entry, const struct rib_decision *decision)
{
    const struct rib_stored_path *base = rib_entry_paths_const(entry);
    struct rib_stored_path *paths = rib_entry_paths(entry);

    for (unsigned i = 0; i < entry->n_paths; i++)
        paths[i].flags &= RIB_PATH_GENERATION;
    for (unsigned i = 0; i < decision->n; i++)
        paths[decision->chosen[i] - base].flags |= RIB_PATH_CHOSEN | (i == 0 ? RIB_PATH_BEST : 0);
    entry->flags &= (uint8_t) ~(RIB_ENTRY_TOUCHED | RIB_ENTRY_BEST_TOUCHED | RIB_ENTRY_NEIGHBORS);
}

/* Behind an own route stands a choice among the learned paths, of which the flags tell nothing:
 * every change of such an entry counts. There are few of them. */
static bool has_own_route(const struct rib_entry *entry)
{
    const struct rib_stored_path *first = rib_entry_paths_const(entry);

    return entry->n_paths > 1 && first->peer == RIB_LOCAL && !first->summary;
}

/* How many paths the last decision chose, of those that are still there. */
static unsigned chosen_before(const struct rib_entry *entry)
{
    const struct rib_stored_path *paths = rib_entry_paths_const(entry);
    unsigned n = 0;

    for (unsigned i = 0; i < entry->n_paths; i++)
        n += (paths[i].flags & RIB_PATH_CHOSEN) != 0;
    return n;
}

/* Writes the decision into the flags of the paths. *best_changed: another path, or another set of
 * attributes, is to be advertised. Returns whether the handler is to hear of it. */
static bool decide(struct speaker *speaker, struct rib_entry *entry, bool *best_changed)
{
    bool changed = entry->flags & (RIB_ENTRY_TOUCHED | RIB_ENTRY_NEIGHBORS) || has_own_route(entry);
    struct rib_decision decision;

    rib_decide(speaker, entry, &decision);
    *best_changed = entry->flags & RIB_ENTRY_BEST_TOUCHED ||
                    (decision.n > 0 && !had(speaker, entry, decision.chosen[0], RIB_PATH_BEST));
    /* MED can take a path out of the set without putting another one in. */
    changed |= *best_changed || chosen_before(entry) != decision.n;
    for (unsigned i = 0; i < decision.n && !changed; i++)
        changed = !had(speaker, entry, decision.chosen[i], RIB_PATH_CHOSEN);
    write_flags(entry, &decision);
    return changed;
}

/* Decides one entry and marks what follows from it; true when the handler has to be told. */
static bool settle(struct speaker *speaker, enum bgp_family family, uint32_t id)
{
    struct rib_entry *entry = rib_table_entry(&speaker->tables[family], id);
    bool best_changed;
    bool changed = decide(speaker, entry, &best_changed);

    /* An entry that lost its last path has its waiting peers counted, even if its best path went
     * earlier: the count shared its place with a path meanwhile. */
    if (best_changed || entry->n_paths == 0) {
        rib_monitor_best(speaker, family, id);
        rib_mark(speaker, family, id);
    } else {
        rib_mark_filtered(speaker, family, id);
    }
    return changed;
}

void rib_entry_release(struct speaker *speaker, enum bgp_family family, uint32_t id)
{
    struct rib_table *table = &speaker->tables[family];
    const struct rib_entry *entry = rib_table_entry(table, id);

    if (entry->n_paths == 0 && entry->waiting == 0 && !rib_bitset_test(&speaker->dirty[family], id))
        rib_table_remove(table, id);
}

static void tell(struct speaker *speaker, enum bgp_family family, uint32_t id)
{
    const struct speaker_handler *handler = &speaker->config.handler;
    const struct rib_table *table = &speaker->tables[family];
    struct lpm_prefix prefix = rib_entry_prefix(table, rib_table_entry(table, id));

    if (handler->choice_changed != NULL)
        handler->choice_changed(handler->context, &prefix);
}

void rib_touch(struct speaker *speaker, enum bgp_family family, uint32_t id)
{
    if (rib_bitset_set(&speaker->dirty[family], id) >= 0)
        return;
    /* No memory to remember it: decide now. The handler hears of it early, which beats never. */
    if (settle(speaker, family, id))
        tell(speaker, family, id);
    rib_group_summaries_settle(speaker, family);
    rib_spread(speaker, family);
    rib_entry_release(speaker, family, id);
}

/* Settles what is dirty. It stays in the set until all of it is told: an entry without paths may be
 * freed only when the peers that wait for its withdrawal have been counted. */
static void settle_all(struct speaker *speaker, enum bgp_family family)
{
    const struct rib_bitset *dirty = &speaker->dirty[family];

    for (uint32_t id = rib_bitset_next(dirty, 0); id != RIB_BITSET_END;
         id = rib_bitset_next(dirty, id + 1))
        if (settle(speaker, family, id))
            rib_table_entry(&speaker->tables[family], id)->flags |= RIB_ENTRY_CHANGED;
    rib_group_summaries_settle(speaker, family);
    rib_spread(speaker, family);
}

static void tell_all(struct speaker *speaker, enum bgp_family family)
{
    struct rib_bitset *dirty = &speaker->dirty[family];

    for (uint32_t id = rib_bitset_next(dirty, 0); id != RIB_BITSET_END;
         id = rib_bitset_next(dirty, id + 1)) {
        struct rib_entry *entry = rib_table_entry(&speaker->tables[family], id);

        if (entry->flags & RIB_ENTRY_CHANGED) {
            entry->flags &= (uint8_t)~RIB_ENTRY_CHANGED;
            tell(speaker, family, id);
        }
        rib_bitset_clear(dirty, id);
        rib_entry_release(speaker, family, id);
    }
}

void rib_fault(struct speaker_peer *peer, uint8_t cease_subcode, const char *text)
{
    if (peer->fault != 0)
        return; /* the first one is the cause */
    peer->fault = cease_subcode;
    peer->speaker->faults = true;
    snprintf(peer->fault_text, sizeof(peer->fault_text), "%s", text);
}

static void reset(struct speaker_peer *peer)
{
    uint32_t minutes = peer->config.limit.idle_minutes;
    uint64_t pause_ms = minutes == UINT32_MAX ? BGP_PAUSE_FOREVER : minutes * UINT64_C(60000);

    if (peer->fault == BGP_CEASE_MAX_PREFIXES && minutes > 0)
        bgp_session_suspend(peer->session, peer->fault, peer->fault_text, pause_ms,
                            peer->speaker->now_ms);
    else
        bgp_session_reset(peer->session, peer->fault, peer->fault_text, peer->speaker->now_ms);
}

/* Resets the sessions that have a fault. Their routes go, so this comes before settling. */
static void reset_faulty(struct speaker *speaker)
{
    if (!speaker->faults)
        return;
    speaker->faults = false;
    for (unsigned i = 1; i < speaker->n_peers; i++) {
        struct speaker_peer *peer = speaker->peers[i];

        if (peer->fault != 0 && peer->established)
            reset(peer);
        peer->fault = 0;
        peer->fault_text[0] = '\0';
    }
}

static void wake_all(struct speaker *speaker)
{
    while (speaker->wake != NULL) {
        struct speaker_peer *peer = speaker->wake;

        speaker->wake = peer->next_wake;
        peer->to_wake = false;
        if (peer->established)
            bgp_session_updates_pending(peer->session);
    }
}

void rib_finish(struct speaker *speaker)
{
    /* Settling can run out of memory for a peer's marks and so make a fault. A peer that was reset
     * has no marks, so this ends. */
    do {
        reset_faulty(speaker);
        rib_summaries_settle(speaker);
        for (enum bgp_family family = 0; family < BGP_FAMILY_COUNT; family++)
            settle_all(speaker, family);
    } while (speaker->faults);
    for (enum bgp_family family = 0; family < BGP_FAMILY_COUNT; family++)
        tell_all(speaker, family);
    rib_release_held_back(speaker);
    wake_all(speaker);
    rib_policy_scratch_clear(speaker->policy, speaker->attributes);
}
