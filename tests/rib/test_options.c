/*
 * What a peer's configuration makes of routes: roles, reflection, drains, limits of the AS_PATH, AS
 * numbers that leave it, IPv6 next hops of IPv4 routes; and what a speaker compares.
 *
 *   left (10.0.1.10) --- server (10.0.0.4, AS 65515) --- right (10.0.1.11)
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "tests/rib/world.h"

static char text[WORLD_TEXT];

struct scene {
    struct world *world;
    struct node *server, *left, *right;
    struct link *left_link, *right_link;
};

/* Far ends with the same options as near ones, but for what the test set in far. */
struct ends {
    struct speaker_config server;
    uint32_t left_asn, right_asn;
    struct speaker_peer_config to_left, to_right, from_left, from_right;
};

static struct ends plain_ends(uint32_t left_asn, uint32_t right_asn)
{
    return (struct ends){
        .server = {.name = "rs", .asn = 65515, .prepend_own_asn = true, .reflect = true},
        .left_asn = left_asn,
        .right_asn = right_asn,
        .to_left = world_end("10.0.0.4", left_asn),
        .to_right = world_end("10.0.0.4", right_asn),
        .from_left = world_end("10.0.1.10", 65515),
        .from_right = world_end("10.0.1.11", 65515),
    };
}

static struct scene make_scene(const struct ends *ends)
{
    struct scene scene = {.world = world_create()};
    const struct speaker_config left = {.asn = ends->left_asn, .prepend_own_asn = true};
    const struct speaker_config right = {.asn = ends->right_asn, .prepend_own_asn = true};

    scene.server = world_node(scene.world, &ends->server);
    scene.left = world_node(scene.world, &left);
    scene.right = world_node(scene.world, &right);
    scene.left_link =
        world_link(scene.world, scene.server, ends->to_left, scene.left, ends->from_left);
    scene.right_link =
        world_link(scene.world, scene.server, ends->to_right, scene.right, ends->from_right);
    world_start(scene.world);
    return scene;
}

static const char *seen(struct scene *scene, struct node *node, struct link *link)
{
    world_settle(scene->world);
    cr_assert(speaker_validate(scene->server->speaker));
    return world_learned(node, link->ends[1].peer, text);
}
static const char *seen_right(struct scene *scene)
{
    return seen(scene, scene->right, scene->right_link);
}
static const char *held_from_left(struct scene *scene)
{
    world_settle(scene->world);
    return world_learned(scene->server, scene->left_link->ends[0].peer, text);
}

static void close_scene(struct scene *scene)
{
    world_destroy(scene->world);
}

/* --- Roles (RFC 9234) ------------------------------------------------------------------------- */

/* The set that right has of 10.0.0.0/8, or NULL. */
static int keep_first(void *context, const struct lpm_prefix *prefix, const struct rib_path *path,
                      enum rib_verdict verdict)
{
    (void)prefix;
    (void)verdict;
    *(const struct bgp_attributes **)context = path->attributes;
    return 1;
}
static const struct bgp_attributes *set_at(const struct node *node, const struct link *link,
                                           unsigned end)
{
    const struct bgp_attributes *set = NULL;

    speaker_each_learned(node->speaker, link->ends[end].peer, keep_first, &set);
    return set;
}

static enum bgp_role counterpart(enum bgp_role role)
{
    switch (role) {
    case BGP_ROLE_PROVIDER:
        return BGP_ROLE_CUSTOMER;
    case BGP_ROLE_CUSTOMER:
        return BGP_ROLE_PROVIDER;
    case BGP_ROLE_RS:
        return BGP_ROLE_RS_CLIENT;
    case BGP_ROLE_RS_CLIENT:
        return BGP_ROLE_RS;
    default:
        return role;
    }
}

