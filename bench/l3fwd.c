/* See l3fwd.h. */
#include "bench/l3fwd.h"

#include <string.h>

#include <rte_ethdev.h>
#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_mbuf.h>

#define FRAMES 32u /* l3fwd's burst */

void bench_l3fwd_begin(struct bench_l3fwd *l3fwd, const struct bench_engine *engine, void *instance,
                       const struct bench_feed *feed)
{
    *l3fwd = (struct bench_l3fwd){.engine = engine, .instance = instance, .feed = feed};
    for (uint8_t i = 0; i < BENCH_L3FWD_HOPS; i++) {
        const uint8_t macs[12] = {0x02, 1, 0, 0, 0, i, 0x02, 2, 0, 0, 0, i};
        memcpy(l3fwd->macs[i], macs, sizeof(macs));
    }
}

static bool forward4(struct rte_mbuf *mbuf)
{
    struct rte_ipv4_hdr *ip =
        rte_pktmbuf_mtod_offset(mbuf, struct rte_ipv4_hdr *, sizeof(struct rte_ether_hdr));

    if ((uint8_t)(ip->version_ihl - 0x45) > 0x0a || ip->time_to_live <= 1 ||
        rte_be_to_cpu_16(ip->total_length) < sizeof(*ip))
        return false;
    ip->time_to_live--;
    ip->hdr_checksum++;
    return true;
}

static bool forward6(struct rte_mbuf *mbuf)
{
    struct rte_ipv6_hdr *ip =
        rte_pktmbuf_mtod_offset(mbuf, struct rte_ipv6_hdr *, sizeof(struct rte_ether_hdr));

    if (ip->hop_limits <= 1)
        return false;
    ip->hop_limits--;
    return true;
}

struct burst {
    struct rte_mbuf *mbufs[FRAMES], *out[FRAMES];
    uint64_t hops[BENCH_BURST];
    union {
        uint32_t four[FRAMES];
        uint8_t six[FRAMES][16];
    } keys;
    unsigned n, out_n;
};

static void look_up(struct bench_l3fwd *l3fwd, struct burst *burst)
{
    const bool four = l3fwd->engine->family == LPM_IPV4;

    for (unsigned i = 0; i < burst->n; i++)
        rte_prefetch0(rte_pktmbuf_mtod(burst->mbufs[i], void *));
    for (unsigned i = 0; i < burst->n; i++) {
        const struct rte_ether_hdr *ethernet =
            rte_pktmbuf_mtod(burst->mbufs[i], const struct rte_ether_hdr *);
        const bool ours = ethernet->ether_type ==
                          rte_cpu_to_be_16(four ? RTE_ETHER_TYPE_IPV4 : RTE_ETHER_TYPE_IPV6);
        if (four)
            burst->keys.four[i] =
                ours ? rte_be_to_cpu_32(((const struct rte_ipv4_hdr *)(ethernet + 1))->dst_addr)
                     : 0;
        else if (ours)
            memcpy(burst->keys.six[i], ((const struct rte_ipv6_hdr *)(ethernet + 1))->dst_addr, 16);
        else
            memset(burst->keys.six[i], 0, 16);
    }
    l3fwd->engine->burst(l3fwd->instance, &burst->keys, burst->hops, burst->n);
}

static void rewrite(struct bench_l3fwd *l3fwd, struct burst *burst)
{
    const bool four = l3fwd->engine->family == LPM_IPV4;

    burst->out_n = 0;
    for (unsigned i = 0; i < burst->n; i++) {
        struct rte_mbuf *mbuf = burst->mbufs[i];
        if (burst->hops[i] == LPM_NO_ROUTE || !(four ? forward4(mbuf) : forward6(mbuf))) {
            rte_pktmbuf_free(mbuf);
            l3fwd->dropped++;
            continue;
        }
        memcpy(rte_pktmbuf_mtod(mbuf, void *), l3fwd->macs[burst->hops[i] % BENCH_L3FWD_HOPS],
               sizeof(l3fwd->macs[0]));
        burst->out[burst->out_n++] = mbuf;
    }
}

unsigned bench_l3fwd_round(struct bench_l3fwd *l3fwd)
{
    struct burst burst;
    uint16_t sent;

    burst.n = rte_eth_rx_burst(l3fwd->feed->ports[BENCH_FEED_IN], 0, burst.mbufs, FRAMES);
    if (burst.n == 0)
        return 0;
    look_up(l3fwd, &burst);
    rewrite(l3fwd, &burst);
    sent =
        rte_eth_tx_burst(l3fwd->feed->ports[BENCH_FEED_OUT], 0, burst.out, (uint16_t)burst.out_n);
    for (unsigned i = sent; i < burst.out_n; i++)
        rte_pktmbuf_free(burst.out[i]);
    l3fwd->dropped += burst.out_n - sent;
    return burst.n;
}
