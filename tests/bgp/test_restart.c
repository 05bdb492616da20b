/* Which ends of a session let the peer's routes stay (RFC 4724, RFC 8538, RFC 9494), how our own
 * restart looks to a peer, and the markers of an enhanced refresh (RFC 7313). */
#include <criterion/criterion.h>
#include <string.h>

#include "tests/bgp/support.h"

#define IPV4 BGP_FAMILY_BIT(BGP_IPV4_UNICAST)

static struct bgp_session_config restarting_config(void)
{
    struct bgp_session_config config = solo_config();
    config.restart = (struct bgp_restart_config){
        .offered = true, .time_s = 120, .forwarding = true, .long_lived_s = 3600};
    return config;
}

/* A peer that restarts IPv4 gracefully, notification: after a NOTIFICATION too. */
static struct bgp_open restarting_open(bool notification)
{
    struct bgp_open open = peer_open();
    open.enhanced_refresh = true;
    open.graceful = (struct bgp_graceful){.offered = true,
                                          .notification = notification,
                                          .time_s = 90,
                                          .families = IPV4,
                                          .forwarding = IPV4};
    return open;
}

static void establish(struct solo *solo, const struct bgp_open *open)
{
    struct bgp_session_config config = restarting_config();
    solo_open(solo, &config);
    solo_establish(solo, open);
}

static void input_notification(struct solo *solo, uint8_t code, uint8_t subcode)
{
    struct bgp_error error;
    uint8_t bytes[512];
    bgp_error_set(&error, code, subcode, NULL, 0);
    solo_input(solo, BGP_OUTGOING, bytes, bgp_notification_encode(&error, bytes, sizeof bytes));
}

/* The OPEN that waits to be sent. */
static struct bgp_open sent_open(struct solo *solo, enum bgp_direction direction)
{
    uint8_t bytes[512];
    struct bgp_error error;
    struct bgp_open open;
    size_t n = solo_output(solo, direction, bytes, sizeof bytes);
    cr_assert_gt(n, 29);
    cr_assert_eq(bytes[18], BGP_OPEN);
    cr_assert(bgp_open_decode(bytes, (size_t)(bytes[16] << 8 | bytes[17]), &open, &error));
    return open;
}

Test(restart, loss_of_the_connection_keeps_the_families_of_the_peer)
{
    struct solo solo;
    struct bgp_open open = restarting_open(false);
    establish(&solo, &open);
    const struct bgp_negotiated *negotiated = bgp_session_negotiated(solo.session);
    cr_assert(negotiated->graceful_restart);
    cr_assert(!negotiated->restart_notification);
    cr_assert_eq(negotiated->restart_time_s, 90);
    cr_assert_eq(negotiated->restart_families, IPV4);
    cr_assert_eq(bgp_session_retained(solo.session), 0);
    bgp_session_closed(solo.session, BGP_OUTGOING, NULL, solo.now_ms);
    cr_assert_eq(bgp_session_retained(solo.session), IPV4);
    solo_close(&solo);
}

Test(restart, peer_without_the_capability_is_simply_gone)
{
    struct solo solo;
    struct bgp_open open = peer_open();
    establish(&solo, &open);
    bgp_session_closed(solo.session, BGP_OUTGOING, NULL, solo.now_ms);
    cr_assert_eq(bgp_session_retained(solo.session), 0);
    solo_close(&solo);
}

Test(restart, notification_keeps_routes_only_where_both_ends_said_so)
{
    for (unsigned both = 0; both < 2; both++) {
        struct solo solo;
        struct bgp_open open = restarting_open(both);
        establish(&solo, &open);
        input_notification(&solo, BGP_ERROR_CEASE, BGP_CEASE_RESET);
        cr_assert_eq(bgp_session_retained(solo.session), both ? IPV4 : 0);
        solo_close(&solo);
        establish(&solo, &open);
        pass_time(&solo, solo.now_ms + 90000); /* nothing heard: the hold timer */
        cr_assert_eq(state_of(&solo), BGP_IDLE);
        cr_assert_eq(bgp_session_retained(solo.session), both ? IPV4 : 0);
        solo_close(&solo);
    }
}

Test(restart, hard_reset_keeps_nothing)
{
    struct solo solo;
    struct bgp_open open = restarting_open(true);
    establish(&solo, &open);
    input_notification(&solo, BGP_ERROR_CEASE, BGP_CEASE_HARD_RESET);
    cr_assert_eq(bgp_session_retained(solo.session), 0);
    solo_close(&solo);
}

