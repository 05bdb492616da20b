/* The table of address families; see family.h. */
#include "engine/bgp/family.h"

#include <assert.h>

static const struct bgp_family_info families[BGP_FAMILY_COUNT] = {
    [BGP_IPV4_UNICAST] = {1, 1, LPM_IPV4, 32, "IPv4 unicast"},
    [BGP_IPV6_UNICAST] = {2, 1, LPM_IPV6, 128, "IPv6 unicast"},
};

const struct bgp_family_info *bgp_family_info(enum bgp_family family)
{
    assert(family < BGP_FAMILY_COUNT);
    return &families[family];
}

/* A handful of rows: a loop is faster than anything clever. */
bool bgp_family_find(uint16_t afi, uint8_t safi, enum bgp_family *family)
{
    for (unsigned i = 0; i < BGP_FAMILY_COUNT; i++) {
        if (families[i].afi == afi && families[i].safi == safi) {
            *family = (enum bgp_family)i;
            return true;
        }
    }
    return false;
}

enum bgp_family bgp_family_of(const struct lpm_prefix *prefix)
{
    return prefix->family == LPM_IPV6 ? BGP_IPV6_UNICAST : BGP_IPV4_UNICAST;
}
