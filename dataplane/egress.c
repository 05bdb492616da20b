/*
 * Egress: size, fragments, transmit buffers, and the accounting of what left.
 *
 * Each worker gathers frames per port and hands them to the device in bursts. A frame's note
 * travels in a parallel array, because the device may have freed the buffer when the outcome is
 * known. Where the queue belongs to another worker, the note travels in the buffer, through the
 * ring.
 *
 * A datagram that is fragmented counts once: its last fragment carries the note.
 */
#include "dataplane/hash.h"
#include "dataplane/trace_notes.h"
#include "dataplane/watch.h"

#include <rte_ethdev.h>
#include <rte_ring.h>

#define IPV4_DONT_FRAGMENT 0x40 /* in byte 6 */

/* --- Accounting ------------------------------------------------------------------------------- */

/* What a NIC sent in a row by one way: frames of one NIC often follow each other, and its counters are
 * added to once for all of them. */
struct run {
    uint32_t nic, packets, self_loops;
    uint8_t kind;
    uint64_t bytes;
};

static inline void end_run(const struct dp_path *path, const struct run *run)
{
    if (run->kind == DP_NOTE_EXPRESS)
        dp_count_express(path->counters, run->nic, run->packets, run->bytes, run->self_loops);
    else
        dp_count_forwarded(path->counters, run->nic, run->packets, run->bytes, run->self_loops);
}

/* false: note is of no run, and has been counted. */
static bool begin_run(const struct dp_path *path, const struct dp_note *note, struct run *run)
{
    if (note->kind == DP_NOTE_EXPRESS || note->kind == DP_NOTE_FORWARDED) {
        end_run(path, run);
        *run = (struct run){.nic = note->nic, .kind = note->kind};
        return true;
    }
    if (note->kind == DP_NOTE_ANSWERED)
        dp_count_answered(path->counters, note->nic);
    return false;
}

static inline void count_sent(const struct dp_path *path, const struct dp_note *note,
                              struct run *run)
{
    if (((note->nic != run->nic) | (note->kind != run->kind)) && !begin_run(path, note, run))
        return;
    run->packets++;
    run->bytes += note->bytes;
    run->self_loops += note->self_loop;
    if (note->member != 0)
        dp_count_member(path->counters, note->member, note->bytes);
    if (note->backend != 0)
        dp_count_member(path->counters, note->backend, note->bytes);
}

static void count_all_sent(const struct dp_path *path, const struct dp_note *notes, unsigned n)
{
    struct run run = {.kind = UINT8_MAX}; /* of no note */

    for (unsigned i = 0; i < n; i++)
        count_sent(path, &notes[i], &run);
    end_run(path, &run);
}

void dp_count_unsent(const struct dp_path *path, const struct dp_note *note, enum dp_reason reason)
{
    if (note->kind == DP_NOTE_EXPRESS)
        dp_count_received(path->counters, note->nic, 1, note->bytes);
    if (note->kind != DP_NOTE_NOTHING)
        dp_count_dropped(path->counters, note->nic, reason);
}

/* --- Transmit buffers ------------------------------------------------------------------------- */

static uint16_t hand_over(struct dp_tx *tx)
{
    for (uint16_t i = 0; i < tx->n; i++)
        *dp_mbuf_note(tx->mbufs[i]) = tx->notes[i];
    return (uint16_t)rte_ring_enqueue_burst(tx->ring, (void **)tx->mbufs, tx->n, NULL);
}

/* The buffers that a device takes may be gone at once, so their bytes are summed before. */
static uint16_t transmit(struct dp_tx *tx)
{
    uint64_t bytes = 0;
    uint16_t sent;

    for (uint16_t i = 0; i < tx->n; i++)
        bytes += rte_pktmbuf_pkt_len(tx->mbufs[i]);
    sent = rte_eth_tx_burst(tx->port->id, tx->queue, tx->mbufs, tx->n);
    for (uint16_t i = sent; i < tx->n; i++)
        bytes -= rte_pktmbuf_pkt_len(tx->mbufs[i]);
    dp_counter_add(&tx->packets, sent);
    dp_counter_add(&tx->bytes, bytes);
    return sent;
}

static uint16_t send_all(struct dp_tx *tx)
{
    if (tx->ring)
        return hand_over(tx);
    return tx->port ? transmit(tx) : 0;
}

static uint16_t send_observed(struct dp_path *path, struct dp_tx *tx)
{
    struct dp_watch_copies copies;
    uint16_t sent;

    dp_watch_leaving(path, tx, &copies);
    if (path->options.trace)
        dp_trace_leaving(path, tx);
    sent = send_all(tx);
    if (path->options.trace)
        dp_trace_left(path, tx, sent);
    dp_watch_left(path, tx, sent, &copies);
    return sent;
}

/* Frames in a ring are counted by the worker that sends them. */
void dp_tx_flush(struct dp_path *path, struct dp_tx *tx)
{
    uint16_t sent;

    if (tx->n == 0)
        return;
    sent = path->watch ? send_observed(path, tx) : send_all(tx);
    if (!tx->ring)
        count_all_sent(path, tx->notes, tx->port ? sent : tx->n);
    for (uint16_t i = sent; i < tx->n; i++) {
        if (tx->port)
            dp_count_unsent(path, &tx->notes[i], DP_REASON_TX_FULL);
        rte_pktmbuf_free(tx->mbufs[i]);
    }
    if (tx->port && sent < tx->n)
        dp_counter_add(&tx->unsent, tx->n - sent);
    tx->n = 0;
}

