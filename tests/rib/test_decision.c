/*
 * The decision: the hub routing preference truth table row by row, and what is in an ECMP set.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "tests/rib/world.h"

#define PREFIX "192.168.0.0/16"

struct candidate {
    enum rib_source source;
    unsigned length; /* of AS_PATH as received; 0: no candidate */
};

static const struct speaker_config hub = {
    .name = "hub", .asn = 65515, .prepend_own_asn = true, .reflect = true};

/* The hub with one neighbour per candidate, at 10.0.1.(10 + i), AS 65001 + i. */
struct scene {
    struct world *world;
    struct node *hub;
    struct node *neighbours[4];
    struct link *links[4];
    unsigned n;
};

static void announce(struct node *node, const char *prefix, unsigned length)
{
    struct route route = {.prefix = prefix};

    for (unsigned i = 0; i + 1 < length; i++)
        route.as_path[i] = 64800 + i;
    world_originate(node, &route);
}

static struct scene make_scene(const struct speaker_config *config,
                               const struct candidate candidates[4])
{
    struct scene scene = {.world = world_create()};
    char address[32];

    scene.hub = world_node(scene.world, config);
    for (unsigned i = 0; i < 4 && candidates[i].length > 0; i++, scene.n++) {
        struct speaker_config router = {.asn = 65001 + i, .prepend_own_asn = true};
        struct speaker_peer_config near = world_end("10.0.0.4", router.asn);

        near.source = candidates[i].source;
        snprintf(address, sizeof(address), "10.0.1.%u", 10 + i);
        scene.neighbours[i] = world_node(scene.world, &router);
        scene.links[i] = world_link(scene.world, scene.hub, near, scene.neighbours[i],
                                    world_end(address, config->asn));
        announce(scene.neighbours[i], PREFIX, candidates[i].length);
    }
    world_start(scene.world);
    return scene;
}

/* Which candidates are chosen: bit i for candidate i. */
static unsigned chosen(const struct scene *scene)
{
    struct lpm_prefix prefix = world_prefix(PREFIX);
    struct rib_choice choice;
    unsigned mask = 0;

    speaker_choice(scene->hub->speaker, &prefix, &choice);
    for (unsigned i = 0; i < choice.n; i++)
        mask |= 1u << (choice.paths[i].next_hop.bytes[3] - 10);
    return mask;
}

#define ER  RIB_SOURCE_EXPRESS_ROUTE
#define VPN RIB_SOURCE_VPN
#define NVA RIB_SOURCE_NVA

struct row {
    const char *name;
    struct candidate candidates[4];
    unsigned expected[3]; /* by enum rib_preference */
};

static const struct row truth_table[] = {
    {"ER3 VPN1 NVA2", {{ER, 3}, {VPN, 1}, {NVA, 2}}, {1u << 0, 1u << 1, 1u << 1}},
    {"ER2 VPN4", {{ER, 2}, {VPN, 4}}, {1u << 0, 1u << 1, 1u << 0}},
    {"ER2 VPN2", {{ER, 2}, {VPN, 2}}, {1u << 0, 1u << 1, 1u << 0}},
    {"VPN2 NVA2", {{VPN, 2}, {NVA, 2}}, {3u, 3u, 3u}},
    {"VPN3 NVA2", {{VPN, 3}, {NVA, 2}}, {1u << 1, 1u << 1, 1u << 1}},
    {"NVA2 NVA2 NVA3", {{NVA, 2}, {NVA, 2}, {NVA, 3}}, {3u, 3u, 3u}},
};

Test(decision, follows_the_hub_routing_preference_truth_table)
{
    for (size_t i = 0; i < sizeof(truth_table) / sizeof(truth_table[0]); i++)
        for (unsigned preference = 0; preference < 3; preference++) {
            struct speaker_config config = hub;
            struct scene scene;

            config.preference = (enum rib_preference)preference;
            scene = make_scene(&config, truth_table[i].candidates);
            cr_assert_eq(chosen(&scene), truth_table[i].expected[preference],
                         "%s, preference %u: %x", truth_table[i].name, preference, chosen(&scene));
            cr_assert(speaker_validate(scene.hub->speaker));
            world_destroy(scene.world);
        }
}

Test(decision, falls_to_the_nva_when_express_route_is_gone)
{
    static const struct candidate candidates[4] = {{ER, 2}, {VPN, 4}, {NVA, 2}};

    for (unsigned preference = 0; preference < 3; preference++) {
        struct speaker_config config = hub;
        struct scene scene;

        config.preference = (enum rib_preference)preference;
        scene = make_scene(&config, candidates);
        world_cut(scene.world, scene.links[0]);
        cr_assert_eq(chosen(&scene), 1u << 2, "preference %u", preference);
        world_destroy(scene.world);
    }
}

