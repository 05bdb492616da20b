/*
 * VXLAN (RFC 7348): frames into the tunnel and out of it.
 *
 *   | Ethernet | IPv4 or IPv6 | UDP, to port 4789 | flags, VNI | Ethernet | packet ... |
 *    to the next hop  to the host of the NIC                    as on a port
 *
 * What comes in was sent by a guest that hangs on the tunnel, and is walked like any other frame; or
 * another host has walked it for a guest of its own, and here it is only delivered. The first is told
 * by its source MAC, the second by its destination MAC; see dp_underlay_set().
 *
 * The outer header has the DSCP of the inner one (RFC 2983, uniform) and its ECN bits; congestion
 * that the underlay has marked is carried into the inner header (RFC 6040, normal mode). It says DF:
 * a tunnel that fragments is slow in ways that nobody finds. Guests are told a smaller MTU instead.
 */
#include "dataplane/underlay.h"

#include "dataplane/checksum.h"
#include "dataplane/hash.h"
#include "dataplane/plain.h"
#include "dataplane/stages.h"
#include "dataplane/trace_notes.h"
#include "dataplane/tunnel.h"

#define IPV6_BYTES 40u
#define ECN_MASK   0x3
#define ECN_MARKED 0x3

/* --- Into the tunnel -------------------------------------------------------------------------- */

/* DSCP and ECN of what is in the inner frame; 0 of ARP. */
static uint8_t traffic_class(const uint8_t *frame)
{
    const uint8_t *packet = frame + DP_ETHERNET_BYTES;

    switch (dp_load2(frame + DP_ETHERNET_BYTES - 2)) {
    case DP_ETHERTYPE_IPV4:
        return packet[1];
    case DP_ETHERTYPE_IPV6:
        return (uint8_t)(packet[0] << 4 | packet[1] >> 4);
    default:
        return 0;
    }
}

static void write_ipv6(uint8_t *ip, const struct dp_underlay *underlay,
                       const struct lpm_address *remote, uint8_t class, uint32_t udp_bytes)
{
    memset(ip, 0, 8);
    ip[0] = (uint8_t)(0x60 | class >> 4);
    ip[1] = (uint8_t)(class << 4);
    dp_store2(ip + 4, udp_bytes);
    ip[6] = DP_PROTOCOL_UDP;
    ip[7] = DP_TUNNEL_TTL;
    memcpy(ip + 8, underlay->address.bytes, 16);
    memcpy(ip + 24, remote->bytes, 16);
}

static void write_vxlan(uint8_t *udp, uint32_t vni, uint32_t flow, uint32_t udp_bytes)
{
    uint8_t *vxlan = udp + DP_TUNNEL_UDP_BYTES;

    dp_store2(udp, dp_vxlan_source_port(flow));
    dp_store2(udp + 2, DP_VXLAN_PORT);
    dp_store2(udp + 4, udp_bytes);
    dp_store2(udp + 6, 0);
    memset(vxlan, 0, DP_VXLAN_BYTES);
    vxlan[0] = DP_VXLAN_FLAG_VNI;
    vxlan[4] = (uint8_t)(vni >> 16);
    dp_store2(vxlan + 5, vni);
}

/* Of a frame that goes into the tunnel. One of a trace may have been cut, and says itself how long it
 * was. */
static uint32_t whole_length(const struct dp_path *path, const struct rte_mbuf *mbuf)
{
    const uint8_t *frame = rte_pktmbuf_mtod(mbuf, const uint8_t *);
    const uint32_t have = rte_pktmbuf_pkt_len(mbuf);
    uint32_t said = 0;

    if (path->sink && dp_load2(frame + 12) == DP_ETHERTYPE_IPV4)
        said = DP_ETHERNET_BYTES + dp_load2(frame + DP_ETHERNET_BYTES + 2);
    else if (path->sink)
        said = DP_ETHERNET_BYTES + IPV6_BYTES + dp_load2(frame + DP_ETHERNET_BYTES + 4);
    return said > have ? said : have;
}

