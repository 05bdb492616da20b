/*
 * Tables of keys: policies, their rules, what these match and set.
 */
#include "engine/bgp/attributes.h"
#include "engine/fabric/schema.h"
#include "engine/rib/policy.h"
#include "engine/rib/speaker.h"

#define RULE_FIELD(field)  FABRIC_FIELD(fabric_policy_rule, field)
#define RULE_ITEMS(values) FABRIC_ITEMS(fabric_policy_rule, values.items, values.n)

/* --- match ------------------------------------------------------------------------------------ */

static const struct fabric_word sources[] = {
    {"NVA", RIB_SOURCE_NVA},
    {"ExpressRoute", RIB_SOURCE_EXPRESS_ROUTE},
    {"VpnGateway", RIB_SOURCE_VPN},
    {"Local", RIB_SOURCE_LOCAL},
    {NULL, 0},
};
static const struct fabric_word origins[] = {
    {"IGP", BGP_ORIGIN_IGP},
    {"EGP", BGP_ORIGIN_EGP},
    {"Incomplete", BGP_ORIGIN_INCOMPLETE},
    {NULL, 0},
};

/* An address is a prefix of one. */
static bool read_next_hop(const char *text, struct lpm_prefix *prefix)
{
    struct lpm_address address;

    if (lpm_address_parse(text, &address) < 0)
        return lpm_prefix_parse(text, prefix) == 0;
    *prefix = lpm_address_prefix(&address);
    return true;
}

static bool read_next_hops(struct fabric_loader *loader, const struct fabric_key *key,
                           const struct fabric_node *node, void *object,
                           const struct fabric_path *path)
{
    struct fabric_prefixes *prefixes =
        (struct fabric_prefixes *)(void *)((char *)object + key->offset);
    bool good = true;

    if (fabric_node_is_empty(node))
        return true;
    if (node->kind != FABRIC_NODE_SEQUENCE)
        return fabric_expected(loader, node, path, "a list");
    prefixes->items = fabric_loader_array(loader, node->n, sizeof(*prefixes->items));
    if (!prefixes->items)
        return false;
    prefixes->n = node->n;
    for (uint32_t i = 0; i < node->n; i++)
        if (node->items[i]->kind != FABRIC_NODE_SCALAR ||
            !read_next_hop(node->items[i]->text, &prefixes->items[i]))
            good = fabric_expected(loader, node->items[i], path,
                                   "an address or prefix like 10.0.1.4 or 10.0.1.0/24");
    return good;
}

static const struct fabric_key match_keys[] = {
    {.name = "prefixes",
     .type = FABRIC_TYPE_PREFIX_RANGE,
     RULE_ITEMS(match_prefixes),
     .otherwise = "any"},
    {.name = "as_path", .type = FABRIC_TYPE_AS_PATH, RULE_FIELD(match_as_path), .otherwise = "any"},
    {.name = "as_path_length",
     .type = FABRIC_TYPE_NUMBER_RANGE,
     RULE_FIELD(match_as_path_length),
     .otherwise = "any"},
    {.name = "communities",
     .type = FABRIC_TYPE_COMMUNITY_PATTERN,
     RULE_ITEMS(match_communities),
     .otherwise = "any"},
    {.name = "all_communities",
     .type = FABRIC_TYPE_COMMUNITY_PATTERN,
     RULE_ITEMS(match_all_communities),
     .otherwise = "any"},
    {.name = "next_hops",
     .type = FABRIC_TYPE_HANDLED,
     .handler = read_next_hops,
     .shape = "list: address or prefix",
     RULE_FIELD(match_next_hops),
     .otherwise = "any"},
    {.name = "sources",
     .type = FABRIC_TYPE_WORD,
     .words = sources,
     RULE_ITEMS(match_sources),
     .otherwise = "any"},
    {.name = "origins",
     .type = FABRIC_TYPE_WORD,
     .words = origins,
     RULE_ITEMS(match_origins),
     .otherwise = "any"},
    {.name = "med", .type = FABRIC_TYPE_NUMBER_RANGE, RULE_FIELD(match_med), .otherwise = "any"},
    {.name = "local_preference",
     .type = FABRIC_TYPE_NUMBER_RANGE,
     RULE_FIELD(match_local_preference),
     .otherwise = "any"},
};
static const struct fabric_schema match_schema = {
    .title = "policies.rules.match", .word = "match", FABRIC_KEYS(match_keys)};

/* --- set -------------------------------------------------------------------------------------- */

/* 0 is a value like others here, so what is given is noted apart. */
static bool read_given(struct fabric_loader *loader, const struct fabric_key *key,
                       const struct fabric_node *node, void *object, const struct fabric_path *path)
{
    struct fabric_given *given = (struct fabric_given *)(void *)((char *)object + key->offset);
    const struct fabric_key number = {.name = key->name,
                                      .type = key->words ? FABRIC_TYPE_WORD : FABRIC_TYPE_NUMBER,
                                      .words = key->words,
                                      .most = UINT32_MAX,
                                      .size = sizeof(given->value)};

    given->given = fabric_read_scalar(loader, &number, node, &given->value, path);
    return given->given;
}

