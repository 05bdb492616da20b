/*
 * Batches: pending ids in the order in which they are said, and what was said, for the peers of a
 * group.
 *
 *   peer's pending set --gather()--> ids, ascending --> the same as a recent batch of the group?
 *                                                        yes: share it       no: sort and keep it
 *
 * Peers that are served alike gather alike, since a batch ends at a multiple of RIB_BATCH_MAX where it
 * can; one that has fallen behind falls in with those behind it. What is kept is bounded: by
 * KEPT_BYTES a batch, RECENT_MAX batches a group and one a peer.
 */
#include "engine/rib/outbound.h"

#include <stdlib.h>
#include <string.h>

#define KEPT_BYTES (64u * 1024)
#define RECENT_MAX 8u
/* A batch goes on beyond the multiple while it is shorter: scattered changes would pack badly. */
#define BATCH_MIN 256u

/* --- Making one ------------------------------------------------------------------------------- */

/* Neighbouring ids with one path's attributes; sorting these instead of ids makes a table that
 * arrived well packed cheap to send. */
struct run {
    const struct rib_stored_path *best; /* NULL: to be withdrawn */
    unsigned first, n;                  /* in the gathered ids */
};

static int compare_runs(const void *left, const void *right)
{
    const struct run *a = left, *b = right;
    int order = 0;

    if (a->best == NULL || b->best == NULL)
        order = (a->best != NULL) - (b->best != NULL);
    else
        order = rib_export_compare(a->best, b->best);
    return order != 0 ? order : (a->first > b->first) - (a->first < b->first);
}

/* Takes pending ids from where the last batch ended, round to the start when there are no more. */
static unsigned gather(struct rib_peer_tables *tables, enum rib_turn turn, uint32_t *ids)
{
    const struct rib_bitset *pending = &tables->pending[turn];
    uint32_t id = rib_bitset_next(pending, tables->cursor[turn]);
    uint32_t end;
    unsigned n = 0;

    if (id == RIB_BITSET_END)
        id = rib_bitset_next(pending, 0);
    end = (id / RIB_BATCH_MAX + 1) * RIB_BATCH_MAX;
    while (id != RIB_BITSET_END && n < RIB_BATCH_MAX && (id < end || n < BATCH_MIN)) {
        ids[n++] = id;
        id = rib_bitset_next(pending, id + 1);
    }
    tables->cursor[turn] = id; /* RIB_BITSET_END is past every id as well */
    if (turn == RIB_REFLECTED && id == RIB_BITSET_END && !tables->walks[RIB_WALK_MARK].running)
        tables->passed = true;
    return n;
}

static unsigned make_runs(const struct rib_table *table, const struct rib_batch *batch,
                          struct run *runs)
{
    unsigned n_runs = 0;

    for (unsigned i = 0; i < batch->n; i++) {
        const struct rib_stored_path *best = rib_best(rib_table_entry(table, batch->gathered[i]));
        struct run *last = n_runs > 0 ? &runs[n_runs - 1] : NULL;

        if (last != NULL && (best == NULL) == (last->best == NULL) &&
            (best == NULL || (rib_attributes(best) == rib_attributes(last->best) &&
                              best->peer == last->best->peer)))
            last->n++;
        else
            runs[n_runs++] = (struct run){.best = best, .first = i, .n = 1};
    }
    return n_runs;
}

static void sort(const struct rib_table *table, struct rib_batch *batch)
{
    struct run runs[RIB_BATCH_MAX];
    unsigned n_runs = make_runs(table, batch, runs);
    unsigned n = 0;

    qsort(runs, n_runs, sizeof(*runs), compare_runs);
    for (unsigned i = 0; i < n_runs; i++) {
        memcpy(batch->ids + n, batch->gathered + runs[i].first, runs[i].n * sizeof(*batch->ids));
        n += runs[i].n;
    }
}

/* --- Sharing ---------------------------------------------------------------------------------- */

static void let_go(struct rib_group *group, struct rib_batch *batch)
{
    struct rib_batch **link = &group->batches;

    if (--batch->holders > 0)
        return;
    while (*link != batch)
        link = &(*link)->next;
    *link = batch->next;
    free(batch->messages);
    free(batch->bytes);
    free(batch);
}

/* The group lets go of all but its `most` newest batches. Stale ones serve nobody any more. */
static void forget_recent(struct rib_group *group, unsigned most)
{
    struct rib_batch *batch = group->batches;

    for (unsigned n = 0; batch != NULL;) {
        struct rib_batch *next = batch->next;

        if (batch->recent && (batch->stale || n++ >= most)) {
            batch->recent = false;
            let_go(group, batch);
        }
        batch = next;
    }
}

