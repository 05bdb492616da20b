/*
 * Marks in frames, by which a receiver knows what was lost on the way: the number of the frame's flow, which the
 * feed has written, and its place in the flow, which is written as it is received. Internal to bench/; DPDK types.
 *
 *      at the device that feeds   flows[n].in   the next that is given
 *      at those that take         flows[n].out  the next that is to come
 */
#ifndef BENCH_SEQUENCE_H
#define BENCH_SEQUENCE_H

#include <rte_mbuf.h>

#include "bench/feed.h"

struct bench_sequence_flow {
    uint64_t in, out;
    uint64_t way; /* port and destination MAC of the last one; 0: there was none */
};
struct bench_sequence_out {
    struct bench_sequence *sequence;
    unsigned port;
    uint64_t last_ns;
};
struct bench_sequence {
    struct bench_sequence_flow *flows;
    unsigned flow_count;
    uint64_t sent, lost, late, moved, strange; /* strange: frames of no flow */
    struct bench_sequence_out outs[BENCH_FEED_PORTS_MAX];
};

/* Sets the callbacks of an open feed's devices. One thread polls and sends at all of them. 0 or -errno. */
int bench_sequence_open(struct bench_sequence *sequence, const struct bench_feed *feed,
                        unsigned flow_count);
/* Once the devices are gone. */
void bench_sequence_close(struct bench_sequence *sequence);

/* Between two bursts: begins to count. What is under way is over. */
void bench_sequence_begin(struct bench_sequence *sequence);
/* Counts what has not come as lost. */
void bench_sequence_end(struct bench_sequence *sequence);

#endif