/* RFC 9234 section 5: what comes from above, or from the side, goes down only. */
Test(options, routes_go_up_only_from_below)
{
    for (enum bgp_role left = BGP_ROLE_PROVIDER; left <= BGP_ROLE_PEER; left++)
        for (enum bgp_role right = BGP_ROLE_PROVIDER; right <= BGP_ROLE_PEER; right++) {
            bool from_below = left == BGP_ROLE_PROVIDER || left == BGP_ROLE_RS;
            bool to_below = right == BGP_ROLE_PROVIDER || right == BGP_ROLE_RS;
            struct ends ends = plain_ends(65001, 65002);
            const struct bgp_attributes *at_right;
            struct scene scene;

            ends.to_left.role = left;
            ends.from_left.role = counterpart(left);
            ends.to_right.role = right; /* the far end has none: our own marks are seen alone */
            scene = make_scene(&ends);
            world_originate(scene.left, &(struct route){.prefix = "10.0.0.0/8"});
            world_settle(scene.world);
            at_right = set_at(scene.right, scene.right_link, 1);
            /* The left end marks what it sends downwards or sideways: we are below it then. */
            cr_assert_eq(at_right != NULL, from_below || to_below, "%u %u", left, right);
            if (at_right == NULL) {
                close_scene(&scene);
                continue;
            }
            if (!from_below)
                cr_assert_eq(bgp_attributes_otc(at_right), 65001, "%u %u", left, right);
            else if (to_below || right == BGP_ROLE_PEER)
                cr_assert_eq(bgp_attributes_otc(at_right), 65515, "%u %u", left, right);
            else
                cr_assert_eq(bgp_attributes_otc(at_right), 0, "%u %u", left, right);
            close_scene(&scene);
        }
}

Test(options, a_neighbour_without_roles_has_its_routes_marked_here)
{
    struct ends ends = plain_ends(65001, 65002);
    struct scene scene;

    ends.to_left.role = BGP_ROLE_CUSTOMER;
    scene = make_scene(&ends);
    world_originate(scene.left, &(struct route){.prefix = "10.0.0.0/8"});
    world_settle(scene.world);
    cr_assert_eq(bgp_attributes_otc(set_at(scene.server, scene.left_link, 0)), 65001);
    close_scene(&scene);
}

Test(options, a_leaked_route_is_not_used)
{
    struct ends ends = plain_ends(65001, 65002);
    struct scene scene;

    /* Left takes us for its customer and marks what it sends; we take it for ours. */
    ends.to_left.role = BGP_ROLE_PROVIDER;
    ends.from_left.role = BGP_ROLE_NONE;
    scene = make_scene(&ends);
    bgp_builder_originate(scene.world->builder, BGP_ORIGIN_IGP);
    bgp_builder_set_otc(scene.world->builder, 64999);
    const struct bgp_attributes *marked;
    struct lpm_prefix prefix = world_prefix("10.0.0.0/8");
    cr_assert_eq(bgp_builder_intern(scene.world->builder, scene.world->table, &marked), 0);
    cr_assert_eq(speaker_originate(scene.left->speaker, &prefix, marked), 0);
    bgp_attributes_release(scene.world->table, marked);
    cr_assert_str_eq(held_from_left(&scene),
                     "10.0.0.0/8 [65001] 10.0.1.10 (filtered: route leak (Only to Customer))\n");
    cr_assert_str_eq(world_choices(scene.server, text), "");
    close_scene(&scene);
}

Test(options, roles_that_do_not_fit_keep_the_session_down)
{
    struct ends ends = plain_ends(65001, 65002);
    struct scene scene;

    ends.to_left.role = ends.from_left.role = BGP_ROLE_PROVIDER;
    ends.to_right.role = BGP_ROLE_RS;
    ends.to_right.role_strict = true;
    scene = make_scene(&ends);
    cr_assert_neq(scene.left_link->ends[0].state, BGP_ESTABLISHED);
    cr_assert(strstr(scene.left_link->ends[0].reason, "Role Mismatch") != NULL, "%s",
              scene.left_link->ends[0].reason);
    cr_assert_neq(scene.right_link->ends[0].state, BGP_ESTABLISHED);
    close_scene(&scene);
}