/* Lists whose presence means something even when they are empty. */
static bool read_as_path(struct fabric_loader *loader, const struct fabric_key *key,
                         const struct fabric_node *node, void *object,
                         const struct fabric_path *path)
{
    static const struct fabric_key list = {.name = "as_path",
                                           .type = FABRIC_TYPE_NUMBER,
                                           .least = 1,
                                           .most = UINT32_MAX,
                                           RULE_ITEMS(as_path)};
    struct fabric_policy_rule *rule = object;

    (void)key;
    rule->replaces_as_path = true;
    return fabric_read_list(loader, &list, node, object, path);
}

static bool read_communities(struct fabric_loader *loader, const struct fabric_key *key,
                             const struct fabric_node *node, void *object,
                             const struct fabric_path *path)
{
    static const struct fabric_key list = {
        .name = "communities", .type = FABRIC_TYPE_COMMUNITY, RULE_ITEMS(communities)};
    struct fabric_policy_rule *rule = object;

    (void)key;
    rule->replaces_communities = true;
    return fabric_read_list(loader, &list, node, object, path);
}

static const struct fabric_word private_as[] = {{"private", RIB_PRIVATE_AS}, {NULL, 0}};

static const struct fabric_key replace_keys[] = {
    {.name = "from",
     .type = FABRIC_TYPE_NUMBER,
     .required = true,
     .least = 1,
     .most = UINT32_MAX,
     FABRIC_FIELD(fabric_as_replacement, from)},
    {.name = "to",
     .type = FABRIC_TYPE_NUMBER,
     .required = true,
     .least = 1,
     .most = UINT32_MAX,
     FABRIC_FIELD(fabric_as_replacement, to)},
};
static const struct fabric_schema replace_schema = {.title = "policies.rules.set.replace_as",
                                                    .word = "replacement",
                                                    FABRIC_KEYS(replace_keys),
                                                    .size = sizeof(struct fabric_as_replacement)};

#define GIVEN(key, field, ...)                                                                     \
    {                                                                                              \
        .name = key, .type = FABRIC_TYPE_HANDLED, .handler = read_given, RULE_FIELD(field),        \
        .otherwise = "untouched", __VA_ARGS__                                                      \
    }

static const struct fabric_key set_keys[] = {
    GIVEN("local_preference", local_preference, .shape = "number 0-4294967295"),
    GIVEN("med", med, .shape = "number 0-4294967295"),
    GIVEN("weight", weight, .shape = "number 0-4294967295"),
    GIVEN("origin", origin, .shape = "one of", .words = origins),
    {.name = "next_hop",
     .type = FABRIC_TYPE_ADDRESS,
     RULE_FIELD(set_next_hop),
     .otherwise = "untouched"},
    {.name = "as_path",
     .type = FABRIC_TYPE_HANDLED,
     .handler = read_as_path,
     .shape = "list: number 1-4294967295",
     .otherwise = "untouched"},
    {.name = "remove_as",
     .type = FABRIC_TYPE_NUMBER,
     .words = private_as,
     .least = 1,
     .most = UINT32_MAX,
     RULE_ITEMS(remove_as),
     .otherwise = "none"},
    {.name = "replace_as",
     .type = FABRIC_TYPE_OBJECTS,
     .object = &replace_schema,
     FABRIC_ITEMS(fabric_policy_rule, replace_as, replace_as_count),
     .otherwise = "none"},
    {.name = "prepend",
     .type = FABRIC_TYPE_NUMBER,
     .least = 1,
     .most = UINT32_MAX,
     RULE_ITEMS(prepend),
     .otherwise = "none"},
    {.name = "communities",
     .type = FABRIC_TYPE_HANDLED,
     .handler = read_communities,
     .shape = "list: community",
     .otherwise = "untouched"},
    {.name = "remove_communities",
     .type = FABRIC_TYPE_COMMUNITY_PATTERN,
     RULE_ITEMS(remove_communities),
     .otherwise = "none"},
    {.name = "add_communities",
     .type = FABRIC_TYPE_COMMUNITY,
     RULE_ITEMS(add_communities),
     .otherwise = "none"},
    {.name = "summarise",
     .type = FABRIC_TYPE_PREFIX,
     RULE_FIELD(summarise),
     .otherwise = "no summary"},
    {.name = "keep_contributors",
     .type = FABRIC_TYPE_BOOLEAN,
     RULE_FIELD(keep_contributors),
     .fallback = "false"},
};
static const struct fabric_schema set_schema = {
    .title = "policies.rules.set", .word = "change", FABRIC_KEYS(set_keys)};

/* --- rules ------------------------------------------------------------------------------------ */

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
     RULE_FIELD(then),
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
