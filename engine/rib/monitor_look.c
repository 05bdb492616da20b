/*
 * What stands in a table that a collector is told of, looked up at the moment of saying: Adj-RIB-In before
 * and after policy, what was sent to a peer, the Loc-RIB.
 */
#include "engine/rib/monitor_private.h"

/* All that the set has, whoever the peer is. */
static struct rib_outgoing whole(const struct speaker_peer *peer,
                                 const struct bgp_attributes *attributes)
{
    bool internal = attributes->flags & BGP_HAS_LOCAL_PREF || (peer != NULL && peer->internal);

    return (struct rib_outgoing){.attributes = bgp_attributes_hold(attributes),
                                 .export = {.internal = internal, .keep_med = true}};
}

static bool look_up_learned(const struct monitor_view *view, struct rib_entry *entry,
                            uint32_t path_id, struct rib_outgoing *said)
{
    const struct rib_stored_path *path = rib_entry_path(entry, view->peer->index, path_id);

    if (path == NULL || (view->kind == MONITOR_POST_POLICY && path->filter != RIB_CHOSEN))
        return false;
    *said = whole(view->peer, view->kind == MONITOR_POST_POLICY
                                  ? rib_attributes(path)
                                  : bgp_attributes_received(rib_attributes(path)));
    return true;
}

/* With a selection: what was sent last; without path identifiers there is one path. */
static bool look_up_selection(const struct monitor_view *view, uint32_t id, uint32_t path_id,
                              struct rib_outgoing *said)
{
    const struct rib_sent *sent = rib_selection_sent(view->peer, view->family, id);

    for (unsigned i = 0; sent != NULL && i < sent->n; i++) {
        if ((view->with_path_id && sent->paths[i].path_id != path_id) ||
            sent->paths[i].said.attributes == NULL)
            continue;
        *said = sent->paths[i].said;
        bgp_attributes_hold(said->attributes);
        return true;
    }
    return false;
}

static bool look_up_advertised(const struct monitor_view *view, uint32_t id, uint32_t path_id,
                               struct rib_outgoing *said)
{
    const struct speaker_peer *peer = view->peer;
    const struct rib_stored_path *best;

    if (!rib_bitset_test(&peer->tables[view->family].advertised, id))
        return false;
    if (rib_selects(peer, view->family))
        return look_up_selection(view, id, path_id, said);
    best = rib_export_best(peer, view->family, id);
    if (!rib_export_allowed(peer, view->family, best))
        return false; /* waits to be withdrawn */
    if (rib_export_prepare(peer, view->family, id, best, said) == 0)
        return true;
    view->monitor->failed = true;
    return false;
}

/* The speaker is known by what its first session calls it; NULL: it has no address of the family. */
static const struct lpm_address *self_of(const struct monitor_view *view)
{
    const struct speaker *speaker = view->monitor->speaker;

    for (unsigned i = 1; i < speaker->n_peers; i++)
        if (speaker->peers[i]->self[view->family].family != 0)
            return &speaker->peers[i]->self[view->family];
    return NULL;
}

/* An own route without a next hop of ours is announced to nobody, and not told either. */
static bool look_up_best(const struct monitor_view *view, const struct rib_entry *entry,
                         struct rib_outgoing *said)
{
    const struct rib_stored_path *best = rib_best(entry);
    const struct lpm_address *self = self_of(view);
    bool own = best != NULL && rib_attributes(best)->next_hop.family == 0;

    if (best == NULL || (own && self == NULL))
        return false;
    *said = whole(view->monitor->speaker->peers[best->peer], rib_attributes(best));
    if (own)
        said->export.next_hop = *self;
    return true;
}

bool monitor_look_up(const struct monitor_view *view, uint32_t id, uint32_t path_id,
                     struct rib_outgoing *said)
{
    struct rib_entry *entry = rib_table_entry(monitor_table(view), id);

    if (!(entry->flags & RIB_ENTRY_USED))
        return false;
    if (view->kind == MONITOR_LOC_RIB)
        return look_up_best(view, entry, said);
    if (view->kind == MONITOR_ADJ_RIB_OUT)
        return look_up_advertised(view, id, path_id, said);
    return look_up_learned(view, entry, path_id, said);
}
