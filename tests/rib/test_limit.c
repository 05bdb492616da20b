/*
 * Prefix limits: how they count, and what crossing them does.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "tests/rib/world.h"

static char text[WORLD_TEXT];

struct scene {
    struct world *world;
    struct node *server, *nva;
    struct link *link;
};

static struct scene make_scene(struct speaker_prefix_limit limit, unsigned of_server)
{
    struct scene scene = {.world = world_create()};
    struct speaker_peer_config towards = world_end("10.0.0.4", 65001);

    towards.limit = limit;
    scene.server = world_node(scene.world, &(struct speaker_config){.name = "rs",
                                                                    .asn = 65515,
                                                                    .prepend_own_asn = true,
                                                                    .prefix_limit = of_server,
                                                                    .prefix_warn_percent = 80});
    scene.nva =
        world_node(scene.world, &(struct speaker_config){.asn = 65001, .prepend_own_asn = true});
    scene.link =
        world_link(scene.world, scene.server, towards, scene.nva, world_end("10.0.1.10", 65515));
    return scene;
}

static void announce(struct scene *scene, unsigned first, unsigned n, uint32_t asn)
{
    char prefix[32];

    for (unsigned i = first; i < first + n; i++) {
        snprintf(prefix, sizeof(prefix), "10.%u.0.0/16", i);
        world_originate(scene->nva, &(struct route){.prefix = prefix, .as_path = {asn}});
    }
    world_settle(scene->world);
}

static struct speaker_peer_counters counters_of(const struct scene *scene)
{
    struct speaker_peer_counters counters;

    speaker_peer_counters(scene->link->ends[0].peer, &counters);
    return counters;
}

static enum bgp_state state_of(const struct scene *scene)
{
    return scene->link->ends[0].state;
}

static void finish(struct scene *scene)
{
    cr_assert(speaker_validate(scene->server->speaker));
    world_destroy(scene->world);
}

Test(limit, drop_excess_drops_exactly_the_excess_and_keeps_the_session)
{
    struct scene scene = make_scene(
        (struct speaker_prefix_limit){.limit = 5, .action = SPEAKER_LIMIT_DROP_EXCESS}, 0);

    world_start(scene.world);
    announce(&scene, 0, 8, 0);
    cr_assert_eq(state_of(&scene), BGP_ESTABLISHED);
    cr_assert_eq(counters_of(&scene).held, 5);
    cr_assert_eq(counters_of(&scene).refused, 3);
    cr_assert_not_null(strstr(world_choices(scene.server, text), "10.4.0.0/16"));
    cr_assert_null(strstr(text, "10.5.0.0/16"), "those that came first stay");
    /* What is held may change. */
    announce(&scene, 0, 5, 64900);
    cr_assert_eq(counters_of(&scene).held, 5);
    cr_assert_eq(counters_of(&scene).refused, 3);
    cr_assert_not_null(strstr(world_choices(scene.server, text), "10.4.0.0/16 | [65001 64900]"));
    /* Room that is given back is used. */
    world_withdraw(scene.nva, "10.0.0.0/16");
    announce(&scene, 20, 1, 0);
    cr_assert_eq(counters_of(&scene).held, 5);
    cr_assert_not_null(strstr(world_choices(scene.server, text), "10.20.0.0/16"));
    finish(&scene);
}

Test(limit, warn_only_warns)
{
    struct scene scene = make_scene(
        (struct speaker_prefix_limit){.limit = 5, .warn_percent = 80, .action = SPEAKER_LIMIT_WARN},
        0);

    world_start(scene.world);
    announce(&scene, 0, 3, 0);
    cr_assert(!counters_of(&scene).limit_near);
    announce(&scene, 3, 1, 0);
    cr_assert(counters_of(&scene).limit_near, "four of five are 80 percent");
    announce(&scene, 4, 6, 0);
    cr_assert_eq(counters_of(&scene).held, 10);
    cr_assert_eq(state_of(&scene), BGP_ESTABLISHED);
    finish(&scene);
}

/* The real service counts what is held and what is said again: 6 held and said again are 12. */
Test(limit, azure_counts_what_is_said_again_twice)
{
    for (unsigned azure = 0; azure < 2; azure++) {
        struct scene scene =
            make_scene((struct speaker_prefix_limit){.limit = 10, .count_azure = azure}, 0);

        world_start(scene.world);
        announce(&scene, 0, 6, 0);
        cr_assert_eq(state_of(&scene), BGP_ESTABLISHED, "counted once at first");
        world_run(scene.world, 5000);
        cr_assert_eq(speaker_peer_request_refresh(scene.server->speaker, scene.link->ends[0].peer,
                                                  scene.world->now),
                     0);
        world_settle(scene.world);
        cr_assert_eq(state_of(&scene), azure ? BGP_IDLE : BGP_ESTABLISHED);
        finish(&scene);
    }
}

Test(limit, azure_counts_five_held_and_five_more_as_ten)
{
    struct scene scene =
        make_scene((struct speaker_prefix_limit){.limit = 10, .count_azure = true}, 0);

    world_start(scene.world);
    announce(&scene, 0, 5, 0);
    world_run(scene.world, 5000);
    announce(&scene, 5, 5, 0);
    cr_assert_eq(state_of(&scene), BGP_ESTABLISHED);
    world_run(scene.world, 5000);
    announce(&scene, 10, 1, 0);
    cr_assert_eq(state_of(&scene), BGP_IDLE, "the eleventh");
    finish(&scene);
}

