/*
 * Policies as functions: each condition and change alone, then random policies on random routes
 * against an evaluator that is as slow and as plain as can be.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/rib/policy.h"
#include "engine/rib/speaker.h"
#include "tests/rib/world.h"

static struct bgp_attribute_table *table;
static struct bgp_attribute_builder *builder;
static struct rib_policy_scratch *scratch;

static void setup(void)
{
    table = bgp_attribute_table_create();
    builder = bgp_builder_create();
    scratch = rib_policy_scratch_create();
}

static void teardown(void)
{
    rib_policy_scratch_destroy(scratch, table);
    cr_assert_eq(bgp_attribute_table_count(table), 0, "a set is still held");
    bgp_builder_destroy(builder);
    bgp_attribute_table_destroy(table);
}

TestSuite(policy, .init = setup, .fini = teardown);

/* --- One route -------------------------------------------------------------------------------- */

static struct bgp_community community(const char *text)
{
    struct bgp_community parsed;

    cr_assert_eq(bgp_community_parse(text, &parsed), 0, "%s", text);
    return parsed;
}

/* 10.1.0.0/16 from an NVA, path 65001 64512, next hop 10.0.1.4, communities 65001:100 rt:65001:7. */
static const struct bgp_attributes *sample(void)
{
    const struct bgp_community standard = community("65001:100");
    const struct bgp_community extended = community("rt:65001:7");
    const struct lpm_address next_hop = world_address("10.0.1.4");
    const struct bgp_attributes *attributes;

    bgp_builder_originate(builder, BGP_ORIGIN_EGP);
    bgp_builder_set_as_path(builder, (uint32_t[]){65001, 64512}, 2);
    bgp_builder_set_next_hop(builder, &next_hop);
    bgp_builder_add_community(builder, &standard);
    bgp_builder_add_community(builder, &extended);
    bgp_builder_set_med(builder, 30);
    cr_assert_eq(bgp_builder_intern(builder, table, &attributes), 0);
    return attributes;
}

/* "path next hop origin med pref weight communities", or "rejected"; and by which rule. */
static char *describe(const struct rib_policy_outcome *outcome, char text[512])
{
    const struct bgp_attributes *at = outcome->attributes;
    char path[128], hop[LPM_ADDRESS_TEXT], name[BGP_COMMUNITY_TEXT];
    size_t used;

    if (!outcome->accepted) {
        snprintf(text, 512, "rejected by %d", (int)outcome->rule);
        return text;
    }
    bgp_as_path_format(at, ' ', path, sizeof(path));
    used = (size_t)snprintf(text, 512, "[%s] %s %s med %u pref %u weight %u", path,
                            lpm_address_format(&at->next_hop, hop), bgp_origin_text(at->origin),
                            at->med, at->local_pref, bgp_attributes_weight(at));
    for (enum bgp_community_kind kind = BGP_COMMUNITY; kind <= BGP_LARGE_COMMUNITY; kind++)
        for (unsigned i = 0; i < bgp_community_count(at, kind); i++) {
            struct bgp_community one = bgp_community_at(at, kind, i);

            used +=
                (size_t)snprintf(text + used, 512 - used, " %s", bgp_community_format(&one, name));
        }
    snprintf(text + used, 512 - used, " by %d", (int)outcome->rule);
    return text;
}

static char *run(const struct rib_policy_rule *rules, size_t n, const char *prefix_text,
                 char text[512])
{
    const struct bgp_attributes *attributes = sample();
    struct lpm_prefix prefix = world_prefix(prefix_text);
    const struct rib_policy_route route = {
        .prefix = &prefix, .attributes = attributes, .source = RIB_SOURCE_NVA, .import = true};
    struct rib_policy_outcome outcome;
    struct rib_policy *policy;

    cr_assert_eq(rib_policy_create("p", rules, n, &policy), 0);
    cr_assert_eq(rib_policy_apply(policy, scratch, builder, table, &route, &outcome), 0);
    describe(&outcome, text);
    if (outcome.accepted)
        cr_assert_eq(bgp_attributes_received(outcome.attributes), attributes);
    bgp_attributes_release(table, outcome.attributes);
    bgp_attributes_release(table, attributes);
    rib_policy_scratch_clear(scratch, table);
    rib_policy_release(policy);
    return text;
}

