/*
 * One worker: a thread on a core of its own that takes frames from its receive queues to their end.
 */
#ifndef DATAPLANE_WORKER_H
#define DATAPLANE_WORKER_H

#include <pthread.h>
#include <stdatomic.h>

#include "dataplane/announce.h"
#include "dataplane/express.h"

/* A receive queue. It belongs to one worker. */
struct dp_rx {
    const struct dp_port *port;
    uint16_t index; /* of the port, in the configuration: what attachments name */
    uint16_t queue;
    _Atomic uint64_t packets, bytes; /* written by the worker, read by anyone */
    struct dp_announced announced;   /* of queue 0 */
};

/* Frames of workers that have no transmit queue of their own at a port; this worker's queue takes
 * them. */
struct dp_inlet {
    struct rte_ring *ring;
    struct dp_tx *tx; /* this worker's own */
};

struct dp_worker {
    unsigned number; /* its set of counters */
    unsigned core;
    pthread_t thread;
    bool started;
    _Atomic bool *stop;
    struct dp_rx *rxs;
    unsigned rx_count;
    struct dp_inlet *inlets;
    unsigned inlet_count;
    struct dp_limiter echo, errors;
    uint64_t tick_due; /* in cycles of the time stamp counter */
    struct dp_announcer announcer;
    struct dp_path path;
    struct dp_express express;
    struct dp_burst burst;
};

/* Fills what every worker has alike: its number, path, counters and limiters. */
void dp_worker_prepare(struct dp_worker *worker, struct dp_forwarding *forwarding, unsigned number,
                       struct rte_mempool *pool);
/* Takes frames that rx received the long way: classify, parse, decide, finish. */
void dp_worker_walk(struct dp_worker *worker, const struct dp_rx *rx, struct rte_mbuf **mbufs,
                    unsigned n);
/* Takes frames that rx received whichever way they go. */
void dp_worker_take(struct dp_worker *worker, struct dp_rx *rx, struct rte_mbuf **mbufs,
                    unsigned n);
/* The same while something is traced: trace_walk.c. rest: of frames that go the long way, which the express
 * way has left or was not asked about. */
void dp_worker_trace(struct dp_worker *worker, struct dp_rx *rx, struct rte_mbuf **mbufs,
                     unsigned n, bool rest);
/* Polls every queue and inlet once, on the calling thread. Returns how many frames came. */
unsigned dp_worker_round(struct dp_worker *worker);
/* Starts the thread on worker->core. Everything but thread and started has been filled in. */
int dp_worker_start(struct dp_worker *worker);
/* Waits for its end; *stop must be set. Frames that still wait in its inlets count as port-down. */
void dp_worker_join(struct dp_worker *worker);

#endif
