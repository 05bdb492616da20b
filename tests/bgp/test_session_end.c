/* How sessions end, what is said then, and what time alone does to them. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "tests/bgp/support.h"

/* --- Timers ----------------------------------------------------------------------------------- */

Test(session_end, hold_timer_ends_a_silent_session)
{
    struct solo solo;
    struct bgp_session_config config = solo_config();
    struct bgp_open open = peer_open();
    solo_open(&solo, &config);
    solo_establish(&solo, &open);
    uint64_t start = solo.now_ms;
    pass_time(&solo, start + 60000);
    solo_input_keepalive(&solo, BGP_OUTGOING); /* life at 60 s moves the end to 150 s */
    pass_time(&solo, start + 149999);
    cr_assert_eq(state_of(&solo), BGP_ESTABLISHED);
    pass_time(&solo, start + 150000);
    cr_assert_eq(state_of(&solo), BGP_IDLE);
    assert_error(solo_notification(&solo, BGP_OUTGOING), BGP_ERROR_HOLD_TIMER, 0);
    cr_assert_eq(solo.closes[BGP_OUTGOING], 1);
    cr_assert(strstr(solo.reason, "Hold Timer Expired (4/0)") != NULL, "%s", solo.reason);
    solo_close(&solo);
}

Test(session_end, hold_timer_waits_for_what_was_not_read)
{
    struct solo solo;
    struct bgp_session_config config = solo_config();
    struct bgp_open open = peer_open();
    solo_open(&solo, &config);
    solo_establish(&solo, &open);
    solo.input_waits = true;
    uint64_t late = solo.now_ms + 1000000;
    /* Away for longer than the hold time, and the shell reads only after the timers. */
    solo.now_ms = late;
    while (bgp_session_deadline(solo.session) <= late)
        bgp_session_tick(solo.session, late);
    cr_assert_eq(state_of(&solo), BGP_ESTABLISHED, "%s", solo.reason);
    uint8_t bytes[64];
    cr_assert_eq(solo_output(&solo, BGP_OUTGOING, bytes, sizeof bytes), BGP_HEADER_SIZE);
    solo_input_keepalive(&solo, BGP_OUTGOING);
    solo.input_waits = false;
    pass_time(&solo, late + 89999);
    cr_assert_eq(state_of(&solo), BGP_ESTABLISHED);
    pass_time(&solo, late + 90000);
    assert_error(solo_notification(&solo, BGP_OUTGOING), BGP_ERROR_HOLD_TIMER, 0);
    solo_close(&solo);
}

Test(session_end, open_sent_gives_up_after_four_minutes)
{
    struct solo solo;
    struct bgp_session_config config = solo_config();
    solo_open(&solo, &config);
    bgp_session_start(solo.session, solo.now_ms);
    bgp_session_connected(solo.session, BGP_OUTGOING, solo.now_ms);
    pass_time(&solo, solo.now_ms + 239999);
    cr_assert_eq(state_of(&solo), BGP_OPEN_SENT);
    pass_time(&solo, solo.now_ms + 1);
    assert_error(solo_notification(&solo, BGP_OUTGOING), BGP_ERROR_HOLD_TIMER, 0);
    solo_close(&solo);
}

Test(session_end, keepalives_go_out_within_their_interval)
{
    struct solo solo;
    struct bgp_session_config config = solo_config();
    struct bgp_open open = peer_open();
    solo_open(&solo, &config);
    solo_establish(&solo, &open);
    for (unsigned i = 0; i < 50; i++) {
        uint8_t bytes[64];
        uint64_t before = solo.now_ms;
        while (solo_output(&solo, BGP_OUTGOING, bytes, sizeof bytes) == 0) {
            solo.now_ms = bgp_session_deadline(solo.session);
            bgp_session_tick(solo.session, solo.now_ms);
        }
        cr_assert_eq(bytes[18], BGP_KEEPALIVE);
        cr_assert_leq(solo.now_ms - before, 30000);
        cr_assert_geq(solo.now_ms - before, 22500); /* jitter: three quarters at least */
        solo_input_keepalive(&solo, BGP_OUTGOING);
    }
    solo_close(&solo);
}

