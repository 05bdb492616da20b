/*
 * Every drop reason is reached: one frame for each, made of one that goes through. A reason that is new
 * fails here until it has its own.
 */
#include <criterion/criterion.h>
#include <string.h>

#include "tests/dataplane/testbed_pair.h"

#define ETHERNET 14u

static struct testbed_pair pair;
static struct frame frame;

static void open_beds(void)
{
    testbed_pair_open(&pair, &(struct testbed_options){0});
}

static void close_beds(void)
{
    testbed_pair_close(&pair);
}

TestSuite(reasons, .init = open_beds, .fini = close_beds);

/* --- Ways to be dropped ------------------------------------------------------------------------- */

static void put4(size_t at, uint8_t a, uint8_t b, uint8_t c, uint8_t d)
{
    const uint8_t address[4] = {a, b, c, d};

    memcpy(frame.bytes + ETHERNET + at, address, sizeof(address));
    frame_seal4(&frame, ETHERNET);
}

static void end_early(void)
{
    frame.captured = 13;
}
static void change_source_mac(void)
{
    frame.bytes[11] = 0x77;
}
static void change_destination_mac(void)
{
    frame.bytes[5] ^= 1;
}
static void change_version(void)
{
    frame.bytes[ETHERNET] = 0x65;
}
static void shorten_header(void)
{
    frame.bytes[ETHERNET] = 0x44;
}
static void lengthen(void)
{
    frame.bytes[ETHERNET + 2] = 0xff;
    frame_seal4(&frame, ETHERNET);
}
static void break_checksum(void)
{
    frame.bytes[ETHERNET + 10] ^= 1;
}
static void lengthen_extension(void)
{
    frame.bytes[ETHERNET + 41] = 0xff;
}
static void from_loopback(void)
{
    put4(12, 127, 0, 0, 1);
}
static void from_elsewhere(void)
{
    put4(12, 10, 1, 0, 9);
}
static void to_group(void)
{
    put4(16, 224, 0, 0, 1);
}
static void to_everybody(void)
{
    put4(16, 10, 1, 0, 255);
}
static void to_platform(void)
{
    put4(16, 168, 63, 129, 16);
}
static void ask_elsewhere(void)
{
    frame.bytes[ETHERNET + 24] = 11;
}

static void limit(struct testbed *bed)
{
    testbed_limit_answers(bed, 0);
}

static const struct way {
    const char *kind;     /* of testbed_frame_name() */
    void (*damage)(void); /* to `frame` */
    void (*prepare)(struct testbed *bed);
    bool clogged;
} ways[DP_REASON_COUNT] = {
    [DP_REASON_TOO_SHORT] = {"udp4", end_early},
    [DP_REASON_UNKNOWN_ATTACHMENT] = {"from_peer", change_source_mac},
    [DP_REASON_NOT_FOR_GATEWAY_MAC] = {"udp4", change_destination_mac},
    [DP_REASON_BAD_VERSION] = {"udp4", change_version},
    [DP_REASON_BAD_HEADER_LENGTH] = {"udp4", shorten_header},
    [DP_REASON_BAD_TOTAL_LENGTH] = {"udp4", lengthen},
    [DP_REASON_BAD_CHECKSUM] = {"udp4", break_checksum},
    [DP_REASON_BAD_EXTENSION_HEADER] = {"hop_by_hop", lengthen_extension},
    [DP_REASON_MARTIAN] = {"udp4", from_loopback},
    [DP_REASON_MULTICAST] = {"udp4", to_group},
    [DP_REASON_BROADCAST] = {"udp4", to_everybody},
    [DP_REASON_UNKNOWN_ETHERTYPE] = {"ethertype"},
    [DP_REASON_NEIGHBOR_NOT_HERE] = {"arp", ask_elsewhere},
    [DP_REASON_PLATFORM_ADDRESS] = {"udp4", to_platform},
    [DP_REASON_TTL_EXPIRED] = {"time_over4"},
    [DP_REASON_SOURCE_CHECK] = {"udp4", from_elsewhere},
    [DP_REASON_NO_ROUTE] = {"without_route"},
    [DP_REASON_NULL_ROUTE] = {"null_route"},
    [DP_REASON_NEXT_HOP_UNREACHABLE] = {"unreachable6"},
    [DP_REASON_RECEIVER_NOT_FORWARDING] = {"not_forwarding"},
    [DP_REASON_FORWARDED_TRAFFIC_NOT_ALLOWED] = {"forwarded_in"},
    [DP_REASON_ACCESS_NOT_ALLOWED] = {"no_access"},
    [DP_REASON_MTU] = {"larger6"},
    [DP_REASON_VXLAN_BAD] = {"tunnel_fragment"},
    [DP_REASON_VXLAN_UNKNOWN_VNI] = {"unknown_vni"},
    [DP_REASON_NO_HEALTHY_BACKEND] = {"no_backend"},
    [DP_REASON_NO_MEMBER] = {"nobody4"},
    [DP_REASON_RATE_LIMITED] = {"echo4", .prepare = limit},
    [DP_REASON_PORT_DOWN] = {"absent"},
    [DP_REASON_TX_FULL] = {"udp4", .clogged = true},
    [DP_REASON_NO_BUFFER] = {"larger4", .prepare = testbed_take_buffers},
};

/* --- The test ----------------------------------------------------------------------------------- */

static void try_reason(enum dp_reason reason)
{
    const struct way *way = &ways[reason];
    const char *name = dp_reason_name(reason);
    struct testbed_outcome outcome;
    struct testbed_frame sent = {.bytes = frame.bytes, .segments = 1, .exact = true};
    unsigned port;

    cr_assert_not_null(way->kind, "no frame of this test is dropped as %s", name);
    port = testbed_frame_named(way->kind, &frame);
    if (way->damage)
        way->damage();
    for (unsigned i = 0; i < BED_WAYS; i++) {
        testbed_reset(&pair.beds[i]);
        if (way->prepare)
            way->prepare(&pair.beds[i]);
    }
    sent.n = frame.captured;
    if (way->clogged) {
        cr_assert_eq(testbed_pair_try_clogged(&pair, port, &sent, 1, 0), 1, "%s", name);
        return;
    }
    outcome = testbed_pair_try(&pair, port, &sent, 1);
    cr_assert_eq(outcome.reasons[reason], 1, "%s is not dropped as %s", way->kind, name);
    cr_assert_eq(outcome.forwarded + outcome.answered + outcome.dropped, 1);
}

Test(reasons, each_is_reached_by_a_frame)
{
    for (unsigned reason = 0; reason < DP_REASON_COUNT; reason++)
        try_reason((enum dp_reason)reason);
}

/* Else the table above would show nothing: what is damaged there goes through when it is not. */
Test(reasons, frames_that_are_right_go_through)
{
    static const char *const right[] = {"udp4",      "udp6",       "from_peer", "hop_by_hop",
                                        "larger4",   "echo4",      "tunnel4",   "decided6",
                                        "arp",       "from_nva2",  "far6",      "frontend4",
                                        "internet4", "extensions", "transit6"};

    for (size_t i = 0; i < sizeof(right) / sizeof(right[0]); i++) {
        const unsigned port = testbed_frame_named(right[i], &frame);
        const struct testbed_frame sent = {frame.bytes, frame.captured, 1, true};
        const struct testbed_outcome outcome = testbed_pair_try(&pair, port, &sent, 1);

        cr_assert_eq(outcome.dropped, 0, "%s", right[i]);
        cr_assert_eq(outcome.forwarded + outcome.answered, 1, "%s", right[i]);
    }
}
