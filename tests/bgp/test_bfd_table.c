/*
 * Tables of BFD sessions: two of them over a virtual link that loses, delays and repeats packets;
 * who a packet belongs to; and that the heap never forgets or hurries anyone.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/bgp/bfd_table.h"

static struct lpm_address address(const char *text)
{
    struct lpm_address parsed;
    cr_assert_eq(lpm_address_parse(text, &parsed), 0);
    return parsed;
}

static struct bfd_path path_of(const char *local, const char *remote, bool multihop)
{
    return (struct bfd_path){address(local), address(remote), multihop};
}

/* --- Two ends --------------------------------------------------------------------------------- */

struct under_way {
    uint64_t at_us;
    unsigned to;
    uint8_t bytes[BFD_PACKET_SIZE];
};

struct pair {
    struct bfd_table *tables[2];
    const struct bfd_session *sessions[2];
    struct bfd_path paths[2];
    struct under_way queue[256];
    unsigned n;
    uint64_t now_us;
    unsigned loss_percent, repeat_percent;
    bool cut;
    unsigned failed[2];
    uint64_t failed_us[2];
};

struct end {
    struct pair *pair;
    unsigned index;
};

static void on_changed(void *context, void *user, const struct bfd_change *change)
{
    struct pair *pair = context;
    unsigned end = (unsigned)(uintptr_t)user;
    if (change->failed) {
        pair->failed[end]++;
        pair->failed_us[end] = pair->now_us;
    }
}

static void pair_open(struct pair *pair, uint32_t interval_us, uint8_t multiplier)
{
    memset(pair, 0, sizeof(*pair));
    pair->now_us = 1000000;
    pair->paths[0] = path_of("10.0.0.1", "10.0.0.2", false);
    pair->paths[1] = path_of("10.0.0.2", "10.0.0.1", false);
    for (unsigned i = 0; i < 2; i++) {
        struct bfd_table_config config = {.seed = i + 1, .changed = on_changed, .context = pair};
        pair->tables[i] = bfd_table_create(&config);
        cr_assert_eq(bfd_table_add(pair->tables[i], &pair->paths[i], interval_us, multiplier,
                                   (void *)(uintptr_t)i, &pair->sessions[i]),
                     0);
        bfd_table_start(pair->tables[i], pair->sessions[i], pair->now_us, 0);
    }
}

static void pair_close(struct pair *pair)
{
    bfd_table_destroy(pair->tables[0]);
    bfd_table_destroy(pair->tables[1]);
}

static void put_under_way(struct pair *pair, unsigned to, const uint8_t *bytes)
{
    if (pair->cut || (unsigned)rand() % 100 < pair->loss_percent)
        return;
    unsigned copies = 1 + ((unsigned)rand() % 100 < pair->repeat_percent);
    for (; copies > 0 && pair->n < 256; copies--) {
        struct under_way *packet = &pair->queue[pair->n++];
        packet->at_us = pair->now_us + 100 + (uint64_t)rand() % 2000; /* they overtake each other */
        packet->to = to;
        memcpy(packet->bytes, bytes, BFD_PACKET_SIZE);
    }
}

static uint64_t next_us(const struct pair *pair)
{
    uint64_t next = bfd_table_deadline(pair->tables[0]);
    uint64_t other = bfd_table_deadline(pair->tables[1]);
    next = other < next ? other : next;
    for (unsigned i = 0; i < pair->n; i++)
        next = pair->queue[i].at_us < next ? pair->queue[i].at_us : next;
    return next > pair->now_us ? next : pair->now_us;
}

static void deliver(struct pair *pair)
{
    for (unsigned i = 0; i < pair->n;) {
        struct under_way packet = pair->queue[i];
        if (packet.at_us > pair->now_us) {
            i++;
            continue;
        }
        pair->queue[i] = pair->queue[--pair->n];
        if (!pair->cut)
            bfd_table_input(pair->tables[packet.to], &pair->paths[packet.to], 255, packet.bytes,
                            BFD_PACKET_SIZE, pair->now_us);
    }
}

static void pair_run(struct pair *pair, uint64_t until_us)
{
    struct bfd_datagram datagram;
    while (next_us(pair) <= until_us) {
        pair->now_us = next_us(pair);
        deliver(pair);
        for (unsigned i = 0; i < 2; i++)
            while (bfd_table_output(pair->tables[i], pair->now_us, &datagram))
                put_under_way(pair, !i, datagram.bytes);
    }
    pair->now_us = until_us;
}

static bool both(const struct pair *pair, enum bfd_state state)
{
    return bfd_session_state(pair->sessions[0]) == state &&
           bfd_session_state(pair->sessions[1]) == state;
}

