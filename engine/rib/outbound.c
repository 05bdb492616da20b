/*
 * Adj-RIB-Out, the way out: from what is pending (mark.c) to UPDATEs.
 *
 *   pending sets --refill()--> batch: up to BATCH_MAX ids, those with equal attributes side by side
 *                                |
 *                 rib_fill_updates(): id by id: still pending? may the peer have the best path?
 *                                |                                |
 *                            announce (a run of like paths     withdraw (a run of them
 *                            shares a message)                 shares a message)
 */
#include "engine/rib/internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Wide enough to bring most of what can share a message together, small enough to sort in well
 * under a millisecond. */
#define BATCH_MAX 1024u

/* --- Batch ------------------------------------------------------------------------------------ */

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
    unsigned n = 0;

    if (id == RIB_BITSET_END)
        id = rib_bitset_next(pending, 0);
    for (; id != RIB_BITSET_END && n < BATCH_MAX; id = rib_bitset_next(pending, id + 1))
        ids[n++] = id;
    tables->cursor[turn] = id; /* RIB_BITSET_END is past every id as well */
    if (turn == RIB_REFLECTED && id == RIB_BITSET_END)
        tables->passed = true;
    return n;
}

static unsigned make_runs(const struct rib_table *table, const uint32_t *ids, unsigned n,
                          struct run *runs)
{
    unsigned n_runs = 0;

    for (unsigned i = 0; i < n; i++) {
        const struct rib_stored_path *best = rib_best(rib_table_entry(table, ids[i]));
        struct run *last = n_runs > 0 ? &runs[n_runs - 1] : NULL;

        if (last != NULL && (best == NULL) == (last->best == NULL) &&
            (best == NULL ||
             (best->attributes == last->best->attributes && best->peer == last->best->peer)))
            last->n++;
        else
            runs[n_runs++] = (struct run){.best = best, .first = i, .n = 1};
    }
    return n_runs;
}

/* Fills the batch from one family and turn. */
static void load_batch(struct speaker_peer *peer, enum bgp_family family, enum rib_turn turn)
{
    struct rib_batch *batch = &peer->batch;
    uint32_t gathered[BATCH_MAX];
    struct run runs[BATCH_MAX];
    unsigned n = gather(&peer->tables[family], turn, gathered);
    unsigned n_runs = make_runs(&peer->speaker->tables[family], gathered, n, runs);

    qsort(runs, n_runs, sizeof(*runs), compare_runs);
    batch->n = 0;
    batch->at = 0;
    batch->family = family;
    for (unsigned i = 0; i < n_runs; i++) {
        memcpy(batch->ids + batch->n, gathered + runs[i].first, runs[i].n * sizeof(*gathered));
        batch->n += runs[i].n;
    }
}

/* Makes the batch hold what comes next; false when nothing is pending. */
static bool refill(struct speaker_peer *peer)
{
    struct rib_batch *batch = &peer->batch;

    for (enum rib_turn turn = 0; turn < RIB_TURNS; turn++)
        for (enum bgp_family family = 0; family < BGP_FAMILY_COUNT; family++) {
            if (peer->tables[family].pending[turn].count == 0)
                continue;
            if (batch->ids == NULL)
                batch->ids = malloc(BATCH_MAX * sizeof(*batch->ids));
            if (batch->ids == NULL) {
                rib_fault(peer, BGP_CEASE_RESOURCES, "out of memory");
                return false;
            }
            load_batch(peer, family, turn);
            return true;
        }
    free(batch->ids);
    *batch = (struct rib_batch){0};
    return false;
}

/* --- Messages --------------------------------------------------------------------------------- */

enum need { NEED_NOTHING, NEED_WITHDRAWAL, NEED_ANNOUNCEMENT };

/* What the peer has to be told of an id of the batch; *best is the path when it is to be announced.
 */
static enum need need_of(const struct speaker_peer *peer, uint32_t id,
                         const struct rib_stored_path **best)
{
    enum bgp_family family = peer->batch.family;
    const struct rib_peer_tables *tables = &peer->tables[family];

    if (!rib_bitset_test(&tables->pending[RIB_FIRST], id) &&
        !rib_bitset_test(&tables->pending[RIB_REFLECTED], id))
        return NEED_NOTHING; /* told since the batch was made, or no longer to be told */
    *best = rib_best(rib_table_entry(&peer->speaker->tables[family], id));
    return rib_export_allowed(peer, family, *best) ? NEED_ANNOUNCEMENT : NEED_WITHDRAWAL;
}

static void clear_pending(struct speaker_peer *peer, uint32_t id)
{
    struct rib_peer_tables *tables = &peer->tables[peer->batch.family];

    rib_bitset_clear(&tables->pending[RIB_FIRST], id);
    rib_bitset_clear(&tables->pending[RIB_REFLECTED], id);
}

static bool add_prefix(struct speaker_peer *peer, struct bgp_update_writer *writer, uint32_t id)
{
    const struct rib_table *table = &peer->speaker->tables[peer->batch.family];
    struct lpm_prefix prefix = rib_entry_prefix(table, rib_table_entry(table, id));

    return bgp_update_add(writer, &prefix);
}

static size_t write_withdrawals(struct speaker_peer *peer, uint8_t *bytes, size_t capacity)
{
    struct rib_batch *batch = &peer->batch;
    const struct rib_stored_path *best;
    struct bgp_update_writer writer;

    if (!bgp_withdraw_begin(&writer, bgp_session_encoding(peer->session), batch->family, bytes,
                            capacity))
        return 0;
    for (; batch->at < batch->n; batch->at++) {
        uint32_t id = batch->ids[batch->at];
        enum need need = need_of(peer, id, &best);

        if (need == NEED_NOTHING)
            continue;
        if (need != NEED_WITHDRAWAL || !add_prefix(peer, &writer, id))
            break;
        clear_pending(peer, id);
        rib_bitset_clear(&peer->tables[batch->family].advertised, id);
        rib_stop_waiting(peer->speaker, batch->family, id);
    }
    return bgp_update_end(&writer);
}

