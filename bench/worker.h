/*
 * A worker on a thread of its own that forwards at full rate while the calling thread changes what it reads: what
 * is lost, comes late or goes elsewhere is seen in the frames themselves, and the longest pauses in the clock.
 *
 *      feed ──(number of its flow, next of the flow's sequence)──> worker ──(are they in order?)──> out, out, ...
 *
 * The stages are the workers' own, and the marks are set and read by DPDK's callbacks at the devices, which cost
 * some nanoseconds a frame.
 */
#ifndef BENCH_WORKER_H
#define BENCH_WORKER_H

#include "bench/feed.h"
#include "dataplane/dataplane.h"

#define BENCH_WORKER_OUTS_MAX (BENCH_FEED_PORTS_MAX - 1)

struct bench_worker_config {
    struct dp_forwarding *forwarding; /* the worker is its number 0 */
    const struct bench_flow *flows;   /* IPv4; each is sent as often as any other */
    unsigned flow_count;
    /* NICs are attached at port 0, where the flows come from, and at 1 .. outs, BENCH_WORKER_OUTS_MAX at most. */
    unsigned outs;
};
struct bench_worker;

/* Starts EAL where it does not run, the devices, and the thread, on another CPU than the caller's where there is
 * one: the caller is pinned. 0 or -errno with *error filled. */
int bench_worker_start(const struct bench_worker_config *config, struct bench_worker **worker,
                       struct bench_error *error);
/* Before the forwarding state ends. NULL is allowed. */
void bench_worker_stop(struct bench_worker *worker);

/* A window of its work, between two bursts each. Everything that was received in it has been sent or dropped at
 * its end. */
struct bench_worker_report {
    double seconds, mpps; /* of time that passed */
    uint64_t sent;        /* into the worker */
    uint64_t lost;        /* did not come out */
    uint64_t late;        /* came out behind one that was sent after it, of the same flow */
    uint64_t moved;       /* frames that went elsewhere than the one of the flow before them */
    /* From one burst to the next, what the thread was kept from a CPU left out: greatest, and of 1,000 all but
     * one; and the greatest as it was. */
    double stall_most_us, stall_p999_us, gap_most_us;
    uint64_t stalls; /* of more than 50 us */
};
void bench_worker_begin(struct bench_worker *worker);
void bench_worker_end(struct bench_worker *worker, struct bench_worker_report *report);

/* When the last frame was handed to the device of port 1 .. outs (bench_now_ns()), once a burst more has been
 * through; 0: none was. */
uint64_t bench_worker_last_ns(struct bench_worker *worker, unsigned port);

#endif
