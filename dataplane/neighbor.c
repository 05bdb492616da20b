/*
 * Neighbours of an underlay port: asked for, heard of, and answered (ARP, RFC 826; neighbour
 * discovery, RFC 4861). struct dp_neighbor says what is kept of them.
 *
 * Any worker hears; one worker, which polls the port's first queue, asks. A request is broadcast
 * (multicast) each time: a tunnel end point that moved is found, and the few of a second do not
 * matter. Only addresses that the configuration names are learned.
 */
#include "dataplane/underlay.h"

#include "dataplane/checksum.h"
#include "dataplane/stages.h"

#define IPV6_BYTES         40u
#define SOLICITATION_BYTES 32u /* with the source's link-layer address */
#define MESSAGE_BYTES      24u /* of both kinds, before their options */
#define TYPE_ADVERTISEMENT 136
#define OPTION_SOURCE_LINK 1
#define OPTION_TARGET_LINK 2

/* Without an address of its own it has none of IPv4, and of IPv6 that of the link. */
static const uint8_t *own_address(const struct dp_underlay *underlay)
{
    static const uint8_t none[16];

    if (underlay->address.family == LPM_IPV6 && memcmp(underlay->address.bytes, none, 16) == 0)
        return underlay->self->gateway_link_local;
    return underlay->address.bytes;
}

static bool is_own(const struct dp_underlay *underlay, const uint8_t *address, uint8_t family)
{
    static const uint8_t none[16];
    const size_t bytes = family == LPM_IPV4 ? 4 : 16;

    return underlay->address.family == family && memcmp(address, none, bytes) != 0 &&
           memcmp(own_address(underlay), address, bytes) == 0;
}

/* --- Hearing ---------------------------------------------------------------------------------- */

/* A request for our address is answered like a guest's for its gateway; of the rest, a neighbour's
 * own is taken, and everything else is as on any port. */
static enum dp_underlay_taken take_arp(const struct dp_path *path, struct dp_burst *burst,
                                       unsigned i, uint16_t port,
                                       const struct dp_underlay *underlay)
{
    static const uint8_t head[7] = {0, 1, 8, 0, 6, 4, 0};
    struct dp_frame *frame = &burst->frames[i];
    const uint8_t *arp = rte_pktmbuf_mtod_offset(frame->mbuf, const uint8_t *, DP_ETHERNET_BYTES);
    struct lpm_address sender = {.family = LPM_IPV4};
    bool known;

    if (rte_pktmbuf_data_len(frame->mbuf) < DP_ETHERNET_BYTES + DP_ARP_BYTES ||
        memcmp(arp, head, sizeof(head)) != 0)
        return DP_UNDERLAY_NOT;
    memcpy(sender.bytes, arp + 14, 4);
    known = dp_neighbor_heard(path->forwarding, port, &sender, arp + 8);
    if (arp[7] == 1 && is_own(underlay, arp + 24, LPM_IPV4))
        frame->stage = DP_STAGE_ARP;
    else if (known)
        frame->stage = DP_STAGE_TAKEN;
    else
        return DP_UNDERLAY_NOT;
    return DP_UNDERLAY_DONE;
}

static bool is_discovery(const struct dp_packet *packet)
{
    return packet->family == LPM_IPV6 && packet->protocol == DP_PROTOCOL_ICMPV6 &&
           packet->ttl == 255 && !packet->fragment &&
           (packet->icmp_type == DP_ICMPV6_NEIGHBOR_SOLICITATION ||
            packet->icmp_type == TYPE_ADVERTISEMENT);
}

/* The link-layer address among the options; NULL: none, or they are malformed. */
static const uint8_t *link_option(const uint8_t *options, size_t n, uint8_t type)
{
    while (n >= 8) {
        const size_t length = (size_t)options[1] * 8;

        if (length == 0 || length > n)
            return NULL;
        if (options[0] == type)
            return options + 2;
        options += length;
        n -= length;
    }
    return NULL;
}

/* Solicitations tell of their source, advertisements of their target. */
static void hear(const struct dp_path *path, uint16_t port, const uint8_t *message, uint32_t n,
                 const struct dp_packet *packet)
{
    const bool advertised = packet->icmp_type == TYPE_ADVERTISEMENT;
    const uint8_t type = advertised ? OPTION_TARGET_LINK : OPTION_SOURCE_LINK;
    const uint8_t *mac = link_option(message + MESSAGE_BYTES, n - MESSAGE_BYTES, type);
    struct lpm_address who = {.family = LPM_IPV6};

    memcpy(who.bytes, advertised ? message + 8 : packet->source, 16);
    if (mac)
        dp_neighbor_heard(path->forwarding, port, &who, mac);
}

