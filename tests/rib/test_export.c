/*
 * What peers are sent: who gets a route and how its attributes are dressed. All seen at the far
 * end, after real messages.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "tests/rib/world.h"

static char text[WORLD_TEXT];

static const struct speaker_config route_server = {
    .name = "rs", .asn = 65515, .prepend_own_asn = true, .reflect = true};

/* A route server at 10.0.0.4 with NVAs 10.0.1.10 (AS 65001) and 10.0.1.11 (AS 65002). */
struct scene {
    struct world *world;
    struct node *server, *left, *right;
    struct link *left_link, *right_link;
};

static struct scene make_scene(const struct speaker_config *config,
                               const struct speaker_peer_config *towards_right)
{
    struct scene scene = {.world = world_create()};
    struct speaker_config left = {.asn = 65001, .prepend_own_asn = true};
    struct speaker_config right = {.asn = 65002, .prepend_own_asn = true};

    scene.server = world_node(scene.world, config);
    scene.left = world_node(scene.world, &left);
    scene.right = world_node(scene.world, &right);
    scene.left_link = world_join(scene.world, scene.server, config->asn, "10.0.0.4", scene.left,
                                 65001, "10.0.1.10");
    scene.right_link =
        world_link(scene.world, scene.server,
                   towards_right != NULL ? *towards_right : world_end("10.0.0.4", 65002),
                   scene.right, world_end("10.0.1.11", config->asn));
    world_start(scene.world);
    cr_assert_eq(scene.left_link->ends[0].state, BGP_ESTABLISHED);
    cr_assert_eq(scene.right_link->ends[1].state, BGP_ESTABLISHED);
    return scene;
}

static const char *seen_right(struct scene *scene)
{
    world_settle(scene->world);
    cr_assert(speaker_settled(scene->server->speaker));
    cr_assert(speaker_validate(scene->server->speaker));
    return world_learned(scene->right, scene->right_link->ends[1].peer, text);
}

Test(export, prepends_and_sets_the_next_hop)
{
    struct scene scene = make_scene(&route_server, NULL);

    world_originate(scene.server, &(struct route){.prefix = "10.0.0.0/22"});
    world_originate(scene.left,
                    &(struct route){.prefix = "10.0.0.0/8",
                                    .as_path = {64900},
                                    .communities = {65517u << 16 | 12001, 65001u << 16 | 7}});
    cr_assert_str_eq(seen_right(&scene),
                     "10.0.0.0/8 [65515 65001 64900] 10.0.0.4 65001:7 65517:12001 (chosen)\n"
                     "10.0.0.0/22 [65515] 10.0.0.4 (chosen)\n");
    cr_assert_str_eq(world_advertised(scene.server, scene.right_link->ends[0].peer, text),
                     "10.0.0.0/8 [65515 65001 64900] 10.0.0.4 65001:7 65517:12001\n"
                     "10.0.0.0/22 [65515] 10.0.0.4\n");
    cr_assert_str_eq(world_advertised(scene.server, scene.left_link->ends[0].peer, text),
                     "10.0.0.0/22 [65515] 10.0.0.4\n", "split horizon");
    world_destroy(scene.world);
}

Test(export, withdraws_what_is_gone)
{
    struct scene scene = make_scene(&route_server, NULL);

    world_originate(scene.left, &(struct route){.prefix = "10.0.0.0/8"});
    world_originate(scene.left, &(struct route){.prefix = "11.0.0.0/8"});
    cr_assert_str_neq(seen_right(&scene), "");
    world_withdraw(scene.left, "10.0.0.0/8");
    cr_assert_str_eq(seen_right(&scene), "11.0.0.0/8 [65515 65001] 10.0.0.4 (chosen)\n");
    world_cut(scene.world, scene.left_link);
    cr_assert_str_eq(seen_right(&scene), "");
    world_destroy(scene.world);
}

