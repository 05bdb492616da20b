/*
 * The run-to-completion loop.
 *
 *      for each receive queue:  burst ─> classify ─> walk ─> flush ─> quiescent state
 *      for each inlet:          frames that other workers handed over ─> own transmit queue
 *      nothing for a while:     offline, sleep, online
 *
 * Idle. A worker that polls costs a core whether or not there is traffic, which a laptop or a test
 * machine with two cores does not forgive. After IDLE_ROUNDS rounds without a frame it sleeps
 * IDLE_SLEEP_NS between rounds: a frame then waits about 150 us at most, the kernel's timer slack
 * included, and a device's ring of 1,024 takes 7 Mpps meanwhile. Under load it never sleeps. It is
 * offline for RCU while it does, so that an idle worker never holds up a grace period.
 *
 * Signals. net_tap announces frames by a real-time signal to the process; workers take it, and
 * being woken early from the sleep is then just right. Everything else is left to the control
 * thread.
 */
#include "dataplane/worker.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>

#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <rte_lcore.h>
#include <rte_ring.h>

#include "dataplane/columns.h"
#include "dataplane/trace_notes.h"
#include "dataplane/watch.h"

#define IDLE_ROUNDS   4096u
#define IDLE_SLEEP_NS 100000

/* --- Work ------------------------------------------------------------------------------------- */

/* What is observed may change between two bursts, and what was has gone by then. */
static void begin_burst(struct dp_path *path, const struct dp_rx *rx)
{
    path->watch = lpm_rcu_dereference(&path->forwarding->watch);
    if (path->watch && rx) {
        path->rx_port = rx->port->id; /* not all drivers say it in the buffer */
        path->rx_queue = rx->queue;
    }
}

static inline void count_received(struct dp_rx *rx, unsigned n, uint64_t bytes)
{
    dp_counter_add(&rx->packets, n);
    dp_counter_add(&rx->bytes, bytes);
}

static void count_burst(struct dp_rx *rx, struct rte_mbuf **mbufs, unsigned n)
{
    uint64_t bytes = 0;

    for (unsigned i = 0; i < n; i++)
        bytes += rte_pktmbuf_pkt_len(mbufs[i]);
    count_received(rx, n, bytes);
}

void dp_worker_walk(struct dp_worker *worker, const struct dp_rx *rx, struct rte_mbuf **mbufs,
                    unsigned n)
{
    worker->burst.partial_checksums = rx->port->partial_checksums;
    dp_classify_burst(&worker->path, &worker->burst, rx->index, mbufs, n);
    dp_walk(&worker->path, &worker->burst);
}

/* What is traced by itself is told how the express way has left it. */
static void walk_rest(struct dp_worker *worker, struct dp_rx *rx, struct rte_mbuf **mbufs,
                      unsigned n)
{
    const struct dp_path *path = &worker->path;

    if (path->watch && path->watch->traces_drops && !path->options.trace)
        dp_worker_trace(worker, rx, mbufs, n, true);
    else
        dp_worker_walk(worker, rx, mbufs, n);
}

/* All frames go the long way whose checksums are to be completed, or which may be for a tunnel's end. */
void dp_worker_take(struct dp_worker *worker, struct dp_rx *rx, struct rte_mbuf **mbufs, unsigned n)
{
    struct dp_express *express = &worker->express;
    struct dp_path *path = &worker->path;
    const struct rte_mbuf *first = mbufs[0];

    if (rx->port->partial_checksums || dp_underlay_read(path->forwarding, rx->index)) {
        express->n = 0;
        count_burst(rx, mbufs, n);
    } else {
        dp_express_admit(path, express, rx->index, mbufs, n);
        count_received(rx, n, express->bytes);
        dp_express_look_up(express);
        dp_express_forward(path, express);
        mbufs = express->rest;
        n = express->rest_n;
    }
    if (path->options.trace)
        dp_trace_express(path, express, first);
    if (n > 0)
        walk_rest(worker, rx, mbufs, n);
}

static unsigned poll_queue(struct dp_worker *worker, struct dp_rx *rx)
{
    struct rte_mbuf *mbufs[DP_BURST];
    uint16_t n = rte_eth_rx_burst(rx->port->id, rx->queue, mbufs, DP_BURST);

    if (n == 0)
        return 0;
    begin_burst(&worker->path, rx);
    if (worker->path.watch && worker->path.watch->trace_count > 0)
        dp_worker_trace(worker, rx, mbufs, n, false);
    else
        dp_worker_take(worker, rx, mbufs, n);
    dp_egress_flush(&worker->path);
    lpm_rcu_quiescent();
    return n;
}

