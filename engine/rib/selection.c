/*
 * Peers with a selection of their own: those that take several paths to a prefix (RFC 7911), and
 * transparent ones, which get the best path that they may have where others get the best or nothing
 * (RFC 7947 section 2.3: no path is hidden by another client's).
 *
 *   pending ids --load--> what the peer should have  -  what it was sent (sent[id])  =  items --> UPDATEs
 *
 * A path keeps its identifier from its announcement to its withdrawal. Items are made of up to a
 * batch of ids at a time and written whole before the next batch, so a slow peer costs one batch and
 * a bit per prefix. New paths go out before old ones are withdrawn: the peer is never without.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/rib/outbound.h"

/* --- What the peer should have ---------------------------------------------------------------- */

struct selection {
    unsigned n;
    const struct rib_stored_path *paths[RIB_PEER_PATHS_MAX];
};

static unsigned selection_limit(const struct speaker_peer *peer, enum bgp_family family)
{
    unsigned limit = peer->config.add_path_max;

    if (!(bgp_session_encoding(peer->session)->add_path & BGP_FAMILY_BIT(family)) || limit == 0)
        return 1;
    return limit < RIB_PEER_PATHS_MAX ? limit : RIB_PEER_PATHS_MAX;
}

/* In the order of the decision; among equals the best, then the chosen, then the order of peers. */
static bool is_better(const struct rib_stored_path *a, const struct rib_stored_path *b)
{
    const uint8_t standing = RIB_PATH_BEST | RIB_PATH_CHOSEN;
    int order = rib_path_order(a, b);

    return order < 0 || (order == 0 && (a->flags & standing) > (b->flags & standing));
}

/* A twin says nothing new. */
static bool is_new(const struct speaker *speaker, const struct selection *selection,
                   const struct rib_stored_path *path)
{
    for (unsigned i = 0; i < selection->n; i++)
        if (selection->paths[i] == path || rib_twins(speaker, selection->paths[i], path))
            return false;
    return true;
}

/* May the peer have the path, by its export policy too? Without memory to judge by it may not: a route
 * may not slip past its policy. */
static bool is_accepted(const struct speaker_peer *peer, enum bgp_family family, uint32_t id,
                        const struct rib_stored_path *path)
{
    struct rib_policy_outcome outcome;

    if (!rib_export_allowed(peer, family, path))
        return false;
    if (peer->export_policy == NULL)
        return !rib_export_filtered(peer); /* RFC 8212 */
    if (rib_export_apply(peer, peer->export_policy, family, id, path, &outcome) < 0)
        return false;
    bgp_attributes_release(peer->speaker->attributes, outcome.attributes);
    return outcome.accepted && !outcome.suppressed;
}

/* The best limit paths that the peer may have, best first. */
static void select_paths(const struct speaker_peer *peer, enum bgp_family family, uint32_t id,
                         unsigned limit, struct selection *selection)
{
    const struct rib_entry *entry = rib_table_entry(&peer->speaker->tables[family], id);
    const struct rib_stored_path *paths = rib_entry_paths_const(entry);
    const struct rib_stored_path *summary = rib_group_summary(peer->group, family, id);

    selection->n = 0;
    if (summary != NULL) { /* in place of any other route to its prefix */
        if (rib_export_allowed(peer, family, summary))
            selection->paths[selection->n++] = summary;
        return;
    }
    for (; selection->n < limit; selection->n++) {
        const struct rib_stored_path *next = NULL;

        for (unsigned i = 0; i < entry->n_paths; i++)
            if (paths[i].filter == RIB_CHOSEN && (next == NULL || is_better(&paths[i], next)) &&
                is_new(peer->speaker, selection, &paths[i]) &&
                is_accepted(peer, family, id, &paths[i]))
                next = &paths[i];
        if (next == NULL)
            return;
        selection->paths[selection->n] = next;
    }
}

const struct rib_stored_path *rib_selection_best(const struct speaker_peer *peer,
                                                 enum bgp_family family, uint32_t id)
{
    struct selection selection;

    select_paths(peer, family, id, 1, &selection);
    return selection.n > 0 ? selection.paths[0] : NULL;
}

/* --- What it was sent ------------------------------------------------------------------------- */

const struct rib_sent *rib_selection_sent(const struct speaker_peer *peer, enum bgp_family family,
                                          uint32_t id)
{
    const struct rib_peer_tables *tables = &peer->tables[family];

    return id < tables->n_sent ? tables->sent[id] : NULL;
}

static int reserve_sent(struct rib_peer_tables *tables, uint32_t id)
{
    uint32_t n = tables->n_sent > 0 ? tables->n_sent : 64;
    struct rib_sent **sent;

    if (id < tables->n_sent)
        return 0;
    while (n <= id)
        n *= 2;
    sent = realloc(tables->sent, n * sizeof(*sent)); /* pointers, hence the plain size */
    if (sent == NULL)
        return -ENOMEM;
    memset(sent + tables->n_sent, 0, (n - tables->n_sent) * sizeof(*sent));
    tables->sent = sent;
    tables->n_sent = n;
    return 0;
}

