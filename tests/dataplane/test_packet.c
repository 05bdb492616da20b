/*
 * Parsing: every check has its reason, in order, and nothing is read beyond the bytes at hand.
 *
 * Packets are copied into blocks of exactly their size, so that AddressSanitizer sees a byte too
 * many.
 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/dataplane.h"
#include "dataplane/forwarding.h"
#include "dataplane/plain.h"
#include "tests/dataplane/random.h"

#define MOST 2048

struct bytes {
    uint8_t data[MOST];
    size_t n;
};

static void put2(struct bytes *bytes, size_t at, unsigned value)
{
    bytes->data[at] = (uint8_t)(value >> 8);
    bytes->data[at + 1] = (uint8_t)value;
}

static void checksum4(struct bytes *bytes)
{
    uint32_t sum = 0;

    put2(bytes, 10, 0);
    for (size_t i = 0; i < (size_t)(bytes->data[0] & 15) * 4; i += 2)
        sum += (uint32_t)(bytes->data[i] << 8 | bytes->data[i + 1]);
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    put2(bytes, 10, ~sum & 0xffff);
}

/* 10.1.0.4:4000 -> 10.2.0.4:443, options of the given bytes, 12 bytes of payload. */
static struct bytes ipv4(uint8_t protocol, unsigned options)
{
    struct bytes bytes = {.n = 20 + options + 12};
    static const uint8_t addresses[8] = {10, 1, 0, 4, 10, 2, 0, 4};

    bytes.data[0] = (uint8_t)(0x40 | (5 + options / 4));
    put2(&bytes, 2, (unsigned)bytes.n);
    bytes.data[8] = 64;
    bytes.data[9] = protocol;
    memcpy(bytes.data + 12, addresses, 8);
    memset(bytes.data + 20, 1, options);
    put2(&bytes, 20 + options, 4000);
    put2(&bytes, 22 + options, 443);
    checksum4(&bytes);
    return bytes;
}

static struct bytes ipv6(uint8_t next)
{
    struct bytes bytes = {.n = 40 + 12};

    bytes.data[0] = 0x60;
    bytes.data[1] = 0x0a;
    bytes.data[3] = 0xbc;
    put2(&bytes, 4, 12);
    bytes.data[6] = next;
    bytes.data[7] = 63;
    bytes.data[8] = bytes.data[24] = 0xfd;
    bytes.data[23] = 4;
    bytes.data[39] = 5;
    put2(&bytes, 40, 4000);
    put2(&bytes, 42, 443);
    return bytes;
}

/* Puts an extension header of length bytes right behind the IPv6 header; headers come out in the
 * reverse order of the calls. */
static void push_extension(struct bytes *bytes, uint8_t protocol, unsigned length)
{
    memmove(bytes->data + 40 + length, bytes->data + 40, bytes->n - 40);
    memset(bytes->data + 40, 0, length);
    bytes->data[40] = bytes->data[6];
    bytes->data[41] = (uint8_t)(protocol == 51 ? length / 4 - 2 : length / 8 - 1);
    bytes->data[6] = protocol;
    bytes->n += length;
    put2(bytes, 4, (unsigned)bytes->n - 40);
}

static bool parse(const struct bytes *bytes, size_t captured, size_t wire, uint16_t ethertype,
                  struct dp_packet *packet, enum dp_reason *reason)
{
    uint8_t *exact = malloc(captured ? captured : 1);
    bool parsed;

    cr_assert(exact);
    memcpy(exact, bytes->data, captured);
    *reason = DP_REASON_COUNT;
    parsed = dp_packet_parse_wire(exact, captured, wire, ethertype, packet, reason);
    free(exact);
    return parsed;
}

static struct dp_packet parse_good(const struct bytes *bytes)
{
    const uint16_t ethertype = bytes->data[0] >> 4 == 4 ? 0x0800 : 0x86dd;
    struct dp_packet packet;
    enum dp_reason reason;

    cr_assert(parse(bytes, bytes->n, bytes->n, ethertype, &packet, &reason), "%s",
              dp_reason_name(reason));
    return packet;
}

