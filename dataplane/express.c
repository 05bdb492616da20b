/* See express.h. */
#include "dataplane/express.h"

#include <rte_byteorder.h>

#include "dataplane/hash.h"
#include "dataplane/plain.h"
#include "dataplane/watch.h"

#define IPV4_BYTES    20u
#define IPV6_BYTES    40u
#define VERSION_IHL   0x45u /* IPv4, no options */
#define FRAGMENT_BITS 0x3fffu
#define ETHERTYPE4    RTE_BE16(DP_ETHERTYPE_IPV4)
#define ETHERTYPE6    RTE_BE16(DP_ETHERTYPE_IPV6)

static uint16_t raw2(const uint8_t *bytes)
{
    uint16_t word;
    memcpy(&word, bytes, sizeof(word));
    return word;
}

/* For the comparison of MACs with bytes behind them: six of eight. */
static bool same_mac(const uint8_t *a, const uint8_t *b)
{
    return ((dp_load8(a) ^ dp_load8(b)) & RTE_LE64(0xffffffffffff)) == 0;
}

/* --- Admission -------------------------------------------------------------------------------- */

/* What of the path every frame of a burst is asked about. */
struct gate {
    uint8_t ttl_least;
    bool check_source;
};

static inline bool is_plain4(const struct gate *gate, const struct dp_nic *nic, const uint8_t *ip,
                             unsigned bytes)
{
    const unsigned total = dp_load2(ip + 2);

    if (bytes < IPV4_BYTES || (ip[0] != VERSION_IHL) | (total < IPV4_BYTES) | (total > bytes) |
                                  ((dp_load2(ip + 6) & FRAGMENT_BITS) != 0))
        return false;
    return dp_ipv4_checksum_right(ip, IPV4_BYTES) &&
           !dp_stands_out4(nic, dp_load4(ip + 12), dp_load4(ip + 16), ip[9], ip[8], gate->ttl_least,
                           gate->check_source && !nic->ip_forwarding);
}

/* No extension header, nothing that could be one tomorrow: what has ports. */
static inline bool is_plain6(const struct gate *gate, const struct dp_nic *nic, const uint8_t *ip,
                             unsigned bytes)
{
    if (bytes < IPV6_BYTES || (ip[0] >> 4 != 6) | (IPV6_BYTES + dp_load2(ip + 4) > bytes) ||
        !dp_protocol_has_ports(ip[6]))
        return false;
    return !dp_stands_out6(nic, ip + 8, ip + 24, ip[6], ip[7], gate->ttl_least,
                           gate->check_source && !nic->ip_forwarding);
}

static inline void wait(struct dp_express *express, struct dp_express_lane *lane, unsigned place,
                        const struct dp_nic *nic, const struct lpm_fib *fib, uint8_t *ip)
{
    lane->places[lane->n] = (uint8_t)place;
    lane->mbufs[lane->n] = express->mbufs[place];
    lane->ips[lane->n] = ip;
    lane->senders[lane->n] = nic;
    lane->fibs[lane->n++] = fib;
}

/* Untagged, in one piece, from a NIC to its gateway. */
static inline void admit_one(const struct gate *gate, struct dp_express *express, unsigned place,
                             const struct dp_nic *nic)
{
    struct rte_mbuf *mbuf = express->mbufs[place];
    uint8_t *frame = rte_pktmbuf_mtod(mbuf, uint8_t *), *ip = frame + DP_ETHERNET_BYTES;
    const unsigned bytes = rte_pktmbuf_data_len(mbuf) - DP_ETHERNET_BYTES;
    const uint16_t ethertype = raw2(frame + 12);

    if (!nic || !same_mac(frame, nic->gateway_mac))
        return;
    if (ethertype == ETHERTYPE4 && is_plain4(gate, nic, ip, bytes)) {
        express->addresses4[express->four.n] = dp_load4(ip + 16);
        wait(express, &express->four, place, nic, lpm_rcu_dereference(&nic->fib4), ip);
    } else if (ethertype == ETHERTYPE6 && is_plain6(gate, nic, ip, bytes)) {
        memcpy(express->addresses6[express->six.n], ip + 24, 16);
        wait(express, &express->six, place, nic, lpm_rcu_dereference(&nic->fib6), ip);
    }
}