Test(export, transparent_leaves_attributes_alone)
{
    struct speaker_config config = route_server;
    struct scene scene;

    config.prepend_own_asn = false;
    scene = make_scene(&config, NULL);
    world_originate(scene.left, &(struct route){.prefix = "10.0.0.0/8",
                                                .next_hop = "10.0.1.100",
                                                .has_med = true,
                                                .med = 77});
    cr_assert_str_eq(seen_right(&scene), "10.0.0.0/8 [65001] 10.0.1.100 med 77 (chosen)\n");
    world_destroy(scene.world);
}

Test(export, a_prepending_server_keeps_a_neighbours_med_to_itself)
{
    struct scene scene = make_scene(&route_server, NULL);

    world_originate(scene.left,
                    &(struct route){.prefix = "10.0.0.0/8", .has_med = true, .med = 77});
    world_originate(scene.server,
                    &(struct route){.prefix = "11.0.0.0/8", .has_med = true, .med = 5});
    cr_assert_str_eq(seen_right(&scene), "10.0.0.0/8 [65515 65001] 10.0.0.4 (chosen)\n"
                                         "11.0.0.0/8 [65515] 10.0.0.4 med 5 (chosen)\n");
    world_destroy(scene.world);
}

Test(export, as_override_replaces_the_peers_as_before_the_prepend)
{
    struct speaker_peer_config towards = world_end("10.0.0.4", 65002);
    struct scene scene;

    towards.as_override = true;
    scene = make_scene(&route_server, &towards);
    world_originate(scene.left, &(struct route){.prefix = "10.0.0.0/8", .as_path = {65002, 65512}});
    cr_assert_str_eq(seen_right(&scene),
                     "10.0.0.0/8 [65515 65001 65515 65512] 10.0.0.4 (chosen)\n");
    world_destroy(scene.world);
}

Test(export, prepends_more_towards_a_peer_that_wants_it)
{
    struct speaker_peer_config towards = world_end("10.0.0.4", 65002);
    struct scene scene;

    towards.prepend = 2;
    scene = make_scene(&route_server, &towards);
    world_originate(scene.left, &(struct route){.prefix = "10.0.0.0/8"});
    world_originate(scene.server, &(struct route){.prefix = "11.0.0.0/8"});
    cr_assert_str_eq(seen_right(&scene), "10.0.0.0/8 [65515 65515 65515 65001] 10.0.0.4 (chosen)\n"
                                         "11.0.0.0/8 [65515 65515 65515] 10.0.0.4 (chosen)\n");
    world_destroy(scene.world);
}

Test(export, honours_well_known_communities_of_learned_routes)
{
    struct scene scene = make_scene(&route_server, NULL);
    struct lpm_prefix prefix = world_prefix("10.0.0.0/8");
    struct rib_choice choice;

    world_originate(scene.left,
                    &(struct route){.prefix = "10.0.0.0/8", .communities = {BGP_NO_ADVERTISE}});
    world_originate(scene.left,
                    &(struct route){.prefix = "11.0.0.0/8", .communities = {BGP_NO_EXPORT}});
    world_originate(scene.left, &(struct route){.prefix = "12.0.0.0/8",
                                                .communities = {BGP_NO_EXPORT_SUBCONFED}});
    cr_assert_str_eq(seen_right(&scene), "");
    cr_assert(speaker_choice(scene.server->speaker, &prefix, &choice), "it is used all the same");
    world_originate(scene.left, &(struct route){.prefix = "10.0.0.0/8"});
    cr_assert_str_eq(seen_right(&scene), "10.0.0.0/8 [65515 65001] 10.0.0.4 (chosen)\n");
    world_originate(scene.left,
                    &(struct route){.prefix = "10.0.0.0/8", .communities = {BGP_NO_ADVERTISE}});
    cr_assert_str_eq(seen_right(&scene), "", "the tag takes it back");
    world_destroy(scene.world);
}

