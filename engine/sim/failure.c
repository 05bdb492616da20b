/*
 * What fails in the twin, and comes back: modelled routers, instances of route servers, links.
 *
 * A link carries nothing while it is cut itself, or a router or instance at one of its ends is
 * silent: each is a reason of its own (link.h).
 */
#include <errno.h>

#include "engine/fabric/route_server.h"
#include "engine/sim/internal.h"

/* The modelled router that answers for a route-server session; FABRIC_NONE: nobody does. */
static uint32_t answering_router(const struct sim *sim, const struct controller_peer *peer)
{
    uint32_t router;
    return sim_answering(sim->fabric, peer, &router) ? router : FABRIC_NONE;
}

/* --- Links ------------------------------------------------------------------------------------ */

bool sim_link_can_work(const struct sim *sim, size_t i)
{
    const struct sim_shell *shell = sim_shell_of(controller_peer(sim->controller, i));
    return !sim_link_is_cut(shell->link) && !shell->stopped;
}

int sim_session_cut(struct sim *sim, uint32_t router, uint32_t route_server, bool cut)
{
    int error = -ENOENT;
    for (size_t i = 0; i < controller_peer_count(sim->controller); i++) {
        const struct controller_peer *peer = controller_peer(sim->controller, i);
        if (peer->route_server != route_server || answering_router(sim, peer) != router)
            continue;
        sim_link_cut(sim_shell_of(peer)->link, SIM_LINK_DOWN, cut);
        error = 0;
    }
    return error;
}

int sim_routers_cut(struct sim *sim, uint32_t a, uint32_t b, bool cut)
{
    int error = -ENOENT;
    for (size_t i = 0; i < sim->circuit_count; i++) {
        const struct sim_joint *joint = sim->joints[i];
        int end = sim_circuit_end_of(&joint->circuit, a);
        if (!joint->link || end < 0 || joint->circuit.ends[!end].router != b)
            continue;
        sim_link_cut(joint->link, SIM_LINK_DOWN, cut);
        sim->changes++;
        error = 0;
    }
    return error;
}

/* --- Routers ---------------------------------------------------------------------------------- */

static void end_process(struct sim *sim, uint32_t router)
{
    sim->routers[router]->stopping = false;
    sim_set_timer(sim, sim_router_slot(sim, router), NULL);
    sim_router_kill(sim->routers[router]);
    sim->changes++;
    sim_reach_wanted(sim);
}

static void on_cease_sent(void *context, uint64_t number)
{
    struct sim *sim = context;
    const uint32_t router = sim_router_numbered(sim, number);
    if (router != FABRIC_NONE && sim->routers[router]->stopping)
        end_process(sim, router);
}

static void silence(struct sim *sim, uint32_t router, bool silent)
{
    sim->routers[router]->silenced = silent;
    sim->changes++;
    for (unsigned i = 0; i < sim->routers[router]->session_count; i++) {
        const struct sim_router_session *session = sim->routers[router]->sessions[i];
        sim_link_cut(session->link, SIM_LINK_SILENT << session->end, silent);
    }
    sim_reach_wanted(sim);
}

bool sim_router_is_silent(const struct sim *sim, uint32_t router)
{
    return sim->routers[router]->silenced;
}

int sim_router_fail(struct sim *sim, uint32_t router, enum sim_failure failure)
{
    sim->routers[router]->restarting &= failure == SIM_SILENCE;
    if (!sim->routers[router]->speaker && failure != SIM_SILENCE)
        return -ESRCH;
    switch (failure) {
    case SIM_STOP:
        sim->routers[router]->stopping = true;
        sim_router_cease(sim->routers[router]);
        sim_clock_at(sim->clock, sim_now_ms(sim) + CEASE_LINGER_MS, on_cease_sent, sim,
                     sim->routers[router]->number);
        break;
    case SIM_KILL:
        end_process(sim, router);
        break;
    case SIM_SILENCE:
        silence(sim, router, true);
        break;
    }
    return 0;
}

int sim_router_restart(struct sim *sim, uint32_t router)
{
    silence(sim, router, false);
    if (sim->routers[router]->stopping)
        end_process(sim, router);
    return sim->routers[router]->speaker ? 0 : sim_start_router(sim, router);
}