/* The MAC of whoever is next on the way. In a replay nobody is, and the file shows one all the
 * same. */
static bool next_hop_mac(const struct dp_underlay *underlay, const struct dp_neighbor *remote,
                         uint8_t mac[6])
{
    if (dp_underlay_mac(underlay, remote, mac))
        return true;
    dp_underlay_invent_mac(underlay->router ? &underlay->next_hop : &remote->address, mac);
    return !underlay->has_mac;
}

/* A frame on its way into a tunnel. */
struct entry {
    const struct dp_underlay *underlay;
    const struct dp_nic *nic;
    const struct dp_port *port; /* NULL: a replay's file */
    uint8_t mac[6], class;
    uint32_t flow, whole;
};

static void write_outer4(uint8_t *header, const struct entry *entry)
{
    struct dp_tunnel_frame frame = {.class = entry->class,
                                    .remote = dp_load4(entry->nic->neighbor->address.bytes),
                                    .vni = entry->nic->vni,
                                    .flow = entry->flow,
                                    .bytes = entry->whole};
    struct dp_tunnel tunnel;

    memcpy(frame.mac, entry->mac, sizeof(frame.mac));
    dp_tunnel_begin(&tunnel, entry->underlay);
    dp_tunnel_write(header, &tunnel, &frame);
}

/* By the port's device where it does that, else here. */
static void seal_udp6(struct rte_mbuf *mbuf, uint32_t udp_bytes, const struct dp_port *port)
{
    if (!port || !port->fills_udp) {
        dp_write_udp6_checksum(mbuf, DP_ETHERNET_BYTES, udp_bytes);
        return;
    }
    dp_leave_udp6_checksum(mbuf, DP_ETHERNET_BYTES, udp_bytes);
    mbuf->l2_len = DP_ETHERNET_BYTES;
    mbuf->l3_len = IPV6_BYTES;
    mbuf->l4_len = DP_TUNNEL_UDP_BYTES;
    mbuf->ol_flags |= RTE_MBUF_F_TX_IPV6 | RTE_MBUF_F_TX_UDP_CKSUM;
}

/* cut: nobody knows all its bytes, so that it gets no checksum (RFC 6935). */
static void write_outer6(struct rte_mbuf *mbuf, const struct entry *entry, bool cut)
{
    const uint32_t udp_bytes = DP_TUNNEL_UDP_BYTES + DP_VXLAN_BYTES + entry->whole;
    uint8_t *header = rte_pktmbuf_mtod(mbuf, uint8_t *), *ip = header + DP_ETHERNET_BYTES;

    memcpy(header, entry->mac, 6);
    memcpy(header + 6, entry->underlay->self->gateway_mac, 6);
    dp_store2(header + 12, DP_ETHERTYPE_IPV6);
    write_vxlan(ip + IPV6_BYTES, entry->nic->vni, entry->flow, udp_bytes);
    write_ipv6(ip, entry->underlay, &entry->nic->neighbor->address, entry->class, udp_bytes);
    if (!cut)
        seal_udp6(mbuf, udp_bytes, entry->port);
}

bool dp_vxlan_push(const struct dp_path *path, const struct dp_nic *nic, struct rte_mbuf *mbuf,
                   uint32_t flow, enum dp_reason *reason)
{
    const bool six = nic->neighbor->address.family == LPM_IPV6;
    struct entry entry = {.underlay = dp_underlay_read(path->forwarding, nic->port),
                          .nic = nic,
                          .port = path->sink ? NULL : path->txs[nic->port].port,
                          .class = traffic_class(rte_pktmbuf_mtod(mbuf, const uint8_t *)),
                          .flow = flow,
                          .whole = whole_length(path, mbuf)};
    const bool cut = entry.whole > rte_pktmbuf_pkt_len(mbuf);
    uint8_t *header;

    *reason = DP_REASON_PORT_DOWN;
    if (!entry.underlay || entry.underlay->address.family != nic->neighbor->address.family)
        return false;
    *reason = DP_REASON_NEXT_HOP_UNREACHABLE;
    if (!next_hop_mac(entry.underlay, nic->neighbor, entry.mac))
        return false;
    *reason = DP_REASON_NO_BUFFER;
    header = (uint8_t *)rte_pktmbuf_prepend(
        mbuf, six ? DP_TUNNEL_HEADER + IPV6_BYTES - DP_TUNNEL_IPV4_BYTES : DP_TUNNEL_HEADER);
    if (!header)
        return false;
    if (six)
        write_outer6(mbuf, &entry, cut);
    else
        write_outer4(header, &entry);
    if (path->options.trace)
        dp_trace_encapsulated(path->options.trace, nic->vni, &nic->neighbor->address);
    return true;
}

