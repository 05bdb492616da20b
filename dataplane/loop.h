/*
 * A worker without a thread: its rounds run on the calling thread, one by one, and say on request
 * how long each stage took. For benchmarks, where forwarders take turns on one core. The stages are
 * the workers' own, but for timed rounds, which do not count what a queue received.
 */
#ifndef DATAPLANE_LOOP_H
#define DATAPLANE_LOOP_H

#include <stddef.h>
#include <stdint.h>

#include "dataplane/dataplane.h"

struct dp_loop;

/* One queue each way of DPDK devices that are started, by their ids; attachments name them by their
 * place in ids. EAL runs. The loop is worker number `worker` of forwarding, alone. 0 or -ENOMEM. */
int dp_loop_create(struct dp_forwarding *forwarding, unsigned worker, const uint16_t *ids,
                   unsigned n, struct dp_loop **loop);
/* The MAC of a port's own tunnel end point in a loop, which asks no device for one. */
void dp_loop_underlay_mac(const struct lpm_address *address, uint8_t mac[6]);
/* The devices stay the caller's. NULL is allowed. */
void dp_loop_destroy(struct dp_loop *loop);

/* What an underlay port's device and a tunnel's other end would say: their MACs. -ENOENT: remote is the
 * end of no tunnel there. */
int dp_loop_link(struct dp_forwarding *forwarding, uint16_t port, const uint8_t own[6],
                 const struct lpm_address *remote, const uint8_t mac[6]);

/* Polls every device once and sends what it forwards. The calling thread is an RCU reader and is
 * quiescent on return. Returns how many frames were received. */
unsigned dp_loop_round(struct dp_loop *loop);

#define DP_LOOP_STAGES(X)                                                                          \
    X(RECEIVE, "receive")                                                                          \
    X(ADMIT, "admit")                                                                              \
    X(LOOK_UP, "look-up")                                                                          \
    X(FORWARD, "forward")                                                                          \
    X(LONG_WAY, "long-way")                                                                        \
    X(TRANSMIT, "transmit")
enum dp_loop_stage {
#define DP_LOOP_STAGE_ENUM(symbol, name) DP_LOOP_##symbol,
    DP_LOOP_STAGES(DP_LOOP_STAGE_ENUM)
#undef DP_LOOP_STAGE_ENUM
        DP_LOOP_STAGE_COUNT
};
const char *dp_loop_stage_name(enum dp_loop_stage stage);

/* The same, with the time of each stage added to times, in cycles of the time stamp counter; rounds
 * without a frame add nothing. Reading the counter costs time too, so a timed round is slower. */
unsigned dp_loop_round_timed(struct dp_loop *loop, uint64_t times[DP_LOOP_STAGE_COUNT]);

#endif