/* --- Reflection (RFC 4456) -------------------------------------------------------------------- */

Test(options, internal_routes_go_on_only_by_reflection)
{
    for (unsigned clients = 0; clients < 4; clients++) {
        struct ends ends = plain_ends(65515, 65515);
        struct scene scene;

        ends.to_left.reflect_client = clients & 1;
        ends.to_right.reflect_client = clients & 2;
        ends.server.cluster_id = 0x0a0a0a0a;
        scene = make_scene(&ends);
        world_originate(scene.left,
                        &(struct route){.prefix = "10.0.0.0/8", .has_med = true, .med = 5});
        cr_assert_str_eq(seen_right(&scene),
                         clients != 0 ? "10.0.0.0/8 [] 10.0.1.10 med 5 local-pref 100 (chosen)\n"
                                      : "",
                         "%u", clients);
        if (clients != 0) {
            const struct bgp_attributes *set = set_at(scene.right, scene.right_link, 1);

            cr_assert_eq(bgp_attributes_originator_id(set), 0x0a00010a);
            cr_assert(bgp_attributes_has_cluster(set, 0x0a0a0a0a));
        }
        close_scene(&scene);
    }
}

Test(options, a_route_that_was_reflected_here_before_is_not_used)
{
    struct ends ends = plain_ends(65515, 65515);
    const struct bgp_attributes *set;
    struct lpm_prefix prefix = world_prefix("10.0.0.0/8");
    struct scene scene;

    ends.to_left.reflect_client = ends.to_right.reflect_client = true;
    ends.server.cluster_id = 7;
    scene = make_scene(&ends);
    /* By the cluster, and by the originator. */
    static const uint32_t marks[2][2] = {{99, 7}, {0x0a000004, 8}};
    for (unsigned i = 0; i < 2; i++) {
        struct lpm_address hop = world_address("10.0.1.10");

        bgp_builder_originate(scene.world->builder, BGP_ORIGIN_IGP);
        bgp_builder_set_next_hop(scene.world->builder, &hop);
        bgp_builder_reflect(scene.world->builder, marks[i][0], marks[i][1]);
        cr_assert_eq(bgp_builder_intern(scene.world->builder, scene.world->table, &set), 0);
        cr_assert_eq(speaker_originate(scene.left->speaker, &prefix, set), 0);
        bgp_attributes_release(scene.world->table, set);
        cr_assert_str_eq(held_from_left(&scene), "10.0.0.0/8 [] 10.0.1.10 local-pref 100 "
                                                 "(filtered: reflected by this router before)\n");
        cr_assert_str_eq(seen_right(&scene), "");
    }
    close_scene(&scene);
}

static void reflected_from(struct scene *scene, struct node *node, const char *next_hop,
                           unsigned clusters)
{
    const struct bgp_attributes *set;
    struct lpm_prefix prefix = world_prefix("10.0.0.0/8");
    struct lpm_address hop = world_address(next_hop);

    bgp_builder_originate(scene->world->builder, BGP_ORIGIN_IGP);
    bgp_builder_set_next_hop(scene->world->builder, &hop);
    for (unsigned i = 0; i < clusters; i++)
        bgp_builder_reflect(scene->world->builder, 99, 100 + i);
    cr_assert_eq(bgp_builder_intern(scene->world->builder, scene->world->table, &set), 0);
    cr_assert_eq(speaker_originate(node->speaker, &prefix, set), 0);
    bgp_attributes_release(scene->world->table, set);
    world_settle(scene->world);
    cr_assert(speaker_validate(scene->server->speaker));
}

