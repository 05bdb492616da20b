/*
 * ICMP and ICMPv6 errors about packets that the fabric drops (RFC 792, RFC 1812 4.3, RFC 4443): what a
 * router of the sender's own subnet would say. They come from the subnet's gateway address and go to
 * the NIC that sent the packet, in the dropped packet's own buffer:
 *
 *      | link | IP, from the gateway | type, code, MTU | the packet, as it came, as far as fits |
 *
 * Which reason says what is one table. Reasons without a row are silent: what is malformed, forged or
 * none of a router's business. So is everything about a packet that must not be answered with an error
 * (RFC 1122 3.2.2, RFC 4443 2.4): another error, later fragments, what was sent to many or by nobody.
 *
 * Errors are rate limited, apart from echo answers, so that a flood of either leaves the other alone.
 */
#include "dataplane/stages.h"

#include <string.h>

#include "dataplane/checksum.h"
#include "dataplane/trace_notes.h"

#define IPV4_BYTES    20u
#define IPV6_BYTES    40u
#define ERROR_BYTES   8u
#define IPV4_MOST     576u  /* of the whole error (RFC 1812 4.3.2.3) */
#define IPV6_MOST     1280u /* the same (RFC 4443 2.4 c) */
#define ANSWER_TTL    64
#define CLASS_CONTROL 0xc0 /* internetwork control (RFC 1812 4.3.2.5) */

struct error_kind {
    uint8_t type4, code4, type6, code6; /* type 0: none */
};

#define UNREACHABLE(code4, code6)                                                                  \
    {                                                                                              \
        3, code4, 1, code6                                                                         \
    }
#define NO_ROUTE_THERE UNREACHABLE(0, 0)
#define NOBODY_THERE   UNREACHABLE(1, 3)
#define NOT_ALLOWED    UNREACHABLE(13, 1)

static const struct error_kind kinds[DP_REASON_COUNT] = {
    [DP_REASON_TTL_EXPIRED] = {11, 0, 3, 0},
    [DP_REASON_NO_ROUTE] = NO_ROUTE_THERE,
    [DP_REASON_NULL_ROUTE] = NOT_ALLOWED,
    [DP_REASON_NEXT_HOP_UNREACHABLE] = NOBODY_THERE,
    [DP_REASON_RECEIVER_NOT_FORWARDING] = NOBODY_THERE,
    [DP_REASON_FORWARDED_TRAFFIC_NOT_ALLOWED] = NOT_ALLOWED,
    [DP_REASON_ACCESS_NOT_ALLOWED] = NOT_ALLOWED,
    [DP_REASON_MTU] = {3, 4, 2, 0},
    [DP_REASON_NO_HEALTHY_BACKEND] = NOBODY_THERE,
    [DP_REASON_NO_MEMBER] = NOBODY_THERE,
    [DP_REASON_PORT_DOWN] = NOBODY_THERE,
};

/* --- May it be answered? ---------------------------------------------------------------------- */

static bool is_icmp_error(const struct dp_packet *packet)
{
    if (packet->family == LPM_IPV6)
        return packet->protocol == DP_PROTOCOL_ICMPV6 && packet->icmp_type < 128;
    /* Of what is no error, what asks and what answers: RFC 1122 3.2.2. */
    return packet->protocol == DP_PROTOCOL_ICMP &&
           (packet->icmp_type == 3 || packet->icmp_type == 4 || packet->icmp_type == 5 ||
            packet->icmp_type == 11 || packet->icmp_type == 12);
}

/* Of IPv4 the offset is in the header; of IPv6 in a header that was walked over, and neither a first
 * fragment nor a later one is answered: senders find the MTU by the first packet that is whole. */
static bool is_later_fragment(const uint8_t *ip, const struct dp_packet *packet)
{
    if (packet->family == LPM_IPV6)
        return packet->fragment;
    return ((ip[6] & 0x1f) | ip[7]) != 0;
}

static bool is_anyone(const uint8_t *address, uint8_t family)
{
    static const uint8_t zeros[16];

    return memcmp(address, zeros, family == LPM_IPV4 ? 4 : 16) == 0 || address[0] == 0xff ||
           (family == LPM_IPV4 && address[0] >= 224);
}

static bool may_be_answered(const struct dp_frame *frame, const struct dp_packet *packet)
{
    const uint8_t *ip = rte_pktmbuf_mtod(frame->mbuf, const uint8_t *);

    return !frame->l2_multicast && !is_icmp_error(packet) && !is_later_fragment(ip, packet) &&
           !is_anyone(packet->source, packet->family) &&
           !is_anyone(packet->destination, packet->family);
}

/* --- Writing ---------------------------------------------------------------------------------- */

