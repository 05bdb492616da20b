/*
 * struct program from inside the room, and the parts that its files do for one another.
 *
 *   struct program
 *     ids         of NICs, VNets and ports in the data plane (ids.h)
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

#include "engine/fabric/placement.h"
#include "engine/program/groups.h"
#include "engine/program/ids.h"
#include "engine/program/pending.h"
#include "engine/program/program.h"
#include "engine/program/said.h"
#include "engine/program/tables.h"

struct program {
    const struct fabric *fabric;
    const struct fabric_bgp *bgp;
    struct dp_forwarding *forwarding;
    bool with_ports; /* NICs have their attachments */
    bool in_force;   /* NICs have its FIBs; false: it is still made aside */
    struct program_ids *ids;
    struct program_balancers *balancers;
    struct program_groups *groups;
    struct program_said *said;
    struct program_domain *domains;
    size_t domain_count;
    const struct program_scope **scope_of; /* [fabric.nics_count] */
    bool *followed; /* [fabric.route_servers_count]: some NIC has its routes */
    struct program_pending pending;
    bool
        stale; /* a change could not be remembered: the next flush begins to look at every prefix */
    struct program_sweep *sweep; /* that is under way; NULL: none */
    size_t leaves_a_prefix;      /* that the last flush looked at, all FIBs together */
    size_t untidy;               /* entries changed since the FIBs as a whole were last looked at */
};

/* Groups the NICs into domains and scopes with empty FIBs. 0 or -errno. */
int program_scopes_open(struct program *program);
void program_scopes_close(struct program *program);

/* Goes on until nothing is left to do. 0 or -errno. */
int program_flush_all(struct program *program);
/* Looking at every prefix ends here. */
void program_sweep_end(struct program *program);

/* Tells the data plane of VNets, addresses and NICs, with the FIBs of their scopes. 0 or -errno;
 * error names the object. */
int program_nics_set(struct program *program, char error[DP_ERROR_TEXT]);
void program_nics_remove(struct program *program);
/* The same where the data plane has what `before` told it: what both have alike is never interrupted,
 * what only `before` has goes. all: nothing is taken for told, as after a failure half way. */
int program_nics_replace(const struct program *before, const struct program *now, bool all,
                         char error[DP_ERROR_TEXT]);

/* What has to be known of all NICs to tell of one. */
struct program_nic_setting {
    const struct program *program;
    unsigned *untagged; /* per port: how many share it without a VLAN id, the Internet among them */
    struct fabric_placement placement;
};
int program_nic_setting_open(struct program_nic_setting *setting, const struct program *program);
void program_nic_setting_close(struct program_nic_setting *setting); /* all zero is allowed */
/* Fills config; its addresses are to be freed, and point into *room where there is one. */
int program_nic_describe(const struct program_nic_setting *setting, uint32_t nic,
                         struct dp_nic_config *config, struct lpm_address **room);
void program_internet_describe(const struct program_nic_setting *setting,
                               struct dp_nic_config *config);
/* error: "NIC 'vm1' cannot be programmed: …". Returns reason. */
int program_nic_failed(char error[DP_ERROR_TEXT], const char *kind, const char *name, int reason);

/* A program whose FIBs are still empty (program_flush()), and that no NIC has yet. like: what runs: who
 * is in both keeps his ids, next hops and backends that are out are out here too, groups that stay are the same in
 * the data plane, and what was said of members counts; NULL: none. NULL with errno and error. */
struct program *program_create_aside(const struct fabric *fabric, const struct fabric_bgp *bgp,
                                     struct dp_forwarding *forwarding, const struct program *like,
                                     char error[DP_ERROR_TEXT]);
/* The FIBs and groups go; no NIC may have them any more. */
void program_discard(struct program *program);

#endif