Test(restart, what_is_final_goes_out_as_a_hard_reset)
{
    static const struct {
        uint8_t subcode;
        bool hard;
    } cases[] = {{BGP_CEASE_SHUTDOWN, true},     {BGP_CEASE_DECONFIGURED, true},
                 {BGP_CEASE_MAX_PREFIXES, true}, {BGP_CEASE_BFD_DOWN, true},
                 {BGP_CEASE_RESET, false},       {BGP_CEASE_CHANGED, false}};
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct solo solo;
        struct bgp_open open = restarting_open(true);
        establish(&solo, &open);
        bgp_session_reset(solo.session, cases[i].subcode, "why", solo.now_ms);
        struct bgp_error error = solo_notification(&solo, BGP_OUTGOING);
        assert_error(error, BGP_ERROR_CEASE,
                     cases[i].hard ? BGP_CEASE_HARD_RESET : cases[i].subcode);
        if (cases[i].hard) {
            cr_assert_eq(error.data[0], BGP_ERROR_CEASE);
            cr_assert_eq(error.data[1], cases[i].subcode);
        }
        cr_assert_eq(bgp_session_retained(solo.session), cases[i].hard ? 0 : IPV4);
        solo_close(&solo);
    }
    /* A peer that does not know RFC 8538 is told in the old words. */
    struct solo solo;
    struct bgp_open open = restarting_open(false);
    establish(&solo, &open);
    bgp_session_stop(solo.session, BGP_CEASE_SHUTDOWN, "why", solo.now_ms);
    assert_error(solo_notification(&solo, BGP_OUTGOING), BGP_ERROR_CEASE, BGP_CEASE_SHUTDOWN);
    solo_close(&solo);
}

Test(restart, long_lived_time_is_the_shorter_of_both)
{
    struct solo solo;
    struct bgp_open open = restarting_open(true);
    open.long_lived = (struct bgp_long_lived){
        .offered = true, .families = BGP_FAMILIES_ALL, .stale_time_s = {600, 7200}};
    establish(&solo, &open);
    const struct bgp_negotiated *negotiated = bgp_session_negotiated(solo.session);
    cr_assert_eq(negotiated->long_lived_families, BGP_FAMILIES_ALL);
    cr_assert_eq(negotiated->stale_time_s[BGP_IPV4_UNICAST], 600);
    cr_assert_eq(negotiated->stale_time_s[BGP_IPV6_UNICAST], 3600);
    bgp_session_closed(solo.session, BGP_OUTGOING, NULL, solo.now_ms);
    cr_assert_eq(bgp_session_retained(solo.session), BGP_FAMILIES_ALL);
    solo_close(&solo);
    open.graceful.offered = false; /* RFC 9494 counts only beside RFC 4724 */
    establish(&solo, &open);
    cr_assert_eq(bgp_session_negotiated(solo.session)->long_lived_families, 0);
    solo_close(&solo);
}

Test(restart, own_restart_says_nothing_and_then_says_so_in_open)
{
    struct solo solo;
    struct bgp_open open = peer_open();
    establish(&solo, &open);
    uint64_t start = solo.now_ms;
    bgp_session_abandon(solo.session, 500, start);
    cr_assert_eq(state_of(&solo), BGP_IDLE);
    cr_assert_eq(solo.closes[BGP_OUTGOING], 1);
    uint8_t bytes[512];
    cr_assert_eq(solo_output(&solo, BGP_OUTGOING, bytes, sizeof bytes), 0);
    cr_assert_eq(bgp_session_retained(solo.session), BGP_FAMILIES_ALL);
    cr_assert_eq(bgp_session_pause_end(solo.session), start + 500);
    pass_time(&solo, start + 500);
    cr_assert_eq(solo.connects, 2);
    bgp_session_connected(solo.session, BGP_OUTGOING, solo.now_ms);
    cr_assert(sent_open(&solo, BGP_OUTGOING).graceful.restarting);
    solo_close(&solo);
}

Test(restart, first_open_has_no_restart_bit)
{
    struct solo solo;
    struct bgp_session_config config = restarting_config();
    solo_open(&solo, &config);
    bgp_session_start(solo.session, solo.now_ms);
    bgp_session_connected(solo.session, BGP_OUTGOING, solo.now_ms);
    struct bgp_open open = sent_open(&solo, BGP_OUTGOING);
    cr_assert(open.graceful.offered && open.graceful.notification && !open.graceful.restarting);
    cr_assert_eq(open.graceful.forwarding, BGP_FAMILIES_ALL);
    cr_assert_eq(open.long_lived.stale_time_s[BGP_IPV6_UNICAST], 3600);
    solo_close(&solo);
}

