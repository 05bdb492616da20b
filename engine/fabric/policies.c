/*
 * From the words of the file to what rib compiles. The loader has checked every text, so one that is
 * not understood here is a bug and not an error of the user's.
 */
#include "engine/fabric/policies.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/fabric/arena.h"

struct fabric_policies {
    uint32_t n;
    struct rib_policy *items[]; /* in the order of names */
};

/* Rules under translation; the arena holds what they point to until they are compiled. */
struct translation {
    struct fabric_arena arena;
    bool out_of_memory;
};

static void *allocate(struct translation *translation, size_t n, size_t size)
{
    void *items = fabric_arena_array(&translation->arena, n, size);

    if (!items)
        translation->out_of_memory = true;
    return items;
}

static const struct rib_prefix_range *ranges_of(struct translation *translation,
                                                const struct fabric_strings *texts)
{
    struct rib_prefix_range *ranges = allocate(translation, texts->n, sizeof(*ranges));
    char reason[RIB_PATTERN_ERROR];

    for (uint32_t i = 0; ranges && i < texts->n; i++) {
        int error = rib_prefix_range_parse(texts->items[i], &ranges[i], reason);

        assert(error == 0);
        (void)error;
    }
    return ranges;
}

static const struct rib_community_pattern *patterns_of(struct translation *translation,
                                                       const struct fabric_strings *texts)
{
    struct rib_community_pattern *patterns = allocate(translation, texts->n, sizeof(*patterns));
    char reason[RIB_PATTERN_ERROR];

    for (uint32_t i = 0; patterns && i < texts->n; i++) {
        int error = rib_community_pattern_parse(texts->items[i], &patterns[i], reason);

        assert(error == 0);
        (void)error;
    }
    return patterns;
}

static const struct bgp_community *communities_of(struct translation *translation,
                                                  const struct fabric_strings *texts)
{
    struct bgp_community *communities = allocate(translation, texts->n, sizeof(*communities));

    for (uint32_t i = 0; communities && i < texts->n; i++) {
        int error = bgp_community_parse(texts->items[i], &communities[i]);

        assert(error == 0);
        (void)error;
    }
    return communities;
}

/* NULL for no text. */
static const struct rib_number_range *range_of(struct translation *translation, const char *text)
{
    struct rib_number_range *range = text ? allocate(translation, 1, sizeof(*range)) : NULL;
    char reason[RIB_PATTERN_ERROR];

    if (range) {
        int error = rib_number_range_parse(text, range, reason);

        assert(error == 0);
        (void)error;
    }
    return range;
}

static unsigned bits_of(const struct fabric_numbers *numbers)
{
    unsigned bits = 0;

    for (uint32_t i = 0; i < numbers->n; i++)
        bits |= 1u << numbers->items[i];
    return bits;
}

static const struct rib_as_replacement *replacements_of(struct translation *translation,
                                                        const struct fabric_policy_rule *rule)
{
    struct rib_as_replacement *replacements =
        allocate(translation, rule->replace_as_count, sizeof(*replacements));

    for (uint32_t i = 0; replacements && i < rule->replace_as_count; i++)
        replacements[i] = (struct rib_as_replacement){.from = rule->replace_as[i].from,
                                                      .to = rule->replace_as[i].to};
    return replacements;
}

static void translate_match(struct translation *translation, const struct fabric_policy_rule *rule,
                            struct rib_policy_rule *words)
{
    words->prefixes = ranges_of(translation, &rule->match_prefixes);
    words->prefix_count = rule->match_prefixes.n;
    words->as_path = rule->match_as_path;
    words->communities = patterns_of(translation, &rule->match_communities);
    words->community_count = rule->match_communities.n;
    words->all_communities = patterns_of(translation, &rule->match_all_communities);
    words->all_community_count = rule->match_all_communities.n;
    words->next_hops = rule->match_next_hops.items;
    words->next_hop_count = rule->match_next_hops.n;
    words->sources = bits_of(&rule->match_sources);
    words->origins = bits_of(&rule->match_origins);
    words->as_path_length = range_of(translation, rule->match_as_path_length);
    words->med = range_of(translation, rule->match_med);
    words->local_pref = range_of(translation, rule->match_local_preference);
}

static unsigned set_bits(const struct fabric_policy_rule *rule)
{
    return (rule->local_preference.given ? RIB_SET_LOCAL_PREF : 0) |
           (rule->med.given ? RIB_SET_MED : 0) | (rule->origin.given ? RIB_SET_ORIGIN : 0) |
           (rule->weight.given ? RIB_SET_WEIGHT : 0) |
           (rule->set_next_hop.family ? RIB_SET_NEXT_HOP : 0) |
           (rule->replaces_communities ? RIB_SET_COMMUNITIES : 0) |
           (rule->replaces_as_path ? RIB_SET_AS_PATH : 0);
}

