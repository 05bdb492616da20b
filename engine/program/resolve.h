/*
 * From an Active row to what the data plane is told of it: which kind of group, which NIC stands
 * behind each next hop, what the peering on the way forbids. Internal to this room.
 */
#ifndef ENGINE_PROGRAM_RESOLVE_H
#define ENGINE_PROGRAM_RESOLVE_H

#include "dataplane/dataplane.h"
#include "engine/fabric/effective.h"
#include "engine/program/balancers.h"
#include "engine/program/ids.h"

/* A next-hop set, resolved: what makes two groups equal. members are sorted by address. */
struct program_target {
    enum dp_group_kind kind;
    bool learned; /* by BGP: members leave while their neighbour is down */
    uint8_t peering;
    uint32_t vnet; /* id of the data plane */
    unsigned member_count;
    struct dp_member members[DP_GROUP_MEMBER_MAX];
};

/* A next hop that is a frontend becomes a member that leads to its load balancer's group. */
void program_resolve(const struct program_ids *ids, const struct program_balancers *balancers,
                     uint32_t vnet, const struct fabric_row *row, struct program_target *target);
/* Do NICs of vnet see another NIC, or another way, behind the next hop of this member? */
bool program_member_deviates(const struct program_ids *ids,
                             const struct program_balancers *balancers, uint32_t vnet,
                             const struct dp_member *member);
bool program_target_equal(const struct program_target *a, const struct program_target *b);
uint32_t program_target_hash(const struct program_target *target);

#endif
