/*
 * Admission: the part of the decision that looks at the packet and its sender alone (steps 1 to 5
 * of the walk in decide.c).
 *
 * Nearly every packet has nothing that stands out: ordinary addresses, the sender's own first one
 * as source, time to live. That is found by a handful of comparisons without a branch between them.
 * Whatever stands out in any way goes through the steps in full and in order.
 */
#include "dataplane/decide.h"
#include "dataplane/plain.h"

#define NOT_DROPPED DP_REASON_COUNT

#define PLATFORM_PROBES   0xa83f8110u /* 168.63.129.16: health probes, DNS, DHCP */
#define PLATFORM_METADATA 0xa9fea9feu /* 169.254.169.254 */

static void answer(struct dp_verdict *verdict)
{
    verdict->action = DP_ANSWER;
}

/* --- Addresses that need a second look -------------------------------------------------------- */

/* First bytes of IPv4 addresses that need a second look: "this" network, loopback, link-local and
 * platform, multicast and above. */
const uint8_t dp_special4[256] = {
    [0] = 1, [127] = 1, [168] = 1, [169] = 1, [224 ... 255] = 1,
};

/* The same of IPv6: what embeds IPv4 or is nobody, link-local and site-local, multicast. */
const uint8_t dp_special6[256] = {
    [0] = 1,
    [0xfe ... 0xff] = 1,
};

static bool is_martian4(uint32_t address)
{
    const uint32_t first = address >> 24;

    return first == 0 || first == 127 || address >> 16 == 0xa9fe || first >= 224;
}

static bool is_broadcast4(const struct dp_nic *nic, uint32_t address)
{
    for (unsigned i = 0; i < nic->subnet4_count; i++) {
        if (nic->subnet4_all[i].broadcast == address && address != 0)
            return true;
    }
    return address == UINT32_MAX;
}

/* RFC 1812 4.2.2.11, 5.3.4, 5.3.5 and 5.3.7. */
static enum dp_reason address_check4(const struct dp_nic *nic, uint32_t source,
                                     uint32_t destination)
{
    if (destination == PLATFORM_PROBES || destination == PLATFORM_METADATA)
        return DP_REASON_PLATFORM_ADDRESS;
    if (destination >> 28 == 0xe)
        return DP_REASON_MULTICAST;
    if (is_broadcast4(nic, destination))
        return DP_REASON_BROADCAST;
    if (is_martian4(destination) || is_martian4(source))
        return DP_REASON_MARTIAN;
    return NOT_DROPPED;
}

static bool is_link_local6(const uint8_t *address)
{
    return address[0] == 0xfe && (address[1] & 0xc0) == 0x80;
}

/* ::/96 with what lies in it (unspecified, loopback, IPv4-compatible) and IPv4-mapped addresses. */
static bool is_embedding6(const uint8_t *address)
{
    static const uint8_t zeros[10];

    return memcmp(address, zeros, 10) == 0 &&
           ((address[10] == 0 && address[11] == 0) || (address[10] == 0xff && address[11] == 0xff));
}

static bool is_unspecified6(const uint8_t *address)
{
    static const uint8_t zeros[16];

    return memcmp(address, zeros, 16) == 0;
}

static bool is_martian6(const uint8_t *address)
{
    return address[0] == 0xff || is_link_local6(address) || is_embedding6(address);
}

/* RFC 4291 2.5.2 to 2.5.6 and 2.7: none of these may be forwarded. */
static enum dp_reason address_check6(const uint8_t *source, const uint8_t *destination)
{
    if (destination[0] == 0xff)
        return DP_REASON_MULTICAST;
    if (is_martian6(destination) || is_martian6(source))
        return DP_REASON_MARTIAN;
    return NOT_DROPPED;
}

/* --- Admission: steps 1 to 5 ------------------------------------------------------------------ */

static bool is_echo_request(const struct dp_packet *packet)
{
    if (packet->fragment)
        return false;
    if (packet->family == LPM_IPV4)
        return packet->protocol == DP_PROTOCOL_ICMP && packet->icmp_type == DP_ICMP_ECHO_REQUEST;
    return packet->protocol == DP_PROTOCOL_ICMPV6 && packet->icmp_type == DP_ICMPV6_ECHO_REQUEST;
}

/* An appliance forwards for others; a trace was sent by others. */
static bool must_own_source(const struct dp_decision *decision, const struct dp_nic *nic)
{
    return decision->check_source && !nic->ip_forwarding;
}

