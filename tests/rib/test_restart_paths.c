/*
 * A neighbour that comes back from a restart and says several paths to a prefix (RFC 7911) where it said
 * one before, or the other way round: nothing that it did not confirm may outlive its End-of-RIB.
 */
#include <criterion/criterion.h>
#include <string.h>

#include "tests/rib/world.h"

static char text[WORLD_TEXT];

/* A route server that takes several paths, and an NVA that has two, from its own two neighbours. */
struct scene {
    struct world *world;
    struct node *server, *nva;
    struct link *link;
};

static struct speaker_peer_config nva_end(bool says_paths)
{
    struct speaker_peer_config config = world_end("10.0.1.10", 65515);

    config.restart = (struct bgp_restart_config){.offered = true, .time_s = 90, .forwarding = true};
    config.add_path_send = says_paths;
    config.add_path_max = says_paths ? 4 : 0;
    return config;
}

static struct scene start_scene(bool says_paths)
{
    struct scene scene = {.world = world_create()};
    struct speaker_peer_config near = world_end("10.0.0.4", 65001);

    near.restart = (struct bgp_restart_config){.offered = true, .time_s = 90, .forwarding = true};
    near.add_path_receive = true;
    near.stale_time_s = 60;
    scene.server = world_node(
        scene.world, &(struct speaker_config){.name = "rs", .asn = 65515, .prepend_own_asn = true});
    scene.nva = world_node(scene.world, &(struct speaker_config){.asn = 65001, .reflect = true});
    scene.link = world_link(scene.world, scene.server, near, scene.nva, nva_end(says_paths));
    for (unsigned i = 0; i < 2; i++) {
        struct node *branch = world_node(
            scene.world, &(struct speaker_config){.asn = 65101 + i, .prepend_own_asn = true});

        world_join(scene.world, scene.nva, 65001, "10.0.1.10", branch, 65101 + i,
                   i == 0 ? "10.0.3.1" : "10.0.3.2");
        world_originate(branch, &(struct route){.prefix = "10.1.0.0/16"});
        world_originate(branch, &(struct route){.prefix = "10.2.0.0/16"});
    }
    world_start(scene.world);
    cr_assert_eq(scene.link->ends[0].state, BGP_ESTABLISHED);
    cr_assert(speaker_validate(scene.server->speaker));
    return scene;
}

static size_t held(const struct scene *scene)
{
    size_t n = 0;

    world_learned(scene->server, scene->link->ends[0].peer, text);
    for (const char *at = text; (at = strchr(at, '\n')) != NULL; at++)
        n++;
    return n;
}

/* The NVA's daemon dies, and is another one from here on. */
static void lose(struct scene *scene, bool says_paths)
{
    struct end *end = &scene->link->ends[1];
    struct speaker_peer_config config = *speaker_peer_config(end->peer);

    world_cut(scene->world, scene->link);
    cr_assert(speaker_validate(scene->server->speaker));
    speaker_peer_stop(scene->nva->speaker, end->peer, BGP_CEASE_SHUTDOWN, scene->world->now);
    config.add_path_send = says_paths;
    config.add_path_max = says_paths ? 4 : 0;
    cr_assert_eq(speaker_peer_replace(scene->nva->speaker, end->peer, &config), 0);
    speaker_peer_start(scene->nva->speaker, end->peer, scene->world->now);
}

static void come_back(struct scene *scene)
{
    world_mend(scene->world, scene->link);
    cr_assert_eq(scene->link->ends[0].state, BGP_ESTABLISHED);
    world_settle(scene->world);
    cr_assert(speaker_validate(scene->server->speaker));
    cr_assert_eq(speaker_peer_retention(scene->link->ends[0].peer, BGP_IPV4_UNICAST).kind,
                 SPEAKER_RETAIN_NONE);
}

Test(restart_paths, a_path_without_identifier_goes_when_others_take_its_place)
{
    struct scene scene = start_scene(false);

    cr_assert_eq(held(&scene), 2, "%s", text);
    lose(&scene, true);
    cr_assert_eq(held(&scene), 2, "kept: %s", text);
    come_back(&scene);
    cr_assert_eq(held(&scene), 4, "%s", text);
    world_destroy(scene.world);
}

Test(restart_paths, paths_with_identifiers_go_when_one_without_takes_their_place)
{
    struct scene scene = start_scene(true);

    cr_assert_eq(held(&scene), 4, "%s", text);
    lose(&scene, false);
    cr_assert_eq(held(&scene), 4, "kept: %s", text);
    come_back(&scene);
    cr_assert_eq(held(&scene), 2, "%s", text);
    world_destroy(scene.world);
}

Test(restart_paths, to_and_fro_leaves_nothing)
{
    struct scene scene = start_scene(false);

    for (unsigned i = 0; i < 6; i++) {
        bool says_paths = i % 2 == 0;

        lose(&scene, says_paths);
        come_back(&scene);
        cr_assert_eq(held(&scene), says_paths ? 4 : 2, "turn %u: %s", i, text);
    }
    world_destroy(scene.world);
}

/* Lost again before it has said anything: what was stale then is gone for good, and the walk that takes it
 * away must not spare what stands beside a confirmed path. */
Test(restart_paths, two_losses_in_a_row_leave_nothing_unconfirmed)
{
    struct scene scene = start_scene(false);
    struct link *link = scene.link;

    lose(&scene, true);
    link->up = true;
    for (unsigned i = 0; i < 300 && link->ends[0].state != BGP_ESTABLISHED; i++)
        world_run(scene.world, 1000);
    lose(&scene, false);
    lose(&scene, true);
    come_back(&scene);
    cr_assert_eq(held(&scene), 4, "%s", text);
    world_destroy(scene.world);
}
