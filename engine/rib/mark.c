/*
 * Adj-RIB-Out, the way in: what each peer has been sent and what it has yet to be told.
 *
 * Per peer and prefix there are two bits, advertised and pending. A change sets pending and nothing
 * else; what to say is looked up when the peer has room for it (outbound.c). So the latest state
 * wins, and a peer that does not read costs bits, never messages.
 *
 *   decision --rib_mark()--> group: tell | withhold --rib_spread()--> each member: pending
 *              once an id, a group                    64 ids a step
 */
#include "engine/rib/outbound.h"

static void wake(struct speaker_peer *peer)
{
    if (peer->to_wake)
        return;
    peer->to_wake = true;
    peer->next_wake = peer->speaker->wake;
    peer->speaker->wake = peer;
}

static void out_of_memory(struct speaker_peer *peer)
{
    rib_fault(peer, BGP_CEASE_RESOURCES, "out of memory");
}

/* --- One id ----------------------------------------------------------------------------------- */

static void note(struct rib_group *group, struct rib_bitset *set, uint32_t id)
{
    if (rib_bitset_set(set, id) >= 0)
        return;
    for (struct speaker_peer *peer = group->members; peer != NULL; peer = peer->next_member)
        out_of_memory(peer);
}

/* A summary may be of a peer's own routes alone, which is asked of reflected ones only. */
static enum rib_turn turn_of(const struct rib_stored_path *path)
{
    return path->peer == RIB_LOCAL && !path->summary ? RIB_FIRST : RIB_REFLECTED;
}

/* Notes what follows for a group from path being its choice. */
static void note_choice(struct rib_group *group, enum bgp_family family, uint32_t id,
                        const struct rib_stored_path *path)
{
    if (!rib_export_group_allowed(group->members, family, path))
        note(group, &group->withhold[family], id);
    else
        note(group, &group->tell[family][turn_of(path)], id);
}

/* It may have been noted in this input already, before a summary stood in its place. */
void rib_mark_choice(struct rib_group *group, enum bgp_family family, uint32_t id)
{
    rib_bitset_clear(&group->tell[family][RIB_FIRST], id);
    rib_bitset_clear(&group->tell[family][RIB_REFLECTED], id);
    rib_bitset_clear(&group->withhold[family], id);
    note_choice(group, family, id, rib_export_best(group->members, family, id));
}

void rib_mark(struct speaker *speaker, enum bgp_family family, uint32_t id)
{
    struct rib_entry *entry = rib_table_entry(&speaker->tables[family], id);

    if (entry->n_paths == 0)
        entry->waiting = rib_monitor_waiting(speaker, family, id); /* rib_spread() adds peers */
    for (struct rib_group *group = speaker->groups; group != NULL; group = group->next) {
        rib_summary_note(group, family, id);
        note_choice(group, family, id, rib_export_best(group->members, family, id));
    }
}

void rib_mark_filtered(struct speaker *speaker, enum bgp_family family, uint32_t id)
{
    const struct rib_stored_path *best;

    if (speaker->n_filtered + speaker->n_selecting == 0)
        return;
    best = rib_best(rib_table_entry(&speaker->tables[family], id));
    for (struct rib_group *group = speaker->groups; group != NULL; group = group->next) {
        const struct rib_stored_path *choice = rib_export_best(group->members, family, id);

        rib_summary_note(group, family, id);
        if (choice != best || rib_selects(group->members, family))
            note_choice(group, family, id, choice);
    }
}

/* --- Words of ids ----------------------------------------------------------------------------- */

/* The ids of bits are to be announced in this turn. */
static void tell_word(struct speaker_peer *peer, enum bgp_family family, enum rib_turn turn,
                      uint32_t word, uint64_t bits)
{
    struct rib_bitset *pending = peer->tables[family].pending;

    rib_bitset_remove_word(&peer->tables[family].kept_back, word, bits);
    rib_bitset_remove_word(&pending[turn == RIB_FIRST ? RIB_REFLECTED : RIB_FIRST], word, bits);
    if (rib_bitset_add_word(&pending[turn], word, bits) < 0)
        out_of_memory(peer);
}

/* The peer may not have what the ids of bits stand for: what it was sent of them is withdrawn. */
static void withhold_word(struct speaker_peer *peer, enum bgp_family family, uint32_t word,
                          uint64_t bits)
{
    const struct rib_table *table = &peer->speaker->tables[family];
    struct rib_peer_tables *tables = &peer->tables[family];
    uint64_t sent = bits & rib_bitset_word(&tables->advertised, word);

    rib_bitset_remove_word(&tables->pending[RIB_REFLECTED], word, bits);
    rib_bitset_remove_word(&tables->pending[RIB_FIRST], word, bits & ~sent);
    rib_bitset_remove_word(&tables->kept_back, word, bits);
    if (rib_bitset_add_word(&tables->pending[RIB_FIRST], word, sent) < 0)
        out_of_memory(peer);
    for (; sent != 0; sent &= sent - 1) {
        struct rib_entry *entry =
            rib_table_entry(table, word * 64u + (uint32_t)__builtin_ctzll(sent));

        entry->waiting += entry->n_paths == 0;
    }
}

/* Those of bits whose best path is of the peer's own announcing. It has learned them, by this session
 * or by the one with the other instance, or they are summaries; so most words need no look at an entry. */
