#include "engine/sim/place.h"

#include <string.h>

#include "engine/sim/guest.h"

uint32_t place_of_router(const struct fabric *fabric, uint32_t router)
{
    return fabric->nics_count + router;
}

uint32_t place_of_host(const struct fabric *fabric, uint32_t router, uint32_t host)
{
    uint32_t place = fabric->nics_count + fabric->routers_count + host;
    for (uint32_t i = 0; i < router; i++)
        place += fabric->routers[i].host_count;
    return place;
}

static enum place_kind found(enum place_kind kind, uint32_t router, uint32_t host,
                             uint32_t *router_out, uint32_t *host_out)
{
    if (router_out)
        *router_out = router;
    if (host_out)
        *host_out = host;
    return kind;
}

enum place_kind place_kind(const struct fabric *fabric, uint32_t place, uint32_t *router,
                           uint32_t *host)
{
    uint32_t rest = place;
    if (place >= PLACE_INTERNET)
        return found(place == PLACE_INTERNET ? PLACE_IN_INTERNET : PLACE_NOWHERE, FABRIC_NONE,
                     FABRIC_NONE, router, host);
    if (rest < fabric->nics_count)
        return found(PLACE_NIC, fabric->nics[rest].router, FABRIC_NONE, router, host);
    rest -= fabric->nics_count;
    if (rest < fabric->routers_count)
        return found(PLACE_ROUTER, rest, FABRIC_NONE, router, host);
    rest -= fabric->routers_count;
    for (uint32_t i = 0; i < fabric->routers_count; i++) {
        if (rest < fabric->routers[i].host_count)
            return found(PLACE_HOST, i, rest, router, host);
        rest -= fabric->routers[i].host_count;
    }
    return found(PLACE_NOWHERE, FABRIC_NONE, FABRIC_NONE, router, host);
}

const char *place_name(const struct fabric *fabric, uint32_t place)
{
    uint32_t router, host;
    switch (place_kind(fabric, place, &router, &host)) {
    case PLACE_NIC:
        if (fabric_nic_gateway(fabric, place) != FABRIC_NONE)
            return fabric->gateways[fabric_nic_gateway(fabric, place)].name;
        return router == FABRIC_NONE ? fabric->nics[place].name : fabric->routers[router].name;
    case PLACE_ROUTER:
        return fabric->routers[router].name;
    case PLACE_HOST:
        return fabric->routers[router].hosts[host].name;
    case PLACE_IN_INTERNET:
        return "internet";
    case PLACE_NOWHERE:
        break;
    }
    return "nowhere";
}

const char *place_object(const struct fabric *fabric, uint32_t place)
{
    return place < fabric->nics_count ? fabric->nics[place].name : place_name(fabric, place);
}

uint32_t place_find(const struct fabric *fabric, const char *name)
{
    const uint32_t nic = fabric_find_nic(fabric, name);
    if (nic != FABRIC_NONE)
        return nic;
    for (uint32_t i = 0; i < fabric->routers_count; i++)
        for (uint32_t j = 0; j < fabric->routers[i].host_count; j++)
            if (strcmp(fabric->routers[i].hosts[j].name, name) == 0)
                return place_of_host(fabric, i, j);
    return FABRIC_NONE;
}

struct lpm_address place_address(const struct fabric *fabric, uint32_t place, uint8_t family)
{
    uint32_t router, host;
    const struct lpm_address none = {0};
    switch (place_kind(fabric, place, &router, &host)) {
    case PLACE_NIC:
        return guest_address(fabric, place, family);
    case PLACE_HOST:
        return fabric->routers[router].hosts[host].address.family == family
                   ? fabric->routers[router].hosts[host].address
                   : none;
    default:
        return none;
    }
}
