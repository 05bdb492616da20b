/*
 * Summaries that policies make (RFC 4271 9.2.2.2): what they look like, that they are there exactly while a
 * route contributes, on the way in and on the way out, and that changing policies leaves nothing behind.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/rib/world.h"

static char text[WORLD_TEXT];

#define NVAS 4u

/* A route server at 10.0.0.4 with NVAs 10.0.1.10.. (AS 65001..); the last one takes several paths. */
struct scene {
    struct world *world;
    struct node *server, *nvas[NVAS];
    struct link *links[NVAS];
};

static struct scene make_scene(bool transparent)
{
    const struct speaker_config config = {
        .name = "rs", .asn = 65515, .prepend_own_asn = !transparent, .reflect = true};
    struct scene scene = {.world = world_create()};

    scene.server = world_node(scene.world, &config);
    for (unsigned i = 0; i < NVAS; i++) {
        struct speaker_config nva = {.asn = 65001 + i, .prepend_own_asn = true};
        struct speaker_peer_config near = world_end("10.0.0.4", nva.asn), far;
        char address[32];

        snprintf(address, sizeof(address), "10.0.1.%u", 10 + i);
        far = world_end(address, 65515);
        near.add_path_send = far.add_path_receive = i == NVAS - 1;
        near.add_path_max = 4;
        scene.nvas[i] = world_node(scene.world, &nva);
        scene.links[i] = world_link(scene.world, scene.server, near, scene.nvas[i], far);
    }
    world_start(scene.world);
    return scene;
}

static struct rib_policy *policy(const struct rib_policy_rule *rules, size_t n)
{
    struct rib_policy *made;

    cr_assert_eq(rib_policy_create("p", rules, n, &made), 0);
    return made;
}

static struct rib_policy *summarise(const char *prefix, bool keep)
{
    const struct rib_policy_rule rule = {
        .file = "f.yaml", .line = 7, .summary = world_prefix(prefix), .keep_contributors = keep};

    return policy(&rule, 1);
}

static void set_policies(struct scene *scene, unsigned nva, struct rib_policy *import,
                         struct rib_policy *export)
{
    speaker_peer_set_policies(scene->server->speaker, scene->links[nva]->ends[0].peer, import,
                              export, scene->world->now);
    rib_policy_release(import);
    rib_policy_release(export);
    world_settle(scene->world);
    cr_assert(speaker_validate(scene->server->speaker));
}

static const char *learned_from(const struct scene *scene, unsigned nva)
{
    cr_assert(speaker_validate(scene->server->speaker));
    return world_learned(scene->server, scene->links[nva]->ends[0].peer, text);
}

static const char *seen_by(const struct scene *scene, unsigned nva)
{
    world_settle(scene->world);
    cr_assert(speaker_validate(scene->server->speaker));
    return world_learned(scene->nvas[nva], scene->links[nva]->ends[1].peer, text);
}

static void announce(struct scene *scene, unsigned nva, const char *prefix)
{
    world_originate(scene->nvas[nva], &(struct route){.prefix = prefix, .communities = {5}});
    world_settle(scene->world);
}

static void withdraw(struct scene *scene, unsigned nva, const char *prefix)
{
    world_withdraw(scene->nvas[nva], prefix);
    world_settle(scene->world);
}

/* --- In --------------------------------------------------------------------------------------- */

Test(summary, on_the_way_in_stands_for_what_it_is_made_of)
{
    struct scene scene = make_scene(false);

    set_policies(&scene, 0, summarise("10.0.0.0/8", false), NULL);
    announce(&scene, 0, "10.1.0.0/16");
    announce(&scene, 0, "10.2.0.0/16");
    announce(&scene, 0, "11.0.0.0/16");
    cr_assert_str_eq(learned_from(&scene, 0),
                     "10.0.0.0/8 [] 10.0.1.10 (chosen)\n"
                     "10.1.0.0/16 [65001] 10.0.1.10 0:5 (filtered: part of a summary)\n"
                     "10.2.0.0/16 [65001] 10.0.1.10 0:5 (filtered: part of a summary)\n"
                     "11.0.0.0/16 [65001] 10.0.1.10 0:5 (chosen)\n",
                     "%s", text);
    cr_assert_str_eq(seen_by(&scene, 1), "10.0.0.0/8 [65515] 10.0.0.4 (chosen)\n"
                                         "11.0.0.0/16 [65515 65001] 10.0.0.4 0:5 (chosen)\n");
    cr_assert_str_eq(seen_by(&scene, 0), "", "it is the neighbour's own");
    withdraw(&scene, 0, "10.1.0.0/16");
    cr_assert_not_null(strstr(seen_by(&scene, 1), "10.0.0.0/8"));
    withdraw(&scene, 0, "10.2.0.0/16");
    cr_assert_str_eq(seen_by(&scene, 1), "11.0.0.0/16 [65515 65001] 10.0.0.4 0:5 (chosen)\n");
    world_destroy(scene.world);
}

