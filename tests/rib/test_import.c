/*
 * What is taken in from peers: filters, counters, limits, loss of a peer.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "tests/rib/world.h"

static char text[WORLD_TEXT];

static const struct speaker_config route_server = {
    .name = "rs", .asn = 65515, .prepend_own_asn = true, .reflect = true};

struct scene {
    struct world *world;
    struct node *server, *nva;
    struct link *link;
};

/* A route server with one NVA, seen through this configuration (NULL: a plain one). */
static struct scene make_scene(const struct speaker_peer_config *towards)
{
    struct scene scene = {.world = world_create()};
    struct speaker_config nva = {.asn = 65001, .prepend_own_asn = true};

    scene.server = world_node(scene.world, &route_server);
    scene.nva = world_node(scene.world, &nva);
    scene.link = world_link(scene.world, scene.server,
                            towards != NULL ? *towards : world_end("10.0.0.4", 65001), scene.nva,
                            world_end("10.0.1.10", 65515));
    return scene;
}

static struct speaker_peer_counters counters_of(const struct scene *scene)
{
    struct speaker_peer_counters counters;

    speaker_peer_counters(scene->link->ends[0].peer, &counters);
    return counters;
}

Test(import, filters_paths_with_the_own_as_and_counts_them)
{
    struct scene scene = make_scene(NULL);

    world_originate(scene.nva,
                    &(struct route){.prefix = "172.20.0.0/16", .as_path = {65515, 12076, 65050}});
    world_originate(scene.nva, &(struct route){.prefix = "10.0.0.0/8"});
    world_start(scene.world);
    cr_assert_str_eq(
        world_learned(scene.server, scene.link->ends[0].peer, text),
        "10.0.0.0/8 [65001] 10.0.1.10 (chosen)\n"
        "172.20.0.0/16 [65001 65515 12076 65050] 10.0.1.10 (filtered: own AS in AS path)\n");
    cr_assert_str_eq(world_choices(scene.server, text), "10.0.0.0/8 | [65001] 10.0.1.10\n");
    cr_assert_eq(counters_of(&scene).held, 2);
    cr_assert_eq(counters_of(&scene).as_loop, 1);
    world_originate(scene.nva, &(struct route){.prefix = "172.20.0.0/16", .as_path = {65050}});
    world_settle(scene.world);
    cr_assert_eq(counters_of(&scene).as_loop, 0);
    world_originate(scene.nva, &(struct route){.prefix = "10.0.0.0/8", .as_path = {65515}});
    world_settle(scene.world);
    cr_assert_str_eq(world_choices(scene.server, text), "172.20.0.0/16 | [65001 65050] 10.0.1.10\n",
                     "a usable path replaced by a filtered one is gone");
    cr_assert(speaker_validate(scene.server->speaker));
    world_destroy(scene.world);
}

Test(import, allow_own_as_says_how_often_it_may_stand_there)
{
    struct speaker_peer_config towards = world_end("10.0.0.4", 65001);
    struct scene scene;

    towards.allow_own_as = 1;
    scene = make_scene(&towards);
    world_originate(scene.nva, &(struct route){.prefix = "10.0.0.0/8", .as_path = {65515}});
    world_originate(scene.nva, &(struct route){.prefix = "11.0.0.0/8", .as_path = {65515, 65515}});
    world_start(scene.world);
    cr_assert_str_eq(world_choices(scene.server, text), "10.0.0.0/8 | [65001 65515] 10.0.1.10\n");
    cr_assert_eq(counters_of(&scene).as_loop, 1);
    world_destroy(scene.world);
}

Test(import, drops_paths_with_as_zero)
{
    struct scene scene = make_scene(NULL);
    const uint32_t path[] = {64900, 0, 64901};
    const struct bgp_attributes *attributes;
    struct lpm_prefix prefix = world_prefix("10.0.0.0/8");

    bgp_builder_originate(scene.world->builder, BGP_ORIGIN_IGP);
    bgp_builder_set_as_path(scene.world->builder, path, 3);
    cr_assert_eq(bgp_builder_intern(scene.world->builder, scene.world->table, &attributes), 0);
    cr_assert_eq(speaker_originate(scene.nva->speaker, &prefix, attributes), 0);
    bgp_attributes_release(scene.world->table, attributes);
    world_start(scene.world);
    cr_assert_eq(scene.link->ends[0].state, BGP_ESTABLISHED);
    cr_assert_str_eq(world_choices(scene.server, text), "");
    world_destroy(scene.world);
}