Test(export, reflects_only_when_told_to)
{
    struct speaker_config config = route_server;
    struct scene scene;

    config.reflect = false;
    scene = make_scene(&config, NULL);
    world_originate(scene.left, &(struct route){.prefix = "10.0.0.0/8"});
    world_originate(scene.server, &(struct route){.prefix = "11.0.0.0/8"});
    cr_assert_str_eq(seen_right(&scene), "11.0.0.0/8 [65515] 10.0.0.4 (chosen)\n");
    world_destroy(scene.world);
}

Test(export, marks_reflected_routes_of_nvas_in_azure_mode)
{
    struct speaker_config config = route_server;
    struct scene scene;

    config.mark_reflected = true;
    scene = make_scene(&config, NULL);
    world_originate(scene.left, &(struct route){.prefix = "10.0.0.0/8"});
    world_originate(scene.server, &(struct route){.prefix = "11.0.0.0/8"});
    cr_assert_str_eq(seen_right(&scene), "10.0.0.0/8 [65515 65001] 10.0.0.4 65517:65517 (chosen)\n"
                                         "11.0.0.0/8 [65515] 10.0.0.4 (chosen)\n");
    world_destroy(scene.world);
}

Test(export, marks_nothing_towards_a_gateway)
{
    struct speaker_peer_config towards = world_end("10.0.0.4", 65002);
    struct speaker_config config = route_server;
    struct scene scene;

    config.mark_reflected = true;
    towards.source = RIB_SOURCE_VPN;
    scene = make_scene(&config, &towards);
    world_originate(scene.left, &(struct route){.prefix = "10.0.0.0/8"});
    cr_assert_str_eq(seen_right(&scene), "10.0.0.0/8 [65515 65001] 10.0.0.4 (chosen)\n");
    world_destroy(scene.world);
}

Test(export, both_instances_sessions_of_a_neighbour_are_one_horizon)
{
    struct world *world = world_create();
    struct node *server = world_node(world, &route_server);
    struct node *nva =
        world_node(world, &(struct speaker_config){.asn = 65001, .prepend_own_asn = true});
    struct link *first = world_join(world, server, 65515, "10.0.0.4", nva, 65001, "10.0.1.10");
    struct link *second = world_join(world, server, 65515, "10.0.0.5", nva, 65001, "10.0.1.10");

    world_originate(nva, &(struct route){.prefix = "10.0.0.0/8"});
    world_originate(server, &(struct route){.prefix = "11.0.0.0/8"});
    world_start(world);
    cr_assert_str_eq(world_learned(nva, first->ends[1].peer, text),
                     "11.0.0.0/8 [65515] 10.0.0.4 (chosen)\n");
    cr_assert_str_eq(world_learned(nva, second->ends[1].peer, text),
                     "11.0.0.0/8 [65515] 10.0.0.5 (chosen)\n", "each instance is its own next hop");
    world_destroy(world);
}

Test(export, towards_ibgp_adds_local_pref_and_changes_nothing_else)
{
    struct world *world = world_create();
    struct node *server = world_node(world, &route_server);
    struct node *gateway = world_node(world, &route_server);
    struct node *second_gateway = world_node(world, &route_server);
    struct node *nva =
        world_node(world, &(struct speaker_config){.asn = 65001, .prepend_own_asn = true});
    struct link *inner = world_join(world, server, 65515, "10.0.0.4", gateway, 65515, "10.0.3.4");
    struct link *other =
        world_join(world, server, 65515, "10.0.0.4", second_gateway, 65515, "10.0.3.5");
    struct link *outer = world_join(world, server, 65515, "10.0.0.4", nva, 65001, "10.0.1.10");

    world_originate(nva, &(struct route){.prefix = "10.0.0.0/8",
                                         .next_hop = "10.0.1.100",
                                         .communities = {BGP_NO_EXPORT}});
    world_originate(server, &(struct route){.prefix = "11.0.0.0/8"});
    world_originate(gateway, &(struct route){.prefix = "12.0.0.0/8", .as_path = {12076, 65050}});
    world_start(world);
    cr_assert_str_eq(world_learned(gateway, inner->ends[1].peer, text),
                     "10.0.0.0/8 [65001] 10.0.1.100 no-export local-pref 100 (chosen)\n"
                     "11.0.0.0/8 [] 10.0.0.4 local-pref 100 (chosen)\n");
    cr_assert_str_eq(world_learned(nva, outer->ends[1].peer, text),
                     "11.0.0.0/8 [65515] 10.0.0.4 (chosen)\n"
                     "12.0.0.0/8 [65515 12076 65050] 10.0.0.4 (chosen)\n");
    world_learned(second_gateway, other->ends[1].peer, text);
    cr_assert_null(strstr(text, "12.0.0.0/8"), "iBGP routes do not go to iBGP peers");
    world_destroy(world);
}

