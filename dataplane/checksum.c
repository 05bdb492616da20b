/*
 * Internet checksums (RFC 1071) with DPDK's routines. Sums are kept in memory order throughout, so
 * that storing one is a memcpy() on any machine.
 */
#include "dataplane/checksum.h"

#include <netinet/in.h>
#include <stddef.h>
#include <string.h>

#include <rte_ip.h>
#include <rte_tcp.h>
#include <rte_udp.h>

/* Both ends, then protocol and length as 16-bit numbers: IPv6 pads them to 32 bits, which adds
 * nothing. */
static uint16_t pseudo_header_sum(uint8_t family, const uint8_t source[16],
                                  const uint8_t destination[16], uint8_t protocol, uint32_t n)
{
    size_t width = family == LPM_IPV6 ? 16 : 4;
    uint8_t bytes[36] = {0, protocol, (uint8_t)(n >> 8), (uint8_t)n};

    memcpy(bytes + 4, source, width);
    memcpy(bytes + 4 + width, destination, width);
    return rte_raw_cksum(bytes, 4 + 2 * width);
}

static uint16_t add_sums(uint16_t a, uint16_t b)
{
    uint32_t sum = (uint32_t)a + b;

    return (uint16_t)((sum & 0xffff) + (sum >> 16));
}

/* Over n bytes from `at`, however they are cut. DPDK 22.11 has a routine for it, rte_raw_cksum_mbuf(),
 * which loses carries of segments that begin at an odd byte. false: they are not all there. */
static bool sum_of(const struct rte_mbuf *mbuf, uint32_t at, uint32_t n, uint16_t *sum)
{
    *sum = 0;
    if (at + n > rte_pktmbuf_pkt_len(mbuf))
        return false;
    for (uint32_t done = 0, room; done < n; mbuf = mbuf->next) {
        uint16_t piece;

        if (at >= mbuf->data_len) {
            at -= mbuf->data_len;
            continue;
        }
        room = mbuf->data_len - at < n - done ? mbuf->data_len - at : n - done;
        piece = rte_raw_cksum(rte_pktmbuf_mtod_offset(mbuf, const void *, at), room);
        *sum = add_sums(*sum, done & 1 ? rte_bswap16(piece) : piece);
        done += room;
        at = 0;
    }
    return true;
}

bool dp_icmp_checksum_good(const struct rte_mbuf *mbuf, const struct dp_packet *packet)
{
    uint32_t n = packet->total_length - packet->header_length;
    uint16_t sum;

    if (rte_pktmbuf_pkt_len(mbuf) < packet->total_length)
        return true;
    if (!sum_of(mbuf, packet->header_length, n, &sum))
        return false;
    if (packet->family == LPM_IPV6)
        sum = add_sums(sum, pseudo_header_sum(LPM_IPV6, packet->source, packet->destination,
                                              DP_PROTOCOL_ICMPV6, n));
    return sum == 0xffff;
}

bool dp_udp_checksum_good(const struct rte_mbuf *mbuf, uint32_t at, const struct dp_packet *packet)
{
    uint32_t n = packet->total_length - packet->header_length;
    uint16_t sum;

    if (!sum_of(mbuf, at + packet->header_length, n, &sum))
        return false;
    return add_sums(sum, pseudo_header_sum(packet->family, packet->source, packet->destination,
                                           IPPROTO_UDP, n)) == 0xffff;
}

void dp_write_udp6_checksum(struct rte_mbuf *mbuf, uint32_t at, uint32_t n)
{
    uint8_t *ip = rte_pktmbuf_mtod_offset(mbuf, uint8_t *, at);
    uint16_t sum = 0;

    /* Cannot fail: all n bytes are there. */
    sum_of(mbuf, at + sizeof(struct rte_ipv6_hdr), n, &sum);
    sum = (uint16_t)~add_sums(sum, pseudo_header_sum(LPM_IPV6, ip + 8, ip + 24, IPPROTO_UDP, n));
    if (sum == 0)
        sum = UINT16_MAX;
    memcpy(ip + sizeof(struct rte_ipv6_hdr) + offsetof(struct rte_udp_hdr, dgram_cksum), &sum,
           sizeof(sum));
}

void dp_leave_udp6_checksum(struct rte_mbuf *mbuf, uint32_t at, uint32_t n)
{
    uint8_t *ip = rte_pktmbuf_mtod_offset(mbuf, uint8_t *, at);
    const uint16_t sum = pseudo_header_sum(LPM_IPV6, ip + 8, ip + 24, IPPROTO_UDP, n);

    memcpy(ip + sizeof(struct rte_ipv6_hdr) + offsetof(struct rte_udp_hdr, dgram_cksum), &sum,
           sizeof(sum));
}

/* Where the checksum is in the header; 0: the protocol has none that hardware would fill in. */
static uint16_t checksum_offset(const struct dp_packet *packet)
{
    if (packet->protocol == IPPROTO_TCP)
        return offsetof(struct rte_tcp_hdr, cksum);
    if (packet->protocol == IPPROTO_UDP)
        return offsetof(struct rte_udp_hdr, dgram_cksum);
    return 0;
}

/* A packet whose checksum is complete and happens to equal that of its pseudo-header comes out
 * unchanged: the sum over the rest is then what the field says. */
void dp_complete_checksum(struct rte_mbuf *mbuf, const struct dp_packet *packet)
{
    uint16_t at = checksum_offset(packet), found, sum;
    uint32_t n = packet->total_length - packet->header_length;
    uint8_t *field = rte_pktmbuf_mtod_offset(mbuf, uint8_t *, packet->header_length + at);

    if (at == 0 || packet->fragment || n < at + sizeof(found) || n > UINT16_MAX ||
        rte_pktmbuf_pkt_len(mbuf) < packet->total_length ||
        rte_pktmbuf_data_len(mbuf) < packet->header_length + at + sizeof(found))
        return;
    memcpy(&found, field, sizeof(found));
    if (found != pseudo_header_sum(packet->family, packet->source, packet->destination,
                                   packet->protocol, n) ||
        !sum_of(mbuf, packet->header_length, n, &sum))
        return;
    sum = (uint16_t)~sum;
    if (sum == 0)
        sum = UINT16_MAX; /* 0 says "none" in UDP, and the same number in TCP */
    memcpy(field, &sum, sizeof(sum));
}

uint16_t dp_checksum(const uint8_t *bytes, uint32_t n)
{
    return (uint16_t)~rte_raw_cksum(bytes, n);
}

uint16_t dp_checksum_icmpv6(const uint8_t source[16], const uint8_t destination[16],
                            const uint8_t *message, uint16_t n)
{
    return (uint16_t)~add_sums(
        rte_raw_cksum(message, n),
        pseudo_header_sum(LPM_IPV6, source, destination, DP_PROTOCOL_ICMPV6, n));
}