Test(session_end, peer_that_never_reads_is_cut_off)
{
    struct solo solo;
    struct bgp_session_config config = solo_config();
    struct bgp_open open = peer_open();
    solo_open(&solo, &config);
    solo_establish(&solo, &open);
    uint64_t start = solo.now_ms;
    while (state_of(&solo) == BGP_ESTABLISHED && solo.now_ms < start + 3600000) {
        solo_input_keepalive(&solo, BGP_OUTGOING);
        pass_time(&solo, solo.now_ms + 1000);
    }
    cr_assert_eq(state_of(&solo), BGP_IDLE);
    cr_assert_eq((solo.now_ms - start) / 1000, 480);
    uint8_t bytes[64];
    cr_assert_eq(solo_output(&solo, BGP_OUTGOING, bytes, sizeof bytes), 0);
    cr_assert_eq(bgp_session_last_sent(solo.session)->code, BGP_ERROR_SEND_HOLD);
    solo_close(&solo);
}

Test(session_end, time_for_a_peer_that_never_reads_can_be_set)
{
    struct solo solo;
    struct bgp_session_config config = solo_config();
    struct bgp_open open = peer_open();
    config.send_hold_time_s = 200;
    solo_open(&solo, &config);
    solo_establish(&solo, &open);
    uint64_t start = solo.now_ms;
    while (state_of(&solo) == BGP_ESTABLISHED && solo.now_ms < start + 3600000) {
        solo_input_keepalive(&solo, BGP_OUTGOING);
        pass_time(&solo, solo.now_ms + 1000);
    }
    cr_assert_eq((solo.now_ms - start) / 1000, 200);
    solo_close(&solo);
}

/* An engine that was kept off the processor for the whole send hold time, and finds something to say when it is back. */
Test(session_end, what_begins_to_wait_when_the_time_is_over_has_a_moment_to_go)
{
    struct solo solo;
    struct bgp_session_config config = solo_config();
    struct bgp_open open = peer_open();
    uint8_t bytes[4096];
    config.send_hold_time_s = 60;
    solo_open(&solo, &config);
    solo_establish(&solo, &open);
    while (solo_output(&solo, BGP_OUTGOING, bytes, sizeof bytes) > 0) {
    }
    solo.now_ms += 60000;
    solo_input_keepalive(&solo, BGP_OUTGOING);
    bgp_session_updates_pending(solo.session);
    bgp_session_tick(solo.session, solo.now_ms);
    cr_assert_eq(state_of(&solo), BGP_ESTABLISHED);
    solo_input_keepalive(&solo, BGP_OUTGOING);
    bgp_session_tick(solo.session, solo.now_ms + 1000);
    cr_assert_eq(state_of(&solo), BGP_IDLE, "and it is still not taken");
    solo_close(&solo);
}

Test(session_end, pause_in_idle_doubles_up_to_its_maximum)
{
    struct solo solo;
    struct bgp_session_config config = solo_config();
    struct bgp_open bad = peer_open();
    config.idle_hold_max_ms = 8000;
    bad.asn = 65009;
    solo_open(&solo, &config);
    bgp_session_start(solo.session, solo.now_ms);
    static const uint64_t pauses[] = {1000, 2000, 4000, 8000, 8000};
    for (unsigned i = 0; i < 5; i++) {
        bgp_session_connected(solo.session, BGP_OUTGOING, solo.now_ms);
        solo_input_open(&solo, BGP_OUTGOING, &bad);
        cr_assert_eq(state_of(&solo), BGP_IDLE);
        uint64_t pause = bgp_session_deadline(solo.session) - solo.now_ms;
        cr_assert(pause <= pauses[i] && pause >= pauses[i] * 3 / 4);
        pass_time(&solo, solo.now_ms + pause);
        cr_assert_eq(state_of(&solo), BGP_CONNECT);
    }
    solo_close(&solo);
}

