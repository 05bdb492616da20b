/*
 * Packets that mean no good: frames of every kind that the packet path tells apart, cut at each byte, with
 * each byte of their headers changed, with lengths and checksums that are wrong, in pieces, with headers without end.
 *
 * Whatever comes, testbed_pair_try() sees to it that what leaves is well-formed, that everything is counted once, that
 * no buffer is lost, and that the express way and the long one agree; frames lie in memory that ends with them, so that
 * the sanitizer builds see a byte that is read too far. What a case knows better it says itself.
 */
#include <criterion/criterion.h>
#include <string.h>

#include "tests/dataplane/testbed_pair.h"

#define ETHERNET 14u
#define HEADERS  130u /* as many bytes as headers of any kind here have */

static struct testbed_pair pair;
static struct frame original, frame;

static void open_beds(void)
{
    testbed_pair_open(&pair, &(struct testbed_options){0});
}

static void close_beds(void)
{
    testbed_pair_close(&pair);
}

TestSuite(hostile, .init = open_beds, .fini = close_beds);

/* --- Bursts ------------------------------------------------------------------------------------- */

/* Gathered until a burst is full: copies of `frame` as it is. */
static struct {
    unsigned n, port;
    struct testbed_frame frames[DP_BURST];
    uint8_t bytes[DP_BURST][8192];
} burst;

static struct testbed_outcome flush(void)
{
    struct testbed_outcome outcome = {0};

    if (burst.n > 0)
        outcome = testbed_pair_try(&pair, burst.port, burst.frames, burst.n);
    burst.n = 0;
    for (unsigned way = 0; way < BED_WAYS; way++)
        testbed_reset(&pair.beds[way]);
    return outcome;
}

static void send(unsigned port, unsigned segments)
{
    if (burst.n == DP_BURST || (burst.n > 0 && burst.port != port))
        flush();
    cr_assert_leq(frame.captured, sizeof(burst.bytes[0]));
    memcpy(burst.bytes[burst.n], frame.bytes, frame.captured);
    burst.port = port;
    burst.frames[burst.n] =
        (struct testbed_frame){burst.bytes[burst.n], frame.captured, segments, true};
    burst.n++;
}

static struct testbed_outcome send_alone(unsigned port, unsigned segments)
{
    flush();
    send(port, segments);
    return flush();
}

/* --- Cut ---------------------------------------------------------------------------------------- */

static uint32_t whole_length(void)
{
    const uint8_t *type = original.bytes + 12;
    uint32_t at = ETHERNET;

    while ((type[0] == 0x81 && type[1] == 0) || (type[0] == 0x88 && type[1] == 0xa8)) {
        type += 4;
        at += 4;
    }
    if (type[0] == 0x08 && type[1] == 0)
        return at + (uint32_t)(original.bytes[at + 2] << 8 | original.bytes[at + 3]);
    if (type[0] == 0x86)
        return at + 40 + (uint32_t)(original.bytes[at + 4] << 8 | original.bytes[at + 5]);
    return original.captured;
}

/* No frame goes through that is not all there. */
Test(hostile, frames_that_end_at_any_byte)
{
    for (unsigned kind = 0; kind < testbed_frame_kinds(); kind++) {
        const unsigned port = testbed_frame_make(kind, &original);
        const uint32_t whole = whole_length();

        cr_assert_leq(whole, original.captured, "%s", testbed_frame_name(kind));
        for (uint32_t n = 0; n < whole && n < 400; n++) {
            struct testbed_outcome outcome;

            frame = original;
            frame.captured = n;
            outcome = send_alone(port, 1);
            cr_assert_eq(outcome.dropped, 1, "%s, %u of %u bytes: not dropped",
                         testbed_frame_name(kind), n, whole);
        }
    }
}

/* Only where a header is in two pieces may that matter: nothing is put together to look at it. */
Test(hostile, frames_in_pieces)
{
    for (unsigned kind = 0; kind < testbed_frame_kinds(); kind++) {
        const unsigned port = testbed_frame_make(kind, &original);
        struct testbed_outcome whole;

        frame = original;
        whole = send_alone(port, 1);
        for (unsigned segments = 2; segments < 40; segments += segments < 6 ? 1 : 7) {
            struct testbed_outcome outcome = send_alone(port, segments);

            cr_assert(outcome.dropped == 1 || (outcome.forwarded == whole.forwarded &&
                                               outcome.answered == whole.answered),
                      "%s in %u pieces", testbed_frame_name(kind), segments);
        }
    }
}

/* What is behind a datagram is the link's, however it is cut. */
Test(hostile, padding_in_pieces_of_its_own)
{
    static const char *const kinds[] = {"udp4",    "udp6", "echo4",    "echo6",   "tunnel4",
                                        "tunnel6", "far4", "through4", "decided4"};

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        const unsigned port = testbed_frame_named(kinds[i], &original);

        for (unsigned segments = 2; segments < 7; segments++) {
            struct testbed_outcome outcome;

            frame = original;
            memset(frame.bytes + frame.captured, 0xee, 1000);
            frame.captured += 1000;
            outcome = send_alone(port, segments);
            cr_assert_eq(outcome.forwarded + outcome.answered, 1, "%s in %u pieces", kinds[i],
                         segments);
        }
    }
}