void rib_sent_free(struct speaker *speaker, struct rib_sent *sent)
{
    for (unsigned i = 0; sent != NULL && i < sent->n; i++)
        bgp_attributes_release(speaker->attributes, sent->paths[i].said.attributes);
    free(sent);
}

/* The record of a path: by its name, or that of a twin whose place it takes, the session with the
 * other instance being gone. NULL: it is new. */
static const struct rib_sent_path *find_sent(const struct speaker *speaker,
                                             const struct rib_sent *sent,
                                             const struct rib_stored_path *path,
                                             const struct rib_outgoing *outgoing)
{
    const struct rib_sent_path *twin = NULL;

    for (unsigned i = 0; sent != NULL && i < sent->n; i++) {
        const struct rib_sent_path *record = &sent->paths[i];
        const struct rib_stored_path was = {.peer = record->from};

        if (record->from == path->peer && record->from_id == path->path_id &&
            record->from_summary == path->summary)
            return record;
        if (rib_outgoing_same(&record->said, outgoing) && path->peer != RIB_LOCAL &&
            rib_same_neighbor(speaker, &was, path))
            twin = record;
    }
    return twin;
}

static bool is_in_use(const struct rib_sent *sent, uint32_t path_id)
{
    for (unsigned i = 0; sent != NULL && i < sent->n; i++)
        if (sent->paths[i].path_id == path_id)
            return true;
    return false;
}

/* --- Items ------------------------------------------------------------------------------------ */

static struct rib_item *add_item(struct speaker_peer *peer, const struct lpm_prefix *prefix,
                                 uint32_t path_id)
{
    struct rib_item *items = peer->items;

    if (peer->n_items == peer->items_capacity) {
        unsigned capacity = peer->items_capacity > 0 ? 2 * peer->items_capacity : 64;

        items = realloc(items, capacity * sizeof(*items));
        if (items == NULL)
            return NULL;
        peer->items = items;
        peer->items_capacity = capacity;
    }
    items += peer->n_items++;
    memset(items, 0, sizeof(*items));
    items->prefix = *prefix;
    items->path_id = path_id;
    return items;
}

/* Which record, if any, each path of a selection goes on from. */
struct succession {
    const struct rib_sent *old;
    struct rib_sent *now;
    bool kept[RIB_PEER_PATHS_MAX]; /* of old->paths */
};

/* Takes over the record of a path, or makes one with an identifier that is free in the old and the
 * new list: an identifier must not come back in the same breath in which it is withdrawn. True when
 * there is something new to say. */
static bool succeed(struct speaker *speaker, struct succession *succession,
                    const struct rib_stored_path *path, const struct rib_outgoing *outgoing)
{
    struct rib_sent_path *record = &succession->now->paths[succession->now->n];
    const struct rib_sent_path *old = find_sent(speaker, succession->old, path, outgoing);

    if (old != NULL && succession->kept[old - succession->old->paths])
        old = NULL; /* another path goes on from there */
    memset(record, 0, sizeof(*record));
    record->said = *outgoing;
    record->path_id = old != NULL ? old->path_id : 1;
    record->from_id = path->path_id;
    record->from = path->peer;
    record->from_summary = path->summary;
    bgp_attributes_hold(outgoing->attributes);
    if (old != NULL)
        succession->kept[old - succession->old->paths] = true;
    else
        while (is_in_use(succession->old, record->path_id) ||
               is_in_use(succession->now, record->path_id))
            record->path_id++;
    succession->now->n++;
    return old == NULL || !rib_outgoing_same(&old->said, outgoing);
}

/* One path of a selection. */
static int load_path(struct speaker_peer *peer, const struct lpm_prefix *prefix, uint32_t id,
                     const struct rib_stored_path *path, struct succession *succession)
{
    struct rib_outgoing outgoing;
    struct rib_item *item = NULL;
    int error = rib_export_prepare(peer, bgp_family_of(prefix), id, path, &outgoing);

    if (error < 0)
        return error;
    if (!succeed(peer->speaker, succession, path, &outgoing)) {
        bgp_attributes_release(peer->speaker->attributes, outgoing.attributes);
        return 0;
    }
    item = add_item(peer, prefix, succession->now->paths[succession->now->n - 1].path_id);
    if (item != NULL)
        item->outgoing = outgoing;
    else
        bgp_attributes_release(peer->speaker->attributes, outgoing.attributes);
    return item != NULL ? 0 : -ENOMEM;
}