static unsigned drain_inlet(struct dp_worker *worker, const struct dp_inlet *inlet)
{
    struct rte_mbuf *mbufs[DP_BURST];
    unsigned n = rte_ring_dequeue_burst(inlet->ring, (void **)mbufs, DP_BURST, NULL);

    begin_burst(&worker->path, NULL);
    for (unsigned i = 0; i < n; i++)
        dp_tx_put(&worker->path, inlet->tx, mbufs[i], dp_mbuf_note(mbufs[i]));
    dp_tx_flush(&worker->path, inlet->tx);
    return n;
}

unsigned dp_worker_round(struct dp_worker *worker)
{
    unsigned done = 0;

    for (unsigned i = 0; i < worker->rx_count; i++)
        done += poll_queue(worker, &worker->rxs[i]);
    for (unsigned i = 0; i < worker->inlet_count; i++)
        done += drain_inlet(worker, &worker->inlets[i]);
    return done;
}

/* What is not called for by a frame, mostly once a second. It sends: what the last burst found observed
 * may have gone since. */
static void tick(struct dp_worker *worker)
{
    const uint64_t now = rte_get_tsc_cycles();

    begin_burst(&worker->path, NULL);
    dp_announce(worker, now);
    if (now < worker->tick_due)
        return;
    worker->tick_due = now + rte_get_tsc_hz();
    for (unsigned i = 0; i < worker->rx_count; i++) {
        if (worker->rxs[i].queue == 0)
            dp_neighbors_tick(&worker->path, worker->rxs[i].index);
    }
}

static void rest(void)
{
    static const struct timespec pause = {.tv_nsec = IDLE_SLEEP_NS};

    lpm_rcu_offline();
    nanosleep(&pause, NULL);
    lpm_rcu_online();
}

static void loop(struct dp_worker *worker)
{
    unsigned idle = 0;

    while (!atomic_load_explicit(worker->stop, memory_order_relaxed)) {
        tick(worker);
        if (dp_worker_round(worker) > 0) {
            idle = 0;
            continue;
        }
        lpm_rcu_quiescent();
        if (++idle >= IDLE_ROUNDS) {
            idle = IDLE_ROUNDS;
            rest();
        }
    }
}

/* --- Thread ----------------------------------------------------------------------------------- */

static void accept_device_signals(void)
{
    sigset_t set;

    sigemptyset(&set);
    for (int number = SIGRTMIN; number <= SIGRTMAX; number++)
        sigaddset(&set, number);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

static void *run(void *context)
{
    struct dp_worker *worker = context;
    char name[16];

    snprintf(name, sizeof(name), "worker-%u", worker->number);
    pthread_setname_np(pthread_self(), name);
    accept_device_signals();
    /* Gives the thread its cache of packet buffers. Without one (more threads than DPDK counts) it
     * only takes them more slowly. */
    rte_thread_register();
    lpm_rcu_register_thread();
    loop(worker);
    lpm_rcu_unregister_thread();
    rte_thread_unregister();
    return NULL;
}

void dp_worker_prepare(struct dp_worker *worker, struct dp_forwarding *forwarding, unsigned number,
                       struct rte_mempool *pool)
{
    struct dp_path *path = &worker->path;

    worker->number = number;
    path->forwarding = forwarding;
    path->counters = dp_worker_counters(forwarding, number);
    path->pool = pool;
    path->limiter = &worker->echo;
    path->options.user = number + 1;
    worker->express.columns = dp_columns_best();
    dp_limiter_init(&worker->echo, DP_ECHO_PER_SECOND, DP_ECHO_AT_ONCE);
    dp_limiter_init(&worker->errors, DP_ERRORS_PER_SECOND, DP_ERRORS_AT_ONCE);
    if (!forwarding->config.silent_drops)
        path->errors = &worker->errors;
}

int dp_worker_start(struct dp_worker *worker)
{
    sigset_t all, before;
    pthread_attr_t attributes;
    cpu_set_t cpus;
    int result;

    CPU_ZERO(&cpus);
    CPU_SET(worker->core, &cpus);
    result = pthread_attr_init(&attributes);
    if (result)
        return -result;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    result = pthread_attr_setaffinity_np(&attributes, sizeof(cpus), &cpus);
    if (!result)
        result = pthread_create(&worker->thread, &attributes, run, worker);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    worker->started = result == 0;
    return -result;
}

void dp_worker_join(struct dp_worker *worker)
{
    struct rte_mbuf *mbuf;

    if (!worker->started)
        return;
    pthread_join(worker->thread, NULL);
    worker->started = false;
    for (unsigned i = 0; i < worker->inlet_count; i++) {
        while (rte_ring_dequeue(worker->inlets[i].ring, (void **)&mbuf) == 0) {
            dp_count_unsent(&worker->path, dp_mbuf_note(mbuf), DP_REASON_PORT_DOWN);
            rte_pktmbuf_free(mbuf);
        }
    }
}
