/*
 * Adj-RIB-Out, the way in: what each peer has been sent and what it has yet to be told.
 *
 * Per peer and prefix there are two bits, advertised and pending. A change sets pending and nothing
 * else; what to say is looked up when the peer has room for it (outbound.c). So the latest state
 * wins, and a peer that does not read costs bits, never messages.
 */
#include "engine/rib/internal.h"

#include <stdlib.h>

static void wake(struct speaker_peer *peer)
{
    if (peer->to_wake)
        return;
    peer->to_wake = true;
    peer->next_wake = peer->speaker->wake;
    peer->speaker->wake = peer;
}

/* Marks what follows from path (NULL: none) being the best for entry id. True when the peer has
 * been sent the prefix and may no longer have it. */
static bool mark_peer(struct speaker_peer *peer, enum bgp_family family, uint32_t id,
                      const struct rib_stored_path *path)
{
    struct rib_peer_tables *tables = &peer->tables[family];
    bool allowed = rib_export_allowed(peer, family, path);
    bool withdraw = !allowed && rib_bitset_test(&tables->advertised, id);
    enum rib_turn turn = allowed && path->peer != RIB_LOCAL ? RIB_REFLECTED : RIB_FIRST;

    rib_bitset_clear(&tables->pending[turn == RIB_FIRST ? RIB_REFLECTED : RIB_FIRST], id);
    if (!allowed && !withdraw) {
        rib_bitset_clear(&tables->pending[turn], id);
        return false;
    }
    if (rib_bitset_set(&tables->pending[turn], id) < 0)
        rib_fault(peer, BGP_CEASE_RESOURCES, "out of memory");
    wake(peer);
    return withdraw;
}

void rib_mark(struct speaker *speaker, enum bgp_family family, uint32_t id)
{
    struct rib_entry *entry = rib_table_entry(&speaker->tables[family], id);
    const struct rib_stored_path *best = rib_best(entry);
    uint32_t waiting = 0;

    for (unsigned i = 0; i < speaker->n_established; i++)
        waiting += mark_peer(speaker->established[i], family, id, best);
    if (entry->n_paths == 0)
        entry->waiting = waiting;
}

void rib_mark_table(struct speaker_peer *peer, enum bgp_family family)
{
    const struct rib_table *table = &peer->speaker->tables[family];

    for (uint32_t id = rib_table_next(table, 0); id != RIB_NO_ENTRY;
         id = rib_table_next(table, id + 1))
        mark_peer(peer, family, id, rib_best(rib_table_entry(table, id)));
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

        for (uint32_t id = rib_bitset_next(&tables->advertised, 0); id != RIB_BITSET_END;
             id = rib_bitset_next(&tables->advertised, id + 1))
            rib_stop_waiting(peer->speaker, family, id);
        rib_bitset_free(&tables->advertised);
        for (enum rib_turn turn = 0; turn < RIB_TURNS; turn++) {
            rib_bitset_free(&tables->pending[turn]);
            tables->cursor[turn] = 0;
        }
        tables->end_of_rib_due = false;
        tables->passed = false;
    }
    free(peer->batch.ids);
    peer->batch = (struct rib_batch){0};
}

bool rib_pending(const struct speaker_peer *peer)
{
    for (enum bgp_family family = 0; family < BGP_FAMILY_COUNT; family++)
        if (rib_family_pending(&peer->tables[family]) || peer->tables[family].end_of_rib_due)
            return true;
    return false;
}
