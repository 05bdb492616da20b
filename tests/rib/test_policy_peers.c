/*
 * Policies at work in a speaker: what they keep out, what they prefer, what each peer is told, and
 * that a change of policy needs neither a new session nor a word from the peer.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "tests/rib/wire.h"
#include "tests/rib/world.h"

static char text[WORLD_TEXT];

/* A transparent route server at 10.0.0.4 with NVAs 10.0.1.10 (AS 65001), .11 (65002), .12 (65003). */
struct scene {
    struct world *world;
    struct node *server, *nvas[3];
    struct link *links[3];
};

static struct scene make_scene(bool require_policy)
{
    const struct speaker_config config = {
        .name = "rs", .asn = 65515, .reflect = true, .require_policy = require_policy};
    static const char *const addresses[] = {"10.0.1.10", "10.0.1.11", "10.0.1.12"};
    struct scene scene = {.world = world_create()};

    scene.server = world_node(scene.world, &config);
    for (unsigned i = 0; i < 3; i++) {
        struct speaker_config nva = {.asn = 65001 + i, .prepend_own_asn = true};

        scene.nvas[i] = world_node(scene.world, &nva);
        scene.links[i] = world_join(scene.world, scene.server, 65515, "10.0.0.4", scene.nvas[i],
                                    nva.asn, addresses[i]);
    }
    world_start(scene.world);
    return scene;
}

/* Policies of the server's session with an NVA; the references go to the speaker. */
static void set_policies(struct scene *scene, unsigned nva, struct rib_policy *import,
                         struct rib_policy *export)
{
    speaker_peer_set_policies(scene->server->speaker, scene->links[nva]->ends[0].peer, import,
                              export, scene->world->now);
    rib_policy_release(import);
    rib_policy_release(export);
    world_settle(scene->world);
    cr_assert(speaker_validate(scene->server->speaker));
    for (unsigned i = 0; i < 3; i++)
        cr_assert_eq(scene->links[i]->ends[0].state, BGP_ESTABLISHED, "the session stays");
}

static struct rib_policy *policy(const struct rib_policy_rule *rules, size_t n)
{
    struct rib_policy *made;

    cr_assert_eq(rib_policy_create("p", rules, n, &made), 0);
    return made;
}

static struct rib_policy *reject(const char *prefix)
{
    const struct rib_prefix_range range = {world_prefix(prefix), world_prefix(prefix).length, 32};

    return policy(&(struct rib_policy_rule){.file = "f.yaml",
                                            .line = 7,
                                            .prefixes = &range,
                                            .prefix_count = 1,
                                            .then = RIB_POLICY_REJECT},
                  1);
}

static const char *learned_from(const struct scene *scene, unsigned nva)
{
    return world_learned(scene->server, scene->links[nva]->ends[0].peer, text);
}

static const char *seen_by(const struct scene *scene, unsigned nva)
{
    return world_learned(scene->nvas[nva], scene->links[nva]->ends[1].peer, text);
}

Test(policy_peers, what_import_rejects_is_kept_and_not_used)
{
    struct scene scene = make_scene(false);

    set_policies(&scene, 0, reject("10.1.0.0/16"), NULL);
    world_originate(scene.nvas[0], &(struct route){.prefix = "10.1.0.0/24"});
    world_originate(scene.nvas[0], &(struct route){.prefix = "10.2.0.0/24"});
    world_settle(scene.world);
    cr_assert_str_eq(learned_from(&scene, 0), "10.1.0.0/24 [65001] 10.0.1.10 (filtered: policy)\n"
                                              "10.2.0.0/24 [65001] 10.0.1.10 (chosen)\n");
    cr_assert_str_eq(world_choices(scene.server, text), "10.2.0.0/24 | [65001] 10.0.1.10\n");
    cr_assert_str_eq(seen_by(&scene, 1), "10.2.0.0/24 [65001] 10.0.1.10 (chosen)\n");
    world_destroy(scene.world);
}