Test(summary, contributors_may_stay)
{
    struct scene scene = make_scene(false);

    set_policies(&scene, 0, summarise("10.0.0.0/8", true), NULL);
    announce(&scene, 0, "10.1.0.0/16");
    cr_assert_str_eq(world_choices(scene.server, text),
                     "10.0.0.0/8 | [] 10.0.1.10\n"
                     "10.1.0.0/16 | [65001] 10.0.1.10 0:5\n",
                     "%s", text);
    world_destroy(scene.world);
}

Test(summary, a_route_to_the_very_prefix_is_part_of_it)
{
    struct scene scene = make_scene(false);

    set_policies(&scene, 0, summarise("10.0.0.0/8", false), NULL);
    announce(&scene, 0, "10.0.0.0/8");
    cr_assert_str_eq(seen_by(&scene, 1), "10.0.0.0/8 [65515] 10.0.0.4 (chosen)\n");
    withdraw(&scene, 0, "10.0.0.0/8");
    cr_assert_str_eq(seen_by(&scene, 1), "");
    cr_assert_str_eq(learned_from(&scene, 0), "");
    world_destroy(scene.world);
}

Test(summary, goes_with_the_session)
{
    struct scene scene = make_scene(false);

    set_policies(&scene, 0, summarise("10.0.0.0/8", false), NULL);
    announce(&scene, 0, "10.1.0.0/16");
    world_cut(scene.world, scene.links[0]);
    cr_assert_str_eq(seen_by(&scene, 1), "");
    world_mend(scene.world, scene.links[0]);
    cr_assert_str_eq(seen_by(&scene, 1), "10.0.0.0/8 [65515] 10.0.0.4 (chosen)\n");
    world_destroy(scene.world);
}

/* --- Attributes ------------------------------------------------------------------------------- */

struct look {
    bool found, atomic, has_med;
    uint32_t med;
    uint8_t origin;
    struct lpm_address next_hop;
    uint8_t aggregator[8];
};

static int look_at(void *context, const struct lpm_prefix *prefix, const struct rib_path *path,
                   enum rib_verdict verdict)
{
    static const uint8_t header[] = {0xc0, 7, 8};
    const struct bgp_attributes *attributes = path->attributes;
    struct look *look = context;
    const uint8_t *at;

    (void)verdict;
    if (prefix->length != 8)
        return 0;
    look->found = true;
    look->atomic = attributes->flags & BGP_HAS_ATOMIC_AGGREGATE;
    look->has_med = attributes->flags & BGP_HAS_MED;
    look->med = attributes->med;
    look->origin = attributes->origin;
    look->next_hop = path->next_hop;
    at = memmem(attributes->bytes, attributes->size, header, sizeof(header));
    if (at != NULL)
        memcpy(look->aggregator, at + 3, 8);
    return 0;
}

static struct look summary_in(const struct scene *scene, unsigned nva)
{
    struct look look = {.found = false};

    speaker_each_learned(scene->server->speaker, scene->links[nva]->ends[0].peer, look_at, &look);
    return look;
}

static struct look summary_at(const struct scene *scene, unsigned nva)
{
    struct look look = {.found = false};

    speaker_each_learned(scene->nvas[nva]->speaker, scene->links[nva]->ends[1].peer, look_at,
                         &look);
    return look;
}

