/*
 * VXLAN between guests: its flow is that of what it carries, as far as that can be read.
 *
 * Packets are copied into blocks of exactly their size, so that AddressSanitizer sees a byte too
 * many.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/forwarding.h"
#include "tests/dataplane/lab.h"
#include "tests/dataplane/random.h"

#define INNER (5 | DP_HASH_INNER)

static struct frame inner, outer;

/* Of the first n bytes of the frame; the IP packet begins at 14. */
static struct dp_packet parse(const struct frame *frame, size_t n)
{
    const uint16_t ethertype = (uint16_t)(frame->bytes[12] << 8 | frame->bytes[13]);
    uint8_t *exact = malloc(n - 14);
    struct dp_packet packet;
    enum dp_reason reason;

    cr_assert(exact);
    memcpy(exact, frame->bytes + 14, n - 14);
    cr_assert(dp_packet_parse_wire(exact, n - 14, frame->wire - 14, ethertype, &packet, &reason),
              "%s", dp_reason_name(reason));
    free(exact);
    return packet;
}

static uint32_t hash(unsigned fields)
{
    const struct dp_packet packet = parse(&outer, outer.captured);

    return dp_flow_hash(&packet, fields, 0);
}

/* ends[0] to ends[1] inside; the tunnel between two guests, the other way round with it. */
static void carry(const char *const ends[2], bool back, uint16_t port, const char *const tunnel[2])
{
    const bool six = strchr(ends[0], ':') != NULL;
    uint8_t ports[4];

    (six ? frame_udp6 : frame_udp4)(&inner, ends[back], ends[!back], 4000, 30);
    memcpy(ports, inner.bytes + 14 + (six ? 40 : 20), 4);
    if (back) {
        memcpy(inner.bytes + 14 + (six ? 40 : 20), ports + 2, 2);
        memcpy(inner.bytes + 14 + (six ? 40 : 20) + 2, ports, 2);
    }
    frame_vxlan(&outer, tunnel[back], tunnel[!back], port, &inner);
}

static const char *const inside[][2] = {{"172.16.0.4", "172.16.9.9"}, {"fd99::4", "fd99::9"}};
static const char *const tunnels[][2] = {{"10.1.0.4", "10.2.0.4"}, {"fd00:1::4", "fd00:2::4"}};

Test(transit, both_directions_of_what_is_inside_hash_alike_whatever_the_tunnels_ports)
{
    for (unsigned in = 0; in < 2; in++) {
        for (unsigned out = 0; out < 2; out++) {
            uint32_t there, back, outside;

            carry(inside[in], false, 50000, tunnels[out]);
            there = hash(INNER);
            outside = hash(5);
            carry(inside[in], true, 61111, tunnels[out]);
            back = hash(INNER);
            cr_expect_eq(there, back, "%u in %u", in, out);
            cr_expect_neq(hash(5), outside, "by their own ports the directions part");
            carry(inside[in], false, 61111, tunnels[!out]);
            cr_expect_eq(there, hash(INNER), "whatever the tunnel");
        }
    }
}

Test(transit, the_hash_is_that_of_the_inner_packet_on_its_own)
{
    static const unsigned fields[] = {5, 3, 2, 6};

    for (unsigned in = 0; in < 2; in++) {
        carry(inside[in], false, 50000, tunnels[0]);
        if (in == 1) /* a flow label */
            outer.bytes[14 + 20 + 16 + 14 + 2] = 7;
        memcpy(inner.bytes, outer.bytes + 14 + 20 + 16, inner.captured);
        for (unsigned i = 0; i < 4; i++) {
            const struct dp_packet packet = parse(&inner, inner.captured);

            cr_expect_eq(hash(fields[i] | DP_HASH_INNER), dp_flow_hash(&packet, fields[i], 0));
        }
    }
}

