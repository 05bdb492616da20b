/*
 * The express way against the long one: random bursts go through both, and the same frames must come
 * out towards the same ports with the same accounts, whatever was done to them on their way in.
 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include <rte_mbuf.h>
#include <rte_mempool.h>
#include <rte_ring.h>

#include "dataplane/columns.h"
#include "dataplane/eal.h"
#include "dataplane/underlay.h"
#include "dataplane/worker.h"
#include "tests/dataplane/lab.h"
#include "tests/dataplane/random.h"

#define PORTS  4
#define BURSTS 4000

enum { EXPRESS, LONG, WAYS };

static struct lab lab;
static struct dp_port ports[PORTS];
static struct dp_tx txs[WAYS][PORTS];
static struct dp_worker workers[WAYS];
static struct rte_mempool *pool;
static struct test_random chance;
static bool calm; /* frames have nothing that stands out */
static struct frame frame, inner;
static unsigned taken; /* by the express way */
static double express_share;

/* NVAs on another host: one tunnel over IPv4, one over IPv6. */
static void attach_tunnels(struct lab_options *options)
{
    static const char *const remotes[] = {"192.0.2.7", "2001:db8::7"};

    for (uint16_t i = 0; i < 2; i++) {
        struct dp_attachment *attachment = &options->attachments[LAB_NVA1 + i];
        *attachment = (struct dp_attachment){
            .kind = DP_ATTACHMENT_VXLAN, .port = (uint16_t)(2 + i), .vni = 0xabcdef};
        cr_assert_eq(lpm_address_parse(remotes[i], &attachment->remote), 0);
    }
}

static void open_underlays(void)
{
    static const char *const own[] = {"192.0.2.1", "2001:db8::1"};
    static const uint8_t mac[6] = {0x02, 0xbb, 0, 0, 0, 1};

    for (uint16_t i = 0; i < 2; i++) {
        struct dp_underlay_config config = {.peers = &lab.options.attachments[LAB_NVA1 + i].remote,
                                            .peer_count = 1};
        cr_assert_eq(lpm_address_parse(own[i], &config.address), 0);
        cr_assert_eq(dp_underlay_set(lab.forwarding, 2 + i, &config), 0);
        cr_assert_eq(dp_underlay_set_mac(lab.forwarding, 2 + i, mac), 0);
    }
}

/* The other host says where it is: until then nothing can be sent to it. */
static void hear_other_host(uint8_t last)
{
    const uint8_t mac[6] = {0x02, 0xaa, 1, 2, 3, last};

    for (uint16_t i = 0; i < 2; i++)
        cr_assert(dp_neighbor_heard(lab.forwarding, 2 + i,
                                    &lab.options.attachments[LAB_NVA1 + i].remote, mac));
}

static void open_lab(bool keep_ttl, bool tunnels)
{
    struct lab_options options = {.workers = WAYS, .mtu = 200, .keep_ttl = keep_ttl};
    const struct dp_eal_request request = {.pool_bytes = dp_pool_bytes(1024, 2048), .quiet = true};
    char error[DP_ERROR_TEXT];

    options.attachments[LAB_VM] = (struct dp_attachment){DP_ATTACHMENT_PORT, 0, 0};
    options.attachments[LAB_PEER] = (struct dp_attachment){DP_ATTACHMENT_MAC, 1, 0};
    options.attachments[LAB_NVA1] = (struct dp_attachment){DP_ATTACHMENT_MAC, 2, 0};
    options.attachments[LAB_NVA2] = (struct dp_attachment){DP_ATTACHMENT_VLAN, 3, 102};
    if (tunnels)
        attach_tunnels(&options);
    lab_open(&lab, &options);
    if (tunnels)
        open_underlays();
    cr_assert_eq(dp_eal_start(&request, error), 0, "%s", error);
    pool = dp_pool_create(1023, 2048);
    cr_assert_not_null(pool);
    for (unsigned p = 0; p < PORTS; p++) {
        ports[p] = (struct dp_port){.mtu = 1500, .link_up = true};
        for (unsigned way = 0; way < WAYS; way++)
            txs[way][p].port = &ports[p];
    }
    for (unsigned way = 0; way < WAYS; way++) {
        struct dp_path *path = &workers[way].path;
        path->forwarding = lab.forwarding;
        path->counters = dp_worker_counters(lab.forwarding, way);
        path->pool = pool;
        path->txs = txs[way];
        path->tx_count = PORTS;
    }
    chance = test_random_start();
    lpm_rcu_register_thread();
}

