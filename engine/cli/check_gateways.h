/* What the converged twin shows of gateways: sessions that are down, limits that are near, defaults that
 * branches do not hear of. */
#ifndef ENGINE_CLI_CHECK_GATEWAYS_H
#define ENGINE_CLI_CHECK_GATEWAYS_H

#include "engine/cli/twin.h"
#include "engine/fabric/load.h"

/* Calls take for each finding, which is the callee's for the call. */
void check_gateways(struct twin *twin,
                    void (*take)(void *context, const struct fabric_problem *problem),
                    void *context);

#endif
