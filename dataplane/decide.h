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

struct dp_decision {
    const struct dp_forwarding *forwarding;
    const struct dp_packet *packets;
    struct dp_verdict *verdicts;
    bool check_source;
    const struct dp_nic *senders[DP_DECISION_SIZE];
    const struct dp_group *groups[DP_DECISION_SIZE];
    uint8_t allowance[DP_DECISION_SIZE]; /* DP_PEERING_* bits towards the receiver, DP_TAKES_ALL */
    struct dp_lookups four, six;
    uint32_t addresses4[DP_DECISION_SIZE];
    uint8_t addresses6[DP_DECISION_SIZE][16];
    unsigned choosing_count, delivery_count;
    uint16_t choosing[DP_DECISION_SIZE]; /* packets that wait for their bucket */
    uint16_t delivery[DP_DECISION_SIZE]; /* packets with a receiver in their verdict */
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

/* The inline copies of the first address and subnet settle the usual case on the first line. */
static inline bool dp_owns4_inline(const struct dp_nic *nic, uint32_t address)
{
    return nic->own4 == address || (nic->own4_count > 1 && dp_nic_owns4(nic, address));
}

/* Steps 1 to 5: who is dropped or answered has its verdict, the others wait in four and six. */
void dp_admit(struct dp_decision *decision, const uint32_t *nics, unsigned n);

#endif