static void expect_reason(const struct bytes *bytes, uint16_t ethertype, enum dp_reason expected)
{
    struct dp_packet packet;
    enum dp_reason reason;

    cr_expect_not(parse(bytes, bytes->n, bytes->n, ethertype, &packet, &reason));
    cr_expect_eq(reason, expected, "%s, not %s", dp_reason_name(reason), dp_reason_name(expected));
}

Test(packet, ipv4_fields_are_read)
{
    const struct bytes bytes = ipv4(17, 8);
    const struct dp_packet packet = parse_good(&bytes);

    cr_expect_eq(packet.family, LPM_IPV4);
    cr_expect_eq(packet.protocol, 17);
    cr_expect_eq(packet.ttl, 64);
    cr_expect_not(packet.fragment);
    cr_expect(packet.has_ports);
    cr_expect_eq(packet.source_port, 4000);
    cr_expect_eq(packet.destination_port, 443);
    cr_expect_eq(packet.header_length, 28);
    cr_expect_eq(packet.total_length, 40);
    cr_expect_arr_eq(packet.source, bytes.data + 12, 4);
    cr_expect_arr_eq(packet.destination, bytes.data + 16, 4);
}

Test(packet, ipv6_fields_are_read)
{
    const struct bytes bytes = ipv6(6);
    const struct dp_packet packet = parse_good(&bytes);

    cr_expect_eq(packet.family, LPM_IPV6);
    cr_expect_eq(packet.protocol, 6);
    cr_expect_eq(packet.ttl, 63);
    cr_expect_eq(packet.flow_label, 0xa00bc);
    cr_expect(packet.has_ports);
    cr_expect_eq(packet.source_port, 4000);
    cr_expect_eq(packet.header_length, 40);
    cr_expect_eq(packet.total_length, 52);
    cr_expect_arr_eq(packet.source, bytes.data + 8, 16);
    cr_expect_arr_eq(packet.destination, bytes.data + 24, 16);
}

Test(packet, ipv4_that_is_wrong_in_one_way_has_its_reason)
{
    struct bytes bytes = ipv4(6, 0);

    bytes.data[0] = 0x55;
    checksum4(&bytes);
    expect_reason(&bytes, 0x0800, DP_REASON_BAD_VERSION);
    bytes = ipv4(6, 0);
    bytes.data[0] = 0x44;
    expect_reason(&bytes, 0x0800, DP_REASON_BAD_HEADER_LENGTH);
    bytes = ipv4(6, 0);
    bytes.data[10] ^= 1;
    expect_reason(&bytes, 0x0800, DP_REASON_BAD_CHECKSUM);
    bytes = ipv4(6, 0);
    put2(&bytes, 2, 19);
    checksum4(&bytes);
    expect_reason(&bytes, 0x0800, DP_REASON_BAD_TOTAL_LENGTH);
    put2(&bytes, 2, (unsigned)bytes.n + 1);
    checksum4(&bytes);
    expect_reason(&bytes, 0x0800, DP_REASON_BAD_TOTAL_LENGTH);
    bytes = ipv4(6, 8);
    expect_reason(&bytes, 0x86dd, DP_REASON_BAD_VERSION);
    expect_reason(&bytes, 0x0806, DP_REASON_UNKNOWN_ETHERTYPE);
    bytes.data[0] = 0x4f;
    expect_reason(&bytes, 0x0800, DP_REASON_TOO_SHORT);
}

/* RFC 1812 5.2.2, (2) before (5): the checksum may be why the length is wrong. */
Test(packet, a_bad_checksum_outranks_a_bad_total_length)
{
    struct bytes bytes = ipv4(6, 0);

    put2(&bytes, 2, 5);
    expect_reason(&bytes, 0x0800, DP_REASON_BAD_CHECKSUM);
}

Test(packet, every_wrong_bit_of_an_ipv4_header_is_found)
{
    const struct bytes good = ipv4(6, 4);

    for (unsigned bit = 0; bit < 24 * 8; bit++) {
        struct bytes bytes = good;
        struct dp_packet packet;
        enum dp_reason reason;

        bytes.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
        cr_expect_not(parse(&bytes, bytes.n, bytes.n, 0x0800, &packet, &reason), "bit %u", bit);
    }
}

