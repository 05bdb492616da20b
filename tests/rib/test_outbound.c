/*
 * How peers are told: order, packing, End-of-RIB, refresh, slow readers, many prefixes.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/rib/wire.h"

#define MANY 10000u

static struct wire wire;
static char text[WORLD_TEXT], other_text[WORLD_TEXT];

static const struct speaker_config route_server = {
    .name = "rs", .asn = 65515, .prepend_own_asn = true, .reflect = true};

/* A route server with NVAs left (AS 65001) and right (AS 65002); right's link is up on demand. */
struct scene {
    struct world *world;
    struct node *server, *left, *right;
    struct link *left_link, *right_link;
};

static struct scene make_scene(void)
{
    struct scene scene = {.world = world_create()};
    struct speaker_config left = {.asn = 65001, .prepend_own_asn = true};
    struct speaker_config right = {.asn = 65002, .prepend_own_asn = true};
    struct speaker_peer_config near = world_end("10.0.0.4", 65002);

    near.local_address6 = world_address("fd00::4");
    scene.server = world_node(scene.world, &route_server);
    scene.left = world_node(scene.world, &left);
    scene.right = world_node(scene.world, &right);
    scene.left_link =
        world_join(scene.world, scene.server, 65515, "10.0.0.4", scene.left, 65001, "10.0.1.10");
    scene.right_link =
        world_link(scene.world, scene.server, near, scene.right, world_end("10.0.1.11", 65515));
    scene.right_link->up = false;
    world_start(scene.world);
    return scene;
}

static const char *numbered(unsigned i)
{
    static char prefix[32];

    snprintf(prefix, sizeof(prefix), "10.%u.%u.0/24", i / 256, i % 256);
    return prefix;
}

/* Announces many prefixes from left, sets of five sharing their attributes. */
static void announce_many(struct scene *scene, unsigned first, unsigned n, uint32_t salt)
{
    for (unsigned i = first; i < first + n; i++)
        world_originate(scene->left,
                        &(struct route){.prefix = numbered(i), .as_path = {1 + i / 5, salt}});
    world_settle(scene->world);
}

static size_t advertised_right(const struct scene *scene)
{
    struct speaker_peer_counters counters;

    speaker_peer_counters(scene->right_link->ends[0].peer, &counters);
    return counters.advertised;
}

static size_t held_right(const struct scene *scene)
{
    struct speaker_peer_counters counters;

    speaker_peer_counters(scene->right_link->ends[1].peer, &counters);
    return counters.held;
}

Test(outbound, sends_own_routes_then_reflected_ones_then_end_of_rib)
{
    struct scene scene = make_scene();

    world_originate(scene.left, &(struct route){.prefix = "10.0.0.0/8"});
    world_settle(scene.world);
    world_originate(scene.server, &(struct route){.prefix = "10.0.0.0/22"});
    world_originate(scene.server, &(struct route){.prefix = "fd00:1::/32"});
    wire_tap(&wire, scene.world, &scene.right_link->ends[0]);
    world_mend(scene.world, scene.right_link);
    cr_assert_str_eq(wire.text, "announce 10.0.0.0/22;announce fd00:1::/32;end IPv6 unicast;"
                                "announce 10.0.0.0/8;end IPv4 unicast;");
    wire_free(&wire);
    world_destroy(scene.world);
}

struct churn {
    struct scene *scene;
    unsigned rounds, next;
};

/* Changes ten prefixes for every run of bytes to the right, each to attributes of its own: more
 * than the run has told. */
static void observe_and_churn(void *context, const struct end *from, const uint8_t *bytes, size_t n)
{
    struct churn *churn = context;

    wire_observe(&wire, from, bytes, n);
    if (from != wire.from || wire.ends == 2 || churn->rounds == 8000)
        return;
    churn->rounds++;
    for (unsigned i = 0; i < 10; i++, churn->next++)
        world_originate(churn->scene->left, &(struct route){.prefix = numbered(churn->next % 3000),
                                                            .as_path = {100000 + churn->next}});
}

