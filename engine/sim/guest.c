/*
 * Choosing the NIC by which a modelled router sends on.
 */
#include "engine/sim/guest.h"

bool guest_owns(const struct fabric *fabric, uint32_t nic, const struct lpm_address *address)
{
    const struct fabric_addresses *own = &fabric->nics[nic].addresses;
    for (uint32_t i = 0; i < own->n; i++)
        if (lpm_address_equal(&own->items[i], address))
            return true;
    return false;
}

struct lpm_address guest_address(const struct fabric *fabric, uint32_t nic, uint8_t family)
{
    const struct fabric_addresses *own = &fabric->nics[nic].addresses;
    for (uint32_t i = 0; i < own->n; i++)
        if (own->items[i].family == family)
            return own->items[i];
    return (struct lpm_address){0};
}

/* The router's NIC in whose subnet address lies. */
static uint32_t connected(const struct fabric *fabric, const struct fabric_router *router,
                          const struct lpm_address *address)
{
    for (uint32_t i = 0; i < router->nic_count; i++) {
        const uint32_t subnet = fabric->nics[router->nics[i]].subnet;
        const struct fabric_prefixes *prefixes = &fabric->subnets[subnet].prefixes;
        for (uint32_t j = 0; j < prefixes->n; j++)
            if (lpm_prefix_contains(&prefixes->items[j], address))
                return router->nics[i];
    }
    return FABRIC_NONE;
}

static const struct fabric_router_static *longest_static(const struct fabric_router *router,
                                                         const struct lpm_address *address)
{
    const struct fabric_router_static *best = NULL;
    for (uint32_t i = 0; i < router->static_count; i++) {
        const struct fabric_router_static *route = &router->statics[i];
        if (lpm_prefix_contains(&route->prefix, address) &&
            (!best || route->prefix.length > best->prefix.length))
            best = route;
    }
    return best;
}

uint32_t guest_output(const struct fabric *fabric, uint32_t router, uint32_t in,
                      const struct lpm_address *destination)
{
    const struct fabric_router *model = &fabric->routers[router];
    uint32_t nic = connected(fabric, model, destination);
    const struct fabric_router_static *route =
        nic == FABRIC_NONE ? longest_static(model, destination) : NULL;
    /* "subnet-gateway" is that of the first NIC, as a guest's default interface is. */
    if (route)
        nic = route->via_subnet_gateway && model->nic_count ? model->nics[0]
                                                            : connected(fabric, model, &route->via);
    return nic == FABRIC_NONE ? in : nic;
}