/* In network order. false: the NIC's subnets have none of this family. */
static bool gateway_of(const struct dp_nic *nic, uint8_t family, uint8_t address[16])
{
    if (family == LPM_IPV6) {
        if (nic->gateway6_count > 0)
            memcpy(address, nic->gateway6_all[0], 16);
        return nic->gateway6_count > 0;
    }
    dp_store2(address, nic->subnet4.gateway >> 16);
    dp_store2(address + 2, nic->subnet4.gateway);
    return nic->subnet4.gateway != 0;
}

/* The hop that was taken off is put back: what is quoted is what the sender sent. */
static void restore(uint8_t *ip, const struct dp_packet *packet)
{
    uint16_t checksum;

    if (packet->family == LPM_IPV6) {
        ip[7] = packet->ttl;
        return;
    }
    if (ip[8] == packet->ttl)
        return;
    ip[8] = packet->ttl;
    ip[10] = ip[11] = 0;
    checksum = dp_checksum(ip, (ip[0] & 0x0fu) * 4u);
    memcpy(ip + 10, &checksum, sizeof(checksum));
}

static void write_ipv4(uint8_t *ip, const uint8_t *from, const struct dp_packet *packet,
                       uint32_t message)
{
    uint16_t checksum;

    memset(ip, 0, IPV4_BYTES);
    ip[0] = 0x45;
    ip[1] = CLASS_CONTROL;
    dp_store2(ip + 2, IPV4_BYTES + message);
    ip[8] = ANSWER_TTL;
    ip[9] = DP_PROTOCOL_ICMP;
    memcpy(ip + 12, from, 4);
    memcpy(ip + 16, packet->source, 4);
    checksum = dp_checksum(ip, IPV4_BYTES);
    memcpy(ip + 10, &checksum, sizeof(checksum));
    checksum = dp_checksum(ip + IPV4_BYTES, message);
    memcpy(ip + IPV4_BYTES + 2, &checksum, sizeof(checksum));
}

static void write_ipv6(uint8_t *ip, const uint8_t *from, const struct dp_packet *packet,
                       uint32_t message)
{
    uint16_t checksum;

    memset(ip, 0, IPV6_BYTES);
    ip[0] = 0x60;
    dp_store2(ip + 4, message);
    ip[6] = DP_PROTOCOL_ICMPV6;
    ip[7] = ANSWER_TTL;
    memcpy(ip + 8, from, 16);
    memcpy(ip + 24, packet->source, 16);
    checksum = dp_checksum_icmpv6(ip + 8, ip + 24, ip + IPV6_BYTES, (uint16_t)message);
    memcpy(ip + IPV6_BYTES + 2, &checksum, sizeof(checksum));
}

/* Both families have the MTU in the last bytes of the second word, IPv4 in two of them. */
static void write_error(uint8_t *message, const struct error_kind *kind, uint8_t family,
                        uint16_t mtu, enum dp_reason reason)
{
    memset(message, 0, ERROR_BYTES);
    message[0] = family == LPM_IPV6 ? kind->type6 : kind->type4;
    message[1] = family == LPM_IPV6 ? kind->code6 : kind->code4;
    if (reason == DP_REASON_MTU)
        dp_store2(message + 6, mtu);
}

bool dp_icmp_error(struct dp_path *path, struct dp_frame *frame, const struct dp_packet *packet,
                   enum dp_reason reason, uint16_t mtu)
{
    const struct error_kind *kind = &kinds[reason];
    const bool six = packet->family == LPM_IPV6;
    const uint32_t header = six ? IPV6_BYTES : IPV4_BYTES;
    uint32_t quoted = (six ? IPV6_MOST : IPV4_MOST) - header - ERROR_BYTES;
    uint8_t from[16], *ip;

    if (kind->type4 == 0 || !path->errors || !may_be_answered(frame, packet) ||
        !gateway_of(frame->nic, packet->family, from) || !dp_limiter_allows(path->errors))
        return false;
    if (quoted > packet->total_length)
        quoted = packet->total_length;
    if (quoted > rte_pktmbuf_data_len(frame->mbuf))
        quoted = rte_pktmbuf_data_len(frame->mbuf);
    if (!dp_answer_resize(frame->mbuf, (uint16_t)quoted))
        return false;
    restore(rte_pktmbuf_mtod(frame->mbuf, uint8_t *), packet);
    ip = (uint8_t *)rte_pktmbuf_prepend(frame->mbuf, (uint16_t)(header + ERROR_BYTES));
    if (!ip)
        return false;
    write_error(ip + header, kind, packet->family, mtu, reason);
    if (path->options.trace)
        dp_trace_icmp(path->options.trace, ip[header], ip[header + 1], mtu);
    if (six)
        write_ipv6(ip, from, packet, ERROR_BYTES + quoted);
    else
        write_ipv4(ip, from, packet, ERROR_BYTES + quoted);
    return dp_push_ethernet(frame->mbuf, frame->nic, frame->source_mac,
                            six ? DP_ETHERTYPE_IPV6 : DP_ETHERTYPE_IPV4);
}
