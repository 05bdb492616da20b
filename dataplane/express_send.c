/*
 * The express way's end: from exits to transmit buffers. See express.h.
 *
 * All that may leave a frame to the long way is asked before its first byte is written.
 */
#include "dataplane/express.h"

#include "dataplane/express_flow.h"
#include "dataplane/tunnel.h"

/* The way out by a port, as it was for the frame before. */
struct door {
    struct dp_tx *tx; /* NULL: there is none */
    unsigned n;       /* frames in its buffers, which has room for a burst */
    uint16_t port;
    uint16_t mtu; /* 0: shut */
    uint16_t tunnel_mtu;
    bool has_tunnel; /* tunnel is made */
    struct dp_tunnel tunnel;
};

static inline void close_door(struct door *door)
{
    if (door->tx)
        door->tx->n = (uint16_t)door->n;
}

static void open_door(struct dp_path *path, struct door *door, uint16_t port)
{
    _Static_assert(DP_TX_BUFFER >= DP_BURST, "what is flushed has room for a burst");
    struct dp_tx *tx = port < path->tx_count ? &path->txs[port] : NULL;

    close_door(door);
    *door = (struct door){.tx = tx, .port = port};
    if (!tx)
        return;
    if (tx->n > DP_TX_BUFFER - DP_BURST)
        dp_tx_flush(path, tx);
    door->n = tx->n;
    if (!atomic_load_explicit(&tx->port->link_up, memory_order_relaxed))
        return;
    door->mtu = tx->port->mtu;
    door->tunnel_mtu = dp_vxlan_mtu(door->mtu, LPM_IPV4);
}

/* --- Tunnels ---------------------------------------------------------------------------------- */

/* false: no tunnel over IPv4 begins there. */
static bool make_tunnel(const struct dp_path *path, struct door *door)
{
    const struct dp_underlay *underlay = dp_underlay_read(path->forwarding, door->port);

    if (!underlay || underlay->address.family != LPM_IPV4)
        return false;
    dp_tunnel_begin(&door->tunnel, underlay);
    door->has_tunnel = true;
    return true;
}

/* Puts the tunnel's header in front of the frame, whose Ethernet header is still to be written. false:
 * the long way knows why not, and nothing was changed. */
static inline bool enter_tunnel(const struct dp_path *path, struct door *door,
                                const struct dp_nic *receiver, struct rte_mbuf *mbuf,
                                const uint8_t *ip, uint8_t family, uint32_t total)
{
    struct dp_tunnel_frame frame = {
        .class = family == LPM_IPV4 ? ip[1] : (uint8_t)(dp_load2(ip) >> 4),
        .remote = dp_load4(receiver->neighbor->address.bytes),
        .vni = receiver->vni,
        .bytes = DP_ETHERNET_BYTES + total,
    };
    uint16_t ports[2];

    if (total > door->tunnel_mtu || mbuf->data_off < DP_TUNNEL_HEADER ||
        (!door->has_tunnel && !make_tunnel(path, door)) ||
        !dp_underlay_mac(door->tunnel.underlay, receiver->neighbor, frame.mac))
        return false;
    dp_express_ports(ip, family, total, ports);
    frame.flow = dp_express_hash(ip, family, ports, 5, 0);
    mbuf->data_off -= DP_TUNNEL_HEADER;
    dp_tunnel_write(rte_pktmbuf_mtod(mbuf, uint8_t *), &door->tunnel, &frame);
    return true;
}

/* --- Frames ----------------------------------------------------------------------------------- */

/* Is the packet the receiver's, or one for it to forward? Only its first address is at hand. */
static inline bool takes(const struct dp_nic *receiver, const uint8_t *ip, uint8_t family)
{
    if (receiver->ip_forwarding)
        return true;
    return family == LPM_IPV4
               ? receiver->own4 == dp_load4(ip + 16) && receiver->own4 != 0
               : receiver->own6_count > 0 && memcmp(receiver->own6, ip + 24, 16) == 0;
}

/* MACs, and one hop less: of IPv4 as admission has worked it out. */
static inline void rewrite(const struct dp_express *express, uint8_t *ip, unsigned i,
                           const struct dp_nic *receiver, uint8_t family, bool decrement_ttl)
{
    _Static_assert(offsetof(struct dp_nic, gateway_mac) == offsetof(struct dp_nic, mac) + 6,
                   "both MACs are copied at once");
    memcpy(ip - DP_ETHERNET_BYTES, (const uint8_t *)receiver + offsetof(struct dp_nic, mac), 12);
    if (family == LPM_IPV4)
        memcpy(ip + 8, express->hops4[i], 4);
    else
        ip[7] = (uint8_t)(ip[7] - decrement_ttl);
}

static inline __attribute__((always_inline)) bool send_one(struct dp_path *path, struct door *door,
                                                           const struct dp_express *express,
                                                           const struct dp_express_lane *lane,
                                                           unsigned i, const struct dp_exit *exit,
                                                           uint8_t family, bool decrement_ttl)
{
    const struct dp_nic *receiver = exit->receiver, *sender = lane->senders[i];
    struct rte_mbuf *mbuf = lane->mbufs[i];
    uint8_t *ip = lane->ips[i];
    const uint32_t total = lane->totals[i], whole = rte_pktmbuf_pkt_len(mbuf);
    uint32_t length = DP_ETHERNET_BYTES + total; /* without the link's padding */
    struct dp_note *note;

    if (!receiver)
        return false;
    if (receiver->port != door->port)
        open_door(path, door, receiver->port);
    if (total > receiver->express_mtu || total > door->mtu || !takes(receiver, ip, family))
        return false;
    if (receiver->attachment == DP_ATTACHMENT_VXLAN) {
        if (!enter_tunnel(path, door, receiver, mbuf, ip, family, total))
            return false;
        length += DP_TUNNEL_HEADER;
    }
    note = &door->tx->notes[door->n];
    note->nic = sender->id;
    note->bytes = whole;
    note->member = exit->member;
    note->kind = DP_NOTE_EXPRESS;
    note->self_loop = receiver == sender;
    note->backend = note->to = 0;
    door->tx->mbufs[door->n++] = mbuf;
    mbuf->data_len = (uint16_t)length;
    mbuf->pkt_len = length;
    rewrite(express, ip, i, receiver, family, decrement_ttl);
    return true;
}

static inline __attribute__((always_inline)) void
send_lane(struct dp_path *path, struct dp_express *express, const struct dp_express_lane *lane,
          const struct dp_exit *exits, uint8_t family)
{
    const bool decrement_ttl = path->forwarding->config.decrement_ttl;
    struct door door = {0};

    open_door(path, &door, 0);
    for (unsigned i = 0; i < lane->n; i++)
        if (!send_one(path, &door, express, lane, i, &exits[i], family, decrement_ttl))
            express->left |= UINT64_C(1) << lane->places[i];
    close_door(&door);
}

void dp_express_send4(struct dp_path *path, struct dp_express *express,
                      const struct dp_exit exits[DP_BURST])
{
    send_lane(path, express, &express->four, exits, LPM_IPV4);
}

void dp_express_send6(struct dp_path *path, struct dp_express *express,
                      const struct dp_exit exits[DP_BURST])
{
    send_lane(path, express, &express->six, exits, LPM_IPV6);
}
