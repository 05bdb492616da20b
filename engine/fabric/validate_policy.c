/*
 * Policies: a next hop that no packet can reach is an error, and so is what a summary cannot be; a rule that no route reaches and a policy
 * that nobody names are legal and rarely meant.
 */
#include "engine/fabric/validate.h"

#include <stdio.h>
#include <string.h>

#define OBJECT_TEXT 200

static void check_next_hop(struct fabric_loader *loader, const struct fabric_policy_rule *rule,
                           const char *name)
{
    char what[OBJECT_TEXT + 16];

    if (rule->set_next_hop.family == 0)
        return;
    snprintf(what, sizeof(what), "%s.set.next_hop", name);
    fabric_check_routable(loader, fabric_place_of(loader, &rule->set_next_hop, &rule->place), what,
                          &rule->set_next_hop);
}

/* What becomes of a route that is part of a summary is said by keep_contributors, not by the rules below. */
static void check_summary(struct fabric_loader *loader, const struct fabric_policy_rule *rule,
                          const char *name)
{
    if (rule->summarise.family == 0 && rule->keep_contributors)
        FABRIC_ERROR(loader, fabric_place_of(loader, &rule->keep_contributors, &rule->place),
                     "%s.set.keep_contributors: there is no 'summarise' beside it", name);
    if (rule->summarise.family != 0 && rule->then != FABRIC_RULE_ACCEPT)
        FABRIC_ERROR(loader, fabric_place_of(loader, &rule->then, &rule->place),
                     "%s.then: a rule that summarises accepts; to let its routes through as well, "
                     "set keep_contributors: true",
                     name);
    if (rule->summarise.family != 0 && rule->set_next_hop.family != 0 &&
        rule->set_next_hop.family != rule->summarise.family)
        FABRIC_ERROR(loader, fabric_place_of(loader, &rule->set_next_hop, &rule->place),
                     "%s.set.next_hop: is not of the address family of 'summarise'", name);
}

void fabric_validate_policies(struct fabric_loader *loader)
{
    const struct fabric *fabric = loader->fabric;

    for (uint32_t i = 0; i < fabric->policies_count; i++)
        for (uint32_t j = 0; j < fabric->policies[i].rule_count; j++) {
            const struct fabric_policy_rule *rule = &fabric->policies[i].rules[j];
            char name[OBJECT_TEXT];

            snprintf(name, sizeof(name), "policies[%s].rules[%u]", fabric->policies[i].name, j);
            check_next_hop(loader, rule, name);
            check_summary(loader, rule, name);
        }
}

/* No route gets past it. */
static bool decides_all(const struct fabric_policy_rule *rule)
{
    return rule->then != FABRIC_RULE_CONTINUE && rule->summarise.family == 0 &&
           rule->match_prefixes.n == 0 && rule->match_communities.n == 0 &&
           rule->match_all_communities.n == 0 && rule->match_next_hops.n == 0 &&
           rule->match_sources.n == 0 && rule->match_origins.n == 0 && !rule->match_as_path &&
           !rule->match_as_path_length && !rule->match_med && !rule->match_local_preference;
}

static void check_order(struct fabric_loader *loader, const struct fabric_policy *policy)
{
    char object[OBJECT_TEXT];

    for (uint32_t i = 0; i + 1 < policy->rule_count; i++) {
        if (!decides_all(&policy->rules[i]))
            continue;
        snprintf(object, sizeof(object), "policies[%s].rules[%u]", policy->name, i + 1);
        FABRIC_WARNING(loader, FABRIC_LINT_POLICY_ORDER, object,
                       "Put the rule without match last, or let it continue.",
                       &policy->rules[i + 1].place,
                       "%s: no route comes here: the rule above (%s:%u) matches every route and "
                       "decides",
                       object, policy->rules[i].place.file, policy->rules[i].place.line);
        return;
    }
}

static bool names(const char *import, const char *export, const char *policy)
{
    return (import && strcmp(import, policy) == 0) || (export && strcmp(export, policy) == 0);
}

static bool neighbors_name(const struct fabric_neighbor *neighbors, uint32_t n, const char *policy)
{
    for (uint32_t i = 0; i < n; i++)
        if (names(neighbors[i].import_policy, neighbors[i].export_policy, policy))
            return true;
    return false;
}

static bool is_named(const struct fabric *fabric, const char *policy)
{
    for (uint32_t i = 0; i < fabric->route_servers_count; i++) {
        const struct fabric_route_server *server = &fabric->route_servers[i];

        for (uint32_t j = 0; j < server->peer_count; j++)
            if (names(server->peers[j].import_policy, server->peers[j].export_policy, policy))
                return true;
    }
    for (uint32_t i = 0; i < fabric->routers_count; i++)
        if (neighbors_name(fabric->routers[i].neighbors, fabric->routers[i].neighbor_count, policy))
            return true;
    for (uint32_t i = 0; i < fabric->gateways_count; i++)
        if (names(fabric->gateways[i].import_policy, fabric->gateways[i].export_policy, policy) ||
            neighbors_name(fabric->gateways[i].neighbors, fabric->gateways[i].neighbor_count,
                           policy))
            return true;
    return false;
}

void fabric_validate_policy_use(struct fabric_loader *loader)
{
    const struct fabric *fabric = loader->fabric;

    for (uint32_t i = 0; i < fabric->policies_count; i++) {
        const struct fabric_policy *policy = &fabric->policies[i];
        char object[OBJECT_TEXT];

        check_order(loader, policy);
        if (is_named(fabric, policy->name))
            continue;
        snprintf(object, sizeof(object), "policies[%s]", policy->name);
        FABRIC_WARNING(loader, FABRIC_LINT_POLICY_UNUSED, object,
                       "Name it in import or export of a peer, or take it out.", &policy->place,
                       "%s: no peer and no neighbor has this policy", object);
    }
}