static inline bool is_whole(const struct rte_mbuf *mbuf)
{
    return (mbuf->nb_segs == 1) & (rte_pktmbuf_data_len(mbuf) > DP_ETHERNET_BYTES);
}

/* A port that guests share: which of them has the source MAC. Each step is done for all frames before
 * the next, so that slots, ids and records come from memory side by side. Most are at the first slot
 * of their hash; the others are looked for in full. */
static void find_by_mac(const struct dp_path *path, const struct dp_port_table *table,
                        const struct dp_mac_table *macs, uint16_t port, struct rte_mbuf **mbufs,
                        const struct dp_nic **senders, unsigned n)
{
    const struct dp_forwarding *forwarding = path->forwarding;
    uint32_t slots[DP_BURST];

    for (unsigned i = 0; i < n; i++) {
        const uint8_t *frame = rte_pktmbuf_mtod(mbufs[i], const uint8_t *);
        slots[i] = is_whole(mbufs[i]) ? dp_mac_hash(0, frame + 6) & macs->mask : 0;
        __builtin_prefetch(&macs->slots[slots[i]]);
    }
    for (unsigned i = 0; i < n; i++) {
        const uint32_t nic = atomic_load_explicit(&macs->slots[slots[i]], memory_order_acquire);
        senders[i] = dp_nic_read(forwarding, nic);
        __builtin_prefetch(senders[i]);
        __builtin_prefetch(&path->counters->nics[senders[i] ? nic : 0], 1);
    }
    for (unsigned i = 0; i < n; i++) {
        const uint8_t *frame = rte_pktmbuf_mtod(mbufs[i], const uint8_t *);
        if (!is_whole(mbufs[i]))
            senders[i] = NULL;
        else if (!dp_nic_holds_mac(senders[i], port, frame + 6))
            senders[i] =
                dp_nic_read(forwarding, dp_classify(forwarding, table, port, 0, frame + 6));
    }
}

static void find_senders(const struct dp_path *path, uint16_t port, struct rte_mbuf **mbufs,
                         const struct dp_nic **senders, unsigned n)
{
    const struct dp_port_table *table = dp_port_table(path->forwarding, port);
    const struct dp_mac_table *macs = table ? lpm_rcu_dereference(&table->by_mac) : NULL;
    const struct dp_nic *whole;

    for (unsigned i = 0; i < n; i++)
        rte_prefetch0(rte_pktmbuf_mtod(mbufs[i], void *));
    if (macs) {
        find_by_mac(path, table, macs, port, mbufs, senders, n);
        return;
    }
    whole = table ? dp_nic_read(path->forwarding,
                                atomic_load_explicit(&table->whole, memory_order_acquire))
                  : NULL;
    for (unsigned i = 0; i < n; i++)
        senders[i] = is_whole(mbufs[i]) ? whole : NULL;
}

/* What is observed goes the long way, where it is seen. */
static void leave_observed(const struct dp_watch *watch, const struct dp_nic **senders, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        if (senders[i] && dp_watch_wants(watch, senders[i]->id))
            senders[i] = NULL;
    }
}

void dp_express_admit(const struct dp_path *path, struct dp_express *express, uint16_t port,
                      struct rte_mbuf **mbufs, unsigned n)
{
    const struct gate gate = {.ttl_least = path->forwarding->config.decrement_ttl ? 2 : 0,
                              .check_source = !path->options.skip_source_check};
    const struct dp_nic *senders[DP_BURST];

    express->n = n;
    express->taken = 0;
    express->four.n = express->six.n = express->rest_n = 0;
    find_senders(path, port, mbufs, senders, n);
    if (path->watch)
        leave_observed(path->watch, senders, n);
    for (unsigned i = 0; i < n; i++) {
        express->mbufs[i] = mbufs[i];
        admit_one(&gate, express, i, senders[i]);
    }
}

/* --- Lookup ----------------------------------------------------------------------------------- */

void dp_express_look_up(struct dp_express *express)
{
    if (express->four.n > 0)
        lpm_lookup_bulk4(express->four.fibs, express->addresses4, express->four.leaves,
                         express->four.n);
    if (express->six.n > 0)
        lpm_lookup_bulk6(express->six.fibs, (const uint8_t(*)[16])express->addresses6,
                         express->six.leaves, express->six.n);
}