Test(packet, headers_cut_at_any_byte_are_too_short)
{
    const struct bytes four = ipv4(6, 20);
    struct bytes six = ipv6(6);
    struct dp_packet packet;
    enum dp_reason reason;

    push_extension(&six, 60, 16);
    push_extension(&six, 0, 8);
    for (size_t n = 0; n < 40; n++) {
        cr_expect_not(parse(&four, n, four.n, 0x0800, &packet, &reason));
        cr_expect_eq(reason, DP_REASON_TOO_SHORT, "%zu: %s", n, dp_reason_name(reason));
    }
    for (size_t n = 0; n < 64; n++) {
        cr_expect_not(parse(&six, n, six.n, 0x86dd, &packet, &reason));
        cr_expect_eq(reason, DP_REASON_TOO_SHORT, "%zu: %s", n, dp_reason_name(reason));
    }
}

Test(packet, a_capture_that_ends_after_the_headers_is_enough)
{
    const struct bytes four = ipv4(6, 0), six = ipv6(17);
    struct dp_packet packet;
    enum dp_reason reason;

    for (size_t n = 0; n <= 12; n++) {
        cr_expect(parse(&four, 20 + n, four.n, 0x0800, &packet, &reason));
        cr_expect_eq(packet.has_ports, n >= 4);
        cr_expect(parse(&six, 40 + n, six.n, 0x86dd, &packet, &reason));
        cr_expect_eq(packet.has_ports, n >= 4);
    }
    cr_expect(dp_packet_parse(four.data, 20, 0x0800, &packet, &reason));
    cr_expect_eq(packet.total_length, 32);
}

/* Ethernet pads short frames; ports must not be read from the padding. */
Test(packet, nothing_behind_the_total_length_counts)
{
    struct bytes bytes = ipv4(6, 0);
    struct dp_packet packet;

    put2(&bytes, 2, 22);
    checksum4(&bytes);
    packet = parse_good(&bytes);
    cr_expect_not(packet.has_ports);
    cr_expect_eq(packet.total_length, 22);
}

Test(packet, ipv4_fragments_have_no_ports)
{
    static const unsigned fields[] = {0x2000, 0x0001, 0x20b9, 0x1fff};

    for (unsigned i = 0; i < 4; i++) {
        struct bytes bytes = ipv4(17, 0);
        struct dp_packet packet;

        put2(&bytes, 6, fields[i]);
        checksum4(&bytes);
        packet = parse_good(&bytes);
        cr_expect(packet.fragment);
        cr_expect_not(packet.has_ports);
    }
    struct bytes whole = ipv4(17, 0);

    put2(&whole, 6, 0x4000);
    checksum4(&whole);
    cr_expect_not(parse_good(&whole).fragment, "do not fragment is no fragment");
}

Test(packet, ipv6_extension_headers_are_walked_to_the_ports)
{
    struct bytes bytes = ipv6(17);
    struct dp_packet packet;

    push_extension(&bytes, 51, 24);
    push_extension(&bytes, 60, 8);
    push_extension(&bytes, 43, 40);
    push_extension(&bytes, 0, 16);
    packet = parse_good(&bytes);
    cr_expect_eq(packet.protocol, 17);
    cr_expect_eq(packet.header_length, 40 + 24 + 8 + 40 + 16);
    cr_expect(packet.has_ports);
    cr_expect_eq(packet.destination_port, 443);
}

/* The first fragment could see further than the others: all must name the same protocol. */
Test(packet, ipv6_fragments_end_the_walk)
{
    struct bytes bytes = ipv6(17);
    struct dp_packet packet;

    push_extension(&bytes, 60, 8);
    push_extension(&bytes, 44, 8);
    bytes.data[41] = 0;
    put2(&bytes, 42, 0x0001);
    packet = parse_good(&bytes);
    cr_expect(packet.fragment);
    cr_expect_not(packet.has_ports);
    cr_expect_eq(packet.protocol, 60);
    put2(&bytes, 42, 0x0000);
    packet = parse_good(&bytes);
    cr_expect_not(packet.fragment, "an atomic fragment is a whole datagram");
    cr_expect_eq(packet.protocol, 17);
    cr_expect(packet.has_ports);
}

