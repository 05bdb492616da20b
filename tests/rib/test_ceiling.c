/*
 * Ceilings: how many prefixes a peer is told at most, and what becomes of the others.
 *
 *     gateway (AS 65515) ── edge (AS 12076): at most 5        └── other (AS 65001): any number
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/rib/world.h"

#define CEILING 5u

static char text[WORLD_TEXT];

struct scene {
    struct world *world;
    struct node *gateway, *edge, *other;
    struct link *link, *beside;
};

static struct scene make_scene(bool truncate)
{
    struct scene scene = {.world = world_create()};
    struct speaker_peer_config towards = world_end("10.0.3.4", 12076);

    towards.ceiling =
        (struct speaker_ceiling){.limit = CEILING, .warn_percent = 80, .truncate = truncate};
    scene.gateway = world_node(
        scene.world,
        &(struct speaker_config){.asn = 65515, .prepend_own_asn = true, .reflect = true});
    scene.edge =
        world_node(scene.world, &(struct speaker_config){.asn = 12076, .prepend_own_asn = true});
    scene.other =
        world_node(scene.world, &(struct speaker_config){.asn = 65001, .prepend_own_asn = true});
    scene.link =
        world_link(scene.world, scene.gateway, towards, scene.edge, world_end("10.0.9.1", 65515));
    scene.beside =
        world_join(scene.world, scene.gateway, 65515, "10.0.3.4", scene.other, 65001, "10.0.9.2");
    return scene;
}

static char *prefix_of(unsigned i)
{
    static char prefix[32];

    snprintf(prefix, sizeof(prefix), "10.%u.0.0/16", i);
    return prefix;
}

static void announce(struct scene *scene, unsigned first, unsigned n, uint32_t asn)
{
    for (unsigned i = first; i < first + n; i++)
        world_originate(scene->gateway, &(struct route){.prefix = prefix_of(i), .as_path = {asn}});
    world_settle(scene->world);
}

static void withdraw(struct scene *scene, unsigned first, unsigned n)
{
    for (unsigned i = first; i < first + n; i++)
        world_withdraw(scene->gateway, prefix_of(i));
    world_settle(scene->world);
}

static bool edge_has(const struct scene *scene, unsigned i)
{
    return strstr(world_choices(scene->edge, text), prefix_of(i)) != NULL;
}

/* So many are told and kept back; what is told is what the edge has; and the invariants hold. */
static void assert_told(const struct scene *scene, size_t told, size_t kept_back)
{
    struct speaker_peer_counters counters, there;

    speaker_peer_counters(scene->link->ends[0].peer, &counters);
    speaker_peer_counters(scene->link->ends[1].peer, &there);
    cr_assert_eq(scene->link->ends[0].state, BGP_ESTABLISHED);
    cr_assert_eq(counters.advertised, told, "told %zu", counters.advertised);
    cr_assert_eq(counters.kept_back, kept_back, "kept back %zu", counters.kept_back);
    cr_assert_eq(there.held, told, "the edge has %zu", there.held);
    speaker_peer_counters(scene->beside->ends[1].peer, &there);
    cr_assert_eq(there.held, told + kept_back, "the other peer has %zu", there.held);
    cr_assert(speaker_validate(scene->gateway->speaker));
}

static void finish(struct scene *scene)
{
    world_destroy(scene->world);
}

Test(ceiling, at_the_limit_all_are_told_and_one_more_is_kept_back)
{
    struct scene scene = make_scene(true);
    const struct end *end = &scene.link->ends[0];

    world_start(scene.world);
    announce(&scene, 0, 3, 0);
    cr_assert_eq(end->notices, 0);
    announce(&scene, 3, 1, 0);
    assert_told(&scene, 4, 0);
    cr_assert_eq(end->notices, 1, "four of five are 80 percent");
    announce(&scene, 4, 1, 0);
    assert_told(&scene, 5, 0);
    announce(&scene, 5, 1, 0);
    assert_told(&scene, 5, 1);
    cr_assert_not(edge_has(&scene, 5), "those that came first stay");
    cr_assert_not_null(strstr(end->notice, "5 of at most 5 prefixes"), "%s", end->notice);
    announce(&scene, 6, 10, 0);
    assert_told(&scene, 5, 11);
    cr_assert_eq(end->notices, 2, "said once");
    finish(&scene);
}

