/*
 * Fuzzing policies: any bytes as the words of one, and what is understood is run on routes.
 *
 * Input: lines. Each is tried as an AS-path expression, a community, a prefix range and a number range;
 * all together as the policies of a fabric file. What must hold: a word is understood or refused with a
 * reason; what the loader takes compiles; a policy gives every route one verdict, the same when it is
 * asked again, and no set of attributes is left over; a rule for a word decides about the routes that the word matches;
 * what it removes is gone, what it adds is there, what it sets is all there is; a rule that makes a summary has all routes
 * inside it as parts, and no others, and its changes can be made to it.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/fabric/load.h"
#include "engine/fabric/policies.h"
#include "engine/rib/policy.h"
#include "engine/rib/speaker.h"
#include "tests/must.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ROUTES 3u

struct bench {
    struct bgp_attribute_table *table;
    struct bgp_attribute_builder *builder;
    struct rib_policy_scratch *scratch;
    const struct bgp_attributes *routes[ROUTES];
    struct lpm_prefix prefixes[2];
};

/* An own route, a short path with communities, a long one. */
static void make_routes(struct bench *bench)
{
    static const char *const communities[] = {"65001:100",       "no-export", "rt:65001:7",
                                              "rt:4200000001:7", "65001:1:2", "4200000001:7:65001",
                                              "lb:65001:125000", "soo:1:2",   "blackhole"};
    struct lpm_address next_hop;
    uint32_t asns[300];

    for (unsigned i = 0; i < 300; i++)
        asns[i] = i % 7 == 0 ? 4200000000u + i : 65001 + i % 3;
    MUST(lpm_address_parse("10.0.1.4", &next_hop) == 0);
    for (unsigned route = 0; route < ROUTES; route++) {
        bgp_builder_originate(bench->builder, (enum bgp_origin)route);
        bgp_builder_set_as_path(bench->builder, asns, (size_t[]){0, 3, 300}[route]);
        if (route > 0)
            bgp_builder_set_next_hop(bench->builder, &next_hop);
        for (unsigned i = 0; i < route * 4 + 1; i++) {
            struct bgp_community community;

            MUST(bgp_community_parse(communities[i], &community) == 0);
            bgp_builder_add_community(bench->builder, &community);
        }
        MUST(bgp_builder_intern(bench->builder, bench->table, &bench->routes[route]) == 0);
    }
}

/* A part is accepted, lies inside the summary of the rule that decided, and on the way in says which that is. */
static void check_part(const struct rib_policy *policy, const struct rib_policy_route *route,
                       const struct rib_policy_outcome *outcome)
{
    const struct rib_policy_rule *rule =
        outcome->rule == RIB_POLICY_NO_RULE ? NULL : rib_policy_rule(policy, outcome->rule);
    bool summarises = rule && rule->summary.family != 0;

    MUST(outcome->contributes == (outcome->accepted && summarises));
    MUST(outcome->suppressed == (outcome->contributes && !rule->keep_contributors));
    if (!outcome->contributes)
        return;
    MUST(lpm_prefix_covers(&rule->summary, route->prefix));
    MUST(rib_policy_mark(policy, outcome->rule) != 0);
    MUST(!route->import ||
         bgp_attributes_mark(outcome->attributes) == rib_policy_mark(policy, outcome->rule));
}

static void apply(struct bench *bench, const struct rib_policy *policy, unsigned which)
{
    const struct rib_policy_route route = {.prefix = &bench->prefixes[which % 2],
                                           .attributes = bench->routes[which % ROUTES],
                                           .source = which % 4,
                                           .import = which % 2};
    struct rib_policy_outcome first, second;

    MUST(rib_policy_apply(policy, bench->scratch, bench->builder, bench->table, &route, &first) ==
         0);
    rib_policy_scratch_clear(bench->scratch, bench->table);
    MUST(rib_policy_apply(policy, bench->scratch, bench->builder, bench->table, &route, &second) ==
         0);
    MUST(first.accepted == second.accepted && first.rule == second.rule);
    MUST(first.attributes == second.attributes && first.accepted == (first.attributes != NULL));
    check_part(policy, &route, &first);
    if (first.accepted && route.import)
        MUST(bgp_attributes_received(first.attributes) == route.attributes);
    bgp_attributes_release(bench->table, first.attributes);
    bgp_attributes_release(bench->table, second.attributes);
}

