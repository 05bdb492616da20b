/*
 * A twin of a fabric that belongs to the test, for tests that give it another fabric later and
 * compare it with a fresh one.
 */
#ifndef TESTS_SIM_WORLD_H
#define TESTS_SIM_WORLD_H

#include <criterion/criterion.h>

#include "dataplane/dataplane.h"
#include "engine/program/program.h"
#include "engine/sim/sim.h"

struct world {
    struct lpm *lpm;
    struct dp_forwarding *forwarding;
    struct sim *sim;
};

/* Settled within 10 virtual minutes; a failure ends the test. nic_capacity 0: as the program asks. */
static inline void world_open(struct world *world, const struct fabric *fabric,
                              uint32_t nic_capacity)
{
    char error[DP_ERROR_TEXT] = "";
    struct dp_forwarding_config config = program_forwarding_config(fabric, 1);
    if (nic_capacity)
        config.nic_capacity = nic_capacity;
    world->lpm = lpm_create();
    world->forwarding = dp_forwarding_create(&config, world->lpm);
    world->sim = sim_create(fabric, world->forwarding, error);
    cr_assert_not_null(world->sim, "%s", error);
    cr_assert_eq(sim_settle(world->sim, 600000), 0);
}

static inline void world_close(struct world *world)
{
    sim_destroy(world->sim);
    dp_forwarding_destroy(world->forwarding);
    lpm_destroy(world->lpm);
}

#endif