/* RFC 4456 section 9. The set for NICs is not a matter of it. */
Test(options, of_equals_the_one_with_the_shortest_cluster_list_leads)
{
    struct ends ends = plain_ends(65515, 65515);
    struct rib_choice choice;
    struct lpm_prefix prefix = world_prefix("10.0.0.0/8");
    struct scene scene = make_scene(&ends);
    const struct speaker *server = scene.server->speaker;

    reflected_from(&scene, scene.left, "10.0.1.10", 3);
    reflected_from(&scene, scene.right, "10.0.1.11", 2);
    cr_assert(speaker_choice(server, &prefix, &choice));
    cr_assert_eq(choice.n, 2);
    cr_assert_eq(choice.paths[0].peer, scene.right_link->ends[0].peer, "two clusters before three");
    reflected_from(&scene, scene.left, "10.0.1.10", 0);
    cr_assert(speaker_choice(server, &prefix, &choice));
    cr_assert_eq(choice.n, 2);
    cr_assert_eq(choice.paths[0].peer, scene.left_link->ends[0].peer, "none before two");
    reflected_from(&scene, scene.right, "10.0.1.11", 0);
    cr_assert(speaker_choice(server, &prefix, &choice));
    cr_assert_eq(choice.paths[0].peer, scene.left_link->ends[0].peer, "it stays what it was");
    close_scene(&scene);
}

/* --- Drains and other communities ------------------------------------------------------------- */

Test(options, a_drained_path_leaves_the_set_while_there_is_another)
{
    struct ends ends = plain_ends(65001, 65002);
    struct scene scene = make_scene(&ends);

    world_originate(scene.right, &(struct route){.prefix = "10.0.0.0/8", .as_path = {1, 2, 3}});
    world_originate(scene.left, &(struct route){.prefix = "10.0.0.0/8",
                                                .communities = {BGP_GRACEFUL_SHUTDOWN}});
    world_settle(scene.world);
    cr_assert_str_eq(world_choices(scene.server, text), "10.0.0.0/8 | [65002 1 2 3] 10.0.1.11\n");
    cr_assert_str_eq(held_from_left(&scene), "10.0.0.0/8 [65001] 10.0.1.10 graceful-shutdown "
                                             "(lost: drained by graceful shutdown)\n");
    world_withdraw(scene.right, "10.0.0.0/8");
    world_settle(scene.world);
    cr_assert_str_eq(world_choices(scene.server, text),
                     "10.0.0.0/8 | [65001] 10.0.1.10 graceful-shutdown\n");
    close_scene(&scene);
}

Test(options, a_peer_is_drained_from_this_side)
{
    struct ends ends = plain_ends(65001, 65002);
    struct scene scene;

    ends.to_left.graceful_shutdown = true;
    scene = make_scene(&ends);
    world_originate(scene.left, &(struct route){.prefix = "10.0.0.0/8"});
    world_originate(scene.right, &(struct route){.prefix = "10.0.0.0/8", .as_path = {1}});
    world_settle(scene.world);
    cr_assert_str_eq(world_choices(scene.server, text), "10.0.0.0/8 | [65002 1] 10.0.1.11\n");
    cr_assert_str_eq(seen(&scene, scene.left, scene.left_link),
                     "10.0.0.0/8 [65515 65002 1] 10.0.0.4 graceful-shutdown "
                     "(lost: hub routing preference)\n");
    close_scene(&scene);
}

static int first_choice(void *context, const struct lpm_prefix *prefix,
                        const struct rib_choice *choice)
{
    (void)prefix;
    *(struct rib_choice *)context = *choice;
    return 1;
}