Test(session_end, same_seed_same_waits)
{
    uint64_t deadlines[2];
    for (unsigned i = 0; i < 2; i++) {
        struct solo solo;
        struct bgp_session_config config = solo_config();
        config.seed = 77;
        solo_open(&solo, &config);
        bgp_session_start(solo.session, solo.now_ms);
        bgp_session_closed(solo.session, BGP_OUTGOING, NULL, solo.now_ms);
        deadlines[i] = bgp_session_deadline(solo.session);
        solo_close(&solo);
    }
    cr_assert_eq(deadlines[0], deadlines[1]);
}

/* --- Coming back ------------------------------------------------------------------------------ */

static void lose_established(struct solo *solo)
{
    struct bgp_open open = peer_open();
    bgp_session_connected(solo->session, BGP_INCOMING, solo->now_ms);
    solo_input_open(solo, BGP_INCOMING, &open);
    solo_input_keepalive(solo, BGP_INCOMING);
    cr_assert_eq(state_of(solo), BGP_ESTABLISHED, "%s", solo->reason);
    bgp_session_closed(solo->session, BGP_INCOMING, NULL, solo->now_ms);
}

/* Idle is told all the same: the routes of the peer are gone. */
Test(session_end, peer_that_left_is_let_in_at_once_unless_it_does_so_often)
{
    struct solo solo;
    struct bgp_session_config config = solo_config();
    config.passive = true;
    solo_open(&solo, &config);
    bgp_session_start(solo.session, solo.now_ms);
    for (unsigned i = 0; i < 3; i++) {
        unsigned states = solo.states;
        lose_established(&solo);
        cr_assert_eq(state_of(&solo), BGP_ACTIVE);
        cr_assert_eq(solo.states, states + 5, "OpenSent, OpenConfirm, Established, Idle, Active");
        cr_assert_str_eq(solo.reason, "incoming connection closed by the peer");
        cr_assert_eq(bgp_session_failures(solo.session), i + 1);
        cr_assert_eq(bgp_session_deadline(solo.session), UINT64_MAX);
    }
    lose_established(&solo);
    cr_assert_eq(state_of(&solo), BGP_IDLE);
    uint64_t pause = bgp_session_pause_end(solo.session) - solo.now_ms;
    cr_assert(pause >= 6000 && pause <= 8000, "the fourth: %lu ms", (unsigned long)pause);
    bgp_session_connected(solo.session, BGP_INCOMING, solo.now_ms);
    cr_assert_eq(state_of(&solo), BGP_IDLE);
    pass_time(&solo, solo.now_ms + pause);
    /* One that stayed for a while has its former losses forgotten. */
    struct bgp_open open = peer_open();
    bgp_session_connected(solo.session, BGP_INCOMING, solo.now_ms);
    solo_input_open(&solo, BGP_INCOMING, &open);
    solo_input_keepalive(&solo, BGP_INCOMING);
    pass_time(&solo, solo.now_ms + 60000);
    bgp_session_closed(solo.session, BGP_INCOMING, NULL, solo.now_ms);
    cr_assert_eq(state_of(&solo), BGP_ACTIVE);
    cr_assert_eq(bgp_session_failures(solo.session), 1);
    solo_close(&solo);
}

