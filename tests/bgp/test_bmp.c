/* BMP messages: bytes by hand from the figures of RFC 7854, RFC 8671 and RFC 9069. */
#include <criterion/criterion.h>
#include <string.h>

#include "engine/bgp/bmp.h"
#include "tests/bgp/support.h"

static uint8_t bytes[4096], wanted[4096];

static void assert_bytes(size_t n, const char *hex)
{
    size_t size = bytes_from_hex(hex, wanted, sizeof(wanted));

    cr_assert_eq(n, size, "%zu octets, not %zu", n, size);
    for (size_t i = 0; i < n; i++)
        cr_assert_eq(bytes[i], wanted[i], "octet %zu is %02x, not %02x", i, bytes[i], wanted[i]);
}

/* 10.0.1.4 of AS 65001, identifier 1.2.3.4, at 1,700,000,000.250000 s. */
static struct bmp_peer some_peer(void)
{
    return (struct bmp_peer){
        .type = BMP_PEER_GLOBAL,
        .address = address_of("10.0.1.4"),
        .asn = 65001,
        .identifier = 0x01020304,
        .time_us = UINT64_C(1700000000250000),
    };
}
#define PEER_10_0_1_4                                                                              \
    "0000000000000000 00000000 00000000 00000000 0a000104 0000fde9 01020304 6553f100 0003d090"

Test(bmp, initiation_names_the_sender)
{
    assert_bytes(bmp_initiation_encode("Fingerpost 1", "hub", bytes, sizeof(bytes)),
                 "03 0000001d 04"
                 "0001 000c 46696e676572706f73742031"
                 "0002 0003 687562");
}

Test(bmp, a_text_is_cut_where_it_is_too_long)
{
    char text[BMP_TEXT_MAX + 100];

    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    cr_assert_eq(bmp_initiation_encode(text, "", bytes, sizeof(bytes)), 6 + 4 + BMP_TEXT_MAX + 4);
}

Test(bmp, termination_has_a_reason)
{
    assert_bytes(
        bmp_termination_encode(BMP_TERMINATION_ADMINISTRATIVE, "bye", bytes, sizeof(bytes)),
        "03 00000013 05 0000 0003 627965 0001 0002 0000");
    assert_bytes(bmp_termination_encode(BMP_TERMINATION_UNSPECIFIED, NULL, bytes, sizeof(bytes)),
                 "03 0000000c 05 0001 0002 0001");
}

Test(bmp, peer_up_has_both_opens)
{
    const struct bmp_peer peer = some_peer();
    const uint8_t sent[] = {1, 2, 3}, received[] = {4, 5};
    const struct bmp_peer_up up = {
        .local_address = address_of("10.0.0.4"),
        .local_port = 179,
        .remote_port = 40001,
        .sent = sent,
        .sent_size = sizeof(sent),
        .received = received,
        .received_size = sizeof(received),
        .name = "nva1",
    };

    assert_bytes(bmp_peer_up_encode(&peer, &up, bytes, sizeof(bytes)),
                 "03 00000051 03 00 00" PEER_10_0_1_4
                 "00000000 00000000 00000000 0a000004 00b3 9c41 010203 0405 0000 0004 6e766131");
}

Test(bmp, ipv6_peers_and_instances_show_in_the_header)
{
    struct bmp_peer peer = some_peer();

    peer.type = BMP_PEER_LOCAL;
    peer.distinguisher = UINT64_C(0x0000000200000001);
    peer.address = address_of("2001:db8::7");
    peer.flags = BMP_FLAG_POST_POLICY | BMP_FLAG_ADJ_RIB_OUT;
    peer.time_us = 0;
    bmp_route_header(&peer, 23, bytes);
    assert_bytes(BMP_ROUTE_SIZE,
                 "03 00000047 00 02 d0 0000000200000001 20010db8 00000000 00000000 00000007"
                 "0000fde9 01020304 00000000 00000000");
}

