/*
 * The worker's side of what is observed: copies into the rings of captures.
 *
 * A copy is made before the frame is rewritten, answered or sent, and is let go again when its fate is
 * not what was asked for. So what a capture of drops costs is a copy of every frame of its NIC, and of
 * no other.
 */
#include "dataplane/watch.h"

#include <rte_cycles.h>

bool dp_watch_wants(const struct dp_watch *watch, uint32_t nic)
{
    for (unsigned c = 0; c < watch->capture_count; c++) {
        const uint32_t wanted = watch->captures[c]->config.nic;

        if (wanted == DP_NIC_ANY || wanted == nic)
            return true;
    }
    return false;
}

/* --- Rings ------------------------------------------------------------------------------------ */

void dp_capture_put(struct dp_capture_ring *ring, struct dp_capture_slot *slot)
{
    const uint32_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);

    ring->slots[head % DP_CAPTURE_RING] = slot;
    atomic_store_explicit(&ring->head, head + 1, memory_order_release);
}

struct dp_capture_slot *dp_capture_take(struct dp_capture_ring *ring)
{
    const uint32_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
    struct dp_capture_slot *slot;

    if (tail == atomic_load_explicit(&ring->head, memory_order_acquire))
        return NULL;
    slot = ring->slots[tail % DP_CAPTURE_RING];
    /* Release: the slot was read before its place may be written again. */
    atomic_store_explicit(&ring->tail, tail + 1, memory_order_release);
    return slot;
}

/* --- One copy --------------------------------------------------------------------------------- */

static bool is_of(const struct dp_capture *capture, uint32_t nic)
{
    return capture->config.nic == DP_NIC_ANY || capture->config.nic == nic;
}

static bool wants_reason(const struct dp_capture *capture, unsigned reason)
{
    return capture->config.reason == DP_REASON_COUNT || capture->config.reason == reason;
}

static struct dp_capture_lane *lane_of(const struct dp_path *path, struct dp_capture *capture)
{
    return &capture->lanes[path->options.user - 1];
}

static struct dp_capture_slot *slot_for(struct dp_capture_lane *lane)
{
    return lane->idle_n > 0 ? lane->idle[--lane->idle_n] : dp_capture_take(&lane->spare);
}

/* what has all that is known already. NULL: missed. */
static struct dp_capture_slot *copy_of(const struct dp_path *path, struct dp_capture *capture,
                                       const struct rte_mbuf *mbuf,
                                       const struct dp_capture_slot *what)
{
    struct dp_capture_lane *lane = lane_of(path, capture);
    struct dp_capture_slot *slot = slot_for(lane);
    const uint32_t length = rte_pktmbuf_pkt_len(mbuf);
    const void *bytes;

    if (!slot) {
        dp_counter_add(&lane->missed, 1);
        return NULL;
    }
    *slot = *what;
    slot->bytes = length < capture->snap_bytes ? length : capture->snap_bytes;
    bytes = rte_pktmbuf_read(mbuf, 0, slot->bytes, slot->frame);
    if (bytes && bytes != slot->frame)
        memcpy(slot->frame, bytes, slot->bytes);
    return slot;
}

static void settle(const struct dp_path *path, struct dp_capture *capture,
                   struct dp_capture_slot *slot, bool wanted)
{
    struct dp_capture_lane *lane = lane_of(path, capture);

    if (wanted)
        dp_capture_put(&lane->filled, slot);
    else
        lane->idle[lane->idle_n++] = slot;
}

/* --- On its way in ---------------------------------------------------------------------------- */

static void copy_received(const struct dp_path *path, const struct dp_burst *burst,
                          struct dp_capture *capture, uint64_t now, struct dp_capture_slot **copies)
{
    for (unsigned i = 0; i < burst->n; i++) {
        const struct dp_frame *frame = &burst->frames[i];
        const struct dp_capture_slot what = {.cycles = now,
                                             .nic = frame->nic_id,
                                             .wire_bytes = frame->bytes,
                                             .port = path->rx_port,
                                             .queue = path->rx_queue};

        copies[i] = NULL;
        if (capture->config.direction != DP_CAPTURE_OUT && is_of(capture, frame->nic_id))
            copies[i] = copy_of(path, capture, frame->mbuf, &what);
    }
}