void rib_batch_forget(struct rib_group *group)
{
    forget_recent(group, 0);
}

/* A batch of the group with these very ids that nothing has changed for. */
static struct rib_batch *find_equal(const struct rib_group *group, const struct rib_batch *wanted)
{
    for (struct rib_batch *batch = group->batches; batch != NULL; batch = batch->next)
        if (!batch->stale && batch->n == wanted->n && batch->family == wanted->family &&
            batch->turn == wanted->turn && batch->gathered[0] == wanted->gathered[0] &&
            memcmp(batch->gathered, wanted->gathered, wanted->n * sizeof(*wanted->gathered)) == 0)
            return batch;
    return NULL;
}

/* A peer alone in its group has nobody to keep anything for. */
static void add_batch(struct rib_group *group, struct rib_batch *batch)
{
    batch->holders = 1;
    batch->next = group->batches;
    group->batches = batch;
    if (group->n_members == 1)
        return;
    batch->recent = true;
    batch->holders++;
    forget_recent(group, RECENT_MAX);
}

/* Makes the peer's batch from one family and turn. */
static bool load(struct speaker_peer *peer, enum bgp_family family, enum rib_turn turn)
{
    struct rib_batch *batch = malloc(sizeof(*batch));
    struct rib_batch *equal;

    if (batch == NULL) {
        rib_fault(peer, BGP_CEASE_RESOURCES, "out of memory");
        return false;
    }
    batch->family = family;
    batch->turn = turn;
    batch->recent = batch->stale = false;
    batch->messages = NULL;
    batch->bytes = NULL;
    batch->n_messages = 0;
    batch->n = gather(&peer->tables[family], turn, batch->gathered);
    equal = find_equal(peer->group, batch);
    if (equal != NULL) {
        free(batch);
        batch = equal;
        batch->holders++;
    } else {
        sort(&peer->speaker->tables[family], batch);
        add_batch(peer->group, batch);
    }
    peer->batch = batch;
    return true;
}

/* The same where the peer is sent a selection of its own. */
static bool load_selection(struct speaker_peer *peer, enum bgp_family family, enum rib_turn turn)
{
    uint32_t ids[RIB_BATCH_MAX];
    unsigned n = gather(&peer->tables[family], turn, ids);

    return rib_selection_load(peer, family, ids, n);
}

void rib_batch_drop(struct speaker_peer *peer)
{
    if (peer->batch != NULL)
        let_go(peer->group, peer->batch);
    peer->batch = NULL;
    peer->at = peer->message = 0;
}

bool rib_batch_next(struct speaker_peer *peer)
{
    rib_batch_drop(peer);
    for (enum rib_turn turn = 0; turn < RIB_TURNS; turn++)
        for (enum bgp_family family = 0; family < BGP_FAMILY_COUNT; family++)
            if (peer->tables[family].pending[turn].count > 0 &&
                (turn == RIB_FIRST || !rib_held_back(peer->speaker)))
                return rib_selects(peer, family) ? load_selection(peer, family, turn)
                                                 : load(peer, family, turn);
    return false;
}

void rib_batch_expire(struct rib_group *group, enum bgp_family family, uint32_t first,
                      uint32_t last)
{
    for (struct rib_batch *batch = group->batches; batch != NULL; batch = batch->next)
        batch->stale |= batch->family == family && first <= batch->gathered[batch->n - 1] &&
                        last >= batch->gathered[0];
}

/* --- Messages kept ---------------------------------------------------------------------------- */

bool rib_batch_keep(struct speaker_peer *peer, const struct rib_message *message,
                    const uint8_t *bytes, size_t size)
{
    struct rib_batch *batch = peer->batch;
    size_t at = batch->n_messages > 0 ? batch->messages[batch->n_messages - 1].bytes_end : 0;

    if (batch->stale || !batch->recent || peer->message != batch->n_messages ||
        at + size > KEPT_BYTES)
        return false;
    if (batch->messages == NULL)
        batch->messages = malloc(RIB_BATCH_MAX * sizeof(*batch->messages));
    if (batch->bytes == NULL)
        batch->bytes = malloc(KEPT_BYTES);
    if (batch->messages == NULL || batch->bytes == NULL)
        return false; /* each peer writes for itself, which is slower and as right */
    memcpy(batch->bytes + at, bytes, size);
    batch->messages[batch->n_messages] = *message;
    batch->messages[batch->n_messages++].bytes_end = at + size;
    return true;
}
