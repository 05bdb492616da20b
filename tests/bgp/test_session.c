/* The session's way up, its OPEN, messages while it stands, and bytes split anywhere. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "tests/bgp/support.h"

/* --- The way up ------------------------------------------------------------------------------- */

Test(session, goes_through_all_six_states)
{
    struct solo solo;
    struct bgp_session_config config = solo_config();
    struct bgp_open open = peer_open();
    solo_open(&solo, &config);
    cr_assert_eq(state_of(&solo), BGP_IDLE);
    bgp_session_start(solo.session, solo.now_ms);
    cr_assert_eq(state_of(&solo), BGP_CONNECT);
    cr_assert_eq(solo.connects, 1);
    bgp_session_closed(solo.session, BGP_OUTGOING, "refused", solo.now_ms);
    cr_assert_eq(state_of(&solo), BGP_ACTIVE);
    pass_time(&solo, solo.now_ms + 10000);
    cr_assert_eq(state_of(&solo), BGP_CONNECT);
    cr_assert_eq(solo.connects, 2);
    bgp_session_connected(solo.session, BGP_OUTGOING, solo.now_ms);
    cr_assert_eq(state_of(&solo), BGP_OPEN_SENT);
    cr_assert_eq(solo.readies[BGP_OUTGOING], 1);
    solo_input_open(&solo, BGP_OUTGOING, &open);
    cr_assert_eq(state_of(&solo), BGP_OPEN_CONFIRM);
    solo_input_keepalive(&solo, BGP_OUTGOING);
    cr_assert_eq(state_of(&solo), BGP_ESTABLISHED);
    const struct bgp_negotiated *negotiated = bgp_session_negotiated(solo.session);
    cr_assert_eq(negotiated->hold_time_s, 90);
    cr_assert_eq(negotiated->keepalive_ms, 30000);
    cr_assert_eq(negotiated->families, BGP_FAMILIES_ALL);
    cr_assert(negotiated->four_octet_as && negotiated->route_refresh);
    cr_assert(!negotiated->extended_messages);
    cr_assert_eq(negotiated->peer_identifier, 0x0a000002);
    solo_close(&solo);
}

Test(session, output_is_an_open_and_a_keepalive)
{
    struct solo solo;
    struct bgp_session_config config = solo_config();
    struct bgp_open open = peer_open(), sent;
    struct bgp_error error;
    uint8_t bytes[512];
    solo_open(&solo, &config);
    bgp_session_start(solo.session, solo.now_ms);
    bgp_session_connected(solo.session, BGP_OUTGOING, solo.now_ms);
    solo_input_open(&solo, BGP_OUTGOING, &open); /* before our OPEN was even fetched */
    size_t n = solo_output(&solo, BGP_OUTGOING, bytes, sizeof bytes);
    size_t first = (size_t)(bytes[16] << 8 | bytes[17]);
    cr_assert_eq(n, first + BGP_HEADER_SIZE);
    cr_assert(bgp_open_decode(bytes, first, &sent, &error));
    cr_assert_eq(sent.asn, 65515);
    cr_assert_eq(sent.hold_time_s, 180);
    cr_assert_eq(bytes[first + 18], BGP_KEEPALIVE);
    solo_close(&solo);
}

Test(session, passive_waits_and_accepts)
{
    struct solo solo;
    struct bgp_session_config config = solo_config();
    struct bgp_open open = peer_open();
    config.passive = true;
    solo_open(&solo, &config);
    bgp_session_start(solo.session, solo.now_ms);
    cr_assert_eq(state_of(&solo), BGP_ACTIVE);
    pass_time(&solo, solo.now_ms + 3600000);
    cr_assert_eq(solo.connects, 0);
    bgp_session_connected(solo.session, BGP_INCOMING, solo.now_ms);
    solo_input_open(&solo, BGP_INCOMING, &open);
    solo_input_keepalive(&solo, BGP_INCOMING);
    cr_assert_eq(state_of(&solo), BGP_ESTABLISHED);
    cr_assert_eq(bgp_session_negotiated(solo.session)->direction, BGP_INCOMING);
    solo_close(&solo);
}

Test(session, idle_refuses_connections)
{
    struct solo solo;
    struct bgp_session_config config = solo_config();
    solo_open(&solo, &config);
    bgp_session_connected(solo.session, BGP_INCOMING, solo.now_ms);
    cr_assert_eq(solo.closes[BGP_INCOMING], 1);
    cr_assert_eq(state_of(&solo), BGP_IDLE);
    uint8_t bytes[64];
    cr_assert_eq(solo_output(&solo, BGP_INCOMING, bytes, sizeof bytes), 0);
    solo_close(&solo);
}

/* --- OPEN ------------------------------------------------------------------------------------- */

static struct bgp_error answer_to_open(const struct bgp_session_config *config,
                                       const struct bgp_open *open)
{
    struct solo solo;
    solo_open(&solo, config);
    bgp_session_start(solo.session, solo.now_ms);
    bgp_session_connected(solo.session, BGP_OUTGOING, solo.now_ms);
    solo_input_open(&solo, BGP_OUTGOING, open);
    struct bgp_error error = solo_notification(&solo, BGP_OUTGOING);
    cr_assert_eq(error.code != 0, state_of(&solo) == BGP_IDLE);
    cr_assert_eq(solo.closes[BGP_OUTGOING], error.code != 0);
    solo_close(&solo);
    return error;
}

