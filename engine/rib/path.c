/*
 * Paths of entries: how one is set, replaced, removed or left behind, and what that makes of its
 * entry until the next decision.
 *
 * A path that is replaced or removed takes its standing (chosen, best) with it, and the entry remembers
 * that it had one, unless a twin stands in for it.
 */
#include "engine/rib/internal.h"

#include <errno.h>

static int compare_peers(const struct speaker *speaker, unsigned a, unsigned b)
{
    const struct speaker_peer *left = speaker->peers[a], *right = speaker->peers[b];
    int order;

    if (a == RIB_LOCAL || b == RIB_LOCAL)
        return (int)a - (int)b;
    order = lpm_address_compare(&left->config.peer_address, &right->config.peer_address);
    if (order == 0)
        order = lpm_address_compare(&left->config.local_address, &right->config.local_address);
    return order != 0 ? order : (int)a - (int)b;
}

/* The order of paths in an entry: by peer, what it said before what was made of that, by identifier. */
int rib_path_compare(const struct speaker *speaker, const struct rib_stored_path *a,
                     const struct rib_stored_path *b)
{
    int order = compare_peers(speaker, a->peer, b->peer);

    if (order == 0)
        order = (int)a->summary - (int)b->summary;
    return order != 0 ? order : (a->path_id > b->path_id) - (a->path_id < b->path_id);
}

/* Where the path belongs. */
static unsigned position_of(const struct speaker *speaker, const struct rib_entry *entry,
                            const struct rib_stored_path *path)
{
    const struct rib_stored_path *paths = rib_entry_paths_const(entry);
    unsigned position = entry->n_paths;

    while (position > 0 && rib_path_compare(speaker, path, &paths[position - 1]) <= 0)
        position--;
    return position;
}

/* Path is about to be replaced or removed: its standing passes to a twin, so that the loss of one
 * instance's session changes nothing; without a twin the choice is touched. */
static void note_touched(const struct speaker *speaker, struct rib_entry *entry,
                         struct rib_stored_path *path)
{
    struct rib_stored_path *paths = rib_entry_paths(entry);

    for (unsigned i = 0; i < entry->n_paths && path->flags & RIB_PATH_STANDING; i++) {
        if (&paths[i] == path || !rib_twins(speaker, &paths[i], path))
            continue;
        paths[i].flags |= path->flags & RIB_PATH_STANDING;
        path->flags &= (uint8_t)~RIB_PATH_STANDING;
    }
    if (path->flags & RIB_PATH_CHOSEN)
        entry->flags |= RIB_ENTRY_TOUCHED;
    if (path->flags & RIB_PATH_BEST)
        entry->flags |= RIB_ENTRY_BEST_TOUCHED;
}

static bool usable(const struct rib_stored_path *path)
{
    return rib_attributes(path) != NULL && path->filter == RIB_CHOSEN;
}

/* The path of its neighbour begins or ends to be usable. That is news, unless the neighbour has
 * another usable one, by the other instance. */
static void note_neighbor(const struct speaker *speaker, struct rib_entry *entry,
                          const struct rib_stored_path *path)
{
    const struct rib_stored_path *paths = rib_entry_paths_const(entry);

    for (unsigned i = 0; i < entry->n_paths; i++)
        if (&paths[i] != path && usable(&paths[i]) && paths[i].peer != RIB_LOCAL &&
            path->peer != RIB_LOCAL &&
            lpm_address_equal(&speaker->peers[paths[i].peer]->config.peer_address,
                              &speaker->peers[path->peer]->config.peer_address))
            return;
    entry->flags |= RIB_ENTRY_NEIGHBORS;
}

static void count_loop(struct speaker *speaker, const struct rib_stored_path *path, int change)
{
    if (path->filter == RIB_FILTERED_AS_LOOP)
        speaker->peers[path->peer]->as_loop += (size_t)change;
}

/* The place of a path of this name in entry id, all zero when it is new; NULL: no memory. */
static struct rib_stored_path *path_place(struct speaker *speaker,
                                          const struct rib_stored_path *named,
                                          enum bgp_family family, uint32_t id)
{
    struct rib_entry *entry = rib_table_entry(&speaker->tables[family], id);
    struct rib_stored_path *path = named->summary
                                       ? rib_entry_summary(entry, named->path_id)
                                       : rib_entry_path(entry, named->peer, named->path_id);
    struct rib_bitset *learned = NULL;
    int added = 0;