static void close_lab(void)
{
    lpm_rcu_unregister_thread();
    rte_mempool_free(pool);
    lab_close(&lab);
}

TestSuite(express, .fini = close_lab);

/* --- Frames ----------------------------------------------------------------------------------- */

static const char *pick(const char *const *list, unsigned n)
{
    return list[test_random_below(&chance, n)];
}

static const struct {
    const char *four, *six;
} machines[LAB_NIC_COUNT] = {
    [LAB_VM] = {"10.1.0.4", "fd00:1::4"},
    [LAB_PEER] = {"10.1.0.5", "fd00:1::5"},
    [LAB_NVA1] = {"10.0.1.4", "fd00::1:4"},
    [LAB_NVA2] = {"10.0.1.5", "fd00::1:5"},
};

static void draw_packet(const char *own4, const char *own6)
{
    static const char *const from4[] = {"10.1.0.4", "10.1.0.5", "10.0.1.4", "10.0.1.5",
                                        "192.0.2.1"};
    static const char *const to4[] = {"192.0.2.1",    "8.8.8.8",     "10.1.0.4",   "10.1.0.5",
                                      "198.51.100.1", "203.0.113.9", "10.1.0.255", "224.0.0.1",
                                      "127.0.0.1",    "10.0.1.4",    "10.1.0.1"};
    static const char *const from6[] = {"fd00:1::4", "fd00:1::5", "fd00::1:4", "fd00::1:5",
                                        "2001:db8::1"};
    static const char *const to6[] = {"2001:db8::9", "fd00:1::4", "fd00:1::5", "ff02::1",
                                      "fe80::1",     "fd00::1:4", "::1"};
    const uint16_t port = (uint16_t)test_random_next(&chance);
    const uint16_t payload =
        (uint16_t)test_random_below(&chance, test_random_one_in(&chance, 4) ? 300 : 100);

    switch (calm ? 3 : test_random_below(&chance, 14)) {
    case 0:
        frame_echo4(&frame, pick(from4, 5), pick(to4, 11), payload);
        break;
    case 1:
        frame_udp6(&frame, pick(from6, 5), pick(to6, 7), port, payload);
        break;
    case 2:
        frame_arp(&frame, "10.1.0.4", "10.1.0.1");
        break;
    case 3 ... 5: /* what nothing stands out of */
        frame_udp4(&frame, own4, "192.0.2.1", port, payload);
        break;
    case 6: /* within a VNet */
        frame_udp4(&frame, own4, pick(to4 + 2, 2), port, payload);
        break;
    case 7:
        frame_udp6(&frame, own6, pick(to6 + 1, 2), port, payload);
        break;
    case 8:
        frame_udp6(&frame, own6, "2001:db8::9", port, payload);
        break;
    case 12: /* a guest's tunnel */
        frame_udp4(&inner, pick(from4, 5), pick(to4, 11), port, payload / 2);
        frame_vxlan(&frame, own4, "192.0.2.1", (uint16_t)test_random_next(&chance), &inner);
        break;
    case 13:
        frame_udp6(&inner, pick(from6, 5), pick(to6, 7), port, payload / 2);
        frame_vxlan(&frame, own6, "2001:db8::9", (uint16_t)test_random_next(&chance), &inner);
        break;
    default:
        frame_udp4(&frame, pick(from4, 5), pick(to4, 11), port, payload);
        break;
    }
}

/* Any byte of the headers, sealed again or not; TTL; tags; padding; an end that comes early. */
static void damage(void)
{
    const unsigned ip = 14;

    if (test_random_one_in(&chance, 3))
        frame.bytes[test_random_below(&chance, 60)] ^=
            (uint8_t)(1u << test_random_below(&chance, 8));
    if (test_random_one_in(&chance, 6))
        frame.bytes[ip + 8] = (uint8_t)test_random_below(&chance, 3);
    if (test_random_one_in(&chance, 6))
        frame.bytes[ip + (test_random_one_in(&chance, 2) ? 12 : 16)] =
            (uint8_t)test_random_next(&chance);
    if (test_random_one_in(&chance, 6))
        frame.bytes[ip + 9] = (uint8_t)test_random_next(&chance);
    if (!test_random_one_in(&chance, 4))
        frame_seal4(&frame, ip);
    if (test_random_one_in(&chance, 8))
        frame_tag(&frame, 0x8100, (uint16_t)test_random_below(&chance, 3) + 101);
    if (test_random_one_in(&chance, 6))
        frame_add(&frame, "padding of the link", test_random_below(&chance, 19));
    if (test_random_one_in(&chance, 20))
        frame.captured = frame.wire = test_random_below(&chance, frame.captured + 1);
}

