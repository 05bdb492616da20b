#include "engine/sim/internal.h"

static void on_timer(void *context, uint64_t armed_ms)
{
    struct sim_probes *probes = context;
    if (armed_ms != probes->armed_ms)
        return; /* a nearer deadline was found since */
    probes->armed_ms = UINT64_MAX;
    sim_probes_run(probes);
}

/* target and sequence in one word, as the clock carries no more. */
static void on_answer(void *context, uint64_t argument)
{
    struct sim_probes *probes = context;
    probes_result(probes->probes, (uint32_t)(argument >> 32), (uint32_t)argument, true,
                  sim_clock_now_ms(probes->clock));
    sim_probes_run(probes);
}

static void arm(struct sim_probes *probes)
{
    uint64_t deadline_ms = probes_deadline(probes->probes);
    if (deadline_ms >= probes->armed_ms)
        return;
    probes->armed_ms = deadline_ms;
    sim_clock_at(probes->clock, deadline_ms, on_timer, probes, deadline_ms);
}

void sim_probes_run(struct sim_probes *probes)
{
    uint64_t now_ms = sim_clock_now_ms(probes->clock);
    struct probe_order order;
    if (!probes->probes)
        return;
    probes_tick(probes->probes, now_ms);
    while (probes_next(probes->probes, now_ms, &order))
        if (probes->answers(probes->context, &order))
            sim_clock_at(probes->clock, now_ms + probes->round_trip_ms, on_answer, probes,
                         (uint64_t)order.target << 32 | order.sequence);
    arm(probes);
}

void sim_probes_forget(struct sim_probes *probes)
{
    if (probes->clock)
        sim_clock_forget(probes->clock, probes);
    probes->armed_ms = UINT64_MAX;
}

/* A NIC without a modelled router is a machine that is always there. A router that was stopped or
 * killed has lost its daemon, not its machine. */
static bool answers(void *context, const struct probe_order *order)
{
    const struct sim *sim = context;
    const struct fabric_load_balancer *balancer = &sim->fabric->load_balancers[order->balancer];
    uint32_t router = sim->fabric->nics[balancer->backends[order->backend]].router;
    if (router == FABRIC_NONE)
        return true;
    bool runs = sim->routers[router]->speaker || sim->routers[router]->session_count == 0;
    return !sim->routers[router]->silenced && (runs || !order->tcp);
}

void sim_start_probes(struct sim *sim)
{
    sim->probes = (struct sim_probes){
        .clock = sim->clock,
        .probes = controller_probes(sim->controller),
        .round_trip_ms = 2 * LINK_DELAY_MS,
        .answers = answers,
        .context = sim,
        .armed_ms = UINT64_MAX,
    };
    sim_probes_run(&sim->probes);
}
