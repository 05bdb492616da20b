/*
 * A burst on its way through the decision: what its stages hand to each other. Private to admit.c
 * and decide.c; the walk is described in decide.c.
 */
#ifndef DATAPLANE_DECIDE_H
#define DATAPLANE_DECIDE_H

#include "dataplane/forwarding.h"

#define DP_DECISION_SIZE 64

/* Next to the DP_PEERING_* bits: the receiver is the internet and takes every destination. */
#define DP_TAKES_ALL 0x80u

/* Packets of one family that wait for a leaf. */
struct dp_lookups {
    unsigned n;
    uint16_t packet[DP_DECISION_SIZE]; /* index in the burst */
    const struct lpm_fib *fibs[DP_DECISION_SIZE];
    uint32_t leaves[DP_DECISION_SIZE];
};

/* A packet that has a receiver, NULL: that is not there. */
struct dp_delivery {
    const struct dp_nic *receiver;
    uint16_t packet;
    uint8_t allowance; /* DP_PEERING_* bits towards the receiver, DP_TAKES_ALL */
};

struct dp_decision {
    const struct dp_forwarding *forwarding;
    const struct dp_packet *packets;
    struct dp_verdict *verdicts;
    bool check_source;
    uint8_t ttl_least; /* what a packet must have left */
    unsigned hash_fields;
    unsigned user; /* struct dp_decide_options */
    uint32_t tick;
    struct dp_trace_record *trace; /* of packet 0, the only one; NULL: nobody asks */
    /* How the last backend was chosen, for the trace. */
    const struct dp_group *backends;
    uint32_t backend_hash, backend_bucket;
    unsigned delivery_count;
    const struct dp_nic *senders[DP_DECISION_SIZE];
    const struct dp_group *groups[DP_DECISION_SIZE]; /* by place in four or six */
    uint8_t peering[DP_DECISION_SIZE];               /* by packet, while its address is looked up */
    struct dp_lookups four, six;
    uint32_t addresses4[DP_DECISION_SIZE];
    uint8_t addresses6[DP_DECISION_SIZE][16];
    struct dp_delivery deliveries[DP_DECISION_SIZE];
};

static inline void dp_verdict_drop(struct dp_verdict *verdict, enum dp_reason reason)
{
    verdict->action = DP_DROP;
    verdict->reason = (uint8_t)reason;
}

static inline void dp_wait_for_leaf(struct dp_lookups *lookups, unsigned packet,
                                    const struct lpm_fib *fib)
{
    lookups->packet[lookups->n] = (uint16_t)packet;
    lookups->fibs[lookups->n] = fib;
    lookups->n++;
}

/* Steps 1 to 5: who is dropped or answered has its verdict, the others wait in four and six. */
void dp_admit(struct dp_decision *decision, const uint32_t *nics, unsigned n);

#endif