Test(options, blackhole_counts_only_where_the_peer_may_say_it)
{
    for (unsigned may = 0; may < 2; may++) {
        struct ends ends = plain_ends(65001, 65002);
        struct rib_choice choice = {0};
        struct scene scene;

        ends.to_left.accept_blackhole = may;
        scene = make_scene(&ends);
        world_originate(scene.left,
                        &(struct route){.prefix = "10.9.9.9/32", .communities = {BGP_BLACKHOLE}});
        world_settle(scene.world);
        speaker_each_choice(scene.server->speaker, first_choice, &choice);
        cr_assert_eq(choice.n, 1);
        cr_assert_eq(choice.paths[0].discard, may);
        /* It is for this router; others would draw the traffic. */
        cr_assert_str_eq(seen_right(&scene),
                         may ? "" : "10.9.9.9/32 [65515 65001] 10.0.0.4 blackhole (chosen)\n");
        close_scene(&scene);
    }
}

static void originate_with(struct scene *scene, struct node *node, const char *community)
{
    struct bgp_community parsed;
    const struct bgp_attributes *set;
    struct lpm_prefix prefix = world_prefix("10.0.0.0/8");

    cr_assert_eq(bgp_community_parse(community, &parsed), 0);
    bgp_builder_originate(scene->world->builder, BGP_ORIGIN_IGP);
    bgp_builder_add_community(scene->world->builder, &parsed);
    cr_assert_eq(bgp_builder_intern(scene->world->builder, scene->world->table, &set), 0);
    cr_assert_eq(speaker_originate(node->speaker, &prefix, set), 0);
    bgp_attributes_release(scene->world->table, set);
}

Test(options, a_link_bandwidth_is_read_and_stays_within_the_as)
{
    for (unsigned heeds = 0; heeds < 2; heeds++) {
        struct ends ends = plain_ends(65001, 65002);
        struct rib_choice choice = {0};
        struct scene scene;

        ends.server.link_bandwidth = heeds;
        scene = make_scene(&ends);
        originate_with(&scene, scene.left, "lb:65001:125000");
        world_settle(scene.world);
        speaker_each_choice(scene.server->speaker, first_choice, &choice);
        cr_assert_eq(choice.n, 1);
        cr_assert_eq(choice.paths[0].bandwidth, heeds ? 125000 : 0);
        cr_assert_eq(
            bgp_community_count(set_at(scene.right, scene.right_link, 1), BGP_EXTENDED_COMMUNITY),
            0);
        originate_with(&scene, scene.left, "rt:65001:1"); /* transitive */
        world_settle(scene.world);
        cr_assert_eq(
            bgp_community_count(set_at(scene.right, scene.right_link, 1), BGP_EXTENDED_COMMUNITY),
            1);
        close_scene(&scene);
    }
}

/* --- AS_PATH ---------------------------------------------------------------------------------- */

Test(options, as_paths_that_are_too_long_or_begin_wrong_are_filtered)
{
    struct ends ends = plain_ends(65001, 65002);
    struct scene scene;

    ends.to_left.max_as_path = 3;
    ends.to_left.check_first_as = true;
    ends.from_left.transparent = true; /* the far end leaves its own AS out */
    scene = make_scene(&ends);
    world_originate(scene.left, &(struct route){.prefix = "10.1.0.0/16", .as_path = {65001, 2, 3}});
    world_originate(scene.left,
                    &(struct route){.prefix = "10.2.0.0/16", .as_path = {65001, 2, 3, 4}});
    world_originate(scene.left, &(struct route){.prefix = "10.3.0.0/16", .as_path = {2, 65001}});
    world_originate(scene.left, &(struct route){.prefix = "10.4.0.0/16"});
    cr_assert_str_eq(
        held_from_left(&scene),
        "10.1.0.0/16 [65001 2 3] 10.0.1.10 (chosen)\n"
        "10.2.0.0/16 [65001 2 3 4] 10.0.1.10 (filtered: AS path too long)\n"
        "10.3.0.0/16 [2 65001] 10.0.1.10 (filtered: AS path does not begin with the peer's AS)\n"
        "10.4.0.0/16 [] 10.0.1.10 (filtered: AS path does not begin with the peer's AS)\n");
    close_scene(&scene);
}

