/*
 * See worker.h. The caller orders, the worker obeys between two bursts, and nothing else is shared: what the
 * callbacks and the clock count is the worker's until it has obeyed.
 */
#include "bench/worker.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <rte_lcore.h>

#include "bench/clock.h"
#include "bench/eal.h"
#include "bench/lines.h"
#include "bench/sequence.h"
#include "bench/stall.h"
#include "dataplane/loop.h"
#include "lpm/rcu.h"

#define MEMORY   ((size_t)128 << 20) /* buffers, and EAL itself */
#define PAUSE_NS 20000

enum order { GO_ON, BEGIN, END, SETTLE, STOP };

struct bench_worker {
    struct bench_cpus cpus; /* the caller's, before it was pinned */
    struct bench_feed feed;
    struct bench_sequence sequence;
    struct bench_stall stall;
    struct dp_loop *loop;
    uint64_t began_ns;
    struct bench_worker_report report;
    pthread_t thread;
    bool started;
    _Atomic int order; /* enum order; the worker sets it back to GO_ON when it has obeyed */
};

/* --- The thread ------------------------------------------------------------------------------- */

/* Frames of no flow are the bench's own mistake, and count as what it looks for. */
static void report(struct bench_worker *worker)
{
    const struct bench_sequence *sequence = &worker->sequence;
    const struct bench_stall *stall = &worker->stall;
    const double ns = (double)(bench_now_ns() - worker->began_ns);

    bench_sequence_end(&worker->sequence);
    worker->report = (struct bench_worker_report){
        .seconds = ns / 1e9,
        .mpps = (double)sequence->sent * 1e3 / ns,
        .sent = sequence->sent,
        .lost = sequence->lost + sequence->strange,
        .late = sequence->late,
        .moved = sequence->moved,
        .stall_most_us = (double)stall->most_ns / 1e3,
        .stall_p999_us = (double)bench_stall_ns(stall, 999) / 1e3,
        .gap_most_us = (double)stall->gap_most_ns / 1e3,
        .stalls = stall->over,
    };
}

/* A burst more has been received and sent by SETTLE. */
static void obey(struct bench_worker *worker, enum order order)
{
    if (order == BEGIN) {
        bench_sequence_begin(&worker->sequence);
        worker->began_ns = bench_now_ns();
        bench_stall_begin(&worker->stall);
    } else if (order == END) {
        report(worker);
    } else {
        dp_loop_round(worker->loop);
    }
    atomic_store_explicit(&worker->order, GO_ON, memory_order_release);
}

/* Registered with DPDK, as workers are, so that it has a cache of packet buffers. */
static void *run(void *context)
{
    struct bench_worker *worker = context;
    enum order order;

    bench_cpus_pin(&worker->cpus, 0);
    rte_thread_register();
    lpm_rcu_register_thread();
    bench_stall_begin(&worker->stall);
    while ((order = atomic_load_explicit(&worker->order, memory_order_acquire)) != STOP) {
        if (order != GO_ON)
            obey(worker, order);
        dp_loop_round(worker->loop);
        bench_stall_round(&worker->stall);
    }
    lpm_rcu_unregister_thread();
    rte_thread_unregister();
    return NULL;
}

static void give(struct bench_worker *worker, enum order order)
{
    static const struct timespec pause = {.tv_nsec = PAUSE_NS};

    atomic_store_explicit(&worker->order, order, memory_order_release);
    while (atomic_load_explicit(&worker->order, memory_order_acquire) != GO_ON)
        nanosleep(&pause, NULL);
}

/* --- Making and ending ------------------------------------------------------------------------ */

static int open_devices(struct bench_worker *worker, const struct bench_worker_config *config,
                        struct bench_error *error)
{
    int result = bench_feed_write(&worker->feed, config->flows, config->flow_count, error);

    worker->feed.outs = config->outs;
    if (result == 0)
        result = bench_eal_start(MEMORY, error);
    if (result == 0)
        result = bench_feed_open(&worker->feed, error);
    if (result < 0)
        return result;
    result = bench_sequence_open(&worker->sequence, &worker->feed, config->flow_count);
    if (result == 0)
        result = dp_loop_create(config->forwarding, 0, worker->feed.ports, worker->feed.opened,
                                &worker->loop);
    return result == 0
               ? 0
               : bench_fail(error, result, "a worker cannot be made: %s", strerror(-result));
}

int bench_worker_start(const struct bench_worker_config *config, struct bench_worker **worker,
                       struct bench_error *error)
{
    struct bench_worker *made = calloc(1, sizeof(*made));
    int result;

    if (!made)
        return bench_fail(error, -ENOMEM, "out of memory");
    bench_cpus_read(&made->cpus);
    bench_cpus_pin(&made->cpus, 1);
    result = open_devices(made, config, error);
    if (result == 0) {
        result = -pthread_create(&made->thread, NULL, run, made);
        made->started = result == 0;
        if (result < 0)
            bench_fail(error, result, "a worker cannot be started: %s", strerror(-result));
    }
    if (result < 0)
        bench_worker_stop(made);
    else
        *worker = made;
    return result;
}

void bench_worker_stop(struct bench_worker *worker)
{
    if (!worker)
        return;
    if (worker->started) {
        atomic_store_explicit(&worker->order, STOP, memory_order_release);
        pthread_join(worker->thread, NULL);
    }
    dp_loop_destroy(worker->loop);
    bench_feed_close(&worker->feed);
    bench_sequence_close(&worker->sequence);
    bench_cpus_restore(&worker->cpus);
    free(worker);
}

/* --- Windows ---------------------------------------------------------------------------------- */

void bench_worker_begin(struct bench_worker *worker)
{
    give(worker, BEGIN);
}

void bench_worker_end(struct bench_worker *worker, struct bench_worker_report *report)
{
    give(worker, END);
    *report = worker->report;
}

uint64_t bench_worker_last_ns(struct bench_worker *worker, unsigned port)
{
    give(worker, SETTLE);
    return worker->sequence.outs[port].last_ns;
}