Test(summary, attributes_follow_from_all_contributors)
{
    struct scene scene = make_scene(false);
    struct lpm_address shared = world_address("10.0.1.77"), peer = world_address("10.0.1.10");
    uint32_t identifier = speaker_peer_config(scene.links[0]->ends[0].peer)->identifier;
    struct look look;

    set_policies(&scene, 0, summarise("10.0.0.0/8", false), NULL);
    for (unsigned i = 0; i < 2; i++)
        world_originate(scene.nvas[0],
                        &(struct route){.prefix = i == 0 ? "10.1.0.0/16" : "10.2.0.0/16",
                                        .next_hop = "10.0.1.77",
                                        .has_med = true,
                                        .med = 9});
    world_settle(scene.world);
    look = summary_in(&scene, 0);
    cr_assert(look.found && look.atomic, "the NVA's AS is lost");
    cr_assert(look.has_med && look.med == 9);
    cr_assert(lpm_address_equal(&look.next_hop, &shared));
    cr_assert_eq(look.aggregator[2] << 8 | look.aggregator[3], 65515);
    cr_assert_eq((uint32_t)look.aggregator[4] << 24 | look.aggregator[5] << 16 |
                     look.aggregator[6] << 8 | look.aggregator[7],
                 identifier);
    /* One that says otherwise: the MED goes, and the neighbour itself is the next hop. */
    world_originate(scene.nvas[0], &(struct route){.prefix = "10.3.0.0/16"});
    world_settle(scene.world);
    look = summary_in(&scene, 0);
    cr_assert(!look.has_med);
    cr_assert(lpm_address_equal(&look.next_hop, &peer));
    withdraw(&scene, 0, "10.3.0.0/16");
    look = summary_in(&scene, 0);
    cr_assert(look.has_med && lpm_address_equal(&look.next_hop, &shared), "as before");
    world_destroy(scene.world);
}

Test(summary, the_rules_changes_are_the_summarys)
{
    struct scene scene = make_scene(false);
    const struct bgp_community community = {.kind = BGP_COMMUNITY, .standard = 7};
    const struct rib_policy_rule rules[] = {
        {.set = RIB_SET_MED, .med_value = 3, .then = RIB_POLICY_CONTINUE},
        {.summary = world_prefix("10.0.0.0/8"),
         .prepend = (uint32_t[]){65001, 65001},
         .prepend_count = 2,
         .add_communities = &community,
         .add_community_count = 1,
         .keep_contributors = true,
         .set = RIB_SET_WEIGHT,
         .weight = 5},
        {.then = RIB_POLICY_REJECT},
    };

    set_policies(&scene, 0, policy(rules, 3), NULL);
    announce(&scene, 0, "10.1.0.0/16");
    announce(&scene, 0, "11.0.0.0/16");
    cr_assert_str_eq(learned_from(&scene, 0),
                     "10.0.0.0/8 [65001 65001] 10.0.1.10 0:7 med 3 (chosen)\n"
                     "10.1.0.0/16 [65001] 10.0.1.10 0:5 med 3 (chosen)\n"
                     "11.0.0.0/16 [65001] 10.0.1.10 0:5 (filtered: policy)\n",
                     "%s", text);
    world_destroy(scene.world);
}

/* --- Out -------------------------------------------------------------------------------------- */

Test(summary, on_the_way_out_is_for_who_is_not_all_of_it)
{
    struct scene scene = make_scene(false);
    struct rib_policy *shared = summarise("10.0.0.0/8", false);

    for (unsigned i = 0; i < NVAS; i++)
        set_policies(&scene, i, NULL, rib_policy_hold(shared));
    rib_policy_release(shared);
    announce(&scene, 0, "10.1.0.0/16");
    announce(&scene, 0, "11.0.0.0/16");
    for (unsigned i = 1; i < NVAS; i++) {
        cr_assert_not_null(strstr(seen_by(&scene, i), "10.0.0.0/8 [65515] 10.0.0.4 (chosen)"), "%s",
                           text);
        cr_assert_not_null(strstr(text, "11.0.0.0/16 [65515 65001]"), "%s", text);
        cr_assert_null(strstr(text, "10.1.0.0/16"), "%s", text);
        cr_assert(summary_at(&scene, i).atomic);
    }
    cr_assert_str_eq(seen_by(&scene, 0), "");
    announce(&scene, 1, "10.2.0.0/16");
    cr_assert_str_eq(seen_by(&scene, 0), "10.0.0.0/8 [65515] 10.0.0.4 (chosen)\n");
    withdraw(&scene, 0, "10.1.0.0/16");
    cr_assert_str_eq(seen_by(&scene, 1), "11.0.0.0/16 [65515 65001] 10.0.0.4 0:5 (chosen)\n");
    cr_assert_str_eq(seen_by(&scene, 0), "10.0.0.0/8 [65515] 10.0.0.4 (chosen)\n");
    withdraw(&scene, 1, "10.2.0.0/16");
    cr_assert_str_eq(seen_by(&scene, 0), "");
    world_destroy(scene.world);
}