Test(export, an_own_route_with_a_next_hop_keeps_it)
{
    struct scene scene = make_scene(&route_server, NULL);

    world_originate(scene.server,
                    &(struct route){.prefix = "10.0.0.0/8", .next_hop = "10.0.1.100"});
    cr_assert_str_eq(seen_right(&scene), "10.0.0.0/8 [65515] 10.0.1.100 (chosen)\n");
    world_destroy(scene.world);
}

/* --- IPv6 ------------------------------------------------------------------------------------- */

Test(export, sends_ipv6_routes_with_the_ipv6_next_hop)
{
    struct speaker_peer_config towards = world_end("10.0.0.4", 65002);
    struct scene scene;

    towards.local_address6 = world_address("fd00::4");
    scene = make_scene(&route_server, &towards);
    world_originate(scene.server, &(struct route){.prefix = "fd00:1::/32"});
    world_originate(scene.server, &(struct route){.prefix = "11.0.0.0/8"});
    world_originate(scene.left, &(struct route){.prefix = "fd00:2::/32", .next_hop = "fd00::10"});
    cr_assert_str_eq(seen_right(&scene), "11.0.0.0/8 [65515] 10.0.0.4 (chosen)\n"
                                         "fd00:1::/32 [65515] fd00::4 (chosen)\n"
                                         "fd00:2::/32 [65515 65001] fd00::4 (chosen)\n");
    world_withdraw(scene.left, "fd00:2::/32");
    cr_assert_str_eq(seen_right(&scene), "11.0.0.0/8 [65515] 10.0.0.4 (chosen)\n"
                                         "fd00:1::/32 [65515] fd00::4 (chosen)\n");
    world_destroy(scene.world);
}

Test(export, never_sends_an_ipv6_route_without_an_ipv6_next_hop)
{
    struct scene scene = make_scene(&route_server, NULL);

    world_originate(scene.server, &(struct route){.prefix = "fd00:1::/32"});
    world_originate(scene.left, &(struct route){.prefix = "fd00:2::/32", .next_hop = "fd00::10"});
    cr_assert_str_eq(seen_right(&scene), "");
    world_learned(scene.server, scene.left_link->ends[0].peer, text);
    cr_assert_str_eq(text, "fd00:2::/32 [65001] fd00::10 (chosen)\n", "but takes one in");
    world_destroy(scene.world);
}

Test(export, a_session_over_ipv6_uses_its_own_address)
{
    struct world *world = world_create();
    struct node *server = world_node(world, &route_server);
    struct node *nva =
        world_node(world, &(struct speaker_config){.asn = 65001, .prepend_own_asn = true});
    struct speaker_peer_config near = world_end("fd00::4", 65001);
    struct speaker_peer_config far = world_end("fd00::10", 65515);
    struct link *link;

    near.identifier = 1;
    far.identifier = 2;
    link = world_link(world, server, near, nva, far);
    world_originate(server, &(struct route){.prefix = "fd00:1::/32"});
    world_originate(server, &(struct route){.prefix = "10.0.0.0/8"});
    world_start(world);
    cr_assert_str_eq(world_learned(nva, link->ends[1].peer, text),
                     "fd00:1::/32 [65515] fd00::4 (chosen)\n",
                     "an IPv4 route has no next hop of its family here");
    world_destroy(world);
}
