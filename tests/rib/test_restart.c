/*
 * What becomes of a peer's routes when it, or this end, restarts (RFC 4724, RFC 8538, RFC 9494), and
 * when everything is said again (RFC 2918, RFC 7313).
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "tests/rib/wire.h"
#include "tests/rib/world.h"

static char text[WORLD_TEXT];

static const struct speaker_config route_server = {
    .name = "rs", .asn = 65515, .prepend_own_asn = true, .reflect = true};

/* A route server with two NVAs, which all know of restarts. */
struct scene {
    struct world *world;
    struct node *server, *nvas[2];
    struct link *links[2];
};

struct knowledge {
    uint16_t nva_time_s; /* 0: the NVA only helps */
    bool nva_forwards;
    uint32_t long_lived_s;   /* of the route server and the first NVA */
    bool second_knows_stale; /* RFC 9494 at the second NVA */
};

static struct speaker_peer_config restarting_end(const char *address, uint32_t asn, uint16_t time_s,
                                                 bool forwards, uint32_t long_lived_s)
{
    struct speaker_peer_config config = world_end(address, asn);

    config.restart = (struct bgp_restart_config){
        .offered = true, .time_s = time_s, .forwarding = forwards, .long_lived_s = long_lived_s};
    config.stale_time_s = 60;
    return config;
}

static struct scene make_scene(struct knowledge knows)
{
    struct scene scene = {.world = world_create()};
    static const char *const addresses[] = {"10.0.1.10", "10.0.1.11"};

    scene.server = world_node(scene.world, &route_server);
    for (unsigned i = 0; i < 2; i++) {
        uint32_t asn = 65001 + i;
        bool stale_known = i == 0 || knows.second_knows_stale;

        scene.nvas[i] =
            world_node(scene.world, &(struct speaker_config){.asn = asn, .prepend_own_asn = true});
        scene.links[i] = world_link(
            scene.world, scene.server,
            restarting_end("10.0.0.4", asn, 120, true, knows.long_lived_s), scene.nvas[i],
            restarting_end(addresses[i], 65515, knows.nva_time_s, knows.nva_forwards,
                           stale_known ? knows.long_lived_s : 0));
    }
    return scene;
}

static const struct knowledge both_know = {.nva_time_s = 90, .nva_forwards = true};

static struct scene start_scene(struct knowledge knows)
{
    struct scene scene = make_scene(knows);

    world_originate(scene.nvas[0], &(struct route){.prefix = "10.1.0.0/16"});
    world_originate(scene.nvas[0], &(struct route){.prefix = "10.2.0.0/16"});
    world_start(scene.world);
    cr_assert_str_eq(world_choices(scene.server, text),
                     "10.1.0.0/16 | [65001] 10.0.1.10\n10.2.0.0/16 | [65001] 10.0.1.10\n");
    return scene;
}

static struct speaker_peer *server_peer(const struct scene *scene, unsigned i)
{
    return scene->links[i]->ends[0].peer;
}

static struct speaker_retention retention(const struct scene *scene)
{
    return speaker_peer_retention(server_peer(scene, 0), BGP_IPV4_UNICAST);
}

/* The first NVA's daemon dies: its connections close without a word. */
static void lose(struct scene *scene)
{
    scene->links[0]->up = false;
    world_cut(scene->world, scene->links[0]);
    cr_assert(speaker_validate(scene->server->speaker));
}

static void finish(struct scene *scene)
{
    for (unsigned i = 0; i < 2; i++)
        cr_assert(speaker_validate(scene->nvas[i]->speaker));
    cr_assert(speaker_validate(scene->server->speaker));
    world_destroy(scene->world);
}

