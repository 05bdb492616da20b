/*
 * Traces reach every reason for which a packet is dropped, and every stage, and name the stage where it was.
 */
#include <criterion/criterion.h>
#include <string.h>

#include <rte_mbuf.h>

#include "tests/dataplane/trace_stage.h"

TestSuite(trace_reasons, .init = open_stage, .fini = close_stage);

/* --- Every reason, every stage ---------------------------------------------------------------- */

/* From vm to a destination, with the group that its default route leads to replaced. */
static void set_default(const struct dp_group_config *config)
{
    cr_assert_eq(dp_group_replace(lab.forwarding, LAB_GROUP_NVAS, config), 0);
}

static void set_member(const struct dp_member *member)
{
    set_default(&(struct dp_group_config){
        .kind = DP_GROUP_MEMBERS, .members = member, .member_count = member ? 1 : 0});
}

static void expect(unsigned port, enum dp_reason reason, enum dp_trace_stage stage)
{
    trace_frame(port);
    cr_assert_eq(record.action, DP_DROP, "not %s", dp_reason_name(reason));
    cr_assert_eq(record.reason, reason, "%s, not %s", dp_reason_name((enum dp_reason)record.reason),
                 dp_reason_name(reason));
    cr_assert_eq(record.dropped, stage, "%s: at %s", dp_reason_name(reason),
                 dp_trace_stage_name((enum dp_trace_stage)record.dropped));
    empty_queues(TRACED);
}

static void expect_of_frames(void)
{
    frame_udp4(&frame, "10.1.0.4", "198.18.0.1", 1, 20);
    frame.captured = frame.wire = 10;
    expect(0, DP_REASON_TOO_SHORT, DP_TRACE_CLASSIFIED);
    frame_udp4(&frame, "10.1.0.4", "198.18.0.1", 1, 20);
    expect(2, DP_REASON_UNKNOWN_ATTACHMENT, DP_TRACE_CLASSIFIED);
    frame.bytes[5] ^= 1;
    expect(0, DP_REASON_NOT_FOR_GATEWAY_MAC, DP_TRACE_CLASSIFIED);
    memset(frame.bytes, 0xff, 6);
    expect(0, DP_REASON_BROADCAST, DP_TRACE_CLASSIFIED);
    frame.bytes[0] = 1;
    expect(0, DP_REASON_MULTICAST, DP_TRACE_CLASSIFIED);
    frame_udp4(&frame, "10.1.0.4", "198.18.0.1", 1, 20);
    frame.bytes[12] = 0x88;
    expect(0, DP_REASON_UNKNOWN_ETHERTYPE, DP_TRACE_CLASSIFIED);
    frame_arp(&frame, "10.1.0.4", "10.9.0.1");
    expect(0, DP_REASON_NEIGHBOR_NOT_HERE, DP_TRACE_ANSWERED);
}

static void expect_of_headers(void)
{
    static const struct {
        unsigned at;
        uint8_t value;
        enum dp_reason reason;
    } bad[] = {{14, 0x55, DP_REASON_BAD_VERSION},
               {14, 0x43, DP_REASON_BAD_HEADER_LENGTH},
               {17, 3, DP_REASON_BAD_TOTAL_LENGTH},
               {24, 0, DP_REASON_BAD_CHECKSUM}};

    for (unsigned i = 0; i < 4; i++) {
        frame_udp4(&frame, "10.1.0.4", "198.18.0.1", 1, 20);
        frame.bytes[bad[i].at] = bad[i].value;
        if (bad[i].reason != DP_REASON_BAD_CHECKSUM)
            frame_seal4(&frame, 14);
        expect(0, bad[i].reason, DP_TRACE_PARSED);
    }
    frame_udp6(&frame, "fd00:1::4", "2001:db8::9", 1, 20);
    frame.bytes[14 + 6] = 43; /* a routing header longer than the packet */
    frame.bytes[14 + 41] = 200;
    expect(0, DP_REASON_BAD_EXTENSION_HEADER, DP_TRACE_PARSED);
}

static void expect_of_admission(void)
{
    frame_udp4(&frame, "10.1.0.4", "127.0.0.1", 1, 20);
    expect(0, DP_REASON_MARTIAN, DP_TRACE_ADMITTED);
    frame_udp4(&frame, "10.1.0.4", "224.0.0.9", 1, 20);
    expect(0, DP_REASON_MULTICAST, DP_TRACE_ADMITTED);
    frame_udp4(&frame, "10.1.0.4", "168.63.129.16", 1, 20);
    expect(0, DP_REASON_PLATFORM_ADDRESS, DP_TRACE_ADMITTED);
    frame_udp4(&frame, "10.9.9.9", "198.18.0.1", 1, 20);
    expect(0, DP_REASON_SOURCE_CHECK, DP_TRACE_ADMITTED);
    cr_assert_eq(step_of(DP_TRACE_ADMITTED)->source, DP_TRACE_SOURCE_FOREIGN);
    frame_udp4(&frame, "10.1.0.4", "198.18.0.1", 1, 20);
    frame.bytes[14 + 8] = 1;
    frame_seal4(&frame, 14);
    expect(0, DP_REASON_TTL_EXPIRED, DP_TRACE_ADMITTED);
    cr_assert_eq(step_of(DP_TRACE_ADMITTED)->source, DP_TRACE_SOURCE_OWN);
    cr_assert_eq(step_of(DP_TRACE_ICMP_ERROR)->icmp.type, 11);
}