/* --- Out of the tunnel ------------------------------------------------------------------------ */

static enum dp_underlay_taken drop(struct dp_burst *burst, unsigned i, enum dp_reason reason)
{
    dp_drop(burst, i, reason);
    return DP_UNDERLAY_DONE;
}

/* Of an outer packet that is whole and to us: is all of VXLAN there, as its lengths say? */
static bool is_sound(const struct dp_burst *burst, const struct rte_mbuf *mbuf,
                     const struct dp_packet *outer)
{
    const uint32_t at = DP_ETHERNET_BYTES + outer->header_length;
    const uint32_t bytes = outer->total_length - outer->header_length;
    const uint8_t *udp = rte_pktmbuf_mtod_offset(mbuf, const uint8_t *, at);

    if (bytes < DP_TUNNEL_UDP_BYTES + DP_VXLAN_BYTES + DP_ETHERNET_BYTES ||
        rte_pktmbuf_data_len(mbuf) < at + DP_TUNNEL_UDP_BYTES + DP_VXLAN_BYTES + DP_ETHERNET_BYTES)
        return false;
    if (dp_load2(udp + 4) != bytes || !(udp[DP_TUNNEL_UDP_BYTES] & DP_VXLAN_FLAG_VNI))
        return false;
    return dp_load2(udp + 6) == 0 || burst->partial_checksums ||
           dp_udp_checksum_good(mbuf, DP_ETHERNET_BYTES, outer);
}

/* From here on the frame is the inner one. */
static void uncover(struct dp_frame *frame, const struct dp_packet *outer)
{
    const uint32_t at =
        DP_ETHERNET_BYTES + outer->header_length + DP_TUNNEL_UDP_BYTES + DP_VXLAN_BYTES;
    const uint32_t bytes = DP_ETHERNET_BYTES + outer->total_length - at;
    const uint8_t *inner;

    rte_pktmbuf_adj(frame->mbuf, (uint16_t)at);
    dp_cut(frame->mbuf, bytes); /* the underlay's padding */
    inner = rte_pktmbuf_mtod(frame->mbuf, const uint8_t *);
    frame->bytes = bytes;
    memcpy(frame->source_mac, inner + 6, sizeof(frame->source_mac));
    frame->ethertype = dp_load2(inner + 12);
    frame->l2_bytes = DP_ETHERNET_BYTES;
}

static struct lpm_address source_of(const struct dp_packet *packet)
{
    struct lpm_address address = {.family = packet->family};

    memcpy(address.bytes, packet->source, packet->family == LPM_IPV4 ? 4 : 16);
    return address;
}

/* A guest that hangs on this tunnel end point. */
static const struct dp_nic *find_sender(const struct dp_path *path, const struct dp_frame *frame,
                                        uint16_t port, uint32_t vni,
                                        const struct lpm_address *remote)
{
    const uint32_t id = dp_overlay_find(path->forwarding, vni, frame->source_mac);
    const struct dp_nic *nic = id ? dp_nic_read(path->forwarding, id) : NULL;

    if (!nic || nic->attachment != DP_ATTACHMENT_VXLAN || nic->port != port ||
        !lpm_address_equal(&nic->neighbor->address, remote))
        return NULL;
    return nic;
}