/* In order, for what stands out. true: admitted. */
static bool walk4(const struct dp_decision *decision, unsigned i, uint32_t source,
                  uint32_t destination)
{
    const struct dp_packet *packet = &decision->packets[i];
    const struct dp_nic *nic = decision->senders[i];
    struct dp_verdict *verdict = &decision->verdicts[i];
    const enum dp_reason reason = address_check4(nic, source, destination);

    if (reason != NOT_DROPPED)
        dp_verdict_drop(verdict, reason);
    else if (must_own_source(decision, nic) && !dp_nic_owns4(nic, source))
        dp_verdict_drop(verdict, DP_REASON_SOURCE_CHECK);
    else if (is_echo_request(packet) && dp_nic_gateway4(nic, destination))
        answer(verdict);
    else if (packet->ttl < decision->ttl_least)
        dp_verdict_drop(verdict, DP_REASON_TTL_EXPIRED);
    else
        return true;
    return false;
}

static inline void admit4(struct dp_decision *decision, unsigned i)
{
    const struct dp_packet *packet = &decision->packets[i];
    const struct dp_nic *nic = decision->senders[i];
    const uint32_t source = dp_load4(packet->source);
    const uint32_t destination = dp_load4(packet->destination);

    if (dp_stands_out4(nic, source, destination, packet->protocol, packet->ttl, decision->ttl_least,
                       must_own_source(decision, nic)) &&
        !walk4(decision, i, source, destination))
        return;
    decision->addresses4[decision->four.n] = destination;
    dp_wait_for_leaf(&decision->four, i, lpm_rcu_dereference(&nic->fib4));
}

/* Traffic between a guest and its gateway, which never leaves the link: neighbour solicitations
 * (RFC 4861 7.1.1) and echo requests to the gateway's link-local address. true: decided here. */
static bool stays_on_link6(const struct dp_decision *decision, unsigned i)
{
    const struct dp_packet *packet = &decision->packets[i];
    const struct dp_nic *nic = decision->senders[i];
    const bool of_link = is_link_local6(packet->source) || is_unspecified6(packet->source);
    const bool echo = is_echo_request(packet) && is_link_local6(packet->source) &&
                      memcmp(packet->destination, nic->gateway_link_local, 16) == 0;

    if (!echo && !dp_packet_is_solicitation(packet))
        return false;
    if (of_link || !must_own_source(decision, nic) || dp_nic_owns6(nic, packet->source))
        answer(&decision->verdicts[i]);
    else
        dp_verdict_drop(&decision->verdicts[i], DP_REASON_SOURCE_CHECK);
    return true;
}

static bool walk6(const struct dp_decision *decision, unsigned i)
{
    const struct dp_packet *packet = &decision->packets[i];
    const struct dp_nic *nic = decision->senders[i];
    struct dp_verdict *verdict = &decision->verdicts[i];
    enum dp_reason reason;

    if (stays_on_link6(decision, i))
        return false;
    reason = address_check6(packet->source, packet->destination);
    if (reason != NOT_DROPPED)
        dp_verdict_drop(verdict, reason);
    else if (must_own_source(decision, nic) && !dp_nic_owns6(nic, packet->source))
        dp_verdict_drop(verdict, DP_REASON_SOURCE_CHECK);
    else if (is_echo_request(packet) && dp_nic_gateway6(nic, packet->destination))
        answer(verdict);
    else if (packet->ttl < decision->ttl_least)
        dp_verdict_drop(verdict, DP_REASON_TTL_EXPIRED);
    else
        return true;
    return false;
}

static inline void admit6(struct dp_decision *decision, unsigned i)
{
    const struct dp_packet *packet = &decision->packets[i];
    const struct dp_nic *nic = decision->senders[i];

    if (dp_stands_out6(nic, packet->source, packet->destination, packet->protocol, packet->ttl,
                       decision->ttl_least, must_own_source(decision, nic)) &&
        !walk6(decision, i))
        return;
    memcpy(decision->addresses6[decision->six.n], packet->destination, 16);
    dp_wait_for_leaf(&decision->six, i, lpm_rcu_dereference(&nic->fib6));
}

/* Neighbours in a burst come from different NICs where guests share a port: all records are asked
 * for before the first is read. */
static void find_senders(struct dp_decision *decision, const uint32_t *nics, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        const struct dp_nic *nic = dp_nic_read(decision->forwarding, nics[i]);

        decision->senders[i] = nic ? nic : decision->forwarding->absent_nic;
        __builtin_prefetch(decision->senders[i]);
    }
}

void dp_admit(struct dp_decision *decision, const uint32_t *nics, unsigned n)
{
    find_senders(decision, nics, n);
    for (unsigned i = 0; i < n; i++) {
        decision->verdicts[i] = (struct dp_verdict){0};
        if (decision->senders[i]->id == 0)
            dp_verdict_drop(&decision->verdicts[i], DP_REASON_UNKNOWN_ATTACHMENT);
        else if (decision->packets[i].family == LPM_IPV4)
            admit4(decision, i);
        else
            admit6(decision, i);
    }
}
