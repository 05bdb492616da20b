/*
 * Adj-RIB-Out, the way out: from what is pending (mark.c), a batch at a time (batch.c), to UPDATEs.
 *
 *   batch --> kept by another peer of the group? --yes--> copy it
 *         |                                                          \
 *         no: write_message(): id by id: still pending? may the        commit(): no longer pending,
 *             peer have the best path?                                 advertised or not any more
 *                |                        |                          /
 *            announce (a run of like   withdraw (a run of them
 *            paths shares a message)   shares a message)
 *
 * A peer with a selection of its own in a family is served by selection.c in that family.
 */
#include "engine/rib/outbound.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* As many loads as a core has under way at once. */
#define PREFETCH 12u

/* --- Messages --------------------------------------------------------------------------------- */

enum need { NEED_NOTHING, NEED_WITHDRAWAL, NEED_ANNOUNCEMENT, NEED_ROOM };

/* A message in the making: of which ids of the batch, and where to. */
struct draft {
    struct speaker_peer *peer;
    uint8_t *bytes;
    size_t capacity;
    unsigned end;    /* ids of the batch below this are in it, or need nothing */
    unsigned coming; /* of these, what the peer has not been told before */
    bool withdraws;
};

static bool is_pending(const struct speaker_peer *peer, uint32_t id)
{
    const struct rib_peer_tables *tables = &peer->tables[peer->batch->family];

    return rib_bitset_test(&tables->pending[RIB_FIRST], id) ||
           rib_bitset_test(&tables->pending[RIB_REFLECTED], id);
}

static bool is_advertised(const struct speaker_peer *peer, uint32_t id)
{
    return rib_bitset_test(&peer->tables[peer->batch->family].advertised, id);
}

/* What the peer has to be told of an id of the batch; *best is the path when it is to be announced.
 */
static enum need need_of(const struct draft *draft, uint32_t id,
                         const struct rib_stored_path **best)
{
    const struct speaker_peer *peer = draft->peer;
    enum bgp_family family = peer->batch->family;

    if (!is_pending(peer, id))
        return NEED_NOTHING; /* told since the batch was made, or no longer to be told */
    *best = rib_export_best(peer, family, id);
    if (!rib_export_allowed(peer, family, *best))
        return NEED_WITHDRAWAL;
    return is_advertised(peer, id) || rib_ceiling_has_room(peer, draft->coming) ? NEED_ANNOUNCEMENT
                                                                                : NEED_ROOM;
}

static bool add_prefix(const struct speaker_peer *peer, struct bgp_update_writer *writer,
                       uint32_t id)
{
    const struct rib_table *table = &peer->speaker->tables[peer->batch->family];
    struct lpm_prefix prefix = rib_entry_prefix(table, rib_table_entry(table, id));

    return bgp_update_add(writer, &prefix);
}

static size_t write_withdrawals(struct draft *draft)
{
    struct speaker_peer *peer = draft->peer;
    const struct rib_batch *batch = peer->batch;
    const struct rib_stored_path *best;
    struct bgp_update_writer writer;

    draft->withdraws = true;
    if (!bgp_withdraw_begin(&writer, bgp_session_encoding(peer->session), batch->family,
                            draft->bytes, draft->capacity))
        return 0;
    for (; draft->end < batch->n; draft->end++) {
        enum need need = need_of(draft, batch->ids[draft->end], &best);

        if (need == NEED_NOTHING)
            continue;
        if (need != NEED_WITHDRAWAL || !add_prefix(peer, &writer, batch->ids[draft->end]))
            break;
    }
    return bgp_update_end(&writer);
}

