/*
 * See announce.h.
 *
 *   control thread                              worker
 *   dp_nic_set() ──> moves[n % DP_MOVES], n ──> those since the last look, if they hang on its ports;
 *                                               all NICs, where there were more than the log holds
 *
 * A step costs a few microseconds: SCANNED records are looked at, STEP_MS apart.
 */
#include "dataplane/announce.h"

#include <rte_cycles.h>

#include "dataplane/checksum.h"
#include "dataplane/worker.h"
#include "dataplane/writer.h"

#define STEP_MS    10u
#define SCANNED    64u
#define IPV6_BYTES 40u

static const struct dp_note nothing = {.kind = DP_NOTE_NOTHING};

/* --- Messages --------------------------------------------------------------------------------- */

static bool send(struct dp_path *path, const struct dp_nic *nic, const uint8_t to[6],
                 struct rte_mbuf *mbuf, uint16_t ethertype)
{
    enum dp_reason ignored;

    if (dp_push_ethernet(mbuf, nic, to, ethertype) &&
        dp_egress_answer(path, nic, mbuf, &nothing, &ignored))
        return true;
    rte_pktmbuf_free(mbuf);
    return false;
}

/* address is at nic's gateway MAC. Without a buffer, or a link, nobody is told: there is another time. */
static void announce(struct dp_path *path, const struct dp_nic *nic, const uint8_t to[6],
                     const struct lpm_address *address, bool is_router)
{
    const bool six = address->family == LPM_IPV6;
    const uint16_t bytes = six ? IPV6_BYTES + DP_ADVERTISEMENT_BYTES : DP_ARP_BYTES;
    struct rte_mbuf *mbuf = rte_pktmbuf_alloc(path->pool);
    uint8_t *packet = mbuf ? (uint8_t *)rte_pktmbuf_append(mbuf, bytes) : NULL;

    if (!packet) {
        rte_pktmbuf_free(mbuf);
        return;
    }
    if (six)
        dp_nd_advertise(packet, nic->gateway_mac, address->bytes, NULL, is_router);
    else
        dp_arp_request(packet, nic->gateway_mac, address->bytes, address->bytes);
    send(path, nic, to, mbuf, six ? DP_ETHERTYPE_IPV6 : DP_ETHERTYPE_ARP);
}

static void announce_gateways(struct dp_path *path, const struct dp_nic *nic)
{
    struct lpm_address gateway = {.family = LPM_IPV4};

    for (unsigned i = 0; i < nic->subnet4_count; i++) {
        const uint32_t address = nic->subnet4_all[i].gateway;

        dp_store2(gateway.bytes, address >> 16);
        dp_store2(gateway.bytes + 2, address);
        if (address != 0)
            announce(path, nic, nic->mac, &gateway, true);
    }
    gateway.family = LPM_IPV6;
    for (unsigned i = 0; i < nic->gateway6_count; i++) {
        memcpy(gateway.bytes, nic->gateway6_all[i], 16);
        announce(path, nic, nic->mac, &gateway, true);
    }
    if (nic->gateway6_count == 0)
        return;
    memcpy(gateway.bytes, nic->gateway_link_local, 16);
    announce(path, nic, nic->mac, &gateway, true);
}

/* To all on the link: any of them may be, or carry, another host. */
static void announce_underlay(struct dp_path *path, const struct dp_underlay *underlay)
{
    static const uint8_t everybody[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    static const uint8_t all_nodes[6] = {0x33, 0x33, 0, 0, 0, 1};
    const bool six = underlay->address.family == LPM_IPV6;

    announce(path, underlay->self, six ? all_nodes : everybody, &underlay->address, false);
}

/* --- What is due ------------------------------------------------------------------------------ */

/* Those behind a tunnel ask themselves: their end point may not be known yet. */
static bool hangs_on(const struct dp_nic *nic, uint16_t port)
{
    return nic && nic->attachment != DP_ATTACHMENT_NONE && nic->attachment != DP_ATTACHMENT_VXLAN &&
           nic->port == port;
}

static void scan(struct dp_path *path, struct dp_announced *announced, uint16_t port)
{
    const uint32_t highest =
        atomic_load_explicit(&path->forwarding->writer->nic_highest, memory_order_relaxed);
    const uint32_t end = announced->scan + SCANNED;

    for (; announced->scan <= highest && announced->scan < end; announced->scan++) {
        const struct dp_nic *nic = dp_nic_read(path->forwarding, announced->scan);

        if (hangs_on(nic, port))
            announce_gateways(path, nic);
    }
    if (announced->scan > highest)
        announced->scan = 0;
}

static void look_at_port(struct dp_path *path, struct dp_rx *rx, bool all)
{
    struct dp_announced *announced = &rx->announced;
    const struct dp_underlay *underlay = dp_underlay_read(path->forwarding, rx->index);
    const bool up = atomic_load_explicit(&rx->port->link_up, memory_order_relaxed);

    if (up && (all || !announced->up)) {
        announced->scan = 1;
        announced->underlay = NULL;
    }
    announced->up = up;
    if (!up)
        return;
    if (underlay && underlay != announced->underlay)
        announce_underlay(path, underlay);
    announced->underlay = underlay;
    if (announced->scan > 0)
        scan(path, announced, rx->index);
}

static bool is_mine(const struct dp_worker *worker, const struct dp_nic *nic)
{
    for (unsigned i = 0; i < worker->rx_count; i++) {
        if (worker->rxs[i].queue == 0 && hangs_on(nic, worker->rxs[i].index))
            return true;
    }
    return false;
}

/* False: more than the log holds, or it was written over meanwhile. */
static bool look_at_moves(struct dp_worker *worker, uint32_t to)
{
    const struct dp_forwarding *forwarding = worker->path.forwarding;
    uint32_t from = worker->announcer.seen;

    if (to - from > DP_MOVES)
        return false;
    for (; from != to; from++) {
        const uint32_t id =
            atomic_load_explicit(&forwarding->moves[from % DP_MOVES], memory_order_relaxed);
        const struct dp_nic *nic = dp_nic_read(forwarding, id);

        if (is_mine(worker, nic))
            announce_gateways(&worker->path, nic);
    }
    return atomic_load_explicit(&forwarding->move_count, memory_order_acquire) -
               worker->announcer.seen <=
           DP_MOVES;
}

void dp_announce(struct dp_worker *worker, uint64_t now)
{
    struct dp_announcer *announcer = &worker->announcer;
    bool all = !announcer->started;
    uint32_t moves;

    if (now < announcer->due)
        return;
    announcer->due = now + rte_get_tsc_hz() * STEP_MS / 1000;
    moves = atomic_load_explicit(&worker->path.forwarding->move_count, memory_order_acquire);
    if (!all)
        all = !look_at_moves(worker, moves);
    announcer->started = true;
    announcer->seen = moves;
    for (unsigned i = 0; i < worker->rx_count; i++) {
        if (worker->rxs[i].queue == 0)
            look_at_port(&worker->path, &worker->rxs[i], all);
    }
    dp_egress_flush(&worker->path);
}