Test(session_end, we_call_a_peer_that_left_only_after_the_pause)
{
    struct solo solo;
    struct bgp_session_config config = solo_config();
    struct bgp_open open = peer_open();
    solo_open(&solo, &config);
    solo_establish(&solo, &open);
    bgp_session_closed(solo.session, BGP_OUTGOING, NULL, solo.now_ms);
    cr_assert_eq(state_of(&solo), BGP_ACTIVE);
    uint64_t wait = bgp_session_deadline(solo.session) - solo.now_ms;
    cr_assert(wait >= 750 && wait <= 1000);
    cr_assert_eq(solo.connects, 1);
    pass_time(&solo, solo.now_ms + wait);
    cr_assert_eq(solo.connects, 2);
    solo_close(&solo);
}

/* What an end of the session says decides whether it may be back at once. */
Test(session_end, peer_that_says_farewell_may_be_back_and_one_that_complains_may_not)
{
    static const struct {
        uint8_t code, subcode, carried[2];
        enum bgp_state state;
    } cases[] = {
        {6, 1, {0}, BGP_IDLE},    {6, 2, {0}, BGP_ACTIVE},  {6, 3, {0}, BGP_ACTIVE},
        {6, 4, {0}, BGP_ACTIVE},  {6, 5, {0}, BGP_IDLE},    {6, 6, {0}, BGP_ACTIVE},
        {6, 7, {0}, BGP_ACTIVE},  {6, 8, {0}, BGP_IDLE},    {6, 9, {6, 4}, BGP_ACTIVE},
        {6, 9, {6, 1}, BGP_IDLE}, {6, 9, {3, 1}, BGP_IDLE}, {6, 10, {0}, BGP_ACTIVE},
        {6, 11, {0}, BGP_IDLE},   {2, 2, {0}, BGP_IDLE},    {3, 1, {0}, BGP_IDLE},
        {4, 0, {0}, BGP_IDLE},    {5, 3, {0}, BGP_IDLE},    {0, 0, {0}, BGP_IDLE},
    };
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct solo solo;
        struct bgp_session_config config = solo_config();
        struct bgp_open open = peer_open();
        struct bgp_error error;
        uint8_t bytes[64];
        solo_open(&solo, &config);
        solo_establish(&solo, &open);
        bgp_error_set(&error, cases[i].code, cases[i].subcode, cases[i].carried,
                      cases[i].carried[0] != 0 ? 2 : 0);
        solo_input(&solo, BGP_OUTGOING, bytes,
                   bgp_notification_encode(&error, bytes, sizeof bytes));
        cr_assert_eq(state_of(&solo), cases[i].state, "%u/%u: %s", cases[i].code, cases[i].subcode,
                     bgp_state_text(state_of(&solo)));
        cr_assert_eq(solo.closes[BGP_OUTGOING], 1);
        solo_close(&solo);
    }
}

/* --- The ways down ---------------------------------------------------------------------------- */

Test(session_end, stop_says_cease_with_a_message_and_stays_down)
{
    struct solo solo;
    struct bgp_session_config config = solo_config();
    struct bgp_open open = peer_open();
    solo_open(&solo, &config);
    solo_establish(&solo, &open);
    bgp_session_stop(solo.session, BGP_CEASE_SHUTDOWN, "maintenance", solo.now_ms);
    struct bgp_error error = solo_notification(&solo, BGP_OUTGOING);
    assert_error(error, BGP_ERROR_CEASE, BGP_CEASE_SHUTDOWN);
    cr_assert_eq(error.length, 12);
    cr_assert_arr_eq(error.data, "\x0bmaintenance", 12);
    cr_assert_eq(bgp_session_deadline(solo.session), UINT64_MAX);
    bgp_session_start(solo.session, solo.now_ms);
    cr_assert_eq(state_of(&solo), BGP_CONNECT);
    solo_close(&solo);
}

Test(session_end, reset_comes_back_by_itself)
{
    struct solo solo;
    struct bgp_session_config config = solo_config();
    struct bgp_open open = peer_open();
    solo_open(&solo, &config);
    solo_establish(&solo, &open);
    bgp_session_reset(solo.session, BGP_CEASE_MAX_PREFIXES, NULL, solo.now_ms);
    assert_error(solo_notification(&solo, BGP_OUTGOING), BGP_ERROR_CEASE, BGP_CEASE_MAX_PREFIXES);
    cr_assert_eq(state_of(&solo), BGP_IDLE);
    pass_time(&solo, solo.now_ms + 1000);
    cr_assert_eq(state_of(&solo), BGP_CONNECT);
    solo_close(&solo);
}

