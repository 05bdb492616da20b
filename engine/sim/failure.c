/*
 * Failures of modelled routers.
 */
#include <errno.h>

#include "engine/sim/internal.h"

/* A clean stop ends the process once its Cease has crossed the link. */
#define CEASE_LINGER_MS (4 * LINK_DELAY_MS)

static void end_process(struct sim *sim, uint32_t router)
{
    sim->conditions[router].stopping = false;
    sim_set_timer(sim, sim_router_slot(sim, router), NULL);
    sim_router_kill(&sim->routers[router]);
}

static void on_cease_sent(void *context, uint64_t router)
{
    struct sim *sim = context;
    if (sim->conditions[router].stopping)
        end_process(sim, (uint32_t)router);
}

static void silence(struct sim *sim, uint32_t router, bool silent)
{
    sim->conditions[router].silenced = silent;
    for (unsigned i = 0; i < sim->routers[router].session_count; i++)
        sim_link_cut(sim->routers[router].sessions[i].link, silent);
}

int sim_router_fail(struct sim *sim, uint32_t router, enum sim_failure failure)
{
    if (!sim->routers[router].speaker)
        return -ESRCH;
    switch (failure) {
    case SIM_STOP:
        sim->conditions[router].stopping = true;
        sim_router_cease(&sim->routers[router]);
        sim_clock_at(sim->clock, sim_now_ms(sim) + CEASE_LINGER_MS, on_cease_sent, sim, router);
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
    if (sim->conditions[router].stopping)
        end_process(sim, router);
    return sim->routers[router].speaker ? 0 : sim_start_router(sim, router);
}