#define UNTOUCHED "[65001 64512] 10.0.1.4 EGP med 30 pref 100 weight 0 65001:100 rt:65001:7"

Test(policy, no_rule_permits)
{
    char text[512];

    cr_assert_str_eq(run(NULL, 0, "10.1.0.0/16", text), UNTOUCHED " by -1");
    cr_assert_str_eq(
        run(&(struct rib_policy_rule){.sources = 1u << RIB_SOURCE_VPN, .then = RIB_POLICY_REJECT},
            1, "10.1.0.0/16", text),
        UNTOUCHED " by -1");
}

Test(policy, each_condition_can_keep_a_rule_from_matching)
{
    const struct rib_prefix_range inside = {world_prefix("10.0.0.0/8"), 9, 32};
    const struct rib_prefix_range beside = {world_prefix("10.0.0.0/8"), 8, 8};
    const struct lpm_prefix hops[] = {world_prefix("10.0.1.0/24"), world_prefix("10.0.2.0/24")};
    const struct rib_number_range two = {2, 2}, three = {3, 9}, thirty = {30, 30},
                                  hundred = {100, 100};
    struct rib_community_pattern known, unknown;
    char error[RIB_PATTERN_ERROR], text[512];

    rib_community_pattern_parse("65001:*", &known, error);
    rib_community_pattern_parse("rt:65002:*", &unknown, error);
    const struct rib_community_pattern both[] = {unknown, known};
    const struct {
        struct rib_policy_rule rule;
        bool matches;
    } cases[] = {
        {{.prefixes = &inside, .prefix_count = 1}, true},
        {{.prefixes = &beside, .prefix_count = 1}, false},
        {{.as_path = "^65001_"}, true},
        {{.as_path = "^64512_"}, false},
        {{.communities = both, .community_count = 2}, true},
        {{.all_communities = both, .all_community_count = 2}, false},
        {{.all_communities = &known, .all_community_count = 1}, true},
        {{.next_hops = hops, .next_hop_count = 2}, true},
        {{.next_hops = hops + 1, .next_hop_count = 1}, false},
        {{.sources = 1u << RIB_SOURCE_NVA}, true},
        {{.sources = 1u << RIB_SOURCE_VPN | 1u << RIB_SOURCE_EXPRESS_ROUTE}, false},
        {{.origins = 1u << BGP_ORIGIN_EGP}, true},
        {{.origins = 1u << BGP_ORIGIN_IGP}, false},
        {{.as_path_length = &two}, true},
        {{.as_path_length = &three}, false},
        {{.med = &thirty}, true},
        {{.med = &two}, false},
        {{.local_pref = &hundred}, true},
        {{.local_pref = &two}, false},
        {{.as_path = "^65001_", .med = &two}, false},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct rib_policy_rule rule = cases[i].rule;

        rule.then = RIB_POLICY_REJECT;
        cr_expect_str_eq(run(&rule, 1, "10.1.0.0/16", text),
                         cases[i].matches ? "rejected by 0" : UNTOUCHED " by -1", "case %zu", i);
    }
}