Test(session_end, notification_from_the_peer_ends_it_without_an_answer)
{
    struct solo solo;
    struct bgp_session_config config = solo_config();
    struct bgp_open open = peer_open();
    struct bgp_error error;
    uint8_t bytes[256];
    solo_open(&solo, &config);
    solo_establish(&solo, &open);
    bgp_error_set_shutdown(&error, BGP_CEASE_SHUTDOWN, "rack 7 \x07 goes down");
    solo_input(&solo, BGP_OUTGOING, bytes, bgp_notification_encode(&error, bytes, sizeof bytes));
    cr_assert_eq(state_of(&solo), BGP_ACTIVE);
    cr_assert_eq(solo_output(&solo, BGP_OUTGOING, bytes, sizeof bytes), 0);
    cr_assert_str_eq(solo.reason, "received NOTIFICATION Cease/Administrative Shutdown (6/2): "
                                  "\"rack 7 . goes down\"");
    cr_assert_eq(bgp_session_last_received(solo.session)->subcode, BGP_CEASE_SHUTDOWN);
    solo_close(&solo);
}

Test(session_end, lost_connection_in_open_sent_waits_in_active)
{
    struct solo solo;
    struct bgp_session_config config = solo_config();
    solo_open(&solo, &config);
    bgp_session_start(solo.session, solo.now_ms);
    bgp_session_connected(solo.session, BGP_OUTGOING, solo.now_ms);
    bgp_session_closed(solo.session, BGP_OUTGOING, NULL, solo.now_ms);
    cr_assert_eq(state_of(&solo), BGP_ACTIVE);
    pass_time(&solo, solo.now_ms + 10000);
    cr_assert_eq(solo.connects, 2);
    solo_close(&solo);
}

Test(session_end, messages_out_of_place_are_fsm_errors)
{
    static const struct {
        unsigned before; /* messages taken before: 0 none, 1 OPEN, 2 OPEN and KEEPALIVE */
        uint8_t type, subcode;
    } cases[] = {{0, BGP_KEEPALIVE, 1}, {0, BGP_UPDATE, 1}, {0, BGP_ROUTE_REFRESH, 1},
                 {1, BGP_OPEN, 2},      {1, BGP_UPDATE, 2}, {1, BGP_ROUTE_REFRESH, 2},
                 {2, BGP_OPEN, 3}};
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct solo solo;
        struct bgp_session_config config = solo_config();
        struct bgp_open open = peer_open();
        uint8_t body[16] = {0}, bytes[128];
        solo_open(&solo, &config);
        bgp_session_start(solo.session, solo.now_ms);
        bgp_session_connected(solo.session, BGP_OUTGOING, solo.now_ms);
        if (cases[i].before > 0) {
            solo_input_open(&solo, BGP_OUTGOING, &open);
        }
        if (cases[i].before > 1) {
            solo_input_keepalive(&solo, BGP_OUTGOING);
        }
        size_t n = cases[i].type == BGP_KEEPALIVE ? 0 : cases[i].type == BGP_OPEN ? 10 : 4;
        solo_input(&solo, BGP_OUTGOING, bytes, message_around(cases[i].type, body, n, bytes));
        struct bgp_error error = solo_notification(&solo, BGP_OUTGOING);
        assert_error(error, BGP_ERROR_FSM, cases[i].subcode);
        cr_assert_eq(error.length, 1);
        cr_assert_eq(error.data[0], cases[i].type);
        solo_close(&solo);
    }
}

