/*
 * What a sender is told of a dropped packet: byte for byte, of both families, and never when it must
 * not be.
 *
 *      port 0: vm      port 1: nva1 (VLAN 101), nva2 (VLAN 102)      port 2: peer
 */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "tests/dataplane/live.h"

static struct lab lab;
static struct live live;
static struct frame frame, sent, golden;

static void open_with(uint16_t mtu)
{
    struct lab_options options = {.workers = 1, .mtu = mtu};

    options.attachments[LAB_VM] = (struct dp_attachment){.kind = DP_ATTACHMENT_PORT, .port = 0};
    options.attachments[LAB_NVA1] =
        (struct dp_attachment){.kind = DP_ATTACHMENT_VLAN, .port = 1, .vlan = 101};
    options.attachments[LAB_NVA2] =
        (struct dp_attachment){.kind = DP_ATTACHMENT_VLAN, .port = 1, .vlan = 102};
    options.attachments[LAB_PEER] = (struct dp_attachment){.kind = DP_ATTACHMENT_PORT, .port = 2};
    lab_open(&lab, &options);
    live_open(&live, &lab, 3);
}

static void open_lab(void)
{
    open_with(1300);
}

static void close_lab(void)
{
    live_close(&live);
    lab_close(&lab);
}

TestSuite(icmp_error, .init = open_lab, .fini = close_lab);

static void store16(uint8_t *bytes, unsigned value)
{
    bytes[0] = (uint8_t)(value >> 8);
    bytes[1] = (uint8_t)value;
}

static void send_frame(void)
{
    sent = frame;
    live_send(&live, 0, &frame);
}

static void send_ttl4(uint8_t ttl)
{
    frame.bytes[22] = ttl;
    frame_seal4(&frame, 14);
    send_frame();
}

/* --- Golden ----------------------------------------------------------------------------------- */

/* From the gateway of vm's subnet to who sent the packet, and all of it that fits in 576 bytes. */
static void build_golden4(uint8_t type, uint8_t code, uint16_t mtu)
{
    uint8_t ip[20] = {0x45, 0xc0, [8] = 64, [9] = 1}, icmp[8] = {type, code}, mac[6];
    uint32_t quoted = (uint32_t)(sent.bytes[16] << 8 | sent.bytes[17]);

    if (quoted > 576 - 28)
        quoted = 576 - 28;
    lab_mac(LAB_VM, mac);
    frame_ethernet(&golden, mac, lab_gateway_mac, 0x0800);
    store16(ip + 2, 28 + quoted);
    inet_pton(AF_INET, "10.1.0.1", ip + 12);
    memcpy(ip + 16, sent.bytes + 26, 4);
    store16(icmp + 6, mtu);
    frame_add(&golden, ip, 20);
    frame_add(&golden, icmp, 8);
    frame_add(&golden, sent.bytes + 14, quoted);
    frame_seal4(&golden, 14);
    store16(golden.bytes + 36, (uint16_t)~sum16(golden.bytes + 34, 8 + quoted, 0));
}

static void build_golden6(uint8_t type, uint8_t code, uint16_t mtu)
{
    uint8_t ip[40] = {0x60, [6] = 58, [7] = 64}, icmp[8] = {type, code}, mac[6];
    uint32_t quoted = 40u + (uint32_t)(sent.bytes[18] << 8 | sent.bytes[19]);

    if (quoted > 1280 - 48)
        quoted = 1280 - 48;
    lab_mac(LAB_VM, mac);
    frame_ethernet(&golden, mac, lab_gateway_mac, 0x86dd);
    store16(ip + 4, 8 + quoted);
    inet_pton(AF_INET6, "fd00:1::1", ip + 8);
    memcpy(ip + 24, sent.bytes + 22, 16);
    store16(icmp + 6, mtu);
    frame_add(&golden, ip, 40);
    frame_add(&golden, icmp, 8);
    frame_add(&golden, sent.bytes + 14, quoted);
    store16(golden.bytes + 56, (uint16_t)~sum16(golden.bytes + 54, 8 + quoted,
                                                sum16(golden.bytes + 22, 32, 8 + quoted + 58)));
}