Test(policy_peers, a_new_import_policy_judges_what_is_held)
{
    struct scene scene = make_scene(false);
    uint64_t heard;

    world_originate(scene.nvas[0], &(struct route){.prefix = "10.1.0.0/24"});
    world_originate(scene.nvas[0], &(struct route){.prefix = "10.2.0.0/24"});
    world_settle(scene.world);
    heard = scene.links[0]->ends[0].received;
    set_policies(&scene, 0, reject("10.1.0.0/16"), NULL);
    cr_assert_str_eq(world_choices(scene.server, text), "10.2.0.0/24 | [65001] 10.0.1.10\n");
    cr_assert_str_eq(seen_by(&scene, 1), "10.2.0.0/24 [65001] 10.0.1.10 (chosen)\n");
    set_policies(
        &scene, 0,
        policy(&(struct rib_policy_rule){.prepend = (uint32_t[]){9, 9}, .prepend_count = 2}, 1),
        NULL);
    cr_assert_str_eq(seen_by(&scene, 1), "10.1.0.0/24 [9 9 65001] 10.0.1.10 (chosen)\n"
                                         "10.2.0.0/24 [9 9 65001] 10.0.1.10 (chosen)\n");
    set_policies(&scene, 0, NULL, NULL);
    cr_assert_str_eq(seen_by(&scene, 1), "10.1.0.0/24 [65001] 10.0.1.10 (chosen)\n"
                                         "10.2.0.0/24 [65001] 10.0.1.10 (chosen)\n");
    cr_assert_eq(scene.links[0]->ends[0].received, heard, "nothing was asked of the peer");
    world_destroy(scene.world);
}

Test(policy_peers, weight_then_local_preference_come_before_the_path)
{
    struct scene scene = make_scene(false);

    world_originate(scene.nvas[0], &(struct route){.prefix = "10.1.0.0/24"});
    world_originate(scene.nvas[1], &(struct route){.prefix = "10.1.0.0/24", .as_path = {7, 8}});
    world_settle(scene.world);
    cr_assert_str_eq(learned_from(&scene, 1),
                     "10.1.0.0/24 [65002 7 8] 10.0.1.11 (lost: longer AS path)\n");
    set_policies(
        &scene, 1,
        policy(&(struct rib_policy_rule){.set = RIB_SET_LOCAL_PREF, .local_pref_value = 101}, 1),
        NULL);
    cr_assert_str_eq(learned_from(&scene, 1),
                     "10.1.0.0/24 [65002 7 8] 10.0.1.11 local-pref 101 (chosen)\n");
    cr_assert_str_eq(learned_from(&scene, 0),
                     "10.1.0.0/24 [65001] 10.0.1.10 (lost: lower local preference)\n");
    set_policies(&scene, 0,
                 policy(&(struct rib_policy_rule){.set = RIB_SET_WEIGHT, .weight = 1}, 1), NULL);
    cr_assert_str_eq(learned_from(&scene, 0), "10.1.0.0/24 [65001] 10.0.1.10 (chosen)\n");
    cr_assert_str_eq(learned_from(&scene, 1),
                     "10.1.0.0/24 [65002 7 8] 10.0.1.11 local-pref 101 (lost: lower weight)\n");
    cr_assert_str_eq(seen_by(&scene, 2), "10.1.0.0/24 [65001] 10.0.1.10 (chosen)\n",
                     "neither leaves the speaker");
    world_destroy(scene.world);
}

/* Policy comes first: it may take the own AS out of the path. */
Test(policy_peers, loops_are_looked_for_after_import)
{
    struct scene scene = make_scene(false);

    world_originate(scene.nvas[0], &(struct route){.prefix = "10.1.0.0/24", .as_path = {65515}});
    world_settle(scene.world);
    cr_assert_str_eq(world_choices(scene.server, text), "");
    set_policies(
        &scene, 0,
        policy(&(struct rib_policy_rule){.remove_as = (uint32_t[]){65515}, .remove_as_count = 1},
               1),
        NULL);
    cr_assert_str_eq(world_choices(scene.server, text), "10.1.0.0/24 | [65001] 10.0.1.10\n");
    world_destroy(scene.world);
}

Test(policy_peers, export_changes_what_one_peer_is_told)
{
    struct scene scene = make_scene(false);
    const struct rib_prefix_range range = {world_prefix("10.1.0.0/16"), 16, 32};
    const struct bgp_community mark = {.kind = BGP_COMMUNITY, .standard = 65515u << 16 | 1};

    world_originate(scene.nvas[0], &(struct route){.prefix = "10.1.0.0/24"});
    world_originate(scene.nvas[0], &(struct route){.prefix = "10.2.0.0/24"});
    world_settle(scene.world);
    set_policies(&scene, 1, NULL,
                 policy(&(struct rib_policy_rule){.prefixes = &range,
                                                  .prefix_count = 1,
                                                  .set = RIB_SET_NEXT_HOP | RIB_SET_MED,
                                                  .next_hop = world_address("10.0.1.100"),
                                                  .med_value = 4,
                                                  .add_communities = &mark,
                                                  .add_community_count = 1},
                        1));
    cr_assert_str_eq(seen_by(&scene, 1), "10.1.0.0/24 [65001] 10.0.1.100 65515:1 med 4 (chosen)\n"
                                         "10.2.0.0/24 [65001] 10.0.1.10 (chosen)\n");
    cr_assert_str_eq(seen_by(&scene, 2), "10.1.0.0/24 [65001] 10.0.1.10 (chosen)\n"
                                         "10.2.0.0/24 [65001] 10.0.1.10 (chosen)\n");
    world_destroy(scene.world);
}

