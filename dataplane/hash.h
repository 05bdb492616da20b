/*
 * Mixing, and the flow hash as the packet path inlines it.
 *
 * The multiply-fold takes two words to the 128-bit product's halves xored, in four cycles and alike
 * on every machine. Two of them in a row spread regular flows like chance; one does not. (A CRC is
 * as quick, but linear: flows that differ in few bits land more evenly than chance, or less.)
 *
 * Symmetric: a flow is named by its two (address, port) ends in sorted order. All fragments of a
 * datagram, the first included, leave the ports out; so does a packet whose ports are not known. With
 * DP_HASH_INNER, the flow of a VXLAN packet is that of what it carries.
 */
#ifndef DATAPLANE_HASH_H
#define DATAPLANE_HASH_H

#include "dataplane/forwarding.h"

/* Odd constants with even spread of bits: fractional parts of square roots of primes (the initial
 * values of SHA-512, FIPS 180-4). */
#define DP_HASH_KEY0 0x6a09e667f3bcc909ull
#define DP_HASH_KEY1 0xbb67ae8584caa73bull
#define DP_HASH_KEY2 0x3c6ef372fe94f82bull
#define DP_HASH_KEY3 0xa54ff53a5f1d36f1ull

static inline uint64_t dp_hash_fold(uint64_t a, uint64_t b)
{
    const unsigned __int128 product = (unsigned __int128)a * b;

    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* A bijection that scatters neighbours; for tables of the writer and for scores of members. */
static inline uint64_t dp_hash_mix(uint64_t word)
{
    word = (word ^ (word >> 32)) * DP_HASH_KEY1;
    word = (word ^ (word >> 29)) * DP_HASH_KEY3;
    return word ^ (word >> 32);
}

static inline uint64_t dp_load8(const uint8_t *bytes)
{
    uint64_t word;

    memcpy(&word, bytes, sizeof(word));
    return word;
}

/* Of the tables of source MACs: neighbouring ones, which guests of one cloud have, must not share a run
 * of slots. vni is 0 for a port's own table. */
static inline uint32_t dp_mac_hash(uint32_t vni, const uint8_t mac[6])
{
    uint32_t first;
    uint16_t last;

    memcpy(&first, mac, sizeof(first));
    memcpy(&last, mac + sizeof(first), sizeof(last));
    return (uint32_t)dp_hash_mix((first | (uint64_t)last << 32) ^ dp_hash_mix(vni));
}

static inline uint64_t dp_hash_address(const struct lpm_address *address)
{
    const uint64_t folded = dp_hash_fold(dp_load8(address->bytes) ^ DP_HASH_KEY0,
                                         dp_load8(address->bytes + 8) ^ DP_HASH_KEY1);

    return dp_hash_mix(folded ^ address->family);
}

/* One end of a flow: the address as two words, and the port. */
struct dp_flow_end {
    uint64_t high, low;
    uint16_t port;
};

static inline bool dp_flow_end_before(const struct dp_flow_end *a, const struct dp_flow_end *b)
{
    if (a->high != b->high)
        return a->high < b->high;
    if (a->low != b->low)
        return a->low < b->low;
    return a->port < b->port;
}

static inline uint32_t dp_flow_finish(uint64_t hash, uint8_t protocol, uint32_t salt)
{
    hash = dp_hash_fold(hash ^ DP_HASH_KEY2, (((uint64_t)salt << 8) | protocol) ^ DP_HASH_KEY3);
    return (uint32_t)(hash ^ (hash >> 32));
}

/* An IPv4 end is one word, so that sorting is one comparison. */
static inline uint32_t dp_flow_hash4(const uint8_t *source, const uint8_t *destination,
                                     uint16_t source_port, uint16_t destination_port,
                                     uint8_t protocol, uint32_t salt)
{
    const uint64_t a = (uint64_t)dp_load4(source) << 16 | source_port;
    const uint64_t b = (uint64_t)dp_load4(destination) << 16 | destination_port;
    const uint64_t low = a < b ? a : b;
    const uint64_t high = a < b ? b : a;

    return dp_flow_finish(dp_hash_fold(low ^ DP_HASH_KEY0, high ^ DP_HASH_KEY1), protocol, salt);
}

static inline uint32_t dp_flow_hash6(const uint8_t *source, const uint8_t *destination,
                                     uint16_t source_port, uint16_t destination_port,
                                     uint8_t protocol, uint32_t salt)
{
    const struct dp_flow_end a = {dp_load8(source), dp_load8(source + 8), source_port};
    const struct dp_flow_end b = {dp_load8(destination), dp_load8(destination + 8),
                                  destination_port};
    const bool in_order = dp_flow_end_before(&a, &b);
    const struct dp_flow_end *first = in_order ? &a : &b;
    const struct dp_flow_end *second = in_order ? &b : &a;
    const uint64_t ports = (uint64_t)first->port << 16 | second->port;
    const uint64_t addresses =
        dp_hash_fold(first->high ^ DP_HASH_KEY0, first->low ^ DP_HASH_KEY1) ^
        dp_hash_fold(second->high ^ DP_HASH_KEY2, second->low ^ DP_HASH_KEY3);

    /* Only now the ports: xored in before, they would cancel out with low bits of addresses. */
    return dp_flow_finish(dp_hash_fold(addresses ^ DP_HASH_KEY0, ports ^ DP_HASH_KEY1), protocol,
                          salt);
}

/* RFC 6438: addresses and flow label name the flow, fragments and what hides its ports included. Each
 * direction has a label of its own. Packets without one are hashed by the 5-tuple. */
#define DP_HASH_FLOW_LABEL 6u

/* Of a packet's fields: hash_fields as in dp_forwarding_config, without DP_HASH_INNER; ports are 0 where
 * it has none. */
static inline uint32_t dp_flow_hash_fields(uint8_t family, const uint8_t *source,
                                           const uint8_t *destination, uint16_t source_port,
                                           uint16_t destination_port, uint8_t protocol,
                                           uint32_t flow_label, unsigned hash_fields, uint32_t salt)
{
    if (hash_fields < 5)
        source_port = destination_port = 0;
    if (hash_fields == 2)
        protocol = 0;
    if (hash_fields == DP_HASH_FLOW_LABEL && flow_label != 0) {
        source_port = destination_port = (uint16_t)flow_label;
        protocol = (uint8_t)(flow_label >> 16);
    }
    if (family == LPM_IPV4)
        return dp_flow_hash4(source, destination, source_port, destination_port, protocol, salt);
    return dp_flow_hash6(source, destination, source_port, destination_port, protocol, salt);
}

/* Whose flow a packet belongs to. An error travels to the embedded packet's source, so that address is
 * here already; its ports are those of the packet it is about, hence the other way round. */
struct dp_flow_parts {
    const uint8_t *source;
    uint16_t source_port, destination_port;
    uint8_t protocol;
};
static inline struct dp_flow_parts dp_packet_flow(const struct dp_packet *packet)
{
    const bool ports = packet->has_ports, error = packet->icmp_error;
    const uint16_t from = ports ? packet->source_port : 0;
    const uint16_t to = ports ? packet->destination_port : 0;

    return (struct dp_flow_parts){.source = error ? packet->error_peer : packet->source,
                                  .source_port = error ? to : from,
                                  .destination_port = error ? from : to,
                                  .protocol = error ? packet->error_protocol : packet->protocol};
}

static inline uint32_t dp_flow_hash_inline(const struct dp_packet *packet, unsigned hash_fields,
                                           uint32_t salt)
{
    const struct dp_flow *inner = &packet->inner;
    struct dp_flow_parts parts;

    if ((hash_fields & DP_HASH_INNER) && inner->family != 0)
        return dp_flow_hash_fields(inner->family, inner->source, inner->destination,
                                   inner->source_port, inner->destination_port, inner->protocol,
                                   inner->flow_label, hash_fields & ~DP_HASH_INNER, salt);
    parts = dp_packet_flow(packet);
    return dp_flow_hash_fields(packet->family, parts.source, packet->destination, parts.source_port,
                               parts.destination_port, parts.protocol, packet->flow_label,
                               hash_fields & ~DP_HASH_INNER, salt);
}

#endif