Test(limit, a_closed_session_stays_idle_for_its_minutes)
{
    struct scene scene =
        make_scene((struct speaker_prefix_limit){.limit = 2, .idle_minutes = 5}, 0);
    const struct bgp_session *session;

    world_start(scene.world);
    session = speaker_peer_session(scene.link->ends[0].peer);
    announce(&scene, 0, 3, 0);
    cr_assert_eq(state_of(&scene), BGP_IDLE);
    cr_assert_eq(bgp_session_pause_end(session), scene.world->now + 300000);
    world_withdraw(scene.nva, "10.2.0.0/16");
    world_run(scene.world, 299000);
    cr_assert_eq(state_of(&scene), BGP_IDLE);
    world_mend(scene.world, scene.link);
    cr_assert_eq(state_of(&scene), BGP_ESTABLISHED);
    finish(&scene);
}

Test(limit, forever_is_until_started_again)
{
    struct scene scene =
        make_scene((struct speaker_prefix_limit){.limit = 2, .idle_minutes = UINT32_MAX}, 0);
    struct speaker_peer *peer;

    world_start(scene.world);
    peer = scene.link->ends[0].peer;
    announce(&scene, 0, 3, 0);
    cr_assert_eq(bgp_session_pause_end(speaker_peer_session(peer)), BGP_PAUSE_FOREVER);
    world_withdraw(scene.nva, "10.2.0.0/16");
    world_run(scene.world, 100 * 60000);
    cr_assert_eq(state_of(&scene), BGP_IDLE);
    speaker_peer_start(scene.server->speaker, peer, scene.world->now);
    world_mend(scene.world, scene.link);
    cr_assert_eq(state_of(&scene), BGP_ESTABLISHED);
    finish(&scene);
}

Test(limit, the_route_servers_own_limit_drops_new_prefixes_only)
{
    struct scene scene = make_scene((struct speaker_prefix_limit){0}, 4);

    world_originate(scene.server, &(struct route){.prefix = "10.0.0.0/8"});
    world_start(scene.world);
    announce(&scene, 0, 6, 0);
    cr_assert_eq(counters_of(&scene).held, 3, "the own route counts too");
    cr_assert_eq(counters_of(&scene).refused, 3);
    announce(&scene, 0, 3, 64900);
    cr_assert_eq(counters_of(&scene).refused, 3);
    world_originate(scene.server, &(struct route){.prefix = "11.0.0.0/8"});
    cr_assert(speaker_originates(scene.server->speaker, &(struct lpm_prefix){LPM_IPV4, 8, {11}}),
              "own routes are never refused");
    cr_assert_eq(state_of(&scene), BGP_ESTABLISHED);
    finish(&scene);
}

/* A peer that is back may say everything anew: what only waits to be confirmed is not in its way. */
Test(limit, stale_routes_leave_room_for_those_that_take_their_place)
{
    struct scene scene = {.world = world_create()};
    struct speaker_peer_config server = world_end("10.0.0.4", 65001);
    struct speaker_peer_config nva = world_end("10.0.1.10", 65515);

    server.limit.limit = 3;
    server.restart = nva.restart =
        (struct bgp_restart_config){.offered = true, .time_s = 90, .forwarding = true};
    scene.server = world_node(scene.world, &(struct speaker_config){.asn = 65515});
    scene.nva = world_node(scene.world, &(struct speaker_config){.asn = 65001});
    scene.link = world_link(scene.world, scene.server, server, scene.nva, nva);
    world_start(scene.world);
    announce(&scene, 0, 3, 0);
    world_cut(scene.world, scene.link);
    for (unsigned i = 0; i < 3; i++) {
        char prefix[32];

        snprintf(prefix, sizeof(prefix), "10.%u.0.0/16", i);
        world_withdraw(scene.nva, prefix);
    }
    announce(&scene, 10, 3, 0);
    world_mend(scene.world, scene.link);
    cr_assert_eq(state_of(&scene), BGP_ESTABLISHED);
    cr_assert_eq(counters_of(&scene).held, 3);
    finish(&scene);
}

Test(limit, the_route_server_warns_before_its_own_limit)
{
    struct scene scene = make_scene((struct speaker_prefix_limit){.limit = 0}, 10);
    const struct end *end = &scene.link->ends[0];

    world_start(scene.world);
    announce(&scene, 0, 7, 0);
    cr_assert_eq(end->notices, 0, "%s", end->notice);
    announce(&scene, 7, 1, 0);
    cr_assert_eq(end->notices, 1);
    cr_assert_not_null(strstr(end->notice, "route server's prefix limit is near: 8 of 10"), "%s",
                       end->notice);
    announce(&scene, 8, 2, 0);
    cr_assert_eq(end->notices, 1, "once");
    announce(&scene, 10, 1, 0);
    cr_assert_eq(counters_of(&scene).held, 10);
    for (unsigned i = 5; i < 10; i++) {
        char prefix[32];

        snprintf(prefix, sizeof(prefix), "10.%u.0.0/16", i);
        world_withdraw(scene.nva, prefix);
    }
    world_settle(scene.world);
    announce(&scene, 0, 1, 7);
    announce(&scene, 5, 4, 0);
    cr_assert_eq(end->notices, 3, "again after it was far: %s", end->notice);
    finish(&scene);
}