/* What a prepending server would replace, policy may set. */
Test(policy_peers, a_next_hop_set_by_export_policy_is_sent)
{
    struct world *world = world_create();
    const struct speaker_config config = {
        .name = "rs", .asn = 65515, .reflect = true, .prepend_own_asn = true};
    struct speaker_config nva = {.asn = 65002};
    struct node *server = world_node(world, &config), *other = world_node(world, &nva);
    struct link *link = world_join(world, server, 65515, "10.0.0.4", other, 65002, "10.0.1.11");
    struct rib_policy *export =
        policy(&(struct rib_policy_rule){.set = RIB_SET_NEXT_HOP,
                                         .next_hop = world_address("10.0.1.100"),
                                         .prepend = (uint32_t[]){7},
                                         .prepend_count = 1},
               1);

    world_start(world);
    speaker_peer_set_policies(server->speaker, link->ends[0].peer, NULL, export, world->now);
    rib_policy_release(export);
    world_originate(server, &(struct route){.prefix = "10.1.0.0/24"});
    world_settle(world);
    cr_assert_str_eq(world_learned(other, link->ends[1].peer, text),
                     "10.1.0.0/24 [65515 7] 10.0.1.100 (chosen)\n");
    world_destroy(world);
}

Test(policy_peers, only_what_changes_is_told_anew)
{
    struct scene scene = make_scene(false);
    struct wire wire;

    world_originate(scene.nvas[0], &(struct route){.prefix = "10.1.0.0/24"});
    world_originate(scene.nvas[0], &(struct route){.prefix = "10.2.0.0/24"});
    world_originate(scene.nvas[0], &(struct route){.prefix = "10.3.0.0/24"});
    world_settle(scene.world);
    wire_tap(&wire, scene.world, &scene.links[1]->ends[0]);
    set_policies(&scene, 1, NULL, reject("10.2.0.0/16"));
    cr_assert_str_eq(wire.text, "withdraw 10.2.0.0/24;");
    wire_free(&wire);
    wire_tap(&wire, scene.world, &scene.links[1]->ends[0]);
    set_policies(&scene, 1, NULL, reject("10.2.0.0/16"));
    cr_assert_str_eq(wire.text, "", "an equal policy");
    set_policies(&scene, 1, NULL, reject("10.3.0.0/16"));
    cr_assert_eq(wire.announced, 1);
    cr_assert_eq(wire.withdrawals, 1);
    wire_free(&wire);
    world_destroy(scene.world);
}

/* RFC 7947 2.3: a path that one peer must not have does not hide the next best. */
Test(policy_peers, no_path_is_hidden_by_one_that_policy_rejects)
{
    struct scene scene = make_scene(false);
    const struct rib_policy_rule not_from_first = {.as_path = "^65001_", .then = RIB_POLICY_REJECT};

    set_policies(&scene, 2, NULL, policy(&not_from_first, 1));
    world_originate(scene.nvas[0], &(struct route){.prefix = "10.1.0.0/24"});
    world_settle(scene.world);
    cr_assert_str_eq(seen_by(&scene, 2), "");
    world_originate(scene.nvas[1], &(struct route){.prefix = "10.1.0.0/24", .as_path = {7, 8}});
    world_settle(scene.world);
    cr_assert(speaker_validate(scene.server->speaker));
    cr_assert_str_eq(seen_by(&scene, 2), "10.1.0.0/24 [65002 7 8] 10.0.1.11 (chosen)\n");
    world_originate(scene.nvas[1], &(struct route){.prefix = "10.1.0.0/24", .as_path = {9, 9}});
    world_settle(scene.world);
    cr_assert_str_eq(seen_by(&scene, 2), "10.1.0.0/24 [65002 9 9] 10.0.1.11 (chosen)\n");
    world_withdraw(scene.nvas[1], "10.1.0.0/24");
    world_settle(scene.world);
    cr_assert(speaker_validate(scene.server->speaker));
    cr_assert_str_eq(seen_by(&scene, 2), "");
    world_destroy(scene.world);
}