/* A guest of this host, for which a peer has walked the frame: it comes from the gateway's MAC, as
 * dp_push_ethernet() writes it. What would leave by a tunnel again has lost its way. */
static const struct dp_nic *find_receiver(const struct dp_path *path,
                                          const struct dp_underlay *underlay,
                                          const struct dp_frame *frame, uint32_t vni,
                                          const struct lpm_address *remote)
{
    const uint8_t *destination = rte_pktmbuf_mtod(frame->mbuf, const uint8_t *);
    const uint32_t id = dp_overlay_find(path->forwarding, vni, destination);
    const struct dp_nic *nic = id ? dp_nic_read(path->forwarding, id) : NULL;

    if (!nic || nic->attachment == DP_ATTACHMENT_VXLAN ||
        memcmp(frame->source_mac, nic->gateway_mac, 6) != 0 ||
        !dp_underlay_has_peer(underlay, remote))
        return NULL;
    return nic;
}

enum dp_underlay_taken dp_vxlan_take(const struct dp_path *path, struct dp_burst *burst, unsigned i,
                                     uint16_t port, const struct dp_underlay *underlay,
                                     const struct dp_packet *outer)
{
    struct dp_frame *frame = &burst->frames[i];
    const uint8_t *ip = rte_pktmbuf_mtod_offset(frame->mbuf, const uint8_t *, DP_ETHERNET_BYTES);
    const struct lpm_address remote = source_of(outer);
    const struct dp_nic *nic;
    uint8_t class;
    uint32_t vni;

    if (outer->fragment || !is_sound(burst, frame->mbuf, outer))
        return drop(burst, i, DP_REASON_VXLAN_BAD);
    class = outer->family == LPM_IPV4 ? ip[1] : (uint8_t)(ip[1] >> 4);
    frame->congested = (class & ECN_MASK) == ECN_MARKED;
    vni = dp_load4(ip + outer->header_length + DP_TUNNEL_UDP_BYTES + 4) >> 8;
    uncover(frame, outer);
    if (path->options.trace)
        dp_trace_decapsulated(path->options.trace, vni, &remote);
    if (dp_ethertype_is_tag(frame->ethertype)) /* section 6.1 */
        return drop(burst, i, DP_REASON_VXLAN_BAD);
    nic = find_sender(path, frame, port, vni, &remote);
    if (nic) {
        frame->nic = nic;
        frame->nic_id = nic->id;
        return DP_UNDERLAY_SENDER;
    }
    nic = find_receiver(path, underlay, frame, vni, &remote);
    if (!nic)
        return drop(burst, i, DP_REASON_VXLAN_UNKNOWN_VNI);
    burst->verdicts[i].action = DP_FORWARD;
    burst->verdicts[i].nic = nic->id;
    if (path->options.trace)
        dp_trace_last(path->options.trace)->tunnel.decided = true;
    frame->stage = DP_STAGE_DECIDED;
    return DP_UNDERLAY_DONE;
}

/* RFC 6040 4.2: marked outside, and the inner packet's transport knows ECN: marked inside. One that
 * does not know it is to be dropped. */
bool dp_vxlan_mark(uint8_t *ip, uint8_t family)
{
    uint8_t *at = ip + 1; /* of both families: the low bits of IPv4, the high ones of IPv6 */
    const unsigned shift = family == LPM_IPV4 ? 0 : 4;
    uint32_t sum;

    if (((*at >> shift) & ECN_MASK) == 0)
        return false;
    if (family == LPM_IPV4) {
        sum = (uint16_t)~dp_load2(ip + 10);
        sum += (uint16_t)~dp_load2(ip);
        sum += (uint16_t)(dp_load2(ip) | ECN_MARKED);
        sum = (sum & 0xffff) + (sum >> 16);
        sum = (sum & 0xffff) + (sum >> 16);
        dp_store2(ip + 10, (uint16_t)~sum);
    }
    *at |= (uint8_t)(ECN_MARKED << shift);
    return true;
}