int sim_router_heed_company(struct sim *sim, uint32_t router)
{
    struct sim_router *is = sim->routers[router];
    if (is->session_count > 0 && is->lonely) {
        if (is->stopping)
            end_process(sim, router);
        return sim_start_router(sim, router);
    }
    if (is->session_count > 0 || !is->speaker || is->stopping)
        return 0;
    is->lonely = true;
    return sim_router_fail(sim, router, SIM_STOP);
}

int sim_router_health(struct sim *sim, uint32_t router, uint32_t check, bool up)
{
    return sim_router_set_health(sim->routers[router], check, up);
}

int sim_router_announce(struct sim *sim, uint32_t router, const struct lpm_prefix *prefix,
                        bool announced)
{
    struct sim_router *changed = sim->routers[router];
    int error = sim_router_remember(changed, prefix, announced);
    if (error || !changed->speaker)
        return error;
    error = announced ? fabric_originate_prefixes(changed->speaker, prefix, 1)
                      : speaker_withdraw(changed->speaker, prefix);
    sim_touched(sim, changed->speaker);
    return error == -ENOENT ? 0 : error;
}

/* --- Instances of route servers --------------------------------------------------------------- */

static bool is_of(const struct controller_peer *peer, uint32_t route_server, unsigned instance)
{
    return peer->route_server == route_server && peer->instance == instance;
}

/* The sessions go; a process that is killed has no time for a word to its peers, but its kernel
 * closes the connections. */
static void end_instance_session(struct sim *sim, size_t i, bool polite)
{
    struct controller_peer *peer = controller_peer(sim->controller, i);
    sim_shell_of(peer)->stopped = true;
    speaker_peer_stop(peer->speaker, peer->peer, BGP_CEASE_SHUTDOWN, sim_now_ms(sim));
    if (!polite)
        sim_link_detach(sim_shell_of(peer)->link, 0);
    sim_touched(sim, peer->speaker);
}

int sim_instance_fail(struct sim *sim, uint32_t route_server, unsigned instance,
                      enum sim_failure failure)
{
    int error = -ENOENT;
    if (failure != SIM_SILENCE)
        controller_instance_leaves(sim->controller, route_server, instance);
    for (size_t i = 0; i < controller_peer_count(sim->controller); i++) {
        const struct controller_peer *peer = controller_peer(sim->controller, i);
        if (!is_of(peer, route_server, instance))
            continue;
        error = 0;
        if (failure == SIM_SILENCE) {
            sim_link_cut(sim_shell_of(peer)->link, SIM_LINK_SILENT, true);
        } else if (!sim_shell_of(peer)->stopped) {
            end_instance_session(sim, i, failure == SIM_STOP);
        }
    }
    return error;
}

int sim_instance_restart(struct sim *sim, uint32_t route_server, unsigned instance)
{
    int error = -ENOENT;
    for (size_t i = 0; i < controller_peer_count(sim->controller); i++) {
        struct controller_peer *peer = controller_peer(sim->controller, i);
        struct sim_shell *shell = sim_shell_of(peer);
        if (!is_of(peer, route_server, instance))
            continue;
        error = 0;
        sim_link_cut(shell->link, SIM_LINK_SILENT, false);
        if (!shell->stopped)
            continue;
        shell->stopped = false;
        sim_link_attach(shell->link, 0, peer->speaker, peer->peer);
        speaker_peer_start(peer->speaker, peer->peer, sim_now_ms(sim));
        sim_touched(sim, peer->speaker);
    }
    return error;
}

bool sim_instance_is_running(const struct sim *sim, uint32_t route_server, unsigned instance)
{
    bool running = true;
    for (size_t i = 0; i < controller_peer_count(sim->controller); i++)
        if (is_of(controller_peer(sim->controller, i), route_server, instance)) {
            const struct sim_shell *shell = sim_shell_of(controller_peer(sim->controller, i));
            running &= !shell->stopped && !sim_link_is_cut_for(shell->link, SIM_LINK_SILENT);
        }
    return running;
}