Test(transit, tags_inside_are_stepped_over)
{
    uint32_t plain;

    carry(inside[0], false, 50000, tunnels[0]);
    plain = hash(INNER);
    for (unsigned tags = 1; tags <= 3; tags++) {
        frame_tag(&inner, tags == 2 ? 0x88a8 : 0x8100, 12);
        frame_vxlan(&outer, tunnels[0][0], tunnels[0][1], 50000, &inner);
        if (tags <= 2)
            cr_expect_eq(hash(INNER), plain, "%u tags", tags);
        else
            cr_expect_eq(hash(INNER), hash(5), "more than anybody stacks");
    }
}

/* What cannot be read leaves the tunnel's own flow: never half an inner one. */
Test(transit, inner_headers_that_are_cut_leave_the_outer_flow)
{
    for (unsigned in = 0; in < 2; in++) {
        const size_t header = in ? 40 : 20, ip = 14 + 20 + 16 + 14;
        uint32_t by_addresses;

        carry(inside[in], false, 50000, tunnels[0]);
        by_addresses = hash(3 | DP_HASH_INNER);
        for (size_t n = 14 + 20 + 8; n <= outer.captured; n++) {
            const struct dp_packet packet = parse(&outer, n);
            const uint32_t found = dp_flow_hash(&packet, INNER, 0);

            if (n < ip + header)
                cr_expect_eq(found, hash(5), "%zu", n);
            else if (n < ip + header + 4)
                cr_expect_eq(found, by_addresses, "%zu", n);
            else
                cr_expect_eq(found, hash(INNER), "%zu", n);
        }
    }
}

Test(transit, what_is_no_tunnel_or_holds_no_packet_is_hashed_by_its_own_headers)
{
    const size_t udp = 14 + 20, vxlan = udp + 8, ethertype = vxlan + 8 + 12, ip = ethertype + 2;
    static const struct {
        size_t at;
        uint8_t value;
    } changes[] = {
        {14 + 20 + 3, 0},            /* another port */
        {14 + 20 + 8, 0},            /* no VNI */
        {14 + 20 + 8 + 8 + 12, 6},   /* no IP inside */
        {14 + 20 + 8 + 8 + 14, 0x65} /* nor of that version */
    };

    for (unsigned i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
        carry(inside[0], false, 50000, tunnels[0]);
        cr_expect_neq(hash(INNER), hash(5));
        outer.bytes[changes[i].at] = changes[i].value;
        cr_expect_eq(hash(INNER), hash(5), "change %u", i);
    }
    carry(inside[0], false, 50000, tunnels[0]);
    outer.bytes[ip + 11] ^= 1; /* a checksum that is wrong */
    cr_expect_eq(hash(INNER), hash(5));
    carry(inside[0], false, 50000, tunnels[0]);
    outer.bytes[20] = 0x20; /* first of the tunnel's fragments: all go by its addresses */
    frame_seal4(&outer, 14);
    cr_expect_eq(hash(INNER), hash(3));
}

/* One deep: bytes of a stranger must not have the parser dig. */
Test(transit, a_tunnel_in_a_tunnel_is_not_looked_into)
{
    static struct frame middle;
    uint32_t first;

    carry(inside[0], false, 50000, tunnels[0]);
    frame_vxlan(&middle, "172.31.0.1", "172.31.0.2", 50001, &inner);
    frame_vxlan(&outer, tunnels[0][0], tunnels[0][1], 50002, &middle);
    first = hash(INNER);
    frame_vxlan(&middle, "172.31.0.1", "172.31.0.2", 50003, &inner);
    frame_vxlan(&outer, tunnels[0][0], tunnels[0][1], 50002, &middle);
    cr_expect_neq(hash(INNER), first);
}