/* Adds the run of prefixes that are sent in the words of first. */
static void add_alike(struct draft *draft, const struct rib_stored_path *first,
                      const struct rib_outgoing *outgoing, struct bgp_update_writer *writer)
{
    const struct rib_batch *batch = draft->peer->batch;
    const struct rib_stored_path *best;

    for (; draft->end < batch->n; draft->end++) {
        uint32_t id = batch->ids[draft->end];
        enum need need = need_of(draft, id, &best);

        if (need == NEED_NOTHING)
            continue;
        if (need != NEED_ANNOUNCEMENT || !rib_export_alike(draft->peer, first, best) ||
            !rib_export_same_words(draft->peer, batch->family, id, best, outgoing) ||
            !add_prefix(draft->peer, writer, id))
            return;
        draft->coming += !is_advertised(draft->peer, id);
    }
}

/* Announces from the present id on; *first is its path. 0: not even one prefix fits beside its
 * attributes, or (with a fault) there is no memory. */
static size_t write_announcements(struct draft *draft, const struct rib_stored_path *first)
{
    struct speaker_peer *peer = draft->peer;
    enum bgp_family family = peer->batch->family;
    struct bgp_update_writer writer;
    struct rib_outgoing outgoing;
    size_t n = 0;
    int error = rib_export_prepare(peer, family, peer->batch->ids[draft->end], first, &outgoing);

    draft->withdraws = false;
    if (error == -ENOMEM)
        rib_fault(peer, BGP_CEASE_RESOURCES, "out of memory");
    if (error < 0)
        return 0;
    if (bgp_update_begin(&writer, bgp_session_encoding(peer->session), family, outgoing.attributes,
                         &outgoing.export, draft->bytes, draft->capacity)) {
        add_alike(draft, first, &outgoing, &writer);
        n = bgp_update_end(&writer);
    }
    bgp_attributes_release(peer->speaker->attributes, outgoing.attributes);
    return n;
}

/* --- What has been said ----------------------------------------------------------------------- */

static void commit_one(struct speaker_peer *peer, uint32_t id, bool withdrawn)
{
    enum bgp_family family = peer->batch->family;
    struct rib_peer_tables *tables = &peer->tables[family];
    bool first = rib_bitset_clear(&tables->pending[RIB_FIRST], id);

    if (!rib_bitset_clear(&tables->pending[RIB_REFLECTED], id) && !first)
        return;
    if (!withdrawn && rib_bitset_set(&tables->advertised, id) < 0)
        rib_fault(peer, BGP_CEASE_RESOURCES, "out of memory");
    rib_monitor_sent(peer, family, id);
    if (withdrawn && rib_bitset_clear(&tables->advertised, id))
        rib_stop_waiting(peer->speaker, family, id);
}

/* The ids of the batch up to end have been said. Those of withdrawals may be free thereby. */
static void commit(struct speaker_peer *peer, unsigned end, bool withdrawn)
{
    const struct rib_batch *batch = peer->batch;

    for (; peer->at < end; peer->at++) {
        if (withdrawn && peer->at + PREFETCH < end)
            rib_table_prefetch_removal(&peer->speaker->tables[batch->family],
                                       batch->ids[peer->at + PREFETCH]);
        commit_one(peer, batch->ids[peer->at], withdrawn);
    }
    rib_ceiling_settle(peer);
}

/* The prefix cannot be said with these attributes: no message holds them. What was said of it
 * before is taken back, so that the peer does not follow a route that is no longer there. */
static size_t write_unsendable(struct speaker_peer *peer, uint8_t *bytes, size_t capacity)
{
    const struct speaker_handler *handler = &peer->speaker->config.handler;
    enum bgp_family family = peer->batch->family;
    const struct rib_table *table = &peer->speaker->tables[family];
    uint32_t id = peer->batch->ids[peer->at];
    struct lpm_prefix prefix = rib_entry_prefix(table, rib_table_entry(table, id));
    bool advertised = rib_bitset_test(&peer->tables[family].advertised, id);
    char name[LPM_PREFIX_TEXT], line[160];
    struct bgp_update_writer writer;

    snprintf(line, sizeof(line), "%s is not sent: its attributes are too long for any message",
             lpm_prefix_format(&prefix, name));
    if (handler->notice != NULL)
        handler->notice(handler->context, peer, line);
    commit(peer, peer->at + 1, true);
    if (!advertised ||
        !bgp_withdraw_begin(&writer, bgp_session_encoding(peer->session), family, bytes, capacity))
        return 0;
    bgp_update_add(&writer, &prefix);
    return bgp_update_end(&writer);
}