Test(restart, suspended_session_stays_idle_as_long_as_told)
{
    struct solo solo;
    struct bgp_open open = peer_open();
    establish(&solo, &open);
    uint64_t start = solo.now_ms;
    bgp_session_suspend(solo.session, BGP_CEASE_MAX_PREFIXES, NULL, 300000, start);
    cr_assert_eq(bgp_session_pause_end(solo.session), start + 300000);
    pass_time(&solo, start + 299999);
    cr_assert_eq(state_of(&solo), BGP_IDLE);
    pass_time(&solo, start + 300000);
    cr_assert_eq(state_of(&solo), BGP_CONNECT);
    solo_close(&solo);
    establish(&solo, &open);
    bgp_session_suspend(solo.session, BGP_CEASE_MAX_PREFIXES, NULL, BGP_PAUSE_FOREVER, solo.now_ms);
    cr_assert_eq(bgp_session_deadline(solo.session), UINT64_MAX);
    cr_assert_eq(bgp_session_pause_end(solo.session), BGP_PAUSE_FOREVER);
    bgp_session_start(solo.session, solo.now_ms);
    cr_assert_eq(state_of(&solo), BGP_CONNECT);
    solo_close(&solo);
}

static void input_refresh(struct solo *solo, uint8_t subtype)
{
    struct bgp_refresh refresh = {.afi = 1, .safi = 1, .subtype = subtype};
    uint8_t bytes[32];
    solo_input(solo, BGP_OUTGOING, bytes, bgp_refresh_encode(&refresh, bytes, sizeof bytes));
}

Test(restart, refresh_markers_count_only_where_they_were_agreed_on)
{
    for (unsigned enhanced = 0; enhanced < 2; enhanced++) {
        struct solo solo;
        struct bgp_open open = peer_open();
        open.enhanced_refresh = enhanced;
        establish(&solo, &open);
        input_refresh(&solo, BGP_REFRESH_BEGIN);
        input_refresh(&solo, BGP_REFRESH_END);
        input_refresh(&solo, BGP_REFRESH_END + 1);
        cr_assert_eq(solo.markers[true], enhanced);
        cr_assert_eq(solo.markers[false], enhanced);
        cr_assert_eq(solo.refreshes, 0);
        input_refresh(&solo, BGP_REFRESH_REQUEST);
        cr_assert_eq(solo.refreshes, 1);
        cr_assert_eq(state_of(&solo), BGP_ESTABLISHED);
        solo_close(&solo);
    }
}

/* RFC 4724 section 5: the machine that comes back before its loss was noticed is let in at once, and
 * its routes stay. A peer without the capability keeps what it has. */
Test(restart, newcomer_takes_the_place_of_a_graceful_peers_connection)
{
    struct solo solo;
    struct bgp_open graceful = restarting_open(false), plain = peer_open();
    struct bgp_session_config config = restarting_config();
    config.passive = true;
    for (unsigned i = 0; i < 2; i++) {
        solo_open(&solo, &config);
        bgp_session_start(solo.session, solo.now_ms);
        bgp_session_connected(solo.session, BGP_INCOMING, solo.now_ms);
        cr_assert(bgp_session_gives_way(solo.session), "no OPEN has come");
        solo_input_open(&solo, BGP_INCOMING, i == 0 ? &graceful : &plain);
        cr_assert_not(bgp_session_gives_way(solo.session));
        solo_input_keepalive(&solo, BGP_INCOMING);
        cr_assert_eq(bgp_session_state(solo.session), BGP_ESTABLISHED);
        cr_assert_eq(bgp_session_gives_way(solo.session), i == 0);
        if (i == 0) {
            bgp_session_connected(solo.session, BGP_INCOMING, solo.now_ms);
            cr_assert_eq(bgp_session_retained(solo.session), IPV4);
            cr_assert_eq(bgp_session_state(solo.session), BGP_OPEN_SENT);
            solo_input_open(&solo, BGP_INCOMING, &graceful);
            solo_input_keepalive(&solo, BGP_INCOMING);
            cr_assert_eq(bgp_session_state(solo.session), BGP_ESTABLISHED);
        }
        solo_close(&solo);
    }
}