Test(outbound, constant_change_does_not_put_off_end_of_rib)
{
    struct scene scene = make_scene();
    struct churn churn = {.scene = &scene};

    announce_many(&scene, 0, 3000, 64900);
    wire_tap(&wire, scene.world, &scene.right_link->ends[0]);
    scene.world->observe = observe_and_churn;
    scene.world->observe_context = &churn;
    scene.world->chunk = BGP_MESSAGE_MAX;
    world_mend(scene.world, scene.right_link);
    cr_assert_eq(wire.ends, 2);
    cr_assert_lt(churn.rounds, 4000, "%u", churn.rounds);
    cr_assert_eq(held_right(&scene), 3000);
    wire_free(&wire);
    world_destroy(scene.world);
}

Test(outbound, an_empty_table_is_end_of_rib)
{
    struct scene scene = make_scene();

    wire_tap(&wire, scene.world, &scene.right_link->ends[0]);
    world_mend(scene.world, scene.right_link);
    cr_assert_str_eq(wire.text, "end IPv4 unicast;end IPv6 unicast;");
    wire_free(&wire);
    world_destroy(scene.world);
}

Test(outbound, prefixes_with_equal_attributes_share_messages)
{
    struct scene scene = make_scene();

    /* Two sets, interleaved on arrival; then prefixes that differ in what is not sent. */
    for (unsigned i = 0; i < 200; i++) {
        world_originate(scene.left,
                        &(struct route){.prefix = numbered(i), .as_path = {64800 + i % 2}});
        world_settle(scene.world);
    }
    wire_tap(&wire, scene.world, &scene.right_link->ends[0]);
    world_mend(scene.world, scene.right_link);
    cr_assert_eq(wire.announced, 200);
    cr_assert_eq(wire.announcements, 2);
    cr_assert_eq(wire.ends, 2);
    world_cut(scene.world, scene.left_link);
    cr_assert_eq(wire.withdrawals, 1);
    cr_assert_eq(held_right(&scene), 0);
    wire_free(&wire);
    world_destroy(scene.world);
}

Test(outbound, sets_that_differ_in_the_next_hop_alone_are_one_when_it_is_replaced)
{
    static const char *const next_hops[] = {"10.0.1.100", "10.0.1.101", "10.0.1.102"};
    struct scene scene = make_scene();

    for (unsigned i = 0; i < 30; i++)
        world_originate(scene.left,
                        &(struct route){.prefix = numbered(i), .next_hop = next_hops[i % 3]});
    world_settle(scene.world);
    wire_tap(&wire, scene.world, &scene.right_link->ends[0]);
    world_mend(scene.world, scene.right_link);
    cr_assert_eq(wire.announced, 30);
    cr_assert_eq(wire.announcements, 1);
    wire_free(&wire);
    world_destroy(scene.world);
}

Test(outbound, says_nothing_when_what_is_sent_stays_the_same)
{
    struct scene scene = make_scene();
    struct node *third =
        world_node(scene.world, &(struct speaker_config){.asn = 65003, .prepend_own_asn = true});

    struct link *link =
        world_join(scene.world, scene.server, 65515, "10.0.0.4", third, 65003, "10.0.1.12");

    speaker_peer_start(scene.server->speaker, link->ends[0].peer, scene.world->now);
    speaker_peer_start(third->speaker, link->ends[1].peer, scene.world->now);
    world_mend(scene.world, link);
    world_mend(scene.world, scene.right_link);
    world_originate(scene.left, &(struct route){.prefix = "10.0.0.0/8"});
    world_settle(scene.world);
    wire_tap(&wire, scene.world, &scene.right_link->ends[0]);
    world_originate(scene.left, &(struct route){.prefix = "10.0.0.0/8"});
    world_originate(third, &(struct route){.prefix = "10.0.0.0/8"});
    world_settle(scene.world);
    cr_assert_str_eq(wire.text, "", "a second next hop is no news to peers");
    wire_free(&wire);
    world_destroy(scene.world);
}

