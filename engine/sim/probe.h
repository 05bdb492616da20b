/*
 * Health probes in the twin: sent and answered on the virtual clock, without packets.
 */
#ifndef ENGINE_SIM_PROBE_H
#define ENGINE_SIM_PROBE_H

#include "engine/program/probes.h"
#include "engine/sim/clock.h"

struct sim_probes {
    struct sim_clock *clock;
    struct probes *probes; /* NULL: there are none */
    uint32_t round_trip_ms;
    /* Would the backend answer this one now? */
    bool (*answers)(void *context, const struct probe_order *order);
    void *context;
    uint64_t armed_ms; /* UINT64_MAX: the clock holds nothing for us */
};

/* Sends what is due and asks the clock for the next turn; from then on it goes by itself. */
void sim_probes_run(struct sim_probes *probes);
/* The clock forgets it: before the probes or the struct go. */
void sim_probes_forget(struct sim_probes *probes);

#endif
