/*
 * What a guest asks of its link is answered: ARP, neighbour discovery, echo to the gateway.
 */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <string.h>

#include "tests/dataplane/live.h"

static struct lab lab;
static struct live live;
static struct frame frame;

/* vm has port 0 for itself; peer is VLAN 33 of port 1. */
static void open_link(void)
{
    struct lab_options options = {.workers = 1};

    options.attachments[LAB_VM] = (struct dp_attachment){DP_ATTACHMENT_PORT, 0, 0};
    options.attachments[LAB_PEER] = (struct dp_attachment){DP_ATTACHMENT_VLAN, 1, 33};
    lab_open(&lab, &options);
    live_open(&live, &lab, 2);
}

static void close_link(void)
{
    live_close(&live);
    lab_close(&lab);
}

TestSuite(answers, .init = open_link, .fini = close_link);

/* The one frame that came out of port 0 or 1. */
static const struct frame *only_frame(unsigned port)
{
    cr_assert(counters_add_up(&live.counters));
    cr_assert_eq(live.out[port].n, 1, "%u frames", live.out[port].n);
    return &live.out[port].frames[0];
}

static void assert_address(const uint8_t *bytes, int family, const char *expected)
{
    uint8_t wanted[16];

    inet_pton(family, expected, wanted);
    cr_assert_arr_eq(bytes, wanted, family == AF_INET ? 4 : 16);
}

/* --- ARP -------------------------------------------------------------------------------------- */

static void assert_arp_reply(const uint8_t *arp, const char *asked)
{
    static const uint8_t head[8] = {0, 1, 8, 0, 6, 4, 0, 2};
    uint8_t mac[6];

    lab_mac(LAB_VM, mac);
    cr_assert_arr_eq(arp, head, 8);
    cr_assert_arr_eq(arp + 8, lab_gateway_mac, 6);
    assert_address(arp + 14, AF_INET, asked);
    cr_assert_arr_eq(arp + 18, mac, 6);
    assert_address(arp + 24, AF_INET, "10.1.0.4");
}

Test(answers, arp_for_any_address_of_the_subnet_but_ones_own)
{
    static const char *const asked[] = {"10.1.0.1", "10.1.0.5", "10.1.0.77", "10.1.0.254"};
    uint8_t mac[6];

    for (size_t i = 0; i < 4; i++) {
        frame_arp(&frame, "10.1.0.4", asked[i]);
        live_send(&live, 0, &frame);
    }
    frame_arp(&frame, "0.0.0.0", "10.1.0.4"); /* a probe of its own address */
    live_send(&live, 0, &frame);
    frame_arp(&frame, "10.1.0.4", "10.2.0.9");
    live_send(&live, 0, &frame);
    live_run(&live);
    cr_assert_eq(live.counters.answered, 4);
    cr_assert_eq(live.counters.dropped[DP_REASON_NEIGHBOR_NOT_HERE], 2);
    cr_assert_eq(live.out[0].n, 4);
    lab_mac(LAB_VM, mac);
    for (size_t i = 0; i < 4; i++) {
        const struct frame *reply = &live.out[0].frames[i];

        cr_assert_eq(reply->captured, 42);
        cr_assert_arr_eq(reply->bytes, mac, 6);
        cr_assert_arr_eq(reply->bytes + 6, lab_gateway_mac, 6);
        assert_arp_reply(reply->bytes + 14, asked[i]);
    }
}

Test(answers, arp_by_the_tag_that_it_came_with)
{
    const struct frame *reply;

    frame_arp(&frame, "10.1.0.4", "10.1.0.1");
    frame_tag(&frame, 0x8100, 33);
    live_send(&live, 1, &frame);
    live_run(&live);
    reply = only_frame(1);
    cr_assert_eq(reply->captured, 46);
    cr_assert_arr_eq(reply->bytes + 12, "\x81\0\0\x21\x08\x06", 6);
    assert_arp_reply(reply->bytes + 18, "10.1.0.1");
}

