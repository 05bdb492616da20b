/*
 * Echo requests to a gateway address (RFC 792, RFC 4443): people ping the gateway first.
 *
 * The answer is the request with its ends exchanged. It gets a header of its own, without the
 * options or extension headers of the request, directly in front of the message; the message
 * differs in its type alone, which its checksum follows without looking at the data again (the
 * pseudo-header of ICMPv6 sums to the same either way round).
 */
#include "dataplane/stages.h"

#include <string.h>

#include <rte_cycles.h>

#include "dataplane/checksum.h"

#define IPV4_BYTES 20
#define IPV6_BYTES 40
#define ANSWER_TTL 64
#define ECHO_BYTES 8 /* of the message, before its data */

void dp_limiter_init(struct dp_limiter *limiter, unsigned rate, unsigned at_once)
{
    limiter->due = 0;
    limiter->interval = rte_get_tsc_hz() / rate;
    limiter->tolerance = limiter->interval * at_once;
}

bool dp_limiter_allows(struct dp_limiter *limiter)
{
    uint64_t now = rte_get_tsc_cycles() + limiter->tolerance;

    if (limiter->due > now)
        return false;
    if (limiter->due + limiter->tolerance < now)
        limiter->due = now - limiter->tolerance;
    limiter->due += limiter->interval;
    return true;
}

static void write_ipv4(uint8_t *ip, const struct dp_packet *packet, uint16_t total)
{
    uint16_t checksum;

    memset(ip, 0, IPV4_BYTES);
    ip[0] = 0x45;
    ip[2] = (uint8_t)(total >> 8);
    ip[3] = (uint8_t)total;
    ip[6] = 0x40; /* never fragmented: identification may stay 0 (RFC 6864) */
    ip[8] = ANSWER_TTL;
    ip[9] = DP_PROTOCOL_ICMP;
    memcpy(ip + 12, packet->destination, 4);
    memcpy(ip + 16, packet->source, 4);
    checksum = dp_checksum(ip, IPV4_BYTES);
    memcpy(ip + 10, &checksum, sizeof(checksum));
}

static void write_ipv6(uint8_t *ip, const struct dp_packet *packet, uint16_t payload)
{
    memset(ip, 0, IPV6_BYTES);
    ip[0] = 0x60;
    ip[4] = (uint8_t)(payload >> 8);
    ip[5] = (uint8_t)payload;
    ip[6] = DP_PROTOCOL_ICMPV6;
    ip[7] = ANSWER_TTL;
    memcpy(ip + 8, packet->destination, 16);
    memcpy(ip + 24, packet->source, 16);
}

/* Request to reply: 8 to 0, or 128 to 129; the checksum by RFC 1624, as type and code are its 16
 * bits. */
static void turn_message(uint8_t *message, bool is_ipv6)
{
    uint32_t sum = (uint16_t) ~(message[2] << 8 | message[3]);
    uint8_t reply = is_ipv6 ? message[0] + 1 : 0;

    sum += (uint16_t) ~(message[0] << 8 | message[1]);
    sum += (uint32_t)(reply << 8 | message[1]);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    message[0] = reply;
    message[2] = (uint8_t)(~sum >> 8);
    message[3] = (uint8_t)~sum;
}

bool dp_echo_answer(const struct dp_frame *frame, const struct dp_packet *packet,
                    struct dp_limiter *limiter, enum dp_reason *reason)
{
    bool is_ipv6 = packet->family == LPM_IPV6;
    uint16_t header = is_ipv6 ? IPV6_BYTES : IPV4_BYTES;
    uint32_t message = packet->total_length - packet->header_length;
    uint8_t *ip;

    *reason = DP_REASON_TOO_SHORT;
    if (message < ECHO_BYTES ||
        rte_pktmbuf_data_len(frame->mbuf) < packet->header_length + ECHO_BYTES)
        return false;
    *reason = DP_REASON_BAD_CHECKSUM;
    if (!dp_icmp_checksum_good(frame->mbuf, packet))
        return false;
    *reason = DP_REASON_RATE_LIMITED;
    if (limiter && !dp_limiter_allows(limiter))
        return false;
    dp_cut(frame->mbuf, packet->total_length);
    ip = (uint8_t *)rte_pktmbuf_adj(frame->mbuf, packet->header_length - header);
    turn_message(ip + header, is_ipv6);
    if (is_ipv6)
        write_ipv6(ip, packet, (uint16_t)message);
    else
        write_ipv4(ip, packet, (uint16_t)(header + message));
    *reason = DP_REASON_NO_BUFFER;
    return dp_push_ethernet(frame->mbuf, frame->nic, frame->source_mac,
                            is_ipv6 ? DP_ETHERTYPE_IPV6 : DP_ETHERTYPE_IPV4);
}