/* --- Changed ------------------------------------------------------------------------------------ */

static void try_values(unsigned port, size_t at)
{
    static const uint8_t values[] = {0x00, 0xff, 0x45, 0x60, 0x04, 0x2b};

    for (size_t i = 0; i < sizeof(values); i++) {
        frame = original;
        frame.bytes[at] = values[i];
        send(port, 1 + (unsigned)(i % 2));
    }
    for (unsigned bit = 0; bit < 8; bit++) {
        frame = original;
        frame.bytes[at] ^= (uint8_t)(1u << bit);
        if (frame.bytes[12] == 0x08) /* so that it gets past the checksum */
            frame_seal4(&frame, ETHERNET);
        send(port, 1);
    }
}

Test(hostile, every_byte_of_every_header)
{
    for (unsigned kind = 0; kind < testbed_frame_kinds(); kind++) {
        const unsigned port = testbed_frame_make(kind, &original);

        for (size_t at = 0; at < original.captured && at < HEADERS; at++)
            try_values(port, at);
        flush();
    }
}

/* --- Lengths and checksums ---------------------------------------------------------------------- */

static void store16(size_t at, unsigned value)
{
    frame.bytes[at] = (uint8_t)(value >> 8);
    frame.bytes[at + 1] = (uint8_t)value;
}

static const char *const of_both_families[] = {"udp4", "udp6"};

Test(hostile, lengths_that_say_something_else)
{
    for (unsigned six = 0; six < 2; six++) {
        const unsigned port = testbed_frame_named(of_both_families[six], &original);
        const uint32_t fixed = six ? 0 : 20, right = original.captured - ETHERNET - (six ? 40 : 0);

        for (uint32_t length = 0; length < 65536; length += length < 200 ? 1 : 4093) {
            struct testbed_outcome outcome;

            frame = original;
            store16(ETHERNET + (six ? 4 : 2), length);
            if (!six)
                frame_seal4(&frame, ETHERNET);
            outcome = send_alone(port, 1);
            if (length < fixed || length > right)
                cr_assert_eq(outcome.reasons[DP_REASON_BAD_TOTAL_LENGTH], 1, "length %u", length);
            else
                cr_assert_eq(outcome.forwarded, 1, "length %u", length);
        }
    }
}

Test(hostile, checksums_of_any_value_but_the_right_one)
{
    const unsigned port = testbed_frame_named("udp4", &original);
    const unsigned right =
        (unsigned)(original.bytes[ETHERNET + 10] << 8) | original.bytes[ETHERNET + 11];

    for (unsigned value = 0; value < 65536; value += 251) {
        frame = original;
        store16(ETHERNET + 10, value);
        if (value != right)
            cr_assert_eq(send_alone(port, 1).reasons[DP_REASON_BAD_CHECKSUM], 1, "%04x", value);
    }
}

/* The tunnel's own lengths: of IP, of UDP, and what is in it. */
Test(hostile, tunnels_that_say_something_else)
{
    static const char *const kinds[] = {"tunnel4", "tunnel6", "decided4", "decided6"};

    for (size_t i = 0; i < 4; i++) {
        const unsigned port = testbed_frame_named(kinds[i], &original);
        const uint32_t udp = ETHERNET + (i % 2 ? 40 : 20);

        for (uint32_t length = 0; length < 200; length++) {
            frame = original;
            store16(udp + 4, length);
            if (length != original.captured - udp)
                cr_assert_eq(send_alone(port, 1).reasons[DP_REASON_VXLAN_BAD], 1, "%s, %u bytes",
                             kinds[i], length);
        }
        frame = original;
        frame.bytes[udp + 8] = 0; /* no VNI */
        cr_assert_eq(send_alone(port, 1).reasons[DP_REASON_VXLAN_BAD], 1);
        frame = original;
        store16(udp + 6, 0x1234);
        cr_assert_eq(send_alone(port, 1).reasons[DP_REASON_VXLAN_BAD], 1);
    }
}

/* --- Headers without end ------------------------------------------------------------------------ */

static void build_chain(unsigned headers, uint8_t kind, uint8_t last)
{
    uint8_t header[8] = {kind, 0, 1, 4};

    original.captured = ETHERNET + 40; /* the fixed header alone */
    original.bytes[ETHERNET + 6] = headers > 0 ? kind : last;
    for (unsigned i = 0; i < headers; i++) {
        header[0] = i + 1 < headers ? kind : last;
        frame_add(&original, header, sizeof(header));
    }
    frame_add(&original, "\x03\xe8\x00\x35\x00\x08\x00\x00", 8);
    frame = original;
    store16(ETHERNET + 4, frame.captured - ETHERNET - 40);
}

