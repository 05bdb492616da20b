/* See loop.h. */
#include "dataplane/loop.h"

#include <errno.h>
#include <stdlib.h>

#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <rte_mempool.h>

#include "dataplane/eal.h"
#include "dataplane/underlay.h"
#include "dataplane/worker.h"

#define FRAME_BYTES 2048u

struct dp_loop {
    struct dp_worker worker;
    struct dp_port *ports;
};

const char *dp_loop_stage_name(enum dp_loop_stage stage)
{
    static const char *const names[] = {
#define DP_LOOP_STAGE_NAME(symbol, name) name,
        DP_LOOP_STAGES(DP_LOOP_STAGE_NAME)
#undef DP_LOOP_STAGE_NAME
    };
    return names[stage];
}

static void wire(struct dp_loop *loop, const uint16_t *ids, unsigned n)
{
    for (unsigned p = 0; p < n; p++) {
        struct dp_port *port = &loop->ports[p];
        port->id = ids[p];
        port->mtu = DP_PORT_MTU;
        port->link_up = true;
        loop->worker.rxs[p] = (struct dp_rx){.port = port, .index = (uint16_t)p};
        loop->worker.path.txs[p].port = port;
    }
    loop->worker.rx_count = n;
    loop->worker.path.tx_count = n;
}

int dp_loop_create(struct dp_forwarding *forwarding, unsigned worker, const uint16_t *ids,
                   unsigned n, struct dp_loop **loop)
{
    struct rte_mempool *pool = dp_pool_create(2 * DP_FRAGMENT_MAX, FRAME_BYTES);
    struct dp_loop *made = pool ? calloc(1, sizeof(*made)) : NULL;
    if (!made) {
        rte_mempool_free(pool);
        return -ENOMEM;
    }
    dp_worker_prepare(&made->worker, forwarding, worker, pool);
    made->ports = calloc(n, sizeof(*made->ports));
    made->worker.rxs = calloc(n, sizeof(*made->worker.rxs));
    made->worker.path.txs = calloc(n, sizeof(*made->worker.path.txs));
    if (!made->ports || !made->worker.rxs || !made->worker.path.txs) {
        dp_loop_destroy(made);
        return -ENOMEM;
    }
    wire(made, ids, n);
    *loop = made;
    return 0;
}

void dp_loop_underlay_mac(const struct lpm_address *address, uint8_t mac[6])
{
    dp_underlay_invent_mac(address, mac);
}

void dp_loop_destroy(struct dp_loop *loop)
{
    if (!loop)
        return;
    rte_mempool_free(loop->worker.path.pool);
    free(loop->worker.path.txs);
    free(loop->worker.rxs);
    free(loop->ports);
    free(loop);
}

int dp_loop_link(struct dp_forwarding *forwarding, uint16_t port, const uint8_t own[6],
                 const struct lpm_address *remote, const uint8_t mac[6])
{
    const int result = dp_underlay_set_mac(forwarding, port, own);

    if (result < 0)
        return result;
    return dp_neighbor_heard(forwarding, port, remote, mac) ? 0 : -ENOENT;
}

unsigned dp_loop_round(struct dp_loop *loop)
{
    return dp_worker_round(&loop->worker);
}

static uint64_t lap(uint64_t *times, enum dp_loop_stage stage, uint64_t since)
{
    uint64_t now = rte_rdtsc();
    times[stage] += now - since;
    return now;
}

/* Returns when it was done. */
static uint64_t express_timed(struct dp_worker *worker, const struct dp_rx *rx,
                              struct rte_mbuf **mbufs, unsigned n, uint64_t *times, uint64_t at)
{
    dp_express_admit(&worker->path, &worker->express, rx->index, mbufs, n);
    at = lap(times, DP_LOOP_ADMIT, at);
    dp_express_look_up(&worker->express);
    at = lap(times, DP_LOOP_LOOK_UP, at);
    dp_express_forward(&worker->path, &worker->express);
    at = lap(times, DP_LOOP_FORWARD, at);
    if (worker->express.rest_n > 0)
        dp_worker_walk(worker, rx, worker->express.rest, worker->express.rest_n);
    return at;
}

static unsigned poll_timed(struct dp_worker *worker, const struct dp_rx *rx, uint64_t *times)
{
    struct rte_mbuf *mbufs[DP_BURST];
    uint64_t at = rte_rdtsc();
    uint16_t n = rte_eth_rx_burst(rx->port->id, rx->queue, mbufs, DP_BURST);
    if (n == 0)
        return 0;
    at = lap(times, DP_LOOP_RECEIVE, at);
    if (dp_underlay_read(worker->path.forwarding, rx->index))
        dp_worker_walk(worker, rx, mbufs, n);
    else
        at = express_timed(worker, rx, mbufs, n, times, at);
    at = lap(times, DP_LOOP_LONG_WAY, at);
    dp_egress_flush(&worker->path);
    lpm_rcu_quiescent();
    lap(times, DP_LOOP_TRANSMIT, at);
    return n;
}

unsigned dp_loop_round_timed(struct dp_loop *loop, uint64_t times[DP_LOOP_STAGE_COUNT])
{
    unsigned done = 0;
    for (unsigned i = 0; i < loop->worker.rx_count; i++)
        done += poll_timed(&loop->worker, &loop->worker.rxs[i], times);
    return done;
}