Test(session, open_is_checked_against_the_configuration)
{
    struct bgp_session_config config = solo_config();
    struct bgp_open open = peer_open();
    open.asn = 65009;
    assert_error(answer_to_open(&config, &open), BGP_ERROR_OPEN, BGP_OPEN_BAD_PEER_AS);
    open = peer_open();
    open.families = 0;
    struct bgp_error error = answer_to_open(&config, &open);
    assert_error(error, 0, 0); /* no such capability at all stands for IPv4 unicast */
    config.families = BGP_FAMILY_BIT(BGP_IPV6_UNICAST);
    error = answer_to_open(&config, &open);
    assert_error(error, BGP_ERROR_OPEN, BGP_OPEN_BAD_CAPABILITY);
    cr_assert_eq(error.length, 6);
    cr_assert_arr_eq(error.data, ((uint8_t[]){1, 4, 0, 2, 0, 1}), 6);
    /* iBGP: an identifier like ours; eBGP: RFC 6286 allows it. */
    config = solo_config();
    open = peer_open();
    open.identifier = config.identifier;
    assert_error(answer_to_open(&config, &open), 0, 0);
    config.peer_asn = open.asn = 65515;
    assert_error(answer_to_open(&config, &open), BGP_ERROR_OPEN, BGP_OPEN_BAD_IDENTIFIER);
    /* A 4-octet AS needs the capability: AS_TRANS alone is nobody. */
    config = solo_config();
    config.peer_asn = open.asn = 4200000001;
    open.identifier = 9;
    assert_error(answer_to_open(&config, &open), 0, 0);
    open.four_octet_as = false;
    assert_error(answer_to_open(&config, &open), BGP_ERROR_OPEN, BGP_OPEN_BAD_PEER_AS);
}

Test(session, hold_time_is_the_smaller_and_zero_means_none)
{
    static const struct {
        uint16_t ours, theirs, keepalive_s, agreed;
        uint32_t keepalive_ms;
    } cases[] = {{180, 90, 0, 90, 30000}, {9, 90, 0, 9, 3000},        {180, 0, 0, 0, 0},
                 {0, 180, 0, 0, 0},       {180, 180, 20, 180, 20000}, {30, 30, 20, 30, 10000}};
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct solo solo;
        struct bgp_session_config config = solo_config();
        struct bgp_open open = peer_open();
        config.hold_time_s = cases[i].ours;
        config.keepalive_s = cases[i].keepalive_s;
        open.hold_time_s = cases[i].theirs;
        solo_open(&solo, &config);
        solo_establish(&solo, &open);
        cr_assert_eq(bgp_session_negotiated(solo.session)->hold_time_s, cases[i].agreed);
        cr_assert_eq(bgp_session_negotiated(solo.session)->keepalive_ms, cases[i].keepalive_ms);
        if (cases[i].agreed == 0) {
            cr_assert_eq(bgp_session_deadline(solo.session), UINT64_MAX);
        }
        solo_close(&solo);
    }
}

/* --- Messages in Established ------------------------------------------------------------------ */

Test(session, route_refresh_and_end_of_rib_are_told)
{
    struct solo solo;
    struct bgp_session_config config = solo_config();
    struct bgp_open open = peer_open();
    uint8_t bytes[64];
    solo_open(&solo, &config);
    solo_establish(&solo, &open);
    struct bgp_refresh refresh = {.afi = 2, .safi = 1};
    solo_input(&solo, BGP_OUTGOING, bytes, bgp_refresh_encode(&refresh, bytes, sizeof bytes));
    cr_assert_eq(solo.refreshes, 1);
    refresh.afi = 25; /* a family that was not agreed on is passed over */
    solo_input(&solo, BGP_OUTGOING, bytes, bgp_refresh_encode(&refresh, bytes, sizeof bytes));
    cr_assert_eq(solo.refreshes, 1);
    for (unsigned i = 0; i < BGP_FAMILY_COUNT; i++) {
        size_t n = bgp_end_of_rib_encode((enum bgp_family)i, bytes, sizeof bytes);
        solo_input(&solo, BGP_OUTGOING, bytes, n);
        cr_assert_eq(solo.end_of_ribs, i + 1);
    }
    cr_assert_eq(bgp_session_request_refresh(solo.session, BGP_IPV6_UNICAST), 0);
    cr_assert_eq(solo_output(&solo, BGP_OUTGOING, bytes, sizeof bytes), 23);
    cr_assert_arr_eq(bytes + 18, ((uint8_t[]){5, 0, 2, 0, 1}), 5);
    cr_assert_eq(state_of(&solo), BGP_ESTABLISHED);
    solo_close(&solo);
}

