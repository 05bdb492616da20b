/*
 * What most packets are: nothing about them stands out. The long way (packet.c, admit.c) and the
 * express way (express.c) ask the same functions.
 *
 * Not || but |: each part costs less than a branch that may be mispredicted. ICMP stands out for the
 * gateway's echo and ICMPv6 for neighbour discovery; several subnets, because only the first is at
 * hand.
 */
#ifndef DATAPLANE_PLAIN_H
#define DATAPLANE_PLAIN_H

#include "dataplane/forwarding.h"

/* First bytes of addresses that need a second look (admit.c). */
extern const uint8_t dp_special4[256], dp_special6[256];

/* source and destination in host byte order. */
static inline bool dp_stands_out4(const struct dp_nic *nic, uint32_t source, uint32_t destination,
                                  uint8_t protocol, uint8_t ttl, uint8_t ttl_least,
                                  bool must_own_source)
{
    return dp_special4[destination >> 24] | dp_special4[source >> 24] |
           (protocol == DP_PROTOCOL_ICMP) | (destination == nic->subnet4.broadcast) |
           nic->many_subnets4 | (ttl < ttl_least) | ((source != nic->own4) & must_own_source);
}

static inline bool dp_stands_out6(const struct dp_nic *nic, const uint8_t *source,
                                  const uint8_t *destination, uint8_t protocol, uint8_t ttl,
                                  uint8_t ttl_least, bool must_own_source)
{
    return dp_special6[destination[0]] | dp_special6[source[0]] | (protocol == DP_PROTOCOL_ICMPV6) |
           (ttl < ttl_least) | ((memcmp(source, nic->own6, 16) != 0) & must_own_source);
}

static inline uint64_t dp_raw4(const uint8_t *bytes)
{
    uint32_t word;

    memcpy(&word, bytes, sizeof(word));
    return word;
}

/* The sum over a header with its checksum in it is all ones (RFC 1071), which is to say a multiple of
 * 0xffff; it is never 0, where the version is not. length is at least 20: those words need no loop. */
static inline bool dp_ipv4_checksum_right(const uint8_t *header, size_t length)
{
    uint64_t sum = dp_raw4(header) + dp_raw4(header + 4) + dp_raw4(header + 8) +
                   dp_raw4(header + 12) + dp_raw4(header + 16);

    for (size_t i = 20; i < length; i += 4)
        sum += dp_raw4(header + i);
    return sum % 0xffff == 0;
}

/* 802.1Q, 802.1ad, and what stacks of tags had before that. */
static inline bool dp_ethertype_is_tag(uint16_t ethertype)
{
    return ethertype == 0x8100 || ethertype == 0x88a8 || ethertype == 0x9100;
}

/* TCP, UDP, SCTP, UDP-Lite and DCCP begin with source and destination port. */
static inline bool dp_protocol_has_ports(uint8_t protocol)
{
    return protocol == 6 || protocol == 17 || protocol == 132 || protocol == 136 || protocol == 33;
}

#endif
