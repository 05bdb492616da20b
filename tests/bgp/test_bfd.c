/*
 * One BFD session: the state machine against the table of RFC 5880 section 6.2, intervals, polls
 * and demand mode against the text of section 6.8, and what the wire format refuses.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/bgp/bfd.h"

#define PEER  0x1111u
#define OWN   0x2222u
#define START 5000000u

struct told {
    unsigned n;
    struct bfd_change last;
};

static void on_changed(void *context, const struct bfd_change *change)
{
    struct told *told = context;
    told->n++;
    told->last = *change;
}

static struct bfd_session *make(uint32_t interval_us, uint8_t multiplier, struct told *told)
{
    struct bfd_session_config config = {.discriminator = OWN,
                                        .interval_us = interval_us,
                                        .multiplier = multiplier,
                                        .seed = 1,
                                        .changed = told ? on_changed : NULL,
                                        .context = told};
    struct bfd_session *session;
    cr_assert_eq(bfd_session_create(&config, &session), 0);
    bfd_session_start(session, START, 0);
    return session;
}

static struct bfd_packet from_peer(enum bfd_state state)
{
    return (struct bfd_packet){.state = state,
                               .multiplier = 3,
                               .my_discriminator = PEER,
                               .your_discriminator = OWN,
                               .desired_min_tx_us = 50000,
                               .required_min_rx_us = 50000};
}

static void give(struct bfd_session *session, enum bfd_state state, uint64_t now_us)
{
    struct bfd_packet packet = from_peer(state);
    cr_assert_eq(bfd_session_input(session, &packet, now_us), BFD_TAKEN);
}

static struct bfd_info info_of(const struct bfd_session *session)
{
    struct bfd_info info;
    bfd_session_info(session, &info);
    return info;
}

/* Pulls everything that is due and returns the last packet; *n, when given, how many there were. */
static struct bfd_packet pull(struct bfd_session *session, uint64_t now_us, unsigned *n)
{
    struct bfd_packet packet = {0}, last = {0};
    unsigned pulled = 0;
    for (; bfd_session_output(session, now_us, &packet); pulled++)
        last = packet;
    cr_assert_lt(pulled, 4, "output ends");
    if (n)
        *n = pulled;
    return last;
}

/* Brings a session that was just made to `state`. */
static void bring_to(struct bfd_session *session, enum bfd_state state, uint64_t now_us)
{
    switch (state) {
    case BFD_ADMIN_DOWN:
        bfd_session_stop(session, now_us);
        break;
    case BFD_DOWN:
        break;
    case BFD_INIT:
        give(session, BFD_DOWN, now_us);
        break;
    case BFD_UP:
        give(session, BFD_INIT, now_us);
        break;
    }
    cr_assert_eq(bfd_session_state(session), state);
}

/* --- States ----------------------------------------------------------------------------------- */

/* The oracle: rows are our state, columns the state that the peer sends. */
static const enum bfd_state next_state[4][4] = {
    [BFD_ADMIN_DOWN] = {BFD_ADMIN_DOWN, BFD_ADMIN_DOWN, BFD_ADMIN_DOWN, BFD_ADMIN_DOWN},
    [BFD_DOWN] = {BFD_DOWN, BFD_INIT, BFD_UP, BFD_DOWN},
    [BFD_INIT] = {BFD_DOWN, BFD_INIT, BFD_UP, BFD_UP},
    [BFD_UP] = {BFD_DOWN, BFD_DOWN, BFD_UP, BFD_UP},
};

Test(bfd, follows_the_state_table)
{
    for (unsigned own = 0; own < 4; own++) {
        for (unsigned remote = 0; remote < 4; remote++) {
            struct told told = {0};
            struct bfd_session *session = make(50000, 3, &told);
            bring_to(session, (enum bfd_state)own, START);
            struct bfd_packet packet = from_peer((enum bfd_state)remote);
            unsigned before = told.n;
            bfd_session_input(session, &packet, START + 1000);
            cr_expect_eq(bfd_session_state(session), next_state[own][remote], "%s, peer %s: %s",
                         bfd_state_text((enum bfd_state)own),
                         bfd_state_text((enum bfd_state)remote),
                         bfd_state_text(bfd_session_state(session)));
            cr_expect_eq(told.n - before, next_state[own][remote] != own, "told once a change");
            bfd_session_destroy(session);
        }
    }
}