Test(hostile, chains_of_extension_headers)
{
    static const uint8_t kinds[] = {43, 60, 135, 139, 140};

    for (size_t i = 0; i < sizeof(kinds); i++) {
        for (unsigned headers = 0; headers < 200; headers += headers < 12 ? 1 : 47) {
            const unsigned port = testbed_frame_named("udp6", &original);
            struct testbed_outcome outcome;

            build_chain(headers, kinds[i], 17);
            outcome = send_alone(port, 1);
            cr_assert_eq(headers <= 8 ? outcome.forwarded
                                      : outcome.reasons[DP_REASON_BAD_EXTENSION_HEADER],
                         1, "%u headers of kind %u", headers, kinds[i]);
        }
    }
}

/* A header that names itself as the next, to the very end of the packet; hop-by-hop twice, or late. */
Test(hostile, chains_that_never_reach_a_protocol)
{
    static const uint8_t kinds[] = {0, 43, 44, 51, 60, 135};

    for (size_t i = 0; i < sizeof(kinds); i++) {
        for (unsigned headers = 1; headers < 12; headers++) {
            const unsigned port = testbed_frame_named("udp6", &original);

            build_chain(headers, kinds[i], kinds[i]);
            frame.captured -= 8;
            store16(ETHERNET + 4, frame.captured - ETHERNET - 40);
            cr_assert_eq(send_alone(port, 1).forwarded, kinds[i] == 44 ? 1 : 0, "%u of kind %u",
                         headers, kinds[i]);
        }
    }
}

/* --- Giant and tiny ----------------------------------------------------------------------------- */

Test(hostile, tags_upon_tags)
{
    const unsigned port = testbed_frame_named("from_nva2", &original);

    frame = original;
    for (unsigned tags = 1; tags < 40; tags++) {
        const struct testbed_outcome outcome = send_alone(port, 1);

        cr_assert_eq(tags <= DP_VLAN_TAG_MAX ? outcome.forwarded
                                             : outcome.reasons[DP_REASON_UNKNOWN_ETHERTYPE],
                     1, "%u tags", tags);
        frame_tag(&frame, 0x8100, BED_VLAN_NVA2);
    }
}

/* Longer than any link here, up to what IP can say: refused with a word where the family says so; else cut, as far as it
 * came in one buffer. */
static void expect_giant(const struct testbed_outcome *outcome, bool six, uint32_t n)
{
    const bool fits = n <= ETHERNET + BED_MTU, one_buffer = n <= 2048;

    cr_assert_eq(outcome->forwarded, fits || (!six && one_buffer), "%u bytes", n);
    cr_assert_eq(outcome->reasons[DP_REASON_MTU], six && !fits, "%u bytes", n);
    cr_assert_eq(outcome->reasons[DP_REASON_NO_BUFFER], !six && !one_buffer, "%u bytes", n);
    cr_assert_eq(outcome->fates[BED_PIECE], !six && !fits && one_buffer ? 2 : 0);
    cr_assert_eq(outcome->fates[BED_REFUSED], six && !fits);
}

Test(hostile, giants)
{
    static uint8_t giant[BED_FRAME_MAX];

    for (unsigned six = 0; six < 2; six++) {
        const unsigned port = testbed_frame_named(of_both_families[six], &original);

        for (uint32_t n = 1400; n <= sizeof(giant); n = n < 1600 ? n + 1 : n * 9 / 8) {
            const struct testbed_frame sent = {giant, n, 1, n > 2048};
            struct testbed_outcome outcome;

            frame = original;
            store16(ETHERNET + (six ? 4 : 2), n - ETHERNET - (six ? 40 : 0));
            if (!six)
                frame_seal4(&frame, ETHERNET);
            memcpy(giant, frame.bytes, 100);
            flush();
            outcome = testbed_pair_try(&pair, port, &sent, 1);
            expect_giant(&outcome, six, n);
        }
    }
}

/* An answer goes by the link that the question came by, and is as long. */
Test(hostile, giants_that_want_an_answer)
{
    static uint8_t giant[9000];
    const struct testbed_frame sent = {giant, sizeof(giant), 1, true};
    const unsigned port = testbed_frame_named("echo4", &original);
    const uint32_t icmp = ETHERNET + 20;

    frame = original;
    store16(ETHERNET + 2, sizeof(giant) - ETHERNET);
    frame_seal4(&frame, ETHERNET);
    memcpy(giant, frame.bytes, frame.captured);
    memset(giant + icmp + 2, 0, 2);
    frame.captured = 0;
    store16(0, 0xffffu - sum16(giant + icmp, sizeof(giant) - icmp, 0));
    memcpy(giant + icmp + 2, frame.bytes, 2);
    cr_assert_eq(testbed_pair_try(&pair, port, &sent, 1).reasons[DP_REASON_MTU], 1);
}

Test(hostile, nothing_at_all)
{
    for (unsigned port = 0; port < BED_PORTS; port++) {
        for (unsigned n = 0; n < ETHERNET; n++) {
            memset(frame.bytes, 0xff, ETHERNET);
            frame.captured = n;
            cr_assert_eq(send_alone(port, 1).reasons[DP_REASON_TOO_SHORT], 1);
        }
    }
}