Test(decision, treats_each_prefix_separately)
{
    static const struct candidate candidates[4] = {{ER, 2}, {NVA, 3}};

    for (unsigned preference = 0; preference < 3; preference++) {
        struct speaker_config config = hub;
        static char text[WORLD_TEXT];
        struct scene scene;

        config.preference = (enum rib_preference)preference;
        scene = make_scene(&config, candidates);
        world_withdraw(scene.neighbours[1], PREFIX);
        announce(scene.neighbours[1], "192.168.7.0/24", 3);
        world_settle(scene.world);
        cr_assert_str_eq(world_choices(scene.hub, text),
                         "192.168.0.0/16 | [65001 64800] 10.0.1.10\n"
                         "192.168.7.0/24 | [65002 64800 64801] 10.0.1.11\n");
        world_destroy(scene.world);
    }
}

struct verdicts {
    enum rib_verdict verdict[8];
    unsigned n;
};

static int take_verdict(void *context, const struct rib_path *path, enum rib_verdict verdict)
{
    struct verdicts *verdicts = context;

    cr_assert_not_null(path->peer);
    verdicts->verdict[verdicts->n++] = verdict;
    return 0;
}

static struct verdicts verdicts_of(const struct scene *scene)
{
    struct lpm_prefix prefix = world_prefix(PREFIX);
    struct verdicts verdicts = {.n = 0};

    cr_assert_eq(speaker_each_candidate(scene->hub->speaker, &prefix, take_verdict, &verdicts), 0);
    return verdicts;
}

Test(decision, says_why_each_candidate_lost)
{
    static const struct candidate candidates[4] = {{ER, 3}, {VPN, 1}, {NVA, 2}, {ER, 4}};
    struct scene scene = make_scene(&hub, candidates);
    struct verdicts verdicts = verdicts_of(&scene);

    cr_assert_eq(verdicts.n, 4);
    cr_assert_eq(verdicts.verdict[0], RIB_CHOSEN);
    cr_assert_eq(verdicts.verdict[1], RIB_LOST_PREFERENCE);
    cr_assert_eq(verdicts.verdict[2], RIB_LOST_PREFERENCE);
    cr_assert_eq(verdicts.verdict[3], RIB_LOST_AS_PATH);
    world_destroy(scene.world);
}

Test(decision, under_as_path_an_equal_express_route_path_wins_by_preference)
{
    static const struct candidate candidates[4] = {{VPN, 2}, {ER, 2}, {NVA, 2}};
    struct speaker_config config = hub;
    struct verdicts verdicts;
    struct scene scene;

    config.preference = RIB_PREFER_AS_PATH;
    scene = make_scene(&config, candidates);
    verdicts = verdicts_of(&scene);
    cr_assert_eq(verdicts.verdict[0], RIB_LOST_PREFERENCE);
    cr_assert_eq(verdicts.verdict[1], RIB_CHOSEN);
    cr_assert_eq(verdicts.verdict[2], RIB_LOST_PREFERENCE);
    world_destroy(scene.world);
}

Test(decision, takes_one_express_route_path_when_told_so)
{
    static const struct candidate both_er[4] = {{ER, 2}, {ER, 2}};
    static const struct candidate both_nva[4] = {{NVA, 2}, {NVA, 2}};
    struct speaker_config config = hub;
    struct scene scene;

    scene = make_scene(&config, both_er);
    cr_assert_eq(chosen(&scene), 3u);
    world_destroy(scene.world);
    config.single_express_route_path = true;
    scene = make_scene(&config, both_er);
    cr_assert_eq(chosen(&scene), 1u);
    cr_assert_eq(verdicts_of(&scene).verdict[1], RIB_LOST_LIMIT);
    world_destroy(scene.world);
    scene = make_scene(&config, both_nva);
    cr_assert_eq(chosen(&scene), 3u);
    world_destroy(scene.world);
}

Test(decision, holds_no_more_next_hops_than_the_limit)
{
    static const struct candidate candidates[4] = {{NVA, 1}, {NVA, 1}, {NVA, 1}, {NVA, 1}};
    struct speaker_config config = hub;
    struct scene scene;

    config.ecmp_max = 3;
    scene = make_scene(&config, candidates);
    cr_assert_eq(chosen(&scene), 7u);
    cr_assert_eq(verdicts_of(&scene).verdict[3], RIB_LOST_LIMIT);
    world_cut(scene.world, scene.links[1]);
    cr_assert_eq(chosen(&scene), 13u);
    world_destroy(scene.world);
}

/* The best as the other neighbours see it: its first AS. */
static uint32_t best_neighbour(const struct scene *scene)
{
    struct lpm_prefix prefix = world_prefix(PREFIX);
    struct rib_choice choice;

    cr_assert(speaker_choice(scene->hub->speaker, &prefix, &choice));
    return bgp_as_path_first(choice.paths[0].attributes);
}

