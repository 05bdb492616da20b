/*
 * The engine: EAL, ports, workers, and which worker polls and sends where.
 *
 *      ports[p] queue q   is polled by worker (p + q) % workers: one worker per queue, ports spread
 *      sending at port p  worker w has transmit queue w, if there is one; else its frames go
 * through the port's ring to the worker that owns queue p % queues
 *
 * Everything is made before the first worker starts, and undone in reverse: a failure at any point
 * takes the same way as dp_engine_stop().
 */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include <rte_ethdev.h>
#include <rte_lcore.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>
#include <rte_ring.h>

#include "dataplane/eal.h"
#include "dataplane/engine.h"
#include "dataplane/error.h"
#include "dataplane/port_kind.h"
#include "dataplane/underlay.h"
#include "dataplane/worker.h"

#define RING_SIZE   1024u
#define FRAME_FLOOR 2048u /* buffers hold at least this: drivers expect it */

struct dp_engine {
    struct dp_forwarding *forwarding;
    struct rte_mempool *pool;
    struct dp_port *ports;
    struct rte_ring **rings; /* by port; NULL: every worker has a queue of its own there */
    unsigned port_count;
    struct dp_worker *workers;
    unsigned worker_count;
    _Atomic bool stop;
};

/* --- Cores ------------------------------------------------------------------------------------ */

static unsigned usable_cores(cpu_set_t *cpus)
{
    if (sched_getaffinity(0, sizeof(*cpus), cpus))
        CPU_ZERO(cpus);
    return (unsigned)CPU_COUNT(cpus);
}

unsigned dp_engine_worker_count(const struct dp_engine_config *config)
{
    cpu_set_t cpus;
    unsigned usable;

    if (config->cores)
        return config->core_count;
    usable = usable_cores(&cpus);
    return usable > 1 ? usable - 1 : 1;
}

/* The core of worker w: as configured, else the (w+1)th usable one; the first is the control
 * thread's unless it is the only one. */
static int core_of(const struct dp_engine_config *config, unsigned w, unsigned *core,
                   char error[DP_ERROR_TEXT])
{
    cpu_set_t cpus;
    unsigned skip = usable_cores(&cpus) > 1 ? w + 1 : w;

    if (config->cores) {
        *core = config->cores[w];
        if (*core < CPU_SETSIZE && CPU_ISSET(*core, &cpus))
            return 0;
        return dp_fail(error, -EINVAL, "core %u: this process may not run there; see taskset -pc",
                       *core);
    }
    for (*core = 0; *core < CPU_SETSIZE; (*core)++) {
        if (CPU_ISSET(*core, &cpus) && skip-- == 0)
            return 0;
    }
    return dp_fail(error, -EINVAL, "no core is left for worker %u", w);
}

/* --- Buffers ---------------------------------------------------------------------------------- */

static uint32_t frame_bytes(const struct dp_engine_config *config)
{
    uint32_t bytes = FRAME_FLOOR;

    for (unsigned i = 0; i < config->port_count; i++) {
        uint32_t wanted = config->ports[i].mtu + DP_L2_OVERHEAD;

        if (wanted > bytes)
            bytes = wanted;
    }
    return bytes < DP_FRAME_MAX ? bytes : DP_FRAME_MAX;
}

/* Every ring of every queue full at once, and what workers have in hand and in their caches. */
static unsigned buffer_count(const struct dp_engine_config *config, unsigned workers)
{
    unsigned rings = config->port_count * (workers * 2 * DP_PORT_RING + RING_SIZE);
    unsigned in_hand = workers * (config->port_count * DP_TX_BUFFER + DP_FRAGMENT_MAX + 512);

    return rings + in_hand;
}

/* --- Making ----------------------------------------------------------------------------------- */

static int allocate(struct dp_engine *engine, const struct dp_engine_config *config,
                    unsigned workers)
{
    engine->ports = calloc(config->port_count + 1, sizeof(*engine->ports));
    engine->rings = calloc(config->port_count + 1, sizeof(*engine->rings));
    engine->workers = calloc(workers, sizeof(*engine->workers));
    if (!engine->ports || !engine->rings || !engine->workers)
        return -ENOMEM;
    engine->port_count = config->port_count;
    engine->worker_count = workers;
    engine->pool = dp_pool_create(buffer_count(config, workers), frame_bytes(config));
    return engine->pool ? 0 : -ENOMEM;
}

/* What other hosts are told of this one. */
static int adopt_mac(struct dp_engine *engine, uint16_t port, char error[DP_ERROR_TEXT])
{
    struct rte_ether_addr mac;
    int result = rte_eth_macaddr_get(engine->ports[port].id, &mac);

    if (!result)
        result = dp_underlay_set_mac(engine->forwarding, port, mac.addr_bytes);
    if (result)
        return dp_fail(error, result, "port %s: has no MAC address", engine->ports[port].name);
    return 0;
}

/* Other hosts are behind it. */
static bool has_tunnels(const struct dp_engine *engine, unsigned port)
{
    const struct dp_underlay *underlay = dp_underlay_read(engine->forwarding, (uint16_t)port);

    return underlay && underlay->peer_count > 0;
}