Test(restart, routes_of_a_lost_peer_stay_and_nobody_is_told)
{
    struct scene scene = start_scene(both_know);
    struct wire wire;
    unsigned changes = scene.server->changes;

    wire_tap(&wire, scene.world, &scene.links[1]->ends[0]);
    lose(&scene);
    cr_assert_eq(retention(&scene).kind, SPEAKER_RETAIN_RESTART);
    cr_assert_eq(retention(&scene).stale, 2);
    cr_assert(speaker_peer_retained(server_peer(&scene, 0)));
    world_run(scene.world, 500);
    world_mend(scene.world, scene.links[0]);
    world_settle(scene.world);
    cr_assert_eq(retention(&scene).kind, SPEAKER_RETAIN_NONE, "End-of-RIB ended it");
    cr_assert_eq(scene.server->changes, changes, "no choice changed: %u, %s",
                 scene.server->changes - changes, scene.links[0]->ends[0].reason);
    cr_assert_eq(wire.announcements + wire.withdrawals, 0, "%s", wire.text);
    cr_assert_str_eq(world_choices(scene.server, text),
                     "10.1.0.0/16 | [65001] 10.0.1.10\n10.2.0.0/16 | [65001] 10.0.1.10\n");
    wire_free(&wire);
    finish(&scene);
}

Test(restart, what_is_not_said_again_goes_at_end_of_rib)
{
    struct scene scene = start_scene(both_know);

    lose(&scene);
    world_withdraw(scene.nvas[0], "10.2.0.0/16");
    world_originate(scene.nvas[0], &(struct route){.prefix = "10.3.0.0/16"});
    cr_assert_not_null(strstr(world_choices(scene.server, text), "10.2.0.0/16"));
    world_mend(scene.world, scene.links[0]);
    cr_assert_str_eq(world_choices(scene.server, text),
                     "10.1.0.0/16 | [65001] 10.0.1.10\n10.3.0.0/16 | [65001] 10.0.1.10\n");
    finish(&scene);
}

Test(restart, routes_go_when_the_restart_time_is_over)
{
    struct scene scene = start_scene(both_know);

    lose(&scene);
    world_run(scene.world, 89999);
    cr_assert_eq(retention(&scene).stale, 2);
    world_run(scene.world, 1);
    cr_assert_eq(retention(&scene).kind, SPEAKER_RETAIN_NONE);
    cr_assert(!speaker_peer_retained(server_peer(&scene, 0)));
    cr_assert_not_null(strstr(scene.links[0]->ends[0].reason, "2 stale routes go"), "%s",
                       scene.links[0]->ends[0].reason);
    cr_assert_str_eq(world_choices(scene.server, text), "");
    cr_assert_str_eq(world_learned(scene.nvas[1], scene.links[1]->ends[1].peer, text), "");
    finish(&scene);
}

Test(restart, routes_go_at_once_without_the_capability_or_a_time)
{
    struct scene scene = start_scene((struct knowledge){.nva_time_s = 0});

    lose(&scene);
    cr_assert_eq(retention(&scene).kind, SPEAKER_RETAIN_NONE);
    cr_assert_str_eq(world_choices(scene.server, text), "");
    finish(&scene);
}

Test(restart, a_peer_that_did_not_keep_forwarding_loses_its_routes_on_return)
{
    struct scene scene = start_scene((struct knowledge){.nva_time_s = 90, .nva_forwards = false});

    lose(&scene);
    cr_assert_eq(retention(&scene).stale, 2);
    world_withdraw(scene.nvas[0], "10.2.0.0/16");
    world_mend(scene.world, scene.links[0]);
    cr_assert_str_eq(world_choices(scene.server, text), "10.1.0.0/16 | [65001] 10.0.1.10\n");
    finish(&scene);
}

Test(restart, a_clean_stop_keeps_nothing)
{
    struct scene scene = start_scene(both_know);

    speaker_peer_shut_down(scene.nvas[0]->speaker, scene.links[0]->ends[1].peer, BGP_CEASE_SHUTDOWN,
                           "back on Monday", scene.world->now);
    world_settle(scene.world);
    cr_assert_str_eq(world_choices(scene.server, text), "");
    cr_assert_not_null(strstr(scene.links[0]->ends[0].reason, "Hard Reset (6/9): Cease/Adm"));
    cr_assert_not_null(strstr(scene.links[0]->ends[0].reason, "\"back on Monday\""));
    finish(&scene);
}

Test(restart, a_stop_on_our_side_lets_go_of_what_is_kept)
{
    struct scene scene = start_scene(both_know);

    lose(&scene);
    speaker_peer_stop(scene.server->speaker, server_peer(&scene, 0), BGP_CEASE_SHUTDOWN,
                      scene.world->now);
    cr_assert_str_eq(world_choices(scene.server, text), "");
    finish(&scene);
}

