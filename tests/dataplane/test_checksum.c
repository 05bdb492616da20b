/*
 * Checksums that senders left to hardware are completed, all others are left alone.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dataplane/checksum.h"
#include "dataplane/eal.h"
#include "tests/dataplane/lab.h"

static struct rte_mempool *pool;
static struct frame frame;

static void start_eal(void)
{
    struct dp_eal_request request = {.pool_bytes = 1 << 20, .quiet = true};
    char error[DP_ERROR_TEXT];

    cr_assert_eq(dp_eal_start(&request, error), 0, "%s", error);
    pool = dp_pool_create(1023, 2048);
}

TestSuite(checksum, .init = start_eal);

static uint16_t load16(const uint8_t *bytes)
{
    return (uint16_t)(bytes[0] << 8 | bytes[1]);
}

static void store16(uint8_t *bytes, uint16_t value)
{
    bytes[0] = (uint8_t)(value >> 8);
    bytes[1] = (uint8_t)value;
}

/* A UDP packet, or the same bytes as TCP. */
static void build(bool is_ipv6, bool is_tcp, uint16_t payload)
{
    if (is_ipv6)
        frame_udp6(&frame, "fd00:1::4", "2001:db8::1", 1000, payload);
    else
        frame_udp4(&frame, "10.1.0.4", "192.0.2.1", 1000, payload);
    for (uint32_t i = is_ipv6 ? 62 : 42; i < frame.captured; i++)
        frame.bytes[i] = (uint8_t)rand();
    if (is_tcp)
        frame.bytes[is_ipv6 ? 20 : 23] = 6;
    if (!is_ipv6)
        frame_seal4(&frame, 14);
}

/* Of the frame: its layer 4 message, its length, and the sum of its pseudo-header, not inverted. */
static uint8_t *message(bool is_ipv6, uint32_t *n, uint16_t *pseudo)
{
    uint8_t *ip = frame.bytes + 14;

    *n = frame.captured - (is_ipv6 ? 54 : 34);
    *pseudo = sum16(ip + (is_ipv6 ? 8 : 12), is_ipv6 ? 32 : 8, *n + ip[is_ipv6 ? 6 : 9]);
    return ip + (is_ipv6 ? 40 : 20);
}

/* Runs the frame through, and writes the result back into it. */
static void complete(bool is_ipv6)
{
    struct rte_mbuf *mbuf = rte_pktmbuf_alloc(pool);
    struct dp_packet packet;
    enum dp_reason reason;
    uint16_t n = (uint16_t)(frame.captured - 14);

    memcpy(rte_pktmbuf_append(mbuf, n), frame.bytes + 14, n);
    cr_assert(dp_packet_parse(rte_pktmbuf_mtod(mbuf, uint8_t *), n, is_ipv6 ? 0x86dd : 0x0800,
                              &packet, &reason));
    dp_complete_checksum(mbuf, &packet);
    memcpy(frame.bytes + 14, rte_pktmbuf_mtod(mbuf, uint8_t *), n);
    rte_pktmbuf_free(mbuf);
}

Test(checksum, partial_ones_become_right)
{
    unsigned seed = (unsigned)getpid();

    fprintf(stderr, "seed %u\n", seed);
    srand(seed);
    for (unsigned i = 0; i < 20000; i++) {
        bool is_ipv6 = rand() % 2, is_tcp = rand() % 2;
        uint16_t pseudo;
        uint32_t n;
        uint8_t *layer4;

        build(is_ipv6, is_tcp, (uint16_t)(12 + rand() % 1300));
        layer4 = message(is_ipv6, &n, &pseudo);
        store16(layer4 + (is_tcp ? 16 : 6), pseudo);
        complete(is_ipv6);
        cr_assert_eq(sum16(layer4, n, pseudo), 0xffff);
        cr_assert_neq(load16(layer4 + (is_tcp ? 16 : 6)), 0);
    }
}

Test(checksum, complete_ones_wrong_ones_and_none_stay)
{
    for (unsigned i = 0; i < 3000; i++) {
        bool is_ipv6 = i % 2;
        static struct frame before;
        uint16_t pseudo, field;
        uint32_t n;
        uint8_t *layer4;

        build(is_ipv6, false, (uint16_t)(12 + i % 300));
        layer4 = message(is_ipv6, &n, &pseudo);
        store16(layer4 + 6, 0);
        field = i % 3 == 0 ? 0 : (uint16_t)~sum16(layer4, n, pseudo);
        store16(layer4 + 6, i % 3 == 1 ? (uint16_t)(field + 5) : field);
        if (load16(layer4 + 6) == pseudo)
            continue;
        before = frame;
        complete(is_ipv6);
        cr_assert_arr_eq(frame.bytes, before.bytes, frame.captured);
    }
}

/* The buffers that hold the IP packet of the frame, cut anywhere behind its headers. */
static struct rte_mbuf *cut(uint32_t headers)
{
    struct rte_mbuf *first = rte_pktmbuf_alloc(pool);
    uint32_t n = headers, at = 14;