Test(session_end, garbage_gets_the_header_error_that_fits)
{
    static const struct {
        const char *hex;
        uint8_t subcode, length;
        uint8_t data[2];
    } cases[] = {
        {"00ffffffffffffffffffffffffffffff 0013 04", 1, 0, {0}},
        {"fffffffffffffffffffffffffffffffe 0013 04", 1, 0, {0}},
        {"474554202f20485454502f312e310d0a 0d0a 20", 1, 0, {0}}, /* a web browser */
        {"ffffffffffffffffffffffffffffffff 0012 04", 2, 2, {0, 18}},
        {"ffffffffffffffffffffffffffffffff 0000 02", 2, 2, {0, 0}},
        {"ffffffffffffffffffffffffffffffff 0014 04", 2, 2, {0, 20}}, /* KEEPALIVE too long */
        {"ffffffffffffffffffffffffffffffff 001c 01", 2, 2, {0, 28}}, /* OPEN too short */
        {"ffffffffffffffffffffffffffffffff 0016 02", 2, 2, {0, 22}}, /* UPDATE too short */
        {"ffffffffffffffffffffffffffffffff 0014 03", 2, 2, {0, 20}}, /* NOTIFICATION too short */
        {"ffffffffffffffffffffffffffffffff 0016 05", 2, 2, {0, 22}},
        {"ffffffffffffffffffffffffffffffff 1001 02", 2, 2, {16, 1}}, /* 4,097 octets */
        {"ffffffffffffffffffffffffffffffff 0013 00", 3, 1, {0}},
        {"ffffffffffffffffffffffffffffffff 0013 06", 3, 1, {6}},
        {"ffffffffffffffffffffffffffffffff 0013 ff", 3, 1, {255}},
    };
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct solo solo;
        struct bgp_session_config config = solo_config();
        struct bgp_open open = peer_open();
        uint8_t bytes[32];
        size_t n = bytes_from_hex(cases[i].hex, bytes, sizeof bytes);
        solo_open(&solo, &config);
        solo_establish(&solo, &open);
        solo_input(&solo, BGP_OUTGOING, bytes, n);
        struct bgp_error error = solo_notification(&solo, BGP_OUTGOING);
        assert_error(error, BGP_ERROR_HEADER, cases[i].subcode);
        cr_assert_eq(error.length, cases[i].length, "case %u", i);
        cr_assert_arr_eq(error.data, cases[i].data, cases[i].length);
        solo_close(&solo);
    }
}

Test(session_end, reset_from_within_the_handler_ends_it_there)
{
    struct solo solo;
    struct bgp_session_config config = solo_config();
    struct bgp_open open = peer_open();
    uint8_t body[128], bytes[1024];
    /* Each UPDATE announces an IPv6 and an IPv4 prefix; both come in one read. */
    size_t size = bytes_from_hex("0000 0034 800e1d 0002 01 10 20010db8000000000000000000000001 00"
                                 "30 20010db80001 00 40010100 400206 0201 0000fde9"
                                 "400304 0a000004 18 0a0100",
                                 body, sizeof body);
    size_t n = message_around(BGP_UPDATE, body, size, bytes);
    n += message_around(BGP_UPDATE, body, size, bytes + n);
    solo_open(&solo, &config);
    solo_establish(&solo, &open);
    solo_input(&solo, BGP_OUTGOING, bytes, n);
    cr_assert_eq(solo.announced, 6, "%u: %s", solo.announced, solo.reason);
    solo.announced = 0;
    solo.reset_at = 1;
    solo_input(&solo, BGP_OUTGOING, bytes, n);
    cr_assert_eq(solo.announced, 1, "nothing is told after the reset");
    cr_assert_eq(state_of(&solo), BGP_IDLE);
    assert_error(solo_notification(&solo, BGP_OUTGOING), BGP_ERROR_CEASE, BGP_CEASE_MAX_PREFIXES);
    solo_close(&solo);
}