static void assert_golden(unsigned i)
{
    const struct frame *out = &live.out[0].frames[i];

    cr_assert_gt(live.out[0].n, i);
    cr_assert_eq(out->captured, golden.captured, "%u, not %u bytes", out->captured,
                 golden.captured);
    for (uint32_t k = 0; k < out->captured; k++)
        cr_assert_eq(out->bytes[k], golden.bytes[k], "byte %u: %02x, not %02x", k, out->bytes[k],
                     golden.bytes[k]);
}

static void assert_one_error4(enum dp_reason reason, uint8_t type, uint8_t code, uint16_t mtu)
{
    live_run(&live);
    cr_assert_eq(live.counters.dropped[reason], 1);
    cr_assert(counters_add_up(&live.counters));
    cr_assert_eq(live.out[0].n, 1);
    build_golden4(type, code, mtu);
    assert_golden(0);
}

static void assert_one_error6(enum dp_reason reason, uint8_t type, uint8_t code, uint16_t mtu)
{
    live_run(&live);
    cr_assert_eq(live.counters.dropped[reason], 1);
    cr_assert_eq(live.out[0].n, 1);
    build_golden6(type, code, mtu);
    assert_golden(0);
}

Test(icmp_error, time_exceeded)
{
    frame_udp4(&frame, "10.1.0.4", "198.18.0.1", 33434, 32);
    send_ttl4(1);
    assert_one_error4(DP_REASON_TTL_EXPIRED, 11, 0, 0);
}

Test(icmp_error, time_exceeded6)
{
    frame_udp6(&frame, "fd00:1::4", "2001:db8::1", 33434, 32);
    frame.bytes[21] = 1;
    send_frame();
    assert_one_error6(DP_REASON_TTL_EXPIRED, 3, 0, 0);
}

Test(icmp_error, a_long_packet_is_quoted_as_far_as_it_fits)
{
    frame_udp4(&frame, "10.1.0.4", "198.18.0.1", 33434, 1000);
    send_ttl4(1);
    assert_one_error4(DP_REASON_TTL_EXPIRED, 11, 0, 0);
    cr_assert_eq(live.out[0].frames[0].captured, 14 + 576);
}

Test(icmp_error, fragmentation_needed_tells_the_mtu_and_quotes_what_was_sent)
{
    frame_udp4(&frame, "10.1.0.4", "198.18.0.1", 7, 1273);
    frame.bytes[20] = 0x40;
    send_ttl4(64);
    assert_one_error4(DP_REASON_MTU, 3, 4, 1300);
}

Test(icmp_error, packet_too_big)
{
    frame_udp6(&frame, "fd00:1::4", "2001:db8::1", 7, 1300);
    send_frame();
    assert_one_error6(DP_REASON_MTU, 2, 0, 1300);
    cr_assert_eq(live.out[0].frames[0].captured, 14 + 1280);
}

Test(icmp_error, none_is_administratively_prohibited)
{
    frame_udp4(&frame, "10.1.0.4", "198.51.100.1", 7, 10);
    send_frame();
    assert_one_error4(DP_REASON_NULL_ROUTE, 3, 13, 0);
}

Test(icmp_error, nobody_has_the_address)
{
    frame_udp4(&frame, "10.1.0.4", "10.1.0.77", 7, 10);
    send_frame();
    assert_one_error4(DP_REASON_NEXT_HOP_UNREACHABLE, 3, 1, 0);
}

Test(icmp_error, nobody_has_the_address6)
{
    frame_udp6(&frame, "fd00:1::4", "fd00:1::77", 7, 10);
    send_frame();
    assert_one_error6(DP_REASON_NEXT_HOP_UNREACHABLE, 1, 3, 0);
}

