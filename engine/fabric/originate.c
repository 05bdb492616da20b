/*
 * What a route server tells its peers of the fabric: the address space of its own VNet and of every
 * VNet that uses it as remote gateway, or summaries instead.
 */
#include <errno.h>
#include <stdlib.h>

#include "engine/fabric/effective.h"

static bool takes_part(const struct fabric *fabric, uint32_t route_server, uint32_t vnet)
{
    return fabric->route_servers[route_server].vnet == vnet ||
           fabric_route_server_for(fabric, vnet) == route_server;
}

static size_t space_of_all(const struct fabric *fabric)
{
    size_t n = 0;
    for (uint32_t i = 0; i < fabric->vnets_count; i++)
        n += fabric->vnets[i].space.n;
    return n;
}

static int compare(const void *a, const void *b)
{
    return lpm_prefix_compare(a, b);
}

static size_t without_duplicates(struct lpm_prefix *prefixes, size_t n)
{
    size_t kept = 0;
    for (size_t i = 0; i < n; i++)
        if (i == 0 || !lpm_prefix_equal(&prefixes[i], &prefixes[kept - 1]))
            prefixes[kept++] = prefixes[i];
    return kept;
}

/* In the place of the first prefix inside a summary stands that one; of several summaries the widest. */
static void summarise(const struct fabric_prefixes *summaries, struct lpm_prefix *prefix)
{
    for (uint32_t i = 0; i < summaries->n; i++)
        if (lpm_prefix_covers(&summaries->items[i], prefix))
            *prefix = summaries->items[i];
}

int fabric_originated(const struct fabric *fabric, uint32_t route_server,
                      struct lpm_prefix **prefixes, size_t *n)
{
    *n = 0;
    *prefixes = calloc(space_of_all(fabric) + 1, sizeof(**prefixes));
    if (!*prefixes)
        return -ENOMEM;
    for (uint32_t i = 0; i < fabric->vnets_count; i++) {
        const struct fabric_prefixes *space = &fabric->vnets[i].space;
        for (uint32_t j = 0; takes_part(fabric, route_server, i) && j < space->n; j++)
            if (space->items[j].family == LPM_IPV4 || !fabric->quirks.no_ipv6)
                (*prefixes)[(*n)++] = space->items[j];
    }
    for (size_t i = 0; i < *n; i++)
        summarise(&fabric->route_servers[route_server].summaries, &(*prefixes)[i]);
    qsort(*prefixes, *n, sizeof(**prefixes), compare);
    *n = without_duplicates(*prefixes, *n);
    return 0;
}
