/*
 * The header that takes a frame into a VXLAN tunnel over IPv4, without a DPDK type.
 *
 *   | to, from, 0800 | IPv4: class, length, checksum, destination | UDP: source port, length | VNI |
 *
 * What all frames that leave by one port have alike is made once (struct dp_tunnel); what one of them
 * adds is written over a copy of these 50 bytes, and the checksum summed without reading it back.
 */
#ifndef DATAPLANE_TUNNEL_H
#define DATAPLANE_TUNNEL_H

#include "dataplane/underlay.h"

#define DP_TUNNEL_TTL        64
#define DP_TUNNEL_IPV4_BYTES 20u
#define DP_TUNNEL_UDP_BYTES  8u
#define DP_VXLAN_BYTES       8u
#define DP_VXLAN_FLAG_VNI                                                                          \
    0x08                      /* the only one that means anything; others are ignored (section 5) */
#define DP_VXLAN_PORTS 49152u /* source ports, and above: the dynamic ones (section 5) */

/* Places in the header. */
#define DP_TUNNEL_IP     14u
#define DP_TUNNEL_UDP    (DP_TUNNEL_IP + DP_TUNNEL_IPV4_BYTES)
#define DP_TUNNEL_VXLAN  (DP_TUNNEL_UDP + DP_TUNNEL_UDP_BYTES)
#define DP_TUNNEL_HEADER (DP_TUNNEL_VXLAN + DP_VXLAN_BYTES)

struct dp_tunnel {
    const struct dp_underlay *underlay;
    uint32_t sum; /* RFC 1071's, of the IPv4 header as it is here; not folded */
    uint8_t header[DP_TUNNEL_HEADER];
};

/* underlay's address is an IPv4 one. Good for as long as underlay is. */
static inline void dp_tunnel_begin(struct dp_tunnel *tunnel, const struct dp_underlay *underlay)
{
    uint8_t *header = tunnel->header, *ip = header + DP_TUNNEL_IP;

    tunnel->underlay = underlay;
    memset(header, 0, DP_TUNNEL_HEADER);
    memcpy(header + 6, underlay->self->gateway_mac, 6);
    dp_store2(header + 12, DP_ETHERTYPE_IPV4);
    ip[0] = 0x45;
    ip[6] = 0x40; /* DF, hence no identification (RFC 6864) */
    ip[8] = DP_TUNNEL_TTL;
    ip[9] = DP_PROTOCOL_UDP;
    memcpy(ip + 12, underlay->address.bytes, 4);
    dp_store2(header + DP_TUNNEL_UDP + 2, DP_VXLAN_PORT);
    header[DP_TUNNEL_VXLAN] = DP_VXLAN_FLAG_VNI;
    tunnel->sum = 0;
    for (unsigned at = 0; at < DP_TUNNEL_IPV4_BYTES; at += 2)
        tunnel->sum += dp_load2(ip + at);
}

/* The flow spreads over the underlay's paths. */
static inline uint16_t dp_vxlan_source_port(uint32_t flow)
{
    return (uint16_t)(DP_VXLAN_PORTS | ((flow ^ flow >> 16) & ~DP_VXLAN_PORTS));
}

/* What a frame adds. */
struct dp_tunnel_frame {
    uint8_t mac[6];  /* of the next hop */
    uint8_t class;   /* DSCP and ECN of what is inside */
    uint32_t remote; /* host byte order */
    uint32_t vni, flow;
    uint32_t bytes; /* of the frame that goes in */
};

/* Writes all DP_TUNNEL_HEADER bytes. */
static inline void dp_tunnel_write(uint8_t *header, const struct dp_tunnel *tunnel,
                                   const struct dp_tunnel_frame *frame)
{
    const uint32_t udp_bytes = DP_TUNNEL_UDP_BYTES + DP_VXLAN_BYTES + frame->bytes;
    const uint32_t ip_bytes = (uint16_t)(DP_TUNNEL_IPV4_BYTES + udp_bytes);
    uint8_t *ip = header + DP_TUNNEL_IP, *udp = header + DP_TUNNEL_UDP;
    uint32_t sum =
        tunnel->sum + frame->class + ip_bytes + (frame->remote >> 16) + (frame->remote & 0xffff);

    sum = (sum & 0xffff) + (sum >> 16);
    memcpy(header, tunnel->header, DP_TUNNEL_HEADER);
    memcpy(header, frame->mac, sizeof(frame->mac));
    ip[1] = frame->class;
    dp_store2(ip + 2, ip_bytes);
    dp_store2(ip + 10, ~(sum + (sum >> 16)));
    dp_store2(ip + 16, frame->remote >> 16);
    dp_store2(ip + 18, frame->remote);
    dp_store2(udp, dp_vxlan_source_port(frame->flow));
    dp_store2(udp + 4, udp_bytes);
    udp[DP_TUNNEL_UDP_BYTES + 4] = (uint8_t)(frame->vni >> 16);
    dp_store2(udp + DP_TUNNEL_UDP_BYTES + 5, frame->vni);
}

#endif