/* What is asked of us, and what we are told: the rest is between guests of the port and their gateway. */
static bool is_for_underlay(const struct dp_underlay *underlay, const struct rte_mbuf *mbuf,
                            const struct dp_packet *packet, bool ours)
{
    const unsigned target = DP_ETHERNET_BYTES + packet->header_length + 8;

    if (packet->icmp_type != DP_ICMPV6_NEIGHBOR_SOLICITATION)
        return ours && underlay->address.family == LPM_IPV6;
    return rte_pktmbuf_data_len(mbuf) >= target + 16 &&
           is_own(underlay, rte_pktmbuf_mtod_offset(mbuf, const uint8_t *, target), LPM_IPV6);
}

static bool is_echo_request(const struct dp_packet *packet)
{
    if (packet->fragment)
        return false;
    return packet->family == LPM_IPV4
               ? packet->protocol == DP_PROTOCOL_ICMP && packet->icmp_type == DP_ICMP_ECHO_REQUEST
               : packet->protocol == DP_PROTOCOL_ICMPV6 &&
                     packet->icmp_type == DP_ICMPV6_ECHO_REQUEST;
}

/* Its fragments, too: they are told from no other, and nobody here puts them together. */
static bool is_vxlan(const struct dp_packet *packet)
{
    return packet->protocol == DP_PROTOCOL_UDP &&
           (packet->fragment || (packet->has_ports && packet->destination_port == DP_VXLAN_PORT));
}

enum dp_underlay_taken dp_underlay_take(const struct dp_path *path, struct dp_burst *burst,
                                        unsigned i, uint16_t port,
                                        const struct dp_underlay *underlay)
{
    struct dp_frame *frame = &burst->frames[i];
    const uint8_t *bytes = rte_pktmbuf_mtod(frame->mbuf, const uint8_t *);
    const bool ours = memcmp(bytes, underlay->self->gateway_mac, 6) == 0;
    struct dp_packet packet;
    enum dp_reason reason;

    frame->nic = underlay->self;
    frame->nic_id = underlay->self->id;
    if (frame->ethertype == DP_ETHERTYPE_ARP)
        return take_arp(path, burst, i, port, underlay);
    if (!ours && !(bytes[0] & 1))
        return DP_UNDERLAY_NOT;
    if (!dp_packet_parse_wire(
            bytes + DP_ETHERNET_BYTES, rte_pktmbuf_data_len(frame->mbuf) - DP_ETHERNET_BYTES,
            frame->bytes - DP_ETHERNET_BYTES, frame->ethertype, &packet, &reason)) {
        if (!ours || reason == DP_REASON_UNKNOWN_ETHERTYPE)
            return DP_UNDERLAY_NOT;
        dp_drop(burst, i, reason);
        return DP_UNDERLAY_DONE;
    }
    if (is_discovery(&packet) && is_for_underlay(underlay, frame->mbuf, &packet, ours)) {
        frame->stage = DP_STAGE_UNDERLAY;
        return DP_UNDERLAY_DONE;
    }
    if (!ours || !is_own(underlay, packet.destination, packet.family))
        return DP_UNDERLAY_NOT;
    if (is_vxlan(&packet))
        return dp_vxlan_take(path, burst, i, port, underlay, &packet);
    /* A NIC's port that leads to no host: what is not for us alone is from the NIC. */
    if (underlay->peer_count == 0 && !is_echo_request(&packet))
        return DP_UNDERLAY_NOT;
    frame->stage = DP_STAGE_UNDERLAY;
    return DP_UNDERLAY_DONE;
}

/* --- Answering -------------------------------------------------------------------------------- */

static bool hear_discovery(const struct dp_path *path, const struct dp_frame *frame,
                           const struct dp_packet *packet, enum dp_reason *reason)
{
    const uint8_t *ip = rte_pktmbuf_mtod(frame->mbuf, const uint8_t *);
    const uint32_t n = packet->total_length - packet->header_length;

    *reason = DP_REASON_TOO_SHORT;
    if (n < MESSAGE_BYTES || rte_pktmbuf_data_len(frame->mbuf) < packet->total_length)
        return false;
    *reason = DP_REASON_BAD_CHECKSUM;
    if (!dp_icmp_checksum_good(frame->mbuf, packet))
        return false;
    hear(path, frame->nic->port, ip + packet->header_length, n, packet);
    return true;
}

