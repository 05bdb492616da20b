/*
 * Admission to the express way, frame by frame: see express.h. Inline, for express.c and for the
 * columns, which leave single frames to it.
 */
#ifndef DATAPLANE_EXPRESS_ADMIT_H
#define DATAPLANE_EXPRESS_ADMIT_H

#include <rte_byteorder.h>

#include "dataplane/express.h"
#include "dataplane/hash.h"
#include "dataplane/plain.h"

#define DP_EXPRESS_IPV4_BYTES 20u
#define DP_EXPRESS_IPV6_BYTES 40u

/* What of the path every frame of a burst is asked about. */
struct dp_gate {
    uint8_t ttl_least;
    bool check_source;
    bool decrement_ttl;
};

/* For the comparison of MACs with bytes behind them: six of eight. */
static inline bool dp_express_same_mac(const uint8_t *a, const uint8_t *b)
{
    return ((dp_load8(a) ^ dp_load8(b)) & RTE_LE64(0xffffffffffff)) == 0;
}

static inline bool dp_express_is_whole(const struct rte_mbuf *mbuf)
{
    return (mbuf->nb_segs == 1) & (rte_pktmbuf_data_len(mbuf) > DP_ETHERNET_BYTES);
}

static inline bool dp_express_plain4(const struct dp_gate *gate, const struct dp_nic *nic,
                                     const uint8_t *ip, unsigned bytes)
{
    unsigned total;

    if (bytes < DP_EXPRESS_IPV4_BYTES)
        return false;
    total = dp_load2(ip + 2);
    if ((ip[0] != 0x45) | (total < DP_EXPRESS_IPV4_BYTES) | (total > bytes) |
        ((dp_load2(ip + 6) & 0x3fff) != 0))
        return false;
    return dp_ipv4_checksum_right(ip, DP_EXPRESS_IPV4_BYTES) &&
           !dp_stands_out4(nic, dp_load4(ip + 12), dp_load4(ip + 16), ip[9], ip[8], gate->ttl_least,
                           gate->check_source && !nic->ip_forwarding);
}

/* No extension header, nothing that could be one tomorrow: what has ports. */
static inline bool dp_express_plain6(const struct dp_gate *gate, const struct dp_nic *nic,
                                     const uint8_t *ip, unsigned bytes)
{
    if (bytes < DP_EXPRESS_IPV6_BYTES ||
        (ip[0] >> 4 != 6) | (DP_EXPRESS_IPV6_BYTES + dp_load2(ip + 4) > bytes) ||
        !dp_protocol_has_ports(ip[6]))
        return false;
    return !dp_stands_out6(nic, ip + 8, ip + 24, ip[6], ip[7], gate->ttl_least,
                           gate->check_source && !nic->ip_forwarding);
}

static inline void dp_express_wait(struct dp_express *express, struct dp_express_lane *lane,
                                   unsigned place, const struct dp_nic *nic)
{
    const unsigned i = lane->n++;

    lane->places[i] = (uint8_t)place;
    lane->mbufs[i] = express->mbufs[place];
    lane->ips[i] = express->frames[place] + DP_ETHERNET_BYTES;
    lane->senders[i] = nic;
}

static inline void dp_express_wait4(const struct dp_gate *gate, struct dp_express *express,
                                    unsigned place, const struct dp_nic *nic, const uint8_t *ip)
{
    struct dp_express_lane *lane = &express->four;
    const unsigned i = lane->n;
    uint8_t header[12];

    memcpy(header + 8, ip + 8, 4);
    if (gate->decrement_ttl)
        dp_decrement_ttl(header, LPM_IPV4);
    memcpy(express->hops4[i], header + 8, 4);
    express->addresses4[i] = dp_load4(ip + 16);
    lane->totals[i] = dp_load2(ip + 2);
    lane->fibs[i] = lpm_rcu_dereference(&nic->fib4);
    dp_express_wait(express, lane, place, nic);
}

static inline void dp_express_wait6(struct dp_express *express, unsigned place,
                                    const struct dp_nic *nic, const uint8_t *ip)
{
    struct dp_express_lane *lane = &express->six;
    const unsigned i = lane->n;

    memcpy(express->addresses6[i], ip + 24, 16);
    lane->totals[i] = DP_EXPRESS_IPV6_BYTES + dp_load2(ip + 4);
    lane->fibs[i] = lpm_rcu_dereference(&nic->fib6);
    dp_express_wait(express, lane, place, nic);
}

/* Untagged, in one piece, from a NIC (NULL: nobody's) to its gateway. */
static inline void dp_express_admit_one(const struct dp_gate *gate, struct dp_express *express,
                                        unsigned place, const struct dp_nic *nic)
{
    const struct rte_mbuf *mbuf = express->mbufs[place];
    const uint8_t *frame = express->frames[place], *ip = frame + DP_ETHERNET_BYTES;
    const unsigned bytes = rte_pktmbuf_data_len(mbuf) - DP_ETHERNET_BYTES;
    const bool from_nic =
        nic && dp_express_is_whole(mbuf) && dp_express_same_mac(frame, nic->gateway_mac);
    const unsigned ethertype = from_nic ? dp_load2(frame + 12) : 0;

    if (ethertype == DP_ETHERTYPE_IPV4 && dp_express_plain4(gate, nic, ip, bytes))
        dp_express_wait4(gate, express, place, nic, ip);
    else if (ethertype == DP_ETHERTYPE_IPV6 && dp_express_plain6(gate, nic, ip, bytes))
        dp_express_wait6(express, place, nic, ip);
    else
        express->left |= UINT64_C(1) << place;
}

#endif