Test(bfd_table, two_ends_come_up_and_stay_up)
{
    struct pair pair;
    srand(1);
    pair_open(&pair, 50000, 3);
    pair_run(&pair, 3000000);
    cr_assert(both(&pair, BFD_UP));
    pair_run(&pair, 600000000);
    cr_expect(both(&pair, BFD_UP));
    cr_expect_eq(pair.failed[0] + pair.failed[1], 0);
    struct bfd_info info;
    bfd_session_info(pair.sessions[0], &info);
    cr_expect_not(info.polling, "every poll was answered");
    cr_expect(info.packets_out > 600 * 20 && info.packets_out < 600 * 27, "%lu in ten minutes",
              (unsigned long)info.packets_out);
    pair_close(&pair);
}

/* From the last packet that came to the detection is the detection time, at both ends. */
Test(bfd_table, both_ends_notice_a_cut_in_the_detection_time)
{
    static const uint32_t intervals[] = {10000, 50000, 100000, 300000};
    for (unsigned i = 0; i < 4; i++) {
        struct pair pair;
        srand(2);
        pair_open(&pair, intervals[i], 3);
        pair_run(&pair, 10000000);
        cr_assert(both(&pair, BFD_UP));
        pair.cut = true;
        pair_run(&pair, 20000000);
        for (unsigned end = 0; end < 2; end++) {
            uint64_t took = pair.failed_us[end] - 10000000;
            cr_expect_eq(pair.failed[end], 1);
            cr_expect(took <= 3 * intervals[i] && took >= 2 * intervals[i] - 2200, "%lu us",
                      (unsigned long)took);
        }
        pair.cut = false;
        pair_run(&pair, 25000000);
        cr_expect(both(&pair, BFD_UP), "back after the cut");
        pair_close(&pair);
    }
}

/* Three in a row are lost once in 8,000 at 5 %: with a multiplier of 10, never here. */
Test(bfd_table, a_lossy_link_that_repeats_and_reorders_keeps_the_session)
{
    struct pair pair;
    srand(3);
    pair_open(&pair, 20000, 10);
    pair.loss_percent = 20;
    pair.repeat_percent = 20;
    pair_run(&pair, 20000000);
    cr_assert(both(&pair, BFD_UP));
    pair_run(&pair, 300000000);
    cr_expect(both(&pair, BFD_UP));
    cr_expect_eq(pair.failed[0] + pair.failed[1], 0);
    pair_close(&pair);
}

Test(bfd_table, a_very_lossy_link_flaps_and_comes_back_at_last)
{
    struct pair pair;
    srand(4);
    pair_open(&pair, 20000, 2);
    pair.loss_percent = 40;
    pair_run(&pair, 100000000);
    cr_expect_gt(pair.failed[0], 5);
    pair.loss_percent = 0;
    pair_run(&pair, 110000000);
    cr_expect(both(&pair, BFD_UP));
    pair_close(&pair);
}

Test(bfd_table, a_restarted_end_comes_back_with_another_discriminator)
{
    struct pair pair;
    srand(5);
    pair_open(&pair, 50000, 3);
    pair_run(&pair, 5000000);
    struct bfd_table_config config = {.seed = 77, .changed = on_changed, .context = &pair};
    bfd_table_destroy(pair.tables[1]);
    pair.tables[1] = bfd_table_create(&config);
    bfd_table_add(pair.tables[1], &pair.paths[1], 50000, 3, (void *)1, &pair.sessions[1]);
    bfd_table_start(pair.tables[1], pair.sessions[1], pair.now_us, 0);
    pair_run(&pair, 10000000);
    cr_expect_eq(pair.failed[0], 0, "the path was there all the time");
    cr_expect(both(&pair, BFD_UP));
    pair_close(&pair);
}

Test(bfd_table, a_stopped_end_is_no_failure_for_the_other)
{
    struct pair pair;
    srand(6);
    pair_open(&pair, 50000, 3);
    pair_run(&pair, 5000000);
    bfd_table_stop(pair.tables[1], pair.sessions[1], pair.now_us);
    pair_run(&pair, 10000000);
    cr_expect_eq(bfd_session_state(pair.sessions[0]), BFD_DOWN);
    cr_expect_eq(pair.failed[0], 0);
    bfd_table_start(pair.tables[1], pair.sessions[1], pair.now_us, 0);
    pair_run(&pair, 15000000);
    cr_expect(both(&pair, BFD_UP));
    pair_close(&pair);
}

/* --- Whose packet ----------------------------------------------------------------------------- */

static void make_packet(uint8_t bytes[BFD_PACKET_SIZE], enum bfd_state state, uint32_t your)
{
    struct bfd_packet packet = {.state = state,
                                .multiplier = 3,
                                .my_discriminator = 99,
                                .your_discriminator = your,
                                .desired_min_tx_us = 50000,
                                .required_min_rx_us = 50000};
    bfd_packet_encode(&packet, bytes);
}

