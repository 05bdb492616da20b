/*
 * Tables of keys: policies, their rules, what these match and set.
 */
#include "engine/fabric/schema.h"

static const struct fabric_key match_keys[] = {
    {.name = "prefixes",
     .type = FABRIC_TYPE_PREFIX_RANGE,
     FABRIC_ITEMS(fabric_policy_rule, match_prefixes.items, match_prefixes.n),
     .otherwise = "any"},
    {.name = "as_path",
     .type = FABRIC_TYPE_AS_PATH,
     FABRIC_FIELD(fabric_policy_rule, match_as_path),
     .otherwise = "any"},
    {.name = "communities",
     .type = FABRIC_TYPE_COMMUNITY,
     FABRIC_ITEMS(fabric_policy_rule, match_communities.items, match_communities.n),
     .otherwise = "any"},
};
static const struct fabric_schema match_schema = {
    .title = "policies.rules.match", .word = "match", FABRIC_KEYS(match_keys)};

static const struct fabric_key set_keys[] = {
    {.name = "add_communities",
     .type = FABRIC_TYPE_COMMUNITY,
     FABRIC_ITEMS(fabric_policy_rule, add_communities.items, add_communities.n),
     .otherwise = "none"},
    {.name = "remove_communities",
     .type = FABRIC_TYPE_COMMUNITY,
     FABRIC_ITEMS(fabric_policy_rule, remove_communities.items, remove_communities.n),
     .otherwise = "none"},
    {.name = "prepend",
     .type = FABRIC_TYPE_NUMBER,
     .least = 1,
     .most = UINT32_MAX,
     FABRIC_ITEMS(fabric_policy_rule, prepend, prepend_count),
     .otherwise = "none"},
    {.name = "next_hop",
     .type = FABRIC_TYPE_ADDRESS,
     FABRIC_FIELD(fabric_policy_rule, set_next_hop),
     .otherwise = "untouched"},
};
static const struct fabric_schema set_schema = {
    .title = "policies.rules.set", .word = "change", FABRIC_KEYS(set_keys)};

static const struct fabric_word verdicts[] = {
    {"accept", FABRIC_RULE_ACCEPT},
    {"reject", FABRIC_RULE_REJECT},
    {"continue", FABRIC_RULE_CONTINUE},
    {NULL, 0},
};
static const struct fabric_key rule_keys[] = {
    {.name = "match", .type = FABRIC_TYPE_OBJECT, .object = &match_schema},
    {.name = "set", .type = FABRIC_TYPE_OBJECT, .object = &set_schema},
    {.name = "then",
     .type = FABRIC_TYPE_WORD,
     .words = verdicts,
     FABRIC_FIELD(fabric_policy_rule, then),
     .fallback = "accept"},
};
static const struct fabric_schema rule_schema = {.title = "policies.rules",
                                                 .word = "rule",
                                                 FABRIC_KEYS(rule_keys),
                                                 FABRIC_OF(fabric_policy_rule)};

static const struct fabric_key policy_keys[] = {
    {.name = "name", .type = FABRIC_TYPE_NAME, .required = true, FABRIC_FIELD(fabric_policy, name)},
    {.name = "rules",
     .type = FABRIC_TYPE_OBJECTS,
     .object = &rule_schema,
     FABRIC_ITEMS(fabric_policy, rules, rule_count),
     .otherwise = "none: everything is permitted"},
};
const struct fabric_schema fabric_schema_policy = {.title = "policies",
                                                   .word = "policy",
                                                   FABRIC_KEYS(policy_keys),
                                                   FABRIC_OF(fabric_policy),
                                                   .named = true};
