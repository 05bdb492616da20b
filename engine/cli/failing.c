/*
 * The pause of the replay is where virtual time runs: the router fails, the control plane
 * converges, the trace goes on.
 */
#include "engine/cli/failing.h"

#include <string.h>

static void on_pause(void *context)
{
    struct failing *failing = context;
    uint64_t began_ms = sim_now_ms(failing->twin->sim);
    failing->failed = sim_router_fail(failing->twin->sim, failing->router, failing->failure) == 0 &&
                      twin_settle(failing->command, failing->twin);
    failing->converged_ms = sim_now_ms(failing->twin->sim) - began_ms;
}

int failing_replay(struct failing *failing, struct dp_replay_config *config,
                   struct dp_replay_report *report)
{
    char error[DP_ERROR_TEXT] = "";
    if (failing->router != FABRIC_NONE) {
        config->pause_at = failing->at_packet;
        config->on_pause = on_pause;
        config->context = failing;
    }
    if (dp_replay(failing->twin->forwarding, config, report, error))
        return cli_error(failing->command, "%s", error);
    return 0;
}

uint32_t failing_find_router(const struct cli_command *command, const struct fabric *fabric,
                             const char *name)
{
    uint32_t router = fabric_find_router(fabric, name);
    if (router == FABRIC_NONE)
        cli_error(command, "the fabric has no router '%s'", name);
    return router;
}

static bool owns(const struct fabric *fabric, const struct fabric_router *router,
                 const struct lpm_address *address)
{
    for (uint32_t i = 0; i < router->nic_count; i++)
        if (fabric_nic_has(&fabric->nics[router->nics[i]], address))
            return true;
    return false;
}

size_t failing_next_hops(const struct failing *failing, uint32_t next_hops[FAILING_NEXT_HOPS])
{
    const struct fabric *fabric = failing->twin->fabric;
    struct lpm_address address;
    size_t n = 0;
    if (failing->router == FABRIC_NONE)
        return 0;
    for (uint32_t id = 1; dp_next_hop_address(failing->twin->forwarding, id, &address); id++)
        if (n < FAILING_NEXT_HOPS && owns(fabric, &fabric->routers[failing->router], &address))
            next_hops[n++] = id;
    return n;
}

bool failing_parse(const char *text, enum sim_failure *failure)
{
    static const char *const words[] = {
        [SIM_STOP] = "stop", [SIM_KILL] = "kill", [SIM_SILENCE] = "silence"};
    for (unsigned i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strcmp(text, words[i]) == 0) {
            *failure = (enum sim_failure)i;
            return true;
        }
    }
    return false;
}
