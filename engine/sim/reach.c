/*
 * Which circuits carry their sessions: found by walking their packets (path.h) whenever routes changed.
 * A circuit that does not deliver is cut, and nobody is told: what runs over it finds out by its hold
 * time, as it would in a real network.
 *
 *   FIBs, routers' routes, silence ──> on_reach() ──> sim_link_cut(SIM_LINK_UNREACHABLE)
 *         ^                                                     │
 *         └──────────── sessions that come and go <─────────────┘
 */
#include <errno.h>

#include "engine/sim/internal.h"
#include "engine/sim/path.h"

static void look_at(struct sim *sim, struct path_finder *finder, size_t i)
{
    struct sim_joint *joint = sim->joints[i];
    const char *lost = path_circuit_lost(finder, i);
    sim->changes += (lost == NULL) != (joint->lost == NULL);
    joint->lost = lost;
    sim_link_cut(joint->link, SIM_LINK_UNREACHABLE, lost != NULL);
}

static void on_reach(void *context, uint64_t argument)
{
    struct sim *sim = context;
    (void)argument;
    sim->reach_queued = false;
    sim->reach_changes = sim->changes;
    struct path_finder *finder = path_finder_create(sim->fabric, sim, sim->forwarding);
    if (!finder) {
        sim->error = -ENOMEM;
        return;
    }
    path_finder_skip_rows(finder);
    for (size_t i = 0; i < sim->circuit_count; i++)
        if (sim->joints[i]->link)
            look_at(sim, finder, i);
    path_finder_free(finder);
}

void sim_reach_wanted(struct sim *sim)
{
    if (sim->reach_queued || sim->circuit_count == 0)
        return;
    sim->reach_queued = true;
    sim_clock_at(sim->clock, sim_now_ms(sim), on_reach, sim, 0);
}

void sim_reach_follow(struct sim *sim)
{
    if (sim->changes != sim->reach_changes)
        sim_reach_wanted(sim);
}

const char *sim_circuit_lost(const struct sim *sim, size_t i)
{
    return sim->joints[i]->lost;
}