static void draw_frame(uint32_t nic)
{
    uint8_t mac[6];

    draw_packet(machines[nic].four, machines[nic].six);
    lab_mac(!calm && test_random_one_in(&chance, 10) ? LAB_VM : nic, mac);
    memcpy(frame.bytes + 6, mac, 6);
    if (!calm && test_random_one_in(&chance, 2))
        damage();
    if (frame.captured > 1500)
        frame.captured = frame.wire = 1500;
}

static struct rte_mbuf *buffer_of_frame(void)
{
    struct rte_mbuf *mbuf = rte_pktmbuf_alloc(pool);
    char *bytes = mbuf ? rte_pktmbuf_append(mbuf, (uint16_t)frame.captured) : NULL;

    cr_assert_not_null(bytes);
    memcpy(bytes, frame.bytes, frame.captured);
    return mbuf;
}

/* --- Comparing -------------------------------------------------------------------------------- */

/* A frame that is to be sent, and its account. */
struct outcome {
    unsigned port;
    struct dp_note note;
    unsigned length;
    uint8_t bytes[1600];
};
struct outcomes {
    unsigned n;
    struct outcome list[256];
};
static struct outcomes outcomes[WAYS];

static int compare(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct outcome));
}

/* Empties the transmit buffers. The order within a burst is left free. */
static void collect(unsigned way)
{
    outcomes[way].n = 0;
    for (unsigned p = 0; p < PORTS; p++) {
        struct dp_tx *tx = &txs[way][p];
        for (unsigned i = 0; i < tx->n; i++) {
            struct outcome *outcome = &outcomes[way].list[outcomes[way].n++];
            memset(outcome, 0, sizeof(*outcome));
            outcome->port = p;
            outcome->note.nic = tx->notes[i].nic;
            outcome->note.member = tx->notes[i].member;
            outcome->note.backend = tx->notes[i].backend;
            outcome->note.bytes = tx->notes[i].bytes;
            outcome->note.kind = tx->notes[i].kind;
            if (tx->notes[i].kind == DP_NOTE_EXPRESS) { /* as the long way has counted already */
                outcome->note.kind = DP_NOTE_FORWARDED;
                dp_count_received(workers[way].path.counters, tx->notes[i].nic, 1,
                                  tx->notes[i].bytes);
            }
            outcome->note.self_loop = tx->notes[i].self_loop;
            outcome->length = rte_pktmbuf_pkt_len(tx->mbufs[i]);
            memcpy(outcome->bytes, rte_pktmbuf_mtod(tx->mbufs[i], uint8_t *), outcome->length);
            rte_pktmbuf_free(tx->mbufs[i]);
        }
        tx->n = 0;
    }
    qsort(outcomes[way].list, outcomes[way].n, sizeof(struct outcome), compare);
}

static void expect_equal_outcomes(unsigned burst)
{
    collect(EXPRESS);
    collect(LONG);
    cr_assert_eq(outcomes[EXPRESS].n, outcomes[LONG].n, "seed %lu, burst %u: %u and %u frames",
                 (unsigned long)chance.seed, burst, outcomes[EXPRESS].n, outcomes[LONG].n);
    for (unsigned i = 0; i < outcomes[LONG].n; i++)
        cr_assert_eq(compare(&outcomes[EXPRESS].list[i], &outcomes[LONG].list[i]), 0,
                     "seed %lu, burst %u: frame %u differs", (unsigned long)chance.seed, burst, i);
}

static void expect_equal_counters(void)
{
    for (uint32_t nic = 0; nic < LAB_NIC_COUNT; nic++) {
        const struct dp_nic_counters *a = &workers[EXPRESS].path.counters->nics[nic];
        const struct dp_nic_counters *b = &workers[LONG].path.counters->nics[nic];
        cr_assert_eq(a->received, b->received);
        cr_assert_eq(a->received_bytes, b->received_bytes);
        for (unsigned reason = 0; reason < DP_REASON_COUNT; reason++)
            cr_assert_eq(workers[EXPRESS].path.counters->drops[nic].by_reason[reason],
                         workers[LONG].path.counters->drops[nic].by_reason[reason], "NIC %u, %s",
                         nic, dp_reason_name((enum dp_reason)reason));
    }
}

