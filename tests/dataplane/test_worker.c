/*
 * Workers: every frame finds its NIC and its way out, whoever owns the queue; idle ones cost
 * little.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <rte_mempool.h>

#include "dataplane/eal.h"
#include "dataplane/stages.h"
#include "tests/dataplane/live.h"

static struct lab lab;
static struct live live;
static struct frame frame;

/* vm has port 0; nva1 and nva2 are VLANs 101 and 102 of port 1; peer shares port 2 by its MAC. */
static void open_with(unsigned workers)
{
    struct lab_options options = {.workers = workers};

    options.attachments[LAB_VM] = (struct dp_attachment){DP_ATTACHMENT_PORT, 0, 0};
    options.attachments[LAB_NVA1] = (struct dp_attachment){DP_ATTACHMENT_VLAN, 1, 101};
    options.attachments[LAB_NVA2] = (struct dp_attachment){DP_ATTACHMENT_VLAN, 1, 102};
    options.attachments[LAB_PEER] = (struct dp_attachment){DP_ATTACHMENT_MAC, 2, 0};
    lab_open(&lab, &options);
    live_open(&live, &lab, 3);
    live.workers = workers;
}

static void open_lab(void)
{
    open_with(1);
}

static void close_lab(void)
{
    live_close(&live);
    lab_close(&lab);
}

TestSuite(worker, .init = open_lab, .fini = close_lab);
TestSuite(workers, .fini = close_lab); /* each case says how many */

static void set_source(uint32_t nic)
{
    uint8_t mac[6];

    lab_mac(nic, mac);
    memcpy(frame.bytes + 6, mac, 6);
}

static uint64_t dropped(enum dp_reason reason)
{
    return live.counters.dropped[reason];
}

/* --- Attachments ------------------------------------------------------------------------------ */

Test(worker, frames_leave_by_the_attachment_of_their_receiver)
{
    unsigned tagged[2] = {0};

    for (unsigned i = 0; i < 64; i++) {
        frame_udp4(&frame, "10.1.0.4", "192.0.2.1", (uint16_t)i, 10);
        live_send(&live, 0, &frame);
    }
    frame_udp4(&frame, "192.0.2.1", "10.1.0.4", 7, 10); /* nva1 forwards to vm */
    set_source(LAB_NVA1);
    frame_tag(&frame, 0x8100, 101);
    live_send(&live, 1, &frame);
    frame_udp4(&frame, "192.0.2.1", "10.1.0.5", 7, 10); /* nva2 to peer, priority bits set */
    frame_tag(&frame, 0x8100, 0xe000 | 102);
    live_send(&live, 1, &frame);
    frame_udp4(&frame, "10.1.0.5", "10.1.0.4", 7, 10); /* peer to vm */
    set_source(LAB_PEER);
    live_send(&live, 2, &frame);
    live_run(&live);
    cr_assert(counters_add_up(&live.counters));
    cr_assert_eq(live.counters.forwarded, 67);
    cr_assert_eq(live.out[0].n, 2);
    cr_assert_eq(live.out[1].n, 64);
    cr_assert_eq(live.out[2].n, 1);
    for (unsigned i = 0; i < 64; i++) {
        const uint8_t *bytes = live.out[1].frames[i].bytes;
        unsigned vlan = (unsigned)(bytes[14] << 8 | bytes[15]);

        cr_assert_arr_eq(bytes + 12, "\x81\0", 2);
        cr_assert(vlan == 101 || vlan == 102);
        cr_assert_eq(bytes[5], vlan == 101 ? LAB_NVA1 : LAB_NVA2);
        cr_assert_eq(sum16(bytes + 18, 20, 0), 0xffff);
        tagged[vlan - 101]++;
    }
    cr_assert(tagged[0] > 10 && tagged[1] > 10);
    cr_assert_eq(live.status[0].rx_packets, 64);
    cr_assert_geq(live.status[1].tx_packets, 64);
    cr_assert_leq(live.status[1].tx_packets, 64 + live.announced[1].n);
}

Test(worker, frames_of_nobody_or_for_others_are_dropped_under_their_reason)
{
    frame_udp4(&frame, "10.0.1.4", "10.1.0.4", 1, 1); /* no VLAN of anybody */
    frame_tag(&frame, 0x8100, 200);
    live_send(&live, 1, &frame);
    frame_udp4(&frame, "10.0.1.4", "10.1.0.4", 1, 1); /* untagged where VLANs are */
    live_send(&live, 1, &frame);
    frame_udp4(&frame, "10.1.0.5", "10.1.0.4", 1, 1); /* vm's MAC on peer's port */
    live_send(&live, 2, &frame);
    frame_udp4(&frame, "10.1.0.4", "10.1.0.5", 1, 1);
    frame.bytes[5] ^= 1; /* to somebody else's MAC */
    live_send(&live, 0, &frame);
    frame_udp4(&frame, "10.1.0.4", "10.1.0.5", 1, 1);
    memset(frame.bytes, 0xff, 6);
    live_send(&live, 0, &frame);
    frame_udp4(&frame, "10.1.0.4", "10.1.0.5", 1, 1);
    frame.bytes[0] = 1;
    live_send(&live, 0, &frame);
    frame_udp6(&frame, "fd00:1::4", "fd00:1::5", 1, 1); /* unicast inside a multicast frame */
    memcpy(frame.bytes, "\x33\x33\0\0\0\x05", 6);
    live_send(&live, 0, &frame);
    frame_udp4(&frame, "10.1.0.4", "10.1.0.5", 1, 1);
    frame.bytes[12] = 0x88; /* LLDP and friends */
    live_send(&live, 0, &frame);
    live_run(&live);
    cr_assert(counters_add_up(&live.counters));
    cr_assert_eq(dropped(DP_REASON_UNKNOWN_ATTACHMENT), 3);
    cr_assert_eq(dropped(DP_REASON_NOT_FOR_GATEWAY_MAC), 1);
    cr_assert_eq(dropped(DP_REASON_BROADCAST), 1);
    cr_assert_eq(dropped(DP_REASON_MULTICAST), 2);
    cr_assert_eq(dropped(DP_REASON_UNKNOWN_ETHERTYPE), 1);
}