Test(decision, the_best_does_not_flap_between_equals)
{
    static const struct candidate candidates[4] = {{NVA, 2}, {NVA, 2}, {NVA, 2}};
    struct scene scene = make_scene(&hub, candidates);

    cr_assert_eq(best_neighbour(&scene), 65001, "the first to come or the lowest address");
    world_cut(scene.world, scene.links[0]);
    cr_assert_eq(best_neighbour(&scene), 65002, "the lowest address of those left");
    world_mend(scene.world, scene.links[0]);
    cr_assert_eq(chosen(&scene), 7u);
    cr_assert_eq(best_neighbour(&scene), 65002, "an equal newcomer takes nothing over");
    announce(scene.neighbours[1], PREFIX, 3);
    world_settle(scene.world);
    cr_assert_eq(best_neighbour(&scene), 65001, "a worse path is no longer best");
    announce(scene.neighbours[1], PREFIX, 1);
    world_settle(scene.world);
    cr_assert_eq(best_neighbour(&scene), 65002, "a better path is");
    world_destroy(scene.world);
}

Test(decision, an_own_route_beats_what_is_learned)
{
    static const struct candidate candidates[4] = {{NVA, 1}};
    struct scene scene = make_scene(&hub, candidates);
    struct lpm_prefix prefix = world_prefix(PREFIX);
    struct rib_choice choice;

    announce(scene.hub, PREFIX, 1);
    cr_assert(speaker_originates(scene.hub->speaker, &prefix));
    cr_assert(speaker_choice(scene.hub->speaker, &prefix, &choice));
    cr_assert_eq(choice.n, 1);
    cr_assert_null(choice.paths[0].peer);
    cr_assert_eq(choice.paths[0].source, RIB_SOURCE_LOCAL);
    world_withdraw(scene.hub, PREFIX);
    cr_assert_not(speaker_originates(scene.hub->speaker, &prefix));
    cr_assert_eq(chosen(&scene), 1u);
    cr_assert_eq(speaker_withdraw(scene.hub->speaker, &prefix), -ENOENT);
    world_destroy(scene.world);
}

Test(decision, one_neighbour_on_both_instances_is_one_next_hop)
{
    struct world *world = world_create();
    struct node *server = world_node(world, &hub);
    struct node *nva =
        world_node(world, &(struct speaker_config){.asn = 65001, .prepend_own_asn = true});
    struct link *first = world_join(world, server, 65515, "10.0.0.4", nva, 65001, "10.0.1.10");
    struct link *second = world_join(world, server, 65515, "10.0.0.5", nva, 65001, "10.0.1.10");
    struct scene scene = {.world = world, .hub = server};
    struct verdicts verdicts;

    announce(nva, PREFIX, 2);
    world_start(world);
    verdicts = verdicts_of(&scene);
    cr_assert_eq(verdicts.n, 2);
    cr_assert_eq(verdicts.verdict[0], RIB_CHOSEN);
    cr_assert_eq(verdicts.verdict[1], RIB_DUPLICATE_NEXT_HOP);
    cr_assert_eq(chosen(&scene), 1u);
    world_cut(world, first);
    cr_assert_eq(chosen(&scene), 1u, "a path survives while the other instance holds it");
    world_cut(world, second);
    cr_assert_eq(chosen(&scene), 0u);
    world_destroy(world);
}

Test(decision, every_verdict_has_a_text)
{
    for (unsigned i = 0; i <= RIB_LOST_LIMIT; i++)
        for (unsigned j = 0; j < i; j++)
            cr_assert_str_neq(rib_verdict_text((enum rib_verdict)i),
                              rib_verdict_text((enum rib_verdict)j));
    cr_assert_str_eq(rib_verdict_text((enum rib_verdict)99), "unknown");
}

static int count_lost(void *context, const struct rib_path *path, enum rib_verdict verdict)
{
    cr_assert_eq(path->source, RIB_SOURCE_LOCAL);
    cr_assert_eq(verdict, RIB_LOST_PREFERENCE);
    ++*(unsigned *)context;
    return 0;
}

/* Where no neighbour announces a prefix the choice of what was learned is empty, and the own path is asked about all the
 * same. */
Test(decision, has_a_verdict_for_an_own_path_where_nothing_was_learned)
{
    static const struct candidate nobody[4] = {{0}};
    struct scene scene = make_scene(&hub, nobody);
    struct lpm_prefix prefix;
    unsigned n = 0;
    announce(scene.hub, PREFIX, 1);
    cr_assert_eq(lpm_prefix_parse(PREFIX, &prefix), 0);
    speaker_each_learned_candidate(scene.hub->speaker, &prefix, count_lost, &n);
    cr_assert_eq(n, 1);
    world_destroy(scene.world);
}