/* A policy of what a word means, on every route. */
static void try_rule(struct bench *bench, const struct rib_policy_rule *rule)
{
    const struct rib_policy_rule rules[] = {
        *rule, {.as_path = "_65001_", .prepend = (uint32_t[]){7}, .prepend_count = 1}};
    struct rib_policy *policy;

    MUST(rib_policy_create("word", rules, 2, &policy) == 0);
    for (unsigned which = 0; which < 12; which++)
        apply(bench, policy, which);
    rib_policy_release(policy);
}

/* --- What a rule does ------------------------------------------------------------------------- */

static bool is_among(const struct bgp_attributes *attributes,
                     const struct rib_community_pattern *pattern)
{
    for (unsigned i = 0; i < bgp_community_count(attributes, pattern->kind); i++) {
        struct bgp_community community = bgp_community_at(attributes, pattern->kind, i);

        if (rib_community_pattern_matches(pattern, &community))
            return true;
    }
    return false;
}

static unsigned count_communities(const struct bgp_attributes *attributes)
{
    return bgp_community_count(attributes, BGP_COMMUNITY) +
           bgp_community_count(attributes, BGP_EXTENDED_COMMUNITY) +
           bgp_community_count(attributes, BGP_LARGE_COMMUNITY);
}

/* What becomes of a route by this rule alone; NULL: it did not match. The caller releases it. */
static const struct bgp_attributes *outcome_of(struct bench *bench,
                                               const struct rib_policy_rule *rule, unsigned which)
{
    const struct rib_policy_route route = {.prefix = &bench->prefixes[0],
                                           .attributes = bench->routes[which]};
    struct rib_policy_outcome outcome;
    struct rib_policy *policy;

    MUST(rib_policy_create("one", rule, 1, &policy) == 0);
    MUST(rib_policy_apply(policy, bench->scratch, bench->builder, bench->table, &route, &outcome) ==
         0);
    rib_policy_release(policy);
    MUST(outcome.accepted);
    if (outcome.rule == 0)
        return outcome.attributes;
    MUST(outcome.rule == RIB_POLICY_NO_RULE && outcome.attributes == route.attributes);
    bgp_attributes_release(bench->table, outcome.attributes);
    return NULL;
}

static void try_removal(struct bench *bench, const struct rib_community_pattern *pattern)
{
    const struct rib_community_pattern both[] = {*pattern, *pattern};
    const struct rib_policy_rule rule = {.communities = pattern,
                                         .community_count = 1,
                                         .all_communities = both,
                                         .all_community_count = 2,
                                         .remove_communities = pattern,
                                         .remove_community_count = 1};

    for (unsigned which = 0; which < ROUTES; which++) {
        const struct bgp_attributes *after = outcome_of(bench, &rule, which);

        MUST((after != NULL) == is_among(bench->routes[which], pattern));
        MUST(!after || !is_among(after, pattern));
        bgp_attributes_release(bench->table, after);
    }
}

static void try_community(struct bench *bench, const struct bgp_community *community)
{
    const struct rib_policy_rule add = {.add_communities = community, .add_community_count = 1};
    const struct rib_policy_rule set = {
        .set = RIB_SET_COMMUNITIES, .set_communities = community, .set_community_count = 1};
    char text[BGP_COMMUNITY_TEXT];
    struct bgp_community again;

    MUST(bgp_community_parse(bgp_community_format(community, text), &again) == 0);
    MUST(again.kind == community->kind);
    for (unsigned which = 0; which < ROUTES; which++) {
        const struct bgp_attributes *added = outcome_of(bench, &add, which);
        const struct bgp_attributes *only = outcome_of(bench, &set, which);

        MUST(added && bgp_attributes_has_community(added, community));
        MUST(only && bgp_attributes_has_community(only, community) &&
             bgp_attributes_has_community(only, &again) && count_communities(only) == 1);
        bgp_attributes_release(bench->table, added);
        bgp_attributes_release(bench->table, only);
    }
}