    if (path != NULL)
        return path;
    if (named->peer != RIB_LOCAL && !named->summary)
        learned = &speaker->peers[named->peer]->tables[family].learned;
    if (learned != NULL)
        added = rib_bitset_set(learned, id);
    if (added < 0)
        return NULL;
    path = rib_entry_insert(entry, position_of(speaker, entry, named));
    if (path == NULL && added > 0)
        rib_bitset_clear(learned, id);
    return path;
}

/* The peer says it, or says it again. Of several paths to a prefix each is confirmed for itself, and the
 * mark of the prefix stays until the others are looked at. */
static void confirm(struct speaker *speaker, const struct rib_stored_path *said,
                    enum bgp_family family, uint32_t id, struct rib_stored_path *path)
{
    struct rib_peer_tables *tables;

    if (said->peer == RIB_LOCAL || said->summary)
        return;
    tables = &speaker->peers[said->peer]->tables[family];
    path->flags = (path->flags & ~RIB_PATH_GENERATION) | tables->generation;
    if (tables->stale_by_path)
        return;
    if (tables->doomed.count > 0)
        rib_bitset_clear(&tables->doomed, id);
    if (tables->stale.count > 0)
        rib_bitset_clear(&tables->stale, id);
}

/* Takes what is said of the path over into its place. */
static void replace(struct speaker *speaker, enum bgp_family family, uint32_t id,
                    const struct rib_stored_path *path, struct rib_stored_path *place)
{
    struct rib_entry *entry = rib_table_entry(&speaker->tables[family], id);
    const struct bgp_attributes *old = rib_attributes(place);
    uint8_t flags = place->flags; /* what the path was stays known until the decision */
    bool was_usable = usable(place);

    if (rib_summary_has(place))
        rib_summary_leave(speaker, place);
    if (old != NULL) {
        note_touched(speaker, entry, place);
        flags = place->flags;
        count_loop(speaker, place, -1);
    }
    *place = *path;
    place->flags = flags;
    if (was_usable != usable(place))
        note_neighbor(speaker, entry, place);
    bgp_attributes_hold(rib_attributes(place));
    bgp_attributes_release(speaker->attributes, old);
    count_loop(speaker, place, 1);
    if (rib_summary_has(place))
        rib_summary_join(speaker, place);
}

int rib_path_set(struct speaker *speaker, const struct lpm_prefix *prefix,
                 const struct rib_stored_path *path)
{
    enum bgp_family family = bgp_family_of(prefix);
    uint32_t id = rib_table_obtain(&speaker->tables[family], prefix);
    const struct bgp_attributes *old;
    struct rib_stored_path *place;
    bool received;

    if (id == RIB_NO_ENTRY)
        return -ENOMEM;
    speaker->cause = path->peer;
    speaker->cause_is_withdrawal = false;
    if (!rib_summary_has(path) || rib_summary_reserve(speaker, path) == 0)
        place = path_place(speaker, path, family, id);
    else
        place = NULL;
    if (place == NULL) {
        rib_entry_release(speaker, family, id);
        return -ENOMEM;
    }
    confirm(speaker, path, family, id, place);
    old = rib_attributes(place);
    if (old == rib_attributes(path) && place->filter == path->filter && place->rank == path->rank)
        return 0;
    received = old == NULL ||
               bgp_attributes_received(old) != bgp_attributes_received(rib_attributes(path));
    replace(speaker, family, id, path, place);
    if (!path->summary)
        rib_monitor_path(speaker, path->peer, family, id, received);
    rib_touch(speaker, family, id);
    return 0;
}

static void erase(struct speaker *speaker, enum bgp_family family, uint32_t id,
                  struct rib_stored_path *path)
{
    struct rib_entry *entry = rib_table_entry(&speaker->tables[family], id);

    speaker->cause = path->peer;
    speaker->cause_is_withdrawal = true;
    if (!path->summary)
        rib_monitor_path(speaker, path->peer, family, id, true);
    if (rib_summary_has(path))
        rib_summary_leave(speaker, path);
    note_touched(speaker, entry, path);
    if (usable(path))
        note_neighbor(speaker, entry, path);
    count_loop(speaker, path, -1);
    bgp_attributes_release(speaker->attributes, rib_attributes(path));
    rib_entry_erase(entry, path);
    if (entry->n_paths == 0)
        entry->waiting = 0; /* counted by rib_mark() when the entry is settled */
    rib_touch(speaker, family, id);
}

