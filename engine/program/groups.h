/*
 * Next-hop groups, interned: equal next-hop sets that resolve to equal NICs share one group of the
 * data plane, whatever VNet, prefix or subnet asks for them. Internal to this room.
 *
 *   Active row, seen from a VNet ──> key (kind, VNet, members with NIC and peering) ──> group id
 *
 * Each FIB entry that holds an id holds a reference; a group without references is destroyed (the
 * data plane keeps it for readers that took the id just before the FIB changed).
 *
 * Members that were learned by BGP leave their groups while their neighbour is down; the key stays.
 * Members of a user's route never leave: no session speaks for them.
 *
 * Where another reading of the fabric is to take the place of one, the groups of both are two sets that know of
 * each other: what both have is one group of the data plane, so that a group that stays keeps its id, its
 * counters, its buckets' past and what was said of its members.
 */
#ifndef ENGINE_PROGRAM_GROUPS_H
#define ENGINE_PROGRAM_GROUPS_H

#include "dataplane/dataplane.h"
#include "engine/fabric/effective.h"
#include "engine/program/balancers.h"
#include "engine/program/ids.h"

struct program_groups;
struct program_said;
struct program_target;

/* All five are borrowed. said: what operators said of members; it is told there when a group goes. other: those
 * whose place these are to take, with the same `said`, or NULL; what is down there is down here. Either may go
 * first. NULL: no memory. */
struct program_groups *program_groups_create(const struct program_ids *ids,
                                             const struct program_balancers *balancers,
                                             struct dp_forwarding *forwarding,
                                             struct program_said *said,
                                             struct program_groups *other);
/* No FIB may hold a group any more. NULL is allowed. */
void program_groups_destroy(struct program_groups *groups);

/* The group of this row as NICs of vnet see it; the caller gets a reference. 0 or -errno. */
int program_groups_hold(struct program_groups *groups, uint32_t vnet, const struct fabric_row *row,
                        uint32_t *group);
/* One more reference; none fewer. LPM_NO_ROUTE is allowed in both. */
void program_groups_again(struct program_groups *groups, uint32_t group);
void program_groups_release(struct program_groups *groups, uint32_t group);

/* The VNets, in order, from which the next hops of this group are other NICs, or none, or behind another peering:
 * their NICs need another group for the same row. Worked out once a group. LPM_NO_ROUTE: none. -ENOMEM. */
int program_groups_deviating(struct program_groups *groups, uint32_t group, const uint32_t **vnets,
                             size_t *n);

/* Something else was said of a member of this group, 0: of every one. Returns how many have it, or -errno. */
int program_groups_said(struct program_groups *groups, uint32_t group,
                        const struct lpm_address *next_hop);

/* What was said of NICs (program_said_cut()) changed, of those for which is_one() says so: swaps every group that has
 * one. Returns how many, or -errno. */
int program_groups_cut(struct program_groups *groups, program_nic_test *is_one,
                       const void *context);

/* As program_next_hop_state(). */
int program_groups_next_hop(struct program_groups *groups, const struct lpm_address *next_hop,
                            bool up);
/* What the group stands for; NULL: there is no such group. */
const struct program_target *program_groups_target(const struct program_groups *groups,
                                                   uint32_t group);
bool program_groups_is_down(const struct program_groups *groups,
                            const struct lpm_address *next_hop);

size_t program_groups_count(const struct program_groups *groups);

/* Recounting: after a failure half way, the owner of the FIBs tells every reference anew between
 * these two. Groups that nobody told are given up at the end. */
void program_groups_recount_begin(struct program_groups *groups);
void program_groups_recount_end(struct program_groups *groups);
uint32_t program_groups_references(const struct program_groups *groups, uint32_t group);
uint32_t program_groups_id_limit(const struct program_groups *groups); /* every id is below */

/* Compares a group of the data plane with what this row, seen from vnet, must be. */
bool program_groups_matches(const struct program_groups *groups, uint32_t vnet,
                            const struct fabric_row *row, uint32_t group);

#endif
