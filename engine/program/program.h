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
/* Not even all that was there at the begin has been looked at. */
bool program_is_sweeping(const struct program *program);
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

/* What an operator says of a next hop, or a backend, whatever sessions and probes say of it. */
enum program_member_state {
    PROGRAM_MEMBER_UP,   /* nothing: sessions and probes decide */
    PROGRAM_MEMBER_DOWN, /* out, at once */
    /* On its way out: no bucket more, and those that it has until they fall idle or have waited long enough:
     * as ecmp.sticky of the file says, or by its defaults. Of no consequence where all members are. */
    PROGRAM_MEMBER_DRAIN,
    PROGRAM_MEMBER_STATES,
};
const char *program_member_state_text(enum program_member_state state); /* "up", … */
/* Of one group (its id in the data plane), or of every one, also those that are made later (group 0;
 * what was said of it in single groups is over then). Members of users' routes too. What was said of a
 * single group is forgotten with it. Each group is one swap. Returns how many groups have the member,
 * -ENOENT: no such group, -ESRCH: the group has no such member, -ENOSPC: too much was said, or -errno (call
 * again). */
int program_set_member(struct program *program, uint32_t group, const struct lpm_address *next_hop,
                       enum program_member_state state);

/* The link of a port (index of the fabric) went down, or came back: whoever is behind it, in this process, leaves
 * every group at once, members of users' routes and backends too, or takes back its own flows. Each group is one
 * swap. Returns how many, or -errno (call again). */
int program_port_state(struct program *program, uint32_t port, bool up);

/* One group, with all its members, also those that are out now. */
struct program_member {
    struct lpm_address next_hop;
    uint32_t nic, balancer; /* indices of the fabric; FABRIC_NONE both: unreachable */
    unsigned weight;
    bool up;  /* by its session or probes */
    bool cut; /* its port is down */
    enum program_member_state said;
    unsigned buckets, wanted; /* that it has, and that it is to have */
    struct dp_next_hop_counters counters;
};
struct program_group {
    enum dp_group_kind kind;
    bool learned;        /* by BGP */
    uint32_t vnet;       /* index; FABRIC_NONE: none */
    uint32_t balancer;   /* whose backends it has; FABRIC_NONE: it is no load balancer's */
    uint32_t references; /* FIB entries, or the NICs' share of a base; 0 of a load balancer's */
    unsigned bucket_count, member_count;
    struct program_member members[DP_GROUP_MEMBER_MAX];
};
/* As dp_groups_tick(): to be called some ten times a second of the caller's time. */
unsigned program_tick(struct program *program, uint64_t now_ms);
/* Every group's id is below. */
uint32_t program_group_limit(const struct program *program);
bool program_group(const struct program *program, uint32_t id, struct program_group *group);

/* The id under which is counted what other hosts send for NICs of this one. */
uint32_t program_underlay_id(void);
/* NIC ids of the data plane <-> indices of fabric.nics. */
uint32_t program_nic_id(const struct program *program, uint32_t nic);
uint32_t program_nic_of(const struct program *program, uint32_t nic_id); /* or FABRIC_NONE */
/* The index in fabric.vnets of a VNet of the data plane, or FABRIC_NONE. */
uint32_t program_vnet_of(const struct program *program, uint32_t vnet_id);

/* What stands behind: for reports and tests. */
struct program_size {
    size_t scopes, fibs, derived_fibs, groups, routes;
};
void program_size(const struct program *program, struct program_size *size);
/* Compares the programmed state with one made from scratch; false: error says where they differ.
 * Slow; for tests and engine.verify. */
bool program_validate(struct program *program, char error[DP_ERROR_TEXT]);

#endif