/* What a rule makes of the summary that it is about. */
static void change_summary(struct bench *bench, const struct rib_policy_rule *rule)
{
    const struct bgp_attributes *made = NULL;

    bgp_builder_originate(bench->builder, BGP_ORIGIN_IGP);
    rib_policy_change(rule, rule->summary.family, bench->builder);
    if (bgp_builder_intern(bench->builder, bench->table, &made) == 0)
        bgp_attributes_release(bench->table, made);
}

static void change_summaries(struct bench *bench, const struct rib_policy *policy)
{
    unsigned n = rib_policy_summaries(policy);

    for (uint32_t rule = 0; n > 0; rule++)
        if (rib_policy_mark(policy, rule) != 0) {
            change_summary(bench, rib_policy_rule(policy, rule));
            n--;
        }
}

/* Every route inside the prefix is part of its summary, and no other is. */
static void try_summary(struct bench *bench, const struct lpm_prefix *prefix, bool keep)
{
    const struct rib_policy_rule rule = {.summary = *prefix, .keep_contributors = keep};
    struct rib_policy *policy;

    MUST(rib_policy_create("summary", &rule, 1, &policy) == 0);
    MUST(rib_policy_summaries(policy) == 1);
    for (unsigned which = 0; which < 12; which++) {
        const struct rib_policy_route route = {.prefix = &bench->prefixes[which % 2],
                                               .attributes = bench->routes[which % ROUTES],
                                               .import = which / 6};
        struct rib_policy_outcome outcome;

        MUST(rib_policy_apply(policy, bench->scratch, bench->builder, bench->table, &route,
                              &outcome) == 0);
        MUST(outcome.contributes == lpm_prefix_covers(prefix, route.prefix));
        MUST(outcome.accepted);
        check_part(policy, &route, &outcome);
        bgp_attributes_release(bench->table, outcome.attributes);
    }
    change_summaries(bench, policy);
    rib_policy_release(policy);
}

/* --- Words ------------------------------------------------------------------------------------ */

static void try_expression(struct bench *bench, const char *text)
{
    char reason[RIB_PATTERN_ERROR] = "";
    struct rib_as_path_pattern *as_path;

    if (rib_as_path_pattern_create(text, &as_path, reason) < 0) {
        MUST(reason[0]);
        return;
    }
    for (unsigned which = 0; which < ROUTES; which++) {
        const struct bgp_attributes *after =
            outcome_of(bench, &(struct rib_policy_rule){.as_path = text}, which);

        MUST((after != NULL) == rib_as_path_pattern_matches(as_path, bench->routes[which]));
        bgp_attributes_release(bench->table, after);
    }
    rib_as_path_pattern_destroy(as_path);
    try_rule(bench, &(struct rib_policy_rule){.as_path = text,
                                              .set = RIB_SET_MED | RIB_SET_WEIGHT,
                                              .weight = 5,
                                              .then = RIB_POLICY_CONTINUE});
}

static void try_communities(struct bench *bench, const char *text)
{
    char reason[RIB_PATTERN_ERROR] = "";
    struct rib_community_pattern pattern;
    struct bgp_community community;

    if (bgp_community_parse(text, &community) == 0) {
        MUST(rib_community_pattern_parse(text, &pattern, reason) == 0);
        MUST(rib_community_pattern_matches(&pattern, &community));
        try_community(bench, &community);
    }
    if (rib_community_pattern_parse(text, &pattern, reason) < 0) {
        MUST(reason[0]);
        return;
    }
    try_removal(bench, &pattern);
    try_rule(bench, &(struct rib_policy_rule){.communities = &pattern,
                                              .community_count = 1,
                                              .remove_communities = &pattern,
                                              .remove_community_count = 1,
                                              .then = RIB_POLICY_CONTINUE});
}

