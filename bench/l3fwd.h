/*
 * The reference: what DPDK's example l3fwd does for a packet, over rte_fib, in this process and on
 * the same frames. It asks whether the EtherType is the family's, looks up the destination, checks
 * what RFC 1812 5.2.2 asks of version, lengths and TTL, decrements TTL and adjusts the checksum,
 * writes both MACs, and sends. No source check, no ECMP, no counters, nothing per NIC.
 */
#ifndef BENCH_L3FWD_H
#define BENCH_L3FWD_H

#include "bench/engine.h"
#include "bench/feed.h"

#define BENCH_L3FWD_HOPS 16

struct bench_l3fwd {
    const struct bench_engine *engine; /* rte_fib or rte_fib6 */
    void *instance;
    const struct bench_feed *feed;
    uint8_t macs[BENCH_L3FWD_HOPS][12]; /* destination and source, by next hop */
    uint64_t dropped;
};

/* Everything is borrowed. */
void bench_l3fwd_begin(struct bench_l3fwd *l3fwd, const struct bench_engine *engine, void *instance,
                       const struct bench_feed *feed);

/* Receives a burst, forwards it, and returns how many frames it was. */
unsigned bench_l3fwd_round(struct bench_l3fwd *l3fwd);

#endif