static void expect_of_routes(void)
{
    const struct dp_member peer = {.next_hop = lab_address("10.1.0.5"), .nic = LAB_PEER};
    struct dp_member shut = {.next_hop = lab_address("10.0.1.4"), .nic = LAB_NVA1, .peering = 1};

    frame_udp4(&frame, "10.1.0.4", "198.51.100.1", 1, 20);
    expect(0, DP_REASON_NULL_ROUTE, DP_TRACE_ROUTE);
    frame_udp4(&frame, "10.1.0.4", "10.1.0.99", 1, 20);
    expect(0, DP_REASON_NEXT_HOP_UNREACHABLE, DP_TRACE_RECEIVER);
    frame_udp4(&frame, "10.1.0.4", "198.18.0.1", 1, 20);
    set_member(&peer);
    expect(0, DP_REASON_RECEIVER_NOT_FORWARDING, DP_TRACE_RECEIVER);
    set_member(&shut);
    expect(0, DP_REASON_ACCESS_NOT_ALLOWED, DP_TRACE_RECEIVER);
    cr_assert_eq(step_of(DP_TRACE_RECEIVER)->receiver.peering, DP_PEERING_NO_ACCESS);
    set_member(NULL);
    expect(0, DP_REASON_NO_MEMBER, DP_TRACE_ROUTE);
    cr_assert_eq(dp_nic_set_fibs(lab.forwarding, LAB_VM, NULL, NULL), 0);
    expect(0, DP_REASON_NO_ROUTE, DP_TRACE_ROUTE);
    cr_assert_eq(dp_nic_set_fibs(lab.forwarding, LAB_VM, lab.fib4, lab.fib6), 0);
    shut.peering = DP_PEERING_NO_FORWARDED;
    set_member(&shut);
    frame_udp4(&frame, "198.18.5.5", "198.18.0.1", 1, 20);
    lab_mac(LAB_NVA1, frame.bytes + 6);
    expect(2, DP_REASON_FORWARDED_TRAFFIC_NOT_ALLOWED, DP_TRACE_RECEIVER);
}

/* A frontend in front of a group, empty and not. */
static void expect_of_backends(void)
{
    const struct dp_member back[2] = {{.next_hop = lab_address("10.0.1.4"), .nic = LAB_NVA1},
                                      {.next_hop = lab_address("10.0.1.5"), .nic = LAB_NVA2}};
    const struct dp_group_config none = {.kind = DP_GROUP_MEMBERS};
    const struct dp_group_config some = {
        .kind = DP_GROUP_MEMBERS, .members = back, .member_count = 2};
    struct dp_member front = {.next_hop = lab_address("10.0.1.100")};

    cr_assert_eq(dp_group_create(lab.forwarding, &none, &front.group), 0);
    set_member(&front);
    frame_udp4(&frame, "10.1.0.4", "198.18.0.1", 1, 20);
    expect(0, DP_REASON_NO_HEALTHY_BACKEND, DP_TRACE_MEMBER);
    cr_assert_eq(step_of(DP_TRACE_MEMBER)->choice.frontend, front.group);
    cr_assert_eq(dp_group_replace(lab.forwarding, front.group, &some), 0);
    trace_frame(0);
    cr_assert_eq(record.action, DP_FORWARD);
    cr_assert_eq(step_of(DP_TRACE_BACKEND)->choice.group, front.group);
    cr_assert_eq(step_of(DP_TRACE_BACKEND)->choice.nic, record.to);
    cr_assert_eq(step_of(DP_TRACE_BACKEND)->choice.bucket_count, 16384);
    cr_assert_eq(empty_queues(TRACED), 1);
    lab_restore_nva1(&lab);
}

static void expect_of_tunnels(void)
{
    uint8_t peer[6], nva2[6], nobody[6] = {2, 9, 9, 9, 9, 9};

    lab_mac(LAB_PEER, peer);
    lab_mac(LAB_NVA2, nva2);
    frame_udp4(&frame, "198.18.0.1", "10.1.0.5", 1, 20);
    put_in_tunnel(nva2, lab_gateway_mac);
    trace_frame(3);
    cr_assert_eq(record.nic, LAB_NVA2);
    cr_assert_eq(record.to, LAB_PEER);
    cr_assert_eq(step_of(DP_TRACE_DECAPSULATED)->tunnel.vni, STAGE_VNI);
    cr_assert_not(step_of(DP_TRACE_DECAPSULATED)->tunnel.decided);
    frame_udp4(&frame, "198.18.0.1", "10.1.0.5", 1, 20);
    put_in_tunnel(lab_gateway_mac, peer);
    trace_frame(3);
    cr_assert(record.sent_on);
    cr_assert_eq(record.to, LAB_PEER);
    cr_assert(step_of(DP_TRACE_DECAPSULATED)->tunnel.decided);
    cr_assert_eq(empty_queues(TRACED), 2);
    frame_udp4(&frame, "198.18.0.1", "10.1.0.5", 1, 20);
    put_in_tunnel(nobody, nobody);
    expect(3, DP_REASON_VXLAN_UNKNOWN_VNI, DP_TRACE_CLASSIFIED);
    frame.bytes[14 + 20 + 8] = 0; /* no STAGE_VNI */
    expect(3, DP_REASON_VXLAN_BAD, DP_TRACE_CLASSIFIED);
}