    while (at < frame.captured) {
        struct rte_mbuf *next = at == 14 ? first : rte_pktmbuf_alloc(pool);

        memcpy(rte_pktmbuf_append(next, (uint16_t)n), frame.bytes + at, n);
        if (next != first)
            cr_assert_eq(rte_pktmbuf_chain(first, next), 0);
        at += n;
        n = 1 + (uint32_t)rand() % 200;
        if (n > frame.captured - at)
            n = frame.captured - at;
    }
    return first;
}

/* Segments of odd lengths shift the bytes of all that follow. */
Test(checksum, it_is_the_same_however_a_packet_is_cut)
{
    for (unsigned i = 0; i < 5000; i++) {
        const bool is_ipv6 = rand() % 2;
        uint16_t pseudo, sum;
        uint32_t n;
        uint8_t *layer4;
        struct rte_mbuf *mbuf;
        struct dp_packet packet;
        enum dp_reason reason;

        build(is_ipv6, false, (uint16_t)(rand() % 1300));
        layer4 = message(is_ipv6, &n, &pseudo);
        store16(layer4 + 6, 0);
        sum = (uint16_t)~sum16(layer4, n, pseudo);
        store16(layer4 + 6, sum ? sum : 0xffff);
        cr_assert(dp_packet_parse(frame.bytes + 14, frame.captured - 14, is_ipv6 ? 0x86dd : 0x0800,
                                  &packet, &reason));
        mbuf = cut(packet.header_length + 8u);
        cr_assert(dp_udp_checksum_good(mbuf, 0, &packet), "%u bytes, %u segments", n,
                  mbuf->nb_segs);
        rte_pktmbuf_mtod(mbuf, uint8_t *)[packet.header_length] ^= 1;
        cr_assert_not(dp_udp_checksum_good(mbuf, 0, &packet));
        rte_pktmbuf_mtod(mbuf, uint8_t *)[packet.header_length] ^= 1;
        if (is_ipv6) {
            memset(rte_pktmbuf_mtod_offset(mbuf, uint8_t *, 46), 0, 2);
            dp_write_udp6_checksum(mbuf, 0, n);
            cr_assert_arr_eq(rte_pktmbuf_mtod_offset(mbuf, uint8_t *, 46), layer4 + 6, 2);
        }
        store16(rte_pktmbuf_mtod_offset(mbuf, uint8_t *, packet.header_length + 6), pseudo);
        dp_complete_checksum(mbuf, &packet);
        cr_assert_arr_eq(rte_pktmbuf_mtod_offset(mbuf, uint8_t *, packet.header_length + 6),
                         layer4 + 6, 2);
        rte_pktmbuf_free(mbuf);
    }
}

/* Right already, and by chance equal to the sum of the pseudo-header. */
Test(checksum, one_that_only_looks_partial_stays)
{
    for (unsigned i = 0; i < 200; i++) {
        uint16_t pseudo, rest;
        uint32_t n;
        uint8_t *layer4;

        build(false, false, 100);
        layer4 = message(false, &n, &pseudo);
        store16(layer4 + 6, pseudo);
        store16(layer4 + 20, 0);
        rest = sum16(layer4, n, pseudo);
        store16(layer4 + 20, (uint16_t)~rest);
        cr_assert_eq(sum16(layer4, n, pseudo), 0xffff);
        complete(false);
        cr_assert_eq(load16(layer4 + 6), pseudo);
    }
}

/* What a device is to begin with: it adds the rest, and stores the complement. */
Test(checksum, one_that_is_left_to_a_device)
{
    for (unsigned i = 0; i < 500; i++) {
        struct rte_mbuf *mbuf = rte_pktmbuf_alloc(pool);
        uint16_t pseudo, n16;
        uint32_t n;

        build(true, false, (uint16_t)(rand() % 1000));
        message(true, &n, &pseudo);
        n16 = (uint16_t)(frame.captured - 14);
        memcpy(rte_pktmbuf_append(mbuf, n16), frame.bytes + 14, n16);
        dp_leave_udp6_checksum(mbuf, 0, n);
        cr_assert_eq(load16(rte_pktmbuf_mtod_offset(mbuf, uint8_t *, 46)), pseudo);
        rte_pktmbuf_free(mbuf);
    }
}

/* A first fragment holds the field, but not all that it sums. */
Test(checksum, fragments_stay)
{
    uint16_t pseudo;
    uint32_t n;
    uint8_t *layer4;

    build(false, false, 104);
    layer4 = message(false, &n, &pseudo);
    store16(layer4 + 6, pseudo);
    frame.bytes[20] = 0x20; /* more fragments */
    frame_seal4(&frame, 14);
    complete(false);
    cr_assert_eq(load16(layer4 + 6), pseudo);
}

/* Every length down to no message at all: nothing beyond the packet is read or written. */
Test(checksum, short_messages_stay)
{
    for (uint16_t total = 20; total < 20 + 8; total++) {
        static struct frame before;

        build(false, total % 2, 100);
        frame.captured = 14u + total;
        store16(frame.bytes + 16, total);
        frame_seal4(&frame, 14);
        before = frame;
        complete(false);
        cr_assert_arr_eq(frame.bytes, before.bytes, frame.captured);
    }
}
