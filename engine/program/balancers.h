/*
 * Internal load balancers in the data plane: for each one a group of the backends that are healthy.
 * Internal to this room.
 *
 *   next hop, or address of a VNet ──> frontend ──> group of the load balancer ──> backend NIC
 *
 * What leads to a frontend refers to its group and never sees who is in it, so a backend's loss is
 * one swap, whatever the number of prefixes, next-hop sets and NICs that lead there. Every backend
 * is in until it is said to be down.
 *
 * Where another reading of the fabric takes the place of one, a load balancer that stays as it is stays one
 * group of the data plane (groups.h).
 */
#ifndef ENGINE_PROGRAM_BALANCERS_H
#define ENGINE_PROGRAM_BALANCERS_H

#include "dataplane/dataplane.h"
#include "engine/program/ids.h"

struct program_balancers;
struct program_said;

/* Makes the groups, of what operators said of backends by then; it is told there when a group goes. All four are
 * borrowed. other: those whose place these are to take, with the same `said`, or NULL; backends that are down there
 * are down here. Either may go first. NULL with errno. */
struct program_balancers *program_balancers_create(const struct program_ids *ids,
                                                   struct dp_forwarding *forwarding,
                                                   struct program_said *said,
                                                   struct program_balancers *other);
/* Nothing may refer to the groups any more. NULL is allowed. */
void program_balancers_destroy(struct program_balancers *balancers);

/* Something else was said of a backend by this address, in this group; 0: in every one. Returns how many
 * groups have it, or -errno; -ENOENT: no load balancer has the group, -ESRCH: no backend of it has the
 * address. */
int program_balancers_said(struct program_balancers *balancers, uint32_t group,
                           const struct lpm_address *next_hop);
/* Is this NIC (id of the data plane) one of those that are asked about? */
typedef bool program_nic_test(const void *context, uint32_t nic);
/* As program_groups_cut(). */
int program_balancers_cut(struct program_balancers *balancers, program_nic_test *is_one,
                          const void *context);
/* Whose group it is, or FABRIC_NONE. */
uint32_t program_balancers_find(const struct program_balancers *balancers, uint32_t group);
/* The address by which a backend is a member. */
const struct lpm_address *program_balancers_address(const struct program_balancers *balancers,
                                                    uint32_t balancer, uint32_t backend);

/* The group of fabric.load_balancers[balancer]. */
uint32_t program_balancers_group(const struct program_balancers *balancers, uint32_t balancer);
/* backend is an index in the load balancer's backends. */
bool program_balancers_is_up(const struct program_balancers *balancers, uint32_t balancer,
                             uint32_t backend);
/* Takes a backend out, or back in. Returns how many groups were swapped (0: it is so already), or
 * -errno: nothing has changed. */
int program_balancers_set(struct program_balancers *balancers, uint32_t balancer, uint32_t backend,
                          bool up);
/* Is the group in the data plane what the states of the backends make it? */
bool program_balancers_match(const struct program_balancers *balancers, uint32_t balancer);

#endif