Test(outbound, loss_and_return_of_one_instance_is_no_change)
{
    struct scene scene = make_scene();
    struct link *second =
        world_join(scene.world, scene.server, 65515, "10.0.0.5", scene.left, 65001, "10.0.1.10");

    speaker_peer_start(scene.server->speaker, second->ends[0].peer, scene.world->now);
    speaker_peer_start(scene.left->speaker, second->ends[1].peer, scene.world->now);
    world_mend(scene.world, second);
    world_mend(scene.world, scene.right_link);
    announce_many(&scene, 0, 20, 64900);
    wire_tap(&wire, scene.world, &scene.right_link->ends[0]);
    scene.server->changes = 0;
    world_cut(scene.world, scene.left_link);
    world_mend(scene.world, scene.left_link);
    world_cut(scene.world, second);
    cr_assert_str_eq(wire.text, "");
    cr_assert_eq(scene.server->changes, 0);
    cr_assert_eq(held_right(&scene), 20);
    cr_assert(speaker_validate(scene.server->speaker));
    world_cut(scene.world, scene.left_link);
    cr_assert_eq(scene.server->changes, 20);
    cr_assert_eq(held_right(&scene), 0);
    wire_free(&wire);
    world_destroy(scene.world);
}

Test(outbound, a_refresh_request_brings_the_table_again)
{
    struct scene scene = make_scene();
    struct bgp_session *session;

    world_originate(scene.left, &(struct route){.prefix = "10.0.0.0/8"});
    world_originate(scene.server, &(struct route){.prefix = "fd00:1::/32"});
    world_mend(scene.world, scene.right_link);
    wire_tap(&wire, scene.world, &scene.right_link->ends[0]);
    session = (struct bgp_session *)(uintptr_t)speaker_peer_session(scene.right_link->ends[1].peer);
    cr_assert_eq(bgp_session_request_refresh(session, BGP_IPV4_UNICAST), 0);
    world_settle(scene.world);
    cr_assert_str_eq(wire.text, "announce 10.0.0.0/8;");
    cr_assert_eq(held_right(&scene), 2);
    cr_assert(speaker_validate(scene.server->speaker));
    wire_free(&wire);
    world_destroy(scene.world);
}

Test(outbound, a_slow_reader_costs_no_queue_and_gets_the_last_state)
{
    struct scene scene = make_scene();

    world_mend(scene.world, scene.right_link);
    wire_tap(&wire, scene.world, &scene.right_link->ends[0]);
    scene.right_link->ends[1].paused = true;
    announce_many(&scene, 0, 500, 64900);
    for (unsigned round = 1; round <= 20; round++) {
        announce_many(&scene, 0, 500, 64900 + round);
        world_withdraw(scene.left, numbered(18));
        world_settle(scene.world);
    }
    cr_assert_not(speaker_settled(scene.server->speaker));
    cr_assert(speaker_validate(scene.server->speaker));
    scene.right_link->ends[1].paused = false;
    scene.world->chunk = 7; /* and then it reads in driblets */
    world_settle(scene.world);
    cr_assert(speaker_settled(scene.server->speaker));
    cr_assert_eq(wire.announced, 499, "20 rounds of change are one announcement a prefix");
    cr_assert_eq(held_right(&scene), 499);
    world_learned(scene.right, scene.right_link->ends[1].peer, text);
    cr_assert_not_null(strstr(text, "10.0.1.0/24 [65515 65001 1 64920] 10.0.0.4"));
    cr_assert_null(strstr(text, "10.0.18.0/24"));
    wire_free(&wire);
    world_destroy(scene.world);
}

Test(outbound, a_prefix_that_came_and_went_is_never_mentioned_to_a_slow_reader)
{
    struct scene scene = make_scene();

    world_mend(scene.world, scene.right_link);
    wire_tap(&wire, scene.world, &scene.right_link->ends[0]);
    scene.right_link->ends[1].paused = true;
    announce_many(&scene, 0, 50, 64900);
    world_cut(scene.world, scene.left_link);
    cr_assert(speaker_validate(scene.server->speaker));
    scene.right_link->ends[1].paused = false;
    world_settle(scene.world);
    cr_assert_str_eq(wire.text, "");
    wire_free(&wire);
    world_destroy(scene.world);
}