Test(import, filters_prefixes_that_no_unicast_route_may_have)
{
    static const char *const bad[] = {"224.0.0.0/4",       "239.1.2.0/24", "127.0.0.0/8",
                                      "240.0.0.0/4",       "0.0.0.0/8",    "169.254.0.0/16",
                                      "255.255.255.255/32"};
    static const char *const good[] = {"0.0.0.0/0", "0.0.0.0/1", "128.0.0.0/1", "169.0.0.0/8"};
    struct scene scene = make_scene(NULL);

    world_start(scene.world);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        world_originate(scene.nva, &(struct route){.prefix = bad[i]});
        world_settle(scene.world);
        cr_assert_eq(scene.link->ends[0].state, BGP_ESTABLISHED);
        cr_assert_str_eq(world_choices(scene.server, text), "", "%s", bad[i]);
        world_learned(scene.server, scene.link->ends[0].peer, text);
        cr_assert(strstr(text, rib_verdict_text(RIB_FILTERED_MARTIAN)), "%s: %s", bad[i], text);
    }
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        world_originate(scene.nva, &(struct route){.prefix = good[i]});
        world_settle(scene.world);
        cr_assert(strstr(world_choices(scene.server, text), good[i]), "%s", good[i]);
    }
    world_destroy(scene.world);
}

Test(import, filters_next_hops_that_are_no_routers)
{
    static const char *const bad[] = {"10.0.0.4", "127.0.0.1", "224.0.0.5", "255.255.255.255"};
    struct scene scene = make_scene(NULL);

    world_start(scene.world);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        char expected[160];

        world_originate(scene.nva, &(struct route){.prefix = "10.0.0.0/8", .next_hop = bad[i]});
        world_settle(scene.world);
        cr_assert_eq(scene.link->ends[0].state, BGP_ESTABLISHED);
        cr_assert_str_eq(world_choices(scene.server, text), "", "%s", bad[i]);
        world_learned(scene.server, scene.link->ends[0].peer, text);
        snprintf(expected, sizeof(expected), "10.0.0.0/8 [65001] %s (%s)\n", bad[i],
                 rib_verdict_text(RIB_FILTERED_NEXT_HOP));
        /* A session may already have treated it as withdrawn. */
        cr_assert(text[0] == '\0' || strcmp(text, expected) == 0, "%s: %s", bad[i], text);
    }
    world_originate(scene.nva, &(struct route){.prefix = "10.0.0.0/8", .next_hop = "10.0.1.100"});
    world_settle(scene.world);
    cr_assert_str_eq(world_choices(scene.server, text), "10.0.0.0/8 | [65001] 10.0.1.100\n",
                     "any other next hop is taken as it is");
    world_destroy(scene.world);
}

Test(import, the_other_instances_address_is_no_next_hop_either)
{
    struct scene scene = make_scene(NULL);

    world_join(scene.world, scene.server, 65515, "10.0.0.5", scene.nva, 65001, "10.0.1.10");
    world_originate(scene.nva, &(struct route){.prefix = "10.0.0.0/8", .next_hop = "10.0.0.5"});
    world_start(scene.world);
    cr_assert_str_eq(world_choices(scene.server, text), "");
    world_destroy(scene.world);
}

Test(import, a_peer_over_its_prefix_limit_is_reset_with_the_numbers)
{
    struct speaker_peer_config towards = world_end("10.0.0.4", 65001);
    const struct bgp_error *sent;
    struct scene scene;
    char prefix[32];

    towards.limit.limit = 4;
    scene = make_scene(&towards);
    for (unsigned i = 0; i < 4; i++) {
        snprintf(prefix, sizeof(prefix), "10.%u.0.0/16", i);
        world_originate(scene.nva, &(struct route){.prefix = prefix});
    }
    world_start(scene.world);
    cr_assert_eq(counters_of(&scene).held, 4);
    for (unsigned i = 0; i < 4; i++) {
        snprintf(prefix, sizeof(prefix), "10.%u.0.0/16", i);
        world_originate(scene.nva, &(struct route){.prefix = prefix, .as_path = {64900}});
    }
    world_settle(scene.world);
    cr_assert_eq(scene.link->ends[0].state, BGP_ESTABLISHED, "the same prefixes count once");

    world_originate(scene.nva, &(struct route){.prefix = "10.99.0.0/16"});
    world_settle(scene.world);
    sent = bgp_session_last_sent(speaker_peer_session(scene.link->ends[0].peer));
    cr_assert_eq(sent->code, BGP_ERROR_CEASE);
    cr_assert_eq(sent->subcode, BGP_CEASE_MAX_PREFIXES);
    cr_assert_eq(scene.link->ends[0].state, BGP_IDLE);
    cr_assert_not_null(strstr(scene.link->ends[0].reason, "5 held, 4 allowed"), "%s",
                       scene.link->ends[0].reason);
    cr_assert_eq(counters_of(&scene).held, 0);
    cr_assert_str_eq(world_choices(scene.server, text), "");
    cr_assert(speaker_validate(scene.server->speaker));

    world_withdraw(scene.nva, "10.99.0.0/16");
    world_run(scene.world, 200);
    cr_assert_neq(scene.link->ends[0].state, BGP_ESTABLISHED, "it waits before it tries again");
    world_mend(scene.world, scene.link);
    cr_assert_eq(scene.link->ends[0].state, BGP_ESTABLISHED);
    cr_assert_eq(counters_of(&scene).held, 4);
    world_destroy(scene.world);
}