/* "Fragmentation needed" from a router on the tunnel's way: it belongs to whom the tunnel's packet did. */
Test(transit, an_error_about_a_tunnels_packet_goes_by_what_that_carried)
{
    static struct frame error;
    const size_t quote = 14 + 20 + 8;
    struct dp_packet packet;

    carry(inside[0], false, 50000, tunnels[0]);
    frame_echo4(&error, "192.0.2.1", tunnels[0][0], (uint16_t)(outer.captured - 14));
    error.bytes[34] = 3;
    error.bytes[35] = 4;
    memcpy(error.bytes + quote, outer.bytes + 14, outer.captured - 14);
    packet = parse(&error, error.captured);
    cr_assert(packet.icmp_error);
    cr_expect_eq(dp_flow_hash(&packet, INNER, 0), hash(INNER));
    packet = parse(&error, quote + 28);
    cr_assert(packet.icmp_error);
    cr_expect_eq(dp_flow_hash(&packet, INNER, 0), hash(5), "quoted as RFC 792 has it");
}

/* As dp_packet_parse() has it of bytes. */
Test(transit, packets_that_never_were_bytes_carry_others_as_well)
{
    struct dp_packet packet, carried, made;

    carry(inside[0], false, 50000, tunnels[0]);
    packet = made = parse(&outer, outer.captured);
    made.inner = (struct dp_flow){0};
    carried = parse(&inner, inner.captured);
    dp_packet_carry(&made, &carried);
    cr_expect_eq(dp_flow_hash(&made, INNER, 3), dp_flow_hash(&packet, INNER, 3));
}

/* --- Spread ----------------------------------------------------------------------------------- */

#define CELLS 4096
#define FLOWS (1u << 17)

/* Chi-square per degree of freedom, whose deviation is 0.022 here: see test_hash.c. */
Test(transit, inner_flows_of_one_tunnel_spread_like_chance)
{
    static unsigned cells[2][CELLS];
    const double expected = (double)FLOWS / CELLS;
    double sums[2] = {0};

    for (unsigned in = 0; in < 2; in++) {
        memset(cells, 0, sizeof(cells));
        sums[0] = sums[1] = 0;
        carry(inside[in], false, 50000, tunnels[0]);
        for (uint32_t i = 0; i < FLOWS; i++) {
            const size_t at = 14 + 20 + 16 + 14 + (in ? 40 : 20);
            uint32_t found;

            outer.bytes[at] = (uint8_t)(i >> 8);
            outer.bytes[at + 1] = (uint8_t)i;
            outer.bytes[at + 2] = (uint8_t)(i >> 16);
            found = hash(INNER);
            cells[0][found % CELLS]++;
            cells[1][found >> 20]++;
        }
        for (unsigned i = 0; i < CELLS; i++) {
            for (unsigned part = 0; part < 2; part++) {
                const double off = cells[part][i] - expected;

                sums[part] += off * off / expected;
            }
        }
        for (unsigned part = 0; part < 2; part++)
            cr_expect(sums[part] / (CELLS - 1) > 0.9 && sums[part] / (CELLS - 1) < 1.1,
                      "family %u, part %u: %f", in, part, sums[part] / (CELLS - 1));
    }
}

/* --- Anything at all -------------------------------------------------------------------------- */

Test(transit, damaged_tunnels_are_parsed_within_their_bytes)
{
    struct test_random random = test_random_start();

    for (unsigned round = 0; round < 100000; round++) {
        struct dp_packet packet;
        enum dp_reason reason;
        uint8_t *exact;
        size_t n;

        carry(inside[test_random_below(&random, 2)], false, 50000, tunnels[0]);
        for (unsigned i = test_random_below(&random, 8); i > 0; i--)
            outer.bytes[34 + test_random_below(&random, outer.captured - 34)] =
                (uint8_t)test_random_next(&random);
        outer.bytes[36] = 0x12;
        outer.bytes[37] = 0xb5;
        n = test_random_below(&random, outer.captured - 14 + 1);
        exact = malloc(n ? n : 1);
        cr_assert(exact);
        memcpy(exact, outer.bytes + 14, n);
        if (dp_packet_parse_wire(exact, n, outer.wire - 14, 0x0800, &packet, &reason))
            cr_assert(packet.inner.family == 0 || packet.inner.family == LPM_IPV4 ||
                          packet.inner.family == LPM_IPV6,
                      "seed %lu", random.seed);
        free(exact);
    }
}