/* An echo request is answered with an error, as traceroute -I has it; options are quoted. */
Test(icmp_error, echo_and_options)
{
    frame_echo4(&golden, "10.1.0.4", "198.18.0.1", 20);
    frame = golden;
    frame.captured = 34;
    frame.bytes[14] = 0x46;
    frame.bytes[17] = (uint8_t)(frame.bytes[17] + 4);
    frame_add(&frame, "\x01\x01\x01\0", 4);
    frame_add(&frame, golden.bytes + 34, golden.captured - 34);
    send_ttl4(1);
    assert_one_error4(DP_REASON_TTL_EXPIRED, 11, 0, 0);
}

Test(icmp_error, a_first_fragment_is_answered)
{
    frame_udp4(&frame, "10.1.0.4", "198.18.0.1", 7, 100);
    frame.bytes[20] = 0x20;
    send_ttl4(1);
    assert_one_error4(DP_REASON_TTL_EXPIRED, 11, 0, 0);
}

/* The NVA's error about another's packet goes to the NVA, which is to send it on. */
Test(icmp_error, goes_to_the_nic_that_sent_the_packet)
{
    uint8_t mac[6];

    frame_udp4(&frame, "203.0.113.9", "10.1.0.4", 7, 10);
    lab_mac(LAB_NVA1, mac);
    memcpy(frame.bytes + 6, mac, 6);
    frame.bytes[22] = 1;
    frame_seal4(&frame, 14);
    frame_tag(&frame, 0x8100, 101);
    live_send(&live, 1, &frame);
    live_run(&live);
    cr_assert_eq(live.out[1].n, 1);
    cr_assert_arr_eq(live.out[1].frames[0].bytes, mac, 6);
    cr_assert_arr_eq(live.out[1].frames[0].bytes + 12, "\x81\0\0\x65\x08\0", 6);
    cr_assert_arr_eq(live.out[1].frames[0].bytes + 18 + 12, "\x0a\0\x01\x01", 4);
    cr_assert_arr_eq(live.out[1].frames[0].bytes + 18 + 16, "\xcb\0\x71\x09", 4);
}

/* --- Silence ---------------------------------------------------------------------------------- */

Test(icmp_error, what_must_not_be_answered_is_not)
{
    frame_udp4(&frame, "10.1.0.4", "198.18.0.1", 7, 100);
    frame.bytes[21] = 2; /* a later fragment */
    send_ttl4(1);
    frame_echo4(&frame, "10.1.0.4", "198.18.0.1", 30);
    frame.bytes[34] = 3; /* an error itself */
    send_ttl4(1);
    frame_echo6(&frame, "fd00:1::4", "2001:db8::1", 30);
    frame.bytes[54] = 1;
    frame.bytes[21] = 1;
    send_frame();
    frame_udp4(&frame, "10.1.0.4", "224.0.0.9", 7, 100);
    send_ttl4(1);
    frame_udp4(&frame, "10.9.9.9", "198.18.0.1", 7, 10); /* forged */
    send_frame();
    frame_udp4(&frame, "10.1.0.4", "198.18.0.1", 7, 10);
    frame.bytes[24] ^= 1; /* checksum */
    send_frame();
    live_run(&live);
    cr_assert_eq(counters_dropped(&live.counters), 6);
    cr_assert_eq(live.out[0].n, 0);
}

Test(icmp_error, above_their_rate_there_are_none)
{
    struct timespec start, end;

    for (unsigned i = 0; i < 400; i++) {
        frame_udp4(&frame, "10.1.0.4", "198.18.0.1", (uint16_t)i, 10);
        send_ttl4(1);
    }
    clock_gettime(CLOCK_MONOTONIC, &start);
    live_run(&live);
    clock_gettime(CLOCK_MONOTONIC, &end);
    const long ms = (end.tv_sec - start.tv_sec) * 1000 + (end.tv_nsec - start.tv_nsec) / 1000000;
    cr_assert_eq(live.counters.dropped[DP_REASON_TTL_EXPIRED], 400);
    cr_assert(counters_add_up(&live.counters));
    cr_assert_geq(live.out[0].n, 100);
    cr_assert_leq(live.out[0].n, 102 + ms, "100 at once, then one a millisecond: %u in %ld ms",
                  live.out[0].n, ms);
}
