/*
 * Policy: ordered rules that accept, change or reject a route on its way in or out.
 *
 *   struct rib_policy_rule[] ──rib_policy_create()──> struct rib_policy (compiled, immutable, counted)
 *                                                         │ rib_policy_apply() per route
 *   prefix, attributes, source ───────────────────────────┴──> outcome: verdict, rule, attributes
 *
 * The first rule that matches decides, unless it says continue: then its changes are made and the
 * rules below it see the changed route. A route that no rule decides about is accepted, with what
 * was changed by then. A rule matches when each of its conditions holds; a condition that is a list
 * holds when one of the list does, but for all_communities.
 *
 * Pure; one thread. No route costs more than the number of rules, times the logarithm of a prefix
 * list, plus the length of its attributes: AS-path expressions are compiled to automata that read the
 * path once.
 */
#ifndef ENGINE_RIB_POLICY_H
#define ENGINE_RIB_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/bgp/attributes.h"
#include "lpm/lpm.h"

/* --- Parts of a rule -------------------------------------------------------------------------- */

/* What is wrong with a text, and what would be right. */
#define RIB_PATTERN_ERROR 160

/* Prefixes inside `prefix` whose length is from least to most. */
struct rib_prefix_range {
    struct lpm_prefix prefix;
    uint8_t least, most;
};
/* "10.0.0.0/8" (this very prefix), "… ge 16", "… le 24", "… ge 16 le 24". -EINVAL with error. */
int rib_prefix_range_parse(const char *text, struct rib_prefix_range *range,
                           char error[RIB_PATTERN_ERROR]);

struct rib_number_range {
    uint32_t least, most;
};
/* "5", "ge 2", "le 5", "ge 2 le 5". -EINVAL with error. */
int rib_number_range_parse(const char *text, struct rib_number_range *range,
                           char error[RIB_PATTERN_ERROR]);

/* Communities of one kind: those that equal value where mask has bits. An extended pattern with a
 * free administrator part stands for two encodings (2-octet AS; 4-octet AS). */
struct rib_community_pattern {
    enum bgp_community_kind kind;
    unsigned n;
    struct {
        uint32_t value[3], mask[3]; /* 1, 2 or 3 words by kind */
    } forms[2];
};
/* Whatever bgp_community_parse() takes, and "*" in place of a number: "65001:*", "*:100", "rt:*:7",
 * "65001:*:*". -EINVAL with error. */
int rib_community_pattern_parse(const char *text, struct rib_community_pattern *pattern,
                                char error[RIB_PATTERN_ERROR]);
bool rib_community_pattern_matches(const struct rib_community_pattern *pattern,
                                   const struct bgp_community *community);

/*
 * An expression over the text of an AS_PATH: numbers with a space between, the neighbour first, sets
 * as "{1,2}". As in POSIX and in routers' command lines:
 *
 *   0-9 space , digits and what separates them    .      any character
 *   [..] [^..]  one of (not one of), with ranges  ( ) |  groups, alternatives
 *   * + ?       repeats of what stands before     ^ $    start and end of the path
 *   _           a border of a number: start, end, space, comma, bracket
 *   \           makes one of ( ) [ ] { } a character
 *
 * It matches when it is found anywhere in the text. Time to match: the length of the text.
 */
#define RIB_AS_PATH_PATTERN_MAX 256u /* characters */
struct rib_as_path_pattern;
/* -EINVAL with error (syntax; or an automaton beyond the bound, see policy_automaton.c), -ENOMEM. */
int rib_as_path_pattern_create(const char *text, struct rib_as_path_pattern **pattern,
                               char error[RIB_PATTERN_ERROR]);
void rib_as_path_pattern_destroy(struct rib_as_path_pattern *pattern); /* NULL is allowed */
bool rib_as_path_pattern_matches(const struct rib_as_path_pattern *pattern,
                                 const struct bgp_attributes *attributes);

/* --- Rules ------------------------------------------------------------------------------------ */

enum rib_policy_then { RIB_POLICY_ACCEPT, RIB_POLICY_REJECT, RIB_POLICY_CONTINUE };

/* Bits of rib_policy_rule.set: which of the single values are given. */
#define RIB_SET_LOCAL_PREF  0x01u
#define RIB_SET_MED         0x02u
#define RIB_SET_ORIGIN      0x04u
#define RIB_SET_NEXT_HOP    0x08u
#define RIB_SET_WEIGHT      0x10u
#define RIB_SET_COMMUNITIES 0x20u /* replaces all of every kind, perhaps by none */
#define RIB_SET_AS_PATH     0x40u /* replaces the path, perhaps by an empty one */

/* Every AS number set aside for private use (RFC 6996), in remove_as. */
#define RIB_PRIVATE_AS 0u

struct rib_as_replacement {
    uint32_t from, to;
};

/* One rule in plain words. Arrays and texts are the caller's; all zero matches every route and
 * accepts it. */
struct rib_policy_rule {
    const char *file; /* where it was written, for explanations; may be NULL */
    unsigned line;

