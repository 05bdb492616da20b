/*
 * A replay in the course of which a modelled router fails: at an exact packet, so that two runs are
 * alike.
 */
#ifndef ENGINE_CLI_FAILING_H
#define ENGINE_CLI_FAILING_H

#include "dataplane/dataplane.h"
#include "engine/cli/flows.h"
#include "engine/cli/twin.h"

struct failing {
    const struct cli_command *command;
    struct twin *twin;
    uint32_t router; /* FABRIC_NONE: nothing fails */
    enum sim_failure failure;
    uint64_t at_packet;
    uint64_t converged_ms; /* virtual time that the control plane took; filled in */
    bool failed;           /* the trace was long enough */
};

/* dp_replay() of config with the failure in it; config's pause is this function's to set. Errors
 * are said. Returns 0 or the exit code. */
int failing_replay(struct failing *failing, struct dp_replay_config *config,
                   struct dp_replay_report *report);

/* The router of that name with a BGP session, or FABRIC_NONE with an error. */
uint32_t failing_find_router(const struct cli_command *command, const struct fabric *fabric,
                             const char *name);
/* "kill", "stop" or "silence"; false for anything else. */
bool failing_parse(const char *text, enum sim_failure *failure);

/* The next hops (dp_next_hop_address()) that are addresses of the failing router's NICs, up to
 * FAILING_NEXT_HOPS of them. Returns how many. */
#define FAILING_NEXT_HOPS 16
size_t failing_next_hops(const struct failing *failing, uint32_t next_hops[FAILING_NEXT_HOPS]);

#endif