static void express(struct dp_worker *worker, const struct dp_rx *rx, struct rte_mbuf **mbufs,
                    unsigned n)
{
    dp_express_admit(&worker->path, &worker->express, rx->index, mbufs, n);
    dp_express_look_up(&worker->express);
    dp_express_forward(&worker->path, &worker->express);
    taken += n - worker->express.rest_n;
    if (worker->express.rest_n > 0)
        dp_worker_walk(worker, rx, worker->express.rest, worker->express.rest_n);
}

/* Frames come by the first `from` ports. */
static void compare_ways(unsigned from, unsigned bursts)
{
    static const uint32_t nics[PORTS] = {LAB_VM, LAB_PEER, LAB_NVA1, LAB_NVA2};
    struct rte_mbuf *mbufs[WAYS][DP_BURST];
    unsigned all = 0;

    taken = 0;
    for (unsigned burst = 0; burst < bursts; burst++) {
        const unsigned port = test_random_below(&chance, from);
        const struct dp_rx rx = {.port = &ports[port], .index = (uint16_t)port};
        const unsigned n = 1 + test_random_below(&chance, DP_BURST);
        workers[EXPRESS].express.columns =
            test_random_one_in(&chance, 3) ? NULL : dp_columns_best();
        for (unsigned i = 0; i < n; i++) {
            calm = i % 8 == 0 ? test_random_one_in(&chance, 2) : calm;
            draw_frame(nics[port]);
            mbufs[EXPRESS][i] = buffer_of_frame();
            mbufs[LONG][i] = buffer_of_frame();
        }
        express(&workers[EXPRESS], &rx, mbufs[EXPRESS], n);
        dp_worker_walk(&workers[LONG], &rx, mbufs[LONG], n);
        expect_equal_outcomes(burst);
        all += n;
    }
    expect_equal_counters();
    express_share = (double)taken / all;
    cr_assert_eq(rte_mempool_in_use_count(pool), 0);
}

static void expect_express(void)
{
    cr_assert_gt(express_share, 0.125, "%f took the express way", express_share);
}

Test(express, random_bursts_come_out_as_by_the_long_way)
{
    open_lab(false, false);
    compare_ways(PORTS, BURSTS);
    expect_express();
}

Test(express, and_so_they_do_where_the_fabric_is_invisible)
{
    open_lab(true, false);
    compare_ways(PORTS, BURSTS);
    expect_express();
}

Test(express, and_so_they_do_where_the_next_hops_are_on_another_host)
{
    open_lab(false, true);
    compare_ways(2, BURSTS / 8);
    const double before = express_share;
    hear_other_host(7);
    compare_ways(2, BURSTS / 2);
    expect_express();
    cr_assert_gt(express_share, before + 0.05, "%f and %f", before, express_share);
    hear_other_host(8);
    compare_ways(2, BURSTS / 8);
}

/* --- Eight at once ---------------------------------------------------------------------------- */

static void expect_equal_lanes(const struct dp_express_lane *a, const struct dp_express_lane *b)
{
    cr_assert_eq(a->n, b->n, "seed %lu: %u and %u", (unsigned long)chance.seed, a->n, b->n);
    for (unsigned i = 0; i < a->n; i++) {
        cr_assert_eq(a->places[i], b->places[i], "seed %lu", (unsigned long)chance.seed);
        cr_assert_eq(a->mbufs[i], b->mbufs[i]);
        cr_assert_eq(a->ips[i], b->ips[i]);
        cr_assert_eq(a->totals[i], b->totals[i]);
        cr_assert_eq(a->senders[i], b->senders[i]);
        cr_assert_eq(a->fibs[i], b->fibs[i]);
    }
}