Test(summary, own_routes_are_summarised_too)
{
    struct scene scene = make_scene(false);

    set_policies(&scene, 0, NULL, summarise("10.0.0.0/8", false));
    world_originate(scene.server, &(struct route){.prefix = "10.9.0.0/16"});
    cr_assert_str_eq(seen_by(&scene, 0), "10.0.0.0/8 [65515] 10.0.0.4 (chosen)\n");
    cr_assert(!summary_at(&scene, 0).atomic, "no AS is lost");
    cr_assert_str_eq(seen_by(&scene, 1), "10.9.0.0/16 [65515] 10.0.0.4 (chosen)\n");
    world_destroy(scene.world);
}

Test(summary, a_transparent_server_stands_in_the_path_of_what_it_made)
{
    struct scene scene = make_scene(true);

    set_policies(&scene, 1, NULL, summarise("10.0.0.0/8", false));
    announce(&scene, 0, "10.1.0.0/16");
    cr_assert_str_eq(seen_by(&scene, 1), "10.0.0.0/8 [65515] 10.0.1.10 (chosen)\n",
                     "the next hop is the contributors': %s", text);
    world_destroy(scene.world);
}

Test(summary, policies_come_and_go_and_leave_nothing)
{
    struct scene scene = make_scene(false);

    announce(&scene, 0, "10.1.0.0/16");
    for (unsigned i = 1; i < NVAS; i++) {
        set_policies(&scene, i, NULL, summarise("10.0.0.0/8", i == 2));
        seen_by(&scene, i);
        cr_assert_not_null(strstr(text, "10.0.0.0/8 [65515]"), "%s", text);
        cr_assert_eq(strstr(text, "10.1.0.0/16") != NULL, i == 2, "%s", text);
        set_policies(&scene, i, NULL, summarise("10.0.0.0/9", false));
        cr_assert_not_null(strstr(seen_by(&scene, i), "10.0.0.0/9 [65515]"), "%s", text);
        cr_assert_null(strstr(text, "10.0.0.0/8"), "%s", text);
        set_policies(&scene, i, NULL, NULL);
        cr_assert_not_null(strstr(seen_by(&scene, i), "10.1.0.0/16 [65515 65001]"), "%s", text);
        cr_assert_null(strstr(text, "10.0.0.0"), "%s", text);
    }
    set_policies(&scene, 0, summarise("10.0.0.0/8", false), NULL);
    set_policies(&scene, 0, summarise("10.0.0.0/8", true), NULL);
    set_policies(&scene, 0, NULL, NULL);
    cr_assert_str_eq(learned_from(&scene, 0), "10.1.0.0/16 [65001] 10.0.1.10 0:5 (chosen)\n");
    world_destroy(scene.world);
}

/* --- Whatever happens ------------------------------------------------------------------------- */

/* Prefix k is of NVA k % 3, in 10/8 or 12/8. On their way in its routes are summarised to a prefix of that
 * NVA alone, so that each prefix has one path; on the way out to the /8. */
#define PREFIXES 24u
#define STEPS    400u

struct plan {
    bool said[PREFIXES], up[NVAS];
    int in[NVAS], out[NVAS]; /* 0: no policy, 1: suppressed, 2: kept */
};

static unsigned block_of(unsigned k)
{
    return k % 2 == 0 ? 10u : 12u;
}

