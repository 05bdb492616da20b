/*
 * Internet checksums (RFC 1071) with DPDK's routines. Sums are kept in memory order throughout, so that
 * storing one is a memcpy() on any machine.
 */
#include "dataplane/checksum.h"

#include <string.h>

#include <rte_byteorder.h>
#include <rte_ip.h>

/* Source and destination are 2 x 16 bytes, then the length and the protocol as 32-bit numbers. */
static uint16_t pseudo_header_sum(const uint8_t source[16], const uint8_t destination[16],
                                  uint32_t n)
{
    uint8_t bytes[40] = {0};

    memcpy(bytes, source, 16);
    memcpy(bytes + 16, destination, 16);
    bytes[34] = (uint8_t)(n >> 8);
    bytes[35] = (uint8_t)n;
    bytes[39] = DP_PROTOCOL_ICMPV6;
    return rte_raw_cksum(bytes, sizeof(bytes));
}

static uint16_t add_sums(uint16_t a, uint16_t b)
{
    uint32_t sum = (uint32_t)a + b;

    return (uint16_t)((sum & 0xffff) + (sum >> 16));
}

bool dp_icmp_checksum_good(const struct rte_mbuf *mbuf, const struct dp_packet *packet)
{
    uint32_t n = packet->total_length - packet->header_length;
    uint16_t sum;

    if (rte_pktmbuf_pkt_len(mbuf) < packet->total_length)
        return true;
    if (rte_raw_cksum_mbuf(mbuf, packet->header_length, n, &sum))
        return false;
    if (packet->family == LPM_IPV6)
        sum = add_sums(sum, pseudo_header_sum(packet->source, packet->destination, n));
    return sum == 0xffff;
}

uint16_t dp_checksum(const uint8_t *bytes, uint32_t n)
{
    return (uint16_t)~rte_raw_cksum(bytes, n);
}

uint16_t dp_checksum_icmpv6(const uint8_t source[16], const uint8_t destination[16],
                            const uint8_t *message, uint16_t n)
{
    return (uint16_t)~add_sums(rte_raw_cksum(message, n),
                               pseudo_header_sum(source, destination, n));
}
