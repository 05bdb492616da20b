/*
 * Policies, evaluated. What a rule says of a route has two parts: of its attributes, which the
 * scratch remembers while they stay the same, and of its prefix.
 *
 *   scratch ── key: policy, attributes, family, source, direction     what the rest is about
 *           └─ memory[rule]: do the attributes match?                 of the route as it came
 *                            before -> after                          what its changes made; holds
 *                                                                     references
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/rib/policy_private.h"

enum known { UNKNOWN, MATCHES, DIFFERS };

struct memory {
    enum known known;
    const struct bgp_attributes *before, *after; /* NULL: no change was made yet */
};

struct rib_policy_scratch {
    struct rib_policy *policy; /* one reference held; NULL: nothing is remembered */
    const struct bgp_attributes *attributes;
    unsigned source;
    uint8_t family;
    bool import;
    struct memory *memory; /* one a rule of policy */
    uint32_t capacity;
};

/* --- Scratch ---------------------------------------------------------------------------------- */

struct rib_policy_scratch *rib_policy_scratch_create(void)
{
    return calloc(1, sizeof(struct rib_policy_scratch));
}

void rib_policy_scratch_clear(struct rib_policy_scratch *scratch, struct bgp_attribute_table *table)
{
    if (scratch->policy == NULL)
        return;
    for (uint32_t i = 0; i < scratch->policy->rule_count; i++) {
        bgp_attributes_release(table, scratch->memory[i].before);
        bgp_attributes_release(table, scratch->memory[i].after);
    }
    bgp_attributes_release(table, scratch->attributes);
    rib_policy_release(scratch->policy);
    scratch->policy = NULL;
    scratch->attributes = NULL;
}

void rib_policy_scratch_destroy(struct rib_policy_scratch *scratch,
                                struct bgp_attribute_table *table)
{
    if (scratch == NULL)
        return;
    rib_policy_scratch_clear(scratch, table);
    free(scratch->memory);
    free(scratch);
}

static int reserve(struct rib_policy_scratch *scratch, uint32_t n)
{
    struct memory *memory;

    if (n <= scratch->capacity)
        return 0;
    memory = realloc(scratch->memory, n * sizeof(*memory));
    if (memory == NULL)
        return -ENOMEM;
    scratch->memory = memory;
    scratch->capacity = n;
    return 0;
}

/* Makes the scratch be about this route; what it remembers of the same attributes stays. */
static int turn_to(struct rib_policy_scratch *scratch, const struct rib_policy *policy,
                   struct bgp_attribute_table *table, const struct rib_policy_route *route)
{
    int error;

    if (scratch->policy == policy && scratch->attributes == route->attributes &&
        scratch->source == route->source && scratch->family == route->prefix->family &&
        scratch->import == route->import)
        return 0;
    rib_policy_scratch_clear(scratch, table);
    error = reserve(scratch, policy->rule_count);
    if (error < 0)
        return error;
    /* Immutable but for its count of references. */
    scratch->policy = rib_policy_hold((struct rib_policy *)(uintptr_t)policy);
    scratch->attributes = bgp_attributes_hold(route->attributes);
    scratch->source = route->source;
    scratch->family = route->prefix->family;
    scratch->import = route->import;
    if (policy->rule_count > 0)
        memset(scratch->memory, 0, policy->rule_count * sizeof(*scratch->memory));
    return 0;
}

/* --- Conditions ------------------------------------------------------------------------------- */

static bool in_range(const struct rib_number_range *range, uint32_t number)
{
    return range == NULL || (number >= range->least && number <= range->most);
}

static bool communities_match(const struct rib_policy_rule *rule,
                              const struct bgp_attributes *attributes)
{
    bool found = rule->community_count == 0;

    for (size_t i = 0; !found && i < rule->community_count; i++)
        found = rib_community_pattern_found(&rule->communities[i], attributes);
    for (size_t i = 0; found && i < rule->all_community_count; i++)
        found = rib_community_pattern_found(&rule->all_communities[i], attributes);
    return found;
}