/* Has NVA `by` something to hear of what NVA `of` announces in the block? */
static bool is_heard(const struct plan *plan, unsigned block, unsigned of, unsigned by)
{
    for (unsigned k = of; k < PREFIXES && of != by && plan->up[of] && plan->up[by]; k += 3)
        if (plan->said[k] && block_of(k) == block)
            return true;
    return false;
}

static void expect(const struct plan *plan, unsigned by, char lines[WORLD_TEXT])
{
    size_t n = 0;

    lines[0] = '\0';
    for (unsigned block = 10; block <= 12; block += 2) {
        bool heard = is_heard(plan, block, 0, by) || is_heard(plan, block, 1, by) ||
                     is_heard(plan, block, 2, by);

        if (plan->out[by] != 0 && heard)
            n += (size_t)sprintf(lines + n, "%u.0.0.0/8\n", block);
        for (unsigned of = 0; of < 3; of++)
            if (plan->out[by] != 1 && plan->in[of] != 0 && is_heard(plan, block, of, by))
                n += (size_t)sprintf(lines + n, "%u.0.0.0/%u\n", block, 9 + of);
        for (unsigned k = 0; k < PREFIXES; k++)
            if (block_of(k) == block && plan->out[by] != 1 && plan->in[k % 3] != 1 &&
                plan->said[k] && is_heard(plan, block, k % 3, by))
                n += (size_t)sprintf(lines + n, "%u.%u.0.0/16\n", block, k);
    }
}

/* What stands first in each line. */
static void keep_prefixes(char *lines)
{
    char *to = lines;

    for (char *at = lines, *next; *at != '\0'; at = next) {
        size_t n = strcspn(at, " ");

        next = strchr(at, '\n') + 1;
        memmove(to, at, n);
        to += n;
        *to++ = '\n';
    }
    *to = '\0';
}

static void check_plan(const struct scene *scene, const struct plan *plan, unsigned step)
{
    static char expected[WORLD_TEXT];

    for (unsigned i = 0; i < NVAS; i++) {
        expect(plan, i, expected);
        seen_by(scene, i);
        keep_prefixes(text);
        cr_assert_str_eq(text, expected, "step %u, NVA %u:\n%s\nand not\n%s", step, i, text,
                         expected);
    }
}

static struct rib_policy *plan_policy(int kind, unsigned length)
{
    struct rib_policy_rule rules[2] = {{.keep_contributors = kind == 2},
                                       {.keep_contributors = kind == 2}};

    rules[0].summary = world_prefix("10.0.0.0/8");
    rules[1].summary = world_prefix("12.0.0.0/8");
    rules[0].summary.length = rules[1].summary.length = (uint8_t)length;
    return kind == 0 ? NULL : policy(rules, 2);
}

static void do_step(struct scene *scene, struct plan *plan)
{
    unsigned k = (unsigned)rand() % PREFIXES, i = (unsigned)rand() % NVAS;
    char name[32];

    snprintf(name, sizeof(name), "%u.%u.0.0/16", block_of(k), k);
    switch (rand() % 12) {
    case 0:
        plan->in[i] = rand() % 3;
        plan->out[i] = rand() % 3;
        set_policies(scene, i, plan_policy(plan->in[i], 9 + i), plan_policy(plan->out[i], 8));
        break;
    case 1:
        if (plan->up[i])
            world_cut(scene->world, scene->links[i]);
        else
            world_mend(scene->world, scene->links[i]);
        plan->up[i] = !plan->up[i];
        break;
    default:
        if (plan->said[k])
            world_withdraw(scene->nvas[k % 3], name);
        else
            world_originate(scene->nvas[k % 3], &(struct route){.prefix = name});
        plan->said[k] = !plan->said[k];
    }
}

Test(summary, is_there_exactly_while_something_contributes)
{
    for (unsigned seed = 1; seed <= 3; seed++) {
        struct scene scene = make_scene(false);
        struct plan plan = {.up = {true, true, true, true}};

        srand(seed);
        for (unsigned step = 0; step < STEPS; step++) {
            do_step(&scene, &plan);
            if (rand() % 3 == 0)
                check_plan(&scene, &plan, step);
        }
        check_plan(&scene, &plan, STEPS);
        world_destroy(scene.world);
    }
}