void dp_egress_flush(struct dp_path *path)
{
    for (unsigned port = 0; port < path->tx_count; port++)
        dp_tx_flush(path, &path->txs[port]);
    if (path->sink)
        dp_tx_flush(path, path->sink);
}

/* NULL: the NIC hangs on no port of this process, or on one whose link is down. */
static struct dp_tx *tx_towards(const struct dp_path *path, const struct dp_nic *nic)
{
    struct dp_tx *tx;

    if (path->sink)
        return path->sink;
    if (nic->attachment == DP_ATTACHMENT_NONE || nic->port >= path->tx_count)
        return NULL;
    tx = &path->txs[nic->port];
    if (!atomic_load_explicit(&tx->port->link_up, memory_order_relaxed))
        return NULL;
    return tx;
}

/* --- Fragments -------------------------------------------------------------------------------- */

static bool send_fragments(struct dp_path *path, struct dp_tx *tx, const struct dp_nic *receiver,
                           struct rte_mbuf *mbuf, uint16_t mtu, uint32_t flow,
                           const struct dp_note *note, enum dp_reason *reason)
{
    const struct dp_note nothing = {.kind = DP_NOTE_NOTHING, .nic = note->nic, .to = note->to};
    struct rte_mbuf *pieces[DP_FRAGMENT_MAX];
    unsigned n;

    if (!dp_fragment(path, receiver, mbuf, mtu, flow, pieces, &n, reason))
        return false;
    if (path->options.trace)
        dp_trace_fragmented(path->options.trace, mtu, n);
    for (unsigned i = 0; i < n; i++)
        dp_tx_put(path, tx, pieces[i], i + 1 < n ? &nothing : note);
    rte_pktmbuf_free(mbuf);
    return true;
}

/* Only IPv4 without DF may be cut, and only when all its bytes are here. */
static bool may_be_cut(struct rte_mbuf *mbuf, const struct dp_packet *packet)
{
    const uint8_t *ip = rte_pktmbuf_mtod(mbuf, const uint8_t *);

    return packet->family == LPM_IPV4 && !(ip[6] & IPV4_DONT_FRAGMENT) &&
           rte_pktmbuf_pkt_len(mbuf) >= packet->total_length;
}

/* --- Link ------------------------------------------------------------------------------------- */

/* Of IP packets to receiver: what its link and this port both take. */
static uint16_t mtu_towards(const struct dp_path *path, const struct dp_tx *tx,
                            const struct dp_nic *receiver)
{
    uint16_t mtu;

    if (path->sink)
        return receiver->mtu;
    mtu = tx->port->mtu;
    if (receiver->neighbor)
        mtu = dp_vxlan_mtu(mtu, receiver->neighbor->address.family);
    return mtu < receiver->mtu ? mtu : receiver->mtu;
}

/* In front of an IP packet to nic's guest, its tunnel left out. */
static uint32_t link_bytes(const struct dp_nic *nic)
{
    return DP_ETHERNET_BYTES + (nic->vlan != 0 ? DP_VLAN_TAG_BYTES : 0);
}

/* Only a tunnel asks for it. */
static uint32_t flow_of(const struct dp_nic *receiver, const struct dp_packet *packet)
{
    return receiver->neighbor ? dp_flow_hash_inline(packet, 5, 0) : 0;
}

/* --- Ways out --------------------------------------------------------------------------------- */

bool dp_egress_forward(struct dp_path *path, const struct dp_nic *receiver, struct rte_mbuf *mbuf,
                       const struct dp_packet *packet, const struct dp_note *note,
                       enum dp_reason *reason)
{
    struct dp_tx *tx = tx_towards(path, receiver);
    const uint32_t flow = flow_of(receiver, packet);
    uint16_t mtu;

    *reason = DP_REASON_PORT_DOWN;
    if (!tx)
        return false;
    mtu = mtu_towards(path, tx, receiver);
    if (packet->total_length > mtu) {
        *reason = DP_REASON_MTU;
        return may_be_cut(mbuf, packet) &&
               send_fragments(path, tx, receiver, mbuf, mtu, flow, note, reason);
    }
    if (!dp_push_link(path, receiver, mbuf,
                      packet->family == LPM_IPV4 ? DP_ETHERTYPE_IPV4 : DP_ETHERTYPE_IPV6, flow,
                      reason))
        return false;
    dp_tx_put(path, tx, mbuf, note);
    return true;
}

uint16_t dp_egress_mtu(const struct dp_path *path, const struct dp_nic *receiver)
{
    const struct dp_tx *tx = tx_towards(path, receiver);

    return tx ? mtu_towards(path, tx, receiver) : 0;
}

/* A trace has nobody who waits for the answer. */
bool dp_egress_answer(struct dp_path *path, const struct dp_nic *nic, struct rte_mbuf *mbuf,
                      const struct dp_note *note, enum dp_reason *reason)
{
    struct dp_tx *tx;

    if (path->sink) {
        count_all_sent(path, note, 1);
        rte_pktmbuf_free(mbuf);
        return true;
    }
    *reason = DP_REASON_PORT_DOWN;
    tx = tx_towards(path, nic);
    if (!tx)
        return false;
    /* Only of a request that was too long for the link itself. */
    *reason = DP_REASON_MTU;
    if (rte_pktmbuf_pkt_len(mbuf) > link_bytes(nic) + (uint32_t)mtu_towards(path, tx, nic))
        return false;
    if (nic->neighbor && !dp_vxlan_push(path, nic, mbuf, 0, reason))
        return false;
    dp_tx_put(path, tx, mbuf, note);
    return true;
}
