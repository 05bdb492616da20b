/*
 * What the files of policy share: automata, prefix lists, compiled rules. Inside engine/rib only.
 */
#ifndef ENGINE_RIB_POLICY_PRIVATE_H
#define ENGINE_RIB_POLICY_PRIVATE_H

#include "engine/rib/policy.h"

/* --- Automata of AS-path expressions ---------------------------------------------------------- */

/* The characters that the text of a path is made of: 10 digits, " ,{}()[]". */
#define RIB_SYMBOLS     18u
#define RIB_ALL_SYMBOLS ((1u << RIB_SYMBOLS) - 1)

enum rib_node_kind {
    NODE_EMPTY,  /* goes on to next, and to other, without reading */
    NODE_SYMBOL, /* reads one of symbols */
    NODE_BEGIN,  /* passes at the start of the text */
    NODE_END,    /* passes at its end */
    NODE_MATCH,
};
#define NODE_NONE UINT16_MAX

struct rib_node {
    uint8_t kind;
    uint32_t symbols;
    uint16_t next, other; /* or NODE_NONE */
};

/* An expression of RIB_AS_PATH_PATTERN_MAX characters makes less than 3,000 nodes. */
struct rib_nfa {
    struct rib_node *nodes;
    unsigned n, capacity;
    uint16_t first;
};
/* -EINVAL with error, -ENOMEM; nothing is to be freed then. */
int rib_nfa_parse(const char *text, struct rib_nfa *nfa, char error[RIB_PATTERN_ERROR]);
void rib_nfa_free(struct rib_nfa *nfa);

/* --- Prefix lists ----------------------------------------------------------------------------- */

struct rib_prefix_list;

/* Of n > 0 ranges, copied. NULL: no memory. */
struct rib_prefix_list *rib_prefix_list_create(const struct rib_prefix_range *ranges, size_t n);
void rib_prefix_list_destroy(struct rib_prefix_list *list); /* NULL is allowed */
/* Is prefix in one of the ranges? O(log n + 128). */
bool rib_prefix_list_matches(const struct rib_prefix_list *list, const struct lpm_prefix *prefix);

/* --- Communities ------------------------------------------------------------------------------ */

bool rib_community_pattern_found(const struct rib_community_pattern *pattern,
                                 const struct bgp_attributes *attributes);

/* --- Compiled rules --------------------------------------------------------------------------- */

/* The copy of the words, whose arrays belong to the policy, and what was made of them. */
struct rib_compiled_rule {
    struct rib_policy_rule words;
    struct rib_prefix_list *prefixes;    /* NULL: any */
    struct rib_as_path_pattern *as_path; /* NULL: any */
    bool changes;                        /* there is something to set */
};

struct rib_policy {
    uint32_t references;
    uint32_t rule_count;
    unsigned summaries; /* rules that make one */
    char *name;
    struct rib_compiled_rule rules[];
};

#endif