/* The numbers of a range, as those that a path may have, and as AS numbers. */
static void try_numbers(struct bench *bench, const struct rib_number_range *numbers)
{
    const struct rib_as_replacement replacement = {numbers->least, 65010};
    const uint32_t remove[] = {numbers->most, RIB_PRIVATE_AS};

    MUST(numbers->least <= numbers->most);
    try_rule(bench,
             &(struct rib_policy_rule){.as_path_length = numbers, .then = RIB_POLICY_REJECT});
    try_rule(bench, &(struct rib_policy_rule){.med = numbers, .then = RIB_POLICY_REJECT});
    try_rule(bench, &(struct rib_policy_rule){.local_pref = numbers,
                                              .set = RIB_SET_LOCAL_PREF,
                                              .local_pref_value = numbers->most,
                                              .then = RIB_POLICY_CONTINUE});
    try_rule(bench, &(struct rib_policy_rule){.remove_as = remove,
                                              .remove_as_count = 2,
                                              .replace_as = &replacement,
                                              .replace_as_count = 1,
                                              .then = RIB_POLICY_CONTINUE});
}

static void try_word(struct bench *bench, const char *text)
{
    char reason[RIB_PATTERN_ERROR] = "";
    struct rib_prefix_range prefixes;
    struct rib_number_range numbers;

    try_expression(bench, text);
    try_communities(bench, text);
    if (rib_prefix_range_parse(text, &prefixes, reason) == 0) {
        MUST(prefixes.prefix.length <= prefixes.least && prefixes.least <= prefixes.most &&
             prefixes.most <= 128);
        try_rule(bench, &(struct rib_policy_rule){
                            .prefixes = &prefixes, .prefix_count = 1, .then = RIB_POLICY_REJECT});
        try_summary(bench, &prefixes.prefix, prefixes.least % 2);
    }
    if (rib_number_range_parse(text, &numbers, reason) == 0)
        try_numbers(bench, &numbers);
}

static void try_words(struct bench *bench, const char *text)
{
    char *copy = strdup(text), *rest = copy;

    MUST(copy);
    for (char *line; (line = strsep(&rest, "\n")) != NULL;)
        try_word(bench, line);
    free(copy);
}

static int read_text(void *context, const char *path, char **text, size_t *length,
                     bool *is_directory)
{
    if (strcmp(path, "f") != 0)
        return -ENOENT;
    *is_directory = false;
    if (asprintf(text, "policies:\n%s\n", (const char *)context) < 0)
        return -ENOMEM;
    *length = strlen(*text);
    return 0;
}

static void try_file(struct bench *bench, char *text)
{
    const struct fabric_reader reader = {.context = text, .read = read_text};
    struct fabric_problems problems;
    struct fabric *fabric = fabric_load("f", &reader, &problems);
    struct fabric_policies *policies = NULL;

    if (fabric)
        MUST(fabric_policies_create(fabric, &policies) == 0);
    for (uint32_t i = 0; fabric && i < fabric->policies_count; i++) {
        struct rib_policy *policy = fabric_policy_named(policies, fabric->policies[i].name);

        for (unsigned which = 0; which < 12; which++)
            apply(bench, policy, which);
        change_summaries(bench, policy);
    }
    fabric_policies_destroy(policies);
    fabric_problems_free(&problems);
    fabric_free(fabric);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bench bench = {.table = bgp_attribute_table_create(),
                          .builder = bgp_builder_create(),
                          .scratch = rib_policy_scratch_create()};
    char *text = strndup((const char *)data, size);

    MUST(bench.table && bench.builder && bench.scratch && text);
    MUST(lpm_prefix_parse("10.1.0.0/16", &bench.prefixes[0]) == 0);
    MUST(lpm_prefix_parse("fd00:1::/48", &bench.prefixes[1]) == 0);
    make_routes(&bench);
    try_words(&bench, text);
    try_file(&bench, text);
    rib_policy_scratch_destroy(bench.scratch, bench.table);
    for (unsigned i = 0; i < ROUTES; i++)
        bgp_attributes_release(bench.table, bench.routes[i]);
    MUST(bgp_attribute_table_count(bench.table) == 0);
    bgp_attribute_table_destroy(bench.table);
    bgp_builder_destroy(bench.builder);
    free(text);
    return 0;
}
