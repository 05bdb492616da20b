/*
 * What another reading of the fabric changes of modelled routers. The routers, their neighbors and the
 * tunnels are the same; what they announce, forward and filter may differ.
 *
 *   policies ─────────────> every session, at once
 *   originate, health ────> told to the running daemon
 *   static, NAT, hosts, … > read by whoever walks packets (guest.h): nothing to do
 *   what a session is ────> the daemon ends cleanly and starts again with it
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/fabric/gateway.h"
#include "engine/fabric/route_server.h"
#include "engine/sim/internal.h"

/* A clean end and the start after it: the Cease needs a moment to get across. */
#define RESTART_PAUSE_MS 10u

/* --- Sessions --------------------------------------------------------------------------------- */

static bool same_numbers(const uint32_t *a, uint32_t a_count, const uint32_t *b, uint32_t b_count)
{
    if (a_count != b_count)
        return false;
    for (uint32_t i = 0; i < a_count; i++)
        if (a[i] != b[i])
            return false;
    return true;
}

static bool same_options(const struct fabric_bgp_options *a, const struct fabric_bgp_options *b)
{
    return a->add_path == b->add_path && a->send_max == b->send_max &&
           a->extended_next_hop == b->extended_next_hop && a->role == b->role &&
           a->role_strict == b->role_strict && a->reflection == b->reflection &&
           a->transparent == b->transparent && a->graceful_shutdown == b->graceful_shutdown &&
           a->accept_blackhole == b->accept_blackhole && a->check_first_as == b->check_first_as &&
           a->as_override == b->as_override && a->allow_own_as == b->allow_own_as &&
           a->max_as_path == b->max_as_path && a->max_communities == b->max_communities &&
           a->prepend == b->prepend && a->private_as == b->private_as &&
           same_numbers(a->remove_as, a->remove_as_count, b->remove_as, b->remove_as_count);
}

static bool same_bfd(const struct fabric_bfd *a, const struct fabric_bfd *b)
{
    return a->enabled == b->enabled && a->interval_ms == b->interval_ms &&
           a->multiplier == b->multiplier && a->multihop == b->multihop;
}

/* All but the policies. */
static bool same_session(const struct fabric_neighbor *a, const struct fabric_neighbor *b)
{
    if (!a || !b)
        return a == b;
    return a->as_override == b->as_override && a->prepend == b->prepend &&
           same_bfd(&a->bfd, &b->bfd) && same_options(&a->bgp, &b->bgp);
}

/* How the router names the far end of a session now. */
static const struct fabric_neighbor *named_in(const struct fabric *with,
                                              const struct sim_router_session *session)
{
    const struct controller_peer *remote = session->remote;
    uint32_t router;
    if (session->circuit)
        return session->circuit->ends[session->end].neighbor;
    if (remote->gateway != FABRIC_NONE)
        return fabric_router_names_gateway(with, session->router->index, remote->gateway);
    return sim_answering(with, remote, &router);
}

/* Returns whether a session is another now. */
static bool follow_sessions(struct sim_router *router, const struct fabric *with)
{
    bool same = true;
    for (unsigned i = 0; i < router->session_count; i++) {
        struct sim_router_session *session = &router->sessions[i];
        const struct fabric_neighbor *named = named_in(with, session);
        same &= same_session(session->neighbor, named);
        session->neighbor = named;
    }
    return !same;
}

/* --- Prefixes --------------------------------------------------------------------------------- */

static int tell_prefixes(struct sim_router *router, const struct fabric_prefixes *prefixes)
{
    int error = 0;
    for (uint32_t i = 0; i < prefixes->n && !error; i++)
        error = sim_router_reconsider(router, &prefixes->items[i]);
    return error;
}

/* Those of before, which may go, and those of now, which may come. */
static int tell_all(struct sim_router *router, const struct fabric_router *before,
                    const struct fabric_router *now)
{
    int error = tell_prefixes(router, &before->originate);
    if (!error)
        error = tell_prefixes(router, &now->originate);
    for (uint32_t i = 0; i < before->health_count && !error; i++)
        error = tell_prefixes(router, &before->health[i].withdraw);
    for (uint32_t i = 0; i < now->health_count && !error; i++)
        error = tell_prefixes(router, &now->health[i].withdraw);
    return error;
}

/* A check keeps its state by its name; a new one is well. */
static int follow_health(struct sim_router *router, const struct fabric_router *before,
                         const struct fabric_router *now)
{
    bool *unhealthy = calloc(now->health_count + 1, sizeof(*unhealthy));
    if (!unhealthy)
        return -ENOMEM;
    for (uint32_t i = 0; i < now->health_count; i++)
        for (uint32_t j = 0; j < before->health_count; j++)
            if (strcmp(now->health[i].name, before->health[j].name) == 0)
                unhealthy[i] = router->unhealthy[j];
    free(router->unhealthy);
    router->unhealthy = unhealthy;
    return 0;
}

/* --- Routers ---------------------------------------------------------------------------------- */

static void on_restart(void *context, uint64_t router)
{
    struct sim *sim = context;
    sim->restarts--;
    if (!sim->conditions[router].restarting)
        return;
    sim->conditions[router].restarting = false;
    int error = sim->routers[router].speaker ? 0 : sim_start_router(sim, (uint32_t)router);
    if (error)
        sim->error = error;
}

static int restart(struct sim *sim, uint32_t router)
{
    const struct condition *is = &sim->conditions[router];
    if (!sim->routers[router].speaker || (is->stopping && !is->restarting))
        return 0; /* it will start with what the file says by then */
    sim->restarts++;
    int error = sim_router_fail(sim, router, SIM_STOP);
    sim->conditions[router].restarting = true;
    sim_clock_at(sim->clock, sim_now_ms(sim) + RESTART_PAUSE_MS, on_restart, sim, router);
    return error;
}

static int follow_router(struct sim *sim, uint32_t index, const struct fabric *with)
{
    struct sim_router *router = &sim->routers[index];
    const struct fabric_router *before = &router->fabric->routers[index];
    const struct fabric_router *now = &with->routers[index];
    int error = follow_health(router, before, now);
    if (error)
        return error;
    router->fabric = with;
    router->policies = sim->policies;
    bool other = follow_sessions(router, with);
    if (other)
        return restart(sim, index);
    sim_router_follow_policies(router);
    if (router->speaker)
        error = tell_all(router, before, now);
    if (router->speaker)
        sim_touched(sim, router->speaker);
    return error;
}

/* The same circuits in the same order: of the same tunnels and neighbors. NICs have other indices. */
static int follow_circuits(struct sim *sim, const struct fabric *with)
{
    struct sim_circuit *circuits;
    size_t n;
    int error = sim_circuits_make(with, &circuits, &n);
    if (!error && n != sim->circuit_count)
        error = -EINVAL;
    for (size_t i = 0; i < n && !error; i++)
        sim->circuits[i] = circuits[i];
    free(circuits);
    return error;
}

int sim_follow_routers(struct sim *sim, const struct fabric *with)
{
    struct fabric_policies *before = sim->policies;
    int error = follow_circuits(sim, with);
    if (!error)
        error = fabric_policies_create(with, &sim->policies);
    if (error) {
        sim->policies = before;
        return error;
    }
    for (uint32_t i = 0; i < with->routers_count && !error; i++)
        error = follow_router(sim, i, with);
    fabric_policies_destroy(before);
    return error;
}