static int open_ports(struct dp_engine *engine, const struct dp_engine_config *config,
                      char error[DP_ERROR_TEXT])
{
    for (unsigned p = 0; p < engine->port_count; p++) {
        char name[RTE_RING_NAMESIZE];
        struct dp_port *port = &engine->ports[p];
        int result;

        if (!config->ports[p].device) {
            dp_port_leave_out(port, &config->ports[p]);
            continue;
        }
        result = dp_port_open(port, &config->ports[p], engine->worker_count, has_tunnels(engine, p),
                              engine->pool, error);
        if (!result)
            result = adopt_mac(engine, (uint16_t)p, error);
        if (result)
            return result;
        if (port->tx_queues >= engine->worker_count)
            continue;
        snprintf(name, sizeof(name), "fingerpost_%u", dp_eal_serial());
        engine->rings[p] = rte_ring_create(name, RING_SIZE, SOCKET_ID_ANY, RING_F_SC_DEQ);
        if (!engine->rings[p]) {
            return dp_fail(error, -ENOMEM, "port %s: out of memory", port->name);
        }
    }
    return 0;
}

static void wire_receive(struct dp_engine *engine, struct dp_worker *worker)
{
    for (unsigned p = 0; p < engine->port_count; p++) {
        for (uint16_t queue = 0; queue < engine->ports[p].rx_queues; queue++) {
            if ((p + queue) % engine->worker_count != worker->number)
                continue;
            worker->rxs[worker->rx_count++] =
                (struct dp_rx){.port = &engine->ports[p], .index = (uint16_t)p, .queue = queue};
        }
    }
}

static void wire_send(struct dp_engine *engine, struct dp_worker *worker)
{
    for (unsigned p = 0; p < engine->port_count; p++) {
        const struct dp_port *port = &engine->ports[p];
        struct dp_tx *tx = &worker->path.txs[p];

        tx->port = port;
        tx->queue = (uint16_t)worker->number;
        if (worker->number >= port->tx_queues)
            tx->ring = engine->rings[p];
        else if (engine->rings[p] && p % port->tx_queues == worker->number)
            worker->inlets[worker->inlet_count++] =
                (struct dp_inlet){.ring = engine->rings[p], .tx = tx};
    }
}

static int make_worker(struct dp_engine *engine, unsigned w)
{
    struct dp_worker *worker = &engine->workers[w];
    unsigned queues = 0;

    for (unsigned p = 0; p < engine->port_count; p++)
        queues += engine->ports[p].rx_queues;
    dp_worker_prepare(worker, engine->forwarding, w, engine->pool);
    worker->stop = &engine->stop;
    worker->rxs = calloc(queues + 1, sizeof(*worker->rxs));
    worker->inlets = calloc(engine->port_count + 1, sizeof(*worker->inlets));
    worker->path.txs = calloc(engine->port_count + 1, sizeof(*worker->path.txs));
    if (!worker->rxs || !worker->inlets || !worker->path.txs)
        return -ENOMEM;
    worker->path.tx_count = engine->port_count;
    wire_receive(engine, worker);
    wire_send(engine, worker);
    return 0;
}

static int start_workers(struct dp_engine *engine, const struct dp_engine_config *config,
                         char error[DP_ERROR_TEXT])
{
    for (unsigned w = 0; w < engine->worker_count; w++) {
        int result = core_of(config, w, &engine->workers[w].core, error);

        if (result)
            return result;
        result = make_worker(engine, w);
        if (result) {
            return dp_fail(error, result, "worker %u: out of memory", w);
        }
    }
    for (unsigned w = 0; w < engine->worker_count; w++) {
        int result = dp_worker_start(&engine->workers[w]);

        if (result) {
            return dp_fail(error, result, "worker %u cannot start on core %u", w,
                           engine->workers[w].core);
        }
    }
    return 0;
}

/* --- Checks ----------------------------------------------------------------------------------- */

static int check(const struct dp_engine_config *config, const struct dp_forwarding *forwarding,
                 unsigned workers, char error[DP_ERROR_TEXT])
{
    if (workers == 0 || workers > forwarding->config.workers) {
        return dp_fail(error, -EINVAL, "%u workers wanted; the forwarding state was made for %u",
                       workers, forwarding->config.workers);
    }
    if (config->port_count > DP_PORT_CAPACITY) {
        return dp_fail(error, -EINVAL, "%u ports; at most %u are possible", config->port_count,
                       DP_PORT_CAPACITY);
    }
    return 0;
}

static int start_eal(const struct dp_engine_config *config, unsigned workers,
                     char error[DP_ERROR_TEXT])
{
    struct dp_eal_request request = {
        .pool_bytes = dp_pool_bytes(buffer_count(config, workers), frame_bytes(config)),
        .quiet = config->quiet,
    };

    for (unsigned p = 0; p < config->port_count; p++) {
        const char *device = config->ports[p].device;

        if (dp_port_is_pci(device))
            request.pci_port = config->ports[p].name;
        request.shares_memory |= device && dp_port_kind(device)->shares_memory;
    }
    return dp_eal_start(&request, error);
}