Test(restart, second_loss_in_a_row_drops_what_was_stale)
{
    struct scene scene = start_scene(both_know);
    struct end *server = &scene.links[0]->ends[0];

    lose(&scene);
    /* The peer is back, but stops reading before it has said anything again. */
    server->paused = true;
    scene.links[0]->up = true;
    server->paused = false;
    world_mend(scene.world, scene.links[0]);
    lose(&scene);
    cr_assert_eq(retention(&scene).stale, 2, "they were confirmed in between");
    world_mend(scene.world, scene.links[0]);
    cr_assert_eq(retention(&scene).kind, SPEAKER_RETAIN_NONE);
    finish(&scene);
}

Test(restart, long_gone_routes_are_the_last_choice_and_say_so)
{
    struct scene scene = start_scene((struct knowledge){
        .nva_time_s = 90, .nva_forwards = true, .long_lived_s = 3600, .second_knows_stale = true});

    world_originate(scene.nvas[1], &(struct route){.prefix = "10.2.0.0/16", .as_path = {1, 2, 3}});
    world_settle(scene.world);
    lose(&scene);
    world_run(scene.world, 90000);
    cr_assert_eq(retention(&scene).kind, SPEAKER_RETAIN_LONG_LIVED);
    cr_assert(speaker_peer_retained(server_peer(&scene, 0)));
    cr_assert_str_eq(world_choices(scene.server, text),
                     "10.1.0.0/16 | [65001] 10.0.1.10\n"
                     "10.2.0.0/16 | [65002 1 2 3] 10.0.1.11\n",
                     "%s", text);
    world_learned(scene.nvas[1], scene.links[1]->ends[1].peer, text);
    cr_assert_not_null(strstr(text, "10.1.0.0/16 [65515 65001] 10.0.0.4 65535:6 (chosen)"), "%s",
                       text);
    world_mend(scene.world, scene.links[0]);
    cr_assert_eq(retention(&scene).kind, SPEAKER_RETAIN_NONE);
    world_learned(scene.nvas[1], scene.links[1]->ends[1].peer, text);
    cr_assert_not_null(strstr(text, "10.1.0.0/16 [65515 65001] 10.0.0.4 (chosen)"), "%s", text);
    finish(&scene);
}

Test(restart, long_gone_routes_are_kept_from_who_does_not_know_what_stale_means)
{
    struct scene scene = start_scene(
        (struct knowledge){.nva_time_s = 90, .nva_forwards = true, .long_lived_s = 3600});

    lose(&scene);
    world_run(scene.world, 90000);
    cr_assert_not_null(strstr(world_choices(scene.server, text), "10.1.0.0/16"));
    cr_assert_str_eq(world_learned(scene.nvas[1], scene.links[1]->ends[1].peer, text), "");
    world_run(scene.world, 3600000);
    cr_assert_str_eq(world_choices(scene.server, text), "", "the stale time is over too");
    finish(&scene);
}

Test(restart, no_llgr_routes_do_not_live_long)
{
    struct scene scene = make_scene((struct knowledge){
        .nva_time_s = 90, .nva_forwards = true, .long_lived_s = 3600, .second_knows_stale = true});

    world_originate(scene.nvas[0],
                    &(struct route){.prefix = "10.1.0.0/16", .communities = {BGP_NO_LLGR}});
    world_originate(scene.nvas[0], &(struct route){.prefix = "10.2.0.0/16"});
    world_start(scene.world);
    lose(&scene);
    world_run(scene.world, 90000);
    cr_assert_eq(retention(&scene).stale, 1);
    cr_assert_str_eq(world_choices(scene.server, text), "10.2.0.0/16 | [65001] 10.0.1.10\n");
    finish(&scene);
}

