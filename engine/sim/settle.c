/*
 * Running, and knowing when there is nothing left to come.
 */
#include <errno.h>

#include "engine/sim/internal.h"

/* Up at the intervals of the file: until the peer has told its own, it would be missed late. */
static bool bfd_as_expected(const struct sim *sim, const struct controller_peer *peer)
{
    const struct fabric_bfd *bfd =
        &sim->fabric->route_servers[peer->route_server].peers[peer->index].bfd;
    struct bfd_info info;
    if (!peer->bfd)
        return true;
    bfd_session_info(peer->bfd, &info);
    return info.state == BFD_UP && !info.polling &&
           info.detection_us == UINT64_C(1000) * bfd->interval_ms * bfd->multiplier;
}

static bool session_as_expected(struct sim *sim, size_t i)
{
    struct controller_peer *peer = controller_peer(sim->controller, i);
    uint32_t router;
    bool up = sim_answering(sim->fabric, peer, &router) && sim->routers[router]->speaker &&
              sim_link_can_work(sim, i);
    if (up && !bfd_as_expected(sim, peer))
        return false;
    return peer->established == up && (!up || sim_link_quiet(sim_shell_of(peer)->link));
}

bool sim_settled(struct sim *sim)
{
    if (sim->flush_queued || sim->reach_queued || sim->restarts > 0 || !sim_feeds_are_over(sim) ||
        controller_pace(sim->controller).damped > 0)
        return false;
    for (size_t i = 0; i < controller_peer_count(sim->controller); i++)
        if (!session_as_expected(sim, i))
            return false;
    for (size_t i = 0; i < sim->circuit_count; i++)
        if (!sim_circuit_as_expected(sim, i))
            return false;
    for (size_t i = 0; i < controller_gateway_peer_count(sim->controller); i++)
        if (!sim_gateway_session_as_expected(sim, i))
            return false;
    for (size_t i = 0; i < sim->timer_count; i++)
        if (sim->timers[i].speaker && !speaker_settled(sim->timers[i].speaker))
            return false;
    return true;
}

static int run_error(const struct sim *sim)
{
    return sim_clock_failed(sim->clock) ? -ENOMEM : sim->error;
}

/* Buckets that wait for flows to fall idle move on virtual time. */
static bool step(struct sim *sim, uint64_t limit_ms)
{
    bool stepped = sim_clock_step(sim->clock, limit_ms);
    controller_tick_groups(sim->controller, sim_now_ms(sim));
    return stepped;
}

int sim_settle(struct sim *sim, uint64_t limit_ms)
{
    uint64_t last_ms = sim_feeds_end_ms(sim), now_ms = sim_now_ms(sim);
    uint64_t end_ms = (last_ms > now_ms ? last_ms : now_ms) + limit_ms;
    while (!run_error(sim)) {
        /* Asked only when time moves on: everything due now has been done. A window that the start opened
         * would hold back what the caller does next. */
        if (sim_clock_next_ms(sim->clock) > sim_now_ms(sim) && sim_settled(sim) &&
            !controller_pace(sim->controller).is_damping)
            return 0;
        if (!step(sim, end_ms))
            return -ETIMEDOUT;
    }
    return run_error(sim);
}

int sim_run(struct sim *sim, uint64_t duration_ms)
{
    uint64_t end_ms = sim_now_ms(sim) + duration_ms;
    while (!run_error(sim) && step(sim, end_ms))
        continue;
    return run_error(sim);
}

int sim_step(struct sim *sim, uint64_t limit_ms)
{
    if (!step(sim, limit_ms))
        return run_error(sim);
    while (!run_error(sim) && sim_clock_next_ms(sim->clock) <= sim_now_ms(sim))
        step(sim, limit_ms);
    return run_error(sim) ? run_error(sim) : 1;
}

void sim_at(struct sim *sim, uint64_t at_ms, void (*action)(void *context, uint64_t argument),
            void *context, uint64_t argument)
{
    sim_clock_at(sim->clock, at_ms, action, context, argument);
}

struct sim_changes sim_changes(const struct sim *sim)
{
    return (struct sim_changes){
        .entries = sim->entries,
        .groups = dp_group_swaps(sim->forwarding),
        .others = sim->changes,
    };
}