/* Drivers that announce frames by a real-time signal to the process (net_tap) would interrupt the
 * control thread for every one; workers take them. */
static void leave_device_signals_to_workers(void)
{
    sigset_t set;

    sigemptyset(&set);
    for (int number = SIGRTMIN; number <= SIGRTMAX; number++)
        sigaddset(&set, number);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
}

/* --- Interface -------------------------------------------------------------------------------- */

static int build(struct dp_engine *engine, const struct dp_engine_config *config,
                 char error[DP_ERROR_TEXT])
{
    unsigned workers = dp_engine_worker_count(config);
    int result = allocate(engine, config, workers);

    if (result)
        return dp_fail(error, result, "out of memory for %u packet buffers of %u bytes",
                       buffer_count(config, workers), frame_bytes(config));
    result = open_ports(engine, config, error);
    if (result)
        return result;
    return start_workers(engine, config, error);
}

int dp_engine_start(const struct dp_engine_config *config, struct dp_forwarding *forwarding,
                    struct dp_engine **engine, char error[DP_ERROR_TEXT])
{
    unsigned workers = dp_engine_worker_count(config);
    struct dp_engine *made;
    int result = check(config, forwarding, workers, error);

    if (result)
        return result;
    leave_device_signals_to_workers();
    result = start_eal(config, workers, error);
    if (result)
        return result;
    made = calloc(1, sizeof(*made));
    if (!made)
        return dp_fail(error, -ENOMEM, "out of memory");
    made->forwarding = forwarding;
    result = build(made, config, error);
    if (result) {
        dp_engine_stop(made);
        return result;
    }
    *engine = made;
    return 0;
}

void dp_engine_stop(struct dp_engine *engine)
{
    if (!engine)
        return;
    atomic_store_explicit(&engine->stop, true, memory_order_relaxed);
    for (unsigned w = 0; w < engine->worker_count; w++)
        dp_worker_join(&engine->workers[w]);
    for (unsigned w = 0; w < engine->worker_count; w++) {
        free(engine->workers[w].rxs);
        free(engine->workers[w].inlets);
        free(engine->workers[w].path.txs);
    }
    for (unsigned p = 0; p < engine->port_count; p++) {
        dp_port_close(&engine->ports[p]);
        rte_ring_free(engine->rings[p]);
    }
    rte_mempool_free(engine->pool);
    free(engine->workers);
    free(engine->rings);
    free(engine->ports);
    free(engine);
}

struct dp_forwarding *dp_engine_forwarding(const struct dp_engine *engine)
{
    return engine->forwarding;
}

uint32_t dp_engine_frame_bytes(const struct dp_engine *engine)
{
    return rte_pktmbuf_data_room_size(engine->pool) - RTE_PKTMBUF_HEADROOM;
}

int dp_engine_port_status(const struct dp_engine *engine, unsigned port,
                          struct dp_port_status *status)
{
    if (port >= engine->port_count)
        return -EINVAL;
    dp_port_status(&engine->ports[port], status);
    return 0;
}

bool dp_engine_port_link(struct dp_engine *engine, unsigned port)
{
    return port < engine->port_count && dp_port_look(&engine->ports[port]);
}

unsigned dp_engine_port_queues(const struct dp_engine *engine, unsigned port)
{
    const struct dp_port *queues = port < engine->port_count ? &engine->ports[port] : NULL;

    if (!queues)
        return 0;
    return queues->rx_queues > queues->tx_queues ? queues->rx_queues : queues->tx_queues;
}

static void add_counter(uint64_t *sum, const _Atomic uint64_t *counter)
{
    *sum += atomic_load_explicit(counter, memory_order_relaxed);
}

/* A receive queue is polled by one worker; a transmit queue is its worker's own. What found no room on
 * its way there is told where it would have gone. */
int dp_engine_queue_status(const struct dp_engine *engine, unsigned port, unsigned queue,
                           struct dp_queue_status *status)
{
    *status = (struct dp_queue_status){0};
    if (queue >= dp_engine_port_queues(engine, port))
        return -EINVAL;
    for (unsigned w = 0; w < engine->worker_count; w++) {
        const struct dp_worker *worker = &engine->workers[w];
        const struct dp_tx *tx = &worker->path.txs[port];

        for (unsigned i = 0; i < worker->rx_count; i++) {
            if (worker->rxs[i].index != port || worker->rxs[i].queue != queue)
                continue;
            add_counter(&status->rx_packets, &worker->rxs[i].packets);
            add_counter(&status->rx_bytes, &worker->rxs[i].bytes);
        }
        if ((tx->ring ? port % engine->ports[port].tx_queues : tx->queue) != queue)
            continue;
        add_counter(&status->tx_packets, &tx->packets);
        add_counter(&status->tx_bytes, &tx->bytes);
        add_counter(&status->tx_refused, &tx->unsent);
    }
    return 0;
}
