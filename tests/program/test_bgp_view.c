/*
 * BGP as the fabric asks for it, over real speakers with real sessions between them: two NVAs, and
 * a route server of one speaker or of two that do not merge.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "engine/program/bgp_view.h"
#include "tests/rib/world.h"

/* addresses[i] of the route server's instances; NVAs are .4 and .5 of 10.0.1.0/24. */
struct setting {
    struct world *world;
    struct node *servers[2], *nvas[2];
    unsigned server_count;
    struct fabric fabric;
    struct program_bgp_view *view;
    const struct fabric_bgp *bgp;
};

static void set_up(struct setting *setting, unsigned servers)
{
    static const char *const instances[] = {"10.0.0.4", "10.0.0.5"};
    static const char *const nvas[] = {"10.0.1.4", "10.0.1.5"};
    struct speaker_config server = {.name = "rs1", .asn = 65515, .prepend_own_asn = true};
    struct speaker_config nva = {.name = "nva", .asn = 65001, .prepend_own_asn = true};
    *setting = (struct setting){.server_count = servers, .fabric = {.route_servers_count = 1}};
    setting->world = world_create();
    setting->view = program_bgp_view_create(&setting->fabric);
    setting->bgp = program_bgp_view(setting->view);
    for (unsigned i = 0; i < 2; i++)
        setting->nvas[i] = world_node(setting->world, &nva);
    for (unsigned i = 0; i < servers; i++) {
        setting->servers[i] = world_node(setting->world, &server);
        cr_assert_eq(program_bgp_view_add(setting->view, 0, setting->servers[i]->speaker), 0);
        for (unsigned j = 0; j < 2; j++)
            world_join(setting->world, setting->servers[i], 65515, instances[i], setting->nvas[j],
                       65001, nvas[j]);
    }
    world_start(setting->world);
    world_settle(setting->world);
}

static void tear_down(struct setting *setting)
{
    program_bgp_view_destroy(setting->view);
    world_destroy(setting->world);
}

/* extra: ASNs in the path beside the NVA's own; ends with 0. */
static void originate(struct setting *setting, struct node *node, const char *prefix,
                      const uint32_t extra[4])
{
    struct route route = {.prefix = prefix};
    memcpy(route.as_path, extra, 4 * sizeof(*extra));
    world_originate(node, &route);
    world_settle(setting->world);
}

static const uint32_t plain[4] = {0}, longer[4] = {64900, 64900};

static void expect_choice(const struct setting *setting, const char *text, const char *const *hops,
                          unsigned n)
{
    struct lpm_prefix prefix = world_prefix(text);
    struct rib_choice choice;
    cr_assert_eq(setting->bgp->choice(setting->bgp->context, 0, &prefix, &choice), n > 0);
    cr_assert_eq(choice.n, n, "%s has %u next hops", text, choice.n);
    for (unsigned i = 0; i < n; i++) {
        struct lpm_address hop = world_address(hops[i]);
        bool found = false;
        for (unsigned j = 0; j < choice.n; j++)
            found |= lpm_address_equal(&choice.paths[j].next_hop, &hop);
        cr_assert(found, "%s lacks %s", text, hops[i]);
    }
}

static int is_address(void *context, const struct lpm_address *address)
{
    return lpm_address_equal(context, address);
}

static bool announces(const struct setting *setting, const char *neighbor, const char *text)
{
    struct lpm_prefix prefix = world_prefix(text);
    struct lpm_address address = world_address(neighbor);
    return setting->bgp->each_announcer(setting->bgp->context, 0, &prefix, is_address, &address) !=
           0;
}

static int count_prefix(void *context, const struct lpm_prefix *prefix,
                        const struct rib_choice *choice)
{
    struct lpm_prefix *last = context;
    cr_assert_gt(choice->n, 0);
    if (last->family != 0)
        cr_assert_lt(lpm_prefix_compare(last, prefix), 0);
    *last = *prefix;
    return 0;
}

