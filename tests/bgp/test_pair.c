/* Two sessions back to back in virtual time: whatever the order of events, they meet and
 * exchange. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "tests/bgp/support.h"

static void pair_configs(struct bgp_session_config configs[2])
{
    for (unsigned i = 0; i < 2; i++) {
        configs[i] = (struct bgp_session_config){
            .local_asn = i == 0 ? 65515 : 65001,
            .peer_asn = i == 0 ? 65001 : 65515,
            .identifier = 0x0a000001 + i,
            .hold_time_s = 9,
            .connect_retry_s = 5,
            .seed = 100 + i,
        };
    }
}

static void start_both(struct pair *pair)
{
    bgp_session_start(pair->ends[0].session, pair->now_ms);
    bgp_session_start(pair->ends[1].session, pair->now_ms);
}

Test(pair, converges_whatever_the_order_of_events)
{
    struct dice dice = dice_new("converges_whatever_the_order_of_events");
    unsigned once = 0;
    const unsigned rounds = 2000;
    for (unsigned round = 0; round < rounds; round++) {
        struct bgp_session_config configs[2];
        struct pair pair;
        pair_configs(configs);
        configs[round % 2].passive = round % 3 == 0;
        configs[0].identifier += 2 * (round / 2 % 2); /* either may be the higher */
        configs[0].seed = dice_roll(&dice);
        configs[1].seed = dice_roll(&dice);
        pair_open(&pair, &dice, configs);
        pair.chunk_max = 1 + dice_below(&dice, 300);
        start_both(&pair);
        cr_assert(pair_converge(&pair, 60000), "round %u", round);
        once += pair.ends[0].established == 1 && pair.ends[1].established == 1;
        cr_assert_neq(bgp_session_negotiated(pair.ends[0].session)->direction,
                      bgp_session_negotiated(pair.ends[1].session)->direction);
        pair_close(&pair);
    }
    /* Collisions must be settled on the way up, not by a session that comes and goes. */
    cr_assert_eq(once, rounds, "%u of %u at the first try", once, rounds);
}

Test(pair, stays_up_on_keepalives_alone)
{
    struct dice dice = dice_new("stays_up_on_keepalives_alone");
    struct bgp_session_config configs[2];
    struct pair pair;
    pair_configs(configs);
    configs[1].passive = true;
    pair_open(&pair, &dice, configs);
    start_both(&pair);
    while (pair.now_ms < 3600000) {
        pair_step(&pair);
    }
    cr_assert(pair_converge(&pair, pair.now_ms + 1));
    cr_assert_eq(pair.ends[0].established, 1);
    cr_assert_eq(pair.ends[1].established, 1);
    uint64_t keepalives = bgp_session_counters(pair.ends[0].session)->messages_in[BGP_KEEPALIVE];
    cr_assert(keepalives >= 1200 && keepalives <= 1601, "%lu", (unsigned long)keepalives);
    pair_close(&pair);
}

Test(pair, comes_back_after_stop_start_and_reset)
{
    struct dice dice = dice_new("comes_back_after_stop_start_and_reset");
    for (unsigned round = 0; round < 200; round++) {
        struct bgp_session_config configs[2];
        struct pair pair;
        pair_configs(configs);
        pair_open(&pair, &dice, configs);
        start_both(&pair);
        for (unsigned i = 0; i < 5; i++) {
            unsigned steps = dice_below(&dice, 400);
            for (unsigned step = 0; step < steps; step++) {
                pair_step(&pair);
            }
            struct bgp_session *session = pair.ends[dice_below(&dice, 2)].session;
            if (dice_below(&dice, 2)) {
                bgp_session_reset(session, BGP_CEASE_RESET, "again", pair.now_ms);
            } else {
                bgp_session_stop(session, BGP_CEASE_SHUTDOWN, NULL, pair.now_ms);
                bgp_session_start(session, pair.now_ms);
            }
        }
        cr_assert(pair_converge(&pair, pair.now_ms + 300000), "round %u", round);
        pair_close(&pair);
    }
}

Test(pair, two_octet_peer_gets_the_whole_path)
{
    struct dice dice = dice_new("two_octet_peer_gets_the_whole_path");
    struct bgp_session_config configs[2];
    struct pair pair;
    pair_configs(configs);
    configs[1].two_octet_as = true;
    pair_open(&pair, &dice, configs);
    start_both(&pair);
    cr_assert(pair_converge(&pair, 60000));
    cr_assert(!bgp_session_negotiated(pair.ends[0].session)->four_octet_as);
    cr_assert(!bgp_session_negotiated(pair.ends[1].session)->four_octet_as);
    pair_close(&pair);
}
