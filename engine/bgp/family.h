/*
 * Address families that a session can carry: what AFI and SAFI they have on the wire (RFC 4760)
 * and how long a prefix of theirs may be. One row per family (family.c); the rest of the room
 * loops over the table, so that a further family is a further row.
 */
#ifndef ENGINE_BGP_FAMILY_H
#define ENGINE_BGP_FAMILY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lpm/lpm.h"

enum bgp_family { BGP_IPV4_UNICAST, BGP_IPV6_UNICAST, BGP_FAMILY_COUNT };

/* Sets of families are bit masks. */
#define BGP_FAMILY_BIT(family) (1u << (family))
#define BGP_FAMILIES_ALL       (BGP_FAMILY_BIT(BGP_FAMILY_COUNT) - 1u)

struct bgp_family_info {
    uint16_t afi;
    uint8_t safi;
    uint8_t lpm_family; /* enum lpm_family of its prefixes */
    uint8_t length_max; /* bits of its longest prefix */
    const char *name;   /* "IPv4 unicast" */
};

const struct bgp_family_info *bgp_family_info(enum bgp_family family);
/* Finds the family of (afi, safi); false when we know none. */
bool bgp_family_find(uint16_t afi, uint8_t safi, enum bgp_family *family);
/* The unicast family of a prefix. */
enum bgp_family bgp_family_of(const struct lpm_prefix *prefix);

#endif