Test(packet, ipv6_that_is_wrong_in_one_way_has_its_reason)
{
    struct bytes bytes = ipv6(17);

    bytes.data[0] = 0x40;
    expect_reason(&bytes, 0x86dd, DP_REASON_BAD_VERSION);
    bytes = ipv6(17);
    put2(&bytes, 4, 13);
    expect_reason(&bytes, 0x86dd, DP_REASON_BAD_TOTAL_LENGTH);
    bytes = ipv6(17);
    push_extension(&bytes, 0, 8);
    push_extension(&bytes, 60, 8);
    expect_reason(&bytes, 0x86dd, DP_REASON_BAD_EXTENSION_HEADER);
    bytes = ipv6(17);
    push_extension(&bytes, 0, 64);
    parse_good(&bytes);
    bytes = ipv6(17);
    push_extension(&bytes, 0, 72);
    expect_reason(&bytes, 0x86dd, DP_REASON_BAD_EXTENSION_HEADER);
    bytes = ipv6(17);
    push_extension(&bytes, 60, 8);
    bytes.data[41] = 200;
    expect_reason(&bytes, 0x86dd, DP_REASON_BAD_EXTENSION_HEADER);
    bytes = ipv6(60);
    put2(&bytes, 4, 4);
    expect_reason(&bytes, 0x86dd, DP_REASON_BAD_EXTENSION_HEADER);
}

Test(packet, ipv6_extension_headers_are_bounded)
{
    for (unsigned count = 1; count <= 12; count++) {
        struct bytes bytes = ipv6(17);

        for (unsigned i = 0; i < count; i++)
            push_extension(&bytes, 60, 8);
        if (count <= 8)
            cr_expect_eq(parse_good(&bytes).header_length, 40 + 8 * count);
        else
            expect_reason(&bytes, 0x86dd, DP_REASON_BAD_EXTENSION_HEADER);
    }
}

/* --- ICMP ------------------------------------------------------------------------------------- */

Test(packet, echo_identifiers_stand_for_ports)
{
    static const uint8_t types[][2] = {{8, 0}, {0, 0}, {128, 1}, {129, 1}};

    for (unsigned i = 0; i < 4; i++) {
        struct bytes bytes = types[i][1] ? ipv6(58) : ipv4(1, 0);
        const size_t at = types[i][1] ? 40 : 20;
        struct dp_packet packet;

        memset(bytes.data + at, 0, 8);
        bytes.data[at] = types[i][0];
        put2(&bytes, at + 4, 0xbeef);
        packet = parse_good(&bytes);
        cr_expect_eq(packet.icmp_type, types[i][0]);
        cr_expect(packet.has_ports);
        cr_expect_eq(packet.source_port, 0xbeef);
        cr_expect_eq(packet.destination_port, 0xbeef);
    }
}

/* An error from a router about inner, sent to inner's source. */
static struct bytes error_about(const struct bytes *inner, size_t quoted)
{
    const bool is4 = inner->data[0] >> 4 == 4;
    struct bytes bytes = is4 ? ipv4(1, 0) : ipv6(58);
    const size_t at = is4 ? 20 : 40;

    memset(bytes.data + at, 0, 8);
    bytes.data[at] = is4 ? 11 : 3;
    memcpy(bytes.data + at + 8, inner->data, quoted);
    bytes.n = at + 8 + quoted;
    if (is4) {
        memcpy(bytes.data + 16, inner->data + 12, 4);
        put2(&bytes, 2, (unsigned)bytes.n);
        checksum4(&bytes);
    } else {
        memcpy(bytes.data + 24, inner->data + 8, 16);
        put2(&bytes, 4, (unsigned)bytes.n - 40);
    }
    return bytes;
}

Test(packet, an_icmp_error_belongs_to_the_flow_that_it_quotes)
{
    struct bytes inners[3] = {ipv4(6, 12), ipv6(17), ipv6(17)};

    push_extension(&inners[2], 60, 16);
    for (unsigned i = 0; i < 3; i++) {
        const struct bytes bytes = error_about(&inners[i], inners[i].n);
        const struct dp_packet inner = parse_good(&inners[i]);
        const struct dp_packet error = parse_good(&bytes);

        cr_expect(error.icmp_error);
        cr_expect_eq(error.error_protocol, inner.protocol);
        cr_expect_eq(dp_flow_hash(&error, 5, 0), dp_flow_hash(&inner, 5, 0));
        cr_expect_eq(dp_flow_hash(&error, 3, 0), dp_flow_hash(&inner, 3, 0));
    }
}