static int count_candidate(void *context, const struct rib_path *path, enum rib_verdict verdict)
{
    unsigned *counts = context;
    (void)path;
    counts[verdict == RIB_CHOSEN]++;
    return 0;
}

Test(bgp_view, one_speaker_answers_for_its_route_server)
{
    struct setting setting;
    const char *both[] = {"10.0.1.4", "10.0.1.5"};
    struct lpm_prefix last = {.family = 0}, aggregate = world_prefix("10.0.0.0/8");
    unsigned counts[2] = {0, 0};
    set_up(&setting, 1);
    expect_choice(&setting, "10.0.0.0/8", NULL, 0);
    originate(&setting, setting.nvas[0], "10.0.0.0/8", plain);
    originate(&setting, setting.nvas[1], "10.0.0.0/8", plain);
    originate(&setting, setting.nvas[0], "9.9.9.9/32", plain);
    originate(&setting, setting.nvas[1], "9.9.9.9/32", longer);
    expect_choice(&setting, "10.0.0.0/8", both, 2);
    expect_choice(&setting, "9.9.9.9/32", both, 1);
    cr_assert(announces(&setting, "10.0.1.5", "9.9.9.9/32"), "a path that lost is announced too");
    cr_assert_not(announces(&setting, "10.0.1.6", "9.9.9.9/32"));
    cr_assert_not(announces(&setting, "10.0.1.5", "8.8.8.8/32"));
    cr_assert_eq(setting.bgp->each(setting.bgp->context, 0, count_prefix, &last), 0);
    cr_assert(lpm_prefix_equal(&last, &aggregate));
    cr_assert_eq(
        setting.bgp->each_candidate(setting.bgp->context, 0, &aggregate, count_candidate, counts),
        0);
    cr_assert_eq(counts[1], 2);
    tear_down(&setting);
}

Test(bgp_view, two_speakers_that_do_not_merge_are_one_union)
{
    struct setting setting;
    const char *both[] = {"10.0.1.4", "10.0.1.5"};
    struct lpm_prefix last = {.family = 0};
    set_up(&setting, 2);
    originate(&setting, setting.nvas[0], "10.0.0.0/8", plain);
    originate(&setting, setting.nvas[0], "9.9.9.9/32", plain);
    expect_choice(&setting, "10.0.0.0/8", both, 1);
    originate(&setting, setting.nvas[1], "10.0.0.0/8", plain);
    expect_choice(&setting, "10.0.0.0/8", both, 2);
    /* Each prefix once, in order, although both hold it. */
    cr_assert_eq(setting.bgp->each(setting.bgp->context, 0, count_prefix, &last), 0);
    cr_assert(announces(&setting, "10.0.1.4", "9.9.9.9/32"));
    cr_assert_eq(program_bgp_view_add(setting.view, 0, setting.servers[0]->speaker), -ENOSPC);
    tear_down(&setting);
}

Test(bgp_view, a_path_with_a_loop_is_not_announced_and_a_view_without_speakers_is_empty)
{
    struct setting setting;
    const uint32_t loop[4] = {65515};
    struct lpm_prefix prefix = world_prefix("10.0.0.0/8");
    set_up(&setting, 1);
    originate(&setting, setting.nvas[0], "10.0.0.0/8", loop);
    expect_choice(&setting, "10.0.0.0/8", NULL, 0);
    cr_assert_not(announces(&setting, "10.0.1.4", "10.0.0.0/8"));
    tear_down(&setting);

    struct fabric fabric = {.route_servers_count = 2};
    struct program_bgp_view *view = program_bgp_view_create(&fabric);
    const struct fabric_bgp *bgp = program_bgp_view(view);
    struct rib_choice choice;
    struct lpm_address address = world_address("10.0.1.4");
    cr_assert_not(bgp->choice(bgp->context, 1, &prefix, &choice));
    cr_assert_eq(bgp->each_announcer(bgp->context, 1, &prefix, is_address, &address), 0);
    cr_assert_eq(bgp->each(bgp->context, 1, count_prefix, NULL), 0);
    program_bgp_view_destroy(view);
}
