/*
 * The program step: keeps the data plane's forwarding state equal to the fabric's effective routes.
 *
 *   route server's choice changed at P ──> rows of each scope at P ──> next-hop set ──> group id
 *                                                              └──> change of a base or derived FIB
 *   next hop went away (session, BFD)  ──> every group that holds it is swapped first, at once
 *
 * FIBs: for each route server that NICs follow, and for those that follow none, a base per family holds the rows
 * that do not hang on a VNet; every scope is a FIB derived from it with what differs, or a base of its own
 * when more than half differs. NICs of equal scope share FIBs. Equal next-hop sets, resolved alike,
 * share one group.
 *
 * Control thread only. Time is the caller's.
 */
#ifndef ENGINE_PROGRAM_PROGRAM_H
#define ENGINE_PROGRAM_PROGRAM_H

#include "dataplane/dataplane.h"
#include "engine/fabric/effective.h"
#include "engine/fabric/model.h"

struct program;

/* dp_forwarding_config for this fabric and number of workers: capacities, TTL and hash by mode and
 * quirks. */
struct dp_forwarding_config program_forwarding_config(const struct fabric *fabric,
                                                      unsigned workers);

/* Programs NICs, VNets, address maps and FIBs from the file and from whatever bgp already holds.
 * fabric, bgp and forwarding are borrowed and must outlive the program. with_ports: NICs get their
 * file's attachments; else only its VLAN tags, tunnels and MTUs (twin, replay). Returns NULL with errno; error names the object. */
struct program *program_create(const struct fabric *fabric, const struct fabric_bgp *bgp,
                               struct dp_forwarding *forwarding, bool with_ports,
                               char error[DP_ERROR_TEXT]);
/* Takes everything out of forwarding again. */
void program_destroy(struct program *program);

/* Follows another reading of the fabric: VNets, subnets, peerings, NICs, users' routes may be others;
 * route servers, gateways and routers are the same, with the same NICs. All is made aside and then
 * swapped; next hops that are out stay out. `with` must outlive the program, the one before it need not.
 * NICs come to have other ids, as those follow their order, and have no ports: for the twin. All or
 * nothing: 0, or -errno with error, which names the object; -ENOSPC, -EINVAL: more NICs or VNets than the
 * forwarding has room for. */
int program_apply(struct program *program, const struct fabric *with, char error[DP_ERROR_TEXT]);

/* The route server's choice at prefix, or who announces it, changed: remembered, applied by
 * program_flush(). Never fails: without memory the next flush looks at every prefix. */
int program_prefix_changed(struct program *program, uint32_t route_server,
                           const struct lpm_prefix *prefix);
/* The next flush looks at every prefix. */
void program_everything_changed(struct program *program);
/* Applies what is remembered, the oldest of it when there is much: a few milliseconds of work. Returns
 * how many FIB entries changed, or -errno (nothing lost: call again). */
int program_flush(struct program *program);
/* Is there anything to apply? */
bool program_flush_due(const struct program *program);
/* Takes a next hop out of (up = false) or back into every group of BGP next hops at once, before
 * any prefix moves, and remembers it for groups that are made later. For when no session with that
 * neighbour is left. Groups of users' routes keep it: no session speaks for them. Asks no speaker,
 * so a speaker's handler may call it. Returns how many groups were swapped, or -errno (call again).
 */
int program_next_hop_state(struct program *program, const struct lpm_address *next_hop, bool up);

/* Takes a backend (index in the load balancer's backends) out of its load balancer's group, or back
 * in: one swap, whatever leads to the frontend. Returns how many groups were swapped (0: it is so
 * already), or -errno. */
int program_backend_state(struct program *program, uint32_t balancer, uint32_t backend, bool up);
bool program_backend_is_up(const struct program *program, uint32_t balancer, uint32_t backend);

/* The id under which is counted what other hosts send for NICs of this one. */
uint32_t program_underlay_id(void);
/* NIC ids of the data plane <-> indices of fabric.nics. */
uint32_t program_nic_id(const struct program *program, uint32_t nic);
uint32_t program_nic_of(const struct program *program, uint32_t nic_id); /* or FABRIC_NONE */

/* What stands behind: for reports and tests. */
struct program_size {
    size_t scopes, fibs, derived_fibs, groups, routes;
};
void program_size(const struct program *program, struct program_size *size);
/* Compares the programmed state with one made from scratch; false: error says where they differ.
 * Slow; tests and debug builds. */
bool program_validate(struct program *program, char error[DP_ERROR_TEXT]);

#endif