Test(packet, an_icmp_error_quoted_too_briefly_or_of_others_is_hashed_as_itself)
{
    struct bytes inner = ipv4(6, 0);
    struct bytes bytes;

    for (size_t quoted = 0; quoted < 20; quoted++) {
        bytes = error_about(&inner, quoted);
        memcpy(bytes.data + 16, inner.data + 12, 4);
        checksum4(&bytes);
        cr_expect_not(parse_good(&bytes).icmp_error, "%zu", quoted);
    }
    bytes = error_about(&inner, inner.n);
    bytes.data[19] ^= 1;
    checksum4(&bytes);
    cr_expect_not(parse_good(&bytes).icmp_error);
}

/* --- Anything at all -------------------------------------------------------------------------- */

/* Good packets with bytes changed, inserted lengths and all: the parser answers, within bounds. */
Test(packet, damaged_packets_are_parsed_or_refused_within_their_bytes)
{
    struct test_random random = test_random_start();

    for (unsigned round = 0; round < 200000; round++) {
        const bool is4 = test_random_one_in(&random, 2);
        struct bytes bytes = is4 ? ipv4((uint8_t)test_random_next(&random), 8)
                                 : ipv6((uint8_t)test_random_next(&random));
        struct dp_packet packet;
        enum dp_reason reason;
        size_t captured;

        for (unsigned i = test_random_below(&random, 4); i > 0 && !is4; i--)
            push_extension(&bytes, (uint8_t)test_random_next(&random) % 64, 8);
        for (unsigned i = test_random_below(&random, 6); i > 0; i--)
            bytes.data[test_random_below(&random, (uint32_t)bytes.n)] =
                (uint8_t)test_random_next(&random);
        if (is4 && (bytes.data[0] & 15) * 4u <= bytes.n && test_random_one_in(&random, 2))
            checksum4(&bytes);
        captured = test_random_below(&random, (uint32_t)bytes.n + 1);
        if (parse(&bytes, captured, bytes.n, is4 ? 0x0800 : 0x86dd, &packet, &reason)) {
            cr_assert_leq(packet.header_length, captured, "seed %lu", random.seed);
            cr_assert_leq(packet.header_length, packet.total_length, "seed %lu", random.seed);
            cr_assert_leq(packet.total_length, bytes.n, "seed %lu", random.seed);
        } else {
            cr_assert_lt(reason, DP_REASON_COUNT, "seed %lu", random.seed);
        }
    }
}

/* RFC 1071 to the letter. */
static uint16_t sum_of_words(const uint8_t *bytes, size_t n)
{
    uint32_t sum = 0;

    for (size_t i = 0; i < n; i += 2)
        sum += (uint32_t)bytes[i] << 8 | bytes[i + 1];
    while (sum > 0xffff)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)sum;
}

/* Carries are what wide words could get wrong, so that most bytes are 0xff or 0. */
Test(packet, a_header_checksum_is_right_when_its_words_say_so)
{
    struct test_random random = test_random_start();
    unsigned right = 0;

    for (unsigned round = 0; round < 200000; round++) {
        const size_t n = 20 + 4 * test_random_below(&random, 11);
        uint8_t header[60];

        for (size_t i = 0; i < n; i++)
            header[i] = test_random_one_in(&random, 8)   ? (uint8_t)test_random_next(&random)
                        : test_random_one_in(&random, 3) ? 0
                                                         : 0xff;
        header[0] = (uint8_t)(0x40 | n / 4);
        if (test_random_one_in(&random, 2)) {
            header[10] = header[11] = 0;
            const uint16_t sum = (uint16_t)~sum_of_words(header, n);
            header[10] = (uint8_t)(sum >> 8);
            header[11] = (uint8_t)sum;
        }
        right += sum_of_words(header, n) == 0xffff;
        cr_assert_eq(dp_ipv4_checksum_right(header, n), sum_of_words(header, n) == 0xffff,
                     "seed %lu, round %u", random.seed, round);
    }
    cr_assert_gt(right, 50000);
}