/* Peers of one policy are an update group; one that gets another policy leaves it with what is pending. */
Test(policy_peers, peers_of_one_policy_share_what_is_written)
{
    struct scene scene = make_scene(false);
    struct rib_policy *shared =
        policy(&(struct rib_policy_rule){.prepend = (uint32_t[]){7}, .prepend_count = 1}, 1);
    char name[32];

    set_policies(&scene, 1, NULL, rib_policy_hold(shared));
    set_policies(&scene, 2, NULL, shared);
    scene.links[2]->ends[1].paused = true;
    for (unsigned i = 0; i < 200; i++) {
        snprintf(name, sizeof(name), "20.0.%u.0/24", i);
        world_originate(scene.nvas[0], &(struct route){.prefix = name});
    }
    world_settle(scene.world);
    for (const char *line = seen_by(&scene, 1); *line; line = strchr(line, '\n') + 1)
        cr_assert(strstr(line, "[7 65001]"), "%s", line);
    set_policies(&scene, 2, NULL, reject("20.0.0.0/17"));
    scene.links[2]->ends[1].paused = false;
    world_settle(scene.world);
    cr_assert(speaker_validate(scene.server->speaker));
    cr_assert(strncmp(seen_by(&scene, 2), "20.0.128.0/24 [65001]", 21) == 0, "%s", text);
    cr_assert_not(strstr(text, "[7 65001]"));
    world_destroy(scene.world);
}

/* RFC 8212. */
Test(policy_peers, without_a_policy_nothing_passes_where_one_is_required)
{
    struct scene scene = make_scene(true);

    world_originate(scene.nvas[0], &(struct route){.prefix = "10.1.0.0/24"});
    world_originate(scene.server, &(struct route){.prefix = "10.0.0.0/22"});
    world_settle(scene.world);
    cr_assert_str_eq(learned_from(&scene, 0), "10.1.0.0/24 [65001] 10.0.1.10 (filtered: policy)\n");
    cr_assert_str_eq(seen_by(&scene, 1), "");
    set_policies(&scene, 0, policy(NULL, 0), NULL);
    cr_assert_str_eq(learned_from(&scene, 0), "10.1.0.0/24 [65001] 10.0.1.10 (chosen)\n");
    cr_assert_str_eq(seen_by(&scene, 1), "");
    set_policies(&scene, 1, NULL, policy(NULL, 0));
    cr_assert_str_eq(seen_by(&scene, 1), "10.0.0.0/22 [] 10.0.0.4 (chosen)\n"
                                         "10.1.0.0/24 [65001] 10.0.1.10 (chosen)\n");
    set_policies(&scene, 1, NULL, NULL);
    cr_assert_str_eq(seen_by(&scene, 1), "");
    world_destroy(scene.world);
}

static int take_verdict(void *context, const struct rib_path *path,
                        const struct rib_policy_verdict *verdict)
{
    (void)path;
    *(struct rib_policy_verdict *)context = *verdict;
    return 0;
}

static int take_learned(void *context, const struct lpm_prefix *prefix, const struct rib_path *path,
                        enum rib_verdict unused)
{
    struct rib_policy_verdict verdict;

    (void)context;
    (void)unused;
    speaker_explain_import(prefix, path, &verdict);
    cr_assert_str_eq(verdict.place.policy, "p");
    cr_assert_eq(verdict.place.rule, verdict.accepted ? 0 : 1);
    cr_assert_eq(verdict.place.line, verdict.accepted ? 0 : 7);
    return 0;
}

static int count_prefix(void *context, const struct lpm_prefix *prefix)
{
    (void)prefix;
    ++*(unsigned *)context;
    return 0;
}

Test(policy_peers, the_rule_that_spoke_can_be_asked_for)
{
    struct scene scene = make_scene(false);
    const struct lpm_prefix one = world_prefix("10.1.0.0/24");
    struct rib_policy_verdict verdict = {.accepted = true};
    unsigned withheld = 0;

    world_originate(scene.nvas[0], &(struct route){.prefix = "10.1.0.0/24"});
    world_originate(scene.nvas[0], &(struct route){.prefix = "10.2.0.0/24"});
    set_policies(&scene, 1, NULL, reject("10.1.0.0/16"));
    speaker_explain_export(scene.server->speaker, scene.links[1]->ends[0].peer, &one, take_verdict,
                           &verdict);
    cr_assert_not(verdict.accepted);
    cr_assert_str_eq(verdict.place.file, "f.yaml");
    cr_assert_eq(verdict.place.line, 7);
    speaker_each_withheld(scene.server->speaker, scene.links[1]->ends[0].peer, count_prefix,
                          &withheld);
    cr_assert_eq(withheld, 1);
    set_policies(&scene, 0, reject("10.1.0.0/16"), NULL);
    speaker_each_learned(scene.server->speaker, scene.links[0]->ends[0].peer, take_learned, &scene);
    world_destroy(scene.world);
}

