/*
 * Neighbour discovery for IPv6 (RFC 4861) as arp.c does it for IPv4: solicitations for any address
 * of the subnet but the NIC's own, and for the gateway's link-local address, are answered with the
 * gateway's MAC.
 *
 * dp_decide() has checked what makes a packet a solicitation from the link (hop limit 255, no
 * fragment); the rest of RFC 4861 7.1.1 is here.
 */
#include "dataplane/stages.h"

#include <string.h>

#include "dataplane/checksum.h"

#define IPV6_BYTES         40
#define SOLICITATION_BYTES 24 /* type, code, checksum, reserved, target */
#define TARGET             8
#define OPTIONS            24

#define TYPE_ADVERTISEMENT 136
#define OPTION_SOURCE_LINK 1
#define OPTION_TARGET_LINK 2
#define FLAG_ROUTER        0x80
#define FLAG_SOLICITED     0x40
#define FLAG_OVERRIDE      0x20

static const uint8_t unspecified[16];
static const uint8_t all_nodes[16] = {0xff, 2, [15] = 1};
static const uint8_t all_nodes_mac[6] = {0x33, 0x33, 0, 0, 0, 1};

/* Options are (type, length in 8 bytes, ...); length 0 makes the message invalid. *has_source: the
 * source's link-layer address is among them. */
static bool options_good(const uint8_t *options, size_t n, bool *has_source)
{
    *has_source = false;
    while (n > 0) {
        size_t length = n < 2 ? 0 : (size_t)options[1] * 8;

        if (length == 0 || length > n)
            return false;
        *has_source |= options[0] == OPTION_SOURCE_LINK;
        options += length;
        n -= length;
    }
    return true;
}

static bool solicitation_good(const uint8_t *message, size_t n, const struct dp_packet *packet)
{
    static const uint8_t solicited_node[13] = {0xff, 2, [11] = 1, [12] = 0xff};
    bool has_source;

    if (message[1] != 0 || message[TARGET] == 0xff ||
        !options_good(message + OPTIONS, n - OPTIONS, &has_source))
        return false;
    /* Duplicate address detection: to the target's group, and nobody to send the answer to. */
    if (!memcmp(packet->source, unspecified, 16))
        return !has_source && !memcmp(packet->destination, solicited_node, 13);
    return true;
}

void dp_nd_advertise(uint8_t *ip, const uint8_t mac[6], const uint8_t target[16],
                     const uint8_t *destination, bool is_router)
{
    uint8_t *message = ip + IPV6_BYTES;
    uint16_t checksum;

    memset(ip, 0, IPV6_BYTES + DP_ADVERTISEMENT_BYTES);
    ip[0] = 0x60;
    ip[5] = DP_ADVERTISEMENT_BYTES;
    ip[6] = DP_PROTOCOL_ICMPV6;
    ip[7] = 255;
    memcpy(ip + 8, target, 16);
    memcpy(ip + 24, destination ? destination : all_nodes, 16);
    message[0] = TYPE_ADVERTISEMENT;
    message[4] = FLAG_OVERRIDE;
    message[4] |= (is_router ? FLAG_ROUTER : 0) | (destination ? FLAG_SOLICITED : 0);
    memcpy(message + TARGET, target, 16);
    message[OPTIONS] = OPTION_TARGET_LINK;
    message[OPTIONS + 1] = 1;
    memcpy(message + OPTIONS + 2, mac, 6);
    checksum = dp_checksum_icmpv6(ip + 8, ip + 24, message, DP_ADVERTISEMENT_BYTES);
    memcpy(message + 2, &checksum, sizeof(checksum));
}

bool dp_nd_answer(const struct dp_frame *frame, const struct dp_packet *packet,
                  enum dp_reason *reason)
{
    uint8_t *ip = rte_pktmbuf_mtod(frame->mbuf, uint8_t *);
    const uint8_t *message = ip + packet->header_length;
    uint32_t n = packet->total_length - packet->header_length;
    const uint8_t *to = frame->source_mac;
    uint8_t target[16];
    bool probes;

    *reason = DP_REASON_TOO_SHORT;
    if (n < SOLICITATION_BYTES || rte_pktmbuf_data_len(frame->mbuf) < packet->total_length)
        return false;
    *reason = DP_REASON_BAD_CHECKSUM;
    if (!dp_icmp_checksum_good(frame->mbuf, packet))
        return false;
    *reason = DP_REASON_NEIGHBOR_NOT_HERE;
    if (!solicitation_good(message, n, packet) || !dp_nic_neighbor6(frame->nic, message + TARGET))
        return false;
    memcpy(target, message + TARGET, sizeof(target));
    *reason = DP_REASON_NO_BUFFER;
    if (!dp_answer_resize(frame->mbuf, IPV6_BYTES + DP_ADVERTISEMENT_BYTES))
        return false;
    probes = !memcmp(packet->source, unspecified, 16);
    /* Over the solicitation, without any extension header that it had. */
    dp_nd_advertise(ip, frame->nic->gateway_mac, target, probes ? NULL : packet->source, true);
    if (probes)
        to = all_nodes_mac;
    return dp_push_ethernet(frame->mbuf, frame->nic, to, DP_ETHERTYPE_IPV6);
}