static uint64_t own_bits(const struct speaker_peer *peer, enum bgp_family family, uint32_t word,
                         uint64_t bits)
{
    const struct speaker_peer *session = peer;
    uint64_t learned = 0, own = 0;

    do {
        learned |= rib_bitset_word(&session->tables[family].learned, word) |
                   rib_bitset_word(&session->tables[family].made, word);
        session = session->sibling;
    } while (session != peer);
    learned |= rib_group_summary_word(peer->group, family, word);
    for (bits &= learned; bits != 0; bits &= bits - 1) {
        uint32_t id = word * 64u + (uint32_t)__builtin_ctzll(bits);

        if (rib_export_is_own(peer, rib_export_best(peer, family, id)))
            own |= bits & -bits;
    }
    return own;
}

/* --- Groups ----------------------------------------------------------------------------------- */

static void spread_to(struct speaker_peer *peer, enum bgp_family family)
{
    const struct rib_group *group = peer->group;
    const struct rib_bitset *set;
    uint32_t word;

    for (enum rib_turn turn = 0; turn < RIB_TURNS; turn++) {
        set = &group->tell[family][turn];
        for (word = rib_bitset_next_word(set, 0); word != RIB_BITSET_END;
             word = rib_bitset_next_word(set, word + 1)) {
            uint64_t bits = rib_bitset_word(set, word);
            uint64_t own = turn == RIB_REFLECTED ? own_bits(peer, family, word, bits) : 0;

            tell_word(peer, family, turn, word, bits & ~own);
            withhold_word(peer, family, word, own);
        }
    }
    set = &group->withhold[family];
    for (word = rib_bitset_next_word(set, 0); word != RIB_BITSET_END;
         word = rib_bitset_next_word(set, word + 1))
        withhold_word(peer, family, word, rib_bitset_word(set, word));
    wake(peer);
}

/* What is kept for ids of the set is void. */
static void expire(struct rib_group *group, enum bgp_family family, const struct rib_bitset *set)
{
    for (uint32_t word = rib_bitset_next_word(set, 0); word != RIB_BITSET_END;
         word = rib_bitset_next_word(set, word + 1)) {
        uint64_t bits = rib_bitset_word(set, word);

        rib_batch_expire(group, family, word * 64u + (uint32_t)__builtin_ctzll(bits),
                         word * 64u + 63u - (uint32_t)__builtin_clzll(bits));
    }
}

void rib_spread(struct speaker *speaker, enum bgp_family family)
{
    for (struct rib_group *group = speaker->groups; group != NULL; group = group->next) {
        struct rib_bitset *sets[] = {&group->tell[family][RIB_FIRST],
                                     &group->tell[family][RIB_REFLECTED], &group->withhold[family]};

        if (sets[0]->count + sets[1]->count + sets[2]->count == 0)
            continue;
        for (unsigned i = 0; group->batches != NULL && i < 3; i++)
            expire(group, family, sets[i]);
        for (struct speaker_peer *peer = group->members; peer != NULL; peer = peer->next_member)
            spread_to(peer, family);
        for (unsigned i = 0; i < 3; i++)
            rib_bitset_empty(sets[i]);
    }
}

/* Withdraws what the peer was sent of an id. Without paths it waits for that already, and is counted. */
static void remind_withheld(struct speaker_peer *peer, enum bgp_family family, uint32_t id)
{
    struct rib_peer_tables *tables = &peer->tables[family];

    rib_bitset_clear(&tables->pending[RIB_REFLECTED], id);
    rib_bitset_clear(&tables->kept_back, id);
    if (!rib_bitset_test(&tables->advertised, id))
        rib_bitset_clear(&tables->pending[RIB_FIRST], id);
    else if (rib_bitset_set(&tables->pending[RIB_FIRST], id) < 0)
        out_of_memory(peer);
}

void rib_mark_entry(struct speaker_peer *peer, enum bgp_family family, uint32_t id)
{
    const struct rib_stored_path *best = rib_export_best(peer, family, id);
    uint64_t bit = UINT64_C(1) << (id % 64u);

    if (!rib_export_allowed(peer, family, best))
        remind_withheld(peer, family, id);
    else
        tell_word(peer, family, turn_of(best), id / 64u, bit);
    wake(peer);
}

void rib_stop_waiting(struct speaker *speaker, enum bgp_family family, uint32_t id)
{
    struct rib_entry *entry = rib_table_entry(&speaker->tables[family], id);

    /* While an entry is dirty its count is not valid yet; rib_mark() will make it. */
    if (entry->n_paths != 0 || rib_bitset_test(&speaker->dirty[family], id))
        return;
    entry->waiting--;
    rib_entry_release(speaker, family, id);
}

void rib_forget_advertised(struct speaker_peer *peer)
{
    for (enum bgp_family family = 0; family < BGP_FAMILY_COUNT; family++) {
        struct rib_peer_tables *tables = &peer->tables[family];

        rib_leave_marks(peer, family);
        for (enum rib_turn turn = 0; turn < RIB_TURNS; turn++)
            tables->cursor[turn] = 0;
        tables->end_of_rib_due = false;
        tables->passed = false;
        tables->refresh = RIB_REFRESH_NONE;
        tables->refresh_again = false;
    }
    rib_walk_stop(peer, RIB_WALK_MARK);
    rib_walk_stop(peer, RIB_WALK_COMPARE);
    rib_batch_drop(peer);
    rib_selection_forget(peer);
    rib_ceiling_forget(peer);
}

bool rib_pending(const struct speaker_peer *peer)
{
    for (enum bgp_family family = 0; family < BGP_FAMILY_COUNT; family++)
        if (rib_still_to_say(&peer->tables[family]) || peer->tables[family].end_of_rib_due ||
            peer->tables[family].refresh != RIB_REFRESH_NONE)
            return true;
    return peer->items_at < peer->n_items;
}