Test(policy, each_change)
{
    const struct bgp_community added[] = {community("no-export"), community("65001:1:2")};
    struct rib_community_pattern all_of_as, all_targets;
    char error[RIB_PATTERN_ERROR], text[512];

    rib_community_pattern_parse("65001:*", &all_of_as, error);
    rib_community_pattern_parse("rt:*:*", &all_targets, error);
    const struct rib_community_pattern removed[] = {all_of_as, all_targets};
    const struct {
        struct rib_policy_rule rule;
        const char *result;
    } cases[] = {
        {{.set = RIB_SET_LOCAL_PREF, .local_pref_value = 200},
         "[65001 64512] 10.0.1.4 EGP med 30 pref 200 weight 0 65001:100 rt:65001:7 by 0"},
        {{.set = RIB_SET_MED, .med_value = 5},
         "[65001 64512] 10.0.1.4 EGP med 5 pref 100 weight 0 65001:100 rt:65001:7 by 0"},
        {{.set = RIB_SET_ORIGIN, .origin = BGP_ORIGIN_IGP},
         "[65001 64512] 10.0.1.4 IGP med 30 pref 100 weight 0 65001:100 rt:65001:7 by 0"},
        {{.set = RIB_SET_NEXT_HOP, .next_hop = world_address("10.0.1.100")},
         "[65001 64512] 10.0.1.100 EGP med 30 pref 100 weight 0 65001:100 rt:65001:7 by 0"},
        {{.set = RIB_SET_NEXT_HOP, .next_hop = world_address("fd00::1")}, UNTOUCHED " by 0"},
        {{.set = RIB_SET_WEIGHT, .weight = 9},
         "[65001 64512] 10.0.1.4 EGP med 30 pref 100 weight 9 65001:100 rt:65001:7 by 0"},
        {{.add_communities = added, .add_community_count = 2},
         "[65001 64512] 10.0.1.4 EGP med 30 pref 100 weight 0 65001:100 no-export rt:65001:7 "
         "65001:1:2 by 0"},
        {{.set = RIB_SET_COMMUNITIES, .set_communities = added, .set_community_count = 1},
         "[65001 64512] 10.0.1.4 EGP med 30 pref 100 weight 0 no-export by 0"},
        {{.set = RIB_SET_COMMUNITIES}, "[65001 64512] 10.0.1.4 EGP med 30 pref 100 weight 0 by 0"},
        {{.remove_communities = removed, .remove_community_count = 1},
         "[65001 64512] 10.0.1.4 EGP med 30 pref 100 weight 0 rt:65001:7 by 0"},
        {{.remove_communities = removed, .remove_community_count = 2},
         "[65001 64512] 10.0.1.4 EGP med 30 pref 100 weight 0 by 0"},
        {{.prepend = (uint32_t[]){1, 2}, .prepend_count = 2},
         "[1 2 65001 64512] 10.0.1.4 EGP med 30 pref 100 weight 0 65001:100 rt:65001:7 by 0"},
        {{.remove_as = (uint32_t[]){65001}, .remove_as_count = 1},
         "[64512] 10.0.1.4 EGP med 30 pref 100 weight 0 65001:100 rt:65001:7 by 0"},
        {{.remove_as = (uint32_t[]){RIB_PRIVATE_AS}, .remove_as_count = 1},
         "[] 10.0.1.4 EGP med 30 pref 100 weight 0 65001:100 rt:65001:7 by 0"},
        {{.replace_as = &(struct rib_as_replacement){64512, 7}, .replace_as_count = 1},
         "[65001 7] 10.0.1.4 EGP med 30 pref 100 weight 0 65001:100 rt:65001:7 by 0"},
        {{.set = RIB_SET_AS_PATH, .as_path_value = (uint32_t[]){7, 8}, .as_path_value_count = 2},
         "[7 8] 10.0.1.4 EGP med 30 pref 100 weight 0 65001:100 rt:65001:7 by 0"},
        {{.set = RIB_SET_AS_PATH},
         "[] 10.0.1.4 EGP med 30 pref 100 weight 0 65001:100 rt:65001:7 by 0"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        cr_expect_str_eq(run(&cases[i].rule, 1, "10.1.0.0/16", text), cases[i].result, "case %zu",
                         i);
}

Test(policy, continue_lets_later_rules_see_the_change)
{
    const struct bgp_community mark = community("65515:1");
    struct rib_community_pattern marked;
    char error[RIB_PATTERN_ERROR], text[512];

    rib_community_pattern_parse("65515:1", &marked, error);
    const struct rib_policy_rule rules[] = {
        {.add_communities = &mark, .add_community_count = 1, .then = RIB_POLICY_CONTINUE},
        {.sources = 1u << RIB_SOURCE_VPN, .then = RIB_POLICY_REJECT},
        {.communities = &marked, .community_count = 1, .set = RIB_SET_MED, .med_value = 1},
        {.then = RIB_POLICY_REJECT},
    };
    cr_assert_str_eq(run(rules, 4, "10.1.0.0/16", text),
                     "[65001 64512] 10.0.1.4 EGP med 1 pref 100 weight 0 65001:100 65515:1 "
                     "rt:65001:7 by 2");
    cr_assert_str_eq(run(rules, 1, "10.1.0.0/16", text),
                     "[65001 64512] 10.0.1.4 EGP med 30 pref 100 weight 0 65001:100 65515:1 "
                     "rt:65001:7 by -1",
                     "what was changed stays when no rule decides");
    cr_assert_str_eq(run(rules + 3, 1, "10.1.0.0/16", text), "rejected by 0");
}

Test(policy, a_route_that_grows_beyond_any_message_is_not_accepted)
{
    uint32_t *asns = calloc(20000, sizeof(*asns));
    char text[512];

    for (size_t i = 0; i < 20000; i++)
        asns[i] = 65001;
    cr_assert_str_eq(run(&(struct rib_policy_rule){.set = RIB_SET_AS_PATH,
                                                   .as_path_value = asns,
                                                   .as_path_value_count = 20000},
                         1, "10.1.0.0/16", text),
                     "rejected by 0");
    free(asns);
}

/* What is remembered for the next route may outlive whoever held the policy. */
Test(policy, the_scratch_holds_the_policy_that_it_remembers)
{
    const struct bgp_attributes *attributes = sample();
    const struct lpm_prefix prefix = world_prefix("10.1.0.0/16");
    const struct rib_policy_route route = {.prefix = &prefix, .attributes = attributes};
    struct rib_policy_outcome outcome;
    struct rib_policy *policy;

    cr_assert_eq(rib_policy_create("p", &(struct rib_policy_rule){.set = RIB_SET_MED}, 1, &policy),
                 0);
    cr_assert_eq(rib_policy_apply(policy, scratch, builder, table, &route, &outcome), 0);
    rib_policy_release(policy);
    bgp_attributes_release(table, outcome.attributes);
    bgp_attributes_release(table, attributes);
    rib_policy_scratch_clear(scratch, table);
}

/* --- Random policies -------------------------------------------------------------------------- */

static unsigned below(unsigned *state, unsigned n)
{
    *state = *state * 1664525u + 1013904223u;
    return (*state >> 8) % n;
}

/* A route in the plainest words. */
struct plain {
    struct lpm_prefix prefix;
    uint32_t path[64];
    size_t length;
    uint16_t communities[64][2];
    size_t community_count;
    uint32_t med, pref, weight;
    unsigned origin, source;
    unsigned hop; /* last octet */
};

struct plain_rule {
    struct rib_prefix_range ranges[3];
    size_t range_count;
    const char *expression; /* NULL: any */
    int community[2];       /* -1: any number; [0] -2: no condition */
    unsigned sources;
    struct rib_number_range length;
    bool length_given;
    /* changes */
    bool set_med, set_pref, set_weight, set_hop, clear;
    uint32_t value;
    uint32_t prepend, remove; /* 0: none */
    int add[2], drop[2];      /* [0] -2: none */
    enum rib_policy_then then;
};

static const uint32_t numbers[] = {65001, 65002, 7, 70};

static void random_plain(unsigned *state, struct plain *route)
{
    *route = (struct plain){.prefix = {.family = LPM_IPV4, .bytes = {10}}};
    route->prefix.bytes[1] = (uint8_t)(below(state, 4) << 6);
    route->prefix.length = (uint8_t)(8 + below(state, 4));
    lpm_prefix_mask(&route->prefix);
    route->length = below(state, 4);
    for (size_t i = 0; i < route->length; i++)
        route->path[i] = numbers[below(state, 4)];
    route->community_count = below(state, 4);
    for (size_t i = 0; i < route->community_count; i++) {
        route->communities[i][0] = (uint16_t)(1 + below(state, 2));
        route->communities[i][1] = (uint16_t)(1 + below(state, 2));
    }
    route->med = below(state, 3);
    route->pref = 100;
    route->origin = below(state, 3);
    route->source = below(state, 4);
    route->hop = 1 + below(state, 3);
}

static void random_pair(unsigned *state, int pair[2])
{
    pair[0] = (int)below(state, 4) - 2;
    pair[1] = (int)below(state, 3) - 1;
    if (pair[0] == 0)
        pair[0] = 1;
    if (pair[1] == 0)
        pair[1] = 2;
}

static void random_rule(unsigned *state, struct plain_rule *rule)
{
    static const char *const expressions[] = {NULL, NULL, "_7_", "^65001", "^$", "^[0-9]+$", "70$"};

    *rule = (struct plain_rule){.expression = expressions[below(state, 7)]};
    rule->range_count = below(state, 3);
    for (size_t i = 0; i < rule->range_count; i++) {
        struct plain route;

        random_plain(state, &route);
        rule->ranges[i] = (struct rib_prefix_range){
            route.prefix, route.prefix.length, (uint8_t)(route.prefix.length + below(state, 4))};
    }
    random_pair(state, rule->community);
    rule->sources = below(state, 2) ? below(state, 16) : 0;
    rule->length_given = below(state, 4) == 0;
    rule->length = (struct rib_number_range){below(state, 3), 2 + below(state, 2)};
    rule->value = below(state, 3);
    rule->set_med = below(state, 4) == 0;
    rule->set_pref = below(state, 4) == 0;
    rule->set_weight = below(state, 4) == 0;
    rule->set_hop = below(state, 4) == 0;
    rule->clear = below(state, 8) == 0;
    rule->prepend = below(state, 3) ? 0 : numbers[below(state, 4)];
    rule->remove = below(state, 3) ? 0 : numbers[below(state, 4)];
    random_pair(state, rule->add);
    if (rule->add[0] < 0 || rule->add[1] < 0)
        rule->add[0] = -2;
    random_pair(state, rule->drop);
    rule->then = (enum rib_policy_then)below(state, 3);
}

static bool pair_matches(const int pair[2], const uint16_t at[2])
{
    return (pair[0] < 0 || pair[0] == at[0]) && (pair[1] < 0 || pair[1] == at[1]);
}

static bool plain_path_matches(const struct plain_rule *rule, const struct plain *route)
{
    char text[1024] = "", posix[64] = "";
    size_t used = 0;
    regex_t regex;
    bool found;

    if (!rule->expression)
        return true;
    for (size_t i = 0; i < route->length; i++)
        used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%u", i ? " " : "",
                                 route->path[i]);
    for (const char *at = rule->expression; *at; at++)
        snprintf(posix + strlen(posix), sizeof(posix) - strlen(posix), "%s",
                 *at == '_' ? "(^| |$)" : (char[]){*at, '\0'});
    cr_assert_eq(regcomp(&regex, posix, REG_EXTENDED | REG_NOSUB), 0);
    found = regexec(&regex, text, 0, NULL, 0) == 0;
    regfree(&regex);
    return found;
}

static bool plain_matches(const struct plain_rule *rule, const struct plain *route)
{
    bool found = rule->range_count == 0;

    for (size_t i = 0; i < rule->range_count; i++)
        found |= lpm_prefix_covers(&rule->ranges[i].prefix, &route->prefix) &&
                 route->prefix.length >= rule->ranges[i].least &&
                 route->prefix.length <= rule->ranges[i].most;
    if (!found || (rule->sources && !(rule->sources >> route->source & 1)))
        return false;
    if (rule->length_given &&
        (route->length < rule->length.least || route->length > rule->length.most))
        return false;
    found = rule->community[0] == -2;
    for (size_t i = 0; i < route->community_count; i++)
        found |= pair_matches(rule->community, route->communities[i]);
    return found && plain_path_matches(rule, route);
}

static void plain_drop(struct plain *route, const int pair[2])
{
    size_t kept = 0;

    for (size_t i = 0; i < route->community_count; i++)
        if (!pair_matches(pair, route->communities[i]))
            memcpy(route->communities[kept++], route->communities[i], sizeof(uint16_t[2]));
    route->community_count = kept;
}

static void plain_change(const struct plain_rule *rule, struct plain *route)
{
    size_t kept = 0;

    if (rule->set_med)
        route->med = rule->value;
    if (rule->set_pref)
        route->pref = rule->value;
    if (rule->set_weight)
        route->weight = rule->value;
    if (rule->set_hop)
        route->hop = 200 + rule->value;
    for (size_t i = 0; i < route->length; i++)
        if (!rule->remove || route->path[i] != rule->remove)
            route->path[kept++] = route->path[i];
    route->length = kept;
    if (rule->prepend) {
        memmove(route->path + 1, route->path, route->length++ * sizeof(route->path[0]));
        route->path[0] = rule->prepend;
    }
    if (rule->clear)
        route->community_count = 0;
    if (rule->drop[0] != -2)
        plain_drop(route, rule->drop);
    if (rule->add[0] != -2) {
        plain_drop(route, rule->add); /* each once */
        route->communities[route->community_count][0] = (uint16_t)rule->add[0];
        route->communities[route->community_count++][1] = (uint16_t)rule->add[1];
    }
}

/* The slow evaluator. False: rejected. */
static bool plain_run(const struct plain_rule *rules, size_t n, struct plain *route, int *by)
{
    for (*by = 0; *by < (int)n; ++*by) {
        if (!plain_matches(&rules[*by], route))
            continue;
        if (rules[*by].then == RIB_POLICY_REJECT)
            return false;
        plain_change(&rules[*by], route);
        if (rules[*by].then == RIB_POLICY_ACCEPT)
            return true;
    }
    *by = -1;
    return true;
}

static const struct bgp_attributes *attributes_of(const struct plain *route)
{
    struct lpm_address hop = world_address("10.9.9.0");
    const struct bgp_attributes *attributes;

    hop.bytes[3] = (uint8_t)route->hop;
    bgp_builder_originate(builder, route->origin);
    bgp_builder_set_as_path(builder, route->path, route->length);
    bgp_builder_set_next_hop(builder, &hop);
    bgp_builder_set_med(builder, route->med);
    bgp_builder_set_local_pref(builder, route->pref);
    for (size_t i = 0; i < route->community_count; i++) {
        struct bgp_community one = {.kind = BGP_COMMUNITY,
                                    .standard = (uint32_t)route->communities[i][0] << 16 |
                                                route->communities[i][1]};

        bgp_builder_add_community(builder, &one);
    }
    cr_assert_eq(bgp_builder_intern(builder, table, &attributes), 0);
    return attributes;
}

/* A rule in both kinds of words; parts hold what rib_policy_rule points to. */
struct parts {
    struct rib_community_pattern match, drop;
    struct bgp_community add;
};

static void pattern_of(const int pair[2], struct rib_community_pattern *pattern)
{
    char text[32], left[12], right[12], error[RIB_PATTERN_ERROR];

    snprintf(left, sizeof(left), "%d", pair[0]);
    snprintf(right, sizeof(right), "%d", pair[1]);
    snprintf(text, sizeof(text), "%s:%s", pair[0] < 0 ? "*" : left, pair[1] < 0 ? "*" : right);
    cr_assert_eq(rib_community_pattern_parse(text, pattern, error), 0, "%s", text);
}

static struct rib_policy_rule compile(const struct plain_rule *plain, struct parts *parts)
{
    struct rib_policy_rule rule = {
        .prefixes = plain->ranges,
        .prefix_count = plain->range_count,
        .as_path = plain->expression,
        .sources = plain->sources,
        .as_path_length = plain->length_given ? &plain->length : NULL,
        .set = (plain->set_med ? RIB_SET_MED : 0) | (plain->set_pref ? RIB_SET_LOCAL_PREF : 0) |
               (plain->set_weight ? RIB_SET_WEIGHT : 0) | (plain->set_hop ? RIB_SET_NEXT_HOP : 0) |
               (plain->clear ? RIB_SET_COMMUNITIES : 0),
        .med_value = plain->value,
        .local_pref_value = plain->value,
        .weight = plain->value,
        .next_hop = world_address("10.9.9.200"),
        .prepend = &plain->prepend,
        .prepend_count = plain->prepend != 0,
        .remove_as = &plain->remove,
        .remove_as_count = plain->remove != 0,
        .then = plain->then,
    };

    rule.next_hop.bytes[3] = (uint8_t)(200 + plain->value);
    if (plain->community[0] != -2) {
        pattern_of(plain->community, &parts->match);
        rule.communities = &parts->match;
        rule.community_count = 1;
    }
    if (plain->drop[0] != -2) {
        pattern_of(plain->drop, &parts->drop);
        rule.remove_communities = &parts->drop;
        rule.remove_community_count = 1;
    }
    if (plain->add[0] != -2) {
        parts->add = (struct bgp_community){.kind = BGP_COMMUNITY,
                                            .standard = (uint32_t)plain->add[0] << 16 |
                                                        (uint32_t)plain->add[1]};
        rule.add_communities = &parts->add;
        rule.add_community_count = 1;
    }
    return rule;
}

/* One policy on one route, both ways. */
static void compare(const struct plain_rule *plain, size_t n, const struct rib_policy *policy,
                    const struct plain *route, unsigned counts[3])
{
    struct plain after = *route;
    const struct bgp_attributes *before = attributes_of(route), *expected;
    const struct rib_policy_route asked = {
        .prefix = &route->prefix, .attributes = before, .source = route->source, .import = true};
    struct rib_policy_outcome outcome;
    int by;
    bool accepted = plain_run(plain, n, &after, &by);

    cr_assert_eq(rib_policy_apply(policy, scratch, builder, table, &asked, &outcome), 0);
    cr_assert_eq(outcome.accepted, accepted);
    cr_assert_eq((int)outcome.rule, by);
    if (accepted) {
        char got[512], wanted[512];

        expected = attributes_of(&after);
        describe(&outcome, got);
        bgp_builder_load(builder, expected);
        bgp_builder_set_received(builder, before, after.weight, 0);
        bgp_attributes_release(table, expected);
        cr_assert_eq(bgp_builder_intern(builder, table, &expected), 0);
        describe(&(struct rib_policy_outcome){.accepted = true,
                                              .rule = outcome.rule,
                                              .attributes = expected},
                 wanted);
        cr_assert_str_eq(got, wanted);
        cr_assert_eq(bgp_attributes_received(outcome.attributes), before);
        bgp_attributes_release(table, expected);
    }
    counts[!accepted ? 0 : by < 0 ? 1 : 2]++;
    bgp_attributes_release(table, outcome.attributes);
    bgp_attributes_release(table, before);
}

Test(policy, agrees_with_the_slow_evaluator)
{
    unsigned state = 11, counts[3] = {0};

    for (unsigned round = 0; round < 1500; round++) {
        struct plain_rule plain[6];
        struct parts parts[6];
        struct rib_policy_rule rules[6];
        size_t n = below(&state, 7);
        struct rib_policy *policy;

        for (size_t i = 0; i < n; i++) {
            random_rule(&state, &plain[i]);
            rules[i] = compile(&plain[i], &parts[i]);
        }
        cr_assert_eq(rib_policy_create("random", rules, n, &policy), 0);
        for (unsigned i = 0; i < 12; i++) {
            struct plain route;

            random_plain(&state, &route);
            compare(plain, n, policy, &route, counts);
            route.prefix.length = 8; /* the scratch knows these attributes */
            lpm_prefix_mask(&route.prefix);
            compare(plain, n, policy, &route, counts);
        }
        rib_policy_scratch_clear(scratch, table);
        rib_policy_release(policy);
    }
    for (unsigned i = 0; i < 3; i++)
        cr_assert_gt(counts[i], 2000, "outcome %u was tried %u times", i, counts[i]);
}