Test(session, refresh_of_a_wrong_length_is_an_error)
{
    struct solo solo;
    struct bgp_session_config config = solo_config();
    struct bgp_open open = peer_open();
    uint8_t body[5] = {0, 1, 0, 1, 0}, bytes[64];
    solo_open(&solo, &config);
    solo_establish(&solo, &open);
    solo_input(&solo, BGP_OUTGOING, bytes, message_around(BGP_ROUTE_REFRESH, body, 5, bytes));
    assert_error(solo_notification(&solo, BGP_OUTGOING), BGP_ERROR_ROUTE_REFRESH,
                 BGP_REFRESH_BAD_LENGTH);
    solo_close(&solo);
}

Test(session, any_buffer_size_gives_the_same_stream)
{
    static const size_t capacities[] = {1, 18, 100, 4095, 4096, 65536};
    uint8_t body[4] = {0}, update[64], reference[256], got[256];
    size_t update_size = message_around(BGP_UPDATE, body, 4, update), reference_size = 0;
    for (unsigned i = 0; i < sizeof capacities / sizeof capacities[0]; i++) {
        struct solo solo;
        struct bgp_session_config config = solo_config();
        struct bgp_open open = peer_open();
        static uint8_t bytes[65536];
        solo_open(&solo, &config);
        solo_establish(&solo, &open);
        solo.updates = update;
        solo.updates_size = update_size;
        bgp_session_request_refresh(solo.session, BGP_IPV4_UNICAST);
        bgp_session_updates_pending(solo.session);
        size_t n = 0, k;
        while ((k = bgp_session_output(solo.session, BGP_OUTGOING, bytes, capacities[i],
                                       solo.now_ms)) > 0) {
            memcpy(got + n, bytes, k);
            n += k;
        }
        if (i == 0) {
            memcpy(reference, got, n);
            reference_size = n;
        }
        cr_assert_eq(n, 23 + update_size);
        cr_assert_eq(n, reference_size);
        cr_assert_arr_eq(got, reference, n);
        cr_assert_eq(bgp_session_counters(solo.session)->messages_out[BGP_UPDATE], 1);
        solo_close(&solo);
    }
}

/* A recorded exchange: OPEN, KEEPALIVE, an UPDATE of both families, withdrawal, refresh,
 * End-of-RIB. */
#define TWO_FAMILIES                                                                               \
    "0000 0034 900e001c 0002 01 10 20010db8000000000000000000000001 00 30 20010db80001"            \
    " 40010100 400206 0201 0000fde9 c00804 fde90064"

static size_t recorded_exchange(uint8_t *bytes)
{
    static const char *const updates[] = {
        "0000 001b 400101 00 400206 0201 0000fde9 400304 0a000004 c00804 fde90064 180a0000 100a01",
        TWO_FAMILIES,
        "0004 180a0000 0000",
    };
    struct bgp_open open = peer_open();
    struct bgp_refresh refresh = {.afi = 1, .safi = 1};
    size_t n = bgp_open_encode(&open, bytes, 256);
    n += bgp_keepalive_encode(bytes + n, 64);
    for (unsigned i = 0; i < sizeof updates / sizeof updates[0]; i++) {
        uint8_t body[128];
        size_t size = bytes_from_hex(updates[i], body, sizeof body);
        n += message_around(BGP_UPDATE, body, size, bytes + n);
    }
    n += bgp_refresh_encode(&refresh, bytes + n, 64);
    return n + bgp_end_of_rib_encode(BGP_IPV6_UNICAST, bytes + n, 64);
}

static void check_exchange(const struct solo *solo, size_t split)
{
    cr_assert_eq(state_of(solo), BGP_ESTABLISHED, "split at %zu: %s", split, solo->reason);
    cr_assert_eq(solo->announced, 3, "split at %zu: %u", split, solo->announced);
    cr_assert_eq(solo->withdrawn, 1, "split at %zu", split);
    cr_assert_eq(solo->refreshes, 1);
    cr_assert_eq(solo->end_of_ribs, 1);
    cr_assert_eq(solo->notices, 0, "%s", solo->notice);
}

Test(session, bytes_may_be_split_anywhere)
{
    uint8_t bytes[1024];
    size_t n = recorded_exchange(bytes);
    for (size_t split = 0; split <= n; split++) {
        struct solo solo;
        struct bgp_session_config config = solo_config();
        solo_open(&solo, &config);
        bgp_session_start(solo.session, solo.now_ms);
        bgp_session_connected(solo.session, BGP_OUTGOING, solo.now_ms);
        solo_input(&solo, BGP_OUTGOING, bytes, split);
        solo_input(&solo, BGP_OUTGOING, bytes + split, n - split);
        check_exchange(&solo, split);
        solo_close(&solo);
    }
    struct solo solo; /* and one byte at a time */
    struct bgp_session_config config = solo_config();
    solo_open(&solo, &config);
    bgp_session_start(solo.session, solo.now_ms);
    bgp_session_connected(solo.session, BGP_OUTGOING, solo.now_ms);
    for (size_t i = 0; i < n; i++) {
        solo_input(&solo, BGP_OUTGOING, bytes + i, 1);
    }
    check_exchange(&solo, n + 1);
    solo_close(&solo);
}
