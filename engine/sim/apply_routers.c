/*
 * What another reading of the fabric changes of modelled routers, and of what joins them.
 *
 *   a router, a tunnel, a neighbor more ─> starts; no session of others ends
 *   one less ────────────────────────────> its sessions end with a Cease
 *   policies ────────────────────────────> every session, at once
 *   originate, health ───────────────────> told to the running daemon
 *   static, NAT, hosts, … ───────────────> read by whoever walks packets (guest.h): nothing to do
 *   AS number, options of a session ─────> the daemon ends cleanly and starts again with it; so do
 *                                          routers with a session with one whose AS number is another
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

/* All but the policies. */
static bool same_session(const struct fabric_neighbor *a, const struct fabric_neighbor *b)
{
    if (!a || !b)
        return a == b;
    return a->as_override == b->as_override && a->prepend == b->prepend &&
           fabric_bfd_same(&a->bfd, &b->bfd) && fabric_bgp_options_same(&a->bgp, &b->bgp);
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

/* Does a daemon that runs expect the AS number that the router at the far end has now? */
static bool same_far_asn(const struct sim_router_session *session, const struct fabric *with)
{
    if (!session->circuit || !session->peer || !session->router->speaker)
        return true;
    const struct sim_circuit_end *ends = session->circuit->ends;
    const uint32_t named = ends[session->end].neighbor->asn;
    return speaker_peer_config(session->peer)->asn ==
           (named ? named : with->routers[ends[!session->end].router].asn);
}

/* Returns whether a session is another now. */
static bool follow_sessions(struct sim_router *router, const struct fabric *with)
{
    bool same = true;
    for (unsigned i = 0; i < router->session_count; i++) {
        struct sim_router_session *session = router->sessions[i];
        const struct fabric_neighbor *named = named_in(with, session);
        same &= same_session(session->neighbor, named) && same_far_asn(session, with);
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

static void on_restart(void *context, uint64_t number)
{
    struct sim *sim = context;
    const uint32_t router = sim_router_numbered(sim, number);
    sim->restarts--;
    if (router == FABRIC_NONE || !sim->routers[router]->restarting)
        return;
    sim->routers[router]->restarting = false;
    int error = sim->routers[router]->speaker ? 0 : sim_start_router(sim, router);
    if (error)
        sim->error = error;
}

static void start_later(struct sim *sim, uint32_t router)
{
    sim->restarts++;
    sim->routers[router]->restarting = true;
    sim_clock_at(sim->clock, sim_now_ms(sim) + RESTART_PAUSE_MS, on_restart, sim,
                 sim->routers[router]->number);
}

static int restart(struct sim *sim, uint32_t router)
{
    const struct sim_router *is = sim->routers[router];
    if (!is->speaker || (is->stopping && !is->restarting))
        return 0; /* it will start with what the file says by then */
    int error = sim_router_fail(sim, router, SIM_STOP);
    start_later(sim, router);
    return error;
}

/* Of a daemon that runs: those that the router has not had so far. */
static int add_new_sessions(struct sim_router *router)
{
    int error = 0;
    for (unsigned i = 0; i < router->session_count && router->speaker && !error; i++)
        if (!router->sessions[i]->peer)
            error = sim_router_add_session(router, router->sessions[i]);
    return error;
}

static int follow_router(struct sim *sim, uint32_t index, const struct fabric *with)
{
    struct sim_router *router = sim->routers[index];
    const struct fabric_router *before = &router->fabric->routers[router->index];
    const struct fabric_router *now = &with->routers[index];
    int error = follow_health(router, before, now);
    if (error)
        return error;
    router->fabric = with;
    router->policies = sim->policies;
    router->index = index;
    bool other = follow_sessions(router, with) || before->asn != now->asn ||
                 before->restart_seconds != now->restart_seconds;
    if (other && router->speaker)
        return restart(sim, index);
    if (!router->speaker)
        return 0;
    error = add_new_sessions(router);
    if (error)
        return error;
    sim_router_follow_policies(router);
    return tell_all(router, before, now);
}

/* --- Coming and going ----------------------------------------------------------------------------- */

static struct sim_router *router_named(const struct sim *sim, const char *name)
{
    for (uint32_t i = 0; i < sim->router_count; i++) {
        const struct sim_router *router = sim->routers[i];
        if (strcmp(router->fabric->routers[router->index].name, name) == 0)
            return sim->routers[i];
    }
    return NULL;
}

static void on_gone(void *context, uint64_t number)
{
    const struct sim *sim = context;
    for (struct sim_router *router = sim->gone; router; router = router->next)
        if (router->number == number && router->speaker)
            sim_router_kill(router);
}

/* Its Cease needs a moment; then the box is not there. */
static void let_go(struct sim *sim, struct sim_router *router)
{
    router->next = sim->gone;
    sim->gone = router;
    sim_router_cease(router);
    sim_clock_at(sim->clock, sim_now_ms(sim) + CEASE_LINGER_MS, on_gone, sim, router->number);
}

void sim_end_gone(struct sim *sim)
{
    for (struct sim_router *router = sim->gone; router; router = router->next)
        if (router->speaker)
            sim_router_kill(router);
}

/* Those of both readings, and new ones; the others go. */
static int exchange_routers(struct sim *sim, const struct fabric *with)
{
    struct sim_router **routers = calloc(with->routers_count + 1, sizeof(struct sim_router *));
    bool missing = !routers;
    for (uint32_t i = 0; i < with->routers_count && !missing; i++) {
        routers[i] = router_named(sim, with->routers[i].name);
        if (!routers[i])
            routers[i] = sim_make_router(sim, with, i);
        missing = !routers[i];
    }
    if (missing) {
        for (uint32_t i = 0; routers && i < with->routers_count && routers[i]; i++)
            if (router_named(sim, with->routers[i].name) != routers[i])
                sim_router_destroy(routers[i]);
        free(routers);
        return -ENOMEM;
    }
    for (uint32_t i = 0; i < sim->router_count; i++) {
        const struct sim_router *router = sim->routers[i];
        if (fabric_find_router(with, router->fabric->routers[router->index].name) == FABRIC_NONE)
            let_go(sim, sim->routers[i]);
    }
    free(sim->routers);
    sim->routers = routers;
    sim->router_count = with->routers_count;
    return 0;
}

static void on_ended(void *context, uint64_t argument)
{
    struct sim_router_session *session = context;
    (void)argument;
    if (session->peer)
        sim_router_detach(session);
}

/* They stand behind the others from now on. */
static void end_sessions(struct sim *sim, struct sim_router *router)
{
    for (unsigned i = router->session_count; i-- > 0;) {
        struct sim_router_session *session = router->sessions[i];
        if (session->wanted)
            continue;
        sim_router_end_session(router, session);
        router->sessions[i] = router->sessions[--router->session_count];
        router->sessions[router->session_count] = session;
        router->ended_count++;
        sim_clock_at(sim->clock, sim_now_ms(sim) + CEASE_LINGER_MS, on_ended, session, 0);
    }
}

/* A peer of which no NIC in reach has the address: packets of its session end on the way, and nobody is told. */
static void heed_reach(struct sim *sim)
{
    for (size_t i = 0; i < controller_peer_count(sim->controller); i++) {
        const struct controller_peer *peer = controller_peer(sim->controller, i);
        const struct fabric_bgp_peer *model =
            &sim->fabric->route_servers[peer->route_server].peers[peer->index];
        bool out = !peer->accepted && model->nic == FABRIC_NONE;
        sim_link_cut(sim_shell_of(peer)->link, SIM_LINK_UNREACHABLE, out);
    }
}

static int exchange_sessions(struct sim *sim)
{
    for (uint32_t i = 0; i < sim->router_count; i++)
        for (unsigned j = 0; j < sim->routers[i]->session_count; j++)
            sim->routers[i]->sessions[j]->wanted = false;
    sim->accept_due = false;
    int error = sim_accept_routers(sim, sim->fabric);
    if (!error)
        error = sim_make_shells(sim);
    if (!error) {
        heed_reach(sim);
        error = sim_make_sessions(sim);
    }
    for (uint32_t i = 0; i < sim->router_count && !error; i++)
        end_sessions(sim, sim->routers[i]);
    return error;
}

/* --- All -------------------------------------------------------------------------------------- */

static int follow_all(struct sim *sim, const struct fabric *with);

static void on_accept(void *context, uint64_t argument);

/* Who could not be accepted is tried again, until former sessions are over. */
static void heed_accept(struct sim *sim)
{
    if (!sim->accept_due || sim->accept_queued)
        return;
    sim->accept_queued = true;
    sim->restarts++;
    sim_clock_at(sim->clock, sim_now_ms(sim) + RESTART_PAUSE_MS, on_accept, sim, 0);
}

static void on_accept(void *context, uint64_t argument)
{
    struct sim *sim = context;
    (void)argument;
    sim->accept_queued = false;
    sim->restarts--;
    int error = exchange_sessions(sim);
    sim_compare_keys(sim);
    if (!error)
        error = follow_all(sim, sim->fabric);
    if (!error)
        controller_start(sim->controller, sim_now_ms(sim));
    if (error)
        sim->error = error;
    for (size_t i = 0; i < controller_speaker_count(sim->controller); i++)
        sim_touched(sim, controller_speaker(sim->controller, i));
    for (uint32_t i = 0; i < sim->router_count; i++)
        if (sim->routers[i]->speaker)
            sim_touched(sim, sim->routers[i]->speaker);
    heed_accept(sim);
}

/* Silence is the box's, whatever it is joined to since. */
static void heed_silence(const struct sim_router *router)
{
    for (unsigned i = 0; i < router->session_count; i++)
        sim_link_cut(router->sessions[i]->link, SIM_LINK_SILENT << router->sessions[i]->end,
                     router->silenced);
}

static bool has_link_end(const struct sim_router *router, const struct sim_router_session *wanted)
{
    for (unsigned i = 0; i < router->session_count; i++)
        if (router->sessions[i]->link == wanted->link && router->sessions[i]->end == wanted->end)
            return true;
    return false;
}

/* Has a router that is gone still to say its Cease over a link that this one has taken over, as its successor? */
static bool waits_for_former(const struct sim *sim, const struct sim_router *router)
{
    for (const struct sim_router *former = sim->gone; former; former = former->next)
        for (unsigned i = 0; former->speaker && i < router->session_count; i++)
            if (has_link_end(former, router->sessions[i]))
                return true;
    return false;
}

static int follow_all(struct sim *sim, const struct fabric *with)
{
    int error = 0;
    for (uint32_t i = 0; i < with->routers_count && !error; i++) {
        heed_silence(sim->routers[i]);
        error = follow_router(sim, i, with);
        if (!error && !sim->routers[i]->speaker && waits_for_former(sim, sim->routers[i]))
            start_later(sim, i);
        else if (!error)
            error = sim_router_heed_company(sim, i);
    }
    return error;
}

int sim_follow_routers(struct sim *sim, const struct fabric *with)
{
    struct fabric_policies *before = sim->policies;
    int error = fabric_policies_create(with, &sim->policies);
    if (error) {
        sim->policies = before;
        return error;
    }
    error = sim_make_joints(sim, with);
    if (!error)
        error = exchange_routers(sim, with);
    sim->fabric = with;
    if (!error)
        error = exchange_sessions(sim);
    if (!error)
        error = sim_make_timers(sim);
    sim_compare_keys(sim);
    if (!error)
        error = follow_all(sim, with);
    if (!error)
        controller_start(sim->controller, sim_now_ms(sim));
    heed_accept(sim);
    fabric_policies_destroy(before);
    return error;
}