Test(answers, arp_that_is_short_or_no_request_is_not_answered)
{
    for (uint32_t cut = 14; cut < 42; cut++) {
        frame_arp(&frame, "10.1.0.4", "10.1.0.1");
        frame.captured = frame.wire = cut;
        live_send(&live, 0, &frame);
    }
    frame_arp(&frame, "10.1.0.4", "10.1.0.1");
    frame.bytes[21] = 2; /* a reply */
    live_send(&live, 0, &frame);
    live_run(&live);
    cr_assert_eq(live.counters.dropped[DP_REASON_TOO_SHORT], 28);
    cr_assert_eq(live.counters.dropped[DP_REASON_NEIGHBOR_NOT_HERE], 1);
    cr_assert_eq(live.out[0].n, 0);
}

/* --- Neighbour discovery ---------------------------------------------------------------------- */

static void assert_advertisement(const struct frame *reply, const char *target, const char *to,
                                 uint8_t flags)
{
    const uint8_t *ip = reply->bytes + 14, *message = ip + 40;

    cr_assert_eq(reply->captured, 86);
    cr_assert_arr_eq(reply->bytes + 6, lab_gateway_mac, 6);
    cr_assert_eq(ip[7], 255);
    assert_address(ip + 8, AF_INET6, target);
    assert_address(ip + 24, AF_INET6, to);
    cr_assert(icmpv6_good(ip));
    cr_assert_eq(message[0], 136);
    cr_assert_eq(message[4], flags);
    assert_address(message + 8, AF_INET6, target);
    cr_assert_arr_eq(message + 24, "\x02\x01", 2);
    cr_assert_arr_eq(message + 26, lab_gateway_mac, 6);
}

Test(answers, solicitations_for_any_address_of_the_subnet_but_ones_own)
{
    /* fe80:: with the modified EUI-64 of 12:34:56:78:9a:bc */
    static const char *const asked[] = {"fd00:1::1", "fd00:1::5", "fd00:1::abcd",
                                        "fe80::1034:56ff:fe78:9abc"};

    for (size_t i = 0; i < 4; i++) {
        frame_solicitation(&frame, "fd00:1::4", asked[i]);
        live_send(&live, 0, &frame);
    }
    frame_solicitation(&frame, "fe80::4", "fd00:1::1");
    live_send(&live, 0, &frame);
    frame_solicitation(&frame, "fd00:1::4", "fd00:1::4");
    live_send(&live, 0, &frame);
    frame_solicitation(&frame, "fd00:1::4", "fd00:2::1");
    live_send(&live, 0, &frame);
    live_run(&live);
    cr_assert_eq(live.counters.answered, 5);
    cr_assert_eq(live.counters.dropped[DP_REASON_NEIGHBOR_NOT_HERE], 2);
    cr_assert_eq(live.out[0].n, 5);
    for (size_t i = 0; i < 4; i++)
        assert_advertisement(&live.out[0].frames[i], asked[i], "fd00:1::4", 0xe0);
    assert_advertisement(&live.out[0].frames[4], "fd00:1::1", "fe80::4", 0xe0);
}

Test(answers, duplicate_address_detection_of_ones_own_address_finds_none)
{
    frame_solicitation(&frame, "::", "fd00:1::4");
    live_send(&live, 0, &frame);
    frame_solicitation(&frame, "::", "fd00:1::5");
    live_send(&live, 0, &frame);
    live_run(&live);
    cr_assert_eq(live.counters.dropped[DP_REASON_NEIGHBOR_NOT_HERE], 1);
    assert_advertisement(only_frame(0), "fd00:1::5", "ff02::1", 0xa0);
    cr_assert_arr_eq(live.out[0].frames[0].bytes, "\x33\x33\0\0\0\x01", 6);
}