Test(bfd_table, a_packet_finds_its_session_and_no_other)
{
    struct bfd_table_config config = {.seed = 5};
    struct bfd_table *table = bfd_table_create(&config);
    struct bfd_path one = path_of("10.0.0.1", "10.0.0.2", false);
    struct bfd_path far = path_of("10.0.0.1", "10.0.0.2", true);
    struct bfd_path other = path_of("10.0.0.9", "10.0.0.2", false);
    struct bfd_path six = path_of("fd00::1", "fd00::2", false);
    const struct bfd_session *sessions[3];
    struct bfd_info info;
    uint8_t bytes[BFD_PACKET_SIZE];
    cr_assert_eq(bfd_table_add(table, &one, 50000, 3, NULL, &sessions[0]), 0);
    cr_assert_eq(bfd_table_add(table, &far, 50000, 3, NULL, &sessions[1]), 0);
    cr_assert_eq(bfd_table_add(table, &six, 50000, 3, NULL, &sessions[2]), 0);
    cr_assert_eq(bfd_table_add(table, &six, 50000, 3, NULL, &sessions[2]), -EEXIST);
    for (unsigned i = 0; i < 3; i++)
        bfd_table_start(table, sessions[i], 1000, 0);
    bfd_session_info(sessions[0], &info);

    make_packet(bytes, BFD_DOWN, 0);
    cr_expect_eq(bfd_table_input(table, &one, 254, bytes, 24, 2000), BFD_BAD_TTL);
    cr_expect_eq(bfd_table_input(table, &one, 0, bytes, 24, 2000), BFD_BAD_TTL);
    cr_expect_eq(bfd_table_input(table, &other, 255, bytes, 24, 2000), BFD_UNKNOWN_SESSION);
    make_packet(bytes, BFD_INIT, info.discriminator + 0x10000);
    cr_expect_eq(bfd_table_input(table, &one, 255, bytes, 24, 2000), BFD_UNKNOWN_SESSION);
    make_packet(bytes, BFD_INIT, UINT32_MAX);
    cr_expect_eq(bfd_table_input(table, &one, 255, bytes, 24, 2000), BFD_UNKNOWN_SESSION);
    make_packet(bytes, BFD_INIT, info.discriminator);
    cr_expect_eq(bfd_table_input(table, &other, 255, bytes, 24, 2000), BFD_UNKNOWN_SESSION,
                 "right discriminator, from elsewhere");
    cr_expect_eq(bfd_table_input(table, &far, 255, bytes, 24, 2000), BFD_UNKNOWN_SESSION);
    for (unsigned i = 0; i < 3; i++)
        cr_expect_eq(bfd_session_state(sessions[i]), BFD_DOWN);

    cr_expect_eq(bfd_table_input(table, &one, 255, bytes, 24, 2000), BFD_TAKEN);
    cr_expect_eq(bfd_session_state(sessions[0]), BFD_UP);
    make_packet(bytes, BFD_DOWN, 0);
    cr_expect_eq(bfd_table_input(table, &far, 60, bytes, 24, 2000), BFD_TAKEN, "many hops");
    cr_expect_eq(bfd_session_state(sessions[1]), BFD_INIT);
    cr_expect_eq(bfd_table_input(table, &six, 255, bytes, 24, 2000), BFD_TAKEN);
    cr_expect_eq(bfd_session_state(sessions[2]), BFD_INIT);
    cr_expect_eq(bfd_table_datagrams(table, BFD_UNKNOWN_SESSION), 5);
    cr_expect_eq(bfd_table_datagrams(table, BFD_BAD_TTL), 2);
    cr_expect_eq(bfd_table_datagrams(table, BFD_TAKEN), 3);
    bfd_table_destroy(table);
}

/* Every session sends at its own pace, whatever the others do: no one is forgotten in the heap. */
Test(bfd_table, a_thousand_sessions_each_get_their_turn)
{
    enum { N = 1000 };
    struct bfd_table_config config = {.seed = 6};
    struct bfd_table *table = bfd_table_create(&config);
    const struct bfd_session *session;
    static unsigned sent[N];
    static uint64_t last_us[N];
    memset(sent, 0, sizeof(sent));
    for (uintptr_t i = 0; i < N; i++) {
        char text[32];
        snprintf(text, sizeof(text), "10.1.%u.%u", (unsigned)i / 250, (unsigned)i % 250 + 1);
        struct bfd_path path = path_of("10.0.0.1", text, i % 2);
        cr_assert_eq(
            bfd_table_add(table, &path, 2000000 + (uint32_t)i * 1000, 3, (void *)i, &session), 0);
        bfd_table_start(table, session, 0, 0);
    }
    struct bfd_datagram datagram;
    uint64_t now_us = 0;
    while (now_us < 60000000) {
        cr_assert_geq(bfd_table_deadline(table), now_us);
        now_us = bfd_table_deadline(table);
        while (bfd_table_output(table, now_us, &datagram)) {
            uintptr_t i = (uintptr_t)datagram.user;
            uint64_t interval = 2000000 + i * 1000;
            if (sent[i]++ > 0)
                cr_assert(now_us - last_us[i] >= interval / 4 * 3 &&
                          now_us - last_us[i] <= interval);
            last_us[i] = now_us;
        }
    }
    for (unsigned i = 0; i < N; i++)
        cr_expect_geq(sent[i], 60000000 / (2000000 + i * 1000));
    bfd_table_destroy(table);
}