Test(bmp, peer_down_tells_who_closed)
{
    const struct bmp_peer peer = some_peer();
    struct bmp_peer_down down = {.reason = BMP_DOWN_SENT};

    bgp_error_set(&down.error, BGP_ERROR_CEASE, BGP_CEASE_SHUTDOWN, NULL, 0);
    assert_bytes(bmp_peer_down_encode(&peer, &down, bytes, sizeof(bytes)),
                 "03 00000046 02 00 00" PEER_10_0_1_4
                 "01 ffffffffffffffffffffffffffffffff 0015 03 06 02");
    down.reason = BMP_DOWN_LOST;
    assert_bytes(bmp_peer_down_encode(&peer, &down, bytes, sizeof(bytes)),
                 "03 00000031 02 00 00" PEER_10_0_1_4 "04");
    down.reason = BMP_DOWN_SILENT;
    down.event = BMP_EVENT_SEND_HOLD_EXPIRED;
    assert_bytes(bmp_peer_down_encode(&peer, &down, bytes, sizeof(bytes)),
                 "03 00000033 02 00 00" PEER_10_0_1_4 "02 001d");
}

Test(bmp, the_loc_rib_has_neither_address_nor_view_flag)
{
    const struct bmp_peer peer = {.type = BMP_PEER_LOC_RIB, .asn = 65515, .identifier = 0x0a000004};
    const struct bmp_peer_down down = {.reason = BMP_DOWN_LOC_RIB, .name = "rs1"};

    assert_bytes(bmp_peer_down_encode(&peer, &down, bytes, sizeof(bytes)),
                 "03 00000038 02 03 00 0000000000000000 00000000000000000000000000000000"
                 "0000ffeb 0a000004 00000000 00000000 06 0003 0003 727331");
}

Test(bmp, statistics_have_the_widths_of_their_types)
{
    const struct bmp_peer peer = some_peer();
    struct bmp_statistics_writer writer;

    bmp_statistics_begin(&writer, &peer, bytes, sizeof(bytes));
    bmp_statistics_add(&writer, BMP_STATISTIC_ADJ_RIB_IN, 0, 7);
    bmp_statistics_add(&writer, BMP_STATISTIC_TREATED_AS_WITHDRAW, 0, UINT64_C(0x100000002));
    bmp_statistics_add(&writer, BMP_STATISTIC_ADJ_RIB_IN_FAMILY, BGP_IPV6_UNICAST, 3);
    assert_bytes(bmp_statistics_end(&writer), "03 00000057 01 00 00" PEER_10_0_1_4 "00000003"
                                              "0007 0008 0000000000000007"
                                              "000b 0004 00000002"
                                              "0009 000b 0002 01 0000000000000003");
}

Test(bmp, nothing_is_written_past_the_capacity)
{
    const struct bmp_peer peer = some_peer();
    const struct bmp_peer_up up = {
        .sent = wanted, .sent_size = 29, .received = wanted, .received_size = 29, .name = "nva1"};
    const struct bmp_peer_down down = {.reason = BMP_DOWN_SENT};
    struct bmp_statistics_writer writer;

    for (size_t capacity = 0; capacity < 200; capacity++) {
        memset(bytes, 0xee, sizeof(bytes));
        bmp_statistics_begin(&writer, &peer, bytes, capacity);
        bmp_statistics_add(&writer, BMP_STATISTIC_ADJ_RIB_IN, 0, 7);
        cr_assert_eq(bmp_statistics_end(&writer), capacity >= 64 ? 64u : 0u);
        cr_assert_eq(bmp_peer_up_encode(&peer, &up, bytes, capacity), capacity >= 134 ? 134u : 0u);
        cr_assert_eq(bmp_peer_down_encode(&peer, &down, bytes, capacity),
                     capacity >= 70 ? 70u : 0u);
        cr_assert_eq(bmp_initiation_encode("a", "b", bytes, capacity), capacity >= 16 ? 16u : 0u);
        cr_assert_eq(bmp_termination_encode(0, "a", bytes, capacity), capacity >= 17 ? 17u : 0u);
        for (size_t i = capacity; i < capacity + 100; i++)
            cr_assert_eq(bytes[i], 0xee);
    }
}
