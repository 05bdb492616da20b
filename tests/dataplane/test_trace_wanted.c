/*
 * Traces take what was asked for, as far as they may, and tell of the rest.
 */
#include <criterion/criterion.h>
#include <errno.h>

#include "tests/dataplane/trace_stage.h"

TestSuite(trace_wanted, .init = open_stage, .fini = close_stage);

/* How many of a few frames does a trace with this configuration take? */
static unsigned traced_of_few(const struct dp_trace_config *config)
{
    unsigned n = 0;

    trace = begin(config);
    frame_udp4(&frame, "10.1.0.4", "203.0.113.9", 7, 20);
    send_frame(TRACED, 0);
    frame_udp4(&frame, "10.1.0.4", "198.51.100.1", 8, 20); /* null-route */
    send_frame(TRACED, 0);
    frame_udp6(&frame, "fd00:1::4", "fd00:1::5", 7, 20);
    send_frame(TRACED, 0);
    frame_echo4(&frame, "10.1.0.4", "10.1.0.1", 8); /* answered */
    send_frame(TRACED, 0);
    frame_udp4(&frame, "10.9.9.9", "203.0.113.9", 7, 20); /* source-check */
    send_frame(TRACED, 0);
    frame_udp4(&frame, "10.1.0.5", "10.1.0.4", 7, 20); /* of peer */
    lab_mac(LAB_PEER, frame.bytes + 6);
    send_frame(TRACED, 1);
    empty_queues(TRACED);
    while (take())
        n++;
    dp_trace_free(trace);
    trace = NULL;
    return n;
}

Test(trace_wanted, takes_what_was_asked_for_and_nothing_else)
{
    struct dp_trace_config config = any_packet();

    cr_expect_eq(traced_of_few(&config), 6);
    config.nic = LAB_VM;
    cr_expect_eq(traced_of_few(&config), 5);
    config.destination = lab_prefix("203.0.113.0/24");
    cr_expect_eq(traced_of_few(&config), 2);
    config.source = lab_prefix("10.1.0.4/32");
    cr_expect_eq(traced_of_few(&config), 1);
    config = any_packet();
    config.source_port = 7;
    cr_expect_eq(traced_of_few(&config), 4);
    config.protocol = 6;
    cr_expect_eq(traced_of_few(&config), 0);
    config = any_packet();
    config.destination = lab_prefix("::/0");
    cr_expect_eq(traced_of_few(&config), 1);
    config = any_packet();
    config.drops = true;
    cr_expect_eq(traced_of_few(&config), 2);
    config.reason = DP_REASON_NULL_ROUTE;
    cr_expect_eq(traced_of_few(&config), 1);
    cr_expect_eq(record.reason, DP_REASON_NULL_ROUTE);
    config = any_packet();
    config.packets_most = 2;
    cr_expect_eq(traced_of_few(&config), 2);
    config.nic = 1000;
    cr_expect_eq(dp_trace_open(lab.forwarding, &config, &trace), -EINVAL);
}

/* A drop that comes behind more frames than may be looked at is found all the same: the express way drops
 * nothing, and what it leaves is little. */
Test(trace_wanted, of_drops_finds_one_among_many)
{
    struct dp_trace_config config = any_packet();
    struct rte_mbuf *mbufs[DP_BURST];

    config.drops = true;
    trace = begin(&config);
    for (unsigned round = 0; round < 100; round++) {
        for (unsigned i = 0; i < DP_BURST; i++) {
            const bool lost = round == 99 && i == 20;

            frame_udp4(&frame, "10.1.0.4", lost ? "198.51.100.1" : "10.1.0.5", 7, 20);
            mbufs[i] = buffer_of_frame();
        }
        walk(TRACED, 0, mbufs, DP_BURST, false);
        empty_queues(TRACED);
    }
    cr_assert(take());
    cr_assert_eq(record.reason, DP_REASON_NULL_ROUTE);
    cr_assert_eq(dp_trace_missed(trace), 0);
}