Test(import, losing_a_peer_tells_each_of_its_prefixes_once)
{
    struct scene scene = make_scene(NULL);
    struct node *other =
        world_node(scene.world, &(struct speaker_config){.asn = 65002, .prepend_own_asn = true});
    char prefix[32];

    world_join(scene.world, scene.server, 65515, "10.0.0.4", other, 65002, "10.0.1.11");
    for (unsigned i = 0; i < 100; i++) {
        snprintf(prefix, sizeof(prefix), "10.%u.0.0/16", i);
        world_originate(scene.nva, &(struct route){.prefix = prefix});
        if (i < 40) /* these have two next hops, then one */
            world_originate(other, &(struct route){.prefix = prefix});
        else if (i < 60) /* these are longer here and stand by */
            world_originate(other, &(struct route){.prefix = prefix, .as_path = {64900}});
    }
    world_originate(other, &(struct route){.prefix = "11.0.0.0/8"});
    world_start(scene.world);
    scene.server->changes = 0;
    world_cut(scene.world, scene.link);
    cr_assert_eq(scene.server->changes, 100);
    cr_assert_eq(counters_of(&scene).held, 0);
    cr_assert(speaker_validate(scene.server->speaker));
    world_destroy(scene.world);
}

Test(import, administrative_stop_withdraws_and_stays_down)
{
    struct scene scene = make_scene(NULL);

    world_originate(scene.nva, &(struct route){.prefix = "10.0.0.0/8"});
    world_start(scene.world);
    speaker_peer_stop(scene.server->speaker, scene.link->ends[0].peer, BGP_CEASE_SHUTDOWN,
                      scene.world->now);
    world_settle(scene.world);
    cr_assert_str_eq(world_choices(scene.server, text), "");
    cr_assert_eq(bgp_session_last_received(speaker_peer_session(scene.link->ends[1].peer))->subcode,
                 BGP_CEASE_SHUTDOWN);
    world_run(scene.world, 600000);
    cr_assert_eq(scene.link->ends[0].state, BGP_IDLE);
    speaker_peer_start(scene.server->speaker, scene.link->ends[0].peer, scene.world->now);
    world_mend(scene.world, scene.link);
    cr_assert_str_eq(world_choices(scene.server, text), "10.0.0.0/8 | [65001] 10.0.1.10\n");
    world_destroy(scene.world);
}

Test(import, garbage_from_one_peer_leaves_the_others_alone)
{
    static const uint8_t garbage[64] = {0xde, 0xad, 0xbe, 0xef};
    struct scene scene = make_scene(NULL);
    struct node *other =
        world_node(scene.world, &(struct speaker_config){.asn = 65002, .prepend_own_asn = true});
    struct link *link =
        world_join(scene.world, scene.server, 65515, "10.0.0.4", other, 65002, "10.0.1.11");
    struct end *victim = &scene.link->ends[0];

    world_originate(scene.nva, &(struct route){.prefix = "10.0.0.0/8"});
    world_originate(other, &(struct route){.prefix = "11.0.0.0/8"});
    world_start(scene.world);
    speaker_input(scene.server->speaker, victim->peer,
                  bgp_session_negotiated(speaker_peer_session(victim->peer))->direction, garbage,
                  sizeof(garbage), scene.world->now);
    world_settle(scene.world);
    cr_assert_neq(victim->state, BGP_ESTABLISHED);
    cr_assert_eq(link->ends[0].state, BGP_ESTABLISHED);
    cr_assert_str_eq(world_choices(scene.server, text), "11.0.0.0/8 | [65002] 10.0.1.11\n");
    world_mend(scene.world, scene.link);
    cr_assert_str_eq(world_choices(scene.server, text), "10.0.0.0/8 | [65001] 10.0.1.10\n"
                                                        "11.0.0.0/8 | [65002] 10.0.1.11\n");
    world_destroy(scene.world);
}