/* --- Order does not matter -------------------------------------------------------------------- */

static unsigned below(unsigned *state, unsigned n)
{
    *state = *state * 1664525u + 1013904223u;
    return (*state >> 8) % n;
}

/* One of some policies that reject, change, or prefer; NULL among them. */
static struct rib_policy *choose_policy(unsigned which)
{
    static const char *const paths[] = {"^65001", "^65002", "_7_", "^65003 8$"};
    const struct rib_prefix_range range = {world_prefix("10.0.0.0/14"), 14, 32};
    uint32_t prepend[] = {11, 12};
    struct rib_policy_rule rules[2] = {
        {.as_path = paths[which % 4], .then = which % 3 ? RIB_POLICY_REJECT : RIB_POLICY_CONTINUE},
        {.set = which & 4 ? RIB_SET_LOCAL_PREF : RIB_SET_MED,
         .local_pref_value = 90 + which,
         .med_value = which,
         .prefixes = &range,
         .prefix_count = which & 1,
         .prepend = prepend,
         .prepend_count = which & 2},
    };

    return which == 0 ? NULL : policy(rules, 2);
}

struct setting {
    unsigned import, export;
};

static void apply_setting(struct scene *scene, unsigned nva, const struct setting *setting)
{
    set_policies(scene, nva, choose_policy(setting->import), choose_policy(setting->export));
}

static void random_route(struct scene *scene, unsigned *state)
{
    static const char *const pool[] = {"10.0.0.0/16", "10.1.0.0/16", "10.6.0.0/16", "10.7.0.0/24"};
    struct node *nva = scene->nvas[below(state, 3)];
    const char *prefix = pool[below(state, 4)];
    struct route route = {.prefix = prefix, .as_path = {below(state, 2) ? 7 : 8}};

    if (below(state, 4) == 0)
        world_withdraw(nva, prefix);
    else
        world_originate(nva, &route);
}

/* What a peer holds is what the server would tell it now, and judging everything anew by equal policies
 * changes nothing. */
static void check_tables(struct scene *scene, const struct setting settings[3], unsigned seed)
{
    static char expected[WORLD_TEXT], got[WORLD_TEXT], choices[WORLD_TEXT];

    cr_assert(speaker_validate(scene->server->speaker));
    world_choices(scene->server, choices);
    for (unsigned nva = 0; nva < 3; nva++) {
        world_advertised(scene->server, scene->links[nva]->ends[0].peer, expected);
        world_learned(scene->nvas[nva], scene->links[nva]->ends[1].peer, got);
        for (char *line = got; (line = strstr(line, " (")) != NULL;)
            memmove(line, strchr(line, ')') + 1, strlen(strchr(line, ')') + 1) + 1);
        cr_assert_str_eq(got, expected, "seed %u, NVA %u", seed, nva);
        world_learned(scene->server, scene->links[nva]->ends[0].peer, expected);
        apply_setting(scene, nva, &settings[nva]);
        world_learned(scene->server, scene->links[nva]->ends[0].peer, got);
        cr_assert_str_eq(got, expected, "seed %u, NVA %u", seed, nva);
    }
    cr_assert_str_eq(world_choices(scene->server, text), choices, "seed %u", seed);
}

Test(policy_peers, whatever_the_order_of_changes_tables_follow_from_routes_and_policies)
{
    for (unsigned seed = 1; seed < 60; seed++) {
        struct scene scene = make_scene(false);
        struct setting settings[3] = {0};
        unsigned state = seed;

        for (unsigned step = 0; step < 40; step++) {
            unsigned nva = below(&state, 3);

            if (below(&state, 3) == 0) {
                settings[nva] = (struct setting){below(&state, 9), below(&state, 9)};
                apply_setting(&scene, nva, &settings[nva]);
            } else {
                random_route(&scene, &state);
            }
            if (below(&state, 2))
                world_settle(scene.world);
        }
        world_settle(scene.world);
        check_tables(&scene, settings, seed);
        world_destroy(scene.world);
    }
}
