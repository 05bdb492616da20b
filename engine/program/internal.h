/*
 * struct program from inside the room, and the parts that its files do for one another.
 *
 *   struct program
 *     balancers   a group for each load balancer (balancers.h)
 *     groups      next-hop groups, interned (groups.h)
 *     said        what operators said of their members (said.h)
 *     domains[]   one for each route server that NICs follow (with the quirk half_programming, for each of its
 *                 instances), and one for those that follow none (tables.h)
 *     scope_of[]  NIC ──> scope
 *     pending     what changed since the last flush (pending.h)
 */
#ifndef ENGINE_PROGRAM_INTERNAL_H
#define ENGINE_PROGRAM_INTERNAL_H

#include "engine/program/groups.h"
#include "engine/program/pending.h"
#include "engine/program/program.h"
#include "engine/program/said.h"
#include "engine/program/tables.h"

struct program {
    const struct fabric *fabric;
    const struct fabric_bgp *bgp;
    struct dp_forwarding *forwarding;
    struct program_balancers *balancers;
    struct program_groups *groups;
    struct program_said *said;
    struct program_domain *domains;
    size_t domain_count;
    const struct program_scope **scope_of; /* [fabric.nics_count] */
    bool *followed; /* [fabric.route_servers_count]: some NIC has its routes */
    struct program_pending pending;
    bool stale; /* a change could not be remembered: the next flush looks at every prefix */
    size_t leaves_a_prefix; /* that the last flush looked at, all FIBs together */
    size_t untidy;          /* entries changed since the FIBs as a whole were last looked at */
};

/* Groups the NICs into domains and scopes with empty FIBs. 0 or -errno. */
int program_scopes_open(struct program *program);
void program_scopes_close(struct program *program);

/* Tells the data plane of VNets, addresses and NICs, with the FIBs of their scopes. 0 or -errno;
 * error names the object. */
int program_nics_set(struct program *program, bool with_ports, char error[DP_ERROR_TEXT]);
void program_nics_remove(struct program *program);

/* A program whose FIBs are filled, but that no NIC has yet. like: one whose next hops that are out
 * are out here too, and whose words about all groups count; NULL: none. NULL with errno and error. */
struct program *program_create_aside(const struct fabric *fabric, const struct fabric_bgp *bgp,
                                     struct dp_forwarding *forwarding, const struct program *like,
                                     char error[DP_ERROR_TEXT]);
/* The FIBs and groups go; no NIC may have them any more. */
void program_discard(struct program *program);

#endif