Test(trace_wanted, that_nobody_reads_says_how_many_it_missed)
{
    const struct dp_trace_config config = any_packet();
    unsigned n = 0;

    trace = begin(&config);
    frame_udp4(&frame, "10.1.0.4", "203.0.113.9", 7, 20);
    for (unsigned i = 0; i < 3 * DP_TRACE_RING; i++) {
        send_frame(TRACED, 0);
        cr_assert_eq(empty_queues(TRACED), 1);
    }
    while (take())
        n++;
    cr_assert_eq(n, DP_TRACE_RING);
    cr_assert_eq(dp_trace_missed(trace), 2 * DP_TRACE_RING);
    trace_frame(0);
    empty_queues(TRACED);
}

/* Bursts of `frame`, of which each leaves or none does, until one frame is missed. All others have a record:
 * returns how many. */
static unsigned flood(unsigned port, bool leaves)
{
    struct rte_mbuf *mbufs[DP_BURST];
    unsigned n = 0, sent = 0;

    while (dp_trace_missed(trace) == 0 && sent < 1000000) {
        for (unsigned i = 0; i < DP_BURST; i++)
            mbufs[i] = buffer_of_frame();
        walk(TRACED, port, mbufs, DP_BURST, false);
        cr_assert_eq(empty_queues(TRACED), leaves ? DP_BURST : 0);
        for (sent += DP_BURST; take();)
            n++;
    }
    cr_assert_eq(n + dp_trace_missed(trace), sent);
    return n;
}

/* Above the rate the others are only counted. */
Test(trace_wanted, looks_at_so_many_a_second_and_no_more)
{
    const struct dp_trace_config config = any_packet();

    trace = begin(&config);
    frame_udp4(&frame, "10.1.0.4", "203.0.113.9", 7, 20);
    cr_assert_geq(flood(0, true), DP_TRACE_AT_ONCE);
}

/* By the tunnel's port everything goes the long way, of which each drop is found or missed. */
Test(trace_wanted, of_drops_says_how_many_it_missed_where_nothing_is_express)
{
    static const uint8_t nobody[6] = {2, 9, 9, 9, 9, 9};
    struct dp_trace_config config = any_packet();

    config.drops = true;
    trace = begin(&config);
    frame_udp4(&frame, "198.18.0.1", "10.1.0.5", 7, 20);
    put_in_tunnel(nobody, nobody);
    cr_assert_geq(flood(3, false), 2 * DP_TRACE_AT_ONCE);
    cr_assert_eq(record.reason, DP_REASON_VXLAN_UNKNOWN_VNI);
}

Test(trace_wanted, goes_beside_others)
{
    struct dp_trace_config one = any_packet(), two = one;
    struct dp_trace *traces[DP_TRACES_MOST + 1];

    one.source_port = 7;
    two.destination = lab_prefix("203.0.113.0/24");
    traces[0] = begin(&one);
    traces[1] = begin(&two);
    for (unsigned i = 2; i < DP_TRACES_MOST; i++)
        traces[i] = begin(&one);
    cr_assert_eq(dp_trace_open(lab.forwarding, &one, &traces[DP_TRACES_MOST]), -EBUSY);
    frame_udp4(&frame, "10.1.0.4", "203.0.113.9", 7, 20);
    send_frame(TRACED, 0);
    frame_udp4(&frame, "10.1.0.4", "203.0.113.9", 8, 20);
    send_frame(TRACED, 0);
    cr_assert_eq(empty_queues(TRACED), 2);
    for (unsigned i = 0; i < DP_TRACES_MOST; i++) {
        unsigned n = 0;

        while (dp_trace_take(traces[i], &record))
            n++;
        cr_assert_eq(n, i == 1 ? 2 : 1);
        dp_trace_free(traces[i]);
    }
    cr_assert_null(atomic_load(&lab.forwarding->watch));
}