Test(answers, solicitations_that_are_not_valid_are_not_answered)
{
    frame_solicitation(&frame, "fd00:1::4", "fd00:1::1");
    frame.bytes[60] ^= 1; /* checksum does not fit any more */
    live_send(&live, 0, &frame);
    frame_solicitation(&frame, "fd00:1::4", "fd00:1::1");
    frame.bytes[21] = 254; /* may have come from afar */
    live_send(&live, 0, &frame);
    live_run(&live);
    cr_assert_eq(live.counters.answered, 0);
    cr_assert_eq(live.counters.dropped[DP_REASON_BAD_CHECKSUM], 1);
    cr_assert_eq(live.counters.dropped[DP_REASON_MULTICAST], 1);
    cr_assert(counters_add_up(&live.counters));
}

/* --- Echo ------------------------------------------------------------------------------------- */

Test(answers, echo_to_the_gateway)
{
    static const uint16_t payloads[] = {0, 1, 56, 1400};
    uint8_t mac[6];

    lab_mac(LAB_VM, mac);
    for (size_t i = 0; i < 4; i++) {
        frame_echo4(&frame, "10.1.0.4", "10.1.0.1", payloads[i]);
        live_send(&live, 0, &frame);
    }
    live_run(&live);
    cr_assert_eq(live.counters.answered, 4);
    for (size_t i = 0; i < 4; i++) {
        const struct frame *reply = &live.out[0].frames[i];
        const uint8_t *ip = reply->bytes + 14;

        cr_assert_eq(reply->captured, 42u + payloads[i]);
        cr_assert_arr_eq(reply->bytes, mac, 6);
        assert_address(ip + 12, AF_INET, "10.1.0.1");
        assert_address(ip + 16, AF_INET, "10.1.0.4");
        cr_assert_eq(sum16(ip, 20, 0), 0xffff);
        cr_assert_eq(ip[20], 0);
        cr_assert_eq(sum16(ip + 20, 8u + payloads[i], 0), 0xffff);
        frame_echo4(&frame, "10.1.0.4", "10.1.0.1", payloads[i]);
        cr_assert_arr_eq(ip + 24, frame.bytes + 38, 4u + payloads[i]);
    }
}

Test(answers, echo_with_ipv4_options_without_them)
{
    static struct frame plain;
    const uint8_t *ip;

    frame_echo4(&plain, "10.1.0.4", "10.1.0.1", 56);
    frame = plain;
    frame.captured = 34;
    frame.bytes[14] = 0x46;
    frame.bytes[17] = (uint8_t)(frame.bytes[17] + 4);
    frame_add(&frame, "\x01\x01\x01\0", 4);
    frame_add(&frame, plain.bytes + 34, plain.captured - 34);
    frame_seal4(&frame, 14);
    live_send(&live, 0, &frame);
    live_run(&live);
    ip = only_frame(0)->bytes + 14;
    cr_assert_eq(live.out[0].frames[0].captured, 98);
    cr_assert_eq(ip[0], 0x45);
    cr_assert_eq(sum16(ip, 20, 0), 0xffff);
    cr_assert_eq(sum16(ip + 20, 64, 0), 0xffff);
}

Test(answers, echo6_to_the_gateway_and_its_link_local_address)
{
    frame_echo6(&frame, "fd00:1::4", "fd00:1::1", 57);
    live_send(&live, 0, &frame);
    frame_echo6(&frame, "fe80::4", "fe80::1034:56ff:fe78:9abc", 56);
    live_send(&live, 0, &frame);
    live_run(&live);
    cr_assert_eq(live.counters.answered, 2);
    cr_assert_eq(live.out[0].n, 2);
    for (unsigned i = 0; i < 2; i++) {
        const uint8_t *ip = live.out[0].frames[i].bytes + 14;

        cr_assert_eq(live.out[0].frames[i].captured, 119 - i);
        assert_address(ip + 8, AF_INET6, i ? "fe80::1034:56ff:fe78:9abc" : "fd00:1::1");
        assert_address(ip + 24, AF_INET6, i ? "fe80::4" : "fd00:1::4");
        cr_assert_eq(ip[40], 129);
        cr_assert(icmpv6_good(ip));
    }
}

