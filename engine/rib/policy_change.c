/*
 * The changes of a rule, made in a builder that holds the route's attributes.
 */
#include "engine/rib/policy_private.h"

static void change_path(const struct rib_policy_rule *rule, struct bgp_attribute_builder *builder)
{
    if (rule->set & RIB_SET_AS_PATH)
        bgp_builder_set_as_path(builder, rule->as_path_value, rule->as_path_value_count);
    for (size_t i = 0; i < rule->remove_as_count; i++) {
        if (rule->remove_as[i] == RIB_PRIVATE_AS)
            bgp_builder_remove_private_as(builder);
        else
            bgp_builder_remove_as(builder, rule->remove_as[i]);
    }
    for (size_t i = 0; i < rule->replace_as_count; i++)
        bgp_builder_replace_as(builder, rule->replace_as[i].from, rule->replace_as[i].to);
    /* The last of the list first: the first ends up foremost. */
    for (size_t i = rule->prepend_count; i > 0; i--)
        bgp_builder_prepend(builder, rule->prepend[i - 1], 1);
}

static bool is_named(const void *context, const struct bgp_community *community)
{
    return rib_community_pattern_matches(context, community);
}

static void change_communities(const struct rib_policy_rule *rule,
                               struct bgp_attribute_builder *builder)
{
    if (rule->set & RIB_SET_COMMUNITIES) {
        bgp_builder_clear_communities(builder, BGP_COMMUNITY);
        bgp_builder_clear_communities(builder, BGP_EXTENDED_COMMUNITY);
        bgp_builder_clear_communities(builder, BGP_LARGE_COMMUNITY);
        for (size_t i = 0; i < rule->set_community_count; i++)
            bgp_builder_add_community(builder, &rule->set_communities[i]);
    }
    for (size_t i = 0; i < rule->remove_community_count; i++)
        bgp_builder_drop_communities(builder, rule->remove_communities[i].kind, is_named,
                                     &rule->remove_communities[i]);
    for (size_t i = 0; i < rule->add_community_count; i++)
        bgp_builder_add_community(builder, &rule->add_communities[i]);
}

void rib_policy_change(const struct rib_policy_rule *rule, uint8_t family,
                       struct bgp_attribute_builder *builder)
{
    if (rule->set & RIB_SET_ORIGIN)
        bgp_builder_set_origin(builder, rule->origin);
    if (rule->set & RIB_SET_MED)
        bgp_builder_set_med(builder, rule->med_value);
    if (rule->set & RIB_SET_LOCAL_PREF)
        bgp_builder_set_local_pref(builder, rule->local_pref_value);
    if (rule->set & RIB_SET_NEXT_HOP && rule->next_hop.family == family)
        bgp_builder_set_next_hop(builder, &rule->next_hop);
    change_path(rule, builder);
    change_communities(rule, builder);
}