    /* Conditions. An empty list, NULL, or 0 in a set of bits: any. */
    const struct rib_prefix_range *prefixes;
    size_t prefix_count;
    const char *as_path;
    const struct rib_community_pattern *communities; /* one of them is there */
    size_t community_count;
    const struct rib_community_pattern *all_communities; /* each of them is there */
    size_t all_community_count;
    const struct lpm_prefix *next_hops; /* the next hop is in one of them */
    size_t next_hop_count;
    unsigned sources; /* bits 1 << enum rib_source */
    unsigned origins; /* bits 1 << enum bgp_origin */
    const struct rib_number_range *as_path_length, *med, *local_pref;

    /* Changes. A path is first replaced, then numbers in it are removed, then replaced, then
     * prepended to; of communities all are replaced first, then some removed, then some added. A next
     * hop is set for prefixes of its own family only. */
    unsigned set; /* RIB_SET_... */
    uint32_t local_pref_value, med_value, weight;
    enum bgp_origin origin;
    struct lpm_address next_hop;
    const uint32_t *as_path_value;
    size_t as_path_value_count;
    const uint32_t *remove_as; /* RIB_PRIVATE_AS among them: all private ones */
    size_t remove_as_count;
    const struct rib_as_replacement *replace_as;
    size_t replace_as_count;
    const uint32_t *prepend; /* the first ends up foremost */
    size_t prepend_count;
    const struct bgp_community *set_communities;
    size_t set_community_count;
    const struct rib_community_pattern *remove_communities;
    size_t remove_community_count;
    const struct bgp_community *add_communities;
    size_t add_community_count;

    /* A route inside this prefix becomes part of one route to it (aggregate.h), which is what the changes
     * above are made to; a route that is not inside does not match. Family 0: nothing of the kind. Such a
     * rule decides, and then is RIB_POLICY_ACCEPT. */
    struct lpm_prefix summary;
    bool
        keep_contributors; /* they are accepted as well, as they are; else the summary stands for them */

    enum rib_policy_then then;
};

struct rib_policy;

/* Compiles; everything is copied. The reference is the caller's. -EINVAL for an AS-path expression
 * that rib_as_path_pattern_create() does not take, -ENOMEM. */
int rib_policy_create(const char *name, const struct rib_policy_rule *rules, size_t n,
                      struct rib_policy **policy);
struct rib_policy *rib_policy_hold(struct rib_policy *policy); /* NULL is allowed */
void rib_policy_release(struct rib_policy *policy);            /* NULL is allowed */
const char *rib_policy_name(const struct rib_policy *policy);

/* Makes the changes of a rule to a route of this family in builder (policy_change.c). */
void rib_policy_change(const struct rib_policy_rule *rule, uint8_t family,
                       struct bgp_attribute_builder *builder);

/* --- Evaluation ------------------------------------------------------------------------------- */

#define RIB_POLICY_NO_RULE UINT32_MAX

struct rib_policy_outcome {
    bool accepted;
    bool contributes; /* accepted: rule makes a summary, and the route is part of it */
    bool suppressed;  /* nothing else becomes of it */
    uint32_t rule;    /* index of the rule that decided; RIB_POLICY_NO_RULE: none did */
    unsigned changed; /* RIB_SET_... of the single values that rules gave on the way */
    const struct bgp_attributes
        *attributes; /* accepted: a reference of the caller's own; or NULL */
};

/* Scratch of evaluation: remembers what the rules say of one set of attributes, so that the second
 * prefix of an UPDATE costs its prefix lists alone. */
struct rib_policy_scratch;
struct rib_policy_scratch *rib_policy_scratch_create(void); /* NULL with errno */
void rib_policy_scratch_destroy(struct rib_policy_scratch *scratch,
                                struct bgp_attribute_table *table);
/* Drops the references that are held for the next route. Call it before the speaker rests. */
void rib_policy_scratch_clear(struct rib_policy_scratch *scratch,
                              struct bgp_attribute_table *table);

struct rib_policy_route {
    const struct lpm_prefix *prefix;
    const struct bgp_attributes *attributes; /* a set of table */
    unsigned source;                         /* enum rib_source */
    bool import; /* changed sets lead back to attributes (bgp_attributes_received()) and may have a
                    weight */
};
/* 0 or -ENOMEM. A route whose changed attributes would fit in no message is not accepted. */
int rib_policy_apply(const struct rib_policy *policy, struct rib_policy_scratch *scratch,
                     struct bgp_attribute_builder *builder, struct bgp_attribute_table *table,
                     const struct rib_policy_route *route, struct rib_policy_outcome *outcome);

/* How many rules make summaries, and what each of them says. */
unsigned rib_policy_summaries(const struct rib_policy *policy); /* NULL is allowed */
const struct rib_policy_rule *rib_policy_rule(const struct rib_policy *policy, uint32_t rule);
/* What bgp_attributes_mark() is, on import, of a route that is part of the summary of this rule; no other
 * rule has it while the policy lives. 0 for a rule that makes none. */
uint64_t rib_policy_mark(const struct rib_policy *policy, uint32_t rule);

/* Where a rule was written. */
struct rib_policy_place {
    const char *policy; /* name */
    uint32_t rule;      /* from 1; 0: no rule matched */
    const char *file;   /* or NULL */
    unsigned line;      /* 0: not known */
};
struct rib_policy_place rib_policy_place(const struct rib_policy *policy, uint32_t rule);

#endif
