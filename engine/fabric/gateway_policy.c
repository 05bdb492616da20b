/*
 * What of the rules about gateways goes by prefix, as rules of a policy that stand before the user's own:
 *
 *   route server to gateway      none of its own prefixes: the gateway has them; no point-to-site pool to
 *                                ExpressRoute
 *   gateway to route server      not the address space that it tells its branches
 *   VPN gateway and a branch     nothing equal to or inside its VNet, either way; no default route out
 *
 * but for what its default_route and point_to_site_transit let through.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/fabric/effective.h"
#include "engine/fabric/gateway.h"
#include "engine/fabric/policies.h"

#define RULES_MAX 2u

/* Rules under construction. Ranges are the list's own. */
struct rule_list {
    const struct fabric_gateway *gateway;
    struct rib_policy_rule rules[RULES_MAX];
    struct rib_prefix_range *ranges[RULES_MAX];
    size_t n;
    int error;
};

/* Rejects routes of these sources to these prefixes; or_inside: or to any within. No prefix: any. */
static void add_reject(struct rule_list *list, unsigned sources, const struct lpm_prefix *prefixes,
                       size_t n, bool or_inside)
{
    struct rib_prefix_range *ranges = calloc(n + 1, sizeof(*ranges));

    if (!ranges) {
        list->error = -ENOMEM;
        return;
    }
    for (size_t i = 0; i < n; i++)
        ranges[i] = (struct rib_prefix_range){
            .prefix = prefixes[i],
            .least = prefixes[i].length,
            .most = or_inside ? (prefixes[i].family == LPM_IPV4 ? 32 : 128) : prefixes[i].length,
        };
    list->ranges[list->n] = ranges;
    list->rules[list->n++] = (struct rib_policy_rule){
        .file = list->gateway->place.file,
        .line = list->gateway->place.line,
        .prefixes = ranges,
        .prefix_count = n,
        .sources = sources,
        .then = RIB_POLICY_REJECT,
    };
}

/* Compiles and ends the list; no policy where there is nothing to say. */
static int finish(struct rule_list *list, const struct fabric *user, const char *name,
                  struct rib_policy **policy)
{
    int error = list->error;

    *policy = NULL;
    if (!error && (list->n > 0 || name))
        error =
            fabric_policy_compose(list->gateway->name, list->rules, list->n, user, name, policy);
    for (size_t i = 0; i < list->n; i++)
        free(list->ranges[i]);
    return error;
}

static const struct fabric_gateway *named_alike(const struct fabric *user, const char *name)
{
    uint32_t index = fabric_find_gateway(user, name);

    return index == FABRIC_NONE ? NULL : &user->gateways[index];
}

static void reject_pools(struct rule_list *list, const struct fabric *fabric)
{
    for (uint32_t i = 0; i < fabric->gateways_count; i++) {
        const struct fabric_gateway *other = &fabric->gateways[i];

        if (other->vnet == list->gateway->vnet && other->point_to_site.n > 0 &&
            !other->point_to_site_transit && !list->error)
            add_reject(list, 0, other->point_to_site.items, other->point_to_site.n, false);
    }
}

static void reject_told_space(struct rule_list *list, const struct fabric *fabric, uint32_t gateway)
{
    struct lpm_prefix *prefixes = NULL;
    size_t n = 0;

    list->error = fabric_originated(fabric, fabric_gateway_server(fabric, gateway), &prefixes, &n);
    if (!list->error && n > 0)
        add_reject(list, 1u << RIB_SOURCE_LOCAL, prefixes, n, false);
    free(prefixes);
}

int fabric_gateway_link_policy(const struct fabric *fabric, const struct fabric *user,
                               uint32_t gateway, enum fabric_gateway_policy which,
                               struct rib_policy **policy)
{
    struct rule_list list = {.gateway = &fabric->gateways[gateway]};
    const struct fabric_gateway *words = named_alike(user, list.gateway->name);
    const char *name = NULL;

    switch (which) {
    case FABRIC_GATEWAY_SERVER_IMPORT:
        name = words ? words->import_policy : NULL;
        break;
    case FABRIC_GATEWAY_SERVER_EXPORT:
        name = words ? words->export_policy : NULL;
        add_reject(&list, 1u << RIB_SOURCE_LOCAL, NULL, 0, false);
        if (!list.gateway->vpn)
            reject_pools(&list, fabric);
        break;
    case FABRIC_GATEWAY_LINK_EXPORT:
        reject_told_space(&list, fabric, gateway);
        break;
    }
    return finish(&list, user, name, policy);
}

/* The neighbor in the other reading: found by what it is called, as indices may differ. */
static const struct fabric_neighbor *entry_alike(const struct fabric *fabric,
                                                 const struct fabric *user,
                                                 const struct fabric_gateway *words,
                                                 const struct fabric_gateway_neighbor *with)
{
    for (uint32_t i = 0; words && with->entry && i < words->neighbor_count; i++) {
        const struct fabric_neighbor *entry = &words->neighbors[i];
        bool same_router =
            with->router != FABRIC_NONE && entry->router != FABRIC_NONE &&
            strcmp(user->routers[entry->router].name, fabric->routers[with->router].name) == 0;

        if (same_router || (with->entry->router == FABRIC_NONE && entry->router == FABRIC_NONE &&
                            lpm_address_equal(&entry->address, &with->entry->address)))
            return entry;
    }
    return NULL;
}

int fabric_gateway_peer_policy(const struct fabric *fabric, const struct fabric *user,
                               uint32_t gateway, uint32_t neighbor, bool import,
                               struct rib_policy **policy)
{
    static const struct lpm_prefix defaults[] = {{LPM_IPV4, 0, {0}}, {LPM_IPV6, 0, {0}}};
    const unsigned learned =
        1u << RIB_SOURCE_NVA | 1u << RIB_SOURCE_EXPRESS_ROUTE | 1u << RIB_SOURCE_VPN;
    struct rule_list list = {.gateway = &fabric->gateways[gateway]};
    const struct fabric_prefixes *space = &fabric->vnets[list.gateway->vnet].space;
    const struct fabric_gateway_neighbor with = fabric_gateway_neighbor(fabric, gateway, neighbor);
    const struct fabric_neighbor *entry =
        entry_alike(fabric, user, named_alike(user, list.gateway->name), &with);
    const char *name = entry ? (import ? entry->import_policy : entry->export_policy) : NULL;

    if (list.gateway->vpn) {
        add_reject(&list, learned, space->items, space->n, true);
        if (!import && !list.gateway->default_route && !list.error)
            add_reject(&list, 0, defaults, 2, false);
    }
    return finish(&list, user, name, policy);
}
