/* A peer that becomes another neighbour: when it may, and that nothing of the former one is left. */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "tests/rib/world.h"

static char text[WORLD_TEXT];

static const struct speaker_config route_server = {
    .name = "rs", .asn = 65515, .prepend_own_asn = true, .reflect = true};

/* Two NVAs of AS 65001 and 65002, the first of which announces two prefixes. */
struct scene {
    struct world *world;
    struct node *server, *nvas[2];
    struct link *links[2];
};

static struct scene start_scene(bool restarts)
{
    struct scene scene = {.world = world_create()};
    static const char *const addresses[] = {"10.0.1.10", "10.0.1.11"};

    scene.server = world_node(scene.world, &route_server);
    for (unsigned i = 0; i < 2; i++) {
        struct speaker_peer_config left = world_end("10.0.0.4", 65001 + i);
        struct speaker_peer_config right = world_end(addresses[i], 65515);

        left.restart = right.restart = (struct bgp_restart_config){
            .offered = restarts, .time_s = restarts ? 90 : 0, .forwarding = restarts};
        scene.nvas[i] = world_node(
            scene.world, &(struct speaker_config){.asn = 65001 + i, .prepend_own_asn = true});
        scene.links[i] = world_link(scene.world, scene.server, left, scene.nvas[i], right);
    }
    world_originate(scene.nvas[0], &(struct route){.prefix = "10.1.0.0/16"});
    world_originate(scene.nvas[0], &(struct route){.prefix = "10.2.0.0/16"});
    world_start(scene.world);
    cr_assert_eq(scene.links[0]->ends[0].state, BGP_ESTABLISHED);
    return scene;
}

static struct speaker_peer *first_peer(const struct scene *scene)
{
    return scene->links[0]->ends[0].peer;
}

static int replace(const struct scene *scene, const char *name, const char *address, uint32_t asn)
{
    struct speaker_peer_config config = *speaker_peer_config(first_peer(scene));

    config.name = name;
    config.peer_address = world_address(address);
    config.asn = asn;
    return speaker_peer_replace(scene->server->speaker, first_peer(scene), &config);
}

static void stop(const struct scene *scene)
{
    speaker_peer_stop(scene->server->speaker, first_peer(scene), BGP_CEASE_SHUTDOWN,
                      scene->world->now);
    world_run(scene->world, 100);
}

static void start(const struct scene *scene)
{
    speaker_peer_start(scene->server->speaker, first_peer(scene), scene->world->now);
    world_run(scene->world, 120000);
}

static void finish(struct scene *scene)
{
    cr_assert(speaker_validate(scene->server->speaker));
    world_destroy(scene->world);
}

Test(replace, peer_in_use_stays_who_it_is)
{
    struct scene scene = start_scene(false);

    cr_assert_not(speaker_peer_idle(first_peer(&scene)));
    cr_assert_eq(replace(&scene, "other", "10.0.1.77", 65009), -EBUSY);
    cr_assert_eq(speaker_peer_config(first_peer(&scene))->asn, 65001);
    cr_assert_eq(scene.links[0]->ends[0].state, BGP_ESTABLISHED);
    finish(&scene);
}

Test(replace, retained_routes_keep_a_peer)
{
    struct scene scene = start_scene(true);

    scene.links[0]->up = false;
    world_cut(scene.world, scene.links[0]);
    cr_assert(speaker_peer_retained(first_peer(&scene)));
    cr_assert_eq(replace(&scene, "other", "10.0.1.77", 65009), -EBUSY);
    world_run(scene.world, 200000);
    cr_assert_not(speaker_peer_retained(first_peer(&scene)));
    finish(&scene);
}

Test(replace, nothing_of_the_former_neighbour_is_left)
{
    struct scene scene = start_scene(false);
    struct speaker_peer_counters counters;

    stop(&scene);
    cr_assert(speaker_peer_idle(first_peer(&scene)));
    cr_assert_eq(replace(&scene, "other", "10.0.1.77", 65009), 0);
    cr_assert_str_eq(speaker_peer_config(first_peer(&scene))->name, "other");
    cr_assert_eq(bgp_session_config(speaker_peer_session(first_peer(&scene)))->peer_asn, 65009);
    speaker_peer_counters(first_peer(&scene), &counters);
    cr_assert_eq(counters.updates_in + counters.held + counters.advertised + counters.withdrawn, 0);
    cr_assert_str_empty(world_choices(scene.server, text));
    start(&scene);
    cr_assert_neq(scene.links[0]->ends[0].state, BGP_ESTABLISHED, "the NVA has another AS");
    finish(&scene);
}

/* Its place among the speaker's peers is as good as a new one, with the other sessions undisturbed. */
Test(replace, new_neighbour_has_a_session_like_any)
{
    struct scene scene = start_scene(false);

    stop(&scene);
    cr_assert_eq(replace(&scene, "other", "10.0.1.11", 65009), 0, "a sibling of the second now");
    cr_assert_eq(replace(&scene, "again", "10.0.1.10", 65001), 0);
    start(&scene);
    cr_assert_eq(scene.links[0]->ends[0].state, BGP_ESTABLISHED);
    cr_assert_str_eq(world_choices(scene.server, text),
                     "10.1.0.0/16 | [65001] 10.0.1.10\n10.2.0.0/16 | [65001] 10.0.1.10\n");
    cr_assert_eq(scene.links[1]->ends[0].state, BGP_ESTABLISHED);
    finish(&scene);
}

Test(replace, own_end_of_a_session_stays)
{
    struct scene scene = start_scene(false);
    struct speaker_peer_config config = *speaker_peer_config(first_peer(&scene));

    stop(&scene);
    config.local_address = world_address("10.0.0.5");
    cr_assert_eq(speaker_peer_replace(scene.server->speaker, first_peer(&scene), &config), -EINVAL);
    start(&scene);
    cr_assert_eq(scene.links[0]->ends[0].state, BGP_ESTABLISHED, "it goes on as it was");
    finish(&scene);
}