/* To nva2, which is in a tunnel. */
static void expect_of_ways_out(void)
{
    const struct dp_member nva2 = {.next_hop = lab_address("10.0.1.5"), .nic = LAB_NVA2};

    set_member(&nva2);
    frame_udp4(&frame, "10.1.0.4", "198.18.0.1", 1, 20);
    trace_frame(0);
    cr_assert(record.express);
    cr_assert_eq(step_of(DP_TRACE_ENCAPSULATED)->tunnel.vni, STAGE_VNI);
    cr_assert_eq(empty_queues(TRACED), 1);
    frame_udp4(&frame, "10.1.0.4", "198.18.0.1", 1, 700);
    trace_frame(0);
    cr_assert_eq(step_of(DP_TRACE_FRAGMENTED)->fragmented.pieces, empty_queues(TRACED));
    frame.bytes[14 + 6] = 0x40; /* DF */
    frame_seal4(&frame, 14);
    expect(0, DP_REASON_MTU, DP_TRACE_REWRITTEN);
    cr_assert_gt(step_of(DP_TRACE_ICMP_ERROR)->icmp.mtu, 300);
    frame_udp4(&frame, "10.1.0.4", "203.0.113.9", 1, 20);
    ports[2].link_up = false;
    expect(0, DP_REASON_PORT_DOWN, DP_TRACE_REWRITTEN);
    ports[2].link_up = true;
    for (unsigned i = 0; i < STAGE_QUEUE - 1; i++)
        send_frame(PLAIN, 0);
    for (unsigned i = 0; i < STAGE_QUEUE - 1; i++)
        trace_frame(0);
    cr_assert_eq(record.action, DP_FORWARD);
    expect(0, DP_REASON_TX_FULL, DP_TRACE_TRANSMITTED);
    empty_queues(PLAIN);
}

static void expect_of_answers(void)
{
    frame_echo4(&frame, "10.1.0.4", "10.1.0.1", 8);
    trace_frame(0);
    cr_assert_eq(record.action, DP_ANSWER);
    cr_assert_eq(step_of(DP_TRACE_ANSWERED)->answer, DP_TRACE_ANSWER_ECHO);
    cr_assert_eq(empty_queues(TRACED), 1);
    workers[TRACED].path.limiter = &workers[PLAIN].errors; /* whose time never comes */
    workers[PLAIN].errors.due = UINT64_MAX;
    expect(0, DP_REASON_RATE_LIMITED, DP_TRACE_ANSWERED);
    frame_solicitation(&frame, "fd00:1::4", "fd00:1::1");
    trace_frame(0);
    cr_assert_eq(step_of(DP_TRACE_ANSWERED)->answer, DP_TRACE_ANSWER_ND);
    empty_queues(TRACED);
}

/* No buffer for the pieces of a datagram. */
static void expect_no_buffer(void)
{
    struct rte_mbuf *held[2048];
    struct rte_mbuf *mbuf;
    unsigned n = 0;

    frame_udp4(&frame, "10.1.0.4", "203.0.113.9", 1, 700);
    mbuf = buffer_of_frame();
    while ((held[n] = rte_pktmbuf_alloc(pool)))
        n++;
    walk(TRACED, 0, &mbuf, 1, true);
    while (n > 0)
        rte_pktmbuf_free(held[--n]);
    cr_assert(take());
    cr_assert_eq(record.reason, DP_REASON_NO_BUFFER);
    empty_queues(TRACED);
}

Test(trace_reasons, names_every_reason_where_it_is_found_and_every_stage)
{
    struct dp_trace_config config = any_packet();
    struct dp_counters counters;

    trace = begin(&config);
    expect_of_frames();
    expect_of_headers();
    expect_of_admission();
    expect_of_routes();
    expect_of_backends();
    expect_of_tunnels();
    expect_of_ways_out();
    expect_of_answers();
    expect_no_buffer();
    dp_counters_total(lab.forwarding, &counters);
    for (unsigned reason = 0; reason < DP_REASON_COUNT; reason++)
        cr_expect_gt(counters.dropped[reason], 0, "%s", dp_reason_name((enum dp_reason)reason));
    for (unsigned stage = 0; stage < DP_TRACE_STAGE_COUNT; stage++)
        cr_expect(stages_seen & 1u << stage, "%s", dp_trace_stage_name((enum dp_trace_stage)stage));
}
