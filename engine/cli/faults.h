/*
 * What the ways of packets through the converged twin give away: loops, black holes, and answers that
 * a stateful router drops because the flow did not begin there.
 */
#ifndef ENGINE_CLI_FAULTS_H
#define ENGINE_CLI_FAULTS_H

#include "engine/cli/twin.h"
#include "engine/fabric/load.h"

/* Calls take for each kind of fault at each NIC, with one flow as an example; the problem is the
 * callee's for the call. Returns 0 or -ENOMEM. */
int faults_find(struct twin *twin,
                void (*take)(void *context, const struct fabric_problem *problem), void *context);

#endif