Test(restart, our_own_restart_of_a_session_loses_nothing)
{
    struct scene scene = start_scene((struct knowledge){.nva_time_s = 0});
    unsigned changes = scene.server->changes;

    speaker_peer_abandon(scene.server->speaker, server_peer(&scene, 0), 2000, scene.world->now);
    world_settle(scene.world);
    cr_assert_eq(scene.links[0]->ends[0].state, BGP_IDLE);
    cr_assert_eq(retention(&scene).stale, 2);
    /* The NVA keeps what we told it, since we offered a restart time. */
    world_run(scene.world, 1000);
    world_mend(scene.world, scene.links[0]);
    cr_assert_eq(scene.server->changes, changes);
    cr_assert_eq(retention(&scene).kind, SPEAKER_RETAIN_NONE);
    finish(&scene);
}

Test(restart, a_new_speaker_holds_reflected_routes_back_until_all_have_spoken)
{
    struct scene scene = make_scene(both_know);

    world_originate(scene.nvas[0], &(struct route){.prefix = "10.1.0.0/16"});
    world_originate(scene.server, &(struct route){.prefix = "10.0.0.0/22"});
    speaker_begin_restart(scene.server->speaker, scene.world->now + 20000);
    scene.links[1]->up = false; /* the second NVA is away */
    world_start(scene.world);
    scene.links[1]->up = true;
    world_mend(scene.world, scene.links[0]);
    cr_assert_str_eq(world_choices(scene.server, text),
                     "10.0.0.0/22 | [] self\n10.1.0.0/16 | [65001] 10.0.1.10\n", "%s", text);
    cr_assert(
        bgp_session_negotiated(speaker_peer_session(scene.links[0]->ends[1].peer))->peer_restarted);
    cr_assert(!speaker_peer_retention(scene.links[0]->ends[1].peer, BGP_IPV4_UNICAST)
                   .end_of_rib_received);
    world_mend(scene.world, scene.links[1]);
    cr_assert(
        speaker_peer_retention(scene.links[0]->ends[1].peer, BGP_IPV4_UNICAST).end_of_rib_received);
    world_learned(scene.nvas[1], scene.links[1]->ends[1].peer, text);
    cr_assert_not_null(strstr(text, "10.1.0.0/16"));
    finish(&scene);
}

Test(restart, a_new_speaker_does_not_wait_for_ever)
{
    struct scene scene = make_scene(both_know);

    world_originate(scene.nvas[0], &(struct route){.prefix = "10.1.0.0/16"});
    speaker_begin_restart(scene.server->speaker, scene.world->now + 20000);
    scene.links[1]->up = false;
    world_start(scene.world);
    world_run(scene.world, 20001);
    cr_assert(
        speaker_peer_retention(scene.links[0]->ends[1].peer, BGP_IPV4_UNICAST).end_of_rib_received);
    finish(&scene);
}

/* --- Refresh ---------------------------------------------------------------------------------- */

Test(restart, a_refresh_says_everything_again_between_markers)
{
    struct scene scene = start_scene(both_know);
    struct speaker_peer *asking = scene.links[1]->ends[1].peer;
    struct wire wire;

    wire_tap(&wire, scene.world, &scene.links[1]->ends[0]);
    cr_assert_eq(speaker_peer_request_refresh(scene.nvas[1]->speaker, asking, scene.world->now), 0);
    world_settle(scene.world);
    cr_assert_eq(wire.announced, 2, "%s", wire.text);
    cr_assert_eq(speaker_peer_retention(asking, BGP_IPV4_UNICAST).kind, SPEAKER_RETAIN_NONE);
    const struct bgp_session_counters *counters =
        bgp_session_counters(speaker_peer_session(server_peer(&scene, 1)));
    cr_assert_eq(counters->messages_out[BGP_ROUTE_REFRESH], 2 * BGP_FAMILY_COUNT);
    wire_free(&wire);
    finish(&scene);
}

Test(restart, a_flood_of_refreshes_is_answered_one_after_the_other)
{
    struct scene scene = start_scene(both_know);
    struct speaker_peer *asking = scene.links[1]->ends[1].peer;
    struct wire wire;

    wire_tap(&wire, scene.world, &scene.links[1]->ends[0]);
    for (unsigned i = 0; i < 200; i++)
        speaker_peer_request_refresh(scene.nvas[1]->speaker, asking, scene.world->now);
    world_settle(scene.world);
    cr_assert_leq(wire.announced, 3 * 2, "%s", wire.text);
    cr_assert_geq(wire.announced, 2);
    wire_free(&wire);
    finish(&scene);
}
