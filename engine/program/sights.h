/*
 * From which VNets the member of a next-hop group is seen otherwise: as another NIC, as none, or over another
 * peering. To know it every VNet is asked, which takes most of a millisecond where there are hundreds; few members
 * are in many groups, and a group comes and goes with a single route. So it is known by member, as long as a group
 * has it. Internal to this room.
 */
#ifndef ENGINE_PROGRAM_SIGHTS_H
#define ENGINE_PROGRAM_SIGHTS_H

#include "engine/program/balancers.h"
#include "engine/program/resolve.h"

struct program_sights;

struct program_sight {
    struct program_sight *next; /* of the bucket */
    struct dp_member member;    /* its weight does not count */
    uint32_t hash;
    uint32_t references;
    size_t n;
    uint32_t vnets[]; /* that see it otherwise, in order */
};

/* Both are borrowed. NULL: no memory. */
struct program_sights *program_sights_create(const struct program_ids *ids,
                                             const struct program_balancers *balancers);
/* No sight may be held any more. NULL is allowed. */
void program_sights_destroy(struct program_sights *sights);

/* The caller gets a reference. NULL: no memory. */
struct program_sight *program_sights_hold(struct program_sights *sights,
                                          const struct dp_member *member);
void program_sights_release(struct program_sights *sights, struct program_sight *sight);

#endif
