/*
 * A fabric to forward in: NICs behind the port that feeds, next hops behind the other one, FIBs over
 * a table, and groups for its leaves.
 */
#ifndef BENCH_FABRIC_H
#define BENCH_FABRIC_H

#include "bench/feed.h"
#include "bench/many.h"
#include "dataplane/dataplane.h"

#define BENCH_FABRIC_RECEIVERS 16

struct bench_fabric_shape {
    size_t nics;      /* that send */
    size_t fibs;      /* 1: one for all; else each differs from the table, and NICs take turns */
    unsigned members; /* of each next-hop group */
    unsigned workers; /* 0: one */
    bool vxlan;       /* receivers are on another host */
    bool vxlan_in;    /* senders are: their frames come by fabric.tunnel. IPv4 alone */
    bool any_source;  /* senders may forward: no source check */
};
struct bench_fabric {
    struct bench_many many;
    struct lpm *lpm; /* of one FIB; else many.lpm */
    struct lpm_fib *one;
    struct dp_forwarding *forwarding;
    struct bench_sender *senders; /* [nics] */
    size_t nics;
    struct bench_tunnel tunnel; /* of vxlan_in */
};

/* table is borrowed. 0 or -errno. */
int bench_fabric_create(const struct bench_table *table, const struct bench_fabric_shape *shape,
                        struct bench_fabric *fabric);
void bench_fabric_destroy(struct bench_fabric *fabric);

#endif
