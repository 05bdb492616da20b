/*
 * Traces: what they say is what became of the packet, and nothing becomes of it that would not have become of it
 * untraced.
 */
#include <criterion/criterion.h>
#include <string.h>

#include <rte_mbuf.h>

#include "tests/dataplane/random.h"
#include "tests/dataplane/trace_stage.h"

#define FRAMES 6000

static struct test_random chance;

static void open_by_chance(void)
{
    open_stage();
    chance = test_random_start();
}

TestSuite(trace, .init = open_by_chance, .fini = close_stage);

/* --- Agreement -------------------------------------------------------------------------------- */

static void read_counters(unsigned number, struct dp_nic_drops *drops, uint64_t *answered,
                          uint64_t *received)
{
    const struct dp_worker_counters *counters = dp_worker_counters(lab.forwarding, number);

    memset(drops, 0, sizeof(*drops));
    *answered = *received = 0;
    for (uint32_t nic = 0; nic <= lab.forwarding->config.nic_capacity; nic++) {
        *answered += counters->nics[nic].answered;
        *received += counters->nics[nic].received;
        for (unsigned reason = 0; reason < DP_REASON_COUNT; reason++)
            drops->by_reason[reason] += counters->drops[nic].by_reason[reason];
    }
}

/* Equal bytes and accounts, port by port. Returns how many frames there were, and by which port the last went. */
static unsigned compare_sent(unsigned *port)
{
    unsigned n = 0;

    for (unsigned p = 0; p < STAGE_PORTS; p++) {
        struct rte_mbuf *plain, *traced;

        while ((plain = take_sent(PLAIN, p))) {
            const struct dp_note *a = dp_mbuf_note(plain), *b;

            traced = take_sent(TRACED, p);
            cr_assert_not_null(traced, "lost while it was traced");
            b = dp_mbuf_note(traced);
            cr_assert_eq(rte_pktmbuf_pkt_len(plain), rte_pktmbuf_pkt_len(traced));
            cr_assert_arr_eq(rte_pktmbuf_mtod(plain, char *), rte_pktmbuf_mtod(traced, char *),
                             rte_pktmbuf_pkt_len(plain));
            cr_assert(a->nic == b->nic && a->kind == b->kind && a->bytes == b->bytes &&
                      a->member == b->member && a->self_loop == b->self_loop);
            rte_pktmbuf_free(plain);
            rte_pktmbuf_free(traced);
            *port = p;
            n++;
        }
        cr_assert_null(take_sent(TRACED, p), "made while it was traced");
    }
    return n;
}

static const char *pick(const char *const *list, unsigned n)
{
    return list[test_random_below(&chance, n)];
}

static void damage(void)
{
    if (test_random_one_in(&chance, 3))
        frame.bytes[test_random_below(&chance, 60)] ^=
            (uint8_t)(1u << test_random_below(&chance, 8));
    if (test_random_one_in(&chance, 6))
        frame.bytes[14 + 8] = (uint8_t)test_random_below(&chance, 3);
    if (!test_random_one_in(&chance, 3))
        frame_seal4(&frame, 14);
    if (test_random_one_in(&chance, 8))
        frame_tag(&frame, 0x8100, (uint16_t)test_random_below(&chance, 3) + 100);
    if (test_random_one_in(&chance, 20))
        frame.captured = frame.wire = test_random_below(&chance, frame.captured + 1);
}