Test(import, the_deadline_is_that_of_the_first_timer_of_any_session)
{
    struct scene scene = make_scene(NULL);
    struct speaker *speaker = scene.server->speaker;
    struct speaker_peer_config slow = world_end("10.0.0.4", 65002);
    struct speaker_peer *peer;
    uint64_t first, second;

    cr_assert_eq(speaker_deadline(speaker), UINT64_MAX, "nothing is started");
    speaker_peer_start(speaker, scene.link->ends[0].peer, 1000);
    first = speaker_deadline(speaker);
    cr_assert_lt(first, UINT64_MAX);
    slow.peer_address = world_address("10.0.1.11");
    slow.user = &scene.link->ends[0];
    cr_assert_eq(speaker_peer_add(speaker, &slow, &peer), 0);
    speaker_peer_start(speaker, peer, 500000);
    second = bgp_session_deadline(speaker_peer_session(peer));
    cr_assert_gt(second, first);
    cr_assert_eq(speaker_deadline(speaker), first);
    speaker_peer_stop(speaker, scene.link->ends[0].peer, BGP_CEASE_SHUTDOWN, 500000);
    cr_assert_eq(speaker_deadline(speaker), second);
    world_destroy(scene.world);
}

Test(import, hold_time_expiry_takes_the_routes_away)
{
    struct speaker_peer_config near = world_end("10.0.0.4", 65001);
    struct speaker_peer_config far = world_end("10.0.1.10", 65515);
    struct world *world = world_create();
    struct node *server = world_node(world, &route_server);
    struct node *nva =
        world_node(world, &(struct speaker_config){.asn = 65001, .prepend_own_asn = true});
    struct link *link;

    near.hold_time_s = 180;
    far.hold_time_s = 30;
    link = world_link(world, server, near, nva, far);
    world_originate(nva, &(struct route){.prefix = "10.0.0.0/8"});
    world_start(world);
    world_run(world, 300000);
    cr_assert_str_eq(world_choices(server, text), "10.0.0.0/8 | [65001] 10.0.1.10\n",
                     "keepalives hold the session up");
    link->ends[0].paused = true; /* silence, as of a dead peer, from the server's side */
    world_run(world, 19000);
    cr_assert_str_neq(world_choices(server, text), "");
    world_run(world, 12000);
    cr_assert_str_eq(world_choices(server, text), "", "30 s were negotiated");
    world_destroy(world);
}

Test(import, originate_refuses_what_is_no_prefix)
{
    struct scene scene = make_scene(NULL);
    const struct bgp_attributes *attributes =
        world_attributes(scene.world, &(struct route){.prefix = ""});
    struct lpm_prefix bits_beyond = {.family = LPM_IPV4, .length = 8, .bytes = {10, 1}};
    struct lpm_prefix too_long = {.family = LPM_IPV4, .length = 33, .bytes = {10}};
    struct lpm_prefix no_family = {.length = 8};

    cr_assert_eq(speaker_originate(scene.server->speaker, &bits_beyond, attributes), -EINVAL);
    cr_assert_eq(speaker_originate(scene.server->speaker, &too_long, attributes), -EINVAL);
    cr_assert_eq(speaker_originate(scene.server->speaker, &no_family, attributes), -EINVAL);
    bgp_attributes_release(scene.world->table, attributes);
    world_destroy(scene.world);
}

Test(import, a_peer_cannot_be_a_local_source)
{
    struct scene scene = make_scene(NULL);
    struct speaker_peer_config config = world_end("10.0.0.4", 65009);
    struct speaker_peer *peer;

    config.source = RIB_SOURCE_LOCAL;
    cr_assert_eq(speaker_peer_add(scene.server->speaker, &config, &peer), -EINVAL);
    config.source = RIB_SOURCE_NVA;
    config.hold_time_s = 2;
    cr_assert_eq(speaker_peer_add(scene.server->speaker, &config, &peer), -EINVAL);
    world_destroy(scene.world);
}