void dp_watch_received(const struct dp_path *path, const struct dp_burst *burst,
                       struct dp_watch_copies *copies)
{
    const uint64_t now = rte_get_tsc_cycles();

    for (unsigned c = 0; c < path->watch->capture_count; c++)
        copy_received(path, burst, path->watch->captures[c], now, copies->of[c]);
}

static void settle_received(const struct dp_path *path, struct dp_capture *capture,
                            struct dp_capture_slot *slot, const struct dp_verdict *verdict)
{
    const bool dropped = verdict->action == DP_DROP;

    slot->action = verdict->action;
    slot->reason = verdict->reason;
    slot->other = verdict->action == DP_FORWARD ? verdict->nic : 0;
    settle(path, capture, slot,
           capture->config.direction != DP_CAPTURE_DROP ||
               (dropped && wants_reason(capture, verdict->reason)));
}

void dp_watch_finished(const struct dp_path *path, const struct dp_burst *burst,
                       struct dp_watch_copies *copies)
{
    for (unsigned c = 0; c < path->watch->capture_count; c++) {
        for (unsigned i = 0; i < burst->n; i++) {
            if (copies->of[c][i])
                settle_received(path, path->watch->captures[c], copies->of[c][i],
                                &burst->verdicts[i]);
        }
    }
}

/* --- On its way out --------------------------------------------------------------------------- */

/* Only what counts as one packet of its sender is one drop: not the first pieces of a datagram. */
static bool may_matter(const struct dp_capture *capture, const struct dp_note *note)
{
    if (capture->config.direction == DP_CAPTURE_DROP)
        return note->kind != DP_NOTE_NOTHING && is_of(capture, note->nic) &&
               wants_reason(capture, DP_REASON_TX_FULL);
    return capture->config.direction != DP_CAPTURE_IN && is_of(capture, note->to);
}

static void copy_leaving(const struct dp_path *path, const struct dp_tx *tx,
                         struct dp_capture *capture, uint64_t now, struct dp_capture_slot **copies)
{
    const bool of_sender = capture->config.direction == DP_CAPTURE_DROP;

    for (unsigned i = 0; i < tx->n; i++) {
        const struct dp_note *note = &tx->notes[i];
        const struct dp_capture_slot what = {.cycles = now,
                                             .nic = of_sender ? note->nic : note->to,
                                             .other = of_sender ? note->to : note->nic,
                                             .wire_bytes = rte_pktmbuf_pkt_len(tx->mbufs[i]),
                                             .port = tx->port ? tx->port->id : 0,
                                             .queue = tx->queue,
                                             .out = true,
                                             .action = DP_FORWARD};

        copies[i] = may_matter(capture, note) ? copy_of(path, capture, tx->mbufs[i], &what) : NULL;
    }
}

void dp_watch_leaving(const struct dp_path *path, const struct dp_tx *tx,
                      struct dp_watch_copies *copies)
{
    const uint64_t now = rte_get_tsc_cycles();

    for (unsigned c = 0; c < path->watch->capture_count; c++)
        copy_leaving(path, tx, path->watch->captures[c], now, copies->of[c]);
}

/* What another worker's queue takes is seen there, at its device. */
static void settle_left(const struct dp_path *path, const struct dp_tx *tx,
                        struct dp_capture *capture, struct dp_capture_slot *slot, bool taken)
{
    if (!taken) {
        slot->action = DP_DROP;
        slot->reason = DP_REASON_TX_FULL;
    }
    settle(path, capture, slot,
           !taken || (!tx->ring && capture->config.direction != DP_CAPTURE_DROP));
}

void dp_watch_left(const struct dp_path *path, const struct dp_tx *tx, unsigned sent,
                   struct dp_watch_copies *copies)
{
    for (unsigned c = 0; c < path->watch->capture_count; c++) {
        for (unsigned i = 0; i < tx->n; i++) {
            if (copies->of[c][i])
                settle_left(path, tx, path->watch->captures[c], copies->of[c][i], i < sent);
        }
    }
}