static void expect_equal_admission(const struct dp_express *a, const struct dp_express *b)
{
    expect_equal_lanes(&a->four, &b->four);
    expect_equal_lanes(&a->six, &b->six);
    cr_assert_arr_eq(a->addresses4, b->addresses4, a->four.n * sizeof(a->addresses4[0]));
    cr_assert_arr_eq(a->addresses6, b->addresses6, a->six.n * sizeof(a->addresses6[0]));
    cr_assert_arr_eq(a->hops4, b->hops4, a->four.n * sizeof(a->hops4[0]));
    cr_assert_eq(a->left, b->left);
    cr_assert_eq(a->bytes, b->bytes);
}

/* Half of the frames of a burst at most are drawn at random, so that whole eights are admitted, too. */
static void compare_admissions(void)
{
    static const uint32_t nics[PORTS] = {LAB_VM, LAB_PEER, LAB_NVA1, LAB_NVA2};
    static struct dp_express singly, eights;
    struct rte_mbuf *mbufs[DP_BURST];
    unsigned whole = 0;

    eights.columns = dp_columns_best();
    if (!eights.columns)
        cr_skip_test("this processor has none");
    for (unsigned burst = 0; burst < BURSTS; burst++) {
        const uint16_t port = (uint16_t)test_random_below(&chance, 3);
        const unsigned n = 1 + test_random_below(&chance, DP_BURST);
        for (unsigned i = 0; i < n; i++) {
            calm = i % 8 == 0 ? test_random_one_in(&chance, 2) : calm;
            draw_frame(nics[port]);
            mbufs[i] = buffer_of_frame();
        }
        dp_express_admit(&workers[EXPRESS].path, &singly, port, mbufs, n);
        dp_express_admit(&workers[EXPRESS].path, &eights, port, mbufs, n);
        expect_equal_admission(&singly, &eights);
        whole += singly.four.n == n && n >= 8;
        rte_pktmbuf_free_bulk(mbufs, n);
    }
    cr_assert_gt(whole, BURSTS / 32, "%u bursts had nothing that stands out", whole);
}

Test(express, eight_frames_at_once_are_admitted_as_one_by_one)
{
    open_lab(false, false);
    compare_admissions();
}

Test(express, and_so_they_are_where_the_hop_does_not_count)
{
    open_lab(true, false);
    compare_admissions();
}

/* --- Rings ------------------------------------------------------------------------------------ */

/* What waits in a ring has been counted nowhere yet: the worker at its other end does that, for all that
 * happens to a frame there. */
Test(express, frames_that_change_workers_are_received_where_their_way_ends)
{
    const struct dp_rx rx = {.port = &ports[0], .index = 0};
    struct dp_tx sink = {.port = NULL};
    struct rte_mbuf *mbufs[DP_BURST];
    struct dp_counters counters;
    unsigned waiting;

    open_lab(false, false);
    txs[EXPRESS][2].ring = rte_ring_create("express", 8, SOCKET_ID_ANY, 0);
    cr_assert_not_null(txs[EXPRESS][2].ring);
    for (unsigned i = 0; i < DP_BURST; i++) {
        frame_udp4(&frame, "10.1.0.4", "203.0.113.9", (uint16_t)i, 20);
        mbufs[i] = buffer_of_frame();
    }
    express(&workers[EXPRESS], &rx, mbufs, DP_BURST);
    cr_assert_eq(taken, DP_BURST);
    dp_tx_flush(&workers[EXPRESS].path, &txs[EXPRESS][2]);
    waiting = rte_ring_dequeue_burst(txs[EXPRESS][2].ring, (void **)mbufs, DP_BURST, NULL);
    cr_assert_eq(waiting, 7);
    dp_counters_nic(lab.forwarding, LAB_VM, &counters);
    cr_assert_eq(counters.received, DP_BURST - waiting);
    cr_assert_eq(counters.dropped[DP_REASON_TX_FULL], DP_BURST - waiting);

    for (unsigned i = 0; i < waiting; i++)
        dp_tx_put(&workers[LONG].path, &sink, mbufs[i], dp_mbuf_note(mbufs[i]));
    dp_tx_flush(&workers[LONG].path, &sink);
    dp_counters_nic(lab.forwarding, LAB_VM, &counters);
    cr_assert_eq(counters.received, DP_BURST);
    cr_assert_eq(counters.forwarded, waiting);
    cr_assert_eq(counters.received_bytes, DP_BURST * 62u);
    cr_assert_eq(counters.forwarded_bytes, waiting * 62u);
    rte_ring_free(txs[EXPRESS][2].ring);
    cr_assert_eq(rte_mempool_in_use_count(pool), 0);
}
