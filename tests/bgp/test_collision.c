/* Two connections to one peer: which stays (RFC 4271 section 6.8, RFC 6286). */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "tests/bgp/support.h"

/* Both connections are there; the OPEN comes first on `first`. Which one stays? */
static void check_collision(uint32_t our_identifier, uint32_t our_asn, enum bgp_direction first,
                            enum bgp_direction stays)
{
    struct solo solo;
    struct bgp_session_config config = solo_config();
    struct bgp_open open = peer_open();
    enum bgp_direction goes = stays == BGP_OUTGOING ? BGP_INCOMING : BGP_OUTGOING;
    config.identifier = our_identifier;
    config.local_asn = our_asn;
    solo_open(&solo, &config);
    bgp_session_start(solo.session, solo.now_ms);
    bgp_session_connected(solo.session, BGP_OUTGOING, solo.now_ms);
    bgp_session_connected(solo.session, BGP_INCOMING, solo.now_ms);
    solo_input_open(&solo, first, &open);
    assert_error(solo_notification(&solo, goes), BGP_ERROR_CEASE, BGP_CEASE_COLLISION);
    cr_assert_eq(solo.closes[goes], 1);
    cr_assert_eq(solo.closes[stays], 0);
    bgp_session_closed(solo.session, goes, NULL, solo.now_ms);
    if (first != stays) {
        cr_assert_eq(state_of(&solo), BGP_OPEN_SENT);
        solo_input_open(&solo, stays, &open);
    }
    solo_input_keepalive(&solo, stays);
    cr_assert_eq(state_of(&solo), BGP_ESTABLISHED);
    cr_assert_eq(bgp_session_negotiated(solo.session)->direction, stays);
    solo_close(&solo);
}

Test(collision, collision_leaves_the_connection_of_the_higher_identifier)
{
    /* The peer is 10.0.0.2, AS 65001. */
    check_collision(0x0a000001, 65515, BGP_OUTGOING, BGP_INCOMING);
    check_collision(0x0a000001, 65515, BGP_INCOMING, BGP_INCOMING);
    check_collision(0x0a000003, 65515, BGP_OUTGOING, BGP_OUTGOING);
    check_collision(0x0a000003, 65515, BGP_INCOMING, BGP_OUTGOING);
    /* Equal identifiers: the higher AS (RFC 6286). */
    check_collision(0x0a000002, 65515, BGP_OUTGOING, BGP_OUTGOING);
    check_collision(0x0a000002, 64512, BGP_OUTGOING, BGP_INCOMING);
}

Test(collision, collision_in_open_confirm_is_decided_by_the_second_open)
{
    struct solo solo;
    struct bgp_session_config config = solo_config();
    struct bgp_open open = peer_open();
    solo_open(&solo, &config);
    bgp_session_start(solo.session, solo.now_ms);
    bgp_session_connected(solo.session, BGP_OUTGOING, solo.now_ms);
    solo_input_open(&solo, BGP_OUTGOING, &open);
    bgp_session_connected(solo.session, BGP_INCOMING, solo.now_ms);
    solo_input_open(&solo, BGP_INCOMING, &open);
    cr_assert_eq(solo.closes[BGP_OUTGOING], 1);
    assert_error(solo_notification(&solo, BGP_OUTGOING), BGP_ERROR_CEASE, BGP_CEASE_COLLISION);
    solo_input_keepalive(&solo, BGP_INCOMING);
    cr_assert_eq(state_of(&solo), BGP_ESTABLISHED);
    solo_close(&solo);
}

Test(collision, established_connection_wins_every_collision)
{
    struct solo solo;
    struct bgp_session_config config = solo_config();
    struct bgp_open open = peer_open();
    solo_open(&solo, &config);
    solo_establish(&solo, &open);
    bgp_session_connected(solo.session, BGP_INCOMING, solo.now_ms);
    solo_input_open(&solo, BGP_INCOMING, &open);
    assert_error(solo_notification(&solo, BGP_INCOMING), BGP_ERROR_CEASE, BGP_CEASE_COLLISION);
    cr_assert_eq(state_of(&solo), BGP_ESTABLISHED);
    cr_assert_eq(solo.states, 4); /* Connect, OpenSent, OpenConfirm, Established */
    solo_close(&solo);
}

Test(collision, outgoing_attempt_is_dropped_once_established)
{
    struct solo solo;
    struct bgp_session_config config = solo_config();
    struct bgp_open open = peer_open();
    solo_open(&solo, &config);
    bgp_session_start(solo.session, solo.now_ms);
    bgp_session_connected(solo.session, BGP_INCOMING, solo.now_ms);
    solo_input_open(&solo, BGP_INCOMING, &open);
    solo_input_keepalive(&solo, BGP_INCOMING);
    cr_assert_eq(solo.closes[BGP_OUTGOING], 1);
    bgp_session_connected(solo.session, BGP_OUTGOING, solo.now_ms); /* too late */
    cr_assert_eq(solo.closes[BGP_OUTGOING], 2);
    cr_assert_eq(state_of(&solo), BGP_ESTABLISHED);
    solo_close(&solo);
}

Test(collision, silent_incoming_connection_does_not_stop_us_from_trying)
{
    struct solo solo;
    struct bgp_session_config config = solo_config();
    solo_open(&solo, &config);
    bgp_session_start(solo.session, solo.now_ms);
    bgp_session_connected(solo.session, BGP_OUTGOING, solo.now_ms);
    bgp_session_connected(solo.session, BGP_INCOMING, solo.now_ms);
    bgp_session_closed(solo.session, BGP_OUTGOING, "reset", solo.now_ms);
    cr_assert_eq(state_of(&solo), BGP_OPEN_SENT);
    pass_time(&solo, solo.now_ms + 10000);
    cr_assert_eq(solo.connects, 2);
    solo_close(&solo);
}