bool dp_underlay_answer(const struct dp_path *path, struct dp_frame *frame, bool *taken,
                        enum dp_reason *reason)
{
    struct dp_packet packet;

    *taken = false;
    if (!dp_packet_parse_wire(rte_pktmbuf_mtod(frame->mbuf, const uint8_t *),
                              rte_pktmbuf_data_len(frame->mbuf), frame->bytes - frame->l2_bytes,
                              frame->ethertype, &packet, reason))
        return false;
    if (is_echo_request(&packet))
        return dp_echo_answer(frame, &packet, path->limiter, reason);
    if (is_discovery(&packet)) {
        if (!hear_discovery(path, frame, &packet, reason))
            return false;
        *taken = packet.icmp_type == TYPE_ADVERTISEMENT;
        return *taken || dp_nd_answer(frame, &packet, reason);
    }
    *reason = DP_REASON_UNKNOWN_ATTACHMENT;
    return false;
}

/* --- Asking ----------------------------------------------------------------------------------- */

/* To the solicited-node group of the target (RFC 4291 2.7.1). */
static void write_solicitation(uint8_t *ip, const struct dp_underlay *underlay,
                               const struct lpm_address *target)
{
    uint8_t *message = ip + IPV6_BYTES;
    uint16_t checksum;

    memset(ip, 0, IPV6_BYTES + SOLICITATION_BYTES);
    ip[0] = 0x60;
    ip[5] = SOLICITATION_BYTES;
    ip[6] = DP_PROTOCOL_ICMPV6;
    ip[7] = 255;
    memcpy(ip + 8, own_address(underlay), 16);
    ip[24] = 0xff;
    ip[25] = 2;
    ip[35] = 1;
    ip[36] = 0xff;
    memcpy(ip + 37, target->bytes + 13, 3);
    message[0] = DP_ICMPV6_NEIGHBOR_SOLICITATION;
    memcpy(message + 8, target->bytes, 16);
    message[MESSAGE_BYTES] = OPTION_SOURCE_LINK;
    message[MESSAGE_BYTES + 1] = 1;
    memcpy(message + MESSAGE_BYTES + 2, underlay->self->gateway_mac, 6);
    checksum = dp_checksum_icmpv6(ip + 8, ip + 24, message, SOLICITATION_BYTES);
    memcpy(message + 2, &checksum, sizeof(checksum));
}

static void ask(struct dp_path *path, uint16_t port, const struct dp_underlay *underlay,
                const struct lpm_address *target)
{
    static const struct dp_note nothing = {.kind = DP_NOTE_NOTHING};
    const bool six = target->family == LPM_IPV6;
    const uint16_t bytes = six ? IPV6_BYTES + SOLICITATION_BYTES : DP_ARP_BYTES;
    uint8_t group[6] = {0x33, 0x33, 0xff};
    struct rte_mbuf *mbuf = rte_pktmbuf_alloc(path->pool);
    uint8_t *packet;

    if (!mbuf)
        return; /* the next tick asks again */
    packet = (uint8_t *)rte_pktmbuf_append(mbuf, bytes);
    if (six)
        write_solicitation(packet, underlay, target);
    else
        dp_arp_request(packet, underlay->self->gateway_mac, underlay->address.bytes, target->bytes);
    memcpy(group + 3, target->bytes + 13, 3);
    if (!six)
        memset(group, 0xff, sizeof(group));
    dp_push_ethernet(mbuf, underlay->self, group, six ? DP_ETHERTYPE_IPV6 : DP_ETHERTYPE_ARP);
    dp_tx_put(path, &path->txs[port], mbuf, &nothing);
}

void dp_neighbors_tick(struct dp_path *path, uint16_t port)
{
    const struct dp_underlay *underlay = dp_underlay_read(path->forwarding, port);
    struct dp_neighbor *neighbor;

    if (!underlay)
        return;
    neighbor = lpm_rcu_dereference(&path->forwarding->neighbors[port]);
    for (; neighbor; neighbor = lpm_rcu_dereference(&neighbor->next)) {
        if (underlay->router && neighbor != underlay->router &&
            !atomic_load_explicit(&neighbor->next_hop, memory_order_relaxed))
            continue;
        if (neighbor->address.family == underlay->address.family && dp_neighbor_tick(neighbor))
            ask(path, port, underlay, &neighbor->address);
    }
    dp_tx_flush(path, &path->txs[port]);
}