/* A walk of a hundred thousand random packets and pauses, next to the table. */
Test(bfd, follows_the_state_table_over_any_sequence)
{
    struct bfd_session *session = make(50000, 3, NULL);
    enum bfd_state oracle = BFD_DOWN;
    uint64_t now_us = START, silent_us = 0;
    bool heard = false;
    srand(3);
    for (unsigned i = 0; i < 100000; i++) {
        uint64_t pause = (uint64_t)rand() % 80000;
        now_us += pause;
        silent_us += pause;
        bfd_session_tick(session, now_us);
        if (heard && silent_us >= 150000) {
            heard = false;
            oracle = oracle == BFD_INIT || oracle == BFD_UP ? BFD_DOWN : oracle;
        }
        cr_assert_eq(bfd_session_state(session), oracle, "step %u", i);
        if (rand() % 3 == 0) {
            enum bfd_state remote = (enum bfd_state)(rand() % 4);
            give(session, remote, now_us);
            oracle = next_state[oracle][remote];
            silent_us = 0;
            heard = true;
        }
        cr_assert_eq(bfd_session_state(session), oracle, "step %u", i);
    }
    cr_expect_gt(info_of(session).went_up, 100);
    bfd_session_destroy(session);
}

Test(bfd, says_why_it_went_down)
{
    struct told told = {0};
    struct bfd_session *session = make(50000, 3, &told);
    bring_to(session, BFD_UP, START);
    give(session, BFD_DOWN, START + 1000);
    cr_expect(told.last.failed);
    cr_expect_eq(told.last.diagnostic, BFD_NEIGHBOR_SIGNALED_DOWN);
    bring_to(session, BFD_DOWN, START);
    give(session, BFD_INIT, START + 2000);
    bfd_session_tick(session, START + 2000 + 150000);
    cr_expect(told.last.failed);
    cr_expect_eq(told.last.diagnostic, BFD_DETECTION_TIME_EXPIRED);
    cr_expect_eq(info_of(session).remote_discriminator, 0, "the peer may come back as another");
    give(session, BFD_INIT, START + 200000);
    give(session, BFD_ADMIN_DOWN, START + 201000);
    cr_expect_not(told.last.failed, "the operator of the peer says nothing about the path");
    cr_expect_eq(told.last.diagnostic, BFD_NEIGHBOR_SIGNALED_DOWN);
    give(session, BFD_INIT, START + 202000);
    bfd_session_stop(session, START + 203000);
    cr_expect_not(told.last.failed);
    cr_expect_eq(told.last.diagnostic, BFD_ADMINISTRATIVELY_DOWN);
    cr_expect_eq(info_of(session).went_up, 4);
    cr_expect_eq(info_of(session).went_down, 4);
    bfd_session_destroy(session);
}

Test(bfd, a_new_session_of_the_peer_is_no_failure_of_the_path)
{
    struct told told = {0};
    struct bfd_session *session = make(50000, 3, &told);
    bring_to(session, BFD_UP, START);
    struct bfd_packet packet = from_peer(BFD_DOWN);
    packet.my_discriminator = PEER + 1;
    packet.your_discriminator = 0;
    bfd_session_input(session, &packet, START + 1000);
    cr_expect_eq(told.last.to, BFD_DOWN);
    cr_expect_not(told.last.failed);
    cr_expect_eq(info_of(session).remote_discriminator, PEER + 1);
    packet.state = BFD_INIT;
    bfd_session_input(session, &packet, START + 2000);
    packet.state = BFD_DOWN;
    bfd_session_input(session, &packet, START + 3000);
    cr_expect(told.last.failed, "the same session says that it went down");
    bfd_session_destroy(session);
}

Test(bfd, a_delayed_start_waits_and_a_stop_takes_it_back)
{
    struct bfd_session *session = make(50000, 3, NULL);
    struct bfd_packet packet = from_peer(BFD_DOWN);
    bfd_session_stop(session, START);
    bfd_session_start(session, START + 10, 500000);
    cr_expect_eq(bfd_session_input(session, &packet, START + 400000), BFD_SESSION_IS_OFF);
    cr_expect_leq(bfd_session_deadline(session), START + 500010);
    bfd_session_tick(session, START + 500009);
    cr_expect_eq(bfd_session_state(session), BFD_ADMIN_DOWN);
    bfd_session_tick(session, START + 500010);
    cr_expect_eq(bfd_session_state(session), BFD_DOWN);
    bfd_session_stop(session, START + 600000);
    bfd_session_start(session, START + 600010, 500000);
    bfd_session_stop(session, START + 600020);
    bfd_session_tick(session, START + 60000000);
    cr_expect_eq(bfd_session_state(session), BFD_ADMIN_DOWN);
    bfd_session_destroy(session);
}