/* Returns the port that it comes by. */
static unsigned draw_frame(void)
{
    static const char *const from4[] = {"10.1.0.4", "10.1.0.5", "10.0.1.4", "198.18.0.9"};
    static const char *const to4[] = {"198.18.0.1", "203.0.113.9", "10.1.0.5",  "198.51.100.1",
                                      "10.1.0.99",  "224.0.0.1",   "127.0.0.1", "10.1.0.1"};
    static const char *const from6[] = {"fd00:1::4", "fd00:1::5", "2001:db8::1"};
    static const char *const to6[] = {"2001:db8::9", "fd00:1::5", "ff02::1", "fd00:1::99"};
    const uint16_t sport = (uint16_t)test_random_next(&chance);
    const unsigned port =
        test_random_one_in(&chance, 2) ? 0 : test_random_below(&chance, STAGE_PORTS);
    const uint16_t payload = (uint16_t)test_random_below(
        &chance, port != 3 && test_random_one_in(&chance, 4) ? 700 : 200);
    uint8_t mac[6];

    switch (test_random_below(&chance, 8)) {
    case 0:
        frame_echo4(&frame, pick(from4, 4), pick(to4, 8), payload);
        break;
    case 1:
        frame_arp(&frame, "10.1.0.4", test_random_one_in(&chance, 2) ? "10.1.0.1" : "10.9.0.1");
        break;
    case 2:
        frame_solicitation(&frame, "fd00:1::4", "fd00:1::1");
        break;
    case 3:
    case 4:
        frame_udp6(&frame, port == 0 ? "fd00:1::4" : pick(from6, 3), pick(to6, 4), sport, payload);
        break;
    default:
        frame_udp4(&frame, port == 0 ? "10.1.0.4" : pick(from4, 4), pick(to4, 8), sport, payload);
    }
    lab_mac(port == 3 ? LAB_NVA2 : port == 2 ? LAB_NVA1 : port == 1 ? LAB_PEER : LAB_VM, mac);
    memcpy(frame.bytes + 6, mac, 6);
    if (port == 3)
        put_in_tunnel(mac, lab_gateway_mac);
    if (test_random_one_in(&chance, 2))
        damage();
    if (frame.captured > 1500)
        frame.captured = frame.wire = 1500;
    return port;
}

static void check_end(unsigned sent, unsigned sent_by, unsigned reason, bool answered,
                      bool by_express)
{
    const struct dp_trace_step *last = dp_trace_last(&record);

    cr_assert_eq(record.express, by_express);
    if (reason < DP_REASON_COUNT) {
        cr_assert_eq(record.action, DP_DROP);
        cr_assert_eq(record.reason, reason, "%s, not %s", dp_reason_name(record.reason),
                     dp_reason_name((enum dp_reason)reason));
        cr_assert_eq(step_of(DP_TRACE_DROPPED)->reason, reason);
        cr_assert_eq(step_of(DP_TRACE_ICMP_ERROR) != NULL, sent > 0);
    } else {
        cr_assert_eq(record.action, answered ? DP_ANSWER : DP_FORWARD);
        cr_assert_null(step_of(DP_TRACE_DROPPED));
    }
    if (sent > 0) {
        cr_assert_eq(last->stage, DP_TRACE_TRANSMITTED);
        cr_assert_eq(last->transmitted.port, sent_by);
        cr_assert_eq(last->transmitted.frames, sent);
        cr_assert_eq(last->transmitted.refused, 0);
    } else {
        cr_assert_null(step_of(DP_TRACE_TRANSMITTED));
    }
    if (sent > 1)
        cr_assert_eq(step_of(DP_TRACE_FRAGMENTED)->fragmented.pieces, sent);
}

/* What the record says of the decision is what the decision says, asked again. */
static void check_decision(void)
{
    const struct dp_decide_options options = {.user = TRACED + 1};
    const struct dp_trace_step *route = step_of(DP_TRACE_ROUTE), *member = step_of(DP_TRACE_MEMBER);
    struct lpm_address destination = {.family = record.packet.family};
    struct dp_verdict verdict;
    struct lpm_route expected;

    if (!record.parsed || record.sent_on || !step_of(DP_TRACE_ADMITTED))
        return;
    dp_decide(lab.forwarding, &record.nic, &record.packet, &verdict, 1, &options);
    cr_assert_eq(route != NULL, verdict.group != 0 || verdict.reason == DP_REASON_NO_ROUTE);
    cr_assert_eq(member != NULL, verdict.next_hop != 0);
    if (verdict.action == DP_FORWARD)
        cr_assert_eq(record.to, verdict.nic);
    if (member) {
        cr_assert_eq(member->choice.next_hop, verdict.next_hop);
        cr_assert_eq(member->choice.bucket, verdict.bucket);
        cr_assert_eq(member->choice.hash, verdict.hash);
        cr_assert_eq(member->choice.group, verdict.group);
    }
    if (!route)
        return;
    memcpy(destination.bytes, record.packet.destination, destination.family == LPM_IPV4 ? 4 : 16);
    cr_assert(dp_nic_explain(lab.forwarding, record.nic, &destination, &expected));
    cr_assert(route->route.found);
    cr_assert_eq(route->route.group, expected.leaf);
    cr_assert_eq(route->route.prefix.length, expected.prefix.length);
    cr_assert_arr_eq(route->route.prefix.bytes, expected.prefix.bytes, 16);
}