/* The items that lead from the old to the new list. */
static int load_paths(struct speaker_peer *peer, const struct lpm_prefix *prefix, uint32_t id,
                      const struct selection *selection, struct succession *succession)
{
    enum bgp_family family = bgp_family_of(prefix);
    bool with_ids = bgp_session_encoding(peer->session)->add_path & BGP_FAMILY_BIT(family);
    int error = 0;

    for (unsigned i = 0; i < selection->n && error == 0; i++)
        error = load_path(peer, prefix, id, selection->paths[i], succession);
    /* Without identifiers an announcement takes the place of what was there. */
    if (error < 0 || (!with_ids && selection->n > 0))
        return error;
    for (unsigned i = 0; succession->old != NULL && i < succession->old->n; i++)
        if (!succession->kept[i] &&
            add_item(peer, prefix, succession->old->paths[i].path_id) == NULL)
            return -ENOMEM;
    return 0;
}

/* Makes items of one id and writes the record anew. */
static int load_id(struct speaker_peer *peer, enum bgp_family family, uint32_t id)
{
    struct rib_peer_tables *tables = &peer->tables[family];
    const struct rib_table *table = &peer->speaker->tables[family];
    const struct rib_entry *entry = rib_table_entry(table, id);
    struct lpm_prefix prefix = rib_entry_prefix(table, entry);
    struct selection selection;
    struct succession succession = {.old = NULL};
    int error = reserve_sent(tables, id);

    if (error < 0)
        return error;
    succession.old = tables->sent[id];
    select_paths(peer, family, id, selection_limit(peer, family), &selection);
    succession.now =
        calloc(1, sizeof(*succession.now) + selection.n * sizeof(succession.now->paths[0]));
    if (succession.now == NULL)
        return -ENOMEM;
    error = load_paths(peer, &prefix, id, &selection, &succession);
    rib_sent_free(peer->speaker, tables->sent[id]);
    tables->sent[id] = succession.now;
    return error;
}

/* Announcements first, those that are sent in the same words together; then withdrawals. */
static int compare_items(const void *left, const void *right)
{
    const struct rib_item *a = left, *b = right;
    const struct bgp_attributes *of_a = a->outgoing.attributes, *of_b = b->outgoing.attributes;
    int order = (of_a == NULL) - (of_b == NULL);

    if (order == 0 && of_a != of_b)
        order = rib_attributes_compare(of_a, of_b);
    if (order == 0)
        order = bgp_export_compare(&a->outgoing.export, &b->outgoing.export);
    if (order == 0)
        order = lpm_prefix_compare(&a->prefix, &b->prefix);
    return order != 0 ? order : (a->path_id > b->path_id) - (a->path_id < b->path_id);
}

int rib_selection_note_advertised(struct speaker_peer *peer, enum bgp_family family, uint32_t id)
{
    struct rib_peer_tables *tables = &peer->tables[family];

    rib_monitor_sent(peer, family, id);
    if (tables->sent[id]->n > 0)
        return rib_bitset_set(&tables->advertised, id) < 0 ? -ENOMEM : 0;
    free(tables->sent[id]);
    tables->sent[id] = NULL;
    if (rib_bitset_clear(&tables->advertised, id))
        rib_stop_waiting(peer->speaker, family, id);
    return 0;
}

bool rib_selection_load(struct speaker_peer *peer, enum bgp_family family, const uint32_t *ids,
                        unsigned n)
{
    struct rib_peer_tables *tables = &peer->tables[family];

    peer->n_items = peer->items_at = 0;
    peer->items_family = family;
    for (unsigned i = 0; i < n; i++) {
        rib_bitset_clear(&tables->pending[RIB_FIRST], ids[i]);
        rib_bitset_clear(&tables->pending[RIB_REFLECTED], ids[i]);
        if (load_id(peer, family, ids[i]) < 0 ||
            rib_selection_note_advertised(peer, family, ids[i]) < 0) {
            rib_fault(peer, BGP_CEASE_RESOURCES, "out of memory");
            return false;
        }
    }
    if (peer->n_items > 1)
        qsort(peer->items, peer->n_items, sizeof(*peer->items), compare_items);
    return true;
}

/* --- Life ------------------------------------------------------------------------------------- */

void rib_selection_repeat(struct speaker_peer *peer, enum bgp_family family, uint32_t id)
{
    struct rib_peer_tables *tables = &peer->tables[family];
    struct rib_sent *sent = id < tables->n_sent ? tables->sent[id] : NULL;

    for (unsigned i = 0; sent != NULL && i < sent->n; i++) {
        bgp_attributes_release(peer->speaker->attributes, sent->paths[i].said.attributes);
        sent->paths[i].said.attributes = NULL;
    }
}

void rib_selection_forget(struct speaker_peer *peer)
{
    for (enum bgp_family family = 0; family < BGP_FAMILY_COUNT; family++) {
        struct rib_peer_tables *tables = &peer->tables[family];

        rib_discard_sent(peer->speaker, tables->sent, tables->n_sent);
        tables->sent = NULL;
        tables->n_sent = 0;
    }
    rib_selection_drop_items(peer);
}