static bool next_hop_matches(const struct rib_policy_rule *rule,
                             const struct bgp_attributes *attributes)
{
    for (size_t i = 0; i < rule->next_hop_count; i++)
        if (rule->next_hops[i].family == attributes->next_hop.family &&
            lpm_prefix_contains(&rule->next_hops[i], &attributes->next_hop))
            return true;
    return rule->next_hop_count == 0;
}

/* Cheap conditions before dear ones. A route without MED has MED 0 (RFC 4271 9.1.2.2 c). */
static bool attributes_match(const struct rib_compiled_rule *rule,
                             const struct bgp_attributes *attributes, unsigned source)
{
    const struct rib_policy_rule *words = &rule->words;

    return (words->sources == 0 || words->sources >> source & 1) &&
           (words->origins == 0 || words->origins >> attributes->origin & 1) &&
           in_range(words->as_path_length, attributes->as_path_length) &&
           in_range(words->med, attributes->med) &&
           in_range(words->local_pref, attributes->local_pref) &&
           next_hop_matches(words, attributes) && communities_match(words, attributes) &&
           (rule->as_path == NULL || rib_as_path_pattern_matches(rule->as_path, attributes));
}

/* The memory is of the route as it came; one that a rule above changed is looked at anew. */
static bool remembered_match(const struct rib_policy_scratch *scratch, uint32_t index,
                             const struct bgp_attributes *attributes)
{
    const struct rib_compiled_rule *rule = &scratch->policy->rules[index];
    enum known *known = &scratch->memory[index].known;

    if (attributes != scratch->attributes)
        return attributes_match(rule, attributes, scratch->source);
    if (*known == UNKNOWN)
        *known = attributes_match(rule, attributes, scratch->source) ? MATCHES : DIFFERS;
    return *known == MATCHES;
}

static bool matches(const struct rib_policy_scratch *scratch, uint32_t index,
                    const struct lpm_prefix *prefix, const struct bgp_attributes *attributes)
{
    const struct rib_compiled_rule *rule = &scratch->policy->rules[index];

    if (rule->words.summary.family != 0 && !lpm_prefix_covers(&rule->words.summary, prefix))
        return false;
    return remembered_match(scratch, index, attributes) &&
           (rule->prefixes == NULL || rib_prefix_list_matches(rule->prefixes, prefix));
}

/* --- Changes ---------------------------------------------------------------------------------- */

/* Interns what a set is that was made of the one that came, and of which rules said this. */
static int lead_back(const struct rib_policy_scratch *scratch,
                     struct bgp_attribute_builder *builder, struct bgp_attribute_table *table,
                     uint32_t weight, uint64_t mark, const struct bgp_attributes **made)
{
    bgp_builder_set_received(builder, bgp_attributes_received(scratch->attributes), weight, mark);
    return bgp_builder_intern(builder, table, made);
}

/* Interns what the rule makes of attributes. A set that is as it was received leads nowhere else, so
 * a change that changes nothing costs no second set. */
static int make_change(const struct rib_policy_scratch *scratch, uint32_t index,
                       struct bgp_attribute_builder *builder, struct bgp_attribute_table *table,
                       const struct bgp_attributes *attributes, const struct bgp_attributes **after)
{
    const struct rib_policy_rule *rule = &scratch->policy->rules[index].words;
    uint32_t weight = rule->set & RIB_SET_WEIGHT ? rule->weight : bgp_attributes_weight(attributes);
    const struct bgp_attributes *plain;
    int error;

    bgp_builder_load(builder, attributes);
    rib_policy_change(rule, scratch->family, builder);
    error = bgp_builder_intern(builder, table, &plain);
    if (error < 0)
        return error;
    *after = plain;
    if (!scratch->import || (plain == scratch->attributes && weight == 0))
        return 0;
    error = lead_back(scratch, builder, table, weight, 0, after);
    bgp_attributes_release(table, plain);
    return error;
}

