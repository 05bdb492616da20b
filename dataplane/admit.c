/*
 * Admission: the part of the decision that looks at the packet and its sender alone (steps 1 to 5
 * of the walk in decide.c).
 *
 * Addresses that are nothing special, which is nearly all, pass on a few comparisons of their first
 * byte; whatever stands out is checked in full and in order.
 */
#include "dataplane/decide.h"

#define NOT_DROPPED DP_REASON_COUNT

#define PLATFORM_PROBES   0xa83f8110u /* 168.63.129.16: health probes, DNS, DHCP */
#define PLATFORM_METADATA 0xa9fea9feu /* 169.254.169.254 */

static void answer(struct dp_verdict *verdict)
{
    verdict->action = DP_ANSWER;
}

/* --- Addresses that need a second look -------------------------------------------------------- */

/* By first byte: "this" network, loopback, link-local and platform, multicast and above. */
static inline bool is_special4(uint32_t address)
{
    const uint32_t first = address >> 24;

    return first == 0 || first == 127 || first == 168 || first == 169 || first >= 224;
}

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

static inline bool is_special6(const uint8_t *address)
{
    return address[0] == 0 || address[0] >= 0xfe;
}

static enum dp_reason address_check6(const uint8_t *source, const uint8_t *destination)
{
    if (destination[0] == 0xff)
        return DP_REASON_MULTICAST;
    if (is_martian6(destination) || is_martian6(source))
        return DP_REASON_MARTIAN;
    return NOT_DROPPED;
}

/* --- Admission: steps 1 to 5 ------------------------------------------------------------------ */

static inline bool is_gateway4(const struct dp_nic *nic, uint32_t address)
{
    return nic->subnet4.gateway == address ||
           (nic->subnet4_count > 1 && dp_nic_gateway4(nic, address));
}

static bool is_echo_request(const struct dp_packet *packet)
{
    if (packet->fragment)
        return false;
    if (packet->family == LPM_IPV4)
        return packet->protocol == DP_PROTOCOL_ICMP && packet->icmp_type == DP_ICMP_ECHO_REQUEST;
    return packet->protocol == DP_PROTOCOL_ICMPV6 && packet->icmp_type == DP_ICMPV6_ECHO_REQUEST;
}

static bool expires(const struct dp_decision *decision, const struct dp_packet *packet)
{
    return decision->forwarding->config.decrement_ttl && packet->ttl <= 1;
}

static void admit4(struct dp_decision *decision, unsigned i)
{
    const struct dp_packet *packet = &decision->packets[i];
    const struct dp_nic *nic = decision->senders[i];
    struct dp_verdict *verdict = &decision->verdicts[i];
    const uint32_t source = dp_load4(packet->source);
    const uint32_t destination = dp_load4(packet->destination);

    if (is_special4(destination) || is_special4(source) || destination == nic->subnet4.broadcast ||
        nic->subnet4_count > 1) {
        const enum dp_reason reason = address_check4(nic, source, destination);

        if (reason != NOT_DROPPED) {
            dp_verdict_drop(verdict, reason);
            return;
        }
    }
    if (!nic->ip_forwarding && decision->check_source && !dp_owns4_inline(nic, source)) {
        dp_verdict_drop(verdict, DP_REASON_SOURCE_CHECK);
        return;
    }
    if (is_gateway4(nic, destination) && is_echo_request(packet)) {
        answer(verdict);
        return;
    }
    if (expires(decision, packet)) {
        dp_verdict_drop(verdict, DP_REASON_TTL_EXPIRED);
        return;
    }
    decision->addresses4[decision->four.n] = destination;
    dp_wait_for_leaf(&decision->four, i, lpm_rcu_dereference(&nic->fib4));
}

static bool may_send6(const struct dp_decision *decision, const struct dp_nic *nic,
                      const uint8_t *source)
{
    return nic->ip_forwarding || !decision->check_source || dp_nic_owns6(nic, source);
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
    if (of_link || may_send6(decision, nic, packet->source))
        answer(&decision->verdicts[i]);
    else
        dp_verdict_drop(&decision->verdicts[i], DP_REASON_SOURCE_CHECK);
    return true;
}

static void admit6(struct dp_decision *decision, unsigned i)
{
    const struct dp_packet *packet = &decision->packets[i];
    const struct dp_nic *nic = decision->senders[i];
    struct dp_verdict *verdict = &decision->verdicts[i];

    if (packet->protocol == DP_PROTOCOL_ICMPV6 && stays_on_link6(decision, i))
        return;
    if (is_special6(packet->destination) || is_special6(packet->source)) {
        const enum dp_reason reason = address_check6(packet->source, packet->destination);

        if (reason != NOT_DROPPED) {
            dp_verdict_drop(verdict, reason);
            return;
        }
    }
    if (!may_send6(decision, nic, packet->source)) {
        dp_verdict_drop(verdict, DP_REASON_SOURCE_CHECK);
        return;
    }
    if (packet->protocol == DP_PROTOCOL_ICMPV6 && is_echo_request(packet) &&
        dp_nic_gateway6(nic, packet->destination)) {
        answer(verdict);
        return;
    }
    if (expires(decision, packet)) {
        dp_verdict_drop(verdict, DP_REASON_TTL_EXPIRED);
        return;
    }
    memcpy(decision->addresses6[decision->six.n], packet->destination, 16);
    dp_wait_for_leaf(&decision->six, i, lpm_rcu_dereference(&nic->fib6));
}

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
