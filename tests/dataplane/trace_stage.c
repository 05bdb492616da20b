/* See trace_stage.h. */
#include "tests/dataplane/trace_stage.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include <rte_mbuf.h>
#include <rte_mempool.h>
#include <rte_ring.h>

#include "dataplane/eal.h"
#include "dataplane/watch.h"

struct lab lab;
struct frame frame;
struct dp_port ports[STAGE_PORTS];
struct dp_worker workers[WORKERS];
struct rte_mempool *pool;
struct dp_trace *trace;
struct dp_trace_record record;
unsigned stages_seen;

static struct frame inner;
static struct dp_tx txs[WORKERS][STAGE_PORTS];
static struct dp_rx rxs[STAGE_PORTS];

/* --- The stage -------------------------------------------------------------------------------- */

static void set_underlay(void)
{
    static const uint8_t own[6] = {2, 4, 192, 0, 2, 1}, there[6] = {2, 4, 192, 0, 2, 7};
    const struct lpm_address peer = lab_address(STAGE_REMOTE);
    const struct dp_underlay_config config = {
        .address = lab_address(STAGE_OWN), .peers = &peer, .peer_count = 1, .nic = 10};

    cr_assert_eq(dp_underlay_set(lab.forwarding, 3, &config), 0);
    cr_assert_eq(dp_underlay_set_mac(lab.forwarding, 3, own), 0);
    cr_assert(dp_neighbor_heard(lab.forwarding, 3, &peer, there));
}

static void open_worker(unsigned number)
{
    struct dp_path *path = &workers[number].path;

    dp_worker_prepare(&workers[number], lab.forwarding, number, pool);
    path->txs = txs[number];
    path->tx_count = STAGE_PORTS;
    for (unsigned p = 0; p < STAGE_PORTS; p++) {
        char name[32];

        snprintf(name, sizeof(name), "trace_%u_%u", number, p);
        txs[number][p].port = &ports[p];
        txs[number][p].ring =
            rte_ring_create(name, STAGE_QUEUE, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);
        cr_assert_not_null(txs[number][p].ring);
    }
}

void open_stage(void)
{
    struct lab_options options = {.workers = WORKERS, .mtu = 600};
    const struct dp_eal_request request = {.pool_bytes = dp_pool_bytes(2048, 2048), .quiet = true};
    char error[DP_ERROR_TEXT];

    options.attachments[LAB_VM] = (struct dp_attachment){DP_ATTACHMENT_PORT, 0, 0};
    options.attachments[LAB_PEER] =
        (struct dp_attachment){.kind = DP_ATTACHMENT_MAC, .port = 1, .vni = STAGE_VNI};
    options.attachments[LAB_NVA1] = (struct dp_attachment){DP_ATTACHMENT_MAC, 2, 0};
    options.attachments[LAB_NVA2] = (struct dp_attachment){.kind = DP_ATTACHMENT_VXLAN,
                                                           .port = 3,
                                                           .vni = STAGE_VNI,
                                                           .remote = lab_address(STAGE_REMOTE)};
    lab_open(&lab, &options);
    set_underlay();
    cr_assert_eq(dp_eal_start(&request, error), 0, "%s", error);
    pool = dp_pool_create(2047, 2048);
    cr_assert_not_null(pool);
    for (unsigned p = 0; p < STAGE_PORTS; p++) {
        ports[p] = (struct dp_port){.mtu = 1500, .link_up = true};
        rxs[p] = (struct dp_rx){.port = &ports[p], .index = (uint16_t)p};
    }
    for (unsigned number = 0; number < WORKERS; number++)
        open_worker(number);
    lpm_rcu_register_thread();
}

void close_stage(void)
{
    dp_trace_free(trace);
    lpm_rcu_unregister_thread();
    lpm_rcu_barrier();
    rte_mempool_free(pool);
    lab_close(&lab);
}

struct dp_trace_config any_packet(void)
{
    return (struct dp_trace_config){.nic = DP_NIC_ANY,
                                    .protocol = DP_TRACE_ANY,
                                    .source_port = DP_TRACE_ANY,
                                    .destination_port = DP_TRACE_ANY,
                                    .reason = DP_REASON_COUNT};
}

struct dp_trace *begin(const struct dp_trace_config *config)
{
    struct dp_trace *begun = NULL;

    cr_assert_eq(dp_trace_open(lab.forwarding, config, &begun), 0);
    return begun;
}

struct rte_mbuf *buffer_of_frame(void)
{
    struct rte_mbuf *mbuf = rte_pktmbuf_alloc(pool);
    char *bytes = mbuf ? rte_pktmbuf_append(mbuf, (uint16_t)frame.captured) : NULL;

    cr_assert_not_null(bytes);
    memcpy(bytes, frame.bytes, frame.captured);
    return mbuf;
}

/* How often is of no interest here, but in the case about it. */
static void be_generous(struct dp_worker *worker)
{
    worker->echo.due = worker->errors.due = 0;
    for (unsigned i = 0; worker->path.watch && i < worker->path.watch->trace_count; i++) {
        struct dp_trace_lane *lane = &worker->path.watch->traces[i]->lanes[worker->number];

        lane->picks.due = lane->rests.due = 0;
    }
}

void walk(unsigned number, unsigned port, struct rte_mbuf **mbufs, unsigned n, bool generous)
{
    struct dp_worker *worker = &workers[number];

    worker->path.watch = number == TRACED ? lpm_rcu_dereference(&lab.forwarding->watch) : NULL;
    if (generous)
        be_generous(worker);
    if (worker->path.watch && worker->path.watch->trace_count > 0)
        dp_worker_trace(worker, &rxs[port], mbufs, n, false);
    else
        dp_worker_take(worker, &rxs[port], mbufs, n);
    dp_egress_flush(&worker->path);
    worker->path.watch = NULL;
    lpm_rcu_quiescent();
}

void send_frame(unsigned number, unsigned port)
{
    struct rte_mbuf *mbuf = buffer_of_frame();

    walk(number, port, &mbuf, 1, true);
}

struct rte_mbuf *take_sent(unsigned number, unsigned port)
{
    struct rte_mbuf *mbuf;

    return rte_ring_dequeue(txs[number][port].ring, (void **)&mbuf) == 0 ? mbuf : NULL;
}

unsigned empty_queues(unsigned number)
{
    struct rte_mbuf *mbuf;
    unsigned n = 0;

    for (unsigned p = 0; p < STAGE_PORTS; p++) {
        while ((mbuf = take_sent(number, p))) {
            rte_pktmbuf_free(mbuf);
            n++;
        }
    }
    return n;
}

void put_in_tunnel(const uint8_t source[6], const uint8_t destination[6])
{
    static const uint8_t underlay[6] = {2, 4, 192, 0, 2, 1};

    inner = frame;
    memcpy(inner.bytes, destination, 6);
    memcpy(inner.bytes + 6, source, 6);
    frame_vxlan(&frame, STAGE_REMOTE, STAGE_OWN, 5000, &inner);
    memcpy(frame.bytes, underlay, 6);
}

/* --- What a record says ----------------------------------------------------------------------- */

const struct dp_trace_step *step_of(enum dp_trace_stage stage)
{
    return dp_trace_find(&record, stage);
}

bool take(void)
{
    bool taken = dp_trace_take(trace, &record);

    for (unsigned i = 0; taken && i < record.step_count; i++)
        stages_seen |= 1u << record.steps[i].stage;
    return taken;
}

void trace_frame(unsigned port)
{
    send_frame(TRACED, port);
    cr_assert(take(), "no record");
}