/* The same of a rule that makes a summary: its changes are the summary's, the route has the mark. */
static int make_part(const struct rib_policy_scratch *scratch, uint32_t index,
                     struct bgp_attribute_builder *builder, struct bgp_attribute_table *table,
                     const struct bgp_attributes *attributes, const struct bgp_attributes **after)
{
    bgp_builder_load(builder, attributes);
    return lead_back(scratch, builder, table, bgp_attributes_weight(attributes),
                     rib_policy_mark(scratch->policy, index), after);
}

/* Replaces *attributes, a reference, by what the rule makes of it. */
static int change(const struct rib_policy_scratch *scratch, uint32_t index,
                  struct bgp_attribute_builder *builder, struct bgp_attribute_table *table,
                  const struct bgp_attributes **attributes)
{
    const struct rib_policy_rule *rule = &scratch->policy->rules[index].words;
    struct memory *memory = &scratch->memory[index];
    const struct bgp_attributes *after;

    if (memory->before != *attributes) {
        int error = rule->summary.family != 0
                        ? make_part(scratch, index, builder, table, *attributes, &after)
                        : make_change(scratch, index, builder, table, *attributes, &after);

        if (error < 0)
            return error;
        bgp_attributes_release(table, memory->before);
        bgp_attributes_release(table, memory->after);
        memory->before = bgp_attributes_hold(*attributes);
        memory->after = after;
    }
    bgp_attributes_release(table, *attributes);
    *attributes = bgp_attributes_hold(memory->after);
    return 0;
}

/* --- Evaluation ------------------------------------------------------------------------------- */

/* One rule that matches; true when it decides. */
static bool take_rule(const struct rib_policy_scratch *scratch, uint32_t index,
                      struct bgp_attribute_builder *builder, struct bgp_attribute_table *table,
                      struct rib_policy_outcome *outcome, int *error)
{
    const struct rib_compiled_rule *rule = &scratch->policy->rules[index];

    if (rule->words.summary.family != 0) {
        if (scratch->import)
            *error = change(scratch, index, builder, table, &outcome->attributes);
        outcome->accepted = *error == 0;
        outcome->contributes = *error == 0;
        outcome->suppressed = *error == 0 && !rule->words.keep_contributors;
        outcome->rule = index;
        return true;
    }
    if (rule->words.then != RIB_POLICY_REJECT && rule->changes) {
        *error = change(scratch, index, builder, table, &outcome->attributes);
        outcome->changed |= rule->words.set;
        if (rule->words.set & RIB_SET_NEXT_HOP && rule->words.next_hop.family != scratch->family)
            outcome->changed &= ~RIB_SET_NEXT_HOP;
    }
    outcome->accepted = *error == 0 && rule->words.then != RIB_POLICY_REJECT;
    if (*error == 0 && rule->words.then == RIB_POLICY_CONTINUE)
        return false;
    outcome->rule = index;
    return true;
}

int rib_policy_apply(const struct rib_policy *policy, struct rib_policy_scratch *scratch,
                     struct bgp_attribute_builder *builder, struct bgp_attribute_table *table,
                     const struct rib_policy_route *route, struct rib_policy_outcome *outcome)
{
    int error = turn_to(scratch, policy, table, route);

    *outcome = (struct rib_policy_outcome){.accepted = true, .rule = RIB_POLICY_NO_RULE};
    if (error < 0)
        return error;
    outcome->attributes = bgp_attributes_hold(route->attributes);
    for (uint32_t index = 0; index < policy->rule_count; index++)
        if (matches(scratch, index, route->prefix, outcome->attributes) &&
            take_rule(scratch, index, builder, table, outcome, &error))
            break;
    if (!outcome->accepted) {
        bgp_attributes_release(table, outcome->attributes);
        outcome->attributes = NULL;
    }
    return error == -EMSGSIZE ? 0 : error;
}