static void translate_set(struct translation *translation, const struct fabric_policy_rule *rule,
                          struct rib_policy_rule *words)
{
    words->set = set_bits(rule);
    words->local_pref_value = rule->local_preference.value;
    words->med_value = rule->med.value;
    words->weight = rule->weight.value;
    words->origin = (enum bgp_origin)rule->origin.value;
    words->next_hop = rule->set_next_hop;
    words->as_path_value = rule->as_path.items;
    words->as_path_value_count = rule->as_path.n;
    words->remove_as = rule->remove_as.items;
    words->remove_as_count = rule->remove_as.n;
    words->replace_as = replacements_of(translation, rule);
    words->replace_as_count = rule->replace_as_count;
    words->prepend = rule->prepend.items;
    words->prepend_count = rule->prepend.n;
    words->set_communities = communities_of(translation, &rule->communities);
    words->set_community_count = rule->communities.n;
    words->remove_communities = patterns_of(translation, &rule->remove_communities);
    words->remove_community_count = rule->remove_communities.n;
    words->add_communities = communities_of(translation, &rule->add_communities);
    words->add_community_count = rule->add_communities.n;
    words->summary = rule->summarise;
    words->keep_contributors = rule->keep_contributors;
}

static enum rib_policy_then then_of(const struct fabric_policy_rule *rule)
{
    switch (rule->then) {
    case FABRIC_RULE_REJECT:
        return RIB_POLICY_REJECT;
    case FABRIC_RULE_CONTINUE:
        return RIB_POLICY_CONTINUE;
    case FABRIC_RULE_ACCEPT:
        break;
    }
    return RIB_POLICY_ACCEPT;
}

static void translate_rule(struct translation *translation, const struct fabric_policy_rule *rule,
                           struct rib_policy_rule *words)
{
    words->file = rule->place.file;
    words->line = rule->place.line;
    words->then = then_of(rule);
    translate_match(translation, rule, words);
    translate_set(translation, rule, words);
}

/* policy may be NULL: only the first rules. */
static int compile(const char *name, const struct rib_policy_rule *first, size_t n,
                   const struct fabric_policy *policy, struct rib_policy **compiled)
{
    struct translation translation = {0};
    uint32_t own = policy ? policy->rule_count : 0;
    struct rib_policy_rule *words = allocate(&translation, n + own, sizeof(*words));
    int error = -ENOMEM;

    for (size_t i = 0; words && i < n; i++)
        words[i] = first[i];
    for (uint32_t i = 0; words && i < own; i++)
        translate_rule(&translation, &policy->rules[i], &words[n + i]);
    if (!translation.out_of_memory)
        error = rib_policy_create(name, words, n + own, compiled);
    fabric_arena_free(&translation.arena);
    return error;
}

int fabric_policy_compose(const char *name, const struct rib_policy_rule *first, size_t n,
                          const struct fabric *fabric, const char *policy,
                          struct rib_policy **composed)
{
    for (uint32_t i = 0; policy && i < fabric->policies_count; i++)
        if (strcmp(fabric->policies[i].name, policy) == 0)
            return compile(name, first, n, &fabric->policies[i], composed);
    return compile(name, first, n, NULL, composed);
}

int fabric_policies_create(const struct fabric *fabric, struct fabric_policies **policies)
{
    uint32_t n = fabric->policies_count;
    struct fabric_policies *made = calloc(1, sizeof(*made) + n * sizeof(made->items[0]));
    int error = made ? 0 : -ENOMEM;

    for (uint32_t i = 0; !error && i < n; i++) {
        error = compile(fabric->policies[i].name, NULL, 0, &fabric->policies[i], &made->items[i]);
        made->n += !error;
    }
    if (error) {
        fabric_policies_destroy(made);
        return error;
    }
    *policies = made;
    return 0;
}

void fabric_policies_destroy(struct fabric_policies *policies)
{
    for (uint32_t i = 0; policies && i < policies->n; i++)
        rib_policy_release(policies->items[i]);
    free(policies);
}

struct rib_policy *fabric_policy_named(const struct fabric_policies *policies, const char *name)
{
    uint32_t low = 0, high = policies->n;

    while (name && low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = strcmp(name, rib_policy_name(policies->items[middle]));

        if (order == 0)
            return policies->items[middle];
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}
