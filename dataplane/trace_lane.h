/*
 * A trace from inside: between the workers that write records and the control thread that takes them. Internal;
 * DPDK types.
 *
 *   worker ──records[head]──> control thread, which gives the place back by tail
 *
 * A record is written in place of the scratch of its worker once it is known to be wanted; a ring that is full
 * is asked before a packet is picked, so that no walk is traced for nothing.
 */
#ifndef DATAPLANE_TRACE_LANE_H
#define DATAPLANE_TRACE_LANE_H

#include "dataplane/stages.h"

struct dp_trace_lane {
    _Atomic uint32_t head __attribute__((aligned(DP_CACHE_LINE))); /* written by the worker */
    _Atomic uint64_t missed;
    /* The worker's own. */
    uint64_t left; /* records to write */
    struct dp_limiter picks, rests;
    _Atomic uint32_t tail __attribute__((aligned(DP_CACHE_LINE))); /* written by who takes */
    struct dp_trace_record records[DP_TRACE_RING];
};

struct dp_trace {
    struct dp_trace_config config;
    struct dp_forwarding *forwarding;
    struct dp_watch *parting; /* room to publish its end in, so that an end never fails */
    unsigned lane_count;
    struct lpm_rcu_head head;
    struct dp_trace_lane lanes[];
};

/* dp_trace_start() without an engine. */
int dp_trace_open(struct dp_forwarding *forwarding, const struct dp_trace_config *config,
                  struct dp_trace **trace);

#endif