Test(answers, echo_with_a_wrong_checksum_is_dropped)
{
    frame_echo4(&frame, "10.1.0.4", "10.1.0.1", 56);
    frame.bytes[60] ^= 4;
    live_send(&live, 0, &frame);
    live_run(&live);
    cr_assert_eq(live.counters.dropped[DP_REASON_BAD_CHECKSUM], 1);
    cr_assert_eq(live.out[0].n, 0);
}

/* 100 at once, then 1,000 a second: 400 in a few milliseconds are too many. */
Test(answers, echo_above_its_rate_is_dropped_and_counted)
{
    for (unsigned i = 0; i < 400; i++) {
        frame_echo4(&frame, "10.1.0.4", "10.1.0.1", 56);
        live_send(&live, 0, &frame);
    }
    live_run(&live);
    cr_assert(counters_add_up(&live.counters));
    cr_assert_geq(live.counters.answered, 100);
    cr_assert_gt(live.counters.dropped[DP_REASON_RATE_LIMITED], 0);
    cr_assert_eq(live.counters.answered + live.counters.dropped[DP_REASON_RATE_LIMITED], 400);
}

/* --- Announcements ---------------------------------------------------------------------------- */

/* Of a NIC's three gateway addresses, told to its guest alone: at [first] and after. */
static void assert_announced(unsigned port, unsigned first, uint32_t nic, uint8_t vlan)
{
    static const char *const gateways[] = {"10.1.0.1", "fd00:1::1", "fe80::1034:56ff:fe78:9abc"};
    uint8_t mac[6];

    lab_mac(nic, mac);
    cr_assert_geq(live.announced[port].n, first + 3);
    for (unsigned i = 0; i < 3; i++) {
        const struct frame *told = &live.announced[port].frames[first + i];
        const uint8_t *packet = told->bytes + (vlan ? 18 : 14);

        cr_assert_arr_eq(told->bytes, mac, 6);
        cr_assert_arr_eq(told->bytes + 6, lab_gateway_mac, 6);
        if (vlan)
            cr_assert_eq(told->bytes[15], vlan);
        if (i == 0) {
            cr_assert_arr_eq(packet + 8, lab_gateway_mac, 6);
            assert_address(packet + 14, AF_INET, gateways[i]);
            assert_address(packet + 24, AF_INET, gateways[i]);
            continue;
        }
        cr_assert(icmpv6_good(packet));
        cr_assert_eq(packet[44], 0xa0, "a router's, to override");
        assert_address(packet + 48, AF_INET6, gateways[i]);
        assert_address(packet + 24, AF_INET6, "ff02::1");
        cr_assert_arr_eq(packet + 66, lab_gateway_mac, 6);
    }
}

Test(answers, gateways_are_announced_to_guests_when_their_port_comes_up)
{
    frame_arp(&frame, "10.1.0.4", "10.1.0.1");
    live_send(&live, 0, &frame);
    live_run(&live);
    cr_assert_eq(live.announced[0].n, 3);
    cr_assert_eq(live.announced[1].n, 3);
    assert_announced(0, 0, LAB_VM, 0);
    assert_announced(1, 0, LAB_PEER, 33);
    cr_assert_eq(live.counters.answered, 1, "nobody asked for them");
}

/* The first change is none. */
static void move_peer(struct lab *moved)
{
    lab_set_nic(moved, LAB_PEER);
    moved->options.attachments[LAB_PEER].vlan = 44;
    lab_set_nic(moved, LAB_PEER);
}

Test(answers, and_when_a_nic_moves)
{
    live.midway = move_peer;
    live.more = 3;
    frame_arp(&frame, "10.1.0.4", "10.1.0.1");
    live_send(&live, 0, &frame);
    live_run(&live);
    cr_assert_eq(live.announced[0].n, 3);
    cr_assert_eq(live.announced[1].n, 6);
    assert_announced(1, 3, LAB_PEER, 44);
}