Test(bfd, stopped_it_tells_the_peer_and_falls_silent_and_starts_again)
{
    struct bfd_session *session = make(50000, 3, NULL);
    bring_to(session, BFD_UP, START);
    pull(session, START, NULL);
    bfd_session_stop(session, START + 1000);
    struct bfd_packet packet = pull(session, START + 1000, NULL);
    cr_expect_eq(packet.state, BFD_ADMIN_DOWN);
    cr_expect_eq(packet.diagnostic, BFD_ADMINISTRATIVELY_DOWN);
    cr_expect_not(packet.poll);
    unsigned sent = 0;
    uint64_t now_us = START + 1000;
    for (; bfd_session_deadline(session) != UINT64_MAX; sent++) {
        now_us = bfd_session_deadline(session);
        cr_assert(bfd_session_output(session, now_us, &packet));
    }
    cr_expect(sent >= 2 && sent <= 5, "%u packets in three seconds", sent);
    cr_expect(now_us < START + 5000000);
    bfd_session_start(session, now_us + 1, 0);
    packet = pull(session, now_us + 1, NULL);
    cr_expect_eq(packet.state, BFD_DOWN);
    cr_expect_eq(packet.your_discriminator, 0);
    bfd_session_destroy(session);
}

/* --- Intervals -------------------------------------------------------------------------------- */

Test(bfd, is_slow_until_it_is_up)
{
    struct bfd_session *session = make(10000, 3, NULL);
    uint64_t now_us = START, sent_us = 0;
    for (unsigned i = 0; i < 50; i++) {
        struct bfd_packet packet;
        cr_assert_geq(bfd_session_deadline(session), now_us);
        now_us = bfd_session_deadline(session);
        cr_assert(bfd_session_output(session, now_us, &packet));
        cr_expect_geq(packet.desired_min_tx_us, 1000000);
        cr_expect_eq(packet.required_min_rx_us, 10000);
        cr_expect_eq(packet.required_min_echo_rx_us, 0, "no Echo");
        if (i > 0)
            cr_expect(now_us - sent_us >= 750000 && now_us - sent_us <= 1000000);
        sent_us = now_us;
    }
    bfd_session_destroy(session);
}

/* The slower of what one wants and the other can take, in both directions, with jitter. */
Test(bfd, sends_and_detects_at_the_negotiated_intervals)
{
    static const struct {
        uint32_t own, peer_tx, peer_rx;
        uint8_t multiplier, peer_multiplier;
        uint64_t transmit, detect;
    } cases[] = {
        {50000, 50000, 50000, 3, 3, 50000, 150000},
        {50000, 10000, 10000, 3, 5, 50000, 250000},
        {10000, 100000, 200000, 3, 4, 200000, 400000},
        {300000, 300000, 1000000, 1, 1, 1000000, 300000},
        {2000000, 1, 1, 255, 255, 2000000, 510000000},
        {10000, UINT32_MAX, UINT32_MAX, 3, 255, UINT32_MAX, UINT64_C(255) * UINT32_MAX},
    };
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct bfd_session *session = make(cases[i].own, cases[i].multiplier, NULL);
        struct bfd_packet packet = from_peer(BFD_INIT), ours;
        packet.multiplier = cases[i].peer_multiplier;
        packet.desired_min_tx_us = cases[i].peer_tx;
        packet.required_min_rx_us = cases[i].peer_rx;
        bfd_session_input(session, &packet, START);
        cr_expect_eq(info_of(session).transmit_us, cases[i].transmit);
        cr_expect_eq(info_of(session).detection_us, cases[i].detect);
        uint64_t now_us = START, low = UINT64_MAX, high = 0;
        pull(session, now_us, NULL);
        for (unsigned sent = 0; sent < 200;) {
            uint64_t at_us = bfd_session_deadline(session);
            packet.state = BFD_UP;
            bfd_session_input(session, &packet, at_us); /* before its detection time is over */
            if (!bfd_session_output(session, at_us, &ours))
                continue;
            low = at_us - now_us < low ? at_us - now_us : low;
            high = at_us - now_us > high ? at_us - now_us : high;
            now_us = at_us;
            sent++;
        }
        uint64_t most = cases[i].multiplier == 1 ? cases[i].transmit / 10 * 9 : cases[i].transmit;
        cr_expect_geq(low, cases[i].transmit / 4 * 3, "case %u", i);
        cr_expect_leq(high, most, "case %u", i);
        cr_expect_gt(high - low, cases[i].transmit / 10, "case %u: no jitter", i);
        bfd_session_destroy(session);
    }
}

