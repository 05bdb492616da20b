/*
 * Life of the program step, what it is told, and questions.
 */
#include "engine/program/program.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine/program/internal.h"
#include "engine/program/resolve.h"

/* Ids cost a pointer each. A group is a distinct set of next hops as one VNet sees it; two per VNet
 * (itself, and itself over a peering), and room for sets that follow from many peers. */
#define GROUP_CAPACITY_BASE 65536u
/* Room for NICs and VNets that come while it runs: as many again, and no fewer than these. */
#define NICS_MORE  4096u
#define VNETS_MORE 1024u

static uint32_t with_room(uint32_t n, uint32_t least)
{
    return n + (n > least ? n : least);
}

struct dp_forwarding_config program_forwarding_config(const struct fabric *fabric, unsigned workers)
{
    return (struct dp_forwarding_config){
        .workers = workers ? workers : 1,
        .nic_capacity = PROGRAM_FIRST_NIC + with_room(fabric->nics_count, NICS_MORE),
        .vnet_capacity = PROGRAM_FIRST_VNET + with_room(fabric->vnets_count, VNETS_MORE),
        .group_capacity =
            GROUP_CAPACITY_BASE + 4 * fabric->vnets_count + fabric->load_balancers_count,
        .decrement_ttl = !fabric->quirks.transparent_ttl,
        .silent_drops = fabric->quirks.silent_drops,
        .hash_fields = (fabric->ecmp.hash_fields ? fabric->ecmp.hash_fields : 5) |
                       (fabric->quirks.outer_hash ? 0 : DP_HASH_INNER),
    };
}

int program_prefix_changed(struct program *program, uint32_t route_server,
                           const struct lpm_prefix *prefix)
{
    /* A route server alone, as one that only serves appliances, keeps nothing for a flush. */
    if (!program->followed[route_server])
        return 0;
    if (!program->stale && program_pending_add(&program->pending, route_server, prefix) != 0)
        program->stale = true;
    return 0;
}

void program_everything_changed(struct program *program)
{
    program->stale = true;
}

int program_next_hop_state(struct program *program, const struct lpm_address *next_hop, bool up)
{
    return program_groups_next_hop(program->groups, next_hop, up);
}

int program_backend_state(struct program *program, uint32_t balancer, uint32_t backend, bool up)
{
    return program_balancers_set(program->balancers, balancer, backend, up);
}

bool program_backend_is_up(const struct program *program, uint32_t balancer, uint32_t backend)
{
    return program_balancers_is_up(program->balancers, balancer, backend);
}

/* --- Life ------------------------------------------------------------------------------------- */

static int note_followed(struct program *program)
{
    program->followed =
        calloc((size_t)program->fabric->route_servers_count + 1, sizeof(*program->followed));
    if (!program->followed)
        return -ENOMEM;
    for (size_t i = 0; i < program->domain_count; i++) {
        uint32_t route_server = program->domains[i].route_server;
        if (route_server != FABRIC_NONE)
            program->followed[route_server] = true;
    }
    return 0;
}

/* What groups are made by. like: whose words count here too, and whose groups are ours where they are alike; NULL:
 * nobody's. */
static int open_groups(struct program *program, const struct program *like)
{
    program->said = like ? program_said_hold(like->said) : program_said_create();
    if (!program->said)
        return -ENOMEM;
    program->balancers = program_balancers_create(program->ids, program->forwarding, program->said,
                                                  like ? like->balancers : NULL);
    if (!program->balancers)
        return -errno;
    program->groups = program_groups_create(program->ids, program->balancers, program->forwarding,
                                            program->said, like ? like->groups : NULL);
    return program->groups ? 0 : -ENOMEM;
}

static int open_all(struct program *program, const struct program *like)
{
    int error = program_ids_open(&program->ids, program->fabric, program->forwarding,
                                 like ? like->ids : NULL);
    if (error)
        return error;
    error = open_groups(program, like);
    if (!error)
        error = program_scopes_open(program);
    if (!error)
        error = note_followed(program);
    if (like)
        program->with_ports = like->with_ports;
    return error;
}

struct program *program_create_aside(const struct fabric *fabric, const struct fabric_bgp *bgp,
                                     struct dp_forwarding *forwarding, const struct program *like,
                                     char error[DP_ERROR_TEXT])
{
    snprintf(error, DP_ERROR_TEXT, "no memory to program the NICs of fabric '%s'",
             fabric->name ? fabric->name : "");
    struct program *program = calloc(1, sizeof(*program));
    if (!program)
        return NULL;
    program->fabric = fabric;
    program->bgp = bgp;
    program->forwarding = forwarding;
    program->stale = true;
    program->leaves_a_prefix = 16; /* to begin with care */
    int failed = open_all(program, like);
    if (!failed)
        return program;
    if (failed == -ENOSPC)
        snprintf(error, DP_ERROR_TEXT,
                 "more NICs, VNets or ports came since the start than there is room for: restart");
    program_discard(program);
    errno = -failed;
    return NULL;
}

struct program *program_create(const struct fabric *fabric, const struct fabric_bgp *bgp,
                               struct dp_forwarding *forwarding, bool with_ports,
                               char error[DP_ERROR_TEXT])
{
    struct program *program = program_create_aside(fabric, bgp, forwarding, NULL, error);
    if (!program)
        return NULL;
    program->with_ports = with_ports;
    /* FIBs are filled before NICs have them: no packet meets one half made. */
    int failed = program_flush_all(program);
    if (!failed)
        failed = program_nics_set(program, error);
    program->in_force = !failed;
    if (!failed)
        return program;
    program_destroy(program);
    errno = -failed;
    return NULL;
}

void program_discard(struct program *program)
{
    if (!program)
        return;
    program_sweep_end(program);
    program_scopes_close(program);
    program_groups_destroy(program->groups);
    program_balancers_destroy(program->balancers);
    program_said_release(program->said);
    program_ids_close(program->ids);
    program_pending_free(&program->pending);
    free(program->followed);
    free(program);
}

void program_destroy(struct program *program)
{
    if (!program)
        return;
    program_nics_remove(program);
    program_discard(program);
}

/* --- Questions -------------------------------------------------------------------------------- */

uint32_t program_underlay_id(void)
{
    return PROGRAM_UNDERLAY_NIC;
}

uint32_t program_nic_id(const struct program *program, uint32_t nic)
{
    return program->ids->nics[nic];
}

uint32_t program_nic_of(const struct program *program, uint32_t nic_id)
{
    return program_ids_nic_of(program->ids, nic_id);
}

uint32_t program_vnet_of(const struct program *program, uint32_t vnet_id)
{
    return program_ids_vnet_of(program->ids, vnet_id);
}

static void add_fib(struct program_size *size, const struct lpm_fib *fib, bool derived)
{
    size->fibs++;
    size->derived_fibs += derived;
    size->routes += lpm_fib_routes(fib);
}

void program_size(const struct program *program, struct program_size *size)
{
    *size = (struct program_size){.groups = program_groups_count(program->groups)};
    for (size_t i = 0; i < program->domain_count; i++) {
        const struct program_domain *domain = &program->domains[i];
        size->scopes += domain->scope_count;
        for (unsigned family = 0; family < PROGRAM_FAMILIES; family++) {
            add_fib(size, domain->bases[family], false);
            for (size_t j = 0; j < domain->scope_count; j++) {
                const struct program_table *table = &domain->scopes[j].tables[family];
                add_fib(size, table->fib, table->kind == PROGRAM_DERIVED);
            }
        }
    }
}