Test(worker, a_receiver_without_a_port_is_port_down)
{
    lab.options.attachments[LAB_NVA1] = lab.options.attachments[LAB_NVA2] =
        (struct dp_attachment){.kind = DP_ATTACHMENT_NONE};
    lab_set_nic(&lab, LAB_NVA1);
    lab.options.attachments[LAB_NVA2] = (struct dp_attachment){DP_ATTACHMENT_PORT, 77, 0};
    lab_set_nic(&lab, LAB_NVA2);
    for (unsigned i = 0; i < 32; i++) {
        frame_udp4(&frame, "10.1.0.4", "192.0.2.1", (uint16_t)i, 10);
        live_send(&live, 0, &frame);
    }
    live_run(&live);
    cr_assert_eq(dropped(DP_REASON_PORT_DOWN), 32);
}

/* --- Several workers -------------------------------------------------------------------------- */

static void assert_all_ports_get_each_others_frames(unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        frame_udp4(&frame, "10.1.0.4", "10.1.0.5", (uint16_t)i, 10);
        live_send(&live, 0, &frame);
        frame_udp4(&frame, "192.0.2.1", "10.1.0.4", (uint16_t)i, 10);
        frame_tag(&frame, 0x8100, 101);
        live_send(&live, 1, &frame);
        frame_udp4(&frame, "10.1.0.5", "192.0.2.1", (uint16_t)i, 10);
        set_source(LAB_PEER);
        live_send(&live, 2, &frame);
    }
    live_run(&live);
    cr_assert(counters_add_up(&live.counters));
    cr_assert_eq(live.counters.received, 3 * n);
    /* A ring between workers may be full for a moment; nothing else may happen. */
    cr_assert_eq(live.counters.forwarded + dropped(DP_REASON_TX_FULL), 3 * n);
    cr_assert_eq(live.out[0].n + live.out[1].n + live.out[2].n, live.counters.forwarded);
    cr_assert_gt(live.counters.forwarded, n);
}

/* One transmit queue a device: what the second and third worker send goes through a ring. */
Test(workers, hand_frames_to_the_one_that_owns_the_queue)
{
    open_with(3);
    assert_all_ports_get_each_others_frames(900);
    cr_assert_eq(live.counters.forwarded, 2700);
}

Test(workers, may_be_more_than_there_are_queues)
{
    open_with(4);
    assert_all_ports_get_each_others_frames(300);
}

/* --- Accounting at the device ----------------------------------------------------------------- */

/* A ring that nobody empties takes 1,023 frames and refuses the rest. */
Test(worker, what_the_device_refuses_counts_as_tx_full)
{
    static const struct dp_port_config config = {.name = "refusing", .device = "net_ring"};
    struct dp_eal_request request = {.pool_bytes = 1 << 20, .quiet = true};
    struct dp_note note = {.nic = LAB_VM, .bytes = 60, .kind = DP_NOTE_FORWARDED};
    struct dp_path path = {.forwarding = lab.forwarding,
                           .counters = dp_worker_counters(lab.forwarding, 0)};
    char error[DP_ERROR_TEXT];
    struct rte_mempool *pool;
    struct dp_port port;
    struct dp_tx tx = {.port = &port};

    cr_assert_eq(dp_eal_start(&request, error), 0, "%s", error);
    pool = dp_pool_create(4095, 2048);
    cr_assert_eq(dp_port_open(&port, &config, 1, false, pool, error), 0, "%s", error);
    for (unsigned i = 0; i < 1200; i++)
        dp_tx_put(&path, &tx, rte_pktmbuf_alloc(pool), &note);
    dp_tx_flush(&path, &tx);
    dp_counters_total(lab.forwarding, &live.counters);
    cr_assert_eq(live.counters.forwarded, 1023);
    cr_assert_eq(dropped(DP_REASON_TX_FULL), 177);
    cr_assert_eq(tx.unsent, 177);
    cr_assert_eq(rte_mempool_in_use_count(pool), 1023);
    dp_port_close(&port);
}

/* --- Life ------------------------------------------------------------------------------------- */

static struct dp_engine *start_quiet_port(void)
{
    static const struct dp_port_config port = {
        .name = "quiet", .device = "net_null", .options = "no-rx=1"};
    unsigned core = lab_core();
    struct dp_engine_config config = {
        .ports = &port, .port_count = 1, .cores = &core, .core_count = 1, .quiet = true};
    char error[DP_ERROR_TEXT];
    struct dp_engine *engine = NULL;

    cr_assert_eq(dp_engine_start(&config, lab.forwarding, &engine, error), 0, "%s", error);
    return engine;
}

Test(worker, engines_may_start_and_stop_many_times)
{
    for (unsigned i = 0; i < 20; i++)
        dp_engine_stop(start_quiet_port());
}

static double cpu_seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

Test(worker, an_idle_worker_sleeps_and_holds_up_no_grace_period)
{
    struct dp_engine *engine = start_quiet_port();
    double before;

    usleep(100000);
    before = cpu_seconds();
    usleep(500000);
    cr_assert_lt(cpu_seconds() - before, 0.25);
    for (unsigned i = 0; i < 20; i++) {
        lab_fail_nva1(&lab);
        lpm_rcu_barrier();
        lab_restore_nva1(&lab);
        lpm_rcu_barrier();
    }
    dp_engine_stop(engine);
}