Test(outbound, a_slow_reader_that_dies_leaves_nothing_behind)
{
    struct scene scene = make_scene();

    announce_many(&scene, 0, 50, 64900);
    world_mend(scene.world, scene.right_link);
    cr_assert_eq(advertised_right(&scene), 50);
    scene.right_link->ends[1].paused = true;
    world_cut(scene.world, scene.left_link); /* 50 withdrawals wait for the reader */
    cr_assert(speaker_validate(scene.server->speaker));
    world_cut(scene.world, scene.right_link);
    cr_assert(speaker_validate(scene.server->speaker));
    cr_assert_eq(bgp_attribute_table_count(speaker_attribute_table(scene.server->speaker)), 0);
    world_destroy(scene.world);
}

Test(outbound, attributes_too_long_for_any_message_take_the_prefix_back)
{
    struct scene scene = make_scene();
    struct bgp_attribute_builder *builder = scene.world->builder;
    struct lpm_prefix prefix = world_prefix("10.0.0.0/8");
    const struct bgp_attributes *attributes;

    world_originate(scene.server, &(struct route){.prefix = "10.0.0.0/8"});
    world_originate(scene.server, &(struct route){.prefix = "11.0.0.0/8"});
    world_mend(scene.world, scene.right_link);
    cr_assert_eq(held_right(&scene), 2);
    bgp_builder_originate(builder, BGP_ORIGIN_IGP);
    for (uint32_t i = 0; i < 1100; i++) {
        struct bgp_community community = {.kind = BGP_COMMUNITY, .standard = 65001u << 16 | i};

        bgp_builder_add_community(builder, &community);
    }
    if (bgp_builder_intern(builder, scene.world->table, &attributes) == 0) {
        cr_assert_eq(speaker_originate(scene.server->speaker, &prefix, attributes), 0);
        bgp_attributes_release(scene.world->table, attributes);
        world_settle(scene.world);
        cr_assert_eq(scene.right_link->ends[0].state, BGP_ESTABLISHED);
        cr_assert_eq(held_right(&scene), 1);
        cr_assert_eq(advertised_right(&scene), 1);
        cr_assert(speaker_settled(scene.server->speaker));
        cr_assert(speaker_validate(scene.server->speaker));
    }
    world_destroy(scene.world);
}

Test(outbound, carries_ten_thousand_prefixes_through_a_peers_death_and_return)
{
    struct scene scene = make_scene();

    world_mend(scene.world, scene.right_link);
    announce_many(&scene, 0, MANY, 64900);
    cr_assert_eq(held_right(&scene), MANY);
    cr_assert_eq(advertised_right(&scene), MANY);
    cr_assert(speaker_validate(scene.server->speaker));
    world_advertised(scene.server, scene.right_link->ends[0].peer, text);
    world_advertised(scene.server, scene.right_link->ends[0].peer, other_text);
    cr_assert_str_eq(text, other_text);
    scene.server->changes = 0;
    world_cut(scene.world, scene.left_link);
    cr_assert_eq(scene.server->changes, MANY);
    cr_assert_eq(held_right(&scene), 0);
    cr_assert_eq(bgp_attribute_table_count(speaker_attribute_table(scene.server->speaker)), 0);
    world_mend(scene.world, scene.left_link);
    cr_assert_eq(held_right(&scene), MANY);
    world_destroy(scene.world);
}

/* A dead peer's routes go in slices, so that a large table keeps nobody waiting; in between everything
 * holds together. */
Test(outbound, lets_a_dead_peers_routes_go_in_slices)
{
    struct scene scene = make_scene();
    struct speaker *server = scene.server->speaker;
    struct speaker_peer *left = scene.left_link->ends[0].peer;
    struct speaker_peer_counters counters;
    size_t before = MANY + 1;
    unsigned slices = 0;

    announce_many(&scene, 0, MANY, 64900);
    speaker_closed(server, left, bgp_session_negotiated(speaker_peer_session(left))->direction,
                   "gone", scene.world->now);
    for (;; slices++) {
        cr_assert(speaker_validate(server));
        speaker_peer_counters(left, &counters);
        cr_assert_lt(counters.held, before);
        before = counters.held;
        if (before == 0)
            break;
        cr_assert_not(speaker_settled(server));
        cr_assert_leq(speaker_deadline(server), scene.world->now);
        speaker_tick(server, scene.world->now);
    }
    cr_assert_geq(slices, 1);
    cr_assert_eq(bgp_attribute_table_count(speaker_attribute_table(server)), 0);
    world_destroy(scene.world);
}