/* Of every kind, as the policy left them. */
Test(options, a_route_with_too_many_communities_is_filtered)
{
    struct ends ends = plain_ends(65001, 65002);
    struct scene scene;

    ends.to_left.max_communities = 2;
    scene = make_scene(&ends);
    world_originate(scene.left, &(struct route){.prefix = "10.0.0.0/8", .communities = {1, 2}});
    world_originate(scene.left, &(struct route){.prefix = "11.0.0.0/8", .communities = {1, 2, 3}});
    cr_assert_not_null(strstr(held_from_left(&scene), "too many communities"), "%s", text);
    cr_assert_not_null(strstr(seen_right(&scene), "10.0.0.0/8"));
    cr_assert_null(strstr(text, "11.0.0.0/8"));
    world_originate(scene.left, &(struct route){.prefix = "11.0.0.0/8", .communities = {3}});
    cr_assert_not_null(strstr(seen_right(&scene), "11.0.0.0/8"));
    close_scene(&scene);
}

Test(options, as_numbers_leave_the_path_on_the_way_out)
{
    static const struct {
        enum rib_private_as private_as;
        const char *expected;
    } cases[] = {
        {RIB_PRIVATE_AS_KEPT, "10.0.0.0/8 [65515 65001 3356 4200000001 174] 10.0.0.4 (chosen)\n"},
        {RIB_PRIVATE_AS_REMOVED, "10.0.0.0/8 [65515 3356 174] 10.0.0.4 (chosen)\n"},
        {RIB_PRIVATE_AS_REPLACED, "10.0.0.0/8 [65515 65515 3356 65515 174] 10.0.0.4 (chosen)\n"},
    };
    static const uint32_t removed[] = {12076, 398656};

    for (unsigned i = 0; i < 3; i++) {
        struct ends ends = plain_ends(65001, 65002);
        struct scene scene;

        ends.to_right.private_as = cases[i].private_as;
        ends.to_right.remove_as = removed;
        ends.to_right.remove_as_count = 2;
        scene = make_scene(&ends);
        world_originate(scene.left,
                        &(struct route){.prefix = "10.0.0.0/8",
                                        .as_path = {3356, 12076, 4200000001, 174, 398656}});
        cr_assert_str_eq(seen_right(&scene), cases[i].expected);
        close_scene(&scene);
    }
}

/* --- Comparisons ------------------------------------------------------------------------------ */

Test(options, med_is_compared_as_the_speaker_is_told)
{
    static const struct {
        enum rib_med med;
        uint32_t right_asn;
        const char *expected;
    } cases[] = {
        {RIB_MED_IGNORED, 65001,
         "10.0.0.0/8 | [65001] 10.0.1.10 med 20 | [65001] 10.0.1.11 med 10\n"},
        {RIB_MED_SAME_AS, 65001, "10.0.0.0/8 | [65001] 10.0.1.11 med 10\n"},
        {RIB_MED_SAME_AS, 65002,
         "10.0.0.0/8 | [65001] 10.0.1.10 med 20 | [65002] 10.0.1.11 med 10\n"},
        {RIB_MED_ALWAYS, 65002, "10.0.0.0/8 | [65002] 10.0.1.11 med 10\n"},
    };

    for (unsigned i = 0; i < 4; i++) {
        struct ends ends = plain_ends(65001, cases[i].right_asn);
        struct scene scene;

        ends.server.med = cases[i].med;
        scene = make_scene(&ends);
        world_originate(scene.left,
                        &(struct route){.prefix = "10.0.0.0/8", .has_med = true, .med = 20});
        world_settle(scene.world);
        world_originate(scene.right,
                        &(struct route){.prefix = "10.0.0.0/8", .has_med = true, .med = 10});
        world_settle(scene.world);
        cr_assert(speaker_validate(scene.server->speaker));
        cr_assert_str_eq(world_choices(scene.server, text), cases[i].expected, "%u: %s", i, text);
        world_withdraw(scene.right, "10.0.0.0/8");
        world_settle(scene.world);
        cr_assert_str_eq(world_choices(scene.server, text),
                         "10.0.0.0/8 | [65001] 10.0.1.10 med 20\n");
        close_scene(&scene);
    }
}