/* The peer has no path to entry id any more. */
static void forget_id(struct speaker_peer *peer, enum bgp_family family, uint32_t id)
{
    struct rib_peer_tables *tables = &peer->tables[family];

    rib_bitset_clear(&tables->learned, id);
    rib_bitset_clear(&tables->stale, id);
    rib_bitset_clear(&tables->doomed, id);
}

bool rib_path_remove(struct speaker *speaker, unsigned index, const struct lpm_prefix *prefix,
                     uint32_t path_id)
{
    enum bgp_family family = bgp_family_of(prefix);
    uint32_t id = rib_table_find(&speaker->tables[family], prefix);
    struct rib_stored_path *path;
    struct rib_entry *entry;

    if (id == RIB_NO_ENTRY)
        return false;
    entry = rib_table_entry(&speaker->tables[family], id);
    path = rib_entry_path(entry, (uint16_t)index, path_id);
    if (path == NULL)
        return false;
    if (index != RIB_LOCAL)
        speaker->peers[index]->withdrawn += usable(path);
    if (index != RIB_LOCAL && rib_entry_peer_paths(entry, (uint16_t)index) == 1)
        forget_id(speaker->peers[index], family, id);
    erase(speaker, family, id, path);
    return true;
}

void rib_path_remove_summary(struct speaker *speaker, const struct lpm_prefix *prefix,
                             uint32_t number)
{
    enum bgp_family family = bgp_family_of(prefix);
    uint32_t id = rib_table_find(&speaker->tables[family], prefix);

    erase(speaker, family, id,
          rib_entry_summary(rib_table_entry(&speaker->tables[family], id), number));
}

bool rib_path_is_stale(const struct speaker_peer *peer, enum bgp_family family,
                       const struct rib_stored_path *path)
{
    const struct rib_peer_tables *tables = &peer->tables[family];

    return path->peer == peer->index && !path->summary &&
           (!tables->stale_by_path || (path->flags & RIB_PATH_GENERATION) != tables->generation);
}

/* From the last to the first: erasing moves those behind. */
void rib_stale_remove(struct speaker_peer *peer, enum bgp_family family, uint32_t id)
{
    struct rib_entry *entry = rib_table_entry(&peer->speaker->tables[family], id);
    unsigned i = entry->n_paths;

    while (i-- > 0)
        if (rib_path_is_stale(peer, family, &rib_entry_paths(entry)[i]))
            erase(peer->speaker, family, id, &rib_entry_paths(entry)[i]);
    rib_bitset_clear(&peer->tables[family].stale, id);
    rib_bitset_clear(&peer->tables[family].doomed, id);
    if (rib_entry_peer_paths(entry, peer->index) == 0)
        forget_id(peer, family, id);
}

void rib_paths_remove(struct speaker_peer *peer, enum bgp_family family, uint32_t id)
{
    struct rib_entry *entry = rib_table_entry(&peer->speaker->tables[family], id);
    unsigned i = entry->n_paths;

    while (i-- > 0)
        if (rib_entry_paths(entry)[i].peer == peer->index && !rib_entry_paths(entry)[i].summary)
            erase(peer->speaker, family, id, &rib_entry_paths(entry)[i]);
    forget_id(peer, family, id);
}

void rib_path_demote(struct speaker *speaker, enum bgp_family family, uint32_t id,
                     struct rib_stored_path *path)
{
    if (path->rank & RIB_RANK_STALE)
        return;
    note_touched(speaker, rib_table_entry(&speaker->tables[family], id), path);
    if (rib_summary_has(path))
        rib_summary_leave(speaker, path);
    path->rank |= RIB_RANK_STALE;
    if (rib_summary_has(path))
        rib_summary_join(speaker, path);
    rib_touch(speaker, family, id);
}

void rib_stale_demote(struct speaker_peer *peer, enum bgp_family family, uint32_t id)
{
    struct rib_entry *entry = rib_table_entry(&peer->speaker->tables[family], id);
    unsigned i = entry->n_paths;

    while (i-- > 0) {
        struct rib_stored_path *path = &rib_entry_paths(entry)[i];

        if (!rib_path_is_stale(peer, family, path))
            continue;
        if (rib_attributes(path)->reach & BGP_REACH_NOT_LONG_LIVED)
            erase(peer->speaker, family, id, path);
        else
            rib_path_demote(peer->speaker, family, id, path);
    }
    if (rib_entry_peer_paths(entry, peer->index) == 0)
        forget_id(peer, family, id);
}