Test(trace, says_what_became_of_the_packet_and_changes_nothing)
{
    const struct dp_trace_config config = any_packet();
    unsigned express = 0, dropped = 0;

    trace = begin(&config);
    for (unsigned i = 0; i < FRAMES; i++) {
        const unsigned port = draw_frame();
        struct dp_nic_drops before[WORKERS], after[WORKERS];
        uint64_t answers[WORKERS][2], received[WORKERS][2];
        unsigned reason = DP_REASON_COUNT, sent_by = 0, sent;

        for (unsigned number = 0; number < WORKERS; number++) {
            read_counters(number, &before[number], &answers[number][0], &received[number][0]);
            send_frame(number, port);
            read_counters(number, &after[number], &answers[number][1], &received[number][1]);
        }
        for (unsigned r = 0; r < DP_REASON_COUNT; r++) {
            if (after[PLAIN].by_reason[r] > before[PLAIN].by_reason[r])
                reason = r;
            cr_assert_eq(after[PLAIN].by_reason[r], after[TRACED].by_reason[r]);
        }
        cr_assert_eq(received[PLAIN][1], received[TRACED][1]);
        sent = compare_sent(&sent_by);
        cr_assert(take(), "frame %u has no record", i);
        cr_assert_eq(step_of(DP_TRACE_RECEIVED)->received.port, port);
        check_end(sent, sent_by, reason,
                  sent > 0 ? record.action == DP_ANSWER : answers[PLAIN][1] > answers[PLAIN][0],
                  port < 3 && workers[PLAIN].express.rest_n == 0);
        check_decision();
        cr_assert_not(dp_trace_take(trace, &record), "frame %u has two", i);
        express += port < 3 && workers[PLAIN].express.rest_n == 0;
        dropped += reason < DP_REASON_COUNT;
    }
    cr_assert_eq(dp_trace_missed(trace), 0);
    cr_assert_gt(express, FRAMES / 20);
    cr_assert_gt(dropped, FRAMES / 10);
}

/* Traced frames among others: all leave in the order in which they came. */
Test(trace, leaves_the_order_of_a_flow)
{
    struct dp_trace_config config = any_packet();
    struct rte_mbuf *mbufs[DP_BURST];

    config.protocol = 17;
    config.source_port = 7;
    trace = begin(&config);
    for (unsigned i = 0; i < DP_BURST; i++) {
        frame_udp4(&frame, "10.1.0.4", "10.1.0.5", i % 5 == 3 ? 7 : 8, 40);
        frame.bytes[14 + 4] = (uint8_t)i; /* identification */
        frame_seal4(&frame, 14);
        mbufs[i] = buffer_of_frame();
    }
    walk(TRACED, 0, mbufs, DP_BURST, true);
    for (unsigned i = 0; i < DP_BURST; i++) {
        struct rte_mbuf *mbuf = take_sent(TRACED, 1);

        cr_assert_not_null(mbuf);
        cr_assert_eq(rte_pktmbuf_mtod(mbuf, uint8_t *)[14 + 4], i);
        rte_pktmbuf_free(mbuf);
    }
    for (unsigned i = 3; i < DP_BURST; i += 5)
        cr_assert(take());
    cr_assert_not(take());
}
