/*
 * System routes: what the fabric itself offers to a subnet, before BGP and route tables have their
 * say. Internal to this room.
 *
 * Every candidate is told, also those that a rule takes away, so that the rows of a NIC and the
 * answer to "why not" come from one walk over the model.
 */
#ifndef ENGINE_FABRIC_SYSTEM_H
#define ENGINE_FABRIC_SYSTEM_H

#include "engine/fabric/model.h"

/* In order of rank: of two system routes to one prefix the lower one is the row. A service endpoint
 * is more specific in meaning than Internet, and None is what is left when nothing else is said. */
enum fabric_system_kind {
    FABRIC_SYSTEM_LOCAL,
    FABRIC_SYSTEM_PEERING,
    FABRIC_SYSTEM_SERVICE,
    FABRIC_SYSTEM_INTERNET,
    FABRIC_SYSTEM_RESERVED, /* only while the default route of the family is the system's own */
};

struct fabric_system_route {
    struct lpm_prefix prefix;
    enum fabric_system_kind kind;
    enum fabric_next_hop_type type;
    uint32_t vnet; /* as in struct fabric_row */
    const char
        *via; /* the object behind it: VNet, service tag; belongs to the fabric or is static */
    const char *rule; /* NULL: stands; else the rule that takes it away */
};

/* Calls visit for each candidate; stops on non-zero and returns it. subnet FABRIC_NONE: only what
 * is the same in every subnet of vnet. */
int fabric_each_system_route(const struct fabric *fabric, uint32_t vnet, uint32_t subnet,
                             int (*visit)(void *context, const struct fabric_system_route *route),
                             void *context);

/* ::/0 or 0.0.0.0/0. */
struct lpm_prefix fabric_default_prefix(uint8_t family);

#endif