Test(ceiling, what_was_kept_back_is_told_when_there_is_room)
{
    struct scene scene = make_scene(true);

    world_start(scene.world);
    announce(&scene, 0, 8, 0);
    assert_told(&scene, 5, 3);
    withdraw(&scene, 1, 1);
    assert_told(&scene, 5, 2);
    cr_assert(edge_has(&scene, 5));
    withdraw(&scene, 6, 1); /* was never told */
    assert_told(&scene, 5, 1);
    withdraw(&scene, 2, 2);
    assert_told(&scene, 4, 0);
    cr_assert(edge_has(&scene, 7));
    finish(&scene);
}

Test(ceiling, what_is_told_may_change_and_what_is_kept_back_is_told_as_it_is_by_then)
{
    struct scene scene = make_scene(true);

    world_start(scene.world);
    announce(&scene, 0, 7, 0);
    announce(&scene, 0, 7, 64900);
    assert_told(&scene, 5, 2);
    cr_assert_not_null(strstr(world_choices(scene.edge, text), "10.4.0.0/16 | [65515 64900]"), "%s",
                       text);
    withdraw(&scene, 0, 1);
    cr_assert_not_null(strstr(world_choices(scene.edge, text), "10.5.0.0/16 | [65515 64900]"), "%s",
                       text);
    assert_told(&scene, 5, 1);
    finish(&scene);
}

Test(ceiling, a_session_that_comes_back_begins_anew)
{
    struct scene scene = make_scene(true);

    world_start(scene.world);
    announce(&scene, 0, 8, 0);
    world_cut(scene.world, scene.link);
    cr_assert(speaker_validate(scene.gateway->speaker));
    withdraw(&scene, 0, 2);
    world_mend(scene.world, scene.link);
    assert_told(&scene, 5, 1);
    cr_assert(speaker_peer_request_refresh(scene.edge->speaker, scene.link->ends[1].peer,
                                           scene.world->now) == 0);
    world_settle(scene.world);
    assert_told(&scene, 5, 1);
    finish(&scene);
}

Test(ceiling, without_truncation_it_only_warns)
{
    struct scene scene = make_scene(false);

    world_start(scene.world);
    announce(&scene, 0, 8, 0);
    assert_told(&scene, 8, 0);
    cr_assert_eq(scene.link->ends[0].notices, 1);
    finish(&scene);
}

/* Against what must be, whatever comes and goes: as many as there is room for, and the rest kept back. */
Test(ceiling, holds_through_random_changes)
{
    struct scene scene = make_scene(true);
    bool there[24] = {false};
    size_t n = 0;

    srand(7);
    world_start(scene.world);
    for (unsigned round = 0; round < 400; round++) {
        for (unsigned k = 1 + (unsigned)rand() % 4; k > 0; k--) {
            unsigned i = (unsigned)rand() % 24;

            if (there[i] && rand() % 3)
                world_withdraw(scene.gateway, prefix_of(i));
            else
                world_originate(scene.gateway, &(struct route){.prefix = prefix_of(i),
                                                               .as_path = {64900 + round % 3}});
            n -= there[i];
            struct lpm_prefix prefix = world_prefix(prefix_of(i));
            struct rib_choice choice;
            there[i] = speaker_choice(scene.gateway->speaker, &prefix, &choice);
            n += there[i];
            cr_assert(speaker_validate(scene.gateway->speaker));
        }
        if (round % 50 == 49) {
            world_cut(scene.world, scene.link);
            world_mend(scene.world, scene.link);
        }
        world_settle(scene.world);
        assert_told(&scene, n < CEILING ? n : CEILING, n < CEILING ? 0 : n - CEILING);
    }
    finish(&scene);
}