/* End-of-RIB for a family whose initial table has gone out (RFC 4724). Under constant change that
 * is when everything that was pending at the start has had its turn. */
static size_t write_end_of_rib(struct speaker_peer *peer, uint8_t *bytes, size_t capacity)
{
    for (enum bgp_family family = 0; family < BGP_FAMILY_COUNT; family++) {
        struct rib_peer_tables *tables = &peer->tables[family];

        if (!tables->end_of_rib_due || rib_held_back(peer->speaker) ||
            (rib_still_to_say(tables) && !tables->passed))
            continue;
        tables->end_of_rib_due = false;
        return bgp_end_of_rib_encode(family, bytes, capacity);
    }
    return 0;
}

/* --- One after the other ---------------------------------------------------------------------- */

/* A message that another peer of the group wrote for the same ids; 0: there is none. */
static size_t copy_kept(struct speaker_peer *peer, uint8_t *bytes, size_t capacity)
{
    const struct rib_batch *batch = peer->batch;
    const struct rib_message *message;
    size_t start, n;

    if (batch->stale || peer->message >= batch->n_messages || peer->config.ceiling.truncate)
        return 0;
    message = &batch->messages[peer->message];
    if (message->first != peer->at) /* before it stands one that cannot be said */
        return 0;
    start = peer->message > 0 ? message[-1].bytes_end : 0;
    n = message->bytes_end - start;
    if (n > capacity)
        return 0;
    memcpy(bytes, batch->bytes + start, n);
    peer->message++;
    commit(peer, message->end, message->withdraws);
    return n;
}

/* Writes the next message of the batch; 0: what stood next needs none. */
static size_t write_message(struct speaker_peer *peer, uint8_t *bytes, size_t capacity)
{
    struct draft draft = {.peer = peer, .bytes = bytes, .capacity = capacity, .end = peer->at};
    const struct rib_stored_path *best;
    struct rib_message message;
    size_t n = 0;

    switch (need_of(&draft, peer->batch->ids[peer->at], &best)) {
    case NEED_NOTHING:
        peer->at++;
        return 0;
    case NEED_ROOM:
        rib_ceiling_keep_back(peer, peer->batch->family, peer->batch->ids[peer->at++]);
        return 0;
    case NEED_WITHDRAWAL:
        n = write_withdrawals(&draft);
        break;
    case NEED_ANNOUNCEMENT:
        n = write_announcements(&draft, best);
        break;
    }
    if (n == 0)
        return peer->fault != 0 ? 0 : write_unsendable(peer, bytes, capacity);
    message =
        (struct rib_message){.first = peer->at, .end = draft.end, .withdraws = draft.withdraws};
    if (!peer->config.ceiling.truncate && rib_batch_keep(peer, &message, bytes, n))
        peer->message++;
    commit(peer, draft.end, draft.withdraws);
    return n;
}

/* Writes the next message; 0: none is waiting. */
static size_t write_next(struct speaker_peer *peer, uint8_t *bytes, size_t capacity)
{
    size_t n;

    while (peer->fault == 0) {
        n = rib_refresh_write_begin(peer, bytes, capacity);
        if (n > 0)
            return n;
        n = rib_selection_write(peer, bytes, capacity);
        if (n > 0)
            return n;
        if (peer->batch == NULL || peer->at == peer->batch->n) {
            n = write_end_of_rib(peer, bytes, capacity);
            if (n == 0)
                n = rib_refresh_write_end(peer, bytes, capacity);
            if (n > 0 || !rib_batch_next(peer))
                return n;
        }
        if (peer->batch == NULL)
            continue; /* what comes next is a selection */
        n = copy_kept(peer, bytes, capacity);
        if (n == 0)
            n = write_message(peer, bytes, capacity);
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