Test(options, origin_is_compared_where_the_speaker_is_told)
{
    for (unsigned compares = 0; compares < 2; compares++) {
        struct ends ends = plain_ends(65001, 65002);
        const struct bgp_attributes *set;
        struct lpm_prefix prefix = world_prefix("10.0.0.0/8");
        struct scene scene;

        ends.server.compare_origin = compares;
        scene = make_scene(&ends);
        bgp_builder_originate(scene.world->builder, BGP_ORIGIN_INCOMPLETE);
        cr_assert_eq(bgp_builder_intern(scene.world->builder, scene.world->table, &set), 0);
        cr_assert_eq(speaker_originate(scene.left->speaker, &prefix, set), 0);
        bgp_attributes_release(scene.world->table, set);
        world_originate(scene.right, &(struct route){.prefix = "10.0.0.0/8"});
        cr_assert_str_eq(held_from_left(&scene),
                         compares ? "10.0.0.0/8 [65001] 10.0.1.10 (lost: higher origin)\n"
                                  : "10.0.0.0/8 [65001] 10.0.1.10 (chosen)\n");
        close_scene(&scene);
    }
}

/* RFC 5004: of equal external paths the present best stays, whichever comes or goes beside it. */
Test(options, the_best_does_not_flap_between_equals)
{
    struct ends ends = plain_ends(65001, 65002);
    struct scene scene = make_scene(&ends);
    struct rib_choice choice = {0};

    world_originate(scene.right, &(struct route){.prefix = "10.0.0.0/8"});
    world_settle(scene.world);
    for (unsigned i = 0; i < 4; i++) {
        if (i % 2 == 0)
            world_originate(scene.left, &(struct route){.prefix = "10.0.0.0/8"});
        else
            world_withdraw(scene.left, "10.0.0.0/8");
        world_settle(scene.world);
        speaker_each_choice(scene.server->speaker, first_choice, &choice);
        cr_assert_eq(choice.n, 2 - i % 2);
        cr_assert_eq(speaker_peer_config(choice.paths[0].peer)->asn, 65002);
    }
    close_scene(&scene);
}

/* --- IPv6 next hops of IPv4 routes (RFC 8950) ------------------------------------------------- */

Test(options, ipv4_routes_cross_an_ipv6_session_where_agreed)
{
    for (unsigned agreed = 0; agreed < 2; agreed++) {
        struct ends ends = plain_ends(65001, 65002);
        struct scene scene;

        ends.to_left = world_end("fd00::4", 65001);
        ends.from_left = world_end("fd00::10", 65515);
        ends.to_right = world_end("fd00::4", 65002);
        ends.from_right = world_end("fd00::11", 65515);
        ends.to_left.identifier = ends.to_right.identifier = 1;
        ends.from_left.identifier = 2;
        ends.from_right.identifier = 3;
        ends.to_left.extended_next_hop = ends.from_left.extended_next_hop = true;
        ends.to_right.extended_next_hop = true;
        ends.from_right.extended_next_hop = agreed;
        scene = make_scene(&ends);
        world_originate(scene.left, &(struct route){.prefix = "10.0.0.0/8"});
        world_originate(scene.server, &(struct route){.prefix = "10.0.0.0/22"});
        cr_assert_str_eq(held_from_left(&scene), "10.0.0.0/8 [65001] fd00::10 (chosen)\n");
        cr_assert_str_eq(seen_right(&scene), agreed ? "10.0.0.0/8 [65515 65001] fd00::4 (chosen)\n"
                                                      "10.0.0.0/22 [65515] fd00::4 (chosen)\n"
                                                    : "");
        close_scene(&scene);
    }
}