Test(bfd, detects_at_the_detection_time_and_not_before)
{
    struct bfd_session *session = make(50000, 3, NULL);
    bring_to(session, BFD_UP, START);
    give(session, BFD_UP, START + 40000);
    bfd_session_tick(session, START + 40000 + 149999);
    cr_expect_eq(bfd_session_state(session), BFD_UP);
    bfd_session_tick(session, START + 40000 + 150000);
    cr_expect_eq(bfd_session_state(session), BFD_DOWN);
    bfd_session_destroy(session);
}

Test(bfd, a_peer_that_wants_no_packets_gets_none_until_it_is_gone)
{
    struct bfd_session *session = make(50000, 3, NULL);
    struct bfd_packet packet = from_peer(BFD_DOWN);
    packet.required_min_rx_us = 0;
    bfd_session_input(session, &packet, START);
    cr_expect_eq(info_of(session).transmit_us, 0);
    cr_expect_not(bfd_session_output(session, START + 60000000, &packet));
    packet = from_peer(BFD_DOWN);
    packet.required_min_rx_us = 0;
    packet.poll = true;
    bfd_session_input(session, &packet, START + 1000);
    packet = pull(session, START + 1000, NULL);
    cr_expect(packet.final, "an answer is no periodic packet");
    bfd_session_tick(session, START + 1000000);
    unsigned n;
    pull(session, START + 2000000, &n);
    cr_expect_eq(n, 1, "it would never come back");
    bfd_session_destroy(session);
}

/* --- Polls and demand mode -------------------------------------------------------------------- */

Test(bfd, polls_when_its_interval_changes_until_the_answer_comes)
{
    struct bfd_session *session = make(50000, 3, NULL);
    bring_to(session, BFD_UP, START);
    struct bfd_packet packet = pull(session, START, NULL);
    cr_expect(packet.poll && !packet.final);
    cr_expect_eq(packet.desired_min_tx_us, 50000);
    give(session, BFD_UP, START + 10000);
    packet = pull(session, bfd_session_deadline(session), NULL);
    cr_expect(packet.poll, "no answer yet");
    packet = from_peer(BFD_UP);
    packet.final = true;
    bfd_session_input(session, &packet, START + 70000);
    packet = pull(session, bfd_session_deadline(session), NULL);
    cr_expect_not(packet.poll);
    bfd_session_destroy(session);
}

Test(bfd, answers_a_poll_at_once_and_never_with_a_poll)
{
    struct bfd_session *session = make(50000, 3, NULL);
    bring_to(session, BFD_UP, START);
    pull(session, START, NULL);
    struct bfd_packet packet = from_peer(BFD_UP);
    packet.poll = true;
    bfd_session_input(session, &packet, START + 1000);
    uint64_t next_us = START + 37500;
    cr_expect_leq(bfd_session_deadline(session), START + 1000);
    cr_assert(bfd_session_output(session, START + 1000, &packet));
    cr_expect(packet.final && !packet.poll);
    cr_expect_not(bfd_session_output(session, START + 1000, &packet));
    cr_expect_geq(bfd_session_deadline(session), next_us, "the periodic packets keep their time");
    bfd_session_destroy(session);
}

Test(bfd, in_demand_mode_of_the_peer_it_sends_only_answers_and_still_detects)
{
    struct bfd_session *session = make(50000, 3, NULL);
    bring_to(session, BFD_UP, START);
    pull(session, START, NULL);
    struct bfd_packet packet = from_peer(BFD_UP);
    packet.demand = true;
    packet.final = true;
    bfd_session_input(session, &packet, START + 1000);
    cr_expect_not(bfd_session_output(session, START + 100000, &packet));
    packet = from_peer(BFD_UP);
    packet.demand = packet.poll = true;
    bfd_session_input(session, &packet, START + 100000);
    packet = pull(session, START + 100000, NULL);
    cr_expect(packet.final);
    cr_expect_not(packet.demand, "we never ask for it");
    cr_expect_eq(bfd_session_deadline(session), START + 250000);
    bfd_session_tick(session, START + 250000);
    cr_expect_eq(bfd_session_state(session), BFD_DOWN);
    unsigned n;
    pull(session, START + 250000, &n);
    cr_expect_eq(n, 1, "demand mode ends with Up");
    bfd_session_destroy(session);
}

Test(bfd, refuses_a_configuration_out_of_range)
{
    struct bfd_session *session;
    struct bfd_session_config config = {.discriminator = 1, .interval_us = 1, .multiplier = 1};
    config.discriminator = 0;
    cr_expect_eq(bfd_session_create(&config, &session), -EINVAL);
    config.discriminator = 1;
    config.interval_us = 0;
    cr_expect_eq(bfd_session_create(&config, &session), -EINVAL);
    config.interval_us = 1;
    config.multiplier = 0;
    cr_expect_eq(bfd_session_create(&config, &session), -EINVAL);
}