/* The prefix cannot be said with these attributes: no message holds them. What was said of it
 * before is taken back, so that the peer does not follow a route that is no longer there. */
static size_t write_unsendable(struct speaker_peer *peer, uint32_t id, uint8_t *bytes,
                               size_t capacity)
{
    const struct speaker_handler *handler = &peer->speaker->config.handler;
    const struct rib_table *table = &peer->speaker->tables[peer->batch.family];
    struct lpm_prefix prefix = rib_entry_prefix(table, rib_table_entry(table, id));
    char name[LPM_PREFIX_TEXT], line[160];
    struct bgp_update_writer writer;

    snprintf(line, sizeof(line), "%s is not sent: its attributes are too long for any message",
             lpm_prefix_format(&prefix, name));
    if (handler->notice != NULL)
        handler->notice(handler->context, peer, line);
    clear_pending(peer, id);
    if (!rib_bitset_clear(&peer->tables[peer->batch.family].advertised, id))
        return 0;
    if (!bgp_withdraw_begin(&writer, bgp_session_encoding(peer->session), peer->batch.family, bytes,
                            capacity))
        return 0;
    bgp_update_add(&writer, &prefix);
    return bgp_update_end(&writer);
}

/* Adds the run of prefixes that are sent in the words of first. */
static void add_alike(struct speaker_peer *peer, const struct rib_stored_path *first,
                      struct bgp_update_writer *writer)
{
    struct rib_batch *batch = &peer->batch;
    const struct rib_stored_path *best;

    for (; batch->at < batch->n; batch->at++) {
        uint32_t id = batch->ids[batch->at];
        enum need need = need_of(peer, id, &best);

        if (need == NEED_NOTHING)
            continue;
        if (need != NEED_ANNOUNCEMENT || !rib_export_alike(peer, first, best) ||
            !add_prefix(peer, writer, id))
            return;
        if (rib_bitset_set(&peer->tables[batch->family].advertised, id) < 0)
            rib_fault(peer, BGP_CEASE_RESOURCES, "out of memory");
        clear_pending(peer, id);
    }
}

/* Announces from the present id on; *best is its path. */
static size_t write_announcements(struct speaker_peer *peer, const struct rib_stored_path *first,
                                  uint8_t *bytes, size_t capacity)
{
    struct rib_batch *batch = &peer->batch;
    struct bgp_update_writer writer;
    struct rib_outgoing outgoing;
    size_t n = 0;
    int error = rib_export_prepare(peer, batch->family, first, &outgoing);

    if (error == -ENOMEM) {
        rib_fault(peer, BGP_CEASE_RESOURCES, "out of memory");
        return 0;
    }
    if (error == 0 && bgp_update_begin(&writer, bgp_session_encoding(peer->session), batch->family,
                                       outgoing.attributes, &outgoing.export, bytes, capacity)) {
        add_alike(peer, first, &writer);
        n = bgp_update_end(&writer);
    }
    if (error == 0)
        bgp_attributes_release(peer->speaker->attributes, outgoing.attributes);
    /* Nothing in the message: not even one prefix fits beside the attributes. */
    return n > 0 ? n : write_unsendable(peer, batch->ids[batch->at], bytes, capacity);
}

/* End-of-RIB for a family whose initial table has gone out (RFC 4724). Under constant change that
 * is when everything that was pending at the start has had its turn. */
static size_t write_end_of_rib(struct speaker_peer *peer, uint8_t *bytes, size_t capacity)
{
    for (enum bgp_family family = 0; family < BGP_FAMILY_COUNT; family++) {
        struct rib_peer_tables *tables = &peer->tables[family];

        if (!tables->end_of_rib_due || (rib_family_pending(tables) && !tables->passed))
            continue;
        tables->end_of_rib_due = false;
        return bgp_end_of_rib_encode(family, bytes, capacity);
    }
    return 0;
}

/* Writes the next message; 0: none is waiting. */
static size_t write_next(struct speaker_peer *peer, uint8_t *bytes, size_t capacity)
{
    struct rib_batch *batch = &peer->batch;
    const struct rib_stored_path *best;
    size_t n;

    while (peer->fault == 0) {
        if (batch->at == batch->n) {
            n = write_end_of_rib(peer, bytes, capacity);
            if (n > 0 || !refill(peer))
                return n;
        }
        switch (need_of(peer, batch->ids[batch->at], &best)) {
        case NEED_NOTHING:
            batch->at++;
            n = 0;
            break;
        case NEED_WITHDRAWAL:
            n = write_withdrawals(peer, bytes, capacity);
            break;
        case NEED_ANNOUNCEMENT:
            n = write_announcements(peer, best, bytes, capacity);
            break;
        }
        if (n > 0)
            return n;
    }
    return 0;
}

size_t rib_fill_updates(void *context, uint8_t *bytes, size_t capacity)
{
    struct speaker_peer *peer = context;
    size_t room = bgp_session_encoding(peer->session)->message_max;
    size_t at = 0;

    /* A message is only begun where the longest one fits: a shorter rest would cut a run in two. */
    while (capacity - at >= room) {
        size_t n = write_next(peer, bytes + at, capacity - at);

        if (n == 0)
            break;
        at += n;
    }
    return at;
}