/* --- Wire ------------------------------------------------------------------------------------- */

/* Up, poll, multiplier 5; discriminators 0x01020304 and 0x05060708; 1 s, 50 ms, no Echo. */
static const uint8_t good[BFD_PACKET_SIZE] = {0x21, 0xe0, 5,    24,   1, 2, 3,    4,    5, 6, 7, 8,
                                              0,    0x0f, 0x42, 0x40, 0, 0, 0xc3, 0x50, 0, 0, 0, 0};

Test(bfd_packet, is_read_and_written_field_by_field)
{
    struct bfd_packet packet;
    uint8_t bytes[BFD_PACKET_SIZE];
    cr_assert_eq(bfd_packet_decode(good, sizeof(good), &packet), BFD_TAKEN);
    cr_expect_eq(packet.state, BFD_UP);
    cr_expect_eq(packet.diagnostic, 1);
    cr_expect(packet.poll && !packet.final && !packet.demand);
    cr_expect_eq(packet.multiplier, 5);
    cr_expect_eq(packet.my_discriminator, 0x01020304);
    cr_expect_eq(packet.your_discriminator, 0x05060708);
    cr_expect_eq(packet.desired_min_tx_us, 1000000);
    cr_expect_eq(packet.required_min_rx_us, 50000);
    bfd_packet_encode(&packet, bytes);
    cr_expect_arr_eq(bytes, good, sizeof(bytes));
}

Test(bfd_packet, is_refused_for_each_reason)
{
    static const struct {
        unsigned at;
        uint8_t value;
        enum bfd_discard want;
    } cases[] = {
        {0, 0x01, BFD_BAD_VERSION},
        {0, 0x41, BFD_BAD_VERSION},
        {0, 0x3f, BFD_TAKEN}, /* a diagnostic that is reserved is none of our business */
        {3, 23, BFD_BAD_LENGTH},
        {3, 25, BFD_BAD_LENGTH}, /* more than there is */
        {3, 0, BFD_BAD_LENGTH},
        {2, 0, BFD_ZERO_MULTIPLIER},
        {1, 0xe1, BFD_MULTIPOINT},
        {1, 0xe4, BFD_BAD_LENGTH}, /* authentication takes two bytes at least */
    };
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint8_t bytes[BFD_PACKET_SIZE];
        struct bfd_packet packet;
        memcpy(bytes, good, sizeof(bytes));
        bytes[cases[i].at] = cases[i].value;
        cr_expect_eq(bfd_packet_decode(bytes, sizeof(bytes), &packet), cases[i].want, "case %u", i);
    }
}

Test(bfd_packet, discriminators_may_be_zero_only_where_the_rfc_says)
{
    static const enum bfd_discard want[] = {
        [BFD_ADMIN_DOWN] = BFD_TAKEN,
        [BFD_DOWN] = BFD_TAKEN,
        [BFD_INIT] = BFD_NO_YOUR_DISCRIMINATOR,
        [BFD_UP] = BFD_NO_YOUR_DISCRIMINATOR,
    };
    for (unsigned state = 0; state < 4; state++) {
        uint8_t bytes[BFD_PACKET_SIZE];
        struct bfd_packet packet;
        memcpy(bytes, good, sizeof(bytes));
        bytes[1] = (uint8_t)(state << 6);
        memset(bytes + 8, 0, 4);
        cr_expect_eq(bfd_packet_decode(bytes, sizeof(bytes), &packet), want[state]);
        memset(bytes + 4, 0, 4);
        cr_expect_eq(bfd_packet_decode(bytes, sizeof(bytes), &packet), BFD_NO_MY_DISCRIMINATOR);
    }
}

Test(bfd_packet, authentication_and_short_packets_are_refused)
{
    uint8_t bytes[64] = {0};
    struct bfd_packet packet;
    memcpy(bytes, good, sizeof(good));
    for (size_t n = 0; n < BFD_PACKET_SIZE; n++)
        cr_expect_eq(bfd_packet_decode(bytes, n, &packet), BFD_BAD_LENGTH);
    cr_expect_eq(bfd_packet_decode(bytes, sizeof(bytes), &packet), BFD_TAKEN,
                 "padding is no fault");
    bytes[1] |= 0x04;
    bytes[3] = 26;
    cr_expect_eq(bfd_packet_decode(bytes, sizeof(bytes), &packet), BFD_AUTHENTICATED);
}
